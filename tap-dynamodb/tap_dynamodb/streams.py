"""A DynamoDB table as a stream of the Singer SDK.

Both roads go through one loop over blocks: the fast road writes the finished lines that the workers
made, the SDK's road hands records to the SDK one by one. State and progress are the same for both.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import CustomStreamMap, SameRecordTransform

from dynamodb_core import layouts
from dynamodb_core.converter import Converter
from dynamodb_core.errors import ConfigError, Error
from tap_dynamodb import column_schema, discovery, sources
from tap_dynamodb.bookmarks import STATE_KEY
from tap_dynamodb.misfits import SHOWN, Misfits
from tap_dynamodb.render import LineRenderer, RecordRenderer
from tap_dynamodb.scanning import TableScan
from tap_dynamodb.withheld import withheld, without

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    import msgspec
    from singer_sdk.singerlib.messages import SchemaMessage

    from dynamodb_core.layouts import Layout
    from tap_dynamodb.render import Rendered
    from tap_dynamodb.tap import TapDynamoDB

STATE_SECONDS = 2.0
STATE_BYTES = 1_000_000
"""At the latest after so many seconds, or bytes of records, a STATE says how far they go."""


class DynamoDBStream(Stream):
    """Reads a table by a parallel scan."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(
        self, tap: TapDynamoDB, *, name: str, schema: dict[str, Any], reference: str
    ) -> None:
        """Make the stream of a table; nothing is read yet.

        Args:
            tap: The tap it belongs to.
            name: The stream's name.
            schema: Its JSON Schema, with annotations.
            reference: Name or ARN of the table.
        """
        super().__init__(tap, schema=schema, name=name)
        self.primary_keys = [
            part["name"] for part in schema.get(discovery.TABLE, {}).get("key", ())
        ]
        self._dynamodb = tap
        self._reference = reference
        self._renderer: LineRenderer | RecordRenderer = RecordRenderer(layouts.Typed({}))
        # Pages are fetched side by side and rendered one by one: threads that compute at the same
        # time only wrest the interpreter from each other.
        self._rendering = threading.Lock()
        self._writes = False
        self._state_written = time.monotonic()
        self._stateless_bytes = 0
        self._misfits = Misfits(
            self.logger, tap.settings.reserved_field if tap.settings.type_tags else None
        )

    @property
    def effective_schema(self) -> dict[str, Any]:
        """The annotated schema: the SDK's copy of an input catalog has lost the annotations."""
        return self.schema

    @cached_property
    def scan(self) -> TableScan:
        """The scan that this run begins or goes on with; describes the table."""
        if self.replication_method != "FULL_TABLE":
            raise ConfigError(
                f"Stream {self.name} asks for {self.replication_method} replication",
                "This tap reads full tables so far: set replication-method to FULL_TABLE",
            )
        source = sources.describe(self._dynamodb.wire, self._reference)
        discovery.require_same(self.schema, source.table, self._dynamodb.settings)
        return TableScan(
            source,
            self._dynamodb.settings,
            self.stream_state,
            version=self._initialized_at // 1000,
        )

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        """Yield the table's items as records. The SDK asks for it; syncing does not go through it.

        Args:
            context: Not used: a table has no partitions in Singer's sense.
        """
        yield from self._sync_records(context, write_messages=False)

    def log(self, message: str, *args: Any, level: int = logging.INFO, **more: Any) -> None:
        """Log a message, but not the SDK's about an error that becomes a line of ours.

        Args:
            message: The message, perhaps with places for arguments.
            *args: The arguments.
            level: The level to log at.
            **more: As `logging.Logger.log` takes them.
        """
        if not isinstance(sys.exc_info()[1], Error):
            super().log(message, *args, level=level, **more)

    # Schema

    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        for message in super()._generate_schema_messages():
            message.schema = discovery.reattach(message.schema, self.schema)
            yield message

    def _write_schema_message(self) -> None:
        self._dynamodb.require_choice()
        super()._write_schema_message()

    def _write_activate_version_message(self, full_table_version: int) -> None:
        del full_table_version  # a resumed run goes on with the version that it began with
        self._stream_version = self.scan.bookmark.version
        super()._write_activate_version_message(self._stream_version)

    # Records

    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        fast = write_messages and self._nothing_asks_for_the_sdk()
        self.logger.debug("Records go %s road", "the fast" if fast else "the SDK's")
        self._renderer = self._make_renderer(fast=fast)
        self._writes = write_messages
        scan, count, reserved = self.scan, 0, self._dynamodb.settings.reserved_field
        with (
            self.get_record_counter() as counter,
            self.get_sync_timer(),
            self._dynamodb.streaming(),
            self._last_state(),
        ):
            blocks = scan.blocks(self._dynamodb.wire, self._render, self._look_up, self.logger)
            for block in blocks:
                rendered = self._fit(block.payload)
                if fast:
                    self._dynamodb.emitter.write_lines(rendered.lines)
                    self._stateless_bytes += len(rendered.lines)
                    counter.increment(block.count)
                hidden = self._withheld() if rendered.records else frozenset()
                for record in rendered.records:
                    self._check_max_record_limit(current_record_index=count)
                    count += 1
                    processed = self.post_process(record, context)
                    if processed is None:
                        continue
                    if write_messages:
                        self._write_record_message(without(processed, reserved, hidden))
                    counter.increment()
                    yield processed
            if misfits := self._misfits.summary():
                self.logger.info("Values without a column of their type: %s", misfits)
            self._write_state()
            self._dynamodb.finished(self)

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

    def _render(self, items: Sequence[msgspec.Raw]) -> Rendered:
        with self._rendering:
            return self._renderer(items)

    def _make_renderer(self, *, fast: bool) -> LineRenderer | RecordRenderer:
        layout = self._layout()
        if not fast:
            return RecordRenderer(layout)
        return LineRenderer(
            self.name, self._stream_version, Converter(layout), lambda: datetime.now(timezone.utc)
        )

    def _layout(self) -> Layout:
        settings, key = self._dynamodb.settings, self.scan.table.key
        keys = dict(zip(key.names, key.types, strict=True))
        reserved = settings.reserved_field if settings.type_tags else None
        if settings.item_format == "packed":
            return layouts.Packed(keys, settings.item_field, reserved)
        if settings.item_format == "dynamodb_json":
            return layouts.Typed(keys, settings.item_field)
        whole = all(self.mask.values())
        return layouts.Columns(
            types=self._columns(),
            reserved=reserved,
            open=whole,
            limit=settings.max_attributes,
            unknown="rest" if whole else "drop",
        )

    def _columns(self) -> dict[str, str]:
        """Return the DynamoDB type of each selected attribute that has a column."""
        types = column_schema.column_types(self.schema["properties"])
        if self._dynamodb.settings.type_tags:
            types.pop(self._dynamodb.settings.reserved_field, None)
        return {name: kind for name, kind in types.items() if self.mask["properties", name]}

    def _nothing_asks_for_the_sdk(self) -> bool:
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and all(self.mask.values())
            and self.ABORT_AT_RECORD_COUNT is None
            and not self.child_streams
            and type(self).post_process is Stream.post_process
        )

    def _fit(self, rendered: Rendered) -> Rendered:
        """Return a page as the stream's columns have it, widening them where it needs that.

        A worker that saw a new attribute took the type it saw. When another page has decided
        otherwise meanwhile, or there is no room left, the page is rendered again.
        """
        known, settings = self._columns(), self._dynamodb.settings
        late = rendered.late
        clash = any(known.get(name, kind) != kind for name, kind in late.items())
        if clash or (late and len(known.keys() | late.keys()) > settings.max_attributes):
            rendered = self._render(rendered.items)
        fresh = {name: kind for name, kind in rendered.late.items() if name not in known}
        reserved = settings.reserved_field
        tags = rendered.reserved and reserved not in self.schema["properties"]
        if fresh or tags:
            self._widen(fresh, reserved if tags else None)
            self._renderer = self._renderer.widened(self._layout())
        self._misfits.add(rendered.rest)
        return rendered

    def _widen(self, fresh: Mapping[str, str], reserved: str | None) -> None:
        properties = dict(self.schema["properties"])
        if fresh:
            named = ", ".join(f"{name!r} ({kind})" for name, kind in list(fresh.items())[:SHOWN])
            more = f" and {len(fresh) - SHOWN} more" if len(fresh) > SHOWN else ""
            self.logger.info("The schema is widened by %s%s", named, more)
        properties |= {name: column_schema.property_schema(kind) for name, kind in fresh.items()}
        if reserved:
            properties[reserved] = column_schema.reserved_schema()
        self._schema = {**self.schema, "properties": properties}
        selected = {
            name: part for name, part in properties.items() if self.mask["properties", name]
        }
        self._dynamodb.mapper.register_raw_stream_schema(
            self.name,
            {**self._schema, "properties": selected},  # of its own: a mapper takes some out
            list(self.primary_keys),
        )
        self._stream_maps = None
        if self._writes:
            self._write_schema_message()

    # State

    @contextmanager
    def _last_state(self) -> Iterator[None]:
        """Write a STATE of all that is out when the table cannot be read on."""
        try:
            yield
        except Error:
            self._write_state()
            raise

    def _look_up(self) -> None:
        self._dynamodb.stop_when_asked(self._write_state)
        late = time.monotonic() - self._state_written >= STATE_SECONDS
        if late or self._stateless_bytes >= STATE_BYTES:
            self._write_state()

    def _write_state(self) -> None:
        self._state_written = time.monotonic()
        self._stateless_bytes = 0
        self.stream_state[STATE_KEY] = self.scan.bookmark.dump()
        if self._writes:
            self._dynamodb.state_writer.write_state(self.tap_state)
