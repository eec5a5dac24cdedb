"""Fills the demo's tables with hard and ordinary items, over the raw wire and in a few threads."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from demo.items import ordinary, tricky

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from demo.items import Shape
    from demo.wire import Item, Wire

_THREADS = 4
_CHUNK = 500


def fill(wire: Wire, shape: Shape, count: int) -> int:
    """Create the table of `shape`, write every hard item and `count` ordinary ones; say how many."""
    wire.create_table(shape.table, shape.key)
    hard = (item for _, item in tricky(shape))
    return write(wire, shape.table, itertools.chain(hard, ordinary(shape, count)))


def write(wire: Wire, table: str, items: Iterable[Item]) -> int:
    """Write items, whose keys must differ, to a table that exists; return how many they were."""

    def put(chunk: list[Item]) -> int:
        return wire.put(table, chunk)

    with ThreadPoolExecutor(_THREADS) as pool:
        return sum(pool.map(put, _chunks(items)))


def copy(wire: Wire, source: str, target: str) -> int:
    """Copy a table to one that exists, as plainly as can be; return how many items it held."""
    return write(wire, target, wire.scan(source))


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, _CHUNK)):
        yield chunk
