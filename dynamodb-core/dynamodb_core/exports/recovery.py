"""A table's point-in-time recovery: whether it is on, and how far it reaches back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import orjson

from dynamodb_core.errors import ConfigError, ServiceError, StateError
from dynamodb_core.exports.kinds import said

if TYPE_CHECKING:
    from dynamodb_core.wire import Wire

MOST_DAYS = 35

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Recovery:
    """What can be exported of a table.

    Attributes:
        table: The table's name.
        earliest: The earliest moment.
        latest: The latest moment, some minutes ago; a whole second.
        days: How far it is set to reach back; None where that is not said.
    """

    table: str
    earliest: datetime
    latest: datetime
    days: int | None = None

    def require(self, since: datetime) -> None:
        """Refuse a window that begins before what can be exported.

        Args:
            since: Where it begins.

        Raises:
            StateError: It does: what changed in between is lost.
        """
        if since >= self.earliest:
            return
        period = f", over {self.days} days" if self.days else ""
        longer = ""
        if self.days is None or self.days < MOST_DAYS:
            longer = (
                "; and let recovery reach further back, or run more often: "
                f"{_command(self.table, MOST_DAYS)}"
            )
        raise StateError(
            f"The exports of table {self.table} were read up to {said(since)}, and its point-in-time "
            f"recovery{period} reaches back to {said(self.earliest)} only: what changed between them "
            "cannot be exported any more",
            "To start over with a full export, run with --full-refresh, or clear the state of this "
            f"stream{longer}",
        )


def recovery(wire: Wire, name: str) -> Recovery:
    """Return what can be exported of a table.

    Args:
        wire: Carries the call.
        name: The table's name or ARN.

    Raises:
        ConfigError: Its point-in-time recovery is off.
        ServiceError: It was turned on only now.
        AccessError: DescribeContinuousBackups is not allowed.
    """
    reply = wire.call("DescribeContinuousBackups", orjson.dumps({"TableName": name}), table=name)
    backups = orjson.loads(reply).get("ContinuousBackupsDescription") or {}
    told = backups.get("PointInTimeRecoveryDescription") or {}
    if told.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise off(name)
    ends = told.get("EarliestRestorableDateTime"), told.get("LatestRestorableDateTime")
    earliest, latest = (None if end is None else moment(end) for end in ends)
    if earliest is None or latest is None or latest.replace(microsecond=0) < earliest:
        raise ServiceError(
            f"The point-in-time recovery of table {name} is on, and has nothing to export yet",
            "Run again in some minutes",
        )
    return Recovery(name, earliest, latest.replace(microsecond=0), told.get("RecoveryPeriodInDays"))


def off(name: str) -> ConfigError:
    """Return the error of a table whose point-in-time recovery is off.

    Args:
        name: The table's name or ARN.
    """
    return ConfigError(
        f"DynamoDB exports tables that have point-in-time recovery, and table {name} has it off",
        f"Turn it on: {_command(name)}",
    )


def moment(seconds: float) -> datetime:
    """Return what DynamoDB writes as seconds since 1970, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=round(seconds * 1000))


def seconds(moment: datetime) -> float:
    """Return a moment as DynamoDB takes it: an integer where it is a whole second."""
    millis = (moment - _EPOCH) // timedelta(milliseconds=1)
    return millis // 1000 if millis % 1000 == 0 else millis / 1000


def _command(name: str, days: int | None = None) -> str:
    period = f",RecoveryPeriodInDays={days}" if days else ""
    return (
        f"aws dynamodb update-continuous-backups --table-name {name} "
        f"--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true{period}"
    )
