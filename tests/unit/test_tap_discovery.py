from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key, Table
from tap_dynamodb.column_schema import TYPE, column_types, property_schema, reserved_schema
from tap_dynamodb.discovery import (
    TABLE,
    Seen,
    columns,
    left_behind,
    reattach,
    stream_names,
    stream_schema,
)
from tap_dynamodb.settings import Settings

if TYPE_CHECKING:
    from dynamodb_core.codec import Item

KEY = Key(("pk", "sk"), ("S", "N"))
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
ORDERS = Table("orders", ARN, "id-1", KEY)
PLAIN = Settings(aws=AwsSettings())
VALUES: dict[str, Any] = {"S": "x", "N": "1", "B": "AA==", "BOOL": True, "NULL": True, "L": []}


def seen(**counts: dict[str, int]) -> Seen:
    """Return what a sample has shown, from counts such as `a={"S": 2, "N": 1}`."""
    shown = Seen()
    for name, kinds in counts.items():
        for kind, count in kinds.items():
            for _ in range(count):
                shown.add({name: {kind: VALUES[kind]}})
    return shown


# What a sample shows, and the columns that follow


def test_a_sample_counts_the_types_of_each_attribute() -> None:
    shown = Seen().add({"a": {"S": "x"}, "b": {"N": "1"}}).add({"a": {"N": "1"}})
    assert shown.counts == {"a": {"S": 1, "N": 1}, "b": {"N": 1}}


def test_samples_merge_in_any_order() -> None:
    one: Item = {"a": {"S": "x"}, "b": {"N": "1"}}
    two: Item = {"a": {"N": "1"}, "c": {"L": []}}
    together = Seen().add(one).add(two)
    assert Seen().add(one).merge(Seen().add(two)) == together
    assert Seen().add(two).merge(Seen().add(one)) == together
    assert Seen().merge(together) == together


def test_keys_come_first_with_the_types_of_the_key_then_attributes_by_name() -> None:
    shown = seen(zebra={"S": 1}, apple={"N": 1}, pk={"S": 1}, sk={"N": 1})
    assert list(columns(shown, KEY, 100).items()) == [
        ("pk", "S"),
        ("sk", "N"),
        ("apple", "N"),
        ("zebra", "S"),
    ]


def test_keys_are_columns_whatever_the_sample_shows() -> None:
    assert columns(Seen(), KEY, 100) == {"pk": "S", "sk": "N"}
    assert columns(seen(pk={"N": 9}), KEY, 100) == {"pk": "S", "sk": "N"}


def test_an_attribute_of_several_types_gets_the_one_it_had_most_often() -> None:
    shown = seen(a={"S": 1, "N": 2}, b={"N": 2, "S": 3})
    assert columns(shown, KEY, 100) == {"pk": "S", "sk": "N", "a": "N", "b": "S"}


def test_a_tie_is_decided_the_same_on_every_run() -> None:
    assert columns(seen(a={"S": 2, "N": 2}), KEY, 100)["a"] == "N"
    assert columns(seen(a={"N": 2, "S": 2}), KEY, 100)["a"] == "N"


def test_null_decides_no_column() -> None:
    shown = seen(never={"NULL": 5}, mostly={"NULL": 5, "BOOL": 1})
    assert columns(shown, KEY, 100) == {"pk": "S", "sk": "N", "mostly": "BOOL"}


def test_the_limit_keeps_what_was_seen_most_often_and_always_the_key() -> None:
    shown = seen(a={"S": 1}, b={"S": 3}, c={"S": 1, "NULL": 1}, d={"S": 1})
    assert columns(shown, KEY, 4) == {"pk": "S", "sk": "N", "b": "S", "c": "S"}
    assert columns(shown, KEY, 5) == {"pk": "S", "sk": "N", "a": "S", "b": "S", "c": "S"}
    assert columns(shown, KEY, 1) == {"pk": "S", "sk": "N"}


def test_no_column_has_the_reserved_name() -> None:
    shown = seen(_dynamodb={"S": 1}, a={"S": 1})
    assert columns(shown, KEY, 100, "_dynamodb") == {"pk": "S", "sk": "N", "a": "S"}
    assert "_dynamodb" in columns(shown, KEY, 100, None)


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
        "item_format": item_format,
        "item_field": "item",
        "reserved": "_dynamodb",
        "left_behind": [],
    }


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


def test_what_a_copy_will_lack_is_named() -> None:
    description = {
        "GlobalSecondaryIndexes": [{}],
        "LocalSecondaryIndexes": [],
        "StreamSpecification": {"StreamEnabled": True},
    }
    table = replace(ORDERS, description=description)
    assert left_behind(table) == ["global secondary indexes", "stream"]
    assert stream_schema(table, {}, PLAIN)[TABLE]["left_behind"] == left_behind(table)


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


# Names of streams


def test_a_stream_has_its_tables_name_with_underscores_for_dashes() -> None:
    assert stream_names(["a-b-c", "d.e", "F"], {}) == {"a-b-c": "a_b_c", "d.e": "d.e", "F": "F"}


def test_a_given_name_is_taken_as_it_is() -> None:
    assert stream_names(["a-b", "c"], {"a-b": "my-stream"}) == {"a-b": "my-stream", "c": "c"}


@pytest.mark.parametrize(
    ("tables", "given"),
    [(["a-b", "a_b"], {}), (["a", "b"], {"b": "a"}), (["a", "b"], {"a": "x", "b": "x"})],
)
def test_tables_of_one_stream_name_are_an_error_that_says_how_to_set_an_alias(
    tables: list[str], given: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match=f"Tables {tables[0]} and {tables[1]}") as raised:
        stream_names(tables, given)
    assert f'stream_names, for example {{"{tables[1]}": ' in raised.value.hint


def test_the_example_of_that_error_is_a_way_out() -> None:
    assert stream_names(["a-b", "a_b"], {"a_b": "a_b_2"}) == {"a-b": "a_b", "a_b": "a_b_2"}
