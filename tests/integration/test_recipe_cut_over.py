"""The recipe of a move of house: its lines, run by a shell, while the table is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo import guard, load
from demo.compare import compare_tables
from demo.engine import ROOT
from demo.items import SHAPES, Shape
from tests.engines import brisk, pipeline

if TYPE_CHECKING:
    from tests.engines.tables import Tables

RECIPE = (ROOT / "docs" / "recipes" / "cut-over.md").read_text()
FENCE = re.compile(r"^```\n((?:.*\n)*?)```$", re.MULTILINE)
CONFIGURE, PLAN, COPY, FOLLOW, COMPARE, SWITCH, REPAIR = FENCE.findall(RECIPE)


class House:
    """A table that moves, the name of the new one, and a shell for the lines of the recipe."""

    def __init__(self, tables: Tables, folder: Path) -> None:
        self.old = tables.name("orders")
        self.new = tables.name("orders_new")
        self._tables = tables
        self._folder = folder
        load.fill(tables.wire, Shape(self.old, SHAPES[0].key, SHAPES[0].values), 50)
        programs = folder / "programs"
        programs.mkdir()
        brisk.script(programs, "tap-dynamodb", brisk.SHORT)
        self._environment = {
            **guard.environment(),
            **tables.engine.exports(),
            "PATH": os.pathsep.join(
                map(str, (programs, Path(sys.executable).parent, os.environ["PATH"]))
            ),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

    def shell(self, script: str) -> str:
        """Run lines of the recipe, with the names of these tables."""
        own = re.sub(r"\borders_new\b", self.new, re.sub(r"\borders\b", self.old, script))
        done = subprocess.run(
            ["bash", "-euc", own],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=pipeline.PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_meanwhile(self, number: int) -> None:
        """Delete an item, change one, and put a new one."""
        wire, name = self._tables.wire, self.old
        first, second, *_ = self._tables.items(name)
        key = {attribute: first[attribute] for attribute, _ in SHAPES[0].key}
        wire.call("DeleteItem", {"TableName": name, "Key": key})
        changed = {**second, "changed": {"N": str(number)}}
        wire.call("PutItem", {"TableName": name, "Item": changed})
        fresh = {**first, SHAPES[0].key[0][0]: {"S": f"fresh {number}"}}
        wire.call("PutItem", {"TableName": name, "Item": fresh})

    @property
    def identical(self) -> bool:
        """Whether both tables hold the same, to one who shares no code with the tools."""
        wire = self._tables.wire
        return compare_tables(wire, self.old, wire, self.new).identical


@pytest.fixture
def house(tables: Tables, tmp_path: Path) -> House:
    return House(tables, tmp_path)


def test_a_table_that_is_written_meanwhile_moves_and_is_proved(house: House) -> None:
    for script in (CONFIGURE, PLAN, COPY):
        house.shell(script)
    assert house.identical
    house.write_meanwhile(1)
    assert "Different: 3 items" in house.shell(COMPARE)
    house.shell(FOLLOW)
    assert house.identical
    house.write_meanwhile(2)
    assert "The same" in house.shell(SWITCH)
    assert house.identical


def test_without_a_stream_rounds_of_repair_come_to_the_same(house: House) -> None:
    house.shell(re.sub(r', "replication_method".*\}\}', "}", CONFIGURE))
    house.shell(COPY)
    for number in range(2):
        house.write_meanwhile(number)
        assert "Different: 3 items" in house.shell(REPAIR)
        assert house.identical
    assert "The same" in house.shell(COMPARE)
