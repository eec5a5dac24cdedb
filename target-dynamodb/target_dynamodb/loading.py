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


class NoRecord(DataError):
    """A line is no record: the file is damaged, or none of records."""


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


def load(
    file: File,
    road: Road,
    *,
    stopped: Callable[[], bool],
    reject: Callable[[bytes, DataError], object] | None = None,
) -> int:
    """Hand over all records of a file. They are not yet acknowledged then.

    Args:
        file: The file.
        road: What takes the records.
        stopped: Asked after every few records, whether to leave the rest.
        reject: Takes the JSON of a record that cannot be written, and the reason; may raise that.
            Left out, the first such record ends the load.

    Returns:
        How many records were handed over.

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
                try:
                    made = make(record)
                except exact.UNREADABLE as error:
                    if not record.strip():
                        continue
                    made = road.from_object(_reread(file, number, record, error))
            except NoRecord:
                raise
            except DataError as error:
                said = _at(file, number, error)
                if reject is None:
                    raise said from error
                reject(exact.encode(record) if in_rows else record, said)
            else:
                hand_over(made)
                count += 1
            if number % LOOK_RECORDS == 0 and stopped():
                raise Stopped
    return count


def _reread(file: File, number: int, line: bytes, cause: Exception) -> dict[str, Any]:
    """Decode a line the slow way, which lets pass what an error is to name."""
    record = exact.reread(line)
    if isinstance(record, dict):
        return record
    what = f"is no JSON: {cause}" if record is None else "is no JSON object"
    raise NoRecord(f"Line {number} of file {file} {what}", contents.RUN_AGAIN) from cause


def _at(file: File, number: int, error: DataError) -> DataError:
    place = "row" if file.format == "parquet" else "line"
    return DataError(f"{error.message} ({place} {number} of file {file})", error.hint)
