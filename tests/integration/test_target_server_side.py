"""Loads that DynamoDB does by itself, end to end: parts in a real S3, a real import, a stand-in for bulk puts."""

from __future__ import annotations

import gzip
import json
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from demo import load
from demo.compare import compare_tables
from demo.items import SHAPES, Shape
from tests.engines import bulk, pipeline
from tests.engines.buckets import TestBucket
from tests.engines.faults import Reply, ok, refused
from tests.engines.filed import Filed, batch
from tests.engines.parts import lines
from tests.integration.target_process import PATIENCE, TargetProcess, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.bulk import BulkService
    from tests.engines.tables import Tables

STREAM = "orders"
SCHEMA = schema(STREAM, {"id": {"type": "string"}, "n": {"type": "integer"}})
GONE = "2026-01-01T00:00:00Z"


def order(key: str, n: int, **more: Any) -> dict[str, Any]:
    return record(STREAM, {"id": key, "n": n, **more})


def item(key: str, n: int) -> dict[str, Any]:
    return {"id": {"S": key}, "n": {"N": str(n)}}


@pytest.fixture
def bucket(engine: Engine) -> TestBucket:
    return TestBucket(engine)


@pytest.fixture
def config(engine: Engine, bucket: TestBucket, tmp_path: Path) -> dict[str, Any]:
    return {
        **engine.config(),
        "aws_endpoint_url_s3": engine.endpoint_url,
        "staging": f"s3://{bucket.name}/staged",
        "staging_folder": str(tmp_path / "spill"),
    }


@pytest.fixture
def service(engine: Engine, bucket: TestBucket) -> Iterator[BulkService]:
    with bulk.running(engine, bucket) as running:
        yield running


def loaded(
    folder: Path, config: dict[str, Any], *messages: dict[str, Any], **more: Any
) -> TargetProcess:
    with TargetProcess(folder, {**config, **more}) as target:
        target.feed(*messages)
        target.finish()
        return target


