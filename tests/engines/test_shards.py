from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import botocore.session
import orjson
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dynamodb_core.errors import Error, ServiceError
from tests.engines.scripted import Clock
from tests.engines.shard_log import RETENTION
from tests.engines.shards import EXPIRY, Disagreement, ScriptedStream

if TYPE_CHECKING:
    from demo.engine import Engine
    from tests.engines.tables import Tables

NOW = 1_700_000_000.25


def item(name: str, value: str = "x") -> dict[str, Any]:
    return {"id": {"S": name}, "v": {"S": value}}


class Reading:
    """What a test reads with: the operations, with the shards' names left out of the way."""

    def __init__(self, stream: ScriptedStream) -> None:
        self.stream = stream

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = orjson.loads(self.stream.call(operation, orjson.dumps(request)))
        return answer

    def describe(self, **more: Any) -> dict[str, Any]:
        answer = self("DescribeStream", StreamArn=self.stream.arn, **more)
        description: dict[str, Any] = answer["StreamDescription"]
        return description

    def listed(self, **more: Any) -> list[str]:
        return [shard["ShardId"] for shard in self.describe(**more)["Shards"]]

    def iterator(self, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
        arn = self.stream.arn
        answer = self(
            "GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    def get(self, iterator: str, **more: Any) -> tuple[list[str], str | None]:
        """Return the ids of an answer's records, and what goes on."""
        answer = self("GetRecords", ShardIterator=iterator, **more)
        ids = [record["dynamodb"]["Keys"]["id"]["S"] for record in answer["Records"]]
        return ids, answer.get("NextShardIterator")

    def numbers(self, shard: str) -> list[str]:
        answer = self("GetRecords", ShardIterator=self.iterator(shard))
        return [record["dynamodb"]["SequenceNumber"] for record in answer["Records"]]

    def refused(self, operation: str, **request: Any) -> str:
        with pytest.raises(ServiceError) as caught:
            self(operation, **request)
        return caught.value.code


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


def stream_at(clock: Clock, **more: Any) -> tuple[ScriptedStream, Reading]:
    stream = ScriptedStream(clock=clock, sleep=clock.sleep, **more)
    return stream, Reading(stream)


def test_a_record_is_what_awss_own_example_shows(clock: Clock) -> None:
    stream, read = stream_at(clock)
    stream.put(item("a", "1"))
    stream.put(item("a", "1"))  # nothing changes, and nothing is told
    stream.put(item("a", "2"))
    stream.delete({"id": {"S": "a"}}, expired=True)
    stream.delete({"id": {"S": "a"}})
    raw = stream.call(
        "GetRecords", orjson.dumps({"ShardIterator": read.iterator(stream.open()[0])})
    )
    assert raw.count(b'"ApproximateCreationDateTime":1.7E9') == 3
    inserted, modified, removed = orjson.loads(raw)["Records"]
    assert inserted["eventName"] == "INSERT"
    assert inserted["dynamodb"]["NewImage"] == item("a", "1")
    assert "OldImage" not in inserted["dynamodb"]
    assert modified["eventName"] == "MODIFY"
    assert modified["dynamodb"]["OldImage"] == item("a", "1")
    assert removed["eventName"] == "REMOVE"
    assert removed["dynamodb"]["Keys"] == {"id": {"S": "a"}}
    assert "NewImage" not in removed["dynamodb"]
    assert removed["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert "userIdentity" not in modified
    assert stream.items == {}


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("KEYS_ONLY", set[str]()),
    ],
)
def test_the_view_says_which_images_there_are(clock: Clock, view: str, images: set[str]) -> None:
    stream, read = stream_at(clock, view=view)
    stream.put(item("a", "1"))
    stream.put(item("a", "2"))
    answer = read("GetRecords", ShardIterator=read.iterator(stream.open()[0]))
    assert {"NewImage", "OldImage"} & answer["Records"][1]["dynamodb"].keys() == images


def test_a_shard_is_read_from_either_end_and_around_a_number(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (shard,) = stream.open()
    for name in "abcd":
        stream.put(item(name))
    numbers = read.numbers(shard)
    assert sorted(numbers, key=int) == numbers
    assert all(21 <= len(number) <= 40 for number in numbers)
    assert sorted(numbers) != numbers, "they are to be compared as numbers"
    for kind, ids in (("AT_SEQUENCE_NUMBER", "cd"), ("AFTER_SEQUENCE_NUMBER", "d")):
        assert read.get(read.iterator(shard, kind, SequenceNumber=numbers[2]))[0] == list(ids)
    assert read.get(read.iterator(shard))[0] == list("abcd")
    latest = read.iterator(shard, "LATEST")
    assert read.get(latest)[0] == []
    stream.put(item("e"))
    assert read.get(latest)[0] == ["e"]


def test_a_moment_is_compared_with_the_rounded_time_of_a_record(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (shard,) = stream.open()
    stream.put(item("a"))  # at .25, rounded down
    clock.sleep(10)
    stream.put(item("b"))
    assert read.get(read.iterator(shard, "AT_TIMESTAMP", Timestamp=NOW - 0.25))[0] == ["a", "b"]
    assert read.get(read.iterator(shard, "AT_TIMESTAMP", Timestamp=NOW))[0] == ["b"]
    assert read.get(read.iterator(shard, "AT_TIMESTAMP", Timestamp=NOW + 10))[0] == []
    request = {"StreamArn": stream.arn, "ShardId": shard, "ShardIteratorType": "AT_TIMESTAMP"}
    code = read.refused("GetShardIterator", **request, Timestamp=NOW + 11)
    assert code == "ValidationException", "the future"


@pytest.mark.parametrize(
    ("says", "code"), [("refused", "ValidationException"), ("failed", "InternalFailure")]
)
def test_moments_may_be_unknown_to_the_service(clock: Clock, says: str, code: str) -> None:
    stream, read = stream_at(clock, at_timestamp=says)
    request = {"StreamArn": stream.arn, "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": NOW}
    assert read.refused("GetShardIterator", ShardId=stream.open()[0], **request) == code


def test_a_split_shard_is_closed_and_its_children_share_its_keys(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (parent,) = stream.open()
    stream.put(item("a"))
    children = stream.split(parent)
    names = [f"n{number}" for number in range(20)]
    for name in names:
        stream.put(item(name))
    shards = read.describe()["Shards"]
    assert [shard["ShardId"] for shard in shards] == [parent, *children]
    assert [shard.get("ParentShardId") for shard in shards] == [None, parent, parent]
    assert ["EndingSequenceNumber" in s["SequenceNumberRange"] for s in shards] == [
        True,
        False,
        False,
    ]
    ids, after = read.get(read.iterator(parent))
    assert ids == ["a"]
    assert after is not None, "its end comes in an answer of its own"
    assert read.get(after) == ([], None)
    told = [read.get(read.iterator(child))[0] for child in children]
    assert all(told)
    assert sorted(itertools.chain(*told)) == sorted(names)
    only = stream.roll_over(children[0])
    assert read.describe()["Shards"][-1]["ParentShardId"] == children[0]
    stream.put(item(told[0][0], "again"))
    assert read.get(read.iterator(only))[0] == [told[0][0]]


def test_the_last_records_may_come_with_the_end(clock: Clock) -> None:
    stream, read = stream_at(clock, ends="with")
    stream.put(item("a"))
    stream.roll_over(stream.open()[0])
    assert read.get(read.iterator(stream.listed()[0])) == (["a"], None)


def test_a_child_that_is_read_before_its_parents_end_is_noted(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (parent,) = stream.open()
    child = stream.roll_over(parent)
    read.get(read.iterator(child))
    assert stream.early == [child]
    assert read.get(read.iterator(parent)) == ([], None)
    read.get(read.iterator(child))
    assert stream.early == [child]


def test_a_stream_that_is_off_can_be_read_for_a_day(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (shard,) = stream.open()
    stream.put(item("a"))
    stream.disable()
    stream.put(item("b"))
    assert read.describe()["StreamStatus"] == "DISABLED"
    ids, after = read.get(read.iterator(shard))
    assert ids == ["a"]
    assert after is not None
    assert read.get(after) == ([], None)
    clock.sleep(RETENTION)
    with pytest.raises(Error):
        read.describe()


def test_empty_answers_come_before_data_and_before_the_end(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (shard,) = stream.open()
    stream.put(item("a"))
    stream.gap(2)
    stream.put(item("b"))
    stream.gap(1)
    stream.roll_over(shard)
    iterator: str | None = read.iterator(shard)
    told = []
    while iterator is not None:
        ids, iterator = read.get(iterator)
        told.append(ids)
    assert told == [["a"], [], [], ["b"], [], []]


def test_an_answer_holds_a_thousand_records_or_a_megabyte(clock: Clock) -> None:
    stream, read = stream_at(clock)
    for number in range(1100):
        stream.put(item(str(number)))
    ids, after = read.get(read.iterator(stream.open()[0]))
    assert len(ids) == 1000
    assert after is not None
    assert read.get(after, Limit=30)[0] == [str(number) for number in range(1000, 1030)]
    assert read.refused("GetRecords", ShardIterator=after, Limit=1001) == "LimitExceededException"
    assert read.refused("GetRecords", ShardIterator=after, Limit=0) == "ValidationException"
    large = ScriptedStream(clock=clock)
    for number in range(8):
        large.put(item(str(number), "x" * 300_000))
    assert len(Reading(large).get(Reading(large).iterator(large.open()[0]))[0]) == 3


def test_iterators_expire_after_a_quarter_of_an_hour(clock: Clock) -> None:
    stream, read = stream_at(clock)
    stream.put(item("a"))
    iterator = read.iterator(stream.open()[0])
    clock.sleep(EXPIRY - 1)
    ids, after = read.get(iterator)
    assert ids == ["a"]
    clock.sleep(2)
    assert read.refused("GetRecords", ShardIterator=iterator) == "ExpiredIteratorException"
    assert after is not None
    assert read.get(after) == ([], after) or read.get(after)[0] == []  # a new one each time


def test_records_are_forgotten_after_a_day(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (shard,) = stream.open()
    stream.put(item("a"))
    clock.sleep(600)
    stream.put(item("b"))
    first, second = read.numbers(shard)
    clock.sleep(RETENTION - 601)
    iterator = read.iterator(shard)
    clock.sleep(1)
    assert read.refused("GetRecords", ShardIterator=iterator) == "TrimmedDataAccessException"
    assert read.get(read.iterator(shard))[0] == ["b"], "TRIM_HORIZON begins at what is left"
    at = {"Timestamp": NOW - 5}
    assert read.get(read.iterator(shard, "AT_TIMESTAMP", **at))[0] == ["b"], "and so does a moment"
    request = {"StreamArn": stream.arn, "ShardId": shard}
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        request |= {"ShardIteratorType": kind, "SequenceNumber": first}
        assert read.refused("GetShardIterator", **request) == "TrimmedDataAccessException"
    assert read.get(read.iterator(shard, "AFTER_SEQUENCE_NUMBER", SequenceNumber=second))[0] == []
    assert shard in read.listed(), "it is open"


def test_shards_are_forgotten_a_day_after_they_were_closed(clock: Clock) -> None:
    stream, read = stream_at(clock)
    (parent,) = stream.open()
    stream.put(item("a"))
    clock.sleep(3600)
    child = stream.roll_over(parent)
    clock.sleep(RETENTION - 1)
    assert read.listed() == [parent, child], "empty, but closed for less than a day"
    clock.sleep(1)
    assert read.listed() == [child]
    assert read.describe()["Shards"][0]["ParentShardId"] == parent
    with pytest.raises(Error):  # ResourceNotFoundException
        read.iterator(parent)


def test_listings_come_in_pages_that_may_disagree(clock: Clock) -> None:
    stream, read = stream_at(clock, shards=5, page=2)
    shards = stream.open()
    first = read.describe()
    assert first["LastEvaluatedShardId"] == shards[1]
    assert read.listed(ExclusiveStartShardId=shards[1], Limit=1) == [shards[2]]
    child = stream.roll_over(shards[0])
    stream.disagree(
        Disagreement(opened=frozenset({shards[0]}), hidden=frozenset({shards[1]})),
        Disagreement(repeated=frozenset({shards[0]})),
    )
    first = read.describe()
    assert [shard["ShardId"] for shard in first["Shards"]] == [shards[0]]
    assert "EndingSequenceNumber" not in first["Shards"][0]["SequenceNumberRange"]
    assert first["LastEvaluatedShardId"] == shards[1]
    second = read.describe(ExclusiveStartShardId=shards[1])["Shards"]
    assert [shard["ShardId"] for shard in second] == [shards[2], shards[3], shards[0]]
    assert "EndingSequenceNumber" in second[2]["SequenceNumberRange"]
    last = read.describe(ExclusiveStartShardId=shards[3])
    assert [shard["ShardId"] for shard in last["Shards"]] == [shards[4], child]
    assert "LastEvaluatedShardId" not in last


@pytest.mark.parametrize("says", ["answered", "ignored", "refused"])
def test_children_may_be_asked_for(clock: Clock, says: str) -> None:
    stream, read = stream_at(clock, shards=2, child_shards=says)
    parent, other = stream.open()
    children = stream.split(parent)
    grandchild = stream.roll_over(children[0])
    asked = {"ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": parent}}
    if says == "refused":
        code = read.refused("DescribeStream", StreamArn=stream.arn, **asked)
        assert code == "ValidationException"
    else:
        all_of_them = [parent, other, *children, grandchild]
        assert read.listed(**asked) == (list(children) if says == "answered" else all_of_them)


def test_calls_are_throttled_and_fail_as_told(clock: Clock) -> None:
    stream, read = stream_at(clock)
    heard: list[object] = []
    stream.watch("t", heard.append)
    iterator = read.iterator(stream.open()[0])
    stream.fail("GetRecords", "LimitExceededException", "InternalServerError")
    request = {"ShardIterator": iterator}
    with pytest.raises(ServiceError) as caught:
        stream.call("GetRecords", orjson.dumps(request), table="t")
    assert caught.value.code == "LimitExceededException"
    assert (stream.throttles, len(heard)) == (1, 1)
    assert read.refused("GetRecords", **request) == "InternalServerError"
    assert stream.throttles == 1
    assert read.get(iterator)[0] == []


def test_a_third_reader_is_one_too_many(clock: Clock) -> None:
    stream, read = stream_at(clock, readers=2)
    iterator = read.iterator(stream.open()[0])
    outcomes = []
    for _ in range(6):
        try:
            read.get(iterator)
            outcomes.append("read")
        except ServiceError as error:
            outcomes.append(error.code)
    assert outcomes.count("LimitExceededException") == 2
    assert outcomes.count("read") == 4


def test_three_calls_at_once_for_one_shard_are_too_many(clock: Clock) -> None:
    depth = 0

    def within(_: float) -> None:
        nonlocal depth
        if depth < 3 and iterators:
            depth += 1
            codes.append(code_of(iterators[0]))

    def code_of(iterator: str) -> str:
        try:
            read.get(iterator)
        except ServiceError as error:
            return error.code
        return ""

    codes: list[str] = []
    iterators: list[str] = []
    stream = ScriptedStream(clock=clock, sleep=within)
    read = Reading(stream)
    iterators.append(read.iterator(stream.open()[0]))
    depth = 0
    assert code_of(iterators[0]) == ""
    assert codes[::-1] == ["", "LimitExceededException", "LimitExceededException"]
    assert stream.crowded == 2


def test_what_was_put_off_happens_at_its_moment(clock: Clock) -> None:
    stream, read = stream_at(clock, granularity=0.001, latency=1.0)
    (shard,) = stream.open()
    stream.later(NOW + 5.5, lambda: stream.put(item("b")))
    stream.later(NOW + 2.5, lambda: stream.put(item("a")))
    assert read.get(read.iterator(shard))[0] == []
    clock.sleep(10)
    answer = read("GetRecords", ShardIterator=read.iterator(shard))["Records"]
    assert [each["dynamodb"]["Keys"]["id"]["S"] for each in answer] == ["a", "b"]
    times = [each["dynamodb"]["ApproximateCreationDateTime"] for each in answer]
    assert times == pytest.approx([NOW + 2.5, NOW + 5.5], abs=0.001)
    assert clock.now == NOW + 10 + 4 * 1.0


def test_records_may_be_told_later_than_they_were_written(clock: Clock) -> None:
    stream, read = stream_at(clock, lag=0.5)
    stream.put(item("a"))
    iterator = read.iterator(stream.open()[0])
    ids, after = read.get(iterator)
    assert ids == []
    assert after is not None
    clock.sleep(0.5)
    assert read.get(after)[0] == ["a"]


def shape(value: Any) -> Any:
    """Return the form of an answer: names and types, without what is of one run only."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


class StreamsWire:
    """The raw wire to an engine's service of streams."""

    def __init__(self, engine: Engine) -> None:
        self._client: Any = botocore.session.Session().create_client(
            "dynamodbstreams",
            endpoint_url=engine.endpoint_url,
            region_name=engine.region,
            config=Config(parameter_validation=False),
        )
        self._client.meta.events.register("before-parse.dynamodb-streams", self._keep)
        self._body = b""

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        with contextlib.suppress(ClientError):
            self._client._make_api_call(operation, request)
        answer: dict[str, Any] = orjson.loads(self._body)
        if "__type" in answer:
            return {"error": answer["__type"].rpartition("#")[2]}
        return answer

    def close(self) -> None:
        self._client.close()

    def _keep(self, response_dict: dict[str, Any], **_event: object) -> None:
        self._body = response_dict["body"]


def test_ministack_answers_alike(
    engine: Engine, tables: Tables, clock: Clock, request: pytest.FixtureRequest
) -> None:
    name = tables.create(
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    theirs = StreamsWire(engine)
    request.addfinalizer(theirs.close)
    arn = theirs.call("ListStreams", {"TableName": name})["Streams"][0]["StreamArn"]
    stream = ScriptedStream(name, clock=clock)
    for value in ("1", "2"):
        tables.wire.call("PutItem", {"TableName": name, "Item": item("a", value)})
        stream.put(item("a", value))
    tables.wire.call("DeleteItem", {"TableName": name, "Key": {"id": {"S": "a"}}})
    stream.delete({"id": {"S": "a"}})

    def ask(operation: str, **request: Any) -> tuple[Any, Any]:
        def ours() -> Any:
            try:
                return orjson.loads(stream.call(operation, orjson.dumps(fill(request, stream.arn))))
            except Error as error:
                return {"error": getattr(error, "code", "ResourceNotFoundException")}

        def others() -> Any:
            return theirs.call(operation, fill(request, arn))

        return ours(), others()

    def fill(request: dict[str, Any], own: str) -> dict[str, Any]:
        return {
            n: each[own != stream.arn]
            if isinstance(each, tuple)
            else own
            if each == "ARN"
            else each
            for n, each in request.items()
        }

    ours, others = ask("ListStreams", TableName=name)
    assert shape(ours) == shape(others)
    ours, others = ask("DescribeStream", StreamArn="ARN")
    assert shape(ours) == shape(others)
    shards = tuple(each["StreamDescription"]["Shards"][0]["ShardId"] for each in (ours, others))
    for kind in ("TRIM_HORIZON", "LATEST"):
        iterators = ask("GetShardIterator", StreamArn="ARN", ShardId=shards, ShardIteratorType=kind)
        tokens = tuple(each["ShardIterator"] for each in iterators)
        ours, others = ask("GetRecords", ShardIterator=tokens)
        assert shape(ours) == shape(others)
        if kind == "TRIM_HORIZON":
            records = ours["Records"], others["Records"]
            events = [[each["eventName"] for each in some] for some in records]
            assert events[0] == events[1] == ["INSERT", "MODIFY", "REMOVE"]
    numbers = tuple(some[1]["dynamodb"]["SequenceNumber"] for some in records)
    for kind, left in (("AT_SEQUENCE_NUMBER", 2), ("AFTER_SEQUENCE_NUMBER", 1)):
        more = {"ShardIteratorType": kind, "SequenceNumber": numbers}
        iterators = ask("GetShardIterator", StreamArn="ARN", ShardId=shards, **more)
        tokens = tuple(each["ShardIterator"] for each in iterators)
        ours, others = ask("GetRecords", ShardIterator=tokens)
        assert len(ours["Records"]) == len(others["Records"]) == left
    for operation, wrong in (
        ("DescribeStream", {"StreamArn": f"{stream.arn}0"}),
        ("GetShardIterator", {"StreamArn": "ARN", "ShardId": "no", "ShardIteratorType": "LATEST"}),
        ("GetShardIterator", {"StreamArn": "ARN", "ShardId": shards, "ShardIteratorType": "OLD"}),
        ("GetRecords", {"ShardIterator": "no"}),
        ("GetRecords", {"ShardIterator": tokens, "Limit": 0}),
    ):
        ours, others = ask(operation, **wrong)
        assert ours == others
        assert ours["error"]
