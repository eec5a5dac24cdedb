"""The incremental side of one table's read: which values are wanted, and what was seen of them."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from dynamodb_core import workers
from dynamodb_core.capacity import Budget
from dynamodb_core.expressions import Bounds
from dynamodb_core.parts import Part
from dynamodb_core.scan import read_page
from tap_dynamodb import selection
from tap_dynamodb.bookmarks import identify
from tap_dynamodb.incremental import STATE_KEY, Marks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.encode import TypedValue
    from dynamodb_core.wire import Wire
    from tap_dynamodb.scanning import TableScan
    from tap_dynamodb.seen import Highest, Seen
    from tap_dynamodb.settings import Settings

log = logging.getLogger("tap-dynamodb")

SAMPLERS = 16
SAMPLE_UNITS = 1.0


class Increment:
    """Reads by a replication key: of a scan, or of queries that are ordered by it.

    Args:
        scan: The table's read.
        settings: The table's own.
        state: The stream's state.
        key: The replication key.
        kind: The DynamoDB type of its column, None where there is none.

    Raises:
        StateError: The bookmark cannot be read, or is one of another key or another read.
        ConfigError: The table cannot be read by this key.
    """

    def __init__(
        self,
        scan: TableScan,
        settings: Settings,
        state: Mapping[str, Any],
        key: str,
        kind: str | None,
    ) -> None:
        self.key = key
        self.ordered = selection.is_ordered_by(key, scan.table, scan.read, scan.base)
        self._scan = scan
        if "replication_key_value" in state and not state.get(STATE_KEY):
            log.warning(
                "The state of table %s has a bookmark of another tap, which this one cannot use: all "
                "of it is read",
                scan.table.name,
            )
        conditions = scan.base.conditions if self.ordered else ()
        self._parts = [selection.condition_id(each) for each in conditions]
        self.marks = Marks.load(
            state,
            table=scan.table.name,
            name=key,
            began=datetime.fromisoformat(scan.bookmark.began),
            lookback=timedelta(seconds=settings.replication_lookback_seconds),
            ordered=self.ordered,
            kind=scan.read.types.get(key, kind),
            start_date=settings.start_date,
            scope=selection.scope(identify(scan.table), scan.reads, ordered=self.ordered),
            candidates=scan.bookmark.marks,
        )

    def bounds(self, wire: Wire) -> Mapping[int, Bounds] | Bounds | None:
        """Return which values are wanted; None for all.

        Args:
            wire: Carries the calls that show how a start date is written in a partition; there are
                none where there is a bookmark.
        """
        if not self.ordered:
            ranges = self.marks.bounds()
            return Bounds(self.key, ranges) if ranges else None
        finished = self._scan.bookmark.finished
        numbers = [n for n in self._scan.bookmark.numbers if n not in finished]
        unknown = [n for n in numbers if self.marks.needs_sample(self._parts[n])]
        samples = dict(
            zip(
                unknown,
                workers.gather(lambda n: self._sample(wire, n), unknown, workers=SAMPLERS),
                strict=True,
            )
        )
        found = {n: self.marks.bounds(self._parts[n], samples.get(n)) for n in numbers}
        return {n: Bounds(self.key, ranges) for n, ranges in found.items() if ranges}

    @property
    def observe(self) -> Highest:
        """Looks at a page, in a worker; it can be pickled."""
        return self.marks.observe

    def advance(self, number: int, seen: Seen) -> None:
        """Take into account what a page showed, when its records are out.

        Args:
            number: The part that the page belongs to.
            seen: What `observe` returned.
        """
        self.marks.advance(self._parts[number] if self.ordered else None, seen)

    def complete(self) -> list[dict[str, Any]]:
        """Return the bookmark of a table that was read to its end, for the stream's state."""
        return self.marks.complete(self._parts) if self.ordered else self.marks.complete()

    def _sample(self, wire: Wire, number: int) -> TypedValue | None:
        plan = self._scan.plan([self.key], limit=1)
        page = read_page(wire, plan, Part(number), Budget(None), SAMPLE_UNITS)
        return msgspec.json.decode(page.items[0])[self.key] if page.items else None
