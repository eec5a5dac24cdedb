"""What became of an item, as exports and streams tell it."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """An item as it was written, or that it was deleted.

    Attributes:
        item: The item after the write, as DynamoDB JSON; None when it was deleted.
        keys: Its key attributes likewise; None where the source tells the item alone.
        micros: When it was written, in microseconds since 1970; None where that is not told.
        sequence: Orders the writes of one key; None where `micros` does.
        old: The item before the write; None where there was none, or it is not told.
        expired: Whether DynamoDB itself has deleted it, as its time to live had passed.
    """

    item: bytes | None
    keys: bytes | None = None
    micros: int | None = None
    sequence: int | None = None
    old: bytes | None = None
    expired: bool = False
