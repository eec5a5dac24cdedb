"""What is gone after two windows that overlap, though no line of either says so.

An item that was written and deleted within one window has no line in it. So of an item that was put in
the overlap, and deleted after the end of the earlier window, only the earlier one has a line: it was put.
Read one after the other, the windows would leave it in place for ever, and no comparison of times helps.
The rule is exact: a key that the earlier window last wrote at or after the beginning of the later one,
and that the later one does not name, is gone. For had it lived on, the later window would name it, as
that write is one of its own.

Two windows may have more keys than memory holds. Those in question, and those that the later one names,
are dealt out to files by a hash of the key, and brought together a file at a time.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from dynamodb_core import spool
from dynamodb_core.buckets import BUFFERED_BYTES, FAN_OUT, Buckets
from dynamodb_core.change import Change
from dynamodb_core.errors import DataError
from dynamodb_core.spool import Spool
from dynamodb_core.table import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from dynamodb_core.exports.chain import Stage

HELD_BYTES = 64 << 20
"""Bytes of the rows of a file that are in memory at once."""

ROW_BYTES = 250
"""What a row takes in memory beside its key and its item."""

_Row = tuple[bytes, bytes]
_DIGEST = 16
_ROW = struct.Struct(f"<{_DIGEST}sII")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def gone(
    stage: Stage,
    earlier: Iterable[Change],
    later: Iterable[Change],
    root: Path,
    *,
    held_bytes: int = HELD_BYTES,
    fan_out: int = FAN_OUT,
    look: Callable[[], None] = lambda: None,
) -> Iterator[Change]:
    """Yield the deletions that follow a stage whose window the next one overlaps.

    Each has the key, the item that was there, and the end of the stage's window for its time: the item
    was there until then, and is not at the end of the next window.

    Args:
        stage: The stage.
        earlier: What its export says, read to its end first.
        later: What the next one says; not read where nothing of the stage lies in the overlap.
        root: The folder below which keys are spilled, where they are many.
        held_bytes: Bytes of keys and items that may be in memory.
        fan_out: How many files; divides 256.
        look: Called again and again on the way; what it raises is passed on.

    Raises:
        DataError: A line says no key, or no time.
        Error: The disk is full, or the folder cannot be used.
    """
    assert stage.later is not None
    assert stage.later.since is not None
    assert stage.export.until is not None
    since, until = micros(stage.later.since), micros(stage.export.until)
    join = _Join(root, fan_out, held_bytes, look)
    try:
        asked, named = join.buckets(), join.buckets()
        count = 0
        for change in earlier:
            if change.item is not None and _written(change) >= since:
                asked.add(*_row(change, fan_out, change.item))
                count += 1
        if not count:
            return
        asked.seal()
        for change in later:
            named.add(*_row(change, fan_out))
        for keys, item in join.left(asked, named):
            yield Change(None, keys, until, old=item)
    finally:
        join.close()


def micros(moment: datetime) -> int:
    """Return a moment in microseconds since 1970.

    Args:
        moment: The moment, with its zone.
    """
    return (moment - _EPOCH) // _MICROSECOND


class _Join:
    """Brings keys that may be gone and keys that are named together. The first file makes a folder."""

    def __init__(self, root: Path, fan_out: int, held_bytes: int, look: Callable[[], None]) -> None:
        self._root = root
        self._fan_out = fan_out
        self._held_bytes = held_bytes
        self._look = look
        self._made: list[Buckets] = []
        self._spool: Spool | None = None

    def buckets(self) -> Buckets:
        most = min(BUFFERED_BYTES, self._held_bytes)
        self._made.append(Buckets(self._fan_out, self._begin, buffered_bytes=most))
        return self._made[-1]

    def left(self, asked: Buckets, named: Buckets, level: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys that are asked for and not named, with their items."""
        asked.seal()
        named.seal()
        for number in range(self._fan_out):
            held = self._held(asked, number, alone=level + 1 == _DIGEST)
            if held is None:
                inner = self._dealt(asked, number, level + 1), self._dealt(named, number, level + 1)
                yield from self.left(*inner, level + 1)
                continue
            for digest, _, _ in self._rows(named, number):
                held.pop(digest, None)
            yield from held.values()
            asked.remove(number)
            named.remove(number)

    def close(self) -> None:
        """Remove what was spilled."""
        for buckets in self._made:
            buckets.close()
        if self._spool is not None:
            self._spool.abandon()
            self._spool = None

    def _held(self, asked: Buckets, number: int, *, alone: bool) -> dict[bytes, _Row] | None:
        """Return a bucket by digest, None where it is larger than may be and can be dealt out."""
        held: dict[bytes, _Row] = {}
        size = 0
        for digest, keys, item in self._rows(asked, number):
            held[digest] = keys, item
            size += len(keys) + len(item) + ROW_BYTES
            if size > self._held_bytes and len(held) > 1 and not alone:
                return None
        return held

    def _dealt(self, outer: Buckets, number: int, level: int) -> Buckets:
        """Deal a bucket out to buckets of its own, by another byte of the hash."""
        inner = self.buckets()
        for digest, keys, item in self._rows(outer, number):
            inner.add(digest[level] % self._fan_out, _packed(digest, keys, item))
        outer.remove(number)
        inner.seal()
        return inner

    def _rows(self, buckets: Buckets, number: int) -> Iterator[tuple[bytes, bytes, bytes]]:
        for block in buckets.read(number):
            self._look()
            at = 0
            while at < len(block):
                digest, keys, item = _ROW.unpack_from(block, at)
                start = at + _ROW.size
                at = start + keys + item
                yield digest, block[start : start + keys], block[start + keys : at]

    def _begin(self, _number: int) -> spool.Draft:
        if self._spool is None:
            spool.sweep(self._root)
            self._spool = Spool.create(self._root)
        return self._spool.draft(".spill")


def _written(change: Change) -> int:
    if change.micros is None:
        raise DataError(
            "A line of a window says no WriteTimestampMicros, and the next window overlaps it",
            "Name exports whose windows do not overlap",
        )
    return change.micros


def _row(change: Change, fan_out: int, item: bytes = b"") -> tuple[int, bytes]:
    """Return the number of a change's bucket, and its row."""
    if change.keys is None:
        raise DataError("A line of a window names no Keys", "Copy the export again")
    typed: dict[str, dict[str, Any]] = msgspec.json.decode(change.keys)
    names = tuple(sorted(typed))
    identity = Key(names, tuple(next(iter(typed[name])) for name in names)).identity(typed)
    # No two identities are written alike, and one is always written alike.
    digest = blake2b(repr((names, identity)).encode(), digest_size=_DIGEST).digest()
    return digest[0] % fan_out, _packed(digest, change.keys if item else b"", item)


def _packed(digest: bytes, keys: bytes, item: bytes) -> bytes:
    return _ROW.pack(digest, len(keys), len(item)) + keys + item
