"""What moment in time a value of a replication key names, and where a moment lies among values.

DynamoDB compares text by its UTF-8 bytes, which is the order of its code points and so Python's own,
and numbers by value. Neither is always the order of time: `12:00:00.5Z` sorts before `12:00:00Z`, a
blank before `T`, and seconds before milliseconds. Each of these is a *form*:

=========  ====================================================================================
`date`     `2026-11-21`
`blank`    `2026-11-21 12:00:00`, with or without seconds, their fraction, and a zone that is UTC
`T`        `2026-11-21T12:00:00`, likewise
`s`        1790000000, seconds since 1970; fractions are fine
`ms`       1790000000000, and so on: `us`, `ns`; the magnitude tells them apart
=========  ====================================================================================

Numbers name moments from March 1973 (10^8 seconds) to the year 5138; others are counters. Within a
form values of different minutes are in the order of time, and so are numbers of different seconds.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core.errors import ConfigError
from dynamodb_core.expressions import Range

if TYPE_CHECKING:
    from dynamodb_core.encode import TypedValue

KINDS = ("S", "N")
"""Types of attributes that can be a replication key."""

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
"""In nanoseconds."""

UNITS = {"s": SECOND, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds that a number of each form counts, from the form that sorts lowest."""

# Numbers name moments between these; a thousand times the first of a form is the first of the next.
_FIRST, _LAST = 10**8 * SECOND, 10**11 * SECOND

# The form of a whole number by its number of digits.
_WHOLE = {
    digits: form for at, form in enumerate(UNITS) for digits in range(9 + 3 * at, 12 + 3 * at)
}

