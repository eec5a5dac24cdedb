from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AWS_PROPERTIES, AwsSettings, discreet
from tap_dynamodb.foreign import FOREIGN, unknown
from tap_dynamodb.properties import CONFIG_JSONSCHEMA
from tap_dynamodb.settings import Settings

PROPERTIES = CONFIG_JSONSCHEMA["properties"]
OF_THE_SDK = {"emit_activate_version_messages"}
"""Settings that the SDK reads itself; declared here so that they are described."""
OWN = [name for name in PROPERTIES if name not in AWS_PROPERTIES.keys() | OF_THE_SDK]
EMPTY: dict[str, Any] = {
    "tables": (),
    "exclude_tables": (),
    "stream_names": {},
    "table_options": {},
}
OPTIONS = PROPERTIES["table_options"]["additionalProperties"]["properties"]


def test_an_empty_configuration_gives_the_defaults_that_the_schema_names() -> None:
    settings = Settings.from_config({})
    for name in OWN:
        default = PROPERTIES[name].get("default")
        assert getattr(settings, name) == EMPTY.get(name, default), name


def test_every_setting_of_the_schema_is_an_attribute_and_the_other_way_round() -> None:
    attributes = {field.name for field in dataclasses.fields(Settings)}
    assert attributes == {*OWN, *OPTIONS, "aws"}


@pytest.mark.parametrize("name", OWN)
def test_null_counts_as_left_out(name: str) -> None:
    assert Settings.from_config({name: None}) == Settings.from_config({})


@pytest.mark.parametrize("name", ["item_field", "reserved_field", "item_format"])
def test_an_empty_text_counts_as_left_out(name: str) -> None:
    assert Settings.from_config({name: ""}) == Settings.from_config({})


def test_false_and_zero_do_not_count_as_left_out() -> None:
    settings = Settings.from_config({"type_tags": False, "sample_size": 0})
    assert settings.type_tags is False
    assert settings.sample_size == 0


def test_what_is_given_is_taken() -> None:
    given: dict[str, Any] = {
        "tables": ["a", "b*"],
        "exclude_tables": ["c"],
        "stream_names": {"a": "alpha"},
        "item_format": "packed",
        "item_field": "body",
        "type_tags": False,
        "reserved_field": "_tags",
        "max_attributes": 7,
        "sample_size": 3,
        "segments": 5,
        "scan_workers": 2,
        "processes": 3,
        "read_capacity": 11,
        "consistent_read": True,
        "describe_ttl_and_tags": False,
        "warm_up": {"method": "provisioned", "read_units": 50},
        "skip_expired": True,
        "decimals": "string",
        "binary_encoding": "base16",
        "start_date": "2026-01-01",
        "replication_lookback_seconds": 0,
        "replication_method": "LOG_BASED",
        "changes": {"snapshot": "none", "start": "oldest"},
        "batch_config": {"storage": {"root": "file:///var/tmp/batch"}},
        "batch_pending_bytes": 0,
        "max_cost": 12.5,
        "prices": {"read_per_million": 0.25},
        "table_options": {"a": {"index": "by_date"}},
    }
    assert {*given, "segment_range", "read_capacity_percent", "source", "export"} == set(OWN)
    settings = Settings.from_config(given)
    for name, value in given.items():
        assert getattr(settings, name) == (tuple(value) if isinstance(value, list) else value)


UNITS, PERCENT = {"read_capacity": 500}, {"read_capacity_percent": 20}


@pytest.mark.parametrize("config", [UNITS | PERCENT, {"table_options": {"t": UNITS | PERCENT}}])
def test_capacity_in_units_and_in_percent_contradict_each_other(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="read_capacity and read_capacity_percent are both set"):
        Settings.from_config(config)


@pytest.mark.parametrize(
    ("config", "units", "percent"),
    [
        (UNITS | {"table_options": {"t": PERCENT}}, None, 20),
        (PERCENT | {"table_options": {"t": UNITS}}, 500, None),
        (PERCENT | {"table_options": {"t": {"read_capacity_percent": None}}}, None, None),
        (UNITS | {"table_options": {"t*": PERCENT, "t": UNITS}}, 500, None),
        (UNITS | {"table_options": {"other": PERCENT}}, 500, None),
    ],
)
def test_what_is_said_of_a_tables_capacity_goes_before_what_is_said_of_all(
    config: dict[str, Any], units: int | None, percent: int | None
) -> None:
    own = Settings.from_config(config).for_table("t")
    assert (own.read_capacity, own.read_capacity_percent) == (units, percent)


def test_aws_settings_are_taken_out_of_the_same_configuration() -> None:
    settings = Settings.from_config({"aws_region": "eu-north-1", "aws_profile": "ours"})
    assert (settings.aws.region, settings.aws.profile) == ("eu-north-1", "ours")


def test_settings_of_the_sdk_are_left_to_the_sdk() -> None:
    assert Settings.from_config({"stream_maps": {"a": {}}, "flattening_enabled": True}) == (
        Settings.from_config({})
    )


