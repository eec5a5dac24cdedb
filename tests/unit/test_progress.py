"""What a person reads while a run goes on, on a clock that the test sets."""

from __future__ import annotations

import re
import threading

import pytest

from dynamodb_core.capacity import Budget
from dynamodb_core.progress import Progress, duration
from dynamodb_core.throttling import Throttle
from tests.engines.scripted import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(now=500.0)


def test_a_line_says_everything_that_matters(clock: Clock) -> None:
    progress = Progress("orders", whole_items=40_000, whole_parts=16, clock=clock)
    clock.now += 10
    progress.add(items=10_000, size=2_500_000, units=312.5, throttles=3, parts=4)
    assert progress.line() == (
        "orders: 10,000 items, 2.5 MB, 1,000 items/s, 31.2 units/s, 3 throttled, "
        "segments 4 of 16, about 30 s left"
    )


def test_rates_are_those_since_the_last_line(clock: Clock) -> None:
    progress = Progress("orders", clock=clock)
    clock.now += 10
    progress.add(items=10_000, units=100.0)
    progress.line()
    clock.now += 10
    progress.add(items=20, units=5.0)
    assert progress.line() == "orders: 10,020 items, 0.0 MB, 2 items/s, 0.5 units/s"


def test_the_summary_speaks_of_the_whole_run(clock: Clock) -> None:
    progress = Progress("orders", whole_parts=2, clock=clock)
    for _ in range(2):
        clock.now += 50
        progress.add(items=500, size=1_000_000, units=25.0, throttles=1, parts=1)
        progress.line()
    assert progress.summary() == (
        "orders: 1,000 items, 2.0 MB in 1 min 40 s, 10 items/s, 50.0 capacity units, 2 throttled"
    )


def test_a_run_without_items_has_a_line_and_a_summary(clock: Clock) -> None:
    progress = Progress("empty", whole_items=0, clock=clock)
    assert progress.line() == "empty: 0 items, 0.0 MB, 0 items/s, 0.0 units/s"
    assert progress.summary() == ("empty: 0 items, 0.0 MB in 0.0 s, 0 items/s, 0.0 capacity units")


def test_parts_carry_their_own_name(clock: Clock) -> None:
    progress = Progress("t", whole_parts=1_200, part_name="files", clock=clock)
    progress.add(parts=7)
    assert "files 7 of 1,200" in progress.line()


# What becomes of the budget

SLOW = Throttle("TableReadProvisionedThroughputExceeded")
HOT = Throttle("TableReadKeyRangeThroughputExceeded")


def followed(clock: Clock, *rates: float | None) -> tuple[Progress, list[Budget]]:
    progress = Progress("orders", clock=clock)
    budgets = [Budget(rate, clock=clock, sleep=clock.sleep) for rate in rates]
    for number, budget in enumerate(budgets):
        progress.follow(f"table t{number}", budget)
    return progress, budgets


def line_of(progress: Progress, clock: Clock) -> str:
    clock.now += 10
    progress.add(items=10, units=350.0)
    return progress.line().partition("items/s, ")[2]


def test_a_line_says_what_may_be_consumed(clock: Clock) -> None:
    progress, _ = followed(clock, 50.0)
    assert line_of(progress, clock) == "35.0 units/s of 50"
    progress, _ = followed(clock, 1234.56)
    assert line_of(progress, clock) == "35.0 units/s of 1,234.6"
    progress, _ = followed(clock, None)
    assert line_of(progress, clock) == "35.0 units/s"


def test_a_line_says_that_throttling_has_lowered_the_rate_until_it_is_back(clock: Clock) -> None:
    progress, [budget] = followed(clock, 100.0)
    for _ in range(2):
        clock.now += 1
        budget.throttled(SLOW)
    words = line_of(progress, clock)
    assert re.fullmatch(
        r"[\d.]+ units/s of \d\d(\.\d)? \(lowered from 100 by throttling\), 2 throttled", words
    )
    clock.now += 600
    assert line_of(progress, clock).endswith(" units/s of 100, 2 throttled")


def test_a_lowered_rate_may_have_had_no_limit_before(clock: Clock) -> None:
    progress, [budget] = followed(clock, None)
    budget.settle(0.0, 1000.0)
    budget.throttled(SLOW)
    assert re.search(r"of [\d,.]+ \(lowered by throttling\), 1 throttled", line_of(progress, clock))


