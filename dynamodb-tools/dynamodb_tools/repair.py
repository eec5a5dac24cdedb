"""From a file of differences to the messages that make table B what table A was.

One line is in memory at a time, and of what is printed nothing is decoded but its frame.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import orjson

from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.provenance import DELETED_AT
from dynamodb_tools.differences_file import COMPARED, EXTRA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_LINE_BYTES = 64 << 20
"""No difference is that long: it is an item of 400 KB, some of it three times, escaped."""

_TAIL_BYTES = 1 << 20
_WHEN_DELETED = {"type": ["null", "string"], "format": "date-time"}
_HINT = "Name a file that dynamodb-tools compare --output has made; to make it again, compare again"


class _Line(msgspec.Struct):
    type: str
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")
    time_extracted: str = ""


_decode = msgspec.json.Decoder(_Line).decode


class Repair:
    """Reads a file of differences as messages for a target.

    Attributes:
        puts: Items to be put, so far.
        deletions: Items to be deleted, so far.
        left: Items that B has and A had not, and that stay.

    Args:
        path: The file.
        deletes: Whether what B has and A had not is to be deleted.
    """

    def __init__(self, path: Path, *, deletes: bool = False) -> None:
        self._path = path
        self._deletes = deletes
        self._keys: dict[str, tuple[str, ...]] = {}
        self.puts = self.deletions = self.left = 0

    def messages(self) -> Iterator[bytes]:
        """Yield each message as a line. The last one is the STATE.

        Raises:
            ConfigError: There is no such file.
            DataError: It is no file of differences, or it is cut off; in its end that is seen before
                the first message.
        """
        try:
            with self._path.open("rb") as file:
                self._require_end(file)
                yield from self._messages(file)
        except OSError as error:
            raise ConfigError(
                f"The file of differences {self._path} cannot be read: {error.strerror}", _HINT
            ) from error

    def _messages(self, file: BinaryIO) -> Iterator[bytes]:
        number = 0
        while line := file.readline(MOST_LINE_BYTES):
            number += 1
            if not line.strip():
                continue
            try:
                message = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise self._broken(f"its line {number} is no message: {error}") from error
            if message.type == "RECORD":
                self._require_schema(message, number)
                self.puts += 1
                yield _record(message, bytes(message.record))
            elif message.type == EXTRA:
                self._require_schema(message, number)
                if self._deletes:
                    self.deletions += 1
                    yield _record(message, self._deletion(message))
                else:
                    self.left += 1
            elif message.type == "SCHEMA":
                yield self._schema(orjson.loads(line))
            elif message.type == "STATE":
                yield line.rstrip() + b"\n"
            else:
                raise self._broken(f"its line {number} is of the type {message.type}")

    def _schema(self, message: dict[str, Any]) -> bytes:
        """Return a SCHEMA, which has room for deletions where there are to be any."""
        try:
            properties = message["schema"]["properties"]
            self._keys[message["stream"]] = tuple(message["key_properties"])
            if self._deletes:
                properties.setdefault(DELETED_AT, _WHEN_DELETED)
        except (AttributeError, KeyError, TypeError) as error:
            raise self._broken(f"a SCHEMA of it cannot be read ({error!r})") from error
        return orjson.dumps(message) + b"\n"

    def _deletion(self, message: _Line) -> bytes:
        if DELETED_AT in self._keys[message.stream]:
            raise DataError(
                f"Items of stream {message.stream} cannot be deleted: {DELETED_AT}, which says that a "
                "record deletes, is an attribute of its table's key",
                "Leave out --deletes, and delete them otherwise",
            )
        at = orjson.dumps(message.time_extracted)
        return b'%b,"%b":%b}' % (bytes(message.record)[:-1], DELETED_AT.encode(), at)

    def _require_schema(self, message: _Line, number: int) -> None:
        if message.stream not in self._keys or not bytes(message.record).startswith(b"{"):
            raise self._broken(f"its line {number} is a {message.type} without SCHEMA or record")

    def _require_end(self, file: BinaryIO) -> None:
        """See to it that the file is whole, before the first line of it is handed on."""
        size = file.seek(0, os.SEEK_END)
        step, tail = _TAIL_BYTES, b""
        while step < 2 * MOST_LINE_BYTES:
            file.seek(max(0, size - step))
            tail = file.read().rstrip()
            if b"\n" in tail or step >= size:
                break
            step *= 2
        file.seek(0)
        try:
            last: Any = orjson.loads(tail[tail.rfind(b"\n") + 1 :])
        except orjson.JSONDecodeError:
            last = None
        if not (isinstance(last, dict) and last.get("type") == "STATE" and _counts(last)):
            raise self._broken("it has no end: it was cut off, or is another kind of file")

    def _broken(self, why: str) -> DataError:
        return DataError(f"{self._path} cannot be taken for a file of differences: {why}", _HINT)


def _counts(state: Mapping[str, Any]) -> bool:
    value = state.get("value")
    return isinstance(value, dict) and COMPARED in value


def _record(message: _Line, record: bytes) -> bytes:
    return b'{"type":"RECORD","stream":%b,"record":%b,"time_extracted":%b}\n' % (
        orjson.dumps(message.stream),
        record,
        orjson.dumps(message.time_extracted),
    )
