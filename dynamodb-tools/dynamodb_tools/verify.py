"""Differences looked at again, on the tables as they are now: what differs exactly, and what lasts.

What a comparison has found may have settled since it was read. `look_up` asks once, for those differences that
somebody wants to know more of. `lasting` is for tables that are written meanwhile: it asks for all of them, again
and again, and reports those that have not changed on either side for some time. They wait in files, so that memory
is bounded however many there are.
"""

from __future__ import annotations

import contextlib
import json
import struct
import time
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import orjson

from dynamodb_core.buckets import Buckets
from dynamodb_tools.differing import differences
from dynamodb_tools.join import Found, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from dynamodb_core.codec import Item
    from dynamodb_tools.canonical import Canon
    from dynamodb_tools.differing import Difference

    Fetch = Callable[[Sequence[bytes]], Mapping[bytes, Item | None]]
    """Looks items up by the keys of their rows."""

Each = TypeVar("Each")

ROUNDS = 5
"""How often a difference is looked at again that does not come to rest."""

FIRST_KEYS = 25
"""Keys that are looked up together, before it is known how large their items are."""

MOST_KEYS = 400
"""Of these, DynamoDB takes 100 in a call."""

HELD_BYTES = 64 << 20
"""Bytes of items that are in memory at once."""

TIMES = 6
"""How many times more an item takes in memory than as JSON."""

LOOK_UP_SECONDS = 0.25
"""How often a wait looks up, to see that it is to end."""

FILE_BYTES = 1 << 18
"""Bytes of differences of a round that wait for their file."""

_HEAD = struct.Struct("<dIBB")
_NONE = 255


class Outcome(NamedTuple):
    """What has become of a difference.

    Attributes:
        kind: What it is now; or `settled`: there is none any more; or `moving`: it changes every time that
            it is looked at.
        key: `canonical.Row.key`.
        a: A's item as it is now, where it was looked up and is there.
        differences: What differs, where both items were looked up.
        named: Whether they were; if not, what differs is not known.
    """

    kind: Kind | Literal["settled", "moving"]
    key: bytes
    a: Item | None = None
    differences: Sequence[Difference] = ()
    named: bool = False


def look_up(
    found: Iterable[Found],
    a: Fetch | None,
    b: Fetch | None,
    canon: Canon,
    *,
    wanted: Callable[[Found], bool] = lambda _: True,
) -> Iterator[Outcome]:
    """Look differences up once: of those that are missing A's item, of those that differ both.

    Args:
        found: The differences.
        a: Looks A's items up; None where that cannot be done.
        b: Looks B's items up, likewise.
        canon: What counts of an item.
        wanted: Whether one is to be looked up; the others are passed on as they are, and so are extra ones.

    Yields:
        What has become of each, in their order.
    """
    looking = _Looking(a, b, canon)
    for some in looking.batches(found):
        asked = [each for each in some if each.kind != "extra" and wanted(each)]
        mine = looking.look_at_a(map(_Candidate.of, asked))
        theirs = looking.look_at_b(_Candidate.of(each) for each in asked if each.kind != "missing")
        for each in some:
            if each.key in mine:
                yield looking.outcome(each.key, mine[each.key], theirs.get(each.key, _NOTHING))
            else:
                yield Outcome(each.kind, each.key)


def lasting(
    found: Iterable[Found],
    a: Fetch | None,
    b: Fetch | None,
    canon: Canon,
    *,
    since: float,
    scratch: Path,
    respelled: bool = False,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    look: Callable[[], object] = lambda: None,
) -> Iterator[Outcome]:
    """Look differences up until they have not changed on either side for some time, or are none any more.

    Args:
        found: The differences.
        a: Looks A's items up; None where that cannot be done: they do not change then.
        b: Looks B's items up, likewise.
        canon: What counts of an item.
        since: For how many seconds a difference has to last.
        scratch: A folder of its own for those that wait; what is written there is removed.
        respelled: Whether to look at items again that are only spelled otherwise.
        rounds: How often.
        clock: Returns seconds.
        sleep: Waits for seconds.
        look: Called again and again on the way; what it raises is passed on.

    Yields:
        What has become of each.

    Raises:
        Error: An item cannot be looked up, or the disk is full.
    """
    looking = _Looking(a, b, canon)
    with _Waiting(scratch, rounds) as waiting:
        for new in found:
            if new.kind == "respelled" and not respelled:
                yield Outcome(new.kind, new.key)
            else:
                waiting.add(0, _Candidate.of(new, clock()))
        for number in range(rounds):
            for some in looking.batches(waiting.of(number)):
                while (left := some[-1].moment + since - clock()) > 0:
                    look()
                    sleep(min(left, LOOK_UP_SECONDS))
                look()
                mine, theirs = looking.look_at_a(some), looking.look_at_b(some)
                now = clock()
                for each in some:
                    one, other = mine[each.key], theirs[each.key]
                    unchanged = (one.state, other.state) == (each.a, each.b)
                    if unchanged or one.state == other.state:
                        yield looking.outcome(each.key, one, other)
                    elif number + 1 == rounds:
                        yield Outcome("moving", each.key)
                    else:
                        waiting.add(number + 1, _Candidate(now, each.key, one.state, other.state))


