"""One plain JSON value to one of DynamoDB's: `ENCODERS` by type, `natural` where nothing is known.

None of them takes null for anything but NULL; who wants nulls left out leaves them out before.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dynamodb_core import numbers
from dynamodb_core.errors import DataError
from dynamodb_core.pointers import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.layouts import Binary

# A value as DynamoDB's JSON has it: {"S": "a"}.
TypedValue = dict[str, Any]

_SHOWN = 60


def natural(value: Any, path: str = "") -> TypedValue:
    """Type a value by what it is: S, N, BOOL, NULL, L or M.

    Args:
        value: A JSON value; numbers may be int, float or Decimal.
        path: Its JSON Pointer, for errors.

    Raises:
        DataError: Something in it is no JSON value or no number for DynamoDB; the path is named.
    """
    try:
        return _NATURAL[type(value)](value)
    except (KeyError, DataError):
        return _careful(value, path)
    except RecursionError:
        raise unfit(path, "is nested too deeply", "DynamoDB holds 32 levels") from None


def _string(value: Any, path: str) -> TypedValue:
    if not isinstance(value, str):
        raise _misfit(path, value, "S, a string")
    return {"S": value}


def _number(value: Any, path: str) -> TypedValue:
    try:
        if isinstance(value, str):
            return {"N": numbers.checked(value)}
        return {"N": numbers.from_python(value)}
    except DataError as error:
        raise unfit(path, f"is no N: {error.message}", error.hint) from None


def _binary(value: Any, path: str) -> TypedValue:
    if not _is_base64(value):
        raise _misfit(path, value, "B, base64 text")
    return {"B": value}


def _base16(value: Any, path: str) -> TypedValue:
    try:
        return {"B": b64encode(binascii.unhexlify(value)).decode()}
    except (TypeError, ValueError):
        raise _misfit(path, value, "B, base16 text") from None


def _bool(value: Any, path: str) -> TypedValue:
    if not isinstance(value, bool):
        raise _misfit(path, value, "BOOL")
    return {"BOOL": value}


def _null(value: Any, path: str) -> TypedValue:
    if value is not None:
        raise _misfit(path, value, "NULL")
    return {"NULL": True}


def _map(value: Any, path: str) -> TypedValue:
    if not isinstance(value, dict):
        raise _misfit(path, value, "M, an object")
    return natural(value, path)


def _list(value: Any, path: str) -> TypedValue:
    if not isinstance(value, list):
        raise _misfit(path, value, "L, an array")
    return natural(value, path)


def _strings(value: Any, path: str) -> TypedValue:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise _misfit(path, value, "SS, an array of strings")
    return {"SS": _unique(value, len(set(value)), path)}


def _binaries(value: Any, path: str) -> TypedValue:
    if not isinstance(value, list) or not all(_is_base64(part) for part in value):
        raise _misfit(path, value, "BS, an array of base64 texts")
    return {"BS": _unique(value, len(set(value)), path)}


def _numbers(value: Any, path: str) -> TypedValue:
    if not isinstance(value, list):
        raise _misfit(path, value, "NS, an array of numbers")
    texts = [_number(part, f"{path}/{n}")["N"] for n, part in enumerate(value)]
    return {"NS": _unique(texts, len({numbers.canonical(text) for text in texts}), path)}


def _unique(values: list[str], distinct: int, path: str) -> list[str]:
    if not values:
        raise unfit(path, "is an empty set", "DynamoDB has none; leave the attribute out")
    if distinct != len(values):
        raise unfit(path, "is a set that holds a value twice", "Remove the duplicates")
    return values


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _careful(value: Any, path: str) -> TypedValue:
    """Do as `natural`, slower: it knows where it is, and takes subclasses for what they are."""
    if value is None or isinstance(value, bool):
        return {"NULL": True} if value is None else {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, (int, float, Decimal)):
        return _number(value, path)
    if isinstance(value, list):
        return {"L": [_careful(part, f"{path}/{n}") for n, part in enumerate(value)]}
    if isinstance(value, dict):
        return {"M": {k: _careful(part, f"{path}/{escape(k)}") for k, part in value.items()}}
    raise _misfit(path, value, "JSON")


_NATURAL: dict[type, Callable[[Any], TypedValue]] = {
    str: lambda value: {"S": value},
    int: lambda value: {"N": numbers.from_python(value)},
    Decimal: lambda value: {"N": numbers.from_python(value)},
    float: lambda value: {"N": numbers.from_python(value)},
    bool: lambda value: {"BOOL": value},
    type(None): lambda _: {"NULL": True},
    list: lambda value: {"L": [_NATURAL[type(part)](part) for part in value]},
    dict: lambda value: {"M": {k: _NATURAL[type(part)](part) for k, part in value.items()}},
}

# From a plain value that is not null, and its JSON Pointer for errors, to the typed value.
# Each raises DataError with the path when the value does not fit. N takes decimal text as well.
ENCODERS: dict[str, Callable[[Any, str], TypedValue]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _bool,
    "NULL": _null,
    "M": _map,
    "L": _list,
    "SS": _strings,
    "NS": _numbers,
    "BS": _binaries,
}

# The same for the properties of a record, by how binaries are written there.
TOP_ENCODERS: Mapping[Binary, Mapping[str, Callable[[Any, str], TypedValue]]] = {
    "base64": ENCODERS,
    "base16": {**ENCODERS, "B": _base16},
}


def _misfit(path: str, value: Any, wanted: str) -> DataError:
    return unfit(
        path,
        f"is {show(value)}, which is no {wanted}",
        "Correct the value, or what changed it on the way",
    )


def unfit(path: str, what: str, hint: str = "") -> DataError:
    """Return the error for a value that cannot be written: where it is, and what about it."""
    return DataError(f"The value at {path} {what}", hint)


def show(value: Any) -> str:
    """Return a value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
