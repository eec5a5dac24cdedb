"""A stream's JSON Schema with our annotations, from what a sample of its table has shown; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Schema

from dynamodb_core import provenance
from dynamodb_core.column_schema import property_schema, reserved_schema
from dynamodb_core.errors import ConfigError
from tap_dynamodb import overrides
from tap_dynamodb.particulars import Particulars
from tap_dynamodb.sampled import columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.singerlib import Catalog

    from dynamodb_core.table import Table
    from tap_dynamodb.sampled import Seen
    from tap_dynamodb.settings import Settings

TABLE = provenance.TABLE

DEFAULTS = {"index": None, "entity": None, "decimals": "number", "binary_encoding": "base64"}
"""Members of the annotation that a catalog may lack, and what it was made for then."""


def sampled_schema(
    seen: Seen,
    table: Table,
    settings: Settings,
    entity: str | None = None,
    particulars: Particulars | None = None,
    *,
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the JSON Schema of a stream, by a sample and the settings.

    Args:
        seen: What the sample has shown of the stream; of no matter unless it is plain.
        table: The table it comes from.
        settings: Those of the table.
        entity: The stream's name if it is that of an entity.
        particulars: What the table is like; None for what DescribeTable says.
        more: Properties that records of changes have beside the columns of an item.

    Raises:
        ConfigError: The settings do not fit the table.
    """
    attributes: dict[str, str] = {}
    if settings.item_format == "plain":
        attributes = columns(
            seen,
            table.key,
            settings.max_attributes,
            settings.reserved_field if settings.type_tags else None,
            overrides.overridden(table, settings, seen.kind),
        )
    schema = stream_schema(table, attributes, settings, entity, particulars)
    return with_more(schema, table.name, more or {})


def with_more(
    schema: dict[str, Any], table: str, more: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a stream's schema with the properties of changes.

    Args:
        schema: The schema.
        table: The table's name.
        more: Those properties.

    Raises:
        ConfigError: The table has an attribute of such a name.
    """
    properties = schema["properties"]
    for name, part in more.items():
        if properties.get(name, part) != part:
            raise ConfigError(
                f"Table {table} has an attribute {name}, which is ours to say what became of an item",
                "Read it in the item_format packed or dynamodb_json",
            )
    return {**schema, "properties": {**properties, **{n: dict(part) for n, part in more.items()}}}


def put_schema(catalog: Catalog, stream: str, schema: dict[str, Any]) -> None:
    """Replace a stream's schema in a catalog, from which the SDK makes SCHEMA messages.

    Args:
        catalog: The catalog.
        stream: The stream's name.
        schema: The schema.
    """
    if entry := catalog.get_stream(stream):
        entry.schema = Schema.from_dict(schema)


def stream_schema(
    table: Table,
    attributes: Mapping[str, str],
    settings: Settings,
    entity: str | None = None,
    particulars: Particulars | None = None,
) -> dict[str, Any]:
    """Return the JSON Schema of a stream.

    Args:
        table: The table it comes from.
        attributes: DynamoDB type by column, of a plain stream; the keys alone are used otherwise.
        settings: Those of the table: the item format, the fields that are ours, and what `schema`
            says of columns.
        entity: The stream's name if it is that of an entity.
        particulars: What the table is like; None for what DescribeTable says.

    Raises:
        ConfigError: A key attribute has the name of a field that is ours, or the settings do not fit
            a column.
    """
    key = dict(zip(table.key.names, table.key.types, strict=True))
    properties = {
        name: overrides.column(table, name, kind, settings, nullable=False)
        for name, kind in key.items()
    }
    if settings.item_format == "plain":
        properties |= {
            name: overrides.column(table, name, kind, settings)
            for name, kind in attributes.items()
            if name not in key
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
            **_annotation(table, settings),
            **_told(particulars or Particulars.of(table)),
            **({"entity": entity} if entity else {}),
        },
    }


def widened(
    schema: dict[str, Any], fresh: Mapping[str, str], reserved: str | None, settings: Settings
) -> dict[str, Any]:
    """Return a stream's schema with more columns.

    Args:
        schema: The schema.
        fresh: DynamoDB type by column, of those that are new.
        reserved: Name of the reserved object, where it is new.
        settings: Those of the table.
    """
    properties = dict(schema["properties"])
    for name, kind in fresh.items():
        properties[name] = property_schema(
            kind, decimals=settings.decimals, binary=settings.binary_encoding
        )
    if reserved:
        properties[reserved] = reserved_schema()
    return {**schema, "properties": properties}


def require_same(schema: Mapping[str, Any], table: Table, settings: Settings) -> None:
    """Refuse a catalog that was made of another key, or for another form of records.

    Args:
        schema: The stream's schema, perhaps from a catalog.
        table: The table as it is now.
        settings: Those of the table, as they are now.

    Raises:
        ConfigError: The catalog does not fit.
    """
    if TABLE not in schema:
        return
    given, now = DEFAULTS | schema[TABLE], _annotation(table, settings)
    if given["entity"] in {rule["stream"] for rule in settings.entities}:
        now["entity"] = given["entity"]
    for member in ("key", "item_format", "item_field", "reserved", *DEFAULTS):
        if given.get(member) != now.get(member):
            raise ConfigError(
                f"The catalog of table {table.name} was made for another {member}: "
                f"{given.get(member)}, now it is {now.get(member)}",
                "Discover again (meltano run --refresh-catalog)",
            )


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


def _annotation(table: Table, settings: Settings) -> dict[str, Any]:
    return {
        **provenance.source(table),
        "index": settings.index,
        "item_format": settings.item_format,
        "item_field": settings.item_field,
        "reserved": settings.reserved_field if settings.type_tags else None,
        "decimals": settings.decimals,
        "binary_encoding": settings.binary_encoding,
    }


def _told(particulars: Particulars) -> dict[str, Any]:
    return {
        "left_behind": list(particulars.left_behind),
        "definition": dict(particulars.definition),
    }


def _refuse_clash(table: Table, name: str, setting: str) -> None:
    if name in table.key.names:
        raise ConfigError(
            f"Table {table.name} has a key attribute named {name}",
            f"Set {setting} to another name",
        )
