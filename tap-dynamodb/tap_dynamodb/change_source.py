"""Which stream a table's changes are read from, and as what."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core import tables
from dynamodb_core.capacity import Budget
from dynamodb_core.changes import enabling
from dynamodb_core.changes.alternation import MARGIN_SECONDS
from dynamodb_core.changes.destinations import is_kinesis, require_destination
from dynamodb_core.changes.fetched import Fetched
from dynamodb_core.changes.streams import DynamoDBStreams
from dynamodb_core.fetching import Fetcher
from tap_dynamodb.pace import read_pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.changes.service import ChangeService
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source

log = logging.getLogger("tap-dynamodb")


class ChangeSource(NamedTuple):
    """Where changes are read.

    Attributes:
        service: The stream.
        label: What tells it from others, for a state.
        fetched: Looks up items that it does not tell; None where it tells them.
        made: Whether it was turned on a moment ago.
        began: When it was turned on; None where nobody tells.
    """

    service: ChangeService
    label: str
    fetched: Callable[[Sequence[Change]], Sequence[Change]] | None = None
    made: bool = False
    began: datetime | None = None

    def remarks(self) -> list[str]:
        """Return what there is to say of records that were left out."""
        said = []
        if passed := getattr(self.service, "passed_over", 0):
            said.append(f"{passed:,} records of other tables were passed over")
        if dropped := getattr(self.service, "dropped", 0):
            said.append(f"{dropped:,} records came twice, or after newer ones, and were left out")
        if gone := getattr(self.fetched, "gone", 0):
            said.append(f"{gone:,} items were gone when they were looked up")
        return said


def find(
    source: Source,
    settings: Settings,
    wire: Wire,
    wires: Callable[[str], Wire],
    *,
    before: str | None = None,
    clock: Callable[[], float] = time.time,
) -> ChangeSource:
    """Return where a table's changes are read, turned on where that is asked for.

    Args:
        source: The table.
        settings: The table's own.
        wire: Carries the calls about the table.
        wires: Returns what carries calls to another service, by botocore's name of it.
        before: The label of the stream that an earlier run has read.
        clock: Returns seconds since 1970.

    Raises:
        ConfigError: There is no such stream, it is another table's, or it tells too little.
    """
    asked = settings.following
    table = source.table
    if not table.description:  # known by its exports alone
        table = tables.describe(wire, source.reference)
    if asked.stream and is_kinesis(asked.stream):
        from dynamodb_core.changes.kinesis import KinesisStream  # noqa: PLC0415 - seldom wanted

        require_destination(wire, table, asked.stream)
        kinesis = KinesisStream(wires("kinesis"), asked.stream, table.name)
        return ChangeSource(kinesis, asked.stream)
    streams = wires("dynamodbstreams")
    there = enabling.stream_of(table)
    off = there is not None and not there.enabled and there.arn == before
    stream = enabling.require(
        wire,
        table,
        streams=streams,
        arn=before if off and not asked.enable_stream else asked.stream,
        enable=asked.enable_stream,
        old_image=asked.old_image,
        fetch=asked.fetch,
        say=log.info,
    )
    if off and stream.arn == before:
        log.warning("The stream of table %s is turned off: it is read to its end", table.name)
    fetched = None
    if asked.fetch:
        pace = read_pace(wire, source, settings)
        budget = Budget(pace.rate()[0])
        fetched = Fetched(Fetcher(wire, source.reference, table.key, budget))
    service = DynamoDBStreams(streams, stream.arn, images=not asked.fetch)
    began = datetime.fromisoformat(stream.label).replace(tzinfo=timezone.utc)
    # It may have been turned on by a run that was ended since. A stream that is so young may lack writes
    # that an eventually consistent read does not show yet.
    made = stream.made or clock() - began.timestamp() < MARGIN_SECONDS
    return ChangeSource(service, stream.arn, fetched, made=made, began=began)
