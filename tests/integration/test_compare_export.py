"""`dynamodb-tools compare` with an export or a folder on one side, or on both."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from demo import load
from demo.items import SHAPES, Shape
from tests.engines import exports
from tests.engines.buckets import TestBucket
from tests.engines.compared import compare
from tests.engines.exports import Change

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.compared import Outcome
    from tests.engines.exports import Written
    from tests.engines.tables import Tables

FULL = exports.AT
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
KEY = {"key_properties": ["id"]}
ALONE: dict[str, Any] = {"output": None}
"""Settings without a file, which wants A's items."""


def item(number: int, **more: Any) -> Item:
    return {"id": {"S": f"i{number}"}, "n": {"N": str(number)}, **more}


ITEMS = [item(number) for number in range(60)]
OTHERS = [
    *(item(number) for number in range(3, 58)),
    item(58, n={"N": "0"}),
    item(59),
    item(100),
]
"""As ITEMS, without three, with one more, and one that differs."""

FOUND = {"i0": "missing", "i1": "missing", "i2": "missing", "i58": "differs", "i100": "extra"}


def change(number: int, at: datetime, new: Item | None) -> Change:
    micros = int((at - EPOCH) / timedelta(microseconds=1))
    return Change({"id": {"S": f"i{number}"}}, new, None, micros)


def window(root: Path, since: datetime, until: datetime, changes: Sequence[Change]) -> Written:
    name = f"{int(since.timestamp() * 1000):014}-{int(until.timestamp())}"
    return exports.write_incremental(root, changes, since, until, export=name)


def run(
    engine: Engine, a: object, b: object, folder: Path, /, *more: str, **config: Any
) -> Outcome:
    return compare(engine, str(a), str(b), folder, *more, **config)


def shown(outcome: Outcome) -> dict[str, str]:
    return {each["key"]["id"]["S"]: each["kind"] for each in outcome.report["differences"]}


@pytest.mark.parametrize("form", ["DYNAMODB_JSON", "ION"])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_table_and_its_export_are_the_same(
    engine: Engine, tables: Tables, tmp_path: Path, form: Any, processes: int
) -> None:
    name = tables.name("hard")
    load.fill(tables.wire, Shape(name, SHAPES[0].key, SHAPES[0].values), 50)
    exports.write_full(tmp_path / "bucket", tables.items(name), form=form)
    outcome = run(engine, name, tmp_path / "bucket", tmp_path, processes=processes)
    assert outcome.code == 0, outcome
    assert "The same: 331 items" in outcome.stdout
    assert "the full export" in outcome.stdout
    turned = run(engine, tmp_path / "bucket", name, tmp_path, **ALONE)
    assert turned.code == 0, turned


