"""Any minute costs 105 % of the budget at most, and 90 % at least; the meter is the judge.

Budget, meter and botocore's pauses have one clock, which only sleeping moves: minutes take a second.
"""

from __future__ import annotations

import random
import types
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.endpoint
import orjson
import pytest

from dynamodb_core.budgets import Budgets
from dynamodb_core.capacity import Budget
from dynamodb_core.paging import Paging
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.progress import Progress
from dynamodb_core.scan import read_part
from dynamodb_core.settings import AwsSettings
from dynamodb_core.tables import describe
from dynamodb_core.wire import BotoWire
from dynamodb_core.writer import Writer
from tests.engines import meter
from tests.engines.scripted import Clock
from tests.engines.simulated import Simulation
from tests.engines.units import most_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.meter import Meter
    from tests.engines.tables import Tables

MINUTE = 60.0
MOST, LEAST = 1.05, 0.9
LATENCY = 0.03
"""Seconds that a call takes."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Let botocore's pauses pass on a clock of the test's."""

    def pass_on(clock: Any) -> None:
        random.seed(7)  # botocore draws its pauses
        monkeypatch.setattr(botocore.endpoint, "time", types.SimpleNamespace(sleep=clock.sleep))

    return pass_on


def least_in(seconds: float, spent: list[tuple[float, float]], begin: float, end: float) -> float:
    """Return the least units in any window of so many seconds that lies within the run."""
    starts = [begin, *(when + 1e-9 for when, _ in spent if when + seconds <= end)]
    return min(
        sum(units for when, units in spent if start <= when < start + seconds) for start in starts
    )


