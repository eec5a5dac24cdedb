from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dynamodb_core.column_schema import TYPE, property_schema
from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key, Table
from tap_dynamodb.discovery import sampled_schema, stream_schema
from tap_dynamodb.sampled import Seen
from tap_dynamodb.settings import Settings

ORDERS = Table("orders", "", "id-1", Key(("pk", "sk"), ("S", "N")))
PLAIN = Settings(aws=AwsSettings())
FORMATS = ("plain", "packed", "dynamodb_json")
SHOWN = Seen().add({"a": {"S": "x"}, "n": {"N": "1"}, "flag": {"BOOL": True}, "bin": {"B": "AA=="}})


def settings(**more: Any) -> Settings:
    return replace(PLAIN, **more)


def properties(shown: Seen = SHOWN, **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = sampled_schema(shown, ORDERS, settings(**more))["properties"]
    return schema


def refused(shown: Seen = SHOWN, **more: Any) -> str:
    with pytest.raises(ConfigError, match="table orders") as raised:
        sampled_schema(shown, ORDERS, settings(**more))
    return str(raised.value)


# Types


def test_a_type_holds_whatever_the_sample_shows() -> None:
    found = properties(types={"a": "N", "unseen": "SS"})
    assert found["a"] == property_schema("N")
    assert found["unseen"] == property_schema("SS")
    assert found["n"] == property_schema("N")
    assert list(found)[:2] == ["pk", "sk"]


def test_without_a_sample_the_given_columns_are_all() -> None:
    found = properties(Seen(), types={"b": "S"}, schema={"a": {"type": "boolean"}})
    assert list(found) == ["pk", "sk", "a", "b"]


@pytest.mark.parametrize("item_format", FORMATS)
@pytest.mark.parametrize(
    "more", [{"types": {"sk": "S"}}, {"schema": {"sk": {TYPE: "S"}}}, {"types": {"pk": "B"}}]
)
def test_a_key_keeps_the_type_of_the_key(item_format: str, more: dict[str, Any]) -> None:
    assert "in the table's key" in refused(item_format=item_format, **more)


@pytest.mark.parametrize("item_format", FORMATS)
def test_the_keys_own_type_may_be_given(item_format: str) -> None:
    found = properties(item_format=item_format, types={"sk": "N", "pk": "S"})
    assert found["sk"] == property_schema("N", nullable=False)
    assert found["pk"] == property_schema("S", nullable=False)


# JSON Schema


def test_keywords_go_over_those_of_the_type_and_the_annotation_stays() -> None:
    found = properties(
        schema={"a": {"format": "date-time"}, "n": {"type": ["integer", "null"], "minimum": 0}}
    )
    assert found["a"] == {"type": ["null", "string"], "format": "date-time", TYPE: "S"}
    assert found["n"] == {"type": ["integer", "null"], "minimum": 0, TYPE: "N"}
    assert found["flag"] == property_schema("BOOL")


@pytest.mark.parametrize("item_format", FORMATS)
def test_keys_take_keywords_in_every_format(item_format: str) -> None:
    found = properties(
        item_format=item_format, schema={"pk": {"format": "uuid"}, "sk": {"type": "integer"}}
    )
    assert found["pk"] == {"type": ["string"], "format": "uuid", TYPE: "S"}
    assert found["sk"] == {"type": "integer", TYPE: "N"}


def test_an_annotation_in_the_schema_is_a_type() -> None:
    found = properties(schema={"tags": {TYPE: "SS", "maxItems": 3}, "a": {TYPE: "B"}})
    assert found["tags"] == {**property_schema("SS"), "maxItems": 3}
    assert found["a"] == property_schema("B")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"type": "string"}, "S"),
        ({"type": ["null", "integer"]}, "N"),
        ({"type": "object", "properties": {}}, "M"),
        ({"type": ["string"], "contentEncoding": "base64"}, "B"),
    ],
)
def test_the_json_type_decides_where_neither_types_nor_the_sample_do(
    given: dict[str, Any], kind: str
) -> None:
    assert properties(schema={"unseen": given})["unseen"] == {**property_schema(kind), **given}
    nulls = Seen().add({"unseen": {"NULL": True}})
    assert properties(nulls, schema={"unseen": given})["unseen"][TYPE] == kind


def test_types_go_before_the_sample_and_the_sample_before_the_json_type() -> None:
    given = {"type": ["array", "null"]}
    sets = Seen().add({"a": {"NS": ["1"]}})
    assert properties(sets, schema={"a": given})["a"][TYPE] == "NS"
    assert properties(sets, schema={"a": given}, types={"a": "SS"})["a"][TYPE] == "SS"
    assert properties(Seen(), schema={"a": given})["a"][TYPE] == "L"


