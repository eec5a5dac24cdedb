"""Records become items on real engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.target_process import record, run, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables

TEXT = {"type": ["null", "string"]}
INTEGER = {"type": "integer"}


def by_key(items: list[dict[str, Any]], key: str = "id") -> dict[str, dict[str, Any]]:
    return {next(iter(item[key].values())): item for item in items}


def test_a_stream_of_any_tap_makes_its_table_and_fills_it(tmp_path: Path, tables: Tables) -> None:
    name = tables.name("people")
    properties = {"id": INTEGER, "name": TEXT, "photo": {**TEXT, "contentEncoding": "base64"}}
    messages = [
        schema("people", properties),
        record("people", {"id": 1, "name": "Ada", "photo": "AAEC", "tags": ["x", None]}),
        record("people", {"id": 2, "name": None, "note": ""}),
        record("people", {"id": 1, "name": "Ada L."}),
        record("people", {"id": 3, "name": "gone soon"}),
        record("people", {"id": 3, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}),
        state({"people": 3}),
    ]
    target = run(tmp_path, tables.engine, messages, table_name=name)
    assert target.process.returncode == 0
    assert target.states == [{"people": 3}]
    assert tables.wire.key_of(name) == (("id", "N"),)
    assert by_key(tables.items(name)) == {
        "1": {"id": {"N": "1"}, "name": {"S": "Ada L."}},
        "2": {"id": {"N": "2"}, "note": {"S": ""}},
    }
    assert any(f"Created table {name} (account" in line for line in target.log)
    assert any("Written: " in line for line in target.log)
    assert any("METRIC" in line and '"record_count","value":5' in line for line in target.log)


def test_a_table_of_our_tap_is_made_with_its_own_key(tmp_path: Path, tables: Tables) -> None:
    name = tables.name()
    source = {
        "name": "orders",
        "arn": "arn:aws:dynamodb:eu-west-1:999999999999:table/orders",
        "key": [{"name": "pk", "type": "B"}, {"name": "sk", "type": "N"}],
        "item_format": "dynamodb_json",
    }
    properties = {"pk": {"x-dynamodb-type": "B"}, "sk": {"x-dynamodb-type": "N"}, "item": {}}
    item = {
        "pk": {"B": "AAEC"},
        "sk": {"N": "7"},
        "M": {"M": {"S": {"S": "x"}, "": {"L": []}}},
        "NULL": {"NULL": True},
        "set": {"NS": ["1", "12345678901234567890123456789012345678"]},
    }
    messages = [
        schema("orders", properties, ("pk", "sk"), source),
        record("orders", {"pk": "AAEC", "sk": 7, "item": item}),
    ]
    target = run(tmp_path, tables.engine, messages, table_names={"orders": name})
    assert target.process.returncode == 0
    assert tables.wire.key_of(name) == (("pk", "B"), ("sk", "N"))
    [copied] = tables.items(name)
    copied["set"]["NS"].sort()
    assert copied == item
    assert any("the items are copied; its backups" in line for line in target.log)


@pytest.mark.parametrize("engine_name", ["tables", "reference_tables"])
def test_every_spelling_of_a_numeric_key_is_one_item(
    tmp_path: Path, engine_name: str, request: pytest.FixtureRequest
) -> None:
    made: Tables = request.getfixturevalue(engine_name)
    table = made.create(key=(("id", "N"),))
    lines = [
        f'{{"type":"RECORD","stream":"s","record":{{"id":{spelled},"at":{at}}}}}\n'
        for at, spelled in enumerate(
            ("1E2", "100", "100.0", "-0", "0", "0.50", "5e-1", "1E-130", "9.9E+125", "1E30")
        )
    ]
    gone = '{"type":"RECORD","stream":"s","record":{"id":5.0E-1,"_sdc_deleted_at":"now"}}\n'
    messages: list[Any] = [schema("s", {"id": {"type": "number"}}), *lines, gone]
    target = run(tmp_path, made.engine, messages, table_name=table)
    assert target.process.returncode == 0, target.log
    at = sorted(int(item["at"]["N"]) for item in made.items(table))
    assert at == [2, 4, 7, 8, 9]


def test_a_late_attribute_comes_with_a_changed_schema(tmp_path: Path, tables: Tables) -> None:
    name = tables.create(key=(("id", "N"),))
    messages = [
        schema("s", {"id": INTEGER}),
        *(record("s", {"id": n}) for n in range(60)),
        schema("s", {"id": INTEGER, "late": {**TEXT, "contentEncoding": "base64"}}),
        *(record("s", {"id": n, "late": "AAEC"}) for n in range(30, 90)),
        state({"done": 90}),
    ]
    target = run(tmp_path, tables.engine, messages, table_name=name)
    assert target.process.returncode == 0
    items = by_key(tables.items(name))
    assert len(items) == 90
    late = {int(key) for key, item in items.items() if item.get("late") == {"B": "AAEC"}}
    assert late == set(range(30, 90))
