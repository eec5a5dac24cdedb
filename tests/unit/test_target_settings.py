"""The target's settings: what is declared, and what becomes of it."""

from __future__ import annotations

import pytest

from dynamodb_core.errors import ConfigError
from target_dynamodb.settings import CONFIG_SCHEMA, Settings


def test_without_a_configuration_the_defaults_hold() -> None:
    settings = Settings.from_config({})
    assert settings == Settings()
    assert settings.create_tables
    assert not settings.allow_same_table
    assert settings.write_workers == CONFIG_SCHEMA["properties"]["write_workers"]["default"]


def test_null_and_empty_text_count_as_left_out() -> None:
    config = dict.fromkeys(CONFIG_SCHEMA["properties"]) | {"table_name": ""}
    assert Settings.from_config(config) == Settings()


def test_every_setting_arrives() -> None:
    settings = Settings.from_config(
        {
            "table_name": "{stream}",
            "table_names": {"a": "b"},
            "write_capacity": 5,
            "write_workers": 3,
            "create_tables": False,
            "allow_same_table": True,
            "aws_region": "eu-west-1",
        }
    )
    assert settings.table_name == "{stream}"
    assert settings.table_names == {"a": "b"}
    assert (settings.write_capacity, settings.write_workers) == (5, 3)
    assert (settings.create_tables, settings.allow_same_table) == (False, True)
    assert settings.aws.region == "eu-west-1"


@pytest.mark.parametrize(
    "config", [{"table_name": "{stram}"}, {"table_names": {"a": "b", "c": "{stram}"}}]
)
def test_an_unknown_placeholder_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"unknown placeholder \{stram\}"):
        Settings.from_config(config)


def test_every_setting_is_described_and_secrets_are_marked() -> None:
    for name, setting in CONFIG_SCHEMA["properties"].items():
        assert setting.get("title"), name
        assert setting.get("description"), name
    secret = {n for n, setting in CONFIG_SCHEMA["properties"].items() if setting.get("secret")}
    assert secret >= {"aws_secret_access_key", "aws_session_token"}
