"""Exports that DynamoDB makes: how one stands, when it is done, where it lies then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from dynamodb_core.errors import ConfigError, EndpointError, Error, ServiceError
from dynamodb_core.exports.kinds import said
from dynamodb_core.exports.recovery import moment
from dynamodb_core.exports.windows import Window
from dynamodb_core.jobs import (
    BLIND_SECONDS,
    FIRST_LOOK_SECONDS,
    SELDOM_LOOK_SECONDS,
    STEP_SECONDS,
)
from dynamodb_core.progress import LONG_RUN_SECONDS, OFTEN_SECONDS, SELDOM_SECONDS, duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dynamodb_core.wire import Wire

NOT_FOUND = "ExportNotFoundException"
"""How DynamoDB refuses to describe an export that it does not know."""


class Seen(NamedTuple):
    """What DescribeExport says.

    Attributes:
        arn: The export's ARN.
        status: `IN_PROGRESS`, `COMPLETED` or `FAILED`.
        what: The moment of a full export, or a window; None where that is not said.
        location: Where its manifests lie, once it is done.
        token: The client token that it was asked for with.
        why: Why it failed; empty where that is not told.
    """

    arn: str
    status: str
    what: datetime | Window | None
    location: str
    token: str = ""
    why: str = ""

    @property
    def until(self) -> datetime | None:
        """The moment up to which the table is known once it has been read."""
        return self.what.until if isinstance(self.what, Window) else self.what

    def __str__(self) -> str:
        """Return it as a person names it."""
        what = self.what
        if isinstance(what, Window):
            return (
                f"the incremental export of {said(what.since)} to {said(what.until)} ({self.arn})"
            )
        return f"the full export of {said(what)} ({self.arn})"


def look(wire: Wire, arn: str) -> Seen:
    """Return an export as it stands.

    Args:
        wire: Carries the call.
        arn: Its ARN.

    Raises:
        ServiceError: There is no such export; its code is `NOT_FOUND`.
        AccessError: DescribeExport is not allowed.
    """
    return described(wire.call("DescribeExport", orjson.dumps({"ExportArn": arn}), table=arn))


def wait(
    wire: Wire,
    seen: Seen,
    table: str,
    *,
    look_up: Callable[[], None],
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Seen:
    """Return an export when it is done.

    Where it cannot be seen for a while, as the network is away, the wait goes on.

    Args:
        wire: Carries the calls.
        seen: The export, as it was seen last.
        table: The table's name.
        look_up: Called twice a second; what it raises ends the wait, and the export goes on.
        say: Told where it stands, now and then.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        ServiceError: It has failed.
        Error: It could not be seen for a quarter of an hour, or may not be looked at.
    """
    began = seen_at = due = clock()
    pause = FIRST_LOOK_SECONDS
    while seen.status == "IN_PROGRESS":
        if clock() >= due:
            say(f"Table {table}: {seen} is under way for {duration(clock() - began)}")
            often = clock() - began < LONG_RUN_SECONDS
            due = clock() + (OFTEN_SECONDS if often else SELDOM_SECONDS)
        left = pause
        while left > 0:
            look_up()
            step = min(STEP_SECONDS, left)
            sleep(step)
            left -= step
        look_up()
        pause = min(pause * 1.5, SELDOM_LOOK_SECONDS)
        try:
            seen, seen_at = look(wire, seen.arn), clock()
        except (EndpointError, ServiceError) as error:
            if clock() - seen_at > BLIND_SECONDS:
                raise Error(
                    f"Export {seen.arn} has not been seen for {duration(clock() - seen_at)}: "
                    f"{error.message}",
                    "It goes on without us: run again to wait for it",
                ) from error
    if seen.status != "COMPLETED":
        raise ServiceError(
            f"Table {table}: {seen} is {seen.status}{f': {seen.why}' if seen.why else ''}",
            "Check the bucket, its policy and its key, and that whoever asks may write there; run again "
            "to ask for it anew",
            code=seen.status,
        )
    return seen


def located(wire: Wire, arn: str) -> str:
    """Return where the export lies that an ARN names.

    Args:
        wire: Carries the call.
        arn: The export's ARN.

    Raises:
        ConfigError: It is no ARN of an export, or there is none, or it is not done.
    """
    if ":dynamodb:" not in arn or "/export/" not in arn:
        raise ConfigError(
            f"{arn} is no ARN of an export",
            "Write arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE/export/ID, or s3://bucket/prefix",
        )
    try:
        seen = look(wire, arn)
    except ServiceError as error:
        if error.code != NOT_FOUND:
            raise
        raise ConfigError(
            f"There is no export {arn}",
            "DynamoDB forgets exports after 90 days: name the place where it lies, s3://bucket/prefix",
        ) from error
    if seen.status != "COMPLETED":
        why = f": {seen.why}" if seen.why else ""
        raise ConfigError(
            f"Export {arn} is {seen.status}{why}",
            "Run again when it is COMPLETED"
            if seen.status == "IN_PROGRESS"
            else "Export the table again, and name that export",
        )
    return seen.location


def described(reply: bytes) -> Seen:
    """Return what an answer says that describes an export.

    Args:
        reply: The answer.
    """
    told = orjson.loads(reply)["ExportDescription"]
    arn = str(told["ExportArn"])
    prefix = str(told.get("S3Prefix") or "").strip("/")
    steps = (f"s3://{told.get('S3Bucket')}", prefix, "AWSDynamoDB", export_id(arn))
    why = told.get("FailureCode") or "", told.get("FailureMessage") or ""
    return Seen(
        arn,
        str(told["ExportStatus"]),
        _what(told),
        "/".join(filter(None, steps)),
        str(told.get("ClientToken") or ""),
        ": ".join(filter(None, why)).rstrip(". "),
    )


def _what(told: dict[str, Any]) -> datetime | Window | None:
    window = told.get("IncrementalExportSpecification")
    if told.get("ExportType") == "INCREMENTAL_EXPORT" and window:
        return Window(moment(window["ExportFromTime"]), moment(window["ExportToTime"]))
    at = told.get("ExportTime")
    return None if at is None else moment(at)


def export_id(arn: str) -> str:
    """Return the last step of an export's ARN, which names its folder, too.

    Args:
        arn: The ARN.
    """
    return arn.rpartition("/")[2]
