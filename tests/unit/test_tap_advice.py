from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key, Table
from tap_dynamodb.advice import advise, clashes
from tap_dynamodb.discovery import sampled_schema
from tap_dynamodb.sampled import Seen
from tap_dynamodb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamodb_core.codec import Item

ORDERS = Table("orders", "", "id-1", Key(("pk", "sk"), ("S", "N")))
PLAIN = Settings(aws=AwsSettings())
BIG = "9007199254740993"


def sample(*items: Item) -> Seen:
    seen = Seen()
    for item in items:
        seen.add(item)
    return seen


def with_attributes(names: Iterable[str]) -> Seen:
    return sample({name: {"S": "x"} for name in names})


def advice(seen: Seen, table: Table = ORDERS, entity: str | None = None, **more: Any) -> list[str]:
    settings = replace(PLAIN, **more)
    return advise(seen, sampled_schema(seen, table, settings, entity), table, settings)


def test_where_all_is_well_nothing_is_said() -> None:
    assert advice(Seen()) == []
    item: Item = {"pk": {"S": BIG}, "sk": {"N": "1"}, "a": {"N": BIG}, "A_b": {"S": "x"}}
    assert advice(sample(item)) == []


# Names that clash downstream


@pytest.mark.parametrize(
    "names",
    [
        ("userId", "userid"),
        ("a b", "a-b", "a.b", "a_b"),
        ("A.B", "a_b"),
        ("a#b", "ab"),
        ("A#b", "ab"),
        ("a#b", "a_b"),
        ("#", "$"),
        (" a", "a"),
        ("Größe", "größe"),
    ],
)
def test_names_that_differ_in_case_or_punctuation_only_clash(names: tuple[str, ...]) -> None:
    assert clashes([*names, "other"]) == [tuple(sorted(names))]


@pytest.mark.parametrize(
    "names",
    [(), ("a",), ("a", "a"), ("ab", "a_b"), ("userId", "user_id"), ("a", "b"), ("größe", "gre")],
)
def test_other_names_do_not(names: tuple[str, ...]) -> None:
    assert clashes(names) == []


def test_clashing_columns_are_named_with_the_ways_out() -> None:
    (line,) = advice(with_attributes(["userId", "userid", "PK", "a.b", "a b", "a_b"]))
    assert line == (
        "Table orders: SQL targets may make one column of names that differ only in case or "
        "punctuation: 'PK' and 'pk'; 'a b', 'a.b' and 'a_b'; 'userId' and 'userid'. Set item_format "
        "to packed, or rename them with a stream map"
    )


def test_groups_and_names_are_shown_up_to_a_few() -> None:
    groups = [f"{letter}{mark}x" for letter in "abcdefg" for mark in " .-_:/"]
    (line,) = advice(with_attributes(groups))
    assert "'a x', 'a-x', 'a.x', 'a/x' and 2 more; 'b x'" in line
    assert "'e/x' and 2 more; and 2 more such groups." in line
    assert "'f x'" not in line


def test_names_cannot_break_the_log() -> None:
    (line,) = advice(with_attributes(["a\nb", "a_b"]))
    assert "\n" not in line


def test_packed_clashes_in_its_keys_only() -> None:
    table = replace(ORDERS, key=Key(("pk", "PK"), ("S", "S")))
    for item_format in ("packed", "dynamodb_json"):
        assert advice(with_attributes(["a", "A"]), item_format=item_format) == []
        (line,) = advice(Seen(), table, item_format=item_format)
        assert "'PK' and 'pk'. Rename them with a stream map" in line


def test_the_stream_of_an_entity_is_named() -> None:
    (line,) = advice(with_attributes(["a", "A"]), entity="lines")
    assert line.startswith("Stream lines of table orders: ")


# Numeric keys


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_numeric_keys_that_a_double_merges_are_counted_and_not_shown(item_format: str) -> None:
    seen = sample(*({"pk": {"S": BIG}, "sk": {"N": text}} for text in ("1", BIG, "1E+30", "2")))
    (line,) = advice(seen, item_format=item_format)
    assert line == (
        "Table orders: 2 of 4 sampled values of the key attribute 'sk' are more than a double can "
        "tell apart. Targets that make floats of numbers (Snowflake) would merge such keys: set "
        "decimals to string"
    )
    assert advice(seen, item_format=item_format, decimals="string") == []


def test_each_numeric_key_is_looked_at() -> None:
    table = replace(ORDERS, key=Key(("pk", "sk"), ("N", "N")))
    seen = sample({"pk": {"N": BIG}, "sk": {"N": BIG}})
    assert [line.split("'")[1] for line in advice(seen, table)] == ["pk", "sk"]


# More attributes than columns


def test_attributes_beyond_the_limit_are_counted() -> None:
    seen = with_attributes([f"a{number}" for number in range(10)]).add({"never": {"NULL": True}})
    (line,) = advice(seen, max_attributes=5)
    assert line == (
        "Table orders: the sample shows 7 attributes more than max_attributes (5) allows, which go "
        "to _dynamodb. Set item_format to packed, or raise max_attributes"
    )
    assert advice(seen, max_attributes=12) == []
    assert advice(seen, max_attributes=5, item_format="packed") == []


def test_without_type_tags_they_are_left_out() -> None:
    (line,) = advice(with_attributes(["a", "b"]), max_attributes=3, type_tags=False)
    assert "shows 1 attributes more" in line
    assert "which are left out, as type_tags is false." in line


def test_the_reserved_name_is_not_one_of_them() -> None:
    assert advice(with_attributes(["a", "_dynamodb"]), max_attributes=3) == []
