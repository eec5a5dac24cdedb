"""One stream's scan: its plan, its budget, its progress and its place."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dynamodb_core import workers
from dynamodb_core.capacity import Budget, choose_rate
from dynamodb_core.plan import ReadPlan
from dynamodb_core.progress import Progress
from dynamodb_core.scan import choose_segments, choose_workers, read_part
from tap_dynamodb.bookmarks import ScanBookmark, identify

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import msgspec

    from dynamodb_core.parts import Block, Part, Payload
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source


class TableScan:
    """A scan that is begun, or gone on with, from a stream's state.

    Args:
        source: The table.
        settings: The tap's configuration.
        state: The stream's state.
        version: Version of ACTIVATE_VERSION, should this be a new scan.

    Raises:
        StateError: The state does not fit the table.
    """

    def __init__(
        self, source: Source, settings: Settings, state: Mapping[str, Any], *, version: int
    ) -> None:
        self.table = source.table
        self._reference = source.reference
        self._settings = settings
        self._workers = settings.scan_workers or choose_workers()
        unfinished = ScanBookmark.load(state, source.table)
        self.resumed = unfinished is not None
        self.bookmark = unfinished or ScanBookmark(
            table_id=identify(source.table),
            segments=settings.segments or choose_segments(source.table, self._workers),
            seed=random.randrange(1 << 30),  # noqa: S311 - an order needs no secrecy
            began=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            version=version,
        )

    def blocks(
        self,
        wire: Wire,
        render: Callable[[Sequence[msgspec.Raw]], Payload],
        look_up: Callable[[], None],
        log: logging.Logger,
    ) -> Iterator[Block[Payload]]:
        """Yield what is left of the table, block by block; progress goes to the log.

        Args:
            wire: Carries the calls.
            render: Makes a block's payload of a page's items, in a worker.
            look_up: Called every quarter second and after every block; may raise to stop.
            log: The stream's logger.
        """
        bookmark, table, settings = self.bookmark, self.table, self._settings
        if bookmark.complete:
            log.info(
                "Table %s was read to its end by the run that began at %s and did not finish its "
                "other tables; it is not read again before they are",
                table.name,
                bookmark.began,
            )
            return
        rate, reason = choose_rate(settings.read_capacity, table, "read")
        log.info(
            "%s table %s, about %s items: %s of %s segments by %s workers, %s",
            f"Going on with the scan of {bookmark.began} of" if self.resumed else "Scanning",
            table.name,
            f"{table.item_count:,}",
            bookmark.segments - len(bookmark.finished),
            bookmark.segments,
            self._workers,
            f"at most {rate:,.0f} units/s ({reason})" if rate else reason,
        )
        before = len(bookmark.finished)
        progress = Progress(
            table.name,
            whole_items=table.item_count * (bookmark.segments - before) // bookmark.segments,
            whole_parts=bookmark.segments,
            parts_before=before,
        )
        plan = ReadPlan(self._reference, bookmark.segments, consistent=settings.consistent_read)
        budget = Budget(rate)

        def read(part: Part) -> Iterator[Block[Payload]]:
            return read_part(part, plan=plan, wire=wire, budget=budget, render=render)

        def idle() -> None:
            look_up()
            if progress.due():
                log.info(progress.line())

        throttles = wire.throttles
        for block in workers.fan_out(bookmark.parts(), read, workers=self._workers, idle=idle):
            yield block
            bookmark.advance(block)
            progress.add(
                items=block.count,
                size=block.size,
                units=block.units,
                throttles=wire.throttles - throttles,
                parts=block.finished,
            )
            throttles = wire.throttles
            idle()
        log.info(progress.summary())
