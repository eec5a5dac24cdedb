"""The tap's command line: what it says of itself, and what it says of a bad configuration."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from demo.guard import NOWHERE
from dynamodb_core.errors import Error
from tap_dynamodb.properties import CONFIG_JSONSCHEMA
from tap_dynamodb.tap import TapDynamoDB
from tests.engines.tables import Tables
from tests.engines.tap import Command, signals_kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tap import Output

SECRETS = {
    "aws_access_key_id": "AKIAHUSHHUSHHUSHHUSH",
    "aws_secret_access_key": "hush-secret",
    "aws_session_token": "hush-token",
}
NO_KEYS: dict[str, str | None] = {
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
}
NO_REGION: dict[str, str | None] = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}


@pytest.fixture
def command(account: Engine, tmp_path: Path) -> Command:
    return Command(tmp_path, account.config())


@pytest.fixture
def own(account: Engine) -> Iterator[Tables]:
    made = Tables(account)
    yield made
    made.drop()


@pytest.fixture
def bare(tmp_path: Path) -> Command:
    """A command without an engine."""
    return Command(tmp_path, {})


def test_a_dry_run_reads_a_record_and_has_no_error(command: Command, own: Tables) -> None:
    own.wire.create_table("people", (("id", "S"),))
    for name in ("ann", "bob"):
        own.wire.call("PutItem", {"TableName": "people", "Item": {"id": {"S": name}}})
    output = command({"tables": ["people"]}, "--test")
    assert (output.code, output.errors) == (0, [])
    assert len(output.records()) == 1


def test_about_is_pure_json_and_complete(bare: Command) -> None:
    output = bare({}, "--about", "--format", "json")
    assert output.code == 0
    about = json.loads(output.stdout)
    assert about["name"] == "tap-dynamodb"
    assert about["description"].startswith("Reads Amazon DynamoDB tables")
    assert re.match(r"\d+\.\d+", about["sdk_version"])
    settings = about["settings"]["properties"]
    for name, schema in CONFIG_JSONSCHEMA["properties"].items():
        assert settings[name] == schema
    assert {"stream_maps", "flattening_enabled", "flattening_max_depth"} <= settings.keys()
    assert {*about["capabilities"]} >= {
        *("catalog", "state", "discover", "about", "stream-maps"),
        *("schema-flattening", "activate-version", "structured-logging", "batch", "log-based"),
    }


def test_help_and_version(bare: Command) -> None:
    help_ = bare({}, "--help")
    assert help_.code == 0
    for option in ("--config", "--catalog", "--state", "--discover", "--test", "--about"):
        assert option in help_.stdout.decode()
    version = bare({}, "--version")
    assert version.code == 0
    assert re.fullmatch(rb"tap-dynamodb v.+, Meltano SDK v[\d.]+\n", version.stdout)


def one_line(output: Output, *parts: str) -> None:
    """Check that a run ended with one error in one line, and wrote nothing."""
    assert output.code == 1
    assert output.stdout == b""
    assert "Traceback" not in output.log
    (line,) = output.errors
    for part in parts:
        assert part in line
    assert output.log.endswith(line + "\n")


ENGINE = {"aws_region": "eu-west-1", "aws_endpoint_url": NOWHERE}


BAD: list[Any] = [
    pytest.param(ENGINE, NO_KEYS, ["no usable AWS credentials"], id="no credentials"),
    pytest.param(
        {**ENGINE, "aws_access_key_id": "x"},
        {},
        ["credentials is missing", "aws_secret_access_key"],
        id="half of the credentials",
    ),
    pytest.param({**ENGINE, "aws_profile": "us"}, NO_KEYS, ["us", "aws_profile"], id="profile"),
    pytest.param({}, NO_REGION, ["No AWS region is set", "aws_region"], id="no region"),
    pytest.param(
        {**ENGINE, "aws_region": "over there"}, {}, ["over there", "aws_region"], id="bad region"
    ),
    pytest.param(ENGINE, {}, ["did not reach", NOWHERE, "aws_endpoint_url"], id="endpoint"),
    pytest.param(
        {**ENGINE, "aws_endpoint_url": "nowhere"},
        {},
        ["aws_endpoint_url 'nowhere' is no URL"],
        id="no URL",
    ),
    pytest.param(
        {"tables": "t", "segments": "many", "item_format": "xml"},
        {},
        ["config['tables']", "config['segments']", "config['item_format']"],
        id="wrong types",
    ),
    pytest.param(
        {"aws_secret_access_key": 424242}, {}, ["config['aws_secret_access_key']"], id="no text"
    ),
    pytest.param(
        {"batch_config": {"encoding": {"format": "csv"}, "storage": {"root": "file:///x"}}},
        {},
        ["config['batch_config']['encoding']['format']", "['jsonl', 'parquet']"],
        id="batch format",
    ),
    pytest.param(
        {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "s3://x"}}},
        {},
        ["batch_config wants its files in 's3://x'", "Name a folder of this machine"],
        id="batch storage",
    ),
]


@pytest.mark.parametrize(("config", "environment", "parts"), BAD)
def test_a_bad_configuration_says_what_to_change(
    config: dict[str, Any],
    environment: dict[str, str | None],
    parts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in environment:
        monkeypatch.delenv(name)
    with pytest.raises(Error) as raised, signals_kept():
        TapDynamoDB(config={"tables": ["t"], **config})
    for part in parts:
        assert part in str(raised.value)
    assert "424242" not in str(raised.value)


@pytest.mark.parametrize(
    ("config", "environment", "parts"),
    [p for p in BAD if p.id in ("no credentials", "wrong types")],
)
def test_a_bad_configuration_is_one_line(
    bare: Command, config: dict[str, Any], environment: dict[str, str | None], parts: list[str]
) -> None:
    one_line(bare({"tables": ["t"], **config}, environment=environment), *parts)


def test_a_bad_configuration_is_one_line_in_discovery_too(bare: Command) -> None:
    one_line(bare({"segments": "many"}, "--discover"), "config['segments']")


def test_a_configuration_that_is_no_json_is_one_line(bare: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"tables": ["t"')
    one_line(bare({}, "--config", str(broken)), "broken.json", "--config takes")
    one_line(bare({}, "--config", str(tmp_path / "absent.json")), "absent.json")


def test_a_table_that_does_not_exist_is_one_line(command: Command) -> None:
    output = command({"tables": ["nowhere"]})
    one_line(output, "Table nowhere does not exist", "aws_region", "aws_endpoint_url")


def test_a_map_that_is_no_expression_is_one_line(command: Command, own: Tables) -> None:
    name = own.create()
    output = command({"tables": [name], "stream_maps": {name: {"a": "foo("}}})
    one_line(output, "foo(")


def test_no_secret_is_ever_written(account: Engine, tmp_path: Path) -> None:
    command = Command(tmp_path, {**account.config(), **SECRETS})
    loud: dict[str, str | None] = {"TAP_DYNAMODB_LOGLEVEL": "DEBUG"}
    hushed = Tables(account.account(SECRETS["aws_access_key_id"]))
    name = hushed.create([{"id": {"S": "x"}}])
    written = [
        command({"tables": [name]}, environment=loud),
        command({"tables": [name]}, "--discover", environment=loud),
        command({"tables": ["nowhere"]}, environment=loud),
    ]
    hushed.drop()
    assert [output.code for output in written] == [0, 0, 1]
    assert len(written[0].records()) == 1
    for output in written:
        assert "DEBUG" in output.log
        for secret in SECRETS.values():
            assert secret not in output.log
            assert secret.encode() not in output.stdout
