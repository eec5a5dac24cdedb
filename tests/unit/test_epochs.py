"""Dates to epochs: exact, in UTC, whatever the machine's zone is."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.epochs import MOST_TEXT, epoch, epoch_ms
from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

UTC = dt.timezone.utc
NOON = 1_795_262_400
"""2026-11-21T12:00:00Z"""
MIDNIGHT = NOON - 12 * 3600


@pytest.fixture(autouse=True)
def far_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in a zone that is far from UTC, and has summer time."""
    monkeypatch.setenv("TZ", "America/St_Johns")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("value", "form", "seconds"),
    [
        ("2026-11-21", None, MIDNIGHT),
        ("2026-11-21T12:00:00Z", None, NOON),
        ("2026-11-21T12:00:00", None, NOON),
        ("2026-11-21 12:00:00", None, NOON),
        ("2026-11-21 12:00", None, NOON),
        ("2026-11-21T12:00Z", None, NOON),
        ("2026-11-21 12:00:00 Z", None, NOON),
        ("2026-11-21T14:30:00+02:30", None, NOON),
        ("2026-11-21T14:30:00+0230", None, NOON),
        ("2026-11-21T07:00:00-05", None, NOON),
        ("2026-11-21T12:00:00.999999999999Z", None, NOON),
        ("1969-12-31T23:59:59.5Z", None, -1),
        ("0001-01-01", None, -62_135_596_800),
        ("9999-12-31T23:59:59Z", None, 253_402_300_799),
        ("2024-02-29", None, 1_709_164_800),
        ("21/11/2026 12:00", "%d/%m/%Y %H:%M", NOON),
        ("21/11/2026", "%d/%m/%Y", MIDNIGHT),
        ("Sat Nov 21 12:00:00 UTC 2026", "%a %b %d %H:%M:%S UTC %Y", NOON),
        ("20261121T140000+0200", "%Y%m%dT%H%M%S%z", NOON),
        ("20261121", "%Y%m%d", MIDNIGHT),
        (20261121, "%Y%m%d", MIDNIGHT),
        (NOON, None, NOON),
        (float(NOON), None, NOON),
        (Decimal(f"{NOON}.9"), None, NOON),
        (f"{NOON}", "s", NOON),
        (NOON * 1000 + 999, "ms", NOON),
        (f"{NOON}999", "ms", NOON),
        (Decimal(NOON * 10**6), "us", NOON),
        (NOON * 10**9 + 999_999_999, "ns", NOON),
        (-1, "ms", -1),
        (0, None, 0),
        (dt.date(2026, 11, 21), None, MIDNIGHT),
        (dt.datetime(2026, 11, 21, 12), None, NOON),  # noqa: DTZ001 - it is without a zone
        (dt.datetime(2026, 11, 21, 12, tzinfo=UTC), None, NOON),
        (dt.datetime(2026, 11, 21, 10, tzinfo=dt.timezone(-dt.timedelta(hours=2))), None, NOON),
        (None, None, None),
        (None, "ms", None),
    ],
)
def test_what_is_a_date(value: Any, form: str | None, seconds: int | None) -> None:
    found = epoch(value, form)
    assert found == seconds
    assert type(found) in (int, type(None))


@pytest.mark.parametrize(
    ("value", "form", "milliseconds"),
    [
        ("2026-11-21", None, MIDNIGHT * 1000),
        ("2026-11-21T12:00:00.1239Z", None, NOON * 1000 + 123),
        ("1969-12-31T23:59:59.9999Z", None, -1),
        (NOON, "s", NOON * 1000),
        (Decimal(f"{NOON}.0015"), None, NOON * 1000 + 1),
        (1.1, None, 1100),
        (NOON * 1000 + 7, "ms", NOON * 1000 + 7),
        (None, None, None),
    ],
)
def test_milliseconds_are_exact(value: Any, form: str | None, milliseconds: int | None) -> None:
    assert epoch_ms(value, form) == milliseconds


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-11-21", {"years": 1}, "2027-11-21"),
        ("2024-02-29", {"years": 1}, "2025-02-28"),
        ("2024-02-29", {"years": 4}, "2028-02-29"),
        ("2024-02-29", {"years": -1}, "2023-02-28"),
        ("2024-02-28", {"years": 1}, "2025-02-28"),
        ("2026-01-31", {"months": 1}, "2026-02-28"),
        ("2026-08-31", {"months": 1}, "2026-09-30"),
        ("2026-01-15", {"months": -1}, "2025-12-15"),
        ("2026-12-15", {"months": 13}, "2028-01-15"),
        ("2026-11-21", {"weeks": 2}, "2026-12-05"),
        ("2026-11-21", {"days": 365}, "2027-11-21"),
        ("2026-11-21", {"hours": 25, "minutes": -60}, "2026-11-22"),
        ("2026-11-21", {"seconds": 1}, "2026-11-21T00:00:01"),
        ("2024-02-29T12:34:56Z", {"years": 1, "days": 1}, "2025-03-01T12:34:56Z"),
        ("2026-01-31", {"months": 1, "days": -28}, "2026-01-31"),
        ("2026-11-21", {"years": Decimal(1)}, "2027-11-21"),
        ("2026-11-21", {"years": 0}, "2026-11-21"),
        ("1969-06-01T12:00:00Z", {"years": -60}, "1909-06-01T12:00:00Z"),
    ],
)
def test_durations(start: str, duration: dict[str, Any], end: str) -> None:
    assert epoch(start, **duration) == epoch(end)
    assert epoch(start, None, **duration) == epoch(end)


