"""What a stream map takes out of a record must not travel on in the reserved object; pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

REMOVED = (None, "__NULL__")
"""What the SDK's stream maps take for "leave this property out"."""


def withheld(
    stream: str,
    definitions: Mapping[str, Any],
    schemas: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> frozenset[str]:
    """Return the attributes that a stream's maps take out.

    Args:
        stream: The stream's name.
        definitions: The setting `stream_maps`.
        schemas: For each map of the stream, its properties before and after.

    Returns:
        Names that a map removes by name, also where the attribute has no column yet.
    """
    names: set[str] = set()
    for key, definition in definitions.items():
        if isinstance(definition, dict) and fnmatchcase(stream, definition.get("__source__", key)):
            names.update(name for name, value in definition.items() if value in REMOVED)
    for before, after in schemas:
        names.update(before.keys() - after.keys())
    return frozenset(names)


def without(record: dict[str, Any], reserved: str, names: Container[str]) -> dict[str, Any]:
    """Return a record whose reserved object holds no value of the attributes named.

    Args:
        record: The record.
        reserved: Name of the reserved object.
        names: The attributes.
    """
    tags = record.get(reserved)
    if not isinstance(tags, dict) or "rest" not in tags:
        return record
    rest = {name: value for name, value in tags["rest"].items() if name not in names}
    kept = {**tags, "rest": rest} if rest else {"types": tags["types"]} if "types" in tags else None
    if kept is None:
        return {name: value for name, value in record.items() if name != reserved}
    return {**record, reserved: kept}
