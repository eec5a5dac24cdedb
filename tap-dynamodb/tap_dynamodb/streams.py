"""A DynamoDB table, or an entity of one, as a stream of the Singer SDK.

Both roads take the same blocks (`reading.py`): the fast road writes the finished lines that the
workers made, the SDK's road hands records to the SDK one by one.
"""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.exceptions import AbortedSyncExceptionBase
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import CustomStreamMap, SameRecordTransform

from dynamodb_core import column_schema, layouts
from dynamodb_core.change import Change
from dynamodb_core.converter import Converter
from dynamodb_core.errors import ConfigError, Error
from tap_dynamodb import changed, discovery
from tap_dynamodb.changed import of_changes
from tap_dynamodb.filing import Filing
from tap_dynamodb.following import LOG_BASED, METHODS
from tap_dynamodb.misfits import SHOWN, Misfits
from tap_dynamodb.record_layout import Selected
from tap_dynamodb.render import LineRenderer, RecordRenderer, Rendered
from tap_dynamodb.withheld import withheld, without

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Counter
    from singer_sdk.singerlib import Catalog
    from singer_sdk.singerlib.messages import SchemaMessage

    from dynamodb_core.layouts import Layout
    from tap_dynamodb.reading import TableReading
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.tap import TapDynamoDB


