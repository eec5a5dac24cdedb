"""The budget, on a clock that only sleeping moves."""

from __future__ import annotations

import threading

import pytest

from dynamodb_core.capacity import BURST_SECONDS, Budget
from tests.engines.scripted import PATIENCE, Clock

RATE = 10.0
MINUTE = 60.0


class Spent:
    """Calls that were let through, with the moment of each."""

    def __init__(self, clock: Clock) -> None:
        self.calls: list[tuple[float, float]] = []
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, units: float) -> None:
        with self._lock:
            self.calls.append((self._clock(), units))

    def most_in(self, seconds: float) -> float:
        """The most units that were spent in any window of some seconds."""
        return max(
            sum(units for at, units in self.calls if begin <= at < begin + seconds)
            for begin, _ in self.calls
        )

    def total(self) -> float:
        return sum(units for _, units in self.calls)


def test_no_minute_costs_more_than_the_rate_and_a_burst() -> None:
    clock = Clock()
    budget, spent = Budget(RATE, clock=clock, sleep=clock.sleep), Spent(clock)
    for number in range(3000):
        units = 1.0 + number % 7
        budget.wait(units)
        spent.add(units)
        if number % 500 == 0:
            clock.sleep(300.0)  # a long pause must not be saved up for a flood
    largest = 7.0  # a call begins while the balance is not negative
    assert spent.most_in(MINUTE) <= RATE * MINUTE + RATE * BURST_SECONDS + largest


def test_the_rate_is_used_to_the_full() -> None:
    clock = Clock()
    budget, spent = Budget(RATE, clock=clock, sleep=clock.sleep), Spent(clock)
    began = clock()
    for _ in range(1000):
        budget.wait(5.0)
        spent.add(5.0)
    assert spent.total() / (clock() - began) == pytest.approx(RATE, rel=0.01)


def test_several_workers_share_one_rate() -> None:
    clock = Clock()
    budget, spent = Budget(RATE, clock=clock, sleep=clock.sleep), Spent(clock)
    began = clock()

    def work() -> None:
        for _ in range(100):
            budget.wait(5.0)
            spent.add(5.0)
            budget.settle(5.0, 5.0)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert spent.total() == 4000
    # A sleeper moves the clock for all: at least so much time must have gone by.
    assert clock() - began >= (4000 - 8 * 5.0 - RATE * BURST_SECONDS) / RATE


def test_a_first_call_does_not_wait() -> None:
    clock = Clock()
    Budget(RATE, clock=clock, sleep=clock.sleep).wait(1000.0)
    assert clock.slept == []


def test_a_large_call_goes_into_debt_that_later_ones_repay() -> None:
    clock = Clock()
    budget = Budget(RATE, clock=clock, sleep=clock.sleep)
    budget.wait(400.0)
    budget.wait(1.0)
    assert sum(clock.slept) == pytest.approx(40.0, abs=0.3)


def test_settling_bills_what_was_consumed_beyond_what_was_expected() -> None:
    clock = Clock()
    budget = Budget(RATE, clock=clock, sleep=clock.sleep)
    budget.wait(1.0)
    budget.settle(1.0, 200.0)
    budget.wait(1.0)
    assert sum(clock.slept) == pytest.approx(20.0, abs=0.3)


def test_settling_gives_back_what_was_not_consumed() -> None:
    clock = Clock()
    budget = Budget(RATE, clock=clock, sleep=clock.sleep)
    budget.wait(128.0)
    budget.settle(128.0, 0.5)
    budget.wait(128.0)
    assert sum(clock.slept) <= 0.3


def test_what_is_given_back_shortens_a_wait_that_has_begun() -> None:
    """A worker that expected 128 units waits no 128 seconds when the page cost one."""
    clock = Clock()
    budget = Budget(1.0, clock=clock)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 2:
            budget.settle(128.0, 1.0)

    budget._sleep = sleep
    budget.wait(128.0)
    budget.wait(1.0)
    assert sum(clock.slept) < 3.0


def test_what_is_given_back_is_no_reason_for_a_flood() -> None:
    clock = Clock()
    budget, spent = Budget(RATE, clock=clock, sleep=clock.sleep), Spent(clock)
    for _ in range(20):
        budget.settle(1000.0, 0.0)
    for _ in range(200):
        budget.wait(1.0)
        spent.add(1.0)
    assert spent.most_in(1.0) <= RATE + RATE * BURST_SECONDS + 1.0


def test_without_a_rate_nothing_waits() -> None:
    clock = Clock()
    budget = Budget(None, clock=clock, sleep=clock.sleep)
    for _ in range(100):
        budget.wait(10**9)
        budget.settle(10**9, 10**10)
    assert clock.slept == []
