"""DynamoDB Streams in memory, behind `Wire`, on a clock of its own: for what no engine does.

A `ScriptedStream` splits and rolls over its shards, forgets records after a day and shards after them,
lets iterators expire, answers empty before there is data, lists shards in pages that disagree, and is
throttled, each when the test says so. Time passes as the clock says that the test passes in; an action
can be put off until a moment of it.

::

    clock = Clock(1_700_000_000.0)
    stream = ScriptedStream(clock=clock, sleep=clock.sleep, latency=0.05)
    stream.put({"id": {"S": "a"}})
    first, second = stream.split(stream.open()[0])
    stream.later(clock.now + 60, lambda: stream.delete({"id": {"S": "a"}}))

Facts are those of AWS's documentation of the API (records live 24 hours, iterators 15 minutes, an answer
holds 1,000 records or 1 MB, a listing 100 shards, two processes read a shard), and the dialect is that of
its examples: times as `1.46480646E9`, sequence numbers of 21 digits and more, to be compared as numbers.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import hashlib
import heapq
import itertools
import math
import threading
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from botocore.exceptions import ClientError

from dynamodb_core.explain import explain
from dynamodb_core.settings import AwsSettings
from dynamodb_core.throttling import Throttle
from tests.engines.scripted import ScriptedWire
from tests.engines.shard_log import RETENTION, Log, Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engines.scripted import Answer

Item: TypeAlias = "dict[str, dict[str, Any]]"
Identity: TypeAlias = "tuple[Any, ...]"
Version: TypeAlias = "tuple[float, Item | None]"

EXPIRY = 15 * 60.0
MOST_RECORDS = 1000
MOST_BYTES = 2**20
MOST_SHARDS = 100
MOST_READERS = 2

FIRST_NUMBER = 10**21 - 20
"""Of a record. Soon they have a digit more, and are no longer in the order of their texts."""

STEP = 7
SPACE = 2**32
THROTTLES = ("LimitExceededException", "ThrottlingException")
TIME_TO_LIVE = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


class _RefusedError(Exception):
    """An error as the service names it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


@dataclass(frozen=True)
class Disagreement:
    """How a page of a listing differs from what is true.

    Attributes:
        hidden: Shards that are not on it.
        repeated: Shards that are on it, too, though they belong to another page.
        opened: Shards that are said to be open though they are closed.
    """

    hidden: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()


