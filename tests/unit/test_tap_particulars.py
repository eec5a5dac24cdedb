"""What the tap tells of a table for whoever makes another one: described, asked for, or left out."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dynamodb_core.descriptions import beyond, described
from dynamodb_core.errors import AccessError, EndpointError, Error, ServiceError
from dynamodb_core.settings import AwsSettings
from tap_dynamodb import sampling, sources
from tap_dynamodb.discovery import TABLE
from tap_dynamodb.particulars import MOST_TABLES, Inquiry
from tap_dynamodb.settings import Settings
from tests.engines.scanned import Account, ScannedTable
from tests.engines.scripted import ScriptedWire, in_turn

EXTRA = ["DescribeTimeToLive", "ListTagsOfResource"]
TABLES = {
    "orders": ScannedTable(ttl="ends", tags={"team": "blue", "aws:stack": "x"}),
    "users": ScannedTable(),
}


def discovered(account: Account, *tables: str, **settings: Any) -> dict[str, dict[str, Any]]:
    """Return the annotation of each table's stream."""
    chosen = Settings(AwsSettings(), tables=tables, **settings)
    found = sources.find(account.wire, chosen)
    names = [source.table.name for source in found]
    schemas = sampling.schemas(account.wire, found, names, chosen)
    return {name: each[name][TABLE] for name, each in zip(names, schemas, strict=True)}


def test_ttl_and_tags_are_asked_for_and_told() -> None:
    told = discovered(Account(TABLES), "orders", "users")
    assert told["orders"]["definition"] == {"ttl_attribute": "ends", "tags": {"team": "blue"}}
    assert told["users"]["definition"] == {}
    assert [each["left_behind"] for each in told.values()] == [[], []]


def test_they_are_asked_for_once_a_table_whatever_its_streams() -> None:
    account = Account(TABLES)
    entities = [{"stream": "e", "where": {"id": {"prefix": "i"}}}]
    discovered(account, "orders", entities=entities)
    assert [len(account.calls(operation)) for operation in EXTRA] == [1, 1]


@pytest.mark.parametrize(
    "refusal",
    [
        AccessError("ListTagsOfResource is refused"),
        ServiceError("no such thing", code="UnknownOperationException"),
    ],
)
def test_what_may_not_be_asked_for_is_left_out_and_said_once(
    refusal: Error, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    denied = {("ListTagsOfResource", name): refusal for name in TABLES}
    account = Account(TABLES, denied=denied)
    inquiry = Inquiry(account.wire)
    found = [inquiry.of(sources.describe(account.wire, name)) for name in TABLES]
    assert found[0].definition == {"ttl_attribute": "ends"}
    assert [each.left_behind for each in found] == [("tags (the tap may not look at it)",)] * 2
    assert len(account.calls("ListTagsOfResource")) == 1
    assert len(account.calls("DescribeTimeToLive")) == 2
    assert caplog.text.count("The tags of tables cannot be told to a target") == 1
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_another_failure_ends_discovery() -> None:
    error = EndpointError("DynamoDB is gone")
    account = Account(TABLES, denied={("DescribeTimeToLive", "orders"): error})
    with pytest.raises(EndpointError):
        discovered(account, "orders")


def test_they_are_not_asked_for_where_nobody_wants_it() -> None:
    account = Account(TABLES)
    told = discovered(account, "orders", describe_ttl_and_tags=False)
    assert not {*account.wire.operations()} & {*EXTRA}
    assert told["orders"]["left_behind"] == [
        "TTL (describe_ttl_and_tags is off)",
        "tags (describe_ttl_and_tags is off)",
    ]


@pytest.mark.parametrize(("count", "asked"), [(MOST_TABLES, 2), (MOST_TABLES + 1, 0)])
def test_of_very_many_tables_they_are_not_asked_for(count: int, asked: int) -> None:
    account = Account(TABLES)
    inquiry = Inquiry(account.wire, count=count)
    source = sources.describe(account.wire, "orders")
    assert bool(inquiry.of(source).definition) is bool(asked)
    assert sum(len(account.calls(operation)) for operation in EXTRA) == asked


def test_all_pages_of_tags_are_read() -> None:
    from dynamodb_core import tables  # noqa: PLC0415

    wire = ScriptedWire(
        in_turn(
            {"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"},
            {"Tags": [{"Key": "b", "Value": ""}]},
        )
    )
    assert tables.tags(wire, "arn:x") == {"a": "1", "b": ""}
    assert [call.request for call in wire.calls] == [
        {"ResourceArn": "arn:x"},
        {"ResourceArn": "arn:x", "NextToken": "more"},
    ]


def test_a_stream_that_is_off_and_the_standard_class_are_no_settings() -> None:
    assert (
        described(
            {
                "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
                "StreamSpecification": {"StreamEnabled": False},
                "TableClassSummary": {"TableClass": "STANDARD"},
                "DeletionProtectionEnabled": False,
            }
        )
        == {}
    )


def test_a_table_without_a_billing_mode_is_provisioned() -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7, "NumberOfDecreasesToday": 0}
    assert described({"ProvisionedThroughput": units}) == {
        "billing_mode": "PROVISIONED",
        "read_capacity_units": 5,
        "write_capacity_units": 7,
    }


def test_what_no_settings_carry_is_named_with_its_reason() -> None:
    found = beyond(
        {"VectorIndexes": [{"IndexName": "by_sense"}], "Replicas": [{"RegionName": "r"}]}
    )
    assert found[0].startswith("vector index by_sense (its vectors are; no engine")
    assert found[1] == "replicas in r"
