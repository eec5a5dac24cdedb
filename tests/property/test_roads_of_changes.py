"""Both roads through the tap give the same records of changes, and of the snapshot before them."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib.messages import RecordMessage

from dynamodb_core.change import Change
from dynamodb_core.converter import Converter
from dynamodb_core.layouts import Columns, Packed, Typed
from tap_dynamodb.changed import of_changes
from tap_dynamodb.emit import Emitter
from tap_dynamodb.render import LineRenderer, RecordRenderer
from tests.engines.scanned import Account, ScannedTable
from tests.engines.scripted import Clock
from tests.engines.shards import ScriptedStream
from tests.engines.tap import NEVER, sync
from tests.property import strategies as some

if TYPE_CHECKING:
    from dynamodb_core.layouts import Layout
    from tap_dynamodb.render import Rendered
    from tests.engines.tap import Output

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
MICROS = 1_790_000_000_000_000
decode = msgspec.json.Decoder(float_hook=Decimal).decode
serialize = Emitter().serialize_message

Item = dict[str, Any]


def by_line(rendered: Rendered) -> list[Any]:
    return [decode(line)["record"] for line in rendered.lines.splitlines()]


def by_record(rendered: Rendered) -> list[Any]:
    """Return the records as the SDK's road writes them."""
    return [
        decode(serialize(RecordMessage(stream="s", record=record)))["record"]
        for record in rendered.records
    ]


@st.composite
def changes(draw: st.DrawFn, keys: dict[str, str]) -> list[Change]:
    made = []
    for _ in range(draw(st.integers(0, 5))):
        item = draw(some.keyed_items(keys))
        old = draw(st.none() | some.keyed_items(keys))
        deleted = draw(st.booleans())
        made.append(
            Change(
                None if deleted else orjson.dumps(item),
                orjson.dumps({name: item[name] for name in keys}),
                MICROS + draw(st.integers(0, 10**12)),
                draw(st.none() | st.integers(0, 2**63 - 1)),
                None if old is None else orjson.dumps(old),
                deleted and draw(st.booleans()),
            )
        )
    return made


@st.composite
def layouts(draw: st.DrawFn, keys: dict[str, str]) -> Layout:
    style = draw(some.styles)
    reserved = draw(st.sampled_from(("_dynamodb", None)))
    form = draw(st.sampled_from(("plain", "packed", "dynamodb_json")))
    if form == "packed":
        return Packed(keys, "item", reserved, **style)
    if form == "dynamodb_json":
        return Typed(keys, "item", **style)
    return Columns(
        {**draw(st.dictionaries(some.names, st.sampled_from(("S", "N", "M")), max_size=3)), **keys},
        reserved=reserved,
        open=draw(st.booleans()),
        limit=draw(st.sampled_from((0, 8, 1000))),
        unknown=draw(st.sampled_from(("rest", "drop"))),
        **style,
    )


def alike(one: Rendered, other: Rendered, count: int) -> list[Any]:
    """Check that two roads have come to the same, and return the records."""
    found = by_line(one)
    assert found == by_record(other)
    assert len(found) == count
    assert one.late == other.late
    assert dict(one.rest) == dict(other.rest)
    assert one.reserved or not other.reserved  # too early does no harm, too late does
    return found


