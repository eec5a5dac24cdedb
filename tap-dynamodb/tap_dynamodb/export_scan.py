"""One table's read from its exports: stage after stage, the files of each side by side.

A stage is an export; what a later one says of an item comes after what an earlier one says of it. The
bookmark is that of a scan, whose segments are the files of the stage that is under way.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import dealing, objects, workers
from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.overlap import gone
from dynamodb_core.exports.reader import ExportReader, read_changes
from dynamodb_core.parts import Block, as_they_are
from dynamodb_core.plan import ReadPlan
from dynamodb_core.processes import can_share
from dynamodb_core.progress import Progress
from dynamodb_core.scan import choose_processes, choose_workers
from tap_dynamodb import selection
from tap_dynamodb.bookmarks import STATE_KEY, ScanBookmark, identify

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.exports.kinds import Export
    from dynamodb_core.objects import ObjectStore
    from dynamodb_core.prices import Purse
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from tap_dynamodb.pages import Blocks, PageConverter, Widened
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source


GONE_AT_ONCE = 1000
"""Deletions of a block."""

AT_HAND = 2
"""Files of a folder that a process reads at once: nothing waits for a network, and more threads only take turns
with the interpreter, at a tenth to a fifth more CPU."""


class ExportScan:
    """A read of exports, begun or gone on with from a stream's state; the same to use as `TableScan`.

    Args:
        source: The table, with the stages; without any there is nothing to read.
        settings: The table's own.
        state: The stream's state.
        version: Version of ACTIVATE_VERSION, should this be a new read.
        streams: Names of the streams that it is read for.

    Raises:
        StateError: The state does not fit the exports.
        ConfigError: There are not as many files as `file_range` says.
    """

    replication_key: str | None = None

    def __init__(
        self,
        source: Source,
        settings: Settings,
        state: Mapping[str, Any],
        *,
        version: int,
        streams: Sequence[str] = (),
    ) -> None:
        exporting = settings.exporting
        assert exporting
        self.table: Table = source.table
        self.read = source.table
        self.base = ReadPlan(source.reference)
        self.stages = source.stages
        self.reads = {
            **selection.fingerprint(settings, streams, None),
            **fingerprint([stage.export for stage in self.stages]),
        }
        self._settings = settings
        self._verify = exporting.verify
        self._workers = settings.scan_workers or choose_workers()
        self._tell: Callable[[Widened], None] = lambda _news: None
        only = self._only(exporting.file_range)
        unfinished = ScanBookmark.load(state, source.table, self.reads, only)
        self.resumed = unfinished is not None
        self.bookmark = unfinished or ScanBookmark(
            table_id=identify(source.table),
            segments=_parts(self.stages[0]) if self.stages else 0,
            seed=random.randrange(1 << 30),  # noqa: S311 - an order needs no secrecy
            began=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            version=version,
            reads=self.reads,
            only=only,
        )

    @property
    def distinct(self) -> bool:
        """Whether no key can come twice."""
        return len(self.stages) == 1 and self.stages[0].export.kind == "full"

    @property
    def share_left(self) -> float:
        """How much is left to read, from 0 to 1; of no matter, as reading exports costs no units."""
        return 0.0

    def plan(
        self, attributes: Sequence[str] | None, bounds: object = None, *, ordered: bool = False
    ) -> ReadPlan:
        """Return a plan, as `TableScan` does; nothing of it is asked of DynamoDB.

        Args:
            attributes: The attributes that are wanted; None for all.
            bounds: Not used: there is no replication key.
            ordered: Not used.
        """
        del bounds, ordered
        return replace(self.base, attributes=attributes)

    whole = True
    """Whether a run that has ended has read all that it was to read."""

    @property
    def complete(self) -> bool:
        """Whether all of it is out."""
        return self.bookmark.stage >= len(self.stages) - 1 and self.bookmark.complete

    def note(self, state: MutableMapping[str, Any]) -> None:
        """Note how far the read has come.

        Args:
            state: The stream's state.
        """
        state[STATE_KEY] = self.bookmark.dump() if self.stages else []

    def end(self, state: MutableMapping[str, Any]) -> None:
        """Note that this run has read all tables: the next one begins anew.

        Args:
            state: The stream's state.
        """
        state[STATE_KEY] = []

    def tell(self, news: Widened) -> None:
        """Tell those who render, while `blocks` goes on, that a stream has more columns."""
        self._tell(news)

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
        """Yield what is left of the exports, block by block; progress goes to the log.

        Args:
            wire: Not used.
            plan: Not used: files hold whole items.
            convert: Makes a block's payload of items or of changes, in a worker.
            look_up: Called every quarter second and after every block; may raise to stop.
            log: The stream's logger.
            finished_lines: Whether all that goes out is finished by the workers.
            finish: What becomes of the blocks of a part, in a worker.
            purse: Not used.
            enough: Asked after every block whether to end before all is read.
        """
        del wire, plan, purse
        if self.bookmark.complete and self.bookmark.stage == len(self.stages) - 1:
            log.info(
                "The exports of table %s were read to their end by the run that began at %s and did "
                "not finish its other tables; they are not read again before they are",
                self.table.name,
                self.bookmark.began,
            )
            return
        for number in range(self.bookmark.stage, len(self.stages)):
            if number > self.bookmark.stage:
                self._go_on(number)
            yield from self._stage(
                self.stages[number],
                convert,
                look_up,
                log,
                finished_lines=finished_lines,
                finish=finish,
                enough=enough,
            )
            if enough():
                return

    def _go_on(self, stage: int) -> None:
        """Begin with the next stage: all of the one before is out."""
        bookmark = self.bookmark
        self.bookmark = replace(
            bookmark,
            stage=stage,
            segments=_parts(self.stages[stage]),
            finished=set(),
            places={},
        )

    def _stage(
        self,
        stage: Stage,
        convert: PageConverter,
        look_up: Callable[[], None],
        log: logging.Logger,
        *,
        finished_lines: bool,
        finish: Callable[[Blocks], Blocks],
        enough: Callable[[], bool],
    ) -> Blocks:
        export = stage.export
        store = objects.at(export.root, self._settings.aws)
        processes, why = self._processes(export, finished_lines=finished_lines)
        at_once = self._at_once(store, processes)
        self._announce(export, at_once, processes, why, log)
        progress = Progress(
            self.table.name,
            whole_items=self._items_ahead(export),
            whole_parts=len(self.bookmark.numbers),
            parts_before=len(self.bookmark.finished),
            part_name="files",
            metered=False,
        )
        reader = ExportReader(
            store,
            export.files,
            format=export.format,
            changes=export.changes,
            convert=convert.changes if export.changes else convert,
            tell=convert.tell,
            finish=finish,
            verify=self._verify,
            unseen=convert.looks,
        )

        def idle() -> None:
            look_up()
            if progress.due():
                log.info(progress.line())

        files = [part for part in self.bookmark.parts() if part.number < len(export.files)]
        hands = dealing.hands(reader, workers=at_once, processes=processes)
        self._tell = hands.tell
        with closing(hands):
            for block in chain(hands.blocks(files, idle=idle), self._gone(stage, convert)):
                yield block
                self.bookmark.advance(block)
                progress.add(items=block.count, size=block.size, parts=block.finished)
                idle()
                del block
                if enough():
                    break
        log.info(progress.summary())

    def _gone(self, stage: Stage, convert: PageConverter) -> Blocks:
        """Yield deletions that no line tells of, as two windows overlap; a last part of the stage."""
        number = len(stage.export.files)
        if stage.later is None or number in self.bookmark.finished:
            return
        with tempfile.TemporaryDirectory() as scratch:
            found = gone(
                stage, self._changes(stage.export), self._changes(stage.later), Path(scratch)
            )
            while some := list(islice(found, GONE_AT_ONCE)):
                yield Block(number, convert.changes(some), len(some), {"line": 0}, finished=False)
        yield Block(number, convert.changes([]), 0, None, finished=True)

    def _changes(self, export: Export) -> Iterator[Change]:
        store = objects.at(export.root, self._settings.aws)
        for file in export.files:
            for some in read_changes(
                store, file, format=export.format, changes=True, verify=self._verify
            ):
                yield from some

    def _only(self, asked: tuple[int, int] | None) -> tuple[int, int] | None:
        if asked is None:
            return None
        count = len(self.stages[0].export.files)
        if asked[1] >= count:
            raise ConfigError(
                f"export.file_range {asked[0]}-{asked[1]} is no range of the {count:,} files of "
                f"{self.stages[0].export}",
                f"Files are counted from 0 to {count - 1}",
            )
        return asked

    def _processes(self, export: Export, *, finished_lines: bool) -> tuple[int, str]:
        """Return how many processes read the files, and why it is one where it might be several."""
        asked, cores = self._settings.processes, workers.cores()
        if asked == 1 or (asked is None and cores == 1):
            return 1, ""
        if not finished_lines:
            return 1, "stream maps, flattening and limits of records are the SDK's, which has one"
        left = self.bookmark.left
        chosen = (min(asked, self._workers, left), "") if asked else self._chosen(export, left)
        if chosen[0] > 1 and not can_share():
            return 1, "this system has no semaphores for several"
        return chosen

    def _chosen(self, export: Export, left: int) -> tuple[int, str]:
        return choose_processes(
            cores=workers.cores(),
            workers=self._workers,
            parts=left,
            size_bytes=export.size * left // max(self.bookmark.segments, 1),
            rate=None,
        )

    def _at_once(self, store: ObjectStore, processes: int) -> int:
        """Return how many files are read at once."""
        if self._settings.scan_workers or isinstance(store, objects.Bucket):
            return self._workers
        return min(self._workers, AT_HAND * processes)

    def _announce(
        self, export: Export, at_once: int, processes: int, why: str, log: logging.Logger
    ) -> None:
        bookmark = self.bookmark
        log.info(
            "%s %s%s: %s of %s files, %.1f MB, by %s workers in %s",
            f"Going on with the read of {bookmark.began} of" if self.resumed else "Reading",
            export,
            "" if self._verify else ", without verification",
            f"{bookmark.left:,}",
            f"{bookmark.segments:,}",
            export.size / 1e6,
            at_once,
            f"{processes} processes" if processes > 1 else "one process" + f" ({why})" * bool(why),
        )

    def _items_ahead(self, export: Export) -> int | None:
        left = (part.number for part in self.bookmark.parts())
        counts = [export.files[number].items for number in left if number < len(export.files)]
        return None if None in counts else sum(count or 0 for count in counts)


def fingerprint(exports: Sequence[Export]) -> dict[str, str]:
    """Return what tells exports from others, for a state that is to be gone on with.

    Args:
        exports: What is read, in its order.
    """
    said = [[export.id, [[file.key, file.md5] for file in export.files]] for export in exports]
    return {"export": hashlib.blake2b(orjson.dumps(said), digest_size=16).hexdigest()}


def _parts(stage: Stage) -> int:
    """Return how many parts a stage has: its files, and what the next window says is gone."""
    return len(stage.export.files) + (stage.later is not None)
