"""What meltano.yml declares is what the plugins have: names, kinds, secrets and capabilities."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from demo import guard
from demo.engine import ROOT

KINDS = {
    "string": "string",
    "number": "string",  # beside a string: Meltano cannot take a fraction from the environment
    "integer": "integer",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}
# The SDK's own settings that nobody needs to move tables; Meltano passes on what is set all the same.
UNDECLARED = {
    *("add_record_metadata", "batch_config", "batch_size_bytes", "batch_wait_limit_seconds"),
    *("default_target_schema", "faker_config", "flattening_custom_mappings", "flattening_key_hook"),
    *("flattening_max_key_length", "flattening_separator", "hard_delete", "sql_options"),
}

PLUGINS = [("extractors", "tap-dynamodb"), ("loaders", "target-dynamodb")]
both = pytest.mark.parametrize(("group", "name"), PLUGINS, ids=[name for _, name in PLUGINS])


def declared(group: str, name: str) -> dict[str, Any]:
    whole = YAML(typ="safe").load(ROOT / "meltano.yml")
    found: dict[str, Any] = next(p for p in whole["plugins"][group] if p["name"] == name)
    return found


def about(name: str) -> dict[str, Any]:
    program = Path(sys.executable).with_name(name)
    command = [str(program), "--about", "--format", "json"]
    environment = guard.environment()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "options"
    if schema.get("format") == "date-time":
        return "date_iso8601"
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    [found] = {KINDS[name] for name in types if name != "null"}
    return found


@both
def test_settings_are_the_plugins_own(group: str, name: str) -> None:
    there = about(name)["settings"]["properties"]
    listed = {setting["name"]: setting for setting in declared(group, name)["settings"]}
    assert listed.keys() <= there.keys()
    assert there.keys() - listed.keys() <= UNDECLARED
    for setting in listed.values():
        schema = there[setting["name"]]
        assert setting["kind"] == kind(schema), setting["name"]
        assert setting.get("sensitive", False) == schema.get("secret", False), setting["name"]
        assert setting["label"]
        assert setting["description"]
        if setting["kind"] == "options":
            choices = [choice["value"] for choice in setting["options"]]
            assert choices == [value for value in schema["enum"] if value is not None]
        if "value" in setting:
            assert setting["value"] == schema["default"]


@both
def test_capabilities_are_the_plugins_own(group: str, name: str) -> None:
    capabilities = declared(group, name)["capabilities"]
    assert set(capabilities) <= set(about(name)["capabilities"])
    assert capabilities == sorted(capabilities)


def test_the_batch_tap_writes_where_the_target_reads() -> None:
    inherited = declared("extractors", "tap-dynamodb-batch")
    assert inherited.keys() == {"name", "inherit_from", "config"}
    assert inherited["inherit_from"] == "tap-dynamodb"
    root = inherited["config"]["batch_config"]["storage"]["root"]
    assert root == f"file://{declared('loaders', 'target-dynamodb')['config']['batch_root']}"
    assert root.startswith("file://$MELTANO_PROJECT_ROOT/.meltano/")
    assert "batch_config" not in declared("extractors", "tap-dynamodb").get("config", {})
