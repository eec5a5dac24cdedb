"""Files are removed when they are acknowledged and not before, whatever goes wrong; STATE is true."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from isal import igzip

from tests.engines import faults
from tests.engines.faults import Reply, ok, refused
from tests.engines.filed import Filed, batch, lines
from tests.engines.relay import forward
from tests.integration.target_process import PATIENCE, TargetProcess, run, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.engine import Engine
    from tests.engines.faults import FaultService, Request
    from tests.engines.tables import Tables
    from tests.integration.target_process import Message

    Damaged = dict[str, tuple[Callable[[Filed], Path], str]]

STREAM = "orders"
SCHEMA = schema(STREAM, {"id": {"type": "integer"}, "text": {"type": "string"}})
IN_TIME = 15.0
FAULTY = 8
"""Requests that are answered with faults; after many of them the rate is low."""
EACH = 250
both = pytest.mark.parametrize("processes", [1, 2])


@pytest.fixture
def filed(tmp_path: Path) -> Filed:
    return Filed(tmp_path / "root")


@pytest.fixture
def table(tables: Tables) -> str:
    return tables.create(key=(("id", "N"),))


@pytest.fixture
def service() -> Iterator[FaultService]:
    with faults.running() as running:
        yield running


def config(engine: Engine, filed: Filed, table: str, **more: Any) -> dict[str, Any]:
    return {**engine.config(), "table_name": table, "batch_root": str(filed.root), **more}


def orders(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": number, "text": "x" * 100} for number in range(first, last)]


def files_and_states(filed: Filed, count: int, each: int) -> tuple[list[Path], list[Message]]:
    """Files, and the messages about them: a BATCH, and a STATE that counts the records so far."""
    files = [filed.ours(orders(n * each, (n + 1) * each)) for n in range(count)]
    messages: list[Message] = []
    for number, file in enumerate(files):
        messages += [batch(STREAM, file), state({"written": (number + 1) * each})]
    return files, messages


def numbers(tables: Tables, table: str) -> set[int]:
    return {int(item["id"]["N"]) for item in tables.items(table)}


def workers_of(process: int) -> list[int]:
    """The worker processes of a target."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [pid for pid in map(int, children) if "spawn_main" in command_of(pid)]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


class Gate:
    """Lets everything pass to an engine but writes, which wait for `open`."""

    def __init__(self, service: FaultService, engine: Engine) -> None:
        self.asked = threading.Event()
        self._opened = threading.Event()
        self._engine = engine
        service.answers(self._answer)

    def open(self) -> None:
        self._opened.set()

    def _answer(self, request: Request) -> Reply:
        if request.operation == "BatchWriteItem":
            self.asked.set()
            assert self._opened.wait(PATIENCE)
        return forward(self._engine, request)


@both
def test_a_file_is_removed_and_its_state_told_when_it_is_acknowledged_and_not_before(
    tmp_path: Path, filed: Filed, tables: Tables, table: str, service: FaultService, processes: int
) -> None:
    gate = Gate(service, tables.engine)
    file = filed.ours(orders(0, 40))
    settings = config(tables.engine, filed, table, processes=processes)
    settings["aws_endpoint_url"] = service.url
    with TargetProcess(tmp_path, settings) as target:
        target.feed(SCHEMA, state({"written": 0}), batch(STREAM, file), state({"written": 40}))
        assert gate.asked.wait(PATIENCE)
        if processes > 1:  # what came before the file is true, whatever becomes of the file
            assert target.next_state() == {"written": 0}
        assert file.exists()
        assert {"written": 40} not in target.states
        gate.open()
        while target.next_state() != {"written": 40}:  # the input is silent meanwhile
            pass
        assert not file.exists()
        assert numbers(tables, table) == set(range(40))
        assert target.finish() == 0
    assert target.states[-1] == {"written": 40}


def half_done(service: FaultService, engine: Engine, rng: random.Random, request: Request) -> Reply:
    """Carry out some of the first writes only, and throttle now and then."""
    if request.operation != "BatchWriteItem" or len(service.requests) > FAULTY:
        return forward(engine, request)
    if rng.random() < 0.2:
        return refused("ProvisionedThroughputExceededException")
    asked = json.loads(request.body)
    [(table, writes)] = asked["RequestItems"].items()
    kept = [write for write in writes if rng.random() < 0.7]
    left = [write for write in writes if write not in kept]
    if kept:
        asked["RequestItems"] = {table: kept}
        reply = forward(engine, faults.Request(request.headers, json.dumps(asked).encode()))
        assert reply.status == 200, reply.body
    return ok({"UnprocessedItems": {table: left} if left else {}})


