"""How many items a page may have, so that a small budget is not spent in bursts of 1 MB."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamodb_core.capacity import Budget

PAGE_UNITS = 128.0
"""Units that a page of 1 MB costs when it is read eventually consistent (4 KB cost half a unit)."""

PAGE_SECONDS = 0.5
"""A page is to cost no more than the budget gives in this time."""

UNIT_BYTES = 8192
"""Bytes of items that a unit reads, eventually consistent."""

USUAL_ITEM_BYTES = 1024.0
"""Taken for an item's size where the table does not know it."""

FIRST_ITEMS = 4
"""The most items of the first page, and how many times more a page may have than any before it: what is
believed of the items' size is tried out on few of them."""

MEMORY = 0.8
"""How much what older pages have cost counts, from page to page."""

LONG_MEMORY = 0.98
"""Likewise, for the largest items that came together: others like them may follow."""


class Paging:
    """Chooses the limits of pages by what the pages before them have cost. Threads may share it.

    Args:
        budget: What the read may consume; its rate may change meanwhile.
        consistent: Whether it reads strongly consistent, at twice the units.
        item_bytes: The average size of an item, None where that is not known.
    """

    def __init__(
        self, budget: Budget, *, consistent: bool = False, item_bytes: float | None = None
    ) -> None:
        times = 2 if consistent else 1
        self._budget = budget
        self._whole_page = PAGE_UNITS * times
        self._step = 0.5 * times
        self._units = (item_bytes or USUAL_ITEM_BYTES) / UNIT_BYTES * times
        self._items = 1.0
        self._largest = 0.0
        self._most = FIRST_ITEMS
        self._learned = False

    @property
    def expected(self) -> float:
        """The units that the next page will probably cost; while nothing is known, all it may."""
        limit = self.limit
        if limit is None or not self._learned:
            return self._affordable
        return min(limit * self._mean, self._whole_page)

    @property
    def limit(self) -> int | None:
        """The most items of a page that is read now; None for as many as fit."""
        units = self._affordable
        if units >= self._whole_page:
            return None
        return max(1, min(int(units / max(self._mean, self._largest)), self._most))

    def learn(self, evaluated: int, units: float) -> None:
        """Take into account what a page has cost.

        Args:
            evaluated: Items that DynamoDB has looked at, before a filter.
            units: Capacity units that it has charged.
        """
        if not evaluated or not units:
            return
        self._learned = True
        self._units = self._units * MEMORY + units
        self._items = self._items * MEMORY + evaluated
        # Units are rounded up, so that few small items together seem large ones.
        self._largest = max(self._largest * LONG_MEMORY, (units - self._step) / evaluated)
        self._most = max(self._most, FIRST_ITEMS * evaluated)

    @property
    def _affordable(self) -> float:
        """The units that a page may cost."""
        rate = self._budget.rate
        return self._whole_page if rate is None else min(rate * PAGE_SECONDS, self._whole_page)

    @property
    def _mean(self) -> float:
        return self._units / self._items
