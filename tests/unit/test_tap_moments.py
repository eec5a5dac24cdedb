from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.expressions import Range
from tap_dynamodb import moments
from tap_dynamodb.moments import ForeignOffset, Moment

NOON = 1795262400 * 10**9
"""2026-11-21T12:00:00Z"""
DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("text", "after_noon", "form"),
    [
        ("2026-11-21", -DAY // 2, "date"),
        ("2026-11-21T12:00:00Z", 0, "T"),
        ("2026-11-21T12:00:00", 0, "T"),
        ("2026-11-21T12:00Z", 0, "T"),
        ("2026-11-21T12:00", 0, "T"),
        ("2026-11-21T12:00:00+00:00", 0, "T"),
        ("2026-11-21T12:00:00-00:00", 0, "T"),
        ("2026-11-21T12:00:00+0000", 0, "T"),
        ("2026-11-21T12:00:00.5Z", 500_000_000, "T"),
        ("2026-11-21T12:00:00.000000001Z", 1, "T"),
        ("2026-11-21T12:00:00.0000000019Z", 1, "T"),
        ("2026-11-21T12:00:00.123456+00:00", 123_456_000, "T"),
        ("2026-11-21 12:00:00", 0, "blank"),
        ("2026-11-21 12:00:01.25", 1_250_000_000, "blank"),
        ("2026-11-21 12:00:00+00", 0, "blank"),
        ("1969-12-31T23:59:59.5Z", -NOON - 500_000_000, "T"),
    ],
)
def test_moments_in_texts(text: str, after_noon: int, form: str) -> None:
    assert moments.moment("S", text) == Moment(NOON + after_noon, form)


@pytest.mark.parametrize(
    ("text", "nanoseconds", "form"),
    [
        ("1795262400", NOON, "s"),
        ("1795262400.5", NOON + 500_000_000, "s"),
        ("1.7952624E+9", NOON, "s"),
        ("1795262400000", NOON, "ms"),
        ("1795262400000.0000019", NOON + 1, "ms"),
        ("1795262400000001", NOON + 1_000, "us"),
        ("1795262400000000001", NOON + 1, "ns"),
        ("100000000", 10**17, "s"),
        ("99999999999.999", 99999999999_999000000, "s"),
        ("100000000000", 10**17, "ms"),
        ("100000000000000", 10**17, "us"),
        ("100000000000000000", 10**17, "ns"),
        ("99999999999999999999", 10**20 - 1, "ns"),
    ],
)
def test_moments_in_numbers(text: str, nanoseconds: int, form: str) -> None:
    assert moments.moment("N", text) == Moment(nanoseconds, form)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("N", text) for text in ("0", "7", "-1795262400", "99999999", "1E+20", "1E-130")),
        *(("N", text) for text in ("20261121", "NaN", "Infinity", "-Infinity", "", "x")),
        *(("N", text) for text in ("000000005", "²²²²²²²²²")),
        ("S", ""),
        ("S", "1795262400"),
        ("S", "2026-11"),
        ("S", "2026-02-30"),
        ("S", "2026-13-01T00:00:00Z"),
        ("S", "2026-11-21T24:00:00Z"),
        ("S", "2026-11-21T23:59:60Z"),
        ("S", "2026-11-21t12:00:00z"),
        ("S", "2026-11-21T12:00:00,5Z"),
        ("S", "2026-11-21T12:00:00Z "),
        ("S", "2026-11-21T12:00:00Z\n"),
        ("S", "2026-11-21T12:00:00Z#4711"),
        ("S", "20261121T120000Z"),
        ("S", "21.11.2026"),
        ("S", "٢٠٢٦-11-21"),
        ("S", "0000-01-01"),
        ("S", "01JD7Z8W5M5K8B4V2N7Q0R3T6Y"),
        ("S", "01935a1c-7b1e-7c3a-9f00-0123456789ab"),
    ],
)
def test_no_moments(kind: str, text: str) -> None:
    assert moments.moment(kind, text) is None


@pytest.mark.parametrize("offset", ["+02:00", "-05:00", "+0530", "+10", "+00:30"])
def test_a_foreign_offset_is_told(offset: str) -> None:
    with pytest.raises(ForeignOffset) as raised:
        moments.moment("S", f"2026-11-21T12:00:00{offset}")
    assert str(raised.value) == offset


