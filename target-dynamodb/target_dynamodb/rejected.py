"""Records that a worker process cannot write, on their way to the process that notes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from target_dynamodb import letters

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.errors import DataError
    from target_dynamodb.loader import Way


class Rejected(NamedTuple):
    """A record that cannot be written.

    Attributes:
        number: The number of its file.
        stream: Its stream.
        line: Its line of the dead-letter file.
        error: Why.
        schema: The line of its SCHEMA there; None for the one with which the stream came.
    """

    number: int
    stream: str
    line: bytes
    error: DataError
    schema: bytes | None = None


class Rejecter:
    """Sends back the records that cannot be written, those of one file after the other.

    Args:
        send: Takes `Rejected`.
    """

    def __init__(self, send: Callable[[Any], None]) -> None:
        self._send = send
        self._number = 0
        self._way: Way | None = None

    def begin(self, number: int, way: Way | None) -> None:
        """Note whose records come from now on.

        Args:
            number: The file's number.
            way: How its records become writes; None as for the last file.
        """
        self._number = number
        self._way = way or self._way

    def unfit(self, record: bytes, error: DataError) -> None:
        """Send back a record of which no item can be made.

        Args:
            record: Its JSON.
            error: Why.
        """
        assert self._way
        stream = self._way.stream
        line = letters.from_record(stream, record, error.message)
        self._send(Rejected(self._number, stream, line, error))

    def refused(self, write: bytes, error: DataError) -> None:
        """Send back a write that DynamoDB refuses; any thread may.

        Args:
            write: The write request.
            error: Why.
        """
        assert self._way
        stream, table = self._way.stream, self._way.table
        line = letters.as_written(stream, table, write, error.message)
        schema = letters.as_written_schema(stream, table, self._way.source)
        self._send(Rejected(self._number, stream, line, error, schema))
