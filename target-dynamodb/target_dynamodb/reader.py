"""Singer messages from bytes: fast, with numbers exact, and awake while nothing arrives."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections import Counter
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from dynamodb_core.errors import DataError
from target_dynamodb import exact, intake
from target_dynamodb.strangers import Strangers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHOWN = 60
"""Characters of a broken line that its error shows."""


class _Line(msgspec.Struct, gc=False):
    type: str
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_exactly = msgspec.json.Decoder(float_hook=Decimal).decode


class MessageReader(GenericSingerReader[bytes]):
    """Reads messages and hands them to callbacks, RECORD messages also to *roads*.

    A road takes the records of one stream as undecoded JSON and goes before the RECORD callback.

    Attributes:
        roads: Roads by stream; may change while messages are read.
        alarm: When `on_alarm` is called next, on the reader's clock; looked at after every message.
        on_alarm: Called when the alarm is reached; it must set a new one.
        on_idle: Called again and again while the input is silent.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        log: logging.Logger = logging.getLogger("target-dynamodb"),  # noqa: B008 - the plugin's own
    ) -> None:
        super().__init__()
        self._strangers = Strangers(log)
        self.roads: dict[str, Callable[[msgspec.Raw], object]] = {}
        self.alarm = math.inf
        self.on_alarm: Callable[[], None] = self._no_alarm
        self.on_idle: Callable[[], None] = lambda: None
        self._clock = clock
        self._stopped = False
        self._lines = 0
        self._chunk: Sequence[bytes] = ()
        self._before_chunk = 0

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input, as bytes."""
        return sys.stdin.buffer

    @property
    def line(self) -> bytes:
        """The line of the message that was handed over last, as it came."""
        return self._chunk[self._lines - self._before_chunk - 1]

    def stop(self) -> None:
        """Read no further message. Safe in a signal handler."""
        self._stopped = True
        self.alarm = -math.inf

    def process_lines(
        self,
        file_input: IO[bytes] | None,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
    ) -> Counter[str]:
        """Hand over messages until the input ends, or until `stop`.

        Args:
            file_input: The messages; standard input when None. Text files are accepted.
            callbacks: What takes a message, by its type.

        Returns:
            How many messages of each type were read.

        Raises:
            DataError: A line is no message, or the input ends in the middle of a line.
        """
        counts: Counter[str] = Counter()
        self._read(file_input, callbacks, counts)
        self._strangers.conclude()
        return counts

    def _read(
        self,
        file_input: IO[bytes] | None,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
        counts: Counter[str],
    ) -> None:
        source = intake.Intake(file_input or self.default_input, on_idle=self._idle)
        pieces: list[bytes] = []
        for chunk in source:
            first, *lines = chunk.split(b"\n")
            pieces.append(first)
            if lines:
                last = lines.pop()
                self._take([b"".join(pieces), *lines], callbacks, counts)
                pieces = [last]
            if self._stopped:
                return
        rest = b"".join(pieces)
        if rest.strip() and not self._stopped:  # a signal may end the wait for the rest of a line
            self._check_whole(rest)
            self._take([rest], callbacks, counts)

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Decode a message; floats become Decimal, integers keep every digit.

        Args:
            line: One line of the input.

        Raises:
            DataError: It is not a JSON object. NaN and Infinity, which are no JSON, are let
                through as Decimal, so that the error can name their place in the record.
        """
        try:
            message = _decode_exactly(line)
        except exact.UNREADABLE as error:
            message = exact.reread(line)
            if message is None:
                raise self._broken(line, f"is no JSON: {error}") from error
        if not isinstance(message, dict):
            raise self._broken(line, "is no JSON object")
        return message

    def _take(
        self,
        lines: Sequence[bytes],
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
        counts: Counter[str],
    ) -> None:
        self._chunk, self._before_chunk = lines, self._lines
        clock = self._clock
        roads = self.roads
        records = 0
        try:
            for line in lines:
                self._lines += 1
                road = None
                try:
                    message = _decode_line(line)
                    if message.type == "RECORD" and message.record:
                        road = roads.get(message.stream)
                    if road is not None:
                        road(message.record)
                        records += 1
                except exact.UNREADABLE:
                    road = None  # the slow way finds the words for what is wrong
                if road is None and line.strip():
                    self._dispatch(line, callbacks, counts)
                if clock() >= self.alarm:
                    if self._stopped:
                        return
                    self.on_alarm()
        finally:
            counts["RECORD"] += records

    def _dispatch(
        self,
        line: bytes,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
        counts: Counter[str],
    ) -> None:
        message = self.deserialize_json(line)
        kind = message.get("type")
        if not isinstance(kind, str) or not kind:
            known = ", ".join(str(getattr(name, "value", name)) for name in callbacks)
            what = "has no type" if kind is None else f"has the type {kind!r}, which is no text"
            raise self._broken(line, what, f"A Singer message is one of {known}")
        callback = callbacks.get(kind)
        if callback is None:
            self._strangers.pass_over(kind, self._lines, callbacks)
        else:
            callback(message)
        counts[kind] += 1

    def _idle(self) -> bool:
        if not self._stopped:
            self.on_idle()
        return not self._stopped

    def _no_alarm(self) -> None:
        self.alarm = math.inf

    def _check_whole(self, line: bytes) -> None:
        try:
            _decode_exactly(line)
        except exact.UNREADABLE as error:
            if exact.reread(line) is None:
                self._lines += 1
                raise self._broken(
                    line,
                    "is cut off in its middle, and the input ends there",
                    "The tap was stopped: look at its log, and run again with the last state",
                ) from error

    def _broken(self, line: bytes, what: str, hint: str = "") -> DataError:
        shown = line[:SHOWN].decode(errors="replace")
        more = "..." if len(line) > SHOWN else ""
        return DataError(
            f"Line {self._lines} of the input {what}: {shown}{more}",
            hint or "Feed the target with the output of a Singer tap, and with nothing else",
        )


def parts(message: dict[str, Any], kind: str, *names: str) -> list[Any]:
    """Return parts of a message.

    Args:
        message: The message.
        kind: Its type, for the error.
        names: Names of the parts.

    Raises:
        DataError: One of them is missing, or the stream is no text.
    """
    hint = "Feed the target with the output of a Singer tap"
    missing = [name for name in names if name not in message]
    if missing:
        raise DataError(f"A {kind} message has no {' and no '.join(missing)}", hint)
    if "stream" in names and not isinstance(message["stream"], str):
        raise DataError(f"The stream of a {kind} message is no text", hint)
    return [message[name] for name in names]
