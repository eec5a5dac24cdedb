"""A snapshot and a stream in turn, on a clock of their own: whatever is written meanwhile, nothing is lost.

A story (`tests/engines/story.py`) says what is written to a table and when, how late and how stale each
page of it is read, how its shards split, and where runs crash. Runs go on from the last state that was
out. The model of a destination takes in all that they tell, and must end with what the table held.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.changes.alternation import LAG_SECONDS, MARGIN_SECONDS, alternate
from dynamodb_core.changes.follower import Follower
from dynamodb_core.changes.positions import SKEW, Positions
from dynamodb_core.changes.streams import DynamoDBStreams
from tests.engines.story import Destination, Story, Told, stories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamodb_core.change import Change


class _CrashError(Exception):
    """The process is gone."""


class Page(NamedTuple):
    """What goes out at once; `place` is where the scan goes on after it, None for changes."""

    records: list[Told]
    place: Any = None


class Mistakes(NamedTuple):
    """What is done wrong, so that the model can show that it sees it."""

    margin: float = MARGIN_SECONDS
    skew: float = SKEW.total_seconds()
    noted_after: bool = False
    in_flight_kept: bool = False
    early_end: bool = False
    unordered: bool = False
    state_ahead: bool = False


RIGHT = Mistakes()


class Tap:
    """Runs that go on from the last state. What is wrong is done as `mistakes` says."""

    def __init__(self, story: Story, mistakes: Mistakes = RIGHT) -> None:
        self.story = story
        self.mistakes = mistakes
        self.destination = Destination()
        self.state: str | None = None
        self.runs = 0
        self._crashes = list(story.crashes)

    def run(self) -> None:
        """Run until a run does not crash."""
        while True:
            crash = self._crashes.pop(0) if self._crashes else None
            self.runs += 1
            try:
                Run(self, crash).go()
            except _CrashError:
                self.story.clock.sleep(self.story.chance.choice([0.5, 3.0, 60.0]))
                continue
            return


class Run:
    """One run: from the last state to its end, or to its crash after so many blocks."""

    def __init__(self, tap: Tap, crash: int | None) -> None:
        self._tap = tap
        self._story = tap.story
        self._clock = tap.story.clock
        self._left = crash
        stream = tap.story.stream
        self._service = DynamoDBStreams(stream, stream.arn, clock=self._clock)
        said = json.loads(tap.state) if tap.state else {}
        self._fresh = not said
        self._place = said.get("place")
        self._complete = said.get("complete", False)
        self._whole = said.get("whole", False)
        before = 0.0 if tap.mistakes.unordered else SKEW.total_seconds()
        self._snapshot: int = said.get("snapshot") or round((self._clock() - before) * 1e6)
        positions = said.get("positions")
        self.positions = Positions.load(positions) if positions else None
        self._follower: Follower | None = None
        self._in_flight: list[Page] = []

    def go(self) -> None:
        """Run to the end."""
        if not self._tap.mistakes.noted_after:
            self._note()
            self._save()
        pages = self._blocks()
        for page in pages:
            if self._story.chance.random() < 0.5:
                self._save()
            if self._left == 0:
                if self._tap.mistakes.state_ahead:
                    next(pages, None)
                    self._save()
                raise _CrashError
            self._left = None if self._left is None else self._left - 1
            self._tap.destination.take(page.records)
        self._whole = True
        self._save()

    def _blocks(self) -> Iterator[Page]:
        mistakes = self._tap.mistakes
        if self._whole:
            yield from self._changes(self._clock())
        elif mistakes.noted_after:
            while not self._complete:
                yield from self._pages()
            self._note()
            yield from self._changes(self._clock())
        else:
            yield from alternate(
                self._pages,
                self._changes,
                lambda: self._complete,
                clock=self._clock,
                wait=self._clock.sleep,
                margin=mistakes.margin,
                lag=LAG_SECONDS,
                rested=self._fresh,
            )

    def _pages(self) -> Iterator[Page]:
        """Yield some pages. Of those that are under way at the end of the phase nothing is kept."""
        yield from self._out(self._in_flight)
        for _ in range(self._story.chance.randint(1, 3)):
            if self._complete:
                return
            yield from self._out([self._page(self._place)])
        if not self._complete:
            under_way = self._page(self._place)
            if self._tap.mistakes.in_flight_kept:
                self._in_flight = [under_way]

    def _out(self, pages: list[Page]) -> Iterator[Page]:
        while pages:
            page = pages.pop(0)
            yield page
            self._place = page.place
            self._complete = page.place is None

    def _page(self, place: Any) -> Page:
        after = {} if place is None else {"ExclusiveStartKey": place}
        answer = orjson.loads(self._story.table.call("Scan", orjson.dumps(after)))
        records = [
            Told(item["id"]["S"], item["v"]["N"], self._snapshot) for item in answer["Items"]
        ]
        return Page(records, answer.get("LastEvaluatedKey"))

    def _changes(self, until: float) -> Iterator[Page]:
        assert self.positions is not None
        if self._tap.mistakes.early_end:
            until -= 60.0
        if self._follower is None:
            self._follower = Follower(
                self._service,
                self.positions,
                convert,
                workers=self._story.workers,
                clock=self._clock,
                sleep=self._clock.sleep,
            )
        for block in self._follower.blocks(until):
            yield Page(block.payload)

    def _note(self) -> None:
        if self.positions is None:
            now = self._clock()
            self.positions = Positions.noted(
                self._story.stream.arn,
                self._service.shards(),
                now=now,
                since=now + SKEW.total_seconds() - self._tap.mistakes.skew,
                order=0 if self._tap.mistakes.unordered else self._snapshot,
            )

    def _save(self) -> None:
        """Say a state: all before it is out."""
        self._tap.state = json.dumps(
            {
                "place": self._place,
                "complete": self._complete,
                "whole": self._whole,
                "snapshot": self._snapshot,
                "positions": self.positions and self.positions.dump(),
            }
        )


def convert(changes: Sequence[Change]) -> list[Told]:
    """Return what changes tell."""
    told = []
    for change in changes:
        assert change.keys is not None
        assert change.sequence is not None
        key = orjson.loads(change.keys)["id"]["S"]
        value = None if change.item is None else orjson.loads(change.item)["v"]["N"]
        told.append(Told(key, value, change.sequence))
    return told


def faults(story: Story, mistakes: Mistakes = RIGHT) -> list[str]:
    """Play a story to the end of a run, and of two later ones; return what is wrong after each.

    Between these so much time may pass that all that was read last is forgotten.
    """
    tap = Tap(story, mistakes)
    found = []
    for again in ("", ", in the run after it", ", in the last run"):
        tap.run()
        reached = Positions.load(json.loads(tap.state or "")["positions"]).reached
        assert reached is not None
        if not again and reached < max(story.table.read):
            found.append(f"the stream is read up to {reached}, pages up to {story.table.read[-1]}")
        for key in story.keys:
            possible = story.possible(key, reached)
            last = tap.destination.last.get(key)
            best = tap.destination.highest.get(key, Told(key, None, 0)).value
            if last not in possible:
                found.append(f"{key} ends as {last}, and was {possible}{again}")
            if best not in possible:
                found.append(f"{key} is {best} by its sequence, and was {possible}{again}")
        snapshot = json.loads(tap.state or "")["snapshot"]
        for value, numbers in tap.destination.numbers.items():
            if len(numbers - {snapshot}) > 1:
                found.append(f"{value} is told under several numbers{again}")
        story.clock.sleep(story.chance.choice([300.0 * story.slow, 20 * 3600.0]))
    if story.stream.early:
        found.append(f"{set(story.stream.early)} were read before their parents")
    return found


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    slow=st.sampled_from([1.0, 60.0]),
    crashes=st.lists(st.integers(0, 12), max_size=4),
    workers=st.sampled_from([1, 3]),
)
def test_every_story_ends_with_the_items_of_the_table(
    seed: int, slow: float, crashes: list[int], workers: int
) -> None:
    assert faults(Story(random.Random(seed), slow, crashes, workers)) == []


@pytest.mark.parametrize("slow", [1.0, 60.0])
def test_these_stories_end_well(slow: float) -> None:
    assert [found for story in stories(slow, 150) if (found := faults(story))] == []


@pytest.mark.parametrize(
    ("mistakes", "slow"),
    [
        pytest.param(Mistakes(margin=0.0), 1.0, id="no margin"),
        pytest.param(Mistakes(noted_after=True), 60.0, id="noted after the scan"),
        pytest.param(Mistakes(in_flight_kept=True), 1.0, id="pages in flight are kept"),
        pytest.param(Mistakes(early_end=True), 1.0, id="the end is not as late as the last page"),
        pytest.param(Mistakes(skew=0.0), 1.0, id="the stream is read from the very moment"),
        pytest.param(Mistakes(unordered=True), 1.0, id="the snapshot is numbered as of its moment"),
        pytest.param(Mistakes(state_ahead=True), 1.0, id="a state says more than is out"),
    ],
)
def test_a_mistake_shows(mistakes: Mistakes, slow: float) -> None:
    assert any(faults(story, mistakes) for story in stories(slow))
