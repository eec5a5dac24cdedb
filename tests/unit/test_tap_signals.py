"""What a signal does to a tap, at each moment that a process can only be sent one by chance."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib.messages import StateMessage

from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import Output, make, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamodb.tap import TapDynamoDB

CONFIG = {"tables": ["*"], "item_format": "dynamodb_json", "segments": 2, "scan_workers": 1}
TERM, INT = 128 + signal.SIGTERM, 128 + signal.SIGINT


def account(*tables: str, **more: Any) -> Account:
    items = [{"id": {"S": str(n)}} for n in range(6)]
    return Account({name: ScannedTable(items, page=1) for name in tables}, **more)


class Raw(io.RawIOBase):
    """A pipe to a target; a signal may come in the middle of a write."""

    def __init__(self) -> None:
        self.data = b""
        self.halfway: Callable[[], object] = lambda: None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        half = len(data) // 2
        self.data += bytes(data[:half])
        self.halfway()
        self.data += bytes(data[half:])
        return len(data)


def ended(tap: TapDynamoDB, raw: Raw) -> tuple[Output, int]:
    """Sync until a signal ends it; return what was written and the exit code."""
    with (
        contextlib.redirect_stdout(io.TextIOWrapper(io.BufferedWriter(raw, 1 << 20))),
        pytest.raises(SystemExit) as left,
    ):
        tap.sync_all()
    assert raw.data.endswith(b"\n")
    assert isinstance(left.value.code, int)
    return Output(parse(raw.data)), left.value.code


def test_while_nothing_goes_on_it_leaves_at_once() -> None:
    tap = make(account("t").wire, CONFIG)
    with pytest.raises(SystemExit) as left:
        tap._handle_termination(signal.SIGTERM, None)
    assert left.value.code == TERM


def test_in_the_middle_of_a_line_of_the_log_it_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tap, raw = make(account("t").wire, CONFIG), Raw()
    stream = io.TextIOWrapper(io.BufferedWriter(raw), write_through=True)
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(sys, "stderr", stream)  # where logging complains of what goes wrong
    tap.logger.addHandler(handler)
    tap.logger.setLevel(logging.INFO)
    raw.halfway = lambda: tap._handle_termination(signal.SIGTERM, None)
    with tap.streaming():
        tap.logger.warning("Waiting for the loader")
        raw.halfway = lambda: None
        with pytest.raises(SystemExit) as left:
            tap.stop_when_asked(lambda: None)
    tap.logger.removeHandler(handler)
    assert left.value.code == TERM
    assert b"stopping" in raw.data


@pytest.mark.parametrize("kind", ["SCHEMA", "RECORD", "STATE", "ACTIVATE_VERSION"])
def test_in_the_middle_of_a_write_the_line_is_finished(kind: str) -> None:
    tap, raw = make(account("t").wire, {**CONFIG, "emit_activate_version_messages": True}), Raw()
    sent: list[str] = []

    def signal_once() -> None:
        last = raw.data.rpartition(b"\n")[2]
        if last.startswith(f'{{"type":"{kind}"'.encode()) and not sent:
            sent.append(kind)
            tap._handle_termination(signal.SIGTERM, None)

    raw.halfway = signal_once
    output, code = ended(tap, raw)
    assert sent == [kind]
    assert code == TERM
    kinds = [message["type"] for message in output.messages]
    assert kind in kinds
    if kind in ("RECORD", "STATE"):
        assert kinds[-1] == "STATE"


def test_while_a_table_is_read_it_leaves_after_the_block_with_a_true_state() -> None:
    here, raw = account("t"), Raw()
    tap = make(here.wire, CONFIG)
    calls = []

    def third(operation: str, request: dict[str, Any]) -> None:
        calls.append(operation)
        if calls.count("Scan") == 3:
            tap._handle_termination(signal.SIGINT, None)

    here.before = third
    output, code = ended(tap, raw)
    assert code == INT
    assert output.messages[-1]["type"] == "STATE"
    (scan,) = output.state["bookmarks"]["t"]["scan"]
    read = 3 * len(scan["finished"]) if scan["finished"] else 0
    read += sum(int(key["id"]["S"]) // 2 + 1 for _, key in scan["places"])
    assert len(output.records()) == read < 6


def test_a_second_signal_changes_the_code_and_nothing_else() -> None:
    here, raw = account("t"), Raw()
    tap = make(here.wire, CONFIG)

    def both(operation: str, request: dict[str, Any]) -> None:
        if operation == "Scan":
            tap._handle_termination(signal.SIGINT, None)
            tap._handle_termination(signal.SIGTERM, None)

    here.before = both
    output, code = ended(tap, raw)
    assert code == TERM
    assert output.messages[-1]["type"] == "STATE"


def test_between_two_tables_the_state_of_the_first_is_out() -> None:
    here, raw = account("a", "b"), Raw()
    tap = make(here.wire, CONFIG)

    def second(operation: str, request: dict[str, Any]) -> None:
        if operation == "DescribeTable" and request["TableName"] == "b":
            tap._handle_termination(signal.SIGTERM, None)

    here.before = second
    output, code = ended(tap, raw)
    assert code == TERM
    assert len(output.records("a")) == 6
    assert output.records("b") == []
    (scan,) = output.state["bookmarks"]["a"]["scan"]
    assert scan["finished"] == [[0, 1]]


def test_a_state_that_cannot_be_written_does_not_keep_it() -> None:
    tap = make(account("t").wire, CONFIG)

    def gone() -> None:
        raise BrokenPipeError

    with tap.streaming():
        tap._handle_termination(signal.SIGTERM, None)
    with pytest.raises(SystemExit) as left:
        tap.stop_when_asked(gone)
    assert left.value.code == TERM


def test_a_write_that_was_not_interrupted_goes_on() -> None:
    tap, raw = make(account("t").wire, CONFIG), Raw()
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BufferedWriter(raw))):
        tap.write_message(StateMessage(value={"a": 1}))
    assert json.loads(raw.data)["value"] == {"a": 1}
