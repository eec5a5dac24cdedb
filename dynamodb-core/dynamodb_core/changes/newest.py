"""The newest write of each key, so far as it is not long ago: for streams that repeat and reorder.

Kinesis may bring the same change twice, and an older one of an item after a newer one. So it is
remembered for some minutes of the stream's time which write of a key was the newest. What is older is
left out, and what came before. Several writes at one time are told apart by what they say the item was
before them.

A record that is read once more (its answer was thrown away, or never got out) is no second one: the
newest write of a key passes as often as it comes from the same place.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from hashlib import blake2b
from itertools import islice
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import orjson

from dynamodb_core.table import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WINDOW = timedelta(minutes=5)
MOST_KEYS = 1_000_000
FEWEST_KEYS = 1024
"""Keys that are held before it is looked whether some can be forgotten."""


class Write(NamedTuple):
    """A write of an item, as a record tells it.

    Attributes:
        key: What `identity` returns.
        micros: When it was written.
        source: Where in its shard it was read: the same only for the same record.
        event: A name that it has wherever it is told; may be empty.
        old: The item before, as it is told.
        new: The item after.
    """

    key: bytes
    micros: int
    source: str
    event: str
    old: bytes | None
    new: bytes | None


class _Mark(NamedTuple):
    """What tells writes of one key at one time from one another, each hashed; 0 is an event without name."""

    event: int
    old: int
    new: int


# A key's newest write as bytes, for there may be very many: its time and order, its shard and its place
# there, and the marks of all that had this time.
_HEAD = Struct("<qqqi")
_MARK = Struct("<qqq")


class Newest:
    """The newest writes, shared by all shards of a stream and the threads that read them.

    Args:
        window: How long a write is remembered, in the time of the shard that it came from.
        most: How many keys are remembered at most; those are forgotten first whose last write came
            longest ago.
    """

    def __init__(self, window: timedelta = WINDOW, most: int = MOST_KEYS) -> None:
        self._window = window // timedelta(microseconds=1)
        self._most = most
        self._lock = threading.Lock()
        self._held: dict[bytes, bytes] = {}
        self._shards: dict[str, int] = {}
        self._times: dict[int, int] = {}
        self._look_at = min(FEWEST_KEYS, most)

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._held)

    def orders(self, shard: str, writes: Iterable[Write]) -> list[int | None]:
        """Take note of writes; return what orders each among those of its key.

        That is when it was written, in microseconds, or a little more where another write of the key
        was not earlier.

        Args:
            shard: The shard that they came from.
            writes: They, as they came.

        Returns:
            For each its order; None where it is an older one, or came before.
        """
        with self._lock:
            number = self._shards.setdefault(shard, len(self._shards))
            latest = self._times.get(number, 0)
            orders = []
            for write in writes:
                orders.append(self._order(number, write))
                latest = max(latest, write.micros)
            self._times[number] = latest
            if len(self._held) > self._look_at:
                self._forget()
        return orders

    def end(self, shard: str) -> None:
        """Have a shard's writes grow old by the time of the others: it is at its end."""
        with self._lock:
            self._times.pop(self._shards.get(shard, -1), None)

    def _order(self, shard: int, write: Write) -> int | None:
        mark = _Mark(hash(write.event), hash(write.old), hash(write.new))
        source = hash(write.source)
        order, marks = write.micros, b""
        newest = self._held.get(write.key)
        if newest is not None:
            micros, last, its_source, its_shard = _HEAD.unpack_from(newest)
            if write.micros < micros:
                return None
            if write.micros == micros:
                if (shard, source) == (its_shard, its_source):
                    return int(last)
                marks = newest[_HEAD.size :]
                if not _follows(mark, [_Mark(*each) for each in _MARK.iter_unpack(marks)]):
                    return None
            order = max(order, last + 1)
            del self._held[write.key]  # to stand last
        head = _HEAD.pack(write.micros, order, source, shard)
        self._held[write.key] = head + marks + _MARK.pack(*mark)
        return order

    def _forget(self) -> None:
        """Forget what is too old, or too much; so seldom that a write costs the same however many are held."""
        oldest = {shard: time - self._window for shard, time in self._times.items()}
        rest = max(oldest.values())
        held = {}
        for key, each in self._held.items():
            micros, _, _, shard = _HEAD.unpack_from(each)
            if micros >= oldest.get(shard, rest):
                held[key] = each
        room = self._most - self._most // 8
        if len(held) > room:
            held = dict(islice(held.items(), len(held) - room, None))
        self._held = held
        self._look_at = min(max(FEWEST_KEYS, 2 * len(held)), self._most)


def identity(keys: bytes) -> bytes:
    """Return what the key attributes of two records have in common exactly when they are one item's.

    Args:
        keys: They, as DynamoDB JSON.

    Raises:
        DataError: An attribute is empty.
        ValueError: They are no key.
    """
    said = orjson.loads(keys)
    try:
        typed = [(name, *value) for name, value in sorted(said.items())]
        names, types = zip(*typed, strict=True)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"no key: {error}") from error
    parts = Key(names, types).identity(said)
    return blake2b(orjson.dumps([names, parts]), digest_size=16).digest()


def _follows(mark: _Mark, marks: Sequence[_Mark]) -> bool:
    """Return whether a write comes after those of its key at the same time that are known."""
    if mark.event and any(mark.event == each.event for each in marks):
        return False
    known = any((mark.old, mark.new) == (each.old, each.new) for each in marks)
    if mark.old == marks[-1].new:
        return not known or bool(mark.event)  # of another name: it was so once more
    return not (known or any(mark.new == each.old for each in marks))
