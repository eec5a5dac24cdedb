"""Records of changes, loaded with the target's own settings: what was deleted is deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core import tables as core_tables
from dynamodb_core.change import Change
from dynamodb_core.converter import Converter
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tap_dynamodb import changed, discovery
from tap_dynamodb.changed import ChangeLines
from tap_dynamodb.render import LineRenderer
from tap_dynamodb.settings import Settings
from tests.integration import target_process as target

if TYPE_CHECKING:
    from pathlib import Path

    from dynamodb_core.layouts import Layout
    from tests.engines.tables import Tables

KEYS = {"id": "S"}
LAYOUTS: dict[str, Layout] = {
    "plain": Columns({**KEYS, "n": "N"}),
    "packed": Packed(KEYS),
    "dynamodb_json": Typed(KEYS),
}
MICROS = 1_790_000_000_000_000


def item(name: str, number: int) -> dict[str, Any]:
    return {"id": {"S": name}, "n": {"N": str(number)}}


def change(name: str, number: int | None, order: int, **more: Any) -> Change:
    keys = orjson.dumps({"id": {"S": name}})
    old = orjson.dumps(item(name, 99))
    written = None if number is None else orjson.dumps(item(name, number))
    return Change(written, keys, MICROS + order, old=old, **more)


@pytest.mark.parametrize("form", LAYOUTS)
def test_deletions_delete_whoever_made_them_and_nothing_of_a_change_enters_an_item(
    tables: Tables, tmp_path: Path, form: str
) -> None:
    source = tables.create()
    goal = tables.create([item(name, 0) for name in ("by_ttl", "by_somebody", "written", "left")])
    wire = BotoWire(AwsSettings.from_config(tables.engine.config()))
    settings = Settings.from_config({"tables": [source], "item_format": form})
    described = core_tables.describe(wire, source)
    schema = discovery.stream_schema(described, {"n": "N"}, settings)
    schema["properties"] |= changed.properties(by=True, old_image=True)
    changes = [
        change("written", 1, 1),
        change("by_ttl", None, 2, expired=True),
        change("by_somebody", None, 3),
        change("again", 1, 4),
        change("again", None, 5, expired=True),
        change("again", 2, 6),
    ]
    lines = LineRenderer(source, None, Converter(LAYOUTS[form]))
    rendered = ChangeLines(lines, KEYS, old_image=True)(changes)
    messages = [
        {"type": "SCHEMA", "stream": source, "schema": schema, "key_properties": ["id"]},
        *map(json.loads, rendered.lines.splitlines()),
        target.state({"done": True}),
    ]
    ended = target.run(tmp_path, tables.engine, messages, table_name=goal)
    assert ended.process.returncode == 0, ended.log
    assert ended.states == [{"done": True}]
    found = {each["id"]["S"]: each for each in tables.items(goal)}
    assert found == {
        "written": item("written", 1),
        "left": item("left", 0),
        "again": item("again", 2),
    }
