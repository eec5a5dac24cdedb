"""Packing writes into BatchWriteItem requests; pure.

A request takes 25 writes and 16 MB (AWS, "Quotas in Amazon DynamoDB", BatchWriteItem), and must not
hold two writes of one key.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Mapping

MOST_WRITES = 25
MOST_BYTES = 16_000_000
"""Bytes of writes in one request; the rest up to 16 MB is left to its frame."""
UNIT_BYTES = 1024
"""Bytes of an item that one write capacity unit pays for."""


def put(item: bytes) -> bytes:
    """Return the write request that puts an item, given as DynamoDB JSON."""
    return b'{"PutRequest":{"Item":' + item + b"}}"


def delete(key: bytes) -> bytes:
    """Return the write request that deletes the item of a key, given as DynamoDB JSON."""
    return b'{"DeleteRequest":{"Key":' + key + b"}}"


def units(write: bytes) -> int:
    """Return what a write request will cost at most; its JSON is larger than its item."""
    return -(-len(write) // UNIT_BYTES)


def take(
    waiting: dict[Hashable, bytes],
    in_flight: Container[Hashable],
    *,
    beside: Mapping[Hashable, bytes],
    most_writes: int | None = None,
    most_units: float = math.inf,
) -> dict[Hashable, bytes]:
    """Take from the waiting writes those that go out next, oldest first.

    Args:
        waiting: Writes by identity, in the order of their arrival; what is taken is removed.
        in_flight: Identities whose older write is on its way; theirs must wait for it.
        beside: Writes that share the request.
        most_writes: How many go out together; None for as many as a request takes.
        most_units: Capacity units that the request may cost, where it holds more than one write.

    Returns:
        Writes by identity that fit into one request together with those beside it.
    """
    room = (MOST_WRITES if most_writes is None else most_writes) - len(beside)
    size = sum(map(len, beside.values()))
    bounded = most_units < math.inf
    cost = sum(map(units, beside.values())) if bounded else 0
    taken: dict[Hashable, bytes] = {}
    for identity, write in waiting.items():
        if len(taken) == room:
            break
        if identity in in_flight:
            continue
        size += len(write) + 1
        if bounded:
            cost += units(write)
        if (size > MOST_BYTES or cost > most_units) and (taken or beside):
            break
        taken[identity] = write
    for identity in taken:
        del waiting[identity]
    return taken


def request(table: str, writes: Mapping[Hashable, bytes]) -> bytes:
    """Return the body of a BatchWriteItem call.

    Args:
        table: Name or ARN of the table.
        writes: Write requests by identity, 1 to 25.
    """
    name = orjson.dumps(table)
    return (
        b'{"RequestItems":{'
        + name
        + b":["
        + b",".join(writes.values())
        + b']},"ReturnConsumedCapacity":"INDEXES"}'
    )
