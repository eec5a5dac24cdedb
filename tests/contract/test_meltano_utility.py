"""What meltano.yml declares of the utility `dynamodb-tools` is what `compare` has."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML

from demo.engine import ROOT
from dynamodb_tools import compare_command
from tests.contract.test_meltano_yml import kind

ARGUMENTS = {"table_a", "table_b"}


def utility() -> dict[str, Any]:
    whole = YAML(typ="safe").load(ROOT / "meltano.yml")
    [found] = whole["plugins"]["utilities"]
    return dict(found)


def test_settings_are_those_of_compare() -> None:
    there = compare_command.PROPERTIES
    listed = {setting["name"]: setting for setting in utility()["settings"]}
    assert listed.keys() == there.keys() | ARGUMENTS
    for name, setting in listed.items():
        assert setting["label"]
        assert setting["description"]
        if name in ARGUMENTS:
            continue
        assert setting["kind"] == kind(there[name]), name
        assert setting.get("sensitive", False) == there[name].get("secret", False), name
        if setting["kind"] == "options":
            choices = [choice["value"] for choice in setting["options"]]
            assert choices == [value for value in there[name]["enum"] if value is not None]


def test_compare_is_a_command_of_it() -> None:
    assert utility()["executable"] == "dynamodb-tools"
    assert utility()["commands"]["compare"]["args"] == "compare"
