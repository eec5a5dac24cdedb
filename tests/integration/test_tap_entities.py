"""One scan of a single-table design, split into a stream for each entity; on a real engine."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from demo.compare import compare_tables
from dynamodb_core.errors import ConfigError, ServiceError, StateError
from tests.engines import pipeline
from tests.engines.recorded import RecordedWire
from tests.engines.tap import NEVER, make, sync

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables
    from tests.engines.tap import Output

KEY = (("pk", "S"), ("sk", "S"))
ENTITIES = [
    {"stream": "users", "where": {"sk": {"equals": "PROFILE"}}},
    {"stream": "orders", "where": {"pk": {"prefix": "USER#"}, "sk": {"prefix": "ORDER#"}}},
]
BOTH_ROADS = pytest.mark.parametrize(
    "limit", [pytest.param(None, id="fast road"), pytest.param(NEVER, id="the SDK's road")]
)


def single_table(users: int = 6, orders: int = 4) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = [{"pk": {"S": "CONFIG"}, "sk": {"S": "v1"}, "on": {"BOOL": True}}]
    for user in range(users):
        pk = {"S": f"USER#{user}"}
        items.append({"pk": pk, "sk": {"S": "PROFILE"}, "name": {"S": f"n{user}"}})
        items += [
            {"pk": pk, "sk": {"S": f"ORDER#{n}"}, "total": {"N": f"{n}.5"}} for n in range(orders)
        ]
    return items


def config(table: str, **more: Any) -> dict[str, Any]:
    return {"tables": [table], "table_options": {table: {"entities": ENTITIES, **more}}}


@BOTH_ROADS
def test_each_item_goes_to_the_stream_of_its_entity_and_the_table_is_paid_for_once(
    tables: Tables, limit: int | None
) -> None:
    table = tables.create(single_table(), key=KEY)
    wire = RecordedWire(tables.engine)
    output = sync(wire, {**config(table), "segments": 3}, limit=limit)
    output.check()
    assert len(output.records("users")) == 6
    assert {record["name"] for record in output.records("users")} == {f"n{n}" for n in range(6)}
    assert len(output.records("orders")) == 24
    assert [record["pk"] for record in output.records(table)] == ["CONFIG"]
    sampled = 4
    assert len(wire.of("Scan")) == sampled + 3


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_the_entities_of_a_table_make_up_its_copy(
    engine: Engine, tables: Tables, tmp_path: Path, item_format: str
) -> None:
    table = tables.create(single_table(), key=KEY)
    tables.name(f"{table}_copy")
    chosen = {**engine.config(), **config(table), "item_format": item_format}
    tap = pipeline.run(pipeline.command("tap_dynamodb", chosen, tmp_path))
    assert tap.code == 0, tap.err
    target = pipeline.command("target_dynamodb", pipeline.target_config(engine), tmp_path)
    loaded = pipeline.run(target, tap.out)
    assert loaded.code == 0, loaded.err
    copied = compare_tables(tables.wire, table, tables.wire, f"{table}_copy")
    assert str(copied).startswith("identical: 31 items")


def test_the_schema_of_a_stream_has_the_columns_of_its_entity(tables: Tables) -> None:
    table = tables.create(single_table(), key=KEY)
    catalog = make(RecordedWire(tables.engine), config(table)).catalog_dict
    columns = {
        entry["tap_stream_id"]: set(entry["schema"]["properties"]) for entry in catalog["streams"]
    }
    assert columns == {
        "users": {"pk", "sk", "name"},
        "orders": {"pk", "sk", "total"},
        table: {"pk", "sk", "on"},
    }
    for entry in catalog["streams"]:
        annotation = entry["schema"]["x-dynamodb-table"]
        assert annotation["name"] == table
        assert annotation.get("entity") == (
            None if entry["tap_stream_id"] == table else entry["tap_stream_id"]
        )


def deselect(catalog: dict[str, Any], *streams: str) -> dict[str, Any]:
    changed = copy.deepcopy(catalog)
    for entry in changed["streams"]:
        if entry["tap_stream_id"] in streams:
            entry["selected"] = False
            for part in entry["metadata"]:
                if part["breadcrumb"] in ((), []):
                    part["metadata"]["selected"] = False
    return changed


@pytest.mark.parametrize("left_out", [("users",), ("orders",), ("TABLE",), ("TABLE", "users")])
def test_entities_that_are_not_selected_are_left_out(
    tables: Tables, left_out: tuple[str, ...]
) -> None:
    table = tables.create(single_table(), key=KEY)
    streams = [table if name == "TABLE" else name for name in left_out]
    catalog = deselect(make(RecordedWire(tables.engine), config(table)).catalog_dict, *streams)
    output = sync(RecordedWire(tables.engine), config(table), catalog=catalog)
    output.check()
    counts = {"users": 6, "orders": 24, table: 1}
    for stream, count in counts.items():
        expected = 0 if stream in streams else count
        assert len(output.records(stream)) == expected
        assert bool(output.of("SCHEMA", stream)) is (stream not in streams)
    assert output.state["bookmarks"][table]["scan"] == []


@pytest.mark.parametrize("limit", [None, NEVER])
def test_a_run_that_failed_goes_on_where_all_its_streams_are(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr("tap_dynamodb.read_loop.STATE_BYTES", 1)
    table = tables.create(single_table(users=20), key=KEY)
    chosen = {**config(table), "segments": 8, "scan_workers": 1}

    class Failing(RecordedWire):
        def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
            if operation == "Scan" and b'"TotalSegments":8' in body and len(self.of("Scan")) > 7:
                raise ServiceError("DynamoDB is out of order")
            return super().call(operation, body, table=table)

    first = sync(Failing(tables.engine), chosen, limit=limit, fails=ServiceError)
    second = sync(RecordedWire(tables.engine), chosen, limit=limit, state=first.state)
    second.check()

    def keys(output: Output, stream: str) -> set[tuple[str, str]]:
        return {(record["pk"], record["sk"]) for record in output.records(stream)}

    for stream, count in {"users": 20, "orders": 80, table: 1}.items():
        assert len(keys(first, stream) | keys(second, stream)) == count
        assert not keys(first, stream) & keys(second, stream)
    assert len(first.records()) > 0
    assert len(second.records()) > 0


def test_a_state_made_for_fewer_streams_is_refused(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orders of the segments that are finished would never be read."""
    monkeypatch.setattr("tap_dynamodb.read_loop.STATE_BYTES", 1)
    table = tables.create(single_table(), key=KEY)
    whole = make(RecordedWire(tables.engine), config(table)).catalog_dict
    first = sync(RecordedWire(tables.engine), config(table), catalog=deselect(whole, "orders"))
    unfinished = first.of("STATE")[0]["value"]
    assert unfinished["bookmarks"][table]["scan"] != []
    with pytest.raises(StateError, match=r"was made with streams .*, now it is"):
        sync(RecordedWire(tables.engine), config(table), catalog=whole, state=unfinished)


