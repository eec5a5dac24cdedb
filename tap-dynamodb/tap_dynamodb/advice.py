"""What discovery warns of: columns and keys that some targets would merge; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_dynamodb.discovery import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dynamodb_core.table import Table
    from tap_dynamodb.sampled import Seen
    from tap_dynamodb.settings import Settings

SHOWN_GROUPS = 5
SHOWN_NAMES = 4

_dropped = re.compile(r"[^\w\s.-]").sub
_apart = re.compile(r"[^\w]").sub


def advise(seen: Seen, schema: Mapping[str, Any], table: Table, settings: Settings) -> list[str]:
    """Return what there is to say of a stream before anyone loads it.

    Args:
        seen: What the sample has shown of the stream.
        schema: The stream's JSON Schema.
        table: The table it comes from.
        settings: Those of the table.

    Returns:
        Lines for the log; none where all is well.
    """
    entity = schema[TABLE].get("entity")
    what = f"Stream {entity} of table {table.name}" if entity else f"Table {table.name}"
    lines = (
        *_of_clashes(schema["properties"], settings),
        *_of_keys(seen, table, settings),
        *_of_room(seen, schema["properties"], settings),
    )
    return [f"{what}: {line}" for line in lines]


def clashes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of names that are one without regard to case or punctuation.

    Args:
        names: Column names.

    Returns:
        Sorted names, in the order of the groups' first names. Some targets drop a character that no
        SQL name has, others put `_` in its place; a group is of one way or of the other.
    """
    folded = {}
    groups: dict[tuple[str, str], list[str]] = {}
    for name in sorted(set(names)):
        dropped = _apart("_", _dropped("", name).strip()).lower()
        folded[name] = {("dropped", dropped), ("replaced", _apart("_", name).lower())}
        for way in folded[name]:
            groups.setdefault(way, []).append(name)
    found = set()
    for group in groups.values():
        shared = set.intersection(*(folded[name] for name in group))
        # Of a group that is part of the other way's, the other says it all.
        if len(group) > 1 and len(group) == max(len(groups[way]) for way in shared):
            found.add(tuple(group))
    return sorted(found)


def _of_clashes(properties: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    groups = clashes(properties)
    if not groups:
        return
    shown = "; ".join(_listed(group) for group in groups[:SHOWN_GROUPS])
    if len(groups) > SHOWN_GROUPS:
        shown += f"; and {len(groups) - SHOWN_GROUPS} more such groups"
    packed = "Set item_format to packed, or rename" if settings.item_format == "plain" else "Rename"
    yield (
        "SQL targets may make one column of names that differ only in case or punctuation: "
        f"{shown}. {packed} them with a stream map"
    )


def _of_keys(seen: Seen, table: Table, settings: Settings) -> Iterator[str]:
    if settings.decimals == "string":
        return
    for name in table.key.names:
        inexact = seen.inexact[name]
        if inexact:
            yield (
                f"{inexact} of {seen.counts[name]['N']} sampled values of the key attribute {name!r} "
                "are more than a double can tell apart. Targets that make floats of numbers "
                "(Snowflake) would merge such keys: set decimals to string"
            )


def _of_room(seen: Seen, properties: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    if settings.item_format != "plain":
        return
    reserved = settings.reserved_field if settings.type_tags else None
    without = seen.counts.keys() - properties.keys() - {reserved}
    left = sum(seen.kind(name) is not None for name in without)
    if left:
        fate = f"go to {reserved}" if reserved else "are left out, as type_tags is false"
        yield (
            f"the sample shows {left} attributes more than max_attributes "
            f"({settings.max_attributes}) allows, which {fate}. Set item_format to packed, or raise "
            "max_attributes"
        )


def _listed(names: Sequence[str]) -> str:
    shown = list(map(repr, names[:SHOWN_NAMES]))
    if len(names) > SHOWN_NAMES:
        shown.append(f"{len(names) - SHOWN_NAMES} more")
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
