"""An answer of GetRecords as changes: images byte for byte, order, what is left out, what is refused."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.change import Change
from dynamodb_core.changes import records
from dynamodb_core.changes.shards import Position
from dynamodb_core.errors import CorruptReply, DataError

if TYPE_CHECKING:
    from dynamodb_core.changes.service import Records

AT = 1_795_320_096
MICROS = AT * 1_000_000
WHERE = "shard s-1 of stream t"
KEYS, NEW, OLD = (
    b'{"id":{"S":"a"}}',
    b'{"id":{"S":"a"},"n":{"N":"2"}}',
    b'{"id":{"S":"a"},"n":{"N":"1"}}',
)
ANY = Position()


def record(event: str = "MODIFY", *, number: int = 1, at: Any = AT, **more: Any) -> dict[str, Any]:
    """A record as the service writes it; members that are None are left out."""
    told = {
        "ApproximateCreationDateTime": at,
        "Keys": orjson.Fragment(KEYS),
        "NewImage": None if event == "REMOVE" else orjson.Fragment(NEW),
        "OldImage": None if event == "INSERT" else orjson.Fragment(OLD),
        "SequenceNumber": f"{number:021d}",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        **{name: value for name, value in more.items() if name != "userIdentity"},
    }
    whole = {
        "eventID": "0",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {name: value for name, value in told.items() if value is not None},
        "userIdentity": more.get("userIdentity"),
    }
    return {name: value for name, value in whole.items() if value is not None}


def answer(*told: Any, **more: Any) -> bytes:
    return orjson.dumps({"Records": list(told), "NextShardIterator": "next", **more})


def read(*told: Any, position: Position = ANY, images: bool = True, **more: Any) -> Records:
    return records.read(answer(*told, **more), position, where=WHERE, images=images)


@pytest.mark.parametrize(
    ("event", "item", "old"),
    [("INSERT", NEW, None), ("MODIFY", NEW, OLD), ("REMOVE", None, OLD)],
)
def test_each_kind_of_record(event: str, item: bytes | None, old: bytes | None) -> None:
    assert read(record(event)).changes == [Change(item, KEYS, MICROS, MICROS, old)]


def test_images_are_the_bytes_that_came() -> None:
    """Spaces, escapes, digits and signs that any JSON library would write otherwise."""
    odd = b'{ "id" :{"S":"\\u00e9\xc3\xa9\\/"}, "n":{"N":"-0.10E+2"},"M":{"M":{"S":{"S":"}]"}}} }'
    [change] = read(record(NewImage=orjson.Fragment(odd))).changes
    assert change.item == odd


def test_a_null_is_no_image() -> None:
    [change] = read(record("REMOVE", OldImage=orjson.Fragment(b"null"))).changes
    assert change.old is None


@pytest.mark.parametrize(
    ("identity", "expired"),
    [
        (None, False),
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, True),
        ({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}, True),
        ({"Type": "Service", "PrincipalId": "other.amazonaws.com"}, False),
        ({"Type": "User", "principalId": "dynamodb.amazonaws.com"}, False),
        ({}, False),
    ],
)
def test_what_the_time_to_live_has_deleted(identity: Any, expired: bool) -> None:
    told = record("REMOVE")
    if identity is not None:
        told["userIdentity"] = identity
    assert [each.expired for each in read(told).changes] == [expired]


def test_a_write_is_never_expired() -> None:
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert [each.expired for each in read(record("MODIFY", userIdentity=identity)).changes] == [
        False
    ]


@pytest.mark.parametrize(
    ("said", "micros"),
    [
        ("1795320096", MICROS),
        ("1.795320096E9", MICROS),
        ("1795320096.25", MICROS + 250_000),
        ("1795320096.123456", MICROS + 123_456),
        ("1795320096.999", MICROS + 999_000),
    ],
)
def test_a_time_in_any_spelling(said: str, micros: int) -> None:
    [change] = read(record(at=orjson.Fragment(said))).changes
    assert change.micros == micros


def test_what_the_time_to_live_has_deleted_on_dynamodb_local() -> None:
    told = record("UNKNOWN_TO_SDK_VERSION", NewImage=None)
    assert read(told).changes == [Change(None, KEYS, MICROS, MICROS, OLD, expired=True)]
    with pytest.raises(DataError, match="unknown kind"):
        read(record("UNKNOWN_TO_SDK_VERSION"))


# Order


def test_records_of_one_second_are_in_order_and_a_replay_gives_the_same() -> None:
    told = [record(number=n) for n in (1, 2, 3)]
    whole = read(*told)
    assert [each.sequence for each in whole.changes] == [MICROS, MICROS + 1, MICROS + 2]
    first = read(told[0])
    rest = read(*told[1:], position=first.position)
    assert first.changes + rest.changes == whole.changes
    assert rest.position == whole.position == Position(f"{3:021d}", order=MICROS + 2)


def test_the_order_goes_on_from_the_parents_though_a_clock_went_back() -> None:
    position = Position(order=MICROS + 5_000_000)
    found = read(record(), record(number=2, at=AT + 60), position=position)
    assert [each.sequence for each in found.changes] == [MICROS + 5_000_001, MICROS + 60_000_000]
    assert [each.micros for each in found.changes] == [MICROS, MICROS + 60_000_000]


@given(
    st.lists(st.integers(AT - 3, AT + 3), max_size=30),
    st.lists(st.integers(0, 30), max_size=4),
    st.none() | st.integers(MICROS - 3_500_000, MICROS + 3_500_000),
)
def test_orders_rise_wherever_the_answers_are_cut(
    times: list[int], cuts: list[int], since: int | None
) -> None:
    told = [record(number=n, at=at) for n, at in enumerate(times)]
    whole = read(*told, position=Position(since=since)).changes
    parts: list[Change] = []
    position, edges = Position(since=since), sorted({0, *cuts, len(told)})
    for begin, end in itertools.pairwise(edges):
        found = read(*told[begin:end], position=position)
        parts += found.changes
        position = found.position
    assert parts == whole
    orders = [each.sequence or 0 for each in whole]
    assert all(left < right for left, right in itertools.pairwise(orders))
    assert all((each.sequence or 0) >= (each.micros or 0) for each in whole)


# Positions


def test_an_answer_without_records_leaves_the_position() -> None:
    position = Position(since=MICROS, order=7)
    found = read(position=position)
    assert (found.changes, found.position, found.iterator) == ([], position, "next")
    assert found.size == len(answer())


@pytest.mark.parametrize("end", [{"NextShardIterator": None}, {"NextShardIterator": ""}])
def test_the_end_of_a_shard(end: dict[str, Any]) -> None:
    assert read(record(), **end).iterator is None
    assert records.read(b'{"Records":[]}', ANY, where=WHERE).iterator is None


def test_what_is_older_than_since_is_left_out_and_not_read_again() -> None:
    since = MICROS + 2_000_000
    position = Position(since=since, order=3)
    found = read(record(number=1), record(number=2, at=AT + 1), position=position)
    assert found.changes == []
    assert found.position == Position(f"{2:021d}", since=since, order=3)
    more = read(
        record(number=3, at=AT + 1),
        record(number=4, at=AT + 2),
        record(number=5, at=AT + 1),
        position=found.position,
    )
    assert [each.micros for each in more.changes] == [since]
    assert more.position == Position(f"{5:021d}", since=since, order=since)


def test_since_within_a_second_keeps_all_of_it_as_the_service_rounds_down() -> None:
    position = Position(since=MICROS + 999_999)
    found = read(record(at=AT - 1), record(at=AT), position=position)
    assert [each.micros for each in found.changes] == [MICROS]


# What cannot be read


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (record("REPLACE"), "is of the unknown kind 'REPLACE'. It may be newer"),
        (record(NewImage=None), "does not hold the item that was written.*NEW_AND_OLD_IMAGES"),
        (record(NewImage=orjson.Fragment(b"null")), "does not hold the item that was written"),
        (record(NewImage=[1]), "has no object as NewImage"),
        (record("REMOVE", OldImage="text"), "has no object as OldImage"),
        (record(Keys=3), "has no object as Keys"),
        (record(Keys=orjson.Fragment(b"null")), "has no Keys"),
        (record(at=AT * 1000), "was written at 1795320096000.0, which are no seconds since 1970"),
        (record(at=-1), "was written at -1.0, which are no seconds"),
        (record(at=0), "was written at 0.0, which are no seconds"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(told: Any, why: str) -> None:
    whole = rf"Record 000000000000000000001 of shard s-1 of stream t {why}"
    with pytest.raises(DataError, match=whole):
        read(record(number=0), told)


def test_a_write_without_its_item_where_that_is_asked_for() -> None:
    told = [record("INSERT", NewImage=None), record(NewImage=None), record("REMOVE", OldImage=None)]
    found = read(*told, images=False).changes
    assert [each.item for each in found] == [b"", b"", None]
    assert [each.keys for each in found] == [KEYS] * 3
    assert [each.item for each in read(record(), images=False).changes] == [NEW]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"Records":null}',
        b'{"Records":[{}]}',
        b"[]",
        b"",
        answer(record())[:-20],
        answer({**record(), "dynamodb": {}}),
        answer(record(SequenceNumber=17)),
        answer(record(Keys=None)),
        answer(record(at=None)),
        answer(record(at="today")),
        answer(record(NewImage=orjson.Fragment(b'{"a":{"S":"\xff"}}'))),
        answer(record(NewImage=orjson.Fragment(b'{"a":}'))),
        answer(record(NewImage=orjson.Fragment(b'{"L":' * 9000 + b"1" + b"}" * 9000))),
    ],
)
def test_an_answer_of_another_form_is_corrupt(body: bytes) -> None:
    with pytest.raises(CorruptReply, match=r"about shard s-1 of stream t is none of GetRecords"):
        records.read(body, ANY, where=WHERE)


def test_members_that_are_new_are_passed_over() -> None:
    told = {**record(), "later": [1, {"a": 2}]}
    told["dynamodb"] = {**told["dynamodb"], "more": {"x": None}}
    assert read(told, Later=1).changes == read(record()).changes


def test_a_thousand_records_take_their_place() -> None:
    found = read(*(record(number=n) for n in range(1000)))
    assert len(found.changes) == 1000
    assert found.position.order == MICROS + 999
