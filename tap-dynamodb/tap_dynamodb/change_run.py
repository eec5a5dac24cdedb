"""One run over a table and its stream: what is left of the snapshot, and the changes up to now."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING

from dynamodb_core.changes import alternation
from dynamodb_core.changes.alternation import alternate
from dynamodb_core.changes.follower import Follower
from dynamodb_core.changes.positions import Positions
from dynamodb_core.changes.shard_reader import EMPTY_ANSWERS
from dynamodb_core.errors import ServiceError
from dynamodb_core.exports.kinds import said
from dynamodb_core.progress import Progress
from dynamodb_core.scan import choose_workers
from dynamodb_core.workers import LOOK_UP_SECONDS
from tap_dynamodb.export_scan import ExportScan

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.parts import Block
    from dynamodb_core.plan import ReadPlan
    from dynamodb_core.prices import Purse
    from dynamodb_core.wire import Wire
    from tap_dynamodb.change_scan import ChangeScan
    from tap_dynamodb.change_source import ChangeSource
    from tap_dynamodb.pages import Blocks, Page, PageConverter
    from tap_dynamodb.scanning import TableScan

SAFE = timedelta(hours=2)
"""An export must be so much younger than the oldest change that its stream remembers."""


class ChangeRun:
    """What a run reads; see `TableScan.blocks`.

    Args:
        scan: What is read, and how far it has come.
        wire: Carries the calls about the table.
        plan: How the snapshot is read.
        convert: Makes a block's payload of items, or of changes.
        look_up: Called every quarter second and after every block; may raise to stop.
        log: The stream's logger.
        finished_lines: Whether all that goes out is finished by the workers.
        purse: What pays for a scan on demand.
    """

    def __init__(
        self,
        scan: ChangeScan,
        wire: Wire,
        plan: ReadPlan,
        convert: PageConverter,
        *,
        look_up: Callable[[], None],
        log: logging.Logger,
        finished_lines: bool,
        purse: Purse | None,
    ) -> None:
        self._scan = scan
        self._bookmark = scan.change_bookmark
        self._table = scan.table.name
        self._asked = scan.settings.following
        self._wire = wire
        self._plan = plan
        self._convert = convert
        self._look_up = look_up
        self._log = log
        self._finished_lines = finished_lines
        self._purse = purse
        self._clock = scan.clock
        self._began = scan.clock()
        self._read = 0

    def blocks(self) -> Iterator[Block[Page] | None]:
        """Yield the run's blocks; with `follow` None after each look at the stream.

        Raises:
            HistoryLost: What was to be read of the stream is gone.
            ConfigError: There is no stream, or it tells too little.
        """
        if self._bookmark.whole and self._asked.snapshot == "only":
            self._log.info("The snapshot of table %s is out, and only that is wanted", self._table)
            return
        _ = self._source
        snapshot = self._scan.snapshot
        if snapshot is None:
            yield from self._since_the_snapshot()
        elif isinstance(snapshot, ExportScan):
            if not snapshot.stages and not self._scan.resumed:
                return  # none is made for a run that is limited to some records, or can be as yet
            yield from self._exports()
            if not self._enough():
                yield from self._changes(self._clock())
        else:
            yield from self._pages_and_changes(snapshot)
        if self._asked.follow and not self._enough():
            self._log.info("Following the changes of table %s until a signal comes", self._table)
            while not self._enough():
                yield None
                yield from self._changes(self._clock(), empties=1)

    @property
    def _source(self) -> ChangeSource:
        return self._scan.origin(self._wire)

    def _since_the_snapshot(self) -> Blocks:
        """Yield what has changed since the run before."""
        before = self._bookmark.positions
        since = before.reached if before else None
        self._log.info(
            "Reading what has changed in table %s%s, from %s",
            self._table,
            f" since {said(moment(since))}" if since else "",
            self._source.service,
        )
        self._note_positions()
        yield from self._changes(self._clock())

    def _pages_and_changes(self, snapshot: TableScan) -> Iterator[Block[Page] | None]:
        """Yield pages of the table and the changes meanwhile, in turn."""
        gone_on = self._bookmark.positions is not None
        self._note_positions()
        if gone_on:  # streams forget: runs that end early bring more than pages
            yield from self._turn(self._clock())
        yield from alternate(
            lambda: self._pages(snapshot),
            self._turn,
            lambda: snapshot.complete,
            clock=self._clock,
            wait=self._rest,
            margin=0.0 if self._scan.settings.consistent_read else alternation.MARGIN_SECONDS,
            lag=alternation.LAG_SECONDS,
            rested=not gone_on and not self._source.made,
            enough=self._enough,
        )
        self._end_snapshot()

    def _pages(self, snapshot: TableScan) -> Blocks:
        """Return pages until it is the stream's turn."""
        end = self._clock() + alternation.PHASE_SECONDS
        return self._whole(snapshot, lambda: self._clock() >= end or self._enough())

    def _whole(self, snapshot: TableScan | ExportScan, enough: Callable[[], bool]) -> Blocks:
        """Yield what is left of the snapshot, until that is enough."""
        for block in snapshot.blocks(
            self._wire,
            self._plan,
            self._convert,
            self._look_up,
            self._log,
            finished_lines=self._finished_lines,
            purse=self._purse,
            enough=enough,
        ):
            self._read += block.count
            yield block

    def _turn(self, until: float) -> Iterator[Block[Page] | None]:
        yield from self._changes(until)
        if self._asked.follow:
            yield None  # the streams of other tables do not wait for this one's snapshot

    def _exports(self) -> Blocks:
        """Yield exports until the stream tells of all that came after them.

        Raises:
            HistoryLost: It does not reach back so far, and no windows are to be exported.
            ServiceError: No window of what was written since can be exported as yet.
        """
        before: datetime | None = None
        while True:
            snapshot = self._scan.snapshot
            assert isinstance(snapshot, ExportScan)
            yield from self._whole(snapshot, self._enough)
            if not snapshot.complete:
                return
            until = self._scan.exported_until()
            if self._tells_all_since(until):
                break
            if until == before:
                raise ServiceError(
                    f"The exports of table {self._table} end at {said(until)}, its stream does not reach back "
                    "so far, and what lies between cannot be exported as yet",
                    "Run again in a quarter of an hour",
                )
            self._log.info(
                "The exports of table %s end at %s, and its stream does not reach back so far: what was "
                "written since is exported",
                self._table,
                said(until),
            )
            self._scan.snapshot, before = self._scan.bridge(), until
        self._note_positions(until)
        self._end_snapshot()

    def _tells_all_since(self, until: datetime) -> bool:
        """Say whether the stream was on at a moment, and will remember it for a while."""
        began, retention = self._source.began, self._source.service.retention
        safe = (retention - SAFE).total_seconds()
        return (began is None or began <= until) and self._clock() - until.timestamp() < safe

    def _end_snapshot(self) -> None:
        if self._scan.snapshot is not None and self._scan.snapshot.complete:
            self._bookmark.whole = True
            self._log.info("The snapshot of table %s is out", self._table)

    def _note_positions(self, exported: datetime | None = None) -> None:
        """Note from where on the stream is to be read, where an earlier run has not.

        Args:
            exported: The moment up to which exports have told everything.
        """
        if self._bookmark.positions is not None:
            return
        now = self._clock()
        oldest = self._asked.start == "oldest"
        self._bookmark.positions = Positions.noted(
            self._source.label,
            self._source.service.shards(),
            now=now,
            since=exported.timestamp() if exported else None if oldest else now,
            order=micros(exported) if exported else 0 if oldest else self._bookmark.snapshot,
        )

    def _changes(self, until: float, empties: int = EMPTY_ANSWERS) -> Blocks:
        """Yield what the stream tells up to a moment."""
        progress = Progress(f"{self._table}, changes", part_name="shards", metered=False)

        def idle() -> None:
            self._look_up()
            if progress.due():
                self._log.info(progress.line())

        for block in self._follower.blocks(until, idle=idle, enough=self._enough, empties=empties):
            self._read += block.count
            yield block
            progress.add(items=block.count, size=block.size)
            idle()
            del block
        if progress.items or empties == EMPTY_ANSWERS:
            self._log.info("%s, up to %s", progress.summary(), said(moment(until)))
            for line in self._source.remarks():
                self._log.info("%s", line)

    @cached_property
    def _follower(self) -> Follower:
        positions, fetched = self._bookmark.positions, self._source.fetched
        assert positions

        def page(changes: Sequence[Change]) -> Page:
            return self._convert.changes(fetched(changes) if fetched else changes)

        service = self._source.service
        return Follower(service, positions, page, workers=choose_workers(), clock=self._clock)

    def _enough(self) -> bool:
        """Whether the run has used up what it may."""
        most = self._asked.max_seconds
        late = most is not None and self._clock() - self._began >= most
        return late or (
            self._asked.max_records is not None and self._read >= self._asked.max_records
        )

    def _rest(self, seconds: float) -> None:
        if seconds:
            self._log.info(
                "Waiting %.0f s: DynamoDB shows, and tells of, what was written a little later",
                seconds,
            )
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            self._look_up()
            self._scan.wait(min(left, LOOK_UP_SECONDS))


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as a moment, rounded down to a second."""
    return datetime.fromtimestamp(int(seconds), timezone.utc)


def micros(at: datetime) -> int:
    """Return a moment in microseconds since 1970."""
    return round(at.timestamp() * 1e6)
