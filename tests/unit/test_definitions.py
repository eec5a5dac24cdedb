"""Settings of a table: laid over each other, turned into requests, refused where they contradict."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core.definitions import PARTS, Definition, merged, part_of
from dynamodb_core.errors import ConfigError
from dynamodb_core.table import Key
from tests.engines.model import complaints

HASH = Key(("pk",), ("S",))
BOTH = Key(("pk", "sk"), ("S", "N"))
BY_DAY = {"name": "by_day", "partition_key": "day"}
UNITS = {"read_capacity_units": 5, "write_capacity_units": 7}


def request(settings: dict[str, Any], key: Key = BOTH, **types: str) -> dict[str, Any]:
    made = Definition("orders", key, settings, types).create_request()
    assert complaints("CreateTable", made) == []
    return made


# Requests


def test_a_table_without_settings_is_on_demand_and_has_its_key() -> None:
    assert request({}) == {
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    }
    assert request({}, HASH)["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        (
            {"billing_mode": "PROVISIONED", **UNITS},
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7},
            },
        ),
        (UNITS, {"BillingMode": "PROVISIONED"}),
        (
            {"max_write_request_units": 50},
            {
                "BillingMode": "PAY_PER_REQUEST",
                "OnDemandThroughput": {"MaxWriteRequestUnits": 50},
            },
        ),
        (
            {"stream_view_type": "OLD_IMAGE"},
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"}},
        ),
        ({"sse_type": "KMS"}, {"SSESpecification": {"Enabled": True, "SSEType": "KMS"}}),
        (
            {"kms_master_key_id": "alias/mine"},
            {
                "SSESpecification": {
                    "Enabled": True,
                    "SSEType": "KMS",
                    "KMSMasterKeyId": "alias/mine",
                }
            },
        ),
        ({"tags": {"team": "blue", "old": None}}, {"Tags": [{"Key": "team", "Value": "blue"}]}),
        (
            {"table_class": "STANDARD_INFREQUENT_ACCESS"},
            {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        ),
        ({"deletion_protection_enabled": True}, {"DeletionProtectionEnabled": True}),
    ],
)
def test_each_setting_is_a_member_of_the_request(
    settings: dict[str, Any], members: dict[str, Any]
) -> None:
    assert request(settings).items() >= members.items()


@pytest.mark.parametrize(
    "settings",
    [
        {name: None for part in PARTS.values() for name in part},
        {"deletion_protection_enabled": False, "tags": {}, "global_secondary_indexes": []},
    ],
)
def test_what_is_null_or_empty_is_as_if_left_out(settings: dict[str, Any]) -> None:
    assert request(settings) == request({})


def test_a_global_index_has_up_to_four_and_four_attributes_in_its_key() -> None:
    names = [f"a{n}" for n in range(8)]
    index = {"name": "wide", "partition_key": names[:4], "sort_key": names[4:]}
    made = request({"global_secondary_indexes": [index]}, BOTH, **dict.fromkeys(names, "N"))
    [there] = made["GlobalSecondaryIndexes"]
    assert [part["AttributeName"] for part in there["KeySchema"]] == names
    assert [part["KeyType"] for part in there["KeySchema"]] == ["HASH"] * 4 + ["RANGE"] * 4
    assert [each["AttributeName"] for each in made["AttributeDefinitions"]] == ["pk", "sk", *names]


def test_a_type_is_said_by_the_settings_or_else_known_and_each_attribute_is_defined_once() -> None:
    indexes = [
        {"name": "one", "partition_key": "day", "sort_key": "sk"},
        {"name": "two", "partition_key": "kind", "sort_key": "day"},
    ]
    settings = {"global_secondary_indexes": indexes, "attributes": {"day": "N"}}
    made = request(settings, day="S", kind="B", unused="S")
    assert {d["AttributeName"]: d["AttributeType"] for d in made["AttributeDefinitions"]} == {
        "pk": "S",
        "sk": "N",
        "day": "N",
        "kind": "B",
    }
    assert len(made["AttributeDefinitions"]) == 4


@pytest.mark.parametrize(
    ("index", "projection"),
    [
        ({}, {"ProjectionType": "ALL"}),
        ({"projection_type": "KEYS_ONLY"}, {"ProjectionType": "KEYS_ONLY"}),
        ({"non_key_attributes": ["v"]}, {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["v"]}),
    ],
)
def test_projections(index: dict[str, Any], projection: dict[str, Any]) -> None:
    [made] = request({"global_secondary_indexes": [BY_DAY | index]}, day="S")[
        "GlobalSecondaryIndexes"
    ]
    assert made["Projection"] == projection


def test_an_index_of_a_provisioned_table_has_its_own_units_or_the_tables() -> None:
    own = {"name": "own", "partition_key": "day", "write_capacity_units": 1}
    made = request({**UNITS, "global_secondary_indexes": [BY_DAY, own]}, day="S")
    assert [each["ProvisionedThroughput"] for each in made["GlobalSecondaryIndexes"]] == [
        {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7},
        {"ReadCapacityUnits": 5, "WriteCapacityUnits": 1},
    ]


def test_an_index_on_demand_has_its_own_maximum_or_none() -> None:
    own = {"name": "own", "partition_key": "day", "max_read_request_units": 9}
    settings = {"max_read_request_units": 5, "global_secondary_indexes": [BY_DAY, own]}
    made = request(settings, day="S")["GlobalSecondaryIndexes"]
    assert "OnDemandThroughput" not in made[0]
    assert made[1]["OnDemandThroughput"] == {"MaxReadRequestUnits": 9}


def test_a_local_index_has_the_tables_partition_key_and_no_capacity() -> None:
    local = {"name": "by_total", "sort_key": "total"}
    made = request({**UNITS, "local_secondary_indexes": [local]}, total="N")
    assert made["LocalSecondaryIndexes"] == [
        {
            "IndexName": "by_total",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "total", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ]


def test_indexes_after_the_load_are_requests_of_their_own_and_local_ones_are_not() -> None:
    definition = Definition(
        "orders",
        BOTH,
        {
            **UNITS,
            "create_indexes": "after_load",
            "global_secondary_indexes": [BY_DAY],
            "local_secondary_indexes": [{"name": "by_total", "sort_key": "total"}],
        },
        {"day": "S", "total": "N"},
    )
    made = definition.create_request()
    assert definition.indexes_later
    assert "GlobalSecondaryIndexes" not in made
    assert [each["AttributeName"] for each in made["AttributeDefinitions"]] == ["pk", "sk", "total"]
    later = definition.index_request("by_day")
    assert complaints("UpdateTable", later) == []
    [update] = later["GlobalSecondaryIndexUpdates"]
    assert update["Create"]["IndexName"] == "by_day"
    assert update["Create"]["ProvisionedThroughput"]["WriteCapacityUnits"] == 7
    assert "day" in {each["AttributeName"] for each in later["AttributeDefinitions"]}


def test_ttl_is_a_request_of_its_own() -> None:
    assert Definition("orders", BOTH).ttl_request() is None
    made = Definition("orders", BOTH, {"ttl_attribute": "ends"}).ttl_request()
    assert made == {
        "TableName": "orders",
        "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ends"},
    }
    assert complaints("UpdateTimeToLive", made) == []


# Refused


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"billing_mode": "PROVISIONED"}, "Give both read_capacity_units and write_capacity_units"),
        ({"write_capacity_units": 5}, "Give both"),
        ({"billing_mode": "PAY_PER_REQUEST", **UNITS}, "the table is on demand"),
        ({**UNITS, "max_read_request_units": 5}, "the table is provisioned"),
        (
            {"global_secondary_indexes": [{**BY_DAY, **UNITS}]},
            "index by_day of table orders have read_capacity_units",
        ),
        ({"global_secondary_indexes": [BY_DAY, BY_DAY]}, "two indexes named by_day"),
        (
            {
                "global_secondary_indexes": [BY_DAY],
                "local_secondary_indexes": [{"name": "by_day", "sort_key": "day"}],
            },
            "two indexes named by_day",
        ),
        (
            {"global_secondary_indexes": [{**BY_DAY, "projection_type": "INCLUDE"}]},
            "non_key_attributes",
        ),
        (
            {"global_secondary_indexes": [{"name": "xyz", "partition_key": "gone"}]},
            'index xyz with gone in its key, which is of no known type.*"gone": "S"',
        ),
        (
            {"global_secondary_indexes": [{"name": "xyz", "partition_key": "on"}]},
            "of type BOOL",
        ),
    ],
)
def test_settings_of_which_no_table_can_be_made_are_refused(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        Definition("orders", BOTH, settings, {"day": "S", "on": "BOOL"})


def test_a_local_index_wants_a_table_with_a_sort_key() -> None:
    local = {"local_secondary_indexes": [{"name": "by_total", "sort_key": "total"}]}
    with pytest.raises(ConfigError, match="no sort key"):
        Definition("orders", HASH, local, {"total": "N"})


# Laid over each other


@pytest.mark.parametrize(
    ("below", "above", "whole"),
    [
        ({}, {}, {}),
        ({"ttl_attribute": "a"}, {}, {"ttl_attribute": "a"}),
        ({"ttl_attribute": "a"}, {"ttl_attribute": "b"}, {"ttl_attribute": "b"}),
        ({"ttl_attribute": "a"}, {"ttl_attribute": None}, {"ttl_attribute": None}),
        (
            {"tags": {"a": "1", "b": "1"}},
            {"tags": {"b": "2", "c": "2"}},
            {"tags": {"a": "1", "b": "2", "c": "2"}},
        ),
        ({"tags": {"a": "1"}}, {"tags": None}, {"tags": None}),
        ({"tags": None}, {"tags": {"a": "1"}}, {"tags": {"a": "1"}}),
        (
            {"global_secondary_indexes": [{"name": "a"}, {"name": "b"}]},
            {"global_secondary_indexes": [{"name": "c"}]},
            {"global_secondary_indexes": [{"name": "c"}]},
        ),
        # capacity: units join, another billing mode takes the other's away, also of indexes
        (UNITS, {"write_capacity_units": 9}, {**UNITS, "write_capacity_units": 9}),
        (
            {"billing_mode": "PROVISIONED", **UNITS, "ttl_attribute": "a"},
            {"billing_mode": "PAY_PER_REQUEST"},
            {"billing_mode": "PAY_PER_REQUEST", "ttl_attribute": "a"},
        ),
        (UNITS, {"billing_mode": None}, {"billing_mode": None}),
        ({"max_read_request_units": 5}, UNITS, UNITS),
        (UNITS, {"max_read_request_units": 5}, {"max_read_request_units": 5}),
        (
            {**UNITS, "global_secondary_indexes": [{**BY_DAY, **UNITS}]},
            {"billing_mode": "PAY_PER_REQUEST"},
            {"billing_mode": "PAY_PER_REQUEST", "global_secondary_indexes": [BY_DAY]},
        ),
    ],
)
def test_what_is_said_above_counts(
    below: dict[str, Any], above: dict[str, Any], whole: dict[str, Any]
) -> None:
    before = repr((below, above))
    assert merged(below, above) == whole
    assert repr((below, above)) == before


def test_parts_are_taken_of_settings_and_capacity_is_one_of_them() -> None:
    whole = {
        **UNITS,
        "billing_mode": "PROVISIONED",
        "global_secondary_indexes": [{**BY_DAY, **UNITS}],
        "attributes": {"day": "S"},
        "ttl_attribute": "ends",
        "tags": {"a": "1"},
    }
    assert part_of(whole, PARTS) == whole
    assert part_of(whole, ["indexes"]) == {
        "global_secondary_indexes": [BY_DAY],
        "attributes": {"day": "S"},
    }
    assert part_of(whole, ["ttl", "tags"]) == {"ttl_attribute": "ends", "tags": {"a": "1"}}
    assert part_of(whole, []) == {}
