"""How the JSON Schema of a stream says from which DynamoDB table its records are; pure.

The tap writes it, and what else hands items to our target does; the target reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_core.column_schema import property_schema
from dynamodb_core.descriptions import beyond, described
from dynamodb_core.layouts import ITEM_FIELD

if TYPE_CHECKING:
    from dynamodb_core.table import Table

TABLE = "x-dynamodb-table"
"""Annotates the schema of a stream: the table, and the form of the records."""

DELETED_AT = "_sdc_deleted_at"
"""The property that says when an item was deleted, in records that delete."""

DELETED_BY = "_sdc_deleted_by"
"""That which says who has deleted it, where that was DynamoDB itself (`ttl`)."""

OLD_IMAGE = "_sdc_old_image"
"""That which holds the item as it was before a change."""

SEQUENCE = "_sdc_sequence"
"""That which orders the records of one item."""


def stream_name(table: str) -> str:
    """Return the name of a table's stream.

    SQL targets keep only what follows the last `-` of a stream name, so `-` becomes `_`.

    Args:
        table: The table's name.
    """
    return table.replace("-", "_")


def source(table: Table) -> dict[str, Any]:
    """Return which table it is, as the annotation says it.

    Args:
        table: The table.
    """
    key = zip(table.key.names, table.key.types, strict=True)
    return {
        "name": table.name,
        "arn": table.arn,
        "id": table.id,
        "region": table.region,
        "key": [{"name": name, "type": kind} for name, kind in key],
    }


def keys(table: Table) -> dict[str, dict[str, Any]]:
    """Return the annotated schema of each key attribute, in its simplest form.

    Args:
        table: The table.
    """
    types = zip(table.key.names, table.key.types, strict=True)
    return {name: property_schema(kind, nullable=False) for name, kind in types}


def item_field(table: Table) -> str:
    """Return the property that holds a typed item, which no key attribute is.

    Args:
        table: The table.
    """
    field = ITEM_FIELD
    while field in table.key.names:
        field += "_"
    return field


def typed_schema(table: Table) -> dict[str, Any]:
    """Return the schema of a stream of typed items: that of the tap's `item_format` `dynamodb_json`.

    Args:
        table: The table that the items are from.
    """
    field = item_field(table)
    return {
        "type": "object",
        "properties": {**keys(table), field: {"type": ["object"], "additionalProperties": True}},
        "required": list(table.key.names),
        TABLE: {
            **source(table),
            "index": None,
            "item_format": "dynamodb_json",
            "item_field": field,
            "reserved": None,
            "decimals": "number",
            "binary_encoding": "base64",
            "left_behind": beyond(table.description),
            "definition": described(table.description),
        },
    }
