"""How fast a table is read: what its settings ask for, what it has now, and what it has later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core import tables
from dynamodb_core.lookups import Lookups
from tap_dynamodb import selection

if TYPE_CHECKING:
    import logging

    from dynamodb_core.capacity import Budget
    from dynamodb_core.rates import Rate
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source


class Pace:
    """The rate of one table's read.

    Args:
        wire: Carries the calls.
        source: The table.
        settings: The table's own.
        share: Which part of it this machine reads; units that are set are a machine's own.
    """

    def __init__(
        self, wire: Wire, source: Source, settings: Settings, *, share: float = 1.0
    ) -> None:
        self._wire = wire
        self._source = source
        self._settings = settings
        self._share = share

    def rate(self) -> Rate:
        """Return the capacity units a second that may be consumed, and why.

        Raises:
            AccessError: A percentage is asked for, and what it is of may not be looked up.
        """
        return self._of(self._source.table)

    def lookups(self, budget: Budget, log: logging.Logger) -> Lookups:
        """Return what looks the table up again, and lets the budget follow; to be called often.

        Args:
            budget: The budget of the read.
            log: Told of a change.
        """
        what = f"The read capacity of table {self._source.table.name}"

        def look() -> None:
            if not self._settings.pace.varies:
                return
            rate, reason = self._of(tables.describe(self._wire, self._source.reference))
            if rate != budget.ceiling:
                budget.ceiling = rate
                most = "no limit" if rate is None else f"at most {rate:,.10g} units/s"
                log.info("%s has changed: %s from now on (%s)", what, most, reason)

        return Lookups(look, what)

    def _of(self, table: Table) -> Rate:
        read = selection.readable(table, self._settings)
        asked = self._settings.pace
        rate, reason = asked.of(read, lambda kind: tables.account_limit(self._wire, kind))
        if rate is None or not asked.varies or self._share == 1:
            return rate, reason
        return rate * self._share, f"this range's share of {rate:,.10g}, {reason}"
