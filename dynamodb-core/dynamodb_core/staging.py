"""A table's items as files that DynamoDB loads by itself: the last write of each key, in parts.

Writes are spilled to buckets by a hash of their key, in the order in which they came. In the end each bucket
is read once, and the last write of every key is kept in memory; a bucket whose keys take more than they may
is dealt out to buckets of its own, by the next byte of the hash. So memory is bounded whatever comes, and
items of one partition do not follow each other in a part, which would heat that partition.

::

    a bucket    blocks of writes (`buckets.Buckets`)
    a write     hash of the key (16 bytes), length of the item (4), the item as DynamoDB JSON; no item
                is a deletion
    a part      {"Item":{...}} in lines, compressed as a whole
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

from isal import isal_zlib

from dynamodb_core import spool
from dynamodb_core.buckets import BUFFERED_BYTES, FAN_OUT, Buckets
from dynamodb_core.errors import Error
from dynamodb_core.spool import Spool
from dynamodb_core.zstandard import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from pathlib import Path

    from dynamodb_core.spool import Draft

MOST_PARTS = 50_000
"""Objects that one import or bulk put takes."""

HELD_BYTES = 64 << 20
"""Bytes of the writes of a bucket that are in memory at once."""

WRITE_BYTES = 250
"""What a write takes in memory beside its item."""

CHUNK_BYTES = 1 << 18
"""Bytes of lines that are compressed at once."""

SUFFIXES = {"gzip": ".json.gz", "zstd": ".json.zst", "none": ".json"}
"""How a part's name ends, by its compression."""

_LINE_ENDS = {text.encode(): f"\\u{ord(text):04x}".encode() for text in "\x85\u2028\u2029"}
"""What some readers take for the end of a line, though it stands in a text; and how it is escaped."""

_DIGEST = 16
_ROW = struct.Struct(f"<{_DIGEST}sI")
_GZIP = 31  # the window's bits, and a header of gzip


