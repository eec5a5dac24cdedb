"""The tables of a run that DynamoDB loads by itself: which can be, and their load at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core import jobs, tables
from dynamodb_core.errors import ConfigError
from dynamodb_core.staging import Staging
from dynamodb_core.table import Table
from target_dynamodb.keys import new_key
from target_dynamodb.loading import Stopped
from target_dynamodb.serverside import ServerSide
from target_dynamodb.staged import Staged

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from dynamodb_core.definitions import Definition
    from dynamodb_core.errors import DataError
    from dynamodb_core.progress import Progress
    from dynamodb_core.wire import Wire
    from target_dynamodb.keys import Stream
    from target_dynamodb.making import Making
    from target_dynamodb.settings import Settings

    Refused = Callable[[bytes, DataError], object]


class StagedTables:
    """Opens tables that DynamoDB loads by itself, and lets it do so when the input has ended.

    Args:
        settings: Where their files go.
        wire: Carries the calls.
        making: Knows what new tables are to be like.
        progress: Told what was loaded.
        log: Told where the loads stand.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        making: Making,
        *,
        progress: Progress,
        log: logging.Logger,
    ) -> None:
        self._settings = settings
        self._wire = wire
        self._making = making
        self._progress = progress
        self._log = log
        self._opened: list[Staged] = []

    @property
    def waiting(self) -> list[str]:
        """The names of the tables that are not loaded yet. Until then no STATE is true."""
        return [each.table.name for each in self._opened if not each.complete]

    def check(self, stream: Stream, name: str, mode: str, found: Table | None) -> None:
        """Check that a table can be loaded so.

        Args:
            stream: A stream that goes to it.
            name: Its name.
            mode: The stream's write mode.
            found: The table, where it exists.

        Raises:
            ConfigError: It cannot.
        """
        _check(self._settings, stream.name, mode, found, name)
        if found is None:
            created = self._definition(stream, name).create_request()
            jobs.import_job(created, jobs.Parts("", "", "none"), "")

    def open(
        self,
        stream: Stream,
        name: str,
        mode: str,
        found: Table | None,
        refused_by: Callable[[Table], Refused | None],
    ) -> Staged:
        """Return what takes the writes of a table.

        Args:
            stream: Its first stream.
            name: Its name.
            mode: The stream's write mode; `check` has passed it.
            found: The table, where it exists.
            refused_by: Returns what is told of each write that DynamoDB would refuse; None where the
                first one ends the load.

        Raises:
            ConfigError: It cannot be loaded so.
        """
        settings = self._settings
        definition: Definition | None = None
        table = found
        if table is None:
            definition = self._definition(stream, name)
            table = _to_be(definition)
            self._making.found(stream, table)  # indexes after the load come after an import, too
        load = ServerSide(
            settings,
            self._wire,
            table,
            definition,
            start=mode != "files",
            units=bulk_units(settings, self._wire, table) if mode == "bulk" else None,
            progress=self._progress,
            log=self._log,
        )
        staging = Staging(
            settings.staging.root,
            part_bytes=settings.staging.part_bytes,
            compression=settings.staging.compression,
        )
        staged = Staged(table, staging, load, log=self._log, refused=refused_by(table))
        self._opened.append(staged)
        self._log.info(
            "Stream %s is staged in %s, and table %s is %s when the last record has come",
            stream.name,
            settings.staging.root,
            name,
            {"import": "imported", "bulk": "loaded"}.get(mode, "ready to be loaded"),
        )
        return staged

    def _definition(self, stream: Stream, name: str) -> Definition:
        return self._making.definition(stream, name, new_key(stream, name))

    def finish(self, stopped: Callable[[], bool]) -> None:
        """Load one table after the other; return when all are, or when the run is to end.

        Args:
            stopped: Asked again and again whether it is.

        Raises:
            Error: A table was not loaded.
        """

        def look() -> None:
            if stopped():
                raise Stopped

        try:
            for each in self._opened:
                look()
                each.finish(look)
        except Stopped:
            for table in self.waiting:
                self._log.warning(
                    "Table %s is not loaded, and no STATE handed on; the next run stages it anew",
                    table,
                )

    def tidy(self) -> None:
        """Remove the files that are loaded, if that is asked for.

        Raises:
            Error: They cannot be removed; everything is loaded all the same.
        """
        for each in self._opened:
            each.tidy()


def bulk_units(settings: Settings, wire: Wire, table: Table) -> int | None:
    """Return how many write units a second a bulk put may take, as the settings say.

    Args:
        settings: The target's.
        wire: Carries the calls.
        table: The table.

    Raises:
        AccessError: A percentage is asked for, and what it is of may not be looked up.
    """
    asked = settings.pace
    if asked.units is None and asked.percent is None:
        return None
    units, _reason = asked.of(table, lambda kind: tables.account_limit(wire, kind))
    return None if units is None else int(units)


def _check(settings: Settings, stream: str, mode: str, table: Table | None, name: str) -> None:
    settings.staging.check(stream, mode)
    if settings.max_cost is not None and mode != "files":
        raise ConfigError(
            f"max_cost is set, and counts write units: it does not bound what write_mode {mode} costs",
            "Leave max_cost out, or take write_mode put",
        )
    if mode == "import" and table is not None:
        raise ConfigError(
            f"Table {name} exists, and stream {stream} has write_mode import, which makes its table",
            "Take write_mode bulk or put; or delete the table, if an import that was broken off has "
            "left it",
        )
    if mode == "bulk" and table is None:
        raise ConfigError(
            f"Table {name} does not exist, and stream {stream} has write_mode bulk, which makes none",
            "Take write_mode import, or create the table",
        )
    if mode != "import" and table is not None and table.description.get("Replicas"):
        raise ConfigError(
            f"Table {name} is a global table, and no bulk put writes to one", "Take write_mode put"
        )


def _to_be(definition: Definition) -> Table:
    """Return a table as it will be described."""
    billing = {"BillingMode": definition.billing_mode}
    return Table.from_description({**definition.create_request(), "BillingModeSummary": billing})
