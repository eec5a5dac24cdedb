"""Both roads through the tap give the same records, whatever the items and the columns are."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib.messages import RecordMessage

from dynamodb_core import column_schema
from dynamodb_core.converter import Converter
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.restore import from_packed, from_plain, from_typed
from tap_dynamodb.emit import Emitter
from tap_dynamodb.render import LineRenderer, RecordRenderer
from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import NEVER, make, sync
from tests.property import strategies as some

if TYPE_CHECKING:
    from dynamodb_core.layouts import Binary, Layout
    from tap_dynamodb.render import Rendered

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
decode = msgspec.json.Decoder(float_hook=Decimal).decode
serialize = Emitter().serialize_message

Item = dict[str, Any]


def raws(page: list[Item]) -> list[msgspec.Raw]:
    return [msgspec.Raw(orjson.dumps(item)) for item in page]


def by_line(rendered: Rendered) -> list[Any]:
    messages = [decode(line) for line in rendered.lines.splitlines()]
    assert all(message["stream"] == "s" and message["version"] == 7 for message in messages)
    return [message["record"] for message in messages]


def by_record(rendered: Rendered) -> list[Any]:
    """Return the records as the SDK's road writes them."""
    return [
        decode(serialize(RecordMessage(stream="s", record=record)))["record"]
        for record in rendered.records
    ]


def compare(pages: list[list[Item]], layout: Layout) -> None:
    """Render pages by both roads, widening the columns after each as a stream does."""
    fast = LineRenderer("s", 7, Converter(layout), lambda: NOW)
    slow = RecordRenderer(layout)
    for page in pages:
        one, other = fast(raws(page)), slow(raws(page))
        assert by_line(one) == by_record(other)
        assert len(by_line(one)) == len(page)
        assert one.late == other.late
        assert dict(one.rest) == dict(other.rest)
        assert one.reserved or not other.reserved  # too early does no harm, too late does
        if one.late:
            assert isinstance(layout, Columns)
            layout = layout.widened(one.late)
            fast, slow = fast.widened(layout), slow.widened(layout)


pages_ = st.lists(some.alike(), min_size=1, max_size=4)
reserved_names = st.sampled_from(("_dynamodb", "types", "a/b", None))


@given(st.data())
def test_plain(data: st.DataObject) -> None:
    pages = data.draw(pages_)
    layout = Columns(
        data.draw(some.column_types(pages[0])),
        reserved=data.draw(reserved_names),
        open=data.draw(st.booleans()),
        limit=data.draw(st.sampled_from((0, 3, 8, 1000))),
        unknown=data.draw(st.sampled_from(("rest", "drop"))),
        **data.draw(some.styles),
    )
    compare(pages, layout)


@given(st.data())
def test_packed_and_dynamodb_json(data: st.DataObject) -> None:
    keys = data.draw(some.keys)
    page = st.lists(some.keyed_items(keys), min_size=1, max_size=4)
    pages = data.draw(st.lists(page, min_size=1, max_size=3))
    style = data.draw(some.styles)
    reserved = data.draw(st.sampled_from(("_dynamodb", None)))
    compare(pages, Packed(keys, "item", reserved, **style))
    compare(pages, Typed(keys, "item", **style))


configs = st.fixed_dictionaries(
    {
        "item_format": st.sampled_from(("plain", "plain", "packed", "dynamodb_json")),
        "type_tags": st.booleans(),
        "max_attributes": st.sampled_from((1, 3, 8, 1000)),
        "sample_size": st.sampled_from((0, 1, 1000)),
        "reserved_field": st.sampled_from(("_dynamodb", "types")),
        "decimals": st.sampled_from(("number", "number", "string")),
        "binary_encoding": st.sampled_from(("base64", "base64", "base16")),
    }
)


