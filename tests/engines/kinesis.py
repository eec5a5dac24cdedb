"""Kinesis in memory, behind `Wire`: shards that split and merge, records that are trimmed, a clock.

It begins silently at what is left where a place has been trimmed, as Kinesis does.
"""

from __future__ import annotations

import itertools
import threading
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import orjson

from dynamodb_core.errors import ServiceError, StreamNotFound
from tests.engines.scripted import ScriptedWire

ARN = "arn:aws:kinesis:eu-west-1:111122223333:stream/changes"
TABLE = "orders"
ITERATOR_SECONDS = 300


@dataclass
class Stored:
    number: int
    arrival: float
    data: bytes


@dataclass
class StoredShard:
    parents: tuple[str, ...]
    opened: float
    closed: float | None = None
    children: list[str] = field(default_factory=list)
    records: list[Stored] = field(default_factory=list)


class ScriptedKinesis:
    """A stream. `wire` is what reads it; `clock` is its time, which only a test moves.

    Args:
        shards: How many there are at first.
        now: The time at first, in seconds since 1970.
        retention: For how many hours records are kept.
        most: Most records of an answer.
        page: Most shards of an answer of ListShards.
    """

    def __init__(
        self,
        shards: int = 1,
        *,
        now: float = 1_800_000_000.0,
        retention: int = 24,
        most: int = 10_000,
        page: int = 1000,
    ) -> None:
        self.now = now
        self.created = now
        self.retention = retention
        self.most = most
        self.page = page
        self.refused: dict[str, BaseException] = {}
        self.gaps = 0
        self.wire = ScriptedWire(self._answer)
        self._shards: dict[str, StoredShard] = {}
        self._numbers = itertools.count(10**20)
        self._iterators: dict[str, tuple[str, int, float]] = {}
        self._lock = threading.RLock()
        self.ids = [self._open(()) for _ in range(shards)]

    def clock(self) -> float:
        return self.now

    def put(self, shard: str, data: bytes | dict[str, Any]) -> str:
        """Put a record; return its sequence number."""
        with self._lock:
            number = next(self._numbers)
            body = data if isinstance(data, bytes) else orjson.dumps(data)
            self._shards[shard].records.append(Stored(number, self.now, body))
            return str(number)

    def split(self, shard: str) -> list[str]:
        return self._reshard((shard,), 2)

    def merge(self, one: str, other: str) -> str:
        return self._reshard((one, other), 1)[0]

    def _reshard(self, parents: tuple[str, ...], count: int) -> list[str]:
        with self._lock:
            children = [self._open(parents) for _ in range(count)]
            for parent in parents:
                self._shards[parent].closed = self.now
                self._shards[parent].children = children
            return children

    def _open(self, parents: tuple[str, ...]) -> str:
        name = f"shardId-{len(self._shards):012d}"
        self._shards[name] = StoredShard(parents, self.now)
        return name

    def _horizon(self) -> float:
        return self.now - self.retention * 3600

    def _there(self) -> dict[str, StoredShard]:
        horizon = self._horizon()
        return {
            name: shard
            for name, shard in self._shards.items()
            if shard.closed is None or shard.closed >= horizon
        }

    def _answer(self, operation: str, request: dict[str, Any]) -> Any:
        with self._lock:
            if operation in self.refused:
                return self.refused[operation]
            return getattr(self, f"_{operation}")(request)

    def _DescribeStreamSummary(self, request: dict[str, Any]) -> Any:  # noqa: N802
        assert request == {"StreamARN": ARN}
        return {
            "StreamDescriptionSummary": {
                "StreamARN": ARN,
                "RetentionPeriodHours": self.retention,
                "StreamCreationTimestamp": self.created,
            }
        }

    def _ListShards(self, request: dict[str, Any]) -> Any:  # noqa: N802
        assert set(request) - {"MaxResults"} in ({"StreamARN"}, {"NextToken"})
        first = int(request.get("NextToken", 0))
        there = list(self._there().items())
        page = there[first : first + request.get("MaxResults", self.page)]
        answer: dict[str, Any] = {"Shards": [self._listed(name, shard) for name, shard in page]}
        if first + len(page) < len(there):
            answer["NextToken"] = str(first + len(page))
        return answer

    def _listed(self, name: str, shard: StoredShard) -> dict[str, Any]:
        spans = {"StartingSequenceNumber": "1"}
        if shard.closed is not None:
            spans["EndingSequenceNumber"] = "9"
        names = ("ParentShardId", "AdjacentParentShardId")
        return {
            "ShardId": name,
            "SequenceNumberRange": spans,
            **dict(zip(names, shard.parents, strict=False)),
        }

    def _GetShardIterator(self, request: dict[str, Any]) -> Any:  # noqa: N802
        assert request["StreamARN"] == ARN
        name = request["ShardId"]
        if name not in self._there():
            return StreamNotFound(f"Could not find shard {name}")
        kind = request["ShardIteratorType"]
        if kind == "AFTER_SEQUENCE_NUMBER":
            first = int(request["StartingSequenceNumber"]) + 1
        elif kind == "AT_TIMESTAMP":
            moment = request["Timestamp"]
            first = next(
                (each.number for each in self._shards[name].records if each.arrival >= moment),
                self._next(name),
            )
        else:
            assert kind == "TRIM_HORIZON"
            first = 0
        return {"ShardIterator": self._iterator(name, first)}

    def _next(self, name: str) -> int:
        records = self._shards[name].records
        return records[-1].number + 1 if records else 0

    def _iterator(self, name: str, first: int) -> str:
        iterator = f"iterator {len(self._iterators)}"
        self._iterators[iterator] = (name, first, self.now)
        return iterator

    def _GetRecords(self, request: dict[str, Any]) -> Any:  # noqa: N802
        assert request["StreamARN"] == ARN
        name, first, made = self._iterators[request["ShardIterator"]]
        if self.now - made > ITERATOR_SECONDS:
            return ServiceError("too old", code="ExpiredIteratorException")
        if name not in self._there():
            return StreamNotFound(f"Could not find shard {name}")
        shard = self._shards[name]
        left = [
            each
            for each in shard.records
            if each.number >= first and each.arrival >= self._horizon()
        ]
        if self.gaps:
            self.gaps -= 1
            return self._told(name, [], first, behind=1000)
        given = left[: self.most]
        behind = (
            int((self.now - left[self.most - 1].arrival) * 1000) + 1 if left[self.most :] else 0
        )
        if not given and shard.closed is not None:
            children = [
                {"ShardId": each, "ParentShards": list(self._shards[each].parents)}
                for each in shard.children
            ]
            return {"Records": [], "MillisBehindLatest": 0, "ChildShards": children}
        return self._told(name, given, given[-1].number + 1 if given else first, behind=behind)

    def _told(self, name: str, records: list[Stored], first: int, *, behind: int) -> dict[str, Any]:
        return {
            "Records": [
                {
                    "SequenceNumber": str(each.number),
                    "ApproximateArrivalTimestamp": each.arrival,
                    "Data": b64encode(each.data).decode(),
                    "PartitionKey": "p",
                }
                for each in records
            ],
            "NextShardIterator": self._iterator(name, first),
            "MillisBehindLatest": behind,
        }


def written(
    key: str,
    seconds: float,
    new: dict[str, Any] | None = None,
    *,
    old: dict[str, Any] | None = None,
    table: str = TABLE,
    event: str = "",
    micros: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """Return the data of a record as DynamoDB writes it; without `new` and `old` of a new item."""
    keys = {"id": {"S": key}}
    if new is None and old is None:
        new = {}
    unit = 1_000_000 if micros else 1000
    told: dict[str, Any] = {
        "ApproximateCreationDateTime": round(seconds * unit),
        "Keys": keys,
        "SizeBytes": 10,
    }
    if micros:
        told["ApproximateCreationDateTimePrecision"] = "MICROSECOND"
    if new is not None:
        told["NewImage"] = {**keys, **new}
    if old is not None:
        told["OldImage"] = {**keys, **old}
    name = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
    return {
        "awsRegion": "eu-west-1",
        "eventID": event,
        "eventName": name,
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": table,
        "dynamodb": told,
        "eventSource": "aws:dynamodb",
        **more,
    }
