"""Messages between processes: pickled, but for large bytes, which travel beside the pickle.

What pickles some bytes as `pickle.PickleBuffer` has them written from where they are, and read into
the very object that the other process gets: pickled along they would be copied four times more.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from typing import Any, Protocol

PROTOCOL = 5
"""The first protocol of pickle that lets bytes travel apart."""

LEAST_APART = 1 << 14
"""Bytes from which on it pays to let them travel apart."""


class End(Protocol):
    """One end of a pipe between two processes, as `multiprocessing` has it."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...

    def send_bytes(self, buf: Any, /) -> None:
        """Send some bytes as one message."""
        ...

    def recv_bytes(self) -> bytes:
        """Return the bytes of the next message."""
        ...


def apart(data: bytes) -> bytes | pickle.PickleBuffer:
    """Return what to put into a pickle of `PROTOCOL` for some bytes.

    Args:
        data: The bytes. Loaded again, they are bytes.
    """
    return pickle.PickleBuffer(data) if len(data) >= LEAST_APART else data


class Frame:
    """A message that is ready to be sent.

    Args:
        message: Anything that can be pickled.
    """

    def __init__(self, message: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        data = pickle.dumps(message, PROTOCOL, buffer_callback=buffers.append)
        self._apart = [buffer.raw() for buffer in buffers]
        sizes = [each.nbytes for each in self._apart]
        self._head = struct.pack(f"!I{len(sizes)}Q", len(sizes), *sizes) + data

    def send(self, to: End) -> None:
        """Send it; no other thread may send meanwhile.

        Raises:
            OSError: Nobody is there any more.
        """
        to.send_bytes(self._head)
        for each in self._apart:
            _write(to, each)


def receive(source: End) -> Any:
    """Return the next message; waits for it.

    Raises:
        EOFError: The other end was closed before or in the middle of it.
        OSError: Likewise.
    """
    head = memoryview(source.recv_bytes())
    (count,) = struct.unpack_from("!I", head)
    sizes = struct.unpack_from(f"!{count}Q", head, 4)
    buffers = [_read(source, size) for size in sizes]
    return pickle.loads(head[4 + 8 * count :], buffers=buffers)  # noqa: S301 - of our own making


if sys.platform == "win32":

    def _write(to: End, data: memoryview) -> None:
        to.send_bytes(data)

    def _read(source: End, size: int) -> bytes:
        del size
        return source.recv_bytes()

else:

    def _write(to: End, data: memoryview) -> None:
        with io.FileIO(to.fileno(), "w", closefd=False) as pipe:
            while data:
                data = data[pipe.write(data) :]

    def _read(source: End, size: int) -> bytes:
        # With a buffer of 1 byte it reads straight into the bytes that it returns, and none beyond.
        with (
            io.FileIO(source.fileno(), closefd=False) as pipe,
            io.BufferedReader(pipe, buffer_size=1) as whole,
        ):
            data = whole.read(size)
        if len(data) < size:
            raise EOFError
        return data
