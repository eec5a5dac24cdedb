"""The budgets of a load: of the table, and of each global index."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from dynamodb_core.budgets import Budgets, Consumed
from dynamodb_core.throttling import Throttle
from tests.engines.scripted import Clock
from tests.engines.units import most_in

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
MINUTE = 60.0


def answer(table: float, local: float = 0.0, **indexes: float) -> dict[str, Any]:
    """What BatchWriteItem says of one table with ReturnConsumedCapacity INDEXES."""
    said: dict[str, Any] = {
        "TableName": "orders",
        "CapacityUnits": table + local + sum(indexes.values()),
        "Table": {"CapacityUnits": table},
    }
    if local:
        said["LocalSecondaryIndexes"] = {"l": {"CapacityUnits": local}}
    if indexes:
        said["GlobalSecondaryIndexes"] = {n: {"CapacityUnits": u} for n, u in indexes.items()}
    return {"ConsumedCapacity": [said]}


# What a request has consumed


def test_a_local_index_is_paid_by_the_table_and_a_global_one_by_itself() -> None:
    consumed = Consumed.of(answer(5.0, 3.0, g=2.0, h=1.0), 0.0)
    assert consumed == Consumed(8.0, {"g": 2.0, "h": 1.0})
    assert consumed.total == 11.0


def test_an_engine_that_tells_no_index_lets_the_table_pay() -> None:
    said = {"ConsumedCapacity": [{"TableName": "orders", "CapacityUnits": 7.0}]}
    assert Consumed.of(said, 1.0) == Consumed(7.0, {})


@pytest.mark.parametrize("said", [{}, {"ConsumedCapacity": []}, {"ConsumedCapacity": None}])
def test_an_engine_that_tells_nothing_is_believed_what_was_expected(said: dict[str, Any]) -> None:
    assert Consumed.of(said, 9.0) == Consumed(9.0, {})


# How fast


class Load:
    """Requests of 10 units each, that cost what `all_costs` says, in turn."""

    def __init__(self, budgets: Budgets, clock: Clock, *all_costs: Consumed) -> None:
        self.spent: dict[str, list[tuple[float, float]]] = {}
        began, in_turn = clock.now, itertools.cycle(all_costs)
        while clock.now < began + 3 * MINUTE:
            costs = next(in_turn)
            expected = budgets.wait(10.0)
            for name, units in {"": costs.table, **costs.indexes}.items():
                self.spent.setdefault(name, []).append((clock.now, units))
            budgets.settle(expected, costs)

    def most(self, index: str = "") -> float:
        return most_in(MINUTE, self.spent[index])


def budgets(clock: Clock, rate: float | None, **indexes: float | None) -> Budgets:
    return Budgets(rate, indexes, clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize(
    ("rate", "of_index", "costs", "table", "index"),
    [
        (100.0, 100.0, Consumed(10.0, {"g": 10.0}), 6000, 6000),
        (100.0, 20.0, Consumed(10.0, {"g": 10.0}), 1200, 1200),  # the index is what is scarce
        (100.0, 20.0, Consumed(10.0, {"g": 1.0}), 6000, 600),  # a sparse one
        (100.0, 20.0, Consumed(10.0, {"g": 20.0}), 600, 1200),  # each write moves an entry
        (None, 20.0, Consumed(10.0, {"g": 5.0}), 2400, 1200),
        (40.0, None, Consumed(10.0, {"g": 80.0}), 2400, 19200),
        (40.0, 40.0, Consumed(50.0, {"g": 10.0}), 2400, 480),  # larger items are replaced
    ],
)
def test_the_scarcest_decides_and_each_is_used_to_the_full(
    rate: float | None, of_index: float | None, costs: Consumed, table: float, index: float
) -> None:
    clock = Clock()
    load = Load(budgets(clock, rate, g=of_index), clock, costs)
    assert load.most() == pytest.approx(table, rel=0.05)
    assert load.most("g") == pytest.approx(index, rel=0.05)


def test_an_index_that_few_writes_touch_is_billed_for_what_they_cost() -> None:
    clock = Clock()
    costs = [Consumed(10.0, {"g": 20.0}), *[Consumed(10.0, {"g": 0.0})] * 9]
    load = Load(budgets(clock, 1000.0, g=20.0), clock, *costs)
    assert load.most("g") == pytest.approx(1200, rel=0.05)
    assert sum(units for _, units in load.spent["g"]) >= 0.9 * 3 * 1200


def test_the_rate_is_that_of_the_scarcest_by_the_writes_own_size() -> None:
    clock = Clock()
    both = budgets(clock, 100.0, g=50.0)
    assert both.rate == 50.0
    for _ in range(60):
        both.settle(both.wait(1.0), Consumed(1.0, {"g": 0.1}))
    assert both.rate == pytest.approx(100.0, rel=0.02)
    both.settle(both.wait(1.0), Consumed(1.0, {"g": 5.0}))
    assert both.rate == pytest.approx(10.0), "a rise is taken in at once"
    assert budgets(clock, None, g=None).rate is None


def test_a_failed_request_costs_nothing_and_teaches_nothing() -> None:
    clock = Clock()
    both = budgets(clock, 10.0, g=10.0)
    both.settle(both.wait(100.0), None)
    both.wait(1.0)
    assert clock.slept == []
    assert both.rate == 10.0


# What is throttled


def throttle(because: str, index: str = "") -> Throttle:
    place = "Index" if index else "Table"
    return Throttle(f"{place}Write{because}", f"{TABLE}/index/{index}" if index else TABLE)


SLOW, HOT = "ProvisionedThroughputExceeded", "KeyRangeThroughputExceeded"


def test_a_throttle_lowers_the_rate_of_what_is_at_its_limit() -> None:
    clock = Clock()
    both = budgets(clock, 100.0, g=100.0, h=100.0)
    both.throttled(throttle(SLOW, "g"))
    rates = [both.table.rate, *(each.rate for each in both.indexes.values())]
    assert rates[0] == rates[2] == 100.0
    assert (rates[1] or 0.0) < 100.0
    both.throttled(throttle(SLOW))
    assert (both.table.rate or 0.0) < 100.0
    assert both.throttles == 2


def test_a_throttle_of_an_index_without_a_budget_is_the_tables() -> None:
    """A local index, or one that was made a minute ago."""
    clock = Clock()
    both = budgets(clock, 100.0, g=100.0)
    both.throttled(throttle(SLOW, "l"))
    assert (both.table.rate or 0.0) < 100.0


@pytest.mark.parametrize("index", ["", "g"])
def test_writes_that_come_back_are_held_to_have_the_reason_that_was_heard_last(index: str) -> None:
    clock = Clock()
    both = budgets(clock, 100.0, g=100.0)
    both.throttled(throttle(SLOW))
    clock.now += 60
    both.throttled(throttle(HOT, index))
    rates = both.table.rate, both.indexes["g"].rate
    for _ in range(50):
        both.answered(10, 5)
        clock.now += 0.1
    assert rates == (both.table.rate, both.indexes["g"].rate) == (100.0, 100.0)
    assert both.hot_throttles == 1 + 50 * 5
    both.throttled(throttle(SLOW, "g"))
    for _ in range(50):
        both.answered(10, 5)
        clock.now += 0.1
    assert (both.indexes["g"].rate or 0.0) < 50.0
    assert both.table.rate == 100.0
    assert both.hot_throttles == 1 + 50 * 5
