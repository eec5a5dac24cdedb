"""Bytes from a file or a pipe, in big chunks, without sleeping through silence or a signal."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from dynamodb_core import pipes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK_BYTES = 1 << 20
IDLE_SECONDS = 1.0
"""Silence after which `on_idle` is called, and the time between two calls of it."""


class Intake:
    """The chunks of an input, as they arrive.

    Args:
        file: A file of bytes or text. Where it has a descriptor, this is read directly; else the
            file is read line by line, and silence cannot be noticed.
        on_idle: Called while nothing arrives, and when a signal does; returns whether to read on.
    """

    def __init__(self, file: IO[Any], *, on_idle: Callable[[], bool]) -> None:
        self._file = file
        self._on_idle = on_idle

    def __iter__(self) -> Iterator[bytes]:
        try:
            descriptor = self._file.fileno()
        except (AttributeError, io.UnsupportedOperation):
            for line in self._file:
                yield line.encode() if isinstance(line, str) else line
            return
        pipes.widen(descriptor)
        with wake_up() as woken:
            while self._ready(descriptor, woken):
                chunk = os.read(descriptor, CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    def _ready(self, descriptor: int, woken: int | None) -> bool:
        """Wait for input; return False when there is to be no more reading."""
        if sys.platform == "win32":  # select knows no pipes there
            return True
        watched = [descriptor] if woken is None else [descriptor, woken]
        while True:
            ready, _, _ = select.select(watched, [], [], IDLE_SECONDS)
            if woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, CHUNK_BYTES)
            elif ready:
                return True
            if not self._on_idle():
                return False


@contextlib.contextmanager
def wake_up() -> Iterator[int | None]:
    """Yield a descriptor that becomes readable when a signal arrives.

    Without it a wait for input is taken up again after a signal, and may last for ever. None where
    signals cannot be noticed: beside the main thread, or on Windows.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield None
        return
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
