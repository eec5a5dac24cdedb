"""Exports that the tap asks for: begun once, found again, waited for, and read to the last change."""

from __future__ import annotations

import contextlib
import io
import logging
import signal
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError, EndpointError, ServiceError, StateError
from dynamodb_core.exports.finding import find
from dynamodb_core.prices import CostExceeded
from tap_dynamodb import asked
from tests.engines.buckets import TestBucket
from tests.engines.exporter import Exporter
from tests.engines.scanned import ScannedTable
from tests.engines.scripted import Clock
from tests.engines.tap import NEVER, make, parse, sync

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tap import Output

NAME = "orders"


def item(number: int, value: int | None = None) -> dict[str, Any]:
    return {"id": {"S": f"i{number}"}, "n": {"N": str(number if value is None else value)}}


class Trial:
    """A table, its exporter, and runs of the tap one after the other, each with the state of the last."""

    def __init__(self, exporter: Exporter, engine: Engine, bucket: TestBucket) -> None:
        self.exporter = exporter
        self.state: dict[str, Any] | None = None
        self.downstream: dict[str, int] = {}
        self._config = {
            **engine.config(),
            "aws_endpoint_url_s3": engine.endpoint_url,
            "tables": [exporter.name],
            "source": "export",
            "scan_workers": 2,
        }
        self._bucket = bucket.name

    def config(self, trigger: str, **export: Any) -> dict[str, Any]:
        more = export.pop("more", {})
        given = {"trigger": trigger, "bucket": self._bucket, "prefix": "backups", **export}
        return {**self._config, "export": given, **more}

    def run(
        self,
        trigger: str = "incremental",
        *,
        fails: type[BaseException] | tuple[type[BaseException], ...] = (),
        limit: int | None = None,
        **export: Any,
    ) -> Output:
        output = sync(
            self.exporter.wire,
            self.config(trigger, **export),
            fails=fails,
            limit=limit,
            state=self.state,
        )
        states = output.of("STATE")
        self.state = states[-1]["value"] if states else self.state
        for record in output.records():
            if record.get("_sdc_deleted_at"):
                self.downstream.pop(record["id"], None)
            else:
                self.downstream[record["id"]] = record["n"]
        return output

    @property
    def bookmark(self) -> dict[str, Any]:
        assert self.state
        [entry] = self.state["bookmarks"][NAME]["export"]
        found: dict[str, Any] = entry
        return found

    @property
    def there(self) -> dict[str, int]:
        """The table as it was at the latest moment that can be exported."""
        found = self.exporter.at(self.exporter.latest)
        return {key: int(each["n"]["N"]) for key, each in found.items()}

    def asked(self) -> list[dict[str, Any]]:
        return [call.request for call in self.exporter.calls("ExportTableToPointInTime")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asked, "monotonic", clock)
    monkeypatch.setattr(asked, "sleep", clock.sleep)
    return clock


@pytest.fixture
def trial(engine: Engine, tmp_path: Path, clock: Clock) -> Trial:
    bucket = TestBucket(engine)
    exporter = Exporter(tmp_path, bucket)
    exporter.put(*(item(number) for number in range(40)))
    exporter.pass_by(hours=1)
    assert not clock.slept
    return Trial(exporter, engine, bucket)


def test_a_full_export_is_asked_for_waited_for_and_read(trial: Trial, clock: Clock) -> None:
    trial.exporter.looks = 3
    output = trial.run("full")
    output.check()
    assert trial.downstream == trial.there
    [request] = trial.asked()
    assert request["ExportTime"] == int((trial.exporter.latest).timestamp()) - 1  # it took a second
    assert request["S3Prefix"] == "backups"
    assert len(clock.slept) > 3
    assert "is under way for" in output.log
    [entry] = output.of("STATE")[0]["value"]["bookmarks"][NAME]["export"]
    assert entry["asked"] == list(trial.exporter.made)
    first = next(n for n, each in enumerate(output.messages) if each["type"] == "RECORD")
    state = next(n for n, each in enumerate(output.messages) if each["type"] == "STATE")
    assert state < first
    assert "asked" not in trial.bookmark


