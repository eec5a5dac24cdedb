"""The tap as a command: it goes on from a STATE, and each STATE is true however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.scan import shuffled
from tests.engines.tap import PATIENCE, Command, Output, parse

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Wire
    from tests.engines.tables import Tables

SEGMENTS = 4
COUNT = 400
ITEMS: list[dict[str, Any]] = [
    {"id": {"S": f"i{n}"}, "n": {"N": str(n)}, "text": {"S": "x" * 20_000}} for n in range(COUNT)
]
"""About 8 MB: more than the pipe to a target holds, so that a slow reader stops the tap."""


@pytest.fixture(scope="module")
def table(module_tables: Tables) -> str:
    return module_tables.create(ITEMS, label="large")


@pytest.fixture
def command(engine: Engine, tmp_path: Path) -> Command:
    return Command(tmp_path, engine.config())


def config(table: str, **more: Any) -> dict[str, Any]:
    return {"tables": [table], "segments": SEGMENTS, "item_format": "dynamodb_json", **more}


def pages(wire: Wire, table: str, segment: int, limit: int = 1000) -> list[dict[str, Any]]:
    """Return the pages of a segment, as the engine divides the table."""
    request = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": SEGMENTS,
        "Limit": limit,
        "ProjectionExpression": "id",
    }
    answers = []
    while True:
        answers.append(wire.call("Scan", request))
        if "LastEvaluatedKey" not in answers[-1]:
            return answers
        request["ExclusiveStartKey"] = answers[-1]["LastEvaluatedKey"]


SEED = 1
ORDER = shuffled(SEGMENTS, SEED)
"""Which segments stand at the places of which a state speaks."""


def ids(answers: list[dict[str, Any]]) -> list[str]:
    return [item["id"]["S"] for answer in answers for item in answer["Items"]]


def state_of(wire: Wire, table: str, **more: Any) -> dict[str, Any]:
    scan = {
        "table_id": wire.describe(table)["TableId"],
        "reads": {"item_format": "dynamodb_json"},
        "segments": SEGMENTS,
        "seed": SEED,
        "began": "2026-11-21T12:00:00+00:00",
        "version": 1790000000,
        "finished": [],
        "places": [],
        **more,
    }
    return {"bookmarks": {table: {"scan": [scan]}}}


def claimed(wire: Wire, table: str, state: dict[str, Any]) -> list[str]:
    """Return the items that a STATE says are out, as the engine divides the table."""
    (scan,) = state["bookmarks"][table]["scan"]
    assert scan["segments"] == SEGMENTS
    order = shuffled(SEGMENTS, scan["seed"])
    done = [order[n] for first, last in scan["finished"] for n in range(first, last + 1)]
    found = [one for n in done for one in ids(pages(wire, table, n))]
    for segment, key in scan["places"]:
        own = ids(pages(wire, table, segment))
        found += own[: own.index(key["id"]["S"]) + 1]
    return sorted(found)


# Going on


def test_a_resumed_run_reads_only_the_segments_that_are_left(
    command: Command, module_tables: Tables, table: str
) -> None:
    begun, fresh = ORDER[2:]
    first, *rest = pages(module_tables.wire, table, begun, limit=30)
    state = state_of(
        module_tables.wire, table, finished=[[0, 1]], places=[[begun, first["LastEvaluatedKey"]]]
    )
    output = command(config(table), state=state)
    assert output.code == 0
    left = ids(rest) + ids(pages(module_tables.wire, table, fresh))
    assert sorted(record["id"] for record in output.records()) == sorted(left)
    assert "Going on with the read of 2026-11-21T12:00:00+00:00" in output.log
    assert f"2 of {SEGMENTS} segments" in output.log
    assert f" {len(left)} items" in output.log
    assert output.state["bookmarks"][table]["scan"] == []


def test_the_number_of_segments_that_a_scan_began_with_is_kept(
    command: Command, module_tables: Tables, table: str
) -> None:
    state = state_of(module_tables.wire, table, finished=[[0, 2]])
    output = command(config(table, segments=9), state=state)
    assert sorted(record["id"] for record in output.records()) == sorted(
        ids(pages(module_tables.wire, table, ORDER[3]))
    )


def test_the_state_of_another_table_is_one_line(
    command: Command, module_tables: Tables, table: str
) -> None:
    state = state_of(
        module_tables.wire, table, table_id="of a table that was dropped", finished=[[0, 0]]
    )
    output = command(config(table), state=state)
    assert output.code == 1
    assert output.records() == []
    (line,) = output.errors
    assert f"made by another table than {table} is now" in line
    assert "--full-refresh" in line
    assert "Traceback" not in output.log


def test_a_table_that_was_made_anew_is_another_table(
    command: Command, module_tables: Tables
) -> None:
    name = module_tables.create(ITEMS[:3])
    state = state_of(module_tables.wire, name, finished=[[0, 1]])
    module_tables.wire.call("DeleteTable", {"TableName": name})
    module_tables.wire.create_table(name, (("id", "S"),))
    output = command(config(name), state=state)
    assert output.code == 1
    assert "made by another table" in output.errors[0]


def test_a_scan_that_was_finished_begins_anew_with_a_version_of_its_own(
    command: Command, module_tables: Tables
) -> None:
    name = module_tables.create(ITEMS[:20])
    every = config(name, emit_activate_version_messages=True)
    first = command(every)
    again = command(every, state=first.state)
    assert len(first.records()) == len(again.records()) == 20
    for output in (first, again):
        (message,) = output.of("ACTIVATE_VERSION")
        assert {record["version"] for record in output.of("RECORD")} == {message["version"]}


def test_of_two_tables_the_one_that_was_finished_is_skipped(
    command: Command, module_tables: Tables
) -> None:
    one, two = sorted(module_tables.create(ITEMS[:20]) for _ in range(2))
    state = state_of(module_tables.wire, one, finished=[[0, SEGMENTS - 1]])
    output = command({**config(one), "tables": [one, two]}, state=state)
    assert output.code == 0
    assert output.records(one) == []
    assert len(output.records(two)) == 20
    assert "not read again" in output.log
    assert output.state == {"bookmarks": {one: {"scan": []}, two: {"scan": []}}}


# Signals


def first_lines(process: subprocess.Popen[bytes]) -> bytes:
    """Read up to the first record; from then on the pipe fills up and the tap has to wait."""
    assert process.stdout is not None
    schema, record = process.stdout.readline(), process.stdout.readline()
    assert json.loads(schema)["type"] == "SCHEMA"
    assert json.loads(record)["type"] == "RECORD"
    return schema + record


def rest_of(process: subprocess.Popen[bytes]) -> bytes:
    """Read what else comes, and wait for the end."""
    assert process.stdout is not None
    rest = process.stdout.read()
    process.wait(PATIENCE)
    return rest


SDK_ROAD = {"flattening_enabled": True, "flattening_max_depth": 1}


@pytest.mark.parametrize(
    ("sent", "road"),
    [
        pytest.param([signal.SIGTERM], {}, id="SIGTERM"),
        pytest.param([signal.SIGTERM], SDK_ROAD, id="SIGTERM on the SDK's road"),
        pytest.param([signal.SIGINT], {}, id="SIGINT"),
        pytest.param([signal.SIGINT, signal.SIGTERM], {}, id="SIGINT and SIGTERM"),
        pytest.param([signal.SIGTERM, signal.SIGTERM], {}, id="SIGTERM twice"),
    ],
)
def test_a_signal_before_a_slow_reader_leaves_whole_lines_and_a_true_state(
    command: Command,
    module_tables: Tables,
    table: str,
    sent: list[signal.Signals],
    road: dict[str, Any],
) -> None:
    with command.started(config(table, scan_workers=2, **road)) as process:
        written = first_lines(process)
        for number in sent:
            process.send_signal(number)
        written += rest_of(process)
    assert process.returncode in {128 + number for number in sent}
    assert written.endswith(b"\n")
    output = Output(parse(written))
    assert output.messages[-1]["type"] == "STATE"
    out = sorted(record["id"] for record in output.records())
    assert 0 < len(out) < COUNT
    assert out == claimed(module_tables.wire, table, output.state)
    for position, message in enumerate(output.messages):
        if message["type"] == "STATE" and message["value"]:
            before = Output(output.messages[:position]).records()
            assert claimed(module_tables.wire, table, message["value"]) == sorted(
                r["id"] for r in before
            )
    assert "Traceback" not in command.log()
    assert "ERROR" not in command.log()

    rest = command(config(table), state=output.state)
    assert rest.code == 0
    assert sorted([*out, *(record["id"] for record in rest.records())]) == sorted(
        item["id"]["S"] for item in ITEMS
    )


def test_sigkill_leaves_whole_lines_and_at_most_one_torn(
    command: Command, module_tables: Tables, table: str
) -> None:
    with command.started(config(table, scan_workers=2)) as process:
        written = first_lines(process)
        process.kill()
        written += rest_of(process)
    assert process.returncode == -signal.SIGKILL
    whole, _, _torn = written.rpartition(b"\n")
    output = Output(parse(whole))
    out = {record["id"] for record in output.records()}
    assert 0 < len(out) < COUNT
    for message in output.of("STATE"):
        if message["value"]:
            assert set(claimed(module_tables.wire, table, message["value"])) <= out


def test_a_signal_while_the_service_does_not_answer_ends_the_tap(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = Command(tmp_path, {"aws_endpoint_url": endpoint})
        with command.started({"tables": ["orders"]}) as process:
            connection, _ = silent.accept()
            with contextlib.closing(connection):
                process.send_signal(signal.SIGTERM)
                written = rest_of(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert written == b""
    assert "Traceback" not in command.log()


def test_a_reader_that_is_gone_is_one_line(command: Command, table: str) -> None:
    with command.started(config(table)) as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        assert process.wait(PATIENCE) == 1
    (line,) = [line for line in command.log().splitlines() if "| ERROR" in line]
    assert "The target ended while there were records for it" in line
    assert "Traceback" not in command.log()
    assert "Exception ignored" not in command.log()
    assert "BrokenPipe" not in command.log()