@both
def test_unprocessed_and_throttled_writes_lose_nothing(
    tmp_path: Path, filed: Filed, tables: Tables, table: str, service: FaultService, processes: int
) -> None:
    service.answers(partial(half_done, service, tables.engine, random.Random(7)))
    files, messages = files_and_states(filed, 4, 100)
    engine_by_faults = {"aws_endpoint_url": service.url, "processes": processes}
    loaded = run(
        tmp_path,
        tables.engine,
        [SCHEMA, *messages],
        **config(tables.engine, filed, table, **engine_by_faults),
    )
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert numbers(tables, table) == set(range(400))
    assert loaded.states[-1] == {"written": 400}
    assert not any(file.exists() for file in files)
    summary = [line for line in loaded.log if "Written: 400 items" in line][-1]
    assert "throttled" in summary


def odd(engine: Engine, request: Request) -> Reply:
    """Refuse requests with order 57, as DynamoDB does what it finds wrong with an item."""
    if request.operation == "BatchWriteItem" and b'"57"' in request.body:
        return refused("ValidationException", "The item is odd")
    return forward(engine, request)


@both
def test_an_item_that_dynamodb_refuses_is_named_by_stream_and_key_and_its_file_stays(
    tmp_path: Path, filed: Filed, tables: Tables, table: str, service: FaultService, processes: int
) -> None:
    service.answers(partial(odd, tables.engine))
    first, second = filed.ours(orders(0, 40)), filed.ours(orders(40, 80))
    loaded = run(
        tmp_path,
        tables.engine,
        [SCHEMA, batch(STREAM, first), state({"written": 40}), batch(STREAM, second)],
        **config(tables.engine, filed, table, aws_endpoint_url=service.url, processes=processes),
    )
    assert loaded.process.returncode == 1
    [error] = loaded.errors()
    assert f"Stream {STREAM}: DynamoDB refuses the item with key 57" in error
    assert "The item is odd" in error
    assert numbers(tables, table) == set(range(80)) - {57}
    assert (first.exists(), second.exists()) == (False, True)
    assert loaded.states == [{"written": 40}]


def test_a_worker_that_is_killed_is_an_error_that_names_its_file_and_nothing_is_lost(
    tmp_path: Path, filed: Filed, tables: Tables, table: str, service: FaultService
) -> None:
    first, files = filed.ours(orders(0, 40)), [filed.ours(orders(40, 80))]
    settings = config(tables.engine, filed, table, processes=2, aws_endpoint_url=service.url)
    service.answers(partial(forward, tables.engine))
    with TargetProcess(tmp_path, settings) as target:
        target.feed(SCHEMA, batch(STREAM, first), state({"written": 40}))
        assert target.next_state() == {"written": 40}
        gate = Gate(service, tables.engine)
        target.feed(batch(STREAM, *files), state({"written": 80}))
        assert gate.asked.wait(PATIENCE)
        workers = workers_of(target.process.pid)
        assert len(workers) == 2
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        assert target.process.wait(timeout=IN_TIME) == 1  # the input is still open
        gate.open()
        target.finish()
    assert target.states == [{"written": 40}]
    [error] = target.errors()
    assert str(files[0]) in error
    assert "SIGKILL" in error
    assert "Traceback" not in "".join(target.log)
    assert files[0].exists()
    assert not first.exists()
    again = run(
        tmp_path,
        tables.engine,
        [SCHEMA, batch(STREAM, *files), state({"written": 80})],
        **config(tables.engine, filed, table, processes=2),
    )
    assert again.process.returncode == 0
    assert numbers(tables, table) == set(range(80))
    assert not files[0].exists()


