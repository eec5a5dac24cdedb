from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from demo import engine as ministack
from demo import load
from demo.compare import compare_tables, main
from demo.items import SHAPES, Shape, tricky
from demo.server import EngineError, answers, free_port, start, stop, wait_until_it_answers
from demo.wire import Wire, WireError

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.table)
def test_a_plain_copy_compares_identical(
    shape: Shape, tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [item for _, item in tricky(shape)]
    source = tables.create(items, key=shape.key)
    target = tables.create(key=shape.key)
    assert load.copy(tables.wire, source, target) == len(items)
    code = main(["--endpoint", tables.engine.endpoint_url, source, target])
    assert capsys.readouterr().out == f"identical: {len(items)} items\n"
    assert code == 0


def test_a_difference_is_named_and_gives_exit_code_1(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tables.create([{"id": {"S": "a"}, "tags": {"SS": ["x"]}}, {"id": {"S": "b"}}])
    target = tables.create([{"id": {"S": "a"}, "tags": {"L": [{"S": "x"}]}}])
    code = main(["--endpoint", tables.engine.endpoint_url, source, target])
    assert capsys.readouterr().out.splitlines() == [
        "different: 2 differences, 2 items in the source, 1 in the target",
        "  item id='a' at ['tags']: source has {'SS': ['x']}, target has {'L': [{'S': 'x'}]}",
        "  item id='b': source has the item, target has nothing",
    ]
    assert code == 1


def test_tables_with_different_keys_differ(tables: Tables) -> None:
    source = tables.create([{"id": {"S": "a"}}])
    target = tables.create(key=(("id", "N"),))
    assert not compare_tables(tables.wire, source, tables.wire, target).identical


def test_a_scan_goes_on_over_pages_of_a_megabyte(tables: Tables) -> None:
    items = [{"id": {"S": f"{n}"}, "text": {"S": "x" * 300_000}} for n in range(9)]
    name = tables.create(items)
    assert "LastEvaluatedKey" in tables.wire.call("Scan", {"TableName": name})
    assert sorted(item["id"]["S"] for item in tables.items(name)) == [f"{n}" for n in range(9)]


def test_the_wire_says_what_was_refused(tables: Tables) -> None:
    with pytest.raises(WireError, match="ResourceNotFoundException") as refusal:
        tables.wire.describe("no_such_table")
    assert refusal.value.code == "ResourceNotFoundException"


def test_accounts_have_tables_of_their_own(tables: Tables, account: Engine) -> None:
    tables.create()
    other = Wire.of(account)
    assert other.call("ListTables", {})["TableNames"] == []
    other.close()


def test_an_engine_starts_on_a_free_port_and_stops() -> None:
    with ministack.running() as running:
        port = int(running.endpoint_url.rpartition(":")[2])
        assert answers(port, "/_ministack/health")
    assert not answers(port, "/_ministack/health")


def test_a_server_that_ends_at_once_is_reported(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start([sys.executable, "-c", "raise SystemExit('no room')"], log, os.environ)
    with pytest.raises(EngineError, match="no room"):
        wait_until_it_answers(process, free_port(), "/", log)


def test_a_server_that_ignores_sigterm_is_stopped(tmp_path: Path) -> None:
    script = (
        "import signal, http.server as h; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"h.HTTPServer(('127.0.0.1', {(port := free_port())}), h.SimpleHTTPRequestHandler).serve_forever()"
    )
    process = start([sys.executable, "-c", script], tmp_path / "log", os.environ)
    wait_until_it_answers(process, port, "/", tmp_path / "log")
    stop(process, patience=0.1)
    assert process.returncode == -signal.SIGKILL


def test_the_background_engine_is_started_found_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ministack.install()
    monkeypatch.setattr(ministack, "_RECORD", tmp_path / "engine.json")
    monkeypatch.setattr(ministack, "_LOG", tmp_path / "engine.log")
    port = free_port()
    assert ministack.main(["status"]) == 1
    try:
        assert ministack.main(["start", "--port", str(port)]) == 0
        assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in capsys.readouterr().out
        assert ministack.main(["start"]) == 0
        assert f"http://127.0.0.1:{port}" in capsys.readouterr().out
        assert ministack.main(["status"]) == 0
    finally:
        assert ministack.main(["stop"]) == 0
    assert not answers(port, "/")
    assert ministack.main(["stop"]) == 0
    assert "No engine was running" in capsys.readouterr().out


def test_a_record_of_another_process_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = tmp_path / "engine.json"
    record.write_text(f'{{"pid": {bystander.pid}, "endpoint_url": "http://127.0.0.1:1"}}')
    monkeypatch.setattr(ministack, "_RECORD", record)
    assert not ministack.stop_in_background()
    assert bystander.poll() is None
    bystander.communicate(b"\n", timeout=10)
    assert bystander.returncode == 0


def test_a_port_that_is_taken_is_refused(
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ministack, "_RECORD", tmp_path / "engine.json")
    assert ministack.main(["start", "--port", engine.endpoint_url.rpartition(":")[2]]) == 1
    assert "taken by something else" in capsys.readouterr().err
