"""The stub with two tables, `a` and `b`, that are to be compared: alike but for seeded differences, or disjoint.

`with running("flat", 64) as twins:` serves two tables of 64 pages each. In one of `EVERY` pages of `b` an
item has another value, in the next one an item is missing, in the next one there is an item more, and in the
next one a number is spelled otherwise; the other items are the same. `b` is read in the opposite order.
With `disjoint` no key of `b` is one of `a`. Items are also looked up by their keys.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import re
import signal
import subprocess
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.mixes import MIXES
from demo import guard
from demo.engine import ROOT
from tests.engines import stub
from tests.engines.pages import MARK, Pages, Text, listed, template

if TYPE_CHECKING:
    from collections.abc import Iterator

A = "a"
B = "b"
EVERY = 40
"""In one page of so many there is a difference of each kind."""

KINDS = ("differs", "missing", "extra", "respelled")
OTHER_KEYS = 500_000
"""The number of the first page of a table whose keys the other one has not."""

_CHANGED = 10
_NUMBER = re.compile(rb'"n":\{"N":"(\d+)"\}')


class Twin(Pages):
    """One of the two tables.

    Args:
        table: Its name.
        mix: Its items.
        pages: How many pages it has.
        first: The least number of a page, in keys; another than 0 only where it is read backwards.
        changed: Whether it has the seeded differences.
        backwards: Whether its last page is read first.
    """

    def __init__(
        self,
        table: str,
        mix: str,
        pages: int,
        *,
        first: int = 0,
        changed: bool = False,
        backwards: bool = False,
    ) -> None:
        super().__init__(mix, pages, table)
        self._first = first
        self._turn = backwards
        self._variants = {kind: _Variant(items) for kind, items in _variants(mix).items()}
        self._changed = changed

    @property
    def items(self) -> int:
        """How many items there are on all pages."""
        found = self.found if self._changed else dict.fromkeys(KINDS, 0)
        return super().items - found["missing"] + found["extra"]

    @property
    def found(self) -> dict[str, int]:
        """How many differences of each kind there are."""
        return {kind: sum(_kind(page) == kind for page in range(self.pages)) for kind in KINDS}

    def name(self, page: int) -> int:
        """Return the number that the keys of a page have, and of such a number the page."""
        return self._first + self.pages - 1 - page if self._turn else page

    def held(self, page: int) -> tuple[list[bytes], Text]:
        """Return the items of a page, and their text."""
        variant = self._variant(self.name(page))
        return variant.items, variant.text

    def item(self, key: str) -> bytes | None:
        """Return the item of a key."""
        name, _, _ = key.partition("-")
        if not 0 <= int(name) - self._first < self.pages:
            return None
        item = self._variant(int(name)).by_key.get(key[len(name) :].encode())
        return item.replace(MARK, name.encode()) if item else None

    def _variant(self, name: int) -> _Variant:
        return self._variants[_kind(name - self._first) if self._changed else ""]


class _Variant:
    """What a page holds."""

    def __init__(self, items: list[bytes]) -> None:
        self.items = items
        self.text = Text(listed(items))

    @functools.cached_property
    def by_key(self) -> dict[bytes, bytes]:
        """The items, by what follows the page's number in their keys."""
        return {
            json.loads(item)["id"]["S"].encode().removeprefix(MARK): item for item in self.items
        }


def _kind(page: int) -> str:
    number = page % EVERY
    return KINDS[number] if number < len(KINDS) else ""


def _variants(mix: str) -> dict[str, list[bytes]]:
    items = template(mix)
    before, [item], after = items[:_CHANGED], items[_CHANGED : _CHANGED + 1], items[_CHANGED + 1 :]
    more = re.sub(rb"-\d{5}", b"-99999", item, count=1)
    return {
        "": items,
        "differs": [*before, _NUMBER.sub(rb'"n":{"N":"\g<1>1"}', item), *after],
        "missing": [*before, *after],
        "extra": [*before, item, more, *after],
        "respelled": [*before, _NUMBER.sub(rb'"n":{"N":"\g<1>.0"}', item), *after],
    }


