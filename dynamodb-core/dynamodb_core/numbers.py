"""DynamoDB's number N, which travels as text: up to 38 significant digits, 1E-130 to 9.99…E+125.

Everything here works on the digits themselves. Floats would corrupt them, and so would arithmetic
on `Decimal`, whose default context rounds to 28 digits; only its exact constructor is used.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from dynamodb_core.errors import DataError

MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130

_JSON = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
_LOOSE = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?").fullmatch
# Of no more characters than there may be digits, it is exact and in range; and it is not zero.
_SHORT = re.compile(r"-?(?:[1-9][0-9]*(?:\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)").fullmatch
_SAFE = 10**MAX_DIGITS
_BEYOND = 10 ** (MAX_EXPONENT + 1)
_INT64 = 2**63
# A whole number of at most this many digits is its own canonical form.
_WHOLE = 40


def literal(text: str) -> str:
    """Return the JSON number that an N read from DynamoDB is.

    Args:
        text: The value of an N, as on the wire.

    Returns:
        The text itself where it is a JSON number, however many digits it has; otherwise the same
        number spelled as JSON wants it (`+5`, `.5`, `5.`, `007`, ` 5`).

    Raises:
        DataError: The text is no number (`NaN` and `Infinity` are none).
    """
    if _JSON(text):
        return text
    sign, whole, fraction, exponent = _parts(text)
    return "".join(
        (
            "-" if sign == "-" else "",
            whole.lstrip("0") or "0",
            f".{fraction}" if fraction else "",
            f"E{exponent}" if exponent else "",
        )
    )


def checked(text: str) -> str:
    """Return the JSON number for a text that is to be written to DynamoDB as an N.

    Raises:
        DataError: The text is no number, or one that DynamoDB cannot hold exactly.
    """
    spelled = literal(text)
    if len(spelled) <= MAX_DIGITS and _SHORT(spelled):
        return spelled
    _, digits, exponent = _digits(spelled)
    if len(digits) > MAX_DIGITS:
        raise DataError(
            f"The number {_short(text)} has {len(digits)} significant digits",
            f"DynamoDB holds {MAX_DIGITS}; keep it as a string, or round it before it is loaded",
        )
    if digits and not MIN_EXPONENT <= exponent + len(digits) - 1 <= MAX_EXPONENT:
        raise DataError(
            f"The number {_short(text)} is out of range",
            "DynamoDB holds 1E-130 to 9.99E+125 and their negatives; keep it as a string",
        )
    return spelled if digits else "0"


def from_python(value: object) -> str:
    """Return the text of an N for an int, a Decimal or a float (by its shortest exact repr).

    Raises:
        DataError: NaN, Infinity, a bool, anything else that is no number, or a number that
            DynamoDB cannot hold exactly.
    """
    if type(value) is int:
        if -_SAFE < value < _SAFE:
            return str(value)
    elif type(value) is Decimal:
        text = str(value)
        if len(text) <= MAX_DIGITS and "E" not in text and value.is_finite():
            return text
    return _careful(value)


def canonical(text: str) -> str:
    """Return one text for all spellings of a number: `1`, `1.0` and `1e0` give the same.

    It is made for telling keys apart. It is itself a valid JSON number, and exact for any text.

    Raises:
        DataError: The text is no number.
    """
    if text.isdigit() and text[0] != "0" and text.isascii() and len(text) <= _WHOLE:
        return text
    negative, digits, exponent = _digits(text)
    if not digits:
        return "0"
    sign = "-" if negative else ""
    if exponent >= 0 and len(digits) + exponent <= _WHOLE:
        return sign + digits + "0" * exponent
    return f"{sign}{digits}E{exponent}"


def plain_digits(text: str) -> str:
    """Return a number written out in full, without exponent and without needless zeros.

    It is made for numeric keys on engines that compare them as text.

    Raises:
        DataError: The text is no number, or one that DynamoDB cannot hold.
    """
    negative, digits, exponent = _digits(checked(text))
    if not digits:
        return "0"
    if exponent >= 0:
        full = digits + "0" * exponent
    else:
        padded = digits.rjust(1 - exponent, "0")
        full = f"{padded[:exponent]}.{padded[exponent:]}"
    return f"-{full}" if negative else full


def to_python(spelled: str) -> int | Decimal:
    """Return the exact value of a JSON number: an int where it is one of 64 bits, else a Decimal.

    Args:
        spelled: What `literal` returned.
    """
    if len(spelled) <= len("-9223372036854775808") and spelled.lstrip("-").isdigit():
        whole = int(spelled)
        if -_INT64 <= whole < _INT64:
            return whole
    return Decimal(spelled)


def _careful(value: object) -> str:
    if isinstance(value, Decimal):
        return checked(str(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DataError(f"{value} is no number that DynamoDB can hold", "Send null instead")
        return checked(float.__repr__(value))
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= _BEYOND:
            raise DataError(
                "A whole number of more than 126 digits is out of range",
                "DynamoDB holds up to 9.99E+125; keep it as a string",
            )
        return checked(int.__repr__(value))
    raise DataError(f"{_short(str(value))} ({type(value).__name__}) is no number")


def _parts(text: str) -> tuple[str, str, str, str]:
    match = _LOOSE(text.strip())
    sign, whole, fraction, exponent = match.groups("") if match else ("", "", "", "")
    if not whole and not fraction:
        raise DataError(
            f"{_short(text)!r} is no number that DynamoDB can hold",
            "NaN and Infinity are none; a number has digits, and at most a sign, a point and an "
            "exponent",
        )
    return sign, whole, fraction, exponent


def _digits(text: str) -> tuple[bool, str, int]:
    """Take a number apart: negative, its significant digits, and the power of ten they count."""
    sign, whole, fraction, exponent = _parts(text)
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    power = int(exponent or 0) - len(fraction) + len(digits) - len(significant)
    return sign == "-", significant, power


def _short(text: str) -> str:
    return text if len(text) <= MAX_DIGITS + 22 else f"{text[:MAX_DIGITS]}…"