def test_differences_of_a_table_and_an_export_are_found(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    table = tables.create(ITEMS)
    exports.write_full(tmp_path / "bucket", OTHERS)
    outcome = run(engine, table, tmp_path / "bucket", tmp_path, format="json")
    assert outcome.code == 1, outcome
    assert shown(outcome) == FOUND
    assert outcome.lines is not None
    told = {
        line["difference"]["key"]["id"]["S"]: line for line in outcome.lines if "difference" in line
    }
    assert {key: line["difference"]["kind"] for key, line in told.items()} == FOUND
    assert told["i58"]["record"]["item"]["n"] == {"N": "58"}
    counts = outcome.report["counts"]
    assert (counts["a"], counts["b"], counts["same"]) == (60, 58, 56)


def test_an_export_that_is_the_reference_has_no_items_for_a_file(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    table = tables.create(OTHERS)
    exports.write_full(tmp_path / "bucket", ITEMS)
    refused = run(engine, tmp_path / "bucket", table, tmp_path)
    assert refused.code == 2
    assert "output wants the items of A" in refused.log
    outcome = run(engine, tmp_path / "bucket", table, tmp_path, format="json", **ALONE)
    assert outcome.code == 1, outcome
    assert shown(outcome) == FOUND


@pytest.mark.parametrize("more", [{}, {"keys_only": True}, {"sample": 50}])
@pytest.mark.parametrize("processes", [1, 2])
def test_windows_that_follow_an_export_are_applied(
    engine: Engine, tables: Tables, tmp_path: Path, processes: int, more: dict[str, Any]
) -> None:
    root, middle, end = tmp_path / "bucket", FULL + HOUR, FULL + 2 * HOUR
    exports.write_full(root, [*ITEMS, item(200)])
    window(
        root, FULL, middle, [
            change(0, FULL, item(0, n={"N": "7"})),
            change(1, FULL, None),
            change(2, FULL, None),
            change(300, middle - HOUR / 4, item(300)),  # gone, as the next window does not name it
        ],
    )  # fmt: skip
    window(
        root, middle - HOUR / 2, end, [
            change(0, middle, item(0, n={"N": "8"})),
            change(1, middle, item(1)),
            change(200, middle, None),
        ],
    )  # fmt: skip
    now = [item(0, n={"N": "8"}), ITEMS[1], *ITEMS[3:]]
    outcome = run(
        engine, tables.create(now), root, tmp_path, format="json", processes=processes, **more
    )
    assert outcome.code == 0, outcome
    counts = outcome.report["counts"]
    assert counts["a"] == counts["b"] == counts["same"]
    assert (counts["a"] == 59) is ("sample" not in more)
    wrong = [item(0, n={"N": "7"}), *ITEMS[1:]]  # before the last window, and with what was deleted
    turned = run(
        engine, root, tables.create(wrong), tmp_path, format="json", processes=processes, **ALONE
    )
    assert turned.code == 1, turned
    assert shown(turned) == {"i0": "differs", "i2": "extra"}


def test_two_exports_are_compared_by_the_key_that_is_named(engine: Engine, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    exports.write_full(one, ITEMS, compression="zstd")
    exports.write_legacy(two, OTHERS)
    given = {"format": "json", **ALONE}
    outcome = run(engine, one, two, tmp_path, **given, **KEY)
    assert outcome.code == 1, outcome
    assert shown(outcome) == FOUND
    unknown = run(engine, one, two, tmp_path, **given)
    assert unknown.code == 2
    assert "--key-properties" in unknown.log
    wrong = run(engine, one, two, tmp_path, **given, key_properties=["no"])
    assert wrong.code == 2
    assert "no attribute no" in wrong.log


@pytest.mark.parametrize("processes", [1, 2])
def test_a_damaged_file_is_no_result_and_a_whole_one_is_gone_on_with(
    engine: Engine, tables: Tables, tmp_path: Path, processes: int
) -> None:
    items = [item(number, text={"S": "x" * 5000}) for number in range(1000)]
    table = tables.create(items)
    written = exports.write_full(tmp_path / "bucket", items, files=8, empty=0)
    broken = written.data[5]
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    given = {"format": "json", "processes": processes, "scan_workers": 2}
    first = run(engine, table, tmp_path / "bucket", tmp_path, **given)
    assert (first.code, first.stdout) == (2, "")
    assert broken.name in first.log
    assert "run the same command again" in first.log
    broken.write_bytes(whole)
    second = run(engine, table, tmp_path / "bucket", tmp_path, **given)
    assert second.code == 0, second
    assert "Going on with" in second.log
    assert second.report["b"]["read"] == 1000


def test_what_goes_on_must_be_the_same_export(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    table = tables.create(ITEMS)
    written = exports.write_full(tmp_path / "bucket", ITEMS)
    whole = written.data[0].read_bytes()
    written.data[0].write_bytes(whole[:-9])
    assert run(engine, table, tmp_path / "bucket", tmp_path).code == 2
    for path in sorted(written.root.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    exports.write_full(tmp_path / "bucket", OTHERS)
    outcome = run(engine, table, tmp_path / "bucket", tmp_path)
    assert outcome.code == 2
    assert "--start-over" in outcome.log
    assert run(engine, table, tmp_path / "bucket", tmp_path, "--start-over").code == 1


def test_an_export_in_a_bucket(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    table, bucket = tables.create(ITEMS), TestBucket(engine)
    written = exports.write_full(tmp_path / "bucket", OTHERS, bucket=bucket.name)
    exports.upload(written, bucket.client, bucket.name, "moved/")
    there = {"aws_endpoint_url_s3": engine.endpoint_url}
    outcome = run(engine, table, f"s3://{bucket.name}/moved", tmp_path, format="json", **there)
    assert outcome.code == 1, outcome
    assert shown(outcome) == FOUND


def test_of_several_tables_exports_that_of_the_other_side_is_taken(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    table = tables.create(ITEMS)
    exports.write_full(tmp_path / "bucket", ITEMS, table=table)
    exports.write_full(tmp_path / "bucket", OTHERS, table="Other", export="01604475000001-ffffffff")
    assert run(engine, table, tmp_path / "bucket", tmp_path).code == 0
    none = run(engine, tables.create(OTHERS), tmp_path / "bucket", tmp_path)
    assert none.code == 2
    assert "there are those of Other" in none.log


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"filter": {"expression": "n = n"}}, "DynamoDB does not filter exports"),
        ({"since": 1}, "since is set"),
    ],
)
def test_what_exports_cannot_do_is_refused(
    engine: Engine, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    exports.write_full(tmp_path / "one", ITEMS)
    exports.write_full(tmp_path / "two", ITEMS)
    outcome = run(engine, tmp_path / "one", tmp_path / "two", tmp_path, **ALONE, **KEY, **more)
    assert outcome.code == 2
    assert words in outcome.log
    assert not (tmp_path / "work").exists()


def test_windows_alone_are_no_table(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    window(tmp_path / "bucket", FULL, FULL + HOUR, [change(1, FULL, item(1))])
    outcome = run(engine, tables.create(ITEMS), tmp_path / "bucket", tmp_path)
    assert outcome.code == 2
    assert "tells of changes" in outcome.log


def test_an_export_is_not_compared_with_itself(engine: Engine, tmp_path: Path) -> None:
    exports.write_full(tmp_path / "one", ITEMS)
    outcome = run(engine, tmp_path / "one", tmp_path / "one", tmp_path, **ALONE, **KEY)
    assert outcome.code == 2
    assert "A and B are the same" in outcome.log


def test_the_export_of_an_empty_table(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    exports.write_full(tmp_path / "bucket", [], files=0, empty=0)
    outcome = run(engine, tables.create([]), tmp_path / "bucket", tmp_path)
    assert outcome.code == 0, outcome
