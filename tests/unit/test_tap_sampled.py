from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.table import Key
from tap_dynamodb.sampled import Seen, columns, safe_in_double

if TYPE_CHECKING:
    from dynamodb_core.codec import Item

KEY = Key(("pk", "sk"), ("S", "N"))
VALUES: dict[str, Any] = {"S": "x", "N": "1", "B": "AA==", "BOOL": True, "NULL": True, "L": []}


def seen(**counts: dict[str, int]) -> Seen:
    """Return what a sample has shown, from counts such as `a={"S": 2, "N": 1}`."""
    shown = Seen()
    for name, kinds in counts.items():
        for kind, count in kinds.items():
            for _ in range(count):
                shown.add({name: {kind: VALUES[kind]}})
    return shown


def test_a_sample_counts_the_types_of_each_attribute() -> None:
    shown = Seen().add({"a": {"S": "x"}, "b": {"N": "1"}}).add({"a": {"N": "1"}})
    assert shown.counts == {"a": {"S": 1, "N": 1}, "b": {"N": 1}}


def test_samples_merge_in_any_order() -> None:
    one: Item = {"a": {"S": "x"}, "b": {"N": "1"}}
    two: Item = {"a": {"N": "1"}, "c": {"L": []}}
    together = Seen().add(one).add(two)
    assert Seen().add(one).merge(Seen().add(two)) == together
    assert Seen().add(two).merge(Seen().add(one)) == together
    assert Seen().merge(together) == together


def test_keys_come_first_with_the_types_of_the_key_then_attributes_by_name() -> None:
    shown = seen(zebra={"S": 1}, apple={"N": 1}, pk={"S": 1}, sk={"N": 1})
    assert list(columns(shown, KEY, 100).items()) == [
        ("pk", "S"),
        ("sk", "N"),
        ("apple", "N"),
        ("zebra", "S"),
    ]


def test_keys_are_columns_whatever_the_sample_shows() -> None:
    assert columns(Seen(), KEY, 100) == {"pk": "S", "sk": "N"}
    assert columns(seen(pk={"N": 9}), KEY, 100) == {"pk": "S", "sk": "N"}


def test_an_attribute_of_several_types_gets_the_one_it_had_most_often() -> None:
    shown = seen(a={"S": 1, "N": 2}, b={"N": 2, "S": 3})
    assert columns(shown, KEY, 100) == {"pk": "S", "sk": "N", "a": "N", "b": "S"}


def test_a_tie_is_decided_the_same_on_every_run() -> None:
    assert columns(seen(a={"S": 2, "N": 2}), KEY, 100)["a"] == "N"
    assert columns(seen(a={"N": 2, "S": 2}), KEY, 100)["a"] == "N"


def test_null_decides_no_column() -> None:
    shown = seen(never={"NULL": 5}, mostly={"NULL": 5, "BOOL": 1})
    assert columns(shown, KEY, 100) == {"pk": "S", "sk": "N", "mostly": "BOOL"}


def test_the_limit_keeps_what_was_seen_most_often_and_always_the_key() -> None:
    shown = seen(a={"S": 1}, b={"S": 3}, c={"S": 1, "NULL": 1}, d={"S": 1})
    assert columns(shown, KEY, 4) == {"pk": "S", "sk": "N", "b": "S", "c": "S"}
    assert columns(shown, KEY, 5) == {"pk": "S", "sk": "N", "a": "S", "b": "S", "c": "S"}
    assert columns(shown, KEY, 1) == {"pk": "S", "sk": "N"}


def test_no_column_has_the_reserved_name() -> None:
    shown = seen(_dynamodb={"S": 1}, a={"S": 1})
    assert columns(shown, KEY, 100, "_dynamodb") == {"pk": "S", "sk": "N", "a": "S"}
    assert "_dynamodb" in columns(shown, KEY, 100, None)


def test_the_type_of_an_attribute_is_the_one_it_had_most_often() -> None:
    shown = seen(a={"S": 1, "N": 2}, never={"NULL": 3}, mostly={"NULL": 3, "L": 1})
    assert [shown.kind(name) for name in ("a", "never", "mostly", "unknown")] == [
        "N",
        None,
        "L",
        None,
    ]


# Columns that are given


def test_given_columns_are_there_whatever_the_sample_shows() -> None:
    shown = seen(a={"S": 9}, b={"S": 1})
    assert columns(shown, KEY, 100, None, {"a": "N", "unseen": "BOOL"}) == {
        "pk": "S",
        "sk": "N",
        "a": "N",
        "b": "S",
        "unseen": "BOOL",
    }


def test_given_columns_come_before_all_others_where_room_is_short() -> None:
    shown = seen(often={"S": 9}, seldom={"S": 1}, never={"NULL": 20})
    assert columns(shown, KEY, 4, None, {"seldom": "S", "unseen": "N"}) == {
        "pk": "S",
        "sk": "N",
        "seldom": "S",
        "unseen": "N",
    }
    assert "often" in columns(shown, KEY, 5, None, {"seldom": "S", "unseen": "N"})


def test_what_is_given_is_not_changed() -> None:
    given = {"a": "N"}
    columns(seen(b={"S": 1}), KEY, 100, None, given)
    assert given == {"a": "N"}


# Numbers that a double cannot tell apart


@pytest.mark.parametrize(
    "text",
    [
        "0", "-0", "1", "1.0", "-17", "1e3", "123456789012345", "1234567890123456",
        "1700000000000000", "9007199254740991", "9007199254740992", "-9007199254740992", "0.1",
        "0.30000000000000004", "12345.678", "1E-130", "001", "no number at all, and long", "",
    ],
)  # fmt: skip
def test_a_double_holds_small_numbers(text: str) -> None:
    assert safe_in_double(text)


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993", "9007199254740994", "-9007199254740994", "1E+20", "9" * 38,
        "100000000000000000000", "0.1000000000000000000001", "1234567890.12345678", "1E+125",
        "9007199254740992.00000000000000001",
    ],
)  # fmt: skip
def test_a_double_does_not_hold_these_or_not_those_next_to_them(text: str) -> None:
    assert not safe_in_double(text)


def test_a_sample_counts_the_numbers_that_a_double_cannot_tell_apart() -> None:
    shown = Seen()
    for text in ("1", "9007199254740993", "9007199254740995"):
        shown.add({"id": {"N": text}, "name": {"S": "9007199254740993"}})
    assert shown.inexact == {"id": 2}
    assert Seen().merge(shown).merge(shown).inexact == {"id": 4}
