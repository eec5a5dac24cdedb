"""Worker processes: messages both ways, and no end that looks like another."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core import processes
from dynamodb_core.errors import PartLost, ServiceError
from dynamodb_core.processes import Crew, WorkerLost, shared_cells
from tests.engines.scripted import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.cells import Cells


@dataclass
class Echo:
    """Sends back what it gets, with its process's id; some messages do other things."""

    cells: Cells | None = None

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        for message in inbox:
            if message == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if message == "leave":
                os._exit(3)
            if message == "return":
                return
            if message == "hold" and self.cells is not None:
                self.cells.lock.__enter__()
            if message == "fail":
                raise ServiceError("It failed", "Try again", code="Odd")
            if message == "odd":
                raise _OddError(threading.Lock())
            if message == "log":
                logging.getLogger("of-a-worker").warning("a word of %s", "warning")
            if message == "print":
                print("not for the target")  # noqa: T201
                os.write(1, b"nor this\n")
            if isinstance(message, int) and self.cells is not None:
                for _ in range(message):
                    with self.cells.lock:
                        self.cells.values[0] += 1
            send((message, os.getpid()))


class _OddError(Exception):
    pass


@pytest.fixture
def crews() -> Iterator[list[Crew]]:
    started: list[Crew] = []
    yield started
    for crew in started:
        crew.close()


@pytest.fixture
def crew(crews: list[Crew]) -> Crew:
    return started(crews, Echo(), Echo())


def started(crews: list[Crew], *jobs: Echo) -> Crew:
    crew = Crew(jobs, name="echo")
    crews.append(crew)
    crew.start()
    return crew


def test_messages_go_both_ways_in_order_from_processes_of_their_own(crew: Crew) -> None:
    for number in range(5):
        crew.send(0, f"a{number}")
        crew.send(1, f"b{number}")
    got: list[tuple[int, Any]] = []
    while len(got) < 10:
        received = crew.receive(PATIENCE)
        assert received is not None
        got.append(received)
    for worker, letter in enumerate("ab"):
        assert [m for w, (m, _) in got if w == worker] == [f"{letter}{n}" for n in range(5)]
    assert len({pid for _, (_, pid) in got} | {os.getpid()}) == 3


def test_a_crew_ends_when_all_have_done_their_work(crew: Crew) -> None:
    crew.send(1, "last")
    crew.finish(0)
    crew.finish(1)
    received = crew.receive(PATIENCE)
    assert received is not None
    assert received[1][0] == "last"
    assert crew.receive(PATIENCE) is None
    assert crew.working == 0


def test_silence_is_no_end(crew: Crew) -> None:
    assert crew.receive(0.0) is None
    assert crew.working == 2


@pytest.mark.parametrize(("message", "how"), [("die", "SIGKILL"), ("leave", "exit code 3")])
def test_a_worker_that_dies_is_an_error(crew: Crew, message: str, how: str) -> None:
    crew.send(1, message)
    with pytest.raises(WorkerLost, match=how) as caught:
        crew.receive(PATIENCE)
    assert caught.value.worker == 1
    assert isinstance(caught.value, PartLost)


def test_a_worker_that_leaves_before_it_was_told_to_is_an_error(crew: Crew) -> None:
    crew.send(0, "return")
    with pytest.raises(WorkerLost, match="before its work was done"):
        crew.receive(PATIENCE)


def test_after_one_is_lost_the_others_are_still_heard(crew: Crew) -> None:
    crew.send(0, "die")
    with pytest.raises(WorkerLost):
        crew.receive(PATIENCE)
    crew.send(1, "still here")
    received = crew.receive(PATIENCE)
    assert received is not None
    assert received[1][0] == "still here"
    with pytest.raises(WorkerLost, match="Worker process 0"):
        crew.send(0, "anything")


def test_why_a_worker_failed_is_not_hidden_by_what_is_sent_to_it(crew: Crew) -> None:
    crew.send(0, "fail")
    crew._processes[0].join(PATIENCE)
    crew.send(0, "more")
    with pytest.raises(ServiceError, match="It failed"):
        crew.receive(PATIENCE)


def test_a_lock_whose_holder_is_dead_is_not_waited_for_for_ever(
    crews: list[Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = shared_cells(1)
    crew = started(crews, Echo(cells))
    crew.send(0, "hold")
    assert crew.receive(PATIENCE) is not None
    crew.send(0, "die")
    with pytest.raises(WorkerLost):
        crew.receive(PATIENCE)
    monkeypatch.setattr(processes, "LOCK_SECONDS", 0.01)
    with pytest.raises(PartLost, match="held what all of them share"), cells.lock:
        pass


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)
def test_a_worker_is_deaf_to_signals_from_its_first_moment_on(
    crew: Crew, sent: signal.Signals
) -> None:
    """They come to a whole group of processes, and are for the one that began it."""
    for process in crew._processes:
        assert process.pid is not None
        os.kill(process.pid, sent)
    crew.send(0, "who")
    crew.send(1, "who")
    assert {crew.receive(PATIENCE)[0] for _ in range(2)} == {0, 1}  # type: ignore[index]


def test_signals_are_heard_again_once_the_workers_have_begun(crew: Crew) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    assert len(crew) == 2


def test_what_a_worker_raises_is_raised_here_and_says_where_it_came_from(crew: Crew) -> None:
    crew.send(0, "fail")
    with pytest.raises(ServiceError, match=r"It failed\. Try again\.") as caught:
        crew.receive(PATIENCE)
    assert caught.value.code == "Odd"
    assert "test_processes.py" in str(caught.value.__cause__)


def test_an_error_that_cannot_travel_is_told_in_words(crew: Crew) -> None:
    crew.send(0, "odd")
    with pytest.raises(RuntimeError, match="lock"):
        crew.receive(PATIENCE)


def test_a_word_for_the_log_arrives_here(crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
    crew.send(0, "log")
    assert crew.receive(PATIENCE) is not None
    assert ("of-a-worker", logging.WARNING, "a word of warning") in caplog.record_tuples


def test_a_worker_cannot_write_to_standard_output(
    crew: Crew, capfd: pytest.CaptureFixture[str]
) -> None:
    crew.send(0, "print")
    assert crew.receive(PATIENCE) is not None
    assert capfd.readouterr().out == ""


def test_numbers_are_shared_by_processes(crews: list[Crew]) -> None:
    cells = shared_cells(1)
    crew = started(crews, Echo(cells), Echo(cells))
    for worker in range(2):
        crew.send(worker, 20_000)
    for _ in range(2):
        assert crew.receive(PATIENCE) is not None
    assert cells.values[0] == 40_000


@pytest.mark.parametrize("error", [OSError(38, "Function not implemented"), ImportError("no sem")])
def test_a_system_without_semaphores_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert processes.can_share()

    def refuse() -> None:
        raise error

    monkeypatch.setattr(processes._context, "Lock", refuse)
    assert not processes.can_share()


def test_closing_ends_the_processes(crew: Crew) -> None:
    crew.send(0, "who")
    received = crew.receive(PATIENCE)
    assert received is not None
    pid = received[1][1]
    crew.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
