"""What a second core brings: the target with two processes beside one, on files of BATCH messages.

The tap writes the files once. They are then moved out of its folder, so that they are foreign ones,
which the target does not remove.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.client import TAP, TARGET
from benchmarks.compare import Subject, compare
from benchmarks.measure import BenchmarkError, in_turn, median, run
from benchmarks.scaling import PROCESSES, words
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.client import Bench
    from benchmarks.compare import Row
    from benchmarks.measure import Taken
    from tests.engines.stub import Stub

MIXES = ("flat", "nested")
EMPTY = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"
"""No records, compressed."""


@dataclass(frozen=True)
class Stream:
    """What the tap wrote: messages, and below a root the files that they name."""

    messages: Path
    root: Path


def batches(bench: Bench) -> list[Row]:
    """Compare the target in several processes with itself in one; what each takes to begin is left out."""
    rows = []
    for mix in MIXES:
        bench.say(f"batch, {mix}")
        pages = bench.scale.batch_pages
        with stub.running(mix, pages) as engine:
            full = _written(bench, engine)
            empty = _emptied(full)
            begins = _begins(bench, engine, empty)
            subjects = [
                Subject(
                    f"target, BATCH, {words(number)}",
                    Pages(mix, pages).items,
                    _loading(bench, engine, full, number),
                    begins[number],
                )
                for number in PROCESSES
            ]
            rows += compare(
                mix,
                Pages(mix, 1).item_bytes,
                subjects,
                rounds=bench.scale.rounds,
                say=bench.say,
            )
    return rows


def _written(bench: Bench, source: Stub) -> Stream:
    """Let the tap write its files, and take them out of its folder."""
    root = bench.folder / f"batch-{source.table}"
    messages = bench.folder / f"batch-{source.table}.jsonl"
    config = bench.config(
        source.config(),
        tables=[source.table],
        batch_config={"storage": {"root": f"file://{root}"}},
        batch_pending_bytes=0,
    )
    run([*TAP, config], bench.folder, output=messages)
    said = [json.loads(line) for line in messages.read_text().splitlines()]
    for message in said:
        if message["type"] == "BATCH":
            files = [Path(url.removeprefix("file://")) for url in message["manifest"]]
            moved = [file.rename(root / f"kept-{file.name}") for file in files]
            message["manifest"] = [f"file://{file}" for file in moved]
    return _saved(messages, root, said)


def _emptied(full: Stream) -> Stream:
    """Return a stream whose files hold nothing: two, so that each of two processes begins."""
    said: list[dict[str, Any]] = []
    for line in full.messages.read_text().splitlines():
        message = json.loads(line)
        if message["type"] != "BATCH":
            said.append(message)
        elif not any(each["type"] == "BATCH" for each in said):
            files = [full.root / f"empty-{number}.jsonl.gz" for number in PROCESSES]
            for file in files:
                file.write_bytes(EMPTY)
            said.append({**message, "manifest": [f"file://{file}" for file in files]})
    return _saved(full.messages.with_suffix(".empty"), full.root, said)


def _saved(path: Path, root: Path, messages: list[dict[str, Any]]) -> Stream:
    path.write_text("".join(json.dumps(message) + "\n" for message in messages))
    return Stream(path, root)


def _begins(bench: Bench, engine: Stub, empty: Stream) -> Mapping[int, Taken]:
    runs: dict[str, Callable[[], Taken]] = {
        words(number): _running(bench, engine, empty, number) for number in PROCESSES
    }
    taken = in_turn(runs, bench.scale.rounds, bench.say)
    return {number: median(taken[words(number)]) for number in PROCESSES}


def _running(bench: Bench, engine: Stub, stream: Stream, processes: int) -> Callable[[], Taken]:
    config = bench.config(
        engine.config(),
        table_name=stub.SINK,
        batch_root=str(stream.root),
        processes=processes,
    )
    return lambda: run([*TARGET, config], bench.folder, source=stream.messages)


def _loading(bench: Bench, engine: Stub, stream: Stream, processes: int) -> Callable[[], Taken]:
    load = _running(bench, engine, stream, processes)
    items = Pages(engine.table, engine.pages).items

    def once() -> Taken:
        before = engine.counts()
        taken = load()
        after = engine.counts()
        written = after["items_written"] - before["items_written"]
        if written != items:
            raise BenchmarkError(f"The target wrote {written} items, not {items}")
        cpu = after["cpu_seconds"] - before["cpu_seconds"]
        bench.say(f"  the stub took {cpu:.2f} s of CPU beside {taken.wall:.2f} s on the clock")
        return taken

    return once
