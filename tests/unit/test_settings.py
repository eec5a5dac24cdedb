"""The AWS settings: from a configuration to a frozen object that keeps its secrets."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AWS_PROPERTIES, AwsSettings, discreet, is_open

FULL = {name: f"value of {name}" for name in AWS_PROPERTIES} | {
    "aws_endpoint_url": "http://127.0.0.1:8000",
    "aws_endpoint_url_streams": "https://streams.example.com",
    "aws_endpoint_url_kinesis": "https://kinesis.example.com",
    "aws_endpoint_url_s3": "https://s3.example.com/",
    "aws_endpoint_url_sts": "http://[::1]:8001",
    "aws_proxy_url": "http://user:confidential@proxy.example.com:3128",
    "aws_account_id_endpoint_mode": "required",
}
SERVICES = ("dynamodb", "dynamodbstreams", "kinesis", "s3", "sts")
URLS = [name for name in FULL if "_url" in name]


def test_every_setting_arrives_under_its_own_name() -> None:
    settings = AwsSettings.from_config({**FULL, "tables": ["orders"], "aws_unknown": 1})
    assert dataclasses.asdict(settings) == {
        name.removeprefix("aws_"): value for name, value in FULL.items()
    }


def test_every_attribute_has_a_setting_and_the_other_way_round() -> None:
    attributes = {field.name for field in dataclasses.fields(AwsSettings)}
    assert {name.removeprefix("aws_") for name in AWS_PROPERTIES} == attributes


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_setting_counts_as_left_out(nothing: Any) -> None:
    assert AwsSettings.from_config(dict.fromkeys(FULL, nothing)) == AwsSettings()


def test_defaults_are_those_of_the_schema() -> None:
    for name, schema in AWS_PROPERTIES.items():
        assert getattr(AwsSettings(), name.removeprefix("aws_")) == schema.get("default"), name


def test_every_setting_is_described_and_may_be_null() -> None:
    for name, schema in AWS_PROPERTIES.items():
        assert schema["title"], name
        assert schema["description"].endswith("."), name
        assert schema["type"] == ["string", "null"], name


def test_secrets_are_marked_and_not_shown() -> None:
    secret = {name for name, schema in AWS_PROPERTIES.items() if schema.get("secret")}
    assert secret == {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_assume_role_external_id",
        "aws_proxy_url",
    }
    settings = AwsSettings.from_config(FULL)
    for text in (repr(settings), str(settings), f"{settings}", str([settings])):
        for name in secret:
            assert FULL[name] not in text


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        AwsSettings().region = "eu-west-1"  # type: ignore[misc]


KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


@pytest.mark.parametrize("given", [KEYS[:1], KEYS[1:2], KEYS[2:], KEYS[::2], KEYS[1:]])
def test_a_part_of_the_credentials_is_refused_without_showing_it(given: tuple[str, ...]) -> None:
    """botocore would take the other part from the environment, and fail with a riddle."""
    with pytest.raises(ConfigError, match="part of the AWS credentials") as caught:
        AwsSettings.from_config(dict.fromkeys(given, "confidential"))
    assert "confidential" not in str(caught.value)


@pytest.mark.parametrize("given", [(), KEYS[:2], KEYS])
def test_whole_credentials_or_none_are_taken(given: tuple[str, ...]) -> None:
    settings = AwsSettings.from_config(dict.fromkeys(given, "confidential"))
    assert (settings.access_key_id is None) == (not given)


def test_a_complaint_about_a_secret_does_not_quote_it() -> None:
    for name, schema in AWS_PROPERTIES.items():
        complaint = f"12345 is not of type 'string', 'null' in config['{name}']"
        assert ("12345" in discreet(complaint)) is not bool(schema.get("secret")), name
        assert name in discreet(complaint)


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "url", ["localhost:8000", "not a url", "http://", "https://:80", "ftp://a", "http://a:b", "//a"]
)
def test_what_is_no_url_is_refused_by_its_name(name: str, url: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} .*is no URL.*Write {name} as http"):
        AwsSettings.from_config({name: url})


def test_a_wrong_proxy_is_not_quoted_as_it_may_hold_a_password() -> None:
    with pytest.raises(ConfigError) as caught:
        AwsSettings.from_config({"aws_proxy_url": "user:confidential@proxy:3128"})
    assert "confidential" not in str(caught.value)


def test_a_mode_that_is_unknown_is_refused() -> None:
    with pytest.raises(ConfigError, match="aws_account_id_endpoint_mode 'always' is unknown"):
        AwsSettings.from_config({"aws_account_id_endpoint_mode": "always"})


def test_each_service_has_an_endpoint_of_its_own() -> None:
    settings = AwsSettings.from_config(FULL)
    assert {each: settings.endpoint_of(each) for each in (*SERVICES, "sso")} == {
        "dynamodb": FULL["aws_endpoint_url"],
        "dynamodbstreams": FULL["aws_endpoint_url_streams"],
        "kinesis": FULL["aws_endpoint_url_kinesis"],
        "s3": FULL["aws_endpoint_url_s3"],
        "sts": FULL["aws_endpoint_url_sts"],
        "sso": None,
    }


def test_the_endpoint_of_dynamodb_holds_for_streams_and_for_no_other_service() -> None:
    settings = AwsSettings(endpoint_url="http://127.0.0.1:8000")
    known = {each for each in SERVICES if settings.endpoint_of(each)}
    assert known == {"dynamodb", "dynamodbstreams", "kinesis"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://dynamodb.internal:8000", True),
        ("http://10.0.0.7", True),
        ("HTTP://10.0.0.7", True),
        ("http://localhost.example.com", True),
        ("http://127.0.0.1:8000", False),
        ("http://127.8.9.10", False),
        ("http://[::1]:8000", False),
        ("http://localhost:8000", False),
        ("https://dynamodb.internal", False),
    ],
)
def test_plain_http_beyond_this_machine_is_open(url: str, expected: bool) -> None:
    assert is_open(url) is expected
