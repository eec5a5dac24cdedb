"""Exports that DynamoDB is asked for: begun, and found again.

A request has a client token, made of what is asked for: for eight hours the same request is the same
export. A run that died before anybody heard of its export asks for another moment, so it looks for the
first part of the token, which does not hold the moment, among the exports of the table.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core.errors import ServiceError
from dynamodb_core.exports.made import described, export_id, look
from dynamodb_core.exports.recovery import moment, off, seconds
from dynamodb_core.exports.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dynamodb_core.exports.made import Seen
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

FORMATS = {"dynamodb_json": "DYNAMODB_JSON", "ion": "ION"}
VIEWS = {"new": "NEW_IMAGE", "new_and_old": "NEW_AND_OLD_IMAGES"}
"""DynamoDB's words for how lines are written, and for what the lines of a window hold."""

TOKEN_LASTS = timedelta(hours=8)
"""How long the same request is the same export."""

_MARK = "ferry"
_MILLIS = re.compile(r"([0-9]{14})-")

_REFUSALS = {
    "InvalidExportTimeException": "Its point-in-time recovery may have been turned off and on again: to "
    "start over with a full export, run with --full-refresh, or clear the state of this stream",
    "LimitExceededException": "DynamoDB makes some hundred exports at once: run again when others are done",
    "ExportConflictException": "Another request has used the same client token: run again",
}
"""What to do, by how DynamoDB refuses an export."""


@dataclass(frozen=True)
class Destination:
    """Where an export is to go, and how.

    Attributes:
        bucket: The bucket.
        prefix: What comes before `AWSDynamoDB` in it; may be empty.
        owner: The account that the bucket belongs to, if it is another one.
        kms_key: The KMS key that encrypts it; None for S3's own.
        format: A key of `FORMATS`.
        view: A key of `VIEWS`, for windows.
    """

    bucket: str
    prefix: str = ""
    owner: str | None = None
    kms_key: str | None = None
    format: str = "dynamodb_json"
    view: str = "new"

    @property
    def location(self) -> str:
        """The place, as a person names it."""
        return "/".join(filter(None, (f"s3://{self.bucket}", self.prefix.strip("/"))))

    def members(self) -> dict[str, Any]:
        """Return what a request says of it."""
        said = {
            "S3Bucket": self.bucket,
            "S3Prefix": self.prefix.strip("/"),
            "S3BucketOwner": self.owner,
            "S3SseAlgorithm": "KMS" if self.kms_key else None,
            "S3SseKmsKeyId": self.kms_key,
            "ExportFormat": FORMATS[self.format],
        }
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class Ask:
    """An export to ask for.

    Attributes:
        table: The table.
        to: Where it is to go.
        what: The moment of a full export, or a window.
        after: Of a full export: what was read before it, so that the next one is another.
    """

    table: Table
    to: Destination
    what: datetime | Window
    after: str = ""

    @property
    def family(self) -> str:
        """The part of the client token that does not depend on when it is asked for."""
        window = isinstance(self.what, Window)
        since = str(seconds(self.what.since)) if isinstance(self.what, Window) else self.after
        view = self.to.view if window else ""
        known = [self.table.arn, self.table.id, self.to.members(), window, view, since]
        return f"{_MARK}-{hashlib.blake2b(orjson.dumps(known), digest_size=8).hexdigest()}-"

    def request(self, failed: int = 0) -> dict[str, Any]:
        """Return the request.

        Args:
            failed: How many exports of the same have failed, which the token would name again.
        """
        until = self.what.until if isinstance(self.what, Window) else self.what
        token = f"{self.family}{seconds(until):.0f}-{failed}"
        request = {"TableArn": self.table.arn, **self.to.members(), "ClientToken": token}
        if not isinstance(self.what, Window):
            return {**request, "ExportTime": seconds(self.what)}
        specification = {
            "ExportFromTime": seconds(self.what.since),
            "ExportToTime": seconds(self.what.until),
            "ExportViewType": VIEWS[self.to.view],
        }
        return {
            **request,
            "ExportType": "INCREMENTAL_EXPORT",
            "IncrementalExportSpecification": specification,
        }


def begin(wire: Wire, ask: Ask, failed: int = 0) -> Seen:
    """Ask for an export; return it as it has begun.

    Args:
        wire: Carries the call.
        ask: What is wanted.
        failed: As `Ask.request` takes it.

    Raises:
        ConfigError: The table has no point-in-time recovery.
        Error: DynamoDB refuses.
    """
    body = orjson.dumps(ask.request(failed))
    try:
        reply = wire.call("ExportTableToPointInTime", body, table=ask.table.arn)
    except ServiceError as error:
        if error.code == "PointInTimeRecoveryUnavailableException":
            raise off(ask.table.name) from error
        error.hint = _REFUSALS.get(error.code, error.hint)
        raise
    return described(reply)


def recent(wire: Wire, table_arn: str, latest: datetime) -> list[Seen]:
    """Return the exports of a table that are under way, or were begun some hours ago; newest first.

    Args:
        wire: Carries the calls.
        table_arn: The table's ARN.
        latest: About now, by DynamoDB's clock.

    Raises:
        AccessError: ListExports or DescribeExport is not allowed.
    """
    found: list[str] = []
    request: dict[str, Any] = {"TableArn": table_arn, "MaxResults": 25}
    while True:
        answer = orjson.loads(wire.call("ListExports", orjson.dumps(request), table=table_arn))
        for each in answer.get("ExportSummaries") or ():
            arn = str(each["ExportArn"])
            if each.get("ExportStatus") == "IN_PROGRESS" or _is_young(arn, latest):
                found.append(arn)
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    return [look(wire, arn) for arn in sorted(found, key=export_id, reverse=True)]


def find_again(ask: Ask, exports: Iterable[Seen]) -> tuple[Seen | None, int]:
    """Look for an export that an earlier run has asked for, and nobody has heard of.

    Args:
        ask: What is wanted; the moment of a full export, and the end of a window, may be others.
        exports: What `recent` returned.

    Returns:
        The newest one, and how many of the same have failed.
    """
    own = [each for each in exports if each.token.startswith(ask.family)]
    kept = [each for each in own if each.status != "FAILED" and each.until is not None]
    return (kept[0] if kept else None), sum(each.status == "FAILED" for each in own)


def _is_young(arn: str, latest: datetime) -> bool:
    """Return whether an export was begun some hours ago, or does not say when."""
    found = _MILLIS.match(export_id(arn))
    return found is None or moment(int(found[1]) / 1000) >= latest - TOKEN_LASTS
