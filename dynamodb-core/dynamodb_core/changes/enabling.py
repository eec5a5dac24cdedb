"""Which stream a table has, and what to do where it has none, or one that tells too little."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from dynamodb_core import tables
from dynamodb_core.errors import AccessError, ConfigError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

VIEW = "NEW_AND_OLD_IMAGES"
"""The view that streams are turned on with. NEW_IMAGE is enough for a copy, but a table has one stream for
all that read it, and its view stays as it is; images before a change cost nothing by themselves."""

NEW = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
OLD = ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
"""Views that tell the item after a change, and before it."""

ENABLED_WITHIN_SECONDS = 600.0
LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class TableStream:
    """A stream of a table, as DescribeTable tells of it.

    Attributes:
        arn: Its ARN.
        label: What tells it from the table's other streams: when it was made.
        enabled: Whether it goes on. One that was turned off can be read as long as its records are kept.
        view: What its records hold: `KEYS_ONLY`, `NEW_IMAGE`, `OLD_IMAGE` or `NEW_AND_OLD_IMAGES`; empty
            where it is not known, as of a stream that was turned off.
        made: Whether it was turned on just now, by us. What was written shortly before is not in it, and
            a read that is eventually consistent may not show it yet.
    """

    arn: str
    label: str
    enabled: bool
    view: str = ""
    made: bool = False


def stream_of(table: Table) -> TableStream | None:
    """Return the latest stream of a table, be it on or off; None where it never had one.

    Args:
        table: The table.
    """
    arn = table.description.get("LatestStreamArn")
    if not arn:
        return None
    said = table.description.get("StreamSpecification") or {}
    label = table.description.get("LatestStreamLabel") or _label(arn)
    return TableStream(
        arn, label, bool(said.get("StreamEnabled")), said.get("StreamViewType") or ""
    )


def require(
    wire: Wire,
    table: Table,
    *,
    streams: Wire | None = None,
    arn: str | None = None,
    enable: bool = False,
    old_image: bool = False,
    fetch: bool = False,
    say: Callable[[str], object] = str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> TableStream:
    """Return the stream to read a table's changes from.

    Args:
        wire: Carries the calls to DynamoDB.
        table: The table, as it was described not long ago.
        streams: Carries a call to DynamoDB Streams, to see that a new stream is on; None to go by what
            DescribeTable says.
        arn: The stream that was asked for: one of this table, be it off; None for the one that is on.
        enable: Whether a stream that is off may be turned on.
        old_image: Whether the item before a change is wanted.
        fetch: Whether items are looked up, where the stream does not tell them.
        say: Told what is done to the table.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        ConfigError: There is no stream, it tells too little, or it is another table's.
        AccessError: UpdateTable is not allowed.
        ServiceError: The stream is not on after ten minutes.
    """
    stream = stream_of(table)
    if arn is not None and (stream is None or arn != stream.arn):
        return _older(table, arn)
    if stream is None or not (stream.enabled or arn):
        if not enable:
            raise _off(table, stream)
        stream = _turn_on(wire, table, streams, say=say, clock=clock, sleep=sleep)
    require_view(table, stream, old_image=old_image, fetch=fetch)
    return stream


def require_view(
    table: Table, stream: TableStream, *, old_image: bool = False, fetch: bool = False
) -> None:
    """Refuse a stream that tells too little. One whose view is not known is let pass.

    Args:
        table: The table.
        stream: Its stream.
        old_image: Whether the item before a change is wanted.
        fetch: Whether items are looked up, where the stream does not tell them.

    Raises:
        ConfigError: It tells too little.
    """
    view = stream.view
    again = (
        "A stream's view cannot be changed. Turned off and on again the table has a new stream, and who "
        f"reads the old one has 24 hours to finish: {_command(table, off=True)}; {_command(table)}"
    )
    if view and not fetch and view not in NEW:
        raise ConfigError(
            f"The stream of table {table.name} is {view}: it does not tell items as they were written",
            f"Set changes.fetch, and each item is looked up (BatchGetItem), or give the table another "
            f"stream. {again}",
        )
    if view and old_image and view not in OLD:
        raise ConfigError(
            f"changes.old_image is set, and the stream of table {table.name} is {view}: it does not tell "
            "what items were before",
            f"Leave changes.old_image out, or give the table another stream. {again}",
        )


def _older(table: Table, arn: str) -> TableStream:
    """Return a stream of a table that is not its latest one."""
    if not (table.arn and arn.startswith(f"{table.arn}/stream/")):
        raise ConfigError(
            f"{arn} (changes.stream) is no stream of table {table.name}",
            f"A stream of this table begins with {table.arn}/stream/",
        )
    return TableStream(arn, _label(arn), enabled=False)


def _off(table: Table, stream: TableStream | None) -> ConfigError:
    how = f"Set changes.enable_stream, and the tap turns it on, or do it: {_command(table)}"
    if stream is None:
        return ConfigError(f"The stream of table {table.name} is not on", how)
    return ConfigError(
        f"The stream of table {table.name} is turned off",
        f"What it still holds is read with {stream.arn} as changes.stream. For a new one: {how}",
    )


def _turn_on(
    wire: Wire,
    table: Table,
    streams: Wire | None,
    *,
    say: Callable[[str], object],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> TableStream:
    """Turn a table's stream on, and return it when it is; one that somebody else turns on will do."""
    name = table.arn or table.name
    before = stream_of(table)
    say(f"The stream of table {table.name} is turned on ({VIEW})")
    request = {
        "TableName": name,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": VIEW},
    }
    try:
        tables.when_not_busy(
            lambda: wire.call("UpdateTable", orjson.dumps(request), table=name), sleep=sleep
        )
    except AccessError as error:
        hint = f"Allow dynamodb:UpdateTable, or have somebody turn it on: {_command(table)}"
        raise AccessError(error.message, hint) from error
    except ServiceError as error:
        now = stream_of(tables.describe(wire, name))
        if now is None or not now.enabled:
            raise
        say(f"Somebody else has turned it on meanwhile: {error.message}")
    end, pause = clock() + ENABLED_WITHIN_SECONDS, tables.POLL_SECONDS
    while True:
        described = tables.describe(wire, name)
        stream = stream_of(described)
        if (
            stream is not None
            and stream.enabled
            and (before is None or stream.arn != before.arn)
            and described.description.get("TableStatus") == "ACTIVE"
            and _is_on(streams, stream.arn)
        ):
            say(f"Stream {stream.label} of table {table.name} is on")
            return replace(stream, made=True)
        if clock() > end:
            raise ServiceError(
                f"The stream of table {table.name} is not on after {ENABLED_WITHIN_SECONDS:.0f} seconds",
                "Look at the table in the console, and run again when its stream is on",
            )
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _is_on(streams: Wire | None, arn: str) -> bool:
    if streams is None:
        return True
    body = orjson.dumps({"StreamArn": arn, "Limit": 1})
    try:
        answer = orjson.loads(streams.call("DescribeStream", body, table=arn))
    except ConfigError:  # it is not there yet
        return False
    status: str = answer["StreamDescription"].get("StreamStatus", "ENABLED")
    return status == "ENABLED"


def _command(table: Table, *, off: bool = False) -> str:
    """Return the command that turns a table's stream on, or off."""
    said = "StreamEnabled=false" if off else f"StreamEnabled=true,StreamViewType={VIEW}"
    region = f" --region {table.region}" if table.region else ""
    return (
        f"aws dynamodb update-table --table-name {table.name} --stream-specification {said}{region}"
    )


def _label(arn: str) -> str:
    return arn.rpartition("/")[2]
