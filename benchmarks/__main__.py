"""One command for all figures: `make benchmark`, or `python -m benchmarks [--quick] [--markdown]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import changes, exports, report, tables_compared
from benchmarks.batch import batches
from benchmarks.client import FORMATS, Bench, Scale
from benchmarks.measure import ROOT, BenchmarkError
from benchmarks.memory import MIX, memory
from benchmarks.mixes import MIXES
from benchmarks.pair import pairs
from benchmarks.scaling import scaling
from benchmarks.whole import wholes
from demo import guard
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Callable

COMPARED = ("compare", "compare-memory", "compare-methods")
PARTS = (
    "tap",
    "target",
    "pair",
    "memory",
    "scaling",
    "batch",
    "whole",
    *COMPARED,
    "exports",
    "changes",
)
PAGE = ROOT / "docs" / "performance.md"

WHOLE = Scale(
    mixes=tuple(MIXES),
    formats=FORMATS,
    rounds=3,
    tap_pages=(48, 8),
    target_pages=(16, 3),
    pair_items={"flat": 20_000, "nested": 4_000},
    memory_pages=(2, 808),  # ten thousand items and five million
    many_segments=10_000,
    scaling_pages=800,
    batch_pages=80,
    whole_pages=480,  # three million items
    compared_pages={"flat": (200, 32), "nested": (200, 24)},
    compared_memory_pages=((16, 162, 808), (16, 32, 64)),  # 0.1, 1 and 5 million items; up to 0.4
    compared_methods_pages=(808, 162),
    exports_pages={"flat": (160, 16, 4), "nested": (160, 16, 4)},
    changes={"flat": (100_000, 10_000), "nested": (100_000, 4_000)},
)
QUICK = Scale(
    mixes=("flat", "nested"),
    formats=FORMATS[:1],
    rounds=1,
    tap_pages=(32, 4),
    target_pages=(8, 1),
    pair_items={"flat": 3_000},
    memory_pages=(2, 81),
    many_segments=1_000,
    scaling_pages=96,
    batch_pages=16,
    whole_pages=64,
    compared_pages={"flat": (48, 8), "nested": (24, 4)},
    compared_memory_pages=((4, 48), (4, 16)),
    compared_methods_pages=(48, 12),
    exports_pages={"flat": (40, 4, 1), "nested": (40, 4, 1)},
    changes={"flat": (40_000, 4_000), "nested": (20_000, 2_000)},
)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, in less than a minute")
    parser.add_argument("--markdown", action="store_true", help=f"put the figures into {PAGE.name}")
    parser.add_argument("--rounds", type=int, help="how often each program runs")
    parser.add_argument("--only", choices=PARTS, help="one part")
    options = parser.parse_args(arguments)
    scale = QUICK if options.quick else WHOLE
    if options.rounds:
        scale = scale.__class__(**{**vars(scale), "rounds": options.rounds})
    guard.enter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        bench = Bench(scale, Path(folder), _say)
        try:
            if options.only in (None, "tap", "target"):
                bench.measure_start_up()
            parts: dict[str, tuple[str, Callable[[], report.Table]]] = {
                "tap": (
                    "The tap against boto loop, start-up left out",
                    lambda: report.comparison(bench.taps()),
                ),
                "target": (
                    "The target against SDK loader, start-up left out",
                    lambda: report.comparison(bench.targets()),
                ),
                "pair": (
                    "The pair on ministack, start-up included",
                    lambda: report.comparison(pairs(bench)),
                ),
                "memory": ("Memory", lambda: report.memory(memory(bench))),
                "scaling": (
                    "The tap in two processes against one, start-up left out",
                    lambda: report.comparison(scaling(bench)),
                ),
                "batch": (
                    "The target on BATCH files in two processes against one, start-up left out",
                    lambda: report.comparison(batches(bench)),
                ),
                "whole": (
                    "`meltano run` from the stub, start-up left out",
                    lambda: report.comparison(wholes(bench)),
                ),
                "compare": (
                    "`dynamodb-tools compare` against a boto3 script, start-up left out",
                    lambda: report.comparison(tables_compared.speed(bench)),
                ),
                "compare-memory": (
                    "Memory of a comparison, no key in common",
                    lambda: tables_compared.memory(bench),
                ),
                "compare-methods": (
                    "Two methods of comparison",
                    lambda: tables_compared.methods(bench),
                ),
                "exports": (
                    "The tap on exports, start-up left out",
                    lambda: exports.speed(bench),
                ),
                "changes": (
                    "The tap on a stream of changes, start-up left out",
                    lambda: report.comparison(changes.speed(bench)),
                ),
            }
            tables = [
                (title, measure())
                for name, (title, measure) in parts.items()
                if options.only in (None, name)
            ]
        except BenchmarkError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    if bench.start_ups:
        tables.append(("Start-up", report.start_ups(bench.start_ups)))
    mixes = (MIX,) if options.only == "memory" else scale.mixes
    about = report.about({mix: Pages(mix, 1).item_bytes for mix in mixes})
    print(f"\n{about}")
    for title, table in tables:
        print(f"\n{title}\n\n{report.text(table)}")
    print(f"\nTook {time.monotonic() - began:.0f} s.")
    if options.markdown:
        parts_of_page = {title: report.markdown(table) for title, table in tables}
        if options.only:
            title = tables[0][0]
            report.replace_part(PAGE, title, f"{about}\n\n{parts_of_page[title]}")
        else:
            figures = [f"### {title}\n\n{table}" for title, table in parts_of_page.items()]
            report.replace(PAGE, "\n\n".join([about, *figures]))
    return 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
