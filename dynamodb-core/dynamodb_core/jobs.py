"""Loads that DynamoDB does by itself, out of S3: ImportTable and StartBulkPutItems, started and watched.

A job is done when its description says COMPLETED and counts no errors, and at no other moment.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from dynamodb_core.errors import ConfigError, DataError, EndpointError, Error, ServiceError
from dynamodb_core.progress import LONG_RUN_SECONDS, OFTEN_SECONDS, SELDOM_SECONDS, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.wire import Wire

LEAST_BULK_UNITS = 1024
"""The lowest `MaxWriteRequestUnits` that StartBulkPutItems takes."""

COMPRESSIONS = {"gzip": "GZIP", "zstd": "ZSTD", "none": "NONE"}
"""DynamoDB's words for how parts are compressed."""

FIRST_LOOK_SECONDS = 1.0
"""Between two looks at a job, in the beginning; it grows to `SELDOM_LOOK_SECONDS`."""
SELDOM_LOOK_SECONDS = 20.0
STEP_SECONDS = 0.5
"""How often a wait looks up."""

BLIND_SECONDS = 900.0
"""How long a job may not be seen, before the wait for it is given up."""

_TABLE_MEMBERS = (
    *("TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput"),
    *("OnDemandThroughput", "SSESpecification", "GlobalSecondaryIndexes"),
)
"""What ImportTable can give a table, of what CreateTable can."""


@dataclass(frozen=True)
class Parts:
    """Where a job finds its items.

    Attributes:
        bucket: The bucket.
        prefix: The beginning of the keys of all parts, and of nothing else; ends with a slash.
        compression: `gzip`, `zstd` or `none`.
    """

    bucket: str
    prefix: str
    compression: str


class Seen(NamedTuple):
    """What a job's description says.

    Attributes:
        status: DynamoDB's word, for example `IN_PROGRESS`.
        processed: Items that were looked at.
        written: Items that are in the table; None where that is not told.
        failed: Items that were not written.
        size: Bytes that were read.
        why: Why it failed or was cancelled; empty where that is not told.
        log_group: The ARN of the log group that has the errors; empty where there is none.
    """

    status: str
    processed: int = 0
    written: int | None = None
    failed: int = 0
    size: int = 0
    why: str = ""
    log_group: str = ""


@dataclass(frozen=True)
class Job:
    """A load that DynamoDB is to do.

    Attributes:
        table: The table's name.
        start: The operation that starts it.
        request: Its request. It has a client token: for eight hours the same request is the same job.
        reports: Where it leaves what it could not write; empty where that is a log group.
    """

    table: str
    start: str
    request: Mapping[str, Any]
    reports: str = ""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{'import' if self._imports else 'bulk put'} into table {self.table}"

    @property
    def _imports(self) -> bool:
        return self.start == "ImportTable"

    def begin(self, wire: Wire) -> str:
        """Start it, and return its ARN.

        Args:
            wire: Carries the call.

        Raises:
            Error: It cannot be started.
        """
        reply = wire.call(self.start, orjson.dumps(self.request), table=self.table)
        return str(self._description(reply)["ImportArn" if self._imports else "BulkOperationArn"])

    def look(self, wire: Wire, arn: str) -> Seen:
        """Return where it stands.

        Args:
            wire: Carries the call.
            arn: What `begin` returned.

        Raises:
            Error: The call failed.
        """
        operation, member = (
            ("DescribeImport", "ImportArn")
            if self._imports
            else ("DescribeBulkOperation", "BulkOperationArn")
        )
        said = self._description(wire.call(operation, orjson.dumps({member: arn}), table=arn))
        code, message = said.get("FailureCode") or "", said.get("FailureMessage") or ""
        kind = "Import" if self._imports else "BulkOperation"
        size = said.get("ProcessedSizeBytes" if self._imports else "ProcessedInputBytes")
        written = said.get("ImportedItemCount")
        return Seen(
            str(said[f"{kind}Status"]),
            int(said.get("ProcessedItemCount") or 0),
            None if written is None else int(written),
            int(said.get("ErrorCount" if self._imports else "FailedItemCount") or 0),
            int(size or 0),
            ": ".join(filter(None, (code, message))).rstrip(". "),
            str(said.get("CloudWatchLogGroupArn") or ""),
        )

    def cancel(self, wire: Wire, arn: str) -> bool:
        """Ask DynamoDB to end it early, where that can be asked; what was written stays.

        Args:
            wire: Carries the call.
            arn: What `begin` returned.

        Returns:
            Whether it was asked.

        Raises:
            Error: The call failed.
        """
        if self._imports:
            return False
        wire.call("CancelBulkOperation", orjson.dumps({"BulkOperationArn": arn}), table=arn)
        return True

    def check(self, seen: Seen, items: int) -> None:
        """Find out whether a job that is over has written everything.

        Args:
            seen: Its last description.
            items: How many items the parts have.

        Raises:
            DataError: Items could not be written.
            ServiceError: It failed, or was cancelled, or has not seen all items.
        """
        where = f"; {self._where(seen)}" if self._where(seen) else ""
        if seen.failed:
            raise DataError(
                f"The {self.name} has ended as {seen.status}, and {seen.failed:,} of {items:,} items "
                f"could not be written{f' ({seen.why})' if seen.why else ''}{where}",
                "Correct or leave out these items"
                + (f"; delete table {self.table} before you run again" if self._imports else ""),
            )
        if seen.status != "COMPLETED":
            raise ServiceError(
                f"The {self.name} has ended as {seen.status}"
                f"{f': {seen.why}' if seen.why else ''}{where}",
                f"Delete table {self.table}, if it is there, and run again"
                if self._imports
                else "A part of the items may have been written; run again",
            )
        written = seen.processed if seen.written is None else seen.written
        if written < items:
            raise ServiceError(
                f"The {self.name} has ended as COMPLETED with {written:,} of {items:,} items{where}",
                f"Compare the table with its source; look whether something else has changed the "
                f"files of {self.table} in S3 meanwhile",
            )

    def _where(self, seen: Seen) -> str:
        if seen.log_group:
            return f"the errors are in log group {seen.log_group}"
        return f"the errors are in {self.reports}" if self.reports and seen.failed else ""

    def _description(self, reply: bytes) -> dict[str, Any]:
        member = "ImportTableDescription" if self._imports else "BulkOperationDescription"
        try:
            described: dict[str, Any] = orjson.loads(reply)[member]
        except (orjson.JSONDecodeError, KeyError) as error:
            raise ServiceError(
                f"The answer about the {self.name} has no {member}", "Run again"
            ) from error
        return described


