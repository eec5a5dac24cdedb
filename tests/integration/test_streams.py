"""DynamoDB Streams of real engines, as a service of changes: what is written comes out, in order."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.changes.service import IteratorExpired
from dynamodb_core.changes.shards import Position, Shard
from dynamodb_core.changes.streams import DynamoDBStreams
from dynamodb_core.errors import DataError, HistoryLost, ServiceError, StreamNotFound
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire

if TYPE_CHECKING:
    from demo.wire import Wire
    from dynamodb_core.change import Change
    from tests.engines.tables import Tables

PATIENCE = 120.0
"""Longest wait for a deletion by the time to live, in seconds; only a failing test waits so long."""

ANY = Position()


class Source:
    """A table with a stream on an engine, and the stream as a service of changes."""

    def __init__(self, tables: Tables, view: str = "NEW_AND_OLD_IMAGES", **more: Any) -> None:
        self.tables = tables
        stream = {"StreamEnabled": True, "StreamViewType": view}
        self.table = tables.create(label="streamed", StreamSpecification=stream)
        engine = tables.engine
        settings = AwsSettings(
            access_key_id=engine.access_key_id,
            secret_access_key=engine.secret_access_key,
            region=engine.region,
            endpoint_url=engine.endpoint_url,
        )
        self.wire = BotoWire(settings, service="dynamodbstreams")
        self.arn = self.call("DescribeTable")["Table"]["LatestStreamArn"]
        self.service = DynamoDBStreams(self.wire, self.arn, **more)

    def call(self, operation: str, **request: Any) -> Any:
        wire: Wire = self.tables.wire
        return wire.call(operation, {"TableName": self.table, **request})

    def put(self, key: str, number: int = 1) -> None:
        self.call("PutItem", Item={"id": {"S": key}, "n": {"N": str(number)}})

    def delete(self, key: str) -> None:
        self.call("DeleteItem", Key={"id": {"S": key}})

    def off(self) -> None:
        self.call("UpdateTable", StreamSpecification={"StreamEnabled": False})

    @property
    def shard(self) -> str:
        [shard] = self.service.shards()
        return shard.id

    def read(self, position: Position = ANY) -> tuple[list[Change], Position]:
        """Read the shard until an answer is empty, or to its end: then the position says `closed`."""
        found: list[Change] = []
        shard = self.shard
        iterator: str | None = self.service.iterator(shard, position)
        while iterator is not None:
            told = self.service.records(shard, iterator, position)
            found += told.changes
            iterator, position = told.iterator, told.position
            if not told.changes:
                break
        return found, position


@pytest.fixture(params=["ministack", "dynamodb_local"])
def engine_tables(request: pytest.FixtureRequest) -> Tables:
    name = "tables" if request.param == "ministack" else "reference_tables"
    tables: Tables = request.getfixturevalue(name)
    return tables


def told(changes: list[Change]) -> list[tuple[Any, Any, Any]]:
    """The key, the number that was written and the one before it, of each change."""

    def number(image: bytes | None) -> int | None:
        return None if image is None else int(orjson.loads(image)["n"]["N"])

    return [
        (orjson.loads(each.keys or b"")["id"]["S"], number(each.item), number(each.old))
        for each in changes
    ]


def test_what_is_written_and_deleted_comes_out_in_order(engine_tables: Tables) -> None:
    source = Source(engine_tables)
    begun = time.time()
    source.put("a")
    source.put("b")
    source.put("a", 2)
    source.put("a", 2)  # as it is: no record
    source.delete("b")
    changes, position = source.read()
    assert told(changes) == [("a", 1, None), ("b", 1, None), ("a", 2, 1), ("b", None, 1)]
    orders = [each.sequence or 0 for each in changes]
    assert orders == sorted(set(orders))
    assert position.order == orders[-1]
    assert all(abs((each.micros or 0) / 1e6 - begun) < 3600 for each in changes)
    assert not any(each.expired for each in changes)
    source.put("c", 3)
    source.delete("a")
    more, _ = source.read(position)
    assert told(more) == [("c", 3, None), ("a", None, 2)]
    assert [each.sequence for each in source.read()[0]] == [*orders, *(e.sequence for e in more)]


def test_images_hold_what_any_item_may(engine_tables: Tables) -> None:
    """Types, names and characters that a walk over an answer gets wrong."""
    source = Source(engine_tables)
    item = {
        "id": {"S": 'é"\\\n\u0000😀]}'},
        "NewImage": {"M": {"Keys": {"L": [{"NULL": True}, {"BOOL": False}]}, "S": {"S": ""}}},
        "B": {"B": "AAE="},
        "BS": {"BS": ["AAE=", "Ag=="]},
        "NS": {"NS": ["1", "2.5"]},
        "n": {"N": "12345678901234567890123456789012345678"},
        "L": {"L": []},
    }
    source.call("PutItem", Item=item)
    [change] = source.read()[0]
    found = orjson.loads(change.item or b"")
    found["NS"]["NS"].sort()
    found["BS"]["BS"].sort()
    assert found == item
    assert orjson.loads(change.keys or b"") == {"id": item["id"]}


def test_an_empty_answer_is_no_end_and_a_closed_shard_has_one(engine_tables: Tables) -> None:
    source = Source(engine_tables)
    source.put("a")
    shard = source.shard
    told_first = source.service.records(shard, source.service.iterator(shard, ANY), ANY)
    assert told_first.iterator is not None
    empty = source.service.records(shard, told_first.iterator, told_first.position)
    assert empty.changes == []
    assert empty.position == told_first.position
    assert empty.iterator is not None
    source.put("b")
    source.off()
    assert source.service.shards() == [Shard(shard, open=False)]
    assert source.service.children(shard) == []
    iterator: str | None = empty.iterator
    keys = []
    for _ in range(10):
        assert iterator is not None
        answer = source.service.records(shard, iterator, empty.position)
        keys += [key for key, _, _ in told(answer.changes)]
        iterator = answer.iterator
        if iterator is None:
            break
    assert iterator is None
    assert keys == ["b"]
    assert [key for key, _, _ in told(source.read()[0])] == ["a", "b"]


def test_a_read_from_a_moment_on_has_all_that_was_written_since(engine_tables: Tables) -> None:
    """Neither engine can begin at a moment; what is left out is seen at a moment that is yet to come."""
    source = Source(engine_tables)
    source.put("a")
    since = round((time.time() - 120) * 1e6)
    changes, position = source.read(Position(since=since))
    assert told(changes) == [("a", 1, None)]
    assert (position.since, position.order) == (since, changes[-1].sequence)
    later = Position(since=round((time.time() + 3600) * 1e6), order=5)
    nothing, position = source.read(later)
    assert nothing == []
    assert position.sequence is not None
    assert (position.since, position.order) == (later.since, 5)


def test_every_write_of_many_comes_out_once(engine_tables: Tables) -> None:
    """More than an answer holds."""
    source = Source(engine_tables)
    for first in range(0, 1100, 25):
        items = [{"id": {"S": f"k{n}"}, "n": {"N": str(n)}} for n in range(first, first + 25)]
        requests = {source.table: [{"PutRequest": {"Item": item}} for item in items]}
        source.tables.wire.call("BatchWriteItem", {"RequestItems": requests})
    changes, _ = source.read()
    assert sorted(number for _, number, _ in told(changes)) == list(range(1100))
    assert all((a.sequence or 0) < (b.sequence or 0) for a, b in itertools.pairwise(changes))


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_without_new_images_is_told_or_leaves_them_out(
    engine_tables: Tables, view: str
) -> None:
    source = Source(engine_tables, view)
    source.put("a")
    source.put("a", 2)
    source.delete("a")
    with pytest.raises(DataError, match=r"does not hold the item that was written.*NEW_IMAGE"):
        source.read()
    service = DynamoDBStreams(source.wire, source.arn, images=False)
    changes = service.records(source.shard, service.iterator(source.shard, ANY), ANY).changes
    assert [each.item for each in changes] == [b"", b"", None]
    olds = [None, 1, 2] if view == "OLD_IMAGE" else [None] * 3
    assert [each.old and int(orjson.loads(each.old)["n"]["N"]) for each in changes] == olds


def test_new_images_alone_are_enough(engine_tables: Tables) -> None:
    source = Source(engine_tables, "NEW_IMAGE")
    source.put("a")
    source.put("a", 2)
    source.delete("a")
    assert told(source.read()[0]) == [("a", 1, None), ("a", 2, None), ("a", None, None)]


def test_what_the_time_to_live_deletes_is_told_apart(reference_tables: Tables) -> None:
    source = Source(reference_tables)
    lives = {"Enabled": True, "AttributeName": "until"}
    source.call("UpdateTimeToLive", TimeToLiveSpecification=lives)
    source.put("by hand")
    source.delete("by hand")
    past = {"N": str(int(time.time()) - 3600)}
    source.call("PutItem", Item={"id": {"S": "a"}, "n": {"N": "1"}, "until": past})
    found: list[Change] = []
    position, end = ANY, time.monotonic() + PATIENCE
    while len(found) < 4 and time.monotonic() < end:
        changes, position = source.read(position)
        found += changes
    assert told(found)[2:] == [("a", 1, None), ("a", None, 1)]
    assert [each.expired for each in found] == [False, False, False, True]


# What the user reads


def test_a_stream_that_is_not_there(engine_tables: Tables) -> None:
    source = Source(engine_tables)
    other = source.arn.replace(source.table, "absent")
    with pytest.raises(StreamNotFound, match=rf"^Stream {other} does not exist"):
        DynamoDBStreams(source.wire, other).shards()
    with pytest.raises(StreamNotFound):
        DynamoDBStreams(source.wire, other).iterator("shardId-00000000000000000000-00000000", ANY)


def test_a_shard_that_is_not_there(engine_tables: Tables) -> None:
    source = Source(engine_tables)
    absent = "shardId-00000000000000000001-00000001"
    with pytest.raises(HistoryLost, match=rf"^Changes of shard {absent} of stream {source.arn} "):
        source.service.iterator(absent, ANY)
    assert source.service.children(absent) == []


def test_an_iterator_that_is_none(engine_tables: Tables) -> None:
    source = Source(engine_tables)
    with pytest.raises((ServiceError, IteratorExpired)) as caught:
        source.service.records(source.shard, "none-at-all", ANY)
    assert isinstance(caught.value, ServiceError)
    assert caught.value.code == "ValidationException"
    assert str(caught.value).startswith(f"GetRecords on stream {source.arn} failed with")