@pytest.mark.parametrize(
    ("text", "numbers"), [("0-0", (0, 0)), ("0-249", (0, 249)), ("750-999", (750, 999))]
)
def test_a_range_of_segments(text: str, numbers: tuple[int, int]) -> None:
    settings = Settings.from_config({"segments": 1000, "segment_range": text})
    assert settings.segment_range == numbers


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"segment_range": "0-3"}, "Set segments to the same number on every machine"),
        ({"segments": 4, "segment_range": "0-4"}, "Segments are counted from 0 to 3"),
        ({"segments": 4, "segment_range": "3-2"}, "3-2 is no range of 4 segments"),
        ({"table_options": {"t": {"segment_range": "0-3"}}}, "Set segments"),
        (
            {"segments": 4, "segment_range": "0-1", "emit_activate_version_messages": True},
            "remove the rows that other machines bring",
        ),
        (
            {"segments": 4, "table_options": {"t": {"segment_range": "0-1", "query": {"pk": "a"}}}},
            "a query has partitions and no segments",
        ),
    ],
)
def test_a_range_that_is_none_is_refused(config: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Settings.from_config(config)


# What holds for one table

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


def test_options_hold_for_the_tables_that_they_name() -> None:
    settings = Settings.from_config(
        {"segments": 2, "table_options": {"orders": {"segments": 9, "index": "by_date"}}}
    )
    assert settings.for_table("users") == settings
    orders = settings.for_table("orders")
    assert (orders.segments, orders.index) == (9, "by_date")


def test_a_name_goes_over_patterns_and_an_arn_over_both() -> None:
    options = {
        ARN: {"sample_size": 3},
        "orders": {"sample_size": 2, "index": "named"},
        "ord*": {"sample_size": 1, "index": "matched", "skip_expired": True},
        "*": {"max_attributes": 5, "skip_expired": False},
    }
    orders = Settings.from_config({"table_options": options}).for_table("orders", ARN)
    assert (orders.sample_size, orders.index, orders.max_attributes) == (3, "named", 5)
    assert orders.skip_expired is False


def test_null_for_a_table_takes_back_what_is_set_for_all() -> None:
    settings = Settings.from_config(
        {"start_date": "2026-01-01", "table_options": {"t": {"start_date": None}}}
    )
    assert settings.for_table("t").start_date is None
    assert settings.for_table("u").start_date == "2026-01-01"


def test_options_have_no_defaults_that_would_go_over_what_is_set_for_all() -> None:
    assert not [name for name, schema in OPTIONS.items() if "default" in schema]


def test_what_contradicts_itself_for_one_table_only_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="item_field and reserved_field are both _dynamodb"):
        Settings.from_config({"table_options": {"t": {"item_field": "_dynamodb"}}})


# Settings of other taps


@pytest.mark.parametrize("name", FOREIGN)
def test_a_setting_of_another_tap_says_what_to_do_instead(name: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.from_config({name: "value"})
    assert name in raised.value.message
    assert raised.value.hint == FOREIGN[name]
    assert Settings.from_config({name: None}) == Settings.from_config({})


def test_a_setting_that_there_is_not_is_told_with_what_may_be_meant() -> None:
    told = unknown({"tablez": 1, "aws_region": "r", "quite else": 2}, PROPERTIES)
    assert told == [
        "tablez is no setting of this tap, and without effect; tables is one",
        "quite else is no setting of this tap, and without effect",
    ]


def test_what_is_advised_instead_is_there() -> None:
    words = " ".join(FOREIGN.values()).replace(",", " ").replace(":", " ").split()
    advised = {word for word in words if "_" in word}
    assert advised <= {*PROPERTIES, *OPTIONS}
    assert not FOREIGN.keys() & PROPERTIES.keys()


def test_one_name_for_two_fields_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"item_field and reserved_field are both x\."):
        Settings.from_config({"item_field": "x", "reserved_field": "x"})


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    secrets = {
        name: f"http://hush-{name}" for name, schema in AWS_PROPERTIES.items() if "secret" in schema
    }
    assert set(secrets) >= {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
    settings = Settings.from_config(secrets)
    assert settings.aws.secret_access_key == "http://hush-aws_secret_access_key"
    assert "hush" not in f"{settings!r} {settings}"


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_setting_has_a_title_and_a_description_that_is_a_sentence(name: str) -> None:
    schema = PROPERTIES[name]
    assert schema["title"][0].isupper()
    assert schema["description"].endswith(".")


@pytest.mark.parametrize(
    "config",
    [
        {"aws_access_key_id": "x"},
        {"aws_secret_access_key": "x"},
        {"aws_session_token": "x"},
        {"aws_access_key_id": "x", "aws_session_token": "x"},
    ],
)
def test_a_part_of_the_credentials_is_refused(config: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="part of the AWS credentials is missing"):
        AwsSettings.from_config(config)


@pytest.mark.parametrize("name", AWS_PROPERTIES)
def test_a_complaint_shows_a_value_only_where_it_is_no_secret(name: str) -> None:
    complaint = f"424242 is not of type 'string', 'null' in config['{name}']"
    said = discreet(complaint)
    assert f"config['{name}']" in said
    assert ("424242" in said) is ("secret" not in AWS_PROPERTIES[name])
