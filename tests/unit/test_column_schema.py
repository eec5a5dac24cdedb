"""The JSON Schema of one attribute as `decimals` and `binary_encoding` have it, and back."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.singerlib import Schema

from dynamodb_core.column_schema import TYPE, column_types, property_schema

KINDS = ("S", "N", "B", "BOOL", "M", "L", "SS", "NS", "BS")


@pytest.mark.parametrize("nullable", [True, False])
def test_numbers_as_text_and_binaries_as_base16(nullable: bool) -> None:
    type_ = ["null", "string"] if nullable else ["string"]
    style: Any = {"nullable": nullable, "decimals": "string", "binary": "base16"}
    assert property_schema("N", **style) == {"type": type_, "format": "singer.decimal", TYPE: "N"}
    assert property_schema("B", **style) == {"type": type_, "contentEncoding": "base16", TYPE: "B"}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"N", "B"}))
def test_all_other_types_are_as_they_were(kind: str) -> None:
    assert property_schema(kind, decimals="string", binary="base16") == property_schema(kind)


@pytest.mark.parametrize("decimals", ["number", "string"])
@pytest.mark.parametrize("binary", ["base64", "base16"])
def test_scalars_are_read_back_when_the_sdk_has_dropped_the_annotations(
    decimals: Any, binary: Any
) -> None:
    given = {
        kind: property_schema(kind, decimals=decimals, binary=binary)
        for kind in ("S", "N", "B", "BOOL", "M", "L")
    }
    dropped = Schema.from_dict({"properties": given}).to_dict()["properties"]
    assert not any(TYPE in schema for schema in dropped.values())
    assert column_types(dropped) == {kind: kind for kind in given}
    assert column_types(given) == {kind: kind for kind in given}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string", "format": "x-singer.decimal", "precision": 38, "scale": 9}, "N"),
        ({"type": ["string", "null"], "format": "singer.decimal"}, "N"),
        ({"type": "string", "contentEncoding": "base16"}, "B"),
        ({"type": "string", "contentEncoding": "quoted-printable"}, "S"),
        ({"type": "string", "format": "date-time"}, "S"),
        ({"type": "string", "format": "singer.decimal", TYPE: "S"}, "S"),
    ],
)
def test_a_schema_that_a_person_wrote_for_texts_is_understood(
    schema: dict[str, Any], kind: str
) -> None:
    assert column_types({"a": schema}) == {"a": kind}


def test_what_a_mapper_changes_does_not_change_the_next_schema() -> None:
    property_schema("N", decimals="string").clear()
    assert property_schema("N", decimals="string")["format"] == "singer.decimal"
