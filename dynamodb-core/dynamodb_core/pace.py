"""How fast a table is read or written: what is asked for, what it has now, and what it has later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core import tables
from dynamodb_core.budgets import Budgets
from dynamodb_core.cells import own_cells
from dynamodb_core.lookups import Lookups
from dynamodb_core.rates import Asked

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from dynamodb_core.capacity import Budget
    from dynamodb_core.cells import Cells
    from dynamodb_core.prices import Purse
    from dynamodb_core.rates import Rate
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


class WritePace:
    """The rates of one table's load.

    Args:
        wire: Carries the calls.
        table: The table as it was described.
        asked: What the configuration asks for.
        made: Whether this run has made the table: then nobody else uses it.
    """

    def __init__(self, wire: Wire, table: Table, asked: Asked, *, made: bool = False) -> None:
        self._wire = wire
        self._table = table
        own = made and asked.percent is None and asked.units is None
        granted = [index.write_granted for index in table.indexes if not index.local]
        limited = any(units is not None for units in (table.write_granted, *granted))
        whole = own and table.billing == "PROVISIONED"
        self._asked = Asked("write", percent=100) if whole else asked
        self._free = own and not limited

    def budgets(
        self,
        log: logging.Logger,
        cells: Callable[[int], Cells] = own_cells,
        purse: Purse | None = None,
    ) -> Budgets:
        """Return the budgets of the table and of its global indexes.

        Args:
            log: Told what they are, and why.
            cells: Makes a place for their numbers.
            purse: What pays for a table on demand.

        Raises:
            AccessError: A percentage is asked for, and what it is of may not be looked up.
        """
        rate, of_indexes = self._rates(self._table)
        self._say(log, "is", "", rate)
        for name, each in of_indexes.items():
            self._say(log, "is", name, each)
        rates = {name: units for name, (units, _reason) in of_indexes.items()}
        provisioned = self._table.billing == "PROVISIONED"
        return Budgets(rate[0], rates, cells=cells, purse=None if provisioned else purse)

    def lookups(self, budgets: Budgets, log: logging.Logger) -> Lookups:
        """Return what looks the table up again, and lets the budgets follow; to be called often.

        Args:
            budgets: The budgets.
            log: Told of a change.
        """

        def look() -> None:
            if self._free or not (self._asked.varies or budgets.indexes):
                return
            rate, of_indexes = self._rates(tables.describe(self._wire, self._table.name))
            for name, budget in (("", budgets.table), *budgets.indexes.items()):
                its = rate if not name else of_indexes.get(name)
                if its is not None and its[0] != budget.ceiling:
                    budget.ceiling = its[0]
                    self._say(log, "has changed:", name, its)

        return Lookups(look, f"The write capacity of table {self._table.name}")

    def _rates(self, table: Table) -> tuple[Rate, Mapping[str, Rate]]:
        if self._free:
            return (None, "a table of this run"), {}
        return self._asked.of_load(table, lambda kind: tables.account_limit(self._wire, kind))

    def _say(self, log: logging.Logger, verb: str, index: str, rate: Rate) -> None:
        units, reason = rate
        log.info(
            "Write capacity of %stable %s %s %s (%s)",
            f"index {index} of " if index else "",
            self._table.name,
            verb,
            "unlimited" if units is None else f"{units:,.10g} units a second",
            reason,
        )
