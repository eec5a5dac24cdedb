"""A table moves and is followed while it is written to: whatever is killed, the copy ends the same.

Both plugins are processes with the settings that they have by themselves. Only their waits are short, see
`brisk`; so pages and stream alternate many times.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from demo.compare import compare_tables
from tests.engines import brisk, compared, pipeline
from tests.integration import target_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from typing_extensions import Self

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.tables import Tables

State = dict[str, Any]
KEY = (("id", "S"),)
KEYS = 600
SEGMENTS = 12
CHANGES = {"enable_stream": True}
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


def item(number: int, version: int) -> Item:
    """Return an item; a third of them grow and shrink, and have no attribute in common."""
    made: Item = {"id": {"S": f"item {number}"}, "version": {"N": str(version)}}
    if version % 3 == 0:
        made["text"] = {"S": "x" * (version * 37 % 3_000)}
    if version % 5 == 0:
        made[f"only {number % 7}"] = {
            "M": {"n": {"N": f"{version}.{number}"}, "no": {"NULL": True}}
        }
    return made


class Writer:
    """Puts, updates and deletes items of tables in a thread, until told to stop.

    Attributes:
        count: How many writes were made.
    """

    def __init__(self, tables: Tables, names: Iterable[str], seed: int) -> None:
        self._wire = tables.wire
        self._names = list(names)
        self._lot = random.Random(seed)
        self._over = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._error: Exception | None = None
        self.count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(pipeline.PATIENCE)
        assert self._error is None
        assert not self._thread.is_alive()

    def wait(self, writes: int) -> None:
        """Return when so many more writes have been made."""
        with self._progress:
            end = self.count + writes
            assert self._progress.wait_for(lambda: self.count >= end, pipeline.PATIENCE)

    def write(self, writes: int) -> None:
        """Make so many writes now."""
        for _ in range(writes):
            self._one()
            self.count += 1

    def _write(self) -> None:
        try:
            while not self._over.wait(0.002):  # the processes want the machine, too
                self._one()
                with self._progress:
                    self.count += 1
                    self._progress.notify_all()
        except Exception as error:  # noqa: BLE001 - the thread that waits raises it
            self._error = error

    def _one(self) -> None:
        lot = self._lot
        table, number = lot.choice(self._names), lot.randrange(KEYS)
        key: Item = {"id": {"S": f"item {number}"}}
        how = lot.random()
        if how < 0.4:
            self._wire.call("PutItem", {"TableName": table, "Item": item(number, 1 + self.count)})
        elif how < 0.6:
            update = {
                "UpdateExpression": "SET version = :v REMOVE #t",
                "ExpressionAttributeNames": {"#t": "text"},
                "ExpressionAttributeValues": {":v": {"N": str(-self.count)}},
            }
            self._wire.call("UpdateItem", {"TableName": table, "Key": key, **update})
        else:
            self._wire.call("DeleteItem", {"TableName": table, "Key": key})


class Move:
    """Tables with copies beside them, and the pair that keeps the copies as the tables are.

    Attributes:
        names: The tables.
        waits: Those of the tap.
        state: The last STATE that a target has printed.
        logs: What the taps of all runs have logged.
    """

    def __init__(self, engine: Engine, tables: Tables, folder: Path, count: int = 1) -> None:
        self.tables = tables
        self.names = [
            tables.create((item(n, n) for n in range(KEYS)), key=KEY, label="followed")
            for _ in range(count)
        ]
        for name in self.names:
            tables.note(f"{name}_copy")
        self.waits = brisk.SHORT
        self.state: State | None = None
        self.logs = ""
        self._engine = engine
        self._folder = folder

    def tap(self, state: State | None = None, **more: Any) -> list[str]:
        """Return the command line of the tap."""
        followed = {
            "replication_method": "LOG_BASED",
            "changes": CHANGES,
            "segments": SEGMENTS,
            "scan_workers": 2,
        }
        config = pipeline.tap_config(self._engine, self.names) | followed | more
        line = pipeline.command("tap_dynamodb", config, self._folder)
        if state is not None:
            path = self._folder / "state.json"
            path.write_text(json.dumps(state))
            line += ["--state", str(path)]
        return brisk.command(line, self.waits)

    def target(self, **more: Any) -> list[str]:
        """Return the command line of the target."""
        config = pipeline.target_config(self._engine, **more)
        line = pipeline.command("target_dynamodb", config, self._folder)
        return brisk.command(line, brisk.TAKEN)

    def begin(self, target: dict[str, Any] | None = None, **more: Any) -> pipeline.Pipe:
        """Go on from the last STATE."""
        return pipeline.Pipe(
            self.tap(self.state, **more), self.target(**target or {}), self._folder
        )

    def end(self, pipe: pipeline.Pipe) -> None:
        """Take what a target still prints, and the log of its tap."""
        for self.state in pipe.states():
            pass
        pipe.tap.wait()
        pipe.target.wait()
        self.logs += pipe.log("tap")
        assert "Traceback" not in pipe.log("tap") + pipe.log("target")

    def run(self, **more: Any) -> None:
        """Run the pair to its end."""
        with self.begin(**more) as pipe:
            self.end(pipe)
            codes = (pipe.tap.returncode, pipe.target.returncode)
            assert codes == (0, 0), pipe.log("tap") + pipe.log("target")

    def check(self) -> None:
        """Require that tables and copies are the same, to two who share no code."""
        for name in self.names:
            wire = self.tables.wire
            found = compare_tables(wire, name, wire, f"{name}_copy")
            assert found.identical, str(found)
            outcome = compared.compare(self._engine, name, f"{name}_copy", self._folder)
            assert outcome.code == 0, outcome.stdout

    def whole(self) -> list[bool]:
        """Return of which tables the snapshot is out."""
        return [is_whole(self.state, name) for name in self.names]


def is_whole(state: State | None, table: str) -> bool:
    """Whether a STATE tells that the snapshot of a table is out."""
    bookmark = (state or {"bookmarks": {}})["bookmarks"].get(table, {})
    return any(entry.get("whole") for entry in bookmark.get("changes", []))


@pytest.fixture
def move(engine: Engine, tables: Tables, tmp_path: Path) -> Move:
    return Move(engine, tables, tmp_path)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_killed_while_the_table_is_written_the_copy_ends_the_same(
    move: Move, seed: int
) -> None:
    lot = random.Random(seed)
    whole: list[bool] = []
    with Writer(move.tables, move.names, seed) as writer:
        for _ in range(5):
            with move.begin(read_capacity=2) as pipe:
                states = lot.randrange(1, 4) if whole else 1
                for move.state in itertools.islice(pipe.states(), states):
                    pass
                writer.wait(lot.randrange(30) if whole else 0)
                victims = lot.choice([[pipe.tap], [pipe.target], [pipe.tap, pipe.target]])
                for victim in victims:
                    victim.send_signal(lot.choice(SIGNALS))
                move.end(pipe)
            whole += move.whole()
        move.run()
        assert all(move.whole())
    move.run()
    move.check()
    assert not whole[0], "the first one was killed in the middle of its snapshot"
    assert move.logs.count(", changes: ") > 3


def test_pages_and_stream_take_turns_while_the_table_is_written(move: Move) -> None:
    with Writer(move.tables, move.names, 4) as writer:
        writer.wait(50)
        move.run()
        writer.wait(50)
        assert move.logs.count("Reading table") == SEGMENTS
        assert move.logs.count(", changes: ") == SEGMENTS
    move.run()
    move.check()


def test_a_written_table_is_followed_on_awss_own_engine(
    dynamodb_local: Engine, reference_tables: Tables, tmp_path: Path
) -> None:
    move = Move(dynamodb_local, reference_tables, tmp_path)
    move.waits = brisk.SHORT | {"skew": 120.0}  # it tells the minute of a change, not the second
    with Writer(move.tables, move.names, 12) as writer:
        with move.begin(read_capacity=2) as pipe:
            for move.state in itertools.islice(pipe.states(), 2):
                pass
            pipe.target.send_signal(signal.SIGKILL)
            move.end(pipe)
        writer.wait(50)
        move.run()
        writer.wait(50)
    move.run()
    move.check()


def test_the_last_word_and_the_highest_sequence_of_a_key_are_its_newest_state(move: Move) -> None:
    messages: list[dict[str, Any]] = []
    with Writer(move.tables, move.names, 5) as writer:
        writer.wait(50)
        first = pipeline.run(move.tap(item_format="dynamodb_json"))
        assert first.code == 0, first.err
        messages += first.messages()
        assert sum("_sdc_deleted_at" in line for line in first.out.splitlines()) > 1
        writer.wait(50)
    state = last_state(messages)
    second = pipeline.run(move.tap(state, item_format="dynamodb_json"))
    messages += second.messages()

    [name] = move.names
    truth = {each["id"]["S"]: each for each in move.tables.items(name)}
    records = [each["record"] for each in messages if each["type"] == "RECORD"]
    assert {each["id"]: each["item"] for each in newest(records)} == truth
    in_order = {each["id"]: each for each in records}
    assert {k: each["item"] for k, each in in_order.items() if not gone(each)} == truth
    changed = [
        each["_sdc_sequence"] for each in records if each["_sdc_sequence"] > noted(state, name)
    ]
    assert changed == sorted(set(changed)), "of one shard each change has its own, in order"
    assert len(changed) > 50


def last_state(messages: Iterable[dict[str, Any]]) -> State:
    state: State = [each["value"] for each in messages if each["type"] == "STATE"][-1]
    return state


def noted(state: State, table: str) -> int:
    """Return `_sdc_sequence` of the records of a snapshot."""
    [entry] = state["bookmarks"][table]["changes"]
    return int(entry["snapshot"])


def gone(record: dict[str, Any]) -> bool:
    return record.get("_sdc_deleted_at") is not None


def newest(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what is there by the highest sequence of each key."""
    highest: dict[str, dict[str, Any]] = {}
    for record in records:
        known = highest.get(record["id"])
        if known is None or record["_sdc_sequence"] > known["_sdc_sequence"]:
            highest[record["id"]] = record
    return (record for record in highest.values() if not gone(record))


