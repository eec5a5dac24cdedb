from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from dynamodb_core.errors import ConfigError, DataError
from tap_dynamodb.entities import Entities

if TYPE_CHECKING:
    from collections.abc import Sequence


def rule(stream: str, **where: Any) -> dict[str, Any]:
    """Return a rule: a text is a prefix, a tuple of one holds what the value must equal."""
    return {
        "stream": stream,
        "where": {
            name: {"prefix": said} if isinstance(said, str) else {"equals": said[0]}
            for name, said in where.items()
        },
    }


def raw(item: Any) -> msgspec.Raw:
    return msgspec.Raw(item if isinstance(item, bytes) else orjson.dumps(item))


def matches(condition: dict[str, Any], value: Any) -> bool:
    """Return whether an item with this value of `a` goes to the entity of a condition."""
    item = raw({"pk": {"S": "x"}, "a": value, "z": {"L": [{"M": {"a": {"S": "x"}}}]}})
    found = Entities.of([{"stream": "e", "where": {"a": condition}}], "own").split([item])
    assert sorted(map(len, found.values())) == [0, 1]
    return bool(found["e"])


def split(rules: list[dict[str, Any]], items: Sequence[Any]) -> dict[str, list[Any]]:
    found = Entities.of(rules, "own").split([raw(item) for item in items])
    return {name: [orjson.loads(bytes(each)) for each in some] for name, some in found.items()}


# Streams


def test_streams_are_those_of_the_rules_once_and_the_tables_own_last() -> None:
    rules = [rule("b", sk="B#"), rule("a", sk="A#"), rule("own", sk="O#"), rule("b", pk="B#")]
    entities = Entities.of(rules, "own")
    assert entities.streams == ("b", "a", "own")
    assert entities.attributes == {"pk", "sk"}


def test_without_rules_everything_goes_to_the_tables_own_stream_undecoded() -> None:
    entities = Entities.of([], "own")
    assert entities.streams == ("own",)
    assert entities.attributes == frozenset()
    items = [msgspec.Raw(b"not even JSON")]
    assert entities.split(items) == {"own": items}
    assert entities.split(items)["own"] is not items


def test_every_stream_is_there_and_items_keep_their_order_and_their_bytes() -> None:
    items = [raw({"sk": {"S": text}}) for text in ("B#2", "A#1", "x", "B#1", "A#1")]
    items.append(raw(b' { "sk" : { "S" : "A#9" } }'))
    found = Entities.of([rule("a", sk="A#"), rule("b", sk="B#"), rule("c", sk="C#")], "own").split(
        items
    )
    assert list(found) == ["a", "b", "c", "own"]
    assert found["a"] == [items[1], items[4], items[5]]
    assert found["b"] == [items[0], items[3]]
    assert found["c"] == []
    assert found["own"] == [items[2]]
    assert found["a"][-1] is items[5]


def test_the_first_rule_decides() -> None:
    narrow, wide = rule("narrow", sk="A#1"), rule("wide", sk="A#")
    items = [{"sk": {"S": "A#1"}}, {"sk": {"S": "A#2"}}]
    assert split([narrow, wide], items) == {"narrow": items[:1], "wide": items[1:], "own": []}
    assert split([wide, narrow], items) == {"wide": items, "narrow": [], "own": []}


def test_a_rule_may_leave_items_in_the_tables_own_stream() -> None:
    rules = [rule("own", sk="A#1"), rule("a", sk="A#")]
    items = [{"sk": {"S": "A#1"}}, {"sk": {"S": "A#2"}}, {"sk": {"S": "B"}}]
    assert split(rules, items) == {"a": items[1:2], "own": [items[0], items[2]]}


def test_all_conditions_of_a_rule_must_be_met() -> None:
    rules = [rule("open", sk="ORDER#", status=("open",), n=(1,)), rule("orders", sk="ORDER#")]
    whole = {"sk": {"S": "ORDER#1"}, "status": {"S": "open"}, "n": {"N": "1.0"}}
    others = [{**whole, name: {"S": "x"}} for name in ("status", "n")]
    others += [{name: whole[name] for name in whole if name != gone} for gone in ("status", "n")]
    elsewhere = {**whole, "sk": {"S": "LINE#"}}
    assert split(rules, [whole, *others, elsewhere]) == {
        "open": [whole],
        "orders": others,
        "own": [elsewhere],
    }


def test_one_attribute_may_be_asked_for_several_types() -> None:
    rules = [rule("text", a=("1",)), rule("number", a=(1,)), rule("truth", a=(True,))]
    items = [{"a": {"S": "1"}}, {"a": {"N": "1"}}, {"a": {"BOOL": True}}, {"a": {"SS": ["1"]}}]
    assert split(rules, items) == {
        "text": items[:1],
        "number": items[1:2],
        "truth": items[2:3],
        "own": items[3:],
    }


# Conditions


