"""The files of BATCH messages: loaded in order or side by side, and removed when acknowledged.

Side by side go only files of one stream of which the tap vouches that no key is in two of them.
Whatever else is written to their table waits until they are acknowledged, and they wait for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dynamodb_core.errors import ConfigError, Error
from dynamodb_core.inbox import Inbox
from target_dynamodb.loading import Stopped, load
from target_dynamodb.rejected import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dynamodb_core.inbox import Claim
    from dynamodb_core.progress import Progress
    from target_dynamodb.batch import Batch
    from target_dynamodb.contents import File
    from target_dynamodb.destinations import Destinations
    from target_dynamodb.loader import Outcome, Way
    from target_dynamodb.loading import Road
    from target_dynamodb.rejects import Rejects
    from target_dynamodb.settings import Settings
    from target_dynamodb.states import States

LOOK_UP_SECONDS = 0.25
"""How often a wait for worker processes looks up, to do what the clock asks for."""


class Workers(Protocol):
    """What is used of a `Team`."""

    tables: frozenset[str]

    @property
    def full(self) -> bool:
        """Whether no worker can take one more file."""
        ...

    def load(self, number: int, file: File, way: Way) -> None:
        """Give a file to a worker."""
        ...

    def receive(self, timeout: float) -> Outcome | Rejected | None:
        """Return what became of some file, or a record of one that cannot be written."""
        ...

    def stop(self) -> None:
        """Let the workers leave their files where they are."""
        ...

    def close(self) -> None:
        """End the processes."""
        ...


class _UnderWay(NamedTuple):
    claim: Claim
    stream: str
    table: str


class Files:
    """Takes the files of BATCH messages, one message after the other; `of` makes one.

    Args:
        inbox: Claims the files.
        states: Told of each file and of its acknowledgement.
        open_workers: Starts worker processes that know all tables that are open.
        stopped: Does what the clock asks for, and returns whether the run is to end; asked often.
        loaded: Told the stream of an acknowledged file, and how many records it had.
        rejects: Takes records that cannot be written; None where the first one ends the run.
        keep: Whether files stay where they are.
    """

    def __init__(
        self,
        inbox: Inbox,
        states: States,
        *,
        open_workers: Callable[[], Workers],
        stopped: Callable[[], bool],
        loaded: Callable[[str, int], None],
        rejects: Rejects | None = None,
        keep: bool = False,
    ) -> None:
        self._inbox = inbox
        self._states = states
        self._open_workers = open_workers
        self._stopped = stopped
        self._loaded = loaded
        self._rejects = rejects
        self._keep = keep
        self._workers: Workers | None = None
        self._under_way: dict[int, _UnderWay] = {}
        self._first_failure: float = math.inf

    @classmethod
    def of(
        cls,
        settings: Settings,
        destinations: Destinations,
        states: States,
        *,
        progress: Progress,
        stopped: Callable[[], bool],
        loaded: Callable[[str, int], None],
        rejects: Rejects | None = None,
    ) -> Files:
        """Return one with worker processes, as the settings say.

        Args:
            settings: Where files may lie, and how many processes load them.
            destinations: The tables that are open.
            states: As for `Files`.
            progress: Told what the processes have written.
            stopped: As for `Files`.
            loaded: As for `Files`.
            rejects: As for `Files`.

        Raises:
            ConfigError: There is no folder below which files may be read.
        """
        if settings.batch_root is None:
            raise ConfigError(
                "There are BATCH messages, and no batch_root below which their files may be read",
                "Set batch_root to the folder of the tap's files, or remove batch_config from the "
                "tap's configuration",
            )

        def open_workers() -> Workers:
            from target_dynamodb.team import Team  # noqa: PLC0415 - seldom wanted

            return Team(
                settings.aws,
                destinations.budgets(),
                processes=settings.processes,
                workers=settings.write_workers,
                progress=progress,
                rejecting=rejects is not None,
            )

        inbox = Inbox(settings.batch_root)
        return cls(
            inbox,
            states,
            open_workers=open_workers,
            stopped=stopped,
            loaded=loaded,
            rejects=rejects,
            keep=settings.dry_run,
        )

    def load_here(
        self, batch: Batch, road: Road, tables: Collection[str], flush: Callable[[], None]
    ) -> None:
        """Load the files of a message one after the other, in this process.

        Args:
            batch: The message.
            road: What takes their records.
            tables: Where these go.
            flush: Returns when DynamoDB has acknowledged them.

        Raises:
            Error: A file or a record cannot be read or written.
        """
        self.wait_for(tables)
        reject = self._rejects.of_stream(batch.stream) if self._rejects else None
        for location in batch.files:
            number = self._states.begin()  # first: no STATE after a file that is left is true
            if self._stopped():
                return
            claim = self._inbox.claim(location)
            try:
                load(batch.file(claim), road, stopped=self._stopped, reject=reject)
            except Stopped:
                return
            flush()
            self._make_safe()
            self._states.acknowledge(number)
            if not self._keep:
                self._inbox.remove(claim)
            self._loaded(batch.stream, 0)

    def load_beside(self, batch: Batch, way: Way, flush: Callable[[], None]) -> None:
        """Give the files of a message to worker processes; returns while they are loaded.

        Args:
            batch: The message; its keys are distinct.
            way: How its records become writes.
            flush: Returns when DynamoDB has acknowledged what this process has written to the table.

        Raises:
            Error: A file or a record, perhaps of an earlier message, cannot be read or written.
        """
        table = way.table.name
        self._wait(lambda: not self._others(table, batch.stream))
        flush()
        workers = self._workers_for(table)
        for location in batch.files:
            number = self._states.begin()
            claim = self._inbox.claim(location)
            self._wait(lambda: not workers.full)
            if self._stopped():
                return
            self._under_way[number] = _UnderWay(claim, batch.stream, table)
            workers.load(number, batch.file(claim), way)

    def wait_for(self, tables: Collection[str]) -> None:
        """Return when no file of some tables is under way.

        Args:
            tables: Their names.

        Raises:
            Error: A file or a record cannot be read or written.
        """
        self._wait(lambda: not any(each.table in tables for each in self._under_way.values()))

    def finish(self) -> None:
        """Return when all files are acknowledged; after an error, those that came before it.

        Raises:
            Error: A file or a record cannot be read or written, for the first time.
        """
        while any(number < self._first_failure for number in self._under_way):
            failed_before = math.isfinite(self._first_failure)
            try:
                self._look_up()
            except Error:
                if not failed_before:
                    raise

    def poll(self) -> None:
        """Take what the workers have to say.

        Raises:
            Error: A file or a record cannot be read or written.
        """
        while self._receive(0.0):
            pass

    def close(self) -> None:
        """Leave what is under way where it is."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None
        self._inbox.close()

    def _others(self, table: str, stream: str) -> bool:
        """Return whether files of a table are under way that belong to another stream."""
        return any(u.table == table and u.stream != stream for u in self._under_way.values())

    def _workers_for(self, table: str) -> Workers:
        if self._workers is not None and table not in self._workers.tables:
            self._wait(lambda: not self._under_way)
            self._workers.close()
            self._workers = None
        if self._workers is None:
            self._workers = self._open_workers()
        return self._workers

    def _wait(self, until: Callable[[], bool]) -> None:
        while not until():
            self._look_up()

    def _look_up(self) -> None:
        if self._stopped() and self._workers is not None:
            self._workers.stop()
        self._receive(LOOK_UP_SECONDS)

    def _receive(self, timeout: float) -> bool:
        heard = self._workers.receive(timeout) if self._workers is not None else None
        if heard is None:
            return False
        if isinstance(heard, Rejected):
            self._reject(heard)
            return True
        done = self._under_way.pop(heard.number)
        if heard.error is not None:
            self._first_failure = min(self._first_failure, heard.number)
            raise heard.error
        if not heard.stopped:
            self._make_safe()
            self._states.acknowledge(heard.number)
            self._inbox.remove(done.claim)
            self._loaded(done.stream, heard.records)
        return True

    def _reject(self, record: Rejected) -> None:
        assert self._rejects
        try:
            self._rejects.add(record.stream, record.line, record.error, schema=record.schema)
        except Error:
            self._first_failure = min(self._first_failure, record.number)
            raise

    def _make_safe(self) -> None:
        """Let the records of a file that could not be written outlive it."""
        if self._rejects is not None:
            self._rejects.sync()