def test_a_state_that_claims_nothing_comes_before_the_first_record(move: Move) -> None:
    """Whatever of a first run has arrived, the next one knows from where on to read the stream."""
    [name] = move.names
    ended = pipeline.run(move.tap())
    assert ended.code == 0, ended.err
    bookmark = first_state(ended)["bookmarks"][name]
    [entry], [scan] = bookmark["changes"], bookmark["scan"]
    assert len(entry["positions"]["shards"]) == 1
    assert scan["finished"] == scan["places"] == []

    before = last_state(ended.messages())
    Writer(move.tables, move.names, 13).write(20)
    ended = pipeline.run(move.tap(before))
    [entry] = first_state(ended)["bookmarks"][name]["changes"]
    [known] = before["bookmarks"][name]["changes"]
    assert entry["positions"]["shards"] == known["positions"]["shards"]


def first_state(ended: pipeline.Ended) -> State:
    """Return the last STATE before the first record."""
    before = itertools.takewhile(lambda each: each["type"] != "RECORD", ended.messages())
    return last_state(before)


def test_what_is_brought_again_is_the_same_and_does_no_harm(move: Move) -> None:
    move.run()
    before = move.state
    with Writer(move.tables, move.names, 6) as writer:
        writer.wait(200)
    move.run()
    move.check()
    once, again = (pipeline.run(move.tap(before)) for _ in range(2))
    assert once.code == again.code == 0, again.err
    told = [
        [each["record"] for each in ended.messages() if each["type"] == "RECORD"]
        for ended in (once, again)
    ]
    assert len(told[0]) == writer.count - unseen(told[0], writer)
    assert told[0] == told[1]
    loaded = pipeline.run(move.target(), again.out)
    assert loaded.code == 0, loaded.err
    move.check()


