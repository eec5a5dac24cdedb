from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AWS_PROPERTIES, AwsSettings, discreet
from tap_dynamodb.properties import CONFIG_JSONSCHEMA
from tap_dynamodb.settings import Settings

PROPERTIES = CONFIG_JSONSCHEMA["properties"]
OF_THE_SDK = {"emit_activate_version_messages"}
"""Settings that the SDK reads itself; declared here so that they are described."""
OWN = [name for name in PROPERTIES if name not in AWS_PROPERTIES.keys() | OF_THE_SDK]


def test_an_empty_configuration_gives_the_defaults_that_the_schema_names() -> None:
    settings = Settings.from_config({})
    for name in OWN:
        default = PROPERTIES[name].get("default")
        assert getattr(settings, name) == (() if name.endswith("tables") else default), name


def test_every_setting_of_the_schema_is_an_attribute_and_the_other_way_round() -> None:
    attributes = {field.name for field in dataclasses.fields(Settings)}
    assert attributes == {*OWN, "aws"}


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
        "read_capacity": 11,
        "consistent_read": True,
    }
    assert set(given) == set(OWN)
    settings = Settings.from_config(given)
    for name, value in given.items():
        assert getattr(settings, name) == (tuple(value) if isinstance(value, list) else value)


def test_aws_settings_are_taken_out_of_the_same_configuration() -> None:
    settings = Settings.from_config({"aws_region": "eu-north-1", "aws_profile": "ours"})
    assert (settings.aws.region, settings.aws.profile) == ("eu-north-1", "ours")


def test_settings_of_the_sdk_are_left_to_the_sdk() -> None:
    assert Settings.from_config({"stream_maps": {"a": {}}, "start_date": "x"}) == (
        Settings.from_config({})
    )


def test_one_name_for_two_fields_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"item_field and reserved_field are both x\."):
        Settings.from_config({"item_field": "x", "reserved_field": "x"})


def test_batch_is_refused_as_long_as_there_is_none() -> None:
    with pytest.raises(ConfigError, match="Remove batch_config"):
        Settings.from_config({"batch_config": {"encoding": {"format": "jsonl"}}})


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    secrets = {
        name: f"hush-{name}" for name, schema in AWS_PROPERTIES.items() if "secret" in schema
    }
    assert set(secrets) >= {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
    settings = Settings.from_config(secrets)
    assert settings.aws.secret_access_key == "hush-aws_secret_access_key"
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