def test_each_full_run_makes_an_export_of_its_own(trial: Trial) -> None:
    trial.run("full")
    trial.exporter.delete("i3")
    trial.exporter.pass_by(minutes=10)
    trial.downstream.clear()
    trial.run("full")
    assert len(trial.exporter.made) == 2
    assert trial.downstream == trial.there
    assert "i3" not in trial.downstream


@pytest.mark.parametrize("form", ["dynamodb_json", "ion"])
@pytest.mark.parametrize("view", ["new", "new_and_old"])
def test_windows_bring_what_has_changed_since_the_full_export(
    trial: Trial, form: str, view: str
) -> None:
    export: dict[str, Any] = {"format": form, "view": view}
    trial.run(**export)
    assert trial.downstream == trial.there
    trial.exporter.put(item(1, 100), item(50))
    trial.exporter.pass_by(hours=30)
    trial.exporter.delete("i2", "i50")
    trial.exporter.put(item(60))
    trial.exporter.pass_by(hours=1)
    output = trial.run(**export)
    assert trial.downstream == trial.there
    assert {each["id"] for each in output.records() if each["_sdc_deleted_at"]} == {"i2", "i50"}
    assert "Nothing was deleted downstream" not in output.log
    full, *windows = trial.asked()
    specified = [each["IncrementalExportSpecification"] for each in windows]
    assert specified[0]["ExportFromTime"] == full["ExportTime"]
    assert specified[1]["ExportFromTime"] == specified[0]["ExportToTime"]
    assert len(windows) == 2
    assert trial.run(**export).records() == []


def test_less_than_a_quarter_of_an_hour_waits_for_the_next_run(trial: Trial) -> None:
    trial.run()
    before = trial.bookmark
    trial.exporter.put(item(1, 100))
    trial.exporter.pass_by(minutes=10)
    output = trial.run()
    assert "is left for the next run" in output.log
    assert len(trial.exporter.made) == 1
    assert output.records() == []
    assert trial.bookmark == before
    trial.exporter.pass_by(minutes=20)
    trial.run()
    assert trial.downstream == trial.there
    assert trial.downstream["i1"] == 100


def test_no_version_is_activated_by_windows(trial: Trial) -> None:
    more = {"emit_activate_version_messages": True}
    assert len(trial.run(more=more).of("ACTIVATE_VERSION")) == 1
    trial.exporter.pass_by(hours=1)
    assert trial.run(more=more).of("ACTIVATE_VERSION") == []


class Killed(BaseException):
    """The end of a process."""


def killing(operation: str, *, of: int = 1) -> Any:
    """Return what ends the run at one of the calls of an operation."""
    left = [of]

    def kill(called: str) -> None:
        left[0] -= called == operation
        if called == operation and left[0] == 0:
            raise Killed

    return kill


@pytest.mark.parametrize("trigger", ["full", "incremental"])
def test_a_run_that_died_while_it_waited_goes_on_with_its_export(
    trial: Trial, trigger: str
) -> None:
    trial.exporter.looks = 2
    trial.exporter.before = killing("DescribeExport")
    trial.run(trigger, fails=Killed)
    assert trial.bookmark["asked"] == list(trial.exporter.made)
    trial.exporter.before = lambda _operation: None
    trial.exporter.put(item(1, 100))
    trial.exporter.pass_by(hours=10)
    output = trial.run(trigger)
    assert len(trial.exporter.made) == 1
    assert "going on with the full export" in output.log
    assert trial.downstream["i1"] == 1
    assert len(trial.downstream) == 40