class DynamoDBStream(Stream):
    """Reads a table by a parallel scan."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(
        self, tap: TapDynamoDB, *, name: str, schema: dict[str, Any], reading: TableReading
    ) -> None:
        """Make the stream of a table; nothing is read yet.

        Args:
            tap: The tap it belongs to.
            name: The stream's name.
            schema: Its JSON Schema, with annotations.
            reading: The read of the table, which its other streams may share.
        """
        super().__init__(tap, schema=schema, name=name)
        table = schema.get(discovery.TABLE, {})
        self.primary_keys = [part["name"] for part in table.get("key", ())]
        self.entity: str | None = table.get("entity")
        own = tap.settings.for_table(table.get("name", name), table.get("arn", ""))
        self._own_replication_key = own.replication_key
        self._own_method = own.method
        self.replication_key = own.replication_key
        if own.replication_method:
            self.forced_replication_method = own.replication_method
        self._dynamodb = tap
        self.reading = reading.join(self)
        self.renderer: LineRenderer | RecordRenderer = RecordRenderer(layouts.Typed({}))
        self._filing: Filing | None = None
        self.fast = self._writes = False
        self._count = 0
        self._counter: Counter | None = None
        self._hidden: frozenset[str] = frozenset()
        self._misfits = Misfits(
            self.logger, tap.settings.reserved_field if tap.settings.type_tags else None
        )

    @property
    def effective_schema(self) -> dict[str, Any]:
        """The annotated schema: the SDK's copy of an input catalog has lost the annotations."""
        return self.schema

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take over what a catalog says; what it leaves open stays as the configuration has it.

        Args:
            catalog: The input catalog.
        """
        super().apply_catalog(catalog)
        if self.forced_replication_method is None and self.replication_key is None:
            self.replication_key = self._own_replication_key
        if self.replication_method == LOG_BASED:
            more = changed.properties(by=True, old_image=self._settings.following.old_image)
            table = self.schema.get(discovery.TABLE, {}).get("name", self.name)
            self._schema = discovery.with_more(self.schema, table, more)
            discovery.put_schema(catalog, self.name, self._schema)

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return nothing: the bookmark is ours, see `incremental.py`, and the key may be no column.

        Args:
            context: Not used.
        """

    @property
    def read_by(self) -> str | None:
        """The replication key by which the stream is read; None where it is read whole."""
        return self.replication_key if self.replication_method == "INCREMENTAL" else None

    def column_type(self, attribute: str) -> str | None:
        """Return the DynamoDB type of an attribute's column; None where it has none."""
        if self._settings.item_format != "plain":
            return None
        return column_schema.column_types(self.schema["properties"]).get(attribute)

    @property
    def begun_at(self) -> int:
        """When this run began, in seconds since 1970: the version of what it reads."""
        return self._initialized_at // 1000

    @property
    def _settings(self) -> Settings:
        return self.reading.settings

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        """Yield the table's items as records. The SDK asks for it; syncing does not go through it.

        Args:
            context: Not used: a table has no partitions in Singer's sense.
        """
        yield from self._sync_records(context, write_messages=False)

    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: with `batch_config`, too, a table is read by `_sync_records`.

        Args:
            config: Not used.
        """

    def log(self, message: str, *args: Any, level: int = logging.INFO, **more: Any) -> None:
        """Log a message, but not the SDK's about an error that becomes a line of ours, or is none.

        Args:
            message: The message, perhaps with places for arguments.
            *args: The arguments.
            level: The level to log at.
            **more: As `logging.Logger.log` takes them.
        """
        if not isinstance(sys.exc_info()[1], Error | AbortedSyncExceptionBase):
            super().log(message, *args, level=level, **more)

    # Schema

    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        for message in super()._generate_schema_messages():
            message.schema = discovery.reattach(message.schema, self.schema)
            yield message

    def _write_schema_message(self) -> None:
        self._dynamodb.require_choice()
        self._dynamodb.require_affordable()
        if not self.reading.done:  # else it went out with the stream that it was read with
            super()._write_schema_message()

    def _write_activate_version_message(self, full_table_version: int) -> None:
        del full_table_version  # a resumed run goes on with the version that it began with
        if self.reading.done or not self.reading.whole:
            return
        self._stream_version = self.reading.scan.bookmark.version
        super()._write_activate_version_message(self._stream_version)

    # Records

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        del context  # a table has no partitions in Singer's sense
        if self.reading.done:
            self.logger.info("Stream %s was read together with the others of its table", self.name)
        with self.get_sync_timer():
            yield from self.reading.records(self, write=write_messages)

    def announce(self) -> None:
        """Write what begins a stream, as the SDK does for the one that it syncs."""
        self._write_schema_message()
        if self.replication_method == "FULL_TABLE" and self.emit_activate_version_messages:
            self._write_activate_version_message(self.begun_at)

    def check(self) -> None:
        """Refuse what cannot be read as it is asked for.

        Raises:
            ConfigError: The catalog does not fit the table or the configuration.
        """
        if self.replication_method not in METHODS:
            raise ConfigError(
                f"Stream {self.name} asks for {self.replication_method} replication",
                f"Set replication-method to one of {', '.join(METHODS)}",
            )
        if self.replication_method == LOG_BASED:
            self._settings.following.check(self._settings, self.reading.source.table.name)
        if self.replication_method == "INCREMENTAL" and self.replication_key is None:
            raise ConfigError(
                f"Stream {self.name} asks for INCREMENTAL replication without a replication key",
                "Name one: replication_key in table_options, or replication-key in the metadata",
            )
        discovery.require_same(self.schema, self.reading.source.table, self._settings)
        own = self._own_method, self._own_replication_key
        if own[0] and (self.replication_method, self.read_by) != own:
            self.logger.warning(
                "The catalog asks for %s replication%s, and the configuration for %s%s; the catalog counts",
                self.replication_method,
                f" by {self.read_by}" if self.read_by else "",
                own[0],
                f" by {own[1]}" if own[1] else "",
            )

    def open(self, *, write: bool) -> None:
        """Make ready to take pages.

        Args:
            write: Whether messages go to stdout.
        """
        self._writes = write
        self._filing = self._make_filing()
        self.fast = write and self._nothing_asks_for_the_sdk()
        self._hidden = self._withheld()
        self.renderer = self._make_renderer()
        self.logger.debug("Records go %s road", "the fast" if self.fast else "the SDK's")

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the records, and BATCH messages, for the SDK's metrics."""
        with ExitStack() as stack:
            self._counter = stack.enter_context(self.get_record_counter())
            if self._filing is not None:
                self._batch_counter = stack.enter_context(self.get_batch_counter())
            yield

    def wanted(self) -> list[str] | None:
        """Return the attributes that the stream's records are made of; None for all."""
        return self._selected.wanted(self.schema["properties"])

    def take(self, rendered: Rendered) -> Iterator[dict[str, Any]]:
        """Write what became of some items.

        Args:
            rendered: What `render` made of them, perhaps some columns ago.

        Yields:
            The records, where they go the SDK's road.
        """
        rendered = self._fit(rendered)
        assert self._counter is not None
        if self.fast:
            if self._filing is None:
                self._dynamodb.emitter.write_lines(rendered.lines)
            else:
                self._filing.take(self.name, rendered, self.layout)
            self._counter.increment(rendered.count)
        for record in rendered.records:
            self._check_max_record_limit(current_record_index=self._count)
            self._count += 1
            processed = self.post_process(record, None)
            if processed is None:
                continue
            if self._writes:
                reserved = self._settings.reserved_field
                self._write_record(without(processed, reserved, self._hidden))
            self._counter.increment()
            yield processed

    def _write_record(self, record: dict[str, Any]) -> None:
        if self._filing is None:
            self._write_record_message(record)
            return
        schemas = {each.stream_alias: each.transformed_schema for each in self.stream_maps}
        for message in self._generate_record_messages(record):
            line = self._dynamodb.emitter.encode(message.record)
            self._filing.add(message.stream, line, schemas[message.stream]["properties"])

    def _make_filing(self) -> Filing | None:
        """Return the way into files; None where records go out as messages."""
        outbox = self._dynamodb.outbox if self._writes and not self.reading.follows else None
        if outbox is None:
            return None
        scan = self.reading.scan
        distinct = (
            scan.distinct
            and all(type(each) is SameRecordTransform for each in self.stream_maps)
            and list(self.primary_keys) == list(scan.table.key.names)
        )
        return Filing(outbox, self._stream_version, distinct=distinct)

    def close(self) -> None:
        """Say what did not fit its columns."""
        if self._filing is not None:
            names = {each.stream_alias for each in self.stream_maps}
            self._batch_counter.increment(self._filing.count(names))
        if misfits := self._misfits.summary():
            self.logger.info("Values without a column of their type: %s", misfits)

    def _withheld(self) -> frozenset[str]:
        return withheld(
            self.name,
            self.config.get("stream_maps") or {},
            [
                (each.raw_schema["properties"], each.transformed_schema["properties"])
                for each in self.stream_maps
                if isinstance(each, CustomStreamMap)
            ],
        )

    def _make_renderer(self) -> LineRenderer | RecordRenderer:
        snapshot = self.reading.snapshot_sequence
        if not self.fast:
            return RecordRenderer(self.layout, snapshot)
        bare = self._filing is not None
        converter = Converter(self.layout)
        return LineRenderer(
            self.name, self._stream_version, converter, bare=bare, snapshot=snapshot
        )

    @property
    def _selected(self) -> Selected:
        return Selected(self.mask, self._settings)

    @property
    def layout(self) -> Layout:
        """How an item becomes a record, with the columns that there are."""
        return self._selected.layout(self.schema["properties"], self.reading.source.table.key)

    def _nothing_asks_for_the_sdk(self) -> bool:
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and self._selected.by_layout
            and self.ABORT_AT_RECORD_COUNT is None
            and not self.child_streams
            and type(self).post_process is Stream.post_process
        )

    def _fit(self, rendered: Rendered) -> Rendered:
        """Return a page as the stream's columns have it, widening them where it needs that.

        A worker that saw a new attribute took the type it saw. When another page has decided
        otherwise meanwhile, or there is no room left, the page is rendered again.
        """
        known = self._selected.columns(self.schema["properties"])
        settings = self._settings
        late = rendered.late
        clash = any(known.get(name, kind) != kind for name, kind in late.items())
        if clash or (late and len(known.keys() | late.keys()) > settings.max_attributes):
            rendered = self._render_again(rendered.items)
        fresh = {name: kind for name, kind in rendered.late.items() if name not in known}
        reserved = settings.reserved_field
        tags = rendered.reserved and reserved not in self.schema["properties"]
        if fresh or tags:
            self._widen(fresh, reserved if tags else None)
            self.renderer = self.renderer.widened(self.layout)
            self.reading.widened(self)
        self._misfits.add(rendered.rest)
        return rendered

    def _render_again(self, items: Sequence[Any]) -> Rendered:
        if items and isinstance(items[0], Change):
            old_image = self._settings.following.old_image
            return of_changes(self.renderer, self.reading.source.table.types, old_image=old_image)(
                items
            )
        return self.renderer(items)

    def _widen(self, fresh: Mapping[str, str], reserved: str | None) -> None:
        if fresh:
            named = ", ".join(f"{name!r} ({kind})" for name, kind in list(fresh.items())[:SHOWN])
            more = f" and {len(fresh) - SHOWN} more" if len(fresh) > SHOWN else ""
            self.logger.info("The schema is widened by %s%s", named, more)
        self._schema = discovery.widened(self.schema, fresh, reserved, self._settings)
        properties = self._schema["properties"]
        selected = {
            name: part for name, part in properties.items() if self.mask["properties", name]
        }
        self._dynamodb.mapper.register_raw_stream_schema(
            self.name,
            {**self._schema, "properties": selected},  # of its own: a mapper takes some out
            list(self.primary_keys),
        )
        self._stream_maps = None
        if self._filing is not None:
            self._filing.widened()
        if self._writes:
            self._write_schema_message()
