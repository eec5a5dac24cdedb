"""What a load does to items that were there before it: warns of them, or deletes them where that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core import backups, emptying, tables
from dynamodb_core.capacity import Budget
from dynamodb_core.errors import ConfigError
from dynamodb_core.progress import Progress
from dynamodb_core.rates import Asked
from target_dynamodb.loading import Stopped

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable

    from dynamodb_core.budgets import Budgets
    from dynamodb_core.expressions import Filter
    from dynamodb_core.prices import Purse
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from target_dynamodb.settings import Settings
    from target_dynamodb.source import Source


class Clearing:
    """Deletes items of the tables that are loaded, as `load_method` and `hard_delete` say.

    Args:
        settings: The target's.
        wire: Carries the calls.
        log: Told what is done.
        stopped: Asked now and then whether the run is to end.
    """

    def __init__(
        self, settings: Settings, wire: Wire, *, log: logging.Logger, stopped: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._wire = wire
        self._log = log
        self._stopped = stopped

    def refuse_sources(self, table: Table, sources: Iterable[Source | None]) -> None:
        """Check that no stream comes from a table that is to be emptied.

        Args:
            table: The table.
            sources: Where the streams of this run come from.

        Raises:
            ConfigError: One does.
        """
        if not self._settings.writes.overwrite:
            return
        for source in sources:
            if source is not None and source.is_same_as(table):
                raise ConfigError(
                    f"load_method overwrite would delete the items of table {table.name}, which a "
                    f"stream of this run comes from ({table.arn})",
                    "Name another table with table_name or table_names, for example {table}_copy",
                )

    def found(self, table: Table, budgets: Budgets, purse: Purse | None) -> None:
        """Do what is due before the first item is written to a table that this run has not made.

        Args:
            table: The table.
            budgets: What the load may consume.
            purse: What pays for its units; None where nobody counts.

        Raises:
            Error: A call failed.
            Stopped: The run is to end, and the table may have items left.
        """
        if table.item_count and backups.recoverable(self._wire, table.name) is False:
            self._log.warning(
                "Table %s has items (about %s) and no point-in-time recovery: what this load replaces "
                "or deletes cannot be brought back",
                table.name,
                f"{table.item_count:,}",
            )
        if self._settings.writes.overwrite:
            self._log.info(
                "Deleting all items of table %s (about %s), as load_method is overwrite",
                table.name,
                f"{table.item_count:,}",
            )
            self._delete(f"Emptying table {table.name}", table, budgets, purse)

    def rehearse(self, table: Table, *, made: bool) -> None:
        """Say what `found` would delete.

        Args:
            table: The table.
            made: Whether the run would make it.
        """
        if self._settings.writes.overwrite and not made:
            self._log.info(
                "Would delete all items of table %s (about %s), as load_method is overwrite",
                table.name,
                f"{table.item_count:,}",
            )

    def remove(
        self,
        table: Table,
        budgets: Budgets,
        purse: Purse | None,
        where: Filter,
        *,
        stream: str,
        version: int,
    ) -> None:
        """Delete the items that a stream's new version lacks.

        Args:
            table: The table; what the stream has written to it is acknowledged.
            budgets: What the load may consume.
            purse: What pays for its units; None where nobody counts.
            where: Which items.
            stream: The stream's name.
            version: Its version.

        Raises:
            Error: A call failed.
            Stopped: The run is to end, and items may be left.
        """
        self._log.info(
            "Version %s of stream %s is complete: deleting the items of table %s that are older",
            version,
            stream,
            table.name,
        )
        self._delete(f"Deleting older items of table {table.name}", table, budgets, purse, where)

    def _delete(
        self,
        label: str,
        table: Table,
        budgets: Budgets,
        purse: Purse | None,
        where: Filter | None = None,
    ) -> None:
        progress = Progress(
            label,
            whole_items=table.item_count if where is None else None,
            whole_parts=emptying.segments(table),
        )

        def stopped() -> bool:
            if progress.due():
                self._log.info("%s", progress.line())
            return self._stopped()

        finished = emptying.empty(
            self._wire,
            table,
            reading=self._reading(table, purse),
            writing=budgets,
            progress=progress,
            where=where,
            requests=self._settings.write_workers,
            stopped=stopped,
        )
        self._log.info("%s", progress.summary())
        if not finished:
            raise Stopped

    def _reading(self, table: Table, purse: Purse | None) -> Budget:
        """Return what the scan may consume: half of what the table has, as the tap would take."""
        rate, reason = Asked("read").of(table, lambda kind: tables.account_limit(self._wire, kind))
        self._log.info(
            "Read capacity for it is %s (%s)",
            "unlimited" if rate is None else f"{rate:,.10g} units a second",
            reason,
        )
        if purse is not None:
            provisioned = table.billing == "PROVISIONED"
            purse = None if provisioned else purse.at(self._settings.prices.unit("read"))
        return Budget(rate, purse=purse)
