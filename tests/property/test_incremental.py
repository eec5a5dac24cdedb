"""A table whose items change while a slow parallel scan reads it, and again, and again: none is lost.

The model has a clock of its own, writers whose clocks are wrong by up to the lookback, pages that are
read at one moment and go out at another, and runs that are killed and gone on with from any STATE that
was ever written. At the end one more run reads the table in peace; then the last version of every item
must have gone out. The same model loses items with each of the mistakes that are easily made.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.expressions import Range
from tap_dynamodb.incremental import Marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_dynamodb.seen import Seen

ATTRIBUTE = "updated_at"
PARTS = 2
ITEMS = 6
LOOKBACK = 600
EVENING = datetime(2026, 11, 21, 23, 30, tzinfo=timezone.utc)

TEXTS = ("Z", "zoneless", "offset", "short", "millis", "minute", "blank", "date")
NUMBERS = ("s", "decimal", "ms", "us", "ns")
FORMS = {
    "scan of texts": (*TEXTS, *TEXTS, "s", "missing", "flag"),
    "scan of numbers": (*NUMBERS, *NUMBERS, "Z", "missing", "flag"),
    "query of texts": ("Z", "short", "millis"),
    "query of numbers": ("ms",),
    "query of counters": ("counter",),
    "query of versions": ("version",),
}


def when(seconds: int) -> datetime:
    return EVENING + timedelta(seconds=seconds)


def spelled(form: str, stamp: int, count: int) -> dict[str, Any] | None:
    """The replication key of an item that is written; `count` grows, if not with every change."""
    moment = when(stamp)
    fraction = count % 4 * 25  # hundredths
    whole = moment.strftime("%Y-%m-%dT%H:%M:%S")
    epoch = int(moment.timestamp())
    values: dict[str, dict[str, Any] | None] = {
        "Z": {"S": f"{whole}Z"},
        "zoneless": {"S": whole},
        "offset": {"S": f"{whole}+00:00"},
        "short": {"S": f"{whole}.{fraction:02}".rstrip("0").rstrip(".") + "Z"},
        "millis": {"S": f"{whole}.{fraction:02}0Z"},
        "minute": {"S": f"{whole[:-3]}Z"},
        "blank": {"S": whole.replace("T", " ")},
        "date": {"S": whole[:10]},
        "s": {"N": f"{epoch}"},
        "decimal": {"N": f"{epoch}.{fraction:02}"},
        "ms": {"N": f"{epoch}{fraction:02}0"},
        "us": {"N": f"{epoch}{fraction:02}0000"},
        "ns": {"N": f"{epoch}{fraction:02}0000000"},
        "counter": {"N": f"{count // 2}"},
        "version": {"S": f"v{count // 2:06}"},
        "missing": None,
        "flag": {"BOOL": True},
    }
    return values[form]


def sorting(typed: dict[str, Any]) -> Any:
    """What DynamoDB sorts values of one type by."""
    return Fraction(typed["N"]) if "N" in typed else typed["S"].encode()


@dataclass
class Page:
    items: list[dict[str, Any]]
    place: Any
    seen: Seen


@dataclass
class World:
    """A table, its writers, and a tap that goes by `Marks`, perhaps with a mistake."""

    mode: str
    mistake: str = ""
    now: int = 0
    writes: int = 0
    table: dict[int, dict[str, Any]] = field(default_factory=dict)
    delivered: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    states: list[str] = field(default_factory=lambda: [json.dumps({"incremental": [], "scan": []})])
    run: Run | None = None

    @property
    def ordered(self) -> bool:
        return self.mode.startswith("query")

    def write(self, item: int, skew: int, choice: int) -> None:
        forms = FORMS[self.mode]
        self.writes += 1
        self.table[item] = {"id": item, "version": self.writes}
        value = spelled(forms[choice % len(forms)], self.now + skew, self.writes)
        if value is not None:
            self.table[item][ATTRIBUTE] = value

    def running(self) -> Run:
        if self.run is None:
            self.run = Run(self, json.loads(self.states[-1]))
        return self.run

    def kill(self, state: int) -> None:
        """Stop the run and go on with any state that it or an earlier one has written."""
        self.states.append(self.states[state % len(self.states)])
        self.run = None

    def lost(self) -> set[int]:
        """Return whose last version has not gone out, after a run in which nothing changes."""
        self.running().finish()
        self.now += 1
        self.running().finish()
        return {
            number
            for number, item in self.table.items()
            if item["version"] not in self.delivered[number]
        }


class Run:
    """One run of the tap, as the parts of it around `Marks` are."""

    def __init__(self, world: World, state: dict[str, Any]) -> None:
        self.world = world
        self.bookmark = state["incremental"]
        fresh = {"began": world.now, "places": [[n, None] for n in range(PARTS)], "marks": []}
        [entry] = state["scan"] or [fresh]
        self.began = world.now if world.mistake == "began anew" else entry["began"]
        self.places: dict[int, Any] = dict(entry["places"])
        self.in_flight: dict[int, Page] = {}
        self.marks = Marks.load(
            state,
            table="orders",
            name=ATTRIBUTE,
            began=when(10**9 if world.mistake == "highest" else self.began),
            lookback=timedelta(seconds=0 if world.mistake == "no lookback" else LOOKBACK),
            ordered=world.ordered,
            candidates=entry["marks"],
        )

    def id_of(self, part: int) -> str | None:
        return f"pk = {part}" if self.world.ordered and self.world.mistake != "shared" else None

    def read(self, part: int, size: int) -> None:
        """Read a page of a part; it goes out later."""
        if part not in self.places or part in self.in_flight:
            return
        after = self.places[part]
        rows = sorted((self.position(item), item) for item in self.part(part))
        rows = [row for row in rows if after is None or row[0] > self.loaded(after)]
        page, rest = rows[:size], rows[size:]
        items = [item for _, item in page if self.wanted(item, part)]
        raws = [msgspec.Raw(json.dumps(item).encode()) for item in items]
        place = self.dumped(page[-1][1]) if rest else None
        self.in_flight[part] = Page(items, place, self.marks.observe(raws))

    def out(self, part: int) -> None:
        """Let a page's records go out, then write a STATE."""
        page = self.in_flight.pop(part, None)
        if page is None:
            return
        for item in page.items:
            self.world.delivered[item["id"]].add(item["version"])
        self.marks.advance(self.id_of(part), page.seen)
        if page.place is None:
            del self.places[part]
        else:
            self.places[part] = page.place
        scan = [
            {"began": self.began, "places": list(self.places.items()), "marks": self.marks.dump()}
        ]
        if not self.places:
            self.bookmark, scan = self.marks.complete(map(self.id_of, range(PARTS))), []
            if self.world.mistake == "ended" and self.bookmark:
                form = "Z" if "texts" in self.world.mode else "s"
                self.bookmark[0]["marks"] = [[None, spelled(form, self.world.now, 0)]]
            self.world.run = None
        self.world.states.append(json.dumps({"incremental": self.bookmark, "scan": scan}))

    def finish(self) -> None:
        while self.places:
            for part in range(PARTS):
                self.read(part, 2)
                self.out(part)

    # The table as this run reads it

    def part(self, part: int) -> Iterator[dict[str, Any]]:
        return (item for number, item in self.world.table.items() if number % PARTS == part)

    def wanted(self, item: dict[str, Any], part: int) -> bool:
        ranges: Sequence[Range] = self.marks.bounds(self.id_of(part))
        if self.world.mistake == "as spelled" and self.bookmark:
            marks = dict(self.bookmark[0]["marks"])
            ranges = [Range(marks[self.id_of(part)], None)] if self.id_of(part) in marks else []
        kinds = {kind for each in ranges for kind in each.low}
        value = item.get(ATTRIBUTE)
        if value is None or kinds.isdisjoint(value):
            return True
        own = sorting(value)
        if self.world.mistake == "later only":
            return any(sorting(dict(each.low)) < own for each in ranges)
        return any(
            sorting(dict(each.low)) <= own
            and (each.high is None or own <= sorting(dict(each.high)))
            for each in ranges
            if each.low.keys() == value.keys()
        )

    def position(self, item: dict[str, Any]) -> Any:
        return (sorting(item[ATTRIBUTE]), item["id"]) if self.world.ordered else item["id"]

    def dumped(self, item: dict[str, Any]) -> Any:
        return [item.get(ATTRIBUTE), item["id"]]

    def loaded(self, place: Any) -> Any:
        value, number = place
        return (sorting(value), number) if self.world.ordered else number


