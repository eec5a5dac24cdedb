"""Generated items: the same for ever, valid, with distinct keys, as large as is asked for."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections import Counter
from typing import Any

import orjson
import pytest

from dynamodb_core import numbers, sizes
from dynamodb_core.codec import TYPES
from dynamodb_core.errors import ConfigError
from dynamodb_core.sizes import IndexKey
from dynamodb_core.table import Key, Table
from dynamodb_tools import hard_cases, key_values, shapes
from dynamodb_tools.recipe import Items, Recipe
from dynamodb_tools.shapes import SHAPES

ID = Key(("id",), ("S",))
PAIR = Key(("pk", "sk"), ("S", "N"))
KEYS = [
    *(Key(("k",), (kind,)) for kind in "SNB"),
    *(Key(("k", "s"), (kind, other)) for kind in "SNB" for other in "SNB"),
]
keys = pytest.mark.parametrize("key", KEYS, ids=str)
every_shape = pytest.mark.parametrize("shape", SHAPES)

DIGESTS = {
    "flat": "57de32d9f6b4e1ff",
    "nested": "175a8f133c30aacb",
    "large": "621183e53272608f",
    "every": "3c91e01ef53687f7",
    "nasty": "b5383d1d3061f0a7",
}


def made(recipe: Recipe, *numbered: int) -> list[dict[str, Any]]:
    items = Items(recipe)
    return [orjson.loads(items.item(number)[1]) for number in numbered]


def digest(shape: str, count: int) -> str:
    items = Items(Recipe(PAIR, shape))
    said = hashlib.blake2b(digest_size=8)
    for number in range(count):
        said.update(items.item(number)[1])
    return said.hexdigest()


def count_of(shape: str) -> int:
    return 40 if shape == "large" else 1000


def walk(value: dict[str, Any]) -> list[tuple[str, Any]]:
    [(kind, content)] = value.items()
    inner = content.values() if kind == "M" else content if kind == "L" else ()
    return [(kind, content), *(each for one in inner for each in walk(one))]


@every_shape
def test_the_first_items_of_a_shape_are_these_for_ever(shape: str) -> None:
    assert digest(shape, count_of(shape)) == DIGESTS[shape]


def test_another_process_makes_the_same_items() -> None:
    """In an order of its own, with other hashes."""
    code = (
        "from tests.unit.test_tools_shapes import *\n"
        "items = Items(Recipe(PAIR, 'nasty', seed=7))\n"
        "print(hashlib.blake2b(b''.join(items.item(n)[1] for n in (701, 299, 3))).hexdigest())"
    )
    items = Items(Recipe(PAIR, "nasty", seed=7))
    here = hashlib.blake2b(b"".join(items.item(number)[1] for number in (701, 299, 3))).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": "3"}
    )
    assert done.stdout.decode().strip() == here


@every_shape
def test_another_seed_makes_other_items_of_the_same_keys(shape: str) -> None:
    some = (0, 300, 499, 1234)
    one, other = (made(Recipe(PAIR, shape, seed=seed), *some) for seed in (1, 2))
    assert [(i["pk"], i["sk"]) for i in one] == [(i["pk"], i["sk"]) for i in other]
    assert one != other


@every_shape
def test_all_items_are_such_as_dynamodb_takes(shape: str) -> None:
    for key in KEYS:
        table = Table("t", "", "", key)
        items = Items(Recipe(key, shape))
        for number in range(3 if shape == "large" else 520):
            identity, text = items.item(number)
            item = orjson.loads(text)
            sizes.check(item, table)
            assert key.identity(item) == identity
            for name, value in item.items():
                assert 1 <= len(name.encode()) <= 65_535
                for kind, content in walk(value):
                    valid(kind, content)


def valid(kind: str, content: Any) -> None:
    assert kind in TYPES
    if kind == "N":
        numbers.checked(content)
    if kind in ("SS", "NS", "BS"):
        assert content
        same = map(numbers.canonical, content) if kind == "NS" else content
        assert len(set(same)) == len(content)


@keys
@pytest.mark.parametrize("shape", ["flat", "nasty"])
def test_keys_differ(key: Key, shape: str) -> None:
    for spread in ("uniform", "hot") if len(key.names) > 1 else ("uniform",):
        items = Items(Recipe(key, shape, spread=spread))
        far = [number * 9_973_111 for number in range(1000)]
        some = [*range(5000), *(number for number in far if number >= 5000)]
        found = {tuple(value.identity for value in items.key(number)) for number in some}
        assert len(found) == len(some)


def test_uniform_keys_are_spread() -> None:
    items = Items(Recipe(PAIR))
    partitions = Counter(items.key(number)[0].identity for number in range(10_000))
    assert set(partitions.values()) == {key_values.PER_PARTITION}
    for begin in (0, 900, 5500):
        near = {items.key(number)[0].identity for number in range(begin, begin + 100)}
        assert len(near) == key_values.SIDE_BY_SIDE


def test_hot_keys_are_hot() -> None:
    items = Items(Recipe(PAIR, spread="hot"))
    partitions = Counter(items.key(number)[0].identity for number in range(10_000))
    [(hot, most), (_, next_most)] = partitions.most_common(2)
    assert hot == ("S", "000000000000")
    assert (most, next_most) == (9000, 10)


def test_no_partition_key_is_hot_without_a_sort_key() -> None:
    with pytest.raises(ConfigError, match=r"id \(S\).*each item has one of its own"):
        Items(Recipe(ID, spread="hot"))


@keys
@pytest.mark.parametrize("shape", ["flat", "nested", "every", "large"])
def test_items_are_as_large_as_is_asked_for(key: Key, shape: str) -> None:
    least = sum(map(len, key.names)) + sum(key_values.KEY_BYTES[kind] for kind in key.types) + 3
    numbered = (0, 1, 99, 100, 12_300, 99_999, 8_300_000_000, 10**12 - 1)
    for size in (least, least + 5, least + 40, 200, 1024, 4096, sizes.MOST_ITEM_BYTES):
        found = [sizes.item_size(item) for item in made(Recipe(key, shape, size=size), *numbered)]
        assert found == [size] * len(numbered)
    with pytest.raises(ConfigError, match=f"has {least} at the least"):
        Items(Recipe(key, shape, size=least - 1))


def test_a_size_that_leaves_no_room_takes_the_first_attributes() -> None:
    [item] = made(Recipe(ID, "flat", size=60), 5)
    assert [*item] == ["id", "name", "live", "sum", "city", "at", "pad"]
    [item] = made(Recipe(ID, "flat", size=500), 5)
    assert len(item) == 9
    assert len(item["pad"]["S"]) > 400


def test_a_size_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="DynamoDB takes 409,600"):
        Items(Recipe(ID, size=409_601))
    with pytest.raises(ConfigError, match="sizes of their own"):
        Items(Recipe(ID, "nasty", size=1000))


def test_at_rises_with_the_number() -> None:
    found = [int(item["at"]["N"]) for item in made(Recipe(PAIR, "nested"), 0, 1, 2, 5_000_000)]
    assert [moment - found[0] for moment in found] == [0, 1, 2, 5_000_000]


def test_a_key_named_as_an_attribute_goes_before_it() -> None:
    for name in ("at", "city", "pad"):
        [item] = made(Recipe(Key((name,), ("B",)), size=120), 3)
        assert item[name] == {"B": "AAAAAAAAAAM="}
        assert sizes.item_size(item) == 120


def test_attributes_of_indexes_have_the_type_that_these_want() -> None:
    wanted = (
        IndexKey("city", "N", "by_city"),
        IndexKey("at", "S", "by_at"),
        IndexKey("kind", "S", "by_kind"),
        IndexKey("far", "B", "by_far"),
        IndexKey("pad", "S", "by_pad"),
    )
    for size in (None, 120, 1000):
        items = made(Recipe(ID, size=size, index_keys=wanted), *range(0, 3000, 7))
        for item in items:
            sizes.check_index_keys(item, wanted)
            assert item.keys() >= {"city", "at", "kind", "far", "pad"}
        assert len({item["far"]["B"] for item in items}) > 100
        assert size is None or {sizes.item_size(item) for item in items} == {size}
    nasty = made(Recipe(ID, "nasty", index_keys=(IndexKey("text", "S", "i"),)), *range(500))
    assert all(item["text"]["S"] for item in nasty)


def test_flat_and_nested_are_what_is_measured() -> None:
    """The figures of docs/performance.md are of these items."""
    rng = random.Random(1)
    wire = [len(orjson.dumps({"id": {"S": "000000-00000"}, **shapes.flat(rng)})) for _ in range(99)]
    assert 168 <= sum(wire) / 99 <= 172
    wire = [
        len(orjson.dumps({"id": {"S": "000000-00000"}, **shapes.nested(rng)})) for _ in range(99)
    ]
    assert 1580 <= sum(wire) / 99 <= 1680
    [one, other] = [made(Recipe(ID, shape), 5)[0] for shape in ("flat", "nested")]
    assert (len(one), len(other)) == (8, 20)


def test_every_has_each_type_at_the_top_in_a_map_and_in_a_list() -> None:
    for item in made(Recipe(ID, "every"), *range(50)):
        assert {kind for value in item.values() for kind in value} == set(TYPES)
        assert {kind for value in item["map"]["M"].values() for kind in value} == set(TYPES)
        assert {kind for value in item["list"]["L"] for kind in value} == set(TYPES)


def test_nasty_has_every_hard_case_and_more() -> None:
    found = made(Recipe(ID, "nasty"), *range(500))
    bodies = [{name: value for name, value in item.items() if name != "id"} for item in found]
    for name, case in hard_cases.SMALL_CASES:
        assert case in bodies, name
    assert sum(sizes.item_size(item) > 390_000 for item in found) == 6
    ids = [item["id"]["S"] for item in found]
    assert set(hard_cases.KEY_TEXTS) <= set(ids)
    kinds = Counter(kind for item in found[281:] for v in item.values() for kind, _ in walk(v))
    assert len(kinds) >= 9
