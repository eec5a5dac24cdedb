"""Settings of `dynamodb-tools`: from options, environment, file and defaults; what is wrong is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from dynamodb_core.errors import ConfigError
from dynamodb_core.prices import COST_PROPERTIES
from dynamodb_tools.cli import Command, tools
from dynamodb_tools.options import config_of, settings
from dynamodb_tools.settings import AWS, SIDES, aws_of

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

PROPERTIES: dict[str, dict[str, Any]] = {
    "read_capacity": {"type": ["number", "null"], "exclusiveMinimum": 0, "description": "Units."},
    "processes": {"type": ["integer", "null"], "minimum": 1, "description": "How many."},
    "keys_only": {"type": ["boolean", "null"], "default": False, "description": "Keys."},
    "format": {
        "enum": ["text", "json"],
        "type": "string",
        "default": "text",
        "description": "Form.",
    },
    "ignore": {"type": ["array", "null"], "items": {"type": "string"}, "description": "Names."},
    **COST_PROPERTIES,
    **AWS,
    **SIDES,
}


@click.command(cls=Command, failed=2)
@settings(PROPERTIES)
def show(**given: Any) -> None:
    """Say what the settings are."""
    config = config_of(PROPERTIES, given)
    click.echo(json.dumps(config))
    click.echo(aws_of(config, "a").region)


def run(*arguments: str, **environment: str) -> Result:
    names = {f"DYNAMODB_TOOLS_{name}": value for name, value in environment.items()}
    return CliRunner().invoke(show, arguments, env=names)


def values(*arguments: str, **environment: str) -> dict[str, Any]:
    result = run(*arguments, **environment)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output.splitlines()[0])
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"read_capacity": 1, "processes": 1, "aws_region": "eu-west-1"}))
    return path


def test_options_come_before_the_environment_the_file_and_defaults(file: Path) -> None:
    found = values("--config", str(file), "--read-capacity", "3", PROCESSES="2")
    wanted = {"read_capacity": 3, "processes": 2, "aws_region": "eu-west-1", "format": "text"}
    assert found | wanted == found


def test_the_environment_names_the_file_too(file: Path) -> None:
    assert values(CONFIG=str(file))["read_capacity"] == 1


@pytest.mark.parametrize("text", ['["a","b"]', "a,b", " a , b "])
def test_an_array_is_json_or_values(text: str) -> None:
    assert values("--ignore", text)["ignore"] == ["a", "b"]
    assert values(IGNORE=text)["ignore"] == ["a", "b"]


@pytest.mark.parametrize("text", ['{"aws_region": "eu-west-1"}', "aws_region=eu-west-1"])
def test_a_side_has_settings_of_its_own(text: str) -> None:
    result = run("--a", text, "--aws-region", "us-east-1")
    assert result.output.splitlines()[1] == "eu-west-1"
    result = run("--b", text, "--aws-region", "us-east-1")
    assert result.output.splitlines()[1] == "us-east-1"


@pytest.mark.parametrize("text", ['{"read_per_million": 0.25}', "read_per_million=0.25"])
def test_numbers_in_an_object_are_numbers(text: str) -> None:
    assert values("--prices", text)["prices"] == {"read_per_million": 0.25}


def test_a_flag_can_be_taken_back() -> None:
    assert values("--keys-only")["keys_only"] is True
    assert values("--no-keys-only", KEYS_ONLY="true")["keys_only"] is False


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"read_capacty": 1}, "has the setting read_capacty, which this command has not"),
        ({"processes": 0}, "0 is less than the minimum of 1 in config['processes']"),
        ({"aws_session_token": 5}, "config['aws_session_token'] is of another type than string"),
        ({"a": {"region": "x"}}, "A setting of A is wrong"),
        ([1], "is no JSON object"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line_and_the_commands_own_exit_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, written: Any, words: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(written))
    assert run("--config", str(path)).exit_code == 2
    assert words in caplog.text
    assert "Traceback" not in caplog.text


def test_a_file_that_is_not_there_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run("--config", str(tmp_path / "none.json")).exit_code == 2
    assert "cannot be read" in caplog.text


def test_text_that_is_no_object_is_refused() -> None:
    result = run("--a", "eu-west-1")
    assert result.exit_code == 2
    assert "is neither a JSON object nor NAME=VALUE" in result.output


def test_secrets_are_not_among_the_options_that_are_listed() -> None:
    text = CliRunner().invoke(show, ["--help"]).output
    assert "--aws-region" in text
    assert "secret" not in text
    assert "[default: text]" in text


def test_an_unknown_value_is_an_error_of_the_config() -> None:
    with pytest.raises(ConfigError, match="'xml' is not one of"):
        config_of(PROPERTIES, {"format": "xml"})


def test_the_command_says_its_version_and_its_subcommands() -> None:
    runner = CliRunner()
    assert runner.invoke(tools, ["--version"]).output.split()[-1][0].isdigit()
    assert "compare two of them" in runner.invoke(tools, ["--help"]).output
