"""An export as the snapshot of a table that is followed: where exports end, the stream goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError, HistoryLost, ServiceError
from tap_dynamodb import asked
from tap_dynamodb.bookmarks import ScanBookmark
from tests.engines import exports, followed
from tests.engines.buckets import TestBucket
from tests.engines.exporter import Exporter
from tests.engines.followed import Followed
from tests.engines.scripted import Clock
from tests.engines.shards import ScriptedStream

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.followed import Scripted
    from tests.engines.tap import Output


class Killed(BaseException):
    """The end of a process."""


class Exported(Followed):
    """A table that can be exported and followed, on one clock.

    Attributes:
        exporter: What exports it.
        stream: Its stream.
        highest: The record with the highest sequence of each key.
    """

    exporter: Exporter
    stream: ScriptedStream
    highest: dict[str, dict[str, Any]]

    def put(self, number: int, value: int) -> None:
        made = {"id": {"S": f"i{number}"}, "n": {"N": str(value)}}
        self.exporter.put(made)
        self.stream.put(made)
        self.exporter.pass_by(seconds=1)

    def delete(self, number: int) -> None:
        self.exporter.delete(f"i{number}")
        self.stream.delete({"id": {"S": f"i{number}"}})
        self.exporter.pass_by(seconds=1)

    def follow(self, trigger: str = "incremental", **more: Any) -> Output:
        """Run the tap; all of its records are taken in, and the newest of each key is kept."""
        export = {"trigger": trigger, "bucket": self.config["bucket"]}
        given = {name: value for name, value in self.config.items() if name != "bucket"}
        whole, self.config = self.config, given
        try:
            output = self.run(**{"source": "export", "export": export, **more})
        finally:
            self.config = whole
        for record in output.records():
            known = self.highest.get(record["id"])
            if known is None or record.get("_sdc_sequence", 0) >= known.get("_sdc_sequence", 0):
                self.highest[record["id"]] = record
        return output

    def check(self) -> None:
        """Require the table's items: by the order of the records, and by their sequences."""
        there = {key[0][1]: int(each["n"]["N"]) for key, each in self.stream.items.items()}
        assert {key: each["n"] for key, each in self.copy.items()} == there
        newest = {k: r["n"] for k, r in self.highest.items() if not r.get("_sdc_deleted_at")}
        assert newest == there

    def windows(self) -> int:
        calls = self.exporter.calls("ExportTableToPointInTime")
        return sum("IncrementalExportSpecification" in call.request for call in calls)


