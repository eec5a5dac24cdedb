"""The key of a stream, and whether a table has it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError, KeyMismatch
from dynamodb_core.table import Key, Table
from target_dynamodb.key_choice import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Stream", "check_key", "new_key", "remarks"]

MOST_KEYS = 2
KEY_HINT = (
    'Name the key with stream_options, for example {"%s": {"partition_key": "id"}}, '
    "or create the table yourself"
)
JOIN_HINT = (
    "Join some of them into one attribute with stream_options, for example "
    '{"%s": {"partition_key": "%s", "join": {"sk": ["%s"]}, "sort_key": "sk"}}'
)


def new_key(stream: Stream, table: str) -> Key:
    """Return the key of a table that is made for a stream.

    Args:
        stream: The stream; its source says which of two key properties is the partition key.
        table: The table's name, for messages.

    Raises:
        ConfigError: The stream has no key, too long a key, or a key of a type that is none.
    """
    names = stream.key_names()
    if not names:
        raise ConfigError(
            f"Stream {stream.name} has no key properties, and table {table} does not exist",
            KEY_HINT % stream.name,
        )
    if len(names) > MOST_KEYS:
        raise _too_many(stream, names)
    types = []
    for name in names:
        type_ = stream.type_of(name)
        if type_ not in ("S", "N", "B"):
            raise ConfigError(
                f"Key property {name} of stream {stream.name} is of type {type_ or 'unknown'}, "
                f"a key of DynamoDB is a string, a number or binary",
                f'Say its type in stream_options, {{"{stream.name}": {{"types": {{"{name}": "S"}}}}}}, '
                "or create the table yourself",
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
        KeyMismatch: The keys differ in names or types, or in their order where the options name them.
        ConfigError: The stream has more key properties than a key has parts.
    """
    there, options = table.key.names, stream.options
    names = stream.key_names() or tuple(name for name in there if _has(stream, name))
    if len(names) > MOST_KEYS and (options.partition_key or options.sort_key):
        raise _too_many(stream, names)
    first = options.partition_key or (names[0] if options.shards and names else None)
    ordered = {0: first, 1: options.sort_key}
    swapped = any(name and there[place : place + 1] != (name,) for place, name in ordered.items())
    if set(names) != set(there) or swapped:
        own = ", ".join(names) or "no key properties"
        raise KeyMismatch(
            f"Table {table.name} has the key {table.key}, stream {stream.name} has {own}",
            "Name another table with table_names. " + KEY_HINT % stream.name,
        )
    for name, wanted in zip(there, table.key.types, strict=True):
        found = stream.type_of(name)
        if found not in (None, wanted):
            raise KeyMismatch(
                f"Key attribute {name} of table {table.name} is of type {wanted}, "
                f"property {name} of stream {stream.name} is of type {found}",
                "Name another table with table_names, or the property's type with stream_options "
                "(types)",
            )


def remarks(stream: Stream, key: Key) -> Iterator[str]:
    """Yield what somebody should know of what the options make of a stream's key.

    Args:
        stream: The stream.
        key: The key of its table.
    """
    if stream.key and not stream.tells_apart(key):
        yield (
            f"Stream {stream.name}: its key is {', '.join(stream.key)}, and the table's key {key} does "
            "not hold all of that: records that differ in the rest only are one item, the last of them"
        )
    if stream.options.shards.get("by") == "random":
        yield (
            f"Stream {stream.name}: shards are chosen at random, so that a record that comes again, "
            "also when a run is repeated, becomes a second item"
        )


def _has(stream: Stream, name: str) -> bool:
    options = stream.options
    made = name in options.join or name in options.constants or name in options.defaults
    return made or stream.old_name(name) in stream.properties


def _too_many(stream: Stream, names: tuple[str, ...]) -> ConfigError:
    first, *others = names
    return ConfigError(
        f"Stream {stream.name} has {len(names)} key properties ({', '.join(names)}), "
        "a DynamoDB table has one or two",
        JOIN_HINT % (stream.name, first, '", "'.join(others)),
    )
