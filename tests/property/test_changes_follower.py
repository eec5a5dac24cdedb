"""A stream that is followed while its shards split, die and are listed wrongly, and its reader is killed.

Whatever happens, what is out when the state is saved is what the state says: no change is told twice to
whoever keeps both, and none is skipped.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.changes.follower import Follower
from dynamodb_core.changes.positions import Positions
from dynamodb_core.changes.shard_reader import EMPTY_ANSWERS
from dynamodb_core.changes.streams import DynamoDBStreams
from tests.engines.scripted import Clock
from tests.engines.shards import Disagreement, ScriptedStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamodb_core.change import Change

KEYS = 12


def written(changes: Sequence[Change]) -> list[tuple[str, int, int]]:
    """Return key, number and order of each write."""
    found = []
    for change in changes:
        item = orjson.loads(change.item or b"")
        assert change.sequence
        found.append((item["id"]["S"], int(item["n"]["N"]), change.sequence))
    return found


class Story:
    """A stream, its reader, what the reader has taken, and what it would go on from."""

    def __init__(self, data: st.DataObject, shards: int, ends: str) -> None:
        self.data = data
        self.clock = Clock(1_800_000_000.0)
        self.stream = ScriptedStream(
            clock=self.clock,
            sleep=self.clock.sleep,
            latency=0.001,
            shards=shards,
            ends=ends,
            most=3,
            page=4,
        )
        self.numbers = itertools.count()
        self.all: list[tuple[str, int]] = []
        self.out: list[tuple[str, int, int]] = []
        positions = Positions.noted(self.stream.arn, self.service().shards(), now=self.clock())
        self.follow(positions)
        self.save()

    def service(self) -> DynamoDBStreams:
        return DynamoDBStreams(self.stream, self.stream.arn, clock=self.clock)

    def follow(self, positions: Positions) -> None:
        self.positions = positions
        self.follower = Follower(
            self.service(),
            positions,
            written,
            workers=self.data.draw(st.integers(1, 4)),
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def save(self) -> None:
        self.saved = orjson.dumps(self.positions.dump()), list(self.out)

    def die(self) -> None:
        state, out = self.saved
        self.out = list(out)
        self.follow(Positions.load(orjson.loads(state)))

    def write(self) -> None:
        for _ in range(self.data.draw(st.integers(1, 20))):
            key, number = f"k{self.data.draw(st.integers(0, KEYS - 1))}", next(self.numbers)
            self.stream.put({"id": {"S": key}, "n": {"N": str(number)}})
            self.all.append((key, number))

    def split(self) -> None:
        self.stream.split(self.data.draw(st.sampled_from(self.stream.open())))

    def roll_over(self) -> None:
        self.stream.roll_over(self.data.draw(st.sampled_from(self.stream.open())))

    def gap(self) -> None:
        self.stream.gap(self.data.draw(st.integers(1, EMPTY_ANSWERS - 1)))

    def expire(self) -> None:
        self.stream.fail("GetRecords", "ExpiredIteratorException")
        self.follower._kept.clear()  # a new one never expires at once; an old one may
        self.stream._failures.clear()
        self.clock.now += 16 * 60

    def disagree(self) -> None:
        """Some open shards are not listed for a while, or any for a moment."""
        shards, pages = self.data.draw(
            st.sampled_from(((self.stream.listed(), 1), (self.stream.open(), 3)))
        )
        hidden = self.data.draw(st.frozensets(st.sampled_from(shards), max_size=3))
        self.stream.disagree(*[Disagreement(hidden=hidden)] * pages)

    def visit(self) -> None:
        """Read up to now, or until the reader has enough; a block is out when another is asked for."""
        blocks = iter(self.follower.blocks(self.clock()))
        left = self.data.draw(st.one_of(st.none(), st.integers(1, 6)))
        taken: list[tuple[str, int, int]] = []
        for number, block in enumerate(blocks):
            self.out += taken
            taken = block.payload
            if self.data.draw(st.integers(0, 9)) == 0:
                self.save()
            if number == left:
                blocks.close()  # type: ignore[attr-defined] # it is a generator
                return
        self.out += taken

    def whole_visit(self) -> None:
        for block in self.follower.blocks(self.clock()):
            self.out += block.payload
        self.save()

    def pass_time(self) -> None:
        self.whole_visit()
        self.clock.now += 3600 * self.data.draw(st.integers(1, 15))


MOVES = (
    Story.write,
    Story.write,
    Story.split,
    Story.roll_over,
    Story.gap,
    Story.expire,
    Story.disagree,
    Story.visit,
    Story.visit,
    Story.die,
    Story.pass_time,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), shards=st.integers(1, 3), ends=st.sampled_from(["after", "with"]))
def test_every_change_is_out_once_whatever_happens(
    data: st.DataObject, shards: int, ends: str
) -> None:
    story = Story(data, shards, ends)
    for move in data.draw(st.lists(st.sampled_from(MOVES), max_size=25)):
        move(story)
    for _ in range(3):  # gaps may be left
        story.clock.now += 100
        story.whole_visit()
    assert story.stream.early == []
    assert sorted(number for _, number, _ in story.out) == [number for _, number in story.all]
    for key in range(KEYS):
        mine = [(number, order) for name, number, order in story.out if name == f"k{key}"]
        assert mine == sorted(mine)
        assert len({order for _, order in mine}) == len(mine)
    assert set(story.positions.ready()) == set(story.stream.open())
    assert len(story.positions.frontier) == len(story.stream.open())
