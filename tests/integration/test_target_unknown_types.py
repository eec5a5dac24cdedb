"""Messages of types that the target does not know are passed over, whatever road the records take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.target_process import record, run, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables

SCHEMA = schema("orders", {"id": {"type": "string"}, "n": {"type": "integer"}})
EXTRA = {"type": "EXTRA", "stream": "orders", "record": {"id": "extra"}}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"processes": 2},
        {"stream_maps": {"orders": {"n": "n + 1"}}},
        {"on_error": "dead_letter", "dead_letter": "rejects.jsonl"},
    ],
    ids=["fast", "processes", "mapped", "dead letters"],
)
def test_what_is_not_known_is_passed_over(
    tables: Tables, tmp_path: Path, config: dict[str, Any]
) -> None:
    table = tables.create()
    before = {"type": "BEFORE", "schema": "no schema at all"}
    told = [before, SCHEMA]
    for n in range(50):
        told += [record("orders", {"id": f"{n}", "n": n}), EXTRA]
    told.append(state({"at": 1}))
    target = run(tmp_path, tables.engine, told, table_name=table, **config)
    assert target.process.returncode == 0, target.log
    assert target.states == [{"at": 1}]
    more = 1 if "stream_maps" in config else 0
    expected = {f"{n}": f"{n + more}" for n in range(50)}
    assert {item["id"]["S"]: item["n"]["N"] for item in tables.items(table)} == expected
    warned = [line for line in target.log if "WARNING" in line and "does not know" in line]
    assert len(warned) == 2
    assert "Line 1 of the input is a message of the type BEFORE" in warned[0]
    assert "Line 4 of the input is a message of the type EXTRA" in warned[1]
    assert any("passed over: 1 of type BEFORE, 50 of type EXTRA" in line for line in target.log)
    assert not (tmp_path / "rejects.jsonl").exists()
