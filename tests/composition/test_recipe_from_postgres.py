"""The recipe of PostgreSQL's tables in DynamoDB: its meltano.yml through `meltano run`, from a server.

The server has no wal2json. `LOGGED` is what tap-postgres 0.10.0 (singer-sdk 0.54.9) wrote of the recipe's
table by LOG_BASED from PostgreSQL 15.18 with wal2json 2.5: a first run, then, after an UPDATE, a DELETE and
an INSERT, a second one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo import engine as ministack
from demo.engine import ROOT
from demo.server import EngineError
from tests.composition.recipe import Recipe, address, execute
from tests.engines import postgres as server
from tests.engines.tables import Tables
from tests.integration.target_process import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.postgres import Postgres

TABLE = "order_lines"
LOGGED = (
    r"""
{"type":"SCHEMA","stream":"shop-lines","schema":{"properties":{"order_id":{"type":["integer","null"]},"line":{"type":["integer","null"]},"amount":{"type":["number","null"]},"paid":{"type":["boolean","null"]},"ordered":{"format":"date","type":["string","null"]},"placed_at":{"format":"date-time","type":["string","null"]},"details":{"type":["string","number","integer","array","object","boolean","null"],"additionalProperties":true},"tags":{"items":{"type":["string"]},"type":["array","null"]},"sizes":{"items":{"type":["integer"]},"type":["array","null"]},"photo":{"type":["string","null"]},"updated_at":{"format":"date-time","type":["string","null"]},"_sdc_deleted_at":{"type":["string","null"]},"_sdc_lsn":{"type":["integer","null"]}},"type":"object","$schema":"https://json-schema.org/draft/2020-12/schema"},"key_properties":["order_id","line"]}
{"type":"RECORD","stream":"shop-lines","record":{"order_id":9007199254740993,"line":1,"amount":1234567890123456789012345678.0123456789,"paid":true,"ordered":"2026-11-21","placed_at":"2026-11-22T11:00:00.500000+00:00","details":{"gift":true,"price":0.10},"tags":["red","blue","red"],"sizes":[1,2],"photo":"0001ff","updated_at":"2026-11-22T12:00:00.000000+00:00","_sdc_deleted_at":null,"_sdc_lsn":null},"time_extracted":"2026-11-22T05:45:42.492185+00:00"}
{"type":"RECORD","stream":"shop-lines","record":{"order_id":9007199254740993,"line":2,"amount":null,"paid":null,"ordered":null,"placed_at":null,"details":null,"tags":null,"sizes":null,"photo":null,"updated_at":"2026-11-22T12:00:01.000000+00:00","_sdc_deleted_at":null,"_sdc_lsn":null},"time_extracted":"2026-11-22T05:45:42.492424+00:00"}
{"type":"STATE","value":{"bookmarks":{"shop-lines":{"starting_replication_value":null,"replication_key":null,"replication_key_value":22665520}}}}
{"type":"STATE","value":{"bookmarks":{"shop-lines":{"replication_key":null,"replication_key_value":22665520}}}}
""".lstrip(),
    r"""
{"type":"STATE","value":{"bookmarks":{"shop-lines":{"replication_key":null,"replication_key_value":22665520}}}}
{"type":"SCHEMA","stream":"shop-lines","schema":{"properties":{"order_id":{"type":["integer","null"]},"line":{"type":["integer","null"]},"amount":{"type":["number","null"]},"paid":{"type":["boolean","null"]},"ordered":{"format":"date","type":["string","null"]},"placed_at":{"format":"date-time","type":["string","null"]},"details":{"type":["string","number","integer","array","object","boolean","null"],"additionalProperties":true},"tags":{"items":{"type":["string"]},"type":["array","null"]},"sizes":{"items":{"type":["integer"]},"type":["array","null"]},"photo":{"type":["string","null"]},"updated_at":{"format":"date-time","type":["string","null"]},"_sdc_deleted_at":{"type":["string","null"]},"_sdc_lsn":{"type":["integer","null"]}},"type":"object","$schema":"https://json-schema.org/draft/2020-12/schema"},"key_properties":["order_id","line"]}
{"type":"STATE","value":{"bookmarks":{"shop-lines":{"replication_key":null,"replication_key_value":22665520,"starting_replication_value":null}}}}
{"type":"RECORD","stream":"shop-lines","record":{"order_id":9007199254740993,"line":1,"amount":12.5,"paid":false,"ordered":"2026-11-21","placed_at":"2026-11-22 11:00:00.5+00","details":"{\"gift\": true, \"price\": 0.10}","tags":["red","blue","red"],"sizes":"{1,2}","photo":"0001ff","updated_at":"2026-11-22 12:00:00+00","_sdc_deleted_at":null,"_sdc_lsn":22665520},"time_extracted":"2026-11-22T05:45:47.455949+00:00"}
{"type":"RECORD","stream":"shop-lines","record":{"order_id":9007199254740993,"line":2,"_sdc_deleted_at":"2026-11-22T05:45:47Z","_sdc_lsn":22665800},"time_extracted":"2026-11-22T05:45:47.456165+00:00"}
{"type":"RECORD","stream":"shop-lines","record":{"order_id":9007199254740993,"line":3,"amount":1.2345678901234569e+27,"paid":null,"ordered":null,"placed_at":null,"details":null,"tags":null,"sizes":null,"photo":null,"updated_at":"2026-11-22 13:00:00+00","_sdc_deleted_at":null,"_sdc_lsn":22665928},"time_extracted":"2026-11-22T05:45:47.456251+00:00"}
{"type":"STATE","value":{"bookmarks":{"shop-lines":{"replication_key":null,"replication_key_value":22666160,"starting_replication_value":null}}}}
{"type":"STATE","value":{"bookmarks":{"shop-lines":{"replication_key":null,"replication_key_value":22666160}}}}
""".lstrip(),
)


@pytest.fixture(scope="module")
def tap_postgres() -> Path:
    """tap-postgres, in an environment of its own."""
    requirements = ROOT / "tests" / "engines" / "postgres-tap.txt"
    try:
        python = ministack.make_environment(ministack.HOME / "postgres-tap", requirements)
    except EngineError as error:
        if server.required():
            raise
        pytest.skip(f"tap-postgres could not be installed: {error}")
    return python.with_name("tap-postgres")


@pytest.fixture
def own(account: Engine) -> Iterator[Tables]:
    """Tables of an account that no other test uses, so that they are named as the recipe names them."""
    made = Tables(account)
    made.note(TABLE)
    yield made
    made.drop()


@pytest.fixture
def recipe(own: Tables, tmp_path: Path) -> Recipe:
    return Recipe("from-postgres", tmp_path, own.engine)


def shown(recipe: Recipe) -> list[Item]:
    """Return the items that the page shows."""
    items: list[Item] = json.loads(recipe.blocks("json")[0])[TABLE]
    return items


def found(tables: Tables) -> list[Item]:
    """Return what is in the table, by its sort key, sets in order."""
    items = sorted(tables.items(TABLE), key=lambda item: int(item["line"]["N"]))
    for item in items:
        if "tags" in item:
            item["tags"]["SS"].sort()
    return items


def test_rows_become_items(
    recipe: Recipe, own: Tables, postgres: Postgres, tap_postgres: Path, tmp_path: Path
) -> None:
    execute(postgres, "DROP SCHEMA IF EXISTS shop CASCADE;" + recipe.blocks("sql")[0])
    target = Path(sys.executable).with_name("target-dynamodb")
    recipe.write(
        {"tap-postgres": tap_postgres, "target-dynamodb": target},
        {"tap-postgres": address(postgres), "target-dynamodb": own.engine.config()},
    )
    line = "meltano run tap-postgres target-dynamodb"
    assert f"`{line}`" in recipe.text
    recipe.run(line)
    assert found(own) == shown(recipe)
    assert own.wire.describe(TABLE)["KeySchema"] == [
        {"AttributeName": "order_id", "KeyType": "HASH"},
        {"AttributeName": "line", "KeyType": "RANGE"},
    ]

    execute(
        postgres,
        "UPDATE shop.lines SET paid = false, updated_at = '2026-11-22 12:00:02+00' WHERE line = 2;"
        "UPDATE shop.lines SET paid = false WHERE line = 1;",
    )
    recipe.run(line)
    [first, second] = shown(recipe)
    moment = {"S": "2026-11-22T12:00:02.000000+00:00"}
    assert found(own) == [first, {**second, "paid": {"BOOL": False}, "updated_at": moment}]


def test_rows_that_were_deleted_become_none(recipe: Recipe, own: Tables, tmp_path: Path) -> None:
    config = own.engine.config()
    for number in (0, 1):
        [loader] = recipe.yaml(number)["plugins"]["loaders"]
        config |= loader["config"]
    first, second = (messages.splitlines(keepends=True) for messages in LOGGED)
    ended = run(tmp_path, own.engine, first, **config)
    assert ended.process.returncode == 0, ended.log
    items = shown(recipe)
    for item, milliseconds in zip(items, (1795348800000, 1795348801000), strict=True):
        item["updated_at"] = {"N": f"{milliseconds}"}
    assert found(own) == items

    ended = run(tmp_path, own.engine, second, **config)
    assert ended.process.returncode == 0, ended.log
    assert found(own) == [
        {**items[0], "amount": {"N": "12.5"}, "paid": {"BOOL": False}},
        {
            "order_id": items[0]["order_id"],
            "line": {"N": "3"},
            "amount": {"N": "1234567890123456900000000000"},
            "updated_at": {"N": "1795352400000"},
        },
    ]
