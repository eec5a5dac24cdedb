"""Which tables DynamoDB can load by itself: said before the first record, and in a dry run too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError, TableNotFound
from dynamodb_core.progress import Progress
from target_dynamodb.destinations import Destinations
from target_dynamodb.keys import Stream
from target_dynamodb.settings import Settings
from target_dynamodb.staged import Staged
from target_dynamodb.staging import PART_BYTES, StagingSettings
from tests.engines.scripted import ScriptedWire

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES = {"id": {"type": "string"}, "n": {"type": "integer"}}
STREAM = Stream("orders", ("id", "n"), PROPERTIES)
DESCRIPTION = {
    "TableName": "orders",
    "TableArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
    "TableStatus": "ACTIVE",
    "KeySchema": [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "n", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "n", "AttributeType": "N"},
    ],
    "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 4000},
}
LOCAL = {"local_secondary_indexes": [{"name": "by_x", "sort_key": "x"}], "attributes": {"x": "S"}}


def destinations(
    config: dict[str, Any], description: dict[str, Any] | None
) -> tuple[Destinations, ScriptedWire]:
    def answer(operation: str, _request: dict[str, Any]) -> Any:
        if operation == "DescribeTable" and description is None:
            return TableNotFound("Table orders does not exist", "Check its name")
        if operation == "DescribeContinuousBackups":
            return {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "DISABLED"}}
        assert operation == "DescribeTable", "nothing else may be asked for"
        return {"Table": description}

    wire = ScriptedWire(answer)
    settings = Settings.from_config({"staging": "s3://bucket/x", **config})
    log = logging.getLogger("test.staged")
    return Destinations(settings, wire, progress=Progress("Written"), log=log), wire


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("mode", "exists", "more", "words"),
    [
        ("import", False, {"staging": ""}, "nothing says where its files are to go"),
        ("files", False, {"staging": None}, "nothing says where its files are to go"),
        ("import", False, {"staging": "/tmp/x"}, "DynamoDB cannot read /tmp/x"),
        ("bulk", True, {"staging": "file:///tmp/x"}, "DynamoDB cannot read file"),
        ("import", False, {"max_cost": 1}, "max_cost is set"),
        ("bulk", True, {"max_cost": 1}, "max_cost is set"),
        ("bulk", False, {}, "write_mode bulk, which makes none"),
        ("import", True, {}, "Table orders exists"),
        ("import", False, {"hard_delete": True}, "hard_delete is set"),
        ("import", False, {"create_tables": False}, "create_tables"),
        ("import", False, {"table_settings": LOCAL}, "local secondary indexes"),
        ("files", False, {"table_settings": LOCAL}, "local secondary indexes"),
        ("bulk", True, {"replicas": True}, "is a global table"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_record(
    mode: str, exists: bool, more: dict[str, Any], words: str, dry_run: bool
) -> None:
    description = dict(DESCRIPTION) if exists else None
    config = {"write_mode": mode, "dry_run": dry_run, **more}
    if config.pop("replicas", False) and description:
        description["Replicas"] = [{"RegionName": "eu-central-1"}]
    opened, wire = destinations(config, description)
    with pytest.raises(ConfigError, match=words):
        opened.open(STREAM)
    assert set(wire.operations()) <= {"DescribeTable"}


def test_a_bulk_put_below_its_least_rate_is_refused() -> None:
    for more in ({"write_capacity": 1023}, {"write_capacity_percent": 25}):
        opened, _ = destinations({"write_mode": "bulk", **more}, DESCRIPTION)
        with pytest.raises(ConfigError, match=r"1,024.*write_mode put"):
            opened.open(STREAM)
    for more in ({"write_capacity": 1024}, {"write_capacity_percent": 50}, {}):
        opened, _ = destinations({"write_mode": "bulk", **more}, DESCRIPTION)
        assert isinstance(opened.open(STREAM).writer, Staged)


@pytest.mark.parametrize("mode", ["import", "bulk", "files"])
def test_a_staged_table_holds_every_state_and_shares_nothing(mode: str, tmp_path: Path) -> None:
    description = DESCRIPTION if mode == "bulk" else None
    config = {"write_mode": mode, "batch_root": str(tmp_path), "processes": 2}
    opened, _ = destinations(config, description)
    assert opened.flush()  # nothing is staged yet
    assert isinstance(opened.open(STREAM).writer, Staged)
    assert not opened.flush()
    assert opened.shared
    assert not opened.shares("orders")
    assert opened.budgets() == {}


def test_a_dry_run_stages_nothing(tmp_path: Path) -> None:
    config = {"write_mode": "import", "dry_run": True, "staging_folder": str(tmp_path / "x")}
    opened, wire = destinations(config, None)
    assert not isinstance(opened.open(STREAM).writer, Staged)
    assert opened.flush()
    assert wire.operations() == ["DescribeTable"]


def test_settings_that_are_left_out_have_defaults() -> None:
    empty = dict.fromkeys(("staging", "staging_folder", "staging_compression", "bulk_tier"), "")
    assert StagingSettings.from_config({}) == StagingSettings.from_config(empty)
    assert StagingSettings.from_config({}).part_bytes == PART_BYTES
    given = StagingSettings.from_config({"bulk_tier": "accelerated", "staging_remove": True})
    assert (given.tier, given.remove) == ("ACCELERATED", True)
