"""A stream against tables in memory: what it writes, and in which order."""

from __future__ import annotations

import copy
import json
import re
import threading
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import AbortedSyncFailedException
from singer_sdk.mapper import SameRecordTransform

from dynamodb_core.capacity import Budget
from dynamodb_core.errors import ConfigError, ServiceError
from dynamodb_core.layouts import Columns
from dynamodb_core.progress import Progress
from dynamodb_core.table_reader import TableReader
from dynamodb_core.throttling import Throttle
from tap_dynamodb import scanning
from tap_dynamodb.misfits import SHOWN as MISFIT_WARNINGS
from tap_dynamodb.pages import Page, PageConverter, Widened
from tap_dynamodb.render import RecordRenderer
from tap_dynamodb.streams import DynamoDBStream
from tests.engines.scanned import Account, ScannedTable
from tests.engines.scripted import Clock
from tests.engines.tap import NEVER, Output, make, sync

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from tap_dynamodb.render import Rendered

CONFIG = {"tables": ["t"], "segments": 1, "scan_workers": 1}
BOTH_ROADS = pytest.mark.parametrize("limit", [None, NEVER], ids=["fast road", "the SDK's road"])
TYPES: dict[str, Any] = {
    "S": "x",
    "N": "1",
    "B": "AA==",
    "BOOL": True,
    "L": [],
    "M": {},
    "SS": ["a"],
    "NS": ["1"],
}


def table(*items: dict[str, Any], **more: Any) -> Account:
    """An account with one table `t`, its items numbered."""
    numbered = [{"id": {"S": f"i{n}"}, **item} for n, item in enumerate(items)]
    return Account({"t": ScannedTable(numbered, **more)})


def columns(output: Output) -> dict[str, str | None]:
    """Return the columns of the last schema and their types; the reserved object has none."""
    properties = output.schema()["properties"]
    return {name: part.get("x-dynamodb-type") for name, part in properties.items()}


