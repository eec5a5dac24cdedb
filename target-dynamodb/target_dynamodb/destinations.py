"""The tables that are written: found or made, checked, each with one writer for all its streams."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from dynamodb_core import prices, tables
from dynamodb_core.budgets import Budgets
from dynamodb_core.cells import own_cells
from dynamodb_core.errors import ConfigError, Error, TableNotFound
from dynamodb_core.pace import WritePace
from dynamodb_core.prices import Purse
from dynamodb_core.warmth import Warmth
from dynamodb_core.writer import Writer
from target_dynamodb import naming
from target_dynamodb.clearing import Clearing
from target_dynamodb.keys import check_key, new_key
from target_dynamodb.making import Making
from target_dynamodb.rehearsal import Rehearsal
from target_dynamodb.staged_tables import StagedTables
from target_dynamodb.staging import SERVER_SIDE
from target_dynamodb.stream_options import StreamOptions
from target_dynamodb.versions import Versions
from target_dynamodb.writing import refusing

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from dynamodb_core.cells import Cells
    from dynamodb_core.errors import DataError
    from dynamodb_core.expressions import Filter
    from dynamodb_core.lookups import Lookups
    from dynamodb_core.progress import Progress
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from target_dynamodb.keys import Stream
    from target_dynamodb.rejects import Rejects
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
        mode: How it is written, by all its streams.
        streams: The sources of the streams that are written to it, by stream.
    """

    table: Table
    budgets: Budgets
    writer: Writing
    mode: str = "put"
    streams: dict[str, Source | None] = field(default_factory=dict)


