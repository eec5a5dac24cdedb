"""What reading tables will cost, in words, before anything is paid; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core.paging import UNIT_BYTES
from dynamodb_core.prices import CostExceeded, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamodb_core.prices import Prices


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


def scan_cost(table: str, size: int, prices: Prices, *, consistent: bool) -> Cost:
    """Return what reading so many bytes of a table on demand will cost.

    Args:
        table: Its name.
        size: The bytes.
        prices: What units cost.
        consistent: Whether they are read strongly consistent.
    """
    units = size / UNIT_BYTES * (2 if consistent else 1)
    return Cost(table, size, units * prices.unit("read"))


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
