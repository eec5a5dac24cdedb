"""DynamoDB JSON to plain JSON, pure. The reference that the fast road is held against.

| DynamoDB | plain JSON                                | inside a map or list                  |
| -------- | ----------------------------------------- | ------------------------------------- |
| `S`      | string                                    | the same                              |
| `N`      | number, all digits kept                   | the same                              |
| `B`      | string, base64 as on the wire             | the same, tagged                      |
| `BOOL`   | true, false                               | the same                              |
| `NULL`   | null, in a column of any type             | null                                  |
| `M`      | object                                    | the same                              |
| `L`      | array                                     | the same                              |
| `SS`     | array of strings                          | the same, tagged                      |
| `BS`     | array of base64 strings                   | the same, tagged                      |
| `NS`     | array of decimal strings                  | the same, tagged                      |

A top-level attribute has a column, and the column a DynamoDB type; that is how `B` and sets are told
from strings and arrays there. What JSON and the column do not say stands in a reserved object:
`types` tags values inside maps and lists by JSON Pointer, `rest` holds the typed values of attributes
that have no column or another type than theirs. So `to_plain` loses nothing, whatever the columns.

What is lost, and only when asked for:
- Without the reserved object (`reserved=None`; `type_tags: false`): `B` inside maps and lists is read
  back as a string, sets there as lists of strings, and attributes that do not fit are left out.
- With `unknown="drop"` (something was deselected): attributes without a column.
- Everywhere: the order of attributes and the spelling of a number (`1E2` may come back as `1E+2`).

Types are read by position, never by name: a map `{"S": "x"}` is a map, `M` may be an attribute.
`encode.py` is the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.errors import DataError
from dynamodb_core.numbers import literal
from dynamodb_core.pointers import escape

if TYPE_CHECKING:
    from dynamodb_core.layouts import Columns, Packed, Typed

TYPES = ("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS")

# An item or a part of one as DynamoDB's JSON has it: {"id": {"S": "a"}, "n": {"N": "1"}}.
Item = Mapping[str, Mapping[str, Any]]
# From the text of a JSON number to what stands for it in a record.
Number = Callable[[str], Any]
# Where a value stands: the position it is inside of, and its name or index there.
_Place = tuple[Any, Any]

_KINDS = frozenset(TYPES)
_TAGGED = frozenset(("B", "SS", "NS", "BS"))


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
            `numbers.to_python`.

    Raises:
        DataError: Not an item in DynamoDB's JSON, or a number that is none; the path is named.
    """
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
            record[name] = _value(kind, value, number, (None, name), tags, tagged=False)
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
    record = _keys(item, layout.keys, number)
    tags: dict[str, str] | None = None if layout.reserved is None else {}
    top = (None, layout.item_field)
    record[layout.item_field] = {
        name: _nested(typed, number, (top, name), tags)
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
    record = _keys(item, layout.keys, number)
    record[layout.item_field] = item
    return Plain(record, {})


def _keys(item: Item, keys: Mapping[str, str], number: Number) -> dict[str, Any]:
    record = {}
    for name, expected in keys.items():
        if name not in item:
            raise DataError(f"Key attribute {name!r} is missing", "Every item needs its key")
        kind, value = _open(item[name], (None, name))
        if kind != expected:
            raise DataError(
                f"Key attribute {name!r} is of type {kind}, the table's key wants {expected}"
            )
        record[name] = _value(kind, value, number, (None, name), None, tagged=False)
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


def _nested(
    typed: Mapping[str, Any], number: Number, at: _Place, tags: dict[str, str] | None
) -> Any:
    kind, value = _open(typed, at)
    return _value(kind, value, number, at, tags, tagged=True)


def _value(
    kind: str, value: Any, number: Number, at: _Place, tags: dict[str, str] | None, *, tagged: bool
) -> Any:
    if kind in ("S", "BOOL"):
        return value
    if kind == "N":
        try:
            return number(literal(value))
        except DataError as error:
            raise DataError(f"At {pointer(at)}: {error.message}", error.hint) from None
    if kind == "M":
        return {name: _nested(typed, number, (at, name), tags) for name, typed in value.items()}
    if kind == "L":
        return [_nested(typed, number, (at, n), tags) for n, typed in enumerate(value)]
    if kind == "NULL":
        return None
    if tagged and tags is not None:
        tags[pointer(at)] = kind
    return value


def _open(typed: Mapping[str, Any], at: _Place) -> tuple[str, Any]:
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


def pointer(at: _Place | None) -> str:
    """Return the JSON Pointer of a place, written only when somebody asks for it."""
    tokens: list[str] = []
    while at is not None:
        at, token = at
        tokens.append(escape(str(token)))
    return "".join(f"/{token}" for token in reversed(tokens))
