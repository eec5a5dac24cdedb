"""What one call writes and what its answer means, for each way of writing; pure.

`put` replaces the item of a key, in requests of 25 writes. `insert` writes an item only where there is
none, and leaves the one that is there. `merge` sets the attributes of a record and leaves the others
alone; an item that is absent is made. The latter two want a call for each write.

A write that waits is its request as BatchWriteItem has it, `PutRequest` or `DeleteRequest`; or one that
BatchWriteItem does not know, and that is sent otherwise: `InsertRequest` and `MergeRequest`, with an `Item`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
import orjson

from dynamodb_core import batches
from dynamodb_core.budgets import Consumed
from dynamodb_core.errors import DataError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from dynamodb_core.table import Table

    Writes = Mapping[Hashable, bytes]

PUT, _, _END = batches.put(b" ").partition(b" ")
DELETE = batches.delete(b" ").partition(b" ")[0]
INSERT = b'{"InsertRequest":{"Item":'
MERGE = b'{"MergeRequest":{"Item":'

_WHOLE = (DELETE, PUT)
"""What leaves nothing of an older write: a deletion, or what a deletion and an item have become."""

MOST_SET = 400
"""Attributes that one UpdateItem sets: `SET #399=:399,...` is as long as an expression may be."""

_CONDITION_FAILED = "ConditionalCheckFailedException"
_IN_A_TRANSACTION = "TransactionConflictException"
_COUNTED = b'"ReturnConsumedCapacity":"INDEXES"}'

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Call(NamedTuple):
    """One call.

    Attributes:
        operation: DynamoDB's name of it.
        body: The request as JSON.
        units: Write units that it will cost the table by the size of its writes.
    """

    operation: str
    body: bytes
    units: int


class Sent(NamedTuple):
    """What became of the writes of a call.

    Attributes:
        left: Those that are to be sent again.
        consumed: What the call has consumed.
        kept: How many found an item in their place, which stays.
        handed_back: Whether what is left was handed back as unprocessed, which is how DynamoDB throttles
            a part of a request.
    """

    left: dict[Hashable, bytes]
    consumed: Consumed
    kept: int = 0
    handed_back: bool = False


class Mode(Protocol):
    """A way of writing."""

    @property
    def most_writes(self) -> int:
        """How many writes go out together."""
        ...

    def put(self, item: bytes) -> bytes:
        """Return the write of an item, given as DynamoDB JSON."""
        ...

    def meet(self, older: bytes, newer: bytes) -> bytes:
        """Return what becomes of two writes of one key that both wait.

        Args:
            older: The one that came first.
            newer: The one that came after it.

        Returns:
            One write that leaves behind what both would, in this order. It is `older` itself where the
            newer one would find an item in its place, and is to be counted as kept.
        """
        ...

    def calls(self, writes: Writes) -> Iterator[Call]:
        """Return the calls that send some writes, one after the other.

        Args:
            writes: Writes by identity, `most_writes` of them at the most.
        """
        ...

    def answer(self, writes: Writes, call: Call, reply: Mapping[str, Any]) -> Sent:
        """Read the answer of a call.

        Args:
            writes: What it was to send.
            call: The call.
            reply: The answer.

        Raises:
            ServiceError: It names writes that were not asked for.
        """
        ...

    def failure(self, writes: Writes, call: Call, code: str) -> Sent | None:
        """Read the error of a call.

        Args:
            writes: What it was to send.
            call: The call.
            code: DynamoDB's error code.

        Returns:
            What became of the writes; None where it is an error.
        """
        ...


def of(name: str, table: Table) -> Mode:
    """Return a way of writing.

    Args:
        name: `put`, `insert` or `merge`.
        table: The table that is written.
    """
    modes: dict[str, Callable[[Table], Mode]] = {"put": Puts, "insert": Inserts, "merge": Merges}
    return modes[name](table)


def as_put(write: bytes) -> bytes:
    """Return a write as BatchWriteItem has it: what is inserted or merged, as if it were put."""
    for prefix in (INSERT, MERGE):
        if write.startswith(prefix):
            return PUT + write[len(prefix) :]
    return write


class Puts:
    """Whole items, 25 at once; the last write of a key wins.

    Args:
        table: The table that is written.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def most_writes(self) -> int:
        """How many writes go out together."""
        return batches.MOST_WRITES

    put = staticmethod(batches.put)

    def meet(self, older: bytes, newer: bytes) -> bytes:  # noqa: ARG002 - a Mode's
        """Return the newer one."""
        return newer

    def calls(self, writes: Writes) -> Iterator[Call]:
        """Return one BatchWriteItem; see `Mode`."""
        units = sum(map(batches.units, writes.values()))
        yield Call("BatchWriteItem", batches.request(self._table.name, writes), units)

    def answer(self, writes: Writes, call: Call, reply: Mapping[str, Any]) -> Sent:
        """Find what came back unprocessed; see `Mode`."""
        consumed = Consumed.of(reply, call.units)
        returned = [write for each in reply.get("UnprocessedItems", {}).values() for write in each]
        if not returned:
            return Sent({}, consumed)
        identities = map(self._identity, returned)
        left = {identity: writes[identity] for identity in identities if identity in writes}
        if len(left) != len(returned):
            raise ServiceError(
                f"BatchWriteItem on table {self._table.name} returned {len(returned)} unprocessed "
                f"writes, of which {len(left)} were asked for",
                "Run again to go on",
            )
        return Sent(left, consumed, handed_back=True)

    def failure(self, writes: Writes, call: Call, code: str) -> Sent | None:  # noqa: ARG002
        """Return None: what BatchWriteItem does not do, it hands back; see `Mode`."""
        return None

    def _identity(self, write: dict[str, Any]) -> Hashable:
        if "PutRequest" in write:
            return self._table.key.identity(write["PutRequest"]["Item"])
        return self._table.key.identity(write["DeleteRequest"]["Key"])


