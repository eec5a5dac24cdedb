"""Packing, case by case; the laws are in tests/property/test_batches.py."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import orjson

from dynamodb_core import batches
from dynamodb_core.table import Key

if TYPE_CHECKING:
    from collections.abc import Hashable

TWO_PARTS = Key(("pk", "sk"), ("S", "S"))
NUMBER = Key(("n",), ("N",))


def waiting_for(count: int) -> OrderedDict[Hashable, bytes]:
    return OrderedDict((number, b"{}") for number in range(count))


def test_at_most_25_writes_a_request() -> None:
    waiting = waiting_for(60)
    sizes = [len(batches.take(waiting, (), beside={})) for _ in range(4)]
    assert sizes == [25, 25, 10, 0]


def test_writes_beside_take_their_room() -> None:
    waiting = waiting_for(60)
    beside: dict[Hashable, bytes] = dict.fromkeys(range(100, 123), b"{}")
    assert list(batches.take(waiting, beside, beside=beside)) == [0, 1]


def test_a_full_request_takes_nothing_more() -> None:
    waiting = waiting_for(3)
    beside: dict[Hashable, bytes] = dict.fromkeys(range(100, 125), b"{}")
    assert batches.take(waiting, beside, beside=beside) == {}
    assert list(waiting) == [0, 1, 2]


def test_a_key_on_its_way_is_passed_over_and_keeps_its_place() -> None:
    waiting = waiting_for(4)
    assert list(batches.take(waiting, {0, 2}, beside={})) == [1, 3]
    assert list(waiting) == [0, 2]


def test_keys_that_a_separator_would_make_equal_share_a_request() -> None:
    """Trap 2: joined by $ they would be one key, and one of them would be lost."""
    items = [{"pk": {"S": "a$"}, "sk": {"S": "b"}}, {"pk": {"S": "a"}, "sk": {"S": "$b"}}]
    waiting: OrderedDict[Hashable, bytes] = OrderedDict(
        (TWO_PARTS.identity(item), batches.put(orjson.dumps(item))) for item in items
    )
    assert len(batches.take(waiting, (), beside={})) == 2


def test_spellings_of_one_number_are_one_write() -> None:
    """Trap 2: as texts they would be three keys, and DynamoDB refuses the request."""
    waiting: OrderedDict[Hashable, bytes] = OrderedDict()
    for text in ("1", "1.0", "1e0"):
        waiting[NUMBER.identity({"n": {"N": text}})] = text.encode()
    assert list(batches.take(waiting, (), beside={}).values()) == [b"1e0"]
