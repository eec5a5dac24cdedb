"""One table's read with its changes: a snapshot where there is none yet, and then what its stream tells.

The same to use as `TableScan` and `ExportScan`, one of which reads the snapshot.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core.changes.positions import SKEW
from dynamodb_core.errors import ConfigError
from dynamodb_core.parts import as_they_are
from dynamodb_core.plan import ReadPlan
from tap_dynamodb import change_source
from tap_dynamodb.bookmarks import STATE_KEY, identify
from tap_dynamodb.change_bookmark import STATE_KEY as CHANGES_KEY
from tap_dynamodb.change_bookmark import ChangeBookmark
from tap_dynamodb.change_run import ChangeRun, micros, moment
from tap_dynamodb.export_scan import ExportScan

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
    from datetime import datetime

    from dynamodb_core.parts import Block
    from dynamodb_core.prices import Purse
    from dynamodb_core.wire import Wire
    from tap_dynamodb.change_source import ChangeSource
    from tap_dynamodb.pages import Blocks, Page, PageConverter, Widened
    from tap_dynamodb.scanning import TableScan
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source


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
        self.source = source
        self.table = source.table
        self.settings = settings
        self._make_snapshot = snapshot
        self.exported_until = exported_until
        self.bridge = bridge
        self.wires = wires
        self.wait = wait
        self.clock = clock
        self._tell: Callable[[Widened], None] = lambda _news: None
        self._origin: ChangeSource | None = None
        found = ChangeBookmark.load(state, source.table)
        self.resumed = found is not None
        self.change_bookmark = found or self._begun()

    def _begun(self) -> ChangeBookmark:
        noted = moment(self.clock()) - SKEW
        whole = self.settings.following.snapshot == "none"
        return ChangeBookmark(identify(self.table), micros(noted), whole)

    def origin(self, wire: Wire) -> ChangeSource:
        """Return where changes are read; the same that an earlier run has read.

        Args:
            wire: Carries the calls about the table.

        Raises:
            ConfigError: There is no stream, or it tells too little.
            HistoryLost: The table has another one now.
        """
        if self._origin is None:
            before = self.change_bookmark.positions
            label = before.stream if before else None
            found = change_source.find(
                self.source, self.settings, wire, self.wires, before=label, clock=self.clock
            )
            if before is not None:
                before.belongs_to(found.label)
            self._origin = found
        return self._origin

    @property
    def snapshot_sequence(self) -> int:
        """`_sdc_sequence` of the snapshot's records; an export says of what time it is."""
        _ = self.snapshot
        return self.change_bookmark.snapshot

    @cached_property
    def snapshot(self) -> TableScan | ExportScan | None:
        """The read of the snapshot; None where it is out."""
        if self.change_bookmark.whole:
            return None
        found = self._make_snapshot()
        if isinstance(found, ExportScan) and found.stages and not self.resumed:
            first = found.stages[0].export
            # A window that was asked for goes on where exports have ended that were read before.
            at = first.at or (first.since if self.settings.asks_for_windows else None)
            if at is None:
                raise ConfigError(
                    f"{first} does not say of what time it is, so that nobody knows from where on the "
                    f"stream of table {self.table.name} is to be read",
                    "Take a full export that DynamoDB made, or scan the table: source scan",
                )
            self.change_bookmark.snapshot = micros(at)
        return found

    @property
    def whole(self) -> bool:
        """Whether a run that has ended has read all of the snapshot: a budget may end it before."""
        return self.change_bookmark.whole

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
            return ReadPlan(self.source.reference, attributes=attributes)
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
        self._tell = convert.tell
        run = ChangeRun(
            self,
            wire,
            plan,
            convert,
            look_up=look_up,
            log=log,
            finished_lines=finished_lines,
            purse=purse,
        )
        yield from run.blocks()
