"""One command for all figures: `make benchmark`, or `python -m benchmarks [--quick] [--markdown]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.client import FORMATS, Bench, Scale
from benchmarks.measure import ROOT, BenchmarkError
from benchmarks.mixes import MIXES
from benchmarks.pair import pairs
from demo import guard
from tests.engines.pages import Pages

PAGE = ROOT / "docs" / "performance.md"

WHOLE = Scale(
    mixes=tuple(MIXES),
    formats=FORMATS,
    rounds=3,
    tap_pages=(48, 8),
    target_pages=(16, 3),
    pair_items={"flat": 20_000, "nested": 4_000},
)
QUICK = Scale(
    mixes=("flat", "nested"),
    formats=FORMATS[:1],
    rounds=1,
    tap_pages=(32, 4),
    target_pages=(8, 1),
    pair_items={"flat": 3_000},
)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, in less than a minute")
    parser.add_argument("--markdown", action="store_true", help=f"put the figures into {PAGE.name}")
    parser.add_argument("--rounds", type=int, help="how often each program runs")
    parser.add_argument("--only", choices=("tap", "target", "pair"), help="one part")
    options = parser.parse_args(arguments)
    scale = QUICK if options.quick else WHOLE
    if options.rounds:
        scale = scale.__class__(**{**vars(scale), "rounds": options.rounds})
    guard.enter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        bench = Bench(scale, Path(folder), _say)
        try:
            bench.measure_start_up()
            parts = {
                "tap": ("The tap against boto loop, start-up left out", bench.taps),
                "target": ("The target against SDK loader, start-up left out", bench.targets),
                "pair": ("The pair on ministack, start-up included", lambda: pairs(bench)),
            }
            tables = [
                (title, report.comparison(measure()))
                for name, (title, measure) in parts.items()
                if options.only in (None, name)
            ]
        except BenchmarkError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    tables.append(("Start-up", report.start_ups(bench.start_ups)))
    about = report.about({mix: Pages(mix, 1).item_bytes for mix in scale.mixes})
    print(f"\n{about}")
    for title, table in tables:
        print(f"\n{title}\n\n{report.text(table)}")
    print(f"\nTook {time.monotonic() - began:.0f} s.")
    if options.markdown:
        figures = [about, *(f"### {title}\n\n{report.markdown(table)}" for title, table in tables)]
        report.replace(PAGE, "\n\n".join(figures))
    return 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
