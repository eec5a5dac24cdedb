"""The job of a worker process: whole files into the tables of their streams.

A worker has its own connections, writers and encoders; the budgets of the tables are shared by all.
What it sends back is what was written meanwhile, what cannot be written, and what became of each file.
"""

from __future__ import annotations

import operator
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core import sizes
from dynamodb_core.errors import Error
from dynamodb_core.progress import Progress
from dynamodb_core.writer import Writer
from target_dynamodb.encode import Encoder
from target_dynamodb.loading import Direct, Stopped, load
from target_dynamodb.rejected import Rejecter
from target_dynamodb.writing import refusing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dynamodb_core.budgets import Budgets
    from dynamodb_core.cells import Cells
    from dynamodb_core.errors import DataError
    from dynamodb_core.settings import AwsSettings
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from target_dynamodb.contents import File
    from target_dynamodb.source import Source
    from target_dynamodb.stream_options import StreamOptions

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
        mode: How the table is written.
        key_properties: The stream's own key.
        options: What the configuration says of the stream.
    """

    stream: str
    properties: Mapping[str, Any]
    table: Table
    source: Source | None
    metadata: bool = False
    mode: str = "put"
    key_properties: Sequence[str] = ()
    options: StreamOptions | None = None

    def encoder(self) -> Encoder:
        """Return what makes writes of the records."""
        return Encoder(
            self.stream,
            self.properties,
            key=self.table.key,
            source=self.source,
            metadata=self.metadata,
            key_properties=self.key_properties,
            options=self.options,
            indexes=sizes.index_keys(self.table),
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
    kept: int = 0


class Outcome(NamedTuple):
    """What became of a file.

    Attributes:
        number: Its number.
        records: How many records DynamoDB has acknowledged; all that it had, but for the rejected ones.
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
        rejecting: Whether a record that cannot be written is sent back instead of ending its file.
    """

    aws: AwsSettings
    workers: int
    budgets: Mapping[str, Budgets]
    stop: Cells
    rejecting: bool = False

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        """Do the job; see `processes.Job`.

        Args:
            inbox: Assignments.
            send: Takes `Written`, `Rejected` and `Outcome`.
        """
        from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

        wire = BotoWire(self.aws, connections=4 * self.workers)
        teller = Teller(send)
        writers: dict[str, Writer] = {}
        rejecter = Rejecter(send) if self.rejecting else None
        direct: Direct | None = None

        def stopped() -> bool:
            teller.look()
            return self.stop.values[0] != 0

        for number, file, way in inbox:
            if way is not None:
                name = way.table.name
                if name not in writers:
                    writers[name] = self._open(way, wire, teller.progress, rejecter)
                direct = Direct(way.encoder(), writers[name])
            assert direct
            if rejecter is not None:
                rejecter.begin(number, way)
            reject = rejecter.unfit if rejecter else None
            outcome = load_one(number, file, direct, stopped, reject=reject)
            teller.tell()
            send(outcome)
        for writer in writers.values():
            writer.close()

    def _open(self, way: Way, wire: Wire, progress: Progress, rejecter: Rejecter | None) -> Writer:
        table = way.table
        budgets = self.budgets[table.name]
        wire.watch(table.name, budgets.throttled)
        return Writer(
            wire,
            table,
            mode=way.mode,
            budgets=budgets,
            progress=progress,
            workers=self.workers,
            refused=rejecter.refused if rejecter else refusing([way.stream]),
        )


def load_one(
    number: int,
    file: File,
    direct: Direct,
    stopped: Callable[[], bool],
    *,
    reject: Callable[[bytes, DataError], object] | None = None,
) -> Outcome:
    """Load a file, and wait until DynamoDB has acknowledged all of it.

    Args:
        number: The file's number.
        file: The file.
        direct: What takes its records.
        stopped: Asked after every few records, whether to leave the rest.
        reject: Takes records that cannot be written; left out, the first one is what went wrong.
    """
    try:
        records = load(file, direct, stopped=stopped, reject=reject)
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
        self._told = Written(0, 0, 0.0, 0)
        self._due = clock() + TOLD_SECONDS

    def look(self) -> None:
        """Send it if it is time."""
        if self._clock() >= self._due:
            self.tell()

    def tell(self) -> None:
        """Send what was written since the last time, if there is something."""
        progress, told = self.progress, self._told
        seen = Written(progress.items, progress.size, progress.units, progress.kept)
        new = Written(*map(operator.sub, seen, told))
        self._told = seen
        self._due = self._clock() + TOLD_SECONDS
        if any(new):
            self._send(new)
