"""How fast a table and its indexes are written to, now and later."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from dynamodb_core import lookups
from dynamodb_core.errors import AccessError, ConfigError
from dynamodb_core.progress import Progress
from dynamodb_core.throttling import Throttle
from target_dynamodb.destinations import Destinations
from target_dynamodb.keys import Stream
from target_dynamodb.settings import CONFIG_SCHEMA, Settings
from tests.engines.scripted import Clock, ScriptedWire

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
STREAM = Stream("orders", ("id",), {"id": {"type": "string"}})
LIMITS = {"TableMaxReadCapacityUnits": 1, "TableMaxWriteCapacityUnits": 30_000}


def units(write: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": write}}


def described(write: int, **indexes: int) -> dict[str, Any]:
    """Return what DescribeTable says of a table with global indexes; 0 is on demand."""
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    return {
        "TableName": "orders",
        "TableArn": ARN,
        "TableStatus": "ACTIVE",
        "KeySchema": schema,
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingModeSummary": {"BillingMode": "PROVISIONED" if write else "PAY_PER_REQUEST"},
        **units(write),
        "GlobalSecondaryIndexes": [
            {"IndexName": name, "KeySchema": schema, **units(of_index)}
            for name, of_index in indexes.items()
        ],
        "LocalSecondaryIndexes": [{"IndexName": "local", "KeySchema": schema}],
    }


class Service:
    """Describes one table, as it is at the moment, and the account's limits."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description
        self.limits: Any = LIMITS

    def __call__(self, operation: str, request: dict[str, Any]) -> Any:
        if operation == "DescribeLimits":
            return self.limits
        assert operation == "DescribeTable"
        return {"Table": self.description}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock for looks, which are made in this thread."""
    clock = Clock(now=0.0)

    def at_once(look: Any, what: str) -> lookups.Lookups:
        def start(function: Any, *, workers: int, name: str) -> list[Any]:
            assert (workers, name) == (1, "look-up")
            function()
            return []

        return lookups.Lookups(look, what, clock=clock, start=start)

    monkeypatch.setattr("dynamodb_core.pace.Lookups", at_once)
    return clock


class Run:
    """Destinations over a scripted service, with the table opened."""

    def __init__(self, service: Service, **settings: Any) -> None:
        self.wire = ScriptedWire(service)
        self.progress = Progress("Written")
        self.destinations = Destinations(
            Settings(**settings), self.wire, progress=self.progress, log=logging.getLogger("test")
        )
        self.destinations.open(STREAM)
        self.budgets = self.destinations.budgets()["orders"]

    @property
    def ceilings(self) -> tuple[float | None, dict[str, float | None]]:
        indexes = {name: budget.ceiling for name, budget in self.budgets.indexes.items()}
        return self.budgets.table.ceiling, indexes


@pytest.mark.parametrize(
    ("description", "settings", "ceilings"),
    [
        (described(100, g=10, h=400), {}, (50.0, {"g": 5.0, "h": 200.0})),
        (
            described(100, g=10, h=400),
            {"write_capacity_percent": 10},
            (10.0, {"g": 1.0, "h": 40.0}),
        ),
        (described(100, g=10, h=400), {"write_capacity": 60}, (60.0, {"g": 10.0, "h": 60.0})),
        (described(0, g=0), {}, (None, {"g": None})),
        (described(0, g=0), {"write_capacity_percent": 1}, (300.0, {"g": 300.0})),
    ],
)
def test_a_table_and_each_global_index_have_a_budget_each(
    description: dict[str, Any],
    settings: dict[str, Any],
    ceilings: tuple[float | None, dict[str, float | None]],
) -> None:
    assert Run(Service(description), **settings).ceilings == ceilings


def test_the_log_says_what_they_are_and_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Run(Service(described(100, g=10)), write_capacity=60)
    assert "Write capacity of table orders is 60 units a second (as write_capacity" in caplog.text
    assert (
        "Write capacity of index g of table orders is 10 units a second (all of the index's "
        "provisioned 10 write units a second)"
    ) in caplog.text


def test_units_and_percent_contradict_each_other() -> None:
    config = {"write_capacity": 5, "write_capacity_percent": 5}
    with pytest.raises(ConfigError, match="write_capacity and write_capacity_percent are both set"):
        Settings.from_config(config)
    assert Settings.from_config({**config, "write_capacity": None}).write_capacity_percent == 5
    known = CONFIG_SCHEMA["properties"]["write_capacity_percent"]
    assert (known["minimum"], known["maximum"]) == (1, 100)


def test_a_limit_that_may_not_be_looked_up_is_an_error_with_a_way_out() -> None:
    service = Service(described(0))
    service.limits = AccessError("DescribeLimits is refused")
    with pytest.raises(AccessError, match="Allow dynamodb:DescribeLimits, or give write_capacity"):
        Run(service, write_capacity_percent=10)


def test_budgets_follow_their_table_and_the_log_says_so(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Trap 10: people change capacity by hand while a run goes on."""
    service = Service(described(100, g=10))
    run = Run(service)
    caplog.set_level(logging.INFO)
    service.description = described(100, g=40)
    run.destinations.look_at_capacity()
    assert run.ceilings == (50.0, {"g": 5.0})
    clock.now += lookups.EVERY_SECONDS
    run.destinations.look_at_capacity()
    assert run.ceilings == (50.0, {"g": 20.0})
    service.description = described(20)
    clock.now += lookups.EVERY_SECONDS
    run.destinations.look_at_capacity()
    assert run.ceilings == (10.0, {"g": 20.0}), "an index that was dropped asks for nothing"
    words = (
        "Write capacity of {} has changed: {} units a second (half of the {} write units a second)"
    )
    assert [each.getMessage() for each in caplog.records] == [
        words.format("index g of table orders", 20, "index's provisioned 40"),
        words.format("table orders", 10, "table's provisioned 20"),
    ]