def test_a_run_that_died_before_its_state_left_finds_its_export_again(trial: Trial) -> None:
    trial.exporter.after = killing("ExportTableToPointInTime")
    trial.run(fails=Killed)
    assert trial.state is None
    trial.exporter.pass_by(hours=7)
    trial.exporter.after = lambda _operation: None
    output = trial.run()
    assert "which an earlier run has asked for" in output.log
    assert len(trial.asked()) == 1
    trial.exporter.put(item(1, 100))
    trial.exporter.pass_by(hours=25)
    trial.exporter.after = killing("ExportTableToPointInTime", of=2)
    trial.run(fails=Killed)
    trial.exporter.after = lambda _operation: None
    trial.exporter.put(item(2, 200))
    trial.exporter.pass_by(hours=3)
    trial.run()
    assert trial.downstream == trial.there
    times = [each["IncrementalExportSpecification"] for each in trial.asked()[1:]]
    for one, other in pairwise(times):
        assert one["ExportToTime"] == other["ExportFromTime"]


def test_an_export_of_long_ago_is_not_taken_for_this_runs(trial: Trial) -> None:
    trial.run("full")
    trial.state = None
    trial.exporter.put(item(1, 100))
    trial.exporter.pass_by(hours=9)
    trial.run("full")
    assert len(trial.exporter.made) == 2
    assert trial.downstream["i1"] == 100


def test_an_export_to_another_place_is_not_taken_for_this_runs(trial: Trial) -> None:
    trial.run("full")
    trial.state = None
    trial.run("full", prefix="other")
    assert [each.get("S3Prefix") for each in trial.asked()] == ["backups", "other"]