def import_job(created: Mapping[str, Any], parts: Parts, token: str) -> Job:
    """Return the job that makes a table of parts.

    Args:
        created: The request of CreateTable; what ImportTable cannot give a table is left out of it.
        parts: The parts.
        token: Makes the same request the same job.

    Raises:
        ConfigError: The table has local secondary indexes, which no import makes.
    """
    table = created["TableName"]
    if created.get("LocalSecondaryIndexes"):
        raise ConfigError(
            f"Table {table} is to have local secondary indexes, and no import can make them",
            "Take write_mode put, which makes the table first; or leave the indexes out",
        )
    source = {"S3Bucket": parts.bucket, "S3KeyPrefix": parts.prefix}
    request = {
        "ClientToken": token,
        "S3BucketSource": source,
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": COMPRESSIONS[parts.compression],
        "TableCreationParameters": {n: created[n] for n in _TABLE_MEMBERS if n in created},
    }
    return Job(table, "ImportTable", request)


def bulk_job(
    table: str, parts: Parts, token: str, *, reports: str, units: int | None, tier: str | None
) -> Job:
    """Return the job that puts parts into a table that exists.

    Args:
        table: Its name.
        parts: The parts.
        token: Makes the same request the same job.
        reports: The prefix, in the bucket of the parts, of what could not be written.
        units: Write units a second that the job may take; None leaves that to DynamoDB.
        tier: `STANDARD` or `ACCELERATED`; None leaves that to DynamoDB.

    Raises:
        ConfigError: There are fewer units than a bulk put takes.
    """
    if units is not None and units < LEAST_BULK_UNITS:
        raise ConfigError(
            f"A bulk put into table {table} was to take {units:,} write units a second, and cannot "
            f"be asked to take less than {LEAST_BULK_UNITS:,}",
            "Raise write_capacity, or leave it out; or take write_mode put, which takes any rate",
        )
    request: dict[str, Any] = {
        "TableName": table,
        "ClientToken": token,
        "InputS3Configuration": {
            "S3Bucket": parts.bucket,
            "S3KeyPrefix": parts.prefix,
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": COMPRESSIONS[parts.compression],
        },
        "OutputS3Configuration": {
            "S3Bucket": parts.bucket,
            "S3KeyPrefix": reports,
            "OutputType": ["ERROR"],
        },
    }
    if units is not None:
        request["MaxWriteRequestUnits"] = units
    if tier is not None:
        request["PerformanceTier"] = tier
    return Job(table, "StartBulkPutItems", request, f"s3://{parts.bucket}/{reports}")


def wait(
    wire: Wire,
    job: Job,
    arn: str,
    *,
    look: Callable[[], None],
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Seen:
    """Return when a job is over, however it ended.

    Where it cannot be seen for a while, as the network is away, the wait goes on.

    Args:
        wire: Carries the calls.
        job: The job.
        arn: What its `begin` returned.
        look: Called twice a second; what it raises ends the wait.
        say: Told where the job stands, now and then.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        Error: It could not be seen for a quarter of an hour, or may not be looked at.
    """
    began = seen_at = clock()
    pause = FIRST_LOOK_SECONDS
    due = began
    while True:
        look()
        try:
            seen = job.look(wire, arn)
            seen_at = clock()
        except (EndpointError, ServiceError) as error:
            if clock() - seen_at > BLIND_SECONDS:
                raise Error(
                    f"The {job.name} has not been seen for {duration(clock() - seen_at)}: "
                    f"{error.message}",
                    f"It may go on without us: look at {arn}",
                ) from error
            seen = None
        if seen is not None:
            if seen.status not in ("IN_PROGRESS", "CANCELLING"):
                return seen
            if clock() >= due:
                say(_line(job, seen, clock() - began))
                often = clock() - began < LONG_RUN_SECONDS
                due = clock() + (OFTEN_SECONDS if often else SELDOM_SECONDS)
        left = pause
        while left > 0:
            step = min(STEP_SECONDS, left)
            sleep(step)
            left -= step
            look()
        pause = min(pause * 1.5, SELDOM_LOOK_SECONDS)


def _line(job: Job, seen: Seen, seconds: float) -> str:
    failed = f", {seen.failed:,} errors" if seen.failed else ""
    return (
        f"The {job.name} is {seen.status} for {duration(seconds)}: {seen.processed:,} items, "
        f"{seen.size / 1e6:,.1f} MB{failed}"
    )
