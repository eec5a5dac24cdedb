"""BATCH messages by the real command: the same items as lines would give, in the same order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines.filed import Filed, batch, lines
from tests.integration.target_process import record, run, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables
    from tests.integration.target_process import Message

STREAM = "orders"
INTEGER = {"type": "integer"}
SCHEMA = schema(STREAM, {"id": INTEGER, "v": INTEGER})
SOURCE = {
    "name": "orders",
    "arn": "arn:aws:dynamodb:eu-west-1:999999999999:table/orders",
    "key": [{"name": "id", "type": "N"}],
}
both = pytest.mark.parametrize("processes", [1, 2])


@pytest.fixture
def filed(tmp_path: Path) -> Filed:
    return Filed(tmp_path / "root")


def numbered(numbers: range, v: int = 0) -> list[dict[str, Any]]:
    return [{"id": number, "v": v} for number in numbers]


def by_id(tables: Tables, table: str) -> dict[str, dict[str, Any]]:
    return {item["id"]["N"]: item for item in tables.items(table)}


PLAIN: list[dict[str, Any] | str] = [
    {"id": 1, "text": "Zoë \u2028 \U0001f600", "empty": "", "list": [], "map": {}, "null": None},
    '{"id":2e0,"exact":123456789012345678901234567890.12345678,"tiny":1E-130}',
    {"id": 3, "bytes": "AAEC", "set": ["b", "a"], "deep": {"M": [{"S": 1, "e": [None]}]}},
    {
        "id": 4,
        "_dynamodb": {"types": {"/odd": "NS"}, "rest": {"hidden": {"B": "AAEC"}}},
        "odd": [1],
    },
    {"id": 5, "gone": 1},
    {"id": 5, "_sdc_deleted_at": "2026-01-01T00:00:00Z"},
    {"id": 6, "late": True},
]
TYPED: list[dict[str, Any] | str] = [
    {"id": 1, "item": {"id": {"N": "1"}, "M": {"M": {"S": {"S": "x"}, "e": {"L": []}}}}},
    {"id": 2, "item": {"id": {"N": "2"}, "set": {"NS": ["1", "2.5"]}, "b": {"B": "AAEC"}}},
]


@pytest.mark.parametrize("made_on", ["tables", "reference_tables"])
@pytest.mark.parametrize(("item_format", "records"), [("plain", PLAIN), ("dynamodb_json", TYPED)])
@both
def test_files_give_the_items_that_lines_give(
    tmp_path: Path,
    filed: Filed,
    made_on: str,
    item_format: str,
    records: list[Any],
    processes: int,
    request: pytest.FixtureRequest,
) -> None:
    made: Tables = request.getfixturevalue(made_on)
    by_lines, by_files = (made.create(key=(("id", "N"),)) for _ in range(2))
    properties = {
        "id": {"x-dynamodb-type": "N"},
        "bytes": {"x-dynamodb-type": "B"},
        "set": {"x-dynamodb-type": "SS"},
    }
    said = schema(STREAM, properties, table={**SOURCE, "item_format": item_format})
    texts = [each if isinstance(each, str) else json.dumps(each) for each in records]
    head = f'{{"type":"RECORD","stream":"{STREAM}","record":'
    written = run(
        tmp_path,
        made.engine,
        [said, *(f"{head}{text}}}\n" for text in texts)],
        table_name=by_lines,
    )
    assert written.process.returncode == 0, written.errors()
    files = [filed.ours(texts), filed.foreign(lines(texts).rstrip(b"\n"))]
    for file in files:
        messages = [said, batch(STREAM, file), state({"done": file.name})]
        loaded = run(
            tmp_path,
            made.engine,
            messages,
            table_name=by_files,
            batch_root=str(filed.root),
            processes=processes,
        )
        assert loaded.process.returncode == 0, "".join(loaded.log)
        assert loaded.states == [{"done": file.name}]
        assert in_order(made.items(by_files)) == in_order(made.items(by_lines))
        count = f'"record_count","value":{len(records)}'
        assert any("METRIC" in line and count in line for line in loaded.log)
        assert any(
            f"Written: {len(records) - (item_format == 'plain')} items" in line
            or f"Written: {len(records)} items" in line
            for line in loaded.log
        )
    assert not files[0].exists()
    assert files[1].exists()


def in_order(items: list[dict[str, Any]]) -> list[str]:
    """Items as text; sets have no order."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: sorted(part) if name in ("SS", "NS", "BS") else plain(part)
                for name, part in value.items()
            }
        return [plain(part) for part in value] if isinstance(value, list) else value

    return sorted(json.dumps(plain(item), sort_keys=True) for item in items)


