"""The one read of a table that all of its streams share: the loop over blocks.

A table has one stream, or with `entities` several: then one scan is paid for, each page of it is
split, and each part of the page goes to its stream. The table's own stream holds the state.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core import tables
from dynamodb_core.errors import ConfigError, Error
from dynamodb_core.expired import Expiry
from dynamodb_core.notes import OWN
from dynamodb_core.parts import as_they_are
from dynamodb_core.table import Index
from dynamodb_core.warm_up import WarmUp
from dynamodb_core.warmth import Warmth
from tap_dynamodb import sources
from tap_dynamodb.batch_files import FILE_SECONDS
from tap_dynamodb.bookmarks import STATE_KEY
from tap_dynamodb.entities import Entities
from tap_dynamodb.increment import Increment
from tap_dynamodb.incremental import STATE_KEY as INCREMENTAL_KEY
from tap_dynamodb.pages import PageConverter, Widened
from tap_dynamodb.scanning import TableScan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamodb_core.exports.chain import Stage
    from tap_dynamodb.asked import AskedExports
    from tap_dynamodb.export_scan import ExportScan
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source
    from tap_dynamodb.streams import DynamoDBStream
    from tap_dynamodb.tap import TapDynamoDB

STATE_SECONDS = 2.0
STATE_BYTES = 1_000_000
"""At the latest after so many seconds, or bytes of records, a STATE says how far they go."""


class TableReading:
    """The read of one table. It describes the table when it is first asked for something of it.

    Args:
        tap: The tap it belongs to.
        reference: Name or ARN of the table.
    """

    def __init__(self, tap: TapDynamoDB, reference: str) -> None:
        self.streams: list[DynamoDBStream] = []
        self.done = False
        self._tap = tap
        self._reference = reference
        self._state_written = time.monotonic()
        self._stateless_bytes = 0

    @property
    def holder(self) -> DynamoDBStream:
        """The stream whose state says how far the read is: the table's own, where it is there."""
        return self._own or self.streams[0]

    @property
    def _own(self) -> DynamoDBStream | None:
        return next((stream for stream in self.streams if stream.entity is None), None)

    @property
    def state(self) -> dict[str, Any]:
        """The state of the holder, to be written to."""
        state: dict[str, Any] = self.holder.stream_state
        return state

    @cached_property
    def source(self) -> Source:
        """The table, described by DynamoDB or by its exports."""
        its = self._tap.settings.for_table(*_named(self._reference))
        if its.source == "export" and not its.triggers:
            return self._tap.exported(self._reference)
        return sources.describe(self._tap.wire, self._reference)

    @cached_property
    def settings(self) -> Settings:
        """The table's own settings."""
        return self._tap.settings.for_table(self.source.table.name, self.source.table.arn)

    @cached_property
    def scan(self) -> TableScan | ExportScan:
        """The scan, or the read of exports, that this run begins or goes on with."""
        key = self._key
        names = [stream.name for stream in self._chosen]
        version = self.holder.begun_at
        if self.settings.source == "export":
            from tap_dynamodb.export_scan import ExportScan  # noqa: PLC0415 - seldom wanted

            source = replace(self.source, stages=self.stages)
            return ExportScan(source, self.settings, self.state, version=version, streams=names)
        return TableScan(
            self.source,
            self.settings,
            self.state,
            version=version,
            streams=names,
            replication_key=key,
        )

    @property
    def whole(self) -> bool:
        """Whether all items of the table are read, and not only what has changed."""
        if self.settings.source != "export":
            return True
        return bool(self.stages) and not self.stages[0].export.changes

    @property
    def tells_deletions(self) -> bool:
        """Whether records say what was deleted."""
        return self.settings.asks_for_windows or any(each.export.changes for each in self.stages)

    @property
    def share_left(self) -> float:
        """How much is left to read, from 0 to 1; reading exports costs no units."""
        return 0.0 if self.settings.source == "export" else self.scan.share_left

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The exports to read, in their order; those that this run asks for are waited for."""
        if self.asked is None:
            return self.source.stages
        self._tap.ask_for_exports()
        with self._tap.streaming():
            return self.asked.ready(
                self._tap.wire, lambda: self._tap.stop_when_asked(self._leave_waiting)
            )

    @cached_property
    def asked(self) -> AskedExports | None:
        """The exports that are made for this run; None where there are none."""
        if not self.settings.triggers:
            return None
        from tap_dynamodb.asked import AskedExports  # noqa: PLC0415 - seldom wanted

        return AskedExports(self.source, self.settings, self._tap.spending.purse)

    def check(self) -> None:
        """Refuse streams that cannot be read as they are asked for.

        Raises:
            ConfigError: The catalog does not fit the table or the configuration.
        """
        _ = self._key

    def ask(self) -> bool:
        """Ask for what is to be exported, or find what was asked for; return whether that is news."""
        if self.asked is None or self.asked.begun:
            return False
        limited = any(stream.ABORT_AT_RECORD_COUNT is not None for stream in self._chosen)
        self.asked.begin(self._tap.wire, self.state, make=not limited)
        return True

    def _leave_waiting(self) -> None:
        self.holder.log("The exports go on without us: run again with this state to read them")
        self._tap.state_writer.write_state(self._tap.state)

    def end(self) -> None:
        """Note that this run has read all tables: the next one begins anew."""
        self.state[STATE_KEY] = []
        if self.asked is not None:
            self.asked.end(self.state)

    @property
    def _chosen(self) -> list[DynamoDBStream]:
        return [stream for stream in self.streams if stream.selected]

    @property
    def _key(self) -> str | None:
        """The replication key of the streams, which are checked."""
        for stream in self._chosen:
            stream.check()
        keys = {stream.read_by for stream in self._chosen}
        if len(keys) > 1:
            raise ConfigError(
                f"The streams of table {self.source.table.name}, which is read once for all of "
                f"them, ask for different replication keys: {', '.join(map(str, keys))}",
                "Give them one replication method and key",
            )
        key = keys.pop() if keys else None
        if key is not None and self.settings.source == "export":
            raise ConfigError(
                f"Table {self.source.table.name} is read from its exports, and a stream asks for "
                "INCREMENTAL replication",
                "Set its replication-method to FULL_TABLE",
            )
        return key

    @cached_property
    def increment(self) -> Increment | None:
        """What is read since the last time; None where the table is read whole."""
        key = self.scan.replication_key
        if key is None or not isinstance(self.scan, TableScan):
            return None
        return Increment(self.scan, self.settings, self.state, key, self.holder.column_type(key))

    @cached_property
    def entities(self) -> Entities:
        """How the items of the table's streams are told apart."""
        return Entities.of(self.settings.entities, self._own.name if self._own else "")

    @cached_property
    def expiry(self) -> Expiry | None:
        """Tells expired items; None where nothing expires, or nobody asked."""
        if not self.settings.skip_expired:
            return None
        exporting = self.settings.exporting
        attribute = exporting.ttl_attribute if exporting else None
        attribute = attribute or tables.ttl_attribute(self._tap.wire, self._reference)
        if attribute is None:
            self.holder.log("Nothing in table %s expires: it has no TTL", self.source.table.name)
            return None
        return Expiry(attribute)

    def join(self, stream: DynamoDBStream) -> TableReading:
        """Add a stream; return the reading that it has joined, which may be a new one.

        A table's own stream that is in the catalog twice is read twice, as each has its state.
        """
        if stream.entity is None and any(each.entity is None for each in self.streams):
            other = TableReading(self._tap, self._reference)
            other.streams.append(stream)
            return other
        self.streams.append(stream)
        return self

    def records(self, asked: DynamoDBStream, *, write: bool) -> Iterator[dict[str, Any]]:
        """Read what is left of the table for all its selected streams.

        Args:
            asked: The stream that the SDK syncs; the others are synced along with it.
            write: Whether messages go to stdout.

        Yields:
            The records of the stream that was asked for, of the SDK's road.
        """
        if self.done:
            return
        along = [s for s in self.streams if s is not asked and s.selected] if write else []
        opened = {stream.name: stream for stream in (asked, *along)}
        for stream in along:
            stream.announce()
        _ = self.scan, self.expiry  # what is wrong is said before anything is opened
        for stream in opened.values():
            stream.open(write=write)
        fast = all(stream.fast for stream in opened.values())
        outbox = self._tap.outbox if write else None
        writer = outbox.open() if outbox else None
        increment = self.increment
        plan = self.scan.plan(
            self._attributes(list(opened.values())),
            increment.bounds(self._tap.wire) if increment else None,
            ordered=increment is not None and increment.ordered,
        )
        expired = 0
        with ExitStack() as stack:
            if write:
                stack.enter_context(self._warm())
            for stream in opened.values():
                stack.enter_context(stream.counting())
            stack.enter_context(self._tap.streaming())
            stack.enter_context(self._last_state(write=write))
            for block in self.scan.blocks(
                self._tap.wire,
                plan,
                PageConverter(
                    {name: stream.renderer for name, stream in opened.items()},
                    self.entities,
                    self.expiry,
                    increment.observe if increment else None,
                    keys=self.source.table.types,
                ),
                lambda: self._look_up(write=write),
                self.holder.logger,
                finished_lines=fast,
                finish=writer if writer and fast else as_they_are,
                purse=self._tap.spending.purse,
            ):
                expired += block.payload.expired
                for name, rendered in block.payload.parts.items():
                    stream = opened[name]
                    self._stateless_bytes += 0 if outbox else len(rendered.lines)
                    for record in stream.take(rendered):
                        if stream is asked:
                            yield record
                if increment:
                    for seen in block.payload.seen:
                        increment.advance(block.part, seen)
            for stream in opened.values():
                stream.close()
            if self.expiry is not None:
                self.holder.log(
                    "%s items have expired (attribute %r) and were left out",
                    f"{expired:,}",
                    self.expiry.attribute,
                )
            if increment:
                bookmark = self.state[INCREMENTAL_KEY] = increment.complete()
                if said := increment.marks.tally.line(increment.key):
                    # Without any value to go by, every run will read everything.
                    level = logging.INFO if bookmark else logging.WARNING
                    self.holder.log("%s", said, level=level)
            self.done = write
            self._write_state(write=write)
            self._tap.finished(self)

    @contextmanager
    def _warm(self) -> Iterator[None]:
        """Give the table more capacity while it is read, where that is asked for."""
        asked = WarmUp.of(self.settings.warm_up)
        if asked is None:
            yield
            return
        warmth = Warmth(self._tap.wire, self.holder.logger)
        try:
            assert isinstance(self.scan, TableScan)  # warm_up and exports exclude each other
            read = self.scan.read
            index = read.name if isinstance(read, Index) and not read.local else OWN
            self.scan.warmed(warmth.up(self.source.table, asked, index))
            yield
        except BaseException:
            with suppress(Error):  # it is in the log, and another error is the one to tell
                warmth.down()
            raise
        warmth.down()

    def _attributes(self, opened: Sequence[DynamoDBStream]) -> list[str] | None:
        """Return the attributes that must be read; None for all."""
        wanted: dict[str, None] = dict.fromkeys(self.source.table.key.names)
        for stream in opened:
            selected = stream.wanted()
            if selected is None:
                return None
            wanted |= dict.fromkeys(selected)
        wanted |= dict.fromkeys(sorted(self.entities.attributes))
        if self.expiry is not None:
            wanted[self.expiry.attribute] = None
        if self.increment is not None:
            wanted[self.increment.key] = None
        return list(wanted)

    def widened(self, stream: DynamoDBStream) -> None:
        """Tell the workers that a stream has more columns."""
        self.scan.tell(Widened(stream.name, stream.layout))

    @contextmanager
    def _last_state(self, *, write: bool) -> Iterator[None]:
        """Write a STATE of all that is out when the table cannot be read on."""
        try:
            yield
        except Error:
            self._write_state(write=write)
            raise

    def _look_up(self, *, write: bool) -> None:
        self._tap.stop_when_asked(lambda: self._write_state(write=write))
        outbox = self._tap.outbox if write else None
        patience = FILE_SECONDS if outbox and outbox.holds else STATE_SECONDS
        late = time.monotonic() - self._state_written >= patience
        full = outbox is not None and outbox.is_full()
        if late or full or self._stateless_bytes >= STATE_BYTES:
            self._write_state(write=write)
        while outbox is not None and full:
            outbox.wait()
            self._tap.stop_when_asked(lambda: self._write_state(write=write))
            full = outbox.is_full()

    def _write_state(self, *, write: bool) -> None:
        if write and self._tap.outbox is not None:
            self._tap.outbox.flush()  # what it speaks of is out
        self._state_written = time.monotonic()
        self._stateless_bytes = 0
        if self.increment is not None:
            self.scan.bookmark.marks = self.increment.marks.dump()
        self.state[STATE_KEY] = self.scan.bookmark.dump()
        if write:
            self._tap.state_writer.write_state(self._tap.state)


def _named(reference: str) -> tuple[str, str]:
    """Return a table's name and its ARN, as far as a reference has them."""
    if reference.startswith("arn:"):
        return reference.rpartition("/")[2], reference
    return reference, ""
