"""A table that is read by several processes: the same records, and no end that looks like another."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.scan import shuffled
from tests.engines import meter
from tests.engines.tap import PATIENCE, Command, Output, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Wire
    from tests.engines.tables import Tables

SEGMENTS = 8
COUNT = 800
ITEMS: list[dict[str, Any]] = [
    {"id": {"S": f"i{n}"}, "n": {"N": str(n)}, "text": {"S": "x" * 20_000}} for n in range(COUNT)
]
"""About 16 MB: more than all pipes on the way to a target hold, so that a slow reader stops them."""


@pytest.fixture(scope="module")
def table(module_tables: Tables) -> str:
    return module_tables.create(ITEMS, label="large")


@pytest.fixture
def command(engine: Engine, tmp_path: Path) -> Command:
    return Command(tmp_path, engine.config())


def config(table: str, **more: Any) -> dict[str, Any]:
    return {
        "tables": [table],
        "segments": SEGMENTS,
        "item_format": "dynamodb_json",
        "scan_workers": 4,
        "processes": 2,
        **more,
    }


def comparable(output: Output) -> Counter[str]:
    """Return records with their streams, whatever their order."""
    return Counter(
        json.dumps([message["stream"], message["record"]], sort_keys=True, default=str)
        for message in output.of("RECORD")
    )


# The same records


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_several_processes_bring_what_one_brings(
    command: Command, table: str, item_format: str
) -> None:
    several = command(config(table, item_format=item_format))
    one = command(config(table, item_format=item_format, processes=1))
    assert (one.code, several.code) == (0, 0), several.log
    assert "by 4 workers in 2 processes" in several.log
    assert "by 4 workers in one process," in one.log
    several.check()
    assert comparable(several) == comparable(one)
    assert sum(comparable(one).values()) == COUNT
    assert f"{COUNT} items" in several.log
    assert several.of("SCHEMA") == one.of("SCHEMA")
    assert several.state == one.state == {"bookmarks": {table: {"scan": []}}}


def test_entities_marks_and_expired_items_are_those_of_one_process(
    command: Command, tables: Tables
) -> None:
    items: list[dict[str, Any]] = [
        {
            "pk": {"S": f"USER#{n // 5}" if n % 3 else f"x{n}"},
            "sk": {"S": "PROFILE" if n % 5 == 0 else f"ORDER#{n}"},
            "at": {"S": f"2026-11-{1 + n % 9:02d}T12:00:00Z"},
            **({"gone": {"N": "1780000000"}} if n % 7 == 0 else {}),
        }
        for n in range(300)
    ]
    table = tables.create(items, key=(("pk", "S"), ("sk", "S")))
    tables.wire.call(
        "UpdateTimeToLive",
        {
            "TableName": table,
            "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "gone"},
        },
    )
    options = {
        "entities": [
            {"stream": "users", "where": {"sk": {"equals": "PROFILE"}}},
            {"stream": "orders", "where": {"sk": {"prefix": "ORDER#"}, "pk": {"prefix": "USER"}}},
        ],
        "replication_key": "at",
    }
    settings = config(table, item_format="plain", skip_expired=True, table_options={table: options})
    several, one = command(settings), command({**settings, "processes": 1})
    assert (one.code, several.code) == (0, 0), several.log
    assert comparable(several) == comparable(one)
    assert len(several.records("users")) > 10 < len(several.records("orders"))
    assert several.state == one.state
    assert several.state["bookmarks"][table]["incremental"]
    left_out = re.compile(r"[1-9]\d* items have expired")
    assert left_out.findall(several.log) == left_out.findall(one.log) != []


def test_late_columns_reach_the_workers_and_come_before_their_records(
    command: Command, tables: Tables
) -> None:
    kinds = [{"S": "x"}, {"N": "1.5"}, {"BOOL": True}]
    items: list[dict[str, Any]] = [
        {"id": {"S": f"i{n}"}, f"a{n % 40}": kinds[n % 3], "pad": {"S": "x" * 4000}}
        for n in range(1200)
    ]
    table = tables.create(items)
    settings = config(table, item_format="plain", sample_size=1)
    output = command(settings)
    assert output.code == 0, output.log
    output.check()
    assert len(output.of("SCHEMA")) > 1
    columns = output.schema()["properties"]
    assert len(columns) == 43  # 40 attributes, the key, the padding, and what fits no column
    by_id = {record["id"]: record for record in output.records()}
    assert len(by_id) == len(output.records()) == len(items)
    for item in items:
        record = by_id[item["id"]["S"]]
        ((name, typed),) = [(n, value) for n, value in item.items() if n.startswith("a")]
        ((kind, value),) = typed.items()
        if columns[name]["x-dynamodb-type"] == kind:
            assert str(record[name]) == str(value)
        else:
            assert record["_dynamodb"]["rest"] == {name: typed}


def test_the_sdks_road_has_one_process(command: Command, table: str) -> None:
    output = command(config(table, flattening_enabled=True, flattening_max_depth=1))
    assert output.code == 0, output.log
    assert "in one process (stream maps" in output.log
    assert len(output.records()) == COUNT


def test_an_error_of_a_worker_is_one_line_about_the_configuration(
    command: Command, table: str
) -> None:
    options = {table: {"filter": {"expression": "size("}}}
    output = command(config(table, table_options=options))
    assert output.code == 1
    (line,) = output.errors
    assert f"DynamoDB refuses to read table {table}" in line
    assert "Traceback" not in output.log


def test_the_log_of_a_worker_is_the_log_of_the_run_and_says_things_once(
    command: Command, table: str
) -> None:
    nobody = {"aws_access_key_id": None, "aws_secret_access_key": None}
    keys = {"AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "dummy"}
    output = command(config(table, **nobody), environment=keys)
    assert output.code == 0, output.log
    assert output.log.count("Found credentials in environment variables") == 1


def test_throttles_of_all_processes_are_told(engine: Engine, tmp_path: Path, table: str) -> None:
    with meter.running(engine) as metered:
        metered.ledger.limit(table, read=1000, burst_seconds=0.5)
        command = Command(tmp_path, metered.engine.config())
        output = command(config(table, read_capacity=10_000))
    assert output.code == 0, output.log
    assert len(output.records()) == COUNT
    assert re.search(r"[1-9]\d* throttled", output.log)


# Ends


def first_lines(process: subprocess.Popen[bytes]) -> bytes:
    """Read up to the first record; from then on the pipes fill up and all have to wait."""
    assert process.stdout is not None
    written, kind = b"", ""
    while kind != "RECORD":
        line = process.stdout.readline()
        written, kind = written + line, json.loads(line)["type"]
    return written


def rest_of(process: subprocess.Popen[bytes]) -> bytes:
    """Read what else comes, and wait for the end."""
    assert process.stdout is not None
    rest = process.stdout.read()
    process.wait(PATIENCE)
    return rest


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the ids of the worker processes that a command has begun."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, check=True, text=True
    ).stdout
    found = []
    for line in listed.splitlines():
        pid, parent, arguments = line.split(None, 2)
        if int(parent) == process.pid and "spawn_main" in arguments:
            found.append(int(pid))
    assert len(found) == 2, listed
    return found


@contextlib.contextmanager
def ending(pids: list[int]) -> Iterator[None]:
    """Check that processes which are not ours end in the `with` block, or soon after."""
    wait_for = getattr(os, "pidfd_open", None)
    if wait_for is None:
        pytest.skip("the end of a stranger's child can be waited for on Linux only")
    watched = [wait_for(pid) for pid in pids]
    try:
        yield
        for each in watched:
            assert select.select([each], [], [], PATIENCE)[0], "a worker process is left"
    finally:
        for each in watched:
            os.close(each)


def claimed(wire: Wire, table: str, state: dict[str, Any]) -> list[str]:
    """Return the items that a STATE says are out, as the engine divides the table."""
    (scan,) = state["bookmarks"][table]["scan"]
    order = shuffled(SEGMENTS, scan["seed"])
    ends: dict[int, str | None] = {
        order[n]: None for a, b in scan["finished"] for n in range(a, b + 1)
    }
    ends |= {segment: key["id"]["S"] for segment, key in scan["places"]}
    found = []
    for segment, end in ends.items():
        request = {"TableName": table, "Segment": segment, "TotalSegments": SEGMENTS}
        own: list[str] = []
        while True:
            page = wire.call("Scan", request)
            own += [item["id"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        found += own if end is None else own[: own.index(end) + 1]
    return sorted(found)


def check_and_go_on(command: Command, wire: Wire, table: str, written: bytes) -> None:
    """Check that the last STATE is true, and that a run from it brings exactly what is left."""
    assert written.endswith(b"\n")
    output = Output(parse(written))
    assert output.messages[-1]["type"] == "STATE"
    out = sorted(record["id"] for record in output.records())
    assert 0 < len(out) < COUNT
    assert out == claimed(wire, table, output.state)
    rest = command(config(table), state=output.state)
    assert rest.code == 0, rest.log
    assert sorted([*out, *(record["id"] for record in rest.records())]) == sorted(
        item["id"]["S"] for item in ITEMS
    )


@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_is_killed_is_an_error_that_names_its_segments(
    command: Command, module_tables: Tables, table: str, victim: int
) -> None:
    """Trap 18: never a shorter result."""
    with command.started(config(table)) as process:
        written = first_lines(process)
        found = workers_of(process)
        with ending(found):
            os.kill(found[victim], signal.SIGKILL)
            written += rest_of(process)
    assert process.returncode == 1
    (line,) = [line for line in command.log().splitlines() if "| ERROR" in line]
    assert re.search(
        r"Worker process [01] ended in the middle of its work: it was ended by SIGKILL, while it was "
        rf"reading segment \d of {SEGMENTS} of table {table}",
        line,
    )
    assert "Traceback" not in command.log()
    check_and_go_on(command, module_tables.wire, table, written)


@pytest.mark.parametrize("everyone", [False, True], ids=["the tap", "all of its group"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_signal_ends_all_with_a_true_state(
    command: Command, module_tables: Tables, table: str, sent: signal.Signals, *, everyone: bool
) -> None:
    with command.started(config(table)) as process:
        written = first_lines(process)
        found = workers_of(process)
        with ending(found):
            for pid in [*(found if everyone else []), process.pid]:
                os.kill(pid, sent)
            written += rest_of(process)
    assert process.returncode == 128 + sent
    assert "Traceback" not in command.log()
    assert "ERROR" not in command.log()
    check_and_go_on(command, module_tables.wire, table, written)


def test_the_workers_end_when_the_tap_is_killed(command: Command, table: str) -> None:
    with command.started(config(table)) as process:
        first_lines(process)
        with ending(workers_of(process)):
            process.kill()
            process.wait(PATIENCE)


def test_a_reader_that_is_gone_is_one_line(command: Command, table: str) -> None:
    with command.started(config(table)) as process:
        assert process.stdout is not None
        first_lines(process)
        with ending(workers_of(process)):
            process.stdout.close()
            assert process.wait(PATIENCE) == 1
    (line,) = [line for line in command.log().splitlines() if "| ERROR" in line]
    assert "The target ended while there were records for it" in line
    assert "Traceback" not in command.log()