@given(st.data())
def test_changes_and_snapshots(data: st.DataObject) -> None:
    keys = data.draw(some.keys)
    layout = data.draw(layouts(keys))
    snapshot = data.draw(st.none() | st.integers(0, 2**63 - 1))
    old_image = data.draw(st.booleans())
    fast: LineRenderer = LineRenderer("s", 7, Converter(layout), lambda: NOW, snapshot=snapshot)
    slow = RecordRenderer(layout, snapshot)
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            page = data.draw(st.lists(some.keyed_items(keys), max_size=4))
            raws = [msgspec.Raw(orjson.dumps(item)) for item in page]
            one, other = fast(raws), slow(raws)
            for record in alike(one, other, len(page)):
                assert record.get("_sdc_sequence") == snapshot
                assert ("_sdc_deleted_at" in record) is (snapshot is not None)
        else:
            some_changes = data.draw(changes(keys))
            one, other = (
                of_changes(each, keys, old_image=old_image)(some_changes) for each in (fast, slow)
            )
            found = alike(one, other, len(some_changes))
            for change, record in zip(some_changes, found, strict=True):
                wanted = change.micros if change.sequence is None else change.sequence
                assert record["_sdc_sequence"] == wanted
                assert (record["_sdc_deleted_at"] is None) is (change.item is not None)
                assert ("_sdc_old_image" in record) is (old_image and change.old is not None)
                assert record.get("_sdc_deleted_by") == ("ttl" if change.expired else None)
        if one.late:
            assert isinstance(layout, Columns)
            layout = layout.widened(one.late)
            fast, slow = fast.widened(layout), slow.widened(layout)


configs = st.fixed_dictionaries(
    {
        "item_format": st.sampled_from(("plain", "plain", "packed", "dynamodb_json")),
        "max_attributes": st.sampled_from((1, 8, 1000)),
        "sample_size": st.sampled_from((0, 1, 1000)),
        "decimals": st.sampled_from(("number", "number", "string")),
        "consistent_read": st.booleans(),
        "changes": st.fixed_dictionaries(
            {"old_image": st.booleans(), "snapshot": st.sampled_from(("auto", "none"))}
        ),
    }
)


def told(
    items: list[Item], writes: list[tuple[Item, bool]], config: Item, limit: int | None
) -> Output:
    """Follow a table by the whole tap."""
    clock = Clock(1_790_000_000.0)
    stream = ScriptedStream("ttt", clock=clock, sleep=clock.sleep, latency=0.1)
    for item in items:
        stream.put(item)
    clock.sleep(300)
    for item, gone in writes:
        clock.sleep(1)
        if gone:
            stream.delete({"id": item["id"]}, expired=True)
        else:
            stream.put(item)
    view = {"StreamEnabled": True, "StreamViewType": stream.view}
    more = {
        "LatestStreamArn": stream.arn,
        "LatestStreamLabel": stream.label,
        "StreamSpecification": view,
    }
    account = Account({"ttt": ScannedTable(list(stream.items.values()), more=more)})
    given_ = {
        **config,
        "tables": ["ttt"],
        "segments": 1,
        "scan_workers": 1,
        "replication_method": "LOG_BASED",
    }
    own = {
        "clock": clock,
        "wait": lambda _tap, seconds: clock.sleep(seconds),
        "wire_to": lambda _tap, _service: stream,
    }
    output = sync(account.wire, given_, limit=limit, own=own)
    output.check()
    newest = {record["id"]: record for record in output.records()}
    there = {item["id"]["S"] for item in stream.items.values()}
    if config["changes"]["snapshot"] == "auto":
        assert {key for key, each in newest.items() if each["_sdc_deleted_at"] is None} == there
    return output


@settings(max_examples=40)
@given(some.alike(), some.alike(), st.lists(st.booleans(), min_size=12, max_size=12), configs)
def test_the_whole_tap_follows_by_both_roads(
    items: list[Item], later: list[Item], gone: list[bool], config: Item
) -> None:
    first = [{**item, "id": {"S": str(number)}} for number, item in enumerate(items)]
    writes = [({**item, "id": {"S": str(n // 2)}}, gone[n]) for n, item in enumerate(later)]
    fast, slow = (told(first, writes, config, limit) for limit in (None, NEVER))
    assert fast.records() == slow.records()
    columns = [run.schema()["properties"] for run in (fast, slow)]
    assert columns[1].items() <= columns[0].items()
    assert columns[0].keys() - columns[1].keys() <= {"_dynamodb"}
    for record in fast.records():
        assert record.keys() <= columns[0].keys()
        assert isinstance(record["_sdc_sequence"], int)