def test_a_signal_ends_the_wait_and_leaves_the_state(
    trial: Trial, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    trial.exporter.looks = 1000
    tap = make(trial.exporter.wire, trial.config("full"))

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 5:
            tap._handle_termination(signal.SIGINT, None)

    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(asked, "sleep", sleep)
        with pytest.raises(SystemExit) as ended:
            tap.sync_all()
    assert ended.value.code == 130
    assert "The exports go on without us" in caplog.text
    assert len(clock.slept) == 5
    out.flush()
    [*_, last] = [each for each in parse(raw.getvalue()) if each["type"] == "STATE"]
    trial.state = last["value"]
    trial.exporter.looks = 0
    for left in trial.exporter.made:
        trial.exporter._left[left] = 0
    trial.run("full")
    assert len(trial.exporter.made) == 1
    assert trial.downstream == trial.there


def test_a_read_that_was_cut_off_goes_on_with_the_same_windows(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.run()
    trial.exporter.put(*(item(number, 7) for number in range(10)))
    trial.exporter.pass_by(hours=26)
    trial.exporter.delete("i3")
    trial.exporter.pass_by(hours=1)
    found = []

    def broken(*arguments: Any, **keywords: Any) -> Any:
        found.append(1)
        if len(found) == 2:
            raise EndpointError("S3 is away")
        return find(*arguments, **keywords)

    monkeypatch.setattr("tap_dynamodb.asked.find", broken)
    trial.run(fails=EndpointError)
    assert len(trial.bookmark["asked"]) == 2
    until = trial.bookmark["until"]
    trial.exporter.pass_by(hours=5)
    trial.run()
    assert len(trial.exporter.made) == 3
    assert trial.bookmark["until"] > until
    trial.run()
    assert trial.downstream == trial.there


def test_a_window_that_does_not_begin_there_is_refused(trial: Trial) -> None:
    trial.run()
    trial.exporter.pass_by(hours=1)
    trial.exporter.failing = lambda _request: "InternalError"
    trial.run(fails=ServiceError)
    [window] = list(trial.exporter.made.values())[1:]
    window["ExportStatus"] = "IN_PROGRESS"
    trial.exporter.failing = lambda _request: ""
    until = trial.exporter.now - timedelta(hours=20)
    trial.bookmark["until"] = until.isoformat()
    with pytest.raises(StateError, match="does not begin there"):
        trial.run()


def test_a_catalog_that_exports_cannot_serve_is_refused_before_anything_is_paid_for(
    trial: Trial,
) -> None:
    trial.exporter.others["users"] = ScannedTable([item(1), item(2)])
    config = {**trial.config("full"), "tables": [NAME, "users"]}
    catalog = make(trial.exporter.wire, config, setup_mapper=False).catalog_dict
    [users] = [each for each in catalog["streams"] if each["tap_stream_id"] == "users"]
    [own] = [each for each in users["metadata"] if not each["breadcrumb"]]
    own["metadata"] |= {"replication-method": "INCREMENTAL", "replication-key": "n"}
    users |= {"replication_method": "INCREMENTAL", "replication_key": "n"}
    with pytest.raises(ConfigError, match="asks for INCREMENTAL replication"):
        sync(trial.exporter.wire, config, catalog=catalog)
    assert trial.asked() == []


def test_recovery_that_is_off_is_an_error_with_the_command_that_turns_it_on(trial: Trial) -> None:
    trial.exporter.earliest = None
    with pytest.raises(ConfigError, match="PointInTimeRecoveryEnabled=true"):
        trial.run("full", fails=())
    assert trial.asked() == []


def test_what_recovery_does_not_reach_any_more_is_an_error_that_says_how_to_start_over(
    trial: Trial,
) -> None:
    trial.run()
    trial.exporter.pass_by(days=3)
    trial.exporter.earliest = trial.exporter.now - timedelta(days=1)
    trial.exporter.days = 1
    with pytest.raises(StateError, match=r"cannot be exported any more.*--full-refresh") as caught:
        trial.run()
    assert "RecoveryPeriodInDays=35" in caught.value.hint
    trial.state = None
    trial.run()
    assert trial.downstream == trial.there


def test_an_export_that_fails_is_an_error_and_is_asked_for_anew(trial: Trial) -> None:
    trial.exporter.failing = lambda _request: "S3AccessDenied"
    with pytest.raises(ServiceError, match="FAILED: S3AccessDenied: the message"):
        trial.run("full")
    trial.run("full", fails=ServiceError)
    trial.exporter.failing = lambda _request: ""
    output = trial.run("full")
    assert "has failed" in output.log
    assert trial.downstream == trial.there
    assert len(trial.exporter.made) == 3


def test_a_window_that_failed_is_asked_for_with_another_token(trial: Trial) -> None:
    trial.run()
    trial.exporter.put(item(1, 100))
    trial.exporter.pass_by(hours=1)
    trial.exporter.failing = lambda _request: "InternalError"
    trial.run(fails=ServiceError)
    trial.exporter.failing = lambda _request: ""
    trial.run()
    assert trial.downstream == trial.there


def test_a_table_that_was_made_anew_begins_anew_only_by_choice(trial: Trial) -> None:
    trial.run()
    trial.exporter.table.table_id = "99999999-2222-3333-4444-555555555555"
    trial.exporter.pass_by(hours=1)
    with pytest.raises(StateError, match="was made anew"):
        trial.run()
    trial.state = None
    trial.run()
    assert trial.downstream == trial.there


def test_discovery_makes_no_export(trial: Trial) -> None:
    config = trial.config("incremental")
    tap = make(trial.exporter.wire, config, setup_mapper=False)
    properties = tap.streams[NAME].schema["properties"]
    assert properties.keys() == {"id", "n", "_sdc_deleted_at", "_sdc_sequence"}
    assert not {"ExportTableToPointInTime", "ListExports"} & {*trial.exporter.wire.operations()}


def test_a_catalog_reads_as_discovery_does(trial: Trial) -> None:
    config = trial.config("incremental")
    catalog = make(trial.exporter.wire, config, setup_mapper=False).catalog_dict
    output = sync(trial.exporter.wire, config, catalog=catalog)
    output.check()
    assert {each["id"]: each["n"] for each in output.records()} == trial.there
    assert len(trial.exporter.made) == 1


def test_a_table_that_was_read_is_not_exported_again_before_the_others_are(trial: Trial) -> None:
    trial.exporter.others["users"] = ScannedTable([item(1), item(2)])
    config = trial.config("full")
    own = {"source": "export", "export": config.pop("export")}
    config |= {"source": "scan", "tables": [NAME, "users"], "item_format": "packed"}
    config["table_options"] = {NAME: own}

    def fail(operation: str) -> None:
        if operation == "Scan":
            raise ServiceError("down")

    trial.exporter.before = fail
    first = sync(trial.exporter.wire, config, fails=ServiceError)
    assert len(first.records(NAME)) == 40
    assert first.state["bookmarks"][NAME]["export"][0]["asked"] == list(trial.exporter.made)
    trial.exporter.before = lambda _operation: None
    trial.exporter.pass_by(hours=20)
    second = sync(trial.exporter.wire, config, state=first.state)
    assert (len(second.records(NAME)), len(second.records("users"))) == (0, 2)
    assert len(trial.exporter.made) == 1
    trial.state = second.state
    assert "asked" not in trial.bookmark
    third = sync(trial.exporter.wire, config, state=second.state)
    assert len(third.records(NAME)) == 40
    assert len(trial.exporter.made) == 2


def test_a_run_for_some_records_looks_at_recovery_and_makes_no_export(trial: Trial) -> None:
    trial.run("full", limit=NEVER)
    assert trial.asked() == []
    trial.exporter.earliest = None
    with pytest.raises(ConfigError, match="has it off"):
        trial.run("full", limit=NEVER)


def test_an_export_that_would_cost_too_much_is_not_made(trial: Trial) -> None:
    trial.exporter.table.more = {"TableSizeBytes": 50_000_000_000}
    with pytest.raises(CostExceeded, match="max_cost, 4"):
        trial.run("full", more={"max_cost": 4})
    assert trial.asked() == []
    trial.run("full", more={"max_cost": 6})
    assert trial.downstream == trial.there


@pytest.mark.parametrize("bucket", ["no-such-bucket", "No_Bucket"])
def test_a_bucket_that_cannot_be_read_is_said_before_anything_is_paid_for(
    trial: Trial, bucket: str
) -> None:
    with pytest.raises(ConfigError, match=r"Bucket no-such-bucket does not exist|no place for"):
        trial.run("full", bucket=bucket)
    assert trial.asked() == []


def test_a_kms_key_and_the_owner_of_the_bucket_are_said(trial: Trial) -> None:
    trial.run("full", kms_key="alias/exports", bucket_owner="123456789012")
    [request] = trial.asked()
    assert request["S3SseAlgorithm"] == "KMS"
    assert request["S3SseKmsKeyId"] == "alias/exports"
    assert request["S3BucketOwner"] == "123456789012"


def test_an_export_is_read_by_its_arn(trial: Trial) -> None:
    trial.run("full")
    [arn] = trial.exporter.made
    config = trial.config("full")
    config["export"] = {"location": arn}
    output = sync(trial.exporter.wire, config)
    assert {each["id"]: each["n"] for each in output.records()} == trial.there
    config["export"] = {"location": f"{arn}0"}
    with pytest.raises(ConfigError, match="There is no export"):
        sync(trial.exporter.wire, config)


@pytest.mark.parametrize(
    "export", [{"table_name": "x"}, {"key_properties": ["id"]}, {"file_range": "0-1"}]
)
def test_what_a_trigger_leaves_nothing_to_say_of_is_refused(
    trial: Trial, export: dict[str, Any]
) -> None:
    [name] = export
    with pytest.raises(ConfigError, match=f"both {name} and trigger"):
        trial.run("full", **export)
    with pytest.raises(ConfigError, match="No tables are chosen"):
        sync(trial.exporter.wire, {**trial.config("full"), "tables": []})
