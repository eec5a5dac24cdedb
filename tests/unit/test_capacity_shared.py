"""A budget that processes share, on a clock that they share too and that only their sleep moves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.budgets import Budgets, Consumed
from dynamodb_core.capacity import CELLS, Budget
from dynamodb_core.processes import Crew, shared_cells
from dynamodb_core.throttling import Throttle
from tests.engines.units import most_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.cells import Cells

PATIENCE = 60.0
MINUTES = 3
SLOW = Throttle("TableReadProvisionedThroughputExceeded", "arn:aws:dynamodb:r:1:table/t")


@dataclass(frozen=True)
class SharedClock:
    """A clock in a cell."""

    cells: Cells

    def __call__(self) -> float:
        return self.cells.values[0]

    def sleep(self, seconds: float) -> None:
        with self.cells.lock:
            self.cells.values[0] += max(seconds, 0.001)


@dataclass(frozen=True)
class Reader:
    """Spends calls of one unit for some minutes, and says when."""

    budget: Budget
    clock: SharedClock

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        for end in inbox:
            spent = []
            while self.clock() < end:
                self.budget.wait(1.0)
                spent.append((self.clock(), 1.0))
                self.budget.settle(1.0, 1.0)
            send(spent)


@dataclass(frozen=True)
class Loader:
    """Likewise, of a table and an index."""

    budgets: Budgets
    clock: SharedClock

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        for end in inbox:
            spent = []
            while self.clock() < end:
                expected = self.budgets.wait(1.0)
                spent.append((self.clock(), 1.0))
                self.budgets.settle(expected, Consumed(1.0, {"g": 2.0}))
            send(spent)


@dataclass(frozen=True)
class Throttled:
    """Meets a throttle when it is told to, and says what it has made of the rate."""

    budget: Budget

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        for throttle in inbox:
            self.budget.throttled(throttle)
            send(self.budget.rate)


@pytest.fixture
def clock() -> SharedClock:
    clock = SharedClock(shared_cells(1))
    clock.sleep(1000.0)
    return clock


@pytest.fixture
def crews() -> Iterator[list[Crew]]:
    started: list[Crew] = []
    yield started
    for crew in started:
        crew.close()


def received(crew: Crew) -> Any:
    got = crew.receive(PATIENCE)
    assert got is not None, "nothing came"
    return got[1]


def spent_by(crews: list[Crew], clock: SharedClock, job: Any) -> list[tuple[float, float]]:
    """Return what two processes with one job spend in some minutes, in order of time."""
    crew = Crew([job, job], name="spend")
    crews.append(crew)
    crew.start()
    for worker in range(2):
        crew.send(worker, 0.0)  # nothing to do but to begin
        assert received(crew) == []
    end = clock() + 60 * MINUTES
    for worker in range(2):
        crew.send(worker, end)
    return sorted(received(crew) + received(crew))


@pytest.mark.parametrize("rate", [5.0, 50.0])
def test_two_processes_hold_one_budget_and_use_it(
    crews: list[Crew], clock: SharedClock, rate: float
) -> None:
    budget = Budget(rate, clock=clock, sleep=clock.sleep, cells=shared_cells(CELLS))
    spent = spent_by(crews, clock, Reader(budget, clock))
    assert most_in(60.0, spent) <= 1.05 * 60 * rate
    assert len(spent) >= 0.9 * 60 * MINUTES * rate


def test_two_processes_hold_the_budgets_of_a_table_and_its_index(
    crews: list[Crew], clock: SharedClock
) -> None:
    budgets = Budgets(50.0, {"g": 20.0}, clock=clock, sleep=clock.sleep, cells=shared_cells)
    spent = spent_by(crews, clock, Loader(budgets, clock))
    assert most_in(60.0, spent) <= 1.05 * 60 * 10.0, "a write costs the index two units"
    assert len(spent) >= 0.9 * 60 * MINUTES * 10.0
    assert budgets.rate == pytest.approx(10.0), "what one has learned all know"


def test_what_one_process_is_throttled_for_lowers_the_rate_of_all(
    crews: list[Crew], clock: SharedClock
) -> None:
    budget = Budget(100.0, clock=clock, sleep=clock.sleep, cells=shared_cells(CELLS))
    crew = Crew([Throttled(budget)] * 2, name="throttled")
    crews.append(crew)
    crew.start()
    for worker in range(2):
        crew.send(worker, SLOW)
        assert received(crew) == budget.rate
    assert budget.throttles == 2
    assert (budget.rate or 0.0) < 100.0
    clock.sleep(300.0)
    assert budget.rate == 100.0
    budget.ceiling = 40.0
    crew.send(0, Throttle("TableReadKeyRangeThroughputExceeded"))
    assert received(crew) == 40.0
    assert budget.hot_throttles == 1


def test_processes_share_a_budget_on_the_clock_of_the_machine(crews: list[Crew]) -> None:
    """Its own clock and sleep travel with it; no more is let through than time has gone by for."""
    rate = 200.0
    budget = Budget(rate, cells=shared_cells(CELLS))
    jobs = [Timed(budget, calls=100)] * 2
    crew = Crew(jobs, name="timed")
    crews.append(crew)
    crew.start()
    for worker in range(2):
        crew.finish(worker)
    moments = sorted(received(crew) + received(crew))
    assert len(moments) == 200
    assert moments[-1] - moments[0] >= (200 - 2) / rate - 1.0


@dataclass(frozen=True)
class Timed:
    """Makes some calls of one unit, and says when, by the machine's clock."""

    budget: Budget
    calls: int

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        moments = []
        for _ in range(self.calls):
            self.budget.wait(1.0)
            moments.append(time.monotonic())
            self.budget.settle(1.0, 1.0)
        send(moments)
