"""DynamoDB's exports, in memory: a table with a history, behind a `ScriptedWire`.

Requests are held against botocore's model, and against what DynamoDB's documentation says of tokens,
windows and recovery. An export that is done lies in a bucket, as `exports.py` writes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ServiceError
from tests.engines import exports
from tests.engines.bulk import complaints
from tests.engines.scanned import Account, ScannedTable, arn
from tests.engines.scripted import ScriptedWire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.engines.buckets import TestBucket
    from tests.engines.scripted import Answer, Call

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
BEHIND = timedelta(minutes=5)
"""How far the latest moment that can be exported is behind the clock."""
OPERATIONS = {
    "DescribeContinuousBackups",
    "ExportTableToPointInTime",
    "DescribeExport",
    "ListExports",
}
Item = dict[str, Any]


class Exporter:
    """A table `orders` that can be exported.

    Attributes:
        name: The table's name.
        now: The time that it is.
        earliest: From when on the table can be recovered; None where recovery is off.
        looks: How many looks at an export find it under way.
        failing: Answers with why an export fails; empty where it does not.
        before: Called before each call; may raise.
        after: Called after each call, whose answer is lost if it raises.
        others: The tables of the account by name, this one among them.
        made: The descriptions of all exports, by ARN, in the order they were asked for.
    """

    def __init__(
        self, folder: Path, bucket: TestBucket | None = None, name: str = "orders"
    ) -> None:
        self.name = name
        self.now = NOW
        self.earliest: datetime | None = NOW - timedelta(days=1)
        self.days = 35
        self.looks = 0
        self.failing: Callable[[dict[str, Any]], str] = lambda _request: ""
        self.before: Callable[[str], object] = lambda _operation: None
        self.after: Callable[[str], object] = lambda _operation: None
        self.made: dict[str, dict[str, Any]] = {}
        self.table = ScannedTable()
        self.wire = ScriptedWire(self._answer)
        self.others: dict[str, ScannedTable] = {name: self.table}
        self._account = Account(self.others)
        self._history: list[tuple[datetime, str, Item | None]] = []
        self._requests: dict[str, dict[str, Any]] = {}
        self._left: dict[str, int] = {}
        self._folder = folder
        self._bucket = bucket

    def put(self, *items: Item) -> None:
        """Put items now."""
        self._history += [(self.now, item["id"]["S"], item) for item in items]
        self._show()

    def delete(self, *ids: str) -> None:
        """Delete items now."""
        self._history += [(self.now, each, None) for each in ids]
        self._show()

    def pass_by(self, **time: float) -> None:
        """Let time pass; takes what `timedelta` takes."""
        self.now += timedelta(**time)

    def at(self, moment: datetime) -> dict[str, Item]:
        """Return the items as they were before a moment, by id."""
        items: dict[str, Item] = {}
        for when, key, item in self._history:
            if when < moment:
                if item is None:
                    items.pop(key, None)
                else:
                    items[key] = item
        return items

    @property
    def latest(self) -> datetime:
        """The latest moment that can be exported."""
        return self.now - BEHIND

    def calls(self, operation: str) -> list[Call]:
        """Return the calls of one operation so far."""
        return [call for call in self.wire.calls if call.operation == operation]

    def _show(self) -> None:
        self.table.items = list(self.at(self.now + timedelta(days=1)).values())

    def _answer(self, operation: str, request: dict[str, Any]) -> Answer:
        self.before(operation)
        if operation not in OPERATIONS:
            return self._account._answer(operation, request)
        wrong = complaints(operation, request)
        answer = {
            "DescribeContinuousBackups": self._backups,
            "ExportTableToPointInTime": self._export,
            "DescribeExport": self._describe,
            "ListExports": self._list,
        }[operation](request)
        self.after(operation)
        return ServiceError(wrong, code="ValidationException") if wrong else answer

    def _backups(self, _request: dict[str, Any]) -> Answer:
        told: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
        if self.earliest is not None:
            told = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": self.days,
                "EarliestRestorableDateTime": _seconds(self.earliest),
                "LatestRestorableDateTime": _seconds(self.latest) + 0.25,
            }
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": told,
            }
        }

    def _export(self, request: dict[str, Any]) -> Answer:
        if self.earliest is None:
            return _refused("PointInTimeRecoveryUnavailableException")
        token = request["ClientToken"]
        for known, before in self._requests.items():
            if before["ClientToken"] == token:
                same = before == request
                return {"ExportDescription": self.made[known]} if same else _refused(
                    "ExportConflictException"
                )  # fmt: skip
        window = request.get("IncrementalExportSpecification")
        times = [request["ExportTime"]] if window is None else [
            window["ExportFromTime"], window["ExportToTime"],
        ]  # fmt: skip
        if not all(_seconds(self.earliest) <= each <= _seconds(self.latest) for each in times):
            return _refused("InvalidExportTimeException")
        if window is not None and not 900 <= times[1] - times[0] <= 86400:
            return _refused("ValidationException")
        self.pass_by(seconds=1)
        number = f"{int(_seconds(self.now) * 1000):014}-{len(self.made):08x}"
        made = f"{arn(self.name)}/export/{number}"
        self._requests[made] = request
        self._left[made] = self.looks
        self.made[made] = {
            **{name: value for name, value in request.items() if name != "TableArn"},
            "TableArn": arn(self.name),
            "TableId": self.table.table_id,
            "ExportArn": made,
            "ExportStatus": "IN_PROGRESS",
            "ExportType": request.get("ExportType", "FULL_EXPORT"),
            "StartTime": _seconds(self.now),
        }
        return {"ExportDescription": self.made[made]}

    def _describe(self, request: dict[str, Any]) -> Answer:
        asked = request["ExportArn"]
        if asked not in self.made:
            return _refused("ExportNotFoundException")
        self._left[asked] -= 1
        told = self.made[asked]
        if told["ExportStatus"] == "IN_PROGRESS" and self._left[asked] < 0:
            why = self.failing(self._requests[asked])
            told["ExportStatus"] = "FAILED" if why else "COMPLETED"
            if why:
                told |= {"FailureCode": why, "FailureMessage": f"the message of {why}"}
            elif self._bucket is not None:
                self._write(told, self._bucket)
        return {"ExportDescription": told}

    def _list(self, request: dict[str, Any]) -> Answer:
        names = list(self.made)
        start = int(request.get("NextToken", 0))
        shown = names[start : start + 2]  # so that more than two exports take pages
        members = ("ExportArn", "ExportStatus", "ExportType")
        more = {"NextToken": str(start + 2)} if start + 2 < len(names) else {}
        found = [{member: self.made[name][member] for member in members} for name in shown]
        return {"ExportSummaries": found, **more}

    def _write(self, told: dict[str, Any], bucket: TestBucket) -> None:
        root = self._folder / told["ExportArn"].rpartition("/")[2]
        same: dict[str, Any] = {
            "prefix": told.get("S3Prefix", ""),
            "export": root.name,
            "table": self.name,
            "form": told["ExportFormat"],
            "bucket": bucket.name,
        }
        window = told.get("IncrementalExportSpecification")
        if window is None:
            at = _moment(told["ExportTime"])
            written = exports.write_full(root, list(self.at(at).values()), at=at, **same)
        else:
            since, until = _moment(window["ExportFromTime"]), _moment(window["ExportToTime"])
            changes = self._changes(since, until)
            view = window["ExportViewType"]
            written = exports.write_incremental(root, changes, since, until, view=view, **same)
        exports.upload(written, bucket.client, bucket.name)

    def _changes(self, since: datetime, until: datetime) -> list[exports.Change]:
        before, after = self.at(since), self.at(until)
        touched = {key: when for when, key, _item in self._history if since <= when < until}
        return [
            exports.Change(
                {"id": {"S": key}}, after.get(key), before.get(key), int(_seconds(when) * 1e6)
            )
            for key, when in touched.items()
            if key in before or key in after
        ]


def _refused(code: str) -> ServiceError:
    return ServiceError(f"The call failed with {code}", "Run again to go on", code=code)


def _seconds(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds()


def _moment(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
