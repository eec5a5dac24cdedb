"""Which Kinesis streams a table's changes go to, and what is said of one that they do not go to."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dynamodb_core.changes.destinations import (
    KinesisDestination,
    is_kinesis,
    kinesis_streams,
    require_destination,
)
from dynamodb_core.errors import AccessError, ConfigError, ServiceError, TableNotFound
from dynamodb_core.table import Key, Table
from tests.engines.scripted import ScriptedWire

ONE, OTHER = (f"arn:aws:kinesis:eu-west-1:111122223333:stream/{name}" for name in ("one", "other"))
TABLE = Table("orders", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders", "", Key((), ()))


def wire(*streams: tuple[str, str]) -> ScriptedWire:
    def answer(operation: str, request: dict[str, Any]) -> Any:
        assert (operation, request) == (
            "DescribeKinesisStreamingDestination",
            {"TableName": TABLE.arn},
        )
        return {
            "TableName": "orders",
            "KinesisDataStreamDestinations": [
                {"StreamArn": arn, "DestinationStatus": status} for arn, status in streams
            ],
        }

    return ScriptedWire(answer)


def refusing(error: Exception) -> ScriptedWire:
    return ScriptedWire(lambda operation, request: error)


def test_the_streams_of_a_table() -> None:
    found = kinesis_streams(wire((ONE, "ACTIVE"), (OTHER, "DISABLED")), TABLE)
    assert found == [KinesisDestination(ONE, "ACTIVE"), KinesisDestination(OTHER, "DISABLED")]
    assert [each.on for each in found] == [True, False]
    assert kinesis_streams(wire(), TABLE) == []


@pytest.mark.parametrize("status", ["ACTIVE", "ENABLING", "UPDATING"])
def test_a_stream_that_changes_go_to(status: str, caplog: pytest.LogCaptureFixture) -> None:
    require_destination(wire((OTHER, "ACTIVE"), (ONE, status)), TABLE, ONE)
    assert not caplog.records


def test_one_that_was_turned_off_is_read_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        require_destination(wire((ONE, "DISABLED")), TABLE, ONE)
    assert "do not go to" in caplog.text
    assert "start over" in caplog.text


@pytest.mark.parametrize(
    ("streams", "others"),
    [
        ([], "none"),
        ([(OTHER, "ACTIVE")], OTHER),
        ([(OTHER, "DISABLED")], "none"),
        ([(ONE, "ENABLE_FAILED")], "none"),
    ],
)
def test_one_that_they_do_not_go_to(streams: list[tuple[str, str]], others: str) -> None:
    with pytest.raises(ConfigError) as told:
        require_destination(wire(*streams), TABLE, ONE)
    assert f"orders do not go to {ONE}" in told.value.message
    assert told.value.hint == (
        f"Its Kinesis streams: {others}. To have them go there: aws dynamodb "
        f"enable-kinesis-streaming-destination --table-name orders --stream-arn {ONE} --region eu-west-1"
    )


@pytest.mark.parametrize(
    "error",
    [
        AccessError("DescribeKinesisStreamingDestination is refused"),
        ServiceError("no such call", code="UnknownOperationException"),
    ],
)
def test_where_it_is_not_told_it_is_warned(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        require_destination(refusing(error), TABLE, ONE)
    assert ONE in caplog.text


@pytest.mark.parametrize(
    "error", [ServiceError("down", code="InternalServerError"), TableNotFound("gone")]
)
def test_other_failures_are_told(error: Exception) -> None:
    with pytest.raises(type(error)):
        require_destination(refusing(error), TABLE, ONE)


@pytest.mark.parametrize(
    ("arn", "is_one"),
    [
        (ONE, True),
        ("arn:aws-cn:kinesis:cn-north-1:1:stream/x", True),
        ("arn:aws:kinesis:eu-west-1:1:stream/x/consumer/y:1", False),
        ("arn:aws:dynamodb:eu-west-1:1:table/t/stream/2027-01-01T00:00:00.000", False),
        ("arn:aws:dynamodb:eu-west-1:1:table/kinesis", False),
        ("one", False),
        ("", False),
    ],
)
def test_an_arn_of_kinesis(arn: str, is_one: bool) -> None:
    assert is_kinesis(arn) is is_one
