"""Changes as records: what was deleted says its key and when, on both roads alike."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.change import Change
from dynamodb_core.converter import Converter
from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.layouts import Columns, Packed, Typed
from tap_dynamodb.changed import PROPERTIES, ChangeLines, ChangeRecords, moment, properties
from tap_dynamodb.render import NAMES, LineRenderer, RecordRenderer

if TYPE_CHECKING:
    from dynamodb_core.layouts import Layout
    from tap_dynamodb.render import Rendered

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
KEYS = {"id": "S", "at": "N"}
MICROS = 1_790_000_000_123_456
AT = "2026-09-21T14:13:20.123456+00:00"


def now() -> datetime:
    return NOW


def change(item: dict[str, Any] | None, number: int = 1, **more: Any) -> Change:
    keys = {"id": {"S": "a"}, "at": {"N": str(number)}}
    whole = None if item is None else orjson.dumps({**keys, **item})
    return Change(whole, orjson.dumps(keys), MICROS + number, **more)


def renderers(layout: Layout, *, old_image: bool = False) -> list[ChangeLines | ChangeRecords]:
    lines = LineRenderer("orders", None, Converter(layout), now)
    return [
        ChangeLines(lines, KEYS, old_image),
        ChangeRecords(RecordRenderer(layout), KEYS, old_image),
    ]


def records(rendered: Rendered) -> list[dict[str, Any]]:
    if rendered.lines:
        lines = rendered.lines.splitlines()
        return [json.loads(line, parse_float=Decimal)["record"] for line in lines]
    return list(rendered.records)


def both(layout: Layout, *changes: Change, old_image: bool = False) -> list[dict[str, Any]]:
    fast, slow = (each(changes) for each in renderers(layout, old_image=old_image))
    assert records(fast) == records(slow)
    assert (fast.late, fast.reserved, fast.rest) == (slow.late, slow.reserved, slow.rest)
    assert fast.count == len(changes)
    return records(fast)


@pytest.mark.parametrize("layout", [Columns({**KEYS, "n": "N"}), Packed(KEYS), Typed(KEYS)])
def test_a_deletion_is_its_key_and_its_time_in_every_form(layout: Layout) -> None:
    first, second, third = both(
        layout, change({"n": {"N": "1"}}), change(None, 2), change({"n": {"N": "3"}}, 3)
    )
    assert second == {
        "id": "a",
        "at": 2,
        "_sdc_deleted_at": AT.replace("456+", "458+"),
        "_sdc_sequence": MICROS + 2,
    }
    assert first["_sdc_deleted_at"] is third["_sdc_deleted_at"] is None
    assert (first["at"], third["at"]) == (1, 3)
    assert third["_sdc_sequence"] == MICROS + 3


def test_what_the_source_says_of_order_goes_before_the_time() -> None:
    [record] = both(Columns(KEYS), change({}, sequence=7))
    assert record["_sdc_sequence"] == 7


def test_late_columns_and_values_that_fit_none_are_told_as_of_items() -> None:
    layout = Columns({**KEYS, "n": "N"})
    fast, slow = (
        each([change({"n": {"S": "x"}, "new": {"S": "y"}})]) for each in renderers(layout)
    )
    assert fast.late == slow.late == {"new": "S"}
    assert fast.rest == slow.rest == {"n": 1}
    assert fast.reserved
    wider = renderers(layout.widened(fast.late))[0]
    [again] = records(wider(fast.items))
    assert again["new"] == "y"


def test_keys_of_deletions_are_written_as_those_of_items() -> None:
    layout = Columns({"at": "N", "id": "S"}, decimals="string")
    put, deleted = both(layout, change({}), change(None))
    assert put["at"] == deleted["at"] == "1"


def test_nothing_becomes_nothing() -> None:
    for each in renderers(Columns(KEYS)):
        assert each([]).count == 0


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Change(None, None, MICROS), "names no key"),
        (Change(None, b'{"other":{"S":"a"}}', MICROS), "names no key of the table: .*other"),
        (Change(None, b'{"id":{"S":"a"},"at":{"N":"1"}}'), "says no time"),
    ],
)
def test_a_deletion_without_key_or_time_is_an_error(broken: Change, words: str) -> None:
    for each in renderers(Columns(KEYS)):
        with pytest.raises(DataError, match=words):
            each([broken])


def test_a_renderer_travels_to_other_processes() -> None:
    fast = renderers(Columns(KEYS))[0]
    fast([change(None)])
    there = pickle.loads(pickle.dumps(fast))
    assert records(there([change(None)])) == records(fast([change(None)]))


def test_what_dynamodb_itself_has_deleted_is_told_apart() -> None:
    by_ttl, by_somebody, put = both(
        Columns(KEYS), change(None, 1, expired=True), change(None, 2), change({}, 3)
    )
    assert by_ttl == {
        "id": "a",
        "at": 1,
        "_sdc_deleted_at": AT.replace("456+", "457+"),
        "_sdc_sequence": MICROS + 1,
        "_sdc_deleted_by": "ttl",
    }
    assert "_sdc_deleted_by" not in {**by_somebody, **put}


OLD = {
    "id": {"S": "a"},
    "at": {"N": "1"},
    "n": {"N": "1.50"},
    "in": {"M": {"b": {"B": "AP8="}, "ns": {"NS": ["1", "2.0"]}}},
    "none": {"NULL": True},
}
PLAIN = {
    "id": "a",
    "at": 1,
    "n": Decimal("1.50"),
    "in": {"b": "AP8=", "ns": ["1", "2.0"]},
    "none": None,
}


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (Columns({**KEYS, "n": "N"}), PLAIN),
        (Packed(KEYS), PLAIN),
        (Typed(KEYS), OLD),
        (Packed(KEYS, decimals="string", binary="base16"), {**PLAIN, "at": "1", "n": "1.50"}),
    ],
)
def test_the_item_before_is_told_where_there_was_one_and_it_is_asked_for(
    layout: Layout, expected: dict[str, Any]
) -> None:
    old = orjson.dumps(OLD)
    other = orjson.dumps({"id": {"S": "b"}})
    changes = [change({}), change({}, 2, old=old), change(None, 3, old=other), change(None, 4)]
    first, second, third, fourth = both(layout, *changes, old_image=True)
    assert second["_sdc_old_image"] == expected
    assert third["_sdc_old_image"] in ({"id": "b"}, {"id": {"S": "b"}})
    assert second["_sdc_sequence"] == MICROS + 2
    assert "_sdc_old_image" not in {**first, **fourth}
    for record in both(layout, *changes):
        assert "_sdc_old_image" not in record


@pytest.mark.parametrize("layout", [Columns({**KEYS, "n": "N"}), Packed(KEYS), Typed(KEYS)])
@pytest.mark.parametrize("bare", [True, False])
def test_items_of_a_snapshot_say_that_they_are_there_and_when_it_began(
    layout: Layout, bare: bool
) -> None:
    items = [msgspec.Raw(change({"n": {"N": "1"}}, n).item or b"") for n in range(3)]
    fast = LineRenderer("orders", 7, Converter(layout), now, bare=bare, snapshot=MICROS)
    slow = RecordRenderer(layout, snapshot=MICROS)
    for one, other in ((fast, slow), (fast.widened(layout), slow.widened(layout))):
        lines = [json.loads(each, parse_float=Decimal) for each in one(items).lines.splitlines()]
        found = lines if bare else [line["record"] for line in lines]
        assert found == list(other(items).records)
        assert [record["at"] for record in found] == [0, 1, 2]
        for record in found:
            assert record["_sdc_deleted_at"] is None
            assert record["_sdc_sequence"] == MICROS
        if not bare:
            assert all(line["version"] == 7 for line in lines)
    assert fast([]).lines == b""
    again = pickle.loads(pickle.dumps(fast))
    assert b'"_sdc_sequence":1790000000123456' in again(items).lines


def test_without_a_snapshot_items_say_nothing_of_changes() -> None:
    items = [msgspec.Raw(change({}).item or b"")]
    assert b"_sdc_" not in LineRenderer("s", 7, Converter(Columns(KEYS)))(items).lines
    assert RecordRenderer(Columns(KEYS))(items).records == [{"id": "a", "at": 1}]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_attribute_with_a_name_of_ours_is_refused_as_a_column(name: str) -> None:
    """As a column of the table it would hide from the target what is deleted."""
    layout = Columns(KEYS)
    clashing = change({name: {"S": "x"}})
    items = [msgspec.Raw(clashing.item or b"")]
    snapshots = (
        LineRenderer("s", 7, Converter(layout), snapshot=1),
        RecordRenderer(layout, snapshot=1),
    )
    for snapshot in snapshots:
        with pytest.raises(ConfigError, match=f"attribute {name}, "):
            snapshot(items)
    for each in renderers(layout):
        with pytest.raises(ConfigError, match=f"attribute {name}, "):
            each([clashing])
    for kept in (Packed(KEYS), Typed(KEYS), Columns(KEYS, open=False)):
        both(kept, clashing)


def test_the_schema_says_what_is_added() -> None:
    assert properties() == PROPERTIES
    assert properties(by=True).keys() == PROPERTIES.keys() | {"_sdc_deleted_by"}
    whole = properties(by=True, old_image=True)
    assert whole.keys() == NAMES
    assert whole["_sdc_old_image"]["type"] == ["null", "object"]
    whole["_sdc_deleted_at"]["type"] = "string"
    assert properties()["_sdc_deleted_at"]["type"] == ["null", "string"]


@given(st.integers(0, 4_102_444_800_000_000))
def test_the_time_of_a_deletion_is_exact(micros: int) -> None:
    told = datetime.fromisoformat(moment(Change(None, b"{}", micros)))
    assert (told - datetime(1970, 1, 1, tzinfo=timezone.utc)) == timedelta(microseconds=micros)
