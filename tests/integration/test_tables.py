"""Whole tables on a real engine, through the wire itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core import workers
from dynamodb_core.budgets import Budgets
from dynamodb_core.capacity import Budget
from dynamodb_core.definitions import Definition
from dynamodb_core.errors import DataError, TableNotFound
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.progress import Progress
from dynamodb_core.scan import read_part
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key
from dynamodb_core.tables import create, describe, names
from dynamodb_core.wire import BotoWire
from dynamodb_core.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine
    from dynamodb_core.parts import Block
    from tests.engines.tables import Tables

KEY = Key(("pk", "sk"), ("S", "N"))


def wire_to(engine: Engine) -> BotoWire:
    return BotoWire(AwsSettings.from_config(engine.config()))


def test_a_table_is_made_described_and_listed(account: Engine) -> None:
    wire = wire_to(account)
    made = create(wire, Definition("orders", KEY))
    assert (made.name, made.key, made.billing) == ("orders", KEY, "PAY_PER_REQUEST")
    assert made.active
    assert describe(wire, "orders").id == made.id
    assert describe(wire, made.arn).key == KEY
    assert list(names(wire)) == ["orders"]


@pytest.mark.parametrize("type_", ["S", "N", "B"])
def test_a_key_may_be_of_any_type_and_name(account: Engine, type_: str) -> None:
    key = Key(("odd name.#",), (type_,))
    assert create(wire_to(account), Definition("odd", key)).key == key


def test_more_names_than_one_page_holds_are_all_listed(account: Engine) -> None:
    wire = wire_to(account)
    made = [f"t{number:03}" for number in range(105)]
    workers.gather(lambda name: create(wire, Definition(name, KEY)), made, workers=4)
    assert sorted(names(wire)) == made


def test_a_missing_table_is_not_found(account: Engine) -> None:
    with pytest.raises(TableNotFound, match="Table absent does not exist"):
        describe(wire_to(account), "absent")


def test_several_who_make_one_table_at_once_all_get_it(account: Engine) -> None:
    made = workers.gather(
        lambda _: create(wire_to(account), Definition("orders", KEY)), range(4), workers=4
    )
    assert len({table.id for table in made}) == 1


def test_what_is_written_is_what_is_read(tables: Tables) -> None:
    """Writer and scan end to end; the items are compared over another wire."""
    name = tables.create(key=(("pk", "S"), ("sk", "N")))
    wire = wire_to(tables.engine)
    table = describe(wire, name)
    writer = Writer(wire, table, budgets=Budgets(None), progress=Progress(name), workers=4)
    items: list[dict[str, dict[str, Any]]] = [
        {"pk": {"S": f"p{n % 7}"}, "sk": {"N": str(n)}, "v": {"L": [{"B": "AAE="}, {"M": {}}]}}
        for n in range(500)
    ]
    for version in ("older", "newer"):
        for item in items:
            whole = {**item, "version": {"S": version}}
            writer.put(KEY.identity(item), orjson.dumps(whole))
    writer.flush()
    writer.delete(KEY.identity(items[0]), orjson.dumps({n: items[0][n] for n in KEY.names}))
    writer.flush()
    writer.close()
    expected = [{**item, "version": {"S": "newer"}} for item in items[1:]]
    assert _sorted(tables.items(name)) == _sorted(expected)

    def read(part: Part) -> Iterator[Block[list[bytes]]]:
        return read_part(
            part,
            plan=ReadPlan(name, 5, limit=20),
            wire=wire,
            budget=Budget(None),
            render=lambda page: [bytes(item) for item in page],
        )

    blocks = list(workers.fan_out(map(Part, range(5)), read, workers=3))
    found = [orjson.loads(item) for block in blocks for item in block.payload]
    assert _sorted(found) == _sorted(expected)
    assert sum(block.finished for block in blocks) == 5


def test_an_item_that_the_engine_refuses_is_named_and_the_others_are_written(
    tables: Tables,
) -> None:
    name = tables.create()
    wire = wire_to(tables.engine)
    table = describe(wire, name)
    writer = Writer(wire, table, budgets=Budgets(None), progress=Progress(name), workers=1)
    for number in range(20):
        text = "x" * (500_000 if number == 13 else 10)
        item = {"id": {"S": f"k{number}"}, "v": {"S": text}}
        writer.put(table.key.identity(item), orjson.dumps(item))
    with pytest.raises(DataError, match="item with key k13 "):
        writer.flush()
    writer.close()
    assert {item["id"]["S"] for item in tables.items(name)} == {
        f"k{number}" for number in range(20) if number != 13
    }


def _sorted(items: list[dict[str, dict[str, Any]]]) -> list[dict[str, dict[str, Any]]]:
    return sorted(items, key=lambda item: int(str(item["sk"]["N"])))
