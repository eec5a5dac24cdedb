"""Records that cannot be written: noted in a dead-letter file, counted, and no reason to stop.

They wait in memory, so that those of one SCHEMA stand together, until a STATE is to be handed on or a
file to be removed; then they are written, and on the disk, first.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from dynamodb_core.errors import DataError, Error
from target_dynamodb import letters

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from dynamodb_core.table import Table
    from target_dynamodb.letterbox import Letterbox
    from target_dynamodb.settings import Settings
    from target_dynamodb.source import Source

SHOWN = 20
"""Records that the log names; the others are counted."""


class TooManyRejects(Error):
    """More records than the configuration allows could not be written."""


class Rejects:
    """Takes records that cannot be written. Any thread may hand them over.

    Attributes:
        count: How many there were.

    Args:
        letterbox: Where they go.
        log: Where the first of them are named.
        most: How many there may be.
    """

    def __init__(self, letterbox: Letterbox, log: logging.Logger, *, most: int) -> None:
        self.count = 0
        self._letterbox = letterbox
        self._log = log
        self._most = most
        self._lock = threading.Lock()
        self._schemas: dict[str, bytes] = {}
        self._said: dict[str, bytes] = {}
        self._waiting: dict[tuple[str, bytes], list[bytes]] = {}
        self._waiting_bytes = 0
        self._written = self._safe = 0
        self._error: Error | None = None
        self._open = False

    @classmethod
    def of(cls, settings: Settings, log: logging.Logger) -> Rejects | None:
        """Return one where the settings ask for it; a dry run only names what would be refused.

        Args:
            settings: The target's configuration.
            log: Where the first of them are named.
        """
        rejecting = settings.rejecting
        if not rejecting.dead_letter or settings.dry_run:
            return None
        return cls(rejecting.letterbox(settings.aws), log, most=rejecting.max_errors)

    def open(self) -> None:
        """Make ready, so that what hinders is found before anything is written.

        Raises:
            Error: The dead-letter file cannot be written.
        """
        self._letterbox.open()
        self._open = True

    def schema(self, stream: str, message: str) -> None:
        """Note the SCHEMA with which the records of a stream come from now on.

        Args:
            stream: The stream's name, before stream maps.
            message: The SCHEMA message as compact JSON, its type first.
        """
        self._schemas[stream] = message.encode() + b"\n"

    def add(
        self, stream: str, line: bytes, error: DataError, *, schema: bytes | None = None
    ) -> None:
        """Take a record.

        Args:
            stream: Its stream.
            line: Its line, as `letters.py` makes it.
            error: Why it cannot be written.
            schema: The line of its SCHEMA; left out, the one with which its stream came.

        Raises:
            TooManyRejects: There are more than there may be; this one is noted, too.
            Error: The dead-letter file cannot be written.
        """
        with self._lock:
            self.count += 1
            number = self.count
            said = self._schemas[stream] if schema is None else schema
            self._waiting.setdefault((stream, said), []).append(line)
            self._waiting_bytes += len(line)
            if self._waiting_bytes >= self._letterbox.most_bytes:
                self._write()
        if number <= SHOWN:
            self._log.warning("Cannot be written, and goes to %s: %s", self._letterbox, error)
        elif number == SHOWN + 1:
            self._log.warning("Further records that cannot be written are counted and not named")
        if number > self._most:
            raise TooManyRejects(
                f"{_records(number)} could not be written, and max_errors is {self._most:,}",
                f"Look at the reasons in {self._letterbox}",
            )

    def of_stream(self, stream: str) -> Callable[[bytes, DataError], None]:
        """Return what takes the records of a file that cannot be written.

        Args:
            stream: Their stream.
        """

        def reject(record: bytes, error: DataError) -> None:
            self.add(stream, letters.from_record(stream, record, error.message), error)

        return reject

    def refused_by(
        self, table: Table, streams: Mapping[str, Source | None]
    ) -> Callable[[bytes, DataError], None]:
        """Return what a `Writer` calls for a write that DynamoDB refuses.

        Args:
            table: The table that is written.
            streams: The streams that go there, each with the table that it came from. As a writer
                does not know whose a write was, it is noted as one of the last of them.
        """

        def refused(write: bytes, error: DataError) -> None:
            stream, source = next(reversed(list(streams.items())))
            schema = letters.as_written_schema(stream, table, source)
            line = letters.as_written(stream, table, write, error.message)
            self.add(stream, line, error, schema=schema)

        return refused

    def sync(self) -> None:
        """Return when all records that were handed over are safe in the dead-letter file.

        Raises:
            Error: It cannot be written.
        """
        with self._lock:
            if self._error is None and self._safe == self.count:
                return
            self._write()
            self._do(self._letterbox.sync)
            self._safe = self._written

    def close(self) -> None:
        """Make safe what can be, say how many there were, and let go of the dead-letter file."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(Error):  # the run has ended with it
            self.sync()
        self._letterbox.close()
        if self.count:
            self._log.warning(
                "%s could not be written; %s in %s",
                _records(self.count),
                "they are" if self._safe == self.count else f"{self._safe:,} of them are",
                self._letterbox,
            )

    def _write(self) -> None:
        """Hand over what waits, those of one SCHEMA after the other."""
        if self._letterbox.apart:
            self._said.clear()
        piece: list[bytes] = []
        count = 0
        for (stream, schema), lines in self._waiting.items():
            if self._said.get(stream) != schema:
                piece.append(schema)
                self._said[stream] = schema
            piece += lines
            count += len(lines)
        if piece:
            self._do(lambda: self._letterbox.write(b"".join(piece)))
        self._waiting.clear()
        self._waiting_bytes = 0
        self._written += count

    def _do(self, what: Callable[[], None]) -> None:
        """Do something with the dead-letter file. After an error nothing is done to it any more."""
        if self._error is not None:
            raise self._error
        try:
            what()
        except Error as error:
            self._error = error
            raise


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"