@pytest.mark.parametrize(
    ("prefix", "value", "expected"),
    [
        ("A#", {"S": "A#1"}, True),
        ("A#", {"S": "A#"}, True),
        ("A#", {"S": "A"}, False),
        ("A#", {"S": ""}, False),
        ("A#", {"S": "xA#"}, False),
        ("A#", {"S": "a#1"}, False),
        ("Größe\n", {"S": "Größe\n1"}, True),
        ("1", {"N": "12"}, False),
        ("Q", {"B": "QQ=="}, False),
        ("x", {"SS": ["x"]}, False),
        ("x", {"L": [{"S": "x"}]}, False),
        ("x", {"M": {"S": {"S": "x"}, "a": {"S": "x"}}}, False),
        ("x", {"NULL": True}, False),
    ],
)
def test_a_prefix_fits_text_only(prefix: str, value: Any, *, expected: bool) -> None:
    assert matches({"prefix": prefix}, value) is expected


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("open", {"S": "open"}, True),
        ("open", {"S": "opened"}, False),
        ("", {"S": ""}, True),
        ("", {"N": "1"}, False),
        ("1", {"N": "1"}, False),
        ("QQ==", {"B": "QQ=="}, False),
        ("true", {"BOOL": True}, False),
        (1, {"N": "1"}, True),
        (1, {"N": "1.0"}, True),
        (1, {"N": "10E-1"}, True),
        (1, {"N": "1.00000000000000000000000000000000000001"}, False),
        (1.0, {"N": "1"}, True),
        (0, {"N": "-0.0"}, True),
        (0.1, {"N": "0.1"}, True),
        (Decimal("0.10"), {"N": "1E-1"}, True),
        (-2, {"N": "2"}, False),
        (10**30, {"N": "1E+30"}, True),
        (9007199254740993, {"N": "9007199254740992"}, False),
        (1, {"S": "1"}, False),
        (1, {"BOOL": True}, False),
        (0, {"BOOL": False}, False),
        (1, {"NS": ["1"]}, False),
        (True, {"BOOL": True}, True),
        (True, {"BOOL": False}, False),
        (False, {"BOOL": False}, True),
        (True, {"N": "1"}, False),
        (True, {"S": "true"}, False),
        (True, {"NULL": True}, False),
        (False, {"NULL": True}, False),
    ],
)
def test_equals_goes_by_type_and_exact_value(wanted: Any, value: Any, *, expected: bool) -> None:
    assert matches({"equals": wanted}, value) is expected


@pytest.mark.parametrize("condition", [{"prefix": "x"}, {"equals": ""}, {"equals": 0}])
@pytest.mark.parametrize("name", ["a", 'a"'])
def test_items_without_the_attribute_meet_no_condition(
    condition: dict[str, Any], name: str
) -> None:
    rules = [{"stream": "e", "where": {name: condition}}]
    items = [{}, {"b": {"S": "x"}}, {"m": {"M": {name: {"S": "x"}}}}]
    assert split(rules, items) == {"e": [], "own": items}
    assert split([{"stream": "e", "where": {name: {"equals": False}}}], items)["e"] == []


@pytest.mark.parametrize(
    "name",
    ["S", "f0", "é", "日本", "a.b", "a/b", "class", " ", "\x7f", 'say "so"', "\\", "\n", "\x00"],
)
def test_attributes_may_have_any_name(name: str) -> None:
    rules = [{"stream": "e", "where": {name: {"prefix": "x"}, "other": {"equals": 1}}}]
    items = [{name: {"S": "x"}, "other": {"N": "1"}}, {name: {"S": "y"}, "other": {"N": "1"}}]
    assert split(rules, items) == {"e": items[:1], "own": items[1:]}


def test_names_that_arrive_with_escapes_are_the_same_names() -> None:
    entities = Entities.of([rule("e", **{"a/é": "x"})], "own")
    item = raw(b'{"a\\/\\u00e9": {"S": "\\u0078yz"}}')
    assert entities.split([item])["e"] == [item]


# Mistakes


@pytest.mark.parametrize("wanted", [int("9" * 39), 1e300, Decimal("1E-131")])
def test_a_number_that_dynamodb_cannot_hold_is_refused(wanted: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^Entity e of stream own asks for n: The number"
    ) as raised:
        Entities.of([rule("e", n=(wanted,))], "own")
    assert raised.value.hint


@pytest.mark.parametrize("name", ["a", 'a"'])
@pytest.mark.parametrize(
    "item",
    [
        b"",
        b"[]",
        b'{"a',
        b'{"A": {"S": 5}}',
        b'{"A": "x"}',
        b'{"A": null}',
        b'{"A": {"S": "\xff"}}',
    ],
)
def test_what_is_no_item_is_refused(item: bytes, name: str) -> None:
    entities = Entities.of([rule("e", **{name: "x"})], "own")
    with pytest.raises(DataError, match="not in DynamoDB's JSON"):
        entities.split([raw(item.replace(b'"A"', orjson.dumps(name)) or b" ")])


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="is no number"):
        split([rule("e", n=(1,))], [{"n": {"N": "NaN"}}])
