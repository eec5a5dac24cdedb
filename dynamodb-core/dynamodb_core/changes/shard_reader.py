"""One visit of a shard: its answers as blocks, until it has reached a moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamodb_core.changes.service import IteratorExpired
from dynamodb_core.errors import HistoryLost, ServiceError
from dynamodb_core.parts import Block, as_they_are

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.changes.service import ChangeService, Records
    from dynamodb_core.changes.shards import Position, Shard
    from dynamodb_core.parts import Part

EMPTY_ANSWERS = 10
"""So many in a row are taken for the newest place of an open shard: between records there are fewer."""

PAUSE_SECONDS = 0.2
"""Between empty answers, where the moment to reach is yet to come."""


@dataclass(frozen=True)
class Kept:
    """An iterator that is kept between visits.

    Attributes:
        iterator: Asks for what comes after the position.
        newest: Whether the visit before ended at the newest place of the shard.
    """

    iterator: str
    newest: bool


@dataclass(frozen=True)
class Begin:
    """Where a visit of a shard begins: what is the place of its part.

    Attributes:
        shard: The shard.
        position: Where to go on.
        kept: The iterator of the visit before, if there was one.
        unmissed: Before this moment the shard, if it has vanished unread, held nothing that is wanted.
        unforgotten: Before this moment nothing that is left to read can be gone.
        childless: Whether its children must be asked for when it ends.
    """

    shard: str
    position: Position
    kept: Kept | None = None
    unmissed: float = 0.0
    unforgotten: float = 0.0
    childless: bool = True


@dataclass(frozen=True)
class Reached:
    """How far a visit of a shard has come: what is the place of its blocks.

    Attributes:
        shard: The shard.
        position: Where to go on once the block is out.
        kept: The iterator for that; None at the shard's end.
        children: Shards that follow on it; known at its end only.
    """

    shard: str
    position: Position
    kept: Kept | None
    children: tuple[Shard, ...] = ()


@dataclass(frozen=True)
class ShardReader:
    """Visits shards of a stream. Threads may share it.

    Attributes:
        service: The stream.
        convert: Makes a block's payload of changes.
        until: The moment to reach, in seconds since 1970.
        empties: How many empty answers tell of a shard that was at its newest place before that it
            still is.
        clock: Tells that moment.
        sleep: Waits for seconds.
        finish: What becomes of the blocks of a visit.
    """

    service: ChangeService
    convert: Callable[[Sequence[Change]], Any]
    until: float
    empties: int
    clock: Callable[[], float]
    sleep: Callable[[float], object]
    finish: Callable[[Iterator[Block[Any]]], Iterator[Block[Any]]] = as_they_are

    def __call__(self, part: Part) -> Iterator[Block[Any]]:
        """Read a shard until it has reached the moment.

        Args:
            part: Its place is a `Begin`.

        Yields:
            A block an answer that tells of changes. The last one is finished, and may tell of none: then
            the visit is over. The place of each is a `Reached`.
        """
        return self.finish(self._blocks(part.number, part.place))

    def _blocks(self, number: int, begin: Begin) -> Iterator[Block[Any]]:
        shard, position = begin.shard, begin.position
        iterator = begin.kept.iterator if begin.kept else None
        most = self.empties if begin.kept and begin.kept.newest else EMPTY_ANSWERS
        empty, anew = 0, False
        while True:
            asked, new = self.clock(), iterator is None
            try:
                if iterator is None:
                    iterator, most = self.service.iterator(shard, position), EMPTY_ANSWERS
                records = self.service.records(shard, iterator, position)
            except IteratorExpired as error:
                if new:
                    raise _never(shard, self.service) from error
                iterator = None
                continue
            except HistoryLost:
                now = self.clock()
                if position.sequence is None and not anew and now < begin.unmissed:
                    yield self._end(number, begin, position)
                    return
                if position.sequence is None or now >= begin.unforgotten:
                    raise
                # The last record that was read is gone, and so are those before it alone.
                position, iterator, anew = replace(position, sequence=None), None, True
                continue
            moved = records.position != position  # past records that are not wanted, perhaps
            position, iterator, changes = records.position, records.iterator, records.changes
            if iterator is None:
                yield self._end(number, begin, position, records)
                return
            late, behind = asked >= self.until, records.behind
            nothing = not changes and (not moved if behind is None else behind == 0)
            empty = empty + 1 if late and nothing else 0
            newest = empty >= most if behind is None else late and behind == 0
            over = newest or bool(changes and (changes[-1].micros or 0) >= self.until * 1e6)
            if changes or over:
                kept = Kept(iterator, newest)
                yield self._block(number, records, Reached(shard, position, kept), finished=over)
            if over:
                return
            if nothing and not late:
                self.sleep(min(PAUSE_SECONDS, max(0.0, self.until - self.clock())))
            del records, changes

    def _end(
        self, number: int, begin: Begin, position: Position, records: Records | None = None
    ) -> Block[Any]:
        """Return the last block of a shard."""
        children = self.service.children(begin.shard) if begin.childless else ()
        place = Reached(begin.shard, replace(position, closed=True), None, tuple(children))
        return self._block(number, records, place, finished=True)

    def _block(
        self, number: int, records: Records | None, place: Reached, *, finished: bool
    ) -> Block[Any]:
        changes = records.changes if records else []
        size = records.size if records else 0
        return Block(number, self.convert(changes), len(changes), place, finished, size)


def _never(shard: str, service: ChangeService) -> ServiceError:
    return ServiceError(
        f"An iterator of shard {shard} of {service} is said to have expired as soon as it was given",
        "Run again with the last state to go on",
        code="ExpiredIteratorException",
    )
