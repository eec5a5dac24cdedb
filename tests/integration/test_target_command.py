"""The command line: what it prints, and from where it reads."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from demo import guard
from tests.integration.target_process import record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables

SDK_SETTINGS = {"add_record_metadata", "batch_size_rows", "load_method", "stream_maps"}


def target(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "target_dynamodb", *arguments],
        env={**guard.environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_about_is_pure_and_complete_json() -> None:
    done = target("--about", "--format", "json")
    assert done.returncode == 0
    about = json.loads(done.stdout)
    assert about["name"] == "target-dynamodb"
    assert about["version"] != "[could not be detected]"
    settings = about["settings"]["properties"]
    assert set(settings) >= SDK_SETTINGS | {"table_name", "write_capacity", "aws_region"}
    for name, setting in settings.items():
        assert setting.get("title"), name
        assert setting.get("description"), name
    assert settings["validate_records"]["default"] is False
    assert settings["aws_secret_access_key"]["secret"] is True


def test_version_and_help() -> None:
    version = target("--version")
    assert version.stdout.startswith("target-dynamodb v")
    assert "[could not be detected]" not in version.stdout
    assert "--input" in target("--help").stdout


def test_settings_from_the_environment_and_messages_from_a_file(
    tmp_path: Path, tables: Tables
) -> None:
    table = tables.create()
    messages = [
        schema("s", {"id": {"type": "string"}}),
        record("s", {"id": "é\u2028\x00"}),
        state({"n": 1}),
    ]
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages))
    settings = {
        f"TARGET_DYNAMODB_{name.upper()}": value for name, value in tables.engine.config().items()
    }
    done = target(
        "--config", "ENV", "--input", str(path), TARGET_DYNAMODB_TABLE_NAME=table, **settings
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"n": 1}
    assert tables.items(table) == [{"id": {"S": "é\u2028\x00"}}]


def test_a_reader_of_state_that_has_gone_is_one_clear_line(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"aws_region": "eu-west-1"}')
    process = subprocess.Popen(
        [sys.executable, "-m", "target_dynamodb", "--config", str(config)],
        env=guard.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    process.stdout.close()
    _, log = process.communicate(json.dumps(state({"n": 1})).encode(), timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in log
    assert b"nobody reads it" in log
