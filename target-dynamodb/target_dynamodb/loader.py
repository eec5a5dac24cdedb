"""The job of a worker process: whole files into the tables of their streams.

A worker has its own connections, writers and encoders; the budgets of the tables are shared by all.
What it sends back is what was written meanwhile, and what became of each file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.errors import Error
from dynamodb_core.progress import Progress
from dynamodb_core.writer import Writer
from target_dynamodb.encode import Encoder
from target_dynamodb.loading import Direct, Stopped, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dynamodb_core.budgets import Budgets
    from dynamodb_core.cells import Cells
    from dynamodb_core.settings import AwsSettings
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from target_dynamodb.contents import File
    from target_dynamodb.source import Source

TOLD_SECONDS = 1.0
"""How often a worker says what it has written."""


class Way(NamedTuple):
    """How the records of a stream become writes of its table.

    Attributes:
        stream: The stream's name.
        properties: The JSON Schema of each property.
        table: The table that is written.
        source: The table that the stream came from, if our tap wrote it.
        metadata: Whether the `_sdc_` properties are to be written.
    """

    stream: str
    properties: Mapping[str, Any]
    table: Table
    source: Source | None
    metadata: bool = False

    def encoder(self) -> Encoder:
        """Return what makes writes of the records."""
        return Encoder(
            self.stream,
            self.properties,
            key=self.table.key,
            source=self.source,
            metadata=self.metadata,
        )


class Assignment(NamedTuple):
    """A file to load.

    Attributes:
        number: Its number.
        file: The file.
        way: How its records become writes; None as for this worker's last file.
    """

    number: int
    file: File
    way: Way | None


class Written(NamedTuple):
    """What DynamoDB has acknowledged since the last time this was said."""

    items: int
    size: int
    units: float


class Outcome(NamedTuple):
    """What became of a file.

    Attributes:
        number: Its number.
        records: How many records it had; DynamoDB has acknowledged all of them.
        error: What went wrong instead.
        stopped: Whether it was left, as the run is to end.
    """

    number: int
    records: int = 0
    error: Error | None = None
    stopped: bool = False


@dataclass
class Loader:
    """Loads files, one after the other, until no more come.

    Attributes:
        aws: Where the service is and who asks.
        workers: Requests on their way at once, for each table.
        budgets: The budgets of each table, by its name.
        stop: One number; when it is not 0, files are left where they are.
    """

    aws: AwsSettings
    workers: int
    budgets: Mapping[str, Budgets]
    stop: Cells

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        """Do the job; see `processes.Job`.

        Args:
            inbox: Assignments.
            send: Takes `Written` and `Outcome`.
        """
        from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

        wire = BotoWire(self.aws, connections=4 * self.workers)
        teller = Teller(send)
        writers: dict[str, Writer] = {}
        direct: Direct | None = None

        def stopped() -> bool:
            teller.look()
            return self.stop.values[0] != 0

        for number, file, way in inbox:
            if way is not None:
                name = way.table.name
                if name not in writers:
                    writers[name] = self._open(way.table, wire, teller.progress)
                direct = Direct(way.encoder(), writers[name])
            assert direct
            outcome = load_one(number, file, direct, stopped)
            teller.tell()
            send(outcome)
        for writer in writers.values():
            writer.close()

    def _open(self, table: Table, wire: Wire, progress: Progress) -> Writer:
        budgets = self.budgets[table.name]
        wire.watch(table.name, budgets.throttled)
        return Writer(wire, table, budgets=budgets, progress=progress, workers=self.workers)


def load_one(number: int, file: File, direct: Direct, stopped: Callable[[], bool]) -> Outcome:
    """Load a file, and wait until DynamoDB has acknowledged all of it.

    Args:
        number: The file's number.
        file: The file.
        direct: What takes its records.
        stopped: Asked after every few records, whether to leave the rest.
    """
    try:
        records = load(file, direct, stopped=stopped)
        direct.writer.flush()
    except Stopped:
        return Outcome(number, stopped=True)
    except Error as error:
        return Outcome(number, error=error)
    return Outcome(number, records)


class Teller:
    """Sends what was written, from time to time.

    Attributes:
        progress: What the writers are to tell.

    Args:
        send: Takes `Written`.
        clock: Returns seconds.
    """

    def __init__(
        self, send: Callable[[Any], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.progress = Progress("Written")
        self._send = send
        self._clock = clock
        self._told = Written(0, 0, 0.0)
        self._due = clock() + TOLD_SECONDS

    def look(self) -> None:
        """Send it if it is time."""
        if self._clock() >= self._due:
            self.tell()

    def tell(self) -> None:
        """Send what was written since the last time, if there is something."""
        seen = Written(self.progress.items, self.progress.size, self.progress.units)
        told = self._told
        new = Written(seen.items - told.items, seen.size - told.size, seen.units - told.units)
        self._told = seen
        self._due = self._clock() + TOLD_SECONDS
        if any(new):
            self._send(new)
