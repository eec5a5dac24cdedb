"""Digests and differences against plain references, over items of every kind, badly named and spelled."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from hashlib import blake2b
from typing import Any

import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynamodb_core import numbers
from dynamodb_core.table import Key
from dynamodb_tools.canonical import Canon, Row, bucket_of, key_of, number, pack, unpack
from dynamodb_tools.differing import differences
from tests.property import strategies as some

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Item = dict[str, Any]

KEY = Key(("id",), ("S",))
CANON = Canon(KEY)

TRICKY = (
    '"N":"1.0"', '{"N":"01"}', '\\"N":"1.0"', '"SS":["b","a"]', 'S":[', '"B":"AB=="', '"N', 'N"', '":"',
    '","N":"1.0', "\\u0022N", "\\", '"', "[", '}{"N":"1.0"}', "é\u2028", "\x00\x1f",
)  # fmt: skip
"""Texts and names that look like what the fast road looks for."""

tricky = st.dictionaries(
    st.sampled_from((*TRICKY, *some.NASTY)),
    st.one_of(
        some.values,
        st.sampled_from(TRICKY).map(lambda text: {"S": text}),
        st.lists(st.sampled_from(TRICKY), min_size=1, unique=True).map(lambda t: {"SS": t}),
        st.dictionaries(
            st.sampled_from((*TRICKY, "N", "NS", "B")),
            st.sampled_from(({"N": "1"}, {"N": "1.0"}, {"B": "AB=="}, {"S": "x"}, {"NULL": True})),
        ).map(lambda members: {"M": members}),
    ),
    max_size=5,
)
items = st.one_of(some.items, tricky).map(lambda item: {**item, "id": {"S": "k"}})


def row_of(item: Item, canon: Canon = CANON) -> Row:
    [row] = canon.rows([orjson.dumps(item)])
    return row


def texts_of_numbers(typed: dict[str, Any]) -> list[str]:
    [(kind, value)] = typed.items()
    if kind in ("M", "L"):
        inner = value.values() if kind == "M" else value
        return [text for each in inner for text in texts_of_numbers(each)]
    return {"N": [value], "NS": list(value) if kind == "NS" else []}.get(kind, [])


def otherwise(typed: Any, draw: random.Random) -> Any:
    """An equal value, written otherwise: members and sets in another order, numbers spelled otherwise."""
    [(kind, value)] = typed.items()
    if kind == "N":
        return {kind: respelled(value, draw)}
    if kind == "NS":
        return {kind: shuffled([respelled(text, draw) for text in value], draw)}
    if kind in ("SS", "BS"):
        return {kind: shuffled(value, draw)}
    if kind == "M":
        return {kind: otherwise_item(value, draw)}
    if kind == "L":
        return {kind: [otherwise(each, draw) for each in value]}
    return typed


def otherwise_item(item: Item, draw: random.Random) -> Item:
    return {name: otherwise(item[name], draw) for name in shuffled(list(item), draw)}


def shuffled(values: list[Any], draw: random.Random) -> list[Any]:
    return draw.sample(values, len(values))


def respelled(text: str, draw: random.Random) -> str:
    short = numbers.canonical(text)
    grown = f"{short}E0" if "E" not in short else short
    plain = numbers.plain_digits(text)
    padded = f"{plain}0" if "." in plain else f"{plain}.00"
    return draw.choice(
        (text, short, grown, plain, f"0{plain}" if plain[0] != "-" else plain, padded)
    )


@patient
@given(st.lists(items, min_size=1, max_size=5))
def test_the_fast_road_gives_what_the_slow_one_gives(page: list[Item]) -> None:
    rows = CANON.rows([orjson.dumps(item) for item in page])
    for row, item in zip(rows, page, strict=True):
        normal = orjson.dumps(CANON.item(item), option=orjson.OPT_SORT_KEYS)
        assert row.content == blake2b(normal, digest_size=16).digest()
        plain = all(
            text == numbers.plain_digits(text)
            for typed in item.values()
            for text in texts_of_numbers(typed)
        )
        assert len(row.spelling) == (0 if plain else 8)


@patient
@given(st.lists(some.alike(), min_size=1, max_size=2))
def test_two_digests_are_equal_when_the_items_are(pools: list[list[Item]]) -> None:
    page = [{**item, "id": {"S": "k"}} for pool in pools for item in pool]
    rows = CANON.rows([orjson.dumps(item) for item in page])
    for first, a in zip(rows, page, strict=True):
        for second, b in zip(rows, page, strict=True):
            assert (first.content == second.content) == (some.same_item(a) == some.same_item(b))


@patient
@given(items, st.integers(0, 99))
def test_an_item_written_otherwise_is_the_same_one(item: Item, seed: int) -> None:
    other = otherwise_item(item, random.Random(seed))
    a, b = row_of(item), row_of(other)
    assert (a.key, a.content) == (b.key, b.content)
    found = differences(item, other)
    assert all(each.spelling for each in found)
    assert bool(found) == (a.spelling != b.spelling)


@patient
@given(st.lists(items, min_size=1, max_size=3))
def test_how_its_json_is_written_does_not_matter(page: list[Item]) -> None:
    rows = CANON.rows([orjson.dumps(item) for item in page])
    assert CANON.rows([json.dumps(item, indent=1).encode() for item in page]) == rows
    tags = [orjson.dumps(item).replace(b'"N"', b'"\\u004e"') for item in page]
    assert CANON.rows(tags) == rows


@patient
@given(items, items)
@example({"id": {"S": "k"}, "n": {"NS": ["1", "2"]}}, {"id": {"S": "k"}, "n": {"NS": ["2.0", "3"]}})
@example({"id": {"S": "k"}, "b": {"B": "AA=="}}, {"id": {"S": "k"}, "b": {"B": "AB=="}})
def test_differences_say_what_digests_say(a: Item, b: Item) -> None:
    agree(a, b)


@patient
@given(some.alike())
def test_differences_say_what_digests_say_of_items_that_are_alike(page: list[Item]) -> None:
    for other in page[1:]:
        agree({**page[0], "id": {"S": "k"}}, {**other, "id": {"S": "k"}})


def agree(a: Item, b: Item) -> None:
    first, second = row_of(a), row_of(b)
    found = differences(a, b)
    assert any(not each.spelling for each in found) == (first.content != second.content)
    assert bool(found) == (first[1:] != second[1:])
    back = [each._replace(a=each.b, b=each.a) for each in found]
    assert differences(b, a) == back
    assert len({(each.path, each.spelling) for each in found}) == len(found)


@patient
@given(some.keys, st.data())
def test_two_keys_are_equal_when_dynamodb_holds_them_for_one(
    attributes: dict[str, str], data: st.DataObject
) -> None:
    key = Key(tuple(attributes), tuple(attributes.values()))
    page = data.draw(st.lists(some.keyed_items(attributes), min_size=1, max_size=3))
    seed = data.draw(st.integers(0, 99))
    page += [otherwise_item(page[0], random.Random(seed))]
    rows = Canon(key, keys_only=True).rows([orjson.dumps(item) for item in page])
    for first, a in zip(rows, page, strict=True):
        assert key.identity(key_of(first.key)) == key.identity(a)
        assert list(key_of(first.key)) == list(key.names)
        for second, b in zip(rows, page, strict=True):
            assert (first.key == second.key) == (key.identity(a) == key.identity(b))


@given(
    st.lists(
        st.builds(
            Row,
            st.binary(max_size=40),
            st.sampled_from((b"", b"c" * 16)),
            st.sampled_from((b"", b"s" * 8)),
        )
    ),
    st.integers(0, 20),
)
def test_rows_survive_their_packing(rows: list[Row], cut: int) -> None:
    assert list(unpack(pack(rows))) == rows
    assert list(unpack(pack(rows[:cut]) + pack(rows[cut:]))) == rows


@patient
@given(st.lists(st.binary(max_size=6), max_size=90, unique=True), st.integers(1, 9))
def test_packed_rows_are_in_the_bucket_of_their_key(keys: list[bytes], fan_out: int) -> None:
    canon = Canon(Key(("id",), ("B",)))
    page = [orjson.dumps({"id": {"B": b64encode(key).decode()}, "n": {"N": "1"}}) for key in keys]
    rows = canon.rows(page)
    buckets: dict[int, list[Row]] = {}
    for row in rows:
        buckets.setdefault(bucket_of(row.key, 0, fan_out), []).append(row)
    found = canon.packed(page, fan_out)
    assert {bucket: list(unpack(block)) for bucket, block in found} == buckets
    assert len(found) == len(buckets)


@given(some.number_texts)
def test_a_number_s_normal_form_is_dynamodb_s_own(text: str) -> None:
    assert number(text) == numbers.plain_digits(text)


@given(st.integers(-(10**9), 10**9), st.integers(-400, 400), st.integers(0, 300))
def test_a_number_beyond_the_range_has_one_normal_form(
    digits: int, exponent: int, zeros: int
) -> None:
    text = f"{digits}E{exponent}"
    other = f"{digits}{'0' * zeros}E{exponent - zeros}"
    assert number(text) == number(other)
    assert numbers.canonical(number(text)) == numbers.canonical(text)
    assert number(number(text)) == number(text)
    written = row_of({"id": {"S": "k"}, "n": {"N": text}})
    assert written.content == row_of({"id": {"S": "k"}, "n": {"N": other}}).content
    assert written.content == row_of({"id": {"S": "k"}, "n": {"N": number(text)}}).content
