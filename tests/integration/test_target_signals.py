"""STATE that comes in time and is true, and an orderly end, whatever ends the target."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.target_process import TargetProcess, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engines.tables import Tables
    from tests.integration.target_process import Message

STREAM = "orders"
SCHEMA = schema(STREAM, {"id": {"type": "integer"}, "text": {"type": "string"}})
IN_TIME = 5.0


def orders(first: int, last: int) -> list[Message]:
    return [record(STREAM, {"id": number, "text": "x" * 150}) for number in range(first, last)]


def endless(step: int) -> Iterator[Message]:
    """SCHEMA, and then without end so many records and a STATE that counts them."""
    yield SCHEMA
    number = 0
    while True:
        yield from orders(number, number + step)
        number += step
        yield state({"written": number})


def numbers(tables: Tables, table: str) -> set[int]:
    return {int(item["id"]["N"]) for item in tables.items(table)}


@pytest.fixture
def table(tables: Tables) -> str:
    return tables.create(key=(("id", "N"),))


@pytest.fixture
def target(tmp_path: Path, tables: Tables, table: str) -> Iterator[TargetProcess]:
    config = {**tables.engine.config(), "table_name": table}
    with TargetProcess(tmp_path, config) as process:
        yield process


def feed_until_it_ends(target: TargetProcess, messages: Iterator[Message]) -> threading.Thread:
    def work() -> None:
        try:
            while True:
                target.feed(*(next(messages) for _ in range(200)))
        except (BrokenPipeError, ValueError):
            pass  # the target has ended, or its input was closed

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_state_leaves_in_time_while_the_input_is_silent(
    target: TargetProcess, tables: Tables, table: str
) -> None:
    target.feed(SCHEMA)
    target.wait_for_log("Write capacity")  # it has started
    target.feed(*orders(0, 3), state({"written": 3}))
    assert target.next_state(within=IN_TIME) == {"written": 3}
    assert numbers(tables, table) == {0, 1, 2}
    assert target.finish() == 0


def test_records_are_written_in_time_without_any_state(
    target: TargetProcess, tables: Tables, table: str
) -> None:
    target.feed(SCHEMA)
    target.wait_for_log("Write capacity")
    target.feed(*orders(0, 3))
    target.wait_for_log("batch_processing_time", within=IN_TIME)
    assert numbers(tables, table) == {0, 1, 2}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_silent_target_with_its_code(
    target: TargetProcess, tables: Tables, table: str, number: signal.Signals
) -> None:
    target.feed(SCHEMA)
    target.wait_for_log("Write capacity")
    target.feed(*orders(0, 30), state({"written": 30}))
    target.signal(number)  # the input stays open
    assert target.process.wait(timeout=IN_TIME) == 128 + number
    target.finish()
    assert target.states in ([], [{"written": 30}])
    assert numbers(tables, table) >= (set(range(30)) if target.states else set())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_a_signal_in_mid_stream_the_last_state_is_true(
    target: TargetProcess, tables: Tables, table: str, number: signal.Signals
) -> None:
    feeder = feed_until_it_ends(target, endless(step=500))
    target.next_state()
    target.signal(number)
    target.signal(signal.SIGTERM)  # Ctrl-C under Meltano: both arrive
    assert target.process.wait(timeout=IN_TIME) == 128 + number
    feeder.join(timeout=IN_TIME)
    target.finish()
    written = numbers(tables, table)
    for said in target.states:
        assert written >= set(range(said["written"]))
    assert target.states[-1]["written"] > 0
    assert "Traceback" not in target.rest_of_log()


def test_after_a_kill_every_state_is_true(
    target: TargetProcess, tables: Tables, table: str
) -> None:
    feeder = feed_until_it_ends(target, endless(step=500))
    said = target.next_state()
    target.signal(signal.SIGKILL)
    assert target.process.wait(timeout=IN_TIME) == -signal.SIGKILL
    feeder.join(timeout=IN_TIME)
    target.finish()
    assert numbers(tables, table) >= set(range(target.states[-1]["written"]))
    assert said["written"] > 0


def test_a_second_run_with_the_last_state_completes_the_table(
    tmp_path: Path, tables: Tables, table: str
) -> None:
    config = {**tables.engine.config(), "table_name": table}
    with TargetProcess(tmp_path, config) as first:
        feeder = feed_until_it_ends(first, endless(step=500))
        first.next_state()
        first.signal(signal.SIGTERM)
        first.process.wait(timeout=IN_TIME)
        feeder.join(timeout=IN_TIME)
        first.finish()
    done = first.states[-1]["written"]
    with TargetProcess(tmp_path, config) as second:
        second.feed(SCHEMA, *orders(done, done + 100), state({"written": done + 100}))
        assert second.finish() == 0
    assert second.states == [{"written": done + 100}]
    assert numbers(tables, table) >= set(range(done + 100))
