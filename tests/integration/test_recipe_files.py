"""The recipe of files and DuckDB: its configuration, commands and queries, on items that are easily spoilt."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo import guard
from demo.engine import ROOT
from demo.server import EngineError
from tests.engines import lake, pipeline
from tests.engines.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine

RECIPE = (ROOT / "docs" / "recipes" / "files.md").read_text()
BLOCKS = re.findall(r"^```(.*)\n((?:.*\n)*?)```$", RECIPE, re.MULTILINE)
[CONFIG] = [text for language, text in BLOCKS if language == "yaml"]
RUN, PARQUET = [text for language, text in BLOCKS if not language]
TABLE, ROWS = [text for language, text in BLOCKS if language == "sql"]
DIGITS = "123456789012345678901234567890123456.78"
COUNT = 30


@pytest.fixture
def programs() -> Path:
    try:
        return lake.install()
    except EngineError as error:
        pytest.skip(f"target-jsonl and DuckDB could not be installed: {error}")


@pytest.fixture
def orders(account: Engine) -> Iterator[Tables]:
    """The table `orders` of an account that no other test uses."""
    made = Tables(account)
    made.note("orders")
    made.wire.create_table("orders", (("id", "S"),))
    for number in range(COUNT):
        address = {"city": {"S": "Zürich"}, "rent": {"N": DIGITS}, "kinds": {"SS": ["a"]}}
        item: dict[str, Any] = {"id": {"S": f"order {number:02}"}, "total": {"N": DIGITS}}
        item |= {"address": {"M": address}, "tags": {"SS": ["a"]}}
        if number == 7:
            item["late"] = {"BOOL": True}
        made.wire.call("PutItem", {"TableName": "orders", "Item": item})
    yield made
    made.drop()


def test_target_jsonl_keeps_every_digit(orders: Tables, programs: Path, tmp_path: Path) -> None:
    tap = Path(sys.executable).with_name("tap-dynamodb")
    environment = lake.project(tmp_path, CONFIG, tap, programs, orders.engine)
    ended = pipeline.meltano(environment, *RUN.split()[1:], folder=tmp_path)
    assert ended.code == 0, ended.err
    [path] = (tmp_path / "files").iterdir()
    assert re.fullmatch(r"orders-\d{8}T\d{6}\.jsonl", path.name)
    lines = [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]
    address = {"city": "Zürich", "rent": Decimal(DIGITS), "kinds": ["a"]}
    assert sorted(lines, key=lambda line: str(line["id"])) == [
        {"id": f"order {number:02}", "total": Decimal(DIGITS), "address": address, "tags": ["a"]}
        | ({"late": True} if number == 7 else {})
        for number in range(COUNT)
    ]


def test_duckdb_reads_the_parquet_files(orders: Tables, programs: Path, tmp_path: Path) -> None:
    assert programs.is_dir()
    path = [str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        # The late attribute is to be one that the sample does not show.
        ["bash", "-euc", PARQUET.replace('"type_tags"', '"sample_size": 1, "type_tags"')],
        cwd=tmp_path,
        env={
            **guard.environment(),
            **orders.engine.exports(),
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=pipeline.PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    lake.query(tmp_path, TABLE)
    rows = lake.query(tmp_path, ROWS)
    assert rows == [
        {"id": f"order {number:02}", "total": DIGITS, "city": "Zürich", "rent": DIGITS}
        for number in range(COUNT)
    ]
    late = lake.query(tmp_path, "SELECT id, late FROM orders WHERE late IS NOT NULL")
    assert late == [{"id": "order 07", "late": True}]


def test_target_jsonl_ends_at_a_batch_message(programs: Path, tmp_path: Path) -> None:
    """What the recipe says of it; when this fails, the recipe has something better to say."""
    message = {"type": "BATCH", "stream": "s", "encoding": {"format": "jsonl"}, "manifest": []}
    done = subprocess.run(
        [str(programs / "target-jsonl")],
        input=json.dumps(message),
        cwd=tmp_path,
        env=guard.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=pipeline.PATIENCE,
    )
    assert done.returncode != 0
