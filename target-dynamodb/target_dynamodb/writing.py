"""What takes the writes of a table, whatever becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable


class Writing(Protocol):
    """Takes the writes of one table, from one thread: core's `Writer`, or something in its place."""

    def put(self, identity: Hashable, item: bytes) -> None:
        """Take an item.

        Args:
            identity: `Key.identity` of the item.
            item: The item as DynamoDB JSON.

        Raises:
            Error: It cannot be written, or an earlier one could not.
        """
        ...

    def delete(self, identity: Hashable, key: bytes) -> None:
        """Take a deletion.

        Args:
            identity: `Key.identity` of the item to delete.
            key: Its key attributes as DynamoDB JSON.

        Raises:
            Error: An earlier write failed for good.
        """
        ...

    def flush(self) -> None:
        """Return when everything taken so far is acknowledged.

        Raises:
            Error: A write failed for good.
        """
        ...

    def close(self) -> None:
        """Stop; what still waits is abandoned."""
        ...
