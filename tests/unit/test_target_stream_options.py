"""What the configuration says of one stream."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import jsonschema
import pytest

from target_dynamodb.settings import Settings
from target_dynamodb.stream_options import (
    OF_ALL_STREAMS,
    OF_ONE_STREAM,
    STREAM_PROPERTIES,
    StreamOptions,
    in_vain,
)
from target_dynamodb.target import TargetDynamoDB

# Each option with a value that is not its default.
ALL: dict[str, Any] = {
    "partition_key": "pk",
    "sort_key": "sk",
    "rename": {"a": "b"},
    "keep": ["x*"],
    "drop": ["y"],
    "constants": {"c": 1},
    "defaults": {"d": None},
    "join": {"sk": ["a", "b"]},
    "shards": {"count": 4, "by": ["a"], "place": "prefix"},
    "types": {"a": "SS"},
    "nulls": "omit",
    "empty_strings": "null",
}


def options(stream: str, **config: Any) -> StreamOptions:
    jsonschema.validate(config, {"properties": STREAM_PROPERTIES})
    return StreamOptions.of(Settings.from_config(config), stream)


def test_without_a_configuration_the_defaults_hold() -> None:
    assert options("orders") == StreamOptions()


def test_every_option_is_an_attribute_and_arrives() -> None:
    declared = OF_ONE_STREAM.keys() | OF_ALL_STREAMS.keys()
    assert declared == {field.name for field in dataclasses.fields(StreamOptions)}
    found = options("orders", stream_options={"orders": ALL})
    assert declared >= ALL.keys()
    assert {name: getattr(found, name) for name in ALL} == ALL
    assert all(getattr(StreamOptions(), name) != value for name, value in ALL.items())


def test_the_targets_own_settings_hold_where_a_stream_says_nothing() -> None:
    config = {"nulls": "keep", "empty_strings": "omit", "stream_options": {"a": {"nulls": "omit"}}}
    assert (options("a", **config).nulls, options("b", **config).nulls) == ("omit", "keep")
    assert options("a", **config).empty_strings == "omit"


def test_the_sdk_writes_no_default_over_a_setting_of_the_target() -> None:
    """It fills in the defaults that a schema names, also inside of objects."""
    config = {"empty_strings": "omit", "stream_options": {"a": {}}}
    target = TargetDynamoDB(config=config)
    assert StreamOptions.of(target.settings, "a").empty_strings == "omit"
    for schema in STREAM_PROPERTIES["stream_options"]["additionalProperties"][
        "properties"
    ].values():
        assert "default" not in schema


def test_patterns_hold_in_their_order_and_the_name_last() -> None:
    given = {
        "orders_1": {"partition_key": "own"},
        "orders_*": {"partition_key": "first", "sort_key": "s", "nulls": "omit"},
        "*_?": {"partition_key": "second", "nulls": None},
    }
    found = options("orders_1", stream_options=given)
    assert (found.partition_key, found.sort_key, found.nulls) == ("own", "s", "omit")
    assert options("orders_2", stream_options=given).partition_key == "second"
    assert options("orders_22", stream_options=given).partition_key == "first"
    assert options("ORDERS_2", stream_options=given).sort_key is None
    assert options("other", stream_options=given) == StreamOptions()


def test_a_name_is_not_taken_for_a_pattern() -> None:
    found = options("a[1]", stream_options={"a[1]": {"nulls": "omit"}})
    assert found.nulls == "omit"


@pytest.mark.parametrize(
    "wrong",
    [
        {"partition": "pk"},
        {"types": {"a": "X"}},
        {"types": {"a": "NULL"}},
        {"join": {"pk": []}},
        {"join": {"pk": "a"}},
        {"shards": {"count": 4}},
        {"shards": {"count": 1, "by": ["a"]}},
        {"shards": {"count": 4, "by": "hash"}},
        {"shards": {"count": 4, "by": ["a"], "place": "middle"}},
        {"nulls": "drop"},
    ],
)
def test_what_there_is_not_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        options("orders", stream_options={"orders": wrong})


def test_they_can_be_pickled_for_worker_processes() -> None:
    found = options("orders", stream_options={"orders": ALL})
    assert pickle.loads(pickle.dumps(found)) == found


def test_the_setting_names_every_option() -> None:
    said = STREAM_PROPERTIES["stream_options"]["description"]
    assert all(name in said for name in (*OF_ONE_STREAM, *OF_ALL_STREAMS))


def test_what_fits_no_stream_is_told() -> None:
    config = {
        "stream_options": {"orders": {}, "oders": {}, "a*": {}, "b*": {}, "x[1]": {}},
        "table_names": {"*": "t", "peple": "p"},
    }
    found = in_vain(Settings.from_config(config), {"orders", "all", "x[1]"})
    assert found == ["stream_options[oders]", "stream_options[b*]", "table_names[peple]"]