@both
def test_lines_files_and_schemas_of_a_table_keep_their_order(
    tmp_path: Path, filed: Filed, tables: Tables, processes: int
) -> None:
    table = tables.create(key=(("id", "N"),))
    numbers = range(60)
    messages: list[Message] = [SCHEMA]
    for round_ in range(0, 60, 10):
        changed = {"id": INTEGER, "v": INTEGER, f"late{round_}": INTEGER}
        messages += [
            *(record(STREAM, each) for each in numbered(numbers, round_)),
            batch(STREAM, filed.ours(numbered(numbers, round_ + 1))),
            batch(STREAM, filed.ours(numbered(numbers, round_ + 2)), distinct=False),
            batch(STREAM, filed.ours(numbered(range(60, 90), round_))),
            *(record(STREAM, each) for each in numbered(range(5), round_ + 3)),
            state({"round": round_}),
            schema(STREAM, changed),
            {"type": "ACTIVATE_VERSION", "stream": STREAM, "version": round_},
            batch(STREAM, filed.ours(numbered(range(5, 10), round_ + 4))),
        ]
    loaded = run(
        tmp_path,
        tables.engine,
        [*messages, record(STREAM, {"id": 7, "v": -1})],
        table_name=table,
        batch_root=str(filed.root),
        processes=processes,
    )
    assert loaded.process.returncode == 0, "".join(loaded.log)
    expected = dict.fromkeys(numbers, 52) | dict.fromkeys(range(60, 90), 50)
    expected |= dict.fromkeys(range(5), 53) | dict.fromkeys(range(5, 10), 54) | {7: -1}
    found = {int(key): int(item["v"]["N"]) for key, item in by_id(tables, table).items()}
    assert found == expected
    assert loaded.states[-1] == {"round": 50}


def test_files_of_two_streams_of_one_table_keep_their_order(
    tmp_path: Path, filed: Filed, tables: Tables
) -> None:
    table = tables.create(key=(("id", "N"),))
    numbers = range(400)
    messages = [schema(name, {"id": INTEGER, "v": INTEGER}) for name in ("a", "b")]
    messages += [batch("ab"[v % 2], filed.ours(numbered(numbers, v))) for v in range(12)]
    loaded = run(
        tmp_path,
        tables.engine,
        messages,
        table_name=table,
        batch_root=str(filed.root),
        processes=2,
    )
    assert loaded.process.returncode == 0, "".join(loaded.log)
    items = tables.items(table)
    assert len(items) == 400
    assert {item["v"]["N"] for item in items} == {"11"}


def test_tables_that_come_later_are_loaded_by_processes_too(
    tmp_path: Path, filed: Filed, tables: Tables
) -> None:
    names = {stream: tables.create(key=(("id", "N"),)) for stream in ("a", "b", "c")}
    messages: list[Message] = []
    for stream in names:
        messages.append(schema(stream, {"id": INTEGER}))
        messages += [batch(stream, filed.ours(numbered(range(n, n + 50)))) for n in (0, 50, 100)]
        messages.append(state({"stream": stream}))
    loaded = run(
        tmp_path,
        tables.engine,
        messages,
        table_names=names,
        batch_root=str(filed.root),
        processes=2,
    )
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert [len(tables.items(name)) for name in names.values()] == [150, 150, 150]
    assert loaded.states[-1] == {"stream": "c"}


@pytest.mark.parametrize(
    ("config", "extra"),
    [
        ({"stream_maps": {STREAM: {"v": "v * 10", "__filter__": "id != 3"}}}, set()),
        ({"validate_records": True}, set()),
        ({"add_record_metadata": True}, {"_sdc_batched_at", "_sdc_table_version"}),
        ({"batch_size_rows": 2}, set()),
    ],
)
@both
def test_what_asks_for_the_sdk_is_done_to_the_records_of_files(
    tmp_path: Path,
    filed: Filed,
    tables: Tables,
    config: dict[str, Any],
    extra: set[str],
    processes: int,
) -> None:
    table = tables.create(key=(("id", "N"),))
    file = filed.ours(numbered(range(5), 7))
    messages = [SCHEMA, batch(STREAM, file, version=17), state({"at": 5})]
    more = {"batch_root": str(filed.root), "processes": processes, **config}
    loaded = run(tmp_path, tables.engine, messages, table_name=table, **more)
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert loaded.states == [{"at": 5}]
    items = by_id(tables, table)
    mapped = "stream_maps" in config
    assert set(items) == set("01234") - ({"3"} if mapped else set())
    assert {item["v"]["N"] for item in items.values()} == {"70" if mapped else "7"}
    assert all(set(item) >= extra for item in items.values())
    assert not file.exists()


def test_a_record_that_does_not_fit_its_schema_is_refused_with_its_line(
    tmp_path: Path, filed: Filed, tables: Tables
) -> None:
    table = tables.create(key=(("id", "N"),))
    file = filed.ours([{"id": 1, "v": 1}, {"id": 2, "v": "two"}])
    config = {"batch_root": str(filed.root), "validate_records": True}
    loaded = run(tmp_path, tables.engine, [SCHEMA, batch(STREAM, file)], table_name=table, **config)
    assert loaded.process.returncode == 1
    [error] = loaded.errors()
    assert "does not fit its SCHEMA" in error
    assert f"line 2 of file {file}" in error
    assert file.exists()


def test_the_folder_of_a_run_goes_with_its_last_file(
    tmp_path: Path, filed: Filed, tables: Tables
) -> None:
    table = tables.create(key=(("id", "N"),))
    files = [filed.ours(numbered(range(n, n + 5))) for n in (0, 5)]
    filed.spool.end()
    assert filed.spool.folder.exists()
    messages = [SCHEMA, batch(STREAM, *files)]
    loaded = run(
        tmp_path, tables.engine, messages, table_name=table, batch_root=str(filed.root), processes=2
    )
    assert loaded.process.returncode == 0, "".join(loaded.log)
    assert len(tables.items(table)) == 10
    assert not filed.spool.folder.exists()
