"""Where the read of a stream stands, over random forests of shards that grow and die while it goes on.

Whatever the listings leave out and wherever the read is taken up again from its state: each shard is
read once, from its beginning to its end, after all that it came from.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.changes.positions import RETENTION, Positions
from dynamodb_core.changes.shards import Position, Shard

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = RETENTION.total_seconds()
START = 1_700_000_000.0
STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"


class World:
    """A stream, and one who reads it by `Positions`, that is begun anew from a state now and then."""

    def __init__(self, roots: int, data: st.DataObject) -> None:
        self.now = START
        self.draw: Callable[[st.SearchStrategy[int]], int] = data.draw
        self.data = data
        self.shards: dict[str, Shard] = {}
        self.closed: dict[str, float] = {}
        self.length: dict[str, int] = {}
        self.read: dict[str, int] = {}
        self.finished: dict[str, int] = {}
        """The highest order that each shard was read to its end with."""
        self.gone: set[str] = set()
        for _ in range(roots):
            self.grow(())
        self.positions = Positions.noted(STREAM, self.listed(), now=self.now, order=7)

    def grow(self, parents: tuple[str, ...]) -> None:
        shard = f"shard-{len(self.shards):05}"
        self.shards[shard] = Shard(shard, parents)
        self.length[shard] = self.draw(st.integers(0, 3))

    def open(self) -> list[str]:
        return [it for it, shard in self.shards.items() if shard.open]

    def close(self, shard: str) -> None:
        self.shards[shard] = replace(self.shards[shard], open=False)
        self.closed[shard] = self.now

    def split(self) -> None:
        parent = self.data.draw(st.sampled_from(self.open()))
        self.close(parent)
        for _ in range(self.draw(st.integers(1, 2))):
            self.grow((parent,))

    def merge(self) -> None:
        parents = self.data.draw(
            st.lists(st.sampled_from(self.open()), min_size=2, max_size=2, unique=True)
            if len(self.open()) > 1
            else st.just([])
        )
        for parent in parents:
            self.close(parent)
        if parents:
            self.grow(tuple(parents))

    def pass_time(self) -> None:
        """Let hours pass; shards die, but none before it is read: who reads is quick enough."""
        self.now += 3600 * self.draw(st.integers(1, 12))
        for shard, closed in self.closed.items():
            if closed < self.now - DAY and shard in self.finished and self.followed(shard):
                self.gone.add(shard)

    def followed(self, shard: str) -> bool:
        """Whether a child has been begun, so that the state knows no more of the parent."""
        return shard not in self.positions.frontier and all(
            parent in self.gone for parent in self.shards[shard].parents
        )

    def listed(self) -> list[Shard]:
        return [shard for it, shard in self.shards.items() if it not in self.gone]

    def list(self) -> None:
        """List, at first with some of what is not yet read left out; then all."""
        while self.data.draw(st.booleans()):
            hidden = self.data.draw(
                st.sets(st.sampled_from(sorted(self.shards.keys() - self.finished.keys()) or ["-"]))
            )
            shards = [shard for shard in self.listed() if shard.id not in hidden]
            self.positions.refresh(shards, self.now, settled=False)
            self.check()
        assert self.positions.refresh(self.listed(), self.now) == []

    def step(self) -> None:
        """Read a block of a shard."""
        ready = self.positions.ready()
        if not ready:
            return
        shard = self.data.draw(st.sampled_from(ready))
        position = self.positions.frontier[shard]
        begun = self.read.get(shard, 0)
        assert position.sequence == (str(begun) if begun else None)
        if not begun:
            parents = [self.finished[parent] for parent in self.shards[shard].parents]
            assert position.order >= max(parents, default=7)
        if begun < self.length[shard]:
            self.read[shard] = begun + 1
            position = replace(position, sequence=str(begun + 1), order=position.order + 1)
        elif not self.shards[shard].open:
            assert shard not in self.finished
            self.finished[shard] = position.order
            position = replace(position, closed=True)
        self.positions.advance(shard, position)

    def find_children(self) -> None:
        """Ask for the children of a shard, and be told of some."""
        shard = self.data.draw(st.sampled_from(sorted(self.shards)))
        children = [it for it in self.shards.values() if shard in it.parents]
        if children:
            self.positions.found(self.data.draw(st.lists(st.sampled_from(children), unique=True)))

    def restart(self) -> None:
        self.positions.reached = self.now
        dumped = json.loads(json.dumps(self.positions.dump()))
        loaded = Positions.load(dumped)
        assert loaded == self.positions
        assert loaded.dump() == dumped
        self.positions = loaded
        self.list()

    def check(self) -> None:
        """What is in the frontier is ready, and there is no more of it than there are leaves."""
        for shard in self.positions.frontier:
            assert all(parent in self.finished for parent in self.shards[shard].parents)
        finished = [it for it, its in self.positions.frontier.items() if its.closed]
        for shard in finished:
            assert shard in self.finished
        leaves = self.shards.keys() - {p for it in self.shards.values() for p in it.parents}
        assert len(self.positions.ready()) <= len(leaves) + self.merged()

    def merged(self) -> int:
        return sum(len(shard.parents) - 1 for shard in self.shards.values() if shard.parents)


MOVES = (
    World.split,
    World.merge,
    World.pass_time,
    World.list,
    World.step,
    World.step,
    World.find_children,
    World.restart,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), roots=st.integers(1, 3))
def test_each_shard_is_read_once_and_after_its_parents(data: st.DataObject, roots: int) -> None:
    world = World(roots, data)
    for move in data.draw(st.lists(st.sampled_from(MOVES), max_size=40)):
        move(world)
        world.check()
    for shard in world.open():
        world.close(shard)
    for _ in range(3 * len(world.shards) + sum(world.length.values())):
        world.list()
        world.step()
    assert world.finished.keys() == world.shards.keys()
    assert world.read == {shard: length for shard, length in world.length.items() if length}
    assert world.positions.complete
    assert set(world.positions.frontier) <= world.finished.keys()


@settings(max_examples=20, deadline=None)
@given(
    lineages=st.integers(1, 6),
    seconds=st.integers(60, 4 * 3600),
    restarts=st.booleans(),
    refound=st.booleans(),
)
def test_a_state_is_as_small_as_the_open_shards_are_few(
    lineages: int, seconds: int, restarts: bool, refound: bool
) -> None:
    """Thousands of shards die, and are forgotten a day later; the state knows of none of them."""
    now, made = START, lineages
    tips = [f"shard-{number:06}" for number in range(lineages)]
    shards = {tip: (Shard(tip), START) for tip in tips}
    positions = Positions.noted(STREAM, [shard for shard, _ in shards.values()], now=now, since=now)
    small = 0
    for turn in range(200):
        now += seconds
        for lineage, tip in enumerate(tips):
            child = Shard(f"shard-{made:06}", (tip,))
            made += 1
            shards[tip] = (Shard(tip, shards[tip][0].parents, open=False), now)
            shards[child.id] = (child, now)
            tips[lineage] = child.id
            if refound:
                positions.found([child])
        shards = {it: (s, at) for it, (s, at) in shards.items() if s.open or at > now - DAY}
        positions.refresh([shard for shard, _ in shards.values()], now)
        for shard in positions.ready():
            if shard not in tips:
                positions.advance(shard, Position(str(turn), order=turn, closed=True))
        assert sorted(positions.ready()) == sorted(tips)
        positions.reached = now
        size = len(json.dumps(positions.dump()))
        small = small or size
        assert size <= small + 100
        if restarts and turn % 3 == 0:
            positions = Positions.load(positions.dump())
    assert made == lineages * 201
