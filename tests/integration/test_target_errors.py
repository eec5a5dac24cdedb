"""Whatever is wrong: one clear line, exit code 1, no traceback; what came before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.guard import NOWHERE
from tests.integration.target_process import TargetProcess, record, run, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables
    from tests.integration.target_process import Message

SCHEMA = schema("orders", {"id": {"type": "string"}, "n": {"type": "number"}})
GOOD = [SCHEMA, record("orders", {"id": "a", "n": 1}), state({"at": "a"})]

BAD_INPUT: dict[str, tuple[list[Message | str], str]] = {
    "a line that is no JSON": ([*GOOD, "nonsense\n"], "Line 4 of the input is no JSON"),
    "a line cut off": ([*GOOD, '{"type":"RECORD","stream":"ord'], "cut off in its middle"),
    "a line of another kind": ([*GOOD, "[1]\n"], "is no JSON object"),
    "a type in small letters": ([*GOOD, '{"type":"record"}\n'], "has the type 'record'"),
    "a type that is no text": ([*GOOD, '{"type":5}\n'], "has the type 5"),
    "no type": ([*GOOD, '{"stream":"orders"}\n'], "has no type"),
    "a record of nothing": ([*GOOD, '{"type":"RECORD","stream":"orders"}\n'], "has no record"),
    "a record that is no object": (
        [*GOOD, '{"type":"RECORD","stream":"orders","record":7}\n'],
        "no JSON object",
    ),
    "a record before its schema": (
        [*GOOD, record("others", {"id": "b"})],
        "RECORD of stream others came before its SCHEMA",
    ),
    "a schema without properties": (
        [*GOOD, {"type": "SCHEMA", "stream": "others", "schema": {"type": "object"}}],
        "others has no properties",
    ),
    "a missing key": ([*GOOD, record("orders", {"n": 2})], "id of the key is missing"),
    "a key that is null": ([*GOOD, record("orders", {"id": None})], "id of the key is missing"),
    "an empty key": ([*GOOD, record("orders", {"id": ""})], "id is empty"),
    "a key of another type": ([*GOOD, record("orders", {"id": 5})], "/id is 5"),
    "a number that is none": (
        [*GOOD, '{"type":"RECORD","stream":"orders","record":{"id":"b","n":NaN}}\n'],
        "record with key id b: The value at /n",
    ),
    "a number too long": (
        [*GOOD, record("orders", {"id": "b", "deep": [{"n": int("1" * 39)}]})],
        "/deep/0/n",
    ),
    "half a character": (
        [*GOOD, '{"type":"RECORD","stream":"orders","record":{"id":"b","t":"\\ud800"}}\n'],
        "record with key id b",
    ),
    "an item too large": (
        [*GOOD, record("orders", {"id": "b", "big": "x" * 500_000})],
        "record with key id b: it is 500,",
    ),
    "a batch message": (
        [
            *GOOD,
            {"type": "BATCH", "stream": "orders", "encoding": {"format": "jsonl"}, "manifest": []},
        ],
        "batch_root",
    ),
}


def assert_one_clear_line(target: TargetProcess, words: str) -> None:
    assert target.process.returncode == 1
    assert "Traceback" not in target.rest_of_log()
    assert len(target.errors()) == 1, target.log
    assert words in target.errors()[0]


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_clear_line_and_what_came_before_it_is_written(
    tmp_path: Path, tables: Tables, case: str
) -> None:
    messages, words = BAD_INPUT[case]
    table = tables.create()
    target = run(tmp_path, tables.engine, messages, table_name=table)
    assert_one_clear_line(target, words)
    assert {"id": {"S": "a"}, "n": {"N": "1"}} in tables.items(table)
    assert target.states == [{"at": "a"}]


def test_a_missing_table_that_may_not_be_made(tmp_path: Path, tables: Tables) -> None:
    name = tables.name()
    target = run(tmp_path, tables.engine, GOOD, table_name=name, create_tables=False)
    assert_one_clear_line(target, f"Table {name} does not exist")
    assert target.states == []


def test_a_table_with_another_key(tmp_path: Path, tables: Tables) -> None:
    table = tables.create(key=(("pk", "S"), ("sk", "N")))
    target = run(tmp_path, tables.engine, GOOD, table_name=table)
    assert_one_clear_line(target, "has the key pk (S), sk (N), stream orders has id")


def test_a_table_whose_key_is_of_another_type(tmp_path: Path, tables: Tables) -> None:
    table = tables.create(key=(("id", "N"),))
    target = run(tmp_path, tables.engine, GOOD, table_name=table)
    assert_one_clear_line(target, f"Key attribute id of table {table} is of type N")


def test_the_table_that_the_stream_came_from(tmp_path: Path, tables: Tables) -> None:
    table = tables.create()
    described = tables.wire.describe(table)
    source = {"name": table, "arn": described["TableArn"], "id": described.get("TableId", "")}
    messages = [schema("orders", {"id": {"type": "string"}}, table=source), *GOOD[1:]]
    target = run(tmp_path, tables.engine, messages)
    assert_one_clear_line(target, "allow_same_table")
    assert tables.items(table) == []
    allowed = run(tmp_path, tables.engine, messages, allow_same_table=True)
    assert allowed.process.returncode == 0
    assert len(tables.items(table)) == 1


def test_a_wrong_endpoint(tmp_path: Path, tables: Tables) -> None:
    target = run(tmp_path, tables.engine, GOOD, aws_endpoint_url=NOWHERE)
    assert_one_clear_line(
        target, f"DescribeTable on table orders did not reach DynamoDB ({NOWHERE}"
    )


def test_no_credentials(tmp_path: Path, tables: Tables) -> None:
    config = {"aws_endpoint_url": tables.engine.endpoint_url, "aws_region": "eu-west-1"}
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    with TargetProcess(tmp_path, config, **nobody) as target:
        target.feed(*GOOD)
        target.finish()
    assert_one_clear_line(target, "no usable AWS credentials")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"write_capacity": "fast"}, "config['write_capacity']"),
        ({"write_workers": 0}, "config['write_workers']"),
        ({"load_method": "replace"}, "config['load_method']"),
        ({"table_name": "{straem}"}, "unknown placeholder {straem}"),
        ({"stream_maps": {"orders": {"id": None}}}, "Removing key property 'id'"),
        ({"stream_maps": {"orders": {"n": "n +"}}}, "n +"),
        ({"stream_maps": {"orders": {"n": "int(id)"}}}, "A stream map of stream orders fails"),
    ],
)
def test_bad_settings(tmp_path: Path, tables: Tables, config: dict[str, Any], words: str) -> None:
    target = run(tmp_path, tables.engine, GOOD, **{"table_name": tables.name(), **config})
    assert_one_clear_line(target, words)


def test_two_streams_meet_in_one_table_only_when_asked(tmp_path: Path, tables: Tables) -> None:
    table = tables.create()
    other = schema("others", {"id": {"type": "string"}})
    messages = [*GOOD, other, record("others", {"id": "b"}), state({"at": "b"})]
    both = {"orders": table, "others": table}
    asked = run(tmp_path, tables.engine, messages, table_names=both)
    assert asked.process.returncode == 0
    assert len(tables.items(table)) == 2
    named = {"orders": table}
    default = schema(table, {"id": {"type": "string"}})  # its own name leads to the same table
    unasked = run(tmp_path, tables.engine, [*GOOD, default], table_names=named)
    assert_one_clear_line(unasked, f"Stream {table} would be written to table {table}")


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    with TargetProcess(tmp_path, "{broken") as target:
        target.finish()
    assert_one_clear_line(target, "target.json cannot be read")
