"""The key of a stream, and whether a table has it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError, KeyMismatch
from dynamodb_core.table import Key, Table
from target_dynamodb.kinds import kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_dynamodb.source import Source

MOST_KEYS = 2
KEY_HINT = (
    'Name the key with stream_maps, for example {"%s": {"__key_properties__": ["id"]}}, '
    "or create the table yourself"
)


@dataclass(frozen=True)
class Stream:
    """What the target knows of a stream when it looks for its table.

    Attributes:
        name: The stream's name, after stream maps.
        key_properties: Its key, partition key first; may be empty.
        properties: The JSON Schema of each property.
        source: The table that it came from, if our tap wrote it.
    """

    name: str
    key_properties: Sequence[str]
    properties: Mapping[str, Mapping[str, Any]]
    source: Source | None = None


def new_key(stream: Stream, table: str) -> Key:
    """Return the key of a table that is made for a stream.

    Args:
        stream: The stream; its source says which of two key properties is the partition key.
        table: The table's name, for messages.

    Raises:
        ConfigError: The stream has no key, too long a key, or a key of a type that is none.
    """
    names = tuple(stream.key_properties)
    source_key = stream.source.key if stream.source else None
    known = dict(zip(source_key.names, source_key.types, strict=True)) if source_key else {}
    if set(known) == set(names):
        names = tuple(known)
    if not names:
        raise ConfigError(
            f"Stream {stream.name} has no key properties, and table {table} does not exist",
            KEY_HINT % stream.name,
        )
    if len(names) > MOST_KEYS:
        raise ConfigError(
            f"Stream {stream.name} has {len(names)} key properties ({', '.join(names)}), "
            "a DynamoDB table has one or two",
            KEY_HINT % stream.name,
        )
    types = []
    for name in names:
        type_ = kind(stream.properties.get(name) or {}).type or known.get(name)
        if type_ not in ("S", "N", "B"):
            raise ConfigError(
                f"Key property {name} of stream {stream.name} is of type {type_ or 'unknown'}, "
                f"a key of DynamoDB is a string, a number or binary",
                KEY_HINT % stream.name,
            )
        types.append(type_)
    return Key(names, tuple(types))


def check_key(stream: Stream, table: Table) -> None:
    """Check that a table's key is the stream's.

    A stream without key properties takes the table's key, when its schema has these properties.

    Args:
        stream: The stream.
        table: An existing table.

    Raises:
        KeyMismatch: The keys differ in names or types.
    """
    names = stream.key_properties or [n for n in table.key.names if n in stream.properties]
    if set(names) != set(table.key.names):
        own = ", ".join(stream.key_properties) or "no key properties"
        raise KeyMismatch(
            f"Table {table.name} has the key {table.key}, stream {stream.name} has {own}",
            "Name another table with table_names, or " + KEY_HINT % stream.name,
        )
    for name, wanted in zip(table.key.names, table.key.types, strict=True):
        found = kind(stream.properties.get(name) or {}).type
        if found not in (None, wanted):
            raise KeyMismatch(
                f"Key attribute {name} of table {table.name} is of type {wanted}, "
                f"property {name} of stream {stream.name} is of type {found}",
                "Name another table with table_names, or change the property with stream_maps",
            )
