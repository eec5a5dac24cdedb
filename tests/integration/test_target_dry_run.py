"""A dry run: it says what DynamoDB would refuse and what the load would cost, and writes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import meter, pipeline
from tests.engines.batches import config as batch_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.meter import Meter
    from tests.engines.tables import Tables

SCHEMA = {
    "type": "SCHEMA",
    "stream": "people",
    "schema": {
        "properties": {
            "id": {"type": ["string"]},
            "age": {"type": ["number", "null"]},
            "text": {"type": ["string", "null"]},
            "tree": {"type": ["object", "null"]},
        }
    },
    "key_properties": ["id"],
}
STATE = {"type": "STATE", "value": {"bookmarks": {"people": 1}}}
GOOD: list[dict[str, Any]] = [
    {"id": "a", "age": 36},
    {"id": "b", "text": "x" * 3000},
    {"id": "c", "tree": {"x": [1, {"y": None}]}},
]
DEEP: dict[str, Any] = {"leaf": 1}
for _ in range(32):
    DEEP = {"next": DEEP}
BAD: dict[str, dict[str, Any]] = {
    "of 410,": {"id": "large", "text": "x" * 410_000},
    "nested deeper": {"id": "deep", "tree": DEEP},
    "id is empty": {"id": ""},
    "id of the key is missing": {"age": 1},
    "is no N": {"id": "digits", "age": 10**40 + 1},
    "2,048": {"id": "k" * 2049},
}
WORDS = [*BAD][1:]


def messages(*records: dict[str, Any]) -> str:
    lines = [{"type": "RECORD", "stream": "people", "record": record} for record in records]
    return "".join(json.dumps(line) + "\n" for line in (SCHEMA, *lines, STATE))


@pytest.fixture
def metered(engine: Engine) -> Iterator[Meter]:
    with meter.running(engine) as running:
        yield running


def target(engine: Engine, folder: Path, given: str, **config: Any) -> pipeline.Ended:
    settings = pipeline.target_config(engine, **config)
    return pipeline.run(pipeline.command("target_dynamodb", settings, folder), given)


@pytest.mark.parametrize("validate", [False, True], ids=["direct", "validated"])
def test_it_names_what_would_be_refused_and_writes_nothing(
    metered: Meter, tables: Tables, tmp_path: Path, *, validate: bool
) -> None:
    table = tables.create([{"id": {"S": "a"}, "old": {"BOOL": True}}])
    given = messages(*GOOD, *BAD.values())
    ended = target(
        metered.engine,
        tmp_path,
        given,
        table_name=table,
        dry_run=True,
        validate_records=validate,
    )
    assert ended.code == 1
    assert ended.out == "", "STATE of nothing"
    assert tables.items(table) == [{"id": {"S": "a"}, "old": {"BOOL": True}}]
    assert {call.operation for call in metered.calls} == {"DescribeTable"}
    refused = [line for line in ended.err.splitlines() if "Would be refused" in line]
    assert len(refused) == len(BAD)
    for words in WORDS:
        assert any(words in line for line in refused), words
    assert "6 records would be refused" in ended.errors[-1]
    assert "Writing 3 items would cost at least 5 write units" in ended.err


def test_what_it_says_of_the_cost_is_what_the_load_costs(
    metered: Meter, tables: Tables, tmp_path: Path
) -> None:
    table = tables.create()
    many = [{"id": f"{n}", "text": "x" * (37 * n)} for n in range(100)]
    given = messages(*GOOD, *many)
    dry = target(metered.engine, tmp_path, given, table_name=table, dry_run=True)
    assert dry.code == 0, dry.err
    wet = target(metered.engine, tmp_path, given, table_name=table)
    assert wet.code == 0, wet.err
    units = metered.ledger.total(table, kind="write")
    assert f"Writing 103 items would cost at least {units:,.0f} write units" in dry.err


def test_a_missing_table_stays_missing(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    table = tables.name()
    ended = target(engine, tmp_path, messages(*GOOD), table_name=table, dry_run=True)
    assert ended.code == 0, ended.err
    assert f"Would create table {table}" in ended.err
    assert table not in tables.wire.call("ListTables", {})["TableNames"]


def test_files_of_batch_messages_are_read_and_stay(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    source = tables.create([{"id": {"S": f"{n}"}} for n in range(50)])
    copy = tables.create(label="copy")
    root = tmp_path / "batch"
    config = pipeline.tap_config(engine, [source], **batch_config(root))
    tap = pipeline.run(pipeline.command("tap_dynamodb", config, tmp_path))
    assert tap.code == 0, tap.err
    files = sorted(root.rglob("*.jsonl.gz"))
    assert files
    given = {"table_name": copy, "batch_root": str(root)}
    dry = target(engine, tmp_path, tap.out, **given, dry_run=True)
    assert dry.code == 0, dry.err
    assert "Writing 50 items" in dry.err
    assert sorted(root.rglob("*.jsonl.gz")) == files
    assert tables.items(copy) == []
    wet = target(engine, tmp_path, tap.out, **given)
    assert wet.code == 0, wet.err
    assert len(tables.items(copy)) == 50


@pytest.mark.parametrize("mode", ["lines", "files"])
def test_a_load_ends_before_it_costs_more_than_it_may(
    metered: Meter, tables: Tables, tmp_path: Path, mode: str
) -> None:
    source = tables.create([{"id": {"S": f"{n}"}} for n in range(300)])
    copy = tables.create(label="copy")
    root = tmp_path / "batch"
    more = batch_config(root) if mode == "files" else {}
    config = pipeline.tap_config(metered.engine, [source], segments=1, **more)
    command = pipeline.command("tap_dynamodb", config, tmp_path)
    given = {
        "table_name": copy,
        "batch_root": str(root),
        "write_workers": 1,
        "prices": {"write_per_million": 1_000_000},
    }
    ended = target(metered.engine, tmp_path, pipeline.run(command).out, **given, max_cost=100)
    assert ended.code == 1
    (line,) = ended.errors
    assert "exceed max_cost, 100.00" in line
    assert metered.ledger.total(copy, kind="write") == 100
    again = target(metered.engine, tmp_path, pipeline.run(command).out, **given, max_cost="400")
    assert again.code == 0, again.err
    assert len(tables.items(copy)) == 300
