"""What the plugins say of themselves: pure, complete, and the same in the docs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PLUGINS = {"tap_dynamodb": "settings-tap.md", "target_dynamodb": "settings-target.md"}


def about(plugin: str, form: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", plugin, "--about", "--format", form],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize("plugin", PLUGINS)
def test_about_is_pure_json_and_every_setting_is_described(plugin: str) -> None:
    said = json.loads(about(plugin, "json"))
    assert said["name"] == plugin.replace("_", "-")
    assert said["version"] != "[could not be detected]"
    properties = said["settings"]["properties"]
    assert all(setting.get("description") for setting in properties.values())
    secrets = {name for name, setting in properties.items() if setting.get("secret")}
    assert {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"} <= secrets


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_docs_show_the_settings_as_they_are(plugin: str) -> None:
    assert (DOCS / PLUGINS[plugin]).read_text() == about(plugin, "markdown"), "run `make docs`"
