"""The recipe of a table out of its export, through `meltano run`."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from demo import load
from demo.__main__ import plugin_environment
from demo.compare import compare_tables
from demo.engine import ROOT
from demo.items import SHAPES, Shape
from tests.engines import exports, pipeline
from tests.engines.exports import Change

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables

RECIPE = (ROOT / "docs" / "recipes" / "export.md").read_text()

pytestmark = pytest.mark.usefixtures("meltano_project")


def config(plugin: str) -> dict[str, Any]:
    """Return the configuration of a plugin, as the recipe has it."""
    found = re.findall(r"^```yaml.*?\n(.*?)^```", RECIPE, re.MULTILINE | re.DOTALL)
    for text in found:
        for entries in YAML(typ="safe").load(text)["plugins"].values():
            if entries[0]["name"] == plugin:
                return dict(entries[0]["config"])
    raise AssertionError(plugin)


def test_a_table_is_restored_with_its_windows(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    source, since = tables.name("music"), exports.AT
    load.fill(tables.wire, Shape(source, SHAPES[0].key, SHAPES[0].values), 50)
    items = tables.items(source)
    keys = [name for name, _ in SHAPES[0].key]
    gone = {**items[0], "gone": {"BOOL": True}}
    gone[keys[0]] = {"S": "gone since"}
    exports.write_full(tmp_path / "bucket", [*items, gone], table=source)
    deleted = Change({name: gone[name] for name in keys}, None)
    exports.write_incremental(
        tmp_path / "bucket", [deleted], since, since + timedelta(hours=1), table=source
    )
    tap, target = config("tap-dynamodb"), config("target-dynamodb")
    assert tap["export"].pop("key_properties") == keys
    location = {"location": str(tmp_path / "bucket"), "key_properties": keys}
    environment = plugin_environment(engine, [source], tmp_path) | {
        "TAP_DYNAMODB_SOURCE": tap["source"],
        "TAP_DYNAMODB_ITEM_FORMAT": tap["item_format"],
        "TAP_DYNAMODB_EXPORT": json.dumps(tap["export"] | location),
        "TARGET_DYNAMODB_TABLE_NAME": target["table_name"],
    }
    ended = pipeline.meltano(environment, "run", "tap-dynamodb", "target-dynamodb")
    assert ended.code == 0, ended.err
    restored = target["table_name"].format(table=source)
    try:
        assert compare_tables(tables.wire, source, tables.wire, restored).identical
    finally:
        tables.wire.call("DeleteTable", {"TableName": restored})
