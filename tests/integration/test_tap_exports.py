"""Exports through the tap: the items that a scan brings, windows in their order, and no damaged file told as done."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from demo import load
from demo.compare import compare_tables
from demo.items import SHAPES, Shape
from tests.engines import exports, pipeline
from tests.engines.buckets import TestBucket
from tests.engines.exports import Change
from tests.engines.tap import Command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.exports import Written
    from tests.engines.tables import Tables
    from tests.engines.tap import Output

NAME = "ProductCatalog"
FORMATS = ("plain", "packed", "dynamodb_json")
FULL = exports.AT
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"id": {"S": f"i{number}"}, "n": {"N": str(number)}, **more}


ITEMS = [item(number) for number in range(60)]


def config(location: Path | str, **more: Any) -> dict[str, Any]:
    export = {"location": str(location), "key_properties": ["id"], **more.pop("export", {})}
    return {"source": "export", "export": export, "scan_workers": 2, **more}


@pytest.fixture
def command(engine: Engine, tmp_path: Path) -> Command:
    folder = tmp_path / "runs"
    folder.mkdir()
    return Command(folder, engine.config())


def window(
    root: Path, since: datetime, until: datetime, changes: Sequence[Change], **more: Any
) -> Written:
    name = f"{int(since.timestamp() * 1000):014}-{int(until.timestamp())}"
    return exports.write_incremental(root, changes, since, until, export=name, **more)


def change(number: int, at: datetime, new: dict[str, Any] | None) -> Change:
    micros = int((at - EPOCH) / timedelta(microseconds=1))
    return Change({"id": {"S": f"i{number}"}}, new, None, micros)


def records(output: Output) -> list[dict[str, Any]]:
    return [message["record"] for message in output.of("RECORD")]


def applied(output: Output) -> dict[str, Any]:
    """Return what the records leave in a table, in their order."""
    state: dict[str, Any] = {}
    for record in records(output):
        if record.get("_sdc_deleted_at"):
            state.pop(record["id"], None)
        else:
            state[record["id"]] = record["n"]
    return state


@pytest.mark.parametrize("item_format", FORMATS)
@pytest.mark.parametrize("form", ["DYNAMODB_JSON", "ION"])
def test_every_hard_item_of_an_export_is_restored(
    engine: Engine, tables: Tables, tmp_path: Path, form: Any, item_format: str
) -> None:
    source, name = tables.name("source"), tables.name("restored")
    load.fill(tables.wire, Shape(source, SHAPES[0].key, SHAPES[0].values), 50)
    exports.write_full(tmp_path / "bucket", tables.items(source), form=form)
    keys = [name for name, _ in SHAPES[0].key]
    tap = config(tmp_path / "bucket", export={"key_properties": keys}, item_format=item_format)
    read = pipeline.run(pipeline.command("tap_dynamodb", {**engine.config(), **tap}, tmp_path))
    assert read.code == 0, read.err
    target = {**engine.config(), "table_name": name}
    written = pipeline.run(pipeline.command("target_dynamodb", target, tmp_path), read.out)
    assert written.code == 0, written.err
    assert compare_tables(tables.wire, source, tables.wire, name).identical


@pytest.mark.parametrize("item_format", FORMATS)
def test_an_export_brings_what_a_scan_brings(
    command: Command, tables: Tables, tmp_path: Path, item_format: str
) -> None:
    table = tables.create(ITEMS)
    exports.write_full(tmp_path / "bucket", ITEMS, left_out=("tableArn", "tableId"))
    scanned = command({"tables": [table], "item_format": item_format})
    given = config(tmp_path / "bucket", item_format=item_format)
    del given["export"]["key_properties"]  # the table is there, and says it
    given["export"]["table_name"] = table
    exported = command(given)
    assert (scanned.code, exported.code) == (0, 0), exported.log
    by_id = [sorted(records(each), key=lambda it: it["id"]) for each in (scanned, exported)]
    assert by_id[0] == by_id[1]
    schemas = [each.of("SCHEMA")[0] for each in (scanned, exported)]
    assert schemas[0]["schema"]["properties"] == schemas[1]["schema"]["properties"]
    assert schemas[0]["key_properties"] == schemas[1]["key_properties"]


@pytest.mark.parametrize("legacy", ["json", "data_pipeline", "hive"])
def test_legacy_exports_are_read_in_all_their_forms(
    command: Command, tmp_path: Path, legacy: Any
) -> None:
    written = exports.write_legacy(tmp_path / "bucket", ITEMS, form=legacy)
    output = command(config(written.folder, export={"table_name": "orders"}))
    assert output.code == 0, output.log
    assert applied(output) == {f"i{n}": n for n in range(60)}
    assert output.of("SCHEMA")[0]["stream"] == "orders"


def test_an_export_in_a_bucket_is_read_there(
    engine: Engine, command: Command, tmp_path: Path
) -> None:
    bucket = TestBucket(engine)
    written = exports.write_full(tmp_path / "bucket", ITEMS, bucket=bucket.name)
    exports.upload(written, bucket.client, bucket.name, "moved/")
    there = {"aws_endpoint_url_s3": engine.endpoint_url}
    output = command(config(f"s3://{bucket.name}/moved", **there))
    assert output.code == 0, output.log
    assert applied(output) == {f"i{n}": n for n in range(60)}


@pytest.mark.parametrize("item_format", FORMATS)
def test_windows_are_applied_after_the_full_export_in_the_order_of_time(
    engine: Engine, tables: Tables, command: Command, tmp_path: Path, item_format: str
) -> None:
    root, name = tmp_path / "bucket", tables.name("restored")
    second = FULL + HOUR
    window(
        root,
        second,
        second + HOUR,
        [change(1, second, item(1)), change(3, second, None), change(99, second, item(99))],
    )
    window(
        root,
        FULL,
        second,
        [change(1, FULL, None), change(2, FULL, {**item(2), "n": {"N": "2000"}})],
    )
    exports.write_full(root, ITEMS)
    output = command(config(root, item_format=item_format))
    assert output.code == 0, output.log
    output.check()
    whole = pipeline.run(
        pipeline.command(
            "target_dynamodb", {**engine.config(), "table_name": name}, tmp_path / "runs"
        ),
        output.stdout,
    )
    assert whole.code == 0, whole.err
    left = {each["id"]["S"]: int(each["n"]["N"]) for each in tables.items(name)}
    assert left == {f"i{n}": n for n in (*range(60), 99) if n != 3} | {"i2": 2000}


def test_a_deletion_says_key_time_and_order(command: Command, tmp_path: Path) -> None:
    window(
        tmp_path / "bucket", FULL, FULL + HOUR, [change(3, FULL, None), change(4, FULL, item(4))]
    )
    output = command(config(tmp_path / "bucket"))
    assert output.code == 0, output.log
    deleted, put = sorted(records(output), key=lambda record: record["id"])
    micros = int((FULL - EPOCH) / timedelta(microseconds=1))
    at = FULL.isoformat(timespec="microseconds")
    assert deleted == {"id": "i3", "_sdc_deleted_at": at, "_sdc_sequence": micros}
    assert put == {"id": "i4", "n": 4, "_sdc_deleted_at": None, "_sdc_sequence": micros}
    properties = output.of("SCHEMA")[0]["schema"]["properties"]
    assert properties["_sdc_deleted_at"] == {"type": ["null", "string"], "format": "date-time"}


def test_what_two_overlapping_windows_do_not_say_is_deleted(
    command: Command, tmp_path: Path
) -> None:
    root, later = tmp_path / "bucket", FULL + HOUR
    exports.write_full(root, ITEMS)
    window(root, FULL, FULL + 2 * HOUR, [change(100, later + HOUR / 2, item(100))])
    window(root, later, FULL + 3 * HOUR, [change(5, later, item(5))])
    output = command(config(root))
    assert output.code == 0, output.log
    assert applied(output) == {f"i{n}": n for n in range(60)}


def test_a_missing_window_is_an_error_that_names_it(command: Command, tmp_path: Path) -> None:
    root = tmp_path / "bucket"
    exports.write_full(root, ITEMS)
    window(root, FULL + HOUR, FULL + 2 * HOUR, [])
    output = command(config(root))
    assert output.code == 1
    [error] = output.errors
    assert "2020-11-04T07:28:34.028Z to 2020-11-04T08:28:34.028Z is missing" in error.replace(
        "028000Z", "028Z"
    )


def test_a_damaged_file_is_named_and_no_state_passes_it(command: Command, tmp_path: Path) -> None:
    written = exports.write_full(tmp_path / "bucket", ITEMS, files=2, empty=0, compression="none")
    damaged = written.data[1]
    damaged.write_bytes(damaged.read_bytes().replace(b'"N"', b'"S"', 1))
    output = command(config(tmp_path / "bucket", item_format="dynamodb_json"))
    assert output.code == 1
    [error] = output.errors
    assert damaged.name in error
    assert "MD5" in error
    for message in output.of("STATE"):
        [scan] = message["value"]["bookmarks"][NAME]["scan"]
        assert sum(b - a + 1 for a, b in scan["finished"]) <= 1
    by_choice = command(
        config(tmp_path / "bucket", item_format="dynamodb_json", export={"verify": False})
    )
    assert by_choice.code == 0, by_choice.log


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_was_cut_off_goes_on_where_it_was(
    command: Command, tmp_path: Path, processes: int
) -> None:
    root = tmp_path / "bucket"
    items = [item(number, text={"S": "x" * 5000}) for number in range(2000)]
    written = exports.write_full(root, items, files=8, empty=0)
    window(root, FULL, FULL + HOUR, [change(3, FULL, None)])
    broken = written.data[7]
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    given = config(root, processes=processes, item_format="dynamodb_json", scan_workers=2)
    first = command(given)
    assert first.code == 1
    state = first.of("STATE")[-1]["value"]
    broken.write_bytes(whole)
    second = command(given, state=state)
    assert second.code == 0, second.log
    assert 0 < len(second.of("RECORD")) < len(items)
    seen = {record["id"] for output in (first, second) for record in records(output)}
    assert seen == {f"i{n}" for n in range(2000)}
    assert [r["id"] for r in records(second) if r.get("_sdc_deleted_at")] == ["i3"]
    assert second.of("STATE")[-1]["value"]["bookmarks"][NAME]["scan"] == []


def test_a_state_of_other_exports_is_refused(command: Command, tmp_path: Path) -> None:
    exports.write_full(tmp_path / "one", ITEMS, files=2)
    exports.write_full(tmp_path / "two", ITEMS, files=3, export="01604475000001-ffffffff")
    ended = command(config(tmp_path / "one"))
    entry = {
        "table_id": exports.TABLE_ID,
        "reads": {"export": "another"},
        "segments": 3,
        "seed": 1,
        "began": "2026-11-21T12:00:00+00:00",
        "version": 1,
        "finished": [[0, 0]],
        "places": [],
    }
    assert ended.code == 0, ended.log
    output = command(config(tmp_path / "two"), state={"bookmarks": {NAME: {"scan": [entry]}}})
    assert output.code == 1
    assert "another export" in output.errors[0]


def test_machines_share_the_files_of_an_export(command: Command, tmp_path: Path) -> None:
    exports.write_full(tmp_path / "bucket", ITEMS, files=3, empty=1)
    shares = [
        command(config(tmp_path / "bucket", export={"file_range": given}))
        for given in ("0-1", "2-3")
    ]
    assert [each.code for each in shares] == [0, 0], shares[0].log
    ids = [[record["id"] for record in records(each)] for each in shares]
    assert all(ids)
    assert sorted(ids[0] + ids[1]) == sorted(f"i{n}" for n in range(60))


def test_expired_items_are_left_out_by_the_attribute_that_is_named(
    command: Command, tmp_path: Path
) -> None:
    gone = [item(100 + n, ttl={"N": "1700000000"}) for n in range(5)]
    exports.write_full(tmp_path / "bucket", [*ITEMS, *gone])
    output = command(
        config(tmp_path / "bucket", skip_expired=True, export={"ttl_attribute": "ttl"})
    )
    assert output.code == 0, output.log
    assert len(records(output)) == 60
    assert "5 items have expired" in output.log


def test_entities_split_an_export_and_its_windows(command: Command, tmp_path: Path) -> None:
    root = tmp_path / "bucket"
    exports.write_full(root, ITEMS)
    window(root, FULL, FULL + HOUR, [change(3, FULL, None), change(4, FULL, item(4))])
    entities = [{"stream": "odd", "where": {"id": {"prefix": "i3"}}}]
    output = command(config(root, table_options={NAME: {"entities": entities}}))
    assert output.code == 0, output.log
    deleted = [m for m in output.of("RECORD") if m["record"].get("_sdc_deleted_at")]
    assert [(m["stream"], m["record"]["id"]) for m in deleted] == [("odd", "i3")]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"filter": {"expression": "a = b"}}, "filter is set, and source is export"),
        ({"index": "by_date"}, "index is set, and source is export"),
        ({"replication_key": "n"}, "replication_key is set, and source is export"),
    ],
)
def test_what_exports_cannot_do_is_refused(
    command: Command, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    exports.write_full(tmp_path / "bucket", ITEMS)
    output = command(config(tmp_path / "bucket", table_options={NAME: more}))
    assert output.code == 1
    assert words in output.errors[0]


def test_a_key_that_nobody_knows_is_asked_for(command: Command, tmp_path: Path) -> None:
    exports.write_full(tmp_path / "bucket", ITEMS)
    given = config(tmp_path / "bucket")
    del given["export"]["key_properties"]
    output = command(given)
    assert output.code == 1
    assert "export.key_properties" in output.errors[0]
    wrong = command(config(tmp_path / "bucket", export={"key_properties": ["pk"]}))
    assert "has no attribute pk" in wrong.errors[0]


def test_the_catalog_of_an_export_reads_it_again(command: Command, tmp_path: Path) -> None:
    exports.write_full(tmp_path / "bucket", ITEMS)
    given = config(tmp_path / "bucket")
    catalog = command.discover(given)
    assert json.dumps(catalog)
    output = command(given, catalog=catalog)
    assert output.code == 0, output.log
    assert len(records(output)) == 60
