from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib.messages import (
    ActivateVersionMessage,
    RecordMessage,
    SchemaMessage,
    StateMessage,
)

from dynamodb_core.pipes import PIPE_BYTES, widen
from tap_dynamodb.emit import Emitter, TargetGone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATE = StateMessage(value={"bookmarks": {}})


def record(**values: Any) -> RecordMessage:
    return RecordMessage(stream="t", record=values)


class Raw(io.RawIOBase):
    """Keeps what reaches the system, write by write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data))
        return len(data)


@contextlib.contextmanager
def stdout(raw: io.RawIOBase) -> Iterator[None]:
    """Let stdout be buffered over `raw`."""
    out = io.TextIOWrapper(io.BufferedWriter(raw, 1 << 16))
    with contextlib.redirect_stdout(out):
        yield
    out.flush()


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, Any]]:
    """Let stdout be a pipe; yield its reading end and stdout."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, contextlib.redirect_stdout(out):
        yield reading, out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (12345678901234567890123456789012345678, "12345678901234567890123456789012345678"),
        (Decimal("1E-130"), "1E-130"),
        (Decimal("0.12345678901234567890123456789012345678"), None),
        (Decimal("9.9999999999999999999999999999999999999E+125"), None),
        (Decimal("-0.10"), "-0.10"),
        ("\x00\u2028é", None),
        (None, "null"),
        ({"a/b": [True, {}]}, '{"a/b":[true,{}]}'),
    ],
)
def test_values_are_exact(value: Any, text: str | None) -> None:
    line = Emitter().serialize_message(record(v=value))
    assert json.loads(line, parse_float=Decimal)["record"]["v"] == value
    if text is None and isinstance(value, Decimal):
        text = str(value)
    if text is not None:
        assert f'"v":{text}}}'.encode() in line


def test_records_are_gathered_and_the_other_messages_push_them_out() -> None:
    emitter, raw = Emitter(), Raw()
    with stdout(raw):
        emitter.write_message(record(n=1))
        emitter.write_message(record(n=2))
        assert raw.writes == []
        emitter.write_message(STATE)
        assert b"".join(raw.writes).count(b"\n") == 3


@pytest.mark.parametrize(
    "message",
    [
        STATE,
        SchemaMessage(stream="t", schema={"properties": {}}, key_properties=["id"]),
        ActivateVersionMessage(stream="t", version=1),
    ],
    ids=lambda message: message.type.value,
)
def test_nothing_waits_behind_a_message_that_is_no_record(message: Any) -> None:
    emitter, raw = Emitter(), Raw()
    with stdout(raw):
        emitter.write_message(message)
        assert json.loads(b"".join(raw.writes))["type"] == message.type.value


def test_messages_and_blocks_leave_in_the_order_of_their_writing() -> None:
    emitter, raw = Emitter(), Raw()
    with stdout(raw):
        emitter.write_message(record(n=1))
        emitter.write_lines(b'{"n":2}\n{"n":3}\n')
        assert b"".join(raw.writes).endswith(b'{"n":3}\n')
        emitter.write_message(record(n=4))
    lines = b"".join(raw.writes).splitlines()
    assert [json.loads(line).get("record", json.loads(line))["n"] for line in lines] == [1, 2, 3, 4]


def test_a_large_block_leaves_in_few_writes() -> None:
    emitter, raw = Emitter(), Raw()
    block = b"".join(b'{"n":%d}\n' % n for n in range(100_000))
    with stdout(raw):
        emitter.write_lines(block)
    assert b"".join(raw.writes) == block
    assert len(raw.writes) <= 2


def test_it_says_while_a_write_is_under_way_and_when_it_is_done() -> None:
    emitter, seen = Emitter(), []

    class Watching(Raw):
        def write(self, data: Any) -> int:
            seen.append(("write", emitter.writing))
            return super().write(data)

    emitter.written = lambda: seen.append(("done", emitter.writing))
    with stdout(Watching()):
        emitter.write_message(STATE)
        emitter.write_lines(b"{}\n")
    assert seen == [("write", True), ("done", False)] * 2


def test_stdout_is_looked_up_at_each_write() -> None:
    emitter, one, two = Emitter(), Raw(), Raw()
    with stdout(one):
        emitter.write_message(STATE)
    with stdout(two):
        emitter.write_message(STATE)
    assert one.writes == two.writes != []


@pytest.mark.parametrize("lines", [b'{"n":1}\n', b'{"n":1}\n' * 100_000])
def test_a_closed_pipe_is_an_error_that_names_the_target(lines: bytes) -> None:
    emitter = Emitter()
    with pipe() as (reading, _):
        os.close(reading)
        with pytest.raises(TargetGone, match="target ended") as raised:
            emitter.write_lines(lines)
        assert "last state" in raised.value.hint


def test_after_a_closed_pipe_what_python_still_flushes_goes_nowhere() -> None:
    emitter = Emitter()
    with pipe() as (reading, out):
        os.close(reading)
        with pytest.raises(TargetGone):
            emitter.write_message(STATE)
        out.write("more")
        out.flush()


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="pipes of this system have one size")
def test_the_pipe_to_the_target_is_widened_at_the_first_write() -> None:
    emitter = Emitter()
    with pipe() as (reading, _):
        before = fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ)
        emitter.write_message(STATE)
        assert before < fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ) == PIPE_BYTES
        os.close(reading)


def test_what_is_no_pipe_is_left_as_it_is(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        widen(file.fileno())
        file.write(b"x")
    assert (tmp_path / "out").read_bytes() == b"x"
