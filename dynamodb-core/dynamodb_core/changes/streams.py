"""DynamoDB Streams as a `ChangeService`.

A shard's place is the sequence number of its last record, else a moment, else its beginning. Not every
engine can begin at a moment: there it is begun at the beginning, and `records` leaves out what is older.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core.changes import records
from dynamodb_core.changes.listing import GONE, doubts, merged, parents_first
from dynamodb_core.changes.lost import START_OVER, history_lost
from dynamodb_core.changes.service import IteratorExpired
from dynamodb_core.changes.shards import Shard
from dynamodb_core.errors import CorruptReply, ServiceError, StateError, StreamNotFound
from dynamodb_core.explain import TWO_READERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.changes.service import Records
    from dynamodb_core.changes.shards import Position
    from dynamodb_core.errors import HistoryLost
    from dynamodb_core.wire import Wire

RETENTION = timedelta(hours=24)
MOST_LISTINGS = 4
"""Until two in a row leave the same in doubt."""

NAMED_THROTTLES = 10
"""Throttled tries after which it is said why."""

_NO_MOMENTS = frozenset({"ValidationException", "InternalFailure", "InternalServerError"})
"""How a service refuses to begin at a moment: as an unknown kind, or as one that is yet to come."""

log = logging.getLogger("ferry-dynamodb")


class _Range(msgspec.Struct, gc=False, frozen=True):
    EndingSequenceNumber: str | None = None


class _Shard(msgspec.Struct, gc=False):
    ShardId: str
    ParentShardId: str | None = None
    SequenceNumberRange: _Range = _Range()


class _Stream(msgspec.Struct, gc=False):
    Shards: list[_Shard]
    StreamStatus: str = ""
    LastEvaluatedShardId: str | None = None


class _Description(msgspec.Struct, gc=False):
    StreamDescription: _Stream


class _Iterator(msgspec.Struct, gc=False):
    ShardIterator: str


class DynamoDBStreams:
    """A stream of a table. Threads may share it.

    Attributes:
        arn: The stream's ARN.
        retention: How long records are kept.

    Args:
        wire: Carries the calls to DynamoDB Streams.
        arn: The stream's ARN.
        images: Whether each item that was written must be told; see `records.read`.
        clock: Tells the seconds since 1970.
    """

    def __init__(
        self, wire: Wire, arn: str, *, images: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self.arn = arn
        self.retention = RETENTION
        self._wire = wire
        self._images = images
        self._clock = clock
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._settled: set[tuple[str, str]] = set()
        self._by_moment = ":ddblocal:" not in arn  # DynamoDB Local fails, after many tries
        self._filters = True
        self._throttles = 0
        wire.watch(arn, self._throttled)

    def __str__(self) -> str:
        """Name the stream, for messages."""
        return f"stream {self.arn}"

    def shards(self) -> list[Shard]:
        """List all shards that are still there, parents before children; see `ChangeService`.

        While two listings in a row leave different things in doubt, it is listed again.
        """
        before, settled = self._known, self._settled
        told: list[Shard] = []
        doubted: set[tuple[str, str]] = set()
        for _ in range(MOST_LISTINGS):
            shards, status = self._listed()
            found, told = merged(shards), told + shards
            doubtful = doubts(found, before, growing=status == "ENABLED") - settled
            if doubtful <= doubted:
                settled = settled | {doubt for doubt in doubtful if doubt[1] == GONE}
                break
            doubted = doubtful
            before = before | found.keys()
        else:
            found = merged(told)  # rather a shard that is gone than none that is there
        with self._lock:
            self._known, self._settled = set(found), settled
        return parents_first(found.values())

    def children(self, shard: str) -> list[Shard]:
        """Return the shards that follow on a closed one, so far as they are known."""
        found: list[Shard] | None = None
        if self._filters:
            try:
                found = self._listed(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": shard})[0]
            except StreamNotFound:  # or the shard alone is gone
                pass
            except ServiceError as error:
                if error.code != "ValidationException":
                    raise
                self._filters = False
        if found is None:
            found = self.shards()
        return [each for each in merged(found).values() if shard in each.parents]

    def iterator(self, shard: str, position: Position) -> str:
        """Return what asks for the records of a shard from a position on; see `ChangeService`."""
        request: dict[str, Any] = {"StreamArn": self.arn, "ShardId": shard}
        sequence, since = position.sequence, position.since
        if sequence is not None:
            request |= {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": sequence,
            }
        elif since is not None and self._by_moment:
            request |= {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": since // 1000 / 1000}
        else:
            request["ShardIteratorType"] = "TRIM_HORIZON"
        try:
            body = self._of_a_shard("GetShardIterator", request, shard, position)
        except ServiceError as error:
            if "Timestamp" in request and error.code in _NO_MOMENTS:
                self._begin_at_beginnings(error)
                return self.iterator(shard, position)
            if "SequenceNumber" in request and error.code == "ValidationException":
                raise StateError(
                    f"The state's place in shard {shard} of {self} is refused: {error.message}",
                    START_OVER,
                ) from error
            raise
        told: _Iterator = self._parsed(body, _Iterator, "GetShardIterator")
        return told.ShardIterator

    def records(self, shard: str, iterator: str, position: Position) -> Records:
        """Return the next records of a shard; see `ChangeService`."""
        body = self._of_a_shard("GetRecords", {"ShardIterator": iterator}, shard, position)
        where = f"shard {shard} of {self}"
        return records.read(body, position, where=where, images=self._images)

    def _listed(self, **more: Any) -> tuple[list[Shard], str]:
        """Return the shards of all pages as they come, and the stream's status."""
        shards: list[Shard] = []
        begun: set[str] = set()
        request = {"StreamArn": self.arn, **more}
        while True:
            body = self._wire.call("DescribeStream", orjson.dumps(request), table=self.arn)
            told = self._parsed(body, _Description, "DescribeStream").StreamDescription
            shards += map(_shard, told.Shards)
            last = told.LastEvaluatedShardId
            if not last:
                return shards, told.StreamStatus
            if last in begun:
                raise self._corrupt("DescribeStream", f"a second page is to begin after {last}")
            begun.add(last)
            request["ExclusiveStartShardId"] = last

    def _of_a_shard(
        self, operation: str, request: dict[str, Any], shard: str, position: Position
    ) -> bytes:
        try:
            return self._wire.call(operation, orjson.dumps(request), table=self.arn)
        except StreamNotFound as error:
            self._listed()  # which fails where it is the stream
            raise self._lost(shard, position) from error
        except ServiceError as error:
            if error.code == "ExpiredIteratorException":
                raise IteratorExpired(shard) from error
            if error.code == "TrimmedDataAccessException":
                raise self._lost(shard, position) from error
            raise

    def _lost(self, shard: str, position: Position) -> HistoryLost:
        kept = round((self._clock() - self.retention.total_seconds()) * records.SECOND)
        return history_lost(str(self), shard, max(position.order, position.since or 0), kept)

    def _begin_at_beginnings(self, error: ServiceError) -> None:
        with self._lock:
            told, self._by_moment = not self._by_moment, False
        if not told:
            log.info(
                "%s cannot be read from a moment on (%s): its shards are read from their beginning, "
                "and what is older is left out",
                self,
                error.code,
            )

    def _throttled(self, _throttle: object) -> None:
        with self._lock:
            self._throttles += 1
            enough = self._throttles == NAMED_THROTTLES
        if enough:
            log.warning("Reading %s is throttled, and goes on slower. %s.", self, TWO_READERS)

    def _parsed(self, body: bytes, kind: type[Any], operation: str) -> Any:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise self._corrupt(operation, str(error)) from error

    def _corrupt(self, operation: str, why: str) -> CorruptReply:
        return CorruptReply(
            f"An answer about {self} is none of {operation}: {why}",
            "Run again with the last state to go on",
            code="CorruptReply",
        )


def _shard(told: _Shard) -> Shard:
    return Shard(
        told.ShardId,
        (told.ParentShardId,) if told.ParentShardId else (),
        open=told.SequenceNumberRange.EndingSequenceNumber is None,
    )
