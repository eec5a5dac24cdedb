from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from dynamodb_core.column_schema import TYPE, column_types, property_schema, reserved_schema
from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key, Table
from tap_dynamodb.discovery import (
    TABLE,
    reattach,
    require_same,
    sampled_schema,
    stream_schema,
)
from tap_dynamodb.particulars import Particulars
from tap_dynamodb.sampled import Seen
from tap_dynamodb.settings import Settings

KEY = Key(("pk", "sk"), ("S", "N"))
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
ON_DEMAND = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}
ORDERS = Table("orders", ARN, "id-1", KEY, description=ON_DEMAND)
PLAIN = Settings(aws=AwsSettings())


# The JSON Schema


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("S", {"type": ["null", "string"]}),
        ("N", {"type": ["null", "number"]}),
        ("B", {"type": ["null", "string"], "contentEncoding": "base64"}),
        ("BOOL", {"type": ["null", "boolean"]}),
        ("M", {"type": ["null", "object"], "additionalProperties": True}),
        ("L", {"type": ["null", "array"]}),
        ("SS", {"type": ["null", "array"], "items": {"type": "string"}}),
        ("NS", {"type": ["null", "array"], "items": {"type": "string"}}),
        (
            "BS",
            {
                "type": ["null", "array"],
                "items": {"type": "string", "contentEncoding": "base64"},
            },
        ),
    ],
)
def test_each_type_has_the_schema_that_targets_load_right(
    kind: str, expected: dict[str, Any]
) -> None:
    assert property_schema(kind) == {**expected, TYPE: kind}
    key = property_schema(kind, nullable=False)
    assert key == {**expected, "type": expected["type"][1:], TYPE: kind}


def test_schemas_share_nothing_that_a_mapper_could_change() -> None:
    property_schema("S")["type"].append("integer")
    assert property_schema("S")["type"] == ["null", "string"]


def test_plain_has_a_property_for_each_attribute_and_the_keys_are_required() -> None:
    schema = stream_schema(ORDERS, {"pk": "S", "sk": "N", "total": "N"}, PLAIN)
    assert schema["type"] == "object"
    assert schema["required"] == ["pk", "sk"]
    assert schema["properties"] == {
        "pk": {"type": ["string"], TYPE: "S"},
        "sk": {"type": ["number"], TYPE: "N"},
        "total": {"type": ["null", "number"], TYPE: "N"},
    }


def test_packed_has_the_keys_one_object_and_the_type_tags() -> None:
    settings = replace(PLAIN, item_format="packed", item_field="body")
    properties = stream_schema(ORDERS, {"total": "N"}, settings)["properties"]
    assert list(properties) == ["pk", "sk", "body", "_dynamodb"]
    assert properties["body"] == {"type": ["object"], "additionalProperties": True}
    assert properties["_dynamodb"] == reserved_schema()


def test_packed_without_type_tags_has_none() -> None:
    settings = replace(PLAIN, item_format="packed", type_tags=False)
    assert list(stream_schema(ORDERS, {}, settings)["properties"]) == ["pk", "sk", "item"]


def test_dynamodb_json_has_the_keys_and_the_item() -> None:
    settings = replace(PLAIN, item_format="dynamodb_json")
    properties = stream_schema(ORDERS, {"total": "N"}, settings)["properties"]
    assert list(properties) == ["pk", "sk", "item"]


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_the_table_that_it_comes_from_is_annotated(item_format: str) -> None:
    schema = stream_schema(ORDERS, {}, replace(PLAIN, item_format=item_format))
    assert schema[TABLE] == {
        "name": "orders",
        "arn": ARN,
        "id": "id-1",
        "region": "eu-west-1",
        "key": [{"name": "pk", "type": "S"}, {"name": "sk", "type": "N"}],
        "index": None,
        "item_format": item_format,
        "item_field": "item",
        "reserved": "_dynamodb",
        "decimals": "number",
        "binary_encoding": "base64",
        "left_behind": [],
        "definition": {},
    }


def test_index_and_entity_are_annotated() -> None:
    settings = replace(PLAIN, index="by-date")
    assert stream_schema(ORDERS, {}, settings)[TABLE]["index"] == "by-date"
    assert stream_schema(ORDERS, {}, settings, "lines")[TABLE]["entity"] == "lines"
    assert "entity" not in stream_schema(ORDERS, {}, settings)[TABLE]
    assert sampled_schema(Seen(), ORDERS, settings, "lines")[TABLE]["entity"] == "lines"


