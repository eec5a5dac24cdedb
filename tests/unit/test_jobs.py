"""Imports and bulk puts: their requests by botocore's model, their states by a scripted service."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core import jobs
from dynamodb_core.definitions import Definition
from dynamodb_core.errors import (
    AccessError,
    ConfigError,
    DataError,
    EndpointError,
    Error,
    ServiceError,
)
from dynamodb_core.jobs import Job, Parts, Seen
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key
from dynamodb_core.wire import BotoWire
from tests.engines.bulk import complaints
from tests.engines.scripted import Clock, ScriptedWire, in_turn

KEY = Key(("id", "n"), ("S", "N"))
PARTS = Parts("bucket", "some/parts/", "gzip")
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/import/01"
SETTINGS: dict[str, Any] = {
    "global_secondary_indexes": [{"name": "by_day", "partition_key": "day"}],
    "attributes": {"day": "S"},
    "stream_view_type": "NEW_IMAGE",
    "tags": {"a": "b"},
    "table_class": "STANDARD_INFREQUENT_ACCESS",
    "deletion_protection_enabled": True,
    "sse_type": "KMS",
}


def definition(**more: Any) -> Definition:
    return Definition("orders", KEY, {**SETTINGS, **more})


def an_import() -> Job:
    return jobs.import_job(definition().create_request(), PARTS, "token")


def a_bulk_put(**more: Any) -> Job:
    given = {"reports": "some/errors/", "units": None, "tier": None, **more}
    return jobs.bulk_job("orders", PARTS, "token", **given)


def of_import(status: str, **more: Any) -> dict[str, Any]:
    return {"ImportTableDescription": {"ImportArn": ARN, "ImportStatus": status, **more}}


def of_bulk(status: str, **more: Any) -> dict[str, Any]:
    described = {"BulkOperationArn": ARN, "BulkOperationStatus": status, **more}
    return {"BulkOperationDescription": described}


# Requests


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize(
    "more",
    [{}, {"read_capacity_units": 5, "write_capacity_units": 6}, {"max_write_request_units": 9}],
)
def test_an_import_asks_for_what_the_model_knows(compression: str, more: dict[str, Any]) -> None:
    created = definition(**more).create_request()
    job = jobs.import_job(created, Parts("bucket", "x/", compression), "token")
    assert complaints("ImportTable", dict(job.request)) == ""
    given = job.request["TableCreationParameters"]
    left_out = created.keys() - given.keys()
    assert left_out == {"StreamSpecification", "Tags", "TableClass", "DeletionProtectionEnabled"}
    assert all(given[name] == created[name] for name in given)
    assert job.request["InputCompressionType"] == compression.upper()
    assert job.request["ClientToken"] == "token"


def test_a_bulk_put_asks_for_what_the_model_knows() -> None:
    for more in ({}, {"units": 1024}, {"units": 5000, "tier": "ACCELERATED"}):
        job = a_bulk_put(**more)
        assert complaints("StartBulkPutItems", dict(job.request)) == ""
        assert job.request.get("MaxWriteRequestUnits") == more.get("units")
        assert job.request.get("PerformanceTier") == more.get("tier")


def test_what_the_model_would_refuse_is_seen() -> None:
    assert complaints("StartBulkPutItems", {"TableName": "x"})
    assert complaints("ImportTable", {**an_import().request, "InputFormat": 1})


def test_local_indexes_are_refused() -> None:
    local = {"local_secondary_indexes": [{"name": "by_day", "sort_key": "day"}]}
    created = definition(global_secondary_indexes=[], **local).create_request()
    with pytest.raises(ConfigError, match=r"orders is to have local.*write_mode put"):
        jobs.import_job(created, PARTS, "token")


def test_a_rate_below_the_least_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"1,023.*1,024"):
        a_bulk_put(units=1023)


# A job's way


@pytest.mark.parametrize(
    ("job", "start", "describe", "member", "said"),
    [
        (an_import(), "ImportTable", "DescribeImport", "ImportArn", of_import),
        (
            a_bulk_put(),
            "StartBulkPutItems",
            "DescribeBulkOperation",
            "BulkOperationArn",
            of_bulk,
        ),
    ],
    ids=["import", "bulk"],
)
def test_a_job_is_waited_for(job: Job, start: str, describe: str, member: str, said: Any) -> None:
    wire = ScriptedWire(
        in_turn(
            said("IN_PROGRESS"),
            said("IN_PROGRESS"),
            said("CANCELLING", ProcessedItemCount=2),
            said("COMPLETED", ProcessedItemCount=3),
        )
    )
    clock = Clock()
    lines: list[str] = []
    looks: list[int] = []
    arn = job.begin(wire)
    seen = jobs.wait(
        wire,
        job,
        arn,
        look=lambda: looks.append(1),
        say=lines.append,
        clock=clock,
        sleep=clock.sleep,
    )
    assert (arn, seen.status, seen.processed) == (ARN, "COMPLETED", 3)
    assert wire.operations() == [start, describe, describe, describe]
    assert [call.request for call in wire.calls[1:]] == [{member: ARN}] * 3
    assert [call.table for call in wire.calls] == ["orders", ARN, ARN, ARN]
    assert "is IN_PROGRESS" in lines[0]
    assert max(clock.slept) <= jobs.STEP_SECONDS
    assert len(looks) > len(clock.slept)
    job.check(seen, 3)


def test_a_long_wait_looks_and_says_seldom() -> None:
    wire = ScriptedWire(in_turn(*[of_bulk("IN_PROGRESS")] * 300, of_bulk("COMPLETED")))
    clock = Clock()
    lines: list[str] = []
    jobs.wait(
        wire,
        a_bulk_put(),
        ARN,
        look=lambda: None,
        say=lines.append,
        clock=clock,
        sleep=clock.sleep,
    )
    assert clock.now - 1000 > 290 * 18
    assert 50 < len(lines) < 120


def test_a_job_that_is_not_seen_for_a_while_is_still_waited_for() -> None:
    away = [EndpointError("away"), ServiceError("broken", code="InternalServerError")]
    wire = ScriptedWire(in_turn(of_bulk("IN_PROGRESS"), *away * 10, of_bulk("COMPLETED")))
    clock = Clock()
    seen = jobs.wait(
        wire,
        a_bulk_put(),
        ARN,
        look=lambda: None,
        say=lambda _: None,
        clock=clock,
        sleep=clock.sleep,
    )
    assert seen.status == "COMPLETED"


def test_a_job_that_is_not_seen_any_more_is_given_up() -> None:
    wire = ScriptedWire(in_turn(of_bulk("IN_PROGRESS"), EndpointError("away")))
    clock = Clock()
    with pytest.raises(Error, match=rf"not been seen for 15 min.*look at {ARN}"):
        jobs.wait(
            wire,
            a_bulk_put(),
            ARN,
            look=lambda: None,
            say=lambda _: None,
            clock=clock,
            sleep=clock.sleep,
        )


def test_a_job_that_may_not_be_looked_at_is_given_up_at_once() -> None:
    wire = ScriptedWire(in_turn(AccessError("no")))
    clock = Clock()
    with pytest.raises(AccessError):
        jobs.wait(
            wire,
            a_bulk_put(),
            ARN,
            look=lambda: None,
            say=lambda _: None,
            clock=clock,
            sleep=clock.sleep,
        )
    assert clock.slept == []


def test_only_a_bulk_put_can_be_cancelled() -> None:
    wire = ScriptedWire(in_turn({}))
    assert a_bulk_put().cancel(wire, ARN)
    assert not an_import().cancel(wire, ARN)
    assert wire.operations() == ["CancelBulkOperation"]


def test_an_answer_without_a_description_is_an_error() -> None:
    with pytest.raises(ServiceError, match="no BulkOperationDescription"):
        a_bulk_put().begin(ScriptedWire(in_turn({})))


# Its end


@pytest.mark.parametrize("job", [an_import(), a_bulk_put()], ids=["import", "bulk"])
@pytest.mark.parametrize(
    ("seen", "error", "words"),
    [
        (Seen("FAILED", why="Code: Why"), ServiceError, "ended as FAILED: Code: Why"),
        (Seen("CANCELLED", 5), ServiceError, "ended as CANCELLED"),
        (Seen("COMPLETED", 10, 10, failed=1), DataError, "1 of 10 items could not be written"),
        (Seen("COMPLETED_WITH_ERRORS", 10, None, failed=3), DataError, "3 of 10 items"),
        (Seen("COMPLETED_WITH_ERRORS", 10), ServiceError, "ended as COMPLETED_WITH_ERRORS"),
        (Seen("FAILED", 10, 9, failed=1, log_group="arn:logs"), DataError, "log group arn:logs"),
        (Seen("COMPLETED", 9), ServiceError, "COMPLETED with 9 of 10 items"),
        (Seen("COMPLETED", 10, 9), ServiceError, "COMPLETED with 9 of 10 items"),
    ],
)
def test_a_job_that_has_not_written_everything_is_an_error(
    job: Job, seen: Seen, error: type[Error], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        job.check(seen, 10)
    assert raised.value.hint


@pytest.mark.parametrize("job", [an_import(), a_bulk_put()], ids=["import", "bulk"])
def test_a_job_that_has_written_everything_is_none(job: Job) -> None:
    job.check(Seen("COMPLETED", 10, 10), 10)
    job.check(Seen("COMPLETED", 10), 10)
    job.check(Seen("COMPLETED", 11, 11), 10)  # counted twice, perhaps; nothing is missing


def test_the_reports_of_a_bulk_put_are_named() -> None:
    with pytest.raises(DataError, match="errors are in s3://bucket/some/errors/"):
        a_bulk_put().check(Seen("COMPLETED_WITH_ERRORS", 10, failed=1), 10)


def test_a_long_job_may_be_out_of_sight_for_a_moment() -> None:
    """The quarter of an hour is counted from the last look, and not from the job's beginning."""
    away = EndpointError("away")
    wire = ScriptedWire(in_turn(*[of_bulk("IN_PROGRESS")] * 100, away, of_bulk("COMPLETED")))
    clock = Clock()
    seen = jobs.wait(
        wire,
        a_bulk_put(),
        ARN,
        look=lambda: None,
        say=lambda _: None,
        clock=clock,
        sleep=clock.sleep,
    )
    assert seen.status == "COMPLETED"
    assert clock.now - 1000 > jobs.BLIND_SECONDS


def test_an_operation_that_botocore_does_not_know_yet_is_named() -> None:
    nowhere = AwsSettings(
        region="eu-west-1",
        endpoint_url="http://127.0.0.1:1",
        access_key_id="a",
        secret_access_key="b",
    )
    with pytest.raises(ConfigError, match=r"does not know StartSomethingNew.*Update boto3"):
        BotoWire(nowhere).call("StartSomethingNew", b"{}", table="orders")
