"""What the settings of one table say of its columns, over what a sample shows; pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from dynamodb_core.codec import TYPES
from dynamodb_core.column_schema import TYPE, column_types, property_schema
from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.table import Table
    from tap_dynamodb.settings import Settings


def overridden(
    table: Table, settings: Settings, sampled: Callable[[str], str | None]
) -> dict[str, str]:
    """Return the columns that `types` and `schema` name, whatever a sample shows.

    Args:
        table: The table.
        settings: Those of this table.
        sampled: The type that an attribute has by the sample, None where it shows none.

    Returns:
        DynamoDB type by attribute, without those of the key: by `types`, else by the annotation that
        `schema` gives, else by the sample, else by the JSON type that `schema` gives.

    Raises:
        ConfigError: Nothing says an attribute's type, or two settings contradict each other.
    """
    found: dict[str, str] = {}
    for name in sorted(settings.types.keys() | settings.schema.keys()):
        if settings.type_tags and name == settings.reserved_field:
            raise ConfigError(
                f"types or schema of table {table.name} name {name}, which is the reserved field",
                "Set reserved_field to another name",
            )
        kind = _given(table, name, settings)
        if name in table.key.names:
            continue
        given = settings.schema.get(name, {})
        kind = kind or sampled(name) or column_types({name: given}).get(name)
        if kind is None:
            raise ConfigError(
                f"Nothing says which type attribute {name} of table {table.name} has: neither the "
                "sample nor the type in schema",
                f'Set types, for example {{"{name}": "S"}}',
            )
        found[name] = kind
    room = max(settings.max_attributes - len(table.key.names), 0)
    if len(found) > room:
        raise ConfigError(
            f"types and schema of table {table.name} name {len(found)} attributes beside the key, "
            f"max_attributes leaves room for {room}",
            "Raise max_attributes",
        )
    return found


def column(
    table: Table, name: str, kind: str, settings: Settings, *, nullable: bool = True
) -> dict[str, Any]:
    """Return the annotated JSON Schema of a column.

    Args:
        table: The table.
        name: The attribute.
        kind: Its DynamoDB type; of an attribute of the key the key's.
        settings: Those of this table: how values are written, and `schema`, whose keywords go over
            those of the type.
        nullable: Whether null is allowed unless `schema` says otherwise.

    Raises:
        ConfigError: `types` or `schema` contradict the key, or say of the values what is not so.
    """
    if _given(table, name, settings) not in (None, kind):
        raise ConfigError(
            f"types or schema say that {name} of table {table.name} is "
            f"{_given(table, name, settings)}, it is {kind} in the table's key",
            "Leave the attribute out of types",
        )
    own = property_schema(
        kind, nullable=nullable, decimals=settings.decimals, binary=settings.binary_encoding
    )
    given = settings.schema.get(name, {})
    _require_true(table, name, kind, own, given)
    return {**own, **copy.deepcopy(dict(given))}


def _given(table: Table, name: str, settings: Settings) -> str | None:
    """Return the DynamoDB type that the settings say outright."""
    kinds = {settings.types.get(name), settings.schema.get(name, {}).get(TYPE)} - {None}
    if len(kinds) > 1:
        raise ConfigError(
            f"types and schema of table {table.name} say different types of attribute {name}",
            "Leave one of them out",
        )
    kind = next(iter(kinds), None)
    if kind is not None and (kind not in TYPES or kind == "NULL"):
        raise ConfigError(
            f"The {TYPE} of attribute {name} in schema of table {table.name} is {kind}",
            f"Types are {', '.join(kind for kind in TYPES if kind != 'NULL')}",
        )
    return kind


def _require_true(
    table: Table, name: str, kind: str, own: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Refuse a schema that no value as the tap writes it would fit."""
    about = f"schema of table {table.name} says that attribute {name}"
    wanted, written = _json_types(given), _json_types(own)
    fitting = written | {"integer"} if "number" in written else written
    if wanted and wanted.isdisjoint(fitting):
        raise ConfigError(
            f"The {about} is {' or '.join(sorted(wanted))}, but values of type {kind} are written "
            f"as {' or '.join(sorted(written))}",
            f"Leave its type out, or set types (now {kind}) or decimals",
        )
    encoding = given.get("contentEncoding")
    if kind == "B" and encoding not in (None, own.get("contentEncoding")):
        raise ConfigError(
            f"The {about} is {encoding}, but binaries are written as {own.get('contentEncoding')}",
            "Set binary_encoding",
        )


def _json_types(schema: Mapping[str, Any]) -> set[str]:
    given = schema.get("type", ())
    return ({given} if isinstance(given, str) else {*given}) - {"null"}
