"""Exports that are asked for: one request one export, found again by its token, waited for with patience."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core import tables
from dynamodb_core.errors import ConfigError, EndpointError, Error, ServiceError, StateError
from dynamodb_core.exports import asking, made
from dynamodb_core.exports.asking import Ask, Destination
from dynamodb_core.exports.recovery import Recovery, moment, recovery, seconds
from dynamodb_core.exports.windows import Window
from dynamodb_core.jobs import SELDOM_LOOK_SECONDS, STEP_SECONDS
from tests.engines.exporter import Exporter
from tests.engines.scripted import Clock, ScriptedWire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dynamodb_core.exports.made import Seen

HOUR = timedelta(hours=1)
TO = Destination("bucket", "prefix")


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    return Exporter(tmp_path)


def full(exporter: Exporter, **more: Any) -> Ask:
    table = tables.describe(exporter.wire, exporter.name)
    return Ask(**{"table": table, "to": TO, "what": exporter.latest, **more})


def window(exporter: Exporter, since: datetime, length: timedelta = HOUR, **more: Any) -> Ask:
    return full(exporter, what=Window(since, since + length), **more)


def wait(exporter: Exporter, seen: Seen, clock: Clock, **more: Any) -> tuple[Seen, list[str]]:
    said: list[str] = []
    told: dict[str, Any] = {"look_up": lambda: None, "say": said.append, **more}
    return made.wait(exporter.wire, seen, "orders", clock=clock, sleep=clock.sleep, **told), said


def test_the_same_request_is_the_same_export(exporter: Exporter) -> None:
    ask = full(exporter)
    one, other = (asking.begin(exporter.wire, ask) for _ in range(2))
    assert one == other
    assert one.what == exporter.latest.replace(microsecond=0) - timedelta(seconds=1)
    assert len(exporter.made) == 1
    asking.begin(exporter.wire, ask, failed=1)
    assert len(exporter.made) == 2


def test_a_window_is_asked_for_as_dynamodb_wants_it(exporter: Exporter) -> None:
    since = exporter.latest - 3 * HOUR + timedelta(milliseconds=28)
    seen = asking.begin(
        exporter.wire, window(exporter, since, to=replace(TO, format="ion", view="new_and_old"))
    )
    assert seen.what == Window(since, since + HOUR)
    [call] = exporter.calls("ExportTableToPointInTime")
    assert call.table == "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    token = call.request.pop("ClientToken")
    assert len(token) <= 36
    assert call.request == {
        "TableArn": call.table,
        "S3Bucket": "bucket",
        "S3Prefix": "prefix",
        "ExportFormat": "ION",
        "ExportType": "INCREMENTAL_EXPORT",
        "IncrementalExportSpecification": {
            "ExportFromTime": since.timestamp(),
            "ExportToTime": (since + HOUR).timestamp(),
            "ExportViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def test_a_family_is_what_is_asked_for_but_not_until_when(exporter: Exporter) -> None:
    at = exporter.latest
    same = [
        [full(exporter), full(exporter, what=at - HOUR)],
        [window(exporter, at), window(exporter, at, 2 * HOUR)],
    ]
    others = [
        full(exporter, after="x"),
        full(exporter, to=replace(TO, bucket="other")),
        full(exporter, to=replace(TO, prefix="other")),
        full(exporter, to=replace(TO, format="ion")),
        full(exporter, to=replace(TO, kms_key="key")),
        full(exporter, to=replace(TO, owner="123456789012")),
        full(exporter, table=replace(full(exporter).table, id="another")),
        window(exporter, at + timedelta(milliseconds=1)),
        window(exporter, at, to=replace(TO, view="new_and_old")),
    ]
    assert all(one.family == other.family for one, other in same)
    families = [same[0][0].family, same[1][0].family, *(each.family for each in others)]
    assert len({*families}) == len(families)
    tokens = [each.request()["ClientToken"] for each in (*same[0], *same[1], *others)]
    assert len({*tokens}) == len(tokens)


def test_an_export_is_found_again_while_it_is_young_or_under_way(exporter: Exporter) -> None:
    exporter.looks = 1
    ask = full(exporter)
    old = asking.begin(exporter.wire, ask)
    exporter.pass_by(hours=9)
    stranger = asking.begin(exporter.wire, full(exporter, after="x"))
    asking.begin(exporter.wire, window(exporter, exporter.latest - 2 * HOUR))

    def again() -> tuple[Seen | None, int]:
        later = full(exporter)
        recent = asking.recent(exporter.wire, later.table.arn, exporter.latest)
        return asking.find_again(later, recent)

    found, failed = again()
    assert (found and found.arn, failed) == (old.arn, 0)
    again()
    assert made.look(exporter.wire, old.arn).status == "COMPLETED"
    assert again() == (None, 0)
    exporter.pass_by(hours=1)
    young = asking.begin(exporter.wire, full(exporter))
    newer = asking.begin(exporter.wire, full(exporter))  # of a second later
    found, _ = again()
    assert found
    assert found.arn == newer.arn
    exporter.failing = lambda request: "Failed" if request["ExportTime"] else ""
    for _ in range(3):
        found, failed = again()
    assert (found, failed) == (None, 2)
    assert {young.arn, newer.arn, stranger.arn} <= {*exporter.made}


def test_old_exports_are_not_looked_at(exporter: Exporter) -> None:
    for number in range(5):
        asking.begin(exporter.wire, full(exporter, after=str(number)))
    for arn in exporter.made:
        made.look(exporter.wire, arn)
    before = len(exporter.calls("DescribeExport"))
    exporter.pass_by(hours=8, minutes=30)
    arn = full(exporter).table.arn
    assert asking.recent(exporter.wire, arn, exporter.latest) == []
    assert len(exporter.calls("DescribeExport")) == before
    assert len(exporter.calls("ListExports")) == 3


def test_a_wait_looks_seldom_and_says_where_the_export_stands(exporter: Exporter) -> None:
    exporter.looks = 60
    clock, looked = Clock(), []
    seen = asking.begin(exporter.wire, full(exporter))
    done, said = wait(exporter, seen, clock, look_up=lambda: looked.append(1))
    assert done.status == "COMPLETED"
    assert done.location == f"s3://bucket/prefix/AWSDynamoDB/{done.arn.rpartition('/')[2]}"
    assert clock.now - 1000 > 50 * SELDOM_LOOK_SECONDS
    assert max(clock.slept) <= STEP_SECONDS
    assert len(looked) >= len(clock.slept)
    assert 10 < len(said) < 60
    assert "is under way for 3 min" in "".join(said)


def test_what_a_look_raises_ends_the_wait(exporter: Exporter) -> None:
    exporter.looks = 10
    clock = Clock()

    def stop() -> None:
        if len(clock.slept) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait(exporter, asking.begin(exporter.wire, full(exporter)), clock, look_up=stop)
    assert len(clock.slept) == 3


@pytest.mark.parametrize("error", [EndpointError("away"), ServiceError("down", code="Internal")])
def test_a_wait_goes_on_while_the_network_is_away_but_not_for_ever(
    exporter: Exporter, error: Error
) -> None:
    seen = asking.begin(exporter.wire, full(exporter))
    clock = Clock()

    def away(until: float) -> Callable[[str], None]:
        def before(_operation: str) -> None:
            if clock.now < 1000 + until:
                raise error

        return before

    exporter.before = away(800)
    done, _ = wait(exporter, seen, clock)
    assert done.status == "COMPLETED"
    clock = Clock()
    exporter.before = away(2000)
    with pytest.raises(Error, match=r"has not been seen for 15 min .*run again to wait"):
        wait(exporter, seen, clock)


def test_an_export_that_fails_is_an_error_that_says_why(exporter: Exporter) -> None:
    exporter.failing = lambda _request: "S3NoSuchBucket"
    seen = asking.begin(exporter.wire, full(exporter))
    with pytest.raises(ServiceError, match="is FAILED: S3NoSuchBucket: the message of"):
        wait(exporter, seen, Clock())


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("PointInTimeRecoveryUnavailableException", ConfigError, "update-continuous-backups"),
        ("InvalidExportTimeException", ServiceError, "start over"),
        ("LimitExceededException", ServiceError, "run again when others are done"),
        ("SomethingElse", ServiceError, "as it was"),
    ],
)
def test_a_refusal_says_what_to_do(
    exporter: Exporter, code: str, kind: type[Error], words: str
) -> None:
    wire = ScriptedWire(lambda _o, _r: ServiceError("refused", "as it was", code=code))
    with pytest.raises(kind, match=words):
        asking.begin(wire, full(exporter))


def test_recovery_that_is_off_names_the_command(exporter: Exporter) -> None:
    exporter.earliest = None
    with pytest.raises(ConfigError, match=r"--table-name orders .*PointInTimeRecoveryEnabled=true"):
        recovery(exporter.wire, "orders")


def test_recovery_says_how_far_it_reaches(exporter: Exporter) -> None:
    found = recovery(exporter.wire, "orders")
    assert found == Recovery("orders", exporter.now - 24 * HOUR, exporter.latest, 35)
    found.require(exporter.now - 24 * HOUR)
    with pytest.raises(
        StateError, match=r"reaches back to 2026-11-20T12:00:00Z only.*full-refresh"
    ):
        found.require(exporter.now - 24 * HOUR - timedelta(seconds=1))


def test_recovery_that_was_turned_on_just_now_has_nothing_yet(exporter: Exporter) -> None:
    exporter.earliest = exporter.now
    with pytest.raises(ServiceError, match="Run again in some minutes"):
        recovery(exporter.wire, "orders")


def test_a_place_follows_from_an_arn(exporter: Exporter) -> None:
    exporter.looks = 1
    seen = asking.begin(exporter.wire, full(exporter, to=Destination("bucket", "/a/b/")))
    with pytest.raises(ConfigError, match=r"is IN_PROGRESS.*Run again when it is COMPLETED"):
        made.located(exporter.wire, seen.arn)
    number = seen.arn.rpartition("/")[2]
    assert made.located(exporter.wire, seen.arn) == f"s3://bucket/a/b/AWSDynamoDB/{number}"
    assert exporter.calls("DescribeExport")[0].table == seen.arn
    exporter.looks, exporter.failing = 0, lambda _request: "Why"
    failed = asking.begin(exporter.wire, full(exporter, after="x"))
    with pytest.raises(ConfigError, match="is FAILED: Why"):
        made.located(exporter.wire, failed.arn)
    with pytest.raises(ConfigError, match="There is no export"):
        made.located(exporter.wire, f"{seen.arn}0")
    with pytest.raises(ConfigError, match="no ARN of an export"):
        made.located(exporter.wire, "arn:aws:s3:::bucket/prefix")


def test_moments_go_over_the_wire_and_back() -> None:
    at = datetime(2020, 11, 4, 7, 28, 34, 28000, timezone.utc)
    assert moment(seconds(at)) == at
    assert moment(orjson.loads(orjson.dumps(seconds(at)))) == at
    assert orjson.dumps(seconds(at.replace(microsecond=0))) == b"1604474914"
