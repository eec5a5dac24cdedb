"""What each road takes: held against figures that were worked out by hand, and against real items."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.prices import Prices
from dynamodb_core.table import Table
from dynamodb_tools import following as followed
from dynamodb_tools import plan_report
from dynamodb_tools.estimates import (
    Given,
    Rate,
    Sample,
    Span,
    json_bytes,
    new_copy_rate,
    new_index_rates,
    write_units,
)
from dynamodb_tools.following import SAFE_SECONDS, following
from dynamodb_tools.roads import Road, read_roads, write_roads

MILLION = 1_000_000
HOUR = 3600.0
EASY = Prices(1.0, 10.0, "", 0.5, 2.0)
"""Prices to reckon with by head: a million read units cost 1, a million write units 10."""


def index(
    name: str = "by_date", items: int = MILLION, size: int = 1, **more: Any
) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ItemCount": items,
        "IndexSizeBytes": size,
        **more,
    }


def described(
    items: int = MILLION, size: int = 819_200_000, *, on_demand: bool = True, **more: Any
) -> Table:
    return Table.from_description(
        {
            "TableName": "orders",
            "TableArn": "arn:aws:dynamodb:eu-west-1:1:table/orders",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "ItemCount": items,
            "TableSizeBytes": size,
            **({"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}} if on_demand else {}),
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            **more,
        }
    )


def known(table: Table | None = None, **more: Any) -> Given:
    given = Given(
        table or described(),
        read=Rate(100.0, "as it is"),
        write=Rate(1000.0, "as it is"),
        prices=EASY,
        write_indexes={},
        recoverable=True,
    )
    return replace(given, **more)


def reading(given: Given) -> tuple[Road, Road, Road]:
    eventually, consistent, export = read_roads(given)
    return eventually, consistent, export


def writing(given: Given) -> tuple[Road, Road, Road]:
    batches, imported, bulk = write_roads(given)
    return batches, imported, bulk


# Reading


def test_a_scan_reads_8_kb_a_unit_and_4_kb_strongly_consistent() -> None:
    eventually, consistent, _ = reading(known())
    assert eventually.units == pytest.approx((100_000, 100_000))  # 819.2 MB by 8,192 bytes
    assert consistent.units == pytest.approx((200_000, 200_000))
    assert eventually.cost == pytest.approx((0.1, 0.1))
    assert consistent.cost == pytest.approx((0.2, 0.2))
    assert eventually.seconds == pytest.approx((1000, 1000))
    assert consistent.seconds == pytest.approx((2000, 2000))


def test_provisioned_capacity_costs_nothing_more() -> None:
    given = known(described(on_demand=False))
    assert reading(given)[0].cost == pytest.approx((0, 0))
    assert writing(given)[0].cost == pytest.approx((0, 0))
    assert "paid anyway" in " ".join(reading(given)[0].remarks)


def test_without_a_rate_the_time_is_not_known() -> None:
    given = known(read=Rate(None, "x"), write=Rate(None, "x"))
    assert reading(given)[0].seconds is None
    assert writing(given)[0].seconds is None


@pytest.mark.parametrize(
    ("recoverable", "is_open", "words"),
    [(True, True, ""), (False, False, "which is off"), (None, False, "is not known")],
)
def test_an_export_wants_recovery_and_is_paid_by_the_gb(
    recoverable: bool | None, is_open: bool, words: str
) -> None:
    local = index("local", size=180_800_000)
    table = described(LocalSecondaryIndexes=[local], GlobalSecondaryIndexes=[index(size=10**9)])
    export = reading(known(table, recoverable=recoverable))[2]
    assert export.cost == pytest.approx((0.5, 0.5))  # a GB of table and local indexes
    assert export.open is is_open
    assert words in " ".join(export.remarks)
    assert (export.units, export.seconds) == (None, None)


# Writing


@pytest.mark.parametrize(
    ("items", "size", "low", "high"),
    [
        (1000, 100_000, 1000, 1097),  # small ones: a unit each, and some may be over 1 KB
        (1000, 10_240_000, 10_000, 11_000),
        (1000, 1_536_000, 1500, 2500),
        (1, 1, 1, 1),
        (1, 1025, 2, 2),
        (0, 0, 0, 0),
        (0, 5000, 5, 5),  # counted at other moments
    ],
)
def test_write_units_lie_between_bounds(items: int, size: int, low: int, high: int) -> None:
    given = known(described(items, size))
    assert write_units(given) == {"": (low, high)}
    assert writing(given)[0].units == (low, high)
    assert writing(given)[0].cost == pytest.approx((low * 1e-5, high * 1e-5))
    assert writing(given)[0].seconds == pytest.approx((low / 1000, high / 1000))


@settings(max_examples=300)
@given(sizes=st.lists(st.integers(1, 400 * 1024) | st.integers(1, 3000), max_size=50))
def test_whatever_the_items_their_units_lie_in_the_bounds(sizes: list[int]) -> None:
    truth = sum(math.ceil(size / 1024) for size in sizes)
    low, high = write_units(known(described(len(sizes), sum(sizes))))[""]
    assert high is not None
    assert low <= truth <= high


def test_a_sample_says_it_closer() -> None:
    sample = Sample(items=200, size=100, write_units=500, json_bytes=60_000, units=3.0)
    given = known(sample=sample)
    assert write_units(given) == {"": (2.5 * MILLION, 2.5 * MILLION)}
    assert json_bytes(given) == (300 * MILLION, 300 * MILLION)
    assert writing(given)[1].cost == pytest.approx((0.6, 0.6))


def test_a_sample_says_it_of_indexes_too() -> None:
    table = described(GlobalSecondaryIndexes=[index("seen"), index("not_seen", 7, 1)])
    sample = Sample(200, 100, 500, 60_000, 3.0, {"seen": 50})
    units = write_units(known(table, sample=sample))
    assert units["seen"] == (MILLION / 4, MILLION / 4)
    assert units["not_seen"] == (7, 7)


def test_a_sample_of_nothing_says_nothing() -> None:
    empty = Sample(0, 0, 0, 0, 0.5)
    assert write_units(known(sample=empty)) == write_units(known())
    assert json_bytes(known(sample=empty)) == (819_200_000, None)


def test_indexes_are_written_too_and_the_slowest_decides() -> None:
    local = index("local", 1000, 1)
    by_date, by_user = index("by_date", 500_000, 1), index("by_user", 10, 1)
    table = described(
        size=1,
        LocalSecondaryIndexes=[local],
        GlobalSecondaryIndexes=[by_date, by_user],
    )
    rates = {"by_date": Rate(100.0, "x"), "by_user": Rate(1.0, "x")}
    given = known(table, write_indexes=rates)
    assert write_units(given) == {
        "by_date": (500_000, 500_000),
        "by_user": (10, 10),
        "": (1_001_000, 1_001_000),
    }
    batches = writing(given)[0]
    assert batches.units == pytest.approx((1_501_010, 1_501_010))
    assert batches.cost == pytest.approx((15.0101, 15.0101))
    assert batches.seconds == pytest.approx((5000, 5000))  # by_date; the table takes 1001
    assert "500,010 are for the global indexes by_date, by_user" in " ".join(batches.remarks)


def test_the_indexes_are_those_of_the_copy_where_it_exists() -> None:
    table = described(size=1, GlobalSecondaryIndexes=[index("here"), index("both")])
    copy = described(GlobalSecondaryIndexes=[index("both", 0, 0), index("there", 0, 0)])
    units = write_units(known(table, copy=copy))
    assert units == {"": (MILLION, MILLION), "both": (MILLION, MILLION), "there": (0, None)}
    assert writing(known(table, copy=copy))[0].units == (2 * MILLION, None)


def test_an_import_makes_a_new_table_without_local_indexes() -> None:
    imported = writing(known())[1]
    assert imported.open
    assert imported.cost == (1.6384, None)
    assert "--sample" in imported.remarks[-1]
    exists = writing(known(copy=described()))[1]
    assert (exists.open, exists.remarks[0]) == (False, "makes a new table, and orders exists")
    local = writing(known(described(LocalSecondaryIndexes=[index("mine")])))[1]
    assert (local.open, local.remarks[0]) == (False, "cannot make local indexes: mine")


def test_a_bulk_put_wants_a_table_of_one_region_and_its_price_is_not_known() -> None:
    assert not writing(known())[2].open
    bulk = writing(known(copy=described()))[2]
    assert (bulk.open, bulk.cost, bulk.units, bulk.seconds) == (True, None, None, None)
    assert "price is not known" in " ".join(bulk.remarks)
    assert "1,000 is too few" in bulk.remarks[-1]
    enough = known(copy=described(), write=Rate(1024.0, "x"))
    assert "too few" not in writing(enough)[2].remarks[-1]
    copy = described(Replicas=[{"RegionName": "us-east-1"}])
    batches, _, bulk = writing(known(copy=copy))
    assert not bulk.open
    assert "is a global table" in batches.remarks[-1]


@pytest.mark.parametrize(
    ("table", "units"),
    [
        (described(), 4000),
        (described(OnDemandThroughput={"MaxWriteRequestUnits": 100}), 100),
        (described(OnDemandThroughput={"MaxWriteRequestUnits": 9000}), 4000),
        (described(OnDemandThroughput={"MaxWriteRequestUnits": -1}), 4000),
        (described(WarmThroughput={"WriteUnitsPerSecond": 40_000}), 4000),
        (described(on_demand=False, ProvisionedThroughput={"WriteCapacityUnits": 25}), 25),
    ],
)
def test_what_a_new_copy_takes(table: Table, units: float) -> None:
    assert new_copy_rate(table).units == units


def test_what_the_indexes_of_a_new_copy_take() -> None:
    given = index("by_date", ProvisionedThroughput={"WriteCapacityUnits": 7})
    table = described(
        on_demand=False, GlobalSecondaryIndexes=[given], LocalSecondaryIndexes=[index()]
    )
    assert {name: rate.units for name, rate in new_index_rates(table).items()} == {"by_date": 7}


# The stream's retention


def judged(given: Given) -> followed.Following:
    return following(given, read_roads(given)[0], write_roads(given)[0])


def lasting(read_hours: float | None, write_hours: float | None, **more: Any) -> Given:
    """Return a table whose copy takes so long to read and to write."""
    read, write = (
        None if hours is None else units / hours / HOUR
        for hours, units in ((read_hours, 100_000), (write_hours, MILLION))
    )
    table = described(size=819_200_000)
    sample = Sample(1, 1, 1, 1, 1.0)  # a unit an item
    given = known(table, read=Rate(read, "x"), write=Rate(write, "x"), sample=sample)
    return replace(given, **more)


@pytest.mark.parametrize(
    ("read", "write", "verdict", "hours"),
    [
        (1, 2, "in time", (2, 2)),
        (19.9, 2, "in time", (19.9, 19.9)),
        (1, 20.1, "perhaps", (20.1, 20.1)),
        (23.9, 23.9, "perhaps", (23.9, 23.9)),
        (24.1, 1, "too late", (24.1, 24.1)),
        (1, 24.1, "too late", (24.1, 24.1)),
        (None, 24.1, "too late", (24.1, None)),
        (None, 21, "perhaps", (21, None)),
        (None, 1, "not known", (1, None)),
        (1, None, "not known", (1, None)),
        (None, None, "not known", None),
    ],
)
def test_the_slower_step_decides(
    read: float | None, write: float | None, verdict: str, hours: tuple[float, float | None] | None
) -> None:
    found = judged(lasting(read, write))
    assert found.verdict == verdict
    unset = {"read_capacity": read is None, "write_capacity": write is None}
    for name, missing in unset.items() if verdict == "not known" else ():
        assert missing == (name in " ".join(found.advice))
    if hours is None:
        assert found.seconds is None
    else:
        assert found.seconds is not None
        assert found.seconds.low == pytest.approx(hours[0] * HOUR)
        assert (found.seconds.high is None) == (hours[1] is None)


def test_bounds_that_straddle_a_day_are_perhaps() -> None:
    given = known(described(MILLION, 1024 * MILLION), write=Rate(MILLION / (15 * HOUR), "x"))
    found = judged(replace(given, read=Rate(1e6, "x")))
    assert found.seconds == pytest.approx((15 * HOUR, 30 * HOUR), rel=1e-3)
    assert found.verdict == "perhaps"


def test_what_to_do_when_it_takes_too_long() -> None:
    advice = " ".join(judged(lasting(48, 30)).advice)
    read, write = math.ceil(100_000 / SAFE_SECONDS), math.ceil(MILLION / SAFE_SECONDS)
    assert f"with read_capacity {read:,} and write_capacity {write:,} it is made in 20 h" in advice
    assert "Or by exports" in advice
    assert "(it is on)" in advice
    assert "Or in turns" in advice
    assert "read_capacity" not in " ".join(judged(lasting(1, 30)).advice)
    assert "write_capacity" not in " ".join(judged(lasting(30, 1)).advice)
    assert "turn it on first" in " ".join(judged(lasting(1, 30, recoverable=False)).advice)
    assert "is not known" in " ".join(judged(lasting(1, 30, recoverable=None)).advice)
    assert judged(lasting(1, 1)).advice == ()


def test_an_index_that_is_too_slow_is_named() -> None:
    table = described(size=1, GlobalSecondaryIndexes=[index("by_date", 720_000, 1)])
    given = known(table, write=Rate(1e6, "x"), write_indexes={"by_date": Rate(1.0, "x")})
    advice = " ".join(judged(given).advice)
    assert "with write_capacity 10 for index by_date it is made" in advice


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (None, "stream is off"),
        ({"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}, "stream is off"),
        ({"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}, "tells KEYS_ONLY"),
        ({"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"}, "tells OLD_IMAGE"),
        ({"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}, ""),
        ({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}, ""),
    ],
)
def test_a_stream_that_tells_too_little_is_named(stream: dict[str, Any] | None, words: str) -> None:
    table = described(StreamSpecification=stream)
    advice = " ".join(judged(known(table, read=Rate(1e6, "x"), write=Rate(1e6, "x"))).advice)
    assert words in advice
    assert bool(words) == bool(advice)


# What is said


def full() -> Given:
    table = described(
        MILLION,
        1_024 * MILLION,
        WarmThroughput={"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000},
        OnDemandThroughput={"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 500},
        TableClassSummary={"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        GlobalSecondaryIndexes=[index("by_date", 10, 2048)],
        Replicas=[{"RegionName": "us-east-1"}],
    )
    return known(table, prices=Prices(), recoverable=None, write_indexes=new_index_rates(table))


def test_the_text_says_all_of_it_in_lines_that_fit() -> None:
    text = plan_report.text(full())
    assert max(map(len, text.splitlines())) <= 100
    flat = " ".join(text.split())
    for words in (
        "Table orders key id (S)",
        "items 1,000,000 of 1,024 bytes on average, 1.02 GB; DynamoDB counts them every six hours",
        "on demand, at most 500 write units/s, warm throughput 12,000 read and 4,000 write units/s",
        "table class STANDARD_INFREQUENT_ACCESS",
        "by_date (global, ALL): 10 items, 0.00 MB",
        "stream NEW_IMAGE, kept for 24 hours",
        "point-in-time recovery is not known",
        "replicas us-east-1",
        "scan, eventually consistent 125,000 0.016 20 min 50 s",
        "scan, strongly consistent 250,000 0.031 41 min 40 s",
        "export to S3 (not now) none 0.10 not known",
        "batches 1,000,010 to 2,000,012",
        "import from S3 none 0.15 or more not known",
        "bulk put from S3 (not now) none not known not known",
        "prices of us-east-1 on 2024-11-01, US dollars",
    ):
        assert words in flat, words


def test_no_items_are_said_to_be_none() -> None:
    text = plan_report.text(known(described(0, 0)))
    assert "nothing is counted yet" in text


def test_the_json_is_of_plain_values() -> None:
    sample = Sample(2, 100, 4, 60, 3.0)
    given = replace(full(), sample=sample, copy=described(), recoverable=True)
    said = json.loads(json.dumps(plan_report.as_json(given)))
    assert said["sample"]["write_units"] == 4
    assert said["copy"] == "orders"
    assert said["on_demand_maximum"] == {"write": 500}
    roads = {road["name"]: road for road in said["roads"]}
    assert roads["export to S3"]["cost"] == pytest.approx([0.1024, 0.1024])
    assert roads["batches"]["step"] == "write"
    assert roads["import from S3"]["open"] is False
    assert said["following"]["retention_seconds"] == 86_400
    assert said["prices"]["import_per_gb"] == 0.15


def test_a_span_adds_up() -> None:
    assert Span(1, 2).plus(Span(3, 4)) == (4, 6)
    assert Span(1, None).plus(Span(3, 4)) == (4, None)
    assert Span(1, None).times(2) == (2, None)