@pytest.mark.parametrize(
    ("arguments", "duration", "words"),
    [
        (("tomorrow",), {}, "'tomorrow' is no date in ISO form"),
        (("",), {}, "'' is no date in ISO form"),
        (("2026-02-30",), {}, "'2026-02-30' is no date in ISO form"),
        (("2026-13-01",), {}, "'2026-13-01' is no date in ISO form"),
        (("2026-11-21T24:00:00Z",), {}, "is no date in ISO form"),
        (("2026-11-21T12:00:60Z",), {}, "is no date in ISO form"),
        (("0000-01-01",), {}, "is no date in ISO form"),
        (("٢٠٢٦-11-21",), {}, "is no date in ISO form"),
        (("2026-11-21\n",), {}, "is no date in ISO form"),
        ((f"{NOON}",), {}, "is no date in ISO form"),
        (("0001-01-01T00:00:00+01:00",), {}, "beyond the years 1 to 9999"),
        (("9999-12-31T23:59:59-01:00",), {}, "beyond the years 1 to 9999"),
        (
            (NOON * 1000,),
            {},
            f"{NOON}000 is beyond the years 1 to 9999. Say what the number counts",
        ),
        ((Decimal("1E+999999"),), {}, "beyond the years"),
        ((Decimal("-1E+30"),), {}, "beyond the years"),
        ((Decimal("NaN"),), {}, "NaN is no number"),
        ((float("inf"),), {}, "inf is no number"),
        (("soon", "ms"), {}, "'soon' is no number"),
        ((True,), {}, "True is no date"),
        (({"a": 1},), {}, "{'a': 1} is no date"),
        (("21.11.2026", "%d/%m/%Y"), {}, "'21.11.2026' is no date of the form '%d/%m/%Y'"),
        (("30/02/2026", "%d/%m/%Y"), {}, "'30/02/2026' is no date of the form"),
        (("21/11", "%d/%m"), {}, "has no year"),
        (("21/11 %Y", "%d/%m %%Y"), {}, "has no year"),
        (("2026 CET", "%Y %Z"), {}, "has %Z"),
        (("2026", "%Y %Q"), {}, "The form '%Y %Q' is none"),
        (("2026-11-21",), {"year": 1}, "year is no unit of a duration"),
        (("2026-11-21",), {"years": 0.5}, "The duration of 0.5 years is no whole number"),
        (("2026-11-21",), {"days": "7"}, "The duration of '7' days is no whole number"),
        (("2026-11-21",), {"days": None}, "The duration of None days is no whole number"),
        (("2026-11-21",), {"days": True}, "is no whole number"),
        ((None,), {"year": 1}, "year is no unit"),
        (("2026-11-21",), {"years": 9000}, "9000 years after '2026-11-21' is beyond the years"),
        (("2026-11-21",), {"days": 10**9}, "beyond the years"),
        (("0001-01-01",), {"seconds": -1}, "beyond the years"),
    ],
)
def test_what_is_none_is_named(
    arguments: tuple[Any, ...], duration: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        epoch(*arguments, **duration)
    assert words in str(caught.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(DataError) as caught:
        epoch("x" * 400_000)
    assert len(caught.value.message) < MOST_TEXT + 50


moments = st.datetimes(
    min_value=dt.datetime(2, 1, 1),  # noqa: DTZ001 - the zone comes beside it
    max_value=dt.datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.integers(-23 * 60, 23 * 60).map(
        lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))
    ),
)
BEGIN = dt.datetime(1970, 1, 1, tzinfo=UTC)


@given(when=moments)
def test_every_moment_is_what_pythons_own_arithmetic_says(when: dt.datetime) -> None:
    past = when - BEGIN
    assert epoch(when) == epoch(when.isoformat()) == past // dt.timedelta(seconds=1)
    assert epoch_ms(when) == epoch_ms(when.isoformat(" ")) == past // dt.timedelta(milliseconds=1)


@given(when=moments, days=st.integers(-300, 300), seconds=st.integers(-(10**6), 10**6))
def test_days_and_seconds_have_their_length(when: dt.datetime, days: int, seconds: int) -> None:
    plain = epoch(when)
    assert plain is not None
    assert epoch(when, days=days, seconds=seconds) == plain + 86_400 * days + seconds


@given(day=st.dates(dt.date(100, 1, 1), dt.date(9900, 1, 1)), months=st.integers(-600, 600))
def test_months_keep_the_day_or_end_at_the_months_last(day: dt.date, months: int) -> None:
    later = epoch(day, months=months)
    assert later is not None
    found = (BEGIN + dt.timedelta(seconds=later)).date()
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == months
    last = (found + dt.timedelta(days=1)).month != found.month
    assert found.day == day.day or (last and found.day < day.day)
    assert epoch(day, months=12 * 5) == epoch(day, years=5)
