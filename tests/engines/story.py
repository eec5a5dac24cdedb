"""What happens to a table while it is read and followed: a story, told by a random generator.

It says what is written and when, how late and how stale each page of the table is read, how the shards of
its stream split, when listings disagree, and where runs crash. A `Destination` takes in what the runs
tell, and must end with what the table held.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.engines.scripted import Clock
from tests.engines.shards import Disagreement, ScriptedStream
from tests.engines.stale import StaleTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NOW = 1_700_000_000.5
STALE = (0.0, 3.0, 9.0)
"""By so many seconds an item is shown too late: less than the margin."""

MEANWHILE = (0.0, 0.05, 0.1)
"""Before so many of the stream's calls somebody writes."""

STORIES = 300
"""So many are tried until one must have shown a mistake. One in ten does, about."""


class Told(NamedTuple):
    """What a record tells: the item's value, None where it is deleted, and its `_sdc_sequence`."""

    key: str
    value: str | None
    sequence: int


@dataclass
class Story:
    """All that is left to chance, and so the same every time; but for the turns of several workers.

    `slow` stretches time: the higher, the longer pages are under way. `crashes` says after how many
    blocks each of the first runs ends, and `workers` how many shards are read at once.
    """

    chance: random.Random
    slow: float = 1.0
    crashes: list[int] = field(default_factory=list)
    workers: int = 1
    clock: Clock = field(default_factory=lambda: Clock(NOW))

    def __post_init__(self) -> None:
        """Make the table and its stream, and put off what happens to them."""
        pick = self.chance.choice
        self.keys = [f"k{number}" for number in range(self.chance.randint(2, 16))]
        self.written = 0
        clock = self.clock
        self.stream = ScriptedStream(
            clock=clock,
            sleep=clock.sleep,
            latency=0.05,
            lag=pick([0.0, 0.3]),
            shards=pick([1, 1, 3]),
            granularity=pick([1.0, 1.0, 60.0]),
            page=pick([1, 2, 100]),
            most=pick([1, 2, 1000]),
            at_timestamp=pick(["answered", "refused"]),
            child_shards=pick(["answered", "ignored", "refused"]),
            ends=pick(["after", "with"]),
            before=partial(self._meanwhile, random.Random(self.chance.random()), pick(MEANWHILE)),
        )
        self.table = StaleTable(
            self.stream,
            clock=clock,
            sleep=clock.sleep,
            lag=lambda: pick(STALE),
            latency=lambda: pick([0.1, 1.0]),
            late=lambda: self.slow * pick([0.0, 2.0, 7.0]),
            page=pick([1, 2]),
        )
        for key in self.keys:
            if pick([True, True, False]):
                self.stream.later(NOW - 1000, partial(self.put, key))
        for happens in range(self.chance.randint(0, 60)):
            at = NOW + 20 + self.slow * self.chance.uniform(-150, 150)
            self.stream.later(at, self._event(happens))
        clock.now = NOW - 1000.0
        self.stream.catch_up()
        clock.now = NOW

    def _event(self, number: int) -> Callable[[], object]:
        pick = self.chance.choice
        key, kind = pick(self.keys), pick(["put", "put", "delete", "delete", "delete", "gap"])
        if number % 8 == 5:
            kind = pick(["split", "roll over", "disagree"])
        which, answers = self.chance.randint(0, 99), self.chance.randint(1, 8)

        def happen() -> None:
            shards = self.stream.open()
            shard = shards[which % len(shards)]
            if kind == "put":
                self.put(key)
            elif kind == "delete":
                self.stream.delete({"id": {"S": key}})
            elif kind == "gap":
                self.stream.gap(answers, shard)
            elif kind == "split":
                self.stream.split(shard)
            elif kind == "disagree":
                self._disagree(which)
            else:
                self.stream.roll_over(shard)

        return happen

    def _meanwhile(self, chance: random.Random, share: float, *_call: object) -> None:
        """Write or delete while the stream is read. It is, by a thread that has chances of its own."""
        if chance.random() < share:
            key = chance.choice(self.keys)
            if chance.random() < 0.7:
                self.stream.delete({"id": {"S": key}})
            else:
                self.put(key)

    def _disagree(self, which: int) -> None:
        """Let the next page of a listing leave out a shard, or its children, and call all others open."""
        shards = self.stream.listed()
        shard = shards[which % len(shards)]
        hidden = self.stream.children(shard) if which % 3 == 0 else [shard] if shards[1:] else []
        self.stream.disagree(Disagreement(hidden=frozenset(hidden), opened=frozenset(shards)))

    def put(self, key: str) -> None:
        """Write an item as it never was before."""
        self.written += 1
        self.stream.put({"id": {"S": key}, "v": {"N": str(self.written)}})

    def possible(self, key: str, since: float) -> set[str | None]:
        """Return the values that an item had at some time since a moment."""
        versions = self.stream.versions.get(self.stream.identity({"id": {"S": key}}), [(0.0, None)])
        until = [at for at, _ in versions[1:]] + [float("inf")]
        return {
            None if item is None else item["v"]["N"]
            for (_, item), end in zip(versions, until, strict=True)
            if end > since
        }


class Destination:
    """Takes records in: the last one of a key holds, and so does the one of the highest sequence."""

    def __init__(self) -> None:
        self.last: dict[str, str | None] = {}
        self.highest: dict[str, Told] = {}
        self.numbers: dict[str, set[int]] = {}

    def take(self, records: Sequence[Told]) -> None:
        for told in records:
            self.last[told.key] = told.value
            if told.value is not None:
                self.numbers.setdefault(told.value, set()).add(told.sequence)
            best = self.highest.get(told.key)
            if best is None or told.sequence >= best.sequence:
                self.highest[told.key] = told


def stories(slow: float, count: int = STORIES) -> Iterator[Story]:
    """Return the same stories every time."""
    for seed in range(count):
        chance = random.Random(seed)
        crashes = [chance.randint(0, 12) for _ in range(chance.randint(0, 2))]
        yield Story(chance, slow, crashes)