@pytest.mark.parametrize(
    ("start_date", "after_noon"),
    [
        ("2026-11-21", -DAY // 2),
        (" 2026-11-21T12:00:00Z\n", 0),
        ("2026-11-21 12:00", 0),
        ("2026-11-21T14:30:00+02:30", 0),
        ("2026-11-21T07:00:00.25-0500", 250_000_000),
        ("2026-11-21T12:00:00", 0),
    ],
)
def test_start_dates_may_have_any_offset(start_date: str, after_noon: int) -> None:
    assert moments.parse_start(start_date) == NOON + after_noon


@pytest.mark.parametrize("text", ["", "yesterday", "1795262400", "2026-02-30", "0001-01-01T00+01"])
def test_a_start_date_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="2026-11-21T12:00:00Z"):
        moments.parse_start(text)


def test_a_start_date_before_the_first_year_is_none() -> None:
    with pytest.raises(ConfigError):
        moments.parse_start("0001-01-01T00:00:00+01:00")


@pytest.mark.parametrize(
    ("after_noon", "form", "value"),
    [
        (0, "T", {"S": "2026-11-21T12:00"}),
        (0, "blank", {"S": "2026-11-21 12:00"}),
        (0, "date", {"S": "2026-11-21"}),
        (30 * 10**9, "T", {"S": "2026-11-21T12:00:30"}),
        (500_000_000, "T", {"S": "2026-11-21T12:00:00.5"}),
        (1, "blank", {"S": "2026-11-21 12:00:00.000000001"}),
        (0, "s", {"N": "1795262400"}),
        (500_000_000, "s", {"N": "1795262400.5"}),
        (0, "ms", {"N": "1795262400000"}),
        (1_500_000, "ms", {"N": "1795262400001.5"}),
        (0, "us", {"N": "1795262400000000"}),
        (1, "ns", {"N": "1795262400000000001"}),
        (-NOON, "s", {"N": "0"}),
        (-NOON - 500_000_000, "s", {"N": "-0.5"}),
        (-NOON + 20 * 10**9, "s", {"N": "20"}),
    ],
)
def test_the_lowest_value_of_a_form(after_noon: int, form: str, value: dict[str, str]) -> None:
    assert moments.lowest(NOON + after_noon, form) == value


def test_ranges_of_texts() -> None:
    assert moments.ranges(NOON, "S") == (
        Range({"S": "2026-11-21"}, {"S": "2026-11-21"}),
        Range({"S": "2026-11-21 12:00"}, {"S": "2026-11-21 ~"}),
        Range({"S": "2026-11-21T12:00"}, None),
    )
    assert moments.ranges(NOON + DAY // 2, "S") == (Range({"S": "2026-11-22"}, None),)


def test_ranges_of_numbers() -> None:
    assert moments.ranges(NOON, "N") == (
        Range({"N": "1795262400"}, {"N": "100000000000"}),
        Range({"N": "1795262400000"}, {"N": "100000000000000"}),
        Range({"N": "1795262400000000"}, {"N": "100000000000000000"}),
        Range({"N": "1795262400000000000"}, None),
    )
    assert moments.ranges(0, "N") == (Range({"N": "0"}, None),)
    assert moments.ranges(10**20, "N") == (Range({"N": "100000000000000000000"}, None),)


@pytest.mark.parametrize("kind", ["S", "N"])
@pytest.mark.parametrize("nanoseconds", [-(10**18), 0, 10**17 - 1, 10**17, NOON + 1, 10**20 - 1])
def test_dynamodb_takes_every_range(kind: str, nanoseconds: int) -> None:
    for each in moments.ranges(nanoseconds, kind):
        assert each.high is None or order(each.low) <= order(each.high)


def test_numbers_are_compared_by_value_and_texts_by_their_bytes() -> None:
    digits = "9" * 37
    assert moments.order("N", f"1.0{digits[2:]}") < moments.order("N", f"1.{digits}")  # type: ignore[operator]
    assert moments.order("N", "9") < moments.order("N", "1E+1")  # type: ignore[operator]
    texts = ["", "2026-11-21 1", "2026-11-21T1", "é", "\uffff", "\U0001f600"]
    assert sorted(texts, key=lambda text: moments.order("S", text)) == texts
    assert sorted(texts, key=str.encode) == texts


def test_nanoseconds_of_a_time_with_a_zone() -> None:
    noon = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=timezone.utc)
    assert moments.nanoseconds(noon) == NOON + 250_000_000
    there = timezone(timedelta(hours=5))
    assert moments.nanoseconds(noon.astimezone(there)) == NOON + 250_000_000


def order(typed: Any) -> Any:
    ((kind, text),) = typed.items()
    return moments.order(kind, text)
