"""Sizes as the meter has them, whose own are compared with DynamoDB Local's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from demo.wire import Wire, WireError
from dynamodb_core import sizes
from dynamodb_core.errors import DataError
from dynamodb_core.table import Table
from tests.engines import units
from tests.property import strategies as some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

DESCRIPTION: dict[str, Any] = {
    "TableName": "sized",
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
        {"AttributeName": "by", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_number",
            "KeySchema": [
                {"AttributeName": "by", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
TABLE = Table.from_description(DESCRIPTION)


@patient
@given(some.items)
def test_an_item_is_as_large_as_the_meter_says(item: dict[str, Any]) -> None:
    assert sizes.item_size(item) == units.item_size(item)
    assert sizes.write_units(item) == units.write_units(item)


@pytest.mark.parametrize(
    "text",
    ["0", "-0", "1", "12", "123", "0.5", "10", "1E2", "-1.5E-7", "9" * 38, "1E125", "1E-130"],
)
def test_a_number_is_as_large_as_the_meter_says(text: str) -> None:
    assert sizes.value_size({"N": text}) == units.number_size(text)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "innermost"}
    for level in range(levels):
        value = {"L": [value]} if level % 2 else {"M": {"m": value}}
    return value


def filled(size: int) -> dict[str, Any]:
    """An item of so many bytes."""
    item = {"pk": {"S": "p"}, "sk": {"S": "s"}, "pad": {"S": ""}}
    return {**item, "pad": {"S": "x" * (size - sizes.item_size(item))}}


def with_key(**more: Any) -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": "s"}, **more}


FITTING = {
    "of 400 KB": filled(400 * 1024),
    "of 31 levels": with_key(deep=nested(31)),
    "with the longest keys": {"pk": {"S": "p" * 2048}, "sk": {"S": "s" * 1024}},
    "in its index": with_key(by={"N": "1"}),
    "in no index": with_key(),
}
REFUSED = {
    "too large": (filled(400 * 1024 + 1), "409,601 bytes"),
    "too deep": (with_key(deep=nested(32)), "/deep is nested deeper than 32"),
    "a long partition key": ({"pk": {"S": "p" * 2049}, "sk": {"S": "s"}}, "key attribute pk"),
    "a long sort key": ({"pk": {"S": "p"}, "sk": {"S": "s" * 1025}}, "key attribute sk"),
    "another type than its index": (with_key(by={"S": "1"}), "/by is of type S.*by_number wants N"),
}


@pytest.mark.parametrize("item", FITTING.values(), ids=FITTING)
def test_what_fits_passes(item: dict[str, Any]) -> None:
    sizes.check(item, TABLE)


@pytest.mark.parametrize(("item", "words"), REFUSED.values(), ids=REFUSED)
def test_what_dynamodb_refuses_is_refused(item: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        sizes.check(item, TABLE)


@pytest.mark.parametrize("case", [*FITTING, *REFUSED])
def test_dynamodb_local_is_of_the_same_opinion(local: Wire, case: str) -> None:
    item = FITTING[case] if case in FITTING else REFUSED[case][0]
    request = {"TableName": "sized", "Item": item}
    if case in FITTING:
        local.call("PutItem", request)
    else:
        with pytest.raises(WireError, match="ValidationException"):
            local.call("PutItem", request)


@pytest.fixture(scope="module")
def local(dynamodb_local: Engine) -> Iterator[Wire]:
    wire = Wire.of(dynamodb_local)
    wire.call("CreateTable", {**DESCRIPTION, "BillingMode": "PAY_PER_REQUEST"})
    yield wire
    wire.call("DeleteTable", {"TableName": "sized"})
    wire.close()
