"""Changes as records: what was deleted says its key and when, on both roads alike."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.change import Change
from dynamodb_core.converter import Converter
from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed, Typed
from tap_dynamodb.changed import ChangeLines, ChangeRecords
from tap_dynamodb.render import LineRenderer, RecordRenderer

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


def renderers(layout: Layout) -> list[ChangeLines | ChangeRecords]:
    lines = LineRenderer("orders", None, Converter(layout), now)
    return [ChangeLines(lines, KEYS), ChangeRecords(RecordRenderer(layout), KEYS)]


def records(rendered: Rendered) -> list[dict[str, Any]]:
    if rendered.lines:
        lines = rendered.lines.splitlines()
        return [json.loads(line, parse_float=Decimal)["record"] for line in lines]
    return list(rendered.records)


def both(layout: Layout, *changes: Change) -> list[dict[str, Any]]:
    fast, slow = (each(changes) for each in renderers(layout))
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
    [again] = records(renderers(layout)[0].widened(layout.widened(fast.late))(fast.items))
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
