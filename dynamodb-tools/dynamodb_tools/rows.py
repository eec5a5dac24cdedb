"""What is kept of an item in a comparison: a row, and the bucket it goes to; pure.

Which bucket, and who is in a sample, a key decides alone, and always alike: in each process, on both sides,
and when work that was left is gone on with.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONTENT_BYTES, SPELLING_BYTES = 16, 8
"""Bytes of the digests."""

DELETED = b"\xff" * SPELLING_BYTES
"""Stands for the spelling of a row without content: the item was deleted. No other row has one without the other."""

ALL = 100.0
"""Percent."""

_HASH_BYTES = 8
_HASHES = 1 << (8 * _HASH_BYTES)
_SAMPLE = (1 << 32) - 1
"""Stands for a level that no bucket is on: who is in a sample has nothing to do with buckets."""

_HEAD = struct.Struct("<I")
_HAS_CONTENT, _HAS_SPELLING = 1 << 31, 1 << 30
_LENGTH = _HAS_SPELLING - 1
_DIGESTS = (0, SPELLING_BYTES, CONTENT_BYTES, CONTENT_BYTES + SPELLING_BYTES)
_KINDS = 30
"""Bits of a row's head below those that say which digests it has: what is above is a place in `_DIGESTS`."""


class Row(NamedTuple):
    """What is kept of an item.

    Attributes:
        key: Its typed key as JSON, in the key's order; two are equal when DynamoDB holds them for one key.
        content: A digest of its canonical form; empty where only keys are compared.
        spelling: A digest of how its numbers are spelled; empty when all are in their normal form. Of two
            items with the same content, these are equal when all numbers are spelled alike.
    """

    key: bytes
    content: bytes
    spelling: bytes


def bucket_of(key: bytes, level: int, fan_out: int) -> int:
    """Return the bucket that a key belongs to; the same everywhere and for ever.

    Args:
        key: `Row.key`.
        level: How often what holds it was dealt out before. Each level deals otherwise, so that a bucket
            spreads over all buckets of the next level.
        fan_out: How many buckets there are.
    """
    return (_hash(key, level) if level else crc32(key)) % fan_out


def buckets_of(keys: Sequence[bytes], fan_out: int) -> list[int]:
    """Return the bucket of each key, as `bucket_of` has it at level 0.

    Args:
        keys: `Row.key` of each.
        fan_out: How many buckets there are.
    """
    return [crc32(key) % fan_out for key in keys]


def in_sample(key: bytes, percent: float) -> bool:
    """Return whether a key is in a sample. A larger sample holds all of a smaller one.

    Args:
        key: `Row.key`.
        percent: How large the sample is.
    """
    return percent >= ALL or _hash(key, _SAMPLE) < percent / ALL * _HASHES


def pack(rows: Iterable[Row]) -> bytes:
    """Return rows as bytes. What several calls returned can be joined.

    A row is 4 bytes, with the lowest first, of which 30 bits are the length of the key, the highest bit says
    whether there is a digest of the content, and the next one whether there is one of the spelling; then
    these, then the key.

    Args:
        rows: The rows.
    """
    columns = list(zip(*rows, strict=True))
    return b"".join(pack_each(*columns)) if columns else b""


def unpack(block: bytes) -> Iterator[Row]:
    """Yield the rows of some bytes.

    Args:
        block: What `pack` returned, or several of it joined.
    """
    at, end = 0, len(block)
    read, size = _HEAD.unpack_from, _HEAD.size
    while at < end:
        (head,) = read(block, at)
        content = at + size
        spelling = content + CONTENT_BYTES if head & _HAS_CONTENT else content
        key = spelling + SPELLING_BYTES if head & _HAS_SPELLING else spelling
        at = key + (head & _LENGTH)
        yield Row(block[key:at], block[content:spelling], block[spelling:key])


def put_into(kept: dict[bytes, bytes], block: bytes) -> int:
    """Put rows into a dictionary, content and spelling together by their key; of one key the last one stays.

    Args:
        kept: The dictionary.
        block: What `pack` returned, or several of it joined.

    Returns:
        How many rows there are.
    """
    if count := _put_alike(kept, block):
        return count
    at, end = 0, len(block)
    read, size, digests = _HEAD.unpack_from, _HEAD.size, _DIGESTS
    while at < end:
        (head,) = read(block, at)
        at += size
        key = at + digests[head >> _KINDS]
        after = key + (head & _LENGTH)
        kept[block[key:after]] = block[at:key]
        at = after
        count += 1
    return count


def _put_alike(kept: dict[bytes, bytes], block: bytes) -> int:
    """Put rows whose heads are all the same, as with keys of one length; none of them where they are not."""
    if not block:
        return 0
    head: int = _HEAD.unpack_from(block)[0]
    key = _HEAD.size + _DIGESTS[head >> _KINDS]
    size = key + (head & _LENGTH)
    count, rest = divmod(len(block), size)
    if rest or any(block[n::size] != block[n : n + 1] * count for n in range(_HEAD.size)):
        return 0
    begin = _HEAD.size
    for at in range(0, len(block), size):
        kept[block[at + key : at + size]] = block[at + begin : at + key]
    return count


def deal(block: bytes, level: int, fan_out: int) -> Iterator[tuple[int, bytes]]:
    """Yield each row as it is packed, with the bucket that it belongs to.

    Args:
        block: What `pack` returned, or several of it joined.
        level: As for `bucket_of`.
        fan_out: How many buckets there are.
    """
    at, end = 0, len(block)
    while at < end:
        (head,) = _HEAD.unpack_from(block, at)
        key = at + _HEAD.size + _DIGESTS[head >> _KINDS]
        after = key + (head & _LENGTH)
        yield bucket_of(block[key:after], level, fan_out), block[at:after]
        at = after


def pack_each(
    keys: Sequence[bytes], contents: Sequence[bytes], spellings: Sequence[bytes]
) -> list[bytes]:
    """Return each row as `pack` has it.

    Args:
        keys: `Row.key` of each.
        contents: `Row.content` of each.
        spellings: `Row.spelling` of each.
    """
    write = _HEAD.pack
    if all(contents) and not any(spellings):  # as nearly always
        heads = {size: write(size | _HAS_CONTENT) for size in set(map(len, keys))}
        return [
            heads[len(key)] + content + key for key, content in zip(keys, contents, strict=True)
        ]
    return [
        write(len(key) | (_HAS_CONTENT if content else 0) | (_HAS_SPELLING if spelling else 0))
        + content
        + spelling
        + key
        for key, content, spelling in zip(keys, contents, spellings, strict=True)
    ]


def _hash(key: bytes, level: int) -> int:
    digest = blake2b(key, digest_size=_HASH_BYTES, salt=level.to_bytes(4, "little")).digest()
    return int.from_bytes(digest, "little")
