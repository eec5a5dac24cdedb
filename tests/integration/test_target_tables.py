"""A table moves with its settings: indexes, TTL, stream, tags; and what comes after the load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from demo.__main__ import plugin_environment
from dynamodb_core.descriptions import described
from dynamodb_core.settings import AwsSettings
from dynamodb_core.tables import tags, ttl_attribute
from dynamodb_core.wire import BotoWire
from tests.engines import pipeline, relay
from tests.integration import target_process as target

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables

ITEMS: list[dict[str, Any]] = [
    {
        "id": {"S": f"i{n % 5}"},
        "at": {"N": str(n)},
        "day": {"S": f"d{n % 3}"},
        "shop": {"N": str(n % 2)},
        "total": {"N": str(n)},
        "ends": {"N": "4000000000"},
    }
    for n in range(60)
]
KEY = (("id", "S"), ("at", "N"))
TYPES = {"id": "S", "at": "N", "day": "S", "shop": "N", "total": "N"}


def index(name: str, partition: list[str], sort: list[str], **projection: Any) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [
            *({"AttributeName": each, "KeyType": "HASH"} for each in partition),
            *({"AttributeName": each, "KeyType": "RANGE"} for each in sort),
        ],
        "Projection": projection or {"ProjectionType": "ALL"},
    }


RICH: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind} for name, kind in TYPES.items()
    ],
    "GlobalSecondaryIndexes": [
        index("by_shop", ["shop", "day"], ["total", "at"]),
        index("by_day", ["day"], [], ProjectionType="INCLUDE", NonKeyAttributes=["total"]),
    ],
    "LocalSecondaryIndexes": [index("by_total", ["id"], ["total"], ProjectionType="KEYS_ONLY")],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    "DeletionProtectionEnabled": True,
}
TTL = {"Enabled": True, "AttributeName": "ends"}
TAGS = [{"Key": "team", "Value": "blue"}, {"Key": "made for", "Value": "tests"}]
SPLIT: dict[str, Any] = {
    "create_indexes": "after_load",
    "attributes": {"day": "S"},
    "global_secondary_indexes": [{"name": "by_day", "partition_key": "day"}],
}


def rich(tables: Tables, **more: Any) -> str:
    """Make a table that has everything, and name its copy."""
    name = tables.create(ITEMS, key=KEY, **RICH, **more)
    tables.note(f"{name}_copy")
    enable = {"TableName": name, "TimeToLiveSpecification": TTL}
    tables.wire.call("UpdateTimeToLive", enable)
    return name


def settings(tables: Tables, name: str, *, tagged: bool = True) -> dict[str, Any]:
    """Return what a table is like, by the words of its settings."""
    wire = BotoWire(AwsSettings.from_config(tables.engine.config()))
    table = tables.wire.call("DescribeTable", {"TableName": name})["Table"]
    found = described(
        table,
        ttl_attribute=ttl_attribute(wire, name),
        tags=tags(wire, table["TableArn"]) if tagged else None,
    )
    by_name = sorted(found.get("global_secondary_indexes", []), key=lambda each: each["name"])
    return {**found, "global_secondary_indexes": by_name}


def counted(tables: Tables, name: str, index_name: str) -> int:
    """Return how many items an index has."""
    request = {"TableName": name, "IndexName": index_name, "Select": "COUNT"}
    return int(tables.wire.call("Scan", request)["Count"])


def moved(tables: Tables, name: str, folder: Path, tap: Any = None, **config: Any) -> str:
    """Move a table beside itself; return the target's log."""
    lines = (
        pipeline.command(
            "tap_dynamodb", pipeline.tap_config(tables.engine, [name], **(tap or {})), folder
        ),
        pipeline.command(
            "target_dynamodb", pipeline.target_config(tables.engine, **config), folder
        ),
    )
    with pipeline.Pipe(*lines, folder) as pipe:
        states = list(pipe.states())
        codes = (pipe.tap.wait(), pipe.target.wait())
        assert codes == (0, 0), pipe.log("tap") + pipe.log("target")
    assert states
    return pipe.log("target")


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_a_migration_makes_the_same_table(tables: Tables, tmp_path: Path, item_format: str) -> None:
    name = rich(tables, Tags=TAGS)
    log = moved(tables, name, tmp_path, {"item_format": item_format})
    there, made = settings(tables, name), settings(tables, f"{name}_copy")
    assert made == there
    assert there["ttl_attribute"] == "ends"
    assert there["tags"] == {"team": "blue", "made for": "tests"}
    assert counted(tables, f"{name}_copy", "by_shop") == len(ITEMS)
    assert "TTL by ends" in log
    assert "WARNING" not in log


def test_a_migration_makes_the_same_table_on_awss_own_engine(
    reference_tables: Tables, tmp_path: Path
) -> None:
    name = rich(reference_tables)
    log = moved(reference_tables, name, tmp_path)
    there, made = (
        settings(reference_tables, each, tagged=False) for each in (name, f"{name}_copy")
    )
    assert made == there
    assert len(there["global_secondary_indexes"]) == 2
    assert "and not its tags (the tap may not look at it)" in log


