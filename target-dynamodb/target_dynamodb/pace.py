"""How fast a table is written to: what the settings ask for, of it and of its indexes, now and later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core import tables
from dynamodb_core.budgets import Budgets
from dynamodb_core.lookups import Lookups
from dynamodb_core.rates import Asked

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from dynamodb_core.cells import Cells
    from dynamodb_core.prices import Purse
    from dynamodb_core.rates import Rate
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from target_dynamodb.settings import Settings


class Pace:
    """The rates of one table's load.

    Args:
        wire: Carries the calls.
        table: The table as it was described.
        settings: The target's.
        made: Whether this run has made the table: then nobody else uses it.
    """

    def __init__(self, wire: Wire, table: Table, settings: Settings, *, made: bool = False) -> None:
        self._wire = wire
        self._table = table
        own = made and settings.pace.percent is None and settings.pace.units is None
        granted = [index.write_granted for index in table.indexes if not index.local]
        limited = any(units is not None for units in (table.write_granted, *granted))
        whole = own and table.billing == "PROVISIONED"
        self._asked = Asked("write", percent=100) if whole else settings.pace
        self._free = own and not limited

    def budgets(
        self, log: logging.Logger, cells: Callable[[int], Cells], purse: Purse | None = None
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
