"""Deleting the items of a table, all of them or those that meet a filter: a scan of keys, and deletions.

DynamoDB has no operation for it. A scan pays for the whole of what it reads, and a deletion as much as
writing the item did; both stay within their budgets. What was interrupted is done anew.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import workers
from dynamodb_core.paging import Paging
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.scan import THREADS, choose_segments, read_part
from dynamodb_core.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from dynamodb_core.budgets import Budgets
    from dynamodb_core.capacity import Budget
    from dynamodb_core.expressions import Filter
    from dynamodb_core.parts import Block
    from dynamodb_core.progress import Progress
    from dynamodb_core.table import Table
    from dynamodb_core.throttling import Throttle
    from dynamodb_core.wire import Wire

LOOK_ITEMS = 8
"""How often it is asked whether to stop. With a small budget these take seconds."""


def segments(table: Table) -> int:
    """Return in how many segments a table is read here."""
    return choose_segments(table, THREADS)


def empty(
    wire: Wire,
    table: Table,
    *,
    reading: Budget,
    writing: Budgets,
    progress: Progress,
    where: Filter | None = None,
    requests: int = 8,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Delete items of a table. Nobody else of this run writes to it meanwhile.

    It is read strongly consistent: a stale read would show what was written just before.

    Args:
        wire: Carries the calls.
        table: The table.
        reading: What the scan may consume.
        writing: What the deletions may consume.
        progress: Told of deleted items, and of segments that were read.
        where: Which items; None for all.
        requests: How many requests of 25 deletions are on their way at once.
        stopped: Asked after every few items and while none come, whether to leave the rest.

    Returns:
        Whether it was done to the end.

    Raises:
        Error: A call failed.
    """
    plan = ReadPlan(
        table.name,
        segments(table),
        consistent=True,
        filter=where,
        attributes=table.key.names,
    )
    paging = Paging(reading, consistent=True, item_bytes=table.item_bytes)
    read = partial(
        read_part, plan=plan, wire=wire, budget=reading, paging=paging, render=_as_they_are
    )
    writer = Writer(wire, table, budgets=writing, progress=progress, workers=requests)
    ended = wire.watch(table.name, partial(_slow_down, reading))
    pages = _pages(plan, read, stopped)
    try:
        for page in pages:
            for number, item in enumerate(page.payload):
                if number % LOOK_ITEMS == 0 and stopped():
                    return False
                key = bytes(item)
                writer.delete(table.key.identity(orjson.loads(key)), key)
            progress.add(parts=page.finished)
        writer.flush()
    except _Stopped:
        return False
    finally:
        pages.close()
        writer.close()
        ended()
    return True


class _Stopped(Exception):
    """The rest is to be left."""


def _pages(
    plan: ReadPlan, read: Callable[[Part], Iterator[Block[Any]]], stopped: Callable[[], bool]
) -> Generator[Block[Any], None, None]:
    def idle() -> None:
        if stopped():
            raise _Stopped

    parts = map(Part, range(plan.segments))
    yield from workers.fan_out(parts, read, workers=THREADS, idle=idle, name=plan.part)


def _slow_down(reading: Budget, throttle: Throttle) -> None:
    if throttle.of_reading or not throttle.reason:
        reading.throttled(throttle)


def _as_they_are(items: list[Any]) -> list[Any]:
    return items
