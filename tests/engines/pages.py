"""The pages that the stub serves: one mix of items, cut into pages of about 1 MB.

Every page holds the same items but for their keys: `{"id": {"S": "000007-00042"}}` is item 42 of
page 7. So a table of any length takes the room of one page, a page is rendered by one replacement
when it is asked for, and no two keys are equal.
"""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass
from typing import Any

from benchmarks.mixes import MIXES

_PAGE = 2**20
MARK = b"@page@"
"""Stands for a page's number."""

_UNITS = 128.0


@dataclass(frozen=True)
class Body:
    """One answer: its parts, to be sent one after the other, their length and their checksum."""

    parts: tuple[bytes, ...]
    length: int
    crc: int
    count: int


class Text:
    """Bytes that hold a page's number in many places. They take no more time than copying them."""

    def __init__(self, template: bytes) -> None:
        self._pieces = template.split(MARK)
        self._changes: dict[tuple[int, str], int] = {}
        self._crc = zlib.crc32(self.of(0))

    def of(self, page: int) -> bytes:
        """Return the bytes for a page."""
        return (b"%06d" % page).join(self._pieces)

    def crc(self, page: int) -> int:
        """Return their checksum: each digit changes it by the same bits, whatever the others are."""
        crc = self._crc
        for place, digit in enumerate(f"{page:06d}"):
            change = self._changes.get((place, digit))
            if change is None:
                alone = self.of(int(digit) * 10 ** (5 - place))
                change = self._changes[place, digit] = zlib.crc32(alone) ^ self._crc
            crc ^= change
        return crc


class Pages:
    """All pages of one table; `answer` finds the one that a Scan asks for."""

    def __init__(self, mix: str, pages: int, table: str = "") -> None:
        self.table = table or mix
        self.pages = pages
        self._items = template(mix)
        self.per_page = len(self._items)
        self._whole = Text(listed(self._items))

    @property
    def items(self) -> int:
        """How many items there are on all pages."""
        return self.pages * self.per_page

    @property
    def item_bytes(self) -> float:
        """The average size of an item as JSON."""
        return sum(map(len, self._items)) / self.per_page

    def answer(self, request: dict[str, Any]) -> Body:
        """Return the page after `ExclusiveStartKey` in `Segment` of `TotalSegments`.

        Page p belongs to the segment p mod TotalSegments. `Limit` cuts a page short.
        """
        total: int = request.get("TotalSegments", 1)
        page: int = request.get("Segment", 0)
        first = 0
        start = request.get("ExclusiveStartKey")
        if start is not None:
            name, first = (int(part) for part in start["id"]["S"].split("-"))
            page, first = self.name(name), first + 1
        items, whole = self.held(page)
        if first == len(items):
            page, first = page + total, 0
            items, whole = self.held(page)
        if page >= self.pages:
            return _body(Text(listed([])), self._end(0, None), 0, 0)
        limit: int = request.get("Limit", len(items))
        last = min(first + limit, len(items))
        more = last < len(items) or page + total < self.pages
        count = last - first
        text = whole if count == len(items) else Text(listed(items[first:last]))
        name = self.name(page)
        key = b"%06d-%05d" % (name, last - 1) if more else None
        return _body(text, self._end(count, key), name, count)

    def name(self, page: int) -> int:
        """Return the number that the keys of a page have, and of such a number the page."""
        return page

    def held(self, page: int) -> tuple[list[bytes], Text]:
        """Return the items of a page, and their text."""
        return self._items, self._whole

    def _end(self, count: int, key: bytes | None) -> bytes:
        consumed = {
            "TableName": self.table,
            "CapacityUnits": _UNITS,
            "Table": {"CapacityUnits": _UNITS},
        }
        end = b',"Count":%d,"ScannedCount":%d,"ConsumedCapacity":%s' % (
            *(count, count),
            json.dumps(consumed).encode(),
        )
        return end + (b',"LastEvaluatedKey":{"id":{"S":"%s"}}}' % key if key else b"}")


def template(mix: str) -> list[bytes]:
    """Return the items of a page, with `MARK` for its number."""
    rng = random.Random(1)
    items: list[bytes] = []
    size = 0
    while size < _PAGE:
        key = {"id": {"S": f"{MARK.decode()}-{len(items):05d}"}}
        item = {**key, **MIXES[mix](rng)}
        items.append(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode())
        size += len(items[-1])
    return items


def listed(items: list[bytes]) -> bytes:
    """Return items as the beginning of an answer."""
    return b'{"Items":[' + b",".join(items) + b"]"


def _body(text: Text, end: bytes, page: int, count: int) -> Body:
    parts = (text.of(page), end)
    return Body(parts, sum(map(len, parts)), zlib.crc32(end, text.crc(page)), count)
