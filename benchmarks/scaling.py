"""What a second core brings: the tap in two processes beside the tap in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.client import TAP
from benchmarks.compare import Subject, compare
from benchmarks.measure import BenchmarkError, in_turn, median, run
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.client import Bench
    from benchmarks.compare import Row
    from benchmarks.measure import Taken

MIXES = ("flat", "nested")
FORMATS = ("plain", "dynamodb_json")
PROCESSES = (2, 1)
"""How many; the last is what the others are compared with."""
WORKERS = 8
"""Segments read at once, by all processes together."""


def scaling(bench: Bench) -> list[Row]:
    """Compare the tap in several processes with itself in one; what each takes to begin is left out."""
    rows = []
    pages = bench.scale.scaling_pages
    for mix in MIXES:
        with stub.running(mix, 0) as empty, stub.running(mix, pages) as full:
            for item_format in FORMATS:
                bench.say(f"scaling, {mix}, {item_format}")
                begins = _start_ups(bench, _configs(bench, empty, item_format))
                subjects = [
                    Subject(
                        f"tap, {item_format}, {words(number)}",
                        Pages(mix, pages).items,
                        _reading(bench, config, full),
                        begins[number],
                    )
                    for number, config in _configs(bench, full, item_format).items()
                ]
                rows += compare(
                    mix,
                    Pages(mix, 1).item_bytes,
                    subjects,
                    rounds=bench.scale.rounds,
                    say=bench.say,
                )
    return rows


def words(processes: int) -> str:
    """Return how many processes, in words."""
    return f"{processes} processes" if processes > 1 else "1 process"


def _configs(bench: Bench, source: stub.Stub, item_format: str) -> dict[int, str]:
    return {
        number: bench.config(
            source.config(),
            tables=[source.table],
            item_format=item_format,
            scan_workers=WORKERS,
            processes=number,
        )
        for number in PROCESSES
    }


def _start_ups(bench: Bench, configs: Mapping[int, str]) -> dict[int, Taken]:
    runs: dict[str, Callable[[], Taken]] = {
        words(number): _running(bench, config) for number, config in configs.items()
    }
    taken = in_turn(runs, bench.scale.rounds, bench.say)
    return {number: median(taken[words(number)]) for number in configs}


def _running(bench: Bench, config: str) -> Callable[[], Taken]:
    return lambda: run([*TAP, config], bench.folder)


def _reading(bench: Bench, config: str, source: stub.Stub) -> Callable[[], Taken]:
    def once() -> Taken:
        before = source.counts()["items_read"]
        taken = run([*TAP, config], bench.folder)
        read = source.counts()["items_read"] - before
        if read < Pages(source.table, source.pages).items:
            raise BenchmarkError(f"The tap read {read} items, not all of {source.table}")
        return taken

    return once
