"""Records that cannot be written go to a dead-letter file, which the target loads again."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import stat
import threading
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import faults
from tests.engines.buckets import TestBucket
from tests.engines.faults import Reply, refused
from tests.engines.filed import Filed, batch
from tests.engines.relay import forward
from tests.integration.target_process import TargetProcess, record, run, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine
    from tests.engines.faults import FaultService, Request
    from tests.engines.tables import Tables
    from tests.integration.target_process import Message

STREAM = "orders"
NUMBER = {"type": ["number", "null"]}
TEXT = {"type": ["string", "null"]}
SCHEMA = schema(STREAM, {"id": {"type": "integer"}, "n": NUMBER, "text": TEXT})
CURSED = "cursed"
"""In an item's text: the service refuses it."""

IN_TIME = 15.0
both = pytest.mark.parametrize("processes", [1, 2])

# As text, since what is in the file is to be what came, to the letter.
BAD = {
    "no key": '{"n": 1.50}',
    "a key that is null": '{"id":null,"n":1}',
    "a key of another type": '{"id":"five","n":1E+2}',
    "a number that is none": '{"id":1,"n":NaN}',
    "digits": '{"id":2,"deep":[{"n":123456789012345678901234567890123456789}]}',
    "half a character": '{"id":3,"text":"\\ud800"}',
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rejects.jsonl"


@pytest.fixture
def table(tables: Tables) -> str:
    return tables.create(key=(("id", "N"),))


@pytest.fixture
def service(tables: Tables) -> Iterator[FaultService]:
    """The engine, which refuses what is cursed."""
    with faults.running() as running:
        running.answers(partial(refuse_the_cursed, tables.engine))
        yield running


def refuse_the_cursed(engine: Engine, request: Request) -> Reply:
    if request.operation == "BatchWriteItem" and CURSED.encode() in request.body:
        return refused("ValidationException", "One or more parameter values were invalid")
    return forward(engine, request)


def asking(path: Path | str, **more: Any) -> dict[str, Any]:
    return {"on_error": "dead_letter", "dead_letter": str(path), **more}


def line(text: str, **more: Any) -> str:
    extra = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in more.items())
    return f'{{"type":"RECORD","stream":"{STREAM}","record":{text}{extra}}}\n'


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(each, parse_float=Decimal) for each in path.read_text().splitlines()]


def records(path: Path) -> list[dict[str, Any]]:
    return [message["record"] for message in read(path) if message["type"] == "RECORD"]


def by_id(tables: Tables, table: str) -> dict[str, dict[str, Any]]:
    return {item["id"]["N"]: item for item in tables.items(table)}