@settings(max_examples=60)
@given(some.alike(), configs)
def test_the_whole_tap(items: list[Item], config: dict[str, Any]) -> None:
    numbered = [{**item, "id": {"S": str(number)}} for number, item in enumerate(items)]
    account = Account({"t": ScannedTable(numbered)})
    # One page of one segment: how far a worker is ahead of the columns depends on nothing then.
    given_ = {**config, "tables": ["t"], "segments": 1, "scan_workers": 1}
    fast, slow = sync(account.wire, given_), sync(account.wire, given_, limit=NEVER)
    assert fast.records() == slow.records()
    assert len(fast.records()) == len(items)
    columns = [run.schema()["properties"] for run in (fast, slow)]
    assert columns[1].items() <= columns[0].items()
    assert columns[0].keys() - columns[1].keys() <= {config["reserved_field"]}
    for record in fast.records():
        assert record.keys() <= columns[0].keys()


@settings(max_examples=60)
@given(some.alike(), configs, st.data())
def test_both_roads_leave_out_what_is_deselected(
    items: list[Item], config: dict[str, Any], data: st.DataObject
) -> None:
    numbered = [{**item, "id": {"S": str(number)}} for number, item in enumerate(items)]
    account = Account({"t": ScannedTable(numbered)})
    given_ = {**config, "tables": ["t"], "segments": 1, "scan_workers": 1}
    catalog = make(account.wire, given_).catalog_dict
    metadata = {
        part["breadcrumb"][-1]: part["metadata"]
        for part in catalog["streams"][0]["metadata"]
        if part["breadcrumb"]
    }
    left_out = data.draw(st.sets(st.sampled_from(sorted(metadata))))
    for name in left_out:
        metadata[name]["selected"] = False
    fast = sync(account.wire, given_, catalog=catalog)
    slow = sync(account.wire, given_, catalog=catalog, limit=NEVER)
    assert fast.records() == slow.records()
    assert len(fast.records()) == len(items)
    for record in fast.records():
        assert record.keys() & left_out <= {"id"}


@settings(max_examples=60)
@given(some.alike(), configs, st.data())
def test_no_road_loses_anything_however_the_pages_come(
    items: list[Item], config: dict[str, Any], data: st.DataObject
) -> None:
    numbered = {str(n): {**item, "id": {"S": str(n)}} for n, item in enumerate(items)}
    table = ScannedTable(list(numbered.values()), page=data.draw(st.integers(1, 4)))
    given_ = {
        **config,
        "type_tags": True,
        "tables": ["t"],
        "segments": data.draw(st.integers(1, 4)),
        "scan_workers": data.draw(st.integers(1, 4)),
    }
    for limit in (None, NEVER):
        run = sync(Account({"t": table}).wire, given_, limit=limit)
        schema: Item = {}
        back = {}
        for message in run.messages:
            if message["type"] == "SCHEMA":
                assert (
                    schema.get("properties", {}).items() <= message["schema"]["properties"].items()
                )
                schema = message["schema"]
            elif message["type"] == "RECORD":
                assert message["record"].keys() <= schema["properties"].keys()
                assert message["record"]["id"] not in back
                back[message["record"]["id"]] = restored(
                    message["record"], schema, config["binary_encoding"]
                )
        assert back.keys() == numbered.keys()
        for key, item in numbered.items():
            assert some.same_item(back[key]) == some.same_item(item)


def restored(record: Item, schema: Item, binary: Binary) -> Item:
    """Return the item of a record by what the schema says of it."""
    annotation = schema["x-dynamodb-table"]
    keys = {part["name"]: part["type"] for part in annotation["key"]}
    reserved = annotation["reserved"]
    if annotation["item_format"] == "packed":
        return from_packed(record, keys, reserved=reserved, binary=binary)
    if annotation["item_format"] == "dynamodb_json":
        return from_typed(record, keys, binary=binary)
    types = column_schema.column_types(schema["properties"])
    types.pop(reserved, None)
    return from_plain(record, types, reserved=reserved, binary=binary)
