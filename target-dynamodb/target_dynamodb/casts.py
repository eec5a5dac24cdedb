"""Values made the type that the option `types` asks for, by the rules of docs/records.md; pure.

An encoder of this module takes a plain value that is not null and its path, as those of core do. A
value that was read as a DynamoDB type already is made plain first, by `plain`.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64encode
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import encode, epochs, numbers
from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.encode import TypedValue

    Encode = Callable[[Any, str], TypedValue]

TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
"""Texts that are BOOL, in upper or lower case."""

_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]+)?\s*").fullmatch
_GIVES = {"hex": "B", **dict.fromkeys(epochs.FUNCTIONS, "N")}

HEX = "\\x"
"""What PostgreSQL writes before the base16 of a bytea."""


class LeftOut(DataError):
    """The attribute is left out, as DynamoDB has no such value: an empty set."""


def caster(kind: str, *, base16: bool = False) -> Encode:
    """Return what makes a plain value an attribute of some type.

    Args:
        kind: One of `stream_options.TYPES`.
        base16: Whether text that is to be B is base16, as for `hex`.
    """
    if kind in epochs.FUNCTIONS:
        return partial(_epoch, kind)
    if kind in ("B", "hex"):
        return partial(_binary, base16 or kind == "hex")
    return _CASTS[kind]


def recast(typed: TypedValue, kind: str, cast: Encode, path: str) -> TypedValue:
    """Return a typed value as another type; NULL stays what it is.

    Args:
        typed: The value.
        kind: The type that is wanted.
        cast: `caster(kind)`.
        path: The value's JSON Pointer.

    Raises:
        DataError: It cannot be made that type.
        LeftOut: It becomes an empty set.
    """
    if next(iter(typed)) in (type_of(kind), "NULL"):
        return typed
    return cast(plain(typed), path)


def type_of(kind: str) -> str:
    """Return the DynamoDB type that a word of `types` gives."""
    return _GIVES.get(kind, kind)


def plain(typed: TypedValue) -> Any:
    """Return a typed value as plain JSON has it: numbers as Decimal, sets as lists."""
    [(kind, value)] = typed.items()
    if kind == "N":
        return Decimal(value)
    if kind == "NS":
        return [Decimal(each) for each in value]
    if kind == "L":
        return [plain(each) for each in value]
    if kind == "M":
        return {name: plain(each) for name, each in value.items()}
    return None if kind == "NULL" else value


def _string(value: Any, path: str) -> TypedValue:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"S": "true" if value else "false"}
    if isinstance(value, (dict, list)):
        return {"S": orjson.dumps(value, default=_fragment).decode()}
    return {"S": encode.ENCODERS["N"](value, path)["N"]}


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(numbers.from_python(value))
    raise TypeError(f"{type(value).__name__} is no JSON")


def _binary(base16: bool, value: Any, path: str) -> TypedValue:  # noqa: FBT001 - of a partial
    if isinstance(value, str) and value.startswith(HEX):
        value, base16 = value[len(HEX) :], True
    return encode.TOP_ENCODERS["base16" if base16 else "base64"]["B"](value, path)


def _bool(value: Any, path: str) -> TypedValue:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (str, int, Decimal)):
        word = str(value).strip().lower()
        if word in TRUE or word in FALSE:
            return {"BOOL": word in TRUE}
    raise encode.unfit(
        path,
        f"is {encode.show(value)}, which is no BOOL",
        f"It is told from {', '.join(sorted(TRUE))} and {', '.join(sorted(FALSE))}",
    )


def _parsed(value: Any, path: str, wanted: type, kind: str) -> Any:
    """Return an object or array; text is read as JSON."""
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value, parse_float=Decimal, parse_constant=Decimal)
        except (ValueError, RecursionError):
            found = None
    if isinstance(found, wanted):
        return found
    form = "a JSON object" if wanted is dict else "a JSON array"
    raise encode.unfit(
        path,
        f"is {encode.show(value)}, which is no {kind}",
        f"types asks for {kind}, which is made of {form} or of text that is one",
    )


def _map(value: Any, path: str) -> TypedValue:
    return encode.ENCODERS["M"](_parsed(value, path, dict, "M"), path)


def _list(value: Any, path: str) -> TypedValue:
    return encode.ENCODERS["L"](_parsed(value, path, list, "L"), path)


def _set(kind: str, one: Encode, value: Any, path: str) -> TypedValue:
    """Return a set; a value that comes twice is one, and an empty set is left out."""
    members: dict[str, str] = {}
    for number, each in enumerate(_parsed(value, path, list, kind)):
        if each is None or isinstance(each, (dict, list)):
            raise encode.unfit(
                f"{path}/{number}", f"is {encode.show(each)}, which no {kind} can hold"
            )
        [text] = one(each, f"{path}/{number}").values()
        members.setdefault(numbers.canonical(text) if kind == "NS" else text, text)
    if not members:
        raise LeftOut(f"The value at {path} is an empty set", "DynamoDB has none")
    return {kind: list(members.values())}


def _member_binary(value: Any, path: str) -> TypedValue:
    typed = _binary(False, value, path)
    return {"B": b64encode(binascii.a2b_base64(typed["B"])).decode()}


def _epoch(unit: str, value: Any, path: str) -> TypedValue:
    """Return the number of a date; a number, also as text, is one already."""
    try:
        if isinstance(value, str) and not _NUMBER(value):
            return {"N": str(epochs.FUNCTIONS[unit](value.strip()))}
        return encode.ENCODERS["N"](value, path)
    except DataError:
        raise encode.unfit(
            path,
            f"is {encode.show(value)}, which is no date",
            "A date is written like 2026-11-21 or 2026-11-21T12:00:00Z, or is a number already",
        ) from None


_CASTS: Mapping[str, Encode] = {
    "S": _string,
    "N": encode.ENCODERS["N"],
    "BOOL": _bool,
    "M": _map,
    "L": _list,
    "SS": partial(_set, "SS", _string),
    "NS": partial(_set, "NS", encode.ENCODERS["N"]),
    "BS": partial(_set, "BS", _member_binary),
}
