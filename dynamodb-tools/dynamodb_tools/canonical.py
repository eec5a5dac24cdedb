"""What counts of an item in a comparison: its key, and digests of its content; pure.

Two items are the same when their canonical forms are: members of maps by name, sets as sets, numbers by
value, binaries by their bytes, all else to the letter, types included. The form itself is not kept, only a
digest of it, so that some 70 bytes stand for an item of any size::

    {"n":{"N":"1.50"},"s":{"SS":["b","a"]}}     as it was read
    {"n":{"N":"1.5"},"s":{"SS":["a","b"]}}      its canonical form
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from operator import add
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core.errors import DataError
from dynamodb_tools.contents import binary, canonical, digests, dump, load, number, plain_digests
from dynamodb_tools.learned import Learned
from dynamodb_tools.rows import (
    ALL,
    CONTENT_BYTES,
    SPELLING_BYTES,
    Row,
    bucket_of,
    buckets_of,
    in_sample,
    pack,
    pack_each,
    unpack,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    import msgspec

    from dynamodb_core.codec import Item
    from dynamodb_core.encode import TypedValue
    from dynamodb_core.table import Key

    Columns: TypeAlias = tuple[list[bytes], list[bytes], list[bytes]]
    """The keys, the contents and the spellings of rows."""

__all__ = [
    "CONTENT_BYTES",
    "SPELLING_BYTES",
    "Canon",
    "Row",
    "binary",
    "bucket_of",
    "canonical",
    "key_of",
    "number",
    "pack",
    "unpack",
]

CHUNK = 64
"""Items that are parsed at once: so few that what they become stays in the processor's cache."""


