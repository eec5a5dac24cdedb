"""The recipe of tables in PostgreSQL: its meltano.yml through `meltano run`, its queries on a server."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from demo import load
from tests.composition.recipe import Recipe, address, execute
from tests.engines import brisk
from tests.engines import postgres as server
from tests.engines.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.postgres import Postgres

DIGITS = "12345678901234567890123456789012345678"
PHOTO = base64.b64encode(bytes([0, 1, 255])).decode()
KEYS = {"orders": (("id", "S"),), "events": (("pk", "S"), ("sk", "S"))}
NAMES = 5_000
EACH = 20


class Shop:
    """The recipe's two tables in an account of their own, and its project in a folder."""

    def __init__(self, tables: Tables, postgres: Postgres, folder: Path) -> None:
        self.recipe = Recipe("postgres", folder, tables.engine)
        [self.line, *_] = self.recipe.blocks()
        self._tables = tables
        self._postgres = postgres
        self._folder = folder
        execute(postgres, "DROP SCHEMA IF EXISTS shop CASCADE")
        brisk.script(folder, "tap-dynamodb", brisk.SHORT)
        for name, key in KEYS.items():
            tables.note(name)
            tables.wire.create_table(name, key)
        self.write()

    def write(self, **config: Any) -> None:
        """Write the recipe's meltano.yml, with more settings of the tap."""
        self.recipe.write(
            {
                "tap-dynamodb": self._folder / "tap-dynamodb",
                "target-postgres": server.install().parents[2] / "bin" / "target-postgres",
            },
            {
                "tap-dynamodb": {**self._tables.engine.config(), **config},
                "target-postgres": address(self._postgres),
            },
        )

    def put(self, table: str, *items: Item) -> None:
        load.write(self._tables.wire, table, items)

    def delete(self, table: str, **key: str) -> None:
        typed = {name: {"S": value} for name, value in key.items()}
        self._tables.wire.call("DeleteItem", {"TableName": table, "Key": typed})

    def run(self) -> None:
        self.recipe.run(self.line)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return self._postgres.query(sql.rstrip().rstrip(";"))


@pytest.fixture
def shop(postgres: Postgres, account: Engine, tmp_path: Path) -> Iterator[Shop]:
    made = Tables(account)
    yield Shop(made, postgres, tmp_path)
    made.drop()


def order(key: str, **more: dict[str, Any]) -> Item:
    return {
        "id": {"S": key},
        "total": {"N": DIGITS},
        "photo": {"B": PHOTO},
        "paid": {"BOOL": True},
        "address": {"M": {"city": {"S": "Oslo"}, "height": {"N": f"0.{DIGITS}"}}},
        "lines": {"L": [{"N": DIGITS}, {"S": "x"}]},
        "tags": {"SS": ["a"]},
        **more,
    }


def event(number: int) -> Item:
    """An event with attributes that no other has."""
    item: Item = {"pk": {"S": f"{number % 7}"}, "sk": {"S": f"{number:04}"}, "kind": {"S": "click"}}
    for own in range(EACH):
        item[f"attribute {number}.{own}"] = {"N": f"{number}.{own + 1}{DIGITS[:20]}"}
    return {**item, "amount": {"N": DIGITS}}


