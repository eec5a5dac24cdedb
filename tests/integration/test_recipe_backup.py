"""The recipe of a table in a file: its lines, run by a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo import guard, load
from demo.compare import compare_tables
from demo.engine import ROOT
from demo.items import SHAPES, Shape
from tests.engines import pipeline

if TYPE_CHECKING:
    from tests.engines.tables import Tables

RECIPE = (ROOT / "docs" / "recipes" / "backup.md").read_text()
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def test_every_hard_item_comes_back(tables: Tables, tmp_path: Path) -> None:
    name = tables.name("orders")
    restored = f"{name}_restored"
    load.fill(tables.wire, Shape(name, SHAPES[0].key, SHAPES[0].values), 50)
    environment = {
        **guard.environment(),
        **tables.engine.exports(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }

    def shell(script: str) -> str:
        own = script.replace('"orders"', f'"{name}"')
        done = subprocess.run(
            ["bash", "-euc", own],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=pipeline.PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    away, back = [text for language, text in FENCE.findall(RECIPE) if not language]
    last = json.loads(shell(away))
    assert last == {"type": "STATE", "value": {"bookmarks": {name: {"scan": []}}}}
    shell(back)
    assert compare_tables(tables.wire, name, tables.wire, restored).identical
    tables.wire.call("DeleteTable", {"TableName": restored})
