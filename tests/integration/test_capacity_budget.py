"""A budget is held, and the judge is a meter in front of the engine, not our own count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engines import meter, pipeline
from tests.engines.recorded import RecordedWire
from tests.engines.tap import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.meter import Meter
    from tests.engines.tables import Tables

RATE = 10
ITEMS = [{"id": {"S": f"{n:04}"}, "text": {"S": "x" * 1000}} for n in range(500)]
A_SECOND_AT_MOST = 4 * RATE
"""A second's units, one second saved up, and a page of half a second for each of two workers, whose
requests may arrive together on a busy machine. A page of 1 MB would cost more."""


@pytest.fixture
def metered(engine: Engine) -> Iterator[Meter]:
    with meter.running(engine) as running:
        yield running


@pytest.mark.parametrize(("segments", "workers"), [(1, 1), (2, 2)])
def test_a_small_read_budget_does_not_come_in_bursts(
    metered: Meter, tables: Tables, segments: int, workers: int
) -> None:
    table = tables.create(ITEMS)
    config = {
        "tables": [table],
        "item_format": "packed",
        "read_capacity": RATE,
        "segments": segments,
        "scan_workers": workers,
    }
    output = sync(RecordedWire(metered.engine), config)
    assert len(output.records()) == len(ITEMS)
    assert metered.ledger.total(table) >= len(ITEMS) * 1000 / 8192
    assert metered.ledger.most_in(1.0, table) <= A_SECOND_AT_MOST


def test_processes_share_one_read_budget(metered: Meter, tables: Tables, tmp_path: Path) -> None:
    """Two that had the budget each would be twice as fast."""
    rate = 16
    table = tables.create(ITEMS)
    config = pipeline.tap_config(
        metered.engine,
        [table],
        item_format="packed",
        read_capacity=rate,
        consistent_read=True,  # at twice the units
        segments=4,
        scan_workers=4,
        processes=2,
    )
    tap = pipeline.run(pipeline.command("tap_dynamodb", config, tmp_path))
    assert tap.code == 0, tap.err
    assert "by 4 workers in 2 processes" in tap.err
    assert sum(message["type"] == "RECORD" for message in tap.messages()) == len(ITEMS)
    spent = metered.ledger.consumed(table)
    # A second's units may have been saved up, and those of the last call of each worker are owed.
    debts = 4 * (rate * 0.5 + 1)
    seconds = spent[-1][0] - spent[0][0]
    assert metered.ledger.total(table) <= rate * (seconds + 1) + debts


def test_a_small_write_budget_does_not_come_in_bursts(
    metered: Meter, engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    source = tables.create(ITEMS[:50])
    copy = tables.create(label="copy")
    tap = pipeline.run(
        pipeline.command("tap_dynamodb", pipeline.tap_config(engine, [source]), tmp_path)
    )
    config = pipeline.target_config(metered.engine, table_name=copy, write_capacity=RATE)
    loaded = pipeline.run(pipeline.command("target_dynamodb", config, tmp_path), tap.out)
    assert loaded.code == 0, loaded.err
    assert metered.ledger.total(copy) >= 50
    assert metered.ledger.most_in(1.0, copy, kind="write") <= A_SECOND_AT_MOST
