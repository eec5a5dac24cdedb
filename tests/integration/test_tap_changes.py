"""The tap with LOG_BASED replication: what docs/changes.md promises of runs, records and errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError, HistoryLost, StateError
from tests.engines import followed
from tests.engines.tap import NEVER, make

if TYPE_CHECKING:
    from tests.engines.followed import Followed
    from tests.engines.tables import Tables
    from tests.engines.tap import Output

FORMATS = ("plain", "packed", "dynamodb_json")
BOTH_ROADS = pytest.mark.parametrize("limit", [None, NEVER], ids=["fast road", "the SDK's road"])
ON = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
OFF = {"StreamEnabled": False}
OURS = {"_sdc_deleted_at", "_sdc_sequence", "_sdc_deleted_by"}


def item(number: int, value: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": {"S": f"i{number}"}, "n": {"N": str(value or number)}, **more}


@pytest.fixture(params=["ministack", "dynamodb_local"])
def engines(request: pytest.FixtureRequest) -> Tables:
    name = "tables" if request.param == "ministack" else "reference_tables"
    tables: Tables = request.getfixturevalue(name)
    return tables


def put(tables: Tables, table: str, *items: dict[str, Any]) -> None:
    for each in items:
        tables.wire.call("PutItem", {"TableName": table, "Item": each})


def delete(tables: Tables, table: str, *numbers: int) -> None:
    for number in numbers:
        key = {"id": {"S": f"i{number}"}}
        tables.wire.call("DeleteItem", {"TableName": table, "Key": key})


def turn(tables: Tables, table: str, specification: dict[str, Any]) -> None:
    request = {"TableName": table, "StreamSpecification": specification}
    tables.wire.call("UpdateTable", request)


def kinds(output: Output) -> list[str]:
    return [message["type"] for message in output.messages]


def brought(output: Output) -> dict[str, Any]:
    return {record["id"]: record for record in output.records()}


@BOTH_ROADS
@pytest.mark.parametrize("item_format", FORMATS)
def test_a_run_brings_the_table_and_every_further_one_what_has_changed(
    engines: Tables, item_format: str, limit: int | None
) -> None:
    table = engines.create([item(n) for n in range(20)], StreamSpecification=ON)
    trial = followed.on(engines, table, item_format=item_format)
    first = trial.run(limit=limit)
    assert trial.copy.keys() == {f"i{n}" for n in range(20)}
    assert trial.entry()["whole"]
    assert OURS <= first.schema()["properties"].keys()
    assert all(record["_sdc_deleted_at"] is None for record in first.records())

    put(engines, table, item(1, 100), item(50, new={"S": "new"}))
    delete(engines, table, 2)
    second = trial.run(limit=limit)
    told = brought(second)
    assert {"i1", "i50", "i2"} <= told.keys()
    assert trial.copy.keys() == {*(f"i{n}" for n in range(20) if n != 2), "i50"}
    one, fresh = told["i1"], told["i50"]
    if item_format == "plain":
        assert (one["n"], fresh["new"]) == (100, "new")
        assert "new" in second.schema()["properties"]
    elif item_format == "packed":
        assert (one["item"]["n"], fresh["item"]["new"]) == (100, "new")
    else:
        assert fresh["item"] == item(50, new={"S": "new"})
    gone = told["i2"]
    assert gone.keys() == {"id", "_sdc_deleted_at", "_sdc_sequence"}
    assert gone["_sdc_deleted_at"].endswith("+00:00")
    highest = max(record["_sdc_sequence"] for record in first.records())
    assert min(record["_sdc_sequence"] for record in told.values()) > highest

    third = trial.run(limit=limit)
    assert third.records() == []
    assert set(kinds(third)) == {"SCHEMA", "STATE"}
    assert trial.entry()["positions"]["shards"]


def test_the_image_before_a_change_is_told_where_it_is_asked_for(engines: Tables) -> None:
    table = engines.create([item(n) for n in range(3)], StreamSpecification=ON)
    trial = followed.on(engines, table, changes={"old_image": True})
    first = trial.run()
    assert "_sdc_old_image" in first.schema()["properties"]
    put(engines, table, item(1, 100), item(9))
    delete(engines, table, 2)
    told = brought(trial.run())
    assert told["i1"]["_sdc_old_image"] == {"id": "i1", "n": 1}
    assert told["i2"]["_sdc_old_image"] == {"id": "i2", "n": 2}
    assert "_sdc_old_image" not in told["i9"]


def test_without_asking_there_is_no_image_before(tables: Tables) -> None:
    table = tables.create([item(1)], StreamSpecification=ON)
    trial = followed.on(tables, table)
    trial.run()
    put(tables, table, item(1, 100))
    output = trial.run()
    assert "_sdc_old_image" not in output.schema()["properties"]
    assert "_sdc_old_image" not in brought(output)["i1"]


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_that_does_not_tell_items_is_refused_or_they_are_looked_up(
    engines: Tables, view: str
) -> None:
    specification = {"StreamEnabled": True, "StreamViewType": view}
    table = engines.create([item(n) for n in range(3)], StreamSpecification=specification)
    trial = followed.on(engines, table)
    with pytest.raises(ConfigError, match=f"is {view}: it does not tell") as refused:
        trial.run()
    assert "changes.fetch" in (refused.value.hint or "")
    trial.run(changes={"fetch": True})
    put(engines, table, item(1, 100), item(7))
    delete(engines, table, 2)
    output = trial.run(changes={"fetch": True})
    assert {key: each["n"] for key, each in trial.copy.items()} == {"i0": 0, "i1": 100, "i7": 7}
    assert brought(output)["i2"]["_sdc_deleted_at"]


ENTITIES = [
    {"name": "users", "when": [{"attribute": "id", "prefix": "i1"}]},
    {"name": "others", "when": [{"attribute": "id", "prefix": "i2"}]},
]


def test_a_time_to_live_that_has_passed_is_told_as_such() -> None:
    trial = followed.scripted()
    trial.put("a")
    trial.put("b")
    trial.run()
    trial.clock.sleep(60)
    trial.delete("a", expired=True)
    trial.delete("b")
    output = trial.run()
    told = brought(output)
    assert told["a"]["_sdc_deleted_by"] == "ttl"
    assert "_sdc_deleted_by" not in told["b"]
    assert trial.copy == {}


def test_changes_go_out_as_messages_though_files_are_asked_for(
    tables: Tables, tmp_path: Any
) -> None:
    table = tables.create([item(n) for n in range(3)], StreamSpecification=ON)
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    trial = followed.on(tables, table, batch_config=batch)
    output = trial.run()
    assert len(output.records()) == 3
    assert not output.of("BATCH")
    assert list(tmp_path.iterdir()) == []
    assert output.log.count("go out as messages") == 1


def test_attributes_that_are_not_selected_are_not_told(tables: Tables) -> None:
    table = tables.create([item(n, more={"S": "x"}) for n in range(3)], StreamSpecification=ON)
    trial = followed.on(tables, table)
    catalog = make(trial.wire, {**trial.config, "tables": [table]}).catalog_dict
    for metadata in catalog["streams"][0]["metadata"]:
        if metadata["breadcrumb"] == ["properties", "more"]:
            metadata["metadata"]["selected"] = False
    first = trial.run(catalog=catalog)
    put(tables, table, item(1, 100, more={"S": "y"}))
    delete(tables, table, 2)
    second = trial.run(catalog=catalog)
    for output in (first, second):
        assert all("more" not in record for record in output.records())
        assert all(record["_sdc_sequence"] for record in output.records())
    assert brought(second)["i1"]["n"] == 100
    assert brought(second)["i2"]["_sdc_deleted_at"]


def test_stream_maps_see_changes_too(tables: Tables) -> None:
    table = tables.create([item(n) for n in range(3)], StreamSpecification=ON)
    maps = {table: {"n": None, "name": "id"}}
    trial = followed.on(tables, table, stream_maps=maps)
    trial.run()
    put(tables, table, item(1, 100))
    delete(tables, table, 2)
    told = brought(trial.run())
    assert told["i1"]["name"] == "i1"
    assert "n" not in told["i1"]
    assert told["i2"]["_sdc_deleted_at"]
    assert told["i2"]["_sdc_sequence"]


def test_expired_items_are_left_out_of_changes_too() -> None:
    trial = followed.scripted({"skip_expired": True})
    trial.wire._described.ttl = "until"  # type: ignore[attr-defined]
    past, ahead = {"N": "1"}, {"N": str(10**11)}
    trial.put("a", until=past)
    trial.put("b", until=ahead)
    first = trial.run()
    trial.clock.sleep(60)
    trial.put("c", until=past)
    trial.put("b", 2, until=past)
    trial.delete("a")
    trial.put("d", until=ahead)
    second = trial.run()
    assert brought(first).keys() == {"b"}
    assert "c" not in brought(second)
    assert brought(second)["a"]["_sdc_deleted_at"]
    assert "d" in trial.copy
