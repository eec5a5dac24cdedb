"""Changes of a stream that does not tell items: each item is looked up as it is now.

That may be newer than the change. By key it comes to the same in the end: what made it newer comes later in
the stream. Reads are strongly consistent, as the item must not be older than the change.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dynamodb_core import fetching
from dynamodb_core.changes.records import UNTOLD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.fetching import Fetcher


class Fetched:
    """Puts items into changes that lack them. Threads may share it, and take turns.

    Attributes:
        gone: How many changes were left out, as their items were gone: deletions that come later.

    Args:
        fetcher: Looks items up, strongly consistent and within its budget.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self.gone = 0
        self._fetcher = fetcher
        self._turn = threading.Lock()

    def __call__(self, changes: Sequence[Change]) -> list[Change]:
        """Return changes with their items, in their order; an item is looked up once.

        Args:
            changes: Those of an answer.

        Raises:
            Error: A call failed, or a key is none of the table's.
        """
        untold = {bytes(each.keys or b"{}") for each in changes if each.item == UNTOLD}
        if not untold:
            return list(changes)
        keys = sorted(untold)
        with self._turn:
            found = self._fetcher.fetch([fetching.load(text) for text in keys])
            items = {
                text: fetching.dump(item)
                for text, item in zip(keys, found, strict=True)
                if item is not None
            }
            told = [full for each in changes if (full := _full(each, items)) is not None]
            self.gone += len(changes) - len(told)
        return told


def _full(change: Change, items: Mapping[bytes, bytes]) -> Change | None:
    """Return a change with its item; None where this is gone."""
    if change.item != UNTOLD:
        return change
    item = items.get(bytes(change.keys or b"{}"))
    return None if item is None else change._replace(item=item)
