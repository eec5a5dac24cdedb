"""How a line is written, for files that no manifest tells of, or to hold one to its manifest. Pure.

A line may be read in two ways only where an attribute of an item is named as a member of a line is:
`{"Item":{"S":"x"}}` is an item in the legacy form, with one attribute; `{"Item":{"S":{"N":"1"}}}` is a line
of an export. What follows the name decides, as DynamoDB allows one of them only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from dynamodb_core.exports.kinds import Format

MEMBERS = frozenset({"Metadata", "Keys", "OldImage", "NewImage"})
"""What a line of changes has."""

_TAGS: dict[str, type] = {
    **dict.fromkeys(("S", "N", "B"), str),
    **dict.fromkeys(("SS", "NS", "BS", "L"), list),
    **dict.fromkeys(("BOOL", "NULL"), bool),
    "M": dict,
}
_LEGACY_TAGS = {tag.lower(): kind for tag, kind in _TAGS.items()}
_VERSION = re.compile(rb"\s*\$ion_1_0\s*")
_ION_NAMES = re.compile(
    rb"""\s*\{\s*["']?(\w+)["']?\s*:\s*(?:\w+::)*(?:\{\s*["']?(\w+)["']?\s*:)?"""
)
_SHOWN = 60


class Seen(NamedTuple):
    """What a line shows of its file.

    Attributes:
        format: How it is written.
        changes: Whether it is a change, not an item.
    """

    format: Format
    changes: bool


def detect(line: bytes, where: str = "A line") -> Seen:
    """Return how a line is written.

    Args:
        line: A line that is not blank.
        where: Which line of which file it is, for errors.

    Raises:
        DataError: No export is written so.
    """
    marked = _VERSION.match(line)
    if marked:
        return Seen("ion", _changes_in_ion(line[marked.end() :]))
    if b"\x03" in line:  # written by Hive: no text in JSON or Ion holds it as it is
        return Seen("legacy", changes=False)
    if line.lstrip().startswith(b"{"):
        try:
            document = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if re.match(rb"\s*\{\s*'?(?:Item|Metadata|Keys|OldImage|NewImage)'?\s*:", line):
                return Seen("ion", _changes_in_ion(line))
        else:
            seen = _in_json(document)
            if seen is not None:
                return seen
    shown = line[:_SHOWN].decode("utf-8", "replace")
    raise DataError(
        f"{where} begins with {shown!r}, and no export of a table is written so",
        "Name the folder of an export: DynamoDB JSON, Ion, or that of Data Pipeline or EMR",
    )


def _in_json(document: Any) -> Seen | None:
    if not isinstance(document, dict) or not document:
        return None
    if set(document) == {"Item"} and _is_item(document["Item"], _TAGS):
        return Seen("dynamodb_json", changes=False)
    if "Keys" in document and set(document) <= MEMBERS and _is_item(document["Keys"], _TAGS):
        return Seen("dynamodb_json", changes=True)
    if _is_item({name: _lowered(value) for name, value in document.items()}, _LEGACY_TAGS):
        return Seen("legacy", changes=False)
    return None


def _is_item(item: Any, tags: dict[str, type]) -> bool:
    """Tell whether all attributes have a type, and a value that may be of it."""
    return isinstance(item, dict) and all(
        isinstance(value, dict)
        and len(value) == 1
        and all(isinstance(each, tags.get(tag, _Nothing)) for tag, each in value.items())
        for value in item.values()
    )


def _lowered(value: Any) -> Any:
    """Return a value of the legacy form with its tag in one spelling."""
    if not isinstance(value, dict):
        return value
    return {
        tag.lower(): True if tag.lower() == "null" else each
        for tag, each in value.items()
        if tag.lower() != "nullvalue"
    } or {"null": True}


def _changes_in_ion(text: bytes) -> bool:
    names = _ION_NAMES.match(text)
    found = {name.decode() for name in names.groups() if name} if names else set()
    return "Item" not in found and bool(found & MEMBERS)


class _Nothing:
    """Nothing is of it."""
