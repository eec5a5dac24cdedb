"""What a run will cost, from what DescribeTable says, which costs nothing; and what it may cost."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core import prices
from dynamodb_core.paging import UNIT_BYTES
from dynamodb_core.prices import CostExceeded, Purse, money
from dynamodb_core.processes import shared_cells
from tap_dynamodb import selection

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Sequence

    from dynamodb_core.prices import Prices
    from dynamodb_core.table import Table
    from tap_dynamodb.settings import Settings


class Cost(NamedTuple):
    """What reading a table will cost.

    Attributes:
        table: The table's name.
        size: Bytes that are read of it, as DynamoDB counted them some hours ago.
        amount: In the currency of the prices; 0 where its capacity is provisioned, and where queries
            read it, of which nobody knows before how much they find.
    """

    table: str
    size: int
    amount: float


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
    size = round(selection.readable(table, settings).size_bytes * share)
    if table.billing == "PROVISIONED" or settings.query is not None:
        return Cost(table.name, size, 0.0)
    units = size / UNIT_BYTES * (2 if settings.consistent_read else 1)
    return Cost(table.name, size, units * prices.unit("read"))


def estimate(costs: Sequence[Cost], most: float, prices: Prices) -> str:
    """Return in words what a run will cost, when it may cost as much.

    Args:
        costs: That of each table.
        most: What it may cost.
        prices: By which it was counted.

    Raises:
        CostExceeded: It would cost more.
    """
    whole = sum(each.amount for each in costs)
    tables = ", ".join(
        f"{each.table} ({each.size / 1e6:,.1f} MB, {money(each.amount)})"
        for each in sorted(costs, key=lambda each: -each.amount)
    )
    by = f"by the prices of {prices.dated}" if prices.dated else "by the prices given"
    if whole > most:
        raise CostExceeded(
            f"Reading {tables} would cost about {money(whole)} {by}, and max_cost is {money(most)}",
            "Raise max_cost, or read less; nothing was paid for yet",
        )
    return f"Reading {tables} will cost about {money(whole)} {by}; max_cost is {money(most)}"