SORTED = (("id", "S"), ("at", "S"))
GLOBAL = {
    "IndexName": "g_all",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
LOCAL = {
    "IndexName": "l_all",
    "KeySchema": [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "l", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}


def indexed(*attributes: str, **groups: dict[str, Any]) -> dict[str, Any]:
    """Return what CreateTable wants to know of the attributes and of an index of each kind."""
    return {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in attributes
        ],
        **{f"{kind}SecondaryIndexes": [index] for kind, index in groups.items()},
    }


# Reading


@dataclass
class Reading:
    """Workers that read a table again and again, for some minutes of simulated time."""

    metered: Meter
    sim: Simulation
    table: str
    budget: Budget
    workers: int
    index: str | None = None
    item_bytes: float | None = None
    wire: BotoWire = field(init=False)

    def __post_init__(self) -> None:
        sim = self.sim

        class SlowWire(BotoWire):
            def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
                sim.sleep(LATENCY / 2)
                answer = super().call(operation, body, table=table)
                sim.sleep(LATENCY / 2)
                return answer

        settings = AwsSettings.from_config(self.metered.engine.config())
        self.wire = SlowWire(settings, sleep=sim.sleep)
        self.wire.watch(self.table, self.budget.throttled)

    def run(self, minutes: float, *beside: Callable[[], None]) -> None:
        """Read for some minutes, with something else beside it."""
        plan = ReadPlan(self.table, self.workers, index=self.index)
        paging = Paging(self.budget, item_bytes=self.item_bytes)
        end = self.sim.now + minutes * MINUTE

        def work(number: int) -> None:
            while True:
                for _ in read_part(
                    Part(number),
                    plan=plan,
                    wire=self.wire,
                    budget=self.budget,
                    paging=paging,
                    render=len,
                ):
                    if self.sim.now >= end:
                        return

        workers = [lambda number=number: work(number) for number in range(self.workers)]
        self.sim.run(*workers, *beside)

    def spent(self) -> list[tuple[float, float]]:
        return self.metered.ledger.consumed(self.table, self.index, kind="read")


@pytest.fixture
def sim() -> Simulation:
    return Simulation()


@contextmanager
def metered_by(engine: Engine, clock: Callable[[], float]) -> Iterator[Meter]:
    with meter.running(engine, clock) as running:
        yield running


def items(sizes: Callable[[int], int], count: int) -> list[Item]:
    return [{"id": {"S": f"{n:05}"}, "text": {"S": "x" * sizes(n)}} for n in range(count)]


RANDOM = random.Random(11)
ALIKE = items(lambda _: 1000, 150)
MIXED = items(lambda _: RANDOM.choice((50, 500, 5000)), 120)


@pytest.mark.parametrize(
    ("rate", "workers", "content", "item_bytes"),
    [
        (5.0, 1, ALIKE, 1000.0),
        (5.0, 4, ALIKE, None),
        (5.0, 4, MIXED, 100.0),
        (20.0, 4, MIXED, None),
    ],
    ids=["one worker", "sizes not known", "larger than believed", "20 units"],
)
def test_a_minute_of_reading_costs_the_budget(
    engine: Engine,
    tables: Tables,
    sim: Simulation,
    rate: float,
    workers: int,
    content: list[Item],
    item_bytes: float | None,
) -> None:
    table = tables.create(content)
    with metered_by(engine, sim) as metered:
        budget = Budget(rate, clock=sim, sleep=sim.sleep)
        reading = Reading(metered, sim, table, budget, workers, item_bytes=item_bytes)
        began = sim.now
        reading.run(2)
    spent = reading.spent()
    assert most_in(MINUTE, spent) <= MOST * MINUTE * rate
    assert least_in(MINUTE, spent, began, sim.now) >= LEAST * MINUTE * rate
    assert most_in(1.0, spent) <= 4 * rate, "it comes in bursts"


def test_a_table_that_gives_less_is_used_to_the_full_and_not_hammered(
    engine: Engine, tables: Tables, sim: Simulation, pauses: Callable[[Any], None]
) -> None:
    """botocore's pauses and ours together: neither idle nor a call after the other for nothing."""
    pauses(sim)
    table = tables.create(ALIKE)
    with metered_by(engine, sim) as metered:
        metered.ledger.limit(table, read=10.0, burst_seconds=5.0)
        budget = Budget(40.0, clock=sim, sleep=sim.sleep)
        reading = Reading(metered, sim, table, budget, 4)
        reading.run(2.5)
        end = sim.now
        lowered = budget.rate or 0.0
        metered.ledger.limit(table, read=float("inf"))
        reading.run(2)
    last = [(when, units) for when, units in reading.spent() if end - 1.5 * MINUTE <= when < end]
    assert sum(units for _, units in last) >= 0.85 * 10.0 * 1.5 * MINUTE
    assert lowered < 25.0
    refused = [when for when, _ in metered.ledger.throttled if end - 1.5 * MINUTE <= when < end]
    assert 0 < len(refused) <= 30, "a few a minute find out what the table gives"
    assert budget.rate == 40.0, "it is back when the table gives all again"
    assert budget.throttles == reading.wire.throttles > 0
    assert budget.hot_throttles == 0
    again = [units for when, units in reading.spent() if when >= sim.now - MINUTE]
    assert sum(again) >= LEAST * MINUTE * 40.0


def test_a_hot_key_does_not_slow_the_table_down(
    engine: Engine, tables: Tables, sim: Simulation, pauses: Callable[[Any], None]
) -> None:
    """Trap 17."""
    pauses(sim)
    key = (("id", "S"), ("at", "N"))
    content = [
        {"id": {"S": f"k{n % 5}"}, "at": {"N": str(n)}, "text": {"S": "x" * 2000}}
        for n in range(100)
    ]
    table = tables.create(content, key=key)
    with metered_by(engine, sim) as metered:
        metered.ledger.hot(table, "k1", 2.0)
        budget = Budget(20.0, clock=sim, sleep=sim.sleep)
        reading = Reading(metered, sim, table, budget, 2)
        reading.run(1.5)
    assert budget.rate == budget.ceiling == 20.0
    assert budget.throttles == budget.hot_throttles == len(metered.ledger.throttled) > 0


def test_an_index_that_is_read_is_throttled_by_its_own_limit(
    engine: Engine, tables: Tables, sim: Simulation, pauses: Callable[[Any], None]
) -> None:
    pauses(sim)
    table = tables.create(
        [{**each, "g": {"S": "a"}} for each in ALIKE], **indexed("id", "g", Global=GLOBAL)
    )
    with metered_by(engine, sim) as metered:
        metered.ledger.limit(table, read=4.0, index="g_all", burst_seconds=2.0)
        budget = Budget(20.0, clock=sim, sleep=sim.sleep)
        reading = Reading(metered, sim, table, budget, 2, index="g_all")
        reading.run(2)
    assert (budget.rate or 0.0) < 20.0
    assert {reason for _, reason in metered.ledger.throttled} == {
        "IndexReadProvisionedThroughputExceeded"
    }


# Writing


class Writing:
    """Writes items until some minutes have passed, or there are no more."""

    def __init__(
        self, metered: Meter, clock: Clock, table: str, budgets: Budgets, *, workers: int = 4
    ) -> None:
        self.clock = clock
        self.began = clock.now
        self.wire = BotoWire(AwsSettings.from_config(metered.engine.config()), sleep=clock.sleep)
        self.wire.watch(table, budgets.throttled)
        self.table = describe(self.wire, table)
        self.progress = Progress("t")
        self.writer = Writer(
            self.wire,
            self.table,
            budgets=budgets,
            progress=self.progress,
            workers=workers,
            sleep=clock.sleep,
        )

    def run(self, item: Callable[[int], Mapping[str, Any]], *, count: int) -> int:
        """Write so many items; return how many were acknowledged."""
        try:
            for number in range(count):
                one = item(number)
                self.writer.put(self.table.key.identity(one), orjson.dumps(one))
            self.writer.flush()
        finally:
            self.writer.close()
        return self.progress.items


def own(clock: Clock, rate: float | None, **indexes: float | None) -> Budgets:
    return Budgets(rate, indexes, clock=clock, sleep=clock.sleep)


def judge(
    metered: Meter, table: str, rate: float, writing: Writing, *, index: str | None = None
) -> None:
    spent = metered.ledger.consumed(table, index, kind="write")
    assert most_in(MINUTE, spent) <= MOST * MINUTE * rate
    assert most_in(1.0, spent) <= 4 * rate, "it comes in bursts"
    last = spent[-1][0]
    assert last - writing.began >= 1.5 * MINUTE
    assert least_in(MINUTE, spent, writing.began, last) >= LEAST * MINUTE * rate


@pytest.mark.parametrize(
    ("rate", "size", "count"),
    [(5.0, 300, 600), (5.0, 1500, 300), (40.0, 300, 4400)],
    ids=["5 units", "items of two units", "40 units"],
)
def test_a_minute_of_writing_costs_the_budget(
    engine: Engine, tables: Tables, rate: float, size: int, count: int
) -> None:
    table, clock = tables.create(), Clock()
    with metered_by(engine, clock) as metered:
        writing = Writing(metered, clock, table, own(clock, rate))
        items = writing.run(lambda n: {"id": {"S": f"{n}"}, "t": {"S": "x" * size}}, count=count)
    assert items == count
    judge(metered, table, rate, writing)


def test_items_that_replace_larger_ones_do_not_come_in_bursts(
    engine: Engine, tables: Tables
) -> None:
    """What a write costs is known when it is done: the larger of the two items counts."""
    table = tables.create([{"id": {"S": f"{n}"}, "t": {"S": "x" * 4000}} for n in range(200)])
    clock = Clock()
    with metered_by(engine, clock) as metered:
        writing = Writing(metered, clock, table, own(clock, 5.0))
        assert writing.run(lambda n: {"id": {"S": f"{n}"}}, count=150) == 150
    judge(metered, table, 5.0, writing)


def test_a_global_index_has_a_budget_of_its_own_and_a_local_one_its_tables(
    engine: Engine, tables: Tables
) -> None:
    """Trap 10: the index is what is scarce here, though each write costs the table more."""
    more = indexed("id", "at", "g", "l", Global=GLOBAL, Local=LOCAL)
    table, clock = tables.create(key=SORTED, **more), Clock()

    def item(number: int) -> Item:
        return {
            "id": {"S": f"k{number % 7}"},
            "at": {"S": f"{number:05}"},
            "l": {"S": "x"},
            "g": {"S": "y"},
        }

    with metered_by(engine, clock) as metered:
        writing = Writing(metered, clock, table, own(clock, 100.0, g_all=5.0))
        assert writing.run(item, count=550) == 550
    judge(metered, table, 5.0, writing, index="g_all")
    table_units = metered.ledger.total(table, kind="write")
    assert table_units == 2 * metered.ledger.total(table, "g_all", kind="write")
    assert writing.progress.units == table_units * 1.5


def test_the_units_of_a_local_index_count_against_the_tables_budget(
    engine: Engine, tables: Tables
) -> None:
    more = indexed("id", "at", "l", Local=LOCAL)
    table, clock = tables.create(key=SORTED, **more), Clock()
    with metered_by(engine, clock) as metered:
        writing = Writing(metered, clock, table, own(clock, 6.0))
        writing.run(
            lambda n: {"id": {"S": "k"}, "at": {"S": f"{n:05}"}, "l": {"S": "x"}}, count=330
        )
    judge(metered, table, 6.0, writing)


def test_a_table_that_takes_less_is_written_to_the_end_at_its_own_pace(
    engine: Engine, tables: Tables, pauses: Callable[[Any], None]
) -> None:
    """Trap 1: what comes back unprocessed is written before the flush returns."""
    table, clock = tables.create(), Clock()
    pauses(clock)
    with metered_by(engine, clock) as metered:
        metered.ledger.limit(table, write=10.0, burst_seconds=2.0)
        budgets = own(clock, 60.0)
        writing = Writing(metered, clock, table, budgets)
        assert writing.run(lambda n: {"id": {"S": f"{n}"}}, count=600) == 600
        assert len(tables.items(table)) == 600
        lowered = budgets.table.rate or 0.0
        assert lowered < 40.0
        # The pauses of several workers, which go on side by side, add up on this clock.
        assert clock.now - writing.began <= 600 / 10.0 * 4
        assert budgets.throttles > 0
        assert budgets.hot_throttles == 0
        clock.now += 5 * MINUTE
        assert budgets.table.rate == 60.0


def test_a_hot_key_holds_up_its_own_items_and_lowers_no_rate(
    engine: Engine, tables: Tables, pauses: Callable[[Any], None]
) -> None:
    """Trap 17."""
    table, clock = tables.create(key=SORTED), Clock()
    pauses(clock)
    with metered_by(engine, clock) as metered:
        metered.ledger.hot(table, "hot", 3.0)
        budgets = own(clock, 60.0)
        writing = Writing(metered, clock, table, budgets)

        rates: set[float | None] = set()

        def item(number: int) -> Item:
            key = "hot" if number % 8 == 0 else f"k{number}"
            return {"id": {"S": key}, "at": {"S": f"{number:05}"}}

        def watched(number: int) -> Item:
            rates.add(budgets.table.rate)
            return item(number)

        assert writing.run(watched, count=1000) == 1000
    assert len(tables.items(table)) == 1000
    assert rates == {60.0}
    assert budgets.hot_throttles > 0


def test_an_index_at_its_limit_lowers_its_own_rate_and_not_the_tables(
    engine: Engine, tables: Tables, pauses: Callable[[Any], None]
) -> None:
    table, clock = tables.create(key=SORTED, **indexed("id", "at", "g", Global=GLOBAL)), Clock()
    pauses(clock)
    with metered_by(engine, clock) as metered:
        metered.ledger.limit(table, write=5.0, index="g_all", burst_seconds=2.0)
        budgets = own(clock, 60.0, g_all=60.0)
        writing = Writing(metered, clock, table, budgets)

        def item(number: int) -> Item:
            return {"id": {"S": f"k{number}"}, "at": {"S": "a"}, "g": {"S": f"{number % 9}"}}

        assert writing.run(item, count=600) == 600
    assert (budgets.indexes["g_all"].rate or 0.0) < 30.0
    assert budgets.table.rate == 60.0
    assert budgets.hot_throttles == 0
