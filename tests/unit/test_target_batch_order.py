"""What comes after files of a table waits for them, message by message; and they wait for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from target_dynamodb.loader import Outcome
from target_dynamodb.sinks import DynamoDBSink
from tests.engines.filed import Filed, batch
from tests.engines.scripted import ScriptedTable
from tests.unit.test_target_state import SCHEMA, lines, record, state, target

if TYPE_CHECKING:
    from pathlib import Path

CHANGED = {**SCHEMA, "schema": {"properties": {"id": {"type": "integer"}}}}
OTHER_KEY = {"rename": {"id": "was", "v": "id"}, "partition_key": "id", "sort_key": ""}


class Slow:
    """Takes the place of worker processes: a file is done when somebody waits for it, and not before."""

    happened: list[str]
    wrote: threading.Event

    def __init__(self, _aws: Any, budgets: Any, **_more: Any) -> None:
        self.tables = frozenset(budgets)
        self._given: list[int] = []

    @property
    def full(self) -> bool:
        return len(self._given) >= 4

    def load(self, number: int, file: Any, way: Any) -> None:
        self.happened.append(f"file {number} begins")
        self._given.append(number)

    def receive(self, timeout: float) -> Outcome | None:
        if not timeout or not self._given:
            return None
        self.wrote.wait(timeout)  # what does not wait for the file would be written now
        number = self._given.pop(0)
        self.happened.append(f"file {number} ends")
        return Outcome(number, 10)

    def stop(self) -> None:
        raise AssertionError

    def close(self) -> None:
        assert not self._given


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    noted: list[str] = []
    monkeypatch.setattr(Slow, "happened", noted, raising=False)
    monkeypatch.setattr(Slow, "wrote", threading.Event(), raising=False)
    monkeypatch.setattr("target_dynamodb.team.Team", Slow)
    opened = DynamoDBSink.open

    def noting(sink: DynamoDBSink, *more: Any) -> None:
        noted.append("schema")
        opened(sink, *more)

    monkeypatch.setattr(DynamoDBSink, "open", noting)
    return noted


@pytest.fixture
def filed(tmp_path: Path) -> Filed:
    return Filed(tmp_path)


def load(filed: Filed, happened: list[str], *messages: Any) -> list[str]:
    table = ScriptedTable("orders", (("id", "N"),))

    def noting(operation: str, request: dict[str, Any]) -> Any:
        happened.append("write")
        Slow.wrote.set()
        return table(operation, request)

    made, _ = target(noting, batch_root=str(filed.root), processes=2)
    made.load(lines(SCHEMA, *messages))
    return happened


def file(filed: Filed, **more: Any) -> dict[str, Any]:
    return batch("orders", filed.ours([{"id": 1, "v": 1}]), **more)


def test_files_go_side_by_side_and_end_before_the_target_does(
    filed: Filed, happened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ways = load(filed, happened, file(filed), file(filed), state({"at": 2}))
    assert ways == [
        *("schema", "file 0 begins", "file 1 begins"),
        *("file 0 ends", "file 1 ends"),
    ]
    assert capsys.readouterr().out == '{"at":2}\n'


@pytest.mark.parametrize(
    ("message", "then"),
    [
        ([record(n, v=n) for n in range(25)], "write"),  # as many as a request takes
        ([CHANGED], "schema"),
    ],
)
def test_lines_and_schemas_wait_for_files(
    filed: Filed, happened: list[str], message: list[dict[str, Any]], then: str
) -> None:
    ways = load(filed, happened, file(filed), *message)
    assert ways == ["schema", "file 0 begins", "file 0 ends", then]


def test_files_wait_for_lines(filed: Filed, happened: list[str]) -> None:
    ways = load(filed, happened, record(1, v=1), file(filed), record(2, v=2), record(3, v=3))
    assert ways == [
        *("schema", "write", "file 0 begins"),
        *("file 0 ends", "write"),
    ]


def test_files_that_may_share_keys_wait_for_those_that_do_not(
    filed: Filed, happened: list[str]
) -> None:
    ways = load(filed, happened, file(filed), file(filed, distinct=False), file(filed))
    assert ways == [
        *("schema", "file 0 begins", "file 0 ends"),
        *("write", "file 2 begins", "file 2 ends"),
    ]


def test_a_version_waits_for_files(
    filed: Filed, happened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    version = {"type": "ACTIVATE_VERSION", "stream": "orders", "version": 1}
    ways = load(filed, happened, file(filed), state({"at": 1}), version, file(filed))
    assert ways == [
        *("schema", "file 0 begins", "file 0 ends"),
        *("file 1 begins", "file 1 ends"),
    ]
    assert capsys.readouterr().out == '{"at":1}\n'


@pytest.mark.parametrize(
    "config",
    [
        {"validate_records": True},
        {"stream_maps": {"orders": {"v": "v + 1"}}},
        # Two files may hold one key, though no key property is in two of them.
        {"stream_options": {"orders": OTHER_KEY}},
        {"stream_options": {"orders": {"defaults": {"id": 0}}}},
    ],
)
def test_what_asks_for_the_sdk_or_another_key_is_loaded_here(
    filed: Filed, happened: list[str], config: dict[str, Any]
) -> None:
    made, wire = target(
        ScriptedTable("orders", (("id", "N"),)), batch_root=str(filed.root), processes=2, **config
    )
    made.load(lines(SCHEMA, file(filed)))
    assert "file 0 begins" not in happened
    assert wire.operations().count("BatchWriteItem") == 1


def test_a_stream_without_keys_of_its_own_is_loaded_here(filed: Filed, happened: list[str]) -> None:
    load(filed, happened, {**SCHEMA, "key_properties": []}, file(filed))
    assert "file 0 begins" not in happened


def test_where_processes_cannot_share_anything_there_is_one(
    filed: Filed, happened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynamodb_core.processes.can_share", lambda: False)
    load(filed, happened, file(filed))
    assert happened == ["schema", "write"]
