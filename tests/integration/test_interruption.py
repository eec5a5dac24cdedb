"""Whatever is killed, whenever: each STATE is true, and the next run reads only what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.__main__ import plugin_environment
from demo.compare import compare_tables
from demo.items import SHAPES, ordinary
from dynamodb_core.scan import shuffled
from tests.engines import pipeline
from tests.engines.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine
    from demo.wire import Item, Wire

pytestmark = pytest.mark.usefixtures("meltano_project")

ITEMS = 12_000
SEGMENTS = 12
BIN = f"{Path(sys.executable).parent}/"
SLOW: dict[str, Any] = {"write_capacity": 2500}
"""A pace at which the target prints several STATEs before it is done."""


@pytest.fixture(scope="module")
def source(engine: Engine) -> Iterator[str]:
    made = Tables(engine)
    yield made.create(ordinary(SHAPES[0], ITEMS), key=SHAPES[0].key, label="interrupted")
    made.drop()


class Move:
    """A move of the source table that can be begun, interrupted and gone on with."""

    def __init__(self, engine: Engine, tables: Tables, source: str, folder: Path) -> None:
        self.wire = tables.wire
        self.source = source
        self.copy = tables.name("copy")
        self.engine = engine
        self.folder = folder

    def begin(self, state: dict[str, Any] | None = None, **target: Any) -> pipeline.Pipe:
        more = []
        if state is not None:
            path = self.folder / "state.json"
            path.write_text(json.dumps(state))
            more = ["--state", str(path)]
        tap = pipeline.tap_config(self.engine, [self.source], segments=SEGMENTS, scan_workers=2)
        config = pipeline.target_config(self.engine, table_name=self.copy, **target)
        return pipeline.Pipe(
            pipeline.command("tap_dynamodb", tap, self.folder, *more),
            pipeline.command("target_dynamodb", config, self.folder),
            self.folder,
        )

    def holds(self, state: dict[str, Any]) -> int:
        """Check that the copy has all that a STATE claims; return how many items it claims."""
        claimed = claims(self.wire, self.source, state)
        there = {key(item) for item in self.wire.scan(self.copy)}
        assert claimed <= there, f"{len(claimed - there)} items are claimed and not there"
        return len(claimed)

    def go_on(self, state: dict[str, Any]) -> None:
        """Run again with a STATE: it reads what is left, and the tables are identical."""
        claimed = self.holds(state)
        with self.begin(state) as pipe:
            last = list(pipe.states())[-1]
            assert (pipe.tap.wait(), pipe.target.wait()) == (0, 0), pipe.log("target")
            read = int(
                pipe.log("tap").rpartition(" items, ")[0].rpartition(" ")[2].replace(",", "")
            )
        assert last["bookmarks"][self.source]["scan"] == []
        assert read == ITEMS - claimed
        assert compare_tables(self.wire, self.source, self.wire, self.copy).identical


def key(item: Item) -> str:
    return json.dumps([item[name] for name, _type in SHAPES[0].key])


def claims(wire: Wire, table: str, state: dict[str, Any]) -> set[str]:
    """Return the keys of the items that a STATE says were read, as the engine divides the table."""
    [scan] = state["bookmarks"][table]["scan"]
    order = shuffled(scan["segments"], scan["seed"])
    ends: dict[int, Any] = {
        order[place]: None for a, b in scan["finished"] for place in range(a, b + 1)
    }
    ends |= dict(scan["places"])
    claimed: set[str] = set()
    for segment, end in ends.items():
        request = {"TableName": table, "Segment": segment, "TotalSegments": scan["segments"]}
        while True:
            page = wire.call("Scan", request)
            keys = [key(item) for item in page["Items"]]
            last = end and json.dumps([end[name] for name, _type in SHAPES[0].key])
            if last in keys:
                claimed.update(keys[: keys.index(last) + 1])
                break
            claimed.update(keys)
            if "LastEvaluatedKey" not in page:
                assert last is None, "a place is not in its segment"
                break
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return claimed


@pytest.fixture
def move(engine: Engine, tables: Tables, source: str, tmp_path: Path) -> Move:
    return Move(engine, tables, source, tmp_path)


SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("sent", SIGNALS, ids=lambda sent: sent.name)
def test_killed_target_has_printed_only_true_states(move: Move, sent: signal.Signals) -> None:
    with move.begin(**SLOW) as pipe:
        states = pipe.states()
        first = next(states)
        pipe.target.send_signal(sent)
        move.holds(first)
        printed = [first, *states]
        code = pipe.target.wait()
        pipe.tap.wait()
        assert pipe.tap.returncode != 0
        assert "Traceback" not in pipe.log("tap") + pipe.log("target")
    assert code == (-sent if sent == signal.SIGKILL else 128 + sent)
    for state in printed:
        move.holds(state)
    assert 0 < len(claims(move.wire, move.source, printed[-1])) < ITEMS
    move.go_on(printed[-1])


@pytest.mark.parametrize("sent", SIGNALS, ids=lambda sent: sent.name)
def test_killed_tap_leaves_a_true_state(move: Move, sent: signal.Signals) -> None:
    with move.begin(**SLOW) as pipe:
        states = pipe.states()
        first = next(states)
        pipe.tap.send_signal(sent)
        printed = [first, *states]
        code = pipe.tap.wait()
        assert "Traceback" not in pipe.log("tap") + pipe.log("target")
        # What came before the end of the pipe was whole, or one torn line was named.
        assert pipe.target.wait() in (0, 1)
    assert code == (-sent if sent == signal.SIGKILL else 128 + sent)
    move.go_on(printed[-1])


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_second_signal_does_not_cut_the_drain(move: Move, sent: signal.Signals) -> None:
    with move.begin(**SLOW) as pipe:
        states = pipe.states()
        first = next(states)
        pipe.target.send_signal(signal.SIGINT)
        pipe.target.send_signal(sent)
        printed = [first, *states]
        assert pipe.target.wait() > 128, pipe.log("target")
    move.go_on(printed[-1])


def meltano_begins(
    engine: Engine, source: str, copy: str, folder: Path, **more: str
) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    environment = plugin_environment(engine, [source], folder)
    environment.update(
        TARGET_DYNAMODB_TABLE_NAME=copy,
        TAP_DYNAMODB_SEGMENTS=str(SEGMENTS),
        TAP_DYNAMODB_SCAN_WORKERS="2",
        **more,
    )
    process = subprocess.Popen(
        [BIN + "meltano", "run", "--force", *PAIR],
        cwd=pipeline.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    return process, environment


PAIR = ("tap-dynamodb", "target-dynamodb")
JOB = "dev:tap-dynamodb-to-target-dynamodb"


def stored_state(environment: dict[str, str]) -> dict[str, Any]:
    done = pipeline.meltano(environment, "--log-level=error", "state", "get", JOB)
    state: dict[str, Any] = json.loads(done.out or "{}").get("singer_state", {})
    return state


@pytest.mark.parametrize("sent", SIGNALS, ids=lambda sent: sent.name)
def test_killed_meltano_run_goes_on_where_it_was(
    engine: Engine, tables: Tables, source: str, tmp_path: Path, sent: signal.Signals
) -> None:
    move = Move(engine, tables, source, tmp_path)
    process, environment = meltano_begins(
        engine, source, move.copy, tmp_path, TARGET_DYNAMODB_WRITE_CAPACITY="1500"
    )
    assert process.stderr is not None
    with process.stderr as log:
        updates = 0
        said = []
        for line in log:
            said.append(line)
            updates += b"Incremental state has been updated" in line
            if updates == 2:  # the first one may say nothing yet, where the machine is busy
                break
        else:
            pytest.fail(b"".join(said).decode())
        if sent == signal.SIGKILL:
            os.killpg(process.pid, sent)
        else:
            process.send_signal(sent)
        log.read()
    assert process.wait(pipeline.PATIENCE) != 0
    state = stored_state(environment)
    claimed = move.holds(state)
    assert 0 < claimed < ITEMS
    again, _ = meltano_begins(engine, source, move.copy, tmp_path)
    assert again.stderr is not None
    with again.stderr as log:
        text = log.read().decode()
    assert again.wait(pipeline.PATIENCE) == 0, text
    assert compare_tables(move.wire, source, move.wire, move.copy).identical


IDLE_TAP = """\
import json, signal, sys
for message in json.loads(sys.argv[1]):
    print(json.dumps(message), flush=True)
