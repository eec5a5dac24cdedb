"""How fast a table is read, by its settings and by what it has, now and later."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core import lookups, tables
from dynamodb_core.capacity import Budget
from dynamodb_core.errors import AccessError, ConfigError
from dynamodb_core.settings import AwsSettings
from tap_dynamodb.pace import read_pace
from tap_dynamodb.settings import Settings
from tap_dynamodb.sources import Source
from tests.engines.scanned import Account, ScannedTable
from tests.engines.scripted import Clock
from tests.engines.tap import sync

if TYPE_CHECKING:
    from dynamodb_core.lookups import Lookups
    from dynamodb_core.pace import ReadPace

LOG = logging.getLogger("orders")
CONFIG = {"tables": ["orders"], "item_format": "dynamodb_json", "segments": 4, "scan_workers": 1}


def provisioned(read: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": 1}}


def described(read: int, index: int = 0) -> dict[str, Any]:
    """Return what DescribeTable says of a provisioned table with a global index."""
    return {
        "BillingModeSummary": {"BillingMode": "PROVISIONED"},
        **provisioned(read),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_id",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                **provisioned(index),
            }
        ],
    }


def account(more: dict[str, Any], **keywords: Any) -> Account:
    return Account({"orders": ScannedTable([{"id": {"S": "a"}}], more=more)}, **keywords)


def pace(here: Account, *, share: float = 1.0, **settings: Any) -> ReadPace:
    source = Source("orders", tables.describe(here.wire, "orders"))
    return read_pace(
        here.wire, source, replace(Settings(aws=AwsSettings()), **settings), share=share
    )


@pytest.mark.parametrize(
    ("settings", "rate"),
    [
        ({}, 50.0),
        ({"read_capacity": 7}, 7.0),
        ({"read_capacity_percent": 20}, 20.0),
        ({"read_capacity_percent": 20, "index": "by_id"}, 2.0),
        ({"index": "by_id"}, 5.0),
    ],
)
def test_the_rate_is_of_what_is_read(settings: dict[str, Any], rate: float) -> None:
    here = account(described(100, index=10))
    assert pace(here, **settings).rate()[0] == rate
    assert here.calls("DescribeLimits") == []


@pytest.mark.parametrize(
    ("settings", "rate"),
    [({}, 12.5), ({"read_capacity_percent": 20}, 5.0), ({"read_capacity": 7}, 7.0)],
)
def test_machines_that_share_a_scan_share_what_the_table_has(
    settings: dict[str, Any], rate: float
) -> None:
    """Units that are given are a machine's own."""
    said, reason = pace(account(described(100)), share=0.25, **settings).rate()
    assert said == rate
    assert ("this range's share of" in reason) is ("read_capacity" not in settings)


# The account's limit


def test_percent_of_a_table_on_demand_is_of_the_accounts_limit() -> None:
    here = account({})
    rate, reason = pace(here, read_capacity_percent=10).rate()
    assert rate == 4_000.0
    assert reason == "10% of the account's limit for a table, 40,000 read units a second"
    assert len(here.calls("DescribeLimits")) == 1


def test_a_limit_that_may_not_be_looked_up_is_an_error_with_a_way_out() -> None:
    here = account({}, denied={("DescribeLimits", ""): AccessError("DescribeLimits is refused")})
    config = {**CONFIG, "read_capacity_percent": 10}
    with pytest.raises(AccessError) as caught:
        sync(here.wire, config)
    assert str(caught.value) == (
        "DescribeLimits is refused. Allow dynamodb:DescribeLimits, or give read_capacity in units a "
        "second, which needs no look at the account's limits."
    )
    assert here.calls("Scan") == []


def test_an_engine_without_limits_is_an_error_with_a_way_out() -> None:
    here = account({})
    here.limits = {}
    with pytest.raises(ConfigError, match=r"read_capacity_percent has no meaning\. Give read_cap"):
        pace(here, read_capacity_percent=10).rate()


# Looked up again


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock for looks, which are made in this thread."""
    clock = Clock(now=0.0)

    def at_once(look: Any, what: str) -> Lookups:
        def start(function: Any, *, workers: int, name: str) -> list[Any]:
            assert (workers, name) == (1, "look-up")
            function()
            return []

        return lookups.Lookups(look, what, clock=clock, start=start)

    monkeypatch.setattr("dynamodb_core.pace.Lookups", at_once)
    return clock


def test_a_budget_follows_its_table_and_the_log_says_so(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Trap 10: people change capacity by hand while a run goes on."""
    caplog.set_level(logging.INFO)
    here = account(described(100))
    its = pace(here, read_capacity_percent=50, share=0.5)
    budget = Budget(its.rate()[0])
    look = its.lookups(budget, LOG)
    rates = []
    for read in (100, 400, 400, 40):
        here.tables["orders"].more = described(read)
        clock.now += lookups.EVERY_SECONDS
        look()
        rates.append(budget.rate)
    assert rates == [25.0, 100.0, 100.0, 10.0]
    said = [each.getMessage() for each in caplog.records]
    words = "The read capacity of table orders has changed: at most {} units/s from now on ({})"
    because = "this range's share of {}, 50% of the table's provisioned {} read units a second"
    assert said == [
        words.format(100, because.format(200, 400)),
        words.format(10, because.format(20, 40)),
    ]


def test_units_that_are_given_need_no_second_look(clock: Clock) -> None:
    here = account(described(100))
    its = pace(here, read_capacity=7)
    look = its.lookups(Budget(7.0), LOG)
    clock.now += lookups.EVERY_SECONDS
    look()
    assert len(here.calls("DescribeTable")) == 1


def test_a_run_looks_while_it_reads_and_its_progress_says_what_it_may(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [{"id": {"S": f"i{number}"}} for number in range(20)]
    here = Account({"orders": ScannedTable(items, page=1, more=described(1000))})

    def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "Scan":
            clock.now += lookups.EVERY_SECONDS / 5
        if len(here.calls("Scan")) == 10:
            here.tables["orders"].more = described(2000)

    here.before = before
    output = sync(here.wire, CONFIG)
    assert len(output.records()) == 20
    assert "at most 500 units/s (half of the table's provisioned 1,000" in output.log
    assert "has changed: at most 1,000 units/s from now on (half of the table's" in output.log
    assert 3 <= len(here.calls("DescribeTable")) <= 8
