"""Changes of a table out of Kinesis: ministack delivers them there as DynamoDB does.

Its records have other spellings than DynamoDB's (seconds, no name of the table), and a shard that is split
or merged is gone at once, with what it held. So records as they are documented are put by hand, and the end
of shards is tried on a stream in memory.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import boto3
import orjson
import pytest

from dynamodb_core import tables as core_tables
from dynamodb_core.changes.destinations import (
    KinesisDestination,
    kinesis_streams,
    require_destination,
)
from dynamodb_core.changes.follower import Follower
from dynamodb_core.changes.kinesis import KinesisStream
from dynamodb_core.changes.kinesis_calls import KinesisCalls
from dynamodb_core.changes.positions import Positions
from dynamodb_core.changes.service import IteratorExpired
from dynamodb_core.changes.shards import Position, Shard
from dynamodb_core.errors import ConfigError, HistoryLost, ServiceError, StateError, StreamNotFound
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tests.engines import brisk, pipeline
from tests.engines.kinesis import written
from tests.engines.tap import Command, Output, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from demo.engine import Engine
    from dynamodb_core.change import Change
    from tests.engines.tables import Tables

MOST_KEY = 2**128
SECOND = 1_000_000


class Kinesis:
    """Streams of a test's own, and what reads them."""

    def __init__(self, engine: Engine) -> None:
        self.settings = AwsSettings.from_config(engine.config())
        self.wire = BotoWire(self.settings, service="kinesis")
        self.client: Any = boto3.client(
            "kinesis",
            endpoint_url=engine.endpoint_url,
            aws_access_key_id=engine.access_key_id,
            aws_secret_access_key=engine.secret_access_key,
            region_name=engine.region,
        )
        self._made: list[str] = []

    def make(self, name: str, shards: int = 1) -> str:
        self.client.create_stream(StreamName=name, ShardCount=shards)
        self._made.append(name)
        summary = self.client.describe_stream_summary(StreamName=name)
        arn: str = summary["StreamDescriptionSummary"]["StreamARN"]
        return arn

    def put(self, arn: str, datas: Iterable[dict[str, Any]], *, hashed: int = 0) -> None:
        for data in datas:
            self.client.put_record(
                StreamARN=arn,
                Data=orjson.dumps(data),
                PartitionKey="p",
                ExplicitHashKey=str(hashed),
            )

    def drop(self) -> None:
        for name in self._made:
            self.client.delete_stream(StreamName=name)


@pytest.fixture
def kinesis(engine: Engine) -> Iterator[Kinesis]:
    made = Kinesis(engine)
    yield made
    made.drop()


def as_they_are(changes: Sequence[Change]) -> list[Change]:
    return list(changes)


def followed(service: KinesisStream, positions: Positions) -> list[Change]:
    follower = Follower(service, positions, as_they_are, workers=3)
    return [change for block in follower.blocks(time.time()) for change in block.payload]


def oldest(service: KinesisStream) -> Positions:
    return Positions.noted(service.arn, service.shards(), now=time.time())


def applied(changes: Iterable[Change], key: str = "id") -> dict[str, Any]:
    """Return the items that changes leave, by key."""
    state: dict[str, Any] = {}
    for change in changes:
        name = orjson.loads(change.keys or b"")[key]["S"]
        state[name] = change.item and orjson.loads(change.item)
    return {name: item for name, item in state.items() if item}


