"""The loop over the blocks of a table: what comes goes out, and STATE says how far it has come.

A table has one stream, or with `entities` several: then one read is paid for, each page of it is
split, and each part of the page goes to its stream. The table's own stream holds the state.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import Error
from dynamodb_core.notes import OWN
from dynamodb_core.parts import as_they_are
from dynamodb_core.table import Index
from dynamodb_core.warm_up import WarmUp
from dynamodb_core.warmth import Warmth
from tap_dynamodb.batch_files import FILE_SECONDS
from tap_dynamodb.incremental import STATE_KEY as INCREMENTAL_KEY
from tap_dynamodb.pages import PageConverter
from tap_dynamodb.scanning import TableScan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamodb_core.parts import Block
    from tap_dynamodb.outbox import Outbox
    from tap_dynamodb.pages import Page
    from tap_dynamodb.reading import TableReading
    from tap_dynamodb.streams import DynamoDBStream
    from tap_dynamodb.tap import TapDynamoDB

TURN: dict[str, Any] = {}
"""Stands between the records where another table may have its turn."""

STATE_SECONDS = 2.0
STATE_BYTES = 1_000_000
"""At the latest after so many seconds, or bytes of records, a STATE says how far they go."""


class ReadLoop:
    """One pass over what is left of a table, for all its selected streams.

    Attributes:
        blocks: How many have gone out.

    Args:
        tap: The tap.
        reading: The read of the table.
        asked: The stream that the SDK syncs; the others are synced along with it.
        write: Whether messages go to stdout.
    """

    def __init__(
        self, tap: TapDynamoDB, reading: TableReading, asked: DynamoDBStream, *, write: bool
    ) -> None:
        self._tap = tap
        self._reading = reading
        self._asked = asked
        self._write = write
        self._state_written = time.monotonic()
        self._stateless_bytes = 0
        self.blocks = 0

    def records(self) -> Iterator[dict[str, Any]]:
        """Read what is left.

        Yields:
            The records of the stream that was asked for, of the SDK's road; and `TURN`.
        """
        reading = self._reading
        opened = self._open()
        fast = all(stream.fast for stream in opened.values())
        outbox = self._outbox
        if outbox is None and self._write and self._tap.outbox:
            reading.holder.log(
                "Records of a table that is followed go out as messages, not in files"
            )
        increment = reading.increment
        expired = 0
        with ExitStack() as stack:
            if self._write:
                stack.enter_context(self._warm())
            for stream in opened.values():
                stack.enter_context(stream.counting())
            stack.enter_context(self._tap.streaming())
            stack.enter_context(self._last_state())
            for block in self._blocks(opened, fast=fast):
                if block is None:
                    yield TURN
                    continue
                if reading.follows and not self.blocks:
                    self._write_state()  # from where on to read the stream is known before any record
                self.blocks += 1
                expired += block.payload.expired
                for name, rendered in block.payload.parts.items():
                    stream = opened[name]
                    self._stateless_bytes += 0 if outbox else len(rendered.lines)
                    for record in stream.take(rendered):
                        if stream is self._asked:
                            yield record
                if increment:
                    for seen in block.payload.seen:
                        increment.advance(block.part, seen)
            for stream in opened.values():
                stream.close()
            if reading.expiry is not None:
                reading.holder.log(
                    "%s items have expired (attribute %r) and were left out",
                    f"{expired:,}",
                    reading.expiry.attribute,
                )
            if increment:
                bookmark = reading.state[INCREMENTAL_KEY] = increment.complete()
                if said := increment.marks.tally.line(increment.key):
                    # Without any value to go by, every run will read everything.
                    level = logging.INFO if bookmark else logging.WARNING
                    reading.holder.log("%s", said, level=level)
            reading.done = self._write
            self._write_state()
            self._tap.finished(reading)

    def _open(self) -> dict[str, DynamoDBStream]:
        """Make the streams ready to take pages, by their names."""
        reading = self._reading
        others = (s for s in reading.streams if s is not self._asked and s.selected)
        along = list(others) if self._write else []
        for stream in along:
            stream.announce()
        _ = reading.scan, reading.expiry  # what is wrong is said before anything is opened
        opened = {stream.name: stream for stream in (self._asked, *along)}
        for stream in opened.values():
            stream.open(write=self._write)
        return opened

    def _blocks(
        self, opened: dict[str, DynamoDBStream], *, fast: bool
    ) -> Iterator[Block[Page] | None]:
        reading = self._reading
        increment = reading.increment
        outbox = self._outbox
        writer = outbox.open() if outbox else None
        convert = PageConverter(
            {name: stream.renderer for name, stream in opened.items()},
            reading.entities,
            reading.expiry,
            increment.observe if increment else None,
            keys=reading.source.table.types,
            old_image=reading.settings.following.old_image,
        )
        return reading.scan.blocks(
            self._tap.wire,
            reading.plan(list(opened.values())),
            convert,
            self.look_up,
            reading.holder.logger,
            finished_lines=fast,
            finish=writer if writer and fast else as_they_are,
            purse=self._tap.spending.purse,
        )

    @property
    def _outbox(self) -> Outbox | None:
        """Where files are announced; None where records go out as messages."""
        return self._tap.outbox if self._write and not self._reading.follows else None

    @contextmanager
    def _warm(self) -> Iterator[None]:
        """Give the table more capacity while it is read, where that is asked for."""
        reading = self._reading
        asked = WarmUp.of(reading.settings.warm_up)
        if asked is None:
            yield
            return
        warmth = Warmth(self._tap.wire, reading.holder.logger)
        try:
            assert isinstance(reading.scan, TableScan)  # warm_up and exports exclude each other
            read = reading.scan.read
            index = read.name if isinstance(read, Index) and not read.local else OWN
            reading.scan.warmed(warmth.up(reading.source.table, asked, index))
            yield
        except BaseException:
            with suppress(Error):  # it is in the log, and another error is the one to tell
                warmth.down()
            raise
        warmth.down()

    @contextmanager
    def _last_state(self) -> Iterator[None]:
        """Write a STATE of all that is out when the table cannot be read on."""
        try:
            yield
        except Error:
            self._write_state()
            raise

    def look_up(self) -> None:
        """Write a STATE where it is time for one, and stop where a signal has come."""
        self._tap.stop_when_asked(self._write_state)
        outbox = self._outbox
        patience = FILE_SECONDS if outbox and outbox.holds else STATE_SECONDS
        late = time.monotonic() - self._state_written >= patience
        full = outbox is not None and outbox.is_full()
        if late or full or self._stateless_bytes >= STATE_BYTES:
            self._write_state()
        while outbox is not None and full:
            outbox.wait()
            self._tap.stop_when_asked(self._write_state)
            full = outbox.is_full()

    def _write_state(self) -> None:
        if self._outbox is not None:
            self._outbox.flush()  # what it speaks of is out
        self._state_written = time.monotonic()
        self._stateless_bytes = 0
        self._reading.note()
        if self._write:
            self._tap.state_writer.write_state(self._tap.state)
