"""Each write mode and load method, by the command, against real engines: exact items, exact counts."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import relay
from tests.engines.filed import Filed, batch
from tests.integration.target_process import TargetProcess, record, run, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables

TEXT = {"type": ["null", "string"]}
PROPERTIES = {"id": {"type": "string"}, "a": TEXT, "b": TEXT}
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
OURS = {"name": "elsewhere", "key": [{"name": "id", "type": "S"}]}
ODD = ("size", "a.b", "#x", ":y", 'q"uote', "ünïcødé", "a b", "with,comma", "[0]", "\\")
"""Reserved words, and what an expression would take for something else than a name."""


@pytest.fixture(params=["tables", "reference_tables"])
def made(request: pytest.FixtureRequest) -> Tables:
    """Tables on each of both engines."""
    tables: Tables = request.getfixturevalue(request.param)
    return tables


def items(tables: Tables, name: str) -> dict[str, dict[str, Any]]:
    """The attributes of each item but its key, by this; a string without its type."""
    return {
        item["id"]["S"]: {
            name: value.get("S", value) for name, value in item.items() if name != "id"
        }
        for item in tables.items(name)
    }


def old(key: str, **attributes: str) -> dict[str, Any]:
    return {"id": {"S": key}} | {name: {"S": value} for name, value in attributes.items()}


def written(target: TargetProcess) -> tuple[int, int]:
    """How many items the summary says were written, and how many stayed."""
    [said] = [line for line in target.log if "Written: " in line and " in " in line]
    found = re.search(r"Written: ([\d,]+) items(?: \(([\d,]+) more were there already)?", said)
    assert found, said
    return int(found[1].replace(",", "")), int((found[2] or "0").replace(",", ""))


def load(folder: Path, tables: Tables, table: str, *records: dict[str, Any], **config: Any) -> Any:
    messages = [schema("s", PROPERTIES), *(record("s", each) for each in records), state({"n": 1})]
    target = run(folder, tables.engine, messages, table_name=table, **config)
    assert target.process.returncode == 0, target.log
    assert target.states == [{"n": 1}]
    return target


# put, insert, merge

RECORDS: list[dict[str, Any]] = [
    {"id": "old", "a": "new"},
    {"id": "twice", "a": "1"},
    {"id": "twice", "b": "2"},
    {"id": "gone", **GONE},
    {"id": "back", **GONE},
    {"id": "back", "a": "again"},
    {"id": "null", "a": None},
    {"id": "brief", "a": "x"},
    {"id": "brief", **GONE},
]


@pytest.mark.parametrize(
    ("mode", "expected", "counts"),
    [
        (
            "put",
            {
                "old": {"a": "new"},
                "twice": {"b": "2"},
                "back": {"a": "again"},
                "null": {},
            },
            None,
        ),
        (
            "insert",
            {
                "old": {"a": "old", "c": "old"},
                "twice": {"a": "1"},
                "back": {"a": "again"},
                "null": {"a": "old"},
            },
            (5, 3),
        ),
        (
            "merge",
            {
                "old": {"a": "new", "c": "old"},
                "twice": {"a": "1", "b": "2"},
                "back": {"a": "again"},
                "null": {"a": "old"},
            },
            None,
        ),
    ],
)
def test_each_mode_leaves_what_it_says(
    tmp_path: Path,
    made: Tables,
    mode: str,
    expected: dict[str, Any],
    counts: tuple[int, int] | None,
) -> None:
    """Flushed after each record, so that none meets another while it waits."""
    there = [old(key, a="old") for key in ("gone", "back", "null")]
    table = made.create([old("old", a="old", c="old"), *there])
    target = load(tmp_path, made, table, *RECORDS, write_mode=mode, batch_size_rows=1)
    assert items(made, table) == expected
    if (
        counts is not None
    ):  # of 9 records 3 found an item; 3 inserted, 3 deleted: one was deleted twice
        assert written(target) == (len(RECORDS) - counts[1], counts[1])


@pytest.mark.parametrize("mode", ["put", "insert", "merge"])
def test_records_that_meet_while_they_wait_leave_the_same(
    tmp_path: Path, tables: Tables, mode: str
) -> None:
    """One by one and all at once: the same table."""
    there = [old(key, a="old") for key in ("gone", "back", "null", "old")]
    left = []
    for number, config in enumerate(({"batch_size_rows": 1}, {"write_workers": 1})):
        folder = tmp_path / str(number)
        folder.mkdir()
        table = tables.create(there)
        load(folder, tables, table, *RECORDS, write_mode=mode, **config)
        left.append(items(tables, table))
    assert left[0] == left[1]


def test_insert_counts_what_is_there_to_the_last_item(tmp_path: Path, tables: Tables) -> None:
    there = {f"k{number}": {"a": "old"} for number in range(0, 300, 3)}
    table = tables.create([old(key, **each) for key, each in there.items()])
    records = [{"id": f"k{number}", "a": "new"} for number in range(300)]
    with relay.running(tables.engine) as seen:
        target = run(
            tmp_path,
            seen.engine,
            [schema("s", PROPERTIES), *(record("s", each) for each in records)],
            table_name=table,
            write_mode="insert",
        )
        assert target.process.returncode == 0, target.log
        assert len(seen.of("PutItem")) == 300
        assert seen.of("BatchWriteItem") == []
    assert written(target) == (200, 100)
    assert items(tables, table) == {f"k{n}": {"a": "new"} for n in range(300)} | there


def test_merge_sets_attributes_of_any_name_and_many_of_them(tmp_path: Path, made: Tables) -> None:
    table = made.create([old("x", **dict.fromkeys(ODD, "old"), keep="kept")])
    many = {f"attribute {number}": str(number) for number in range(900)}
    odd = dict.fromkeys(ODD[1:], "new")
    load(
        tmp_path,
        made,
        table,
        {"id": "x", **odd},
        {"id": "many", **many},
        {"id": "alone"},
        write_mode="merge",
    )
    assert items(made, table) == {
        "x": {ODD[0]: "old", "keep": "kept", **odd},
        "many": many,
        "alone": {},
    }


def test_merge_writes_the_nulls_of_our_tap_and_leaves_out_those_of_others(
    tmp_path: Path, tables: Tables
) -> None:
    table = tables.create([old("x", a="old", b="old")])
    messages = [
        schema("s", PROPERTIES, table=OURS),
        record("s", {"id": "x", "a": None}),
    ]
    target = run(tmp_path, tables.engine, messages, table_name=table, write_mode="merge")
    assert target.process.returncode == 0, target.log
    assert items(tables, table) == {"x": {"a": {"NULL": True}, "b": "old"}}


def test_a_refused_merge_names_its_key(tmp_path: Path, made: Tables) -> None:
    """The item would be too large with what it has already: only DynamoDB can know."""
    table = made.create([old("x", a="y" * 300_000), old("z", a="old")])
    messages = [
        schema("s", PROPERTIES),
        record("s", {"id": "z", "b": "new"}),
        record("s", {"id": "x", "b": "z" * 300_000}),
    ]
    target = run(tmp_path, made.engine, messages, table_name=table, write_mode="merge")
    assert target.process.returncode == 1
    assert re.search(r"refuses the item with key x .* for table", target.errors()[0])
    assert items(made, table)["z"] == {"a": "old", "b": "new"}


def test_each_stream_has_its_mode_and_a_table_only_one(tmp_path: Path, tables: Tables) -> None:
    kept, put = tables.create([old("x", a="old")]), tables.create([old("x", a="old")])
    messages = [
        schema("kept", PROPERTIES),
        schema("put", PROPERTIES),
        record("kept", {"id": "x", "a": "new"}),
        record("put", {"id": "x", "a": "new"}),
    ]
    config = {"stream_options": {"kept": {"write_mode": "insert"}}}
    names = {"kept": kept, "put": put}
    target = run(tmp_path, tables.engine, messages, table_names=names, **config)
    assert target.process.returncode == 0, target.log
    assert (items(tables, kept), items(tables, put)) == ({"x": {"a": "old"}}, {"x": {"a": "new"}})
    together = run(
        tmp_path, tables.engine, messages, table_names=dict.fromkeys(names, put), **config
    )
    assert together.process.returncode == 1
    assert "has write_mode put, and stream kept" in together.errors()[0]
    assert "one write_mode" in together.errors()[0]


# load_method


@pytest.mark.parametrize("method", ["append-only", "upsert"])
def test_the_methods_that_keep_put_whole_items(tmp_path: Path, tables: Tables, method: str) -> None:
    table = tables.create([old("x", a="old", c="old"), old("y")])
    load(tmp_path, tables, table, {"id": "x", "a": "new"}, load_method=method)
    assert items(tables, table) == {"x": {"a": "new"}, "y": {}}


def test_overwrite_that_is_not_allowed_touches_nothing(tmp_path: Path, tables: Tables) -> None:
    table = tables.create([old("x", a="old")])
    with relay.running(tables.engine) as seen:
        target = run(
            tmp_path,
            seen.engine,
            [schema("s", PROPERTIES), record("s", {"id": "y"})],
            table_name=table,
            load_method="overwrite",
        )
        assert target.process.returncode == 1
        assert seen.calls == []
    assert "allow_overwrite" in target.errors()[0]
    assert items(tables, table) == {"x": {"a": "old"}}


def overwriting(table: str) -> dict[str, Any]:
    return {"table_name": table, "load_method": "overwrite", "allow_overwrite": True}


def test_overwrite_empties_the_table_once_before_the_first_record(
    tmp_path: Path, made: Tables
) -> None:
    """A changed SCHEMA and a second stream find what this run has written."""
    table = made.create([old(f"old {n}", a="x" * 500) for n in range(300)])
    late = {**PROPERTIES, "c": TEXT}
    messages = [
        schema("s", PROPERTIES),
        *(record("s", {"id": str(n)}) for n in range(60)),
        schema("s", late),
        record("s", {"id": "60", "c": "late"}),
        schema("t", PROPERTIES),
        record("t", {"id": "61"}),
        state({"n": 1}),
    ]
    target = run(tmp_path, made.engine, messages, **overwriting(table))
    assert target.process.returncode == 0, target.log
    assert sorted(map(int, items(made, table))) == list(range(62))
    assert any(re.search(r"Emptying table \S+: 300 items", line) for line in target.log)
    assert written(target) == (62, 0)


def test_overwrite_of_a_table_that_is_made_or_empty_deletes_nothing(
    tmp_path: Path, tables: Tables
) -> None:
    name = tables.name()
    for _ in range(2):
        with relay.running(tables.engine) as seen:
            target = run(
                tmp_path,
                seen.engine,
                [
                    schema("s", PROPERTIES),
                    record("s", {"id": "y"}),
                    record("s", {**GONE, "id": "y"}),
                ],
                **overwriting(name),
                batch_size_rows=1,
            )
            assert target.process.returncode == 0, target.log
            assert len(seen.of("BatchWriteItem")) == 2  # the records'
            assert bool(seen.of("Scan")) is not bool(seen.of("CreateTable"))


def test_overwrite_never_empties_what_a_stream_comes_from(tmp_path: Path, tables: Tables) -> None:
    table = tables.create([old("x", a="old")])
    arn = tables.wire.call("DescribeTable", {"TableName": table})["Table"]["TableArn"]
    own = {**OURS, "name": table, "arn": arn}
    for more in ({}, {"allow_same_table": True}):
        messages = [schema("s", PROPERTIES, table=own), record("s", {"id": "x"})]
        target = run(tmp_path, tables.engine, messages, **overwriting(table), **more)
        assert target.process.returncode == 1
        assert "comes from" in target.errors()[0]
        assert items(tables, table) == {"x": {"a": "old"}}
    other = tables.create([old("y")])
    messages = [
        schema("first", PROPERTIES, table=own),
        record("first", {"id": "x"}),
        schema("second", PROPERTIES, table={**OURS, "name": "elsewhere"}),
    ]
    names = {"first": other, "second": table}  # the second would empty what the first comes from
    settings = {**overwriting(other), "table_names": names}
    target = run(tmp_path, tables.engine, messages, **settings)
    assert target.process.returncode == 1
    assert items(tables, table) == {"x": {"a": "old"}}


def test_a_dry_run_says_what_it_would_empty(tmp_path: Path, tables: Tables) -> None:
    table = tables.create([old("x", a="old")])
    messages = [schema("s", PROPERTIES), record("s", {"id": "y"})]
    target = run(tmp_path, tables.engine, messages, dry_run=True, **overwriting(table))
    assert target.process.returncode == 0, target.log
    assert any("Would delete all items" in line for line in target.log)
    assert items(tables, table) == {"x": {"a": "old"}}


# hard_delete


def versioned(values: dict[str, Any], version: Any, stream: str = "s") -> dict[str, Any]:
    return {**record(stream, values), "version": version}


def activate(version: Any, stream: str = "s") -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": version}


def test_a_new_version_deletes_what_older_ones_have_left(tmp_path: Path, made: Tables) -> None:
    table = made.create(
        [old("foreign", a="old"), {**old("text"), "_sdc_table_version": {"S": "1"}}]
    )
    deleted = versioned({"id": "deleted", **GONE}, 2)
    for version, keys, more in (
        (1, [f"k{n}" for n in range(100)], []),
        (2, [f"k{n}" for n in range(50, 120)], [deleted]),
    ):
        messages = [
            schema("s", PROPERTIES),
            *(versioned({"id": key, "a": str(version)}, version) for key in keys),
            *more,
            state({"version": version}),
            activate(version),
        ]
        target = run(tmp_path, made.engine, messages, table_name=table, hard_delete=True)
        assert target.process.returncode == 0, target.log
        assert target.states == [{"version": version}]
    left = items(made, table)
    assert left.pop("foreign") == {"a": "old"}
    assert left.pop("text") == {"_sdc_table_version": "1"}
    assert left == {f"k{n}": {"a": "2", "_sdc_table_version": {"N": "2"}} for n in range(50, 120)}
    assert any("Deleting older items" in line and ": 50 items" in line for line in target.log)


def test_without_the_setting_older_items_stay_and_no_version_is_written(
    tmp_path: Path, tables: Tables
) -> None:
    table = tables.create([{**old("x"), "_sdc_table_version": {"N": "1"}}])
    messages = [schema("s", PROPERTIES), versioned({"id": "y"}, 2), activate(2), activate(2)]
    target = run(tmp_path, tables.engine, messages, table_name=table)
    assert target.process.returncode == 0, target.log
    assert items(tables, table) == {"x": {"_sdc_table_version": {"N": "1"}}, "y": {}}
    assert sum("no longer sends stay" in line for line in target.log) == 1


@pytest.mark.parametrize("missing", [None, "absent"])
def test_records_without_a_version_delete_nothing(
    tmp_path: Path, tables: Tables, missing: str | None
) -> None:
    """Trap 13: all of them would look old."""
    table = tables.create([{**old("x"), "_sdc_table_version": {"N": "1"}}])
    bare = record("s", {"id": "y"}) | ({"version": None} if missing is None else {})
    messages = [
        schema("s", PROPERTIES),
        versioned({"id": "z"}, 2),
        bare,
        state({"n": 1}),
        activate(2),
    ]
    target = run(tmp_path, tables.engine, messages, table_name=table, hard_delete=True)
    assert target.process.returncode == 1
    assert "1 of its records had no version" in target.errors()[0]
    assert target.states == [{"n": 1}]
    assert set(items(tables, table)) == {"x", "y", "z"}


def test_a_version_of_which_nothing_has_come_deletes_nothing(
    tmp_path: Path, tables: Tables
) -> None:
    """As taps say it at the beginning of a first run, before any record."""
    table = tables.create([{**old("x"), "_sdc_table_version": {"N": "1"}}])
    messages = [schema("s", PROPERTIES), activate(2), versioned({"id": "y"}, 2)]
    target = run(tmp_path, tables.engine, messages, table_name=table, hard_delete=True)
    assert target.process.returncode == 0, target.log
    assert set(items(tables, table)) == {"x", "y"}
    assert any("no record of version 2 has come" in line for line in target.log)


def test_streams_of_one_table_do_not_delete_each_others_items(
    tmp_path: Path, tables: Tables
) -> None:
    table = tables.create()
    messages = [
        schema("s", PROPERTIES),
        versioned({"id": "s"}, 1),
        schema("t", PROPERTIES),
        versioned({"id": "t"}, 2, "t"),
        activate(2, "t"),
    ]
    target = run(tmp_path, tables.engine, messages, table_name=table, hard_delete=True)
    assert target.process.returncode == 1
    assert "would be deleted as old ones of the other" in target.errors()[0]
    assert set(items(tables, table)) == {"s"}


@pytest.mark.parametrize("version", [2, None])
def test_a_files_version_is_that_of_its_message(
    tmp_path: Path, tables: Tables, version: int | None
) -> None:
    table = tables.create([{**old("x"), "_sdc_table_version": {"N": "1"}}])
    filed = Filed(tmp_path / "root")
    files = batch("s", filed.ours([{"id": "y"}, {"id": "z"}]), version=version)
    messages = [schema("s", PROPERTIES), files, activate(2)]
    config = {"table_name": table, "hard_delete": True, "batch_root": str(filed.root)}
    target = run(tmp_path, tables.engine, messages, **config)
    if version is None:
        assert target.process.returncode == 1
        assert "2 of its records had no version" in target.errors()[0]
        assert set(items(tables, table)) == {"x", "y", "z"}
    else:
        assert target.process.returncode == 0, target.log
        assert items(tables, table) == {key: {"_sdc_table_version": {"N": "2"}} for key in "yz"}


def test_records_that_cannot_be_written_keep_all_older_items(
    tmp_path: Path, tables: Tables
) -> None:
    table = tables.create([{**old("x"), "_sdc_table_version": {"N": "1"}}])
    messages = [
        schema("s", PROPERTIES),
        versioned({"id": "y"}, 2),
        versioned({"id": "x", "a": "x" * 500_000}, 2),
        activate(2),
    ]
    config = {"on_error": "dead_letter", "dead_letter": str(tmp_path / "rejects.jsonl")}
    target = run(tmp_path, tables.engine, messages, table_name=table, hard_delete=True, **config)
    assert any("so that all of them stay" in line for line in target.log), target.log
    assert set(items(tables, table)) == {"x", "y"}


def test_versions_of_metadata(tmp_path: Path, tables: Tables) -> None:
    """`add_record_metadata` writes the same attribute; the number of the message wins."""
    table = tables.create()
    messages = [
        schema("s", PROPERTIES),
        versioned({"id": "x"}, 7),
        versioned({"id": "y", "_sdc_table_version": 3}, 7),
        activate(7),
    ]
    target = run(
        tmp_path,
        tables.engine,
        messages,
        table_name=table,
        hard_delete=True,
        add_record_metadata=True,
    )
    assert target.process.returncode == 0, target.log
    assert {item["_sdc_table_version"]["N"] for item in items(tables, table).values()} == {"7"}


def test_insert_and_hard_delete_contradict_each_other(tmp_path: Path, tables: Tables) -> None:
    table = tables.create([old("x")])
    messages = [schema("s", PROPERTIES), versioned({"id": "x"}, 1)]
    target = run(
        tmp_path,
        tables.engine,
        messages,
        table_name=table,
        hard_delete=True,
        write_mode="insert",
    )
    assert target.process.returncode == 1
    assert "Take one of both away" in target.errors()[0]


# Before items are replaced


@pytest.mark.parametrize(
    ("filled", "recovery", "warned"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_a_table_with_items_and_no_way_back_is_warned_of(
    tmp_path: Path, tables: Tables, *, filled: bool, recovery: bool, warned: bool
) -> None:
    table = tables.create([old("x")] if filled else [])
    if recovery:
        spec = {"PointInTimeRecoveryEnabled": True}
        tables.wire.call(
            "UpdateContinuousBackups",
            {"TableName": table, "PointInTimeRecoverySpecification": spec},
        )
    target = load(tmp_path, tables, table, {"id": "y"})
    said = [line for line in target.log if "no point-in-time recovery" in line]
    assert len(said) == warned


def test_an_engine_that_knows_no_backups_is_not_asked_twice_and_warns_of_nothing(
    tmp_path: Path, reference_tables: Tables
) -> None:
    table = reference_tables.create([old("x")])
    target = load(tmp_path, reference_tables, table, {"id": "y"})
    assert not [line for line in target.log if "recovery" in line or "WARNING" in line]


def test_a_signal_ends_the_emptying_and_nothing_is_written_after_it(
    tmp_path: Path, tables: Tables
) -> None:
    made, table = tables.name(), tables.create([old(f"old {n}", a="x") for n in range(400)])
    config = {
        **tables.engine.config(),
        **overwriting(table),
        "table_names": {"made": made},
        "write_capacity": 4,
    }
    with TargetProcess(tmp_path, config) as target:
        target.feed(
            schema("made", PROPERTIES),
            record("made", {"id": "x"}),
            state({"n": 1}),
            schema("s", PROPERTIES),
            *(record("s", {"id": f"new {n}"}) for n in range(100)),
            state({"n": 2}),
        )
        target.wait_for_log("Deleting all items")
        target.signal(signal.SIGTERM)
        assert target.finish() == 128 + signal.SIGTERM
        assert target.states == [{"n": 1}]
    assert set(items(tables, made)) == {"x"}
    left = items(tables, table)
    assert len(left) > 100
    assert not [key for key in left if key.startswith("new")]
