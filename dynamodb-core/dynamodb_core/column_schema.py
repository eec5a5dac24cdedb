"""The JSON Schema of one attribute, with the annotation that says its DynamoDB type; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.layouts import Binary, Decimals

TYPE = "x-dynamodb-type"

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "S": {"type": "string"},
    "N": {"type": "number"},
    "B": {"type": "string", "contentEncoding": "base64"},
    "BOOL": {"type": "boolean"},
    "M": {"type": "object", "additionalProperties": True},
    "L": {"type": "array"},
    "SS": {"type": "array", "items": {"type": "string"}},
    "NS": {"type": "array", "items": {"type": "string"}},
    "BS": {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}},
}
"""JSON Schema of each DynamoDB type, as SQL and file targets load it right; docs/types.md says why."""

_DECIMAL_TEXT = {"type": "string", "format": "singer.decimal"}
_BASE16 = {"type": "string", "contentEncoding": "base16"}
_DECIMAL_FORMATS = ("singer.decimal", "x-singer.decimal")


def property_schema(
    kind: str,
    *,
    nullable: bool = True,
    decimals: Decimals = "number",
    binary: Binary = "base64",
) -> dict[str, Any]:
    """Return the annotated JSON Schema of an attribute.

    Args:
        kind: Its DynamoDB type.
        nullable: Whether null is allowed; false for keys.
        decimals: How numbers are written.
        binary: How binaries are written; those in sets are base64 always.
    """
    schema = dict(_JSON_TYPES[kind])
    if kind == "N" and decimals == "string":
        schema = dict(_DECIMAL_TEXT)
    elif kind == "B" and binary == "base16":
        schema = dict(_BASE16)
    json_type = schema.pop("type")
    return {"type": ["null", json_type] if nullable else [json_type], **schema, TYPE: kind}


def reserved_schema() -> dict[str, Any]:
    """Return the JSON Schema of the reserved object that holds the type tags."""
    return {"type": ["null", "object"], "additionalProperties": True}


def column_types(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Read the DynamoDB types back from a schema, perhaps one that a person wrote.

    Args:
        properties: A stream schema's properties.

    Returns:
        DynamoDB type by property, of those that are attributes: by annotation, else by JSON type.
    """
    types = {}
    for name, schema in properties.items():
        kind = schema.get(TYPE) or _guess(schema)
        if kind in _JSON_TYPES:
            types[name] = kind
    return types


def _guess(schema: Mapping[str, Any]) -> str | None:
    given = schema.get("type", [])
    json_types = {given} if isinstance(given, str) else set(given)
    if "string" in json_types:
        if schema.get("format") in _DECIMAL_FORMATS:
            return "N"
        return "B" if schema.get("contentEncoding") in ("base64", "base16") else "S"
    names = {"number": "N", "integer": "N", "boolean": "BOOL", "object": "M", "array": "L"}
    return next((names[name] for name in names if name in json_types), None)