def unseen(records: list[dict[str, Any]], writer: Writer) -> int:
    """Return how many writes made no difference: of those a stream tells nothing."""
    return writer.count - len({record["_sdc_sequence"] for record in records})


def test_a_budget_of_records_ends_a_run_in_the_middle_of_the_snapshot(move: Move) -> None:
    writer = Writer(move.tables, move.names, 7)
    runs = 0
    while not all(move.whole()):
        move.run(changes={**CHANGES, "max_records": 200})
        writer.write(20)
        runs += 1
    assert 1 < runs <= 1 + KEYS // 100
    move.run()
    move.check()


def test_a_budget_of_seconds_ends_a_run_in_the_middle_of_the_snapshot(move: Move) -> None:
    with Writer(move.tables, move.names, 8):
        move.run(changes={**CHANGES, "max_seconds": 1}, read_capacity=1)
        assert not any(move.whole())
    move.run()
    move.check()


def test_a_small_budget_does_not_let_the_stream_wait_for_the_snapshot(move: Move) -> None:
    budget = {**CHANGES, "max_records": 1}
    move.run(changes=budget)
    [name] = move.names
    gone = move.tables.items(f"{name}_copy")[0]["id"]
    move.tables.wire.call("DeleteItem", {"TableName": name, "Key": {"id": gone}})
    move.run(changes=budget)
    assert not any(move.whole())
    assert gone not in [each["id"] for each in move.tables.items(f"{name}_copy")]


def until(states: Iterator[State], true: Callable[[], bool]) -> State:
    """Take STATEs as they come until something is true after one of them; return that one."""
    for state in states:
        if true():
            return state
    pytest.fail("the target ended before")


