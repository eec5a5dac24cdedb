"""The pages that the stub serves: one mix of items, cut into pages of about 1 MB, rendered once.

Every page holds the same items but for their keys: `{"id": {"S": "000007-00042"}}` is item 42 of
page 7. So a table of any length is rendered by one replacement a page, and no two keys are equal.
"""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.items import flat, nested

if TYPE_CHECKING:
    from demo.wire import Item

_PAGE = 2**20
_MARK = b"@page@"
_UNITS = 128.0

MIXES = ("flat", "nested", "large")
"""Items of about 170 bytes, 1.6 KB and 200 KB."""


def item(mix: str, rng: random.Random) -> Item:
    """Return the attributes of one item of a mix, without its key."""
    if mix == "large":
        text = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz ", k=1000))
        return {**flat(rng), "text": {"S": text * 200}}
    return flat(rng) if mix == "flat" else nested(rng)


@dataclass(frozen=True)
class Body:
    """One answer: its parts, to be sent one after the other, their length and their checksum."""

    parts: tuple[bytes, ...]
    length: int
    crc: int
    count: int


class Pages:
    """All pages of one table; `answer` finds the one that a Scan asks for."""

    def __init__(self, mix: str, pages: int) -> None:
        self.table = mix
        self.pages = pages
        self._items = _template(mix)
        self.per_page = len(self._items)
        self._ends = (self._end(None), self._end(b"%s-%05d" % (_MARK, self.per_page - 1)))
        whole = b'{"Items":[' + b",".join(self._items) + b"]"
        self._bodies = [
            tuple(_body((whole, end), page, self.per_page) for end in self._ends)
            for page in range(pages)
        ]

    def answer(self, request: dict[str, Any]) -> Body:
        """Return the page after `ExclusiveStartKey` in `Segment` of `TotalSegments`.

        Page p belongs to the segment p mod TotalSegments. `Limit` cuts a page short.
        """
        total: int = request.get("TotalSegments", 1)
        page: int = request.get("Segment", 0)
        first = 0
        start = request.get("ExclusiveStartKey")
        if start is not None:
            page, first = (int(part) for part in start["id"]["S"].split("-"))
            first += 1
        if first == self.per_page:
            page, first = page + total, 0
        if page >= self.pages:
            return _body((b'{"Items":[]', self._end(None, 0)), 0, 0)
        limit: int = request.get("Limit", self.per_page)
        last = min(first + limit, self.per_page)
        more = last < self.per_page or page + total < self.pages
        if (first, last) == (0, self.per_page):
            return self._bodies[page][more]
        part = b'{"Items":[' + b",".join(self._items[first:last]) + b"]"
        end = self._end(b"%s-%05d" % (_MARK, last - 1) if more else None, last - first)
        return _body((part, end), page, last - first)

    def _end(self, key: bytes | None, count: int | None = None) -> bytes:
        number = self.per_page if count is None else count
        consumed = {
            "TableName": self.table,
            "CapacityUnits": _UNITS,
            "Table": {"CapacityUnits": _UNITS},
        }
        end = b',"Count":%d,"ScannedCount":%d,"ConsumedCapacity":%s' % (
            *(number, number),
            json.dumps(consumed).encode(),
        )
        return end + (b',"LastEvaluatedKey":{"id":{"S":"%s"}}}' % key if key else b"}")


def _template(mix: str) -> list[bytes]:
    rng = random.Random(1)
    items: list[bytes] = []
    size = 0
    while size < _PAGE:
        key = {"id": {"S": f"{_MARK.decode()}-{len(items):05d}"}}
        items.append(json.dumps({**key, **item(mix, rng)}, separators=(",", ":")).encode())
        size += len(items[-1])
    return items


def _body(template: tuple[bytes, ...], page: int, count: int) -> Body:
    parts = tuple(part.replace(_MARK, b"%06d" % page) for part in template)
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return Body(parts, sum(map(len, parts)), crc, count)
