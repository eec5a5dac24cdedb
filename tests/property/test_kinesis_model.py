"""A table's changes through Kinesis: late, twice, over splits and mergers and runs, they end in its items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.changes.follower import Follower
from dynamodb_core.changes.kinesis import KinesisStream
from dynamodb_core.changes.positions import Positions
from tests.engines.kinesis import ARN, TABLE, ScriptedKinesis, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamodb_core.change import Change

KEYS = "abc"
LATEST = 200.0
"""Seconds after which a change arrives at the latest: within the window."""

delays = st.lists(st.sampled_from([0.0, 0.0, 30.0, 90.0, LATEST]), min_size=1, max_size=2)
"""When a change arrives; twice, where there are two."""

changes = st.tuples(st.sampled_from(["write", "write", "delete"]), st.sampled_from(KEYS), delays)
goings_on = st.one_of(
    st.tuples(st.just("pass_"), st.sampled_from([1.0, 40.0, 100.0])),
    st.tuples(
        st.just("read"), st.sampled_from([1, 1000, 1000])
    ),  # at most so many blocks are taken
    st.tuples(st.just("go_on"), st.sampled_from([1.0, 40.0, 100.0])),
    st.tuples(st.sampled_from(["split", "merge"]), st.integers(0, 9)),
    st.tuples(st.just("idle"), st.integers(1, 20)),  # hours in which nothing is written
)
histories = st.lists(st.one_of(changes, changes, goings_on), max_size=40)


class World:
    """A table, its stream, and a copy that is made of what is read of it."""

    def __init__(self, most: int) -> None:
        self.engine = ScriptedKinesis(2, most=most)
        self.engine.created -= 100_000
        self.homes = {key: self.engine.ids[n % 2] for n, key in enumerate(KEYS)}
        self.items: dict[str, dict[str, Any]] = {}
        self.copy: dict[str, dict[str, Any]] = {}
        self.under_way: list[tuple[float, str, dict[str, Any]]] = []
        self.count = 0
        self.service = self._service()
        shards = self.service.shards()
        now = self.engine.now
        self.positions = Positions.noted(ARN, shards, now=now, since=now - 1000)
        self.follower = self._follower()

    def _service(self) -> KinesisStream:
        return KinesisStream(self.engine.wire, ARN, TABLE, clock=self.engine.clock)

    def _follower(self) -> Follower:
        def keep(changes: Sequence[Change]) -> list[Change]:
            return list(changes)

        return Follower(
            self.service,
            self.positions,
            keep,
            workers=2,
            clock=self.engine.clock,
            sleep=lambda seconds: None,
        )

    def write(self, key: str, delays: list[float]) -> None:
        self.count += 1
        self._changed(key, {"n": {"N": str(self.count)}}, delays)

    def delete(self, key: str, delays: list[float]) -> None:
        if key in self.items:
            self._changed(key, None, delays)

    def _changed(self, key: str, new: dict[str, Any] | None, delays: list[float]) -> None:
        self.engine.now += 0.01
        now = self.engine.now
        data = written(key, now, new, old=self.items.get(key), table=TABLE, event=f"{now}")
        if new is None:
            del self.items[key]
        else:
            self.items[key] = new
        self.under_way += [(now + delay, key, data) for delay in delays]

    def pass_(self, seconds: float) -> None:
        """Let time go on; what is under way arrives in its turn, in the shard that its key has then."""
        end = self.engine.now + seconds
        self.under_way.sort(key=lambda each: each[0])
        while self.under_way and self.under_way[0][0] <= end:
            at, key, data = self.under_way.pop(0)
            self.engine.now = max(at, self.engine.now)
            self.engine.put(self.homes[key], data)
        self.engine.now = end

    def idle(self, hours: int) -> None:
        self.pass_(LATEST)
        self.read(1000)
        self.pass_(hours * 3600.0)
        self.read(1000)

    def split(self, which: int) -> None:
        homes = sorted(set(self.homes.values()))
        shard = homes[which % len(homes)]
        children = self.engine.split(shard)
        for n, key in enumerate(key for key in KEYS if self.homes[key] == shard):
            self.homes[key] = children[n % 2]

    def merge(self, which: int) -> None:
        homes = sorted(set(self.homes.values()))
        if len(homes) > 1:
            one, other = (homes[(which + n) % len(homes)] for n in range(2))
            merged = self.engine.merge(one, other)
            self.homes = {
                key: merged if home in (one, other) else home for key, home in self.homes.items()
            }

    def go_on(self, seconds: float) -> None:
        """Have another run read on after a while."""
        self.pass_(seconds)
        self.read(1000)
        self.positions = Positions.load(orjson.loads(orjson.dumps(self.positions.dump())))
        self.service = self._service()
        self.follower = self._follower()

    def read(self, most: int) -> None:
        taken = 0

        def enough() -> bool:
            return taken >= most

        for block in self.follower.blocks(self.engine.now, enough=enough):
            for change in block.payload:
                key = orjson.loads(change.keys)["id"]["S"]
                item = change.item and orjson.loads(change.item)
                if item:
                    self.copy[key] = {"n": item["n"]}
                else:
                    self.copy.pop(key, None)
            taken += 1


@settings(max_examples=200)
@given(histories, st.sampled_from([1, 2, 10_000]))
def test_the_copy_ends_as_the_table(history: list[tuple[Any, ...]], most: int) -> None:
    world = World(most)
    for name, *arguments in history:
        getattr(world, name)(*arguments)
    world.pass_(LATEST)
    world.read(1000)
    world.read(1000)
    assert world.copy == world.items
