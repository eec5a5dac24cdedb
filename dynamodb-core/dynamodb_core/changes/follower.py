"""All shards of a stream, read up to a moment: parents before children, lineages side by side."""

from __future__ import annotations

import queue
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from dynamodb_core.changes.shard_reader import EMPTY_ANSWERS, Begin, Kept, Reached, ShardReader
from dynamodb_core.parts import Part, as_they_are
from dynamodb_core.workers import fan_out, gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.changes.positions import Positions
    from dynamodb_core.changes.service import ChangeService
    from dynamodb_core.changes.shards import Shard
    from dynamodb_core.parts import Block

LISTING_SECONDS = 60.0
"""So old a listing may be that a visit begins with."""

MOST_LISTINGS = 4
"""Then a listing that looks odd is believed, and a shard that has ended is taken for one without
children."""

SETTLE_SECONDS = 1.0
"""Between these listings."""


class _EnoughError(Exception):
    """The visit is to end."""


class Follower:
    """Reads a stream from its positions on. Use one of its `blocks` at a time.

    Iterators are kept between visits: what is asked for again costs one call a shard.

    Args:
        service: The stream.
        positions: Where the read stands; advanced as blocks go out.
        convert: Makes a block's payload of changes, in a worker.
        workers: How many shards are read at once.
        clock: Tells the seconds since 1970.
        sleep: Waits for seconds.
        finish: What becomes of the blocks of a shard's visit, in a worker.
    """

    def __init__(
        self,
        service: ChangeService,
        positions: Positions,
        convert: Callable[[Sequence[Change]], Any],
        *,
        workers: int = 16,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        finish: Callable[[Iterator[Block[Any]]], Iterator[Block[Any]]] = as_they_are,
    ) -> None:
        self.positions = positions
        self._service = service
        self._convert = convert
        self._workers = workers
        self._clock = clock
        self._sleep = sleep
        self._finish = finish
        self._kept: dict[str, Kept] = {}
        self._listed: float | None = None

    def blocks(
        self,
        until: float,
        *,
        idle: Callable[[], None] = lambda: None,
        enough: Callable[[], bool] = bool,
        empties: int = EMPTY_ANSWERS,
    ) -> Iterator[Block[Any]]:
        """Read all shards until each has reached a moment.

        A shard is there when it has told of a change of that moment or a later one, or has been read
        to its end and its children are there, or has had nothing more to tell. A block is counted as
        out when the next one is asked for.

        Args:
            until: The moment, in seconds since 1970.
            idle: Called while no block arrives; may raise to end the visit.
            enough: Looked at after each block, and while none arrives: ends the visit when it is true.
            empties: How many empty answers are taken for nothing more to tell, by a shard that had
                nothing more in the visit before. 1 is for who comes back soon.

        Yields:
            The blocks of all shards, in order within each. One may be without changes.

        Raises:
            HistoryLost: What was to be read is gone.
        """
        visit = _Visit(self)
        reader = ShardReader(
            self._service,
            self._convert,
            until,
            empties,
            self._clock,
            self._sleep,
            self._finish,
        )

        def look_up() -> None:
            idle()
            if enough():
                raise _EnoughError

        try:
            if self._listed is None or self._clock() >= self._listed + LISTING_SECONDS:
                self._list(look_up)
            self.positions.check(self._clock(), self._service.retention)
            visit.go_on()
            if not visit.left:
                visit.end()
            with closing(self._fan_out(visit, reader, look_up)) as blocks:  # type: ignore[type-var]
                for block in blocks:
                    yield block
                    self._advance(visit, block, look_up)
                    del block
                    if enough():
                        return
        except _EnoughError:
            return
        finally:
            visit.end()
        self.positions.reached = max(until, self.positions.reached or until)

    def _fan_out(
        self, visit: _Visit, reader: ShardReader, idle: Callable[[], None]
    ) -> Iterator[Block[Any]]:
        return fan_out(visit.parts(), reader, workers=self._workers, idle=idle, name=visit.name)

    def begin(self, shard: str) -> Begin:
        """Return where a visit of a shard begins."""
        positions, kept = self.positions, self._service.retention.total_seconds()
        return Begin(
            shard,
            positions.frontier[shard],
            self._kept.get(shard),
            unmissed=positions.wanted_from + kept,
            unforgotten=(positions.reached or 0.0) + kept,
            childless=positions.childless(shard),
        )

    def _advance(self, visit: _Visit, block: Block[Any], idle: Callable[[], None]) -> None:
        """Note that a block is out."""
        reached: Reached = block.place
        self.positions.advance(reached.shard, reached.position)
        self._kept.pop(reached.shard, None)
        if reached.kept is not None:
            self._kept[reached.shard] = reached.kept
        self.positions.found(reached.children)
        if not block.finished:
            return
        visit.left -= 1
        if reached.position.closed:
            visit.ended.append(reached.shard)
            visit.go_on()
        listings = 0
        while not visit.left and visit.ended and listings < MOST_LISTINGS:
            if listings:
                self._sleep(SETTLE_SECONDS)
            listings += 1
            self._list(idle)
            visit.ended = [it for it in visit.ended if self.positions.childless(it)]
            visit.go_on()
        if not visit.left:
            visit.end()

    def _list(self, idle: Callable[[], None]) -> None:
        """Compare the positions with a new listing, with several where one looks odd."""
        for last in range(1, MOST_LISTINGS + 1):
            now = self._clock()
            listed = self._shards(idle)
            settled = last == MOST_LISTINGS
            odd = self.positions.refresh(
                listed, now, retention=self._service.retention, settled=settled
            )
            if not odd or settled:
                break
            self._sleep(SETTLE_SECONDS)
        self._listed = now

    def _shards(self, idle: Callable[[], None]) -> list[Shard]:
        [shards] = gather(lambda _: self._service.shards(), [None], workers=1, idle=idle)
        return shards


class _Visit:
    """The shards that are visited, each once; new ones arrive while others are read."""

    def __init__(self, follower: Follower) -> None:
        self.left = 0
        self.ended: list[str] = []
        self._follower = follower
        self._shards: dict[str, int] = {}
        self._arriving = queue.SimpleQueue[Part | None]()

    def parts(self) -> Iterator[Part]:
        """Yield what is to be read, as it arrives; is waiting in between."""
        return iter(self._arriving.get, None)

    def go_on(self) -> None:
        """Take what has become ready to be read."""
        for shard in self._follower.positions.ready():
            if shard not in self._shards:
                number = self._shards[shard] = len(self._shards)
                self._arriving.put(Part(number, self._follower.begin(shard)))
                self.left += 1

    def end(self) -> None:
        """Let nobody wait for more."""
        self._arriving.put(None)

    def name(self, number: int) -> str:
        """Return a part in words."""
        return f"shard {list(self._shards)[number]}"
