"""Why DynamoDB throttles, and what becomes of a budget then, on a clock that the test sets."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core import throttling
from dynamodb_core.capacity import Budget
from dynamodb_core.throttling import Throttle, lowered, reasons, step
from tests.engines.scripted import Clock

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
SLOW = Throttle("TableReadProvisionedThroughputExceeded", TABLE)
HOT = Throttle("TableReadKeyRangeThroughputExceeded", TABLE)
UNTOLD = Throttle()
CEILING = 100.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def budget(clock: Clock, rate: float | None = CEILING) -> Budget:
    return Budget(rate, clock=clock, sleep=clock.sleep)


def spend(one: Budget, clock: Clock, seconds: float, units: float) -> None:
    """Consume so many units a second, in calls of a tenth of a second."""
    for _ in range(round(seconds * 10)):
        one.settle(0.0, units / 10)
        clock.now += 0.1


# The reasons


def error(**members: Any) -> bytes:
    kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    return json.dumps({"__type": kind, "message": "too fast", **members}).encode()


@pytest.mark.parametrize("name", ["ThrottlingReasons", "throttlingReasons"])
def test_the_reasons_of_a_refusal(name: str) -> None:
    said = [
        {"reason": "TableWriteKeyRangeThroughputExceeded", "resource": TABLE},
        {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{TABLE}/index/by_day"},
    ]
    found = reasons(error(**{name: [*said, said[0]]}))
    assert [(each.reason, each.resource) for each in found] == [
        (each["reason"], each["resource"]) for each in said
    ]
    assert [each.hot for each in found] == [True, False]
    assert [each.of_index for each in found] == ["", "by_day"]


@pytest.mark.parametrize(
    "body",
    [
        error(),
        error(ThrottlingReasons=[]),
        error(ThrottlingReasons=None),
        error(ThrottlingReasons="slow"),
        error(ThrottlingReasons=["slow", None]),
        b"<html>ThrottlingException</html>",
        b'["ThrottlingException"]',
        b"",
    ],
)
def test_a_refusal_without_reasons_is_one_without_a_reason(body: bytes) -> None:
    assert reasons(body) == [UNTOLD]
    assert not UNTOLD.hot


@pytest.mark.parametrize(
    ("reason", "hot"),
    [
        (f"{place}{kind}{because}", because == "KeyRangeThroughputExceeded")
        for place in ("Table", "Index")
        for kind in ("Read", "Write")
        for because in (
            "ProvisionedThroughputExceeded",
            "MaxOnDemandThroughputExceeded",
            "AccountLimitExceeded",
            "KeyRangeThroughputExceeded",
        )
    ],
)
def test_only_a_key_range_is_hot(reason: str, hot: bool) -> None:
    assert Throttle(reason, TABLE).hot is hot


# The rule


@pytest.mark.parametrize(
    ("rate", "consumed", "left"),
    [
        (100.0, 100.0, 70.0),
        (100.0, 60.0, 42.0),  # what was consumed was too much already
        (100.0, 1000.0, 70.0),
        (100.0, 0.0, 35.0),  # for want of anything to do, perhaps
        (1.2, 1.2, 1.0),
        (0.5, 0.5, 0.5),
        (math.inf, 200.0, 140.0),
        (math.inf, 0.0, math.inf),
        (math.inf, 0.1, 1.0),
    ],
)
def test_a_rate_is_lowered_to_a_share_of_what_was_too_much(
    rate: float, consumed: float, left: float
) -> None:
    assert lowered(rate, consumed) == pytest.approx(left)


@given(rate=st.floats(1.0, 1e5), consumed=st.floats(0.0, 1e6))
def test_a_lowered_rate_is_lower_and_leaves_something(rate: float, consumed: float) -> None:
    left = lowered(rate, consumed)
    assert left < rate or rate == left == throttling.LEAST_RATE
    assert left >= min(rate, throttling.LEAST_RATE)
    assert left >= rate * throttling.LOWER_TO / 2 - 1e-9


@given(after=st.floats(1.0, 1e5), whole=st.floats(1.0, 1e5))
def test_the_whole_is_back_in_two_minutes_at_the_latest(after: float, whole: float) -> None:
    assert after + step(after, whole) * 120 >= whole


# The budget


def test_a_throttle_lowers_the_rate_and_time_brings_it_back(clock: Clock) -> None:
    one = budget(clock)
    spend(one, clock, 10, CEILING)
    one.throttled(SLOW)
    assert one.rate == pytest.approx(70.0, rel=0.02)
    assert one.ceiling == CEILING
    rates = []
    for _ in range(30):
        clock.now += 1
        rates.append(one.rate or 0.0)
    assert rates == sorted(rates)
    steps = {round(b - a, 6) for a, b in itertools.pairwise(rates[1:5])}
    assert len(steps) == 1, "it rises by so much a second"
    assert rates[-1] == CEILING
    assert one.throttles == 1


def test_throttles_of_one_moment_lower_the_rate_once(clock: Clock) -> None:
    """Eight workers meet the same limit at the same time."""
    one = budget(clock)
    spend(one, clock, 10, CEILING)
    for _ in range(8):
        one.throttled(SLOW)
        clock.now += 0.1
    assert one.rate == pytest.approx(70.0, rel=0.02)
    assert one.throttles == 8
    clock.now += 0.3
    one.throttled(SLOW)
    assert (one.rate or 0.0) < 60.0


@pytest.mark.parametrize(
    "reason",
    [
        SLOW,
        UNTOLD,
        Throttle("TableReadMaxOnDemandThroughputExceeded", TABLE),
        Throttle("TableReadAccountLimitExceeded", TABLE),
        Throttle("IndexReadProvisionedThroughputExceeded", f"{TABLE}/index/by_day"),
    ],
)
def test_a_table_an_index_or_an_account_at_its_limit_lowers_the_rate(
    clock: Clock, reason: Throttle
) -> None:
    one = budget(clock)
    one.throttled(reason)
    assert (one.rate or 0.0) < CEILING


def test_a_hot_key_range_never_lowers_the_rate(clock: Clock) -> None:
    """Trap 17: a hot key is not a slow table."""
    for one in (budget(clock), budget(clock, None)):
        rate = one.rate
        for _ in range(100):
            spend(one, clock, 0.5, 10.0)
            one.throttled(HOT)
        assert one.rate == rate
        assert one.throttles == one.hot_throttles == 100


def test_saved_up_units_are_gone_with_the_rate(clock: Clock) -> None:
    one = budget(clock)
    clock.now += 10
    one.wait(0.0)
    one.throttled(SLOW)
    one.wait(10.0)
    assert clock.slept == []
    one.wait(10.0)
    assert clock.slept != []


def test_without_a_limit_the_rate_comes_from_what_was_consumed(clock: Clock) -> None:
    one = budget(clock, None)
    spend(one, clock, 20, 500.0)
    one.throttled(SLOW)
    assert one.rate == pytest.approx(350.0, rel=0.05)
    assert one.ceiling is None
    clock.now += 200
    assert (one.rate or 0.0) > 1000, "it goes on rising"


def test_without_a_limit_and_without_anything_consumed_nothing_is_lowered(clock: Clock) -> None:
    one = budget(clock, None)
    one.throttled(SLOW)
    assert one.rate is None
    assert one.throttles == 1


def test_what_was_consumed_long_ago_says_nothing_of_now(clock: Clock) -> None:
    one = budget(clock)
    spend(one, clock, 30, CEILING)
    clock.now += 20
    spend(one, clock, 20, 60.0)
    one.throttled(SLOW)
    assert one.rate == pytest.approx(42.0, rel=0.05)


# The ceiling


@pytest.mark.parametrize(("ceiling", "rate"), [(50.0, 50.0), (500.0, 500.0), (None, None)])
def test_a_budget_that_is_at_its_ceiling_follows_it(
    clock: Clock, ceiling: float | None, rate: float | None
) -> None:
    one = budget(clock)
    one.ceiling = ceiling
    assert (one.rate, one.ceiling) == (rate, ceiling)


def test_a_lowered_rate_rises_to_a_new_ceiling_in_its_time(clock: Clock) -> None:
    one = budget(clock)
    spend(one, clock, 10, CEILING)
    one.throttled(SLOW)
    one.ceiling = 200.0
    assert one.rate == pytest.approx(70.0, rel=0.02)
    clock.now += 300
    assert one.rate == 200.0


def test_a_lowered_rate_is_no_higher_than_a_new_ceiling(clock: Clock) -> None:
    one = budget(clock)
    one.throttled(SLOW)
    one.ceiling = 10.0
    assert one.rate == 10.0


def test_a_budget_that_gets_a_limit_holds_it(clock: Clock) -> None:
    one = budget(clock, None)
    for _ in range(50):
        one.wait(1.0)
        one.settle(1.0, 100.0)  # no debt, as there is nothing to hold
    one.ceiling = 10.0
    began, spent = clock.now, 0.0
    while clock.now < began + 60:
        one.wait(1.0)
        spent += 1.0
    assert 0.9 * 600 <= spent <= 1.05 * 600


# Writes that come back, without a reason


def second(one: Budget, clock: Clock, sent: int, back: int) -> None:
    for _ in range(10):
        one.settle(0.0, sent - back)
        one.answered(sent, back)
        clock.now += 0.1


def test_after_a_reason_writes_that_come_back_lower_the_rate(clock: Clock) -> None:
    one = budget(clock)
    spend(one, clock, 10, CEILING)
    one.throttled(SLOW)
    lowered_once = one.rate or 0.0
    clock.now += 1
    for _ in range(4):
        second(one, clock, 10, 5)
    assert (one.rate or 0.0) < lowered_once
    assert one.hot_throttles == 0
    assert one.throttles == 1 + 4 * 10 * 5


def test_after_a_hot_key_range_they_are_held_to_be_of_it(clock: Clock) -> None:
    one = budget(clock)
    one.throttled(HOT)
    for _ in range(120):  # for as long as they keep coming
        second(one, clock, 10, 5)
    assert one.rate == CEILING
    assert one.hot_throttles == one.throttles == 1 + 120 * 10 * 5


def test_a_table_at_its_limit_is_told_from_the_hot_key_range_before_it(clock: Clock) -> None:
    one = budget(clock)
    one.throttled(HOT)
    second(one, clock, 10, 5)
    one.throttled(SLOW)
    for _ in range(3):
        second(one, clock, 10, 5)
    assert (one.rate or 0.0) < 60


def test_a_few_that_come_back_lower_nothing(clock: Clock) -> None:
    one = budget(clock)
    spend(one, clock, 10, CEILING)
    one.throttled(SLOW)
    clock.now += 20
    assert one.rate == CEILING
    for _ in range(10):
        second(one, clock, 100, 5)
    assert one.rate == CEILING


def test_a_reason_is_waited_for_and_where_none_comes_the_table_is_held_to_be_slow(
    clock: Clock,
) -> None:
    one = budget(clock)
    for _ in range(4):
        second(one, clock, 10, 5)
    assert one.rate == CEILING
    for _ in range(4):
        second(one, clock, 10, 5)
    assert (one.rate or 0.0) < CEILING


@pytest.mark.parametrize("reason", [SLOW, HOT])
def test_a_reason_is_known_for_half_a_minute(clock: Clock, reason: Throttle) -> None:
    one = budget(clock)
    known = [one.reason_known]
    for throttle, seconds in ((UNTOLD, 1), (reason, 29)):
        one.throttled(throttle)
        clock.now += seconds
        known.append(one.reason_known)
    clock.now += 2
    assert [*known, one.reason_known] == [False, False, True, False]
