"""Lines of text Ion to items and changes, by amazon.ion, which is an extra. Pure.

| DynamoDB         | Ion                                                                    |
| ---------------- | ---------------------------------------------------------------------- |
| `N`              | decimal (`103.`, `6d2`), or int; written out in full, as DynamoDB does |
| `S`, `BOOL`      | string, bool                                                           |
| `B`              | blob (`{{AQI=}}`)                                                      |
| `NULL`           | `null`                                                                 |
| `SS`, `NS`, `BS` | a list, annotated: `$dynamodb_SS::["a"]`                               |
| `M`, `L`         | struct, list                                                           |

`$ion_1_0 {Item:{…}}` is an item, `{Metadata:{…},Keys:{…},OldImage:{…},NewImage:{…}}` a change, the latter also
as the only member of another struct. DynamoDB JSON is valid Ion, of maps with a member `S` or `N`: a line
of it is refused.

amazon.ion takes a name in double quotes that is `$` and digits for the number of a symbol, and for no
name: such names are put into single quotes before.
"""

from __future__ import annotations

import re
from base64 import b64encode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core import numbers
from dynamodb_core.change import Change
from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.exports.lines import Unreadable, each_line, micros
from dynamodb_core.exports.streaming import MOST_LINE
from dynamodb_core.pointers import Place, pointer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.exports.lines import Parser

_MARKER = b"$ion_1_0"
_MEMBERS = frozenset({"Metadata", "Keys", "OldImage", "NewImage"})
_SETS = {f"$dynamodb_{kind}": (kind, kind[0]) for kind in ("SS", "NS", "BS")}
# A name that amazon.ion takes for the number of a symbol.
_SYMBOL = re.compile(rb'(?<=[{,\s])"(\$[0-9]+)"(?=\s*:)').sub
_ESCAPED_SYMBOL = re.compile(rb'"\\(?:x24|u0024|U00000024)[0-9]+"\s*:').search
_BUFFER_BYTES = MOST_LINE
"""What amazon.ion may hold of a text; its own limit is less than a text of an item may have."""

_PLAIN = numbers.MAX_DIGITS
"""A number that is shorter, written out, is none that DynamoDB could not hold."""


def parser(*, changes: bool) -> Parser:
    """Return what reads whole lines; see `lines.parser`.

    Args:
        changes: Whether they are changes.

    Raises:
        ConfigError: amazon.ion is not installed.
    """
    load = _library()
    read = _change if changes else _item

    def parse(data: bytes) -> list[Any]:
        return each_line(data, lambda line: read(_loaded(line, load)))

    return parse


def _library() -> Callable[[bytes], Any]:
    """Return what reads one value."""
    try:
        from amazon.ion import simpleion  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(
            "There is no library for exports in Ion",
            "Install it: pip install 'ferry-tap-dynamodb[ion]'; or export the table as DynamoDB JSON",
        ) from error
    if not simpleion.c_ext:
        raise ConfigError(
            "amazon.ion is installed without its compiled part, and takes values for others without it",
            "Install one of its wheels (there are some up to Python 3.13), or export the table as "
            "DynamoDB JSON",
        )
    model = simpleion.IonPyValueModel
    bare = model.MAY_BE_BARE | model.SYMBOL_AS_TEXT | model.STRUCT_AS_STD_DICT
    loads = simpleion.loads

    def load(line: bytes) -> Any:
        return loads(line, value_model=bare, text_buffer_size_limit=_BUFFER_BYTES)

    return load


def _loaded(line: bytes, load: Callable[[bytes], Any]) -> dict[str, Any]:
    """Return the struct that a line is."""
    line = line.strip()
    if not line.startswith(_MARKER):
        _refuse_json(line)
    named = _named(line)
    try:
        value = load(named)
    except Exception as error:
        raise Unreadable(
            f"cannot be read by amazon.ion: {str(error).strip() or type(error).__name__}",
            "Export the table as DynamoDB JSON if the file is as DynamoDB wrote it",
        ) from error
    if value.__class__ is not dict:
        raise Unreadable("is no struct")
    return value


