"""Kinesis Data Streams for DynamoDB as a `ChangeService`.

Kinesis says nothing where a place has been trimmed: a read from there begins at what is left. So a place
is judged by its age. `Position.order` says until when all of a shard is known: it goes on with the records'
times, and with the clock where a shard that is known to be open has nothing more to tell.

A table's changes may come twice or out of order, within a shard and over several. `Newest` remembers
what has come; where a run goes on after an earlier one, it is first told of the minutes before.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core.changes import kinesis_records
from dynamodb_core.changes.kinesis_calls import Gone, KinesisCalls
from dynamodb_core.changes.kinesis_seen import Seen
from dynamodb_core.changes.lost import START_OVER, history_lost
from dynamodb_core.changes.newest import WINDOW, Newest
from dynamodb_core.changes.service import IteratorExpired, Records
from dynamodb_core.changes.shards import Position
from dynamodb_core.errors import AccessError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamodb_core.change import Change
    from dynamodb_core.changes.kinesis_records import Record, Told
    from dynamodb_core.changes.shards import Shard
    from dynamodb_core.errors import HistoryLost
    from dynamodb_core.wire import Wire

RETENTION = timedelta(hours=24)
"""How long records are kept at least, where it may not be asked."""

CLOCKS = timedelta(minutes=2)
"""By how much this machine's clock may go before the service's; a `since` is that much too early."""

EDGE = timedelta(minutes=5)
"""How long a change may be on its way into the stream. By so much may a read under way be late, and a stream
be younger than a place in it."""

FRESH = timedelta(hours=1)
"""How old a record may be after whose sequence number a read goes on: it is certainly there."""

_SECOND = 1_000_000

log = logging.getLogger("ferry-dynamodb")


class KinesisStream:
    """A Kinesis stream that DynamoDB writes a table's changes to. Threads may share it.

    Attributes:
        arn: The stream's ARN.
        passed_over: Records of other tables so far.
        dropped: Records so far that were older than another one of their key, or came twice.

    Args:
        wire: Carries the calls to Kinesis.
        arn: The stream's ARN.
        table: The table's name.
        clock: Tells the seconds since 1970.
        newest: What remembers the newest writes.
    """

    def __init__(
        self,
        wire: Wire,
        arn: str,
        table: str,
        *,
        clock: Callable[[], float] = time.time,
        newest: Newest | None = None,
    ) -> None:
        self.arn = arn
        self.passed_over = 0
        self.dropped = 0
        self._calls = KinesisCalls(wire, arn)
        self._table = table
        self._clock = clock
        self._newest = Newest() if newest is None else newest
        self._lock = threading.Lock()
        self._seen = Seen()

    def __str__(self) -> str:
        """Name the stream, for messages."""
        return f"Kinesis stream {self.arn}"

    @cached_property
    def retention(self) -> timedelta:
        """How long records are kept; a day where that may not be asked."""
        hours = self._summary.get("RetentionPeriodHours")
        return timedelta(hours=hours) if hours else RETENTION

    def shards(self) -> list[Shard]:
        """List all shards that are still there, parents before children; see `ChangeService`."""
        begun = self._now()
        shards = self._calls.shards()
        self._seen.listed(shards, begun)
        return shards

    def children(self, shard: str) -> list[Shard]:
        """Return the shards that follow on a closed one, so far as they are known."""
        told = self._seen.children(shard)
        return told or [each for each in self.shards() if shard in each.parents]

    def iterator(self, shard: str, position: Position) -> str:
        """Return what asks for the records of a shard from a position on; see `ChangeService`."""
        self._see_that_it_is_there(shard, position)
        moment = position.order - _micros(WINDOW)
        try:
            seen = self._seen.of(shard)
            if not seen.read:
                self._recall_parents(shard, moment)
            if position.sequence is None:
                return self._begun(shard, position)
            if seen.sequence == position.sequence and seen.micros > self._now() - _micros(FRESH):
                after = {"StartingSequenceNumber": position.sequence}
                return self._calls.iterator(shard, "AFTER_SEQUENCE_NUMBER", after)
            return self._recall(shard, moment, position)
        except Gone as error:
            raise self._lost(shard, position) from error

    def records(self, shard: str, iterator: str, position: Position) -> Records:
        """Return the next records of a shard; see `ChangeService`.

        Those before the position are read to know of them, and not returned.
        """
        self._see_that_it_is_there(shard, position, slack=EDGE)
        asked = self._now()
        try:
            answer, size = self._calls.records(shard, iterator, self._where(shard))
        except Gone as error:
            raise self._lost(shard, position) from error
        changes, latest = self._changes(shard, answer.Records, position)
        sequence = position.sequence
        if answer.Records:
            sequence = max(answer.Records[-1].SequenceNumber, sequence or "0", key=int)
        if answer.NextShardIterator is None:
            self._newest.end(shard)
        tip = asked if answer.MillisBehindLatest == 0 else 0
        proven = self._seen.answered(shard, sequence, latest, tip) - _micros(CLOCKS)
        self._seen.ended(shard, answer.ChildShards or ())
        order = max(position.order, latest, proven, *(change.sequence or 0 for change in changes))
        behind = answer.MillisBehindLatest
        return Records(
            changes,
            Position(sequence=sequence, since=position.since, order=order),
            answer.NextShardIterator,
            behind=None if behind is None else behind / 1000,
            size=size,
        )

    def _changes(
        self, shard: str, records: Iterable[Record], position: Position
    ) -> tuple[list[Change], int]:
        """Return what new records tell, and when the last of all records was written."""
        where = self._where(shard)
        done = -1 if position.sequence is None else int(position.sequence)
        oldest = 0 if position.since is None else position.since - position.since % _SECOND
        latest, others, dropped = 0, 0, 0
        changes = []
        for record, told, order in self._known(shard, records):
            latest = max(latest, told.micros)
            if record.number <= done:
                continue
            if told.table != self._table:
                others += 1
            elif told.micros < oldest:
                continue
            elif order is None:
                dropped += 1
            else:
                changes.append(kinesis_records.changed(record, told, order, where))
        with self._lock:
            self.passed_over += others
            self.dropped += dropped
        return changes, latest

    def _known(
        self, shard: str, records: Iterable[Record]
    ) -> list[tuple[Record, Told, int | None]]:
        """Take note of records; return each with what it tells and what orders it, if it is to pass."""
        where = self._where(shard)
        tolds = [(record, kinesis_records.told(record, where)) for record in records]
        own = [each for each in tolds if each[1].table == self._table]
        writes = [kinesis_records.write(*each, where) for each in own]
        orders = iter(self._newest.orders(shard, writes))
        return [
            (record, told, next(orders) if told.table == self._table else None)
            for record, told in tolds
        ]

    def _begun(self, shard: str, position: Position) -> str:
        if position.since is None:
            return self._calls.iterator(shard, "TRIM_HORIZON")
        moment = max(position.since, position.order - _micros(WINDOW))
        return self._calls.iterator(shard, "AT_TIMESTAMP", _at(moment))

    def _recall(self, shard: str, moment: int, position: Position, *, again: bool = True) -> str:
        """Read a shard from a moment on to a position; return what asks for what is new after it.

        Never from the position's sequence number: in a shard where little is written that may be gone
        though nothing is lost.
        """
        iterator = self._calls.iterator(shard, "AT_TIMESTAMP", _at(moment))
        done = math.inf if position.sequence is None else int(position.sequence)
        while True:
            try:
                answer, _ = self._calls.records(shard, iterator, self._where(shard))
            except IteratorExpired:
                if not again:
                    raise
                return self._recall(shard, moment, position, again=False)
            following = answer.NextShardIterator
            if any(each.number > done for each in answer.Records):
                return iterator
            self._known(shard, answer.Records)
            if following is None or not (answer.Records or answer.MillisBehindLatest):
                return iterator
            iterator = following

    def _recall_parents(self, shard: str, moment: int) -> None:
        """Read the last minutes of a shard's parents, where an earlier run has read them."""
        if moment < self._oldest():
            return
        for parent in self._seen.parents(shard):
            if not self._seen.of(parent).read:
                self._recall_parents(parent, moment)
                with contextlib.suppress(Gone):
                    self._recall(parent, moment, Position())
                self._newest.end(parent)

    def _see_that_it_is_there(
        self, shard: str, position: Position, slack: timedelta = timedelta()
    ) -> None:
        wanted = 0 if position.since is None else position.since + _micros(CLOCKS)
        seen = self._seen.of(shard)
        tip = (
            seen.tip if seen.sequence == position.sequence else 0
        )  # else that answer was thrown away
        known = max(position.order, wanted, tip)
        if not known:
            return
        made = round(self._summary.get("StreamCreationTimestamp", 0.0) * _SECOND)
        if known < made - _micros(EDGE):
            raise StateError(
                f"{self} is another one than that which was read before: it was made anew meanwhile",
                START_OVER,
            )
        if known < self._oldest() - _micros(slack):
            raise self._lost(shard, position)

    def _lost(self, shard: str, position: Position) -> HistoryLost:
        known = max(position.order, position.since or 0)
        return history_lost(str(self), shard, known, self._oldest())

    def _oldest(self) -> int:
        return self._now() - _micros(self.retention)

    @cached_property
    def _summary(self) -> dict[str, Any]:
        try:
            return self._calls.summary()
        except AccessError as error:
            log.warning(
                "%s. Taking it that %s keeps its records for %d hours; allow "
                "kinesis:DescribeStreamSummary where it keeps them longer",
                error.message,
                self,
                RETENTION // timedelta(hours=1),
            )
            return {}

    def _where(self, shard: str) -> str:
        return f"shard {shard} of {self}"

    def _now(self) -> int:
        return round(self._clock() * _SECOND)


def _at(micros: int) -> dict[str, Any]:
    return {"Timestamp": max(micros, 0) // 1000 / 1000}


def _micros(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
