"""What takes the writes of a table, whatever becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable


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


def refusing(streams: Collection[str]) -> Callable[[bytes, DataError], NoReturn]:
    """Return what a `Writer` calls for a write that DynamoDB refuses, where the first one ends the load.

    Args:
        streams: The streams that are written by it.

    Raises:
        DataError: (by what is returned) Always; it names the streams.
    """

    def refuse(_write: bytes, error: DataError) -> NoReturn:
        raise DataError(f"Stream {' or '.join(streams)}: {error.message}", error.hint)

    return refuse
