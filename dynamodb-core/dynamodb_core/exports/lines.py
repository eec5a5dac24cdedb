r"""Lines of an export to items and changes, as DynamoDB JSON. Pure, and the hot loop of an export.

| format          | a line                                                                                  |
| --------------- | --------------------------------------------------------------------------------------- |
| `dynamodb_json` | `{"Item":{"id":{"N":"1"}}}`                                                             |
|                 | `{"Metadata":{"WriteTimestampMicros":{"N":"…"}},"Keys":{…},"OldImage":{…},"NewImage":{…}}` |
| `legacy`        | `{"id":{"n":"1"},"tags":{"sS":["a"]},"live":{"bOOL":true},"gone":{"nULLValue":true}}`   |
|                 | `id` \x03 `{"n":"1"}` \x02 `name` \x03 `{"s":"x"}`, as Hive wrote them                 |
| `ion`           | see `ion.py`                                                                            |

Items of `dynamodb_json` are slices of what was read: a line is held to its form, and to be JSON in UTF-8;
that its item is one is seen by whoever converts it. The other forms are rebuilt value by value, texts of
numbers as they are. A change is a deletion where it has no new image.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core.change import Change
from dynamodb_core.pointers import Place, pointer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from dynamodb_core.exports.kinds import Format

    Parser: TypeAlias = Callable[[bytes], list[Any]]

# Legacy tags in lower case.
_TEXTS = {"s": "S", "n": "N", "b": "B"}
_SETS = {"ss": "SS", "ns": "NS", "bs": "BS"}
_IS_TIME = re.compile(r"[0-9]{1,18}").fullmatch
_NULLS = frozenset({"null", "nullvalue"})

_HEAD = b'{"Item":'
_BETWEEN = b"}\n" + _HEAD
(_LF,) = b"\n"

_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class LineError(Exception):
    """A line that cannot be read.

    Args:
        number: Which of the lines given, from 0.
        why: What is wrong with it, to follow `line … of …`.
        hint: What to do about it; may be empty.
    """

    def __init__(self, number: int, why: str, hint: str = "") -> None:
        super().__init__(number, why, hint)
        self.number = number
        self.why = why
        self.hint = hint


class Unreadable(ValueError):
    """What is wrong with one line, without its number."""


class _Full(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    Item: msgspec.Raw


class _Number(msgspec.Struct, gc=False):
    N: str


class _Metadata(msgspec.Struct, gc=False):
    WriteTimestampMicros: _Number


class _Incremental(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    Metadata: _Metadata
    Keys: msgspec.Raw
    OldImage: msgspec.Raw = msgspec.Raw()
    NewImage: msgspec.Raw = msgspec.Raw()


class _Loose(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A change whose time is written as other tools do."""

    Metadata: Any
    Keys: msgspec.Raw
    OldImage: msgspec.Raw = msgspec.Raw()
    NewImage: msgspec.Raw = msgspec.Raw()


_full_decoder = msgspec.json.Decoder(_Full)
_incremental_decoder = msgspec.json.Decoder(_Incremental)
_loose_decoder = msgspec.json.Decoder(_Loose)


def parser(format: Format, *, changes: bool) -> Parser:  # noqa: A002 - as it is named in a manifest
    """Return what reads whole lines: a list of `msgspec.Raw` items or, of changes, of `Change`.

    It raises LineError for the first line that it cannot read; blank lines are none.

    Args:
        format: How the lines are written.
        changes: Whether they are changes.

    Raises:
        ConfigError: There is no library for the format.
    """
    if format == "ion":
        from dynamodb_core.exports import ion  # noqa: PLC0415 - it imports this one

        return ion.parser(changes=changes)
    if format == "legacy":
        return _legacy
    return _incremental if changes else _full


def cut(data: bytes) -> list[bytes] | None:
    """Return the items of lines of a full export unseen; None where a line is not written as DynamoDB does.

    It is for those who see themselves that each is one JSON object and nothing more: then all of it is as
    sure as what `parser` returns, but for spaces around an item, and is looked at once.

    Args:
        data: Whole lines.
    """
    if not data.startswith(_HEAD) or not data.endswith((b"}\n", b"}")):
        return None
    try:
        _check_text(data)
    except UnicodeDecodeError:
        return None
    found = data[len(_HEAD) : -2 if data.endswith(b"\n") else -1].split(_BETWEEN)
    return None if any(_LF in item for item in found) else found


def each_line(data: bytes, read: Callable[[bytes], Any]) -> list[Any]:
    """Return what every line says, one after the other.

    Args:
        data: Whole lines.
        read: Reads a line; raises Unreadable.

    Raises:
        LineError: A line cannot be read.
    """
    found = []
    for number, line in enumerate(data.split(b"\n")):
        if not line or line.isspace():
            continue
        try:
            found.append(read(line))
        except Unreadable as error:
            raise LineError(number, *error.args) from error
        except UnicodeDecodeError as error:
            raise LineError(number, f"is no UTF-8 at byte {error.start}") from error
        except RecursionError as error:
            raise LineError(number, "is nested too deep") from error
    return found