parts = st.integers(0, PARTS - 1)
skews = st.one_of(
    st.just(-LOOKBACK), st.sampled_from((0, LOOKBACK)), st.integers(-LOOKBACK, LOOKBACK)
)
waits = st.one_of(st.sampled_from((0, 1, LOOKBACK, 3 * LOOKBACK)), st.integers(0, 3 * LOOKBACK))
steps = st.one_of(
    st.tuples(st.just("write"), st.integers(0, ITEMS - 1), skews, st.integers(0, 99)),
    st.tuples(st.just("wait"), waits),
    st.tuples(st.just("read"), parts, st.integers(1, 3)),
    st.tuples(st.just("out"), parts),
    st.tuples(st.just("page"), parts),
    st.tuples(st.just("kill"), st.one_of(st.just(-1), st.integers(0, 30))),
    st.just(("finish",)),
)
schedules = st.lists(steps, min_size=8, max_size=40)


def played(schedule: list[tuple[Any, ...]], mode: str, mistake: str = "") -> set[int]:
    """Play a schedule, then read in peace; return what was lost."""
    world = World(mode, mistake)
    for name, *arguments in schedule:
        if name == "write":
            world.write(*arguments)
        elif name == "wait":
            world.now += arguments[0]
        elif name == "read":
            world.running().read(*arguments)
        elif name == "out":
            world.running().out(*arguments)
        elif name == "page":
            world.running().read(arguments[0], 1)
            world.running().out(arguments[0])
        elif name == "finish":
            world.running().finish()
        else:
            world.kill(*arguments)
    return world.lost()