def until(condition: Callable[[], bool]) -> None:
    """Return when a condition holds; fail when it takes too long."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end


def nothing_waits(tmp_path: Path) -> bool:
    folder = tmp_path / "spill"
    return not folder.exists() or not list(folder.iterdir())


# Imports


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.table)
def test_every_hard_item_arrives_exactly_by_an_import(
    tables: Tables,
    config: dict[str, Any],
    tmp_path: Path,
    shape: Shape,
    compression: str,
) -> None:
    name = tables.name(shape.table)
    tables.name(f"{name}_copy")
    load.fill(tables.wire, Shape(name, shape.key, shape.values), 300)
    source = pipeline.tap_config(tables.engine, [name])
    tap = pipeline.command("tap_dynamodb", source, tmp_path)
    settings = {
        **config,
        "table_name": "{table}_copy",
        "write_mode": "import",
        "staging_compression": compression,
    }
    target = pipeline.command("target_dynamodb", settings, tmp_path)
    with pipeline.Pipe(tap, target, tmp_path) as pipe:
        states = list(pipe.states())
        assert (pipe.tap.wait(), pipe.target.wait()) == (0, 0), pipe.log("target")
    assert states == [{"bookmarks": {name: {"scan": []}}}]
    found = str(compare_tables(tables.wire, name, tables.wire, f"{name}_copy"))
    assert found.startswith("identical")


def test_an_import_has_the_last_write_of_each_key(
    tables: Tables, config: dict[str, Any], bucket: TestBucket, tmp_path: Path
) -> None:
    table = tables.name()
    changed = schema(STREAM, {"id": {"type": "string"}, "n": {"type": "integer"}, "x": {}})
    target = loaded(
        tmp_path,
        config,
        SCHEMA,
        order("a", 1),
        order("b", 1),
        state({"seen": 2}),
        order("c", 1),
        order("a", 2),
        changed,
        order("b", 2),
        order("c", 2, _sdc_deleted_at=GONE),
        order("d", 1, _sdc_deleted_at=GONE),
        order("d", 2),
        {"type": "ACTIVATE_VERSION", "stream": STREAM, "version": 1},
        state({"seen": 9}),
        table_name=table,
        write_mode="import",
    )
    assert target.process.returncode == 0, target.log
    assert target.states == [{"seen": 9}]
    found = sorted(tables.items(table), key=lambda each: each["id"]["S"])
    assert found == [item("a", 2), item("b", 2), item("d", 2)]
    [key] = bucket.keys()
    assert re.fullmatch(rf"staged/ferry-[0-9a-f]{{32}}/{table}/parts/00001\.json\.gz", key)
    assert sorted(lines(bucket.get(key))) == sorted(
        json.dumps({"Item": each}, separators=(",", ":")).encode() for each in found
    )
    assert nothing_waits(tmp_path)


def test_two_streams_of_one_table_share_its_import(
    tables: Tables, config: dict[str, Any], tmp_path: Path
) -> None:
    table = tables.name()
    target = loaded(
        tmp_path,
        config,
        SCHEMA,
        schema("more", {"id": {"type": "string"}, "n": {"type": "integer"}}),
        order("a", 1),
        record("more", {"id": "a", "n": 2}),
        record("more", {"id": "b", "n": 3}),
        order("b", 4),
        table_name=table,
        write_mode="import",
    )
    assert target.process.returncode == 0, target.log
    assert sorted(tables.items(table), key=str) == sorted([item("a", 2), item("b", 4)], key=str)


def test_a_table_that_is_written_beside_one_that_is_staged_has_no_state_before_it(
    tables: Tables, config: dict[str, Any], tmp_path: Path
) -> None:
    """STATE is of all streams: it waits for the slowest, also when the clock asks for it."""
    staged, put = tables.name(), tables.name()
    names = {"table_names": {STREAM: staged, "more": put}}
    options = {"stream_options": {STREAM: {"write_mode": "import"}}}
    with TargetProcess(tmp_path, {**config, **names, **options}) as target:
        target.feed(schema("more", {"id": {"type": "string"}}), record("more", {"id": "x"}))
        target.feed(state({"before": 1}))
        assert target.next_state() == {"before": 1}  # nothing is staged yet
        target.feed(SCHEMA, order("a", 1), record("more", {"id": "y"}), state({"seen": 1}))
        target.wait_for_log("is staged in")
        assert target.finish() == 0, target.log
    assert target.states == [{"before": 1}, {"seen": 1}]
    assert len(tables.items(put)) == 2
    assert tables.items(staged) == [item("a", 1)]


def test_files_of_batch_messages_are_staged_by_this_process(
    tables: Tables, config: dict[str, Any], tmp_path: Path
) -> None:
    """Worker processes would put them into a table that is not there."""
    filed = Filed(tmp_path / "batch")
    files = [filed.ours([{"id": f"k{n}", "n": m} for n in range(50)]) for m in range(2)]
    table = tables.name()
    target = loaded(
        tmp_path,
        config,
        SCHEMA,
        batch(STREAM, *files, distinct=True),
        order("k7", 9),
        state({"seen": 1}),
        table_name=table,
        write_mode="import",
        batch_root=str(filed.root),
        processes=2,
    )
    assert (target.process.returncode, target.states) == (0, [{"seen": 1}]), target.log
    found = {each["id"]["S"]: int(each["n"]["N"]) for each in tables.items(table)}
    assert found == {**{f"k{n}": 1 for n in range(50)}, "k7": 9}


def test_state_is_held_while_the_input_is_silent(
    tables: Tables, config: dict[str, Any], tmp_path: Path
) -> None:
    """What the clock asks for is done, and nothing is handed on by it; a killed run has said nothing."""
    settings = {**config, "table_name": tables.name(), "write_mode": "import"}
    with TargetProcess(tmp_path, settings) as target:
        target.feed(SCHEMA, order("a", 1), state({"seen": 1}))
        target.wait_for_log("batch_processing_time")  # the SDK has drained
        target.feed(order("b", 1), state({"seen": 2}))
        target.wait_for_log("batch_processing_time")
        target.process.kill()
        target.finish()
    assert target.states == []


def test_bad_input_after_good_hands_on_no_state(
    tables: Tables, config: dict[str, Any], bucket: TestBucket, tmp_path: Path
) -> None:
    settings = {**config, "table_name": tables.name(), "write_mode": "import"}
    with TargetProcess(tmp_path, settings) as target:
        target.feed(SCHEMA, order("a", 1), state({"seen": 1}), "no JSON\n")
        assert target.finish() == 1
    assert target.states == []
    assert bucket.keys() == []
    assert nothing_waits(tmp_path)


def test_an_import_of_nothing_makes_an_empty_table(
    tables: Tables, config: dict[str, Any], bucket: TestBucket, tmp_path: Path
) -> None:
    table = tables.name()
    more = {"table_name": table, "write_mode": "import"}
    target = loaded(tmp_path, config, SCHEMA, state({"seen": 0}), **more)
    assert (target.process.returncode, target.states) == (0, [{"seen": 0}]), target.log
    assert tables.items(table) == []
    assert bucket.keys() == []


def test_an_import_gets_what_only_a_made_table_can_be_given(
    tables: Tables, config: dict[str, Any], tmp_path: Path
) -> None:
    table = tables.name()
    index = {"name": "by_n", "partition_key": "n"}
    settings = {
        "global_secondary_indexes": [index],
        "stream_view_type": "NEW_IMAGE",
        "ttl_attribute": "ends",
        "tags": {"team": "a"},
    }
    target = loaded(
        tmp_path,
        config,
        SCHEMA,
        order("a", 1),
        table_name=table,
        write_mode="import",
        table_settings=settings,
    )
    assert target.process.returncode == 0, target.log
    described = tables.wire.call("DescribeTable", {"TableName": table})["Table"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert [each["IndexName"] for each in described["GlobalSecondaryIndexes"]] == ["by_n"]
    expiry = tables.wire.call("DescribeTimeToLive", {"TableName": table})
    assert expiry["TimeToLiveDescription"]["AttributeName"] == "ends"
    tags = tables.wire.call("ListTagsOfResource", {"ResourceArn": described["TableArn"]})
    assert tags["Tags"] == [{"Key": "team", "Value": "a"}]


def test_indexes_that_come_after_the_load_come_after_an_import_too(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    table = tables.name()
    index = {"name": "by_n", "partition_key": "n"}
    target = loaded(
        tmp_path,
        {**config, **service.engine.config()},
        SCHEMA,
        order("a", 1),
        state({"seen": 1}),
        table_name=table,
        write_mode="import",
        table_settings={"global_secondary_indexes": [index], "create_indexes": "after_load"},
    )
    assert (target.process.returncode, target.states) == (0, [{"seen": 1}]), target.log
    [started] = service.started
    assert "GlobalSecondaryIndexes" not in started["TableCreationParameters"]
    described = tables.wire.call("DescribeTable", {"TableName": table})["Table"]
    assert [each["IndexName"] for each in described["GlobalSecondaryIndexes"]] == ["by_n"]


def test_files_are_removed_when_that_is_asked_for_and_only_ours(
    tables: Tables, config: dict[str, Any], bucket: TestBucket, tmp_path: Path
) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key="staged/other", Body=b"x")
    more = {"table_name": tables.name(), "write_mode": "import", "staging_remove": True}
    target = loaded(tmp_path, config, SCHEMA, order("a", 1), **more)
    assert target.process.returncode == 0, target.log
    assert bucket.keys() == ["staged/other"]


def test_a_table_that_exists_is_not_imported(
    tables: Tables, config: dict[str, Any], bucket: TestBucket, tmp_path: Path
) -> None:
    table = tables.create([item("z", 1)])
    more = {"table_name": table, "write_mode": "import"}
    target = loaded(tmp_path, config, SCHEMA, order("a", 1), state({"seen": 1}), **more)
    assert (target.process.returncode, target.states) == (1, [])
    [line] = target.errors()
    assert f"Table {table} exists" in line
    assert "write_mode bulk or put" in line
    assert bucket.keys() == []


def test_an_import_with_errors_has_no_state(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    """AWS counts what it could not write; then items are missing, and no STATE is true."""
    described = {
        "ImportArn": "arn:aws:dynamodb:eu-west-1:000000000000:table/x/import/01",
        "ImportStatus": "FAILED",
        "ErrorCount": 1,
        "ProcessedItemCount": 2,
        "FailureCode": "ItemValidationError",
        "FailureMessage": "Some of the items failed validation checks.",
        "CloudWatchLogGroupArn": "arn:aws:logs:eu-west-1:1:log-group:/aws-dynamodb/imports:*",
    }
    service.instead = lambda operation, _request: (
        ok({"ImportTableDescription": described})
        if operation in ("ImportTable", "DescribeImport")
        else None
    )
    target = loaded(
        tmp_path,
        {**config, **service.engine.config()},
        SCHEMA,
        order("a", 1),
        order("b", 1),
        state({"seen": 2}),
        table_name=tables.name(),
        write_mode="import",
    )
    assert (target.process.returncode, target.states) == (1, [])
    [line] = target.errors()
    assert "1 of 2 items could not be written (ItemValidationError: Some of" in line
    assert "log group arn:aws:logs" in line
    assert nothing_waits(tmp_path)


# Bulk puts


def test_a_bulk_put_goes_into_a_table_that_exists(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    table = tables.create([item("a", 0), item("z", 0)])
    service.states = [
        {"BulkOperationStatus": "IN_PROGRESS", "ProcessedItemCount": 1},
        {"BulkOperationStatus": "COMPLETED"},
    ]
    target = loaded(
        tmp_path,
        {**config, **service.engine.config()},
        SCHEMA,
        order("a", 1),
        order("a", 2),
        order("b", 1),
        state({"seen": 3}),
        table_name=table,
        write_mode="bulk",
        write_capacity=2000,
        bulk_tier="standard",
    )
    assert (target.process.returncode, target.states) == (0, [{"seen": 3}]), target.log
    found = sorted(tables.items(table), key=lambda each: each["id"]["S"])
    assert found == [item("a", 2), item("b", 1), item("z", 0)]
    [started] = service.started
    assert started["MaxWriteRequestUnits"] == 2000
    assert started["PerformanceTier"] == "STANDARD"
    assert started["OutputS3Configuration"]["S3KeyPrefix"].endswith(f"/{table}/errors/")
    assert not started["OutputS3Configuration"]["S3KeyPrefix"].startswith(
        started["InputS3Configuration"]["S3KeyPrefix"]
    )
    assert "BatchWriteItem" not in service.operations
    assert any("bulk put into table" in line and "IN_PROGRESS" in line for line in target.log)


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (
            {"BulkOperationStatus": "COMPLETED_WITH_ERRORS", "FailedItemCount": 1},
            "1 of 2 items could not be written; the errors are in s3://",
        ),
        (
            {"BulkOperationStatus": "FAILED", "FailureCode": "Broken", "FailureMessage": "No."},
            "has ended as FAILED: Broken: No",
        ),
        ({"BulkOperationStatus": "CANCELLED"}, "has ended as CANCELLED"),
        ({"BulkOperationStatus": "COMPLETED", "ProcessedItemCount": 1}, "with 1 of 2 items"),
    ],
    ids=lambda given: given.get("BulkOperationStatus") if isinstance(given, dict) else None,
)
def test_a_bulk_put_that_has_not_written_everything_has_no_state(
    tables: Tables,
    config: dict[str, Any],
    tmp_path: Path,
    service: BulkService,
    last: dict[str, Any],
    words: str,
) -> None:
    service.states = [last]
    more = {"table_name": tables.create(), "write_mode": "bulk"}
    messages = (SCHEMA, order("a", 1), order("b", 1), state({"seen": 2}))
    target = loaded(tmp_path, {**config, **service.engine.config()}, *messages, **more)
    assert (target.process.returncode, target.states) == (1, []), target.log
    [line] = target.errors()
    assert words in line


def test_a_start_whose_answer_is_lost_is_repeated_and_starts_one_job(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    """The token is that of the job, and the same in every try."""
    tokens: list[str] = []

    def lose_the_first(operation: str, request: dict[str, Any]) -> Reply | None:
        if operation != "StartBulkPutItems":
            return None
        tokens.append(request["ClientToken"])
        return Reply(b"{}", 500) if len(tokens) == 1 else None

    service.instead = lose_the_first
    more = {"table_name": tables.create(), "write_mode": "bulk"}
    messages = (SCHEMA, order("a", 1), state({"seen": 2}))
    target = loaded(tmp_path, {**config, **service.engine.config()}, *messages, **more)
    assert (target.process.returncode, target.states) == (0, [{"seen": 2}]), target.log
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


def test_a_start_that_is_refused_says_how_to_start_it_without_staging_again(
    tables: Tables,
    config: dict[str, Any],
    bucket: TestBucket,
    tmp_path: Path,
    service: BulkService,
) -> None:
    service.instead = lambda operation, _request: (
        refused("LimitExceededException") if operation == "StartBulkPutItems" else None
    )
    more = {"table_name": tables.create(), "write_mode": "bulk"}
    messages = (SCHEMA, order("a", 1), state({"seen": 2}))
    target = loaded(tmp_path, {**config, **service.engine.config()}, *messages, **more)
    assert (target.process.returncode, target.states) == (1, [])
    assert "LimitExceededException" in target.errors()[0]
    [line] = [line for line in target.log if "aws dynamodb start-bulk-put-items" in line]
    given = re.search(r"--cli-input-json '(.*)'", line)
    assert given
    assert bulk.complaints("StartBulkPutItems", json.loads(given[1])) == ""
    prefix = json.loads(given[1])["InputS3Configuration"]["S3KeyPrefix"]
    assert bucket.keys() == [f"{prefix}00001.json.gz"]


def test_a_signal_cancels_the_bulk_put_and_hands_on_no_state(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    service.states = [{"BulkOperationStatus": "IN_PROGRESS"}]
    settings = {**config, **service.engine.config()}
    more = {"table_name": tables.create(), "write_mode": "bulk"}
    with TargetProcess(tmp_path, {**settings, **more}) as target:
        target.feed(SCHEMA, order("a", 1), state({"seen": 1}))
        assert target.process.stdin
        target.process.stdin.close()
        target.wait_for_log("has begun")
        target.signal(signal.SIGTERM)
        code = target.process.wait(timeout=30)
        assert target.finish() == code
    assert code == 128 + signal.SIGTERM
    assert target.states == []
    assert service.cancelled
    assert any("is cancelled; what it has written stays" in line for line in target.log)
    assert nothing_waits(tmp_path)


def test_a_signal_while_records_come_starts_nothing(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    settings = {**config, **service.engine.config()}
    more = {"table_name": tables.create(), "write_mode": "bulk"}
    with TargetProcess(tmp_path, {**settings, **more}) as target:
        target.feed(SCHEMA, order("a", 1), state({"seen": 1}))
        target.wait_for_log("is staged in")
        target.signal(signal.SIGTERM)
        assert target.process.wait(timeout=30) == 128 + signal.SIGTERM
        target.finish()
    assert (target.states, service.started) == ([], [])
    assert nothing_waits(tmp_path)


def test_a_killed_run_leaves_its_spill_to_the_next_one(
    tables: Tables, config: dict[str, Any], tmp_path: Path
) -> None:
    table = tables.name()
    settings = {**config, "table_name": table, "write_mode": "import"}
    with TargetProcess(tmp_path, settings) as target:
        target.feed(SCHEMA, order("a", 1), *(order(f"k{n}", n) for n in range(5000)))
        target.feed(state({"seen": 1}))
        target.wait_for_log("is staged in")
        until(lambda: not nothing_waits(tmp_path))
        target.process.kill()
        target.finish()
    assert target.states == []
    assert not nothing_waits(tmp_path)
    ended = loaded(tmp_path, settings, SCHEMA, order("a", 2), state({"seen": 1}))
    assert (ended.process.returncode, ended.states) == (0, [{"seen": 1}]), ended.log
    assert tables.items(table) == [item("a", 2)]
    assert nothing_waits(tmp_path)


def test_a_deletion_is_no_bulk_put(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    more = {"table_name": tables.create(), "write_mode": "bulk"}
    settings = {**config, **service.engine.config()}
    messages = (SCHEMA, order("a", 1, _sdc_deleted_at=GONE), state({"seen": 1}))
    target = loaded(tmp_path, settings, *messages, **more)
    assert (target.process.returncode, target.states) == (1, [])
    assert "bulk put deletes nothing" in target.errors()[0]
    assert service.started == []


def test_what_a_load_would_refuse_is_a_dead_letter(
    tables: Tables, config: dict[str, Any], tmp_path: Path, service: BulkService
) -> None:
    table = tables.create()
    letters = tmp_path / "letters.jsonl"
    settings = {**config, **service.engine.config()}
    more = {"write_mode": "bulk", "on_error": "dead_letter", "dead_letter": str(letters)}
    large = order("big", 1, x="x" * 410_000)
    messages = (SCHEMA, large, order("a", 1), order("b", 1, _sdc_deleted_at=GONE), state({"s": 1}))
    target = loaded(tmp_path, settings, *messages, table_name=table, **more)
    assert (target.process.returncode, target.states) == (0, [{"s": 1}]), target.log
    assert tables.items(table) == [item("a", 1)]
    kept = [json.loads(line) for line in letters.read_text().splitlines()]
    assert [each["type"] for each in kept].count("RECORD") == 2


# Files


def test_files_stop_before_the_load_and_say_how_it_is_started(
    tables: Tables, config: dict[str, Any], bucket: TestBucket, tmp_path: Path
) -> None:
    table = tables.name()
    more = {"table_name": table, "write_mode": "files"}
    target = loaded(tmp_path, config, SCHEMA, order("a", 1), state({"seen": 1}), **more)
    assert (target.process.returncode, target.states) == (0, [{"seen": 1}]), target.log
    [line] = [line for line in target.log if "To load it:" in line]
    given = re.search(r"aws dynamodb import-table --cli-input-json '(.*)'", line)
    assert given
    request = json.loads(given[1])
    assert bulk.complaints("ImportTable", request) == ""
    assert table not in tables.wire.call("ListTables", {})["TableNames"]
    tables.wire.call("ImportTable", request)
    until(lambda: bool(tables.items(table)))
    assert tables.items(table) == [item("a", 1)]


def test_files_can_go_to_a_folder(tables: Tables, engine: Engine, tmp_path: Path) -> None:
    config = {**engine.config(), "staging_folder": str(tmp_path / "spill")}
    place = tmp_path / "a place"
    more = {"table_name": tables.create(), "write_mode": "files", "staging": str(place)}
    target = loaded(tmp_path, config, SCHEMA, order("a", 1), state({"seen": 1}), **more)
    assert (target.process.returncode, target.states) == (0, [{"seen": 1}]), target.log
    [part] = [path for path in place.rglob("*") if path.is_file()]
    assert gzip.decompress(part.read_bytes()) == b'{"Item":{"id":{"S":"a"},"n":{"N":"1"}}}\n'
    assert part.stat().st_mode & 0o777 == 0o600
    [line] = [line for line in target.log if "To load it:" in line]
    assert f"aws s3 cp --recursive '{part.parent}' s3://BUCKET/PREFIX/parts/" in line
    assert "start-bulk-put-items" in line


# Settings


def test_a_dry_run_stages_nothing(
    tables: Tables, config: dict[str, Any], bucket: TestBucket, tmp_path: Path
) -> None:
    more = {"table_name": tables.name(), "write_mode": "import", "dry_run": True}
    target = loaded(tmp_path, config, SCHEMA, order("a", 1), state({"seen": 1}), **more)
    assert (target.process.returncode, target.states) == (0, []), target.log
    assert bucket.keys() == []
    assert any("Writing 1 items would cost" in line for line in target.log)
