"""Writes that DynamoDB is to load by itself: they wait, and nothing is acknowledged before the load."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import orjson

from dynamodb_core import batches, sizes
from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Hashable, Iterator

    from dynamodb_core.staging import Part, Staging
    from dynamodb_core.table import Table

LOOK_WRITES = 4096
"""Between two looks at the clock."""
SAID_SECONDS = 30.0
"""Between two lines of the log that say how much waits."""

LEAST_DEEP = sizes.MOST_DEPTH - 1
"""Maps and lists that an item has at least that is nested too deep."""


class Load(Protocol):
    """What becomes of a table's parts.

    Attributes:
        deletes: Whether an item that was deleted is one that was never there.
    """

    deletes: bool

    def carry_out(self, parts: Iterator[Part], look: Callable[[], None]) -> None:
        """Return when everything is loaded.

        Raises:
            Error: Something was not.
        """
        ...

    def tidy(self) -> None:
        """Remove what is of no use after the load.

        Raises:
            Error: It cannot be removed.
        """
        ...


class Staged:
    """Takes the writes of a table in the place of a `Writer`.

    Attributes:
        table: The table, as it is or is to be.
        complete: Whether everything is loaded.

    Args:
        table: The same.
        staging: Where the writes wait.
        load: What becomes of them.
        log: Told how much waits.
        refused: Told of each write that DynamoDB would refuse, and why; left out, such a write ends
            the run.
        clock: Returns seconds.
    """

    def __init__(
        self,
        table: Table,
        staging: Staging,
        load: Load,
        *,
        log: logging.Logger,
        refused: Callable[[bytes, DataError], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.table = table
        self.complete = False
        self._staging = staging
        self._load = load
        self._log = log
        self._refused = refused
        self._clock = clock
        self._size = 0
        self._next_look = LOOK_WRITES
        self._due = clock() + SAID_SECONDS
        self._indexed = bool(table.indexes)

    def put(self, identity: Hashable, item: bytes) -> None:
        """Take an item.

        Args:
            identity: `Key.identity` of the item.
            item: The item as DynamoDB JSON.

        Raises:
            DataError: DynamoDB would refuse it: it would count as an error of the whole load.
            Error: The disk is full.
        """
        if self._is_odd(identity, item):
            try:
                sizes.check(orjson.loads(item), self.table)
            except DataError as error:
                self._refuse(batches.put(item), self._of_item(identity, error))
                return
        self._staging.put(identity, item)
        self._size += len(item)
        if self._staging.writes >= self._next_look:
            self._look()

    def delete(self, identity: Hashable, key: bytes) -> None:
        """Take a deletion.

        Args:
            identity: `Key.identity` of the item to delete.
            key: Its key attributes as DynamoDB JSON.

        Raises:
            DataError: The load cannot delete.
            Error: The disk is full.
        """
        if self._load.deletes:
            self._staging.delete(identity)
            return
        error = DataError("it is to be deleted, and a bulk put deletes nothing", "")
        self._refuse(batches.delete(key), self._of_item(identity, error))

    def flush(self) -> None:
        """Return: nothing is acknowledged before the end. Its STATE is held back."""

    def finish(self, look: Callable[[], None]) -> None:
        """Load everything, and return when it is loaded.

        Args:
            look: Called again and again meanwhile; what it raises ends the load.

        Raises:
            Error: Something was not loaded.
        """
        if not self.complete:
            self._load.carry_out(self._staging.parts(look), look)
            self.complete = True

    def tidy(self) -> None:
        """Remove what is of no use after the load.

        Raises:
            Error: It cannot be removed; everything is loaded all the same.
        """
        if self.complete:
            self._load.tidy()

    def close(self) -> None:
        """Remove what waits."""
        self._staging.close()

    def _is_odd(self, identity: Hashable, item: bytes) -> bool:
        """Return whether an item is worth a closer look; its JSON is never shorter than DynamoDB counts."""
        return (
            self._indexed
            or len(item) > sizes.MOST_ITEM_BYTES
            or item.count(b'{"M":') + item.count(b'{"L":') >= LEAST_DEEP
            or (isinstance(identity, tuple) and any(len(text) > _SHORT for _kind, text in identity))
        )

    def _refuse(self, write: bytes, error: DataError) -> None:
        if self._refused is None:
            raise error
        self._refused(write, error)

    def _of_item(self, identity: Hashable, error: DataError) -> DataError:
        parts = identity if isinstance(identity, tuple) else ((None, identity),)
        key = "/".join(str(text) for _kind, text in parts)
        return DataError(
            f"The item with key {key[:100]} cannot be loaded into table {self.table.name}: "
            f"{error.message}",
            error.hint or "Leave such records out with stream_maps, or take write_mode put",
        )

    def _look(self) -> None:
        self._next_look = self._staging.writes + LOOK_WRITES
        if self._clock() >= self._due:
            self._due = self._clock() + SAID_SECONDS
            self._log.info(
                "Staged for table %s: %s records, %s MB",
                self.table.name,
                f"{self._staging.writes:,}",
                f"{self._size / 1e6:,.1f}",
            )


_SHORT = sizes.MOST_SORT_KEY_BYTES // 4
"""Characters of a key attribute that are never too long for it, whatever their bytes."""