_SEPARATORS = {"blank": " ", "T": "T"}
_FORMS = {None: "date", " ": "blank", "T": "T"}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - everything here is UTC
_EXACT = Context(prec=200)
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:([T ])([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
).fullmatch


class ForeignOffset(Exception):
    """A time of day that is not in UTC; the argument is its offset, for example `+02:00`."""


class Moment(NamedTuple):
    """A moment and how it is written.

    Attributes:
        nanoseconds: Since the beginning of 1970, rounded down.
        form: See the top of this module.
    """

    nanoseconds: int
    form: str


def moment(kind: str, text: str) -> Moment | None:
    """Return the moment that a value names, or None where it names none.

    Args:
        kind: `S` or `N`.
        text: The value. Text without a zone is taken for UTC.

    Raises:
        ForeignOffset: It is a time with an offset other than UTC's.
    """
    if kind == "N":
        return _of_number(text)
    read = _read(text)
    if read is None:
        return None
    nanoseconds, form, zone = read
    if zone.strip("Z+-0:"):
        raise ForeignOffset(zone)
    return Moment(nanoseconds, form)


def nanoseconds(when: datetime) -> int:
    """Return a time that has a zone in nanoseconds since the beginning of 1970."""
    past = when - _EPOCH.replace(tzinfo=timezone.utc)
    return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1_000


def order(kind: str, text: str) -> str | Decimal:
    """Return what sorts among values of one type as DynamoDB sorts them.

    Raises:
        InvalidOperation: An N is no number.
    """
    return Decimal(text) if kind == "N" else text


def parse_start(start_date: str) -> int:
    """Return the moment of a `start_date`, in nanoseconds since the beginning of 1970.

    Args:
        start_date: ISO text, with any offset; UTC where it has none.

    Raises:
        ConfigError: It cannot be read.
    """
    read = _read(start_date.strip())
    if read is not None:
        nanoseconds, _, zone = read
        digits = zone.strip("Z+-").replace(":", "").ljust(4, "0")
        away = (int(digits[:2]) * 60 + int(digits[2:])) * MINUTE
        nanoseconds -= -away if zone.startswith("-") else away
        try:
            _EPOCH + timedelta(seconds=nanoseconds // SECOND)
        except OverflowError:
            pass
        else:
            return nanoseconds
    raise ConfigError(
        f"The start_date {start_date} is no date",
        "Write it like 2026-11-21 or 2026-11-21T12:00:00Z",
    )


def lowest(nanoseconds: int, form: str) -> TypedValue:
    """Return a value that is not above any value of a form whose moment is this one or later.

    It is the highest such value where the form is in the order of time; the day itself for `date`.

    Args:
        nanoseconds: The moment, since the beginning of 1970; as text, of the years 1 to 9999.
        form: See the top of this module.
    """
    if form in UNITS:
        number = f"{_EXACT.divide(Decimal(nanoseconds), Decimal(UNITS[form])):f}"
        return {"N": number.rstrip("0").rstrip(".") if "." in number else number}
    whole, rest = divmod(nanoseconds, SECOND)
    when = _EPOCH + timedelta(seconds=whole)
    if form == "date":
        return {"S": when.isoformat()[:10]}
    text = when.isoformat(_SEPARATORS[form], "seconds")
    if rest:
        # `.5` is the beginning of `.50Z` and of `.5+00:00`: a prefix sorts before what goes on.
        text += f".{rest:09}".rstrip("0")
    elif not when.second:
        text = text[: -len(":00")]  # the beginning of both 12:00Z and 12:00:00Z
    return {"S": text}


def ranges(nanoseconds: int, kind: str) -> tuple[Range, ...]:
    """Return where all values of a type lie that name this moment or a later one, in any form.

    Args:
        nanoseconds: The moment, since the beginning of 1970.
        kind: `S` or `N`.

    Returns:
        Ranges from the lowest to the highest; the last has no upper end. In between lie all
        earlier moments of the other forms, as in `2026-11-20T…` and `2026-11-21 11:…`.
    """
    if kind == "N":
        return _number_ranges(nanoseconds)
    day = lowest(nanoseconds, "date")
    if nanoseconds % DAY == 0:
        return (Range(day, None),)
    return (
        Range(day, day),
        Range(lowest(nanoseconds, "blank"), {"S": f"{day['S']} ~"}),
        Range(lowest(nanoseconds, "T"), None),
    )


def _number_ranges(nanoseconds: int) -> tuple[Range, ...]:
    if nanoseconds <= _FIRST:
        return (Range(lowest(nanoseconds, "s"), None),)
    if nanoseconds >= _LAST:
        return (Range(lowest(nanoseconds, "ns"), None),)
    return tuple(
        Range(lowest(nanoseconds, form), None if form == "ns" else lowest(_LAST, form))
        for form in UNITS
    )


def _read(text: str) -> tuple[int, str, str] | None:
    """Return nanoseconds as if in UTC, form and zone of an ISO time."""
    match = _ISO(text)
    if match is None:
        return None
    day, separator, hour, minute, second, fraction, zone = match.groups()
    days = _days(day)
    if days is None:
        return None
    past = days * 86_400
    if separator:
        past += int(hour) * 3_600 + int(minute) * 60 + int(second or 0)
    nanoseconds = past * SECOND
    if fraction:
        nanoseconds += int(fraction[:9].ljust(9, "0"))
    return nanoseconds, _FORMS[separator], zone or ""


@lru_cache(maxsize=4096)
def _days(day: str) -> int | None:
    try:
        when = datetime(int(day[:4]), int(day[5:7]), int(day[8:]))  # noqa: DTZ001 - see _EPOCH
    except ValueError:
        return None
    return (when - _EPOCH).days


def _of_number(text: str) -> Moment | None:
    whole = _WHOLE.get(len(text))
    if whole and text.isdigit() and text.isascii() and text[0] != "0":
        return Moment(int(text) * UNITS[whole], whole)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    for form, unit in UNITS.items():
        if _FIRST // unit <= number < _LAST // unit:
            return Moment(int(_EXACT.multiply(number, Decimal(unit))), form)
    return None
