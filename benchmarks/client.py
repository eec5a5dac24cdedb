"""The client alone: tap and target against the canned stub, each beside its baseline."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.compare import Subject, compare
from benchmarks.measure import BenchmarkError, in_turn, median, run
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.compare import Row
    from benchmarks.measure import Taken
    from tests.engines.stub import Stub

TAP = [sys.executable, "-m", "tap_dynamodb", "--config"]
TARGET = [sys.executable, "-m", "target_dynamodb", "--config"]
BOTO_LOOP = [sys.executable, "-m", "benchmarks.baselines.boto_loop"]
SDK_LOADER = [sys.executable, "-m", "benchmarks.baselines.sdk_loader", "--config"]
FORMATS = ("plain", "packed", "dynamodb_json")


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        mixes: Which items.
        formats: Which item formats.
        rounds: How often.
        tap_pages: Pages of 1 MB that the tap reads, and its baseline.
        target_pages: Pages of 1 MB that are written by the target, and by its baseline.
        pair_items: Items that the pair moves on the real engine, by mix.
        memory_pages: Pages of 1 MB of the short and of the long table whose scan's memory is taken.
        many_segments: Into how many segments the long one is divided once more.
        scaling_pages: Pages of 1 MB of the table that one process reads, and two.
        batch_pages: Pages of 1 MB whose items lie in the files that one process loads, and two.
        whole_pages: Pages of 1 MB that move through `meltano run`.
        compared_pages: Pages of 1 MB of each of two tables that are compared, by the command and by the script,
            by mix.
        compared_memory_pages: Likewise of tables that have no key in common, and whose memory is taken.
        compared_methods_pages: Likewise by the two methods.
        exports_pages: Pages of 1 MB of exports that the tap reads, the scripts, and the tap in Ion, by mix.
        changes: How many changes the tap reads of a stream, and the script, by mix.
    """

    mixes: Sequence[str]
    formats: Sequence[str]
    rounds: int
    tap_pages: tuple[int, int]
    target_pages: tuple[int, int]
    pair_items: Mapping[str, int]
    memory_pages: tuple[int, int]
    many_segments: int
    scaling_pages: int
    batch_pages: int
    whole_pages: int
    compared_pages: Mapping[str, tuple[int, int]]
    compared_memory_pages: tuple[Sequence[int], Sequence[int]]
    compared_methods_pages: tuple[int, int]
    exports_pages: Mapping[str, tuple[int, int, int]]
    changes: Mapping[str, tuple[int, int]]


