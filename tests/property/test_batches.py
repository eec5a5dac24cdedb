"""What `batches.take` and `batches.request` may and must do, for any writes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core import batches

if TYPE_CHECKING:
    from collections.abc import Hashable

keys = st.integers(0, 60)
# Sizes are drawn in quarters of a request, so that the limit of 16 MB is met as often as that of 25.
sizes = st.sampled_from((40, 41, 400, batches.MOST_BYTES // 4, batches.MOST_BYTES // 2 - 1))


class Sized(bytes):
    """Bytes that say they are longer than they are."""

    said: int

    def __len__(self) -> int:
        return self.said


def sized(length: int) -> bytes:
    made = Sized(b"{}")
    made.said = length
    return made


writes = st.dictionaries(keys, sizes.map(sized), max_size=60).map(OrderedDict)


@pytest.mark.parametrize("field", ["Item", "Key"])
def test_write_requests_are_what_the_api_takes(field: str) -> None:
    body = b'{"id":{"S":"a\\"b"}}'
    write = batches.put(body) if field == "Item" else batches.delete(body)
    operation = "PutRequest" if field == "Item" else "DeleteRequest"
    assert orjson.loads(write) == {operation: {field: {"id": {"S": 'a"b'}}}}


@given(
    table=st.text(min_size=1, max_size=20),
    items=st.dictionaries(keys, st.text(max_size=10), min_size=1, max_size=25),
)
def test_request_is_json_with_every_write_in_order(table: str, items: dict[int, str]) -> None:
    puts: dict[Hashable, bytes] = {
        key: batches.put(orjson.dumps({"id": {"S": text}})) for key, text in items.items()
    }
    request: dict[str, Any] = orjson.loads(batches.request(table, puts))
    assert request["RequestItems"] == {
        table: [{"PutRequest": {"Item": {"id": {"S": text}}}} for text in items.values()]
    }
    # INDEXES, else the units of the indexes cannot be told from those of the table
    assert request["ReturnConsumedCapacity"] == "INDEXES"


@given(waiting=writes, others=st.frozensets(keys), beside=writes)
def test_take_keeps_the_limits_and_the_order_and_loses_nothing(
    waiting: OrderedDict[Hashable, bytes],
    others: frozenset[int],
    beside: OrderedDict[Hashable, bytes],
) -> None:
    beside = OrderedDict(list(beside.items())[:25])
    in_flight: set[Hashable] = {*others, *beside}  # what is sent along is on its way
    before = dict(waiting)
    taken = batches.take(waiting, in_flight, beside=beside)

    assert {**taken, **waiting} == before
    assert not taken.keys() & waiting.keys()
    assert not taken.keys() & in_flight
    assert len(taken) + len(beside) <= batches.MOST_WRITES
    free = [key for key in before if key not in in_flight]
    assert list(taken) == free[: len(taken)]
    assert list(waiting) == [key for key in before if key not in taken]
    together = [*beside.values(), *taken.values()]
    alone = not beside and len(taken) == 1
    fits = sum(map(len, together)) + len(taken) <= batches.MOST_BYTES
    assert fits or alone or not taken


@given(waiting=writes, in_flight=st.frozensets(keys))
def test_take_makes_no_request_smaller_than_it_must(
    waiting: OrderedDict[Hashable, bytes], in_flight: frozenset[int]
) -> None:
    taken = batches.take(waiting, in_flight, beside={})
    free = [write for key, write in waiting.items() if key not in in_flight]
    if free and len(taken) < batches.MOST_WRITES:
        with_next = sum(map(len, taken.values())) + len(free[0]) + len(taken) + 1
        assert with_next > batches.MOST_BYTES


def test_a_write_larger_than_a_request_goes_alone() -> None:
    """DynamoDB refuses it with a reason; held back, it would wait for ever."""
    waiting: OrderedDict[Hashable, bytes] = OrderedDict(
        a=sized(batches.MOST_BYTES + 1), b=sized(10)
    )
    assert list(batches.take(waiting, (), beside={})) == ["a"]
    assert list(batches.take(waiting, (), beside={})) == ["b"]


def test_a_real_request_of_the_largest_writes_stays_below_16_mb() -> None:
    waiting: OrderedDict[Hashable, bytes] = OrderedDict(
        (number, b"x" * 799_999) for number in range(30)
    )
    taken = batches.take(waiting, (), beside={})
    assert len(taken) == 20
    assert len(batches.request("t" * 255, taken)) <= 16 * 1024 * 1024