@dataclass(frozen=True)
class Canon:
    """Says what counts of an item. It can be pickled.

    Attributes:
        key: The key of the tables.
        ignore: Attributes that do not count.
        keys_only: Whether only keys count.
        sample: Percent of the keys that count: the same ones everywhere.
    """

    key: Key
    ignore: frozenset[str] = frozenset()
    keys_only: bool = False
    sample: float = 100.0
    _learned: Learned = field(default_factory=Learned, init=False, repr=False, compare=False)

    def rows(self, items: Sequence[msgspec.Raw | bytes]) -> list[Row]:
        """Return the rows of a page's items, in their order; those not in the sample are left out.

        Args:
            items: Each as DynamoDB JSON.

        Raises:
            DataError: One is no item, or lacks its key.
        """
        return list(map(Row, *self._columns(items)))

    def packed(self, items: Sequence[msgspec.Raw | bytes], fan_out: int) -> list[tuple[int, bytes]]:
        """Return the rows of a page's items as `pack` has them, those of a bucket together.

        Args:
            items: Each as DynamoDB JSON.
            fan_out: How many buckets there are.

        Returns:
            The number of a bucket, as `bucket_of` has it at level 0, and its rows, in their order.

        Raises:
            DataError: One is no item, or lacks its key.
        """
        keys, contents, spellings = self._columns(items)
        buckets: list[list[bytes]] = [[] for _ in range(fan_out)]
        rows = pack_each(keys, contents, spellings)
        for bucket, row in zip(buckets_of(keys, fan_out), rows, strict=True):
            buckets[bucket].append(row)
        return [(number, b"".join(rows)) for number, rows in enumerate(buckets) if rows]

    def item(self, item: Item) -> dict[str, TypedValue]:
        """Return an item's canonical form: what the digest of its content is made of.

        Args:
            item: Typed attributes.
        """
        return {name: canonical(item[name]) for name in sorted(item.keys() - self.ignore)}

    def _columns(self, items: Sequence[msgspec.Raw | bytes]) -> Columns:
        """Return the keys, the contents and the spellings of rows."""
        keys: list[bytes] = []
        contents: list[bytes] = []
        spellings: list[bytes] = []
        for begin in range(0, len(items), CHUNK):
            some = items[begin : begin + CHUNK]
            columns = self._by_name(some) or self._by_dictionary(some)
            keys += columns[0]
            contents += columns[1]
            spellings += columns[2]
        return keys, contents, spellings

    def _by_name(self, items: Sequence[msgspec.Raw | bytes]) -> Columns | None:
        """Return the columns of items that fit what was learned; None where one of them does not."""
        page = self._learned.read(items)
        if page is None:
            return None
        try:
            keys = self._keys(self._learned.parts(page, self.key))
        except (LookupError, AttributeError, TypeError):  # a key is missing, or of another type
            return None
        page, keys = self._sampled(page, keys)
        nothing = [b""] * len(keys)
        if self.keys_only:
            return keys, nothing, nothing
        contents = plain_digests(self._learned.lines(page, self.ignore))
        return None if contents is None else (keys, contents, nothing)

    def _by_dictionary(self, items: Sequence[msgspec.Raw | bytes]) -> Columns:
        page = _load_all(items)
        self._learned.learn(page)
        try:
            keys = self._keys(
                [
                    [item[name][kind] for item in page]
                    for name, kind in zip(self.key.names, self.key.types, strict=True)
                ]
            )
        except (LookupError, TypeError):  # a key is missing, or half of a surrogate pair is in it
            keys = list(map(self._key, page))
        page, keys = self._sampled(page, keys)
        if self.keys_only:
            nothing = [b""] * len(keys)
            return keys, nothing, nothing
        for name in self.ignore:
            for item in page:
                item.pop(name, None)
        return keys, *digests(page)

    def _sampled(self, page: list[Any], keys: list[bytes]) -> tuple[list[Any], list[bytes]]:
        if self.sample >= ALL:
            return page, keys
        chosen = [in_sample(key, self.sample) for key in keys]
        return list(compress(page, chosen)), list(compress(keys, chosen))

    def _keys(self, parts: list[list[str]]) -> list[bytes]:
        """Return the keys that are made of the values of each key attribute."""
        writers = [_WRITERS[kind] for kind in self.key.types]
        if len(parts) == 1:
            [texts], [head], [write] = parts, self._heads, writers
            return [head + write(text) + b"}}" for text in texts]
        [head, middle], [write, write_other] = self._heads, writers
        return [
            head + write(text) + middle + write_other(other) + b"}}"
            for text, other in zip(*parts, strict=True)
        ]

    def _key(self, item: Any) -> bytes:
        if not isinstance(item, dict):
            raise DataError(f"What should be an item is none: {str(item)[:40]}")
        self.key.identity(item)
        texts = [
            dump(canonical({kind: item[name][kind]})[kind])
            for name, kind in zip(self.key.names, self.key.types, strict=True)
        ]
        return b"".join(map(add, self._heads, texts)) + b"}}"

    @cached_property
    def _heads(self) -> list[bytes]:
        """What stands before the value of each part of a key."""
        return [
            b'%b%b:{"%b":' % (begin, dump(name), kind.encode())
            for begin, name, kind in zip(
                (b"{", b"},"), self.key.names, self.key.types, strict=False
            )
        ]


_WRITERS: dict[str, Callable[[str], bytes]] = {
    "S": orjson.dumps,
    "N": lambda text: orjson.dumps(number(text)),
    "B": lambda text: orjson.dumps(binary(text)),
}
"""How the parts of a key are written."""


def key_of(key: bytes) -> dict[str, TypedValue]:
    """Return the typed key that a row's key stands for, as BatchGetItem wants it.

    Args:
        key: `Row.key`.
    """
    found: dict[str, TypedValue] = load(key)
    return found


def _load_all(items: Sequence[msgspec.Raw | bytes]) -> list[Any]:
    try:
        page: list[Any] = orjson.loads(b"[%b]" % b",".join(items))
    except orjson.JSONDecodeError:  # one of them
        return [load(bytes(each)) for each in items]
    return page
