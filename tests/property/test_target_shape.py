"""Whatever the items: their shape is the same in all formats, and deletes find what was put."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamodb_core import codec, numbers
from dynamodb_core.column_schema import property_schema
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.table import Key
from target_dynamodb import joined
from target_dynamodb.encode import Encoder
from target_dynamodb.key_choice import Stream
from target_dynamodb.keys import new_key
from target_dynamodb.source import Source
from target_dynamodb.stream_options import StreamOptions
from tests.property import strategies as some

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Item = dict[str, Any]

FIELD = "an item"
MADE = ("new: key", "new: joined", "new: constant", "new: default")
KEYS = st.dictionaries(
    st.sampled_from(("the key", "a/b", "N", "é", "#")),
    st.sampled_from(("S", "N", "B")),
    min_size=1,
    max_size=2,
)


def text_of(typed: Item) -> str:
    [(kind, value)] = typed.items()
    return numbers.plain_digits(value) if kind == "N" else str(value)


def model(item: Item, key: dict[str, str], options: StreamOptions, *, count: int) -> Item:
    """What the documentation says becomes of an item; its key is in canonical base64 already."""
    made = {options.rename.get(name, name): typed for name, typed in item.items()}
    made.setdefault("new: default", {"N": "7"})
    made["new: constant"] = {"S": "it's s"}
    parts = [text_of(made[name]) for name in options.join["new: joined"]]
    made["new: joined"] = {"S": joined.join(parts)}
    first = new_key(described(key, options), "t").names[0]
    if count:
        shard = joined.shard([made["new: joined"]["S"]], count)
        made[first] = {"S": f"{text_of(made[first])}#{shard}"}
    return made


def described(key: dict[str, str], options: StreamOptions, form: str = "plain") -> Stream:
    source = Source(
        "t",
        key=Key(tuple(key), tuple(key.values())),
        item_format=form,
        reserved="_dynamodb",
        item_field=FIELD,
    )
    properties = {name: property_schema(kind) for name, kind in key.items()}
    return Stream("s", tuple(key), properties, source, options)


@patient
@given(
    data=st.data(),
    key=KEYS,
    count=st.sampled_from((0, 0, 2, 16)),
    form=st.sampled_from(("plain", "packed", "dynamodb_json")),
)
def test_an_item_has_one_shape_in_all_formats(
    data: st.DataObject, key: dict[str, str], count: int, form: str
) -> None:
    item = data.draw(some.keyed_items(key))
    old = data.draw(st.sampled_from(sorted(key)))
    new = {old: "new: key"} if data.draw(st.booleans()) else {}
    join = ["new: constant", *(new.get(name, name) for name in key)]
    options = StreamOptions(
        rename=new,
        constants={"new: constant": "it's {stream}"},
        defaults={"new: default": 7},
        join={"new: joined": data.draw(st.permutations(join))},
        partition_key=new.get(old, old),
        sort_key=data.draw(st.sampled_from((None, "", "new: joined"))),
        shards={"count": count, "by": ["new: joined"]} if count else {},
    )
    stream = described(key, options, form)
    table_key = new_key(stream, "t")
    late: Item = {}
    if form == "plain":
        plain = codec.to_plain(item, Columns(key), orjson.Fragment)
        record, late = plain.record, plain.late
    elif form == "packed":
        record = codec.to_packed(item, Packed(key, item_field=FIELD), orjson.Fragment).record
    else:
        record = codec.to_typed(item, Typed(key, item_field=FIELD), orjson.Fragment).record
    encoder = Encoder(
        "s",
        {**stream.properties, **{name: property_schema(kind) for name, kind in late.items()}},
        key=table_key,
        source=stream.source,
        key_properties=stream.key_properties,
        options=options,
    )
    identity, body, deleted = encoder.encode_json(msgspec.Raw(orjson.dumps(record)))
    made: Item = orjson.loads(body)
    assert not deleted
    assert some.same_item(made) == some.same_item(model(item, key, options, count=count))
    gone = {name: record[name] for name in key} | {"_sdc_deleted_at": "now"}
    found, body, deleted = encoder.encode_json(msgspec.Raw(orjson.dumps(gone)))
    assert deleted
    assert found == identity
    assert orjson.loads(body) == {name: made[name] for name in table_key.names}
