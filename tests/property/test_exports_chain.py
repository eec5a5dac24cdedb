"""Whatever was written and however windows were cut from it: read as the chain says, the table's state stands."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.change import Change
from dynamodb_core.exports import overlap
from dynamodb_core.exports.chain import stages
from dynamodb_core.exports.kinds import Export

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN = datetime(2026, 11, 22, 0, 0, 0, 123000, tzinfo=timezone.utc)
LAST = 30
KEYS = [
    {"pk": {"S": "a"}, "sk": {"N": "1"}},
    {"pk": {"S": "a"}, "sk": {"N": "10"}},
    {"pk": {"S": "a1"}, "sk": {"N": "0"}},
    {"pk": {"S": "b$"}, "sk": {"N": "2"}},
    {"pk": {"S": "b"}, "sk": {"N": "-2"}},
]

State = dict[int, bytes]


class Event(NamedTuple):
    """An item was put, or (without a value) deleted, at a microsecond."""

    at: int
    key: int
    value: int | None


@dataclass(frozen=True)
class History:
    """A table from its making on."""

    events: Sequence[Event]

    def state(self, moment: int) -> State:
        """What was there before anything of that microsecond was done."""
        found: State = {}
        for at, key, value in self.events:
            if at >= moment:
                break
            if value is None:
                found.pop(key, None)
            else:
                item = {**KEYS[key], "value": {"N": str(value)}, "at": {"N": str(at)}}
                found[key] = json.dumps(item).encode()
        return found

    def lines(self, since: int, until: int) -> list[Change]:
        """What an incremental export of a window says: one line an item, none for what came and went."""
        before, after = self.state(since), self.state(until)
        last = {each.key: each.at for each in self.events if since <= each.at < until}
        return [
            Change(after.get(key), spelled(key, at), micros(at))
            for key, at in last.items()
            if key in before or key in after
        ]


def spelled(key: int, at: int) -> bytes:
    """Write a key as one export has it, and otherwise as another one may."""
    names = list(KEYS[key].items())
    return json.dumps(dict(names if at % 2 else reversed(names))).encode()


def number(keys: bytes) -> int:
    return KEYS.index(json.loads(keys))


def moment(slot: int) -> datetime:
    return BEGIN + timedelta(microseconds=slot)


def micros(slot: int) -> int:
    return int(BEGIN.replace(microsecond=0).timestamp()) * 10**6 + BEGIN.microsecond + slot


def full(at: int) -> Export:
    place = f"s3://bucket/full-{at}"
    return Export("full", "dynamodb_json", False, place, place, (), at=moment(at))


def window(since: int, until: int, name: str = "") -> Export:
    place = f"s3://bucket/{since}-{until}{name}"
    return Export(
        "incremental",
        "ion",
        True,
        place,
        place,
        (),
        since=moment(since),
        until=moment(until),
    )


def slot(when: datetime | None) -> int:
    assert when
    return (when - BEGIN) // timedelta(microseconds=1)


HISTORIES = st.lists(
    # Deletions are half of it: what came and went is what windows do not tell.
    st.tuples(
        st.integers(0, LAST),
        st.integers(0, len(KEYS) - 1),
        st.one_of(st.none(), st.integers(0, 9)),
    ),
    min_size=40,
    max_size=90,
).map(lambda events: History([Event(*each) for each in sorted(events, key=lambda each: each[0])]))


@st.composite
def covers(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Windows without a gap, in order: some touch, some overlap, some lie in another."""
    begin = draw(st.integers(0, LAST // 3))
    found = [(begin, begin + draw(st.integers(1, 8)))]
    for _ in range(draw(st.integers(1, 6))):
        reached = max(until for _, until in found)
        since = draw(st.integers(max(found[-1][0], reached - 5), reached))
        found.append((since, since + draw(st.integers(1, 9))))
    return found


def read(
    exports: Sequence[Export], history: History, start: State, held: int, fan_out: int
) -> State:
    """Apply exports as a reader does."""
    state = dict(start)
    with tempfile.TemporaryDirectory() as root:
        for stage in stages(exports):
            export = stage.export
            if export.kind == "full":
                state = history.state(slot(export.at))
                continue
            lines = history.lines(slot(export.since), slot(export.until))
            for change in lines:
                assert change.keys
                if change.item is None:
                    state.pop(number(change.keys), None)
                else:
                    state[number(change.keys)] = change.item
            if stage.later:
                later = history.lines(slot(stage.later.since), slot(stage.later.until))
                told = {number(change.keys) for change in later if change.keys}
                for change in overlap.gone(
                    stage, iter(lines), iter(later), Path(root), held_bytes=held, fan_out=fan_out
                ):
                    assert change.keys
                    assert change.item is None
                    assert number(change.keys) not in told
                    assert change.micros == micros(slot(export.until))
                    assert state.pop(number(change.keys)) == change.old
        assert list(Path(root).iterdir()) == []
    return state


@settings(max_examples=120)
@given(
    history=HISTORIES,
    cover=covers(),
    based=st.booleans(),
    more=st.lists(st.integers(0, LAST), max_size=2),
    past=st.lists(st.tuples(st.integers(-9, 20), st.integers(1, 5)), max_size=2),
    rng=st.randoms(use_true_random=False),
    held=st.sampled_from([1, 600, 1 << 20]),
    fan_out=st.sampled_from([2, 4, 64]),
)
def test_exports_read_in_their_order_give_the_tables_state(
    history: History,
    cover: list[tuple[int, int]],
    based: bool,
    more: list[int],
    past: list[tuple[int, int]],
    rng: object,
    held: int,
    fan_out: int,
) -> None:
    begin, end = cover[0][0], max(until for _, until in cover)
    exports = [window(since, until, f"-{index}") for index, (since, until) in enumerate(cover)]
    start: State = history.state(begin)
    if based:
        start = {999: b"from before, to be forgotten"}
        exports += [full(begin), *(full(at) for at in more if begin <= at <= end)]
        exports += [window(since, since + many) for since, many in past if since + many <= begin]
    rng.shuffle(exports)  # type: ignore[attr-defined]
    assert read(exports, history, start, held, fan_out) == history.state(end)


def test_the_newest_time_of_a_key_would_not_be_right() -> None:
    # Put in the overlap, and deleted in the later window only, which has no line of it.
    history = History([Event(7, 0, 1), Event(12, 0, None)])
    windows = [(0, 10), (5, 15)]
    newest: dict[int, Change] = {}
    said: dict[int, list[Change]] = defaultdict(list)
    for since, until in windows:
        for change in history.lines(since, until):
            assert change.keys
            said[number(change.keys)].append(change)
    for key, changes in said.items():
        newest[key] = max(changes, key=lambda change: change.micros or 0)
    assert newest[0].item is not None
    assert history.state(15) == {}
    assert read([window(*each) for each in windows], history, {}, 1 << 20, 64) == {}
