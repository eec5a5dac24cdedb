"""Files side by side and in order: what waits for what, what is removed when, and what a failure stops."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from dynamodb_core.errors import DataError, PartLost
from dynamodb_core.inbox import Inbox
from dynamodb_core.processes import WorkerLost
from dynamodb_core.progress import Progress
from dynamodb_core.table import Key, Table
from target_dynamodb.batch import Batch
from target_dynamodb.files import Files
from target_dynamodb.loader import Outcome, Teller, Way, Written
from target_dynamodb.rejected import Rejected
from target_dynamodb.rejects import TooManyRejects
from target_dynamodb.states import States
from target_dynamodb.team import MOST_FILES, Team
from tests.engines.filed import Filed
from tests.engines.scripted import Clock

if TYPE_CHECKING:
    from target_dynamodb.contents import File


class Workers:
    """Files are loaded when the test says so: `receive` does what is next in the script.

    A number is a file that is done; an error is what becomes of the oldest file.
    """

    def __init__(self, tables: frozenset[str], room: int = 4) -> None:
        self.tables = tables
        self.given: dict[int, File] = {}
        self.script: deque[int | Exception | Rejected] = deque()
        self.stopped = self.closed = False
        self._room = room

    @property
    def full(self) -> bool:
        return len(self.given) >= self._room

    def load(self, number: int, file: File, way: Way) -> None:
        assert not self.full
        assert way.table.name in self.tables
        self.given[number] = file

    def receive(self, timeout: float) -> Outcome | Rejected | None:
        if self.stopped and self.given:
            return self._done(min(self.given), stopped=True)
        if not self.script:
            assert timeout == 0 or not self.given, "this wait has no end"
            return None
        step = self.script.popleft()
        if isinstance(step, int):
            return self._done(step, records=10)
        if isinstance(step, Rejected):
            return step
        return self._done(min(self.given), error=step)

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True

    def _done(self, number: int, **more: Any) -> Outcome:
        del self.given[number]
        return Outcome(number, **more)


def way(stream: str, table: str) -> Way:
    return Way(stream, {}, Table(table, "", "", Key(("id",), ("S",))), None)


class Scene(NamedTuple):
    filed: Filed
    files: Files
    states: States
    opened: list[Workers]
    loaded: list[tuple[str, int]]
    flushed: list[int]
    end: list[bool]

    @property
    def workers(self) -> Workers:
        return self.opened[-1]

    def batch(self, stream: str, count: int = 1) -> Batch:
        files = [self.filed.ours([{"id": stream}]) for _ in range(count)]
        return Batch(stream, tuple(map(str, files)), gzip=True, distinct_keys=True)

    def beside(self, stream: str, table: str, count: int = 1) -> None:
        flush = lambda: self.flushed.append(len(self.opened[-1].given) if self.opened else 0)  # noqa: E731
        self.files.load_beside(self.batch(stream, count), way(stream, table), flush)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    opened: list[Workers] = []
    loaded: list[tuple[str, int]] = []
    end = [False]
    states = States()
    tables = {"one", "two"}

    def open_workers() -> Workers:
        opened.append(Workers(frozenset(tables)))
        tables.add("later")
        return opened[-1]

    files = Files(
        Inbox(tmp_path),
        states,
        open_workers=open_workers,
        stopped=lambda: end[0],
        loaded=lambda stream, records: loaded.append((stream, records)),
    )
    return Scene(Filed(tmp_path), files, states, opened, loaded, [], end)


def test_files_of_one_stream_go_side_by_side_and_are_removed_one_by_one(scene: Scene) -> None:
    scene.beside("a", "one")
    scene.beside("a", "one", count=2)
    paths = [file.claim.path for file in scene.workers.given.values()]
    assert [path.exists() for path in paths] == [True, True, True]
    scene.workers.script.append(1)
    scene.files.poll()
    assert [path.exists() for path in paths] == [True, False, True]
    assert scene.loaded == [("a", 10)]
    assert scene.states.waiting == 2


def test_a_message_waits_until_a_worker_has_room(scene: Scene) -> None:
    scene.beside("a", "one", count=4)
    scene.workers.script.append(2)
    scene.beside("a", "one")
    assert sorted(scene.workers.given) == [0, 1, 3, 4]


def test_another_stream_of_the_table_waits_for_all_files_and_other_tables_do_not(
    scene: Scene,
) -> None:
    scene.beside("a", "one", count=2)
    scene.beside("c", "two")
    assert sorted(scene.workers.given) == [0, 1, 2]
    scene.workers.script.extend([1, 0])
    scene.beside("b", "one")
    assert sorted(scene.workers.given) == [2, 3]
    assert not scene.workers.script


def test_what_waits_for_a_table_waits_for_that_one_only(scene: Scene) -> None:
    scene.beside("a", "one")
    scene.beside("c", "two")
    scene.files.wait_for({"three"})
    scene.workers.script.append(0)
    scene.files.wait_for({"one"})
    assert sorted(scene.workers.given) == [1]


def test_what_this_process_has_written_is_flushed_before_workers_write(scene: Scene) -> None:
    scene.beside("a", "one")
    scene.beside("a", "one")
    assert scene.flushed == [0, 1]


def test_a_table_that_the_workers_do_not_know_gets_new_ones_when_all_is_done(scene: Scene) -> None:
    scene.beside("a", "one", count=2)
    scene.workers.script.extend([0, 1])
    scene.beside("d", "later")
    first, second = scene.opened
    assert first.closed
    assert not second.closed
    assert list(second.given) == [2]


def test_after_a_failure_only_what_came_before_it_is_waited_for(scene: Scene) -> None:
    scene.beside("a", "one", count=4)
    paths = {number: file.claim.path for number, file in scene.workers.given.items()}
    scene.workers.script.extend([0, DataError("second"), 2])
    with pytest.raises(DataError, match="second"):
        scene.files.finish()
    scene.states.add("after")
    scene.files.finish()  # nothing before it is left
    assert sorted(scene.workers.given) == [2, 3]
    assert scene.states.take() is None
    assert [path.exists() for path in paths.values()] == [False, True, True, True]


def test_a_later_failure_does_not_hide_what_came_before_the_first(scene: Scene) -> None:
    scene.beside("a", "one", count=3)
    scene.states.add("all")
    given = scene.workers.given
    scene.workers._done(1)  # as if the second had failed first
    scene.workers.script.append(0)
    scene.files._under_way.pop(1)
    scene.files._first_failure = 1
    scene.files.finish()
    assert sorted(given) == [2]
    assert scene.states.take() is None


def test_a_signal_leaves_files_where_they_are_and_no_state_after_them_is_true(
    scene: Scene,
) -> None:
    scene.beside("a", "one", count=3)
    paths = [file.claim.path for file in scene.workers.given.values()]
    scene.states.add("after")
    scene.end[0] = True
    scene.files.finish()
    assert scene.workers.stopped
    assert all(path.exists() for path in paths)
    assert scene.states.take() is None
    scene.beside("a", "one")
    assert not scene.workers.given


class Road:
    """Takes records, and notes the order of what happens."""

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    def from_json(self, record: bytes) -> Any:
        return json.loads(record)["id"]

    def from_object(self, record: dict[str, Any]) -> Any:
        raise AssertionError(record)

    def hand_over(self, made: Any) -> None:
        self._happened.append(f"record {made}")


def test_files_that_are_loaded_here_are_acknowledged_one_by_one(scene: Scene) -> None:
    happened: list[str] = []
    batch = scene.batch("a", count=2)
    scene.beside("x", "one")
    scene.workers.script.append(0)

    def flush() -> None:
        left = sum(Path(name).exists() for name in batch.files)
        happened.append(f"flush with {left} files there")

    scene.files.load_here(batch, Road(happened), {"one"}, flush)
    assert happened == [
        *("record a", "flush with 2 files there"),
        *("record a", "flush with 1 files there"),
    ]
    assert scene.states.waiting == 0


@pytest.mark.parametrize("beside", [True, False])
def test_no_state_is_true_that_comes_after_a_file_which_a_signal_left(
    scene: Scene, beside: bool
) -> None:
    scene.states.add("before")
    scene.end[0] = True
    if beside:
        scene.beside("a", "one")
    else:
        scene.files.load_here(scene.batch("a"), Road([]), {"one"}, lambda: None)
    scene.states.add("after")
    assert scene.states.take() == "before"
    assert scene.states.take() is None


class Crew:
    """Takes the place of worker processes."""

    def __init__(self, jobs: Any, *, name: str) -> None:
        self.sent: list[tuple[int, Any]] = []
        self.script: deque[Any] = deque()

    def start(self) -> None:
        pass

    def send(self, worker: int, message: Any) -> None:
        self.sent.append((worker, message))

    def receive(self, timeout: float) -> Any:
        step = self.script.popleft() if self.script else None
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        pass


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> tuple[Team, Crew, Any]:
    monkeypatch.setattr("target_dynamodb.team.Crew", Crew)
    progress = Progress("Written")
    made = Team(None, {}, processes=2, workers=8, progress=progress)  # type: ignore[arg-type]
    return made, made._crew, progress  # type: ignore[return-value]


def test_each_worker_gets_two_files_and_the_way_once(team: tuple[Team, Crew, Any]) -> None:
    made, crew, _ = team
    here, there = way("a", "one"), way("b", "one")
    for number in range(2 * MOST_FILES):
        assert not made.full
        made.load(number, "file", here)  # type: ignore[arg-type]
    assert made.full
    assert [(worker, message.number) for worker, message in crew.sent] == [
        *((0, 0), (1, 1), (0, 2), (1, 3)),
    ]
    assert [message.way for _, message in crew.sent] == [here, here, None, None]
    crew.script.append((1, Outcome(1, 5)))
    assert made.receive(0.0) == Outcome(1, 5)
    made.load(4, "file", there)  # type: ignore[arg-type]
    assert crew.sent[-1] == (1, (4, "file", there))


def test_what_is_written_is_counted_on_the_way(team: tuple[Team, Crew, Any]) -> None:
    made, crew, progress = team
    made.load(0, "file", way("a", "one"))  # type: ignore[arg-type]
    crew.script.extend([(0, Written(3, 100, 4.5)), (0, Written(2, 50, 2.0)), (0, Outcome(0, 5))])
    assert made.receive(0.0) == Outcome(0, 5)
    assert (progress.items, progress.size, progress.units) == (5, 150, 6.5)


def test_a_lost_worker_is_an_error_of_each_of_its_files_and_gets_no_more(
    team: tuple[Team, Crew, Any],
) -> None:
    made, crew, _ = team
    for number in range(3):
        made.load(number, f"file-{number}", way("a", "one"))  # type: ignore[arg-type]
    crew.script.append(WorkerLost(0, "it was ended by SIGKILL"))
    outcomes = [made.receive(0.0), made.receive(0.0)]
    assert [outcome.number for outcome in outcomes if outcome] == [0, 2]
    for outcome in outcomes:
        assert outcome
        assert isinstance(outcome.error, PartLost)
        assert f"file-{outcome.number} " in outcome.error.message
        assert "SIGKILL" in outcome.error.message
    made.load(3, "file", way("a", "one"))  # type: ignore[arg-type]
    assert crew.sent[-1][0] == 1
    assert made.full
    crew.script.append(WorkerLost(0, "again"))
    with pytest.raises(WorkerLost):
        made.receive(0.0)


def test_a_worker_tells_what_it_has_written_from_time_to_time_and_nothing_twice() -> None:
    sent: list[Any] = []
    clock = Clock()
    teller = Teller(sent.append, clock=clock)
    teller.progress.add(items=2, size=10, units=1.0)
    teller.look()
    assert sent == []
    clock.sleep(2)
    teller.look()
    teller.look()
    teller.progress.add(items=1, size=5, units=0.5)
    teller.tell()
    teller.tell()
    assert sent == [Written(2, 10, 1.0), Written(1, 5, 0.5)]


def rejected(number: int) -> Rejected:
    return Rejected(number, "a", b"line %d\n" % number, DataError("why"), b"schema\n")


class Noting:
    """Takes the place of `Rejects`."""

    def __init__(self, happened: list[str], most: int = 9) -> None:
        self._happened = happened
        self._most = most

    def add(self, stream: str, line: bytes, error: Exception, *, schema: bytes | None) -> None:
        self._happened.append(f"{stream} {line.decode().strip()} {schema!r}")
        if len(self._happened) > self._most:
            raise TooManyRejects("too many")

    def sync(self) -> None:
        self._happened.append("safe")


def test_records_that_workers_cannot_write_are_noted_and_safe_before_their_file_goes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    scene.files._rejects = Noting(happened)  # type: ignore[assignment]
    monkeypatch.setattr(scene.files._inbox, "remove", lambda _: happened.append("removed"))
    scene.beside("a", "one", count=2)
    scene.workers.script.extend([rejected(1), 1, 0])
    scene.files.finish()
    assert happened == ["a line 1 b'schema\\n'", "safe", "removed", "safe", "removed"]


def test_too_many_records_that_cannot_be_written_end_the_run_at_their_file(scene: Scene) -> None:
    happened: list[str] = []
    scene.files._rejects = Noting(happened, most=1)  # type: ignore[assignment]
    scene.beside("a", "one", count=3)
    paths = {number: file.claim.path for number, file in scene.workers.given.items()}
    scene.workers.script.extend([rejected(1), rejected(2), 0, 1])
    with pytest.raises(TooManyRejects):
        scene.files.finish()
    scene.states.add("after")
    scene.files.finish()
    assert sorted(scene.workers.given) == [2]
    assert [path.exists() for path in paths.values()] == [False, False, True]
    assert scene.states.take() is None


def test_a_rejected_record_is_told_before_its_file_is_done(team: tuple[Team, Crew, Any]) -> None:
    made, crew, _ = team
    made.load(0, "file", way("a", "one"))  # type: ignore[arg-type]
    crew.script.extend([(0, Written(3, 100, 4.5)), (0, rejected(0)), (0, Outcome(0, 5))])
    told = made.receive(0.0)
    assert isinstance(told, Rejected)
    assert told.line == rejected(0).line
    assert made.receive(0.0) == Outcome(0, 5)