@pytest.mark.parametrize("mode", FORMS)
@settings(max_examples=250)
@given(schedule=schedules)
def test_no_change_is_lost(mode: str, schedule: list[tuple[Any, ...]]) -> None:
    assert played(schedule, mode) == set()


MISTAKES = [
    *[
        (mode, mistake)
        for mode in ("scan of texts", "scan of numbers")
        for mistake in ("highest", "ended", "began anew", "no lookback", "later only", "as spelled")
    ],
    *[
        (mode, mistake)
        for mode in ("query of texts", "query of numbers")
        for mistake in ("highest", "began anew", "no lookback")
    ],
    ("query of texts", "as spelled"),
    ("query of numbers", "later only"),
    *[
        (mode, mistake)
        for mode in ("query of counters", "query of versions")
        for mistake in ("shared", "later only")
    ],
]


def drawn(seed: int) -> list[tuple[Any, ...]]:
    """Return a schedule: quicker than by Hypothesis, which is not needed to make it small."""
    random = Random(seed)
    makers: list[tuple[int, Callable[[], tuple[Any, ...]]]] = [
        (6, lambda: ("write", random.randrange(ITEMS), drawn_skew(random), random.randrange(99))),
        (4, lambda: ("wait", random.choice((0, 1, LOOKBACK, random.randint(0, 3 * LOOKBACK))))),
        (2, lambda: ("read", random.randrange(PARTS), random.randint(1, 3))),
        (2, lambda: ("out", random.randrange(PARTS))),
        (3, lambda: ("page", random.randrange(PARTS))),
        (2, lambda: ("kill", random.choice((-1, random.randrange(30))))),
        (1, lambda: ("finish",)),
    ]
    weights, choices = zip(*makers, strict=True)
    return [make() for make in random.choices(choices, weights, k=random.randint(8, 30))]


def drawn_skew(random: Random) -> int:
    return random.choice((-LOOKBACK, -LOOKBACK, 0, LOOKBACK, random.randint(-LOOKBACK, LOOKBACK)))


@pytest.mark.parametrize(("mode", "mistake"), MISTAKES)
def test_the_model_loses_items_with_a_mistake_in_place(mode: str, mistake: str) -> None:
    losing = next((seed for seed in range(20_000) if played(drawn(seed), mode, mistake)), None)
    assert losing is not None
    assert not played(drawn(losing), mode)
