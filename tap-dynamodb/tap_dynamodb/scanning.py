"""One table's read: its plan, its budget, its progress and its place."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core import workers
from dynamodb_core.capacity import Budget, choose_rate
from dynamodb_core.errors import ConfigError, ServiceError
from dynamodb_core.paging import Paging
from dynamodb_core.progress import Progress
from dynamodb_core.scan import choose_segments, choose_workers, read_part
from dynamodb_core.table import Index
from tap_dynamodb import selection
from tap_dynamodb.bookmarks import ScanBookmark, identify

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import msgspec

    from dynamodb_core.expressions import Bounds
    from dynamodb_core.parts import Block, Part, Payload
    from dynamodb_core.plan import ReadPlan
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source


@contextmanager
def refusals(plan: ReadPlan) -> Iterator[None]:
    """Turn DynamoDB's refusal of a read into an error about the configuration.

    Args:
        plan: What is read.

    Raises:
        ConfigError: DynamoDB has refused it.
    """
    try:
        yield
    except ServiceError as error:
        if error.code != "ValidationException":
            raise
        raise ConfigError(
            f"DynamoDB refuses to read {plan.what}: {error.message}",
            "Check what table_options says of this table (filter, query, index)",
        ) from error


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
        self.table = source.table
        self.replication_key = replication_key
        self.read = selection.readable(source.table, settings)
        self.base = selection.read_plan(source, settings)
        self._settings = settings
        self._workers = settings.scan_workers or choose_workers()
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

    @cached_property
    def rate(self) -> tuple[float | None, str]:
        """Capacity units a second that this run may consume, and why."""
        setting = self._settings.read_capacity
        rate, reason = choose_rate(setting, self.read, "read")
        share = len(self.bookmark.numbers) / self.bookmark.segments
        if rate is None or setting is not None or share == 1:
            return rate, reason
        return rate * share, f"this range's share of {rate:,g}, {reason}"

    def blocks(
        self,
        wire: Wire,
        plan: ReadPlan,
        render: Callable[[Sequence[msgspec.Raw]], Payload],
        look_up: Callable[[], None],
        log: logging.Logger,
    ) -> Iterator[Block[Payload]]:
        """Yield what is left of the table, block by block; progress goes to the log.

        Args:
            wire: Carries the calls.
            plan: How it is read: `plan()`.
            render: Makes a block's payload of a page's items, in a worker.
            look_up: Called every quarter second and after every block; may raise to stop.
            log: The stream's logger.
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
        self._announce(plan, log)
        rate, _reason = self.rate
        before = len(bookmark.finished)
        progress = Progress(
            self.table.name,
            whole_items=self._items_ahead(plan),
            whole_parts=len(bookmark.numbers),
            parts_before=before,
            part_name=self._part_name,
        )
        budget = Budget(rate)
        paging = Paging(budget, consistent=plan.consistent, item_bytes=self.read.item_bytes)

        def read(part: Part) -> Iterator[Block[Payload]]:
            with refusals(plan):
                yield from read_part(
                    part, plan=plan, wire=wire, budget=budget, paging=paging, render=render
                )

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

    @property
    def _part_name(self) -> str:
        return "partitions" if self.base.conditions else "segments"

    def _announce(self, plan: ReadPlan, log: logging.Logger) -> None:
        bookmark, (rate, reason) = self.bookmark, self.rate
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
            "%s %s%s%s: %s of %s %s by %s workers, %s",
            f"Going on with the read of {bookmark.began} of" if self.resumed else "Reading",
            plan.what,
            self._how(plan),
            f", about {count:,} items" if count else "",
            len(bookmark.numbers) - len(bookmark.finished),
            bookmark.segments,
            self._part_name,
            self._workers,
            f"at most {rate:,.0f} units/s ({reason})" if rate else reason,
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
        left = len(self.bookmark.numbers) - len(self.bookmark.finished)
        return self.read.item_count * left // self.bookmark.segments
