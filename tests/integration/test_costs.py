"""What a run may cost: known before its first paid call where it can be, and never overdrawn.

The engine counts 200 bytes for every item, whatever its size; the meter in front of it charges by the
items as they are. So an estimate can be right, or far too low, as it is on a table that has grown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.prices import CostExceeded
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tests.engines import meter, pipeline
from tests.engines.recorded import RecordedWire
from tests.engines.tap import make, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.meter import Meter
    from tests.engines.tables import Tables

A_UNIT = {"read_per_million": 1_000_000, "write_per_million": 1_000_000}
"""Prices by which a unit costs 1."""
ITEMS = [{"id": {"S": f"{n:04}"}, "text": {"S": "x" * 1000}} for n in range(400)]
BELIEVED = len(ITEMS) * 200 / 8192
CHARGED = len(ITEMS) * 1010 / 8192
PAID = {"Scan", "Query"}


@pytest.fixture
def metered(engine: Engine) -> Iterator[Meter]:
    with meter.running(engine) as running:
        yield running


def config(table: str, max_cost: float | str, **more: Any) -> dict[str, Any]:
    return {
        "tables": [table],
        "max_cost": max_cost,
        "prices": A_UNIT,
        "read_capacity": 25,  # which makes pages small
        "segments": 2,
        **more,
    }


@pytest.mark.parametrize("item_format", ["plain", "packed"])
@pytest.mark.parametrize("with_catalog", [False, True])
def test_a_run_that_would_cost_more_than_it_may_pays_for_nothing(
    metered: Meter, tables: Tables, *, item_format: str, with_catalog: bool
) -> None:
    table = tables.create(ITEMS)
    settings = config(table, BELIEVED * 0.9, item_format=item_format)
    catalog = None
    if with_catalog:
        generous = config(table, 10_000, item_format=item_format)
        catalog = discovered(metered, generous)
        metered.forget()
    output = sync(RecordedWire(metered.engine), settings, catalog=catalog, fails=CostExceeded)
    assert not PAID & {call.operation for call in metered.calls}
    assert output.messages == []


def discovered(metered: Meter, settings: dict[str, Any]) -> dict[str, Any]:
    catalog: dict[str, Any] = make(RecordedWire(metered.engine), settings).catalog_dict
    return catalog


def test_an_affordable_run_says_what_it_will_cost(metered: Meter, tables: Tables) -> None:
    table = tables.create(ITEMS)
    output = sync(RecordedWire(metered.engine), config(table, "10000"))
    assert len(output.records()) == len(ITEMS)
    assert f"Reading {table} (0.1 MB, {BELIEVED:.2f}) will cost about {BELIEVED:.2f}" in output.log


@pytest.mark.parametrize("processes", [1, 2])
def test_a_table_larger_than_believed_is_read_until_the_money_is_spent(
    metered: Meter, tables: Tables, processes: int
) -> None:
    table = tables.create(ITEMS)
    most = CHARGED * 0.6
    settings = config(table, most, item_format="packed", processes=processes, scan_workers=2)
    wire = BotoWire(AwsSettings.from_config(metered.engine.config()))
    output = sync(wire, settings, fails=CostExceeded)
    first = output.records()
    assert CHARGED * 0.2 < metered.ledger.total(table) <= most
    assert 0 < len(first) < len(ITEMS)

    rest = sync(wire, {**settings, "max_cost": 10_000}, state=output.state)
    assert {r["id"] for r in (*first, *rest.records())} == {item["id"]["S"] for item in ITEMS}
    assert len(rest.records()) < len(ITEMS)


def test_a_resumed_run_is_estimated_by_what_is_left(metered: Meter, tables: Tables) -> None:
    table = tables.create(ITEMS)
    settings = config(table, CHARGED * 0.8, item_format="packed", scan_workers=1, segments=5)
    output = sync(RecordedWire(metered.engine), settings, fails=CostExceeded)
    less = {**settings, "max_cost": BELIEVED * 0.9}
    sync(RecordedWire(metered.engine), less, fails=CostExceeded)
    catalog = discovered(metered, settings)
    resumed = sync(
        RecordedWire(metered.engine),
        less,
        catalog=catalog,
        state=output.state,
        fails=CostExceeded,  # the engine believes the rest to be smaller than it is
    )
    assert "will cost about" in resumed.log


def test_provisioned_capacity_costs_nothing_more(metered: Meter, tables: Tables) -> None:
    provisioned: dict[str, Any] = {
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    }
    table = tables.create(ITEMS, **provisioned)
    output = sync(RecordedWire(metered.engine), config(table, 0.001))
    assert len(output.records()) == len(ITEMS)
    assert f"{table} (0.1 MB, 0.00)" in output.log


def test_the_command_ends_with_one_line_and_exit_code_1(
    metered: Meter, tables: Tables, tmp_path: Path
) -> None:
    table = tables.create(ITEMS)
    settings = {**metered.engine.config(), **config(table, 0.5)}
    ended = pipeline.run(pipeline.command("tap_dynamodb", settings, tmp_path))
    assert ended.code == 1
    assert ended.out == ""
    (line,) = ended.errors
    assert "would cost about" in line
    assert "max_cost is 0.50" in line
    assert "nothing was paid for yet" in line
