"""The recipe of a lake: its configuration through `meltano run`, its queries in DuckDB."""

from __future__ import annotations

import re
import shutil
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from demo.engine import ROOT
from demo.server import EngineError
from tests.engines import brisk, lake, pipeline
from tests.engines.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item

RECIPE = (ROOT / "docs" / "recipes" / "lake.md").read_text()
[CONFIG] = re.findall(r"^```yaml\n(.*?)^```", RECIPE, re.MULTILINE | re.DOTALL)
VIEWS, NOW, THEN, PARQUET, BOTH = re.findall(
    r"^```sql\n(.*?)^```", RECIPE, re.MULTILINE | re.DOTALL
)
TOTAL = "123456789012345678901234567890123456.78"


@pytest.fixture
def programs() -> Path:
    try:
        return lake.install()
    except EngineError as error:
        pytest.skip(f"target-jsonl and DuckDB could not be installed: {error}")


@pytest.fixture
def own(account: Engine) -> Iterator[Tables]:
    """Tables of an account that no other test uses, so that they are named as the recipe names them."""
    made = Tables(account)
    yield made
    made.drop()


class Lake:
    """A Meltano project as the recipe says, with a table that is read.

    Attributes:
        folder: The project's folder.
    """

    def __init__(self, tables: Tables, folder: Path, programs: Path) -> None:
        self._tables = tables
        self.folder = folder
        tables.note("orders")
        tables.wire.create_table("orders", (("id", "S"),))
        brisk.script(folder, "tap-dynamodb", brisk.SHORT)
        tap = folder / "tap-dynamodb"
        self._environment = lake.project(folder, CONFIG, tap, programs, tables.engine)

    def put(self, item: Item) -> None:
        """Put an item into the table."""
        self._tables.wire.call("PutItem", {"TableName": "orders", "Item": item})

    def delete(self, key: str) -> None:
        """Delete an item of the table."""
        self._tables.wire.call("DeleteItem", {"TableName": "orders", "Key": {"id": {"S": key}}})

    def run(self, day: str) -> None:
        """Run the pair on a day."""
        ended = pipeline.meltano(
            self._environment | {"DAY": day},
            *("run", "tap-dynamodb", "target-jsonl"),
            folder=self.folder,
        )
        assert ended.code == 0, ended.err

    def files(self) -> list[Path]:
        """Return what was written, in order."""
        return sorted((self.folder / "lake").glob("*/*"))

    def totals(self) -> dict[str, Decimal]:
        """Return what the table holds, as the recipe asks for it."""
        rows = lake.query(self.folder, NOW)
        return {row["id"]: Decimal(row["total"]) for row in rows}

    def check(self) -> None:
        """Require that the lake's totals are the table's."""
        items = self._tables.items("orders")
        assert self.totals() == {each["id"]["S"]: Decimal(each["total"]["N"]) for each in items}


def order(key: str, total: str) -> dict[str, Any]:
    tags = {"tags": {"SS": ["a", "b"]}} if key > "order 5" else {}
    return {"id": {"S": key}, "total": {"N": total}, **tags}


def test_a_lake_keeps_itself_current(own: Tables, tmp_path: Path, programs: Path) -> None:
    table = Lake(own, tmp_path, programs)
    for number in range(8):
        table.put(order(f"order {number}", TOTAL if number == 0 else f"{number}.50"))
    table.run("2026-11-21")
    lake.query(tmp_path, VIEWS)
    table.check()
    before = lake.query(tmp_path, "SELECT max(_sdc_sequence) AS moment FROM orders_changes")

    table.delete("order 1")
    table.put(order("order 2", "-2.75"))
    table.put(order("order 9", "9"))
    table.delete("order 9")
    table.put(order("order 8", "8"))
    table.run("2026-11-22")
    table.check()
    assert [path.parent.name for path in table.files()] == ["day=2026-11-21", "day=2026-11-22"]

    moment = f"make_timestamp({before[0]['moment']})::TIMESTAMPTZ"
    then = lake.query(tmp_path, re.sub(r"TIMESTAMPTZ '[^']*'", moment, THEN))
    assert [row["id"] for row in then] == [f"order {number}" for number in range(8)]

    # A run that was killed has torn its last line, and all is brought again.
    first, last = table.files()
    whole = last.read_text()
    last.with_name("orders-killed.jsonl").write_text(whole[: len(whole) - 20])
    table.check()

    wanted = lake.query(tmp_path, "SELECT * FROM orders_changes ORDER BY ALL")
    for _ in range(2):  # done twice, it is the same
        lake.query(tmp_path, PARQUET)
    first.unlink()
    lake.query(tmp_path, BOTH)
    assert lake.query(tmp_path, "SELECT * FROM orders_changes ORDER BY ALL") == wanted
    table.check()
    shutil.rmtree(tmp_path / "orders_parquet" / "day=2026-11-21")
    with pytest.raises(AssertionError):  # the files of that day are what was read
        table.check()
