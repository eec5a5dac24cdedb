"""STATE is handed on when, and only when, everything before it is acknowledged."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ServiceError
from target_dynamodb.target import TargetDynamoDB
from tests.engines.scripted import ScriptedTable, ScriptedWire
from tests.unit.test_target_destinations import Service

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = {
    "type": "SCHEMA",
    "stream": "orders",
    "schema": {"properties": {"id": {"type": "integer"}, "v": {"type": "integer"}}},
    "key_properties": ["id"],
}


def record(number: int, **values: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": "orders", "record": {"id": number, **values}}


def state(value: Any) -> dict[str, Any]:
    return {"type": "STATE", "value": value}


def lines(*messages: Any) -> Any:
    return io.BytesIO(b"".join(json.dumps(message).encode() + b"\n" for message in messages))


def target(
    table: Callable[[str, dict[str, Any]], Any], **config: Any
) -> tuple[TargetDynamoDB, ScriptedWire]:
    service = Service(orders={"id": "N"})

    def answer(operation: str, request: dict[str, Any]) -> Any:
        return (
            table(operation, request)
            if operation == "BatchWriteItem"
            else service(operation, request)
        )

    made = TargetDynamoDB(config=config)
    wire = ScriptedWire(answer)
    made.wire = wire
    return made, wire


def values(table: ScriptedTable) -> dict[str, str]:
    return {item["id"]["N"]: item["v"]["N"] for item in table.items.values()}


def test_numbers_in_state_keep_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = target(ScriptedTable("orders", (("id", "N"),)))
    exact = '{"a":1.50,"b":123456789012345678901234567890,"c":[1E-130,"é",null,true]}'
    text = f'{{"type":"STATE","value":{exact}}}\n'
    made.load(io.BytesIO(text.encode()))  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert json.loads(printed, parse_float=str) == json.loads(exact, parse_float=str)


def test_an_unchanged_state_is_handed_on_once_and_an_empty_one_never(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, _ = target(ScriptedTable("orders", (("id", "N"),)))
    made.load(lines(state({"a": 1}), SCHEMA, record(1, v=1), state({"a": 1})))
    made, _ = target(ScriptedTable("orders", (("id", "N"),)))
    made.load(lines(state({})))
    assert capsys.readouterr().out == '{"a":1}\n'


def test_no_state_is_handed_on_when_a_write_fails(capsys: pytest.CaptureFixture[str]) -> None:
    failure = ServiceError("DynamoDB is down", "Run again", code="InternalServerError")
    made, _ = target(lambda *_: failure)
    with pytest.raises(ServiceError, match="down"):
        made.load(lines(SCHEMA, record(1, v=1), state({"at": 1})))
    assert capsys.readouterr().out == ""


def test_state_waits_for_the_acknowledgement(capsys: pytest.CaptureFixture[str]) -> None:
    asked, release = threading.Event(), threading.Event()
    table = ScriptedTable("orders", (("id", "N"),))

    def held(operation: str, request: dict[str, Any]) -> Any:
        asked.set()
        assert release.wait(10)
        return table(operation, request)

    made, _ = target(held)
    load = threading.Thread(
        target=made.load, args=[lines(SCHEMA, record(1, v=1), state({"at": 1}))]
    )
    load.start()
    assert asked.wait(10)
    assert capsys.readouterr().out == ""
    release.set()
    load.join(10)
    assert capsys.readouterr().out == '{"at":1}\n'
    assert values(table) == {"1": "1"}


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_writes_is_kept_over_changed_schemas_and_retries(seed: int) -> None:
    table = ScriptedTable("orders", (("id", "N"),), seed=seed, kept=0.95, held=0.3)
    messages: list[dict[str, Any]] = [SCHEMA]
    for round_ in range(6):
        messages += [record(number, v=round_ * 100 + number) for number in range(40)]
        properties = {**SCHEMA["schema"]["properties"], f"late{round_}": {"type": "string"}}  # type: ignore[index]
        messages.append({**SCHEMA, "schema": {"properties": properties}})
        messages.append({"type": "ACTIVATE_VERSION", "stream": "orders", "version": round_})
    messages.append(record(7, v=-1))
    made, _ = target(table)
    made.load(lines(*messages))
    assert table.violations == []
    assert values(table) == {str(n): str(500 + n if n != 7 else -1) for n in range(40)}


def test_a_deletion_and_a_put_of_one_key_keep_their_order() -> None:
    table = ScriptedTable("orders", (("id", "N"),))
    gone = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    made, _ = target(table)
    made.load(lines(SCHEMA, record(1, v=1), record(1, **gone), record(2, **gone), record(2, v=2)))
    assert values(table) == {"2": "2"}


def test_stream_maps_rename_filter_and_copy(capsys: pytest.CaptureFixture[str]) -> None:
    table = ScriptedTable("orders", (("id", "N"),))
    maps = {"orders": {"v": "v * 10", "__filter__": "v != 3"}}
    made, _ = target(table, stream_maps=maps)
    made.load(lines(SCHEMA, *(record(n, v=n) for n in range(5)), state({"at": 5})))
    assert values(table) == {"0": "0", "1": "10", "2": "20", "4": "40"}
    assert capsys.readouterr().out == '{"at":5}\n'


def test_a_stream_that_a_map_removes_opens_no_table() -> None:
    made, wire = target(ScriptedTable("orders", (("id", "N"),)), stream_maps={"orders": None})
    made.load(lines(SCHEMA, record(1, v=1), state({"at": 1})))
    assert wire.operations() == []


@pytest.mark.parametrize(
    ("config", "extra"),
    [
        ({"validate_records": True}, set()),
        ({"batch_size_rows": 2}, set()),
        ({"flattening_enabled": True, "flattening_max_depth": 3}, set()),
        ({"add_record_metadata": True}, {"_sdc_received_at", "_sdc_batched_at", "_sdc_sequence"}),
    ],
)
def test_the_way_through_the_sdk_writes_the_same(config: dict[str, Any], extra: set[str]) -> None:
    table = ScriptedTable("orders", (("id", "N"),))
    made, _ = target(table, **config)
    made.load(lines(SCHEMA, *(record(n, v=n) for n in range(5))))
    assert values(table) == {str(n): str(n) for n in range(5)}
    for item in table.items.values():
        assert set(item) >= {"id", "v"} | extra
        assert "_sdc_deleted_at" not in item


def test_every_record_is_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    made, _ = target(ScriptedTable("orders", (("id", "N"),)))
    changed = {**SCHEMA, "schema": {"properties": {"id": {"type": "integer"}}}}
    made.load(lines(SCHEMA, *(record(n, v=n) for n in range(7)), changed, record(8, v=8)))
    points: list[Any] = [r.args for r in caplog.records if "METRIC" in r.msg and r.args]
    counts = [point[0].value for point in points]
    assert sum(value for value in counts if isinstance(value, int)) == 8
    assert "Written: 8 items" in caplog.text
