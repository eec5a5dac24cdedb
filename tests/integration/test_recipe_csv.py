"""The recipe of CSV files: what tap-csv made of its file, loaded as the recipe's meltano.yml says.

tap-csv is in git alone. These messages are what its version 1.2.0 (commit 1ec6206, singer-sdk 0.54.9)
wrote for the recipe's file and configuration by `tap-csv --config config.json`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from demo.engine import ROOT
from tests.integration.target_process import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables

RECIPE = (ROOT / "docs" / "recipes" / "csv.md").read_text()
MESSAGES = r"""
{"type":"SCHEMA","stream":"customers","schema":{"properties":{"id":{"type":["string","null"]},"name":{"type":["string","null"]},"born":{"type":["string","null"]},"balance":{"type":["string","null"]},"vip":{"type":["string","null"]},"tags":{"type":["string","null"]}},"type":"object","$schema":"https://json-schema.org/draft/2020-12/schema"},"key_properties":["id"]}
{"type":"RECORD","stream":"customers","record":{"id":"0007","name":"Lovelace, Ada","born":"1815-12-10","balance":"12.50","vip":"true","tags":"[\"maths\", \"engines\"]"},"time_extracted":"2026-11-21T22:28:40.028593+00:00"}
{"type":"RECORD","stream":"customers","record":{"id":"0042","name":"Grace","born":"09/12/1906","balance":"","vip":"false","tags":""},"time_extracted":"2026-11-21T22:28:40.028679+00:00"}
{"type":"RECORD","stream":"customers","record":{"id":"0100","name":"says \"hi\"","born":"","balance":"1e3","vip":"","tags":"[]"},"time_extracted":"2026-11-21T22:28:40.028719+00:00"}
{"type":"STATE","value":{"bookmarks":{"customers":{}}}}
""".lstrip()


def block(mark: str) -> str:
    [text] = re.findall(rf"^```{mark}\n(.*?)^```", RECIPE, re.MULTILINE | re.DOTALL)
    return str(text)


def plain(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items in the order of their keys, with numbers by value and sets in order."""
    for item in items:
        for name, typed in item.items():
            if "N" in typed:
                item[name] = {"N": float(typed["N"])}
            elif "SS" in typed:
                item[name] = {"SS": sorted(typed["SS"])}
    return sorted(items, key=lambda item: str(item["id"]["S"]))


def test_what_tap_csv_writes_becomes_what_the_recipe_says(tables: Tables, tmp_path: Path) -> None:
    project = YAML(typ="safe").load(block("yaml"))
    [loader] = project["plugins"]["loaders"]
    table = tables.name("customers")
    config = {**loader["config"], "table_name": table, **tables.engine.config()}
    target = run(tmp_path, tables.engine, MESSAGES.splitlines(keepends=True), **config)
    assert target.process.returncode == 0, target.log
    assert target.states == [{"bookmarks": {"customers": {}}}]
    assert plain(tables.items(table)) == plain(json.loads(block("json data"))["customers"])
    assert tables.wire.describe(table)["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]


def test_the_messages_are_those_of_the_recipes_file() -> None:
    [text, *_] = re.findall(r"^```\n(id,.*?)^```", RECIPE, re.MULTILINE | re.DOTALL)
    names = text.splitlines()[0].split(",")
    records = [m["record"] for m in map(json.loads, MESSAGES.splitlines()) if "record" in m]
    assert [list(record) for record in records] == [names] * (text.count("\n") - 1)
    for line, record in zip(text.splitlines()[1:], records, strict=True):
        assert line.startswith(f"{record['id']},")