def test_a_plain_schema_follows_the_sample_within_the_settings() -> None:
    shown = Seen().add({"a": {"S": "x"}, "b": {"NULL": True}, "_dynamodb": {"S": "x"}})
    assert list(sampled_schema(shown, ORDERS, PLAIN)["properties"]) == ["pk", "sk", "a"]
    settings = replace(PLAIN, type_tags=False, max_attributes=3)
    assert list(sampled_schema(shown, ORDERS, settings)["properties"]) == ["pk", "sk", "_dynamodb"]


@pytest.mark.parametrize("item_format", ["packed", "dynamodb_json"])
def test_no_sample_changes_the_schema_of_the_other_formats(item_format: str) -> None:
    settings = replace(PLAIN, item_format=item_format)
    shown = Seen().add({"a": {"S": "x"}})
    assert sampled_schema(shown, ORDERS, settings) == stream_schema(ORDERS, {}, settings)


# Catalogs of another time


ENTITY = ({"stream": "lines", "where": {"sk": {"equals": 1}}},)


@pytest.mark.parametrize("entity", [None, "lines"])
@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_a_catalog_of_the_same_settings_is_taken(item_format: str, entity: str | None) -> None:
    settings = replace(
        PLAIN, item_format=item_format, decimals="string", index="by-date", entities=ENTITY
    )
    schema = stream_schema(ORDERS, {"a": "S"}, settings, entity)
    require_same(json.loads(json.dumps(schema)), ORDERS, settings)


def test_a_catalog_without_annotations_is_taken() -> None:
    require_same({"properties": {}}, ORDERS, PLAIN)


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"item_format": "packed"}, "item_format"),
        ({"item_field": "body"}, "item_field"),
        ({"reserved_field": "tags"}, "reserved"),
        ({"type_tags": False}, "reserved"),
        ({"decimals": "string"}, "decimals"),
        ({"binary_encoding": "base16"}, "binary_encoding"),
        ({"index": "by-date"}, "index"),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_a_catalog_for_other_records_is_refused(
    change: dict[str, Any], member: str, *, old: bool
) -> None:
    schema = stream_schema(ORDERS, {}, PLAIN)
    if old:
        for late in ("index", "decimals", "binary_encoding"):
            del schema[TABLE][late]
    require_same(schema, ORDERS, PLAIN)
    now = replace(PLAIN, **change)
    with pytest.raises(ConfigError, match=f"table orders was made for another {member}: "):
        require_same(schema, ORDERS, now)
    with pytest.raises(ConfigError, match=f"table orders was made for another {member}: "):
        require_same(stream_schema(ORDERS, {}, now), ORDERS, PLAIN)


def test_a_catalog_of_another_key_is_refused() -> None:
    other = replace(ORDERS, key=Key(("pk",), ("S",)))
    with pytest.raises(ConfigError, match="made for another key"):
        require_same(stream_schema(other, {}, PLAIN), ORDERS, PLAIN)


def test_a_catalog_of_an_entity_that_is_no_more_is_refused() -> None:
    settings = replace(PLAIN, entities=ENTITY)
    schema = stream_schema(ORDERS, {}, settings, "orders")
    with pytest.raises(ConfigError, match="made for another entity: orders, now it is None"):
        require_same(schema, ORDERS, settings)
    require_same(stream_schema(ORDERS, {}, PLAIN), ORDERS, settings)


def test_without_type_tags_no_reserved_field_is_annotated() -> None:
    assert stream_schema(ORDERS, {}, replace(PLAIN, type_tags=False))[TABLE]["reserved"] is None


