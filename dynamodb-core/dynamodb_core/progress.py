"""Progress that a person can read: one line every few seconds, and a summary at the end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.capacity import Budget

OFTEN_SECONDS = 5.0
"""Between two lines, in the first minutes."""
SELDOM_SECONDS = 60.0
"""Between two lines, in long runs."""
LONG_RUN_SECONDS = 180.0
FINE_SECONDS = 10.0
"""Below this a duration is said to a tenth of a second."""


class Progress:
    """Counts what went through, and says it in a line.

    Args:
        label: Begins every line, for example the stream's name.
        whole_items: How many items this run has before it, where that is known (or was, hours ago).
        whole_parts: How many parts there are in all; 0 when there are none.
        parts_before: How many of them an earlier run has finished.
        part_name: What a part is called, in the plural.
        metered: Whether capacity units are consumed at all.
        clock: Returns seconds.
    """

    def __init__(
        self,
        label: str,
        *,
        whole_items: int | None = None,
        whole_parts: int = 0,
        parts_before: int = 0,
        part_name: str = "segments",
        metered: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label = label
        self.items = 0
        self.size = 0
        self.units = 0.0
        self.kept = 0
        self._throttles = 0
        self._budgets: list[tuple[str, Budget]] = []
        self.parts = self._parts_before = parts_before
        self._whole_items = whole_items
        self._whole_parts = whole_parts
        self._part_name = part_name
        self._metered = metered
        self._clock = clock
        self._lock = threading.Lock()
        self._began = self._said = clock()
        self._items_said = 0
        self._units_said = 0.0

    @property
    def throttles(self) -> int:
        """How many calls or writes were throttled, and tried again."""
        return self._throttles + sum(budget.throttles for _, budget in self._budgets)

    def follow(self, what: str, budget: Budget) -> None:
        """Say what becomes of a budget, and count what it has seen throttled.

        Args:
            what: What it is of, for example `index by_day of orders`.
            budget: The budget; other processes may use it too.
        """
        with self._lock:
            self._budgets.append((what, budget))

    def add(
        self,
        *,
        items: int = 0,
        size: int = 0,
        units: float = 0.0,
        throttles: int = 0,
        parts: int = 0,
        kept: int = 0,
    ) -> None:
        """Count what went through since the last call. Any thread may call this.

        Args:
            items: Items read or acknowledged.
            size: Their bytes.
            units: Capacity units consumed.
            throttles: Calls or writes that were throttled, and that no budget has counted.
            parts: Parts finished.
            kept: Items that were not written, as there was one of their key.
        """
        with self._lock:
            self.items += items
            self.size += size
            self.units += units
            self._throttles += throttles
            self.parts += parts
            self.kept += kept

    def due(self) -> bool:
        """Return whether it is time for a line."""
        now = self._clock()
        often = now - self._began < LONG_RUN_SECONDS
        return now - self._said >= (OFTEN_SECONDS if often else SELDOM_SECONDS)

    def line(self) -> str:
        """Return where the run stands; its rates are those since the last line."""
        with self._lock:
            now = self._clock()
            seconds = max(now - self._said, 1e-9)
            items_rate = (self.items - self._items_said) / seconds
            units_rate = (self.units - self._units_said) / seconds
            self._said, self._items_said, self._units_said = now, self.items, self.units
            words = [
                self._amount(),
                f"{items_rate:,.0f} items/s",
                *(self._pace(units_rate) if self._metered else ()),
                *self._throttled(),
            ]
            if self._whole_parts:
                words.append(f"{self._part_name} {self.parts:,} of {self._whole_parts:,}")
            left = self._seconds_left(now)
            if left is not None:
                words.append(f"about {duration(left)} left")
        return f"{self.label}: {', '.join(words)}"

    def summary(self) -> str:
        """Return what the whole run moved, how long it took and how fast it was."""
        with self._lock:
            seconds = max(self._clock() - self._began, 1e-9)
            words = [
                f"{self._amount()} in {duration(seconds)}",
                f"{self.items / seconds:,.0f} items/s",
                *([f"{self.units:,.1f} capacity units"] if self._metered else ()),
                *self._throttled(),
            ]
        return f"{self.label}: {', '.join(words)}"

    def _amount(self) -> str:
        kept = f" ({self.kept:,} more were there already, and stay)" if self.kept else ""
        return f"{self.items:,} items{kept}, {self.size / 1e6:,.1f} MB"

    def _pace(self, units_rate: float) -> list[str]:
        """Return the rate, and what throttling has made of the budgets."""
        words = [f"{units_rate:,.1f} units/s"]
        for what, budget in self._budgets:
            rate, ceiling = budget.rate, budget.ceiling
            lowered = rate is not None and (ceiling is None or rate < ceiling)
            before = f" from {_round(ceiling)}" if ceiling is not None else ""
            if len(self._budgets) == 1 and rate is not None:
                words[0] += f" of {_round(rate)}"
                words[0] += f" (lowered{before} by throttling)" if lowered else ""
            elif lowered and rate is not None:
                words.append(f"{what} lowered{before} to {_round(rate)} by throttling")
        return words

    def _throttled(self) -> list[str]:
        if not self.throttles:
            return []
        hot = sum(budget.hot_throttles for _, budget in self._budgets)
        where = f" ({hot:,} at a hot key range)" if hot else ""
        return [f"{self.throttles:,} throttled{where}"]

    def _seconds_left(self, now: float) -> float | None:
        done = 0.0
        if self._whole_items and self.items <= self._whole_items:
            done = self.items / self._whole_items
        elif self._whole_parts > self._parts_before:
            done = (self.parts - self._parts_before) / (self._whole_parts - self._parts_before)
        if not 0 < done < 1:
            return None
        return (now - self._began) * (1 - done) / done


def _round(rate: float) -> str:
    return f"{rate:,.1f}".removesuffix(".0")


def duration(seconds: float) -> str:
    """Return seconds as a person says them, for example `1 h 5 min` or `12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{rest} s" if seconds >= FINE_SECONDS else f"{seconds:.1f} s"
