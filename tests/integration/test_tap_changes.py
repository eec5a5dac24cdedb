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
    assert first.schema()["properties"].keys() >= OURS
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


def discovered(trial: Followed) -> Any:
    """Return the catalog, as its user gets it in a file."""
    config = {"tables": [trial.table], "replication_method": "LOG_BASED", **trial.config}
    given = {name: value for name, value in config.items() if value is not None}
    return json.loads(json.dumps(make(trial.wire, given).catalog_dict))


ENTITIES = [
    {"stream": "users", "where": {"id": {"prefix": "i1"}}},
    {"stream": "others", "where": {"id": {"prefix": "i2"}}},
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
    assert brought(output).keys() == {"i0", "i1", "i2"}
    assert not output.of("BATCH")
    assert list(tmp_path.iterdir()) == []
    assert output.log.count("go out as messages") == 1


def test_attributes_that_are_not_selected_are_not_told(tables: Tables) -> None:
    table = tables.create([item(n, more={"S": "x"}) for n in range(3)], StreamSpecification=ON)
    trial = followed.on(tables, table)
    catalog = discovered(trial)
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
    past, ahead = {"N": "1789000000"}, {"N": str(10**11)}
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


def test_entities_share_the_read_of_snapshot_and_stream(tables: Tables) -> None:
    table = tables.create([item(n) for n in (1, 2, 3, 11, 22)], StreamSpecification=ON)
    options = {table: {"entities": ENTITIES}}
    trial = followed.on(tables, table, table_options=options)
    first = trial.run()
    of = {stream: {r["id"] for r in first.records(stream)} for stream in ("users", "others", table)}
    assert of == {"users": {"i1", "i11"}, "others": {"i2", "i22"}, table: {"i3"}}
    put(tables, table, item(12, 5), item(3, 100))
    delete(tables, table, 2, 11)
    second = trial.run()
    told = {stream: {r["id"] for r in second.records(stream)} for stream in of}
    assert "i12" in told["users"]
    assert "i12" not in told[table] | told["others"]
    assert "i3" in told[table]
    gone = {
        (stream, r["id"]) for stream in of for r in second.records(stream) if r["_sdc_deleted_at"]
    }
    assert {("users", "i11"), ("others", "i2")} <= gone
    third = trial.run()
    assert third.records() == []


# What a catalog says


def with_method(catalog: Any, **methods: str) -> Any:
    for stream in catalog["streams"]:
        [root] = [each for each in stream["metadata"] if not each["breadcrumb"]]
        method = methods.get(stream["tap_stream_id"].rpartition("-")[2], methods.get("all"))
        if method:
            root["metadata"]["replication-method"] = method
            stream["replication_method"] = method
    return catalog


@BOTH_ROADS
def test_a_catalogs_metadata_alone_lets_a_table_be_followed(
    tables: Tables, limit: int | None
) -> None:
    table = tables.create([item(n) for n in range(3)], StreamSpecification=ON)
    trial = followed.on(tables, table, replication_method=None)
    catalog = with_method(discovered(trial), all="LOG_BASED")
    assert not OURS & catalog["streams"][0]["schema"]["properties"].keys()
    first = trial.run(catalog=catalog, limit=limit)
    assert first.schema()["properties"].keys() >= OURS
    assert all(record["_sdc_sequence"] for record in first.records())
    delete(tables, table, 2)
    second = trial.run(catalog=catalog, limit=limit)
    assert brought(second)["i2"]["_sdc_deleted_at"]


def test_discovery_tells_what_is_added_where_the_setting_says_so(tables: Tables) -> None:
    table = tables.create([item(1)], StreamSpecification=ON)
    trial = followed.on(tables, table)
    assert discovered(trial)["streams"][0]["schema"]["properties"].keys() >= OURS


@pytest.mark.parametrize("name", sorted(OURS))
@pytest.mark.parametrize("late", [False, True])
def test_an_attribute_named_like_one_of_ours_is_refused(
    tables: Tables, name: str, *, late: bool
) -> None:
    own = {**item(1), name: {"S": "mine"}}
    table = tables.create([item(2), *([] if late else [own])], StreamSpecification=ON)
    trial = followed.on(tables, table)
    if late:
        trial.run()
        put(tables, table, own)
    with pytest.raises(ConfigError, match=name):
        trial.run()


def test_streams_of_a_table_cannot_be_read_by_different_methods(tables: Tables) -> None:
    table = tables.create([item(n) for n in (1, 2, 3)], StreamSpecification=ON)
    options = {table: {"entities": ENTITIES}}
    trial = followed.on(tables, table, table_options=options, replication_method=None)
    catalog = with_method(discovered(trial), users="LOG_BASED")
    output = trial.run(catalog=catalog, fails=ConfigError)
    assert output.records() == []
    with pytest.raises(ConfigError, match="different replication: FULL_TABLE, LOG_BASED"):
        trial.run(catalog=catalog)


def test_an_unknown_method_is_refused(tables: Tables) -> None:
    table = tables.create([item(1)], StreamSpecification=ON)
    trial = followed.on(tables, table, replication_method=None)
    catalog = with_method(discovered(trial), all="XMIN")
    with pytest.raises(ConfigError, match="asks for XMIN replication") as refused:
        trial.run(catalog=catalog)
    assert "LOG_BASED" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"filter": {"expression": "n > :n", "values": {":n": 1}}}, "filter"),
        ({"query": {"id": "i1"}}, "query"),
        ({"index": "by_n"}, "index"),
        ({"replication_key": "n"}, "replication_key"),
        ({"segment_range": "0-0", "segments": 2}, "segment_range"),
        ({"warm_up": {"method": "provisioned", "read_units": 50}}, "warm_up"),
    ],
)
def test_settings_that_read_a_part_of_a_table_are_refused(
    tables: Tables, settings: dict[str, Any], named: str
) -> None:
    index = {"IndexName": "by_n", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    indexes = [{**index, "Projection": {"ProjectionType": "ALL"}}]
    table = tables.create([item(1)], StreamSpecification=ON, GlobalSecondaryIndexes=indexes)
    given = dict(settings)
    segments = {"segments": given.pop("segments")} if "segments" in given else {}
    trial = followed.on(tables, table, **segments, table_options={table: given})
    with pytest.raises(ConfigError, match=f"{named} is set for table {table}, whose") as refused:
        trial.run(changes={"snapshot": "none"})  # nothing is scanned
    assert f"Take {named} away" in (refused.value.hint or "")


# Which stream, and whether it is on


def test_a_stream_that_is_off_is_told_with_the_command(tables: Tables) -> None:
    table = tables.create([item(1)])
    trial = followed.on(tables, table)
    output = trial.run(fails=ConfigError)
    assert output.records() == []
    with pytest.raises(ConfigError, match=f"The stream of table {table} is not on") as refused:
        trial.run()
    hint = refused.value.hint or ""
    assert "changes.enable_stream" in hint
    assert f"aws dynamodb update-table --table-name {table} --stream-specification" in hint
    assert "StreamViewType=NEW_AND_OLD_IMAGES" in hint
    for state in output.of("STATE"):
        assert not state["value"]["bookmarks"].get(table, {}).get("positions")
    trial.run(changes={"enable_stream": True})
    assert trial.copy.keys() == {"i1"}
    trial.run()  # it is on from then on


def test_the_tap_turns_a_stream_on_where_it_may(engines: Tables) -> None:
    table = engines.create([item(n) for n in range(3)])
    trial = followed.on(engines, table, changes={"enable_stream": True})
    first = trial.run()
    assert trial.copy.keys() == {"i0", "i1", "i2"}
    assert trial.clock.waited >= 10, "a write from just before is in no stream"
    assert "is turned on (NEW_AND_OLD_IMAGES)" in first.log
    put(engines, table, item(1, 100))
    delete(engines, table, 2)
    second = trial.run()
    assert "turned on" not in second.log
    assert {key: each["n"] for key, each in trial.copy.items()} == {"i0": 0, "i1": 100}


def test_a_stream_that_was_turned_off_is_read_to_its_end(tables: Tables) -> None:
    table = tables.create([item(n) for n in range(3)], StreamSpecification=ON)
    trial = followed.on(tables, table)
    trial.run()
    put(tables, table, item(1, 100))
    turn(tables, table, OFF)
    put(tables, table, item(0, 50))
    output = trial.run()
    assert brought(output)["i1"]["n"] == 100
    assert trial.copy["i0"]["n"] == 0
    assert (
        f"WARNING | The stream of table {table} is turned off: it is read to its end" in output.log
    )


def test_a_stream_that_was_turned_off_and_on_has_lost_what_was_between(tables: Tables) -> None:
    table = tables.create([item(n) for n in range(3)], StreamSpecification=ON)
    trial = followed.on(tables, table)
    trial.run()
    before = trial.state
    turn(tables, table, OFF)
    put(tables, table, item(0, 50))
    turn(tables, table, ON)
    with pytest.raises(HistoryLost, match=trial.entry()["positions"]["stream"]) as lost:
        trial.run()
    assert "Start over" in (lost.value.hint or "")
    output = trial.run(fails=HistoryLost)
    assert output.records() == []
    assert trial.entry() == before["bookmarks"][table]["changes"][0]
    trial.state = None
    trial.run()
    assert trial.copy["i0"]["n"] == 50


def test_a_table_made_anew_is_not_taken_for_the_one_before(tables: Tables) -> None:
    table = tables.create([item(n) for n in range(3)], StreamSpecification=ON)
    trial = followed.on(tables, table)
    trial.run()
    before = trial.state
    tables.wire.call("DeleteTable", {"TableName": table})
    tables.wire.create_table(table, (("id", "S"),), StreamSpecification=ON)
    with pytest.raises(StateError, match="was made anew"):
        trial.run()
    trial.run(fails=StateError)
    assert trial.state["bookmarks"][table]["changes"] == before["bookmarks"][table]["changes"]


@pytest.mark.parametrize(
    "damage",
    [
        {"snapshot": None},
        {"snapshot": "now"},
        {"table_id": None},
        {"positions": {}},
        {"positions": 4},
        {"positions": {"stream": "arn:aws:x"}},
    ],
    ids=str,
)
def test_a_damaged_state_is_an_error(damage: dict[str, Any]) -> None:
    trial = followed.scripted()
    trial.put("a")
    trial.run()
    trial.entry().update(damage)
    with pytest.raises(StateError):
        trial.run()


@pytest.mark.parametrize("entries", [[4], [{}, {}], "x", [{"whole": True}]], ids=str)
def test_a_state_that_is_no_state_is_an_error(entries: Any) -> None:
    trial = followed.scripted()
    trial.put("a")
    trial.run()
    trial.state["bookmarks"]["orders"]["changes"] = entries
    with pytest.raises(StateError):
        trial.run()
