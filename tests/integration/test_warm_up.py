"""Tables are warmed up on a real engine, and put back at the end, after an error, a signal, a crash."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from demo import guard
from dynamodb_core.notes import TAG
from tests.engines import pipeline
from tests.integration import target_process as target

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables

OWN = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}
OF_INDEX = {"ReadCapacityUnits": 2, "WriteCapacityUnits": 3}
PROVISIONED: dict[str, Any] = {
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": OWN,
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("id", "day")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
            "ProvisionedThroughput": OF_INDEX,
        }
    ],
}
RAISED = {"method": "provisioned", "write_units": 400}
SWITCHED = {"method": "on_demand"}
SCHEMA = target.schema("people", {"id": {"type": "string"}, "day": {"type": "string"}})
RECORDS = [target.record("people", {"id": f"i{n}", "day": "d"}) for n in range(30)]
STATE = target.state({"people": 30})


def capacity(tables: Tables, name: str) -> tuple[Any, ...]:
    """Return how a table is billed, its units, and those of its index."""
    table = tables.wire.call("DescribeTable", {"TableName": name})["Table"]
    members = ("ReadCapacityUnits", "WriteCapacityUnits")
    places = (table, *table["GlobalSecondaryIndexes"])
    units = (tuple(each["ProvisionedThroughput"][m] for m in members) for each in places)
    return (table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"), *units)


def tagged(tables: Tables, name: str) -> bool:
    arn = tables.wire.call("DescribeTable", {"TableName": name})["Table"]["TableArn"]
    tags = tables.wire.call("ListTagsOfResource", {"ResourceArn": arn})["Tags"]
    return TAG in {tag["Key"] for tag in tags}


BEFORE = ("PROVISIONED", (5, 7), (2, 3))


@pytest.mark.parametrize(
    ("asked", "during"),
    [(RAISED, ("PROVISIONED", (5, 400), (2, 400))), (SWITCHED, ("PAY_PER_REQUEST",))],
)
@pytest.mark.parametrize("end", ["well", "error", "signal"])
def test_a_load_warms_its_table_up_and_puts_it_back(
    tables: Tables, tmp_path: Path, asked: dict[str, Any], during: tuple[Any, ...], end: str
) -> None:
    name = tables.create(**PROVISIONED)
    config = {**tables.engine.config(), "table_name": name, "warm_up": asked}
    with target.TargetProcess(tmp_path, config) as process:
        process.feed(SCHEMA, *RECORDS, STATE)
        assert process.next_state() == STATE["value"]
        assert capacity(tables, name)[: len(during)] == during
        assert tagged(tables, name)
        if end == "error":
            process.feed("no JSON\n")
        elif end == "signal":
            process.signal(signal.SIGTERM)
        code = process.finish()
    assert code == {"well": 0, "error": 1, "signal": 143}[end], process.log
    assert capacity(tables, name) == BEFORE
    assert not tagged(tables, name)
    assert len(tables.items(name)) == 30


@pytest.mark.parametrize("asked", [RAISED, SWITCHED])
@pytest.mark.parametrize("who", ["next run", "command"])
def test_after_a_crash_it_is_put_back(
    tables: Tables, tmp_path: Path, asked: dict[str, Any], who: str
) -> None:
    name = tables.create(**PROVISIONED)
    config = {**tables.engine.config(), "table_name": name, "warm_up": asked}
    with target.TargetProcess(tmp_path, config) as process:
        process.feed(SCHEMA, *RECORDS, STATE)
        process.next_state()
        process.process.kill()
        process.finish()
    assert capacity(tables, name) != BEFORE
    if who == "next run":
        again = target.run(tmp_path, tables.engine, [SCHEMA, STATE], table_name=name, warm_up=asked)
        assert again.process.returncode == 0, again.log
        assert any("did not put it back" in line for line in again.log)
    else:
        path = tmp_path / "target.json"
        command = [sys.executable, "-m", "dynamodb_core.cool_down", "--config", str(path), name]
        done = subprocess.run(
            command, env=guard.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert f"Table {name} is " in done.stderr
    assert capacity(tables, name) == BEFORE
    assert not tagged(tables, name)


def test_a_table_without_tags_has_its_note_in_a_file(
    reference_tables: Tables, tmp_path: Path
) -> None:
    """DynamoDB Local knows no tags."""
    name = reference_tables.create(**PROVISIONED)
    config = {**reference_tables.engine.config(), "table_name": name, "warm_up": RAISED}
    state = tmp_path / "state"
    with target.TargetProcess(tmp_path, config, XDG_STATE_HOME=str(state)) as process:
        process.feed(SCHEMA, *RECORDS, STATE)
        process.next_state()
        assert capacity(reference_tables, name)[1] == (5, 400)
        assert len([*state.glob(f"ferry-dynamodb/warm-up/{name}-*")]) == 1
        assert process.finish() == 0, process.log
    assert capacity(reference_tables, name) == BEFORE
    assert [*state.rglob(f"{name}-*")] == []


@pytest.mark.parametrize("end", ["well", "error"])
def test_a_read_warms_its_table_up_and_puts_it_back(
    tables: Tables, engine: Engine, tmp_path: Path, end: str
) -> None:
    items = [{"id": {"S": f"i{n}"}, "day": {"S": "d"}} for n in range(30)]
    name = tables.create(items, **PROVISIONED)
    asked = {"method": "provisioned", "read_units": 300}
    more = {"filter": {"expression": "size(id) > :n", "values": {":n": 0}}} if end == "well" else {}
    if end == "error":
        more = {"filter": {"expression": "nonsense(("}}
    config = pipeline.tap_config(engine, [name], item_format="packed", warm_up=asked)
    config["table_options"] = {name: more}
    ended = pipeline.run(pipeline.command("tap_dynamodb", config, tmp_path))
    assert ended.code == (0 if end == "well" else 1), ended.err
    assert "table from 5/7 to 300/7 read/write units a second" in ended.err
    assert "table from 300/7 to 5/7" in ended.err
    assert capacity(tables, name) == BEFORE
    if end == "well":
        assert "150 units" in ended.err
        records = [m for m in ended.messages() if m["type"] == "RECORD"]
        assert len(records) == 30


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"method": "warm_throughput", "write_units": 5}, "Set accept_cost to true"),
        ({"method": "provisioned"}, "says no units"),
        ({"method": "hot"}, "'hot' is not one of"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_at_the_start(
    engine: Engine, tmp_path: Path, asked: dict[str, Any], words: str
) -> None:
    for config in ({"warm_up": asked}, {"table_options": {"x": {"warm_up": asked}}}):
        ended = target.run(tmp_path, engine, [], **config)
        assert ended.process.returncode == 1
        [line] = ended.errors()
        assert words in line
    whole = pipeline.tap_config(engine, ["x"], warm_up=asked)
    ended_tap = pipeline.run(pipeline.command("tap_dynamodb", whole, tmp_path))
    assert ended_tap.code == 1
    assert words in ended_tap.errors[0], json.dumps(ended_tap.err)