def test_without_the_tables_own_stream_the_others_get_no_more_than_theirs(tables: Tables) -> None:
    table = tables.create(single_table(), key=KEY)
    catalog = make(RecordedWire(tables.engine), config(table)).catalog_dict
    catalog["streams"] = [e for e in catalog["streams"] if e["tap_stream_id"] != table]
    output = sync(RecordedWire(tables.engine), config(table), catalog=catalog)
    assert {name: len(output.records(name)) for name in ("users", "orders", table)} == {
        "users": 6,
        "orders": 24,
        table: 0,
    }


def test_activate_version_begins_and_ends_each_stream_once(tables: Tables) -> None:
    table = tables.create(single_table(), key=KEY)
    chosen = {**config(table), "emit_activate_version_messages": True}
    output = sync(RecordedWire(tables.engine), chosen)
    for stream in ("users", "orders", table):
        kinds = [m["type"] for m in output.messages if m.get("stream") == stream]
        assert kinds[:2] == ["SCHEMA", "ACTIVATE_VERSION"]
        assert set(kinds[2:]) == {"RECORD"}
    versions = {message["version"] for message in output.of("ACTIVATE_VERSION")}
    assert versions == {message["version"] for message in output.of("RECORD")}


def test_a_catalog_of_entities_that_are_no_longer_set_is_refused(tables: Tables) -> None:
    table = tables.create(single_table(), key=KEY)
    catalog = make(RecordedWire(tables.engine), config(table)).catalog_dict
    with pytest.raises(ConfigError, match="was made for another entity"):
        sync(RecordedWire(tables.engine), {"tables": [table]}, catalog=catalog)


def test_a_rule_looks_at_an_attribute_that_is_deselected(tables: Tables) -> None:
    items = [
        {"pk": {"S": "a"}, "sk": {"S": "1"}, "type": {"S": "user"}, "n": {"N": "1"}},
        {"pk": {"S": "a"}, "sk": {"S": "2"}, "type": {"S": "order"}, "n": {"N": "2"}},
    ]
    table = tables.create(items, key=KEY)
    rules = [{"stream": "users", "where": {"type": {"equals": "user"}}}]
    chosen = {"tables": [table], "table_options": {table: {"entities": rules}}}
    catalog = make(RecordedWire(tables.engine), chosen).catalog_dict
    for entry in catalog["streams"]:
        for part in entry["metadata"]:
            if part["breadcrumb"][-1:] in (("type",), ["type"]):
                part["metadata"]["selected"] = False
    output = sync(RecordedWire(tables.engine), chosen, catalog=catalog)
    assert output.records("users") == [{"pk": "a", "sk": "1", "n": 1}]
    assert output.records(table) == [{"pk": "a", "sk": "2", "n": 2}]