class Destinations:
    """Opens tables, each once.

    Args:
        settings: Which tables, and whether they may be made.
        wire: Carries the calls.
        progress: Told what is written.
        log: Told what was found and done.
        stopped: Asked now and then, while a table is emptied, whether the run is to end.
        rejects: Takes the writes that DynamoDB refuses; None where the first one ends the load.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        *,
        progress: Progress,
        log: logging.Logger,
        stopped: Callable[[], bool] = lambda: False,
        rejects: Rejects | None = None,
    ) -> None:
        self._settings = settings
        self._rejects = rejects
        self._wire = wire
        self._progress = progress
        self._log = log
        self._making = Making(settings, wire, log)
        self._warmth = Warmth(wire, log)
        self._clearing = Clearing(settings, wire, log=log, stopped=stopped)
        self._staged = StagedTables(settings, wire, self._making, progress=progress, log=log)
        self._opened: dict[str, Destination] = {}
        self._lookups: list[Lookups] = []
        self._versions: dict[str, Versions] = {}

    def open(self, stream: Stream) -> Destination:
        """Return the table of a stream; make it when it is missing.

        Args:
            stream: The stream, as its last SCHEMA message says.

        Raises:
            ConfigError: The table may not or cannot be written by this stream.
            Error: A call failed.
            Stopped: The run is to end, while the table was emptied.
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
            self._settings.writes.check_together(
                stream.name,
                self._mode(stream),
                destination.streams,
                destination.mode,
                destination.table.name,
            )
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
        opened = self._opened.items()
        return {name: each.budgets for name, each in opened if each.mode not in SERVER_SIDE}

    def shares(self, table: str) -> bool:
        """Return whether worker processes may write to an open table."""
        return self.shared and self._opened[table].mode not in SERVER_SIDE

    def load_staged(self, stopped: Callable[[], bool]) -> None:
        """Let DynamoDB load what it is to load by itself; return when it has, or when stopped.

        Args:
            stopped: Asked again and again whether to leave it to the next run.

        Raises:
            Error: A table was not loaded.
        """
        self._staged.finish(stopped)

    def versions(self, stream: str) -> Versions | None:
        """Return what marks a stream's items with their version; None where nobody asks for it.

        Args:
            stream: The stream's name.
        """
        if not self._settings.writes.hard_delete:
            return None
        return self._versions.setdefault(stream, Versions(stream))

    def remove(self, table: str, stream: str, version: int, where: Filter) -> None:
        """Delete the items that the new version of a stream lacks.

        Args:
            table: The name of its table; what was written to it is acknowledged.
            stream: The stream's name.
            version: Its version.
            where: Which items.

        Raises:
            Error: A call failed.
            Stopped: The run is to end.
        """
        of = self._opened[table]
        self._clearing.remove(
            of.table, of.budgets, self._purse, where, stream=stream, version=version
        )

    def finish(self, stopped: Callable[[], object]) -> None:
        """Make of the tables what comes after a load that went well.

        Args:
            stopped: Asked now and then whether to leave.

        Raises:
            Error: A call failed; the items are written all the same.
        """
        self._staged.tidy()
        if not stopped():
            self._warmth.down()
        self._making.finish(stopped)

    def flush(self) -> bool:
        """Return when everything that the tables have taken is acknowledged.

        Returns:
            Whether a STATE is true now: not while there is something for DynamoDB to load by itself.

        Raises:
            Error: A write failed for good.
        """
        for destination in self._opened.values():
            destination.writer.flush()
        return not self._staged.waiting

    def close(self) -> None:
        """Stop all writers, and put back what was raised; what still waits is abandoned."""
        for destination in self._opened.values():
            destination.writer.close()
        with contextlib.suppress(Error):  # it is in the log, and another error is the one to tell
            self._warmth.down()

    def _name(self, stream: Stream) -> str:
        return naming.table_name(
            stream.name,
            stream.source.name if stream.source else None,
            pattern=self._settings.table_name,
            patterns=self._settings.table_names,
        )

    def _open(self, stream: Stream, name: str) -> Destination:
        mode = self._mode(stream)
        self._settings.writes.check_mode(stream.name, mode)
        found = self._find(name)
        if mode in SERVER_SIDE:
            self._staged.check(stream, name, mode, found)
        if mode in SERVER_SIDE and not self._settings.dry_run:
            return self._open_staged(stream, name, mode, found)
        table, made = self._ready(stream, name, found), found is None
        if self._settings.dry_run:
            self._clearing.rehearse(table, made=made)
            return Destination(table, Budgets(None), Rehearsal(table, self._progress), mode)
        warm_up = self._settings.making.for_table(name).warm_up
        if warm_up is not None:
            table = self._warmth.up(table, warm_up)
        pace = WritePace(self._wire, table, self._settings.pace, made=made)
        budgets = pace.budgets(self._log, self._cells(), self._purse)
        self._progress.follow(f"table {name}", budgets.table)
        for index, budget in budgets.indexes.items():
            self._progress.follow(f"index {index} of {name}", budget)
        self._lookups.append(pace.lookups(budgets, self._log))
        self._wire.watch(name, budgets.throttled)
        if not made:
            self._clearing.found(table, budgets, self._purse)
        streams: dict[str, Source | None] = {}
        writer = Writer(
            self._wire,
            table,
            mode=mode,
            budgets=budgets,
            progress=self._progress,
            workers=self._settings.write_workers,
            refused=self._refused(table, streams),
        )
        return Destination(table, budgets, writer, mode, streams)

    def _open_staged(
        self, stream: Stream, name: str, mode: str, found: Table | None
    ) -> Destination:
        table = None if found is None else self._ready(stream, name, found)
        if table is not None and mode == "bulk":
            pace = WritePace(self._wire, table, self._settings.pace)
            self._clearing.found(table, pace.budgets(self._log, own_cells), None)
        streams: dict[str, Source | None] = {}
        writer = self._staged.open(
            stream, name, mode, table, lambda table: self._refused(table, streams)
        )
        return Destination(writer.table, Budgets(None), writer, mode, streams)

    def _refused(
        self, table: Table, streams: dict[str, Source | None]
    ) -> Callable[[bytes, DataError], object]:
        return self._rejects.refused_by(table, streams) if self._rejects else refusing(streams)

    def _mode(self, stream: Stream) -> str:
        return StreamOptions.of(self._settings, stream.name).write_mode

    def _find(self, name: str) -> Table | None:
        """Return a table; None where it does not exist and may be made."""
        try:
            return tables.describe(self._wire, name)
        except TableNotFound as error:
            if not self._settings.create_tables:
                raise TableNotFound(
                    error.message, "Create it, or let the target do so: create_tables"
                ) from error
            return None

    def _ready(self, stream: Stream, name: str, found: Table | None) -> Table:
        """Return the table of a stream when it can be written; make it where there is none."""
        if found is None:
            return self._making.create(stream, name, new_key(stream, name))
        table = found
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
        self._making.found(stream, table)
        return table

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

    def _refuse_source(self, stream: Stream, table: Table) -> None:
        sources = [s for each in self._opened.values() for s in each.streams.values()]
        self._clearing.refuse_sources(table, [*sources, stream.source])
        for each in self._opened.values():
            self._clearing.refuse_sources(each.table, [stream.source])
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
