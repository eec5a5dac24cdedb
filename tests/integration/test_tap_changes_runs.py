"""Runs of a tap that follows: what they begin with, when they end, and what they have lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.changes.positions import SKEW
from dynamodb_core.errors import ConfigError, HistoryLost
from tap_dynamodb import read_loop
from tap_dynamodb.emit import TargetGone
from tests.engines import followed
from tests.engines.scanned import Account, ScannedTable
from tests.engines.shards import ScriptedStream
from tests.engines.tap import sync

if TYPE_CHECKING:
    from tests.engines.followed import Scripted
    from tests.engines.tap import Output

HOUR = 3600.0


def ids(output: Output) -> list[str]:
    return [record["id"] for record in output.records()]


@pytest.fixture
def trial() -> Scripted:
    """A table whose older items were written an hour ago."""
    made = followed.scripted()
    for key in "abc":
        made.put(key)
    made.clock.sleep(HOUR)
    return made


def test_without_a_snapshot_changes_are_brought_from_now_on(trial: Scripted) -> None:
    first = trial.run(changes={"snapshot": "none"})
    assert ids(first) == []
    assert trial.entry()["whole"]
    trial.put("d")
    trial.delete("a")
    trial.clock.sleep(60)
    second = trial.run(changes={"snapshot": "none"})
    assert ids(second) == ["d", "a"]
    assert "Scan" not in trial.wire.operations()  # type: ignore[attr-defined]


def test_without_a_snapshot_all_may_be_brought_that_the_stream_remembers(trial: Scripted) -> None:
    trial.clock.sleep(10 * HOUR)
    trial.delete("b")
    trial.clock.sleep(15 * HOUR)  # a, b and c were written more than a day ago
    trial.put("d")
    trial.clock.sleep(1)
    oldest = trial.run(changes={"snapshot": "none", "start": "oldest"})
    assert ids(oldest) == ["b", "d"]
    trial.state = None
    latest = trial.run(changes={"snapshot": "none", "start": "latest"})
    assert ids(latest) == ["d"]  # a little is brought again: clocks differ


def test_where_only_a_snapshot_is_wanted_further_runs_do_nothing(trial: Scripted) -> None:
    trial.run(changes={"snapshot": "only"})
    assert trial.copied == trial.there
    trial.put("d")
    second = trial.run(changes={"snapshot": "only"})
    assert ids(second) == []
    assert "is out, and only that is wanted" in second.log
    trial.run(changes={"snapshot": "auto"})
    assert trial.copied == trial.there


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "oldest"},
        {"snapshot": "auto", "start": "latest"},
        {"snapshot": "only", "start": "oldest"},
        {"follow": True, "max_seconds": 5},
        {"follow": True, "snapshot": "only"},
        {"max_records": 0},
        {"snapshot": "never"},
        {"stream": "orders"},
        {"unknown": True},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(trial: Scripted, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        trial.run(changes=changes)
    assert trial.stream.operations() == []


def test_records_go_out_up_to_their_number_and_runs_go_on(trial: Scripted) -> None:
    trial.run()
    for number in range(25):
        trial.put(f"n{number}")
        trial.clock.sleep(1)
    trial.stream.most = 5
    runs = 0
    while trial.copied != trial.there:
        output = trial.run(changes={"max_records": 7})
        assert len(ids(output)) <= 10
        runs += 1
        assert runs < 5
    assert runs == 3


def test_a_run_ends_after_its_seconds(trial: Scripted) -> None:
    trial.run()
    trial.stream.most, trial.stream.latency = 1, 1.0
    for number in range(30):
        trial.put(f"n{number}")
    trial.clock.sleep(60)
    before = trial.clock()
    output = trial.run(changes={"max_seconds": 10})
    assert trial.clock() - before < 15
    assert 0 < len(ids(output)) < 30
    trial.run()
    assert trial.copied == trial.there


def test_a_day_without_a_run_has_lost_what_was_told(trial: Scripted) -> None:
    trial.run()
    [shard] = trial.stream.open()
    trial.put("d")
    trial.clock.sleep(HOUR / 2)
    trial.put("e")
    trial.clock.sleep(24.6 * HOUR)
    trial.put("f")
    before = trial.state["bookmarks"]["orders"]["changes"]
    with pytest.raises(HistoryLost) as lost:
        trial.run()
    said = lost.value.message
    assert shard in said
    assert trial.stream.arn in said
    assert "are gone before they were read, from 2026-09-21T15:13:25Z to 2026-09-2" in said
    assert "--full-refresh" in (lost.value.hint or "")
    output = trial.run(fails=HistoryLost)
    assert ids(output) == []
    assert trial.state["bookmarks"]["orders"]["changes"] == before

    trial.state = None  # start over
    trial.run()
    assert trial.copied == trial.there


def test_a_day_without_any_change_has_lost_nothing_that_was_told(trial: Scripted) -> None:
    for _ in range(4):
        trial.run()
        trial.clock.sleep(20 * HOUR)
    trial.put("d")
    trial.run()
    assert trial.copied == trial.there


def test_the_highest_sequence_of_a_key_is_its_newest_state(trial: Scripted) -> None:
    sequences: dict[str, list[int]] = {}
    for turn in range(3):
        for record in trial.run().records():
            sequences.setdefault(record["id"], []).append(record["_sdc_sequence"])
        trial.put("a", 10 + turn)
        trial.put("a", 20 + turn)
        trial.clock.sleep(30)
    assert all(each == sorted(each) for each in sequences.values())
    assert max(sequences["a"]) <= trial.clock() * 1e6
    first = min(min(each) for each in sequences.values())
    assert first == (followed.NOW + HOUR + 0 - SKEW.total_seconds()) // 1 * 1e6


def test_pages_and_stream_take_turns_and_a_run_ends_by_itself(trial: Scripted) -> None:
    """Though the table is written to at every call."""
    written: list[bool] = []

    def write(_operation: str, _request: Any) -> None:
        if len(written) < 500:
            written.append(True)
            trial.put(f"w{len(written) % 7}", len(written))

    trial.stream.before = write
    trial.run()
    assert len(written) < 500
    trial.stream.before = lambda *_: None
    trial.clock.sleep(10)
    trial.run()
    assert trial.copied == trial.there


# Several tables


class Tables:
    """Tables of an account, one of which each is followed, or read."""

    def __init__(self, *names: str) -> None:
        trial = followed.scripted()
        self.clock = trial.clock
        self.streams = {
            name: ScriptedStream(name, clock=self.clock, sleep=self.clock.sleep, latency=0.01)
            for name in names
        }
        tables = {}
        for name, stream in self.streams.items():
            items = [{"id": {"S": f"{name}{n}"}} for n in range(5)]
            on = {"StreamEnabled": True, "StreamViewType": stream.view}
            more = {"LatestStreamArn": stream.arn, "StreamSpecification": on}
            tables[name] = ScannedTable(items, more=more)
        self.account = Account(tables)
        self.waits = 0
        self.state: Any = None

    def put(self, table: str, key: str) -> None:
        self.streams[table].put({"id": {"S": key}})

    def run(self, turns: int = 0, **config: Any) -> Output:
        """Run the tap; it ends after so many waits between turns."""
        streams, clock = self.streams, self.clock

        def wait(_tap: Any, seconds: float) -> None:
            clock.sleep(seconds)
            if seconds > 0.25:  # between turns; the others are a quarter second at the most
                self.waits += 1
                for name, stream in streams.items():
                    stream.put({"id": {"S": f"{name} wait {self.waits}"}})
                if self.waits == turns:
                    raise TargetGone("it is enough")

        class Services:
            """Answers for each stream by its ARN."""

            region = "eu-west-1"
            throttles = 0

            def watch(self, _table: str, _listener: Any) -> Any:
                return lambda: None

            def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
                [stream] = [each for each in streams.values() if each.arn == table]
                return stream.call(operation, body, table=table)

        output = sync(
            self.account.wire,
            {
                "tables": sorted(self.streams),
                "sample_size": 0,
                "segments": 1,
                "replication_method": "LOG_BASED",
                **config,
            },
            state=self.state,
            fails=TargetGone if turns else (),
            own={"clock": clock, "wait": wait, "wire_to": lambda _tap, _service: Services()},
        )
        self.state = output.state
        return output


def test_several_tables_are_read_one_after_the_other() -> None:
    tables = Tables("orders", "users")
    first = tables.run()
    assert {len(first.records(name)) for name in tables.streams} == {5}
    tables.put("users", "new")
    second = tables.run()
    assert [record["id"] for record in second.records("users")] == ["new"]
    assert second.records("orders") == []


def test_all_tables_are_followed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_loop, "STATE_SECONDS", 0.0)
    tables = Tables("orders", "users")
    output = tables.run(turns=8, changes={"follow": True})
    output.check()
    for name in tables.streams:
        told = [record["id"] for record in output.records(name)]
        assert {f"{name} wait {number}" for number in range(1, 5)} <= {*told}
    order = [
        message["stream"]
        for message in output.of("RECORD")
        if "wait" in message["record"]["id"]
    ]  # fmt: skip
    assert order[:4].count("orders") == order[:4].count("users")
    assert all(tables.state["bookmarks"][name]["changes"][0]["whole"] for name in tables.streams)
    again = tables.run()
    for name in tables.streams:
        assert f"{name} wait 8" in [record["id"] for record in again.records(name)]


def test_a_table_that_is_read_whole_is_read_once_beside_one_that_is_followed() -> None:
    tables = Tables("orders", "users")
    options = {"users": {"replication_method": "FULL_TABLE"}}
    output = tables.run(turns=6, changes={"follow": True}, table_options=options)
    output.check()
    assert len(output.records("users")) == 5
    assert "_sdc_sequence" not in output.schema("users")["properties"]
    assert len(output.records("orders")) > 8
