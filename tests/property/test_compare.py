"""The comparison is the judge of everything else here: what it must see, and what it must not."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from demo.compare import Difference, compare
from dynamodb_tools.hard_cases import NUMBERS

if TYPE_CHECKING:
    from demo.wire import Item

KEY = (("id", "S"), ("n", "N"))
Value = dict[str, Any]

DIFFERENT: list[tuple[Value, Value]] = [
    ({"S": "a"}, {"S": "A"}),
    ({"S": "é"}, {"S": "e\u0301"}),
    ({"S": "a"}, {"S": "a "}),
    ({"S": ""}, {"NULL": True}),
    ({"S": "1"}, {"N": "1"}),
    ({"S": "AA=="}, {"B": "AA=="}),
    ({"N": "1"}, {"N": "-1"}),
    ({"N": "9007199254740993"}, {"N": "9007199254740992"}),
    ({"N": "1E-130"}, {"N": "0"}),
    ({"N": "0.12345678901234567890123456789012345678"}, {"N": "0.1234567890123456789"}),
    ({"N": "12345678901234567890123456789012345678"}, {"N": "1.234567890123457E+37"}),
    ({"B": "AA=="}, {"B": "AQ=="}),
    ({"B": ""}, {"S": ""}),
    ({"BOOL": True}, {"BOOL": False}),
    ({"BOOL": True}, {"S": "true"}),
    ({"BOOL": True}, {"N": "1"}),
    ({"BOOL": True}, {"BOOL": 1}),
    ({"NULL": True}, {"BOOL": True}),
    ({"NULL": True}, {"S": "null"}),
    ({"SS": ["a", "b"]}, {"SS": ["a"]}),
    ({"SS": ["a", "b"]}, {"SS": ["a", "c"]}),
    ({"SS": ["a", "b"]}, {"SS": ["a", "b", "b"]}),
    ({"SS": ["a", "b"]}, {"L": [{"S": "a"}, {"S": "b"}]}),
    ({"SS": ["1", "2"]}, {"NS": ["1", "2"]}),
    ({"SS": ["1"]}, {"SS": ["1.0"]}),
    ({"NS": ["1", "2"]}, {"NS": ["1", "3"]}),
    ({"BS": ["AA=="]}, {"BS": ["AQ=="]}),
    ({"BS": ["AA=="]}, {"SS": ["AA=="]}),
    ({"L": []}, {"M": {}}),
    ({"M": {}}, {"NULL": True}),
    ({"M": {"S": {"S": "x"}}}, {"S": "x"}),
]
"""Values that must not pass for one another; the difference is at the value itself."""

SAME: list[tuple[Value, Value]] = [
    ({"N": "1"}, {"N": "1.0"}),
    ({"N": "100"}, {"N": "1E2"}),
    ({"N": "0"}, {"N": "-0"}),
    ({"N": "0.1"}, {"N": "1e-1"}),
    ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
    ({"NS": ["1", "2.50"]}, {"NS": ["2.5", "1E0"]}),
    ({"BS": ["AA==", "AQ=="]}, {"BS": ["AQ==", "AA=="]}),
    ({"M": {"a": {"S": "x"}, "b": {"S": "y"}}}, {"M": {"b": {"S": "y"}, "a": {"S": "x"}}}),
]

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
scalars = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(st.characters(exclude_categories=["Cs"]))),
    st.builds(lambda text: {"N": text}, st.sampled_from(NUMBERS)),
    st.sampled_from([{"BOOL": True}, {"NULL": True}, {"B": "AA=="}, {"SS": ["a", "b"]}]),
)
values: st.SearchStrategy[Value] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(lambda members: {"M": members}, st.dictionaries(names, inner, max_size=3)),
        st.builds(lambda members: {"L": members}, st.lists(inner, max_size=3)),
    ),
    max_leaves=6,
)
steps = st.lists(st.one_of(names, st.integers(0, 3)), max_size=4)


def keys() -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(names, st.integers(-9, 9)), min_size=1, max_size=6, unique=True)


@st.composite
def tables(draw: st.DrawFn) -> list[Item]:
    attributes = st.dictionaries(names, values, max_size=4)
    return [
        {**draw(attributes), "id": {"S": text}, "n": {"N": str(number)}}
        for text, number in draw(keys())
    ]


def bury(value: Value, path: list[str | int]) -> tuple[Value, str]:
    """Wrap a value in maps (by name) and lists (by index); return it and the path to it."""
    text = ""
    for step in reversed(path):
        text = f"[{step!r}]{text}"
        if isinstance(step, int):
            value = {"L": [{"S": "before"}] * step + [value, {"S": "after"}]}
        else:
            value = {"M": {"other": {"S": "x"}, step: value}}
    return value, text


def word(item: Item) -> str:
    return f"id={item['id']['S']!r}, n={item['n']['N']!r}"


@given(tables(), st.randoms(use_true_random=False))
def test_a_table_is_identical_to_itself_in_any_order(items: list[Item], rng: Any) -> None:
    other = copy.deepcopy(items)
    rng.shuffle(other)
    outcome = compare(items, other, KEY)
    assert outcome.identical
    assert (outcome.source_count, outcome.target_count) == (len(items), len(items))


@given(tables(), st.data(), steps, st.sampled_from(DIFFERENT), st.booleans())
def test_a_changed_value_is_found_at_its_path(
    items: list[Item],
    data: st.DataObject,
    path: list[str | int],
    pair: tuple[Value, Value],
    swap: bool,
) -> None:
    before, after = reversed(pair) if swap else pair
    chosen = data.draw(st.integers(0, len(items) - 1))
    other = copy.deepcopy(items)
    items[chosen]["changed"], text = bury(before, path)
    other[chosen]["changed"], _ = bury(after, path)
    difference = Difference(word(items[chosen]), f"['changed']{text}", repr(before), repr(after))
    assert compare(items, other, KEY).differences == [difference]


@given(tables(), st.data(), steps, st.sampled_from(SAME), st.booleans())
def test_another_way_to_write_a_value_is_no_difference(
    items: list[Item],
    data: st.DataObject,
    path: list[str | int],
    pair: tuple[Value, Value],
    swap: bool,
) -> None:
    before, after = reversed(pair) if swap else pair
    chosen = data.draw(st.integers(0, len(items) - 1))
    other = copy.deepcopy(items)
    items[chosen]["changed"], _ = bury(before, path)
    other[chosen]["changed"], _ = bury(after, path)
    assert compare(items, other, KEY).identical


@given(tables(), st.data(), steps, names, values, st.booleans())
def test_a_missing_attribute_is_found_at_any_depth(
    items: list[Item],
    data: st.DataObject,
    path: list[str | int],
    name: str,
    value: Value,
    swap: bool,
) -> None:
    chosen = data.draw(st.integers(0, len(items) - 1))
    other = copy.deepcopy(items)
    items[chosen]["changed"], text = bury({"M": {name: value}}, path)
    other[chosen]["changed"], _ = bury({"M": {}}, path)
    source, target = (other, items) if swap else (items, other)
    (found,) = compare(source, target, KEY).differences
    assert (found.key, found.path) == (word(items[chosen]), f"['changed']{text}[{name!r}]")
    assert (found.target if not swap else found.source) == "nothing"


@given(tables(), st.data(), steps)
def test_members_of_a_list_have_an_order_and_a_number(
    items: list[Item], data: st.DataObject, path: list[str | int]
) -> None:
    chosen = data.draw(st.integers(0, len(items) - 1))
    swapped, shorter = copy.deepcopy(items), copy.deepcopy(items)
    items[chosen]["changed"], text = bury({"L": [{"S": "a"}, {"S": "b"}]}, path)
    swapped[chosen]["changed"], _ = bury({"L": [{"S": "b"}, {"S": "a"}]}, path)
    shorter[chosen]["changed"], _ = bury({"L": [{"S": "a"}]}, path)
    paths = [found.path for found in compare(items, swapped, KEY).differences]
    assert paths == [f"['changed']{text}[0]", f"['changed']{text}[1]"]
    (found,) = compare(items, shorter, KEY).differences
    assert found.path == f"['changed']{text}[1]"


@given(tables(), st.data())
def test_missing_added_and_repeated_items_are_found(items: list[Item], data: st.DataObject) -> None:
    chosen = data.draw(st.integers(0, len(items) - 1))
    key = word(items[chosen])
    fewer = items[:chosen] + items[chosen + 1 :]
    assert compare(items, fewer, KEY).differences == [Difference(key, "", "the item", "nothing")]
    assert compare(fewer, items, KEY).differences == [Difference(key, "", "nothing", "the item")]
    twice = [*items, items[chosen]]
    assert [found.key for found in compare(items, twice, KEY).differences] == [key]
    assert [found.key for found in compare(twice, items, KEY).differences] == [key]


def test_keys_are_typed_tuples_with_numbers_by_value() -> None:
    def item(text: str, number: str) -> Item:
        return {"id": {"S": text}, "n": {"N": number}}

    assert compare([item("a", "1.0")], [item("a", "1e0")], KEY).source_count == 1
    key = (("a", "S"), ("b", "S"))
    left = {"a": {"S": "a$"}, "b": {"S": "b"}}
    right = {"a": {"S": "a"}, "b": {"S": "$b"}}
    assert len(compare([left], [right], key).differences) == 2
    assert (
        len(
            compare(
                [{"a": {"S": "x"}, "b": {"S": "y"}}], [{"a": {"S": "y"}, "b": {"S": "x"}}], key
            ).differences
        )
        == 2
    )
