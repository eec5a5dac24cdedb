"""Rows of two sides, dealt out to buckets by their keys, meet: what is only here, only there, or differs.

A bucket of one side holds the keys that the same bucket of the other one holds. So the buckets are taken
one after the other, each with both its sides in memory; one whose rows take more than they may is dealt out to
buckets of its own, by the next level of the keys' hash. Memory is bounded whatever comes: tables of any size, with no
key in common, and with all items in one partition.

A side may hold a key twice, since a page was read again after an interruption, or its item was written anew
while the table was read: the last row counts. Where that says that the item was deleted, there is none.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from dynamodb_core.buckets import AGAIN, BUFFERED_BYTES, Buckets
from dynamodb_core.spool import saying
from dynamodb_tools.rows import CONTENT_BYTES, DELETED, Row, bucket_of, deal, pack, put_into

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Kind = Literal["missing", "extra", "differs", "respelled"]

HELD_BYTES = 128 << 20
"""Bytes of the rows of a bucket, of both sides, that are in memory at once."""

ROW_BYTES = 160
"""What a row takes in memory beside its bytes in a block."""

DEEPEST = 16
"""Levels after which a bucket is taken as it is; rows of different keys do not come so far together."""


class Found(NamedTuple):
    """A key whose items are not the same on both sides.

    Attributes:
        kind: `missing` in B, `extra` in B, `differs`, or `respelled`: equal, but for how numbers are spelled.
        key: `canonical.Row.key`.
        a: Content and spelling of A's row; empty where A has none.
        b: The same of B's.
    """

    kind: Kind
    key: bytes
    a: bytes = b""
    b: bytes = b""


@dataclass
class Counts:
    """What has been counted so far. A key that a side holds twice counts once.

    Attributes:
        a: Items of A.
        b: Items of B.
        same: Items that are the same to the letter.
        respelled: Those that are equal, with numbers spelled otherwise.
        missing: Those only in A.
        extra: Those only in B.
        differs: Those of one key and with other contents.
    """

    a: int = 0
    b: int = 0
    same: int = 0
    respelled: int = 0
    missing: int = 0
    extra: int = 0
    differs: int = 0

    @property
    def different(self) -> int:
        """Missing, extra and differing items."""
        return self.missing + self.extra + self.differs


def join(
    a: Buckets,
    b: Buckets,
    counts: Counts,
    *,
    scratch: Path,
    held_bytes: int = HELD_BYTES,
    look: Callable[[], object] = lambda: None,
) -> Iterator[Found]:
    """Yield every key whose items are not the same on both sides; of one bucket in the order of the keys.

    Args:
        a: A's rows, sealed. They stay.
        b: B's rows, sealed, in as many buckets.
        counts: Counts on, as keys are yielded.
        scratch: A folder of its own for buckets that are dealt out again: made when there is one, and
            removed with them.
        held_bytes: Bytes that the rows of a bucket may take in memory.
        look: Called again and again on the way; what it raises is passed on.

    Raises:
        Error: A file is damaged, or the disk is full.
    """
    if a.fan_out != b.fan_out:
        raise ValueError("sides are dealt out to the same number of buckets")
    try:
        yield from _Join(counts, scratch, held_bytes, look).buckets(a, b, 0)
    finally:
        with contextlib.suppress(OSError):
            scratch.rmdir()


class _Join:
    def __init__(
        self, counts: Counts, scratch: Path, held_bytes: int, look: Callable[[], object]
    ) -> None:
        self._counts = counts
        self._scratch = scratch
        self._held_bytes = held_bytes
        self._look = look

    def buckets(self, a: Buckets, b: Buckets, level: int) -> Iterator[Found]:
        for number in range(a.fan_out):
            mine = _Rows(a.read(number), self._look)
            theirs = _Rows(b.read(number), self._look)
            most = self._held_bytes if level < DEEPEST else None
            if mine.load(most) and theirs.load(None if most is None else most - mine.held):
                yield from self._met(_living(mine.kept), _living(theirs.kept))
            else:
                yield from self._dealt_out(mine, theirs, a.fan_out, level + 1)

    def _dealt_out(self, mine: _Rows, theirs: _Rows, fan_out: int, level: int) -> Iterator[Found]:
        """Deal both sides of a bucket out to buckets of their own, and let these meet."""
        folders = [self._scratch / f"{side}-{level}" for side in "ab"]
        with saying(self._scratch, AGAIN):
            self._scratch.mkdir(mode=0o700, exist_ok=True)
        most = min(BUFFERED_BYTES, self._held_bytes // 4)
        a, b = (Buckets.create(folder, fan_out, buffered_bytes=most) for folder in folders)
        try:
            mine.deal_out(a, level)
            theirs.deal_out(b, level)
            yield from self.buckets(a, b, level)
        finally:
            a.clear()
            b.clear()
            for folder in folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _met(self, mine: dict[bytes, bytes], theirs: dict[bytes, bytes]) -> Iterator[Found]:
        counts = self._counts
        counts.a += len(mine)
        counts.b += len(theirs)
        if mine == theirs:
            counts.same += len(mine)
            return
        odd = [key for key, content in mine.items() if theirs.get(key) != content]
        counts.same += len(mine) - len(odd)
        odd += [key for key in theirs if key not in mine]
        odd.sort()
        for key in odd:
            one, other = mine.get(key), theirs.get(key)
            kind = kind_of(one, other)
            setattr(counts, kind, getattr(counts, kind) + 1)
            yield Found(kind, key, one or b"", other or b"")


class _Rows:
    """The rows of a side's bucket: those that are in memory, and those that are left.

    Attributes:
        kept: Content and spelling of each key's last row.
        held: About how many bytes they take.
    """

    def __init__(self, blocks: Iterator[bytes], look: Callable[[], object]) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.held = 0
        self._blocks = blocks
        self._look = look

    def load(self, most: int | None) -> bool:
        """Load all rows; return whether they take no more than so many bytes, else some are left."""
        kept, read, size = self.kept, 0, 0
        for block in self._blocks:
            self._look()
            read += put_into(kept, block)
            size += len(block)
            self.held = int(len(kept) * (size / read + ROW_BYTES))
            if most is not None and self.held > most and len(kept) > 1:
                return False
        return True

    def deal_out(self, buckets: Buckets, level: int) -> None:
        """Deal all rows out, and seal the buckets; none is in memory then."""
        for key, content in self.kept.items():
            at = 0 if content == DELETED else CONTENT_BYTES
            packed = pack([Row(key, content[:at], content[at:])])
            buckets.add(bucket_of(key, level, buckets.fan_out), packed)
        self.kept.clear()
        for block in self._blocks:
            self._look()
            for number, packed in deal(block, level, buckets.fan_out):
                buckets.add(number, packed)
        buckets.seal()


def _living(kept: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return rows without those of items that were deleted."""
    if DELETED not in kept.values():
        return kept
    return {key: content for key, content in kept.items() if content != DELETED}


def kind_of(a: bytes | None, b: bytes | None) -> Kind:
    """Return in what way two items are not the same.

    Args:
        a: Content and spelling of A's row, joined; None where there is none.
        b: The same of B's; not equal to A's.
    """
    if b is None:
        return "missing"
    if a is None:
        return "extra"
    return "differs" if a[:CONTENT_BYTES] != b[:CONTENT_BYTES] else "respelled"
