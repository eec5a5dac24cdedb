"""How many calls at once are found to be of use, on a clock of the test's own."""

from __future__ import annotations

import pytest

from dynamodb_core.concurrency import LEAST_CALLS, LEAST_SECONDS, Concurrency
from tests.engines.scripted import Clock

MOST = 32


def watched(
    concurrency: Concurrency, clock: Clock, *, seconds: float, most_a_second: float, rounds: int = 1
) -> int:
    """Make calls that take some seconds, as many at once as are found of use; return how many that is.

    `most_a_second` is what the client itself can do, however many are under way.
    """
    for _ in range(rounds):
        before = clock.now
        while clock.now < before + 2 * LEAST_SECONDS:
            a_second = min(concurrency.useful / seconds, most_a_second)
            clock.now += 1 / a_second
            concurrency.answered(seconds)
    return concurrency.useful


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def concurrency(clock: Clock) -> Concurrency:
    return Concurrency(MOST, clock=clock)


def test_before_anything_is_known_all_are_of_use(concurrency: Concurrency) -> None:
    assert concurrency.useful == MOST


def test_a_service_that_answers_at_once_needs_few(concurrency: Concurrency, clock: Clock) -> None:
    assert watched(concurrency, clock, seconds=0.0003, most_a_second=3000, rounds=3) <= 3


@pytest.mark.parametrize("seconds", [0.002, 0.005, 0.008])
def test_a_service_far_away_gets_as_many_as_keep_the_client_busy(
    concurrency: Concurrency, clock: Clock, seconds: float
) -> None:
    useful = watched(concurrency, clock, seconds=seconds, most_a_second=3000, rounds=3)
    assert 3000 * seconds <= useful <= 1.25 * 3000 * seconds + 2


def test_a_service_that_becomes_slow_gets_all_soon(concurrency: Concurrency, clock: Clock) -> None:
    few = watched(concurrency, clock, seconds=0.0003, most_a_second=3000, rounds=3)
    all_of_them = watched(concurrency, clock, seconds=0.05, most_a_second=3000, rounds=20)
    assert few < all_of_them == MOST


def test_calls_that_waited_do_not_count(concurrency: Concurrency, clock: Clock) -> None:
    """As many are under way as there may be, and all but some wait for the interpreter."""
    for number in range(10 * LEAST_CALLS):
        clock.now += 0.0004 if number else LEAST_SECONDS
        concurrency.answered(0.0003 if number % 8 == 0 else 0.0128)
    clock.now += LEAST_SECONDS
    concurrency.answered(0.0128)
    assert concurrency.useful <= 3


def test_a_few_calls_tell_nothing(concurrency: Concurrency, clock: Clock) -> None:
    for _ in range(LEAST_CALLS - 1):
        clock.now += 10
        concurrency.answered(0.001)
    assert concurrency.useful == MOST