def test_a_table_is_followed(tables: Tables, kinesis: Kinesis) -> None:
    table = tables.create([{"id": {"S": "before"}}])
    arn = kinesis.make(table)
    destination = {"TableName": table, "StreamArn": arn}
    tables.wire.call("EnableKinesisStreamingDestination", destination)
    wire = BotoWire(kinesis.settings)
    described = core_tables.describe(wire, table)
    require_destination(wire, described, arn)
    service = KinesisStream(kinesis.wire, arn, table)
    positions = Positions.noted(arn, service.shards(), now=time.time(), since=time.time())

    def put(name: str, value: str) -> None:
        item = {"id": {"S": name}, "n": {"N": value}, "b": {"B": "AAE="}}
        tables.wire.call("PutItem", {"TableName": table, "Item": item})

    put("a", "1")
    put("b", "1")
    put("a", "2")
    tables.wire.call("DeleteItem", {"TableName": table, "Key": {"id": {"S": "b"}}})
    tables.wire.call("DeleteItem", {"TableName": table, "Key": {"id": {"S": "before"}}})
    changes = followed(service, positions)
    assert [change.item is None for change in changes] == [False, False, False, True, True]
    assert applied(changes) == {
        "a": {"id": {"S": "a"}, "n": {"N": "2"}, "b": {"B": "AAE="}},
    }
    assert (service.passed_over, service.dropped) == (0, 0)

    dumped = orjson.dumps(positions.dump())
    put("c", "12345678901234567890123456789012345678")
    again = KinesisStream(kinesis.wire, arn, table)
    more = followed(again, Positions.load(orjson.loads(dumped)))
    assert [orjson.loads(change.item or b"")["n"]["N"] for change in more] == [
        "12345678901234567890123456789012345678"
    ]
    assert kinesis_streams(wire, described) == [KinesisDestination(arn, "ACTIVE")]


def test_the_tap_follows_a_table(
    engine: Engine, tables: Tables, kinesis: Kinesis, tmp_path: Path
) -> None:
    table = tables.create([{"id": {"S": f"i{n}"}} for n in range(20)])
    arn = kinesis.make(table)
    destination = {"TableName": table, "StreamArn": arn}
    tables.wire.call("EnableKinesisStreamingDestination", destination)
    kinesis.put(arn, [written("i1", time.time(), table="another")])
    config = {
        "tables": [table],
        "replication_method": "LOG_BASED",
        "changes": {"stream": arn, "old_image": True},
    }
    command = Command(tmp_path, engine.config())

    def run(state: dict[str, Any] | None = None) -> Output:
        line = brisk.command(command.arguments(config, state=state), brisk.SHORT)
        done = pipeline.run(line)
        assert done.code == 0, done.err
        return Output(parse(done.out.encode()), done.err)

    first = run()
    assert {each["id"] for each in first.records()} == {f"i{n}" for n in range(20)}
    tables.wire.call("DeleteItem", {"TableName": table, "Key": {"id": {"S": "i3"}}})
    for value in ("1", "2"):
        item = {"id": {"S": "i4"}, "n": {"N": value}}
        tables.wire.call("PutItem", {"TableName": table, "Item": item})
    second = run(first.state)
    gone, one, two = second.records()
    assert (gone["id"], gone["_sdc_deleted_at"] is None) == ("i3", False)
    assert [(each["id"], each["n"]) for each in (one, two)] == [("i4", 1), ("i4", 2)]
    assert gone["_sdc_sequence"] <= one["_sdc_sequence"] < two["_sdc_sequence"]
    assert run(second.state).records() == []


