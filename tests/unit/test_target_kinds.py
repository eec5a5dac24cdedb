"""What a property becomes, by its JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from target_dynamodb.kinds import Kind, kind


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, Kind("S")),
        ({"type": ["null", "string"]}, Kind("S")),
        ({"type": ["string", "null"], "format": "date-time"}, Kind("S")),
        ({"type": "integer"}, Kind("N")),
        ({"type": ["integer", "number", "null"]}, Kind("N")),
        ({"type": "boolean"}, Kind("BOOL")),
        ({"type": "array"}, Kind("L")),
        ({"type": "object"}, Kind("M")),
        ({"type": "string", "contentEncoding": "base64"}, Kind("B")),
        ({"type": "string", "contentEncoding": "base16"}, Kind("B", base16=True)),
        ({"type": "string", "format": "x-singer.decimal"}, Kind("N", decimal=True)),
        ({"type": ["string", "integer"]}, Kind(None)),
        ({"type": ["number", "string", "boolean", "object", "array", "null"]}, Kind(None)),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, Kind("S")),
        ({"oneOf": [{"type": "integer"}, {"anyOf": [{"type": "string"}]}]}, Kind(None)),
        ({}, Kind(None)),
        (True, Kind(None)),
        ({"type": "string", "x-dynamodb-type": "B"}, Kind("B", annotated=True)),
        ({"type": "array", "x-dynamodb-type": "NS"}, Kind("NS", annotated=True)),
        (
            {"type": "string", "format": "singer.decimal", "x-dynamodb-type": "N"},
            Kind("N", decimal=True, annotated=True),
        ),
        (
            {"type": "string", "contentEncoding": "base16", "x-dynamodb-type": "B"},
            Kind("B", base16=True, annotated=True),
        ),
    ],
)
def test_a_schema_decides_where_it_is_of_one_mind(schema: Any, expected: Kind) -> None:
    assert kind(schema) == expected