@pytest.fixture
def trial(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exported:
    waits = Clock()
    monkeypatch.setattr(asked, "monotonic", waits)
    monkeypatch.setattr(asked, "sleep", waits.sleep)
    bucket = TestBucket(engine)
    exporter = Exporter(tmp_path, bucket)

    def clock() -> float:
        return exporter.now.timestamp()

    def sleep(seconds: float) -> None:
        exporter.pass_by(seconds=max(seconds, 0.001))

    stream = ScriptedStream("orders", clock=clock, sleep=sleep, latency=0.01)
    specification = {"StreamEnabled": True, "StreamViewType": stream.view}
    exporter.table.more = {
        "StreamSpecification": specification,
        "LatestStreamArn": stream.arn,
        "LatestStreamLabel": stream.label,
    }

    class Time:
        def __call__(self) -> float:
            return clock()

        def sleep(self, seconds: float) -> None:
            sleep(seconds)

    config = {
        **engine.config(),
        "aws_endpoint_url_s3": engine.endpoint_url,
        "bucket": bucket.name,
        "sample_size": 0,
    }
    made = Exported("orders", exporter.wire, lambda _service: stream, Time(), config)
    made.exporter, made.stream, made.highest = exporter, stream, {}
    for number in range(20):
        made.put(number, number)
    exporter.pass_by(hours=1)
    return made


def later(trial: Exported, **time: float) -> Any:
    """Return what lets an export take so long, while items are written and deleted.

    It is begun by the first look at the export.
    """
    begun: list[bool] = []

    def called(operation: str) -> None:
        if operation == "DescribeExport" and not begun:
            begun.append(True)
            trial.put(1, 100)
            trial.delete(2)
            trial.exporter.pass_by(**time)
            trial.put(1, 101)
            trial.put(50, 50)
            trial.delete(3)
            trial.exporter.pass_by(minutes=30)

    return called


@pytest.mark.parametrize("trigger", ["full", "incremental"])
def test_the_stream_goes_on_where_an_export_ends(trial: Exported, trigger: str) -> None:
    trial.exporter.before = later(trial, hours=3)
    first = trial.follow(trigger)
    trial.check()
    assert trial.windows() == 0
    assert not trial.exporter.calls("Scan")
    entry = trial.entry()
    assert entry["whole"]
    [request] = [each.request for each in trial.exporter.calls("ExportTableToPointInTime")]
    assert entry["snapshot"] == request["ExportTime"] * 10**6
    sequences = {record["_sdc_sequence"] for record in first.records()}
    assert entry["snapshot"] in sequences

    trial.put(4, 400)
    trial.delete(5)
    second = trial.follow(trigger)
    trial.check()
    assert len(trial.exporter.made) == 1
    assert {"i4", "i5"} <= {record["id"] for record in second.records()}
    trial.put(6, 600)
    trial.follow(source=None, export=None)  # they can be taken away
    trial.check()


def test_an_export_that_took_too_long_is_followed_by_windows(trial: Exported) -> None:
    trial.exporter.before = later(trial, hours=30)
    output = trial.follow()
    trial.check()
    assert trial.windows() >= 2
    assert "what was written since is exported" in output.log
    deleted = {record["id"] for record in output.records() if record["_sdc_deleted_at"]}
    assert deleted >= {"i2", "i3"}
    trial.put(7, 700)
    trial.delete(1)
    trial.follow()
    trial.check()
    assert len(trial.exporter.made) == 1 + trial.windows()


def test_windows_that_take_too_long_are_followed_by_others(trial: Exported) -> None:
    trial.exporter.before = later(trial, hours=30)
    looks = []

    def called(operation: str) -> None:
        looks.append(operation)
        if operation == "DescribeExport" and trial.windows() >= 2 and "slow" not in looks:
            looks.append("slow")
            trial.put(8, 800)
            trial.delete(9)
            trial.exporter.pass_by(hours=26)
            trial.put(8, 801)
            trial.exporter.pass_by(hours=1)

    trial.exporter.after = called
    output = trial.follow()
    trial.check()
    assert output.log.count("what was written since is exported") == 2


@pytest.mark.parametrize("hours", [21.0, 23.0])
def test_the_stream_must_reach_back_two_hours_more(trial: Exported, hours: float) -> None:
    trial.exporter.before = later(trial, hours=hours - 1)
    trial.follow()
    trial.check()
    assert bool(trial.windows()) == (hours > 22)


def test_without_windows_an_export_that_is_too_old_has_lost_what_came_after(
    trial: Exported,
) -> None:
    trial.exporter.before = later(trial, hours=30)
    with pytest.raises(HistoryLost, match="its stream does not reach back so far") as lost:
        trial.follow("full")
    assert "set export.trigger to incremental" in (lost.value.hint or "")


@pytest.mark.parametrize(
    ("hours", "blocks"), [(1.0, 1), (1.0, 3), (30.0, 2), (30.0, 5), (30.0, 6), (30.0, 7)]
)
def test_a_run_that_died_goes_on_from_any_state(
    trial: Exported, monkeypatch: pytest.MonkeyPatch, hours: float, blocks: int
) -> None:
    """In the middle of the export or of the windows, or before positions were noted."""
    trial.exporter.before = later(trial, hours=hours)
    left = [blocks]
    advance = ScanBookmark.advance

    def advanced(bookmark: Any, block: Any) -> None:
        advance(bookmark, block)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    monkeypatch.setattr(ScanBookmark, "advance", advanced)
    monkeypatch.setattr("tap_dynamodb.read_loop.STATE_SECONDS", 0.0)
    trial.follow(fails=Killed)
    monkeypatch.setattr(ScanBookmark, "advance", advance)
    trial.put(10, 1000)
    trial.delete(11)
    trial.exporter.pass_by(minutes=20)
    trial.follow()
    trial.check()
    trial.put(12, 1200)
    trial.follow()
    trial.check()


@pytest.mark.parametrize("items", ["some", "none"])
def test_a_run_that_died_while_it_waited_for_windows_goes_on(trial: Exported, items: str) -> None:
    if items == "none":
        for number in range(20):
            trial.delete(number)
        trial.exporter.pass_by(hours=1)
    trial.exporter.before = later(trial, hours=30)

    def called(operation: str) -> None:
        if operation == "DescribeExport" and trial.windows():
            raise Killed

    trial.exporter.after = called
    trial.follow(fails=Killed)
    trial.exporter.after = lambda _operation: None
    trial.put(10, 1000)
    trial.exporter.pass_by(hours=3)
    trial.follow()
    trial.check()


def test_a_run_that_died_before_positions_were_noted_goes_on(trial: Exported) -> None:
    trial.exporter.before = later(trial, hours=30)
    fails = {"now": True}

    def called(operation: str, _request: Any) -> None:
        if fails["now"] and operation == "DescribeStream":
            raise Killed

    trial.stream.before = called
    trial.follow(fails=Killed)
    assert "positions" not in trial.entry()
    fails["now"] = False
    trial.put(10, 1000)
    trial.delete(11)
    trial.exporter.pass_by(hours=30)
    trial.put(12, 1200)
    trial.exporter.pass_by(hours=1)
    trial.follow()
    trial.check()


def off_until_now(trial: Exported) -> None:
    """Let the table's stream be one that was turned on this moment; what was written is not in it."""
    trial.stream = ScriptedStream(
        "orders", clock=trial.clock, sleep=trial.clock.sleep, latency=0.01
    )
    trial.stream.items = {
        trial.stream.identity(each): each for each in trial.exporter.at(trial.exporter.now).values()
    }
    more = {"LatestStreamArn": trial.stream.arn, "LatestStreamLabel": trial.stream.label}
    trial.exporter.table.more |= more
    trial.wire_to = lambda _service: trial.stream


def test_a_stream_that_is_younger_than_the_export_is_bridged_by_windows(trial: Exported) -> None:
    """An export tells of some minutes ago, and what was written since would be in neither."""
    trial.put(1, 100)
    trial.delete(2)
    off_until_now(trial)
    with pytest.raises(ServiceError, match="cannot be exported as yet") as refused:
        trial.follow()
    assert refused.value.hint == "Run again in a quarter of an hour"
    trial.follow(fails=ServiceError)
    trial.put(3, 300)
    trial.exporter.pass_by(minutes=20)
    trial.follow()
    assert trial.windows() == 1
    trial.check()
    trial.put(4, 400)
    trial.follow()
    trial.check()


def test_a_stream_that_is_younger_than_the_only_export_has_lost_something(trial: Exported) -> None:
    off_until_now(trial)
    with pytest.raises(HistoryLost, match="its stream does not reach back so far"):
        trial.follow("full")


def test_a_stream_that_is_off_is_told_of_before_an_export_is_paid_for(trial: Exported) -> None:
    trial.exporter.table.more = {}
    with pytest.raises(ConfigError, match="The stream of table orders is not on"):
        trial.follow()
    assert trial.exporter.made == {}


def test_who_has_read_windows_so_far_goes_over_to_the_stream(trial: Exported) -> None:
    trial.follow(replication_method=None)
    trial.put(1, 100)
    trial.delete(2)
    trial.exporter.pass_by(hours=2)
    trial.put(3, 300)
    trial.follow()
    trial.check()
    assert len(trial.exporter.made) == 2
    trial.put(4, 400)
    trial.follow(source=None, export=None)
    trial.check()


def test_a_run_that_is_limited_to_some_records_makes_no_export(trial: Exported) -> None:
    assert trial.follow(limit=5).records() == []
    assert trial.exporter.made == {}


# Exports that lie somewhere


def lying(folder: Path, **export: Any) -> Scripted:
    """Return a table that is followed, with an export of two hours ago in a folder."""
    source = {"source": "export", "export": {"location": str(folder), **export}}
    trial = followed.scripted({"segments": None, **source})
    trial.wire._described.table_id = exports.TABLE_ID  # type: ignore[attr-defined]
    return trial


def test_an_export_that_lies_somewhere_is_the_snapshot(tmp_path: Path) -> None:
    trial = lying(tmp_path)
    for number in range(9):
        trial.put(f"i{number}", number)
    trial.clock.sleep(60)
    at = exports.AT.fromtimestamp(trial.clock(), exports.AT.tzinfo)
    exports.write_full(tmp_path, list(trial.stream.items.values()), at=at, table="orders")
    trial.clock.sleep(5)
    trial.put("i1", 100)
    trial.delete("i2")
    trial.clock.sleep(7200)
    trial.put("i3", 300)
    output = trial.run()
    assert trial.copied == trial.there
    assert trial.entry()["snapshot"] == round(at.timestamp() * 1e6)
    assert "Scan" not in trial.wire.operations()  # type: ignore[attr-defined]
    assert "The snapshot of table orders is out" in output.log
    trial.put("i4", 400)
    trial.delete("i5")
    trial.run()
    assert trial.copied == trial.there
    trial.put("i6", 600)
    trial.run(source=None, export=None)
    assert trial.copied == trial.there


def test_a_budget_ends_a_run_in_the_middle_of_an_export(tmp_path: Path) -> None:
    trial = lying(tmp_path)
    trial.config |= {"scan_workers": 1, "processes": 1}
    for number in range(9):
        trial.put(f"i{number}", number)
    trial.clock.sleep(60)
    at = exports.AT.fromtimestamp(trial.clock(), exports.AT.tzinfo)
    items = list(trial.stream.items.values())
    exports.write_full(tmp_path, items, at=at, table="orders", files=3, empty=0)
    trial.clock.sleep(5)
    trial.delete("i2")
    for out in (False, False, True):
        assert len(trial.run(changes={"max_records": 3}).records()) == 3
        assert ("positions" in trial.entry()) == out
    trial.run()
    assert trial.copied == trial.there


def test_a_budget_ends_a_run_before_an_export_that_was_asked_for_is_read(trial: Exported) -> None:
    for number in range(9):
        trial.put(number, number)
    trial.exporter.pass_by(seconds=60)
    trial.follow(changes={"max_records": 1})
    trial.put(1, 100)
    trial.delete(2)
    while "positions" not in trial.entry():
        trial.follow(changes={"max_records": 1})
    trial.follow()
    trial.check()
    assert len(trial.exporter.calls("ExportTableToPointInTime")) == 1


def test_windows_that_lie_with_it_are_read_before_the_stream(tmp_path: Path) -> None:
    trial = lying(tmp_path)
    for number in range(9):
        trial.put(f"i{number}", number)
    trial.clock.sleep(60)
    at = exports.AT.fromtimestamp(trial.clock(), exports.AT.tzinfo)
    exports.write_full(tmp_path, list(trial.stream.items.values()), at=at, table="orders")
    trial.clock.sleep(3600)
    trial.put("i1", 100)
    written = trial.clock()
    trial.delete("i2")
    trial.clock.sleep(3600)
    until = at + timedelta(seconds=7000)
    changes = [
        exports.Change({"id": {"S": key}}, new, None, int(written * 1e6))
        for key, new in (("i1", {"id": {"S": "i1"}, "n": {"N": "100"}}), ("i2", None))
    ]
    exports.write_incremental(tmp_path, changes, at, until, table="orders")
    trial.clock.sleep(20 * 3600)
    trial.put("i1", 101)
    trial.clock.sleep(900)  # the full one alone would be too old
    trial.run()
    assert trial.copied == trial.there


def test_an_export_that_lies_too_long_has_lost_what_came_after(tmp_path: Path) -> None:
    trial = lying(tmp_path)
    trial.put("a", 1)
    at = exports.AT.fromtimestamp(trial.clock(), exports.AT.tzinfo)
    exports.write_full(tmp_path, list(trial.stream.items.values()), at=at, table="orders")
    trial.clock.sleep(23 * 3600)
    with pytest.raises(HistoryLost, match="its stream does not reach back so far") as lost:
        trial.run()
    assert "Give newer exports or further windows" in (lost.value.hint or "")


def test_a_file_that_tells_no_time_is_no_snapshot(tmp_path: Path) -> None:
    trial = lying(tmp_path, table_name="orders", key_properties=["id"])
    exports.write_legacy(tmp_path, [{"id": {"S": "a"}, "n": {"N": "1"}}])
    with pytest.raises(ConfigError, match="does not say of what time it is") as refused:
        trial.run()
    assert "source scan" in (refused.value.hint or "")


def test_one_machine_reads_the_snapshot(tmp_path: Path) -> None:
    trial = lying(tmp_path, file_range="0-1")
    trial.put("a", 1)
    at = exports.AT.fromtimestamp(trial.clock(), exports.AT.tzinfo)
    exports.write_full(tmp_path, list(trial.stream.items.values()), at=at, table="orders")
    with pytest.raises(ConfigError, match=r"export\.file_range is set for table orders"):
        trial.run()
