"""The only owner of stdout: messages and finished blocks of lines, in order, in few writes."""

from __future__ import annotations

import contextlib
import select
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.io_base import GenericSingerWriter, SingerMessageType
from singer_sdk.singerlib.messages import Message

from dynamodb_core import pipes
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO


class TargetGone(Error):
    """Whoever reads our stdout has closed it."""


class Emitter(GenericSingerWriter[bytes, Message]):
    """Writes to stdout, which is looked up at each write, since tests redirect it.

    Attributes:
        gone: Whether the reader was seen to have gone.
        writing: Whether a write is under way, which a signal must not tear.
        written: Called after each write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gone = False
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

    def write_object(self, message: Mapping[str, Any]) -> None:
        """Write a message that the SDK has no public class for; it is flushed.

        Args:
            message: The message, with its `type`.

        Raises:
            TargetGone: The reader has closed the pipe.
        """
        self._write(self._encode(message) + b"\n", flush=True)

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Return a record as it would stand in a message; numbers stay exact."""
        return self._encode(record)

    def wait(self, seconds: float) -> None:
        """Wait, unless the reader goes before.

        Args:
            seconds: How long.

        Raises:
            TargetGone: The reader has closed the pipe.
        """
        try:
            poll = select.poll()
            poll.register(
                sys.stdout.buffer, 0
            )  # of an end that has lost its other end it tells always
        except (AttributeError, OSError):  # Windows; a test's stdout has no descriptor
            time.sleep(seconds)
            return
        if poll.poll(seconds * 1000):
            raise self._lost()

    def _lost(self) -> TargetGone:
        self.gone = True
        pipes.give_up(sys.stdout)
        return TargetGone(
            "The target ended while there were records for it",
            "See the target's own message; run again with the last state to go on",
        )

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
            raise self._lost() from error
        finally:
            self.writing = False
        self.written()