class Bench:
    """Measures, with its files in one folder.

    Args:
        scale: How much.
        folder: Where files go.
        say: Told about progress.
    """

    def __init__(self, scale: Scale, folder: Path, say: Callable[[str], None]) -> None:
        self.scale = scale
        self.folder = folder
        self.say = say
        self.start_ups: dict[str, Taken] = {}
        self._configs = 0

    def config(self, engine: Mapping[str, Any], **settings: Any) -> str:
        """Write a configuration and return its path.

        Args:
            engine: The `aws_*` settings.
            **settings: The others.
        """
        self._configs += 1
        path = self.folder / f"config-{self._configs}.json"
        path.write_text(json.dumps({**engine, **settings}))
        return str(path)

    def measure_start_up(self) -> None:
        """Run each program over no items, and keep what that takes."""
        with stub.running("flat", 0) as empty:
            engine = empty.config()
            reads = self.config(engine, tables=[empty.table])
            writes = self.config(engine, table_name=stub.SINK)
            schema = self.folder / "schema.jsonl"
            run([*TAP, reads], self.folder, output=schema)
            commands: dict[str, Callable[[], Taken]] = {
                "tap": lambda: run([*TAP, reads], self.folder),
                "boto loop": lambda: run([*BOTO_LOOP, reads], self.folder),
                "target": lambda: run([*TARGET, writes], self.folder, source=schema),
                "SDK loader": lambda: run([*SDK_LOADER, writes], self.folder, source=schema),
            }
            self.say("start-up")
            for name, taken in in_turn(commands, self.scale.rounds, self.say).items():
                self.start_ups[name] = median(taken)

    def taps(self) -> list[Row]:
        """Compare the tap with the boto loop."""
        rows = []
        ours, others = self.scale.tap_pages
        for mix in self.scale.mixes:
            self.say(f"tap, {mix}")
            with stub.running(mix, ours) as long, stub.running(mix, others) as short:
                subjects = [
                    self._reader(
                        f"tap, {item_format}",
                        [*TAP, self.config(long.config(), tables=[mix], item_format=item_format)],
                        long,
                        "tap",
                    )
                    for item_format in self.scale.formats
                ]
                loop = [*BOTO_LOOP, self.config(short.config(), tables=[mix])]
                subjects.append(self._reader("boto loop", loop, short, "boto loop"))
                rows += compare(
                    mix, Pages(mix, 1).item_bytes, subjects, rounds=self.scale.rounds, say=self.say
                )
        return rows

    def targets(self) -> list[Row]:
        """Compare the target with the SDK loader."""
        rows = []
        for mix in self.scale.mixes:
            self.say(f"target, {mix}")
            with self._streams(mix) as (streams, size, engine):
                subjects = [
                    self._writer(
                        f"target, {item_format}",
                        [*TARGET, self.config(engine.config(), table_name=stub.SINK)],
                        streams[item_format],
                        engine,
                        "target",
                    )
                    for item_format in self.scale.formats
                ]
                bare = self.config(engine.config(), table_name=stub.SINK, validate_records=False)
                loader = self.config(engine.config(), table_name=stub.SINK)
                for name, config in (("SDK loader, unvalidated", bare), ("SDK loader", loader)):
                    subjects.append(
                        self._writer(
                            name, [*SDK_LOADER, config], streams["short"], engine, "SDK loader"
                        )
                    )
                rows += compare(mix, size, subjects, rounds=self.scale.rounds, say=self.say)
        return rows

    @contextlib.contextmanager
    def _streams(self, mix: str) -> Iterator[tuple[dict[str, tuple[Path, int]], float, Stub]]:
        """Let the tap write the streams that the target is to read."""
        ours, others = self.scale.target_pages
        streams = {}
        with stub.running(mix, others) as short, stub.running(mix, ours) as long:
            wanted = [
                ("short", "plain", short),
                *((each, each, long) for each in self.scale.formats),
            ]
            for name, item_format, source in wanted:
                config = self.config(source.config(), tables=[mix], item_format=item_format)
                path = self.folder / f"{mix}-{name}.jsonl"
                run([*TAP, config], self.folder, output=path)
                streams[name] = (path, _records(path, Pages(source.table, source.pages).items))
            try:
                yield streams, Pages(mix, 1).item_bytes, long
            finally:
                for path, _ in streams.values():
                    path.unlink()

    def _reader(self, name: str, command: list[str], source: Stub, kind: str) -> Subject:
        items = Pages(source.table, source.pages).items

        def once() -> Taken:
            before = source.counts()["items_read"]
            taken = run(command, self.folder)
            read = source.counts()["items_read"] - before
            if read < items:
                raise BenchmarkError(f"{name} read {read} of {items} items")
            return taken

        return Subject(name, items, once, self.start_ups[kind])

    def _writer(
        self, name: str, command: list[str], stream: tuple[Path, int], engine: Stub, kind: str
    ) -> Subject:
        path, items = stream

        def once() -> Taken:
            before = engine.counts()["items_written"]
            taken = run(command, self.folder, source=path)
            written = engine.counts()["items_written"] - before
            if written != items:
                raise BenchmarkError(f"{name} wrote {written} items, not {items}")
            return taken

        return Subject(name, items, once, self.start_ups[kind])


def _records(path: Path, items: int) -> int:
    """Count a stream's records, and require that they are all there."""
    with path.open("rb") as lines:
        count = sum(line.startswith(b'{"type":"RECORD"') for line in lines)
    if count != items:
        raise BenchmarkError(f"The tap wrote {count} records of {items} items")
    return count
