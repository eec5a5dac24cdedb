"""DynamoDB JSON to plain JSON, pure. The reference that the fast road is held against.

| DynamoDB | plain JSON                                | inside a map or list                  |
| -------- | ----------------------------------------- | ------------------------------------- |
| `S`      | string                                    | the same                              |
| `N`      | number, all digits kept                   | the same                              |
|          | with `decimals="string"`: decimal string  | the same, tagged                      |
| `B`      | string, base64 as on the wire             | the same, tagged                      |
|          | with `binary="base16"`: lower-case base16 | base64, tagged                        |
| `BOOL`   | true, false                               | the same                              |
| `NULL`   | null, in a column of any type             | null                                  |
| `M`      | object                                    | the same                              |
| `L`      | array                                     | the same                              |
| `SS`     | array of strings                          | the same, tagged                      |
| `BS`     | array of base64 strings                   | the same, tagged                      |
| `NS`     | array of decimal strings                  | the same, tagged                      |

A top-level attribute has a column, and the column a DynamoDB type; that is how `B` and sets are told
from strings and arrays there, and `N` where it is a string as well. What JSON and the column do not
say stands in a reserved object: `types` tags values inside maps and lists by JSON Pointer, `rest` holds
the typed values, as on the wire, of attributes that have no column or another type than theirs. So
`to_plain` loses nothing, whatever the columns.

What is lost, and only when asked for:
- Without the reserved object (`reserved=None`; `type_tags: false`): `B` inside maps and lists is read
  back as a string, sets there as lists of strings, decimal strings there as strings, and attributes
  that do not fit are left out.
- With `unknown="drop"` (something was deselected): attributes without a column.
- Everywhere: the order of attributes and the spelling of a number (`1E2` may come back as `1E+2`).

Types are read by position, never by name: a map `{"S": "x"}` is a map, `M` may be an attribute.
`encode.py` is the way back.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.errors import DataError
from dynamodb_core.numbers import literal
from dynamodb_core.pointers import Place, pointer

if TYPE_CHECKING:
    from dynamodb_core.layouts import Binary, Columns, Decimals, Packed, Typed

TYPES = ("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS")

# An item or a part of one as DynamoDB's JSON has it: {"id": {"S": "a"}, "n": {"N": "1"}}.
Item = Mapping[str, Mapping[str, Any]]
# From the text of a JSON number to what stands for it in a record.
Number = Callable[[str], Any]

_KINDS = frozenset(TYPES)
_TAGGED = frozenset(("B", "SS", "NS", "BS"))


class _Style(NamedTuple):
    """How values are written.

    Attributes:
        number: Makes a record's value of a JSON number's text.
        tagged: The types that are tagged inside maps and lists.
        base16: Whether binaries at the top are base16.
    """

    number: Number
    tagged: frozenset[str]
    base16: bool


class Plain(NamedTuple):
    """An item as a record.

    Attributes:
        record: The record, ready for JSON.
        late: Attributes that got a column with this item, and its type.
        rest: Names of attributes that went to `rest`, or were lost for want of it.
    """

    record: dict[str, Any]
    late: dict[str, str]
    rest: tuple[str, ...] = ()


def to_plain(item: Item, columns: Columns, number: Number) -> Plain:
    """Convert an item to a record with its attributes as properties.

    Args:
        item: The typed item.
        columns: The columns there are.
        number: Makes a record's value of a JSON number's text, for example `orjson.Fragment` or
            `numbers.to_python`. It is not asked where the layout wants decimal strings.

    Raises:
        DataError: Not an item in DynamoDB's JSON, a number that is none, or a binary that is none and
            is to be base16; the path is named.
    """
    style = _style(number, columns.decimals, columns.binary)
    record: dict[str, Any] = {}
    late: dict[str, str] = {}
    rest: dict[str, Any] = {}
    tags: dict[str, str] | None = None if columns.reserved is None else {}
    known = columns.types
    for name, typed in item.items():
        kind, value = _open(typed, (None, name))
        column = None if name == columns.reserved else known.get(name)
        if column is None:
            if not columns.open and columns.unknown == "drop":
                continue
            full = len(known) + len(late) >= columns.limit
            if full or not columns.open or kind == "NULL" or name == columns.reserved:
                rest[name] = typed
                continue
            late[name] = column = kind
        if kind == "NULL":
            record[name] = None
        elif kind == column:
            record[name] = _value(kind, value, style, (None, name), tags, top=True)
        else:
            rest[name] = typed
    _reserve(record, columns.reserved, tags, rest)
    return Plain(record, late, tuple(rest))


def to_packed(item: Item, layout: Packed, number: Number) -> Plain:
    """Convert an item to a record of its key and one object with all other attributes.

    Args:
        item: The typed item.
        layout: The key's types and the names of the fields.
        number: As in `to_plain`.

    Raises:
        DataError: As in `to_plain`; or a key attribute is missing or of another type.
    """
    style = _style(number, layout.decimals, layout.binary)
    record = _keys(item, layout.keys, style)
    tags: dict[str, str] | None = None if layout.reserved is None else {}
    top = (None, layout.item_field)
    record[layout.item_field] = {
        name: _nested(typed, style, (top, name), tags)
        for name, typed in item.items()
        if name not in layout.keys
    }
    _reserve(record, layout.reserved, tags, None)
    return Plain(record, {})


def to_typed(item: Item, layout: Typed, number: Number) -> Plain:
    """Convert an item to a record of its key and the typed item as it is.

    Args:
        item: The typed item.
        layout: The key's types and the name of the item's field.
        number: As in `to_plain`; for the key, the item's own numbers stay text.

    Raises:
        DataError: A key attribute is missing or of another type.
    """
    record = _keys(item, layout.keys, _style(number, layout.decimals, layout.binary))
    record[layout.item_field] = item
    return Plain(record, {})


@lru_cache(maxsize=16)
def _style(number: Number, decimals: Decimals, binary: Binary) -> _Style:
    if decimals == "string":
        return _Style(str, _TAGGED | {"N"}, binary == "base16")
    return _Style(number, _TAGGED, binary == "base16")


def _keys(item: Item, keys: Mapping[str, str], style: _Style) -> dict[str, Any]:
    record = {}
    for name, expected in keys.items():
        if name not in item:
            raise DataError(f"Key attribute {name!r} is missing", "Every item needs its key")
        kind, value = _open(item[name], (None, name))
        if kind != expected:
            raise DataError(
                f"Key attribute {name!r} is of type {kind}, the table's key wants {expected}"
            )
        record[name] = _value(kind, value, style, (None, name), None, top=True)
    return record


def _reserve(
    record: dict[str, Any],
    reserved: str | None,
    tags: dict[str, str] | None,
    rest: dict[str, Any] | None,
) -> None:
    if reserved is not None and (tags or rest):
        record[reserved] = {
            **({"types": tags} if tags else {}),
            **({"rest": rest} if rest else {}),
        }


def _nested(typed: Mapping[str, Any], style: _Style, at: Place, tags: dict[str, str] | None) -> Any:
    kind, value = _open(typed, at)
    return _value(kind, value, style, at, tags, top=False)


def _value(
    kind: str, value: Any, style: _Style, at: Place, tags: dict[str, str] | None, *, top: bool
) -> Any:
    if kind in ("S", "BOOL"):
        return value
    if kind == "M":
        return {name: _nested(typed, style, (at, name), tags) for name, typed in value.items()}
    if kind == "L":
        return [_nested(typed, style, (at, n), tags) for n, typed in enumerate(value)]
    if kind == "NULL":
        return None
    if not top and tags is not None and kind in style.tagged:
        tags[pointer(at)] = kind
    if kind == "N":
        try:
            return style.number(literal(value))
        except DataError as error:
            raise DataError(f"At {pointer(at)}: {error.message}", error.hint) from None
    return _base16(value, at) if kind == "B" and top and style.base16 else value


def _base16(value: Any, at: Place) -> str:
    try:
        return base16(value)
    except (TypeError, ValueError):
        raise DataError(
            f"The binary at {pointer(at)} is no base64", "DynamoDB writes binaries as base64"
        ) from None


def base16(text: str) -> str:
    """Return the lower-case base16 of base64.

    Raises:
        ValueError: It is no base64.
    """
    return b64decode(text, validate=True).hex()


def _open(typed: Mapping[str, Any], at: Place) -> tuple[str, Any]:
    try:
        ((kind, value),) = typed.items()
    except (AttributeError, ValueError):
        kind, value = "", None
    if kind not in _KINDS:
        raise DataError(
            f"The value at {pointer(at)} is not in DynamoDB's JSON",
            'It has one type for each value, for example {"S": "text"}',
        )
    return kind, value
