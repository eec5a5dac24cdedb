"""What a worker makes of a table's pages: rows, packed by bucket. It can be pickled."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynamodb_tools.rows import DELETED, Row, bucket_of, pack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    import msgspec

    from dynamodb_core.change import Change
    from dynamodb_tools.canonical import Canon

    Packed: TypeAlias = list[tuple[int, bytes]]
    """Rows by the number of their bucket, packed."""

_computing = threading.Lock()
"""Held by the thread that makes rows of a page: those that compute at the same time, of whichever
side, only wrest the interpreter from each other."""


class Rows:
    """Makes rows of a page of items, packed by bucket; threads take turns. It can be pickled.

    Args:
        canon: Makes a row of an item.
        fan_out: How many buckets there are.
    """

    def __init__(self, canon: Canon, fan_out: int) -> None:
        self._canon = canon
        self._fan_out = fan_out

    def __call__(self, items: Sequence[msgspec.Raw]) -> Packed:
        """Return the rows of a page."""
        with _computing:
            return self._canon.packed(items, self._fan_out)

    def tell(self, news: Any) -> None:
        """Take no news: a read of rows decides nothing."""


class ChangeRows:
    """Makes rows of a page of changes: of an item that was deleted one that says so. It can be pickled.

    Args:
        canon: Makes a row of an item.
        fan_out: How many buckets there are.
    """

    def __init__(self, canon: Canon, fan_out: int) -> None:
        self._canon = canon
        self._keys = replace(canon, keys_only=True)
        self._fan_out = fan_out

    def __call__(self, changes: Sequence[Change]) -> Packed:
        """Return the rows of a page, in which a key is once.

        Raises:
            DataError: A deletion names no key, or an item lacks it.
        """
        with _computing:
            written = [change.item for change in changes if change.item is not None]
            deleted = [change.keys or b"{}" for change in changes if change.item is None]
            packed = self._canon.packed(written, self._fan_out)
            for row in self._keys.rows(deleted):
                told = pack([Row(row.key, b"", DELETED)])
                packed.append((bucket_of(row.key, 0, self._fan_out), told))
            return packed
