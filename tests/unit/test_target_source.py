"""What a SCHEMA says of the table that its stream came from."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.table import Key, Table
from target_dynamodb.source import Source

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
SAID = {
    "name": "orders",
    "arn": ARN,
    "id": "an-id",
    "region": "eu-west-1",
    "key": [{"name": "pk", "type": "S"}, {"name": "sk", "type": "N"}],
    "item_format": "packed",
    "item_field": "doc",
    "reserved": "_r",
}


def read(said: Any) -> Source | None:
    return Source.from_schema("orders", {"properties": {}, "x-dynamodb-table": said})


def table(name: str = "orders", arn: str = "", id_: str = "", **description: Any) -> Table:
    return Table(name, arn, id_, Key(("pk",), ("S",)), description=description)


def test_a_stream_of_another_tap_has_no_source() -> None:
    assert Source.from_schema("orders", {"properties": {}}) is None


def test_everything_that_the_tap_says_is_read() -> None:
    assert read(SAID) == Source(
        "orders", ARN, "an-id", "eu-west-1", Key(("pk", "sk"), ("S", "N")), "packed", "doc", "_r"
    )


def test_what_is_not_said_has_its_default() -> None:
    assert read({"name": "orders"}) == Source("orders")


@pytest.mark.parametrize(
    "said", ["orders", {}, {"name": "o", "key": [{"name": "pk"}]}, {"name": "o", "key": "pk"}]
)
def test_what_cannot_be_read_is_an_error(said: Any) -> None:
    with pytest.raises(DataError, match="x-dynamodb-table"):
        read(said)


def test_a_format_of_another_version_is_an_error() -> None:
    with pytest.raises(DataError, match="item_format ion is not known"):
        read({"name": "orders", "item_format": "ion"})


def test_the_source_is_known_by_arn_or_id() -> None:
    source = Source("orders", ARN, "an-id", "eu-west-1")
    assert source.is_same_as(table(arn=ARN))
    assert source.is_same_as(table("renamed", id_="an-id"))
    assert not source.is_same_as(table(arn=ARN.replace("1111", "9999"), id_="another"))
    assert not Source("orders").is_same_as(table())


def test_a_replica_in_another_region_is_the_source_too() -> None:
    source = Source("orders", ARN, "an-id", "eu-west-1")
    there = ARN.replace("eu-west-1", "us-east-1")
    replicas = [{"RegionName": "eu-west-1"}, {"RegionName": "us-east-1"}]
    assert source.is_same_as(table(arn=there, id_="x", Replicas=replicas))
    assert not source.is_same_as(table(arn=there, id_="x"))
    other_account = there.replace("111122223333", "444455556666")
    assert not source.is_same_as(table(arn=other_account, id_="x", Replicas=replicas))
