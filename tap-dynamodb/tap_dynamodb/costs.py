"""What a run will cost, from what DescribeTable says, which costs nothing; and what it may cost."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dynamodb_core import prices
from dynamodb_core.costs import Cost, estimate, scan_cost
from dynamodb_core.prices import Purse
from dynamodb_core.processes import shared_cells
from tap_dynamodb import selection

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

    from dynamodb_core.prices import Prices
    from dynamodb_core.table import Table
    from tap_dynamodb.settings import Settings


class Spending:
    """What a run may cost: estimated before it begins, and counted while it goes on.

    Args:
        most: What it may cost; None where nobody counts.
        prices: What units cost.
        log: Told the estimate.
    """

    def __init__(self, most: float | None, prices: Prices, log: logging.Logger) -> None:
        self._most = most
        self._prices = prices
        self._log = log
        self._estimated = False

    @cached_property
    def purse(self) -> Purse | None:
        """What pays for all that is read; None where nobody counts."""
        if self._most is None:
            return None
        return Purse(self._most, self._prices.unit("read"), cells=shared_cells(prices.CELLS))

    def require(self, reads: Iterable[tuple[Table, Settings, float]]) -> None:
        """Refuse a run that would cost too much. Only the first estimate of a run counts.

        Args:
            reads: Each table, its settings, and how much of it is left to read, from 0 to 1.

        Raises:
            CostExceeded: It would cost too much.
        """
        if self._most is None or self._estimated:
            return
        self._estimated = True
        each = [cost(table, its, self._prices, share=share) for table, its, share in reads]
        self._log.info("%s", estimate(each, self._most, self._prices))


def cost(table: Table, settings: Settings, prices: Prices, *, share: float = 1.0) -> Cost:
    """Return what reading a table will cost.

    Args:
        table: The table.
        settings: Its own.
        prices: What units cost.
        share: How much of it is left to read, from 0 to 1.
    """
    if settings.source == "export":
        return Cost(table.name, table.size_bytes, 0.0)
    size = round(selection.readable(table, settings).size_bytes * share)
    if table.billing == "PROVISIONED" or settings.query is not None:
        return Cost(table.name, size, 0.0)
    return scan_cost(table.name, size, prices, consistent=settings.consistent_read)
