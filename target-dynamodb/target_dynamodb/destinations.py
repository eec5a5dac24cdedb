"""The tables that are written: found or made, checked, each with one writer for all its streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from dynamodb_core import prices, tables
from dynamodb_core.budgets import Budgets
from dynamodb_core.cells import own_cells
from dynamodb_core.errors import ConfigError, TableNotFound
from dynamodb_core.prices import Purse
from dynamodb_core.table import Table
from dynamodb_core.writer import Writer
from target_dynamodb import naming
from target_dynamodb.keys import check_key, new_key
from target_dynamodb.pace import Pace
from target_dynamodb.rehearsal import Rehearsal

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from dynamodb_core.cells import Cells
    from dynamodb_core.lookups import Lookups
    from dynamodb_core.progress import Progress
    from dynamodb_core.wire import Wire
    from target_dynamodb.keys import Stream
    from target_dynamodb.settings import Settings
    from target_dynamodb.source import Source
    from target_dynamodb.writing import Writing


@dataclass(frozen=True)
class Destination:
    """A table that is written.

    Attributes:
        table: The table, as DescribeTable said when it was opened.
        budgets: What may be consumed of it and its indexes.
        writer: Takes the writes of all its streams, so that those of one key stay in order.
        streams: The sources of the streams that are written to it, by stream.
    """

    table: Table
    budgets: Budgets
    writer: Writing
    streams: dict[str, Source | None] = field(default_factory=dict)


class Destinations:
    """Opens tables, each once.

    Args:
        settings: Which tables, and whether they may be made.
        wire: Carries the calls.
        progress: Told what is written.
        log: Told what was found and done.
    """

    def __init__(
        self, settings: Settings, wire: Wire, *, progress: Progress, log: logging.Logger
    ) -> None:
        self._settings = settings
        self._wire = wire
        self._progress = progress
        self._log = log
        self._opened: dict[str, Destination] = {}
        self._lookups: list[Lookups] = []

    def open(self, stream: Stream) -> Destination:
        """Return the table of a stream; make it when it is missing.

        Args:
            stream: The stream, as its last SCHEMA message says.

        Raises:
            ConfigError: The table may not or cannot be written by this stream.
            Error: A call failed.
        """
        wanted = self._name(stream)
        name = naming.legal(wanted)
        destination = self._opened.get(name)
        if destination is None:
            if name != wanted:
                self._log.warning(
                    "Stream %s goes to table %s, as %s is no legal table name",
                    stream.name,
                    name,
                    wanted,
                )
            destination = self._opened[name] = self._open(stream, name)
        else:
            self._refuse_source(stream, destination.table)
            check_key(stream, destination.table)
            self._refuse_second_stream(stream, destination)
        destination.streams[stream.name] = stream.source
        return destination

    @cached_property
    def shared(self) -> bool:
        """Whether worker processes may write to the tables too."""
        settings = self._settings
        if settings.dry_run or settings.batch_root is None or settings.processes == 1:
            return False
        from dynamodb_core.processes import can_share  # noqa: PLC0415 - seldom wanted

        able = can_share()
        if not able:
            self._log.info("One process: this system has no semaphores for several")
        return able

    def look_at_capacity(self) -> None:
        """See now and then whether the tables' capacity has changed; never waits."""
        for look in self._lookups:
            look()

    def budgets(self) -> dict[str, Budgets]:
        """Return the budgets of every open table, by its name."""
        return {name: each.budgets for name, each in self._opened.items()}

    def close(self) -> None:
        """Stop all writers; what still waits is abandoned."""
        for destination in self._opened.values():
            destination.writer.close()

    def _name(self, stream: Stream) -> str:
        return naming.table_name(
            stream.name,
            stream.source.name if stream.source else None,
            pattern=self._settings.table_name,
            patterns=self._settings.table_names,
        )

    def _open(self, stream: Stream, name: str) -> Destination:
        table, made = self._table(stream, name)
        if self._settings.dry_run:
            return Destination(table, Budgets(None), Rehearsal(table, self._progress))
        pace = Pace(self._wire, table, self._settings, made=made)
        budgets = pace.budgets(self._log, self._cells(), self._purse)
        self._progress.follow(f"table {name}", budgets.table)
        for index, budget in budgets.indexes.items():
            self._progress.follow(f"index {index} of {name}", budget)
        self._lookups.append(pace.lookups(budgets, self._log))
        self._wire.watch(name, budgets.throttled)
        writer = Writer(
            self._wire,
            table,
            budgets=budgets,
            progress=self._progress,
            workers=self._settings.write_workers,
        )
        return Destination(table, budgets, writer)

    def _table(self, stream: Stream, name: str) -> tuple[Table, bool]:
        """Return the table of a stream, and whether this run has made it."""
        try:
            table = tables.describe(self._wire, name)
        except TableNotFound as error:
            if not self._settings.create_tables:
                raise TableNotFound(
                    error.message, "Create it, or let the target do so: create_tables"
                ) from error
            return self._create(stream, name), True
        self._refuse_source(stream, table)
        check_key(stream, table)
        if not table.active:
            table = tables.wait_until_active(self._wire, name)
        self._log.info(
            "Stream %s goes to table %s (account %s, region %s), key %s, %s",
            stream.name,
            name,
            table.account or "unknown",
            table.region or self._wire.region,
            table.key,
            _billing(table),
        )
        return table, False

    @cached_property
    def _purse(self) -> Purse | None:
        """What pays for all that is written; None where nobody counts."""
        settings = self._settings
        if settings.max_cost is None:
            return None
        price = settings.prices.unit("write")
        return Purse(settings.max_cost, price, cells=self._cells()(prices.CELLS))

    def _cells(self) -> Callable[[int], Cells]:
        """Return what makes room for the numbers of a budget, where all who write can reach them."""
        if not self.shared:
            return own_cells
        from dynamodb_core.processes import shared_cells  # noqa: PLC0415 - seldom wanted

        return shared_cells

    def _create(self, stream: Stream, name: str) -> Table:
        key = new_key(stream, name)
        if self._settings.dry_run:
            self._log.info("Would create table %s for stream %s, key %s", name, stream.name, key)
            return Table(name, "", "", key, billing="PAY_PER_REQUEST")
        table = tables.create(self._wire, name, key)
        self._log.info(
            "Created table %s (account %s, region %s) for stream %s, key %s, %s",
            name,
            table.account or "unknown",
            table.region or self._wire.region,
            stream.name,
            table.key,
            _billing(table),
        )
        if stream.source is not None:
            self._say_what_is_not_copied(stream.source)
        return table

    def _say_what_is_not_copied(self, source: Source) -> None:
        unseen = "its TTL, tags, backups, capacity and policies are not looked at"
        if source.left_behind:
            self._log.warning(
                "Of table %s the items are copied, and not its %s; %s",
                source.name,
                ", ".join(source.left_behind),
                unseen,
            )
        else:
            self._log.info("Of table %s the items are copied; %s", source.name, unseen)

    def _refuse_source(self, stream: Stream, table: Table) -> None:
        if stream.source is None or self._settings.allow_same_table:
            return
        if stream.source.is_same_as(table):
            raise ConfigError(
                f"Stream {stream.name} comes from table {table.name} ({table.arn}) itself or a "
                "replica of it, and would overwrite newer items by older ones",
                "Name another table with table_name or table_names, for example {table}_copy, or "
                "set allow_same_table",
            )

    def _refuse_second_stream(self, stream: Stream, destination: Destination) -> None:
        others = {
            name
            for name, source in destination.streams.items()
            if name != stream.name and not _are_parts_of_one_table(source, stream.source)
        }
        asked = all(
            naming.asked_for(
                name, pattern=self._settings.table_name, patterns=self._settings.table_names
            )
            for name in (stream.name, *others)
        )
        if others and not asked:
            raise ConfigError(
                f"Stream {stream.name} would be written to table {destination.table.name}, as "
                f"stream {', '.join(sorted(others))} is",
                "Give each its own table in table_names, or name this table there for all of them",
            )


def _are_parts_of_one_table(one: Source | None, other: Source | None) -> bool:
    """Return whether two streams are entities of one table, and so never have one key."""
    return one is not None and other is not None and one.name == other.name and one.arn == other.arn


def _billing(table: Table) -> str:
    return "on demand" if table.billing == "PAY_PER_REQUEST" else "provisioned"
