"""What a worker makes of a table's pages: rows, packed by bucket. It can be pickled."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError, ServiceError
from dynamodb_core.paging import Paging
from dynamodb_core.scan import read_part
from dynamodb_tools.rows import DELETED, Row, bucket_of, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    import msgspec
    from typing_extensions import Self

    from dynamodb_core.capacity import Budget
    from dynamodb_core.change import Change
    from dynamodb_core.parts import Block, Part
    from dynamodb_core.plan import ReadPlan
    from dynamodb_core.wire import Wire
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


class RowReader:
    """Reads the parts of a table as rows, within a `with` block; see `dealing.Reader`.

    Args:
        plan: How the table is read.
        wire: Carries the calls.
        budget: What they may consume.
        rows: Makes rows of a page.
        item_bytes: The average size of an item, None where that is not known.
    """

    def __init__(
        self, plan: ReadPlan, wire: Wire, budget: Budget, rows: Rows, *, item_bytes: float | None
    ) -> None:
        self._plan = plan
        self._wire = wire
        self._budget = budget
        self._rows = rows
        self._item_bytes = item_bytes
        self._paging: Paging | None = None
        self._end_watch: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        """Make ready to read; the budget hears of throttled calls from now on."""
        self._paging = Paging(
            self._budget, consistent=self._plan.consistent, item_bytes=self._item_bytes
        )
        self._end_watch = self._wire.watch(self._plan.table, self._budget.throttled)
        return self

    def __exit__(self, *error: object) -> None:
        """End the watch for throttled calls."""
        if self._end_watch is not None:
            self._end_watch()

    def __call__(self, part: Part) -> Iterator[Block[Packed]]:
        """Read a part from its place to its end."""
        try:
            yield from read_part(
                part,
                plan=self._plan,
                wire=self._wire,
                budget=self._budget,
                paging=self._paging,
                render=self._rows,
            )
        except ServiceError as error:
            if error.code != "ValidationException":
                raise
            raise ConfigError(
                f"DynamoDB refuses to read {self._plan.what}: {error.message}", "Check the filter"
            ) from error

    def name(self, number: int) -> str:
        """Return a part in words."""
        return self._plan.part(number)

    def tell(self, news: Any) -> None:
        """Take no news: a read of rows decides nothing."""