def feed_slowly(target: TargetProcess, messages: list[Message]) -> threading.Thread:
    def work() -> None:
        try:
            for message in messages:
                target.feed(message)
        except (BrokenPipeError, ValueError):
            pass  # the target has ended

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_after_a_signal_every_state_is_true_and_a_second_run_completes_the_table(
    tmp_path: Path,
    filed: Filed,
    tables: Tables,
    table: str,
    processes: int,
    number: signal.Signals,
) -> None:
    files, messages = files_and_states(filed, 40, EACH)
    settings = config(tables.engine, filed, table, processes=processes)
    with TargetProcess(tmp_path, {**settings, "write_capacity": 2 * EACH}) as target:
        feeder = feed_slowly(target, [SCHEMA, *messages])
        target.next_state()
        workers = workers_of(target.process.pid)
        target.signal(number)
        code = target.process.wait(timeout=IN_TIME)
        feeder.join(timeout=IN_TIME)
        target.finish()
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in "".join(target.log)
    for pid in workers:
        ended(pid)
    done = target.states[-1]["written"]
    assert numbers(tables, table) >= set(range(done))
    left = [file for file in files if file.exists()]
    assert left
    assert not set(left).intersection(files[: done // EACH])
    for at, file in enumerate(files):
        if file not in left:  # it was acknowledged
            assert numbers(tables, table) >= set(range(at * EACH, (at + 1) * EACH))
    rest = [batch(STREAM, *left), state({"written": 40 * EACH})]
    again = run(tmp_path, tables.engine, [SCHEMA, *rest], **settings)
    assert again.process.returncode == 0
    assert numbers(tables, table) == set(range(40 * EACH))


def ended(pid: int) -> None:
    """Require that a process ends: a pidfd of it becomes readable."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([descriptor], [], [], PATIENCE)
    os.close(descriptor)
    assert ready, f"process {pid} goes on"


def raw(filed: Filed, data: bytes, name: str) -> Path:
    path = filed.root / name
    path.write_bytes(data)
    return path


WHOLE = igzip.compress(lines(orders(100, 600)))
DAMAGED: Damaged = {
    "cut off": (lambda f: raw(f, WHOLE[:-20], "bad.gz"), "is cut off"),
    "no key": (lambda f: f.ours([{"id": 100}, {"text": "x"}]), "id of the key is missing (line 2"),
    "an item too large": (
        lambda f: f.ours([{"id": 100, "text": "x" * 500_000}]),
        "record with key id 100: it is 500,",
    ),
    "nowhere": (lambda f: f.root / "missing.gz", "There is no file"),
    "outside": (lambda f: raw(f, WHOLE, "../outside.gz"), "is not below"),
}


@pytest.mark.parametrize("case", DAMAGED)
@both
def test_a_bad_file_is_one_clear_line_and_what_came_before_it_is_written(
    tmp_path: Path, filed: Filed, tables: Tables, table: str, case: str, processes: int
) -> None:
    make, words = DAMAGED[case]
    good = [filed.ours(orders(n, n + 10)) for n in (0, 10, 20)]
    bad = make(filed)
    after = filed.ours(orders(30, 40))
    messages = [
        SCHEMA,
        *(batch(STREAM, file) for file in good),
        state({"written": 30}),
        batch(STREAM, bad),
        state({"written": 31}),
        batch(STREAM, after),
        state({"written": 40}),
    ]
    settings = config(tables.engine, filed, table, processes=processes)
    loaded = run(tmp_path, tables.engine, messages, **settings)
    assert loaded.process.returncode == 1
    assert "Traceback" not in "".join(loaded.log)
    [error] = loaded.errors()
    assert words in error
    assert str(bad) in error
    assert loaded.states == [{"written": 30}]
    assert numbers(tables, table) >= set(range(30))
    assert not any(file.exists() for file in good)
    assert bad.exists() == (case != "nowhere")
    assert after.exists() or processes > 1  # another process may have been faster


def test_without_a_root_a_batch_message_is_refused(
    tmp_path: Path, filed: Filed, tables: Tables, table: str
) -> None:
    file = filed.ours(orders(0, 5))
    messages = [SCHEMA, state({"at": 1}), batch(STREAM, file)]
    loaded = run(tmp_path, tables.engine, messages, table_name=table)
    assert loaded.process.returncode == 1
    [error] = loaded.errors()
    assert "batch_root" in error
    assert loaded.states == [{"at": 1}]
    assert file.exists()
