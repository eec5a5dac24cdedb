"""What a new table is like, and what it has of the table that its stream came from, in words; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_core.definitions import MAXIMA, PARTS, PROVISIONED, UNITS
from dynamodb_core.descriptions import UNSEEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.definitions import Definition
    from target_dynamodb.source import Source


class Likeness:
    """What a table has of its source. As text it is a line for the log.

    Attributes:
        has: The parts of the source that the table has too, in words.
        lacks: What it has not: parts that are set otherwise or not copied, and what nothing copies.

    Args:
        source: The source.
        definition: What the table is like.
    """

    def __init__(self, source: Source, definition: Definition) -> None:
        self._name = source.name
        self.has: list[str] = []
        self.lacks: list[str] = []
        for part, members in PARTS.items():
            own = {n: source.definition[n] for n in members if source.definition.get(n)}
            words = own and _words(part, own, source.definition)
            if words:
                same = all(_bare(definition.settings.get(n)) == _bare(own[n]) for n in own)
                (self.has if same else self.lacks).append(words)
        self.lacks += source.left_behind

    def __str__(self) -> str:
        """Return the line."""
        has = ", ".join(["the items", *self.has])
        lacks = f", and not its {', '.join(self.lacks)}" if self.lacks else ""
        return f"Of table {self._name} {has} are copied{lacks}; its {UNSEEN} are not looked at"


def traits(definition: Definition) -> str:
    """Name what a table is like, for the log.

    Args:
        definition: The table.
    """
    settings = definition.settings
    later = " after the load" if definition.indexes_later else ""
    found = [capacity(settings, definition.billing_mode)]
    found += [f"global index {index['name']}{later}" for index in definition.global_indexes]
    found += [f"local index {index['name']}" for index in definition.local_indexes]
    if settings.get("ttl_attribute"):
        found.append(f"TTL by {settings['ttl_attribute']}")
    if settings.get("stream_view_type"):
        found.append(f"a stream ({settings['stream_view_type']})")
    if settings.get("sse_type") or settings.get("kms_master_key_id"):
        found.append(f"encrypted by {settings.get('kms_master_key_id') or 'the key aws/dynamodb'}")
    if definition.tags:
        found.append(f"tags {', '.join(definition.tags)}")
    if settings.get("table_class"):
        found.append(f"table class {settings['table_class']}")
    if settings.get("deletion_protection_enabled"):
        found.append("protected against deletion")
    return ", ".join(found)


def capacity(settings: Mapping[str, Any], billing_mode: str) -> str:
    """Name the capacity of a table.

    Args:
        settings: Its settings.
        billing_mode: Its billing mode.
    """
    names = UNITS if billing_mode == PROVISIONED else MAXIMA
    units = [
        f"{settings[name]:,} {kind}"
        for name, kind in zip(names, ("read", "write"), strict=True)
        if settings.get(name)
    ]
    if billing_mode == PROVISIONED:
        return f"provisioned ({' and '.join(units)} units a second)"
    return "on demand" + (f" (at most {' and '.join(units)} units a second)" if units else "")


def _words(part: str, own: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Name a part of a table; nothing where it has none of it."""
    if part == "indexes":
        indexes = [
            index["name"]
            for member in ("global_secondary_indexes", "local_secondary_indexes")
            for index in own.get(member) or ()
        ]
        return f"index{'es' * (len(indexes) > 1)} {', '.join(indexes)}" if indexes else ""
    if part == "capacity":
        return f"capacity: {capacity(whole, PROVISIONED if any(own.get(n) for n in UNITS) else '')}"
    if part == "encryption":
        return f"encryption key {own.get('kms_master_key_id', '')}".rstrip()
    if part == "tags":
        return f"tags {', '.join(own['tags'])}"
    words = {
        "ttl": f"TTL by {own.get('ttl_attribute')}",
        "stream": f"stream ({own.get('stream_view_type')})",
        "table_class": f"table class {own.get('table_class')}",
        "deletion_protection": "deletion protection",
    }
    return words[part]


def _bare(value: Any) -> Any:
    """Return what is compared of a setting: of indexes all but their capacity."""
    if not isinstance(value, list):
        return value
    return [
        {n: v for n, v in index.items() if n not in PARTS["capacity"]}
        if isinstance(index, dict)
        else index
        for index in value
    ]
