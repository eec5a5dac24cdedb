"""Bytes from files and pipes."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING

from target_dynamodb.intake import Intake

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"one\ntwo\n" * 100_000


def on() -> bool:
    return True


def test_a_file_arrives_whole_in_big_chunks(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        chunks = list(Intake(file, on_idle=on))
    assert b"".join(chunks) == DATA
    assert len(chunks) < 10
    with path.open() as text:
        assert b"".join(Intake(text, on_idle=on)) == DATA


def test_a_file_without_a_descriptor_arrives_too() -> None:
    assert b"".join(Intake(io.BytesIO(DATA), on_idle=on)) == DATA
    assert b"".join(Intake(io.StringIO("é\n"), on_idle=on)) == "é\n".encode()


def test_a_pipe_arrives_beside_the_main_thread_as_well() -> None:
    reading, writing = os.pipe()
    arrived: list[bytes] = []
    with os.fdopen(reading, "rb") as pipe:
        thread = threading.Thread(target=lambda: arrived.extend(Intake(pipe, on_idle=on)))
        thread.start()
        with os.fdopen(writing, "wb") as other_end:
            other_end.write(DATA)
        thread.join(10)
    assert b"".join(arrived) == DATA


def test_silence_can_end_the_reading() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        assert list(Intake(pipe, on_idle=lambda: False)) == []
    os.close(writing)
