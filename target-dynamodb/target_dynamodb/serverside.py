"""What becomes of the parts of a table: an import, a bulk put, or files that somebody else loads."""

from __future__ import annotations

import secrets
import shlex
from typing import TYPE_CHECKING

import orjson

from dynamodb_core import after_import, jobs, tables
from dynamodb_core.errors import Error, ServiceError
from dynamodb_core.jobs import Parts
from dynamodb_core.staging import SUFFIXES

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from dynamodb_core.definitions import Definition
    from dynamodb_core.jobs import Job
    from dynamodb_core.objects import ObjectStore
    from dynamodb_core.progress import Progress
    from dynamodb_core.staging import Part
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from target_dynamodb.settings import Settings

COMMANDS = {"ImportTable": "import-table", "StartBulkPutItems": "start-bulk-put-items"}
"""The commands of AWS's CLI that start a load."""

BUCKET, PREFIX = "BUCKET", "PREFIX"
"""Stand in a command for what only its user knows."""


class ServerSide:
    """Puts parts in their place, lets DynamoDB load them, and waits; or says how they are loaded.

    Attributes:
        deletes: Whether an item that was deleted is one that was never there.

    Args:
        settings: Where the parts go, and what a bulk put may take.
        wire: Carries the calls.
        table: The table.
        definition: What it is to be like; None where it exists.
        start: Whether the load is to be started.
        units: Write units a second that a bulk put may take; None leaves that to DynamoDB.
        progress: Told what was loaded.
        log: Told where the load stands.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        table: Table,
        definition: Definition | None,
        *,
        start: bool,
        units: int | None = None,
        progress: Progress,
        log: logging.Logger,
    ) -> None:
        self.deletes = definition is not None
        self._settings = settings
        self._wire = wire
        self._table = table
        self._definition = definition
        self._start = start
        self._units = units
        self._progress = progress
        self._log = log
        self._token = secrets.token_hex(16)
        self._store: ObjectStore | None = None
        self._keys: list[str] = []
        self._job(self._parts())  # an error now, and not when all records have come

    def carry_out(self, parts: Iterator[Part], look: Callable[[], None]) -> None:
        """Return when everything is loaded; see `staged.Load`."""
        items, size = self._put(parts, look)
        name = self._table.name
        if not items and self._definition is not None and self._start:
            tables.create(self._wire, self._definition)
            self._log.info("There are no items for table %s: it is made, and empty", name)
        elif not items:
            self._log.info("There are no items for table %s: there is nothing to load", name)
        elif self._start:
            self._load(items, look)
        else:
            self._log.info("Table %s is not loaded. To load it: %s", name, self._command())
        self._progress.add(items=items, size=size)

    def tidy(self) -> None:
        """Remove the parts, if that is asked for; see `staged.Load`."""
        if self._start and self._settings.staging.remove and self._store is not None:
            self._store.remove(self._keys)
            self._log.info("Removed %s files from %s", f"{len(self._keys):,}", self._address())
            self._keys.clear()

    def _put(self, parts: Iterator[Part], look: Callable[[], None]) -> tuple[int, int]:
        """Put all parts in their place; return how many items they have, and their bytes."""
        items = size = 0
        for part in parts:
            if self._store is None:
                from dynamodb_core import objects  # noqa: PLC0415 - boto3 takes long to import

                self._store = objects.at(self._settings.staging.location, self._settings.aws)
            suffix = SUFFIXES[self._settings.staging.compression]
            key = f"{self._prefix}{part.number:05}{suffix}"
            self._store.put(key, part.path)
            self._keys.append(key)
            items += part.items
            size += part.size
            look()
        if self._keys:
            self._log.info(
                "The files of table %s are in %s: %s items, %s files, %s MB",
                self._table.name,
                self._address(),
                f"{items:,}",
                f"{len(self._keys):,}",
                f"{size / 1e6:,.1f}",
            )
        return items, size

    def _load(self, items: int, look: Callable[[], None]) -> None:
        job = self._job(self._parts())
        try:
            arn = job.begin(self._wire)
        except Error as error:
            error.hint = self._how_to_go_on(error)
            raise
        self._log.info("The %s has begun: %s", job.name, arn)
        seen = jobs.wait(
            self._wire,
            job,
            arn,
            look=lambda: self._look(look, job, arn),
            say=lambda line: self._log.info("%s", line),
        )
        job.check(seen, items)
        self._log.info(
            "The %s is %s: %s items, no errors", job.name, seen.status, f"{seen.processed:,}"
        )
        if self._definition is not None:
            after_import.complete(self._wire, self._definition)

    def _look(self, look: Callable[[], None], job: Job, arn: str) -> None:
        """Look up; when the run is to end, the job is to end with it, where that can be asked for."""
        try:
            look()
        except BaseException:
            try:
                asked = job.cancel(self._wire, arn)
            except Error as error:
                asked = False
                self._log.warning("%s", error)
            self._log.warning(
                "The %s %s: %s",
                job.name,
                "is cancelled; what it has written stays" if asked else "goes on without this run",
                arn,
            )
            raise

    def _job(self, parts: Parts) -> Job:
        if self._definition is not None:
            return jobs.import_job(self._definition.create_request(), parts, self._token)
        reports = f"{parts.prefix.removesuffix('parts/')}errors/"
        return jobs.bulk_job(
            self._table.name,
            parts,
            self._token,
            reports=reports,
            units=self._units,
            tier=self._settings.staging.tier,
        )

    def _parts(self) -> Parts:
        compression = self._settings.staging.compression
        if self._store is not None:
            from dynamodb_core.objects import Bucket  # noqa: PLC0415 - as in _put

            if isinstance(self._store, Bucket):
                return Parts(self._store.bucket, self._store.key(self._prefix), compression)
        return Parts(BUCKET, f"{PREFIX}/parts/", compression)

    @property
    def _prefix(self) -> str:
        """What the keys of all parts begin with; the token is this run's mark."""
        return f"ferry-{self._token}/{self._table.name}/parts/"

    def _address(self) -> str:
        assert self._store
        return self._store.address(self._prefix.removesuffix("/"))

    def _command(self) -> str:
        """Return what a person types to start the load; for files in a folder, to copy them before."""
        parts = self._parts()
        job = self._job(parts)
        request = orjson.dumps(job.request).decode()
        command = f"aws dynamodb {COMMANDS[job.start]} --cli-input-json {shlex.quote(request)}"
        if parts.bucket != BUCKET:
            return command
        copy = f"aws s3 cp --recursive {shlex.quote(self._address())} s3://{BUCKET}/{parts.prefix}"
        return f"{copy} && {command}"

    def _how_to_go_on(self, error: Error) -> str:
        hint = error.hint
        if isinstance(error, ServiceError) and error.code == "ResourceInUseException":
            hint = (
                f"Table {self._table.name} has been made meanwhile; delete it"
                if self._definition is not None
                else "Another job is under way, or the table is being changed; wait for its end"
            )
        self._log.warning(
            "The files stay. Within eight hours this starts the job, if it has not begun: %s",
            self._command(),
        )
        return f"{hint}. The log has the command that starts it without staging again"