class Service(stub.Service):
    """What the stub of two tables knows."""

    def __init__(self, a: Twin, b: Twin) -> None:
        super().__init__(a)
        self.twins = {A: a, B: b}
        for name, twin in self.twins.items():
            self.tables[name] = {
                **self.tables[A],
                "TableName": name,
                "TableArn": f"arn:aws:dynamodb:{guard.REGION}:{guard.ACCESS_KEY_ID}:table/{name}",
                "TableId": f"00000000-0000-4000-8000-{zlib.crc32(name.encode()):012d}",
                "ItemCount": twin.items,
                "TableSizeBytes": twin.pages * 2**20,
            }
        self.counts["looked_up"] = 0

    def answer(self, operation: str, body: bytes) -> list[bytes]:
        """Return the whole HTTP response to one request, in parts."""
        if operation == "Scan":
            request = json.loads(body)
            self.pages = self.twins[request["TableName"]]
            return self._page(request)
        if operation == "BatchGetItem":
            self.counts["requests"] += 1
            return self._items(json.loads(body)["RequestItems"])
        return super().answer(operation, body)

    def _page(self, request: dict[str, Any]) -> list[bytes]:
        page = self.twins[request["TableName"]].answer(request)
        self.counts["requests"] += 1
        self.counts["scans"] += 1
        self.counts["items_read"] += page.count
        return [stub.head(200, page.length, page.crc), *page.parts]

    def _items(self, wanted: dict[str, Any]) -> list[bytes]:
        [(table, request)] = wanted.items()
        keys = [key["id"]["S"] for key in request["Keys"]]
        self.counts["looked_up"] += len(keys)
        items = [item for item in map(self.twins[table].item, keys) if item]
        consumed = [{"TableName": table, "CapacityUnits": 0.5 * len(keys)}]
        body = b'{"Responses":{"%s":[%s]},"UnprocessedKeys":{},"ConsumedCapacity":%s}' % (
            table.encode(),
            b",".join(items),
            json.dumps(consumed).encode(),
        )
        return [stub.head(200, len(body), zlib.crc32(body)), body]


@dataclass(frozen=True)
class Twins(stub.Stub):
    """The running stub of two tables.

    Attributes:
        mix: Their items.
        disjoint: Whether they have no key in common.
    """

    mix: str = "flat"
    disjoint: bool = False

    def twins(self) -> tuple[Twin, Twin]:
        """Return what the two tables hold."""
        return pair(self.mix, self.pages, disjoint=self.disjoint)


def pair(mix: str, pages: int, *, disjoint: bool) -> tuple[Twin, Twin]:
    """Return the two tables."""
    first = OTHER_KEYS if disjoint else 0
    other = Twin(B, mix, pages, first=first, changed=not disjoint, backwards=True)
    return Twin(A, mix, pages), other


@contextlib.contextmanager
def running(mix: str, pages: int, *, disjoint: bool = False) -> Iterator[Twins]:
    """Run the stub, in a process of its own and on a free port, for the length of a `with` block."""
    command = [sys.executable, "-m", "tests.engines.twins", "--mix", mix, "--pages", str(pages)]
    with subprocess.Popen(
        [*command, *(["--disjoint"] if disjoint else [])],
        cwd=ROOT,
        env=guard.environment(),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            url = f"http://127.0.0.1:{port}"
            yield Twins(url, table=A, pages=pages, mix=mix, disjoint=disjoint)
        finally:
            process.terminate()


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mix", choices=MIXES, default="flat", help="the items")
    parser.add_argument("--pages", type=int, default=16, help="of about 1 MB each, a table")
    parser.add_argument("--disjoint", action="store_true", help="no key is in both tables")
    parser.add_argument("--port", type=int, default=0, help="default: a free one, which is printed")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    tables = pair(options.mix, options.pages, disjoint=options.disjoint)
    stub.serve(Service(*tables), options.port)


if __name__ == "__main__":
    main()
