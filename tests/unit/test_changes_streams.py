"""DynamoDB Streams as a service of changes, on a stream that does what no engine does."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dynamodb_core.changes.service import IteratorExpired
from dynamodb_core.changes.shards import Position, Shard
from dynamodb_core.changes.streams import MOST_LISTINGS, NAMED_THROTTLES, DynamoDBStreams
from dynamodb_core.errors import (
    CorruptReply,
    DataError,
    HistoryLost,
    ServiceError,
    StateError,
    StreamNotFound,
)
from dynamodb_core.throttling import Throttle
from tests.engines.scripted import Clock, ScriptedWire
from tests.engines.shards import Disagreement, ScriptedStream

NOW = 1_795_320_096.0
HOUR, DAY = 3600.0, 24 * 3600.0
ANY = Position()


class Scene:
    """A stream on a clock, and the service over it."""

    def __init__(self, *, images: bool = True, **more: Any) -> None:
        self.clock = Clock(NOW)
        self.stream = ScriptedStream(clock=self.clock, sleep=self.clock.sleep, **more)
        self.service = DynamoDBStreams(
            self.stream, self.stream.arn, images=images, clock=self.clock
        )

    def put(self, *keys: str) -> None:
        for key in keys:
            self.stream.put({"id": {"S": key}, "at": {"N": f"{self.clock.now:.0f}"}})

    def read(self, shard: str, position: Position = ANY) -> tuple[list[str], Position]:
        """Read a shard until an answer is empty or it ends: its keys, and where that is."""
        found: list[str] = []
        iterator: str | None = self.service.iterator(shard, position)
        while iterator:
            told = self.service.records(shard, iterator, position)
            found += [(each.keys or b"").decode().split('"')[5] for each in told.changes]
            iterator, position = told.iterator, told.position
            if not told.changes:
                break
        return found, position

    def listings(self) -> int:
        """How often the stream was listed."""
        return sum(
            each.operation == "DescribeStream"
            and "ExclusiveStartShardId" not in each.request
            and "ShardFilter" not in each.request
            for each in self.stream.calls
        )


def micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


# Listings


def test_shards_of_all_pages_come_parents_first() -> None:
    scene = Scene(shards=3, page=2)
    for shard in scene.stream.open():
        scene.stream.split(shard)
    shards = scene.service.shards()
    assert [each.id for each in shards] == scene.stream.listed()
    assert [len(each.parents) for each in shards] == [0] * 3 + [1] * 6
    assert [each.open for each in shards] == [False] * 3 + [True] * 6
    assert scene.listings() == 1


def test_a_parent_that_is_gone_is_looked_for_once() -> None:
    scene = Scene()
    scene.put("a")
    [first] = scene.stream.open()
    scene.clock.now += HOUR
    child = scene.stream.roll_over(first)
    scene.clock.now += DAY - HOUR / 2
    scene.put("b")
    scene.clock.now += HOUR
    for _ in range(3):
        assert scene.service.shards() == [Shard(child, (first,))]
    assert scene.listings() == 2 + 1 + 1


@pytest.mark.parametrize("hidden", ["the parent", "a child", "both children", "a leaf of another"])
def test_a_shard_that_one_listing_leaves_out_is_found_by_another(hidden: str) -> None:
    scene = Scene(shards=2)
    first, other = scene.stream.open()
    if hidden == "a leaf of another":
        scene.service.shards()
    children = scene.stream.split(first)
    left_out = {
        "the parent": {first},
        "a child": {children[0]},
        "both children": set(children),
        "a leaf of another": {other},
    }[hidden]
    scene.stream.disagree(Disagreement(hidden=frozenset(left_out)))
    listed = {each.id for each in scene.service.shards()}
    if hidden == "a child":  # nothing tells that there are two; the next listing does
        assert listed == {first, other, children[1]}
        listed = {each.id for each in scene.service.shards()}
    assert listed == {first, other, *children}


def test_a_shard_that_the_second_listing_leaves_out_is_found_by_the_third() -> None:
    scene = Scene(shards=2)
    first, other = scene.stream.open()
    children = scene.stream.split(first)
    scene.stream.disagree(Disagreement(frozenset(children)), Disagreement(frozenset({other})))
    assert {each.id for each in scene.service.shards()} == {first, other, *children}


def test_a_shard_that_is_listed_twice_open_and_closed_is_one_that_is_closed() -> None:
    scene = Scene(page=1)
    [first] = scene.stream.open()
    scene.stream.split(first)
    of_both = frozenset({first})
    scene.stream.disagree(Disagreement(opened=of_both), Disagreement(repeated=of_both))
    shards = scene.service.shards()
    assert [each.id for each in shards] == scene.stream.listed()
    assert [each.open for each in shards] == [False, True, True]


def test_listings_that_never_agree_are_put_together() -> None:
    scene = Scene(shards=4)
    ids = scene.stream.open()
    scene.service.shards()
    before = scene.listings()
    scene.stream.disagree(*(Disagreement(hidden=frozenset({shard})) for shard in ids))
    assert sorted(each.id for each in scene.service.shards()) == ids
    assert scene.listings() - before == MOST_LISTINGS
    scene.stream.disagree(Disagreement(hidden=frozenset(ids[-1:])))
    assert [each.id for each in scene.service.shards()] == ids


def test_a_stream_that_is_off_has_closed_leaves() -> None:
    scene = Scene()
    [first] = scene.stream.open()
    scene.stream.disable()
    assert scene.service.shards() == [Shard(first, open=False)]
    assert scene.listings() == 1


def test_a_listing_that_runs_in_circles_is_refused() -> None:
    page = {"StreamDescription": {"Shards": [], "LastEvaluatedShardId": "shard-1"}}
    service = DynamoDBStreams(ScriptedWire(lambda *_: page), "arn")
    with pytest.raises(CorruptReply, match="a second page is to begin after shard-1"):
        service.shards()


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"StreamDescription":{}}', b"[", b'{"ShardIterator":1}']
)
def test_an_answer_of_another_form_is_corrupt(answer: bytes) -> None:
    service = DynamoDBStreams(ScriptedWire(lambda *_: answer), "arn")
    with pytest.raises(CorruptReply, match="about stream arn is none of DescribeStream"):
        service.shards()
    with pytest.raises(CorruptReply, match="about stream arn is none of GetShardIterator"):
        service.iterator("shard-1", ANY)


@pytest.mark.parametrize("filter_is", ["answered", "ignored", "refused"])
def test_children(filter_is: str) -> None:
    scene = Scene(shards=2, page=2, child_shards=filter_is)
    first, other = scene.stream.open()
    children = scene.stream.split(first)
    grandchild = scene.stream.roll_over(children[0])
    for _ in range(2):
        assert [each.id for each in scene.service.children(first)] == [*children]
    assert [each.id for each in scene.service.children(children[0])] == [grandchild]
    assert scene.service.children(other) == []
    asked = sum("ShardFilter" in each.request for each in scene.stream.calls)
    assert asked == (1 if filter_is == "refused" else asked)


def test_children_of_a_shard_that_is_gone_are_looked_up_in_the_listing() -> None:
    scene = Scene()
    [first] = scene.stream.open()
    child = scene.stream.roll_over(first)
    scene.stream.fail("DescribeStream", "ResourceNotFoundException")
    assert [each.id for each in scene.service.children(first)] == [child]


def test_a_failure_to_list_children_is_told() -> None:
    scene = Scene()
    scene.stream.fail("DescribeStream", "InternalServerError")
    with pytest.raises(ServiceError, match="InternalServerError"):
        scene.service.children("any")


def test_a_stream_that_is_not_there() -> None:
    scene = Scene()
    service = DynamoDBStreams(scene.stream, f"{scene.stream.arn}1")
    with pytest.raises(StreamNotFound, match=rf"Stream {scene.stream.arn}1 does not exist"):
        service.shards()
    with pytest.raises(StreamNotFound):
        service.children("any")
    with pytest.raises(StreamNotFound):
        service.iterator("any", ANY)


# Places


def test_a_read_goes_on_after_its_sequence_number() -> None:
    scene = Scene(most=2)
    [shard] = scene.stream.open()
    scene.put("a", "b", "c")
    found, position = scene.read(shard)
    assert found == ["a", "b", "c"]
    scene.put("d")
    assert scene.read(shard, position)[0] == ["d"]


@pytest.mark.parametrize("moments", ["answered", "refused", "failed"])
def test_a_read_from_a_moment_on(moments: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scene = Scene(at_timestamp=moments, shards=2)
    wanted = "def"
    scene.put(*"abc")
    scene.clock.now += 60
    since = micros(scene.clock.now)
    scene.put(*wanted)
    found = [
        each
        for shard in scene.stream.open()
        for each in scene.read(shard, Position(since=since))[0]
    ]
    assert sorted(found) == list(wanted)
    asked = [
        each.request["ShardIteratorType"]
        for each in scene.stream.calls
        if "ShardId" in each.request
    ]
    others = {"answered": ["AT_TIMESTAMP"], "refused": ["TRIM_HORIZON"], "failed": ["TRIM_HORIZON"]}
    assert asked == [*(["AT_TIMESTAMP"] if moments != "answered" else []), *others[moments] * 2]
    assert len(caplog.records) == (moments != "answered")
    assert all("read from their beginning" in each.message for each in caplog.records)


def test_a_moment_that_is_yet_to_come_is_no_error() -> None:
    scene = Scene()
    [shard] = scene.stream.open()
    scene.put("a")
    assert scene.read(shard, Position(since=micros(NOW + 600)))[0] == []


def test_the_moment_is_told_in_seconds_rounded_down_to_a_millisecond() -> None:
    scene = Scene()
    scene.service.iterator(scene.stream.open()[0], Position(since=1_795_320_000_123_999))
    assert scene.stream.calls[-1].request["Timestamp"] == 1_795_320_000.123


def test_dynamodb_local_is_not_asked_for_moments_as_it_fails() -> None:
    def answer(_operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return {"ShardIterator": request["ShardIteratorType"]}

    arn = "arn:aws:dynamodb:ddblocal:000000000000:table/t/stream/2026-01-01T00:00:00.000"
    service = DynamoDBStreams(ScriptedWire(answer), arn)
    assert service.iterator("shard-1", Position(since=1)) == "TRIM_HORIZON"


def test_another_failure_at_a_moment_is_told() -> None:
    scene = Scene()
    scene.stream.fail("GetShardIterator", "ThrottlingException")
    with pytest.raises(ServiceError, match="ThrottlingException"):
        scene.service.iterator(scene.stream.open()[0], Position(since=micros(NOW)))


def test_a_place_that_the_service_refuses_is_an_error_of_the_state() -> None:
    scene = Scene()
    scene.stream.fail("GetShardIterator", "ValidationException")
    with pytest.raises(
        StateError, match=r"place in shard s of stream .* is refused.*--full-refresh"
    ):
        scene.service.iterator("s", Position(sequence="1"))


def test_without_a_place_a_refusal_is_told_as_it_is() -> None:
    scene = Scene()
    scene.stream.fail("GetShardIterator", "ValidationException")
    with pytest.raises(ServiceError, match="ValidationException"):
        scene.service.iterator(scene.stream.open()[0], ANY)


# What is gone


def test_records_that_are_trimmed_are_history_lost() -> None:
    scene = Scene(most=1)
    [shard] = scene.stream.open()
    scene.put("a", "b")
    told = scene.service.records(shard, scene.service.iterator(shard, ANY), ANY)
    scene.clock.now += DAY + HOUR
    with pytest.raises(HistoryLost) as caught:
        scene.service.iterator(shard, told.position)
    assert str(caught.value) == (
        f"Changes of shard {shard} of stream {scene.stream.arn} are gone before they were read, from "
        "2026-11-22T04:01:36Z to 2026-11-22T05:01:36Z. Start over with a new snapshot: run with "
        "--full-refresh, or clear the state."
    )


def test_records_that_are_trimmed_while_they_are_read_are_history_lost() -> None:
    scene = Scene()
    [shard] = scene.stream.open()
    iterator = scene.service.iterator(shard, ANY)
    scene.stream.fail("GetRecords", "TrimmedDataAccessException")
    with pytest.raises(HistoryLost, match="from its beginning to 2026-11-21"):
        scene.service.records(shard, iterator, ANY)


@pytest.mark.parametrize(
    ("position", "hole"),
    [
        (Position(), "from its beginning to 2026-11-21T04:01:36Z"),
        (
            Position(since=micros(NOW - 2 * DAY)),
            "from 2026-11-20T04:01:36Z to 2026-11-21T04:01:36Z",
        ),
        (Position(since=micros(NOW - HOUR)), "from 2026-11-22T03:01:36Z on"),
        (
            Position(since=micros(NOW - 3 * DAY), order=micros(NOW - 2 * DAY)),
            "from 2026-11-20T04:01:36Z to 2026-11-21T04:01:36Z",
        ),
    ],
)
def test_the_hole_is_named_as_far_as_it_is_known(position: Position, hole: str) -> None:
    with pytest.raises(HistoryLost) as caught:
        Scene().service.iterator("s", position)
    assert caught.value.message.endswith(f"are gone before they were read, {hole}")


@pytest.mark.parametrize(
    "position", [ANY, Position(sequence="1" * 21), Position(since=micros(NOW))]
)
def test_a_shard_that_is_gone_is_history_lost(position: Position) -> None:
    scene = Scene()
    with pytest.raises(HistoryLost, match=f"Changes of shard s of stream {scene.stream.arn}"):
        scene.service.iterator("s", position)


def test_an_iterator_expires() -> None:
    scene = Scene()
    [shard] = scene.stream.open()
    scene.put("a")
    iterator = scene.service.iterator(shard, ANY)
    scene.clock.now += 16 * 60
    with pytest.raises(IteratorExpired):
        scene.service.records(shard, iterator, ANY)
    assert scene.read(shard)[0] == ["a"]


def test_empty_answers_are_no_end_and_a_closed_shard_has_one() -> None:
    scene = Scene()
    [shard] = scene.stream.open()
    scene.stream.gap(2)
    scene.put("a")
    scene.stream.roll_over(shard)
    iterator: str | None = scene.service.iterator(shard, ANY)
    sizes = []
    while iterator:
        told = scene.service.records(shard, iterator, ANY)
        sizes.append(len(told.changes))
        iterator = told.iterator
    assert sizes == [0, 0, 1, 0]


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_without_new_images(view: str) -> None:
    scene = Scene(view=view)
    [shard] = scene.stream.open()
    scene.put("a")
    with pytest.raises(DataError, match=rf"Record \d+ of shard {shard} of stream .* does not hold"):
        scene.read(shard)
    service = DynamoDBStreams(scene.stream, scene.stream.arn, images=False)
    [change] = service.records(shard, service.iterator(shard, ANY), ANY).changes
    assert change.item == b""


# Throttles


def test_reads_that_stay_throttled_name_the_readers() -> None:
    scene = Scene()
    [shard] = scene.stream.open()
    iterator = scene.service.iterator(shard, ANY)
    scene.stream.fail("GetRecords", "LimitExceededException")
    with pytest.raises(ServiceError, match="takes two readers at once: see what else") as caught:
        scene.service.records(shard, iterator, ANY)
    assert caught.value.code == "LimitExceededException"


def test_throttles_that_go_on_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    for _ in range(NAMED_THROTTLES - 1):
        scene.stream.throttle(scene.stream.arn, Throttle())
    assert caplog.records == []
    for _ in range(NAMED_THROTTLES):
        scene.stream.throttle(scene.stream.arn, Throttle())
    [said] = caplog.records
    assert f"stream {scene.stream.arn} is throttled" in said.message
    assert "two readers" in said.message