def test_what_is_said_of_a_stream_that_the_table_does_not_go_to(
    tables: Tables, kinesis: Kinesis, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables.create()
    arn = kinesis.make(table)
    wire = BotoWire(kinesis.settings)
    described = core_tables.describe(wire, table)
    with pytest.raises(ConfigError, match="enable-kinesis-streaming-destination"):
        require_destination(wire, described, arn)
    destination = {"TableName": table, "StreamArn": arn}
    tables.wire.call("EnableKinesisStreamingDestination", destination)
    tables.wire.call("DisableKinesisStreamingDestination", destination)
    with caplog.at_level(logging.WARNING):
        require_destination(wire, described, arn)
    assert "DISABLED" in caplog.text


def test_records_as_dynamodb_writes_them(tables: Tables, kinesis: Kinesis) -> None:
    table = tables.name()
    arn = kinesis.make(table, shards=3)
    start = time.time() - 60
    everything = []
    for number in range(200):
        at, key = start + number / 10, f"k{number % 17}"
        value = {"n": {"N": str(number)}}
        old = {"n": {"N": str(number - 17)}} if number >= 17 else None
        deleted = number % 5 == 4
        everything.append(
            written(
                key,
                at,
                None if deleted else value,
                old=old or ({} if deleted else None),
                table=table,
                micros=number % 2 == 0,
                event=str(number),
            )
        )
    wanted = {
        f"k{n % 17}": {"id": {"S": f"k{n % 17}"}, "n": {"N": str(n)}}
        for n in range(183, 200)
        if n % 5 != 4
    }
    other = [written("k1", start + 90, table="another")]
    late = everything[100:150]
    third = MOST_KEY // 3
    kinesis.put(arn, other + everything[:80])
    kinesis.put(arn, everything[60:140], hashed=third + 1)
    kinesis.put(arn, [*everything[140:], *late, *other], hashed=2 * third + 1)
    service = KinesisStream(kinesis.wire, arn, table)
    positions = oldest(service)
    state = applied(followed(service, positions))
    assert state == wanted
    assert service.passed_over == 2
    assert service.dropped >= len(late)

    # Another run knows what came in the minutes before, and reads nothing twice.
    kinesis.put(arn, late, hashed=2 * third + 1)
    again = KinesisStream(kinesis.wire, arn, table)
    assert followed(again, Positions.load(positions.dump())) == []
    assert (again.dropped, again.passed_over) == (len(late), 0)


def test_many_records_come_in_several_answers(tables: Tables, kinesis: Kinesis) -> None:
    table = tables.name()
    arn = kinesis.make(table)
    now = time.time()
    datas = [orjson.dumps(written(f"k{n}", now, table=table)) for n in range(12_000)]
    for first in range(0, len(datas), 500):
        batch = [{"Data": each, "PartitionKey": "p"} for each in datas[first : first + 500]]
        kinesis.client.put_records(StreamARN=arn, Records=batch)
    service = KinesisStream(kinesis.wire, arn, table)
    changes = followed(service, oldest(service))
    assert [orjson.loads(each.keys or b"")["id"]["S"] for each in changes] == [
        f"k{n}" for n in range(12_000)
    ]


def test_a_split_and_a_merger(tables: Tables, kinesis: Kinesis) -> None:
    table = tables.name()
    arn = kinesis.make(table)
    now = time.time()
    kinesis.put(arn, [written("a", now, table=table)])
    service = KinesisStream(kinesis.wire, arn, table)
    (first,) = service.shards()
    assert first == Shard("shardId-000000000000")
    positions = oldest(service)
    assert list(applied(followed(service, positions))) == ["a"]
    half = str(MOST_KEY // 2)
    kinesis.client.split_shard(StreamARN=arn, ShardToSplit=first.id, NewStartingHashKey=half)
    left, right = service.shards()
    assert left.parents == right.parents == (first.id,)
    assert service.children(first.id) == [left, right]
    with pytest.raises(HistoryLost, match=first.id):
        service.iterator(first.id, Position(since=int(now) * SECOND))
    kinesis.client.merge_shards(StreamARN=arn, ShardToMerge=left.id, AdjacentShardToMerge=right.id)
    (merged,) = service.shards()
    assert merged.parents == (left.id, right.id)
    assert service.children(right.id) == [merged]


def test_what_is_not_there(tables: Tables, kinesis: Kinesis) -> None:
    arn = kinesis.make(tables.name()) + "-gone"
    service = KinesisStream(kinesis.wire, arn, "orders")
    for call in (
        service.shards,
        lambda: service.iterator("shardId-000000000000", Position()),
        lambda: service.retention,
    ):
        with pytest.raises(StreamNotFound, match="-gone"):
            call()


def test_what_a_stream_says_of_itself(tables: Tables, kinesis: Kinesis) -> None:
    name = tables.name()
    arn = kinesis.make(name)
    kinesis.client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=72)
    service = KinesisStream(kinesis.wire, arn, "orders")
    assert service.retention.total_seconds() == 72 * 3600
    before_it_was_made = Position(since=int((time.time() - 3600) * SECOND))
    with pytest.raises(StateError, match="made anew"):
        service.iterator("shardId-000000000000", before_it_was_made)


def test_an_iterator_that_kinesis_does_not_know(tables: Tables, kinesis: Kinesis) -> None:
    arn = kinesis.make(tables.name())
    service = KinesisStream(kinesis.wire, arn, "orders")
    with pytest.raises(IteratorExpired):
        service.records("shardId-000000000000", "no iterator", Position())


def test_a_kind_of_place_that_is_refused(tables: Tables, kinesis: Kinesis) -> None:
    calls = KinesisCalls(kinesis.wire, kinesis.make(tables.name()))
    with pytest.raises(ServiceError, match="ValidationException"):
        calls.iterator("shardId-000000000000", "AT_NOON")