def test_units_that_are_given_are_held_against_what_an_index_has_later(clock: Clock) -> None:
    service = Service(described(100, g=10))
    run = Run(service, write_capacity=60)
    service.description = described(100, g=30)
    clock.now += lookups.EVERY_SECONDS
    run.destinations.look_at_capacity()
    assert run.ceilings == (60.0, {"g": 30.0})


def test_units_that_are_given_for_a_table_without_indexes_need_no_second_look(clock: Clock) -> None:
    run = Run(Service(described(100)), write_capacity=60)
    clock.now += lookups.EVERY_SECONDS
    run.destinations.look_at_capacity()
    assert run.wire.operations() == ["DescribeTable"]


def test_throttles_reach_the_budget_that_they_are_about_and_the_progress() -> None:
    run = Run(Service(described(1000, g=1000)))
    run.wire.throttle(
        "orders", Throttle("IndexWriteProvisionedThroughputExceeded", f"{ARN}/index/g")
    )
    run.wire.throttle("orders", Throttle("TableWriteKeyRangeThroughputExceeded", ARN))
    run.wire.throttle("other", Throttle("TableWriteProvisionedThroughputExceeded", ARN))
    assert run.budgets.table.rate == 500.0
    assert (run.budgets.indexes["g"].rate or 0.0) < 500.0
    line = run.progress.line()
    assert "index g of orders lowered from 500 to " in line
    assert line.endswith("2 throttled (1 at a hot key range)")


def test_what_the_writer_consumes_is_billed_to_the_table_and_to_each_index() -> None:
    consumed = {
        "TableName": "orders",
        "CapacityUnits": 60.0,
        "Table": {"CapacityUnits": 10.0},
        "LocalSecondaryIndexes": {"local": {"CapacityUnits": 20.0}},
        "GlobalSecondaryIndexes": {"g": {"CapacityUnits": 30.0}},
    }
    service = Service(described(100, g=100))
    run = Run(service)

    def answer(operation: str, request: dict[str, Any]) -> Any:
        assert request["ReturnConsumedCapacity"] == "INDEXES"
        return {"ConsumedCapacity": [consumed]}

    run.wire._answer = answer
    writer = run.destinations.open(STREAM).writer
    writer.put("a", orjson.dumps({"id": {"S": "a"}}))
    writer.flush()
    writer.close()
    assert run.progress.units == 60.0
    assert run.budgets.rate == pytest.approx(50.0 / 30.0), (
        "30 units of each for one of the write's own"
    )