def test_records_that_cannot_be_written_stand_in_the_file_as_they_came(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    bad = [line(text, time_extracted="2026-01-01T00:00:00Z") for text in BAD.values()]
    messages: list[Message | str] = [
        SCHEMA,
        line('{"id":10,"n":1}'),
        *bad,
        line('{"id":11}'),
        state({"at": 11}),
    ]
    loaded = run(tmp_path, tables.engine, messages, **asking(path, table_name=table))
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert loaded.states == [{"at": 11}]
    assert set(by_id(tables, table)) == {"10", "11"}
    said, *lines = path.read_text().splitlines()
    assert json.loads(said) == SCHEMA
    for written, came in zip(lines, bad, strict=True):
        assert written.startswith(came.strip()[:-1] + ',"reason":"')
    reasons = [json.loads(each)["reason"] for each in lines]
    assert "id of the key is missing" in reasons[0]
    assert f"Stream {STREAM}, record with key id 1: The value at /n" in reasons[3]
    assert "/deep/0/n" in reasons[4]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log = "".join(loaded.log)
    assert f"6 records could not be written; they are in {path}" in log
    assert log.count(f"Cannot be written, and goes to {path}: ") == 6
    assert '"record_count","value":2' in log


def test_what_is_loaded_again_with_other_settings_is_written(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    exact = "12345678901234567890123456789012345678"
    messages: list[Message | str] = [
        SCHEMA,
        line(f'{{"id":1,"n":"{exact}","text":7}}'),
        line('{"id":2,"n":1.50}'),
    ]
    first = run(
        tmp_path, tables.engine, messages, **asking(path, table_name=table, validate_records=True)
    )
    assert first.process.returncode == 0
    assert set(by_id(tables, table)) == {"2"}
    again = run(tmp_path, tables.engine, [path.read_bytes()], table_name=table)
    assert again.process.returncode == 0, "".join(again.log)
    assert by_id(tables, table)["1"] == {"id": {"N": "1"}, "n": {"S": exact}, "text": {"N": "7"}}


def test_what_cannot_be_written_a_second_time_either_has_the_newer_reason(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    messages: list[Message | str] = [
        SCHEMA,
        line('{"id":1,"n":"x"}'),
        line(BAD["a number that is none"]),
    ]
    settings = {"table_name": table, "stream_maps": {STREAM: {"n": "int(n)"}}}
    run(tmp_path, tables.engine, messages, **asking(path, **settings))
    other = path.with_name("other.jsonl")
    settings["stream_maps"] = {STREAM: {"n": "undefined + 1"}}
    again = run(tmp_path, tables.engine, [path.read_bytes()], **asking(other, **settings))
    assert again.process.returncode == 0
    assert path.read_text().count("invalid literal") == 1
    assert "invalid literal" not in other.read_text()
    assert other.read_text().count('"reason":"A stream map of stream orders fails') == 2
    assert other.read_text().count("reason") == 2
    assert [each["id"] for each in records(other)] == [1, 1]


def test_a_second_run_adds_to_the_file_and_mends_a_line_that_was_cut_off(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    for number in range(2):
        messages: list[Message | str] = [SCHEMA, line(f'{{"id":"bad {number}"}}')]
        assert (
            run(
                tmp_path, tables.engine, messages, **asking(path, table_name=table)
            ).process.returncode
            == 0
        )
        with path.open("ab") as file:
            file.write(b'{"type":"RECORD","stream":"orders","rec')
        path.chmod(0o644)
    last = run(tmp_path, tables.engine, [SCHEMA], **asking(path, table_name=table))
    assert last.process.returncode == 0
    assert [message["type"] for message in read(path)] == ["SCHEMA", "RECORD"] * 2
    assert [each["id"] for each in records(path)] == ["bad 0", "bad 1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_run_without_such_records_leaves_no_file(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    loaded = run(
        tmp_path, tables.engine, [SCHEMA, line('{"id":1}')], **asking(path, table_name=table)
    )
    assert loaded.process.returncode == 0
    assert not path.exists()
    rehearsed = run(
        tmp_path,
        tables.engine,
        [SCHEMA, line('{"id":"x"}')],
        **asking(path, table_name=table, dry_run=True),
    )
    assert rehearsed.process.returncode == 1
    assert "1 record would be refused" in "".join(rehearsed.log)
    assert not path.exists()


def cursed_items(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "n": n + 0.5, "text": CURSED if n % 5 == 0 else "fine"} for n in range(count)]


def test_what_dynamodb_refuses_stands_in_the_file_as_it_was_to_be_written(
    tmp_path: Path, tables: Tables, table: str, service: FaultService, path: Path
) -> None:
    exact = "1234567890" * 3 + ".5"
    hard = {"id": 5, "n": 1, "text": CURSED, "_dynamodb": {"rest": {"set": {"NS": ["1", "2.5"]}}}}
    said = schema(
        STREAM,
        {"id": {"x-dynamodb-type": "N"}, "text": {"x-dynamodb-type": "S"}},
        table={"name": "elsewhere", "key": [{"name": "id", "type": "N"}]},
    )
    messages: list[Message | str] = [
        said,
        *(record(STREAM, each) for each in cursed_items(30)),
        record(STREAM, hard),
        line(f'{{"id":31,"n":2,"text":"{CURSED}","exact":{exact}}}'),
        record(STREAM, {"id": 32, "n": 3, "text": CURSED}),
        state({"at": 32}),
    ]
    config = asking(
        path,
        table_name=table,
        aws_endpoint_url=service.url,
        stream_maps={STREAM: {"n": "n + 1"}},
        add_record_metadata=True,
    )
    loaded = run(tmp_path, tables.engine, messages, **config)
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert loaded.states == [{"at": 32}]
    assert set(by_id(tables, table)) == {str(n) for n in range(30) if n % 5}
    head, *lines = read(path)
    annotation = head["schema"]["x-dynamodb-table"]
    assert annotation["item_format"] == "dynamodb_json"
    assert annotation["as_written"] is True
    assert annotation["name"] == "elsewhere"
    assert all("One or more parameter values were invalid" in each["reason"] for each in lines)
    wanted = {each["record"]["item"]["id"]["N"]: each["record"]["item"] for each in lines}
    assert set(wanted) == {"0", "5", "10", "15", "20", "25", "31", "32"}
    assert wanted["31"]["exact"] == {"N": exact}
    assert wanted["31"]["n"] == {"N": "3"}
    assert "_sdc_received_at" in wanted["31"]
    # The cause is gone; the stream maps are the same, and are not applied a second time.
    del config["aws_endpoint_url"]
    again = run(tmp_path, tables.engine, [path.read_bytes()], **config)
    assert again.process.returncode == 0, "".join(again.log)
    there = by_id(tables, table)
    assert {key: there[key] for key in wanted} == wanted
    assert set(there) == {str(n) for n in range(33) if n != 30}


def test_a_deletion_that_is_refused_is_one_when_it_is_loaded_again(
    tmp_path: Path, tables: Tables, service: FaultService, path: Path
) -> None:
    items = [{"id": {"S": name}} for name in (CURSED, "kept")]
    table = tables.create(items)
    gone = {"id": CURSED, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    messages = [schema(STREAM, {"id": TEXT}), record(STREAM, gone), state({"at": 1})]
    config = asking(path, table_name=table)
    loaded = run(tmp_path, tables.engine, messages, **config, aws_endpoint_url=service.url)
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert len(tables.items(table)) == 2
    [letter] = records(path)
    assert letter["id"] == CURSED
    again = run(tmp_path, tables.engine, [path.read_bytes()], **config)
    assert again.process.returncode == 0, "".join(again.log)
    assert tables.items(table) == [{"id": {"S": "kept"}}]


@both
def test_what_an_engine_refuses_by_itself(
    tmp_path: Path, tables: Tables, path: Path, processes: int
) -> None:
    indexed = {
        "IndexName": "by-text",
        "KeySchema": [{"AttributeName": "text", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    table = tables.create(key=(("id", "N"),))
    tables.wire.call(
        "UpdateTable",
        {
            "TableName": table,
            "AttributeDefinitions": [{"AttributeName": "text", "AttributeType": "S"}],
            "GlobalSecondaryIndexUpdates": [{"Create": indexed}],
        },
    )
    filed = Filed(tmp_path / "root")
    bad: list[dict[str, Any]] = [
        {"id": 1, "text": 7},
        {"id": 2, "big": "x" * 410_000},
        {"id": 3, "text": ""},
    ]
    good: list[dict[str, Any]] = [{"id": n, "text": "x"} for n in range(10, 60)]
    file = filed.ours([*good[:25], *bad, *good[25:]])
    messages: list[Message | str] = [SCHEMA, batch(STREAM, file), state({"at": 1})]
    loaded = run(
        tmp_path,
        tables.engine,
        messages,
        **asking(path, table_name=table, batch_root=str(filed.root), processes=processes),
    )
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert loaded.states == [{"at": 1}]
    noted = {each["id"] for each in records(path)}
    assert 2 in noted  # the engine is not as strict as AWS about keys of indexes
    assert {int(key) for key in by_id(tables, table)} == set(range(10, 60)) | ({1, 2, 3} - noted)


@both
def test_records_of_files_that_cannot_be_written(
    tmp_path: Path, tables: Tables, table: str, service: FaultService, path: Path, processes: int
) -> None:
    filed = Filed(tmp_path / "root")
    files = []
    for number in range(1, 5):
        items = [{**each, "id": each["id"] + 100 * number} for each in cursed_items(50)]
        lines_: list[dict[str, Any] | str] = [*BAD.values(), *items]
        files.append(filed.ours(lines_))
    messages: list[Message] = [SCHEMA]
    for number, file in enumerate(files):
        messages += [batch(STREAM, file), state({"files": number + 1})]
    config = asking(path, table_name=table, batch_root=str(filed.root), processes=processes)
    loaded = run(tmp_path, tables.engine, messages, **config, aws_endpoint_url=service.url)
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert loaded.states[-1] == {"files": 4}
    assert not any(file.exists() for file in files)
    lines = path.read_text().splitlines()
    for text in BAD.values():
        assert sum(f'"record":{text},"reason"' in each for each in lines) == 4
    in_file = [each for each in read(path) if "item" in each.get("record", ())]
    numbers = {100 * (n + 1) + each for n in range(4) for each in range(50)}
    refused_ = {number for number in numbers if number % 5 == 0}
    assert sorted(each["record"]["id"] for each in in_file) == sorted(refused_)
    assert {int(key) for key in by_id(tables, table)} == numbers - refused_
    assert "(line 1 of file" in "".join(lines)
    assert f"64 records could not be written; they are in {path}" in "".join(loaded.log)
    again = run(
        tmp_path, tables.engine, [path.read_bytes()], **{**config, "dead_letter": f"{path}.2"}
    )
    assert again.process.returncode == 0
    assert {int(key) for key in by_id(tables, table)} == numbers
    assert len(records(Path(f"{path}.2"))) == 4 * len(BAD)


@both
def test_a_damaged_file_ends_the_run_all_the_same(
    tmp_path: Path, tables: Tables, table: str, path: Path, processes: int
) -> None:
    filed = Filed(tmp_path / "root")
    damaged = filed.ours(['{"id":1}', '{"id":"x"}', '{"id":2', "[3]"])
    messages: list[Message | str] = [SCHEMA, batch(STREAM, damaged), state({"at": 1})]
    config = asking(path, table_name=table, batch_root=str(filed.root), processes=processes)
    loaded = run(tmp_path, tables.engine, messages, **config)
    assert loaded.process.returncode == 1
    assert "Line 3 of file" in loaded.errors()[0]
    assert loaded.states == []
    assert damaged.exists()
    assert [each["id"] for each in records(path)] == ["x"]


@both
def test_more_errors_than_there_may_be_end_the_run(
    tmp_path: Path, tables: Tables, table: str, path: Path, processes: int
) -> None:
    bad = [f'{{"id":"bad {n}"}}' for n in range(9)]
    before: list[Message | str] = [
        SCHEMA,
        line('{"id":1}'),
        state({"at": 1}),
        *map(line, bad[:4]),
        state({"at": 5}),
    ]
    config = asking(path, table_name=table, max_errors=6, processes=processes)
    if processes == 1:
        messages = [*before, *map(line, bad[4:]), state({"at": 10})]
    else:
        filed = Filed(tmp_path / "root")
        config["batch_root"] = str(filed.root)
        messages = [*before, batch(STREAM, filed.ours(bad[4:])), state({"at": 10})]
    loaded = run(tmp_path, tables.engine, messages, **config)
    assert loaded.process.returncode == 1
    [error] = loaded.errors()
    assert "7 records could not be written, and max_errors is 6" in error
    assert "Traceback" not in "".join(loaded.log)
    assert loaded.states == [{"at": 5}]
    noted = [each["id"] for each in records(path)]
    assert noted == [f"bad {n}" for n in range(len(noted))]
    assert len(noted) >= 7


def test_too_many_refusals_of_dynamodb_end_the_run(
    tmp_path: Path, tables: Tables, table: str, service: FaultService, path: Path
) -> None:
    messages: list[Message | str] = [
        SCHEMA,
        *(record(STREAM, each) for each in cursed_items(50)),
        state({"at": 1}),
    ]
    config = asking(path, table_name=table, max_errors=3, aws_endpoint_url=service.url)
    loaded = run(tmp_path, tables.engine, messages, **config)
    assert loaded.process.returncode == 1
    [error] = loaded.errors()
    assert "max_errors is 3" in error
    assert loaded.states == []
    assert len(records(path)) >= 4


def test_what_is_no_record_s_fault_ends_the_run(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    messages: list[Message | str] = [SCHEMA, line('{"id":1}'), state({"at": 1}), "nonsense\n"]
    loaded = run(tmp_path, tables.engine, messages, **asking(path, table_name=table))
    assert loaded.process.returncode == 1
    assert "is no JSON" in loaded.errors()[0]
    missing = run(
        tmp_path,
        tables.engine,
        messages[:2],
        **asking(path, table_name=tables.name(), create_tables=False),
    )
    assert missing.process.returncode == 1
    assert "does not exist" in missing.errors()[0]
    assert not path.exists()


def endless(step: int) -> Iterator[Message | str]:
    """Records without end, of which each tenth cannot be written, and STATEs that count them."""
    yield SCHEMA
    number = 0
    while True:
        for each in range(number, number + step):
            wrong = each % 10 == 3
            yield line(f'{{"id":{each},"text":"{"x" * 80}","n":{"NaN" if wrong else 1}}}')
        number += step
        yield state({"written": number})


def feed_until_it_ends(target: TargetProcess, messages: Iterator[Any]) -> threading.Thread:
    def work() -> None:
        try:
            while some := list(itertools.islice(messages, 200)):
                target.feed(*some)
        except (BrokenPipeError, ValueError):
            pass  # the target has ended, or its input was closed

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def noted_in(path: Path) -> set[int]:
    """The records in a file whose last line may have been cut off."""
    whole = path.read_bytes().rpartition(b"\n")[0].splitlines()
    return {m["record"]["id"] for m in map(json.loads, whole) if m["type"] == "RECORD"}


def assert_nothing_is_lost(tables: Tables, table: str, path: Path, states: list[Any]) -> None:
    """Each record before a STATE is in the table or in the file."""
    noted = noted_in(path)
    there = {int(key) for key in by_id(tables, table)}
    assert noted
    assert not noted & there
    assert noted | there >= set(range(states[-1]["written"]))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_signal_every_record_before_a_state_is_in_the_table_or_in_the_file(
    tmp_path: Path, tables: Tables, table: str, path: Path, number: signal.Signals
) -> None:
    config = asking(path, table_name=table, max_errors=10**9)
    with TargetProcess(tmp_path, {**tables.engine.config(), **config}) as target:
        feeder = feed_until_it_ends(target, endless(step=500))
        target.next_state()
        target.next_state()
        target.signal(number)
        code = target.process.wait(timeout=IN_TIME)
        feeder.join(timeout=IN_TIME)
        target.finish()
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert_nothing_is_lost(tables, table, path, target.states)
    again = run(tmp_path, tables.engine, [SCHEMA, line('{"id":"late"}')], **config)
    assert again.process.returncode == 0
    assert records(path)[-1] == {"id": "late"}


@both
def test_after_a_kill_what_a_removed_file_had_is_in_the_table_or_in_the_file(
    tmp_path: Path, tables: Tables, table: str, path: Path, processes: int
) -> None:
    filed = Filed(tmp_path / "root")
    each, files = 100, []
    messages: list[Message] = [SCHEMA]
    for first in range(0, 40 * each, each):
        numbers = range(first, first + each)
        files.append(
            filed.ours([f'{{"id":{n},"n":{"NaN" if n % 10 == 3 else 1}}}' for n in numbers])
        )
        messages += [batch(STREAM, files[-1]), state({"written": first + each})]
    config = asking(path, table_name=table, batch_root=str(filed.root), processes=processes)
    slowly = {**tables.engine.config(), **config, "write_capacity": 2 * each}
    with TargetProcess(tmp_path, slowly) as target:
        feeder = feed_until_it_ends(target, iter(messages))
        target.next_state()
        target.signal(signal.SIGKILL)
        assert target.process.wait(timeout=IN_TIME) == -signal.SIGKILL
        feeder.join(timeout=IN_TIME)
        target.finish()
    assert_nothing_is_lost(tables, table, path, target.states)
    left = [file for file in files if file.exists()]
    assert left
    assert len(left) < len(files)
    there = {int(key) for key in by_id(tables, table)}
    noted = noted_in(path)
    for place, file in enumerate(files):
        if file not in left:
            assert there | noted >= set(range(place * each, (place + 1) * each))


def test_a_full_disk_ends_the_run_and_no_state_goes_beyond_what_is_noted(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    config = asking(path, table_name=table)
    room = 20_000
    with TargetProcess(tmp_path, {**tables.engine.config(), **config}) as target:
        resource.prlimit(target.process.pid, resource.RLIMIT_FSIZE, (room, room))
        messages = endless(step=20)
        target.feed(*(next(messages) for _ in range(22)))
        assert target.next_state() == {"written": 20}
        feeder = feed_until_it_ends(target, messages)
        assert target.process.wait(timeout=IN_TIME) == 1
        feeder.join(timeout=IN_TIME)
        target.finish()
    [error] = target.errors()
    assert f"The dead-letter file {path} cannot be written: File too large" in error
    assert "Traceback" not in "".join(target.log)
    assert_nothing_is_lost(tables, table, path, target.states)
    assert path.read_bytes().endswith(b"}\n")
    assert path.stat().st_size <= room


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/rejects.jsonl", "No such file or directory"),
        (".", "Is a directory"),
        ("target.json", "it is no dead-letter file"),
        ("pipe", "it is no file"),
    ],
)
def test_a_file_that_cannot_be_written_is_an_error_before_anything_is_written(
    tmp_path: Path, tables: Tables, table: str, name: str, words: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    messages: list[Message | str] = [SCHEMA, line('{"id":1}'), state({"at": 1})]
    config = asking(tmp_path / name, table_name=table)
    loaded = run(tmp_path, tables.engine, messages, **config)
    assert loaded.process.returncode == 1
    [error] = loaded.errors()
    assert words in error
    assert "Traceback" not in "".join(loaded.log)
    assert tables.items(table) == []
    assert loaded.states == []


def test_two_runs_do_not_write_to_one_file(
    tmp_path: Path, tables: Tables, table: str, path: Path
) -> None:
    config = asking(path, table_name=table)
    with TargetProcess(tmp_path, {**tables.engine.config(), **config}) as first:
        first.feed(SCHEMA, line('{"id":"x"}'))
        first.wait_for_log("Cannot be written")
        second = run(tmp_path, tables.engine, [SCHEMA], **config)
        assert second.process.returncode == 1
        assert "another run writes to it" in second.errors()[0]
        assert first.finish() == 0
    assert [each["id"] for each in records(path)] == ["x"]


def test_dead_letters_in_s3_are_an_object_for_each_state(
    tmp_path: Path, tables: Tables, table: str
) -> None:
    bucket = TestBucket(tables.engine)
    config = asking(
        f"s3://{bucket.name}/some/prefix",
        table_name=table,
        validate_records=True,
        aws_endpoint_url_s3=tables.engine.endpoint_url,
    )
    with TargetProcess(tmp_path, {**tables.engine.config(), **config}) as target:
        target.feed(SCHEMA)
        for number in range(3):
            target.feed(line(f'{{"id":{number},"text":{number}}}'), state({"at": number}))
            assert target.next_state() == {"at": number}
            assert len(bucket.keys()) == number + 1
        assert target.finish() == 0
    objects = {key: bucket.get(key) for key in sorted(bucket.keys())}
    assert all(key.startswith("some/prefix/") for key in objects)
    for number, data in enumerate(objects.values()):
        said, rejected = map(json.loads, data.splitlines())
        assert said == SCHEMA
        assert rejected["record"] == {"id": number, "text": number}
    again = run(tmp_path, tables.engine, list(objects.values()), table_name=table)
    assert again.process.returncode == 0
    assert set(by_id(tables, table)) == {"0", "1", "2"}


def test_s3_that_refuses_ends_the_run_and_no_state_is_handed_on(
    tmp_path: Path, tables: Tables, table: str
) -> None:
    config = asking(
        "s3://no-such-bucket-of-ours/x",
        table_name=table,
        aws_endpoint_url_s3=tables.engine.endpoint_url,
    )
    messages: list[Message | str] = [SCHEMA, line('{"id":1}'), line('{"id":"x"}'), state({"at": 1})]
    loaded = run(tmp_path, tables.engine, messages, **config)
    assert loaded.process.returncode == 1
    [error] = loaded.errors()
    assert "no-such-bucket-of-ours" in error
    assert loaded.states == []
