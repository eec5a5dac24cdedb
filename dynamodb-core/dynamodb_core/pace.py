"""How fast a table is read: what is asked for, what it has now, and what it has later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core import tables
from dynamodb_core.lookups import Lookups

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from dynamodb_core.capacity import Budget
    from dynamodb_core.rates import Asked, Rate
    from dynamodb_core.table import Index, Table
    from dynamodb_core.wire import Wire


def the_table(table: Table) -> Table:
    """Return what is read of a table: all of it."""
    return table


class ReadPace:
    """The rate of one table's read.

    Args:
        wire: Carries the calls.
        reference: The table's name or ARN.
        table: The table as it was described.
        asked: What the configuration asks for.
        readable: Returns what is read of a description of the table: it, or an index.
        share: Which part of it this machine reads; units that are set are a machine's own.
    """

    def __init__(
        self,
        wire: Wire,
        reference: str,
        table: Table,
        asked: Asked,
        *,
        readable: Callable[[Table], Table | Index] = the_table,
        share: float = 1.0,
    ) -> None:
        self._wire = wire
        self._reference = reference
        self._table = table
        self._asked = asked
        self._readable = readable
        self._share = share

    def rate(self) -> Rate:
        """Return the capacity units a second that may be consumed, and why.

        Raises:
            AccessError: A percentage is asked for, and what it is of may not be looked up.
        """
        return self._of(self._table)

    def lookups(self, budget: Budget, log: logging.Logger) -> Lookups:
        """Return what looks the table up again, and lets the budget follow; to be called often.

        Args:
            budget: The budget of the read.
            log: Told of a change.
        """
        what = f"The read capacity of table {self._table.name}"

        def look() -> None:
            if not self._asked.varies:
                return
            rate, reason = self._of(tables.describe(self._wire, self._reference))
            if rate != budget.ceiling:
                budget.ceiling = rate
                most = "no limit" if rate is None else f"at most {rate:,.10g} units/s"
                log.info("%s has changed: %s from now on (%s)", what, most, reason)

        return Lookups(look, what)

    def _of(self, table: Table) -> Rate:
        read = self._readable(table)
        rate, reason = self._asked.of(read, lambda kind: tables.account_limit(self._wire, kind))
        if rate is None or not self._asked.varies or self._share == 1:
            return rate, reason
        return rate * self._share, f"this range's share of {rate:,.10g}, {reason}"