def test_capacity_is_copied_when_named_and_the_load_keeps_within_it(
    tables: Tables, tmp_path: Path
) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 900}
    provisioned: dict[str, Any] = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}
    name = tables.create(ITEMS[:3], key=KEY, **provisioned)
    tables.note(f"{name}_copy")
    log = moved(tables, name, tmp_path, copy_table_settings=["capacity"])
    made = settings(tables, f"{name}_copy")
    assert (made["billing_mode"], made["write_capacity_units"]) == ("PROVISIONED", 900)
    assert "900 units a second (100% of the table's provisioned 900 write units" in log


@pytest.mark.usefixtures("meltano_project")
def test_meltano_keeps_what_the_tap_says_of_a_table(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    name = rich(tables, Tags=TAGS)
    environment = plugin_environment(engine, [name], tmp_path)
    own = {"tags": {"made_by": "ferry"}, "stream_view_type": "KEYS_ONLY"}
    environment["TARGET_DYNAMODB_TABLE_SETTINGS"] = json.dumps(own)
    copied = ["indexes", "ttl", "tags", "stream"]
    environment["TARGET_DYNAMODB_COPY_TABLE_SETTINGS"] = json.dumps(copied)
    done = pipeline.meltano(environment, "run", "tap-dynamodb", "target-dynamodb")
    assert done.code == 0, done.err
    there, made = settings(tables, name), settings(tables, f"{name}_copy")
    assert made.pop("tags") == {**there.pop("tags"), "made_by": "ferry"}
    assert made.pop("stream_view_type") == "KEYS_ONLY"
    assert not made.pop("deletion_protection_enabled", False)
    del there["stream_view_type"], there["deletion_protection_enabled"]
    assert made == there


# A stream of any tap

MESSAGES = [
    target.schema("people", {"id": {"type": "string"}, "day": {"type": "string"}}),
    *(target.record("people", {"id": f"i{n}", "day": f"d{n % 3}"}) for n in range(60)),
    target.state({"people": 60}),
]


@pytest.mark.parametrize("engine_name", ["tables", "reference_tables"])
def test_indexes_after_the_load_come_after_the_last_write(
    request: pytest.FixtureRequest, engine_name: str, tmp_path: Path
) -> None:
    tables: Tables = request.getfixturevalue(engine_name)
    name = tables.name()
    with relay.running(tables.engine) as seen:
        ended = target.run(tmp_path, seen.engine, MESSAGES, table_name=name, table_settings=SPLIT)
        operations = [call.operation for call in seen.calls]
    assert ended.process.returncode == 0, ended.log
    assert ended.states == [{"people": 60}]
    written = [n for n, operation in enumerate(operations) if operation == "BatchWriteItem"]
    [added] = [n for n, operation in enumerate(operations) if operation == "UpdateTable"]
    assert max(written) < added
    assert counted(tables, name, "by_day") == 60


def test_a_load_that_fails_adds_no_index_and_the_next_one_does(
    tables: Tables, tmp_path: Path
) -> None:
    name = tables.name()
    config: dict[str, Any] = {"table_name": name, "table_settings": SPLIT}
    bad = target.record("people", {"day": "no key"})
    failed = target.run(tmp_path, tables.engine, [*MESSAGES[:20], bad], **config)
    assert failed.process.returncode == 1
    assert "global_secondary_indexes" not in described(
        tables.wire.call("DescribeTable", {"TableName": name})["Table"]
    )
    ended = target.run(tmp_path, tables.engine, MESSAGES, **config)
    assert ended.process.returncode == 0, ended.log
    assert counted(tables, name, "by_day") == 60
    again = target.run(tmp_path, tables.engine, MESSAGES, **config)
    assert again.process.returncode == 0, again.log
    assert not any("is being made" in line for line in again.log)


def test_an_index_without_a_known_type_is_an_error_before_anything_is_made(
    tables: Tables, tmp_path: Path
) -> None:
    name = tables.name()
    own = {"global_secondary_indexes": [{"name": "by_x", "partition_key": "x"}]}
    ended = target.run(tmp_path, tables.engine, MESSAGES, table_name=name, table_settings=own)
    assert ended.process.returncode == 1
    [line] = ended.errors()
    assert "index by_x with x in its key, which is of no known type" in line
    assert name not in tables.wire.call("ListTables", {})["TableNames"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"billing": "PROVISIONED"},
        {"billing_mode": "CHEAP"},
        {
            "global_secondary_indexes": [
                {"name": "by_x", "partition_key": ["a", "b", "c", "d", "e"]}
            ]
        },
        {"read_capacity_units": 0},
        {"tags": {"a": 5}},
    ],
)
def test_settings_that_no_table_can_have_are_refused_at_the_start(
    engine: Engine, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    ended = target.run(tmp_path, engine, [], table_settings=wrong)
    assert ended.process.returncode == 1
    [line] = ended.errors()
    assert "The configuration is not valid" in line
