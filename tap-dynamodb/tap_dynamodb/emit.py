"""The only owner of stdout: messages and finished blocks of lines, in order, in few writes."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.io_base import GenericSingerWriter, SingerMessageType
from singer_sdk.singerlib.messages import Message

from dynamodb_core import pipes
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO


class TargetGone(Error):
    """Whoever reads our stdout has closed it."""


class Emitter(GenericSingerWriter[bytes, Message]):
    """Writes to stdout, which is looked up at each write, since tests redirect it.

    Attributes:
        writing: Whether a write is under way, which a signal must not tear.
        written: Called after each write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writing = False
        self.written: Callable[[], None] = lambda: None
        self._encode = msgspec.json.Encoder(decimal_format="number").encode
        self._widened: BinaryIO | None = None

    def serialize_message(self, message: Message) -> bytes:
        """Return a message as JSON; numbers stay exact."""
        return self._encode(message.to_dict())

    def write_message(self, message: Message) -> None:
        """Write a message. All but RECORD are flushed, so that nothing waits behind them.

        Args:
            message: The message.

        Raises:
            TargetGone: The reader has closed the pipe.
        """
        flush = message.type is not SingerMessageType.RECORD
        self._write(self.serialize_message(message) + b"\n", flush=flush)

    def write_lines(self, lines: bytes) -> None:
        """Write finished lines at once.

        Args:
            lines: Messages as JSON, each ending with a newline.

        Raises:
            TargetGone: The reader has closed the pipe.
        """
        self._write(lines, flush=True)

    def _write(self, data: bytes, *, flush: bool) -> None:
        out: Any = sys.stdout.buffer
        if out is not self._widened:
            self._widened = out
            with contextlib.suppress(OSError):  # a test's stdout has no descriptor
                pipes.widen(out.fileno())
        self.writing = True
        try:
            pipes.write_all(out, data)
            if flush:
                out.flush()
        except BrokenPipeError as error:
            pipes.give_up(sys.stdout)
            raise TargetGone(
                "The target ended while there were records for it",
                "See the target's own message; run again with the last state to go on",
            ) from error
        finally:
            self.writing = False
        self.written()