def deselected(catalog: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a catalog with some properties deselected."""
    changed = copy.deepcopy(catalog)
    for entry in changed["streams"][0]["metadata"]:
        if entry["breadcrumb"][1:] and entry["breadcrumb"][1] in names:
            entry["metadata"]["selected"] = False
    return changed


def stream_of(account: Account, config: dict[str, Any], **arguments: Any) -> DynamoDBStream:
    stream = make(account.wire, config, **arguments).streams["t"]
    assert isinstance(stream, DynamoDBStream)
    return stream


def catalog_of(account: Account, **config: Any) -> dict[str, Any]:
    catalog: dict[str, Any] = make(account.wire, {**CONFIG, **config}).catalog_dict
    return catalog


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let eight workers render a page each before the first of them is fitted to the columns."""
    barrier, convert = threading.Barrier(8, timeout=10), PageConverter.__call__

    def converted(converter: PageConverter, items: Sequence[msgspec.Raw]) -> Page:
        page = convert(converter, items)
        barrier.wait()
        return page

    monkeypatch.setattr(PageConverter, "__call__", converted)


# Late attributes


@BOTH_ROADS
def test_a_late_attribute_widens_the_schema_before_the_record_that_needs_it(
    limit: int | None,
) -> None:
    account = table({"n": {"N": "1"}}, {"n": {"N": "2"}, "late": {"S": "x"}}, page=1)
    output = sync(account.wire, {**CONFIG, "sample_size": 1}, limit=limit)
    kinds = [message["type"] for message in output.messages[:4]]
    assert kinds == ["SCHEMA", "RECORD", "SCHEMA", "RECORD"]
    first, second = output.of("SCHEMA")
    assert set(first["schema"]["properties"]) == {"id", "n"}
    assert second["schema"]["properties"]["late"] == {
        "type": ["null", "string"],
        "x-dynamodb-type": "S",
    }
    assert second["schema"]["x-dynamodb-table"] == first["schema"]["x-dynamodb-table"]
    assert second["key_properties"] == ["id"]
    assert "widened by 'late' (S)" in output.log


@BOTH_ROADS
def test_the_workers_are_told_of_each_wider_layout(
    monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    told: list[Widened] = []
    monkeypatch.setattr(TableReader, "tell", lambda _reader, news: told.append(news))
    items = [{"n": {"N": "1"}}, {"late": {"S": "x"}}, {"later": {"S": "y"}}]
    sync(table(*items, page=1).wire, {**CONFIG, "sample_size": 1}, limit=limit)
    assert [news.stream for news in told] == ["t", "t"]
    layouts = [news.layout for news in told]
    assert all(isinstance(layout, Columns) for layout in layouts)
    assert [set(layout.types) for layout in layouts] == [  # type: ignore[union-attr]
        {"id", "n", "late"},
        {"id", "n", "late", "later"},
    ]


@BOTH_ROADS
def test_a_column_never_changes_its_type(limit: int | None) -> None:
    values = [{"v": {kind: value}} for kind, value in TYPES.items()]
    output = sync(table(*values, page=1).wire, {**CONFIG, "sample_size": 1}, limit=limit)
    output.check()
    assert columns(output) == {"id": "S", "v": "S", "_dynamodb": None}
    assert output.records() == [
        {"id": "i0", "v": "x"},
        *({"id": f"i{n}", "_dynamodb": {"rest": item}} for n, item in enumerate(values) if n > 0),
    ]


@BOTH_ROADS
def test_there_are_at_most_so_many_columns(limit: int | None) -> None:
    items = [{f"a{n}": {"N": str(n)}} for n in range(9)]
    config = {**CONFIG, "sample_size": 0, "max_attributes": 4}
    output = sync(table(*items, page=2).wire, config, limit=limit)
    output.check(most=4)
    assert list(columns(output)) == ["id", "a0", "a1", "a2", "_dynamodb"]
    assert output.records()[3] == {"id": "i3", "_dynamodb": {"rest": {"a3": {"N": "3"}}}}
    assert "Values without a column of their type: 'a" in output.log


def test_a_page_is_rendered_once_when_the_columns_are_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = [{f"a{n}": {"N": str(n)}} for n in range(9)]
    config = {**CONFIG, "sample_size": 1, "max_attributes": 2}
    stream = stream_of(table(*items, page=1), config)
    render, pages = RecordRenderer.__call__, []

    def counted(renderer: RecordRenderer, items: Sequence[msgspec.Raw]) -> Rendered:
        pages.append(items)
        return render(renderer, items)

    monkeypatch.setattr(RecordRenderer, "__call__", counted)
    assert len(list(stream.get_records(None))) == 9
    assert len(pages) == 9


def test_records_can_be_had_without_any_message(capsys: pytest.CaptureFixture[str]) -> None:
    account = table({"n": {"N": "1"}}, {"late": {"S": "x"}}, {"n": {"S": "one"}}, page=1)
    stream = stream_of(account, {**CONFIG, "sample_size": 1})
    ids = [record["id"] for record in stream._sync_records(write_messages=False)]
    assert ids == ["i0", "i1", "i2"]
    assert capsys.readouterr().out == ""


@BOTH_ROADS
@pytest.mark.parametrize("seed", range(3))
def test_eight_workers_that_disagree_give_one_column(
    limit: int | None, seed: int, together: None
) -> None:
    kinds = list(TYPES)[seed:] + list(TYPES)[:seed]
    account = table(*({"late": {kind: TYPES[kind]}} for kind in kinds))
    config = {**CONFIG, "segments": 8, "scan_workers": 8, "sample_size": 0}
    output = sync(account.wire, config, limit=limit)
    output.check()
    assert len(output.of("SCHEMA")) == 3  # the first, the late column, and the reserved object
    kind = columns(output)["late"]
    assert kind in TYPES
    for record in output.records():
        own = kinds[int(record["id"][1:])]
        value = {own: TYPES[own]}
        assert ("late" in record) is (own == kind)
        assert record.get("_dynamodb") == (None if own == kind else {"rest": {"late": value}})


@BOTH_ROADS
def test_eight_workers_that_bring_a_column_each_stay_within_the_limit(
    limit: int | None, together: None
) -> None:
    account = table(*({f"late{n}": {"N": str(n)}} for n in range(8)))
    config = {
        **CONFIG,
        "segments": 8,
        "scan_workers": 8,
        "sample_size": 0,
        "max_attributes": 4,
    }
    output = sync(account.wire, config, limit=limit)
    output.check(most=4)
    assert len(columns(output)) == 5
    for record in output.records():
        n = record["id"][1:]
        rest = record.get("_dynamodb", {}).get("rest")
        assert (record.get(f"late{n}"), rest) in (
            (int(n), None),
            (None, {f"late{n}": {"N": n}}),
        )


# The reserved object


@BOTH_ROADS
def test_the_reserved_column_appears_only_when_it_is_needed(limit: int | None) -> None:
    plain = {"m": {"M": {"a": {"S": "x"}}}}
    nested = {"m": {"M": {"a": {"B": "AA=="}}}}
    never = sync(table(plain, plain).wire, CONFIG, limit=limit)
    assert list(columns(never)) == ["id", "m"]
    output = sync(table(plain, nested, plain, page=1).wire, CONFIG, limit=limit)
    output.check()
    assert ["_dynamodb" in message["schema"]["properties"] for message in output.of("SCHEMA")] == [
        False,
        True,
    ]
    assert [record.get("_dynamodb") for record in output.records()] == [
        None,
        {"types": {"/m/a": "B"}},
        None,
    ]


@BOTH_ROADS
def test_its_name_is_a_setting(limit: int | None) -> None:
    account = table({"m": {"M": {"a": {"B": "AA=="}}}}, {"_dynamodb": {"S": "theirs"}})
    output = sync(account.wire, {**CONFIG, "reserved_field": "_tags"}, limit=limit)
    assert columns(output) == {"id": "S", "m": "M", "_dynamodb": "S", "_tags": None}
    assert output.records() == [
        {"id": "i0", "m": {"a": "AA=="}, "_tags": {"types": {"/m/a": "B"}}},
        {"id": "i1", "_dynamodb": "theirs"},
    ]


@BOTH_ROADS
def test_an_attribute_of_the_reserved_name_travels_in_it(limit: int | None) -> None:
    output = sync(table({"_dynamodb": {"S": "theirs"}}).wire, CONFIG, limit=limit)
    assert output.records() == [{"id": "i0", "_dynamodb": {"rest": {"_dynamodb": {"S": "theirs"}}}}]
    output.check()


@BOTH_ROADS
def test_without_type_tags_there_is_none_and_what_is_lost_is_said(limit: int | None) -> None:
    account = table({"v": {"N": "1"}}, {"v": {"S": "x"}, "m": {"M": {"b": {"B": "AA=="}}}})
    config = {**CONFIG, "type_tags": False, "sample_size": 1}
    output = sync(account.wire, config, limit=limit)
    assert columns(output) == {"id": "S", "v": "N", "m": "M"}
    assert output.records() == [{"id": "i0", "v": 1}, {"id": "i1", "m": {"b": "AA=="}}]
    (warning,) = [line for line in output.log.splitlines() if "WARNING" in line]
    assert "Attribute 'v'" in warning
    assert "left out" in warning
    assert "travel" not in warning


@BOTH_ROADS
def test_without_type_tags_its_name_is_free_for_an_attribute(limit: int | None) -> None:
    account = table({"_dynamodb": {"S": "theirs"}}, {"_dynamodb": {"N": "1"}}, page=1)
    output = sync(account.wire, {**CONFIG, "type_tags": False, "sample_size": 1}, limit=limit)
    assert columns(output) == {"id": "S", "_dynamodb": "S"}
    assert output.records() == [{"id": "i0", "_dynamodb": "theirs"}, {"id": "i1"}]


@BOTH_ROADS
def test_a_warning_once_an_attribute_and_a_count_in_the_summary(limit: int | None) -> None:
    account = table(*([{"v": {"S": "x"}}] + [{"v": {"N": "1"}}] * 4), page=1)
    output = sync(account.wire, {**CONFIG, "sample_size": 1}, limit=limit)
    warnings = [line for line in output.log.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert "Attribute 'v'" in warnings[0]
    assert "Values without a column of their type: 'v' 4" in output.log


def test_many_such_attributes_do_not_flood_the_log() -> None:
    names = [f"a{n:03}" for n in range(100)]
    account = table({name: {"N": "1"} for name in names}, {"a000": {"N": "2"}}, page=1)
    output = sync(account.wire, {**CONFIG, "sample_size": 0, "max_attributes": 1})
    warnings = [line for line in output.log.splitlines() if "WARNING" in line]
    assert len(warnings) == MISFIT_WARNINGS + 1
    assert "'a000'" in warnings[0]
    assert "More such attributes are counted" in warnings[-1]
    left = len(names) - MISFIT_WARNINGS
    assert f"and those of {left} more attributes" in output.log
    assert "column of their type: 'a000' 2, " in output.log


# Null and missing


@BOTH_ROADS
def test_null_and_missing_are_two_things(limit: int | None) -> None:
    account = table({"v": {"S": "x"}}, {"v": {"NULL": True}}, {})
    assert sync(account.wire, CONFIG, limit=limit).records() == [
        {"id": "i0", "v": "x"},
        {"id": "i1", "v": None},
        {"id": "i2"},
    ]


# The other formats


@BOTH_ROADS
def test_packed_has_one_schema_for_ever(limit: int | None) -> None:
    items = [{f"a{n}": {"N": "1E-130"}} for n in range(5)]
    output = sync(table(*items, page=1).wire, {**CONFIG, "item_format": "packed"}, limit=limit)
    assert len(output.of("SCHEMA")) == 1
    assert list(columns(output)) == ["id", "item", "_dynamodb"]
    assert output.records()[4] == {"id": "i4", "item": {"a4": Decimal("1E-130")}}


@BOTH_ROADS
def test_dynamodb_json_has_one_schema_for_ever(limit: int | None) -> None:
    items = [{f"a{n}": {"N": "1.50"}} for n in range(5)]
    config = {**CONFIG, "item_format": "dynamodb_json", "item_field": "body"}
    output = sync(table(*items, page=1).wire, config, limit=limit)
    assert len(output.of("SCHEMA")) == 1
    assert list(columns(output)) == ["id", "body"]
    assert output.records()[4] == {"id": "i4", "body": {"id": {"S": "i4"}, "a4": {"N": "1.50"}}}


# Which road


@pytest.mark.parametrize(
    ("config", "fast"),
    [
        ({}, True),
        ({"item_format": "packed"}, True),
        ({"stream_maps": {"other": {"a": "id"}}}, True),
        ({"stream_maps": {"t": {"a": "id"}}}, False),
        ({"stream_maps": {"t": {"__alias__": "other"}}}, False),
        ({"stream_maps": {"copy": {"__source__": "t"}}}, False),
        ({"flattening_enabled": True, "flattening_max_depth": 1}, False),
    ],
)
def test_the_fast_road_is_taken_when_nothing_asks_for_the_sdk(
    config: dict[str, Any], fast: bool
) -> None:
    stream = stream_of(table({}), {**CONFIG, **config})
    assert stream._nothing_asks_for_the_sdk() is fast


def test_a_record_limit_takes_the_sdks_road_and_deselection_does_not_in_plain() -> None:
    account = table({"n": {"N": "1"}})
    stream = stream_of(account, CONFIG)
    assert type(stream.stream_maps[0]) is SameRecordTransform
    assert stream._nothing_asks_for_the_sdk()
    stream.ABORT_AT_RECORD_COUNT = 5
    assert not stream._nothing_asks_for_the_sdk()
    catalog = deselected(catalog_of(account), "n")
    assert stream_of(account, CONFIG, catalog=catalog)._nothing_asks_for_the_sdk()
    packed = {**CONFIG, "item_format": "packed"}
    catalog = deselected(catalog_of(account, item_format="packed"), "item")
    assert not stream_of(account, packed, catalog=catalog)._nothing_asks_for_the_sdk()


# Selection


def test_deselected_attributes_are_left_out_and_the_key_stays() -> None:
    account = table({"n": {"N": "1"}, "secret": {"S": "hush"}})
    catalog = deselected(catalog_of(account), "secret", "id")
    output = sync(account.wire, CONFIG, catalog=catalog)
    assert columns(output) == {"id": "S", "n": "N"}
    assert output.records() == [{"id": "i0", "n": 1}]


def test_who_selects_gets_what_was_selected() -> None:
    account = table(
        {"n": {"N": "1"}, "secret": {"S": "hush"}},
        {"n": {"S": "one"}, "secret": {"N": "42"}, "new": {"S": "hush"}},
        {"n": {"N": "2"}, "secret": {"M": {"a": {"B": "hush"}}}, "secret2": {"NULL": True}},
        page=1,
    )
    catalog = deselected(catalog_of(account, sample_size=1), "secret")
    output = sync(account.wire, CONFIG, catalog=catalog)
    output.check()
    assert columns(output) == {"id": "S", "n": "N", "_dynamodb": None}
    assert output.records() == [
        {"id": "i0", "n": 1},
        {"id": "i1", "_dynamodb": {"rest": {"n": {"S": "one"}}}},
        {"id": "i2", "n": 2},
    ]
    assert b"hush" not in output.stdout
    assert b"secret" not in output.stdout
    assert "secret" not in output.log


def test_a_deselected_stream_is_not_read() -> None:
    account = table({"n": {"N": "1"}})
    catalog = catalog_of(account)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] in ([], ()):
            entry["metadata"]["selected"] = False
    account.wire.calls.clear()
    output = sync(account.wire, CONFIG, catalog=catalog)
    assert output.records() == []
    assert account.wire.calls == []


# Maps


def test_a_map_stays_in_force_when_the_schema_is_widened() -> None:
    items = [{"n": {"N": "1"}, "gone": {"S": "hush"}, f"late{n}": {"N": "1"}} for n in range(4)]
    maps = {"t": {"gone": None, "double": "n * 2", "n": None, "__filter__": "id != 'i1'"}}
    account = table(*items, page=1)
    output = sync(account.wire, {**CONFIG, "sample_size": 1, "stream_maps": maps})
    output.check()
    assert set(columns(output)) == {"id", "double", "late0", "late1", "late2", "late3"}
    assert len(output.of("SCHEMA")) == 4
    assert output.records() == [{"id": f"i{n}", "double": 2, f"late{n}": 1} for n in (0, 2, 3)]
    assert b"hush" not in output.stdout


def test_an_alias_goes_with_every_message_of_the_stream() -> None:
    maps = {"t": {"__alias__": "people"}}
    config = {**CONFIG, "stream_maps": maps, "emit_activate_version_messages": True}
    output = sync(table({"v": {"S": "x"}}, {"w": {"S": "y"}}, page=1).wire, config)
    streams = {message.get("stream") for message in output.messages if message["type"] != "STATE"}
    assert streams == {"people"}
    assert set(output.state["bookmarks"]) == {"t"}
    assert len(output.records("people")) == 2


def test_a_removed_stream_leaves_nothing() -> None:
    output = sync(table({"v": {"S": "x"}}).wire, {**CONFIG, "stream_maps": {"t": None}})
    assert [message["type"] for message in output.messages] == ["STATE", "STATE"]


def test_flattening_keeps_numbers_exact_and_follows_late_attributes() -> None:
    deep = {"m": {"M": {"n": {"N": "1E-130"}, "in": {"M": {"big": {"N": "9" * 38}}}}}}
    config = {
        **CONFIG,
        "sample_size": 1,
        "flattening_enabled": True,
        "flattening_max_depth": 5,
    }
    output = sync(table({"x": {"N": "1"}}, deep, page=1).wire, config)
    record = output.records()[1]
    assert output.schema()["properties"]["m"] == {"type": ["string", "null"]}
    assert json.loads(record["m"], parse_float=Decimal) == {
        "n": Decimal("1E-130"),
        "in": {"big": int("9" * 38)},
    }


# A record limit


def test_a_record_limit_ends_the_stream_and_moves_no_bookmark() -> None:
    account = table(*({"n": {"N": str(n)}} for n in range(10)), page=4)
    stream = stream_of(account, CONFIG)
    stream.ABORT_AT_RECORD_COUNT = 6
    records = stream._sync_records(write_messages=False)
    assert [next(records)["id"] for _ in range(6)] == ["i0", "i1", "i2", "i3", "i4", "i5"]
    with pytest.raises(AbortedSyncFailedException):
        next(records)
    assert stream.reading.scan.bookmark.places == {0: {"id": {"S": "i3"}}}
    assert not stream.reading.scan.bookmark.finished


# ACTIVATE_VERSION


def versions(output: Output) -> list[Any]:
    return [message.get("version") for message in output.of("RECORD")]


@BOTH_ROADS
def test_without_activate_version_records_have_no_version(limit: int | None) -> None:
    output = sync(table({}).wire, CONFIG, limit=limit)
    assert output.of("ACTIVATE_VERSION") == []
    assert all("version" not in message for message in output.of("RECORD"))


@BOTH_ROADS
def test_activate_version_has_the_version_of_the_records(limit: int | None) -> None:
    config = {**CONFIG, "emit_activate_version_messages": True}
    output = sync(table({}, {}).wire, config, limit=limit)
    (message,) = output.of("ACTIVATE_VERSION")
    assert message["version"] > 1_000_000_000
    assert versions(output) == [message["version"]] * 2


@BOTH_ROADS
def test_a_resumed_scan_keeps_the_version_that_it_began_with(limit: int | None) -> None:
    account = table(*({} for _ in range(4)))
    scan = {
        "table_id": account.tables["t"].table_id,
        "reads": {},
        "segments": 2,
        "seed": 1,
        "began": "2026-01-01T00:00:00+00:00",
        "version": 1234567890,
        "finished": [[0, 0]],
        "places": [],
    }
    state = {"bookmarks": {"t": {"scan": [scan]}}}
    config = {**CONFIG, "emit_activate_version_messages": True}
    output = sync(account.wire, config, limit=limit, state=state)
    assert [message["version"] for message in output.of("ACTIVATE_VERSION")] == [1234567890]
    assert versions(output) == [1234567890] * 2
    assert [record["id"] for record in output.records()] == ["i1", "i3"]
    after = sync(account.wire, config, limit=limit, state=output.state)
    assert len(after.records()) == 4
    assert set(versions(after)) == {after.of("ACTIVATE_VERSION")[0]["version"]} != {1234567890}


# Replication


def test_another_replication_method_is_an_error_that_says_what_to_do() -> None:
    account = table({})
    catalog = catalog_of(account)
    catalog["streams"][0]["replication_method"] = "SOMETIMES"
    stream = stream_of(account, CONFIG, catalog=catalog)
    with pytest.raises(ConfigError, match="asks for SOMETIMES replication"):
        _ = stream.reading.scan


# A catalog in hand


def test_a_catalog_in_hand_stops_all_sampling() -> None:
    account = table({"n": {"N": "1"}})
    catalog = catalog_of(account)
    account.wire.calls.clear()
    tap = make(account.wire, CONFIG, catalog=catalog)
    assert account.wire.calls == []
    assert tap.catalog_dict == catalog
    output = sync(account.wire, CONFIG, catalog=catalog)
    assert account.wire.operations() == ["DescribeTable", "Scan"]
    assert columns(output) == {"id": "S", "n": "N"}


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_a_catalog_without_annotations_is_read_all_the_same(item_format: str) -> None:
    account = table({"n": {"N": "1"}, "b": {"B": "AA=="}})
    config = {**CONFIG, "item_format": item_format}
    catalog = catalog_of(account, item_format=item_format)
    expected = sync(account.wire, config, catalog=catalog).records()
    del catalog["streams"][0]["schema"]["x-dynamodb-table"]
    for part in catalog["streams"][0]["schema"]["properties"].values():
        part.pop("x-dynamodb-type", None)
    assert sync(account.wire, config, catalog=catalog).records() == expected


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"item_format": "packed"}, "item_format"),
        ({"item_field": "body"}, "item_field"),
        ({"reserved_field": "tags"}, "reserved"),
        ({"type_tags": False}, "reserved"),
    ],
)
def test_a_catalog_for_another_form_of_records_is_refused(
    change: dict[str, Any], member: str
) -> None:
    account = table({"n": {"N": "1"}})
    catalog = catalog_of(account)
    stream = stream_of(account, {**CONFIG, **change}, catalog=catalog)
    with pytest.raises(ConfigError, match=f"made for another {member}"):
        _ = stream.reading.scan