def test_tables_are_kept_current(shop: Shop, postgres: Postgres) -> None:
    columns, view, delete = shop.recipe.blocks("sql")
    shop.put("orders", *(order(f"{number}", note={"S": "a\x00b"}) for number in range(4)))
    shop.put("orders", order("2", note={"S": "a\x00b"}, placed_at={"S": "of no other item"}))
    events = [event(number) for number in range(NAMES // EACH)]
    shop.put("events", *events)
    shop.run()

    types = postgres.columns("shop", "orders")
    assert {name: types[name] for name in order("") | {"_sdc_deleted_at": {}, "note": {}}} == {
        "id": "text",
        "total": "numeric",
        "photo": "bytea",
        "paid": "boolean",
        "address": "jsonb",
        "lines": "jsonb",
        "tags": "ARRAY",
        "note": "text",
        "_sdc_deleted_at": "timestamp without time zone",
    }
    first = {"total": Decimal(DIGITS), "city": "Oslo", "height": Decimal(f"0.{DIGITS}")}
    assert shop.rows(columns) == [{"id": f"{n}", **first, "photo": PHOTO} for n in range(4)]
    assert shop.rows("SELECT DISTINCT lines, tags, paid, note FROM shop.orders") == [
        {"lines": [Decimal(DIGITS), "x"], "tags": ["a"], "paid": True, "note": "a\ufffdb"}
    ]
    assert len({name for item in events for name in item if name.startswith("attr")}) == NAMES
    assert set(postgres.columns("shop", "events")) >= {"pk", "sk", "item", "_dynamodb"}
    loaded = {row["sk"]: row["item"] for row in shop.rows("SELECT sk, item FROM shop.events")}
    assert loaded == {
        item["sk"]["S"]: {
            name: Decimal(typed["N"]) if "N" in typed else typed["S"]
            for name, typed in item.items()
            if name not in ("pk", "sk")
        }
        for item in events
    }
    execute(postgres, view)

    shop.delete("orders", id="0")
    shop.delete("orders", id="1")
    shop.put("orders", order("1", fresh={"N": DIGITS}))
    shop.put("orders", {"id": {"S": "2"}, "total": {"N": "7"}})
    for item in events[1:]:
        shop.delete("events", pk=item["pk"]["S"], sk=item["sk"]["S"])
    shop.run()

    assert postgres.columns("shop", "orders")["fresh"] == "numeric"
    second = {"id": "2", "total": Decimal(7), "city": None, "height": None, "photo": None}
    kept = [{"id": f"{number}", **first, "photo": PHOTO} for number in (1, 3)]
    assert shop.rows(columns) == [kept[0], second, kept[1]]
    assert shop.rows("SELECT fresh FROM shop.orders WHERE id = '1'") == [{"fresh": Decimal(DIGITS)}]
    assert shop.rows(
        "SELECT note, placed_at, tags, address IS NULL AS no, jsonb_typeof(address) AS kind"
        " FROM shop.orders WHERE id = '2'"
    ) == [{"note": None, "placed_at": None, "tags": None, "no": False, "kind": "null"}]
    assert shop.rows("SELECT * FROM shop.events_now") == [
        {"pk": "0", "sk": "0000", "kind": "click", "amount": Decimal(DIGITS)}
    ]
    assert shop.rows("SELECT id FROM shop.orders WHERE _sdc_deleted_at IS NOT NULL") == [
        {"id": "0"}
    ]
    execute(postgres, delete)
    assert shop.rows("SELECT count(*) FROM shop.orders") == [{"count": Decimal(3)}]


def test_a_nul_character_deep_down_is_taken_out_by_a_map(shop: Shop) -> None:
    [_, complaint, *_] = shop.recipe.blocks()
    deep: Item = {"list": {"L": [{"S": "x\x00y"}, {"S": "\\u0000 \\\x00\\"}]}, "n": {"N": DIGITS}}
    shop.put("orders", order("0", note={"S": "a\x00c"}), order("1"))
    shop.put("events", {"pk": {"S": "a"}, "sk": {"S": "b"}, "map": {"M": deep}})
    ended = shop.recipe.attempt(shop.line)
    assert ended.code != 0
    assert complaint.strip() in ended.err
    assert shop.rows("SELECT item FROM shop.events") == []

    mended = shop.recipe.yaml(1)
    [tap] = shop.recipe.yaml(0)["plugins"]["extractors"]
    options = tap["config"]["table_options"]
    options["events"]["decimals"] = mended.pop("decimals")
    shop.write(table_options=options, **mended)
    shop.run()
    assert shop.rows("SELECT id, note FROM shop.orders ORDER BY id") == [
        {"id": "0", "note": "ac"},
        {"id": "1", "note": None},
    ]
    assert shop.rows("SELECT item FROM shop.events") == [
        {"item": {"map": {"list": ["xy", "\\u0000 \\\\"], "n": DIGITS}}}
    ]


def test_without_record_metadata_a_deletion_is_an_empty_row(postgres: Postgres) -> None:
    """Why the recipe says to leave it at its default."""
    properties = {
        "id": {"type": "string"},
        "n": {"type": ["null", "number"]},
        "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"},
    }
    messages = [
        {"type": "SCHEMA", "schema": {"properties": properties}, "key_properties": ["id"]},
        {"type": "RECORD", "record": {"id": "a", "n": 1}},
        {"type": "RECORD", "record": {"id": "a", "_sdc_deleted_at": "2026-11-22T12:00:00Z"}},
    ]
    stream = b"".join(json.dumps({**each, "stream": "bare"}).encode() + b"\n" for each in messages)
    settings = {"activate_version": False, "load_method": "upsert"}
    postgres.load(stream, "bare", add_record_metadata=False, **settings)
    assert postgres.query("SELECT * FROM bare.bare") == [{"id": "a", "n": None}]
    postgres.load(stream, "marked", hard_delete=True, **settings)
    assert postgres.query("SELECT id, n, _sdc_deleted_at FROM marked.bare") == [
        {"id": "a", "n": None, "_sdc_deleted_at": "2026-11-22T12:00:00"}
    ]