def test_followed_tables_are_as_their_sources_within_seconds(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    move = Move(engine, tables, tmp_path, count=2)
    follow = {**CHANGES, "follow": True}
    with move.begin(changes=follow) as pipe:
        states = pipe.states()
        until(states, lambda: len(pipe.log("tap").split("Following the changes")) > 2)
        for number, name in enumerate(move.names):
            fresh = item(KEYS + number, 5)
            tables.wire.call("PutItem", {"TableName": name, "Item": fresh})
            old: Item = {"id": {"S": "item 7"}}
            tables.wire.call("DeleteItem", {"TableName": name, "Key": old})

            def arrived(name: str = name, fresh: Item = fresh, old: Item = old) -> bool:
                there = [each["id"] for each in tables.items(f"{name}_copy")]
                return fresh["id"] in there and old["id"] not in there

            move.state = until(states, arrived)
        calm = list(itertools.islice(states, 3))
        assert len(calm) == 3, "STATE comes though nothing happens"
        for process in (pipe.tap, pipe.target):
            process.send_signal(signal.SIGTERM)
        move.end(pipe)
        assert pipe.tap.returncode == 128 + signal.SIGTERM, pipe.log("tap")
        assert pipe.target.returncode == 128 + signal.SIGTERM, pipe.log("target")
    assert all(move.whole())
    with Writer(tables, move.names, 9) as writer:
        writer.wait(100)
    move.run()
    move.check()


def test_a_table_in_its_snapshot_lets_the_others_have_their_turn(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    move = Move(engine, tables, tmp_path, count=2)
    new, known = sorted(move.names)
    move.run(tables=[known])
    with move.begin(changes={**CHANGES, "follow": True}) as pipe:
        until(pipe.states(), lambda: f"The snapshot of table {new} is out" in pipe.log("tap"))
        log = pipe.log("tap")
        assert log.index(f"{known}, changes: ") < log.index(f"The snapshot of table {new} is out")
        pipe.tap.send_signal(signal.SIGTERM)
        move.end(pipe)
        assert pipe.tap.returncode == 128 + signal.SIGTERM, pipe.log("tap")
    move.run()
    assert all(move.whole())
    move.check()


def test_tables_that_are_followed_and_killed_end_the_same(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    move = Move(engine, tables, tmp_path, count=2)
    lot = random.Random(10)
    follow = {**CHANGES, "follow": True}
    with Writer(tables, move.names, 10) as writer:
        for _ in range(4):
            with move.begin(changes=follow) as pipe:
                for move.state in itertools.islice(pipe.states(), 1 + lot.randrange(5)):
                    pass
                writer.wait(lot.randrange(100))
                lot.choice([pipe.tap, pipe.target]).send_signal(lot.choice(SIGNALS))
                move.end(pipe)
    move.run()
    move.check()


def test_a_target_lives_on_while_its_input_is_silent(
    move: Move, engine: Engine, tmp_path: Path
) -> None:
    config = pipeline.target_config(engine)
    [name] = move.names
    with target_process.TargetProcess(tmp_path, config) as target:
        for number in range(2):
            tables = move.tables
            if number:
                with Writer(tables, move.names, 11) as writer:
                    writer.wait(100)
            ended = pipeline.run(move.tap(move.state))
            assert ended.code == 0, ended.err
            wanted = last_state(ended.messages())
            target.feed(ended.out)
            while (said := target.next_state()) != wanted:
                pass
            move.state = said
            move.check()
        assert target.process.poll() is None
        assert target.finish() == 0
    assert is_whole(move.state, name)


def test_the_first_state_leaves_the_target_before_it_has_read_on(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    """Killed before, its rows would be there and nobody would know from where on the stream goes on."""
    copy = tables.name("first")
    config = pipeline.target_config(engine, table_name=copy)
    line = pipeline.command("target_dynamodb", config, tmp_path)
    source = pipeline.command("tap_dynamodb", {}, tmp_path)
    never = brisk.command(line, {"taken": 3600.0, "idle": 3600.0})
    source = [source[0], "-c", IDLE]
    with pipeline.Pipe(source, never, tmp_path) as pipe:
        assert next(pipe.states()) == {"noted": 1}


IDLE = """\
import json, signal
properties = {"id": {"type": "string"}}
schema = {"type": "SCHEMA", "stream": "s", "schema": {"properties": properties}, "key_properties": ["id"]}
for message in (schema, {"type": "STATE", "value": {"noted": 1}}):
    print(json.dumps(message), flush=True)
signal.pause()
"""
