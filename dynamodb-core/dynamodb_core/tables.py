"""What is done to whole tables: list, describe, create, add indexes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import orjson

from dynamodb_core.errors import AccessError, ConfigError, Error, ServiceError, TableNotFound
from dynamodb_core.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.definitions import Definition
    from dynamodb_core.wire import Wire

ACTIVE_WITHIN_SECONDS = 600.0
POLL_SECONDS = 0.2
"""First pause between two looks at a table that is being made; it grows to two seconds."""

BACKFILL_POLL_SECONDS = 5.0
"""Longest pause between two looks at an index that is being made, which may take hours."""

SETTLED_WITHIN_SECONDS = 3600.0

BUSY = ("LimitExceededException", "ResourceInUseException")
"""How UpdateTable is refused while the table is changed already, perhaps by somebody else."""


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


def tags(wire: Wire, arn: str) -> dict[str, str]:
    """Return a table's tags.

    Args:
        wire: Carries the calls; ListTagsOfResource takes ARNs only.
        arn: The table's ARN.

    Raises:
        AccessError: ListTagsOfResource is not allowed.
    """
    found: dict[str, str] = {}
    request = {"ResourceArn": arn}
    while True:
        answer = orjson.loads(wire.call("ListTagsOfResource", orjson.dumps(request), table=arn))
        found |= {tag["Key"]: tag["Value"] for tag in answer.get("Tags") or ()}
        token = answer.get("NextToken")
        if not token:
            return found
        request["NextToken"] = token


def create(
    wire: Wire,
    definition: Definition,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Table:
    """Create a table, and return when it is active and its items expire as they should.

    A table that another process creates at the same moment is waited for and returned as it is.

    Args:
        wire: Carries the calls.
        definition: What it is to be like.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        ServiceError: The table is not active after ten minutes.
        AccessError: CreateTable, DescribeTable, or what the definition needs is not allowed.
    """
    name, made = definition.name, True
    try:
        wire.call("CreateTable", orjson.dumps(definition.create_request()), table=name)
    except ServiceError as error:
        if error.code != "ResourceInUseException":
            raise
        made = False
    table = wait_until_active(wire, name, clock=clock, sleep=sleep)
    expiry = definition.ttl_request() if made else None
    if expiry is not None:
        try:
            wire.call("UpdateTimeToLive", orjson.dumps(expiry), table=name)
        except Error as error:
            left = (
                f"Table {name} is made, and its items do not expire: enable its TTL, or delete it"
            )
            error.hint = f"{left}. {error.hint}"
            raise
    return table


def add_indexes(
    wire: Wire,
    definition: Definition,
    *,
    say: Callable[[str], object] = str,
    stopped: Callable[[], object] = bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Add the global indexes that a table lacks, one after the other; return when all are filled.

    DynamoDB fills one at a time, from the items that are there. One that is under way is waited for.

    Args:
        wire: Carries the calls.
        definition: What the table is to be like.
        say: Told what is done.
        stopped: Asked between two looks whether to leave; DynamoDB goes on by itself with what it
            has begun.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Returns:
        Whether all of them are there; False when it was told to leave.

    Raises:
        ServiceError: DynamoDB refuses an index.
        AccessError: UpdateTable is not allowed.
    """
    wanted = [index["name"] for index in definition.global_indexes]
    asked: dict[str, float] = {}
    pause = POLL_SECONDS
    while True:
        table = describe(wire, definition.name)
        there = {
            index["IndexName"]: index.get("IndexStatus", "ACTIVE")
            for index in table.description.get("GlobalSecondaryIndexes") or ()
        }
        for name in [name for name in asked if there.get(name) == "ACTIVE"]:
            say(
                f"Index {name} of table {table.name} is there after {clock() - asked.pop(name):.0f} s"
            )
        if all(there.get(name) == "ACTIVE" for name in wanted):
            return True
        if stopped():
            return False
        missing = [name for name in wanted if name not in there and name not in asked]
        at_rest = not asked and all(status == "ACTIVE" for status in there.values())
        if missing and at_rest and table.description.get("TableStatus") == "ACTIVE":
            try:
                request = definition.index_request(missing[0])
                wire.call("UpdateTable", orjson.dumps(request), table=table.name)
            except ServiceError as error:
                if error.code not in BUSY:
                    raise
            else:
                asked[missing[0]] = clock()
                pause = POLL_SECONDS
                say(f"Index {missing[0]} of table {table.name} is being made")
        sleep(pause)
        pause = min(pause * 2, BACKFILL_POLL_SECONDS)


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


def wait_until_settled(
    wire: Wire,
    name: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Table:
    """Return a table once nothing of it or of its global indexes is being changed.

    Args:
        wire: Carries the calls.
        name: The table's name.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        ServiceError: It is still being changed after an hour.
    """
    end = clock() + SETTLED_WITHIN_SECONDS
    pause = POLL_SECONDS
    while True:
        table = describe(wire, name)
        places = (table.description, *(table.description.get("GlobalSecondaryIndexes") or ()))
        warm = [place.get("WarmThroughput") or {} for place in places]
        states = {
            table.description.get("TableStatus", "ACTIVE"),
            *(place.get("IndexStatus", "ACTIVE") for place in places[1:]),
            *(each.get("Status", "ACTIVE") for each in warm),
        }
        if states == {"ACTIVE"}:
            return table
        if clock() > end:
            raise ServiceError(
                f"Table {name} is {', '.join(sorted(states))} after an hour",
                "Look at the table in the console, and run again when it is active",
            )
        sleep(pause)
        pause = min(pause * 2, BACKFILL_POLL_SECONDS)


def when_not_busy(
    call: Callable[[], object], *, sleep: Callable[[float], object] = time.sleep
) -> None:
    """Make a call that DynamoDB refuses while it changes the table; try again for some seconds.

    Args:
        call: The call.
        sleep: Waits for seconds.

    Raises:
        Error: It is refused for another reason, or for too long.
    """
    for pause in (0.5, 1.0, 2.0, 4.0, 5.0, 5.0):
        try:
            call()
        except ServiceError as error:
            if error.code != "ResourceInUseException":
                raise
        else:
            return
        sleep(pause)
    call()
