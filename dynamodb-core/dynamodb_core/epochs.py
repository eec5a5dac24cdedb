"""Dates to epochs, for the formulas of stream maps: exact whole numbers, always in UTC; pure.

A date is one of these:

* text in ISO form: `2026-11-21`, `2026-11-21T12:00:00.5Z`, `2026-11-21 12:00+02:00`;
* text in a form of its own, said as for `strptime`: `"21/11/2026", "%d/%m/%Y"`;
* a number, seconds since 1970, or what is said: `"s"`, `"ms"`, `"us"`, `"ns"`;
* a `date` or a `datetime` of Python.

What names no zone is in UTC, whatever the machine's zone is. Parts of a second are cut off, towards
the past. Years and months are those of the calendar: the day stays, and where the month has none it
becomes the month's last, so that a year after 29 February is 28 February. They count first, then
weeks, days, hours, minutes and seconds, which always have their length.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from decimal import ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 10**9
DAY = 86_400 * SECOND
"""In nanoseconds."""

UNITS = {"s": SECOND, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds that a number counts, by how that is said."""

MOST_TEXT = 80
"""Characters of a value that a message shows."""

_FIRST = dt.date(1970, 1, 1).toordinal()
_BEGIN = (dt.date.min.toordinal() - _FIRST) * DAY
_END = (dt.date.max.toordinal() - _FIRST + 1) * DAY
_EXACT = Context(prec=60)
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?"
    r" ?(?:Z|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)?)?"
).fullmatch


def epoch(value: Any, form: str | None = None, **duration: Any) -> int | None:
    """Return the seconds from the beginning of 1970 to a date, and a duration after it.

    Args:
        value: The date; see the top of this module. None has no epoch.
        form: How the date is written, as for `strptime`; or what a number counts: `s`, `ms`, ...
        **duration: Whole numbers, also negative, of `years`, `months`, `weeks`, `days`, `hours`,
            `minutes`, `seconds`.

    Raises:
        DataError: The value is no date; or the form, the duration or the result is none.
    """
    found = _moment(value, form, duration)
    return None if found is None else found // SECOND


def epoch_ms(value: Any, form: str | None = None, **duration: Any) -> int | None:
    """Return the same as `epoch` in milliseconds.

    Args:
        value: The date.
        form: How the date is written.
        **duration: What is added.

    Raises:
        DataError: The value is no date; or the form, the duration or the result is none.
    """
    found = _moment(value, form, duration)
    return None if found is None else found // UNITS["ms"]


FUNCTIONS: dict[str, Callable[..., int | None]] = {"epoch": epoch, "epoch_ms": epoch_ms}
"""What stream maps can call, by name; all return whole numbers."""

_LENGTHS = {
    "weeks": 7 * DAY,
    "days": DAY,
    "hours": 3600 * SECOND,
    "minutes": 60 * SECOND,
    "seconds": SECOND,
}


def _moment(value: Any, form: str | None, duration: dict[str, Any]) -> int | None:
    """Return a date and what is added to it, in nanoseconds since the beginning of 1970."""
    for unit, number in duration.items():
        if unit not in _LENGTHS and unit not in ("years", "months"):
            raise DataError(
                f"{unit} is no unit of a duration",
                f"There are years, months, {', '.join(_LENGTHS)}",
            )
        if isinstance(number, bool) or not isinstance(number, int | Decimal) or number % 1:
            raise DataError(
                f"The duration of {_shown(number)} {unit} is no whole number",
                "Take a smaller unit: months=6 for half a year",
            )
    if value is None:
        return None
    found = _read(value, form)
    if not _BEGIN <= found < _END:
        hint = "" if form in UNITS else "Say what the number counts: 'ms' for milliseconds"
        raise DataError(f"{_shown(value)} is beyond the years 1 to 9999", hint)
    months = 12 * int(duration.get("years", 0)) + int(duration.get("months", 0))
    later: int | None = _months_later(found, months) if months else found
    if later is not None:
        later += sum(int(duration.get(unit, 0)) * length for unit, length in _LENGTHS.items())
    if later is None or not _BEGIN <= later < _END:
        after = ", ".join(f"{number} {unit}" for unit, number in duration.items())
        raise DataError(f"{after} after {_shown(value)} is beyond the years 1 to 9999")
    return later


def _months_later(moment: int, months: int) -> int | None:
    """Return the same day so many months later, or its month's last; None beyond all years."""
    days, rest = divmod(moment, DAY)
    day = dt.date.fromordinal(_FIRST + days)
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        return None
    last = calendar.monthrange(year, month + 1)[1]
    return (dt.date(year, month + 1, min(day.day, last)).toordinal() - _FIRST) * DAY + rest


def _read(value: Any, form: str | None) -> int:
    if isinstance(value, dt.datetime):
        return _of_datetime(value)
    if isinstance(value, dt.date):
        return (value.toordinal() - _FIRST) * DAY
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not (number or isinstance(value, str)):
        raise DataError(f"{_shown(value)} is no date", "Take text or a number")
    if form in UNITS or (number and form is None):
        return _of_number(value, UNITS[form or "s"])
    if form is None:
        return _of_iso(value)
    return _of_form(str(value), form)


def _of_number(value: Any, unit: int) -> int:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise DataError(f"{_shown(value)} is no number", "Say the form of a date that is text")
    if number.adjusted() > len(str(_END)):
        return _END
    return int(_EXACT.multiply(number, Decimal(unit)).to_integral_value(ROUND_FLOOR, _EXACT))


def _of_iso(text: str) -> int:
    match = _ISO(text)
    if match:
        year, month, day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
        try:
            days = dt.date(int(year), int(month), int(day)).toordinal() - _FIRST
        except ValueError:
            match = None
    if not match:
        raise DataError(
            f"{_shown(text)} is no date in ISO form",
            "Say its form as for strptime, as in epoch(value, '%d/%m/%Y'), or that it is a number: "
            "epoch(value, 'ms')",
        )
    clock = int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0)
    away = int(hours or 0) * 3600 + int(minutes or 0) * 60
    clock += away if sign == "-" else -away
    return days * DAY + clock * SECOND + int((fraction or "0")[:9].ljust(9, "0"))


def _of_form(text: str, form: str) -> int:
    directives = set(re.findall(r"%(.)", form.replace("%%", "")))
    if "Z" in directives or not directives & set("YyGcx"):
        raise DataError(
            f"The form {form!r} has {'%Z' if 'Z' in directives else 'no year'}",
            "Take %Y for the year and %z for an offset; names of zones are not known everywhere",
        )
    try:
        return _of_datetime(dt.datetime.strptime(text, form))  # noqa: DTZ007 - UTC is what is meant
    except ValueError as error:
        wrong = "bad directive" in str(error) or "stray %" in str(error)
        raise DataError(
            f"The form {form!r} is none: {error}"
            if wrong
            else f"{_shown(text)} is no date of the form {form!r}",
            "Correct the form, or leave such records out with __filter__",
        ) from error


def _of_datetime(when: dt.datetime) -> int:
    past = when.replace(tzinfo=None) - dt.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC is what is meant
    past -= when.utcoffset() or dt.timedelta()
    return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1_000


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"
