"""The tap holds the pages in flight and nothing of what it has written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import memory
from benchmarks.client import TAP
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.memory import Held

MB = 1_000_000
SHORT, LONG = 2, 81
"""Pages: ten thousand items, and half a million, which are 86 MB on the wire."""


def read(folder: Path, pages: int, **config: Any) -> Held:
    """Run the tap over a table of so many pages, by as many workers and processes on every machine."""
    with stub.running("flat", pages) as source:
        path = folder / f"{pages}.json"
        settings = {"tables": [source.table], "scan_workers": 8, "processes": 1, **config}
        path.write_text(json.dumps({**source.config(), **settings}))
        held = memory.hold([*TAP, str(path)], folder)
    assert held.records == Pages("flat", pages).items
    return held


@pytest.mark.parametrize("item_format", ["plain", "dynamodb_json"])
def test_memory_does_not_grow_with_the_table(item_format: str, tmp_path: Path) -> None:
    short = read(tmp_path, SHORT, item_format=item_format)
    long = read(tmp_path, LONG, item_format=item_format)
    assert long.peak - short.peak < 50 * MB, f"{short.peak / MB:.0f} -> {long.peak / MB:.0f} MB"


def test_what_two_processes_hold_does_not_grow_with_the_table(tmp_path: Path) -> None:
    short = read(tmp_path, SHORT, processes=2)
    long = read(tmp_path, LONG, processes=2)
    assert long.peak - short.peak < 100 * MB, f"{short.peak / MB:.0f} -> {long.peak / MB:.0f} MB"


def test_state_stays_small_with_thousands_of_segments(tmp_path: Path) -> None:
    held = read(tmp_path, pages=24, segments=2_000)
    assert held.states > 12
    assert held.largest_state < 8_000  # some 500 ranges; each segment by itself would take 20 KB
