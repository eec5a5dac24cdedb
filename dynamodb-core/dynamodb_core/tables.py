"""What is done to whole tables: list, describe, create."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import orjson

from dynamodb_core.errors import AccessError, ConfigError, ServiceError, TableNotFound
from dynamodb_core.table import Key, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.wire import Wire

ACTIVE_WITHIN_SECONDS = 600.0
POLL_SECONDS = 0.2
"""First pause between two looks at a table that is being made; it grows to two seconds."""


def names(wire: Wire) -> Iterator[str]:
    """Yield the names of every table of the account in the wire's region.

    Args:
        wire: Carries the calls; ListTables is asked for 100 names at a time.

    Raises:
        AccessError: ListTables is not allowed.
    """
    start: str | None = None
    while True:
        request: dict[str, Any] = {"Limit": 100}
        if start is not None:
            request["ExclusiveStartTableName"] = start
        answer = orjson.loads(wire.call("ListTables", orjson.dumps(request)))
        yield from answer.get("TableNames", [])
        start = answer.get("LastEvaluatedTableName")
        if start is None:
            return


def describe(wire: Wire, name: str) -> Table:
    """Return a table as DescribeTable says.

    Args:
        wire: Carries the call.
        name: The table's name or ARN.

    Raises:
        TableNotFound: There is no such table.
        AccessError: DescribeTable is not allowed.
    """
    answer = wire.call("DescribeTable", orjson.dumps({"TableName": name}), table=name)
    return Table.from_description(orjson.loads(answer)["Table"])


def ttl_attribute(wire: Wire, name: str) -> str | None:
    """Return the attribute by which a table's items expire, None where they do not.

    Args:
        wire: Carries the call.
        name: The table's name or ARN.

    Raises:
        AccessError: DescribeTimeToLive is not allowed.
    """
    answer = wire.call("DescribeTimeToLive", orjson.dumps({"TableName": name}), table=name)
    said = orjson.loads(answer).get("TimeToLiveDescription", {})
    enabled = said.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return said.get("AttributeName") if enabled else None


def account_limit(wire: Wire, kind: Literal["read", "write"]) -> float:
    """Return the capacity units a second that the account lets any one table have.

    Args:
        wire: Carries the call.
        kind: Whether for reading or for writing.

    Raises:
        AccessError: DescribeLimits is not allowed.
        ConfigError: The service does not know it.
    """
    hint = f"give {kind}_capacity in units a second, which needs no look at the account's limits"
    try:
        limits = orjson.loads(wire.call("DescribeLimits", b"{}"))
    except AccessError as error:
        raise AccessError(error.message, f"Allow dynamodb:DescribeLimits, or {hint}") from error
    limit = limits.get(f"TableMax{kind.capitalize()}CapacityUnits")
    if not limit:
        raise ConfigError(
            f"The account's limit for a table is not known, so {kind}_capacity_percent has no meaning",
            hint.capitalize(),
        )
    return float(limit)


def create(
    wire: Wire,
    name: str,
    key: Key,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Table:
    """Create a table that is billed per request, and return when it is active.

    A table that another process creates at the same moment is waited for and returned.

    Args:
        wire: Carries the calls.
        name: The table's name.
        key: Its primary key.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        ServiceError: The table is not active after ten minutes.
        AccessError: CreateTable or DescribeTable is not allowed.
    """
    roles = ("HASH", "RANGE")
    request = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": n, "AttributeType": t}
            for n, t in zip(key.names, key.types, strict=True)
        ],
        "KeySchema": [
            {"AttributeName": n, "KeyType": role} for n, role in zip(key.names, roles, strict=False)
        ],
    }
    try:
        wire.call("CreateTable", orjson.dumps(request), table=name)
    except ServiceError as error:
        if error.code != "ResourceInUseException":
            raise
    return wait_until_active(wire, name, clock=clock, sleep=sleep)


def wait_until_active(
    wire: Wire,
    name: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Table:
    """Return a table once items can be written to it.

    Args:
        wire: Carries the calls.
        name: The table's name.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        ServiceError: The table is not active after ten minutes.
    """
    end = clock() + ACTIVE_WITHIN_SECONDS
    pause = POLL_SECONDS
    while True:
        try:
            table = describe(wire, name)
        except TableNotFound:  # DescribeTable is eventually consistent after CreateTable
            table = None
        if table is not None and table.active:
            return table
        if clock() > end:
            status = table.description.get("TableStatus") if table else "not yet there"
            raise ServiceError(
                f"Table {name} is {status} after {ACTIVE_WITHIN_SECONDS:.0f} seconds",
                "Look at the table in the console, and run again when it is active",
            )
        sleep(pause)
        pause = min(pause * 2, 2.0)
