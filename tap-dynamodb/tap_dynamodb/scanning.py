"""One table's read: its plan, its budget, its progress and its place."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dynamodb_core import dealing, workers
from dynamodb_core.capacity import CELLS, Budget
from dynamodb_core.paging import UNIT_BYTES
from dynamodb_core.parts import as_they_are
from dynamodb_core.processes import can_share, shared_cells
from dynamodb_core.progress import Progress
from dynamodb_core.scan import choose_processes, choose_segments, choose_workers
from dynamodb_core.table import Index
from dynamodb_core.table_reader import TableReader
from tap_dynamodb import selection
from tap_dynamodb.bookmarks import STATE_KEY, ScanBookmark, identify
from tap_dynamodb.pace import read_pace
from tap_dynamodb.pages import REFUSED

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping, MutableMapping, Sequence

    from dynamodb_core.expressions import Bounds
    from dynamodb_core.plan import ReadPlan
    from dynamodb_core.prices import Purse
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from tap_dynamodb.pages import Blocks, PageConverter, Widened
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source


class TableScan:
    """A scan, or queries, begun or gone on with from a stream's state.

    Args:
        source: The table.
        settings: The table's own.
        state: The stream's state.
        version: Version of ACTIVATE_VERSION, should this be a new scan.
        streams: Names of the streams that it is read for.
        replication_key: By which the table is read; None to read it whole.

    Raises:
        StateError: The state does not fit the table, or what is read of it.
        ConfigError: What is asked for cannot be read of this table.
    """

    def __init__(
        self,
        source: Source,
        settings: Settings,
        state: Mapping[str, Any],
        *,
        version: int,
        streams: Sequence[str] = (),
        replication_key: str | None = None,
    ) -> None:
        self._source = source
        self.table = source.table
        self.replication_key = replication_key
        self.read = selection.readable(source.table, settings)
        self.base = selection.read_plan(source, settings)
        self._settings = settings
        self._workers = settings.scan_workers or choose_workers()
        self._tell: Callable[[Widened], None] = lambda _news: None
        only = settings.segment_range
        self.reads = selection.fingerprint(settings, streams, replication_key)
        unfinished = ScanBookmark.load(state, source.table, self.reads, only)
        self.resumed = unfinished is not None
        self.bookmark = unfinished or ScanBookmark(
            table_id=identify(source.table),
            segments=len(self.base.conditions)
            or settings.segments
            or choose_segments(self.read, self._workers),
            seed=random.randrange(1 << 30),  # noqa: S311 - an order needs no secrecy
            began=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            version=version,
            reads=self.reads,
            only=only,
        )

    def warmed(self, table: Table) -> None:
        """Take note of a table that has been given more capacity.

        Args:
            table: The table as it is now.
        """
        self._source = replace(self._source, table=table)

    def plan(
        self,
        attributes: Sequence[str] | None,
        bounds: Mapping[int, Bounds] | Bounds | None = None,
        *,
        ordered: bool = False,
        limit: int | None = None,
    ) -> ReadPlan:
        """Return how the table is read.

        Args:
            attributes: The attributes that are wanted; None for all.
            bounds: Which values of an attribute are wanted, of all parts or by part.
            ordered: Whether that is the sort key of the queries.
            limit: Most items a page.
        """
        return replace(
            self.base,
            segments=self.bookmark.segments,
            consistent=self._settings.consistent_read,
            attributes=attributes,
            bounds=bounds,
            ordered=ordered,
            limit=limit,
        )

    def blocks(
        self,
        wire: Wire,
        plan: ReadPlan,
        convert: PageConverter,
        look_up: Callable[[], None],
        log: logging.Logger,
        *,
        finished_lines: bool = True,
        finish: Callable[[Blocks], Blocks] = as_they_are,
        purse: Purse | None = None,
        enough: Callable[[], bool] = bool,
    ) -> Blocks:
        """Yield what is left of the table, block by block; progress goes to the log.

        Args:
            wire: Carries the calls.
            plan: How it is read: `plan()`.
            convert: Makes a block's payload of a page's items, in a worker.
            look_up: Called every quarter second and after every block; may raise to stop.
            log: The stream's logger.
            finished_lines: Whether all that goes out is finished by the workers.
            finish: What becomes of the blocks of a part, in a worker.
            purse: What pays for a table on demand.
            enough: Asked after every block whether to end before all is read.
        """
        bookmark = self.bookmark
        if bookmark.complete:
            log.info(
                "Table %s was read to its end by the run that began at %s and did not finish its "
                "other tables; it is not read again before they are",
                self.table.name,
                bookmark.began,
            )
            return
        share = len(bookmark.numbers) / bookmark.segments
        pace = read_pace(wire, self._source, self._settings, share=share)
        rate, reason = pace.rate()
        processes, why = self._processes(plan, rate, finished_lines=finished_lines)
        pace_said = f"at most {rate:,.10g} units/s ({reason})" if rate else reason
        self._announce(plan, processes, why, pace_said, log)
        before = len(bookmark.finished)
        progress = Progress(
            self.table.name,
            whole_items=self._items_ahead(plan),
            whole_parts=len(bookmark.numbers),
            parts_before=before,
            part_name=self._part_name,
        )
        budget = Budget(
            rate,
            cells=shared_cells(CELLS) if processes > 1 else None,
            purse=None if self.table.billing == "PROVISIONED" else purse,
        )
        reader = TableReader(
            plan,
            wire,
            budget,
            convert,
            item_bytes=self.read.item_bytes,
            finish=finish,
            hint=REFUSED,
        )

        progress.follow(self.table.name, budget)
        look_at_capacity = pace.lookups(budget, log)

        def idle() -> None:
            look_up()
            look_at_capacity()
            if progress.due():
                log.info(progress.line())

        for block in self._fan_out(reader, processes, idle):
            yield block
            bookmark.advance(block)
            progress.add(
                items=block.count,
                size=block.size,
                units=block.units,
                parts=block.finished,
            )
            idle()
            del block
            if enough():
                break
        log.info(progress.summary())

    whole = True
    """Whether a run that has ended has read all that it was to read."""

    @property
    def complete(self) -> bool:
        """Whether all of it is out."""
        return self.bookmark.complete

    def note(self, state: MutableMapping[str, Any]) -> None:
        """Note how far the read has come.

        Args:
            state: The stream's state.
        """
        state[STATE_KEY] = self.bookmark.dump()

    def end(self, state: MutableMapping[str, Any]) -> None:
        """Note that this run has read all tables: the next one begins anew.

        Args:
            state: The stream's state.
        """
        state[STATE_KEY] = []

    def tell(self, news: Widened) -> None:
        """Tell those who render, while `blocks` goes on, that a stream has more columns."""
        self._tell(news)

    def _fan_out(self, reader: TableReader, processes: int, idle: Callable[[], None]) -> Blocks:
        hands = dealing.hands(reader, workers=self._workers, processes=processes)
        self._tell = hands.tell
        with closing(hands):
            yield from hands.blocks(self.bookmark.parts(), idle=idle)

    def _processes(
        self, plan: ReadPlan, rate: float | None, *, finished_lines: bool
    ) -> tuple[int, str]:
        """Return how many processes read the table, and why it is one where it might be several."""
        asked = self._settings.processes
        if asked == 1 or (asked is None and workers.cores() == 1):
            return 1, ""
        left = self.bookmark.left
        if not finished_lines:
            return 1, "stream maps, flattening and limits of records are the SDK's, which has one"
        if asked is not None:
            chosen = min(asked, self._workers, left), ""
        elif plan.conditions or plan.bounds:
            chosen = 1, "it is not known how much there is to read"
        else:
            chosen = self._chosen(plan, rate, left)
        if chosen[0] > 1 and not can_share():
            return 1, "this system has no semaphores for several"
        return chosen

    def _chosen(self, plan: ReadPlan, rate: float | None, left: int) -> tuple[int, str]:
        return choose_processes(
            cores=workers.cores(),
            workers=self._workers,
            parts=left,
            size_bytes=self.read.size_bytes * left // self.bookmark.segments,
            rate=rate and rate * UNIT_BYTES / (2 if plan.consistent else 1),
        )

    @property
    def distinct(self) -> bool:
        """Whether no key can come twice."""
        return not isinstance(self.read, Index) and not self.base.conditions

    @property
    def share_left(self) -> float:
        """How much of the table this run reads, from 0 to 1."""
        return self.bookmark.left / self.bookmark.segments

    @property
    def _part_name(self) -> str:
        return "partitions" if self.base.conditions else "segments"

    def _announce(
        self, plan: ReadPlan, processes: int, why: str, pace: str, log: logging.Logger
    ) -> None:
        bookmark = self.bookmark
        if plan.attributes is not None and not plan.projects:
            log.info(
                "%s attributes are more than an expression can name: whole items are read, and "
                "what is not selected is left out afterwards",
                f"{len(plan.attributes):,}",
            )
        if isinstance(self.read, Index) and self.read.projection != "ALL":
            log.warning(
                "Index %s of table %s holds a part of each item only (its projection is %s)",
                self.read.name,
                self.table.name,
                self.read.projection,
            )
        count = 0 if self.base.conditions else self.read.item_count
        log.info(
            "%s %s%s%s: %s of %s %s by %s workers in %s, %s",
            f"Going on with the read of {bookmark.began} of" if self.resumed else "Reading",
            plan.what,
            self._how(plan),
            f", about {count:,} items" if count else "",
            bookmark.left,
            bookmark.segments,
            self._part_name,
            self._workers,
            f"{processes} processes" if processes > 1 else "one process" + f" ({why})" * bool(why),
            pace,
        )

    def _how(self, plan: ReadPlan) -> str:
        words = []
        if self.replication_key is not None:
            where = "from its bookmark or start date on" if plan.bounds else "from its beginning on"
            words.append(f"by {self.replication_key} {where}")
        if plan.filter is not None:
            words.append("filtered")
        if plan.attributes is not None:
            words.append(f"{len(plan.attributes):,} attributes")
        return f" ({', '.join(words)})" if words else ""

    def _items_ahead(self, plan: ReadPlan) -> int | None:
        """Return how many items there are about to come, where that can be known."""
        if plan.conditions or plan.filter or plan.bounds:
            return None
        return self.read.item_count * self.bookmark.left // self.bookmark.segments
