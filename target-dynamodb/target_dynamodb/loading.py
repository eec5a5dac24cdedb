"""A file's records, made into writes one by one, and handed to the writer of their table."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - a NamedTuple's
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from dynamodb_core.errors import DataError
from target_dynamodb import contents, exact, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_dynamodb.contents import File
    from target_dynamodb.encode import Encoder, Write
    from target_dynamodb.writing import Writing

LOOK_RECORDS = 8
"""How often a load looks up. With a small budget these take seconds, as all that waits does."""


class Stopped(Exception):
    """The load was ended before the file was."""


class Road(Protocol):
    """What takes records to their tables, in two steps, so that an error of the first has a line."""

    def from_json(self, record: bytes) -> Any:
        """Return what a record's JSON becomes.

        Raises:
            DataError: It cannot be written.
            msgspec.DecodeError: It is no JSON object.
        """
        ...

    def from_object(self, record: dict[str, Any]) -> Any:
        """Return what a record becomes.

        Raises:
            DataError: It cannot be written.
        """
        ...

    def hand_over(self, made: Any) -> None:
        """Hand over what a record became.

        Raises:
            Error: An earlier write failed for good.
        """
        ...


class Direct(NamedTuple):
    """The road of a stream whose records go to its table as they are.

    Attributes:
        encoder: Makes writes of them.
        writer: Takes these.
    """

    encoder: Encoder
    writer: Writing

    def from_json(self, record: bytes) -> Write:
        """Return the write of a record's JSON; see `Road`."""
        return self.encoder.encode_json(msgspec.Raw(record))

    def from_object(self, record: dict[str, Any]) -> Write:
        """Return the write of a record; see `Road`."""
        return self.encoder.encode(record)

    def hand_over(self, made: Write) -> None:
        """Hand a write to the writer; see `Road`."""
        identity, body, deleted = made
        if deleted:
            self.writer.delete(identity, body)
        else:
            self.writer.put(identity, body)


class Indirect(NamedTuple):
    """The road of a stream whose records go through stream maps, or are looked at closely.

    Attributes:
        make: Returns what a record becomes.
        give: Hands that over.
    """

    make: Callable[[dict[str, Any]], Any]
    give: Callable[[Any], None]

    def from_json(self, record: bytes) -> Any:
        """Return what a record's JSON becomes; see `Road`."""
        return self.make(exact.decode(record))

    def from_object(self, record: dict[str, Any]) -> Any:
        """Return what a record becomes; see `Road`."""
        return self.make(record)

    def hand_over(self, made: Any) -> None:
        """Hand over what a record became; see `Road`."""
        self.give(made)


def load(file: File, road: Road, *, stopped: Callable[[], bool]) -> int:
    """Hand over all records of a file. They are not yet acknowledged then.

    Args:
        file: The file.
        road: What takes the records.
        stopped: Asked after every few records, whether to leave the rest.

    Returns:
        How many records there were.

    Raises:
        DataError: The file or one of its records cannot be read or written; it and the line are named.
        Error: An earlier write failed for good.
        Stopped: The rest was left.
    """
    number = count = 0
    hand_over = road.hand_over
    in_rows = file.format == "parquet"
    make: Callable[[Any], Any] = road.from_object if in_rows else road.from_json
    source: Iterator[list[Any]] = rows.rows(file) if in_rows else contents.lines(file)
    for records in source:
        for record in records:
            number += 1
            try:
                made = make(record)
            except DataError as error:
                raise _at(file, number, error) from error
            except exact.UNREADABLE as error:
                if not record.strip():
                    continue
                made = _reread(file, number, record, road, error)
            hand_over(made)
            count += 1
            if count % LOOK_RECORDS == 0 and stopped():
                raise Stopped
    return count


def _reread(file: File, number: int, line: bytes, road: Road, cause: Exception) -> Any:
    """Take a line the slow way, which finds the words for what is wrong."""
    record = exact.reread(line)
    if not isinstance(record, dict):
        what = f"is no JSON: {cause}" if record is None else "is no JSON object"
        raise DataError(f"Line {number} of file {file} {what}", contents.RUN_AGAIN) from cause
    try:
        return road.from_object(record)
    except DataError as error:
        raise _at(file, number, error) from error


def _at(file: File, number: int, error: DataError) -> DataError:
    place = "row" if file.format == "parquet" else "line"
    return DataError(f"{error.message} ({place} {number} of file {file})", error.hint)