def test_a_catalog_of_a_table_with_another_key_is_refused() -> None:
    account = table({"n": {"N": "1"}})
    catalog = catalog_of(account)
    account.tables["t"] = ScannedTable(key=(("id", "S"), ("n", "N")))
    stream = stream_of(account, CONFIG, catalog=catalog)
    with pytest.raises(ConfigError, match="made for another key"):
        _ = stream.reading.scan


# Several streams


def test_two_streams_of_which_the_second_fails_skip_the_first_on_the_next_run() -> None:
    items = [{"id": {"S": str(n)}} for n in range(6)]
    broken = ServiceError("DynamoDB is out of order")
    account = Account({"a": ScannedTable(items), "b": ScannedTable(items, page=1)})
    config = {**CONFIG, "tables": ["a", "b"], "item_format": "dynamodb_json", "segments": 2}
    seen = []

    def fail(operation: str, request: dict[str, Any]) -> None:
        if operation == "Scan" and request["TableName"] == "b":
            seen.append(request)
            if len(seen) == 3:
                raise broken

    account.before = fail
    first = sync(account.wire, config, fails=ServiceError)
    assert len(first.records("a")) == 6
    assert "| ERROR" not in first.log  # the command's own line says it all
    read = [record["id"] for record in first.records("b")]

    account.before = None
    account.wire.calls.clear()
    second = sync(account.wire, config, state=first.state)
    assert second.records("a") == []
    assert "was read to its end by the run that began" in second.log
    assert {call.request["TableName"] for call in account.calls("Scan")} == {"b"}
    assert sorted([*read, *(record["id"] for record in second.records("b"))]) == list("012345")
    assert second.state["bookmarks"] == {"a": {"scan": []}, "b": {"scan": []}}

    third = sync(account.wire, config, state=second.state)
    assert len(third.records("a")) == len(third.records("b")) == 6