class ScriptedStream(ScriptedWire):
    """A table that is written to, and the stream of its changes.

    Args:
        table: The table's name.
        key: Names and types of its key.
        clock: Says what time it is, in seconds since 1970.
        sleep: Lets time pass, as every call does by `latency`.
        latency: Seconds that a call takes.
        lag: Seconds from a write until its record can be read.
        shards: How many there are at first; they share the partition keys.
        view: The stream's view type.
        granularity: To so many seconds records' times are rounded down.
        page: The most shards of a page of a listing.
        most: The most records of an answer.
        at_timestamp: Iterators from a moment on are `answered` as AWS documents it, `refused` with a
            ValidationException, or `failed` with an InternalFailure.
        child_shards: The filter of a listing is `answered`, `ignored`, or `refused`.
        ends: The last records of a closed shard come `with` its end, or before it: `after`.
        readers: How many other processes read each shard.
        before: Called before each call, in its thread; it may write, split, or raise.

    Attributes:
        items: The table's items, by identity.
        versions: All that each of them ever was, and from when on.
        early: Shards that were read before their parent was read to its end.
        crowded: How often more than two calls read one shard at once.
    """

    def __init__(
        self,
        table: str = "scripted",
        key: tuple[tuple[str, str], ...] = (("id", "S"),),
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object] = lambda _: None,
        latency: float = 0.0,
        lag: float = 0.0,
        shards: int = 1,
        view: str = "NEW_AND_OLD_IMAGES",
        granularity: float = 1.0,
        page: int = MOST_SHARDS,
        most: int = MOST_RECORDS,
        at_timestamp: str = "answered",
        child_shards: str = "answered",
        ends: str = "after",
        readers: int = 0,
        before: Callable[[str, dict[str, Any]], object] = lambda *_: None,
    ) -> None:
        super().__init__(self._answered)
        self.table, self.key, self.view = table, key, view
        self.latency, self.lag, self.granularity = latency, lag, granularity
        self.page, self.most, self.ends, self.readers = page, most, ends, readers
        self.at_timestamp, self.child_shards, self.before = at_timestamp, child_shards, before
        self.items: dict[Identity, Item] = {}
        self.versions: dict[Identity, list[Version]] = {}
        self.early: list[str] = []
        self.crowded = 0
        self.status = "ENABLED"
        self._clock, self._sleep = clock, sleep
        self._moment: float | None = None
        self._state = threading.RLock()
        self._logs: dict[str, Log] = {}
        self._numbers = itertools.count(FIRST_NUMBER, STEP)
        self._made = itertools.count()
        self._newest = 0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._next_trim = math.inf
        self._ended: set[str] = set()
        self._reading: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._failures: dict[str, list[str]] = {}
        self._disagreements: list[Disagreement] = []
        self._calling = threading.local()
        self.created = clock()
        self.label = datetime.fromtimestamp(self.created, timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%S.000"
        )
        self.arn = f"arn:aws:dynamodb:{self.region}:123456789012:table/{table}/stream/{self.label}"
        edges = [SPACE * n // shards for n in range(shards + 1)]
        for low, high in itertools.pairwise(edges):
            self._open(None, low, high)

    # What happens to the table

    def put(self, item: Item) -> None:
        """Write an item. One that is there already, as it is, makes no record."""
        with self._state:
            self.catch_up()
            self._write(self.identity(item), item)

    def delete(self, key: Item, *, expired: bool = False) -> None:
        """Delete an item; `expired` as its time to live has passed. One that is not there makes no record."""
        with self._state:
            self.catch_up()
            self._write(self.identity(key), None, expired=expired)

    def later(self, at: float, action: Callable[[], object]) -> None:
        """Do something when the clock has reached a moment: at the next call, as if it was that moment."""
        with self._state:
            heapq.heappush(self._due, (at, next(self._order), action))

    def catch_up(self) -> None:
        """Do what was put off until now, and forget what is too old."""
        with self._state:
            if self._moment is not None:
                return  # one of these actions is under way
            now = self._clock()
            while self._due and self._due[0][0] <= now:
                self._moment, _, action = heapq.heappop(self._due)
                try:
                    action()
                finally:
                    self._moment = None
            self._trim(now)

    def identity(self, item: Item) -> Identity:
        """Return what tells an item from the others; numbers are compared as numbers."""
        return tuple(
            (kind, Decimal(item[name][kind]) if kind == "N" else item[name][kind])
            for name, kind in self.key
        )

    # What happens to the stream

    def open(self) -> list[str]:
        """Return the shards that are open."""
        with self._state:
            return [log.id for log in self._logs.values() if log.closed is None]

    def listed(self) -> list[str]:
        """Return the shards that are there."""
        with self._state:
            self._trim(self._clock())
            return list(self._logs)

    def children(self, shard: str) -> list[str]:
        """Return the shards that follow on a shard."""
        with self._state:
            return [log.id for log in self._logs.values() if log.parent == shard]

    def shard_of(self, item: Item) -> str:
        """Return the shard that a write of an item goes to now."""
        with self._state:
            return self._log_of(item).id

    def split(self, shard: str) -> tuple[str, str]:
        """Close a shard; two new ones share its keys."""
        with self._state:
            log = self._close(shard)
            middle = (log.low + log.high) // 2
            return self._open(shard, log.low, middle), self._open(shard, middle, log.high)

    def roll_over(self, shard: str) -> str:
        """Close a shard, as the service does every few hours; a new one has its keys."""
        with self._state:
            log = self._close(shard)
            return self._open(shard, log.low, log.high)

    def disable(self) -> None:
        """Turn the stream off: all shards are closed and can still be read."""
        with self._state:
            for shard in self.open():
                self._close(shard)
            self.status = "DISABLED"

    def gap(self, answers: int, *shards: str) -> None:
        """Let so many empty answers come before the next record, or the end, of shards; of all open ones."""
        with self._state:
            for shard in shards or self.open():
                log = self._logs[shard]
                log.gaps[log.total] = answers

    def fail(self, operation: str, *codes: str) -> None:
        """Let the next calls of an operation fail with these codes, one after the other."""
        with self._state:
            self._failures.setdefault(operation, []).extend(codes)

    def disagree(self, *pages: Disagreement) -> None:
        """Let the next pages of listings differ from what is true, and no more than these."""
        with self._state:
            self._disagreements = list(pages)

    # The service

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        """Carry out one operation; see `Wire.call`."""
        self._calling.table = table
        return super().call(operation, body, table=table)

    def _answered(self, operation: str, request: dict[str, Any]) -> Answer:
        table = getattr(self._calling, "table", "")
        self.before(operation, request)
        shard = ""
        try:
            if operation == "GetRecords":
                shard = _opened(request["ShardIterator"])["shard"]
            with self._state:
                self._reading[shard] += 1
                crowded = shard and self._reading[shard] > MOST_READERS
                self.crowded += bool(crowded)
            try:
                self._sleep(self.latency)
                with self._state:
                    self.catch_up()
                    if crowded:
                        raise _RefusedError(THROTTLES[0], "Subscriber limit exceeded")
                    self._perhaps_fail(operation, shard)
                    return self.answer(operation, request)
            finally:
                with self._state:
                    self._reading[shard] -= 1
        except _RefusedError as refused:
            if refused.code in THROTTLES:
                self.throttle(table, Throttle())
            return refusal(operation, refused.code, refused.text, table or self.table)

    def answer(self, operation: str, request: dict[str, Any]) -> Answer:
        """Return the answer to a request; all that is due has happened."""
        operations = {
            "ListStreams": self._list_streams,
            "DescribeStream": self._describe_stream,
            "GetShardIterator": self._get_shard_iterator,
            "GetRecords": self._get_records,
        }
        if operation not in operations:
            raise _RefusedError("UnknownOperationException", operation)
        if "StreamArn" in request and (
            request["StreamArn"] != self.arn or (self.status == "DISABLED" and not self._logs)
        ):
            raise _RefusedError(
                "ResourceNotFoundException", f"Stream: {request['StreamArn']} not found"
            )
        return operations[operation](request)

    def _list_streams(self, request: dict[str, Any]) -> Answer:
        if request.get("TableName", self.table) != self.table:
            return {"Streams": []}
        names = {"StreamArn": self.arn, "TableName": self.table, "StreamLabel": self.label}
        return {"Streams": [names]}

    def _describe_stream(self, request: dict[str, Any]) -> Answer:
        asked: dict[str, str] = request.get("ShardFilter", {})
        if asked and self.child_shards == "refused":
            raise _RefusedError("ValidationException", "Unknown parameter: ShardFilter")
        logs = list(self._logs.values())
        if asked and self.child_shards == "answered":
            logs = [log for log in logs if log.parent == asked["ShardId"]]
        after = request.get("ExclusiveStartShardId", "")
        logs = [log for log in logs if log.id > after]
        page = logs[: min(request.get("Limit", MOST_SHARDS), self.page)]
        last = {"LastEvaluatedShardId": page[-1].id} if len(page) < len(logs) else {}
        differs = self._disagreements.pop(0) if self._disagreements else Disagreement()
        held = {log.id: log.listed() for log in page if log.id not in differs.hidden}
        held |= {shard: self._logs[shard].listed() for shard in sorted(differs.repeated)}
        for shard in differs.opened & held.keys():
            held[shard]["SequenceNumberRange"].pop("EndingSequenceNumber", None)
        roles = ("HASH", "RANGE")
        return {
            "StreamDescription": {
                "StreamArn": self.arn,
                "StreamLabel": self.label,
                "StreamStatus": self.status,
                "StreamViewType": self.view,
                "CreationRequestDateTime": moment(self.created),
                "TableName": self.table,
                "KeySchema": [
                    {"AttributeName": name, "KeyType": role}
                    for (name, _), role in zip(self.key, roles, strict=False)
                ],
                "Shards": list(held.values()),
                **last,
            }
        }

    def _get_shard_iterator(self, request: dict[str, Any]) -> Answer:
        log = self._logs.get(request["ShardId"])
        if log is None:
            text = "Requested resource not found: Shard does not exist"
            raise _RefusedError("ResourceNotFoundException", text)
        kind = request["ShardIteratorType"]
        if kind == "TRIM_HORIZON":
            place = log.first
        elif kind == "LATEST":
            place = log.total
        elif kind == "AT_TIMESTAMP":
            place = self._place_at(log, request)
        elif kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            place = self._place_of(log, request.get("SequenceNumber", ""), kind)
        else:
            raise _RefusedError("ValidationException", f"ShardIteratorType {kind}")
        return {"ShardIterator": self._iterator(log.id, place)}

    def _place_at(self, log: Log, request: dict[str, Any]) -> int:
        if self.at_timestamp == "refused":
            raise _RefusedError("ValidationException", "ShardIteratorType AT_TIMESTAMP")
        if self.at_timestamp == "failed":
            raise _RefusedError("InternalFailure", "The request processing has failed")
        at = request.get("Timestamp")
        if not isinstance(at, int | float) or at > self._clock():
            raise _RefusedError(
                "ValidationException", f"Timestamp {at} is in the future, or no time"
            )
        return log.first + bisect.bisect_left(
            log.records, at, key=lambda each: self._rounded(each.at)
        )

    def _place_of(self, log: Log, number: str, kind: str) -> int:
        if not (number.isdecimal() and 21 <= len(number) <= 40):
            raise _RefusedError("ValidationException", f"SequenceNumber {number!r} is none")
        if log.gone and int(number) <= log.gone:
            raise _RefusedError(
                "TrimmedDataAccessException",
                "The operation attempted to read past the oldest stream record in a shard",
            )
        if int(number) < log.start or (log.closed is not None and int(number) > log.end):
            raise _RefusedError(
                "ValidationException", f"SequenceNumber {number} is not of {log.id}"
            )
        return log.place_after(int(number), at=kind.startswith("AT"))

    def _get_records(self, request: dict[str, Any]) -> Answer:
        limit = request.get("Limit", MOST_RECORDS)
        if limit > MOST_RECORDS:
            raise _RefusedError(THROTTLES[0], f"Limit {limit}")
        if limit < 1:
            raise _RefusedError("ValidationException", f"Limit {limit}")
        asked = _opened(request["ShardIterator"])
        shard, place, passed = asked["shard"], asked["place"], asked["passed"]
        if self._clock() - asked["issued"] > EXPIRY:
            raise _RefusedError("ExpiredIteratorException", "Iterator expired")
        log = self._logs.get(shard)
        if log is None or place < log.first:
            raise _RefusedError(
                "TrimmedDataAccessException",
                "The operation attempted to read past the oldest stream record in a shard",
            )
        if log.parent in self._logs and log.parent not in self._ended:
            self.early.append(shard)
        if log.gaps.get(place, 0) > passed:
            return self._records(log, [], place, passed + 1)
        page: list[Written] = []
        size = 0
        for number, record in enumerate(log.records[place - log.first :], place):
            size += len(record.body)
            if (
                record.at > self._clock() - self.lag
                or len(page) == min(limit, self.most)
                or (page and (size > MOST_BYTES or log.gaps.get(number)))
            ):
                break
            page.append(record)
        after = place + len(page)
        if log.closed is not None and after == log.total and (not page or self.ends == "with"):
            self._ended.add(shard)
            return self._records(log, page, None)
        return self._records(log, page, after, 0 if page else passed)

    def _records(self, log: Log, page: list[Written], place: int | None, passed: int = 0) -> Answer:
        after = (
            {} if place is None else {"NextShardIterator": self._iterator(log.id, place, passed)}
        )
        return {"Records": [orjson.Fragment(record.body) for record in page], **after}

    def _iterator(self, shard: str, place: int, passed: int = 0) -> str:
        members = {"shard": shard, "place": place, "passed": passed, "issued": self._clock()}
        return f"{self.arn}|1|{base64.b64encode(orjson.dumps(members)).decode()}"

    def _perhaps_fail(self, operation: str, shard: str) -> None:
        if self._failures.get(operation):
            raise _RefusedError(self._failures[operation].pop(0), "as the test says")
        if shard and self.readers >= MOST_READERS:
            self._asked[shard] += 1
            if self._asked[shard] % (self.readers + 1) >= MOST_READERS:
                raise _RefusedError(THROTTLES[0], "Subscriber limit exceeded")

    # Its state

    def _now(self) -> float:
        return self._clock() if self._moment is None else self._moment

    def _rounded(self, at: float) -> float:
        return math.floor(at / self.granularity) * self.granularity

    def _log_of(self, item: Item) -> Log:
        name = self.key[0][0]
        place = int.from_bytes(hashlib.md5(orjson.dumps(item[name])).digest()[:4], "big")
        for log in self._logs.values():
            if log.closed is None and log.low <= place < log.high:
                return log
        raise AssertionError("no shard is open")

    def _write(self, identity: Identity, item: Item | None, *, expired: bool = False) -> None:
        old = self.items.get(identity)
        if old == item:
            return
        at = self._now()
        self.versions.setdefault(identity, [(-math.inf, None)]).append((at, item))
        whole = old if item is None else item
        assert whole is not None
        if item is None:
            del self.items[identity]
        else:
            self.items[identity] = item
        if self.status == "DISABLED":
            return
        log = self._log_of(whole)
        number = next(self._numbers)
        images = {"NewImage": item, "OldImage": old}
        seen = {
            "NEW_AND_OLD_IMAGES": ("NewImage", "OldImage"),
            "NEW_IMAGE": ("NewImage",),
            "OLD_IMAGE": ("OldImage",),
        }.get(self.view, ())
        record = {
            "awsRegion": self.region,
            "dynamodb": {
                "ApproximateCreationDateTime": moment(self._rounded(at)),
                "Keys": {name: whole[name] for name, _ in self.key},
                **{name: images[name] for name in seen if images[name] is not None},
                "SequenceNumber": str(number),
                "SizeBytes": sum(len(orjson.dumps(each)) for each in images.values()),
                "StreamViewType": self.view,
            },
            "eventID": f"{zlib.crc32(str(number).encode()):032x}",
            "eventName": "INSERT" if old is None else "REMOVE" if item is None else "MODIFY",
            "eventSource": "aws:dynamodb",
            "eventVersion": "1.1",
            **({"userIdentity": TIME_TO_LIVE} if expired else {}),
        }
        log.records.append(Written(number, at, orjson.dumps(record)))
        self._next_trim = min(self._next_trim, at + RETENTION)

    def _open(self, parent: str | None, low: int, high: int) -> str:
        self._newest = max(self._newest, int(self._now() * 1000))
        shard = f"shardId-{self._newest:020d}-{next(self._made):08x}"
        self._logs[shard] = Log(shard, parent, low, high, next(self._numbers))
        return shard

    def _close(self, shard: str) -> Log:
        self.catch_up()
        log = self._logs[shard]
        assert log.closed is None, f"{shard} is closed already"
        log.closed = self._now()
        log.end = log.records[-1].number if log.records else max(log.start, log.gone)
        self._next_trim = min(self._next_trim, log.closed + RETENTION)
        return log

    def _trim(self, now: float) -> None:
        """Forget records of more than a day, and shards that have none left and closed before that."""
        if now < self._next_trim:
            return
        left = [math.inf]
        for log in list(self._logs.values()):
            until = log.forget(now)
            if until <= now:
                del self._logs[log.id]
            else:
                left.append(until)
        self._next_trim = min(left)


def refusal(operation: str, code: str, text: str, table: str) -> Exception:
    """Return the error that a real wire would raise."""
    answer: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {}}
    error = ClientError(answer, operation)
    return explain(error, operation, table, AwsSettings(), "dynamodbstreams")


def moment(seconds: float) -> orjson.Fragment:
    """Return a time as AWS writes it: `1.46480646E9`."""
    digits, _, power = f"{seconds:.15e}".partition("e")
    whole, _, rest = digits.partition(".")
    return orjson.Fragment(f"{whole}.{rest.rstrip('0') or '0'}E{int(power)}")


def _opened(iterator: str) -> dict[str, Any]:
    try:
        members: dict[str, Any] = orjson.loads(base64.b64decode(iterator.rpartition("|")[2]))
    except (binascii.Error, orjson.JSONDecodeError):
        raise _RefusedError("ValidationException", "Invalid ShardIterator") from None
    return members
