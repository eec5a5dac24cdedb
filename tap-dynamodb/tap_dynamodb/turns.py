"""Several tables that are followed at the same time: each has its turn, and then again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tap_dynamodb.read_loop import TURN, ReadLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_dynamodb.reading import TableReading
    from tap_dynamodb.streams import DynamoDBStream
    from tap_dynamodb.tap import TapDynamoDB

SOONEST_SECONDS = 1.0
LATEST_SECONDS = 5.0
"""Between two turns, after changes, and where nothing happens: every look at a shard is a call that is paid for."""


def follow(
    tap: TapDynamoDB, first: TableReading, asked: DynamoDBStream
) -> Iterator[dict[str, Any]]:
    """Read all tables of a tap together, and what changes in them, for ever.

    Args:
        tap: The tap.
        first: The read of the table whose stream the SDK syncs.
        asked: That stream; those of the other tables are synced along with it.

    Yields:
        The records of the SDK's road.
    """
    loops = [ReadLoop(tap, first, asked, write=True)]
    for other in tap.readings:
        if other is not first and not other.done:
            other.chosen[0].announce()
            loops.append(ReadLoop(tap, other, other.chosen[0], write=True))

    def wait(seconds: float) -> None:
        for loop in loops:
            loop.look_up()
        tap.wait(seconds)

    yield from in_turn(loops, wait)


def in_turn(
    loops: Sequence[ReadLoop],
    wait: Callable[[float], object],
    *,
    lot: Callable[[float, float], float] = random.uniform,
) -> Iterator[dict[str, Any]]:
    """Run loops in turn until all have ended.

    Args:
        loops: The loops.
        wait: Waits for seconds, between the last one's turn and the first one's.
        lot: Draws a number between two others: many taps must not look at the same moment.

    Yields:
        Their records.
    """
    running = {id(loop): (loop, loop.records()) for loop in loops}
    pause = SOONEST_SECONDS
    while running:
        before = sum(loop.blocks for loop in loops)
        for number, (_, records) in list(running.items()):
            for record in records:
                if record is TURN:
                    break
                yield record
            else:
                del running[number]
        if running:
            busy = sum(loop.blocks for loop in loops) > before
            pause = SOONEST_SECONDS if busy else min(pause * 2, LATEST_SECONDS)
            wait(lot(pause / 2, pause))
