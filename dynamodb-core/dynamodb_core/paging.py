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
        self._item_units = (item_bytes or USUAL_ITEM_BYTES) / UNIT_BYTES * times

    def next(self) -> tuple[int | None, float]:
        """Return the most items of the next page, None for as many as fit, and its likely units."""
        rate = self._budget.rate
        if rate is None or rate * PAGE_SECONDS >= self._whole_page:
            return None, self._whole_page
        limit = max(1, int(rate * PAGE_SECONDS / self._item_units))
        return limit, limit * self._item_units

    def learn(self, evaluated: int, units: float) -> None:
        """Take into account what a page has cost.

        Args:
            evaluated: Items that DynamoDB has looked at, before a filter.
            units: Capacity units that it has charged.
        """
        if evaluated and units:
            self._item_units = (self._item_units + units / evaluated) / 2