class Part(NamedTuple):
    """A file of items that is whole.

    Attributes:
        number: The first is 1.
        path: Where it is; it is removed when the next one is asked for.
        items: How many items it has.
        size: Its bytes.
    """

    number: int
    path: Path
    items: int
    size: int


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Staging:
    """Takes the writes of one table, and makes parts of them. The first write makes its folder.

    Args:
        root: The folder below which it spills; what dead runs have left there is removed.
        part_bytes: A part ends when it has so many bytes.
        compression: `gzip`, `zstd` or `none`.
        held_bytes: Bytes that the writes of a bucket may take in memory.
        fan_out: How many buckets; divides 256.

    Raises:
        ConfigError: There is no library for the compression.
    """

    def __init__(
        self,
        root: Path,
        *,
        part_bytes: int,
        compression: str = "gzip",
        held_bytes: int = HELD_BYTES,
        fan_out: int = FAN_OUT,
    ) -> None:
        self.writes = 0
        self._root = root
        self._part_bytes = part_bytes
        self._compression = compression
        self._compressor = _compressor(compression)
        self._held_bytes = held_bytes
        self._fan_out = fan_out
        self._spool: Spool | None = None
        self._buckets: Buckets | None = None

    def put(self, identity: Hashable, item: bytes) -> None:
        """Take an item.

        Args:
            identity: `Key.identity` of the item.
            item: The item as DynamoDB JSON.

        Raises:
            Error: The disk is full, or the folder cannot be used.
        """
        # No two identities are written alike, and one is always written alike.
        digest = blake2b(repr(identity).encode(), digest_size=_DIGEST).digest()
        if self._buckets is None:
            self._buckets = self._begin()
        self._buckets.add(digest[0] % self._fan_out, _row(digest, item))
        self.writes += 1

    def delete(self, identity: Hashable) -> None:
        """Take a deletion: of the item there is none in the parts, unless it is put again.

        Args:
            identity: `Key.identity` of the item.

        Raises:
            Error: The disk is full, or the folder cannot be used.
        """
        self.put(identity, b"")

    def parts(self, look: Callable[[], None]) -> Iterator[Part]:
        """Yield all parts, each once. Nothing more can be put then.

        Args:
            look: Called again and again on the way; what it raises is passed on.

        Raises:
            Error: The disk is full, or there are too many parts.
        """
        if self._buckets is None:
            return
        number, draft = 0, None
        self._buckets.seal()
        try:
            for items, data in self._chunks(self._buckets, look):
                if draft is None:
                    number += 1
                    draft = self._draft(number)
                draft.write(items, data)
                if draft.size >= self._part_bytes:
                    yield from draft.finish(number)
                    draft = None
            if draft is not None:
                yield from draft.finish(number)
        finally:
            if draft is not None:
                draft.drop()

    def close(self) -> None:
        """Remove everything that is left."""
        if self._buckets is not None:
            self._buckets.close()
            self._buckets = None
        if self._spool is not None:
            self._spool.abandon()
            self._spool = None

    def _begin(self) -> Buckets:
        spool.sweep(self._root)
        self._spool = Spool.create(self._root)
        return self._open_buckets()

    def _draft(self, number: int) -> _Draft:
        if number > MOST_PARTS:
            raise Error(
                f"There are more than {MOST_PARTS:,} parts of {self._part_bytes:,} bytes, and one "
                "load takes no more",
                "Let them be larger: staging_part_bytes",
            )
        assert self._spool
        return _Draft(self._spool.draft(SUFFIXES[self._compression]), self._compressor())

    def _open_buckets(self) -> Buckets:
        made = self._spool
        assert made
        most = min(BUFFERED_BYTES, self._held_bytes)
        return Buckets(self._fan_out, lambda _: made.draft(".spill"), buffered_bytes=most)

    def _chunks(self, buckets: Buckets, look: Callable[[], None]) -> Iterator[tuple[int, bytes]]:
        """Yield lines, together some 256 KiB, and how many they are."""
        lines: list[bytes] = []
        size = 0
        most = min(CHUNK_BYTES, self._part_bytes)
        for item in self._kept(buckets, 0, look):
            lines.append(b'{"Item":%b}\n' % item)
            size += len(lines[-1])
            if size >= most:
                yield len(lines), b"".join(lines)
                lines.clear()
                size = 0
                look()
        if lines:
            yield len(lines), b"".join(lines)

    def _kept(self, buckets: Buckets, level: int, look: Callable[[], None]) -> Iterator[bytes]:
        """Yield the items of sealed buckets that were written last."""
        for number in range(buckets.fan_out):
            yield from self._kept_of(buckets, number, level, look)

    def _kept_of(
        self, buckets: Buckets, number: int, level: int, look: Callable[[], None]
    ) -> Iterator[bytes]:
        kept: dict[bytes, bytes] = {}
        held = 0
        rows = _rows(buckets.read(number), look)
        for digest, item in rows:
            older = kept.pop(digest, None)
            if older is not None:
                held -= len(older) + WRITE_BYTES
            if item:
                kept[digest] = item
                held += len(item) + WRITE_BYTES
                if held > self._held_bytes and len(kept) > 1 and level + 1 < _DIGEST:
                    break
        else:
            buckets.remove(number)
            yield from kept.values()
            return
        inner = self._open_buckets()
        try:
            for some in (kept.items(), rows):
                for digest, item in some:
                    inner.add(digest[level + 1] % self._fan_out, _row(digest, item))
            kept.clear()
            buckets.remove(number)
            inner.seal()
            yield from self._kept(inner, level + 1, look)
        finally:
            inner.close()


class _Draft:
    """A part that is being written."""

    def __init__(self, draft: Draft, compressor: _Compressor) -> None:
        self._draft = draft
        self._compressor = compressor
        self._items = 0

    @property
    def size(self) -> int:
        return self._draft.size

    def write(self, items: int, data: bytes) -> None:
        self._items += items
        for plain, escaped in _LINE_ENDS.items():
            data = data.replace(plain, escaped)
        self._draft.write(self._compressor.compress(data))

    def drop(self) -> None:
        self._draft.drop()

    def finish(self, number: int) -> Iterator[Part]:
        """Yield the part; remove it afterwards."""
        self._draft.write(self._compressor.flush())
        path = self._draft.keep()
        try:
            yield Part(number, path, self._items, self.size)
        finally:
            path.unlink(missing_ok=True)


class _Plain:
    """No compression."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def _row(digest: bytes, item: bytes) -> bytes:
    return _ROW.pack(digest, len(item)) + item


def _rows(blocks: Iterable[bytes], look: Callable[[], None]) -> Iterator[tuple[bytes, bytes]]:
    for block in blocks:
        look()
        at = 0
        end = len(block)
        while at < end:
            digest, length = _ROW.unpack_from(block, at)
            at += _ROW.size + length
            yield digest, block[at - length : at]


def _compressor(compression: str) -> Callable[[], _Compressor]:
    if compression == "gzip":
        return lambda: isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)
    if compression == "none":
        return _Plain
    made: Callable[[], _Compressor] = zstandard(
        "ferry-target-dynamodb", "or take gzip"
    ).ZstdCompressor
    return made
