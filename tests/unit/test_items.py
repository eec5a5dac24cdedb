from __future__ import annotations

import json
import random
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from demo.compare import compare
from demo.items import SHAPES, Shape, ordinary, tricky
from dynamodb_tools.hard_cases import CASES, EVERY_TYPE
from dynamodb_tools.shapes import flat, nested

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.wire import Item
    from tests.engines.tables import Tables

TYPES = {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.table)


def walk(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    ((kind, inner),) = value.items()
    yield kind, inner
    for child in inner.values() if kind == "M" else inner if kind == "L" else ():
        yield from walk(child)


def found_in_cases() -> list[tuple[str, Any]]:
    return [pair for _, item in CASES for value in item.values() for pair in walk(value)]


def size(item: Item) -> int:
    def of(value: dict[str, Any]) -> int:
        inner: Any
        ((kind, inner),) = value.items()
        if kind == "S":
            return len(str(inner).encode())
        if kind == "B":
            return len(inner) * 3 // 4 - str(inner)[-2:].count("=")
        if kind == "L":
            return 3 + sum(1 + of(child) for child in inner)
        return len(json.dumps(inner))

    return sum(len(name.encode()) + of(value) for name, value in item.items())


def test_every_type_at_the_top_in_maps_and_in_lists() -> None:
    assert {kind for value in EVERY_TYPE.values() for kind in value} == TYPES
    pairs = found_in_cases()
    assert {next(iter(v)) for kind, m in pairs if kind == "M" for v in m.values()} == TYPES
    assert {next(iter(v)) for kind, values in pairs if kind == "L" for v in values} == TYPES


def test_numbers_reach_every_border() -> None:
    numbers = {Decimal(v) for kind, v in found_in_cases() if kind == "N"}
    top = "9.9999999999999999999999999999999999999E+125"
    for text in ("1E-130", "-1E-130", top, f"-{top}", "0", "-1", "9007199254740993"):
        assert Decimal(text) in numbers
    digits = ("".join(map(str, number.as_tuple().digits)) for number in numbers)
    assert max(len(text.strip("0")) for text in digits) == 38


def test_empties_and_look_alikes_are_there() -> None:
    pairs = found_in_cases()
    expected: list[tuple[str, Any]] = [
        ("S", ""),
        ("B", ""),
        ("L", []),
        ("M", {}),
        ("M", {"S": {"S": "x"}}),
    ]
    for pair in expected:
        assert pair in pairs


def test_odd_names_are_there() -> None:
    names = {name for _, item in CASES for name in item}
    odd = {"M", "S", "NULL", "Item", "item", "_dynamodb", "userId", "userid", "a.b", "a b", "a/b"}
    odd |= {"a~b", '"', "'", "\x00", "\x01", "\n", "TABLE", "COUNT", "😀"}
    assert odd <= names
    assert any(userids.keys() >= {"userId", "userid", "USERID"} for _, userids in CASES)


def test_one_attribute_comes_with_every_type() -> None:
    assert {next(iter(item["changing"])) for _, item in CASES if "changing" in item} == TYPES


def test_texts_hold_emoji_and_nul() -> None:
    texts = "".join(v for kind, v in found_in_cases() if kind == "S")
    assert "😀" in texts
    assert "\x00" in texts


def test_depth_and_size_reach_the_limits() -> None:
    def depth(value: dict[str, Any]) -> int:
        ((kind, inner),) = value.items()
        children = inner.values() if kind == "M" else inner if kind == "L" else ()
        return 1 + max((depth(child) for child in children), default=0)

    assert max(depth(v) for _, item in CASES for v in item.values()) == 32
    large = [item for _, item in tricky(SHAPES[0]) if size(item) > 400_000]
    assert len(large) >= 5
    assert all(size(item) <= 409_600 for item in large)


@shapes
def test_keys_differ_and_are_of_their_shape(shape: Shape) -> None:
    items = [item for _, item in tricky(shape)] + list(ordinary(shape, 200))
    outcome = compare(items, items, shape.key)
    assert outcome.identical
    assert outcome.source_count == len(items) > 200 + len(CASES) - 1
    for item in items:
        assert all(item[name].keys() == {kind} for name, kind in shape.key)


@shapes
def test_items_are_the_same_on_every_run(shape: Shape) -> None:
    assert list(tricky(shape)) == list(tricky(shape))
    assert list(ordinary(shape, 50)) == list(ordinary(shape, 50))
    assert list(ordinary(shape, 50, seed=2)) != list(ordinary(shape, 50))


def test_ordinary_items_have_the_sizes_that_are_named() -> None:
    rng = random.Random(1)

    def mean(sizes: list[int]) -> float:
        return sum(sizes) / len(sizes)

    assert 130 < mean([len(json.dumps(flat(rng))) for _ in range(100)]) < 260
    assert 1200 < mean([len(json.dumps(nested(rng))) for _ in range(100)]) < 3000


def test_hard_keys_come_first() -> None:
    artists = [item["artist"]["S"] for item in islice(SHAPES[0].keys(), 3)]
    assert artists == ["a", "A", "é"]


@shapes
def test_ministack_keeps_every_hard_item(shape: Shape, tables: Tables) -> None:
    keeps_every_hard_item(shape, tables)


@shapes
def test_dynamodb_local_keeps_every_hard_item(shape: Shape, reference_tables: Tables) -> None:
    keeps_every_hard_item(shape, reference_tables)


def keeps_every_hard_item(shape: Shape, tables: Tables) -> None:
    items = [item for _, item in tricky(shape)]
    name = tables.create(items, key=shape.key)
    assert str(compare(items, tables.items(name), shape.key)) == f"identical: {len(items)} items"
