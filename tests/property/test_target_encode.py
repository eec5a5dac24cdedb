"""Whatever the codec makes of an item, the target makes the same item of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamodb_core import codec
from dynamodb_core.column_schema import property_schema
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.table import Key
from target_dynamodb.encode import Encoder
from target_dynamodb.source import Source
from tests.property import strategies as some

if TYPE_CHECKING:
    from dynamodb_core.layouts import Layout

FIELD = "an item"

# Items of every shape take a while to draw on a busy machine; nothing here is about time.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Item = dict[str, Any]

styles = st.fixed_dictionaries(
    {
        "decimals": st.sampled_from(("number", "string")),
        "binary": st.sampled_from(("base64", "base16")),
    }
)
keys = st.dictionaries(
    st.sampled_from(("the key", "a/b", "N", "é")),
    st.sampled_from(("S", "N", "B")),
    min_size=1,
    max_size=2,
)


def restored(record: Item, types: dict[str, str], key: dict[str, str], layout: Layout) -> Item:
    """Return what the target writes for a record, whose schema is the tap's."""
    properties = {
        name: property_schema(kind, decimals=layout.decimals, binary=layout.binary)
        for name, kind in types.items()
    }
    form = {Columns: "plain", Packed: "packed", Typed: "dynamodb_json"}[type(layout)]
    source = Source("t", item_format=form, reserved="_dynamodb", item_field=FIELD)
    table_key = Key(tuple(key), tuple(key.values()))
    encoder = Encoder("s", properties, key=table_key, source=source)
    identity, body, deleted = encoder.encode_json(msgspec.Raw(orjson.dumps(record)))
    item: Item = orjson.loads(body)
    assert (identity, deleted) == (table_key.identity(item), False)
    return item


@patient
@given(st.data(), keys, styles)
def test_plain_records_whatever_the_columns(
    data: st.DataObject, key: dict[str, str], style: Item
) -> None:
    item = data.draw(some.keyed_items(key))
    guess = data.draw(some.column_types([item]))
    types = {name: kind for name, kind in guess.items() if kind != "NULL"} | key
    layout = Columns(types, **style)
    plain = codec.to_plain(item, layout, orjson.Fragment)
    back = restored(plain.record, {**types, **plain.late}, key, layout)
    assert some.same_item(back) == some.same_item(item)


@patient
@given(st.data(), keys, styles)
def test_packed_records(data: st.DataObject, key: dict[str, str], style: Item) -> None:
    item = data.draw(some.keyed_items(key))
    layout = Packed(key, item_field=FIELD, **style)
    record = codec.to_packed(item, layout, orjson.Fragment).record
    assert some.same_item(restored(record, key, key, layout)) == some.same_item(item)


@patient
@given(st.data(), keys, styles)
def test_typed_records_keep_all_but_the_spelling_of_numeric_keys(
    data: st.DataObject, key: dict[str, str], style: Item
) -> None:
    item = data.draw(some.keyed_items(key))
    layout = Typed(key, item_field=FIELD, **style)
    record = codec.to_typed(item, layout, orjson.Fragment).record
    back = restored(record, key, key, layout)
    numeric = {name: back[name] for name, kind in key.items() if kind == "N"}
    assert back == {**item, **numeric}
    assert some.same_item(back) == some.same_item(item)