def test_without_a_choice_discovery_works_and_a_sync_is_an_error() -> None:
    items = [{"id": {"S": "x"}}]
    account = Account({"a": ScannedTable(items), "b-c": ScannedTable(items)})
    config = {**CONFIG, "tables": []}
    assert sorted(make(account.wire, config, setup_mapper=False).streams) == ["a", "b_c"]
    sampled = len(account.calls("Scan"))
    output = sync(account.wire, config, fails=ConfigError)
    assert output.messages == []
    assert len(account.calls("Scan")) == sampled
    assert len(sync(account.wire, {**config, "tables": ["*"]}).records()) == 2


# Pace


UNITS = 100.0


def test_the_pace_is_what_read_capacity_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(scanning, "Budget", partial(Budget, clock=clock, sleep=clock.sleep))
    account = table(*({} for _ in range(20)), page=1, units=UNITS)
    began, rate = clock.now, 50
    config = {**CONFIG, "item_format": "dynamodb_json", "read_capacity": rate, "segments": 4}
    output = sync(account.wire, {**config, "scan_workers": 4})
    assert len(output.records()) == 20
    # What the last calls of the four workers cost is repaid by nobody; a second's worth is free.
    spent = UNITS * 20
    assert clock.now - began >= (spent - 4 * UNITS) / rate - 1
    assert clock.now - began <= spent / rate + 10
    assert f"{spent:,.1f} capacity units" in output.log


