"""`dynamodb-tools generate`: into tables of real engines, and as a stream into target-dynamodb."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from demo import guard
from demo.compare import compare
from dynamodb_core.table import Key
from dynamodb_tools.recipe import Items, Recipe
from tests.engines import pipeline, relay

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item, KeySchema
    from tests.engines.pipeline import Ended
    from tests.engines.tables import Tables

PAIR: KeySchema = (("pk", "S"), ("sk", "N"))
BINARY: KeySchema = (("Item", "B"), ("sort key", "S"))
shapes = pytest.mark.parametrize("shape", ["flat", "nested", "every", "nasty"])


def generate(engine: Engine | None, folder: Path, *arguments: object) -> Ended:
    """Run the command against an engine, or without one."""
    return pipeline.run(line(engine, folder, *arguments))


def line(engine: Engine | None, folder: Path, *arguments: object) -> list[str]:
    path = folder / "generate.json"
    path.write_text(json.dumps(engine.config() if engine else {}))
    words = ("generate", "--config", path, *arguments)
    return [sys.executable, "-m", "dynamodb_tools", *map(str, words)]


def expected(numbers: range, key: KeySchema = PAIR, **more: Any) -> list[Item]:
    names, types = zip(*key, strict=True)
    items = Items(Recipe(Key(names, types), **more))
    return [orjson.loads(items.item(number)[1]) for number in numbers]


def same(one: list[Item], other: list[Item], key: KeySchema = PAIR) -> None:
    outcome = compare(one, other, key)
    assert outcome.identical, str(outcome)


def fine(ended: Ended) -> Ended:
    assert (ended.code, ended.errors) == (0, []), ended.err
    return ended


@shapes
def test_items_go_into_a_table(shape: str, tables: Tables, tmp_path: Path) -> None:
    into_a_table(shape, tables, tmp_path)


@shapes
def test_items_go_into_a_table_of_dynamodb_local(
    shape: str, reference_tables: Tables, tmp_path: Path
) -> None:
    into_a_table(shape, reference_tables, tmp_path)


def into_a_table(shape: str, tables: Tables, folder: Path) -> None:
    for key, keys in ((PAIR, "hot"), (BINARY, "uniform")):
        table = tables.create(key=key)
        more = ("--shape", shape, "--keys", keys, "--seed", 5, "--count", 520)
        ended = fine(generate(tables.engine, folder, table, *more))
        wanted = expected(range(520), key, shape=shape, spread=keys, seed=5)
        same(wanted, tables.items(table), key)
        assert re.search(rf"Table {table}: 520 items, .*items/s, .* capacity units", ended.err)
        assert ended.out == ""


def test_a_run_goes_on_where_another_one_ended(tables: Tables, tmp_path: Path) -> None:
    table = tables.create(key=PAIR)
    fine(generate(tables.engine, tmp_path, table, "--count", 300))
    same(expected(range(300)), tables.items(table))
    fine(generate(tables.engine, tmp_path, table, "--first", 300, "--count", 250))
    same(expected(range(550)), tables.items(table))


def test_a_missing_table_is_made_on_request(tables: Tables, tmp_path: Path) -> None:
    name = tables.name("made")
    refused = generate(tables.engine, tmp_path, name, "--count", 10)
    assert refused.code == 1
    assert re.search(rf"{name}.*--create", refused.errors[0])
    more = ("--create", "--key", "pk:S,sk:N", "--count", 120, "--size", 700)
    ended = fine(generate(tables.engine, tmp_path, name, *more))
    assert f"Created table {name}, key pk (S), sk (N)" in ended.err
    assert "is unlimited (a table of this run)" in ended.err
    same(expected(range(120), size=700), tables.items(name))
    again = fine(generate(tables.engine, tmp_path, name, *more))
    assert "Created" not in again.err


def test_an_index_gets_the_items(tables: Tables, tmp_path: Path) -> None:
    index = {
        "IndexName": "by_city",
        "KeySchema": [
            {"AttributeName": "city", "KeyType": "HASH"},
            {"AttributeName": "place", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    attributes = [
        {"AttributeName": name, "AttributeType": kind}
        for name, kind in (*PAIR, ("city", "N"), ("place", "S"))
    ]
    more: dict[str, Any] = {"GlobalSecondaryIndexes": [index], "AttributeDefinitions": attributes}
    table = tables.create(key=PAIR, **more)
    fine(generate(tables.engine, tmp_path, table, "--count", 60))
    answer = tables.wire.call("Scan", {"TableName": table, "IndexName": "by_city"})
    assert answer["Count"] == 60


@pytest.mark.parametrize("item_format", ["plain", "dynamodb_json"])
@shapes
def test_a_stream_loads_to_the_same_items(
    shape: str, item_format: str, tables: Tables, tmp_path: Path
) -> None:
    direct, loaded = tables.create(key=PAIR), tables.name("loaded")
    more = ("--shape", shape, "--count", 510, "--first", 3)
    fine(generate(tables.engine, tmp_path, direct, *more))
    form = ("--item-format", item_format, "--key", "pk:S,sk:N")
    stream = fine(generate(None, tmp_path, "--stream", loaded, *form, *more))
    config = tables.engine.config()
    target = pipeline.run(pipeline.command("target_dynamodb", config, tmp_path), stream.out)
    assert (target.code, target.errors) == (0, []), target.err
    assert target.states == [{"generated": 513}]
    same(tables.items(direct), tables.items(loaded))


def test_a_stream_says_now_and_then_how_far_it_is(tmp_path: Path) -> None:
    messages = list(fine(generate(None, tmp_path, "--stream", "s", "--count", 25_500)).messages())
    states = [(n, m["value"]) for n, m in enumerate(messages) if m["type"] == "STATE"]
    assert [value for _, value in states] == [{"generated": n} for n in (10_000, 20_000, 25_500)]
    for place, value in states:
        before = sum(message["type"] == "RECORD" for message in messages[:place])
        assert before == value["generated"]
    assert messages[0]["type"] == "SCHEMA"
    assert messages[0]["key_properties"] == ["id"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_load_with_the_number_to_go_on_from(
    signum: signal.Signals, tables: Tables, tmp_path: Path
) -> None:
    """Sent when the first request of many has gone out; what was begun is written then."""
    table = tables.create(key=PAIR)
    more = ("--count", 100_000, "--rate", 400)
    with relay.running(tables.engine) as between:
        process = started(line(between.engine, tmp_path, table, *more))
        while not between.of("BatchWriteItem"):
            assert process.poll() is None, process.communicate()
        process.send_signal(signum)
        _, log = process.communicate(timeout=pipeline.PATIENCE)
    assert process.returncode == 128 + signum, log
    found = re.search(
        r"before number (\d+) are written: go on with --first (\d+) --count (\d+)", log
    )
    assert found is not None, log
    done, first, left = map(int, found.groups())
    assert done == first == 100_000 - left
    assert 0 < done < 100_000
    same(expected(range(done)), tables.items(table))
    fine(generate(tables.engine, tmp_path, table, "--first", first, "--count", 20))
    same(expected(range(done + 20)), tables.items(table))


def test_a_signal_ends_a_stream_with_a_state(tmp_path: Path) -> None:
    words = line(None, tmp_path, "--stream", "s", "--count", 10**9, "--rate", 2000)
    with started(words) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        messages = [json.loads(each) for each in (*head, *process.stdout)]
        log = process.stderr.read()
        assert process.wait(pipeline.PATIENCE) == 128 + signal.SIGTERM, log
    records = sum(message["type"] == "RECORD" for message in messages)
    assert messages[-1] == {"type": "STATE", "value": {"generated": records}}
    assert f"--first {records} --count {10**9 - records}" in log


def started(words: list[str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=guard.environment())


def test_a_reader_that_leaves_is_an_error_of_one_line(tmp_path: Path) -> None:
    process = started(line(None, tmp_path, "--stream", "s", "--count", 1_000_000))
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, log = process.communicate(timeout=pipeline.PATIENCE)
    assert process.returncode == 1
    assert "Nobody reads standard output any more" in log
    assert "Traceback" not in log


def test_a_load_keeps_to_its_cost(tables: Tables, tmp_path: Path) -> None:
    table = tables.create(key=PAIR, BillingMode="PAY_PER_REQUEST")
    cost = ("--count", 1000, "--prices", '{"write_per_million": 1000}')
    with relay.running(tables.engine) as between:
        ended = generate(between.engine, tmp_path, table, *cost, "--max-cost", "0.9")
        assert ended.code == 1
        assert "would cost about 1.00 at the least, and max_cost is 0.90" in ended.errors[0]
        assert not between.of("BatchWriteItem")
    fine(generate(tables.engine, tmp_path, table, *cost, "--max-cost", "1.5"))
    same(expected(range(1000)), tables.items(table))


def test_a_cost_that_was_not_foreseen_ends_a_load_and_says_how_to_go_on(
    tables: Tables, tmp_path: Path
) -> None:
    """An index that is written too costs as much again, and ministack says so."""
    index = {
        "IndexName": "by_n",
        "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    attributes = [{"AttributeName": n, "AttributeType": k} for n, k in (*PAIR, ("n", "N"))]
    more: dict[str, Any] = {"GlobalSecondaryIndexes": [index], "AttributeDefinitions": attributes}
    table = tables.create(key=PAIR, BillingMode="PAY_PER_REQUEST", **more)
    cost = ("--prices", '{"write_per_million": 1000}', "--max-cost", "1.2", "--count", 1000)
    ended = generate(tables.engine, tmp_path, table, *cost)
    assert ended.code == 1
    assert re.search("max_cost, 1.20.*go on with --first 0 --count 1000", ended.errors[0])


def test_a_dry_run_writes_nothing(tables: Tables, tmp_path: Path) -> None:
    table = tables.create(
        key=PAIR,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 100},
    )
    more = ("--dry-run", "--count", 6000, "--size", 1500)
    ended = fine(generate(tables.engine, tmp_path, table, *more))
    words = (
        "6,000 items of about 1,500 bytes, 9.0 MB, 12,000 write units of the table, at least 4 min"
    )
    assert f"Dry run: table {table} would get {words}" in ended.out
    assert tables.items(table) == []
    name = tables.name("absent")
    made = fine(generate(tables.engine, tmp_path, name, "--create", *more))
    assert f"table {name} (it is made, key id (S))" in made.out
    assert generate(tables.engine, tmp_path, name).code == 1


def test_half_of_the_capacity_is_left_to_others(tables: Tables, tmp_path: Path) -> None:
    table = tables.create(
        key=PAIR,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5000},
    )
    ended = fine(generate(tables.engine, tmp_path, table, "--count", 10))
    assert "is 2,500 units a second (half of the table's provisioned 5,000 write units" in ended.err
    ended = fine(generate(tables.engine, tmp_path, table, "--write-capacity-percent", 90))
    assert "is 4,500 units a second (90%" in ended.err
    both = ("--write-capacity-percent", 90, "--write-capacity", 10)
    assert "are both set" in generate(tables.engine, tmp_path, table, *both).errors[0]


def test_a_key_that_is_not_the_tables_is_refused(tables: Tables, tmp_path: Path) -> None:
    table = tables.create(key=PAIR)
    ended = generate(tables.engine, tmp_path, table, "--key", "pk:S")
    assert ended.code == 1
    assert f"Table {table} has the key pk (S), sk (N), and pk (S) is asked for" in ended.errors[0]
    assert tables.items(table) == []
