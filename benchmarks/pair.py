"""The pair on a real engine: a table copied through a pipe, by ours and by the baselines.

The engine shares the machine and takes most of it, so this says what a person sees on a laptop, not
what the pair could do.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import shlex
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
            tables = (f"{mix}-copy-{number}" for number in itertools.count())
            subjects = [
                _copier(bench, running, wire, mix, count, tables, name=name)
                for name in ("tap | target", "boto loop | SDK loader")
            ]
            rows += compare(
                mix, Pages(mix, 1).item_bytes, subjects, rounds=bench.scale.rounds, say=bench.say
            )
    return rows


def _copier(
    bench: Bench,
    running: Engine,
    wire: Wire,
    mix: str,
    count: int,
    tables: Iterator[str],
    *,
    name: str,
) -> Subject:
    readers = {"tap | target": TAP, "boto loop | SDK loader": BOTO_LOOP}
    writers = {"tap | target": TARGET, "boto loop | SDK loader": SDK_LOADER}
    reads = bench.config(running.config(), tables=[mix])

    def once() -> Taken:
        table = next(tables)
        wire.create_table(table, KEY)
        writes = bench.config(running.config(), table_name=table)
        pipe = f"{shlex.join([*readers[name], reads])} | {shlex.join([*writers[name], writes])}"
        taken = run(["/bin/sh", "-c", pipe], bench.folder)
        written = sum(1 for _ in wire.scan(table))
        if written != count:
            raise BenchmarkError(f"{name} copied {written} of {count} items")
        wire.call("DeleteTable", {"TableName": table})
        return taken

    return Subject(name, count, once, Taken(0.0, 0.0))


def _items(mix: str, count: int) -> Iterator[Item]:
    rng = random.Random(1)
    for number in range(count):
        yield {"id": {"S": f"{number:012d}"}, **mixes.MIXES[mix](rng)}