def test_a_line_of_progress_every_few_seconds_and_a_summary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(scanning, "Progress", partial(Progress, clock=clock))
    account = table(*({} for _ in range(12)), page=2, units=4.0)
    account.before = lambda *_: clock.sleep(2)
    account.tables["t"].more = {"ItemCount": 24}
    config = {**CONFIG, "item_format": "dynamodb_json", "segments": 3}
    output = sync(account.wire, config)
    lines = [line for line in output.log.splitlines() if line.startswith("| INFO | t: ")]
    assert len(lines) >= 3
    for part in (" items, ", " MB", "items/s", "units/s", "segments ", " of 3", " left"):
        assert part in lines[0], lines[0]
    assert "12 items, " in lines[-1]
    assert "24.0 capacity units" in lines[-1]


def test_where_processes_can_share_nothing_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "can_share", lambda: False)
    output = sync(
        table({}, {}, page=1).wire, {**CONFIG, "processes": 2, "segments": 2, "scan_workers": 2}
    )
    assert len(output.records()) == 2
    assert "in one process (this system has no semaphores for several)" in output.log


def test_throttles_are_counted() -> None:
    account = table({}, {}, page=1)

    def throttled(operation: str, request: dict[str, Any]) -> None:
        if operation == "Scan":
            account.wire.throttle("t", Throttle())

    account.before = throttled
    output = sync(account.wire, {**CONFIG, "item_format": "dynamodb_json"})
    assert "2 throttled" in output.log


@BOTH_ROADS
def test_metrics_count_the_records(limit: int | None) -> None:
    output = sync(table({}, {}, {}, page=2).wire, CONFIG, limit=limit)
    metrics = [json.loads(part) for part in re.findall(r"METRIC: (.*)", output.log)]
    counts = [m["value"] for m in metrics if m["metric"] == "record_count"]
    assert sum(counts) == 3
    assert [m["tags"]["status"] for m in metrics if m["metric"] == "sync_duration"] == ["succeeded"]


def test_a_page_costs_what_dynamodb_says_and_the_log_says_rate_and_reason() -> None:
    account = table(*({} for _ in range(4)), page=1)
    account.tables["t"].more = {
        "BillingModeSummary": {"BillingMode": "PROVISIONED"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 500_000, "WriteCapacityUnits": 1},
    }
    config = {**CONFIG, "item_format": "dynamodb_json"}
    careful = sync(account.wire, config)
    assert "at most 250,000 units/s (half of the table's provisioned 500,000 read" in careful.log
    assert "2.0 capacity units" in careful.log
    told = sync(account.wire, {**config, "read_capacity": 123_456})
    assert "at most 123,456 units/s (as read_capacity says)" in told.log
