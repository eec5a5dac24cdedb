"""Tables that the target makes: by the settings, by their source, and what is added after the load."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from dynamodb_core.errors import AccessError, ConfigError, DataError, ServiceError
from dynamodb_core.table import Key
from target_dynamodb.keys import Stream
from target_dynamodb.making import Making
from target_dynamodb.settings import Settings
from target_dynamodb.source import Source
from target_dynamodb.table_settings import COPIED, TableSettings
from tests.engines.model import complaints
from tests.engines.scripted import ScriptedWire

LOG = logging.getLogger("test.making")
KEY = Key(("id", "n"), ("S", "N"))
BY_DAY = {"name": "by_day", "partition_key": "day"}
DEFINITION: dict[str, Any] = {
    "billing_mode": "PROVISIONED",
    "read_capacity_units": 5,
    "write_capacity_units": 7,
    "global_secondary_indexes": [
        {**BY_DAY, "read_capacity_units": 5, "write_capacity_units": 7},
    ],
    "local_secondary_indexes": [{"name": "by_total", "sort_key": "total"}],
    "attributes": {"day": "S", "total": "N"},
    "ttl_attribute": "ends",
    "stream_view_type": "NEW_IMAGE",
    "tags": {"team": "blue"},
    "table_class": "STANDARD_INFREQUENT_ACCESS",
    "deletion_protection_enabled": True,
    "sse_type": "KMS",
    "kms_master_key_id": "arn:aws:kms:eu-west-1:111122223333:key/k",
}


class Service:
    """Makes tables and indexes as DynamoDB does; an index is there when it was looked at twice."""

    def __init__(self, *refusals: Exception) -> None:
        self.tables: dict[str, dict[str, Any]] = {}
        self.refusals = list(refusals)
        self.wire = ScriptedWire(self)

    def __call__(self, operation: str, request: dict[str, Any]) -> Any:
        assert complaints(operation, request) == []
        name = request["TableName"]
        if operation == "CreateTable":
            self.tables[name] = {
                **request,
                "TableStatus": "ACTIVE",
                "BillingModeSummary": {"BillingMode": request["BillingMode"]},
            }
        elif operation == "UpdateTable":
            if self.refusals:
                return self.refusals.pop(0)
            [update] = request["GlobalSecondaryIndexUpdates"]
            indexes = self.tables[name].setdefault("GlobalSecondaryIndexes", [])
            if any(index.get("IndexStatus") == "CREATING" for index in indexes):
                return ServiceError("one at a time", code="LimitExceededException")
            indexes.append({**update["Create"], "IndexStatus": "CREATING", "looks": 2})
            self.tables[name]["AttributeDefinitions"] = request["AttributeDefinitions"]
        elif operation == "DescribeTable":
            for index in self.tables[name].get("GlobalSecondaryIndexes", ()):
                index["looks"] = index.get("looks", 0) - 1
                if index["looks"] <= 0:
                    index["IndexStatus"] = "ACTIVE"
        return {"Table": self.tables.get(name)}

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [call.request for call in self.wire.calls if call.operation == operation]


def making(service: Service, **settings: Any) -> Making:
    config = {name: settings.pop(name) for name in list(settings) if name != "dry_run"}
    its = Settings(making=TableSettings.from_config(config), **settings)
    return Making(its, service.wire, LOG, sleep=lambda _seconds: None)


def stream(definition: Any = None, key: tuple[str, ...] = KEY.names, **more: Any) -> Stream:
    source = None
    if definition is not None:
        own = more.pop("source_key", KEY)
        source = Source("orders", key=own, definition=definition, **more)
    kinds = {"id": "S", "n": "N", "day": "S", "on": "BOOL"}
    properties = {name: {"x-dynamodb-type": kind} for name, kind in kinds.items()}
    return Stream("orders", key, properties, source)


def created(definition: Any = None, key: Key = KEY, **settings: Any) -> dict[str, Any]:
    """Return the request that a table was made by."""
    service = Service()
    making(service, **settings).create(stream(definition), "t_1", key)
    [request] = service.of("CreateTable")
    return request


# Copied


def test_by_default_all_is_copied_that_costs_nothing_by_itself() -> None:
    service = Service()
    making(service).create(stream(DEFINITION), "t_1", KEY)
    [request] = service.of("CreateTable")
    assert request["BillingMode"] == "PAY_PER_REQUEST"
    assert not request.keys() & {"ProvisionedThroughput", "SSESpecification"}
    [index] = request["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_day"
    assert "ProvisionedThroughput" not in index
    assert request["LocalSecondaryIndexes"][0]["IndexName"] == "by_total"
    assert request["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert request["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert request["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert request["DeletionProtectionEnabled"]
    [ttl] = service.of("UpdateTimeToLive")
    assert ttl["TimeToLiveSpecification"] == {"AttributeName": "ends", "Enabled": True}


def test_capacity_and_encryption_are_copied_when_named() -> None:
    request = created(DEFINITION, copy_table_settings=[*COPIED, "capacity", "encryption"])
    assert request["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}
    assert "ProvisionedThroughput" in request["GlobalSecondaryIndexes"][0]
    assert request["SSESpecification"]["KMSMasterKeyId"] == DEFINITION["kms_master_key_id"]


def test_nothing_is_copied_of_an_empty_list() -> None:
    assert created(DEFINITION, copy_table_settings=[]) == created()


def test_what_the_configuration_says_goes_before_the_copy() -> None:
    own: dict[str, Any] = {
        "ttl_attribute": None,
        "tags": {"made_by": "ferry"},
        "global_secondary_indexes": [],
        "stream_view_type": "KEYS_ONLY",
    }
    request = created(DEFINITION, table_settings=own)
    assert "GlobalSecondaryIndexes" not in request
    assert {tag["Key"] for tag in request["Tags"]} == {"team", "made_by"}
    assert request["StreamSpecification"]["StreamViewType"] == "KEYS_ONLY"


def test_one_table_has_its_own_settings_by_pattern_and_name() -> None:
    service = Service()
    made = making(
        service,
        table_settings={"ttl_attribute": "all", "tags": {"a": "1"}},
        table_options={
            "t_1": {"table_settings": {"tags": {"c": "3"}}},
            "t_*": {
                "table_settings": {"ttl_attribute": "some", "tags": {"b": "2", "c": "2"}},
                "copy_table_settings": ["capacity"],
            },
            "other*": {"copy_table_settings": []},
        },
    )
    one = made.definition(stream(DEFINITION), "t_1", KEY)
    assert one.settings["ttl_attribute"] == "some"
    assert one.tags == {"a": "1", "b": "2", "c": "3"}
    assert one.billing_mode == "PROVISIONED"
    assert not one.global_indexes
    other = made.definition(stream(DEFINITION), "other", KEY)
    assert (other.settings["ttl_attribute"], other.tags) == ("all", {"a": "1"})
    assert other.billing_mode == "PAY_PER_REQUEST"


@pytest.mark.parametrize(
    ("key", "local"),
    [
        (KEY, True),
        (Key(("id", "day"), ("S", "S")), True),
        (Key(("n", "id"), ("N", "S")), False),
        (Key(("id",), ("S",)), False),
    ],
)
def test_local_indexes_are_copied_where_the_table_has_their_partition_key(
    key: Key, local: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert ("LocalSecondaryIndexes" in created(DEFINITION, key)) is local
    assert ("and not its capacity" in caplog.text) is local
    assert ("and not its indexes by_day, by_total" in caplog.text) is not local


def test_a_key_of_another_region_is_refused_unless_the_configuration_names_one() -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/k"
    foreign = {**DEFINITION, "kms_master_key_id": key}
    with pytest.raises(ConfigError, match="another region than eu-west-1"):
        created(foreign, copy_table_settings=["encryption"])
    own = {"kms_master_key_id": "alias/here"}
    request = created(foreign, copy_table_settings=["encryption"], table_settings=own)
    assert request["SSESpecification"]["KMSMasterKeyId"] == "alias/here"


def test_a_type_that_only_the_stream_knows_is_taken_from_it() -> None:
    request = created(table_settings={"global_secondary_indexes": [BY_DAY]})
    types = {d["AttributeName"]: d["AttributeType"] for d in request["AttributeDefinitions"]}
    assert types == {"id": "S", "n": "N", "day": "S"}


@pytest.mark.parametrize(
    "definition",
    [
        {"global_secondary_indexes": [{}]},
        {"global_secondary_indexes": 5},
        {"tags": [1]},
        {"attributes": "x", "global_secondary_indexes": [{"name": "a", "partition_key": "day"}]},
    ],
)
def test_a_definition_that_cannot_be_read_is_an_error_in_a_line(definition: Any) -> None:
    with pytest.raises(DataError, match="one version"):
        created(definition)


# The log


def test_the_log_says_what_is_copied_and_what_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    service = Service()
    left = ("vector index v (reason)",)
    making(service).create(stream(DEFINITION, left_behind=left), "t_1", KEY)
    made, line = caplog.messages
    assert made.startswith("Created table t_1")
    for words in (
        "on demand, global index by_day, local index by_total, TTL by ends, a stream (NEW_IMAGE)",
        "tags team, table class STANDARD_INFREQUENT_ACCESS, protected against deletion",
    ):
        assert words in made
    assert line.startswith(
        "Of table orders the items, indexes by_day, by_total, TTL by ends, stream (NEW_IMAGE), tags "
        "team, table class STANDARD_INFREQUENT_ACCESS, deletion protection are copied, and not its "
        "capacity: provisioned (5 read and 7 write units a second), encryption key arn:aws:kms"
    )
    assert "vector index v (reason); its backups" in line
    assert caplog.records[1].levelno == logging.WARNING


def test_of_a_table_that_is_copied_whole_nothing_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    created({"ttl_attribute": "ends"})
    assert "the items, TTL by ends are copied; its backups" in caplog.messages[1]
    assert caplog.records[1].levelno == logging.INFO


def test_a_dry_run_prints_what_it_would_ask_for_and_asks_for_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    service = Service()
    made = making(service, dry_run=True, table_settings={"create_indexes": "after_load"})
    table = made.create(stream(DEFINITION), "t_1", KEY)
    made.finish(bool)
    assert service.wire.calls == []
    assert (table.key, table.billing) == (KEY, "PAY_PER_REQUEST")
    assert [index.name for index in table.indexes] == ["by_total"]
    words, _, said = caplog.messages[0].partition(": {")
    assert words == "Would create table t_1 for stream orders, key id (S), n (N)"
    requests = [json.loads(each) for each in ("{" + said).split(", then ")]
    for operation, request in zip(
        ("CreateTable", "UpdateTimeToLive", "UpdateTable"), requests, strict=True
    ):
        assert complaints(operation, request) == []


# After the load

LATER = {"create_indexes": "after_load"}
TWO = {
    "global_secondary_indexes": [BY_DAY, {"name": "by_n", "partition_key": "n"}],
    "attributes": {"day": "S"},
}


def test_indexes_are_added_after_the_load_one_after_the_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    service = Service()
    made = making(service, table_settings=LATER)
    made.create(stream(TWO), "t_1", KEY)
    assert "GlobalSecondaryIndexes" not in service.of("CreateTable")[0]
    assert service.of("UpdateTable") == []
    made.finish(bool)
    made.finish(bool)
    names = [
        request["GlobalSecondaryIndexUpdates"][0]["Create"]["IndexName"]
        for request in service.of("UpdateTable")
    ]
    assert names == ["by_day", "by_n"]
    assert "Index by_n of table t_1 is there" in caplog.text
    assert "global index by_day after the load" in caplog.messages[0]


def test_a_later_run_adds_what_is_missing_and_nothing_else() -> None:
    service = Service()
    first = making(service, table_settings=LATER)
    table = first.create(stream(TWO), "t_1", KEY)
    looks = iter([False, True, True])
    first.finish(lambda: next(looks, True))
    assert len(service.of("UpdateTable")) <= 1
    second = making(service, table_settings=LATER)
    second.found(stream(TWO), table)
    second.finish(bool)
    assert len(service.of("UpdateTable")) == 2


def test_an_existing_table_is_left_as_it_is_unless_indexes_come_after_the_load() -> None:
    service = Service()
    made = making(service)
    table = made.create(stream(), "t_1", KEY)
    calls = len(service.wire.calls)
    made.found(stream(DEFINITION), table)
    made.finish(bool)
    assert len(service.wire.calls) == calls


@pytest.mark.parametrize("provisioned", [True, False])
def test_an_index_of_an_existing_table_has_the_capacity_of_its_kind(provisioned: bool) -> None:
    """Whatever the settings say of capacity: they are of a table that would be made."""
    units = {"read_capacity_units": 3, "write_capacity_units": 4}
    service = Service()
    table = making(service, table_settings=units if provisioned else {}).create(
        stream(), "t_1", KEY
    )
    own = {**LATER, "global_secondary_indexes": [BY_DAY], **({} if provisioned else units)}
    made = making(service, table_settings=own)
    made.found(stream(), table)
    made.finish(bool)
    [request] = service.of("UpdateTable")
    added = request["GlobalSecondaryIndexUpdates"][0]["Create"]
    assert added.get("ProvisionedThroughput") == (
        {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4} if provisioned else None
    )


def test_a_table_that_is_busy_is_waited_for() -> None:
    busy = ServiceError("Table is being updated", code="ResourceInUseException")
    service = Service(busy)
    made = making(service, table_settings=LATER)
    made.create(stream(TWO), "t_1", KEY)
    made.finish(bool)
    assert len(service.of("UpdateTable")) == 3


@pytest.mark.parametrize(
    "refusal",
    [AccessError("UpdateTable is refused"), ServiceError("no", code="ValidationException")],
)
def test_an_index_that_is_refused_is_an_error(refusal: Exception) -> None:
    service = Service(refusal)
    made = making(service, table_settings=LATER)
    made.create(stream(TWO), "t_1", KEY)
    with pytest.raises(type(refusal)):
        made.finish(bool)


def test_a_run_that_is_told_to_stop_says_that_the_next_one_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = Service()
    made = making(service, table_settings=LATER)
    made.create(stream(TWO), "t_1", KEY)
    made.finish(lambda: True)
    assert service.of("UpdateTable") == []
    assert "the next run adds what is missing" in caplog.text
