"""An answer's records as changes; pure, and the hot loop of a stream.

Images stay the bytes that came: an answer is held to its form and to be JSON in UTF-8; that an image is
an item is seen by whoever converts it.

| record               | change                                                            |
| -------------------- | ----------------------------------------------------------------- |
| `INSERT`, `MODIFY`   | the new image, keys; the old image where the stream has it        |
| the same, none told  | `item=b""`, where that is asked for: the stream holds keys alone  |
| `REMOVE`             | no item, keys; the old image where the stream has it              |
| `REMOVE` by DynamoDB | the same, `expired`: its time to live had passed                  |
"""

from __future__ import annotations

import msgspec

from dynamodb_core.change import Change
from dynamodb_core.changes.service import Records
from dynamodb_core.changes.shards import Position
from dynamodb_core.errors import CorruptReply, DataError

SECOND = 1_000_000
"""Microseconds of a second, to which the service rounds down when something was written."""

MOST_SECONDS = 1e11
"""More than any time in seconds, and less than a time of this century in milliseconds."""

LOCAL_EXPIRED = "UNKNOWN_TO_SDK_VERSION"
"""What DynamoDB Local 3.3 calls the deletion of an item whose time to live has passed."""

UNTOLD = b""
"""What stands for an item that was written, by a stream that holds none."""

_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TTL = ("Service", "dynamodb.amazonaws.com")


class Unreadable(ValueError):
    """What is wrong with a record, to follow `record … of …`, and what to do about it."""


class Identity(msgspec.Struct, gc=False):
    """Who has written, where it was no user. It is spelled one way in the model, the other in records."""

    Type: str | None = None
    PrincipalId: str | None = None
    type: str | None = None
    principalId: str | None = None  # noqa: N815 - as it is spelled


class Images(msgspec.Struct, gc=False):
    """What a record tells about an item: its keys, and what it was and is."""

    Keys: msgspec.Raw
    NewImage: msgspec.Raw = msgspec.Raw()
    OldImage: msgspec.Raw = msgspec.Raw()


class _Written(Images, gc=False, kw_only=True):
    SequenceNumber: str
    ApproximateCreationDateTime: float


class _Record(msgspec.Struct, gc=False):
    eventName: str  # noqa: N815 - as it is spelled
    dynamodb: _Written
    userIdentity: Identity | None = None  # noqa: N815


class _Answer(msgspec.Struct, gc=False):
    Records: list[_Record]
    NextShardIterator: str | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def read(body: bytes, position: Position, *, where: str, images: bool = True) -> Records:
    """Read an answer of DynamoDB Streams' GetRecords.

    Args:
        body: The answer.
        position: From where its records were asked for. Those before its `since` are left out: not
            every service begins there. It stays, so that the same are left out wherever answers end.
        where: The shard and its stream, for messages.
        images: Whether each item that was written must be told.

    Raises:
        CorruptReply: It is no such answer.
        DataError: A record cannot be read.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec does not look at texts that it skips
        answer = _decode(body)
    except _NOT_JSON as error:
        raise CorruptReply(
            f"An answer about {where} is none of GetRecords: {error}",
            "Run again with the last state to go on from the answer before it",
            code="CorruptReply",
        ) from error
    order, since = position.order, position.since
    oldest = 0 if since is None else since - since % SECOND
    changes: list[Change] = []
    sequence = position.sequence
    for record in answer.Records:
        told = record.dynamodb
        seconds = told.ApproximateCreationDateTime
        try:
            micros = round(seconds * SECOND) if 0 < seconds < MOST_SECONDS else _no_time(seconds)
            if micros >= oldest:
                order = micros if micros > order else order + 1
                changes.append(
                    change(
                        record.eventName, told, record.userIdentity, micros, order, images=images
                    )
                )
        except Unreadable as error:
            why, hint = error.args
            raise DataError(f"Record {told.SequenceNumber} of {where} {why}", hint) from None
        sequence = told.SequenceNumber
    if answer.Records:
        position = Position(sequence=sequence, since=since, order=order)
    return Records(changes, position, answer.NextShardIterator or None, size=len(body))


def change(
    event: str, told: Images, by: Identity | None, micros: int, order: int, *, images: bool = True
) -> Change:
    """Return what a record tells.

    Args:
        event: Its name.
        told: Its images.
        by: Who has written, where it says so.
        micros: When, in microseconds since 1970.
        order: Orders it among the writes of a key.
        images: Whether the item that was written must be told; else it is `UNTOLD`.

    Raises:
        Unreadable: Something is wrong with it.
    """
    keys = _image(told.Keys, "Keys")
    if keys is None:
        raise Unreadable("has no Keys", "")
    old = _image(told.OldImage, "OldImage")
    if event == "REMOVE":
        expired = by is not None and _TTL in ((by.Type, by.PrincipalId), (by.type, by.principalId))
        return Change(None, keys, micros, order, old, expired)
    if event == LOCAL_EXPIRED and not bytes(told.NewImage):
        return Change(None, keys, micros, order, old, expired=True)
    if event not in ("INSERT", "MODIFY"):
        raise Unreadable(
            f"is of the unknown kind {event[:60]!r}", "It may be newer than this version: update it"
        )
    new = _image(told.NewImage, "NewImage")
    if new is None:
        if images:
            raise Unreadable(
                "does not hold the item that was written",
                "Have the stream's view be NEW_AND_OLD_IMAGES or NEW_IMAGE, or have the items fetched",
            )
        new = UNTOLD
    return Change(new, keys, micros, order, old)


def _no_time(seconds: float) -> int:
    raise Unreadable(f"was written at {seconds}, which are no seconds since 1970", "")


def _image(raw: msgspec.Raw, name: str) -> bytes | None:
    data = bytes(raw)
    if not data or data == b"null":
        return None
    if not data.startswith(b"{"):
        raise Unreadable(f"has no object as {name}", "")
    return data
