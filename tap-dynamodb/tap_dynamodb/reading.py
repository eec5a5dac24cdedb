"""The one read of a table that all of its streams share: what is read of it, and for whom."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core import tables
from dynamodb_core.errors import ConfigError, HistoryLost
from dynamodb_core.expired import Expiry
from dynamodb_core.exports.kinds import said
from tap_dynamodb import sources, turns
from tap_dynamodb.bookmarks import STATE_KEY
from tap_dynamodb.change_bookmark import ChangeBookmark
from tap_dynamodb.entities import Entities
from tap_dynamodb.following import LOG_BASED
from tap_dynamodb.increment import Increment
from tap_dynamodb.pages import Widened
from tap_dynamodb.read_loop import ReadLoop
from tap_dynamodb.scanning import TableScan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.plan import ReadPlan
    from tap_dynamodb.asked import AskedExports
    from tap_dynamodb.change_scan import ChangeScan
    from tap_dynamodb.export_scan import ExportScan
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source
    from tap_dynamodb.streams import DynamoDBStream
    from tap_dynamodb.tap import TapDynamoDB


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
    def scan(self) -> TableScan | ExportScan | ChangeScan:
        """The read that this run begins or goes on with: of the table, of exports, of changes."""
        if not self.follows:
            return self._whole_read()
        self.check()  # a run may have nothing but changes to read
        from tap_dynamodb.change_scan import ChangeScan  # noqa: PLC0415 - not always wanted

        return ChangeScan(
            self.source,
            self.settings,
            self.state,
            snapshot=self._whole_read,
            exported_until=self._exported_until,
            bridge=self._bridge,
            wires=self._tap.wire_to,
            wait=self._tap.wait,
            clock=self._tap.clock,
        )

    def _exported_until(self) -> datetime:
        """Return the moment up to which the exports tell everything that were read."""
        if self.asked is not None and self.asked.until is not None:
            return self.asked.until
        last = self.stages[-1].export
        until = last.until if last.changes else last.at
        assert until  # it has followed on one that has a time
        return until

    def _bridge(self) -> ExportScan:
        """Return the read of what was written since the exports that were read, and is exported now.

        Raises:
            HistoryLost: No windows are to be exported.
        """
        until = self._exported_until()
        if self.asked is None or not self.settings.asks_for_windows:
            raise HistoryLost(
                f"The exports of table {self.source.table.name} end at {said(until)}, and its stream does "
                "not reach back so far",
                "Give newer exports or further windows, or set export.trigger to incremental: then what "
                "lies between is exported",
            )
        self.asked.end(self.state)
        self.state[STATE_KEY] = []
        del self.asked, self.stages
        from tap_dynamodb.export_scan import ExportScan  # noqa: PLC0415 - seldom wanted

        found = self._whole_read()
        assert isinstance(found, ExportScan)
        return found

    def _whole_read(self) -> TableScan | ExportScan:
        key = self._key
        names = [stream.name for stream in self.chosen]
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

    @cached_property
    def follows(self) -> bool:
        """Whether what the table's stream tells is read.

        Raises:
            ConfigError: Some of its streams want that, and others do not.
        """
        methods = {stream.replication_method for stream in self.chosen}
        if LOG_BASED in methods and len(methods) > 1:
            raise ConfigError(
                f"The streams of table {self.source.table.name}, which is read once for all of them, ask "
                f"for different replication: {', '.join(sorted(methods))}",
                "Give them one replication method",
            )
        return LOG_BASED in methods

    @property
    def follows_on(self) -> bool:
        """Whether its changes are followed until a signal comes."""
        return self.follows and self.settings.following.follow

    @property
    def snapshot_sequence(self) -> int | None:
        """`_sdc_sequence` of what is no change; None where changes do not follow on it."""
        return self.scan.snapshot_sequence if self.follows else None  # type: ignore[union-attr]

    @property
    def whole(self) -> bool:
        """Whether all items of the table are read, and not only what has changed."""
        if self.settings.source != "export":
            return True
        return bool(self.stages) and not self.stages[0].export.changes

    @property
    def tells_deletions(self) -> bool:
        """Whether records say what was deleted."""
        windows = self.settings.asks_for_windows
        return self.follows or windows or any(each.export.changes for each in self.stages)

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

    @property
    def _reads_the_whole(self) -> bool:
        """Whether there is more to read than changes."""
        return not (self.follows and ChangeBookmark.is_whole(self.state))

    def check(self) -> None:
        """Refuse streams that cannot be read as they are asked for.

        Raises:
            ConfigError: The catalog does not fit the table or the configuration.
        """
        _ = self._key

    def ask(self) -> bool:
        """Ask for what is to be exported, or find what was asked for; return whether that is news."""
        if self.asked is None or self.asked.begun or not self._reads_the_whole:
            return False
        if (
            self.follows
        ):  # a stream that is off is turned on, or told of, before an export is paid for
            self.scan.origin(self._tap.wire)  # type: ignore[union-attr]
        limited = any(stream.ABORT_AT_RECORD_COUNT is not None for stream in self.chosen)
        self.asked.begin(self._tap.wire, self.state, make=not limited)
        return True

    def _leave_waiting(self) -> None:
        self.holder.log("The exports go on without us: run again with this state to read them")
        self._tap.state_writer.write_state(self._tap.state)

    def end(self) -> None:
        """Note that this run has read all tables: the next one begins anew."""
        self.scan.end(self.state)
        if self.asked is not None and self.scan.whole:
            self.asked.end(self.state)

    @property
    def chosen(self) -> list[DynamoDBStream]:
        """Its selected streams."""
        return [stream for stream in self.streams if stream.selected]

    @property
    def _key(self) -> str | None:
        """The replication key of the streams, which are checked."""
        for stream in self.chosen:
            stream.check()
        keys = {stream.read_by for stream in self.chosen}
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
        """Read what is left of the table for all its selected streams; see `ReadLoop`.

        Where changes are followed for ever, the other tables are read along with it.
        """
        if self.done:
            return
        if write and any(reading.follows_on for reading in self._tap.readings):
            yield from turns.follow(self._tap, self, asked)
        else:
            yield from ReadLoop(self._tap, self, asked, write=write).records()

    def plan(self, opened: Sequence[DynamoDBStream]) -> ReadPlan:
        """Return how the table is read.

        Args:
            opened: The streams that it is read for.
        """
        increment = self.increment
        return self.scan.plan(
            self._attributes(opened),
            increment.bounds(self._tap.wire) if increment else None,
            ordered=increment is not None and increment.ordered,
        )

    def note(self) -> None:
        """Note in the state how far the read has come."""
        if self.increment is not None:
            self.scan.bookmark.marks = self.increment.marks.dump()
        self.scan.note(self.state)

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


def _named(reference: str) -> tuple[str, str]:
    """Return a table's name and its ARN, as far as a reference has them."""
    if reference.startswith("arn:"):
        return reference.rpartition("/")[2], reference
    return reference, ""
