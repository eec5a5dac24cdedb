"""A load that writes nothing: what DynamoDB would refuse, and the write units that it would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from dynamodb_core import sizes
from dynamodb_core.errors import DataError
from dynamodb_core.prices import money

if TYPE_CHECKING:
    import logging
    from collections.abc import Hashable

    from dynamodb_core.prices import Prices
    from dynamodb_core.progress import Progress
    from dynamodb_core.table import Table

SHOWN = 20
"""Refused records that the log names; the others are counted."""


class Rehearsal:
    """Takes the writes of a table in the place of a `Writer`.

    Attributes:
        table: The table that would be written.

    Args:
        table: The same.
        progress: Told what would be written, with the write units that it would cost the table at
            least: replacing a larger item costs more, and indexes and replicas cost as much again.
    """

    def __init__(self, table: Table, progress: Progress) -> None:
        self.table = table
        self._progress = progress

    def put(self, identity: Hashable, item: bytes) -> None:  # noqa: ARG002 - a Writer's
        """Look at an item that would be put.

        Args:
            identity: Not used: a key that comes twice is paid twice.
            item: The item as DynamoDB JSON.

        Raises:
            DataError: DynamoDB would refuse it.
        """
        typed = orjson.loads(item)
        try:
            sizes.check(typed, self.table)
        except DataError as error:
            key = "/".join(next(iter(typed[name].values())) for name in self.table.key.names)
            raise DataError(
                f"DynamoDB would refuse the item with key {key} for table {self.table.name}: "
                f"{error.message}",
                error.hint,
            ) from error
        self._progress.add(items=1, size=len(item), units=sizes.write_units(typed))

    def delete(self, identity: Hashable, key: bytes) -> None:  # noqa: ARG002 - a Writer's
        """Look at a deletion, which costs a unit for each KB of what it would delete.

        Args:
            identity: Not used.
            key: The key as DynamoDB JSON.
        """
        self._progress.add(items=1, size=len(key), units=1)

    def flush(self) -> None:
        """Return: nothing is under way."""

    def close(self) -> None:
        """Return: nothing was opened."""


class Refusals:
    """Counts what would be refused, and names the first of them in the log.

    Args:
        log: Where they are named.
    """

    def __init__(self, log: logging.Logger) -> None:
        self.count = 0
        self._log = log

    def add(self, error: DataError) -> None:
        """Take a record that cannot be written.

        Args:
            error: Names it, and says why.
        """
        self.count += 1
        if self.count <= SHOWN:
            self._log.warning("Would be refused: %s", error)
        elif self.count == SHOWN + 1:
            self._log.warning("Further records that would be refused are counted and not named")

    def conclude(self, progress: Progress, prices: Prices) -> None:
        """Say what the load would cost.

        Args:
            progress: What was rehearsed.
            prices: What a unit costs on demand.

        Raises:
            DataError: Records would be refused.
        """
        cost = money(progress.units * prices.unit("write"))
        self._log.info(
            "Nothing was written. Writing %s items would cost at least %s write units, %s on demand; "
            "larger items that are replaced, indexes and replicas cost more",
            f"{progress.items:,}",
            f"{progress.units:,.0f}",
            f"{cost} by the prices of {prices.dated}" if prices.dated else cost,
        )
        if self.count:
            raise DataError(
                f"{self.count:,} record{'s' * (self.count > 1)} would be refused; nothing was written",
                "The log names the first of them",
            )