@pytest.mark.parametrize(
    ("key", "change", "setting"),
    [
        ("item", {"item_format": "packed"}, "item_field"),
        ("item", {"item_format": "dynamodb_json"}, "item_field"),
        ("body", {"item_format": "packed", "item_field": "body"}, "item_field"),
        ("_dynamodb", {"item_format": "packed"}, "reserved_field"),
        ("_dynamodb", {}, "reserved_field"),
        ("tags", {"reserved_field": "tags"}, "reserved_field"),
    ],
)
def test_a_key_attribute_with_the_name_of_a_field_of_ours_is_refused(
    key: str, change: dict[str, Any], setting: str
) -> None:
    table = Table("orders", ARN, "id-1", Key(("pk", key), ("S", "S")))
    with pytest.raises(ConfigError, match=f"orders has a key attribute named {key}") as raised:
        stream_schema(table, {}, replace(PLAIN, **change))
    assert raised.value.hint == f"Set {setting} to another name"


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("item", {}),
        ("_dynamodb", {"item_format": "dynamodb_json"}),
        ("_dynamodb", {"type_tags": False}),
        ("item", {"item_format": "packed", "item_field": "body"}),
    ],
)
def test_names_that_clash_with_nothing_are_fine(key: str, change: dict[str, Any]) -> None:
    table = Table("orders", ARN, "id-1", Key((key,), ("S",)))
    assert key in stream_schema(table, {}, replace(PLAIN, **change))["properties"]


def test_what_a_copy_is_to_be_like_is_told_and_what_it_will_lack() -> None:
    index = {
        "IndexName": "by_day",
        "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    description = {
        "GlobalSecondaryIndexes": [index],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "Replicas": [{"RegionName": "eu-north-1"}],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    }
    table = replace(ORDERS, description=description)
    annotation = stream_schema(table, {}, PLAIN)[TABLE]
    assert annotation["left_behind"] == ["replicas in eu-north-1"]
    assert annotation["definition"] == {
        "global_secondary_indexes": [{"name": "by_day", "partition_key": "day"}],
        "stream_view_type": "NEW_IMAGE",
    }
    told = Particulars({"ttl_attribute": "ends"}, ("tags (not known)",))
    annotation = sampled_schema(Seen(), table, PLAIN, None, told)[TABLE]
    assert annotation["definition"] == {"ttl_attribute": "ends"}
    assert annotation["left_behind"] == ["tags (not known)"]


# The annotations, lost and found


def test_annotations_come_back_where_name_and_type_are_still_the_same() -> None:
    annotated = stream_schema(ORDERS, {"a": "NS", "b": "B", "gone": "S", "changed": "S"}, PLAIN)
    bare = {
        "type": "object",
        "properties": {
            "pk": {"type": "string"},
            "a": {"type": ["array", "null"], "items": {"type": "string"}},
            "b": {"type": ["null", "string"], "contentEncoding": "base64"},
            "changed": {"type": ["null", "integer"]},
            "added": {"type": ["null", "string"]},
        },
    }
    before = copy.deepcopy(bare)
    found = reattach(bare, annotated)
    assert bare == before
    assert {name: part.get(TYPE) for name, part in found["properties"].items()} == {
        "pk": "S",
        "a": "NS",
        "b": "B",
        "changed": None,
        "added": None,
    }
    assert found[TABLE] == annotated[TABLE]
    assert found["type"] == "object"


def test_a_schema_without_annotations_gets_none() -> None:
    plain = {"properties": {"a": {"type": "string"}}}
    assert reattach(plain, plain) == plain


def test_the_types_of_columns_are_read_back() -> None:
    kinds = ("S", "N", "B", "BOOL", "M", "L", "SS", "NS", "BS")
    given = {f"a {kind}": kind for kind in kinds}
    assert column_types(stream_schema(ORDERS, given, PLAIN)["properties"]) == {
        "pk": "S",
        "sk": "N",
        **given,
    }


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "S"),
        ({"type": ["null", "string"], "contentEncoding": "base64"}, "B"),
        ({"type": ["null", "integer"]}, "N"),
        ({"type": ["number"]}, "N"),
        ({"type": "boolean"}, "BOOL"),
        ({"type": ["object", "null"]}, "M"),
        ({"type": ["array"], "items": {"type": "string"}}, "L"),
        ({"type": ["null", "string"], TYPE: "SS"}, "SS"),
    ],
)
def test_a_schema_that_a_person_wrote_is_understood(schema: dict[str, Any], kind: str) -> None:
    assert column_types({"a": schema}) == {"a": kind}


@pytest.mark.parametrize("schema", [{}, {"type": "null"}, {"type": ["null"]}, {TYPE: "X"}])
def test_a_schema_that_says_nothing_is_no_column(schema: dict[str, Any]) -> None:
    assert column_types({"a": schema}) == {}
