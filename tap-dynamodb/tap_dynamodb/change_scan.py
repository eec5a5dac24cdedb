"""One table's read with its changes: a snapshot where there is none yet, and then what its stream tells.

The same to use as `TableScan` and `ExportScan`, one of which reads the snapshot.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core.changes import alternation
from dynamodb_core.changes.alternation import alternate
from dynamodb_core.changes.follower import Follower
from dynamodb_core.changes.positions import SKEW, Positions
from dynamodb_core.changes.shard_reader import EMPTY_ANSWERS
from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.kinds import said
from dynamodb_core.parts import as_they_are
from dynamodb_core.plan import ReadPlan
from dynamodb_core.progress import Progress
from dynamodb_core.scan import choose_workers
from dynamodb_core.workers import LOOK_UP_SECONDS
from tap_dynamodb import change_source
from tap_dynamodb.bookmarks import STATE_KEY, identify
from tap_dynamodb.change_bookmark import STATE_KEY as CHANGES_KEY
from tap_dynamodb.change_bookmark import ChangeBookmark
from tap_dynamodb.export_scan import ExportScan
from tap_dynamodb.scanning import TableScan

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.parts import Block
    from dynamodb_core.prices import Purse
    from dynamodb_core.wire import Wire
    from tap_dynamodb.change_source import ChangeSource
    from tap_dynamodb.pages import Blocks, Page, PageConverter, Widened
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source

SAFE = timedelta(hours=2)
"""An export must be so much younger than the oldest change that its stream remembers."""


class ChangeScan:
    """A read of a table and of its stream, begun or gone on with from a stream's state.

    Args:
        source: The table.
        settings: The table's own.
        state: The stream's state.
        snapshot: Makes the read of the snapshot, when there is one to read.
        exported_until: Returns up to which moment exports were read that are the snapshot.
        bridge: Makes the read of exports of what was written since.
        wires: Returns what carries calls to a service, by botocore's name of it.
        wait: Waits for seconds.
        clock: Returns seconds since 1970.

    Raises:
        StateError: The state does not fit the table.
    """

    replication_key: str | None = None
    distinct = False

    def __init__(
        self,
        source: Source,
        settings: Settings,
        state: Mapping[str, Any],
        *,
        snapshot: Callable[[], TableScan | ExportScan],
        exported_until: Callable[[], datetime],
        bridge: Callable[[], ExportScan],
        wires: Callable[[str], Wire],
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self.table = source.table
        self._settings = settings
        self._following = settings.following
        self._make_snapshot = snapshot
        self._exported_until = exported_until
        self._bridge = bridge
        self._wires = wires
        self._wait = wait
        self._clock = clock
        self._tell: Callable[[Widened], None] = lambda _news: None
        self._made: Follower | None = None
        self._read = 0
        self._began = clock()
        found = ChangeBookmark.load(state, source.table)
        self.resumed = found is not None
        self.change_bookmark = found or self._begun()

    def _begun(self) -> ChangeBookmark:
        noted = _moment(self._clock()) - SKEW
        whole = self._following.snapshot == "none"
        return ChangeBookmark(identify(self.table), _micros(noted), whole)

    @cached_property
    def snapshot(self) -> TableScan | ExportScan | None:
        """The read of the snapshot; None where it is out."""
        if self.change_bookmark.whole:
            return None
        found = self._make_snapshot()
        if isinstance(found, ExportScan) and not self.resumed:
            first = found.stages[0].export
            if first.at is None:
                raise ConfigError(
                    f"{first} does not say of what time it is, so that nobody knows from where on the "
                    f"stream of table {self.table.name} is to be read",
                    "Take a full export that DynamoDB made, or scan the table: source scan",
                )
            self.change_bookmark.snapshot = _micros(first.at)
        return found

    @property
    def bookmark(self) -> Any:
        """The bookmark of the snapshot."""
        return self.snapshot and self.snapshot.bookmark

    @property
    def share_left(self) -> float:
        """How much of the table is left to scan, from 0 to 1."""
        return self.snapshot.share_left if self.snapshot else 0.0

    def plan(
        self, attributes: Sequence[str] | None, bounds: Any = None, *, ordered: bool = False
    ) -> ReadPlan:
        """Return how the snapshot is read.

        Args:
            attributes: The attributes that are wanted; None for all.
            bounds: Not used: there is no replication key.
            ordered: Not used.
        """
        if self.snapshot is None:
            return ReadPlan(self._source.reference, attributes=attributes)
        return self.snapshot.plan(attributes, bounds, ordered=ordered)

    def tell(self, news: Widened) -> None:
        """Tell those who render, while `blocks` goes on, that a stream has more columns."""
        self._tell(news)
        if self.snapshot is not None:
            self.snapshot.tell(news)

    def note(self, state: MutableMapping[str, Any]) -> None:
        """Note how far the read has come.

        Args:
            state: The stream's state.
        """
        state[CHANGES_KEY] = self.change_bookmark.dump()
        if self.snapshot is not None and not self.change_bookmark.whole:
            self.snapshot.note(state)
        else:
            state[STATE_KEY] = []

    def end(self, state: MutableMapping[str, Any]) -> None:
        """Note that this run has read all tables; the next one goes on from here.

        Args:
            state: The stream's state.
        """
        self.note(state)

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
    ) -> Iterator[Block[Page] | None]:
        """Yield what is left of the snapshot and the changes up to now; with `follow` for ever.

        Args:
            wire: Carries the calls about the table.
            plan: How the snapshot is read: `plan()`.
            convert: Makes a block's payload of items, or of changes.
            look_up: Called every quarter second and after every block; may raise to stop.
            log: The stream's logger.
            finished_lines: Whether all that goes out is finished by the workers.
            finish: Not used: changes are not collected in files.
            purse: What pays for a scan on demand.

        Yields:
            Blocks; with `follow` None after each look at the stream, for others to have their turn.
        """
        del finish
        if self.change_bookmark.whole and self._following.snapshot == "only":
            log.info("The snapshot of table %s is out, and only that is wanted", self.table.name)
            return
        snapshot = self.snapshot
        before = self.change_bookmark.positions
        source = change_source.find(
            self._source,
            self._settings,
            wire,
            self._wires,
            before=before.stream if before else None,
        )
        if before is not None:
            before.belongs_to(source.label)

        def pages() -> Blocks:
            end = self._clock() + alternation.PHASE_SECONDS
            assert isinstance(snapshot, TableScan)
            for block in snapshot.blocks(
                wire,
                plan,
                convert,
                look_up,
                log,
                finished_lines=finished_lines,
                purse=purse,
                enough=lambda: self._clock() >= end or self._enough(),
            ):
                self._read += block.count
                yield block

        def changes(until: float, empties: int = EMPTY_ANSWERS) -> Blocks:
            follower = self._follower(source, convert)
            yield from self._changes(follower, until, empties, look_up, log)
            if empties != 1:
                for line in source.remarks():
                    log.info("%s", line)

        def turn(until: float) -> Iterator[Block[Page] | None]:
            yield from changes(until)
            if self._following.follow:
                yield None  # the streams of other tables do not wait for this one's snapshot

        if snapshot is None:
            since = before.reached if before else None
            log.info(
                "Reading what has changed in table %s%s, from %s",
                self.table.name,
                f" since {said(_moment(since))}" if since else "",
                source.service,
            )
            self._note_positions(source)
            yield from changes(self._clock())
        elif isinstance(snapshot, ExportScan):
            yield from self._exports(source, convert, look_up, log, finished_lines=finished_lines)
            yield from changes(self._clock())
        else:
            fresh = self.change_bookmark.positions is None and not source.made
            self._note_positions(source)
            if before is not None:  # streams forget: runs that end early bring more than pages
                yield from turn(self._clock())
            yield from alternate(
                pages,
                turn,
                lambda: snapshot.complete,
                clock=self._clock,
                wait=lambda seconds: self._rest(seconds, look_up, log),
                margin=0.0 if self._settings.consistent_read else alternation.MARGIN_SECONDS,
                lag=alternation.LAG_SECONDS,
                rested=fresh,
                enough=self._enough,
            )
            self._end_snapshot(log)
        if self._following.follow and not self._enough():
            log.info("Following the changes of table %s until a signal comes", self.table.name)
            while not self._enough():
                yield None
                yield from changes(self._clock(), empties=1)

    def _changes(
        self,
        follower: Follower,
        until: float,
        empties: int,
        look_up: Callable[[], None],
        log: logging.Logger,
    ) -> Blocks:
        """Yield what the stream tells up to a moment."""
        progress = Progress(f"{self.table.name}, changes", part_name="shards", metered=False)

        def idle() -> None:
            look_up()
            if progress.due():
                log.info(progress.line())

        for block in follower.blocks(until, idle=idle, enough=self._enough, empties=empties):
            self._read += block.count
            yield block
            progress.add(items=block.count, size=block.size)
            idle()
            del block
        if progress.items or empties != 1:
            log.info("%s, up to %s", progress.summary(), said(_moment(until)))

    def _follower(self, source: ChangeSource, convert: PageConverter) -> Follower:
        if self._made is None:
            positions = self.change_bookmark.positions
            assert positions
            fetched = source.fetched

            def page(changes: Sequence[Change]) -> Page:
                return convert.changes(fetched(changes) if fetched else changes)

            self._made = Follower(
                source.service, positions, page, workers=choose_workers(), clock=self._clock
            )
            self._tell = convert.tell
        return self._made

    def _note_positions(self, source: ChangeSource) -> None:
        """Note from where on the stream is to be read, where an earlier run has not."""
        bookmark = self.change_bookmark
        if bookmark.positions is None:
            now = self._clock()
            oldest = self._following.start == "oldest"
            bookmark.positions = Positions.noted(
                source.label,
                source.service.shards(),
                now=now,
                since=None if oldest else now,
                order=0 if oldest else bookmark.snapshot,
            )

    def _exports(
        self,
        source: ChangeSource,
        convert: PageConverter,
        look_up: Callable[[], None],
        log: logging.Logger,
        *,
        finished_lines: bool,
    ) -> Blocks:
        """Yield exports until the stream remembers all that came after them."""
        while True:
            scan = self.snapshot
            assert isinstance(scan, ExportScan)
            plan = scan.plan(None)
            yield from scan.blocks(
                self._wires("dynamodb"), plan, convert, look_up, log, finished_lines=finished_lines
            )
            until = self._exported_until()
            age = timedelta(seconds=self._clock() - until.timestamp())
            if age < source.service.retention - SAFE:
                break
            log.info(
                "The exports of table %s end at %s, and its stream remembers %s: what was written since is "
                "exported",
                self.table.name,
                said(until),
                source.service.retention,
            )
            self.snapshot = self._bridge()
        self.change_bookmark.positions = Positions.noted(
            source.label,
            source.service.shards(),
            now=self._clock(),
            since=until.timestamp(),
            order=_micros(until),
        )
        self._end_snapshot(log)

    def _end_snapshot(self, log: logging.Logger) -> None:
        if self.snapshot is not None and self.snapshot.complete:
            self.change_bookmark.whole = True
            log.info("The snapshot of table %s is out", self.table.name)

    def _enough(self) -> bool:
        """Whether the run has used up what it may."""
        asked = self._following
        late = asked.max_seconds is not None and self._clock() - self._began >= asked.max_seconds
        return late or (asked.max_records is not None and self._read >= asked.max_records)

    def _rest(self, seconds: float, look_up: Callable[[], None], log: logging.Logger) -> None:
        if seconds:
            log.info(
                "Waiting %.0f s: DynamoDB shows, and tells of, what was written a little later",
                seconds,
            )
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            look_up()
            self._wait(min(left, LOOK_UP_SECONDS))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), timezone.utc)


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
