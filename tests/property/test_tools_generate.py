"""Whatever is asked for: exact sizes, keys that tell items apart, and streams that hold the items."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from demo.compare import compare
from dynamodb_core import sizes
from dynamodb_core.errors import ConfigError
from dynamodb_core.sizes import IndexKey
from dynamodb_core.table import Key, Table
from dynamodb_tools.generated_stream import GeneratedStream
from dynamodb_tools.key_values import MOST_NUMBER
from dynamodb_tools.recipe import Items, Recipe
from dynamodb_tools.shapes import SHAPES
from target_dynamodb.encode import Encoder
from target_dynamodb.source import Source

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class Message(msgspec.Struct):
    """A RECORD, whose record stays as it is written."""

    record: msgspec.Raw


names = st.sampled_from(
    ("id", "pk", "sk", "at", "pad", "name", "city", "N", "text", "item", "größe", '"', "kind")
)
types = st.sampled_from("SNB")
number = st.one_of(st.integers(0, 3000), st.integers(0, MOST_NUMBER - 1))


@st.composite
def keys(draw: st.DrawFn) -> Key:
    chosen = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    return Key(tuple(chosen), tuple(draw(types) for _ in chosen))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    key = draw(keys())
    shape = draw(st.sampled_from([name for name in SHAPES if name != "large"]))
    size = None if shape == "nasty" else draw(st.none() | st.integers(70, 3000))
    others = draw(st.lists(names.filter(lambda n: n not in key.names), max_size=2, unique=True))
    wanted = tuple(IndexKey(name, draw(types), "index") for name in others)
    spread: Any = "uniform" if len(key.names) == 1 else draw(st.sampled_from(("uniform", "hot")))
    return Recipe(key, shape, draw(st.integers(0, 3)), size, spread, wanted)


@given(recipe=recipes(), numbers=st.lists(number, min_size=1, max_size=8, unique=True))
def test_items_are_as_asked_for(recipe: Recipe, numbers: list[int]) -> None:
    try:
        items = Items(recipe)
    except ConfigError as error:
        assert "at the least" in str(error)  # noqa: PT017 - the only one that these can meet
        return
    table = Table("t", "", "", recipe.key)
    identities = set()
    for each in numbers:
        identity, text = items.item(each)
        item = orjson.loads(text)
        assert recipe.key.identity(item) == identity
        identities.add(identity)
        sizes.check(item, table)
        sizes.check_index_keys(item, recipe.index_keys)
        assert recipe.size in (None, sizes.item_size(item))
        assert Items(recipe).item(each) == (identity, text)
    assert len(identities) == len(numbers)


@given(
    recipe=recipes(),
    numbers=st.lists(number, min_size=1, max_size=4, unique=True),
    item_format=st.sampled_from(("plain", "dynamodb_json")),
)
def test_the_target_makes_the_same_items_of_a_stream(
    recipe: Recipe, numbers: list[int], item_format: Any
) -> None:
    try:
        items = Items(recipe)
    except ConfigError:
        return
    stream = GeneratedStream(items, "orders", item_format)
    said = orjson.loads(stream.schema())
    source = Source.from_schema("orders", said["schema"])
    assert source is not None
    assert source.key == recipe.key
    encoder = Encoder("orders", said["schema"]["properties"], key=recipe.key, source=source)
    lines = stream.records(numbers, NOW).splitlines()
    found = [encoder.encode_json(msgspec.json.decode(line, type=Message).record) for line in lines]
    written = [items.item(each) for each in numbers]
    assert [each[0] for each in found] == [identity for identity, _ in written]
    pairs = tuple(zip(recipe.key.names, recipe.key.types, strict=True))
    outcome = compare(
        [orjson.loads(text) for _, text in written],
        [orjson.loads(each[1]) for each in found],
        pairs,
    )
    assert outcome.identical, str(outcome)
    for line in lines:
        validator = Draft202012Validator(said["schema"])
        assert not list(validator.iter_errors(orjson.loads(line)["record"]))
