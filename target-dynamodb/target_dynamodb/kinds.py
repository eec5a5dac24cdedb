"""The DynamoDB type of a property, as far as its JSON Schema tells; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.column_schema import TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DECIMAL_FORMATS = ("x-singer.decimal", "singer.decimal")
_BY_JSON_TYPE = {
    "string": "S",
    "integer": "N",
    "number": "N",
    "boolean": "BOOL",
    "array": "L",
    "object": "M",
}


class Kind(NamedTuple):
    """What a property becomes.

    Attributes:
        type: DynamoDB's type, None when the value decides.
        base16: Whether its binary values are base16 instead of base64.
        decimal: Whether it is a number that travels as text.
        annotated: Whether our tap said so, rather than the JSON Schema.
    """

    type: str | None
    base16: bool = False
    decimal: bool = False
    annotated: bool = False


def kind(schema: Mapping[str, Any] | bool) -> Kind:  # noqa: FBT001 - JSON Schema has it so
    """Return what a property becomes.

    Args:
        schema: The property's JSON Schema; true is one too, and says nothing.

    Returns:
        The annotated type; else the one that all alternatives of the schema agree on, where null
        does not count; else none.
    """
    if isinstance(schema, bool):
        return Kind(None)
    alternatives = list(_alternatives(schema))
    base16 = any(part.get("contentEncoding") == "base16" for part in alternatives)
    decimal = any(part.get("format") in DECIMAL_FORMATS for part in alternatives)
    annotated = schema.get(TYPE)
    if isinstance(annotated, str):
        return Kind(annotated, base16, decimal, annotated=True)
    types = {found for part in alternatives for found in _types(part)}
    return Kind(types.pop() if len(types) == 1 else None, base16, decimal)


def _alternatives(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for word in ("anyOf", "oneOf"):
        for part in schema.get(word) or ():
            if isinstance(part, dict):
                yield from _alternatives(part)


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    said = schema.get("type") or ()
    for name in (said,) if isinstance(said, str) else said:
        if name == "string" and schema.get("contentEncoding") in ("base64", "base16"):
            yield "B"
        elif name == "string" and schema.get("format") in DECIMAL_FORMATS:
            yield "N"
        elif name in _BY_JSON_TYPE:
            yield _BY_JSON_TYPE[name]