class _Candidate(NamedTuple):
    """A difference as it was when it was looked at last.

    Attributes:
        moment: When that was.
        key: `canonical.Row.key`.
        a: Content and spelling of A's row, None where there was none.
        b: The same of B's.
    """

    moment: float
    key: bytes
    a: bytes | None
    b: bytes | None

    @classmethod
    def of(cls, found: Found, moment: float = 0.0) -> _Candidate:
        a = None if found.kind == "extra" else found.a
        b = None if found.kind == "missing" else found.b
        return cls(moment, found.key, a, b)


class _Seen(NamedTuple):
    """A key on one side.

    Attributes:
        state: Content and spelling of its row, None where there is none.
        item: Its item, where it was looked up.
        looked_up: Whether it was.
    """

    state: bytes | None
    item: Item | None = None
    looked_up: bool = False


_NOTHING = _Seen(None)


class _Looking:
    """Looks up items of both sides, as many at once as memory allows."""

    def __init__(self, a: Fetch | None, b: Fetch | None, canon: Canon) -> None:
        self._a = a
        self._b = b
        self._canon = replace(canon, sample=100.0)
        self._most = FIRST_KEYS

    def batches(self, source: Iterable[Each]) -> Iterator[list[Each]]:
        left = iter(source)
        while some := list(islice(left, self._most)):
            yield some

    def look_at_a(self, some: Iterable[_Candidate]) -> dict[bytes, _Seen]:
        return self._look(self._a, {each.key: each.a for each in some})

    def look_at_b(self, some: Iterable[_Candidate]) -> dict[bytes, _Seen]:
        return self._look(self._b, {each.key: each.b for each in some})

    def outcome(self, key: bytes, one: _Seen, other: _Seen) -> Outcome:
        """Return what a difference is now."""
        if one.state == other.state:
            return Outcome("settled", key)
        kind = kind_of(one.state, other.state)
        if one.item is None or other.item is None:
            return Outcome(kind, key, one.item)
        paths = differences(one.item, other.item, self._canon.ignore)
        return Outcome(kind, key, one.item, paths, named=True)

    def _look(
        self, fetch: Fetch | None, states: Mapping[bytes, bytes | None]
    ) -> dict[bytes, _Seen]:
        if fetch is None or not states:
            return {key: _Seen(state) for key, state in states.items()}
        found = fetch(list(states))
        items = {key: item for key in states if (item := found[key]) is not None}
        texts = list(map(_dump, items.values()))
        if texts:
            mean = sum(map(len, texts)) / len(texts)
            self._most = max(1, min(MOST_KEYS, int(HELD_BYTES / (2 * TIMES * mean))))
        rows = dict(zip(items, self._canon.rows(texts), strict=True))
        return {
            key: _Seen(rows[key].content + rows[key].spelling, items[key], looked_up=True)
            if key in rows
            else _Seen(None, looked_up=True)
            for key in states
        }


class _Waiting:
    """Differences that wait for their next look, in a file for each round, within a `with` block."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self._folder = folder
        self._files = Buckets.create(folder, rounds, buffered_bytes=rounds * FILE_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._files.clear()
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def add(self, number: int, each: _Candidate) -> None:
        """Take one for a round, the first of which is 0."""
        states = each.a, each.b
        lengths = (_NONE if state is None else len(state) for state in states)
        head = _HEAD.pack(each.moment, len(each.key), *lengths)
        self._files.add(number, b"".join((head, each.key, *filter(None, states))))

    def of(self, number: int) -> Iterator[_Candidate]:
        """Yield those of a round, to which none is added any more, in their order."""
        self._files.seal()
        for block in self._files.read(number):
            at = 0
            while at < len(block):
                moment, length, *lengths = _HEAD.unpack_from(block, at)
                at += _HEAD.size
                key = block[at : at + length]
                at += length
                states: list[bytes | None] = []
                for size in lengths:
                    states.append(None if size == _NONE else block[at : at + size])
                    at += 0 if size == _NONE else size
                yield _Candidate(moment, key, *states)
        self._files.remove(number)


def _dump(item: Item) -> bytes:
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:  # half of a surrogate pair
        return json.dumps(item).encode()