def _named(line: bytes) -> bytes:
    """Return a line whose names are all taken for names."""
    if b'"$' in line:
        named = _SYMBOL(rb"'\1'", line)
        if named != line and b"'" in line:
            # The place that was found may lie within other quotes.
            raise Unreadable(
                "has a name that is $ and digits, and quotes that hide where it stands"
            )
        return named
    if b'"\\' in line and _ESCAPED_SYMBOL(line):
        raise Unreadable("has a name that is $ and digits, written with an escape")
    return line


def _refuse_json(line: bytes) -> None:
    """Refuse DynamoDB JSON: its items would become maps, without any error."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    for name in ("Item", "Keys") if isinstance(found, dict) else ():
        item = found.get(name)
        if isinstance(item, dict) and all(isinstance(value, dict) for value in item.values()):
            raise Unreadable("is DynamoDB JSON, and the export's manifest says Ion")


def _item(value: dict[str, Any]) -> msgspec.Raw:
    if set(value) != {"Item"}:
        raise Unreadable("is not {Item: …} as in a full export")
    return msgspec.Raw(_dumped(value["Item"], "Item"))


def _change(value: dict[str, Any]) -> Change:
    told: Any = value
    if len(value) == 1 and "Keys" not in value:
        (told,) = value.values()
    if told.__class__ is not dict or not {"Metadata", "Keys"} <= set(told) <= _MEMBERS:
        raise Unreadable("is no change as in an incremental export")
    new, old = told.get("NewImage"), told.get("OldImage")
    return Change(
        item=None if _is_null(new) else _dumped(new, "NewImage"),
        keys=_dumped(told["Keys"], "Keys"),
        micros=micros(_time(told["Metadata"])),
        old=None if _is_null(old) else _dumped(old, "OldImage"),
    )


def _time(value: Any) -> Any:
    """Return the time of a write with its number as text."""
    if isinstance(value, dict):
        return {name: _time(inner) for name, inner in value.items()}
    return _number(value, (None, "Metadata")) if value.__class__ is Decimal else value


def _dumped(item: Any, name: str) -> bytes:
    if item.__class__ is not dict:
        raise Unreadable(f"has no struct as {name}")
    try:
        return orjson.dumps({each: _typed(value, (None, each)) for each, value in item.items()})
    except orjson.JSONEncodeError as error:
        raise Unreadable(f"has an {name} that cannot be written as JSON: {error}") from error


def _typed(value: Any, at: Place) -> dict[str, Any]:
    kind = value.__class__
    if kind is str:
        return {"S": value}
    if kind is Decimal or kind is int:
        return {"N": _number(value, at)}
    if kind is bool:
        return {"BOOL": value}
    if kind is dict:
        return {"M": {name: _typed(inner, (at, name)) for name, inner in value.items()}}
    if kind is list:
        return {"L": [_typed(inner, (at, n)) for n, inner in enumerate(value)]}
    if kind is bytes:
        return {"B": b64encode(value).decode()}
    if _is_null(value):
        return {"NULL": True}
    return _set(value, at)


def _is_null(value: Any) -> bool:
    """Tell whether it is null, perhaps one of a type (`null.string`)."""
    return value is None or (type(value).__name__ == "IonPyNull" and not value.ion_annotations)


def _set(value: Any, at: Place) -> dict[str, Any]:
    """Return an annotated list as a set."""
    annotations = [each.text for each in getattr(value, "ion_annotations", ())]
    kind, inner = _SETS.get(annotations[0], ("", "")) if len(annotations) == 1 else ("", "")
    if not kind or not isinstance(value, list):
        raise Unreadable(
            f"has no value of DynamoDB's at {pointer(at)}: {str(value)[:60]} "
            f"({', '.join(annotations) or type(value).__name__})"
        )
    found = [_typed(each, (at, n)) for n, each in enumerate(value)]
    if any(inner not in each for each in found):
        raise Unreadable(f"has a {kind} at {pointer(at)} with something else in it")
    return {kind: [each[inner] for each in found]}


def _number(value: Decimal | int, at: Place) -> str:
    """Return a number written out in full, without needless zeros, as DynamoDB writes it."""
    text = ""
    if isinstance(value, Decimal) and -_PLAIN < value.adjusted() < _PLAIN:
        text = format(value, "f")
    if 0 < len(text) < _PLAIN:
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    try:
        return numbers.plain_digits(numbers.from_python(value))
    except DataError as error:
        raise Unreadable(
            f"has no number of DynamoDB's at {pointer(at)}: {error.message}"
        ) from error
