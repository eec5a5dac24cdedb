"""One comparison: several programs over the same kind of items, against one of them, the baseline."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import in_turn, median

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.measure import Taken


@dataclass(frozen=True)
class Subject:
    """A program that is measured.

    Attributes:
        name: What the table calls it.
        items: How many items one run carries. The baseline gets fewer, as it is slower.
        run: Runs it once, and raises when it has not carried them all.
        start_up: What a run over no items takes.
    """

    name: str
    items: int
    run: Callable[[], Taken]
    start_up: Taken


@dataclass(frozen=True)
class Spread:
    """A ratio in several rounds: its median, and the least and the most of it."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        """Return it as a table shows it, for example `12.1 (11.8-12.9)`."""
        if self.least == self.most:
            return f"{self.middle:.1f}"
        return f"{self.middle:.1f} ({self.least:.1f}-{self.most:.1f})"


@dataclass(frozen=True)
class Row:
    """What one program took, start-up left out; medians of all rounds.

    Attributes:
        mix: The items.
        name: The program.
        items: How many items a run carried.
        size: Bytes of an item on DynamoDB's wire.
        cpu: CPU seconds an item.
        wall: Seconds an item.
        cpu_ratio: How many times the items a CPU second of the baseline; None: it is the baseline.
        wall_ratio: The same on the clock on the wall.
    """

    mix: str
    name: str
    items: int
    size: float
    cpu: float
    wall: float
    cpu_ratio: Spread | None
    wall_ratio: Spread | None


def compare(
    mix: str,
    size: float,
    subjects: Sequence[Subject],
    *,
    rounds: int,
    say: Callable[[str], None],
) -> list[Row]:
    """Measure programs in turn.

    Args:
        mix: The name of the items.
        size: Bytes of an item on the wire.
        subjects: The programs; the last one is the baseline.
        rounds: How often each is run.
        say: Told about progress.

    Returns:
        A row for each program.
    """
    taken = in_turn({subject.name: subject.run for subject in subjects}, rounds, say)
    each = {
        subject.name: [
            run.beyond(subject.start_up).each(subject.items) for run in taken[subject.name]
        ]
        for subject in subjects
    }
    baseline = each[subjects[-1].name]
    rows = []
    for subject in subjects:
        runs = each[subject.name]
        middle = median(runs)
        pairs = list(zip(baseline, runs, strict=True))
        own = runs is baseline
        rows.append(
            Row(
                mix=mix,
                name=subject.name,
                items=subject.items,
                size=size,
                cpu=middle.cpu,
                wall=middle.wall,
                cpu_ratio=None if own else _spread([a.cpu / b.cpu for a, b in pairs]),
                wall_ratio=None if own else _spread([a.wall / b.wall for a, b in pairs]),
            )
        )
    return rows


def _spread(ratios: list[float]) -> Spread:
    return Spread(statistics.median(ratios), min(ratios), max(ratios))
