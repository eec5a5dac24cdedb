"""Both sides read at the same time, their rows dealt out to buckets, and checkpoints of it."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dynamodb_core.buckets import FAN_OUT, Buckets
from dynamodb_core.errors import Error, StateError
from dynamodb_core.parts import Block, Part
from dynamodb_core.places import Places
from dynamodb_core.progress import Progress
from dynamodb_core.workers import fan_out
from dynamodb_tools.checkpoint import FORMAT, START_OVER, Checkpoint, SidePoint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from dynamodb_core.capacity import Budget
    from dynamodb_tools.canonical import Canon
    from dynamodb_tools.checkpoint import WorkFolder
    from dynamodb_tools.sides import Side

CHECKPOINT_SECONDS = 5.0
"""Between two checkpoints; what was read since the last one is read again after a crash."""

log = logging.getLogger("dynamodb-tools")


class _ClosedError(Exception):
    """Nobody takes the blocks of a side any more."""


@dataclass
class Half:
    """One side while it is read.

    Attributes:
        side: The side.
        letter: `A` or `B`, for people.
        places: Where its read stands.
        buckets: Where its rows are.
        items: Items that were read, by earlier runs too.
        size: Their bytes.
        units: Capacity units that reading them has cost.
        seconds: How long that took.
    """

    side: Side
    letter: str
    places: Places
    buckets: Buckets
    items: int = 0
    size: int = 0
    units: float = 0.0
    seconds: float = 0.0

    def take(self, block: Block[Any], seconds: float) -> None:
        """Keep the rows of a page.

        Args:
            block: The page.
            seconds: How long it took since the page before it.
        """
        for number, rows in block.payload:
            self.buckets.add(number, rows)
        self.places.advance(block)
        self.items += block.count
        self.size += block.size
        self.units += block.units
        self.seconds += seconds

    def point(self) -> SidePoint:
        """Return how far its read has come, when all that it holds is in its files."""
        return SidePoint(
            identity=self.side.identity,
            segments=self.places.segments,
            seed=self.places.seed,
            lengths=self.buckets.lengths(),
            places=self.places.dump_places(),
            items=self.items,
            size=self.size,
            units=self.units,
            seconds=self.seconds,
        )


class Reading:
    """The read of both sides, begun or gone on with.

    Args:
        sides: A and B.
        folder: The work folder, which is open.
        clock: Returns seconds.

    Raises:
        StateError: What an earlier run has left is damaged, or is of another table of that name.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        folder: WorkFolder,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._clock = clock
        before = folder.load()
        self.resumed = before is not None
        self.began = before.began if before else _now()
        self._noted = clock()
        points = [before.a, before.b] if before else [None, None]
        self.halves = [
            self._half(side, letter, point)
            for side, letter, point in zip(sides, "AB", points, strict=True)
        ]

    @property
    def complete(self) -> bool:
        """Whether both have been read to their end."""
        return all(half.places.complete for half in self.halves)

    def run(
        self,
        canon: Canon,
        look: Callable[[], None],
        budgets: Sequence[Budget | None] = (None, None),
    ) -> None:
        """Read what is left of both sides; progress goes to the log.

        However it ends, what was read is kept, and the next run goes on from there.

        Args:
            canon: Makes rows of items.
            look: Called every quarter second and after every page; may raise to stop.
            budgets: What each side may consume, to say what becomes of it.
        """
        self._noted = self._clock()
        seen = [self._noted] * len(self.halves)
        lines = [self._progress(*each) for each in zip(self.halves, budgets, strict=True)]

        def idle() -> None:
            look()
            if self._clock() - self._noted >= CHECKPOINT_SECONDS:
                self.note()
            going_on = [
                line
                for line, half in zip(lines, self.halves, strict=True)
                if not half.places.complete
            ]
            if any(line.due() for line in going_on):
                log.info("%s", "; ".join(line.line() for line in going_on))

        try:
            with closing(self._blocks(canon, idle)) as blocks:
                for number, block in blocks:
                    before, seen[number] = seen[number], self._clock()
                    self.halves[number].take(block, seen[number] - before)
                    lines[number].add(
                        items=block.count,
                        size=block.size,
                        units=block.units,
                        parts=block.finished,
                    )
                    del block
                    if self.halves[number].places.complete:
                        log.info("%s", lines[number].summary())
                    idle()
        except BaseException:
            with contextlib.suppress(Error):  # what went wrong first counts
                self.note()
            self.close()
            raise
        self.note()

    def note(self) -> None:
        """Write down how far both reads have come.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        a, b = (half.point() for half in self.halves)
        self._folder.save(Checkpoint(FORMAT, self.began, a, b))
        self._noted = self._clock()

    def seal(self) -> tuple[Buckets, Buckets]:
        """Return the rows of A and of B, to be read."""
        a, b = (half.buckets for half in self.halves)
        a.seal()
        b.seal()
        return a, b

    def close(self) -> None:
        """Let go of the files."""
        for half in self.halves:
            half.buckets.close()

    def _half(self, side: Side, letter: str, point: SidePoint | None) -> Half:
        files = self._folder.side(letter.lower())
        if point is None:
            seed = random.randrange(1 << 30)  # noqa: S311 - an order needs no secrecy
            places = Places(segments=side.segments, seed=seed)
            return Half(side, letter, places, Buckets.create(files, FAN_OUT))
        if point.identity != side.identity:
            raise StateError(
                f"{side.what[:1].upper()}{side.what[1:]} was made anew since the run that began at "
                f"{self.began} has read a part of it",
                START_OVER,
            )
        buckets = Buckets.reopen(files, point.lengths)
        return Half(
            side,
            letter,
            point.where(),
            buckets,
            point.items,
            point.size,
            point.units,
            point.seconds,
        )

    def _progress(self, half: Half, budget: Budget | None) -> Progress:
        places = half.places
        line = Progress(
            f"{half.letter}, {half.side.what}",
            whole_items=half.side.items_ahead(places),
            whole_parts=places.segments,
            parts_before=len(places.finished),
            clock=self._clock,
        )
        if budget is not None:
            line.follow(half.side.what, budget)
        return line

    def _blocks(self, canon: Canon, idle: Callable[[], None]) -> Generator[tuple[int, Block[Any]]]:
        """Yield the pages of both sides as they come, each with the number of its side."""
        closed = threading.Event()

        def look() -> None:
            if closed.is_set():
                raise _ClosedError

        def read(part: Part) -> Iterator[Block[Any]]:
            half = self.halves[part.number]
            blocks = half.side.blocks(canon, half.buckets.fan_out, part.place, look)
            with closing(blocks):  # type: ignore[type-var]
                for block in blocks:
                    yield Block(part.number, block, block.count, None, finished=False)
                    del block
            yield Block(part.number, None, 0, None, finished=True)

        left = [
            Part(number, half.places)
            for number, half in enumerate(self.halves)
            if not half.places.complete
        ]
        name = [half.side.what for half in self.halves].__getitem__
        try:
            for outer in fan_out(left, read, workers=len(left), idle=idle, name=name):
                if outer.payload is not None:
                    yield outer.part, outer.payload
                del outer
        finally:
            closed.set()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