class _Singles:
    """Writes that go out one by one."""

    most_writes = 1

    def __init__(self, table: Table) -> None:
        self._table = table
        self._start = b'{"TableName":' + orjson.dumps(table.name) + b","

    def calls(self, writes: Writes) -> Iterator[Call]:
        [write] = writes.values()
        units = batches.units(write)
        if write.startswith(DELETE):
            body = b'"Key":' + write[len(DELETE) : -2] + b","
            yield Call("DeleteItem", self._start + body + _COUNTED, units)
        elif write.startswith(PUT):  # after a deletion that waited
            body = b'"Item":' + write[len(PUT) : -2] + b","
            yield Call("PutItem", self._start + body + _COUNTED, units)
        else:
            yield from self._own(write, units)

    def answer(self, writes: Writes, call: Call, reply: Mapping[str, Any]) -> Sent:  # noqa: ARG002
        said = reply.get("ConsumedCapacity")
        return Sent({}, Consumed.of({"ConsumedCapacity": [said] if said else []}, call.units))

    def failure(self, writes: Writes, call: Call, code: str) -> Sent | None:
        if code == _IN_A_TRANSACTION:  # another program's; a batch would have it handed back
            return Sent(dict(writes), Consumed(call.units, {}))
        if code != _CONDITION_FAILED:
            return None
        # DynamoDB charges for the item that is there, and does not say how much.
        size = self._table.item_bytes
        units = call.units if size is None else max(1, -(-int(size) // batches.UNIT_BYTES))
        return Sent({}, Consumed(units, {}), kept=1)

    def _own(self, write: bytes, units: int) -> Iterator[Call]:
        raise NotImplementedError


class Inserts(_Singles):
    """Items where there are none: of several of one key the first stays.

    Args:
        table: The table that is written.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._condition = (
            b',"ConditionExpression":"attribute_not_exists(#k)","ExpressionAttributeNames":{"#k":'
            + orjson.dumps(table.key.names[0])
            + b"},"
        )

    def put(self, item: bytes) -> bytes:
        """Return the write of an item."""
        return INSERT + item + _END

    def meet(self, older: bytes, newer: bytes) -> bytes:
        """Return a deletion, or the first item; it needs no absence after a deletion."""
        if newer.startswith(_WHOLE):
            return newer
        return as_put(newer) if older.startswith(DELETE) else older

    def _own(self, write: bytes, units: int) -> Iterator[Call]:
        item = b'"Item":' + write[len(INSERT) : -2]
        yield Call("PutItem", self._start + item + self._condition + _COUNTED, units)


class Merges(_Singles):
    """Attributes of items, which keep their other ones.

    Args:
        table: The table that is written.
    """

    def put(self, item: bytes) -> bytes:
        """Return the write of an item."""
        return MERGE + item + _END

    def meet(self, older: bytes, newer: bytes) -> bytes:
        """Return a deletion; after one the whole item; else the attributes of both."""
        if newer.startswith(_WHOLE):
            return newer
        if older.startswith(DELETE):
            return as_put(newer)
        prefix = PUT if older.startswith(PUT) else MERGE
        attributes = _attributes(older[len(prefix) : -2])
        attributes.update(_attributes(newer[len(MERGE) : -2]))
        return prefix + b"{" + b",".join(map(_member, attributes.items())) + b"}" + _END

    def _own(self, write: bytes, units: int) -> Iterator[Call]:
        """Set all attributes in one update; of more than it can name the others in further ones."""
        attributes = _attributes(write[len(MERGE) : -2])
        keys = [(name, attributes.pop(name)) for name in self._table.key.names]
        key = self._start + b'"Key":{' + b",".join(map(_member, keys)) + b"},"
        values = list(attributes.items())
        for first in range(0, len(values) or 1, MOST_SET):
            some = values[first : first + MOST_SET]
            body = key + (_set(some) if some else b"") + _COUNTED
            cost = units if len(some) == len(values) else batches.units(body)
            yield Call("UpdateItem", body, cost)


def _set(attributes: list[tuple[str, msgspec.Raw]]) -> bytes:
    """Return the members of an UpdateItem that set attributes; their names may be any text."""
    numbers = range(len(attributes))
    expression = ",".join([f"#{number}=:{number}" for number in numbers])
    names = orjson.dumps({f"#{number}": attributes[number][0] for number in numbers})
    values = b",".join([b'":%d":' % number + bytes(attributes[number][1]) for number in numbers])
    return (
        b'"UpdateExpression":"SET %s","ExpressionAttributeNames":%s,"ExpressionAttributeValues":{%s},'
        % (expression.encode(), names, values)
    )


def _attributes(item: bytes) -> dict[str, msgspec.Raw]:
    """Return an item's attributes, the values as they are written."""
    try:
        return _decode(item)
    except msgspec.MsgspecError as error:
        raise DataError(f"An item is no JSON object: {error}") from error


def _member(attribute: tuple[str, msgspec.Raw]) -> bytes:
    name, value = attribute
    return orjson.dumps(name) + b":" + bytes(value)
