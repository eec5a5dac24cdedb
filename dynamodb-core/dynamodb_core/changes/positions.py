"""Where the read of a whole stream stands; pure.

A frontier through the forest of shards: those that are being read, and those that were read to their
end and have no child in it yet. All before it has been read, nothing behind it has. So it is as small
as the stream has leaves, however many shards have died.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from dynamodb_core.changes.forest import Forest
from dynamodb_core.changes.lost import START_OVER, history_lost
from dynamodb_core.changes.shards import Position
from dynamodb_core.errors import HistoryLost

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from dynamodb_core.changes.shards import Shard

SKEW = timedelta(seconds=120)
"""How much earlier than asked for a read begins: clocks differ, and services round times down."""

RETENTION = timedelta(hours=24)
"""How long DynamoDB Streams keeps records."""


@dataclass(kw_only=True)
class Positions:
    """The positions of a stream's shards. Moments are seconds since 1970.

    Attributes:
        stream: Which stream it is: its ARN.
        begun: When the first positions were noted.
        since: From which moment on to read, in microseconds; None for the oldest there is.
        order: What every `Change.sequence` is higher than.
        reached: All that was written before this moment is out; None before a first visit is over.
        frontier: The shards that are being read, and those without a child that have been.
    """

    stream: str
    begun: float
    since: int | None = None
    order: int = 0
    reached: float | None = None
    frontier: dict[str, Position] = field(default_factory=dict)
    _forest: Forest = field(default_factory=Forest, init=False, repr=False, compare=False)
    _done: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @classmethod
    def noted(
        cls,
        stream: str,
        shards: Sequence[Shard],
        *,
        now: float,
        since: float | None = None,
        order: int = 0,
    ) -> Positions:
        """Note where the shards of a stream stand, before anything of it is read.

        Args:
            stream: Its ARN.
            shards: Its shards, as they are listed.
            now: This moment.
            since: From which moment on changes are wanted: the read begins `SKEW` earlier. None for
                the oldest there are.
            order: What every `Change.sequence` is to be higher than.
        """
        begin = None if since is None else _micros(since - SKEW.total_seconds())
        positions = cls(stream=stream, begun=now, since=begin, order=order)
        positions.refresh(shards, now)
        return positions

    @property
    def wanted_from(self) -> float:
        """From which moment on changes are wanted."""
        return self.begun if self.since is None else self.since / 1e6

    @property
    def complete(self) -> bool:
        """Whether every shard that is known has been read to its end."""
        return all(position.closed for position in self.frontier.values())

    def ready(self) -> list[str]:
        """Return the shards that are to be read, as their parents have been: the oldest place first."""
        left = [
            (position.order, it) for it, position in self.frontier.items() if not position.closed
        ]
        return [shard for _, shard in sorted(left)]

    def childless(self, shard: str) -> bool:
        """Whether no shard is known that follows on this one."""
        return not self._forest.children(shard)

    def advance(self, shard: str, position: Position) -> None:
        """Note that all before a position of a shard is out.

        Args:
            shard: One of the frontier.
            position: Where the read goes on. If it is closed, the shards that follow may be ready.
        """
        if shard not in self.frontier:
            raise KeyError(shard)
        self.frontier[shard] = position
        if position.closed:
            self._enter(self._forest.children(shard))

    def found(self, shards: Iterable[Shard]) -> None:
        """Take note of shards that follow on others, besides those of the last listing."""
        shards = list(shards)
        self._forest.remember(shards)
        self._enter(shards)

    def refresh(
        self,
        listed: Sequence[Shard],
        now: float,
        *,
        retention: timedelta = RETENTION,
        settled: bool = True,
    ) -> list[str]:
        """Compare the frontier with a new listing: new shards come into it.

        A shard that is to be read stays, also where it is not listed: who asks for its records hears
        whether it is gone. Shards may be listed late; but where one is listed that was read, so are
        those between it and the frontier.

        Args:
            listed: The shards of the stream.
            now: This moment.
            retention: How long the stream keeps records.
            settled: Whether to believe the listing. If not, nothing is done about what looks odd.

        Returns:
            The shards that look odd: another listing may tell otherwise.

        Raises:
            HistoryLost: A shard that was never seen has come and gone; if `settled`.
        """
        there = {shard.id: shard for shard in listed}
        kept = now - retention.total_seconds()
        self._forest.remember(listed, now)
        self._forest.forget(kept)
        self._done = {shard for shard in self._done if self._forest.named(shard)}
        self._done |= self._forest.ancestors(self.frontier)
        new, doubtful = self._readable(listed, there)
        if not settled:
            absent = [shard for shard in self.frontier if shard not in there]
            if not absent:  # else nobody says what they came from, which is not to be read again
                self._enter(new)
            return absent + [shard.id for shard in doubtful]
        odd = self._vanished(there)
        unmissed = self.unmissed(now, retention)
        for shard in odd:
            if not unmissed:
                raise self._lost(shard, self._out(self.frontier[shard]), kept)
            self._done.add(shard)
            del self.frontier[shard]
        for each in doubtful:
            if not unmissed and (missing := self._missing(each, there)):
                raise self._lost(missing[0], self._out(Position(order=self._order(each))), kept)
        self._admit([*new, *doubtful])
        self._admit(self._readable(listed, there)[0])  # those that followed on what vanished
        return odd + [shard.id for shard in doubtful]

    def unmissed(self, now: float, retention: timedelta = RETENTION) -> bool:
        """Whether what vanished before anything was read of it held nothing that is wanted.

        A shard vanishes when all of its records are older than the retention. So nobody misses it
        until that goes for the moment from which on changes are wanted.
        """
        return self.wanted_from >= now - retention.total_seconds()

    def check(self, now: float, retention: timedelta = RETENTION) -> None:
        """Refuse places that are too old to be read on from.

        Args:
            now: This moment.
            retention: How long the stream keeps records.

        Raises:
            HistoryLost: A service that is asked for such a place begins later, and does not say so.
        """
        kept = now - retention.total_seconds()
        for shard in self.ready():
            if (out := self._out(self.frontier[shard])) < kept:
                raise self._lost(shard, out, kept)

    def belongs_to(self, stream: str) -> None:
        """Refuse another stream than that which was begun.

        Args:
            stream: The ARN of the stream to read.

        Raises:
            HistoryLost: It is another one: the table's stream was turned off and on.
        """
        if stream != self.stream:
            raise HistoryLost(
                f"The state is of stream {self.stream}, which was read up to "
                f"{_text(round(self._out(Position())))}, and the one to read now is {stream}: none tells what "
                "was written between the two",
                START_OVER,
            )

    def dump(self) -> dict[str, Any]:
        """Return what `load` takes, as JSON."""
        said = {
            "stream": self.stream,
            "noted": _text(self.begun),
            "since": self.since,
            "order": self.order,
            "reached": None if self.reached is None else _text(self.reached),
            "shards": [[shard, its.dump()] for shard, its in sorted(self.frontier.items())],
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Positions:
        """Read what `dump` returned.

        Args:
            dumped: That, perhaps damaged.

        Raises:
            ValueError, TypeError, KeyError: It is no such thing.
        """
        reached = dumped.get("reached")
        positions = cls(
            stream=dumped["stream"],
            begun=_seconds(dumped["noted"]),
            since=dumped.get("since"),
            order=dumped["order"],
            reached=None if reached is None else _seconds(reached),
            frontier={shard: Position.load(position) for shard, position in dumped["shards"]},
        )
        kinds = {"stream": str, "since": int | None, "order": int}
        for name, kind in kinds.items():
            if not isinstance(getattr(positions, name), kind):
                raise ValueError(name)  # noqa: TRY004 - damaged, as all else that is
        if not all(isinstance(shard, str) for shard in positions.frontier):
            raise ValueError("shards")
        return positions

    def _out(self, position: Position) -> float:
        """Return a moment before which all of a shard's lineage is out."""
        return max(self.wanted_from, self.reached or 0, position.order / 1e6)

    def _finished(self, shard: str) -> bool:
        position = self.frontier.get(shard)
        return position.closed if position else shard in self._done

    def _missing(self, shard: Shard, there: Container[str]) -> list[str]:
        """Return the parents of a shard that are neither read nor to be read."""
        return [
            parent
            for parent in shard.parents
            if not self._finished(parent) and parent not in there and parent not in self.frontier
        ]

    def _vanished(self, there: Mapping[str, Shard]) -> list[str]:
        """Return the shards that have been read and are not there, and no shard is that follows on them.

        That is as it should be where the stream is off. Those that have not been read are asked for,
        whether they are listed or not: their service knows.
        """
        if not any(shard.open for shard in there.values()):
            return []
        return [
            shard
            for shard, position in self.frontier.items()
            if position.closed and shard not in there and self.childless(shard)
        ]

    def _readable(
        self, listed: Iterable[Shard], there: Container[str] = ()
    ) -> tuple[list[Shard], list[Shard]]:
        """Return the shards that have become ready, and those that have if the listing is right.

        A parent that was never read and is not there may have been left out by the listing.
        """
        new, doubtful = [], []
        for shard in listed:
            if shard.id in self.frontier or shard.id in self._done:
                continue
            missing = self._missing(shard, there)
            unfinished = sum(not self._finished(parent) for parent in shard.parents)
            if unfinished > len(missing):
                continue
            if missing:
                doubtful.append(shard)
            else:
                new.append(shard)
        return new, doubtful

    def _enter(self, shards: Iterable[Shard]) -> None:
        self._admit(self._readable(shards)[0])

    def _admit(self, shards: Sequence[Shard]) -> None:
        """Take shards into the frontier, and those that they follow on out of it."""
        orders = {shard.id: self._order(shard) for shard in shards}
        for shard in shards:
            self.frontier[shard.id] = Position(since=self.since, order=orders[shard.id])
        for parent in {parent for shard in shards for parent in shard.parents}:
            self._done.add(parent)
            self.frontier.pop(parent, None)

    def _order(self, shard: Shard) -> int:
        """Return the highest order of what a shard follows on, or if it came late, of its siblings."""
        orders = [self.order]
        for parent in shard.parents:
            if (position := self.frontier.get(parent)) is not None:
                orders.append(position.order)
            elif parent in self._done:
                orders += (
                    position.order
                    for it, position in self.frontier.items()
                    if parent in self._forest.ancestors([it])
                )
        return max(orders)

    def _lost(self, shard: str, out: float, kept: float) -> HistoryLost:
        return history_lost(f"stream {self.stream}", shard, _micros(out), _micros(kept))


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