def micros(value: Any) -> int:
    """Return the time of a write, however it is spelled.

    Args:
        value: What `Metadata` is.

    Raises:
        Unreadable: It is no time.
    """
    told = value.get("WriteTimestampMicros", value) if isinstance(value, dict) else value
    if isinstance(told, dict) and set(told) == {"N"}:
        told = told["N"]
    text = str(told)
    if not _IS_TIME(text):
        raise Unreadable("does not say when its item was written (WriteTimestampMicros)")
    return int(text)


def _full(data: bytes) -> list[msgspec.Raw]:
    """Read lines of a full export: all at once, and one by one only where that fails."""
    try:
        _check_text(data)
        found = _full_decoder.decode_lines(data)
        if len(found) == _count(data):
            return [each.Item for each in found]
    except _NOT_JSON:
        pass
    return each_line(data, _full_line)


def _full_line(line: bytes) -> msgspec.Raw:
    try:
        _check_text(line)
        item = _full_decoder.decode(line).Item
    except msgspec.DecodeError as error:
        raise Unreadable(f'is not {{"Item": …}} as in a full export: {error}') from error
    _object(bytes(item), "Item")
    return item


def _incremental(data: bytes) -> list[Change]:
    """Read lines of an incremental export, as `_full` does."""
    try:
        _check_text(data)
        found = _incremental_decoder.decode_lines(data)
        if len(found) == _count(data):
            return [_change(each, each.Metadata.WriteTimestampMicros.N) for each in found]
    except (*_NOT_JSON, Unreadable):
        pass
    return each_line(data, _incremental_line)


def _incremental_line(line: bytes) -> Change:
    try:
        _check_text(line)
        told = _loose_decoder.decode(line)
    except msgspec.DecodeError as error:
        raise Unreadable(f"is no change as in an incremental export: {error}") from error
    return _change(told, told.Metadata)


def _change(told: _Incremental | _Loose, written: Any) -> Change:
    keys = bytes(told.Keys)
    _object(keys, "Keys")
    return Change(
        item=_image(told.NewImage, "NewImage"),
        keys=keys,
        micros=micros(written),
        old=_image(told.OldImage, "OldImage"),
    )


def _image(raw: msgspec.Raw, name: str) -> bytes | None:
    data = bytes(raw)
    if not data or data == b"null":
        return None
    _object(data, name)
    return data


def _check_text(data: bytes) -> None:
    """See that it is UTF-8, which msgspec does not look at in what it skips."""
    if not data.isascii():
        data.decode()


def _count(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _object(data: bytes, name: str) -> None:
    if not data.startswith(b"{"):
        raise Unreadable(f"has no object as {name}")


def _legacy(data: bytes) -> list[msgspec.Raw]:
    return each_line(data, _legacy_line)


def _legacy_line(line: bytes) -> msgspec.Raw:
    # No text in JSON holds \x03 as it is.
    item = _hive(line) if b"\x03" in line else _json(line, "is no item as in a legacy export")
    if not isinstance(item, dict):
        raise Unreadable("is no item as in a legacy export: it is no object")
    return msgspec.Raw(
        orjson.dumps({name: _typed(value, (None, name)) for name, value in item.items()})
    )


def _hive(line: bytes) -> dict[str, Any]:
    """Return the attributes of a line that Hive wrote, tagged as they are there."""
    item: dict[str, Any] = {}
    for entry in line.split(b"\x02"):
        name, mark, value = entry.partition(b"\x03")
        named = name.decode()
        if not mark:
            raise Unreadable(f"has an attribute without a value: {named[:60]!r}")
        if named in item:
            raise Unreadable(f"has the attribute {named!r} twice")
        item[named] = _json(value, f"has no value for {named!r}")
    return item


def _json(text: bytes, wrong: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"{wrong}: {error}") from error


def _typed(value: Any, at: Place) -> dict[str, Any]:
    """Return a value of the legacy form as DynamoDB's JSON has it."""
    if not isinstance(value, dict) or len(value) != 1:
        raise Unreadable(f"has no type, or several, at {pointer(at)}")
    ((tag, content),) = value.items()
    lower = tag.lower()
    kind = content.__class__
    if lower in _TEXTS and kind is str:
        return {_TEXTS[lower]: content}
    if lower == "m" and kind is dict:
        return {"M": {name: _typed(inner, (at, name)) for name, inner in content.items()}}
    if lower == "l" and kind is list:
        return {"L": [_typed(inner, (at, n)) for n, inner in enumerate(content)]}
    if lower == "bool" and kind is bool:
        return {"BOOL": content}
    if lower in _NULLS and content is True:
        return {"NULL": True}
    if lower in _SETS and kind is list and all(each.__class__ is str for each in content):
        return {_SETS[lower]: content}
    raise Unreadable(f"has no value of DynamoDB's at {pointer(at)}: {str(value)[:60]}")
