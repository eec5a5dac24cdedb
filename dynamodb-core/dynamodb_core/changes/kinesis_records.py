"""An answer of Kinesis, and what DynamoDB has written into its records; pure.

A record's data is JSON, like a record of DynamoDB Streams but for its `tableName`, and for the time of
the write, which is in milliseconds or microseconds as the table's destination says; its size tells
which. Stand-ins of Kinesis write seconds, and name the table by the ARN of a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dynamodb_core.changes.newest import Write, identity
from dynamodb_core.changes.records import Identity, Images, Unreadable, change
from dynamodb_core.errors import CorruptReply, DataError

if TYPE_CHECKING:
    from dynamodb_core.change import Change

MOST_SECONDS = 1e11
MOST_MILLIS = 1e14
"""More than any such time of this century, and less than one in the next smaller unit since 1974."""

_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Child(msgspec.Struct, gc=False):
    """A shard that follows on the one that was read."""

    ShardId: str
    ParentShards: list[str] = []


class Record(msgspec.Struct, gc=False):
    """A record of Kinesis, with its data as bytes."""

    SequenceNumber: str
    Data: bytes

    @property
    def number(self) -> int:
        """Its sequence number, which grows within a shard."""
        return int(self.SequenceNumber)


class Answer(msgspec.Struct, gc=False):
    """An answer of GetRecords."""

    Records: list[Record]
    NextShardIterator: str | None = None
    MillisBehindLatest: int | None = None
    ChildShards: list[Child] | None = None


class _Written(Images, gc=False, kw_only=True):
    ApproximateCreationDateTime: float


class _Data(msgspec.Struct, gc=False):
    eventName: str  # noqa: N815 - as it is spelled
    dynamodb: _Written
    eventID: str = ""  # noqa: N815
    tableName: str = ""  # noqa: N815
    eventSourceARN: str = ""  # noqa: N815
    userIdentity: Identity | None = None  # noqa: N815


class Told(NamedTuple):
    """What a record tells.

    Attributes:
        table: The table's name.
        micros: When it was written, in microseconds since 1970.
        data: The whole.
    """

    table: str
    micros: int
    data: _Data


_decode = msgspec.json.Decoder(Answer).decode
_decode_data = msgspec.json.Decoder(_Data).decode


def answer(body: bytes, where: str) -> Answer:
    """Read an answer of GetRecords, but for what is in its records.

    Args:
        body: The answer.
        where: The shard and its stream, for messages.

    Raises:
        CorruptReply: It is no such answer.
    """
    try:
        return _decode(body)
    except _NOT_JSON as error:
        raise CorruptReply(
            f"An answer about {where} is none of GetRecords: {error}",
            "Run again with the last state to go on from the answer before it",
            code="CorruptReply",
        ) from error


def told(record: Record, where: str) -> Told:
    """Return what a record tells.

    Args:
        record: The record.
        where: The shard and its stream, for messages.

    Raises:
        DataError: It is no record of DynamoDB's.
    """
    try:
        if not record.Data.isascii():
            record.Data.decode()  # msgspec does not look at texts that it skips
        data = _decode_data(record.Data)
    except _NOT_JSON as error:
        raise DataError(
            f"Record {record.SequenceNumber} of {where} is none of DynamoDB's: {error}",
            "Give the table a Kinesis stream that nothing but DynamoDB writes to",
        ) from error
    time = data.dynamodb.ApproximateCreationDateTime
    if time <= 0:
        raise _unreadable(record, where, f"was written at {time}, which is no time since 1970")
    factor = 1_000_000 if time < MOST_SECONDS else 1000 if time < MOST_MILLIS else 1
    table = data.tableName or data.eventSourceARN.partition(":table/")[2].partition("/")[0]
    if not table:
        raise _unreadable(record, where, "does not say of which table it is")
    return Told(table, round(time * factor), data)


def write(record: Record, said: Told, where: str) -> Write:
    """Return what tells a record from others of its key.

    Args:
        record: The record.
        said: What it tells.
        where: The shard and its stream, for messages.

    Raises:
        DataError: It has no key.
    """
    images = said.data.dynamodb
    try:
        key = identity(bytes(images.Keys))
    except (ValueError, DataError) as error:
        raise _unreadable(record, where, f"has no Keys that can be read: {error}") from error
    return Write(
        key,
        said.micros,
        record.SequenceNumber,
        said.data.eventID,
        _image(images.OldImage),
        _image(images.NewImage),
    )


def changed(record: Record, said: Told, order: int, where: str) -> Change:
    """Return a record as a change.

    Args:
        record: The record.
        said: What it tells.
        order: Orders it among the writes of its key.
        where: The shard and its stream, for messages.

    Raises:
        DataError: Something is wrong with it.
    """
    data = said.data
    try:
        return change(data.eventName, data.dynamodb, data.userIdentity, said.micros, order)
    except Unreadable as error:
        why, hint = error.args
        raise _unreadable(record, where, why, hint) from None


def _unreadable(record: Record, where: str, why: str, hint: str = "") -> DataError:
    return DataError(f"Record {record.SequenceNumber} of {where} {why}", hint)


def _image(raw: msgspec.Raw) -> bytes | None:
    data = bytes(raw)
    return None if data in (b"", b"null") else data
