"""Whatever the codec makes of an item, the target makes the same item of it again."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core import codec, numbers
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.table import Key
from target_dynamodb.encode import Encoder
from target_dynamodb.source import Source
from tests.property import strategies

KEY = Key(("the key",), ("S",))


def same(item: dict[str, Any]) -> Any:
    """An item without what DynamoDB does not keep: a number's spelling, the order of sets."""
    kind, value = next(iter(item.items()))
    if kind == "N":
        return kind, numbers.canonical(value)
    if kind == "NS":
        return kind, sorted(map(numbers.canonical, value))
    if kind == "L":
        return kind, [same(part) for part in value]
    if kind == "M":
        return kind, {name: same(part) for name, part in value.items()}
    return kind, value


def restored(record: dict[str, Any], types: dict[str, str], item_format: str) -> dict[str, Any]:
    properties = {name: {"x-dynamodb-type": kind} for name, kind in types.items()}
    source = Source("t", item_format=item_format, reserved="_dynamodb", item_field="an item")
    encoder = Encoder("s", properties, key=KEY, source=source)
    raw = orjson.dumps(record)
    identity, body, deleted = encoder.encode_json(msgspec.Raw(raw))
    assert (identity, deleted) == ((("S", record["the key"]),), False)
    item: dict[str, Any] = orjson.loads(body)
    return item


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    item = draw(strategies.items)
    item["the key"] = {"S": draw(strategies.texts.filter(bool))}
    return item


@given(items(), st.dictionaries(strategies.names, st.sampled_from(codec.TYPES), max_size=5))
def test_plain_records_whatever_the_columns(item: dict[str, Any], guess: dict[str, str]) -> None:
    types = {name: kind for name, kind in guess.items() if kind != "NULL"} | {"the key": "S"}
    columns = Columns(types)
    plain = codec.to_plain(item, columns, orjson.Fragment)
    back = restored(plain.record, {**types, **plain.late}, "plain")
    assert same({"M": back}) == same({"M": item})


@given(items())
def test_packed_records(item: dict[str, Any]) -> None:
    layout = Packed({"the key": "S"}, item_field="an item")
    record = codec.to_packed(item, layout, orjson.Fragment).record
    assert same({"M": restored(record, {"the key": "S"}, "packed")}) == same({"M": item})


@given(items())
def test_typed_records_keep_every_byte(item: dict[str, Any]) -> None:
    layout = Typed({"the key": "S"}, item_field="an item")
    record = codec.to_typed(item, layout, orjson.Fragment).record
    assert restored(record, {"the key": "S"}, "dynamodb_json") == item