@pytest.mark.parametrize("given", [{}, {"format": "date-time"}, {"type": "null"}])
def test_a_schema_that_says_no_type_of_an_unseen_attribute_is_refused(
    given: dict[str, Any],
) -> None:
    assert 'Set types, for example {"unseen": "S"}' in refused(schema={"unseen": given})


def test_the_schema_shares_nothing_with_the_settings() -> None:
    given = {"a": {"enum": ["x"]}}
    properties(schema=given)["a"]["enum"].append("y")
    assert given == {"a": {"enum": ["x"]}}


# What cannot be


def test_types_and_annotation_may_not_differ() -> None:
    assert "different types of attribute a" in refused(types={"a": "S"}, schema={"a": {TYPE: "N"}})
    assert properties(types={"a": "N"}, schema={"a": {TYPE: "N"}})["a"] == property_schema("N")


@pytest.mark.parametrize("kind", ["NULL", "X", "string"])
def test_an_annotation_that_is_no_type_of_a_column_is_refused(kind: str) -> None:
    text = refused(schema={"a": {TYPE: kind}})
    assert f"is {kind}. Types are S, N, B, BOOL, M, L, SS, NS, BS" in text


@pytest.mark.parametrize(
    ("name", "given", "more"),
    [
        ("n", {"type": "string"}, {}),
        ("n", {"type": ["null", "number"]}, {"decimals": "string"}),
        ("a", {"type": ["null", "integer"]}, {}),
        ("sk", {"type": "string"}, {}),
        ("sk", {"type": "string"}, {"item_format": "packed"}),
        ("flag", {"type": "object"}, {}),
    ],
)
def test_a_json_type_that_no_value_has_is_refused(
    name: str, given: dict[str, Any], more: dict[str, Any]
) -> None:
    assert f"says that attribute {name} is " in refused(schema={name: given}, **more)


def test_a_json_type_that_values_have_besides_others_is_taken() -> None:
    given = {"type": ["null", "string", "number"]}
    assert properties(schema={"n": given})["n"] == {**given, TYPE: "N"}
    exact = properties(schema={"n": {"type": "string"}}, decimals="string")["n"]
    assert exact == {**property_schema("N", decimals="string"), "type": "string"}


def test_an_encoding_that_binaries_do_not_have_is_refused() -> None:
    given = {"bin": {"contentEncoding": "base16"}}
    assert "Set binary_encoding" in refused(schema=given)
    assert properties(schema=given, binary_encoding="base16")["bin"] == property_schema(
        "B", binary="base16"
    )
    text = {"a": {"contentEncoding": "base16"}}
    assert properties(schema=text)["a"] == {**property_schema("S"), **text["a"]}


def test_no_column_is_given_the_reserved_name() -> None:
    assert "_dynamodb" in refused(types={"_dynamodb": "S"})
    assert "_dynamodb" in properties(types={"_dynamodb": "S"}, type_tags=False)


def test_more_columns_than_max_attributes_cannot_be_given() -> None:
    types = {"x": "S", "y": "S"}
    assert list(properties(types=types, max_attributes=4)) == ["pk", "sk", "x", "y"]
    text = refused(types=types, schema={"a": {}}, max_attributes=4)
    assert "name 3 attributes beside the key, max_attributes leaves room for 2" in text
    assert properties(types={"pk": "S"}, max_attributes=1).keys() == {"pk", "sk"}


def test_packed_has_no_columns_for_overrides() -> None:
    more: dict[str, Any] = {"types": {"a": "N"}, "schema": {"b": {}}, "item_format": "packed"}
    assert properties(**more) == properties(item_format="packed")


# How values are written


@pytest.mark.parametrize("item_format", FORMATS)
def test_numbers_and_binaries_are_described_as_they_are_written(item_format: str) -> None:
    table = Table("orders", "", "id-1", Key(("pk", "sk"), ("B", "N")))
    how = settings(item_format=item_format, decimals="string", binary_encoding="base16")
    found = stream_schema(table, {"n": "N", "b": "B"}, how)["properties"]
    expected = {
        "pk": property_schema("B", nullable=False, binary="base16"),
        "sk": property_schema("N", nullable=False, decimals="string"),
        "n": property_schema("N", decimals="string"),
        "b": property_schema("B", binary="base16"),
    }
    assert {name: found[name] for name in expected if name in found} == {
        name: schema
        for name, schema in expected.items()
        if item_format == "plain" or name in ("pk", "sk")
    }
