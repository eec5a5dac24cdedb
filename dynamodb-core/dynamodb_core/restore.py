"""Records back to items: the way back of `codec.py`, one function for each layout.

`apply_tags` and `apply_rest` put back what the reserved object says; an encoder that knows a schema
of its own is made of them and of `encode.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_core import numbers
from dynamodb_core.codec import TYPES
from dynamodb_core.encode import ENCODERS, TOP_ENCODERS, natural, show, unfit
from dynamodb_core.layouts import ITEM_FIELD, RESERVED
from dynamodb_core.pointers import escape, index, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.encode import TypedValue
    from dynamodb_core.layouts import Binary


def from_plain(
    record: Mapping[str, Any],
    types: Mapping[str, str],
    *,
    reserved: str | None = RESERVED,
    binary: Binary = "base64",
) -> dict[str, TypedValue]:
    """Return the item that a record of the layout `plain` was made of.

    Args:
        record: The record; numbers as int, float, Decimal, or decimal text where their type is known.
        types: The DynamoDB type of each property that has one; the others are typed by `natural`.
        reserved: The property that holds tags and misfits; None where there is none.
        binary: How binary properties are written.

    Raises:
        DataError: A value does not fit its type, its tag, or DynamoDB; the path is named.
    """
    encoders = TOP_ENCODERS[binary]
    item: dict[str, TypedValue] = {}
    for name, value in record.items():
        if name == reserved:
            continue
        if value is None:
            item[name] = {"NULL": True}
        elif name in types:
            item[name] = encoders[types[name]](value, f"/{escape(name)}")
        else:
            item[name] = natural(value, f"/{escape(name)}")
    extra = _reserved(record, reserved)
    if extra:
        apply_tags(item, record, extra.get("types") or {})
        apply_rest(item, record, extra.get("rest") or {})
    return item


def from_packed(
    record: Mapping[str, Any],
    keys: Mapping[str, str],
    *,
    item_field: str = ITEM_FIELD,
    reserved: str | None = RESERVED,
    binary: Binary = "base64",
) -> dict[str, TypedValue]:
    """Return the item that a record of the layout `packed` was made of.

    Args:
        record: The record; properties that are neither key, item nor reserved are not looked at.
        keys: The type of each key attribute.
        item_field: The property that holds the other attributes; null or missing means none.
        reserved: As in `from_plain`.
        binary: How binary keys are written; inside the item they are base64.

    Raises:
        DataError: As in `from_plain`; or a key is missing, or the item is no object.
    """
    packed = {item_field: record.get(item_field) or {}}
    typed = {item_field: ENCODERS["M"](packed[item_field], f"/{escape(item_field)}")}
    extra = _reserved(record, reserved)
    if extra:
        apply_tags(typed, packed, extra.get("types") or {})
    return {**typed[item_field]["M"], **_keys(record, keys, binary)}


def from_typed(
    record: Mapping[str, Any],
    keys: Mapping[str, str],
    *,
    item_field: str = ITEM_FIELD,
    binary: Binary = "base64",
) -> dict[str, TypedValue]:
    """Return the item that a record of the layout `dynamodb_json` was made of.

    A key property that was changed on the way (by a stream map) wins over the item's own.

    Args:
        record: The record.
        keys: The type of each key attribute.
        item_field: The property that holds the typed item.
        binary: How binary keys are written.

    Raises:
        DataError: A key or the item is missing, or the item is not in DynamoDB's JSON.
    """
    item = record.get(item_field)
    path = f"/{escape(item_field)}"
    if not isinstance(item, dict):
        raise unfit(path, "is no item", "It holds typed attributes, keys included")
    for name, typed in item.items():
        _check_typed(typed, f"{path}/{escape(name)}")
    changed = {}
    for name, typed in _keys(record, keys, binary).items():
        own = item.get(name, {}).get("N")
        text = typed.get("N")
        if own is None or text is None or numbers.canonical(own) != numbers.canonical(text):
            changed[name] = typed
    return {**item, **changed}


def apply_tags(
    item: dict[str, TypedValue], record: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """Type again, in place, the values that tags name. Pointers to nothing are ignored.

    Args:
        item: The item so far, every value typed naturally inside its maps and lists.
        record: The plain values it was made of, under the same names.
        tags: DynamoDB type by JSON Pointer into the record.

    Raises:
        DataError: A value no longer fits its tag; the path is named.
    """
    for pointer, kind in tags.items():
        plain: Any = record
        typed: Any = item
        tokens = split(pointer)
        for depth, token in enumerate(tokens, start=1):
            key: Any = token if isinstance(plain, dict) else None
            if isinstance(plain, list):
                key = index(token, len(plain))
            if key is None or (isinstance(typed, dict) and key not in typed):
                break
            parent, plain = plain, plain[key]
            if depth < len(tokens):
                typed = typed[key].get("L" if isinstance(plain, list) else "M")
                if typed is None:
                    break
            elif plain is not None:
                if kind not in ENCODERS:
                    raise unfit(pointer, f"is tagged {show(kind)}", "That is no DynamoDB type")
                typed[key] = ENCODERS[kind](parent[key], pointer)


def apply_rest(
    item: dict[str, TypedValue], record: Mapping[str, Any], rest: Mapping[str, TypedValue]
) -> None:
    """Put back, in place, the typed attributes that had no fitting column.

    A property of the same name wins when it has a value: somebody gave it one on the way.

    Args:
        item: The item so far.
        record: The record it was made of.
        rest: Typed values by attribute.

    Raises:
        DataError: A value is not in DynamoDB's JSON.
    """
    for name, typed in rest.items():
        if name not in item or record.get(name) is None:
            _check_typed(typed, f"/rest/{escape(name)}")
            item[name] = typed


def _reserved(record: Mapping[str, Any], reserved: str | None) -> dict[str, Any]:
    extra = record.get(reserved) if reserved is not None else None
    if extra is None:
        return {}
    parts = [extra.get(part) for part in ("types", "rest")] if isinstance(extra, dict) else [0]
    if not all(part is None or isinstance(part, dict) for part in parts):
        raise unfit(f"/{escape(reserved or '')}", "does not hold `types` and `rest`")
    return dict(extra)


def _keys(
    record: Mapping[str, Any], keys: Mapping[str, str], binary: Binary
) -> dict[str, TypedValue]:
    typed = {}
    for name, kind in keys.items():
        if record.get(name) is None:
            raise unfit(f"/{escape(name)}", "is missing", "Every item needs its key")
        typed[name] = TOP_ENCODERS[binary][kind](record[name], f"/{escape(name)}")
    return typed


def _check_typed(typed: Any, path: str) -> None:
    if not isinstance(typed, dict) or len(typed) != 1 or next(iter(typed)) not in TYPES:
        raise unfit(path, "is not in DynamoDB's JSON", 'One type and its value: {"S": "text"}')
