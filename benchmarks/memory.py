"""What tap and target hold in memory: a short table beside a long one, and one of very many segments."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.client import TAP, TARGET
from benchmarks.measure import BenchmarkError, run
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from benchmarks.client import Bench
    from benchmarks.measure import Taken

MIX = "flat"
PLAIN: dict[str, str | int] = {"item_format": "plain", "processes": 1}
VARIANTS: dict[str, dict[str, str | int]] = {
    "tap, plain": PLAIN,
    "tap, plain, 2 processes": {"item_format": "plain", "processes": 2},
    "tap, dynamodb_json": {"item_format": "dynamodb_json", "processes": 1},
}


@dataclass(frozen=True)
class Held:
    """What a run held at its peak, and what it wrote.

    Attributes:
        peak: The most memory that was resident, in bytes.
        largest: The most that one of its processes had.
        records: RECORD messages.
        states: STATE messages.
        largest_state: Bytes of the largest of these.
    """

    peak: int
    largest: int
    records: int
    states: int
    largest_state: int


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: The program and how it is set.
        held: What it held.
        more: Bytes beyond what it held over the short table; None for the short one itself.
    """

    name: str
    held: Held
    more: int | None


def memory(bench: Bench) -> list[Row]:
    """Measure both over a short and a long table, and the tap over a long one in many segments."""
    rows = []
    short, long = bench.scale.memory_pages
    many = bench.scale.many_segments
    with stub.running(MIX, short) as few_items, stub.running(MIX, long) as many_items:
        for name, settings in VARIANTS.items():
            first = read(bench, few_items, **settings)
            rows.append(Row(name, first, None))
            runs = {name: settings}
            if settings is PLAIN:
                runs[f"{name}, {many:,} segments"] = {**settings, "segments": many}
            for label, own in runs.items():
                held = read(bench, many_items, **own)
                rows.append(Row(label, held, held.peak - first.peak))
        first = write(bench, few_items)
        rows.append(Row("target, plain", first, None))
        held = write(bench, many_items)
        rows.append(Row("target, plain", held, held.peak - first.peak))
    return rows


def read(bench: Bench, source: stub.Stub, **settings: str | int) -> Held:
    """Run the tap over a table once.

    Args:
        bench: Has the folder for files.
        source: The stub with the table.
        settings: The tap's, beyond the connection and the table.

    Raises:
        BenchmarkError: Not every item became a record.
    """
    config = bench.config(source.config(), tables=[source.table], **settings)
    held = hold([*TAP, config], bench.folder)
    items = Pages(source.table, source.pages).items
    if held.records != items:
        raise BenchmarkError(f"The tap wrote {held.records} records of {items} items")
    bench.say(f"memory, {settings}: {items:,} items, {held.peak / 1e6:.0f} MB")
    return held


def write(bench: Bench, source: stub.Stub) -> Held:
    """Run the target over a table's records once.

    Args:
        bench: Has the folder for files.
        source: The stub with the table, and with a sink.

    Raises:
        BenchmarkError: Not every record became an item.
    """
    messages = bench.folder / "records.jsonl"
    run(
        [*TAP, bench.config(source.config(), tables=[source.table])],
        bench.folder,
        output=messages,
    )
    config = bench.config(source.config(), table_name=stub.SINK)
    before = source.counts()["items_written"]
    held = hold([*TARGET, config], bench.folder, messages)
    written = source.counts()["items_written"] - before
    messages.unlink()
    items = Pages(source.table, source.pages).items
    if written != items:
        raise BenchmarkError(f"The target wrote {written} items of {items} records")
    bench.say(f"memory, target: {items:,} items, {held.peak / 1e6:.0f} MB")
    return replace(held, records=written)


def hold(
    command: list[str],
    folder: Path,
    source: Path | None = None,
    *,
    codes: Container[int] = (0,),
) -> Held:
    """Run a command that writes lines of JSON, and say what it held.

    Args:
        command: The program and its arguments.
        folder: For files.
        source: What it reads as standard input; nothing when None.
        codes: Exit codes of a run that has not failed.

    Raises:
        BenchmarkError: It failed.
    """
    return taken_and_held(command, folder, source, codes=codes)[1]


def taken_and_held(
    command: list[str],
    folder: Path,
    source: Path | None = None,
    *,
    codes: Container[int] = (0,),
) -> tuple[Taken, Held]:
    """Likewise, and say what it took; what reads its output counts in."""
    figures = folder / "peak.json"
    peak = [sys.executable, "-m", "benchmarks.peak", *command]
    taken = run(peak, folder, source=source, output=figures, codes=codes)
    return taken, Held(**json.loads(figures.read_text()))
