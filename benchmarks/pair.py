"""The pair on a real engine: a table copied through a pipe, by ours and by the baselines.

The engine shares the machine and takes most of it, so this says what a person sees on a laptop, not
what the pair could do.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks import mixes
from benchmarks.client import BOTO_LOOP, SDK_LOADER, TAP, TARGET
from benchmarks.compare import Subject, compare
from benchmarks.measure import BenchmarkError, Taken, run
from demo import engine, load
from demo.wire import Wire
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.client import Bench
    from benchmarks.compare import Row
    from demo.engine import Engine
    from demo.wire import Item

KEY = (("id", "S"),)


def pairs(bench: Bench) -> list[Row]:
    """Copy tables on the engine, by the pair and by the baselines."""
    rows = []
    with engine.running() as running, contextlib.closing(Wire.of(running)) as wire:
        for mix, count in bench.scale.pair_items.items():
            bench.say(f"pair, {mix}: loading {count} items")
            wire.create_table(mix, KEY)
            load.write(wire, mix, _items(mix, count))
            copies = _Copies(bench, running, wire, mix, count)
            subjects = [
                copies.subject("tap | target", TAP, TARGET),
                copies.subject("boto loop | SDK loader", BOTO_LOOP, SDK_LOADER),
            ]
            rows += compare(
                mix, Pages(mix, 1).item_bytes, subjects, rounds=bench.scale.rounds, say=bench.say
            )
    return rows


@dataclass(frozen=True)
class _Copies:
    """Copies of one table, each into a table of its own."""

    bench: Bench
    engine: Engine
    wire: Wire
    mix: str
    count: int
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def subject(self, name: str, reader: list[str], writer: list[str]) -> Subject:
        """Return what copies the table by two programs, and checks that all items are there."""
        reads = self.bench.config(self.engine.config(), tables=[self.mix])

        def once() -> Taken:
            table = f"{self.mix}-copy-{next(self.numbers)}"
            self.wire.create_table(table, KEY)
            writes = self.bench.config(self.engine.config(), table_name=table)
            pipe = f"{shlex.join([*reader, reads])} | {shlex.join([*writer, writes])}"
            taken = run(["/bin/sh", "-c", pipe], self.bench.folder)
            written = sum(1 for _ in self.wire.scan(table))
            if written != self.count:
                raise BenchmarkError(f"{name} copied {written} of {self.count} items")
            self.wire.call("DeleteTable", {"TableName": table})
            return taken

        return Subject(name, self.count, once, Taken(0.0, 0.0))


def _items(mix: str, count: int) -> Iterator[Item]:
    rng = random.Random(1)
    for number in range(count):
        yield {"id": {"S": f"{number:012d}"}, **mixes.MIXES[mix](rng)}
