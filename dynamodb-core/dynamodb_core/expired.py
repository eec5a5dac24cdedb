"""Items whose time to live has passed, and that DynamoDB has not deleted yet."""

from __future__ import annotations

import time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from dynamodb_core.numbers import literal
from dynamodb_core.peek import peek

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import msgspec

FIVE_YEARS = 5 * 365 * 86_400
"""Seconds. DynamoDB does not expire an item whose time lies further back, as AWS's documentation of
TTL says, so that a wrong unit or a zero does not empty a table; such an item is alive."""


class Expiry:
    """Tells expired items from living ones, as DynamoDB itself would.

    Only a number in the past counts: an item without the attribute, or with something else in it,
    lives.

    Args:
        attribute: The table's TTL attribute, which holds seconds since 1970.
        now: Returns the time in seconds since 1970.
    """

    def __init__(self, attribute: str, *, now: Callable[[], float] = time.time) -> None:
        self.attribute = attribute
        self._now = now
        self._peek = peek([attribute])

    def living(self, items: Iterable[msgspec.Raw]) -> list[msgspec.Raw]:
        """Return the items that have not expired, in their order."""
        now = int(self._now())
        return [item for item in items if not self._expired(item, now)]

    def __reduce__(self) -> Any:
        """Pickle by what it was made of."""
        return partial(type(self), self.attribute, now=self._now), ()

    def _expired(self, item: msgspec.Raw, now: int) -> bool:
        text = self._peek(item)[0].N
        return text is not UNSET and now - FIVE_YEARS <= Decimal(literal(text)) <= now
