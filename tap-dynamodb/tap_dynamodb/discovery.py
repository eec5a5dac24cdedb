"""Sampled items to a stream's schema: a pure fold, and the JSON Schema with our annotations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError
from tap_dynamodb.column_schema import property_schema, reserved_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynamodb_core.table import Key, Table
    from tap_dynamodb.settings import Settings

TABLE = "x-dynamodb-table"


@dataclass
class Seen:
    """What a sample has shown: how often each attribute had each type. Merging is a fold."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, item: Mapping[str, Mapping[str, Any]]) -> Seen:
        """Count a typed item's attributes, and return self."""
        for name, value in item.items():
            for kind in value:
                self.counts.setdefault(name, Counter())[kind] += 1
        return self

    def merge(self, other: Seen) -> Seen:
        """Add what another sample has shown, and return self."""
        for name, counts in other.counts.items():
            self.counts.setdefault(name, Counter()).update(counts)
        return self


def columns(seen: Seen, key: Key, limit: int, reserved: str | None = None) -> dict[str, str]:
    """Decide the columns of a plain stream.

    Args:
        seen: What the sample has shown.
        key: The table's key; its attributes come first, with the key's types.
        limit: Most columns; beyond it the attributes seen least often are left out.
        reserved: The name that no column may have.

    Returns:
        DynamoDB type by attribute, keys first, then by name. An attribute of several types gets the
        type it had most often; one that was only ever NULL gets no column, as nothing decides it.
    """
    decided: dict[str, tuple[int, str]] = {}
    for name, counts in seen.counts.items():
        typed = {kind: count for kind, count in counts.items() if kind != "NULL"}
        if typed and name != reserved and name not in key.names:
            kind = min(typed, key=lambda kind: (-typed[kind], kind))
            decided[name] = (sum(counts.values()), kind)
    room = max(limit - len(key.names), 0)
    frequent = sorted(decided, key=lambda name: (-decided[name][0], name))[:room]
    chosen = dict(zip(key.names, key.types, strict=True))
    return chosen | {name: decided[name][1] for name in sorted(frequent)}


def stream_schema(
    table: Table, attributes: Mapping[str, str], settings: Settings
) -> dict[str, Any]:
    """Return the JSON Schema of a stream.

    Args:
        table: The table it comes from.
        attributes: DynamoDB type by column, of a plain stream; the keys alone are used otherwise.
        settings: Names the item format and the fields that are ours.

    Raises:
        ConfigError: A key attribute has the name of a field that is ours.
    """
    key = dict(zip(table.key.names, table.key.types, strict=True))
    properties = {name: property_schema(kind, nullable=False) for name, kind in key.items()}
    if settings.item_format == "plain":
        properties |= {
            name: property_schema(kind) for name, kind in attributes.items() if name not in key
        }
    else:
        _refuse_clash(table, settings.item_field, "item_field")
        properties[settings.item_field] = {"type": ["object"], "additionalProperties": True}
        if settings.item_format == "packed" and settings.type_tags:
            properties[settings.reserved_field] = reserved_schema()
    if settings.item_format != "dynamodb_json" and settings.type_tags:
        _refuse_clash(table, settings.reserved_field, "reserved_field")
    return {
        "type": "object",
        "properties": properties,
        "required": list(table.key.names),
        TABLE: {
            "name": table.name,
            "arn": table.arn,
            "id": table.id,
            "region": table.region,
            "key": [{"name": name, "type": kind} for name, kind in key.items()],
            "item_format": settings.item_format,
            "item_field": settings.item_field,
            "reserved": settings.reserved_field if settings.type_tags else None,
            "left_behind": left_behind(table),
        },
    }


def require_same(schema: Mapping[str, Any], table: Table, settings: Settings) -> None:
    """Refuse a catalog that was made of another key, or for another form of records.

    Args:
        schema: The stream's schema, perhaps from a catalog.
        table: The table as it is now.
        settings: The configuration as it is now.

    Raises:
        ConfigError: The catalog does not fit.
    """
    given = schema.get(TABLE)
    if given is None:
        return
    now = stream_schema(table, {}, settings)[TABLE]
    for member in ("key", "item_format", "item_field", "reserved"):
        if given.get(member) != now[member]:
            raise ConfigError(
                f"The catalog of table {table.name} was made for another {member}: "
                f"{given.get(member)}, now it is {now[member]}",
                "Discover again (meltano run --refresh-catalog)",
            )


def left_behind(table: Table) -> list[str]:
    """Name what a table has that its items do not carry, for whoever creates the copy."""
    named = {
        "GlobalSecondaryIndexes": "global secondary indexes",
        "LocalSecondaryIndexes": "local secondary indexes",
        "StreamSpecification": "stream",
        "SSEDescription": "encryption key",
        "Replicas": "replicas",
    }
    return [words for member, words in named.items() if table.description.get(member)]


def reattach(schema: dict[str, Any], annotated: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with the annotations that the SDK's classes have dropped.

    Args:
        schema: What the SDK made of the annotated schema: perhaps mapped, selected or flattened.
        annotated: The stream's own schema.

    Returns:
        The schema, where each property that still has its name and JSON type is annotated again.
    """
    known = annotated["properties"]
    properties = {
        name: known[name] if _same_json_type(part, known.get(name, {})) else part
        for name, part in schema.get("properties", {}).items()
    }
    table = {TABLE: annotated[TABLE]} if TABLE in annotated else {}
    return {**schema, "properties": properties, **table}


def _same_json_type(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    types = [{t} if isinstance(t := part.get("type", ()), str) else {*t} for part in (one, other)]
    return types[0] == types[1]


def stream_names(tables: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the stream name of each table.

    SQL targets keep only what follows the last `-` of a stream name, so `-` becomes `_`.

    Args:
        tables: Table names.
        given: Stream names that the configuration gives, by table name.

    Raises:
        ConfigError: Two tables would have one stream name.
    """
    names: dict[str, str] = {}
    owners: dict[str, str] = {}
    for table in tables:
        name = given.get(table, table.replace("-", "_"))
        if name in owners:
            raise ConfigError(
                f"Tables {owners[name]} and {table} would both be the stream {name}",
                f'Set stream_names, for example {{"{table}": "{name}_2"}}',
            )
        owners[name] = table
        names[table] = name
    return names


def _refuse_clash(table: Table, name: str, setting: str) -> None:
    if name in table.key.names:
        raise ConfigError(
            f"Table {table.name} has a key attribute named {name}",
            f"Set {setting} to another name",
        )
