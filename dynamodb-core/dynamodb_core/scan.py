"""Reading a table part by part: the segments of a scan, or the partitions of a query."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core.errors import CorruptReply
from dynamodb_core.paging import Paging
from dynamodb_core.parts import Block, Part
from dynamodb_core.workers import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dynamodb_core.capacity import Budget
    from dynamodb_core.parts import Payload
    from dynamodb_core.plan import ReadPlan
    from dynamodb_core.table import Index, Table
    from dynamodb_core.wire import Wire

MIB = 1 << 20
SEGMENT_BYTES = 64 * MIB
SMALL_TABLE_BYTES = 16 * MIB
MOST_SEGMENTS = 10_000

THREADS = 4
"""Parts that a core reads at once, to have a page to convert while others are on their way."""

PROCESSES_BYTES = 128 * MIB
"""What one process has read of a table in the time that two more take to begin, and to catch up."""

PROCESS_RATE = 20e6
"""Bytes a second that one process reads and converts with ease, whatever the items."""


class _Consumed(msgspec.Struct, gc=False):
    CapacityUnits: float = 0.0


class _Page(msgspec.Struct, gc=False):
    Items: list[msgspec.Raw]
    Count: int
    ScannedCount: int | None = None
    LastEvaluatedKey: dict[str, Any] | None = None
    ConsumedCapacity: _Consumed | None = None


_decode_page = msgspec.json.Decoder(_Page).decode


@dataclass(frozen=True)
class Page:
    """One answer of Scan or Query.

    Attributes:
        items: Each item's DynamoDB JSON, as it came.
        next_key: Where the next page begins, typed; None at the end of the part.
        size: Bytes of the answer.
        units: Capacity units consumed; those expected where the engine names none.
        evaluated: Items that were read, before a filter.
    """

    items: list[msgspec.Raw]
    next_key: Mapping[str, Any] | None
    size: int
    units: float
    evaluated: int


def read_page(
    wire: Wire,
    plan: ReadPlan,
    part: Part,
    budget: Budget,
    expected: float,
    *,
    limit: Callable[[], int | None] = lambda: None,
) -> Page:
    """Read one page of a part, within the budget.

    Args:
        wire: Carries the call.
        plan: How the table is read.
        part: The part, and in `place` the key to begin after.
        budget: Waited for and settled.
        expected: Units that the page will probably cost.
        limit: Returns the most items to read, None for as many as fit; called after the wait, in
            which other pages may have shown how large the items are.

    Raises:
        CorruptReply: The page does not hold what it says.
        Error: The call failed.
    """
    budget.wait(expected)
    consumed = 0.0
    try:
        request = orjson.dumps(plan.request(part, limit()))
        body = wire.call(plan.operation, request, table=plan.table)
        page = _parse(body, plan, part, expected)
        consumed = page.units
    finally:
        budget.settle(expected, consumed)
    return page


def read_part(
    part: Part,
    *,
    plan: ReadPlan,
    wire: Wire,
    budget: Budget,
    paging: Paging | None = None,
    render: Callable[[list[msgspec.Raw]], Payload],
) -> Iterator[Block[Payload]]:
    """Read a part from its place to its end.

    Args:
        part: The part and the key to begin after.
        plan: How the table is read.
        wire: Carries the calls.
        budget: What the read may consume.
        paging: Says how large pages may be; what the parts of a read learn of it they share.
        render: Turns a page's items into a block's payload.

    Yields:
        A block a page; the last one is finished.
    """
    paging = paging or Paging(budget, consistent=plan.consistent)
    while True:
        page = read_page(wire, plan, part, budget, paging.expected, limit=lambda: paging.limit)
        paging.learn(page.evaluated, page.units)
        place = page.next_key
        block = Block(
            part=part.number,
            payload=render(page.items),
            count=len(page.items),
            place=place,
            finished=place is None,
            size=page.size,
            units=page.units,
        )
        del page  # what it was made of need not wait with a block
        yield block
        del block
        if place is None:
            return
        part = Part(part.number, place)


def _parse(body: bytes, plan: ReadPlan, part: Part, expected: float) -> Page:
    try:
        page = _decode_page(body)
    except msgspec.DecodeError as error:
        raise _corrupt(plan, part, str(error)) from error
    if page.Count != len(page.Items):
        raise _corrupt(plan, part, f"Count is {page.Count}, but there are {len(page.Items)} items")
    consumed = page.ConsumedCapacity
    units = expected if consumed is None else consumed.CapacityUnits
    evaluated = page.Count if page.ScannedCount is None else page.ScannedCount
    return Page(page.Items, page.LastEvaluatedKey, len(body), units, evaluated)


def _corrupt(plan: ReadPlan, part: Part, why: str) -> CorruptReply:
    return CorruptReply(
        f"A page of {plan.part(part.number)} is no answer of {plan.operation}: {why}",
        "Run again with the last state to go on from the page before it",
        code="CorruptReply",
    )


def choose_workers() -> int:
    """Return how many segments this machine should read at once: four a core, 16 at the most."""
    return min(16, THREADS * cores())


def choose_processes(
    *, cores: int, workers: int, parts: int, size_bytes: int, rate: float | None
) -> tuple[int, str]:
    """Return how many processes should share a read.

    Args:
        cores: How many there are.
        workers: How many parts are read at once.
        parts: How many are left.
        size_bytes: About how much these hold.
        rate: Bytes a second that the budget gives; None where it is not limited.

    Returns:
        One a core, but each with `THREADS` workers, so that it has pages to convert while others are
        under way; one in all where a second one would not be worth its start. And why, in words,
        where it is one in spite of several cores.
    """
    if cores == 1:
        return 1, ""
    if size_bytes < PROCESSES_BYTES:
        return 1, f"{size_bytes / 1e6:,.1f} MB are read before a second one has begun"
    if rate is not None and rate < PROCESS_RATE:
        return 1, f"one keeps up with {rate / 1e6:,.1f} MB/s"
    several = min(cores, workers // THREADS, parts)
    return (several, "") if several > 1 else (1, f"{min(workers, parts)} workers are too few")


def choose_segments(table: Table | Index, workers: int) -> int:
    """Return into how many segments to divide a table.

    Args:
        table: The table or index; its size decides, as DescribeTable counts it.
        workers: How many segments are read at once.

    Returns:
        One segment for every 64 MiB, but at least four a worker, so that a hot partition leaves no
        worker idle; for a table under 16 MiB one a worker.
    """
    if table.size_bytes < SMALL_TABLE_BYTES:
        return workers
    return min(max(table.size_bytes // SEGMENT_BYTES, 4 * workers), MOST_SEGMENTS)


def shuffled(segments: int, seed: int) -> list[int]:
    """Return the numbers of all segments in an order that the seed decides, in any Python.

    Items near each other in a scan are near each other in the destination's partitions: reading in
    order would heat these one after the other.
    """

    def lot(number: int) -> bytes:
        return hashlib.blake2b(b"%d %d" % (seed, number), digest_size=8).digest()

    return sorted(range(segments), key=lot)