signal.pause()
"""
MESSAGES = [
    {
        "type": "SCHEMA",
        "stream": "calm",
        "schema": {"properties": {"id": {"type": "string"}}},
        "key_properties": ["id"],
    },
    {"type": "RECORD", "stream": "calm", "record": {"id": "a"}},
    {"type": "STATE", "value": {"bookmarks": {"calm": {"at": 1}}}},
]


def idle_project(folder: Path) -> None:
    """Make a Meltano project whose tap says a little and then nothing, for ever."""
    (folder / "tap_idle.py").write_text(IDLE_TAP)
    tap = folder / "tap-idle"
    tap.write_text(
        f"#!/bin/sh\nexec {sys.executable} {folder / 'tap_idle.py'} '{json.dumps(MESSAGES)}'\n"
    )
    tap.chmod(0o755)
    target = BIN + "target-dynamodb"
    settings = [{"name": name} for name in ("table_name", *guard_settings())]
    plugins = {
        "extractors": [{"name": "tap-idle", "namespace": "tap_idle", "executable": str(tap)}],
        "loaders": [
            {
                "name": "target-dynamodb",
                "namespace": "target_dynamodb",
                "executable": target,
                "settings": settings,
            }
        ],
    }
    project = {"environments": [{"name": "dev"}], "default_environment": "dev", "plugins": plugins}
    (folder / "meltano.yml").write_text(json.dumps(project))


def guard_settings() -> list[str]:
    return ["aws_endpoint_url", "aws_access_key_id", "aws_secret_access_key", "aws_region"]


@pytest.mark.parametrize("everyone", [False, True], ids=["meltano", "ctrl-c"])
def test_meltano_run_ends_on_a_signal_while_nothing_flows(
    engine: Engine, tables: Tables, tmp_path: Path, *, everyone: bool
) -> None:
    idle_project(tmp_path)
    copy = tables.name("calm")
    environment = plugin_environment(engine, [], tmp_path)
    environment |= {"MELTANO_PROJECT_ROOT": str(tmp_path), "TARGET_DYNAMODB_TABLE_NAME": copy}
    process = subprocess.Popen(
        [BIN + "meltano", "run", "tap-idle", PAIR[1]],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    with process.stderr as log:
        for line in log:
            if b"Incremental state has been updated" in line:
                break
        else:
            pytest.fail("no STATE left the target while its stdin was idle")
        if everyone:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.terminate()
        log.read()
    assert process.wait(pipeline.PATIENCE) != 0
    assert [item["id"] for item in tables.items(copy)] == [{"S": "a"}]
