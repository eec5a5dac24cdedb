"""Reading by a replication key, on real engines: scans, indexes, partitions, start dates, resuming."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError, ServiceError, StateError
from tests.engines.recorded import RecordedWire
from tests.engines.tap import NEVER, make, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engines.tables import Tables
    from tests.engines.tap import Output

NOW = datetime.now(timezone.utc).replace(microsecond=0)
BOTH_ROADS = pytest.mark.parametrize(
    "limit", [pytest.param(None, id="fast road"), pytest.param(NEVER, id="the SDK's road")]
)
INDEX: dict[str, Any] = {
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_shard",
            "KeySchema": [
                {"AttributeName": "shard", "KeyType": "HASH"},
                {"AttributeName": "changed", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "shard", "AttributeType": "S"},
        {"AttributeName": "changed", "AttributeType": "S"},
    ],
}


@pytest.fixture(params=["tables", "reference_tables"])
def there(request: pytest.FixtureRequest) -> Tables:
    """Tables on ministack, and on DynamoDB Local."""
    found: Tables = request.getfixturevalue(request.param)
    return found


def iso(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(hours: float) -> str:
    return str(int((NOW - timedelta(hours=hours)).timestamp()))


def item(name: str, changed: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {"id": {"S": name}, **({"changed": changed} if changed else {}), **more}


def config(table: str, **more: Any) -> dict[str, Any]:
    options = {"replication_key": "changed", "segments": 3, **more}
    return {"tables": [table], "table_options": {table: options}}


def put(there: Tables, table: str, *items: dict[str, Any]) -> None:
    for each in items:
        there.wire.call("PutItem", {"TableName": table, "Item": each})


def ids(output: Output) -> set[str]:
    return {record["id"] for record in output.records()}


def run(there: Tables, table: str, *, limit: int | None = None, **more: Any) -> Output:
    arguments = {name: more.pop(name) for name in ("state", "catalog") if name in more}
    output = sync(RecordedWire(there.engine), config(table, **more), limit=limit, **arguments)
    output.check()
    return output


@BOTH_ROADS
@pytest.mark.parametrize("spell", [lambda h: {"S": iso(h)}, lambda h: {"N": epoch(h)}])
def test_the_second_run_reads_what_has_changed_since(
    there: Tables, spell: Callable[[float], dict[str, Any]], limit: int | None
) -> None:
    table = there.create([item(f"i{n}", spell(48 - n)) for n in range(24)])
    first = run(there, table, limit=limit)
    assert len(first.records()) == 24
    (bookmark,) = first.state["bookmarks"][table]["incremental"]
    assert bookmark["marks"] == [[None, spell(25)]]
    assert first.state["bookmarks"][table]["scan"] == []
    put(there, table, item("i3", spell(2)), item("new", spell(1)))
    second = run(there, table, limit=limit, state=first.state)
    assert ids(second) == {"i23", "i3", "new"}
    assert second.of("SCHEMA")[0]["bookmark_properties"] == ["changed"]
    third = run(there, table, limit=limit, state=second.state)
    assert ids(third) == {"new"}


def test_what_has_no_time_is_read_in_every_run_and_counted(there: Tables) -> None:
    table = there.create(
        [
            item("old", {"S": iso(48)}),
            item("newest", {"S": iso(24)}),
            item("none", None),
            item("number", {"N": "5"}),
        ]
    )
    first = run(there, table)
    second = run(there, table, state=first.state)
    assert ids(second) == {"newest", "none", "number"}
    assert "1 items have no changed and 1 have changed as another type" in second.log


def test_a_filter_of_ones_own_leaves_them_out(there: Tables) -> None:
    table = there.create([item("a", {"S": iso(48)}), item("b", {"S": iso(24)}), item("none", None)])
    only = {"expression": "attribute_exists(changed)"}
    first = run(there, table, filter=only)
    assert ids(first) == {"a", "b"}
    assert ids(run(there, table, filter=only, state=first.state)) == {"b"}


@pytest.mark.parametrize("item_format", ["packed", "dynamodb_json"])
def test_the_key_need_not_be_a_column(there: Tables, item_format: str) -> None:
    table = there.create([item("a", {"S": iso(48)}), item("b", {"S": iso(24)})])
    first = run(there, table, item_format=item_format)
    second = run(there, table, item_format=item_format, state=first.state)
    assert ids(second) == {"b"}


def test_the_key_stays_though_it_is_deselected(there: Tables) -> None:
    table = there.create([item("a", {"S": iso(48)}, n={"N": "1"}), item("b", {"S": iso(24)})])
    catalog = make(RecordedWire(there.engine), config(table)).catalog_dict
    for part in catalog["streams"][0]["metadata"]:
        if part["breadcrumb"][-1:] not in ((), []):
            part["metadata"]["selected"] = False
    first = run(there, table, catalog=catalog)
    assert all(set(record) == {"id", "changed"} for record in first.records())
    assert ids(run(there, table, catalog=catalog, state=first.state)) == {"b"}


# Partitions in the order of the key


@BOTH_ROADS
def test_an_index_is_queried_from_the_mark_of_each_partition(
    there: Tables, limit: int | None
) -> None:
    def event(name: str, shard: int, hours: float) -> dict[str, Any]:
        return item(name, {"S": iso(hours)}, shard={"S": f"s{shard}"})

    table = there.create(
        [event(f"{s}-{n}", s, 48 - n) for s in range(2) for n in range(6)], **INDEX
    )
    options: dict[str, Any] = {"index": "by_shard", "query": {"shard": ["s0", "s1"]}}
    first = run(there, table, limit=limit, **options)
    assert len(first.records()) == 12
    put(there, table, event("1-0", 1, 2), event("0-9", 0, 50))
    wire = RecordedWire(there.engine)
    second = sync(wire, config(table, **options), limit=limit, state=first.state)
    assert ids(second) == {"0-5", "1-5", "1-0"}
    for request in wire.of("Query")[2:]:
        assert ">=" in request["KeyConditionExpression"]
        assert "FilterExpression" not in request


def test_a_counter_is_read_by_partition_and_never_by_a_scan(there: Tables) -> None:
    def event(name: str, number: int) -> dict[str, Any]:
        return {"id": {"S": "log"}, "changed": {"N": str(number)}, "name": {"S": name}}

    key = (("id", "S"), ("changed", "N"))
    table = there.create([event(f"e{n}", n) for n in range(5)], key=key)
    with pytest.raises(ConfigError, match="names no moment"):
        run(there, table)
    first = run(there, table, query={"id": "log"})
    put(there, table, event("e7", 7))
    second = run(there, table, query={"id": "log"}, state=first.state)
    assert {record["name"] for record in second.records()} == {"e4", "e7"}


# Where to begin without a bookmark


@pytest.mark.parametrize("spell", [lambda h: {"S": iso(h)}, lambda h: {"N": epoch(h)}])
def test_a_start_date_says_where_to_begin(
    there: Tables, spell: Callable[[float], dict[str, Any]]
) -> None:
    table = there.create([item(f"i{n}", spell(24 * n)) for n in range(1, 9)])
    output = run(there, table, start_date=iso(24 * 5 + 1))
    assert ids(output) == {f"i{n}" for n in range(1, 6)}
    later = run(there, table, start_date=iso(24 * 5 + 1), state=output.state)
    assert ids(later) == {"i1"}


def test_a_start_date_of_partitions_is_spelled_as_they_are(there: Tables) -> None:
    items = [
        item(f"i{n}", {"S": iso(24 * n).replace("T", " ")}, shard={"S": "s"}) for n in range(1, 9)
    ]
    table = there.create(items, **INDEX)
    options: dict[str, Any] = {"index": "by_shard", "query": {"shard": ["s", "empty"]}}
    output = run(there, table, start_date=iso(24 * 5 + 1), **options)
    assert ids(output) == {f"i{n}" for n in range(1, 6)}


def test_a_full_table_is_read_whole_whatever_the_start_date(there: Tables) -> None:
    table = there.create([item("old", {"S": iso(1000)})])
    output = sync(RecordedWire(there.engine), {"tables": [table], "start_date": NOW.isoformat()})
    assert ids(output) == {"old"}


# Interrupted runs


def test_a_run_that_goes_on_keeps_the_moment_that_the_first_began(tables: Tables) -> None:
    """A change after the first run's beginning is read again by the run after both."""
    table = tables.create([item(f"i{n:02}", {"S": iso(48 - n / 60)}) for n in range(40)])
    chosen = config(table, scan_workers=1, replication_lookback_seconds=0)

    class Failing(RecordedWire):
        def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
            if operation == "Scan" and len(self.of("Scan")) == 6:  # four are the sample
                raise ServiceError("DynamoDB is out of order")
            return super().call(operation, body, table=table)

    chosen = {**config(table, replication_lookback_seconds=0), "scan_workers": 1}
    first = sync(Failing(tables.engine), chosen, fails=ServiceError)
    (scan,) = first.state["bookmarks"][table]["scan"]
    assert scan["marks"] != []
    late = (datetime.now(timezone.utc) + timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    changed = first.records()[0]["id"]
    put(tables, table, item(changed, {"S": late}))
    second = sync(RecordedWire(tables.engine), chosen, state=first.state)
    assert ids(first) | ids(second) == {f"i{n:02}" for n in range(40)}
    third = sync(RecordedWire(tables.engine), chosen, state=second.state)
    assert changed in ids(third)
    assert len(third.records()) < 5


# What a catalog says, and what does not fit


def test_a_catalog_may_ask_for_the_full_table(there: Tables) -> None:
    table = there.create([item("a", {"S": iso(48)}), item("b", {"S": iso(24)})])
    catalog = make(RecordedWire(there.engine), config(table)).catalog_dict
    assert catalog["streams"][0]["replication_key"] == "changed"
    assert catalog["streams"][0]["replication_method"] == "INCREMENTAL"
    first = run(there, table, catalog=catalog)
    whole = copy.deepcopy(catalog)
    whole["streams"][0]["replication_method"] = "FULL_TABLE"
    second = run(there, table, catalog=whole, state=first.state)
    assert ids(second) == {"a", "b"}


def test_a_catalog_may_name_the_replication_key(there: Tables) -> None:
    table = there.create([item("a", {"S": iso(48)}), item("b", {"S": iso(24)})])
    plain = {"tables": [table]}
    catalog = make(RecordedWire(there.engine), plain).catalog_dict
    catalog["streams"][0] |= {"replication_key": "changed", "replication_method": "INCREMENTAL"}
    first = sync(RecordedWire(there.engine), plain, catalog=catalog)
    second = sync(RecordedWire(there.engine), plain, catalog=catalog, state=first.state)
    assert ids(second) == {"b"}


def test_incremental_without_a_key_is_an_error(there: Tables) -> None:
    table = there.create([item("a", {"S": iso(48)})])
    plain = {"tables": [table]}
    catalog = make(RecordedWire(there.engine), plain).catalog_dict
    catalog["streams"][0]["replication_method"] = "INCREMENTAL"
    with pytest.raises(ConfigError, match="INCREMENTAL replication without a replication key"):
        sync(RecordedWire(there.engine), plain, catalog=catalog)


def test_a_bookmark_of_another_tap_is_told_to_be_of_no_use(tables: Tables) -> None:
    table = tables.create([item("a", {"S": iso(48)})])
    state = {"bookmarks": {table: {"replication_key": "changed", "replication_key_value": iso(24)}}}
    output = run(tables, table, state=state)
    assert ids(output) == {"a"}
    assert "has a bookmark of another tap" in output.log
    assert "has a bookmark of another tap" not in run(tables, table, state=output.state).log


def test_a_key_that_no_item_has_is_a_warning(tables: Tables) -> None:
    table = tables.create([item("a", None), item("b", None)])
    output = run(tables, table)
    assert "| WARNING | 2 items have no changed: these are read in every run" in output.log
    assert output.state["bookmarks"][table]["incremental"] == []


def test_the_bookmark_of_another_filter_is_refused(there: Tables) -> None:
    table = there.create([item("a", {"S": iso(48)})])
    first = run(there, table, filter={"expression": "attribute_exists(changed)"})
    with pytest.raises(StateError, match="with another index or filter"):
        run(there, table, state=first.state)


def test_a_time_with_an_offset_is_an_error_that_says_why(there: Tables) -> None:
    table = there.create([item("a", {"S": "2026-11-20T12:00:00+02:00"})])
    with pytest.raises(ConfigError, match="compares text byte by byte"):
        run(there, table)
