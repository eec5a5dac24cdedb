"""A Kinesis stream as a `ChangeService`, on a stream in memory with a clock of its own."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.changes.kinesis import KinesisStream
from dynamodb_core.changes.newest import WINDOW
from dynamodb_core.changes.service import IteratorExpired
from dynamodb_core.changes.shards import Position, Shard
from dynamodb_core.errors import (
    AccessError,
    CorruptReply,
    DataError,
    HistoryLost,
    ServiceError,
    StateError,
    StreamNotFound,
)
from tests.engines.kinesis import ARN, TABLE, ScriptedKinesis, written

if TYPE_CHECKING:
    from dynamodb_core.change import Change
    from dynamodb_core.changes.service import ChangeService

SECOND = 1_000_000
HOUR = 3600.0


def stream(engine: ScriptedKinesis) -> KinesisStream:
    service = KinesisStream(engine.wire, ARN, TABLE, clock=engine.clock)
    _typed: ChangeService = service
    return service


def read(
    service: KinesisStream, shard: str, position: Position | None = None, *, most: int = 50
) -> tuple[list[Change], Position]:
    """Read until the shard has ended, or has nothing more."""
    position = position or Position()
    iterator: str | None = service.iterator(shard, position)
    changes: list[Change] = []
    for _ in range(most):
        assert iterator is not None
        records = service.records(shard, iterator, position)
        changes += records.changes
        position, iterator = records.position, records.iterator
        if iterator is None or records.behind == 0:
            return changes, position
    raise AssertionError("the shard has no end")


def keys(changes: list[Change]) -> list[str]:
    return [orjson.loads(change.keys or b"")["id"]["S"] for change in changes]


def moment(engine: ScriptedKinesis, ago: float = 0.0) -> int:
    return round((engine.now - ago) * SECOND)


def put(engine: ScriptedKinesis, shard: str, *names: str, **more: Any) -> str:
    number = ""
    for name in names:
        engine.now += 1
        number = engine.put(shard, written(name, engine.now, **more))
    return number


# Shards.


def test_shards_of_all_pages_parents_first() -> None:
    engine = ScriptedKinesis(3, page=2)
    left, right = engine.split(engine.ids[1])
    merged = engine.merge(left, engine.ids[2])
    shards = stream(engine).shards()
    assert {shard.id: shard for shard in shards} == {
        engine.ids[0]: Shard(engine.ids[0]),
        engine.ids[1]: Shard(engine.ids[1], open=False),
        engine.ids[2]: Shard(engine.ids[2], open=False),
        left: Shard(left, (engine.ids[1],), open=False),
        right: Shard(right, (engine.ids[1],)),
        merged: Shard(merged, (left, engine.ids[2])),
    }
    seen: set[str] = set()
    for shard in shards:
        assert set(shard.parents) <= seen
        seen.add(shard.id)


def test_a_listing_whose_token_has_expired_is_begun_again() -> None:
    engine = ScriptedKinesis(3, page=2)
    expired = [ServiceError("old", code="ExpiredNextTokenException")]
    answer = engine.wire._answer

    def once(operation: str, request: dict[str, Any]) -> Any:
        return expired.pop() if "NextToken" in request and expired else answer(operation, request)

    engine.wire._answer = once
    assert [shard.id for shard in stream(engine).shards()] == engine.ids


@pytest.mark.parametrize("told", [True, False])
def test_children_of_a_split_and_of_a_merger(told: bool) -> None:
    engine = ScriptedKinesis(2)
    one, other = engine.ids
    left, right = engine.split(one)
    merged = engine.merge(right, other)
    service = stream(engine)
    if told:  # by GetRecords, at the end of the shard
        for shard in (one, right, other):
            assert read(service, shard)[0] == []
        engine.refused["ListShards"] = AssertionError("it is known")
    assert {each.id for each in service.children(one)} == {left, right}
    (child,) = service.children(right)
    assert (child.id, child.parents) == (merged, (right, other))
    assert service.children(other) == [child]


def test_a_shard_ends_without_an_iterator() -> None:
    engine = ScriptedKinesis()
    put(engine, engine.ids[0], "a")
    engine.split(engine.ids[0])
    service = stream(engine)
    iterator = service.iterator(engine.ids[0], Position())
    first = service.records(engine.ids[0], iterator, Position())
    assert first.iterator is not None
    last = service.records(engine.ids[0], first.iterator, first.position)
    assert (last.iterator, last.changes, last.position) == (None, [], first.position)


# Records.


def test_what_records_tell() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    engine.put(shard, written("a", engine.now, {"n": {"N": "1"}}))
    engine.put(shard, written("a", engine.now + 1, {"n": {"N": "2"}}, old={"n": {"N": "1"}}))
    engine.put(shard, written("a", engine.now + 2, old={"n": {"N": "2"}}))
    by = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    engine.put(shard, written("b", engine.now + 2.000001, old={}, userIdentity=by, micros=True))
    changes, _ = read(stream(engine), shard)
    assert [each.item and orjson.loads(each.item) for each in changes] == [
        {"id": {"S": "a"}, "n": {"N": "1"}},
        {"id": {"S": "a"}, "n": {"N": "2"}},
        None,
        None,
    ]
    assert [each.old and orjson.loads(each.old)["id"] for each in changes] == [
        None,
        {"S": "a"},
        {"S": "a"},
        {"S": "b"},
    ]
    now = moment(engine)
    times = [now, now + SECOND, now + 2 * SECOND, now + 2 * SECOND + 1]
    assert [each.micros for each in changes] == [each.sequence for each in changes] == times
    assert [each.expired for each in changes] == [False, False, False, True]


@pytest.mark.parametrize(
    ("time", "micros"),
    [
        (1_800_000_000, 1_800_000_000_000_000),
        (1_800_000_000_123, 1_800_000_000_123_000),
        (1_800_000_000_123_456, 1_800_000_000_123_456),
    ],
)
def test_the_unit_of_a_time_is_told_by_its_size(time: int, micros: int) -> None:
    engine = ScriptedKinesis()
    data = written("a", 1)
    data["dynamodb"]["ApproximateCreationDateTime"] = time
    engine.put(engine.ids[0], data)
    assert [each.micros for each in read(stream(engine), engine.ids[0])[0]] == [micros]


def test_records_of_other_tables_are_passed_over_and_counted() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    put(engine, shard, "x", "y", table="customers")
    last = put(engine, shard, "z", table="customers", eventName="NEWER")
    service = stream(engine)
    changes, position = read(service, shard)
    assert (keys(changes), service.passed_over) == (["a"], 3)
    assert position == Position(sequence=last, order=moment(engine))


def test_a_table_is_told_by_the_arn_of_its_stream_where_no_name_is() -> None:
    engine = ScriptedKinesis()
    arn = f"arn:aws:dynamodb:eu-west-1:1:table/{TABLE}/stream/2027"
    put(engine, engine.ids[0], "a", table="", eventSourceARN=arn)
    put(engine, engine.ids[0], "b", table="", eventSourceARN=arn.replace(TABLE, "other"))
    assert keys(read(stream(engine), engine.ids[0])[0]) == ["a"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        b'{"tableName":"orders","eventName":"INSERT"}',
        b"\xf3\x89\x9a\xc2aggregated",
        orjson.dumps(written("\u00e9", 1.8e9)).replace("\u00e9".encode(), b"\xe9"),
        orjson.dumps(written("b", 1.8e9, eventName="RENAMED")),
        orjson.dumps(written("b", 1.8e9, tableName="")),
        orjson.dumps(written("b", 0)),
        orjson.dumps(written("", 1.8e9)),
        orjson.dumps(written("b", 1.8e9)).replace(b'"Keys":{"id":{"S":"b"}}', b'"Keys":{}'),
        orjson.dumps(written("b", 1.8e9)).replace(b'"NewImage"', b'"NoImage"'),
    ],
)
def test_what_is_no_record_of_dynamodb_is_named(data: bytes) -> None:
    engine = ScriptedKinesis()
    put(engine, engine.ids[0], "a")
    number = engine.put(engine.ids[0], data)
    with pytest.raises(DataError) as told:
        read(stream(engine), engine.ids[0])
    assert number in told.value.message
    assert engine.ids[0] in told.value.message
    assert ARN in told.value.message


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"Records":[{"SequenceNumber":"1"}]}'])
def test_an_answer_that_is_none(body: bytes) -> None:
    engine = ScriptedKinesis()
    service = stream(engine)
    iterator = service.iterator(engine.ids[0], Position())
    engine.refused["GetRecords"] = body  # type: ignore[assignment]
    with pytest.raises(CorruptReply):
        service.records(engine.ids[0], iterator, Position())


def test_what_is_older_or_comes_twice_is_left_out_and_counted() -> None:
    engine = ScriptedKinesis(2)
    one, other = engine.ids
    first = written("a", engine.now, event="e")
    engine.put(one, first)
    engine.put(one, first)
    engine.put(one, written("b", engine.now - 7))
    engine.put(other, written("a", engine.now - 1))
    engine.put(other, written("a", engine.now + 1))
    service = stream(engine)
    changes = read(service, one)[0] + read(service, other)[0]
    assert (keys(changes), service.dropped) == (["a", "b", "a"], 2)
    assert [each.sequence for each in changes] == [
        moment(engine),
        moment(engine, 7),
        moment(engine, -1),
    ]


def test_an_answer_that_is_asked_for_again_tells_the_same() -> None:
    engine = ScriptedKinesis()
    put(engine, engine.ids[0], "a", "b")
    service = stream(engine)
    iterator = service.iterator(engine.ids[0], Position())
    first, second = (service.records(engine.ids[0], iterator, Position()) for _ in range(2))
    assert first.changes == second.changes != []


def test_how_far_behind_an_answer_is_and_how_large() -> None:
    engine = ScriptedKinesis(most=1)
    put(engine, engine.ids[0], "a", "b")
    engine.now += 10
    service = stream(engine)
    first = service.records(engine.ids[0], service.iterator(engine.ids[0], Position()), Position())
    assert first.behind is not None
    assert 10 <= first.behind < 12
    assert first.size > 300
    assert first.iterator is not None
    assert service.records(engine.ids[0], first.iterator, first.position).behind == 0


# Places.


def test_a_moment_is_asked_for_and_what_was_written_before_is_left_out() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a", "b")
    since = moment(engine) + SECOND // 2
    engine.now += 1
    engine.put(shard, written("late", engine.now - 1))
    put(engine, shard, "c")
    changes, position = read(stream(engine), shard, Position(since=since))
    assert keys(changes) == ["late", "c"]  # the one of the same second, as far as times tell
    assert position.since == since
    asked = [call.request for call in engine.wire.calls if call.operation == "GetShardIterator"]
    assert [each["Timestamp"] for each in asked] == [since // 1000 / 1000]
    engine.put(shard, written("much later", engine.now - 9))
    assert read(stream(engine), shard, position)[0] == []


def test_a_read_goes_on_after_its_last_record() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a", "b")
    service = stream(engine)
    _, position = read(service, shard)
    put(engine, shard, "c")
    changes, _ = read(service, shard, position)
    assert keys(changes) == ["c"]
    assert engine.wire.calls[-2].request["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"


@pytest.mark.parametrize("most", [1, 2, 3, 10_000])
def test_another_run_knows_what_came_in_the_minutes_before(most: int) -> None:
    engine = ScriptedKinesis(most=most)
    (shard,) = engine.ids
    put(engine, shard, "too old")
    engine.now += 1000
    put(engine, shard, "a", "b", "c")
    _, position = read(stream(engine), shard)
    put(engine, shard, "d")
    engine.put(shard, written("b", engine.now - 10))
    put(engine, shard, "e")
    service = stream(engine)
    changes, _ = read(service, shard, position)
    assert (keys(changes), service.dropped) == (["d", "e"], 1)
    first = next(c.request for c in engine.wire.calls[::-1] if c.operation == "GetShardIterator")
    assert first["Timestamp"] == (position.order - WINDOW // timedelta(microseconds=1)) / 1e6


def test_what_was_read_before_is_not_told_again_nor_counted() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a", "b")
    put(engine, shard, "x", table="other")
    engine.put(shard, written("a", engine.now - 10))
    _, position = read(stream(engine), shard)
    service = stream(engine)
    assert read(service, shard, position) == ([], position)
    assert (service.dropped, service.passed_over) == (0, 0)


def test_a_place_never_goes_back() -> None:
    engine = ScriptedKinesis(most=2)
    (shard,) = engine.ids
    put(engine, shard, "a", "b", "c", "d")
    _, position = read(stream(engine), shard)
    service = stream(engine)
    records = service.records(shard, service.iterator(shard, Position()), position)
    assert (records.changes, records.position) == ([], position)


def test_a_gap_is_walked_through_before_another_run_goes_on() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    _, position = read(stream(engine), shard)
    put(engine, shard, "b")
    engine.gaps = 3
    assert keys(read(stream(engine), shard, position)[0]) == ["b"]


@pytest.mark.parametrize("read_here", [True, False])
def test_a_child_is_read_with_what_came_last_of_its_parents_in_mind(read_here: bool) -> None:
    engine = ScriptedKinesis(2)
    one, other = engine.ids
    put(engine, one, "a")
    put(engine, other, "x", table="another")
    service = stream(engine)
    orders = [read(service, shard)[1].order for shard in (one, other)]
    child = engine.merge(one, other)
    engine.put(child, written("a", engine.now - 10))
    put(engine, child, "b")
    if not read_here:
        service = stream(engine)
    service.shards()
    changes, _ = read(service, child, Position(order=max(orders)))
    assert (keys(changes), service.dropped) == (["b"], 1)
    assert service.passed_over == read_here


def test_an_iterator_that_is_too_old() -> None:
    engine = ScriptedKinesis()
    service = stream(engine)
    iterator = service.iterator(engine.ids[0], Position())
    engine.now += 301
    with pytest.raises(IteratorExpired):
        service.records(engine.ids[0], iterator, Position())


# What is gone.


def test_a_place_that_has_been_trimmed_is_named() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    _, position = read(stream(engine), shard)
    put(engine, shard, "b")  # is lost
    engine.now += 24 * HOUR + 300
    put(engine, shard, "c")
    with pytest.raises(HistoryLost) as told:
        stream(engine).iterator(shard, position)
    assert shard in told.value.message
    assert "2027-01-15" in told.value.message
    assert "--full-refresh" in told.value.hint


@pytest.mark.parametrize("retention", [24, 168])
def test_how_old_a_place_may_be_is_what_the_stream_says(retention: int) -> None:
    engine = ScriptedKinesis(retention=retention)
    position = Position(since=moment(engine, 120))  # as it is noted
    engine.now += retention * HOUR - 1
    stream(engine).iterator(engine.ids[0], position)
    assert stream(engine).retention == timedelta(hours=retention)
    engine.now += 2
    with pytest.raises(HistoryLost):
        stream(engine).iterator(engine.ids[0], position)


def test_a_stream_whose_retention_may_not_be_asked_keeps_records_for_a_day(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = ScriptedKinesis(retention=168)
    engine.refused["DescribeStreamSummary"] = AccessError("DescribeStreamSummary is refused")
    position = Position(since=moment(engine))
    engine.now += 25 * HOUR
    service = stream(engine)
    with caplog.at_level(logging.WARNING), pytest.raises(HistoryLost):
        service.iterator(engine.ids[0], position)
    assert service.retention == timedelta(hours=24)
    assert "kinesis:DescribeStreamSummary" in caplog.text
    assert engine.wire.operations().count("DescribeStreamSummary") == 1


def test_a_shard_where_nothing_is_written_is_not_taken_for_lost() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    position = Position(since=moment(engine, 60))
    for _ in range(10):
        service = stream(engine)
        service.shards()
        changes, position = read(service, shard, position)
        engine.now += 20 * HOUR
    assert changes == []
    put(engine, shard, "b")
    assert keys(read(stream(engine), shard, position)[0]) == ["b"]


def test_nor_is_one_that_a_long_run_has_looked_at() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    service = stream(engine)
    _, position = read(service, shard)
    for _ in range(4):
        engine.now += 10 * HOUR
        _, position = read(service, shard, position)
    put(engine, shard, "b")
    assert keys(read(service, shard, position)[0]) == ["b"]


def test_an_answer_that_was_thrown_away_does_not_count_as_looked_at() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    service = stream(engine)
    _, position = read(service, shard)
    engine.now += 23 * HOUR
    put(engine, shard, "b")
    assert keys(read(service, shard, position)[0]) == ["b"]
    engine.now += 2 * HOUR
    with pytest.raises(HistoryLost):
        service.iterator(shard, position)


def test_iterators_that_expire_while_the_minutes_before_are_read() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    _, position = read(stream(engine), shard)
    put(engine, shard, "b")
    answer, expired = engine.wire._answer, [ServiceError("old", code="ExpiredIteratorException")]

    def once(operation: str, request: dict[str, Any]) -> Any:
        return (
            expired.pop() if operation == "GetRecords" and expired else answer(operation, request)
        )

    engine.wire._answer = once
    assert keys(read(stream(engine), shard, position)[0]) == ["b"]
    expired += 3 * [ServiceError("old", code="ExpiredIteratorException")]
    with pytest.raises(IteratorExpired):
        stream(engine).iterator(shard, position)


def test_a_closed_shard_that_was_read_late_does_not_make_its_children_seem_read() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    put(engine, shard, "a")
    written_at = moment(engine)
    left, _ = engine.split(shard)
    engine.now += 12 * HOUR
    service = stream(engine)
    service.shards()
    _, position = read(service, shard)
    assert position.order == written_at
    engine.now += 13 * HOUR  # what the child was told first is gone
    with pytest.raises(HistoryLost):
        stream(engine).iterator(left, Position(order=position.order))


def test_a_read_that_trimming_overtakes_is_given_up() -> None:
    engine = ScriptedKinesis(most=1)
    (shard,) = engine.ids
    put(engine, shard, "a", "b", "c")
    service = stream(engine)
    iterator: str | None = service.iterator(shard, Position())
    assert iterator is not None
    first = service.records(shard, iterator, Position())
    assert first.iterator is not None
    engine.now += 24 * HOUR + 310
    with pytest.raises(HistoryLost):
        service.records(shard, first.iterator, first.position)


def test_a_stream_that_was_made_anew_is_another_one() -> None:
    engine = ScriptedKinesis()
    put(engine, engine.ids[0], "a")
    _, position = read(stream(engine), engine.ids[0])
    engine.now += HOUR
    again = ScriptedKinesis(now=engine.now)
    for place in (position, Position(since=position.order), Position(order=position.order)):
        with pytest.raises(StateError, match="made anew") as told:
            stream(again).iterator(again.ids[0], place)
        assert not isinstance(told.value, HistoryLost)  # no shard that has vanished
    stream(again).iterator(again.ids[0], Position(since=moment(again, 120)))


def test_a_shard_that_is_gone() -> None:
    engine = ScriptedKinesis()
    (shard,) = engine.ids
    engine.split(shard)
    service = stream(engine)
    position = Position(since=moment(engine, -23 * HOUR))
    iterator = service.iterator(shard, position)
    engine.now += 25 * HOUR
    with pytest.raises(HistoryLost) as told:
        service.iterator(shard, position)
    assert shard in told.value.message
    engine._iterators[iterator] = (shard, 0, engine.now)
    with pytest.raises(HistoryLost):
        service.records(shard, iterator, position)


def test_a_stream_that_is_gone() -> None:
    engine = ScriptedKinesis()
    service = stream(engine)
    service.iterator(engine.ids[0], Position(since=moment(engine)))
    gone = StreamNotFound("Stream changes is not there")
    engine.refused.update(dict.fromkeys(("GetShardIterator", "ListShards", "GetRecords"), gone))
    with pytest.raises(StreamNotFound):
        service.iterator(engine.ids[0], Position(since=moment(engine)))
    with pytest.raises(StreamNotFound):
        service.records(engine.ids[0], "iterator 0", Position())


def test_a_sequence_number_that_kinesis_does_not_know() -> None:
    engine = ScriptedKinesis()
    put(engine, engine.ids[0], "a")
    service = stream(engine)
    _, position = read(service, engine.ids[0])
    engine.refused["GetShardIterator"] = ServiceError("none", code="InvalidArgumentException")
    with pytest.raises(HistoryLost):
        service.iterator(engine.ids[0], position)


def test_other_failures_are_told_as_they_are() -> None:
    engine = ScriptedKinesis()
    service = stream(engine)
    refused = ServiceError("no key", code="KMSDisabledException")
    engine.refused.update(GetRecords=refused, GetShardIterator=refused, ListShards=refused)
    for call in (
        lambda: service.records(engine.ids[0], "iterator 0", Position()),
        lambda: service.iterator(engine.ids[0], Position()),
        service.shards,
    ):
        with pytest.raises(ServiceError, match="no key"):
            call()
