"""A record through one stream map of the SDK, without losing what our tap says beside it; pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


SHOWN = 100
"""Characters of a record's key that an error shows."""


class StreamMap(Protocol):
    """What is used of the SDK's stream maps."""

    transformed_schema: Any
    raw_key_properties: Any

    @property
    def flattening_enabled(self) -> bool:
        """Whether nested objects become properties of their own."""
        ...

    def transform(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """Return the record as the map makes it, None when it is filtered out."""
        ...


def named(record: Mapping[str, Any], keys: Sequence[str] | None) -> str:
    """Return a record's name, for messages.

    Args:
        record: The record.
        keys: The key properties of its stream.
    """
    there = [name for name in keys or () if record.get(name) is not None]
    key = ", ".join(f"{name} {record[name]!s:.{SHOWN}}" for name in there)
    return f"the record with key {key}" if key else "a record without key"


def through(
    stream_map: StreamMap, stream: str, record: Mapping[str, Any], reserved: str | None
) -> dict[str, Any] | None:
    """Return a record as a stream map makes it.

    The reserved object of our tap survives the map: its types always, so that values keep theirs
    (a pointer to what the map removed is ignored later), its other attributes unless the map removed
    it, by name or with everything that it does not name.

    Args:
        stream_map: The map.
        stream: The stream's name, for messages.
        record: The record, which is not changed.
        reserved: The reserved property's name, None for a stream of another tap.

    Returns:
        A new record, None when the map filters it out.

    Raises:
        DataError: The map fails on the record.
    """
    given = dict(record)
    extra = given.get(reserved) if reserved else None
    if reserved and stream_map.flattening_enabled:
        given.pop(reserved, None)
    try:
        made = stream_map.transform(given)
    except DataError:
        raise
    except Exception as error:  # the map is the user's own program
        raise DataError(
            f"A stream map of stream {stream} fails on "
            f"{named(record, stream_map.raw_key_properties)}: {error}",
            "Correct stream_maps",
        ) from error
    if made is None:
        return None
    if reserved and isinstance(extra, dict) and reserved not in made:
        properties = stream_map.transformed_schema.get("properties") or {}
        kept = any(name.startswith(reserved) for name in properties)
        made[reserved] = extra if kept else {"types": extra.get("types")}
    for name, value in made.items():
        if isinstance(value, (dt.date, dt.time)):
            made[name] = value.isoformat()
    return made
