"""Which Kinesis streams a table's changes go to."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from dynamodb_core.errors import AccessError, ConfigError, ServiceError

if TYPE_CHECKING:
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

_ON = ("ACTIVE", "ENABLING", "UPDATING")
_UNKNOWN = ("UnknownOperationException", "InvalidAction", "UnsupportedOperationException")
"""How a stand-in says that it has no such call."""

_IS_KINESIS = re.compile(r"arn:[^:]+:kinesis:[^:]*:[^:]*:stream/[^/:]+").fullmatch

log = logging.getLogger("ferry-dynamodb")


@dataclass(frozen=True)
class KinesisDestination:
    """A Kinesis stream that a table's changes go to, or went to not long ago.

    Attributes:
        arn: The stream's ARN.
        status: As DynamoDB says it, for example `ACTIVE` or `DISABLED`.
    """

    arn: str
    status: str

    @property
    def on(self) -> bool:
        """Whether changes go there, or soon will."""
        return self.status in _ON


def is_kinesis(arn: str) -> bool:
    """Return whether an ARN is one of a Kinesis stream.

    Args:
        arn: The ARN of a stream.
    """
    return _IS_KINESIS(arn) is not None


def kinesis_streams(wire: Wire, table: Table) -> list[KinesisDestination]:
    """Return the Kinesis streams of a table.

    Args:
        wire: Carries the call to DynamoDB.
        table: The table.

    Raises:
        AccessError: DescribeKinesisStreamingDestination is not allowed.
    """
    name = table.arn or table.name
    body = orjson.dumps({"TableName": name})
    answer = orjson.loads(wire.call("DescribeKinesisStreamingDestination", body, table=name))
    return [
        KinesisDestination(each["StreamArn"], each.get("DestinationStatus", ""))
        for each in answer.get("KinesisDataStreamDestinations") or ()
    ]


def require_destination(wire: Wire, table: Table, arn: str) -> None:
    """Refuse a Kinesis stream that a table's changes do not go to.

    One that was turned off is let pass with a warning, as what it holds can be read; and so is any where
    that may not be asked.

    Args:
        wire: Carries the call to DynamoDB.
        table: The table.
        arn: The stream's ARN.

    Raises:
        ConfigError: The table's changes do not go there.
    """
    try:
        found = kinesis_streams(wire, table)
    except AccessError as error:
        log.warning(
            "%s. Whether the changes of table %s go to %s is therefore not known; allow "
            "dynamodb:DescribeKinesisStreamingDestination to have it looked up",
            error.message,
            table.name,
            arn,
        )
        return
    except ServiceError as error:
        if not error.code.startswith(_UNKNOWN):
            raise
        log.warning("Whether the changes of table %s go to %s is not known here", table.name, arn)
        return
    status = next((each.status for each in found if each.arn == arn), None)
    if status in _ON:
        return
    if status in ("DISABLED", "DISABLING"):
        log.warning(
            "The changes of table %s do not go to %s any more (%s): what it still holds is read. "
            "What is written before it is turned on again is in no stream: start over then",
            table.name,
            arn,
            status,
        )
        return
    others = ", ".join(each.arn for each in found if each.on) or "none"
    said = f"({status})" if status else "(changes.stream)"
    region = f" --region {table.region}" if table.region else ""
    raise ConfigError(
        f"The changes of table {table.name} do not go to {arn} {said}",
        f"Its Kinesis streams: {others}. To have them go there: aws dynamodb "
        f"enable-kinesis-streaming-destination --table-name {table.name} --stream-arn {arn}{region}",
    )
