"""The recipe of a move of house: its lines, run by a shell, while the table is written."""

from __future__ import annotations

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

RECIPE = (ROOT / "docs" / "recipes" / "cut-over.md").read_text()
FENCE = re.compile(r"^```\n((?:.*\n)*?)```$", re.MULTILINE)


def test_a_table_that_is_written_meanwhile_moves_and_is_proved(
    tables: Tables, tmp_path: Path
) -> None:
    name = tables.name("orders")
    new = tables.name("orders_new")
    load.fill(tables.wire, Shape(name, SHAPES[0].key, SHAPES[0].values), 50)
    environment = {
        **guard.environment(),
        **tables.engine.exports(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }

    def shell(script: str) -> str:
        own = re.sub(r"\borders_new\b", new, re.sub(r"\borders\b", name, script))
        done = subprocess.run(
            ["bash", "-euc", own],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=pipeline.PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_meanwhile(number: int) -> None:
        """Delete an item, change one, and put a new one."""
        first, second, *_ = tables.items(name)
        key = {attribute: first[attribute] for attribute, _ in SHAPES[0].key}
        tables.wire.call("DeleteItem", {"TableName": name, "Key": key})
        changed = {**second, "changed": {"N": str(number)}}
        tables.wire.call("PutItem", {"TableName": name, "Item": changed})
        fresh = {**first, SHAPES[0].key[0][0]: {"S": f"fresh {number}"}}
        tables.wire.call("PutItem", {"TableName": name, "Item": fresh})

    configure, plan, copy, follow, switch = FENCE.findall(RECIPE)
    shell(configure)
    shell(plan)
    shell(copy)
    assert compare_tables(tables.wire, name, tables.wire, new).identical
    write_meanwhile(1)
    assert "Different: 3 items" in shell(follow)
    assert compare_tables(tables.wire, name, tables.wire, new).identical
    write_meanwhile(2)
    assert "The same" in shell(switch)
    assert compare_tables(tables.wire, name, tables.wire, new).identical
