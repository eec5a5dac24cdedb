"""Pipes: widened, written whole, given up quietly."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import pytest

from dynamodb_core import pipes

if TYPE_CHECKING:
    from pathlib import Path

fcntl = pytest.importorskip("fcntl")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a program size its pipes")
def test_a_pipe_is_widened_and_what_is_none_is_left_alone(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pipes.widen(reading)
    assert fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) == pipes.PIPE_BYTES
    os.close(reading)
    os.close(writing)
    with (tmp_path / "file").open("wb") as file:
        pipes.widen(file.fileno())


class Interrupted(io.RawIOBase):
    """A stream that takes three bytes at a time, as an unbuffered one does when a signal comes."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: object, /) -> int:
        part = bytes(data)[:3]  # type: ignore[call-overload]
        self.taken += part
        return len(part)


def test_a_write_that_a_signal_ends_in_its_middle_is_gone_on_with() -> None:
    stream = Interrupted()
    pipes.write_all(stream, b"a whole line\n")  # type: ignore[arg-type]
    assert stream.taken == b"a whole line\n"


def test_a_stream_that_is_given_up_takes_whatever_comes() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        pipes.give_up(stream)
        stream.write("nobody reads this")
