from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from dynamodb_core.converter import Converter
from dynamodb_core.layouts import Columns, Packed, Typed
from tap_dynamodb.render import LineRenderer, RecordRenderer, Rendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.layouts import Layout

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
KEYS = {"id": "S"}
ITEM = {"id": {"S": "a"}, "n": {"N": "1E-130"}, "b": {"B": "AA=="}}
Renderer = LineRenderer | RecordRenderer


def lines(layout: Layout, version: int | None = None) -> LineRenderer:
    return LineRenderer("my stream", version, Converter(layout), lambda: NOW)


ROADS = pytest.mark.parametrize(
    "road", [lines, RecordRenderer], ids=["fast road", "the SDK's road"]
)


def raws(*items: dict[str, Any]) -> list[msgspec.Raw]:
    return [msgspec.Raw(orjson.dumps(item)) for item in items]


def records(rendered: Rendered) -> list[dict[str, Any]]:
    if rendered.lines:
        assert rendered.lines.endswith(b"\n")
        messages = rendered.lines.splitlines()
        return [json.loads(line, parse_float=Decimal)["record"] for line in messages]
    return list(rendered.records)


def test_a_line_is_a_whole_record_message() -> None:
    rendered = lines(Columns({"id": "S", "n": "N", "b": "B"}))(raws(ITEM))
    assert rendered.lines == (
        b'{"type":"RECORD","stream":"my stream","record":{"id":"a","n":1E-130,"b":"AA=="},'
        b'"time_extracted":"2026-11-21T12:00:00+00:00"}\n'
    )


def test_a_version_stands_on_every_line() -> None:
    rendered = lines(Columns(KEYS), 1790000000)(raws({"id": {"S": "a"}}, {"id": {"S": "b"}}))
    messages = [json.loads(line) for line in rendered.lines.splitlines()]
    assert [message["version"] for message in messages] == [1790000000] * 2


def test_one_time_of_extraction_holds_for_a_page() -> None:
    times = iter(datetime(2026, 1, day, tzinfo=timezone.utc) for day in (1, 2))
    renderer = LineRenderer("t", None, Converter(Typed(KEYS)), lambda: next(times))
    page = renderer(raws({"id": {"S": "a"}}, {"id": {"S": "b"}}))
    assert page.lines.count(b"2026-01-01") == 2
    assert renderer(raws({"id": {"S": "c"}})).lines.count(b"2026-01-02") == 1


@ROADS
@pytest.mark.parametrize("layout", [Columns(KEYS), Packed(KEYS), Typed(KEYS)])
def test_an_empty_page_is_nothing(road: Callable[[Layout], Renderer], layout: Layout) -> None:
    rendered = road(layout)([])
    assert (rendered.lines, list(rendered.records), rendered.late) == (b"", [], {})
    assert rendered.reserved is False


@ROADS
@pytest.mark.parametrize(
    ("layout", "record"),
    [
        (
            Columns({"id": "S", "n": "N", "b": "B"}),
            {"id": "a", "n": Decimal("1E-130"), "b": "AA=="},
        ),
        (
            Packed(KEYS),
            {
                "id": "a",
                "item": {"n": Decimal("1E-130"), "b": "AA=="},
                "_dynamodb": {"types": {"/item/b": "B"}},
            },
        ),
        (Packed(KEYS, reserved=None), {"id": "a", "item": {"n": Decimal("1E-130"), "b": "AA=="}}),
        (Typed(KEYS, "body"), {"id": "a", "body": ITEM}),
    ],
    ids=["plain", "packed", "packed without tags", "dynamodb_json"],
)
def test_each_format(
    road: Callable[[Layout], Renderer], layout: Layout, record: dict[str, Any]
) -> None:
    rendered = road(layout)(raws(ITEM))
    assert records(rendered) == [record]
    assert rendered.reserved is ("_dynamodb" in record)


@ROADS
def test_late_attributes_are_reported_with_the_type_that_came_first(
    road: Callable[[Layout], Renderer],
) -> None:
    rendered = road(Columns(KEYS))(
        raws(
            {"id": {"S": "a"}, "late": {"N": "1"}},
            {"id": {"S": "b"}, "late": {"S": "x"}, "other": {"BOOL": True}},
        )
    )
    assert rendered.late == {"late": "N", "other": "BOOL"}
    assert dict(rendered.rest) == {"late": 1}
    assert rendered.reserved is True
    assert records(rendered) == [
        {"id": "a", "late": 1},
        {"id": "b", "other": True, "_dynamodb": {"rest": {"late": {"S": "x"}}}},
    ]


@ROADS
def test_a_renderer_with_more_columns_reports_them_no_more(
    road: Callable[[Layout], Renderer],
) -> None:
    layout = Columns(KEYS)
    renderer = road(layout)
    page = raws({"id": {"S": "a"}, "late": {"N": "1"}})
    assert renderer(page).late == {"late": "N"}
    assert list(renderer(page).items) == page, "kept, to be rendered again"
    widened = renderer.widened(layout.widened({"late": "S"}))
    rendered = widened(page)
    assert rendered.late == {}
    assert records(rendered) == [{"id": "a", "_dynamodb": {"rest": {"late": {"N": "1"}}}}]


@ROADS
def test_beyond_the_limit_attributes_travel_in_the_reserved_object(
    road: Callable[[Layout], Renderer],
) -> None:
    rendered = road(Columns(KEYS, limit=2))(
        raws({"id": {"S": "a"}, "one": {"N": "1"}, "two": {"N": "2"}})
    )
    assert rendered.late == {"one": "N"}
    assert records(rendered) == [{"id": "a", "one": 1, "_dynamodb": {"rest": {"two": {"N": "2"}}}}]


@ROADS
def test_closed_columns_drop_what_was_not_selected(road: Callable[[Layout], Renderer]) -> None:
    layout = Columns({"id": "S", "n": "N"}, open=False, unknown="drop")
    rendered = road(layout)(raws({"id": {"S": "a"}, "n": {"N": "1"}, "new": {"S": "x"}}))
    assert records(rendered) == [{"id": "a", "n": 1}]
    assert rendered.late == {}
