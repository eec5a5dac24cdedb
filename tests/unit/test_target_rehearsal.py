"""What a dry run says of items, and of the whole load."""

from __future__ import annotations

import logging

import orjson
import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.prices import Prices
from dynamodb_core.progress import Progress
from dynamodb_core.table import Key, Table
from target_dynamodb.rehearsal import SHOWN, Refusals, Rehearsal

TABLE = Table("people", "", "", Key(("id", "n"), ("S", "N")))
log = logging.getLogger("test-rehearsal")


def test_an_item_is_counted_with_the_units_that_it_costs() -> None:
    progress = Progress("Dry run")
    rehearsal = Rehearsal(TABLE, progress)
    for size in (10, 1024, 3000):
        item = {"id": {"S": "a"}, "n": {"N": "1"}, "pad": {"S": "x" * (size - 9)}}
        rehearsal.put((), orjson.dumps(item))
    rehearsal.delete((), b'{"id":{"S":"a"},"n":{"N":"1"}}')
    rehearsal.flush()
    rehearsal.close()
    assert (progress.items, progress.units) == (4, 1 + 1 + 3 + 1)


def test_an_item_that_dynamodb_would_refuse_is_named_by_its_key() -> None:
    item = {"id": {"S": "ann"}, "n": {"N": "7"}, "pad": {"S": "x" * 500_000}}
    with pytest.raises(DataError, match="key ann/7 for table people: it is 500,"):
        Rehearsal(TABLE, Progress("Dry run")).put((), orjson.dumps(item))


def test_the_first_refusals_are_named_and_all_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals(log)
    for number in range(SHOWN + 5):
        refusals.add(DataError(f"record {number}"))
    assert refusals.count == SHOWN + 5
    assert len(caplog.messages) == SHOWN + 1
    assert f"record {SHOWN - 1}" in caplog.messages[SHOWN - 1]
    with pytest.raises(DataError, match="25 records would be refused"):
        refusals.conclude(Progress("Dry run"), Prices())


def test_a_load_without_refusals_ends_well_and_says_its_price(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress("Dry run")
    progress.add(items=1_000_000, units=2_000_000)
    Refusals(log).conclude(progress, Prices(write_per_million=1.5, dated=""))
    assert (
        "1,000,000 items would cost at least 2,000,000 write units, 3.00 on demand" in caplog.text
    )