def test_a_hot_key_range_is_told_apart(clock: Clock) -> None:
    progress, [budget] = followed(clock, 100.0)
    for throttle in (HOT, HOT, SLOW):
        budget.throttled(throttle)
    progress.add(throttles=4)
    clock.now += 600
    assert line_of(progress, clock).endswith("of 100, 7 throttled (2 at a hot key range)")
    assert progress.summary().endswith("7 throttled (2 at a hot key range)")


def test_of_several_budgets_those_are_named_that_are_lowered(clock: Clock) -> None:
    progress, [_, second, third] = followed(clock, 50.0, 100.0, None)
    assert line_of(progress, clock) == "35.0 units/s"
    second.throttled(SLOW)
    third.settle(0.0, 1000.0)
    third.throttled(SLOW)
    words = line_of(progress, clock)
    assert re.fullmatch(
        r"35\.0 units/s, table t1 lowered from 100 to [\d.]+ by throttling, "
        r"table t2 lowered to [\d.]+ by throttling, 2 throttled",
        words,
    )


# The time that is left


def test_the_time_left_follows_the_items(clock: Clock) -> None:
    progress = Progress("t", whole_items=100, whole_parts=10, clock=clock)
    clock.now += 60
    progress.add(items=25, parts=9)
    assert "about 3 min 0 s left" in progress.line()


def test_without_the_number_of_items_it_follows_the_parts(clock: Clock) -> None:
    progress = Progress("t", whole_parts=4, clock=clock)
    clock.now += 60
    progress.add(items=25, parts=3)
    assert "about 20 s left" in progress.line()


def test_with_more_items_than_were_counted_it_follows_the_parts(clock: Clock) -> None:
    """ItemCount is hours old: the table may have grown."""
    progress = Progress("t", whole_items=20, whole_parts=4, clock=clock)
    clock.now += 60
    progress.add(items=25, parts=2)
    assert "about 1 min 0 s left" in progress.line()


@pytest.mark.parametrize(("whole", "items"), [(100, 0), (100, 100), (100, 101), (None, 5), (0, 5)])
def test_nothing_is_said_of_the_time_left_where_nothing_is_known(
    clock: Clock, whole: int | None, items: int
) -> None:
    progress = Progress("t", whole_items=whole, clock=clock)
    clock.now += 60
    progress.add(items=items)
    assert "left" not in progress.line()


# When a line is due


def lines_until(progress: Progress, clock: Clock, end: float) -> list[float]:
    said = []
    while clock.now < end:
        clock.now += 1
        if progress.due():
            progress.line()
            said.append(clock.now)
    return said


def test_a_line_is_due_every_5_seconds_and_in_long_runs_every_minute() -> None:
    clock = Clock(now=0.0)
    said = lines_until(Progress("t", clock=clock), clock, 600)
    assert said[:35] == [5.0 * number for number in range(1, 36)]
    assert said[35:] == [235.0, 295.0, 355.0, 415.0, 475.0, 535.0, 595.0]


def test_no_line_is_due_at_once(clock: Clock) -> None:
    progress = Progress("t", clock=clock)
    assert not progress.due()
    clock.now += 4.9
    assert not progress.due()


class One(int):
    """A one that takes its time to be added, so that another thread comes in between."""

    def __radd__(self, other: int) -> int:
        threading.Event().wait(0.0005)
        return other + 1


def test_threads_count_together(clock: Clock) -> None:
    progress = Progress("t", clock=clock)

    def work() -> None:
        for _ in range(25):
            progress.add(items=One(1), size=One(1), throttles=One(1), parts=One(1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = (progress.items, progress.size, progress.throttles, progress.parts)
    assert counted == (100, 100, 100, 100)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.6, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (90_061, "25 h 1 min"),
    ],
)
def test_durations_are_said_as_a_person_says_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_consumes_nothing_says_nothing_of_units() -> None:
    clock = Clock()
    progress = Progress("s", whole_items=100, metered=False, clock=clock)
    clock.now += 10
    progress.add(items=50, size=1_000_000)
    assert progress.line() == "s: 50 items, 1.0 MB, 5 items/s, about 10 s left"
    assert progress.summary() == "s: 50 items, 1.0 MB in 10 s, 5 items/s"
