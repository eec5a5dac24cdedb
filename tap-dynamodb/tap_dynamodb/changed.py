"""Changes to records: what was written as a record, what was deleted as its key and when.

Every record has, beside its item's columns,

    _sdc_deleted_at   when it was deleted, as an ISO time in UTC; null where it was not
    _sdc_sequence     orders the changes of one item
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core import layouts
from dynamodb_core.converter import Converted, Converter
from dynamodb_core.errors import DataError
from dynamodb_core.provenance import DELETED_AT
from tap_dynamodb.render import LineRenderer, RecordRenderer, Rendered, to_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.layouts import Layout

SEQUENCE = "_sdc_sequence"

PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    DELETED_AT: {"type": ["null", "string"], "format": "date-time"},
    SEQUENCE: {"type": ["null", "integer"]},
}
"""JSON Schema of what is added to the columns of an item."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class ChangeLines:
    """Renders changes to finished RECORD lines: the fast road.

    Attributes:
        lines: Renders items.
        keys: The type of each key attribute of the table.
    """

    lines: LineRenderer
    keys: Mapping[str, str]

    def __call__(self, changes: Sequence[Change]) -> Rendered:
        """Render a page of changes."""
        if not changes:
            return Rendered()
        written = [msgspec.Raw(change.item) for change in changes if change.item is not None]
        deleted = [msgspec.Raw(_keys(change)) for change in changes if change.item is None]
        converted = self.lines.converter.convert(written)
        puts, deletes = iter(converted.records), iter(self._key_converter.convert(deleted).records)
        records = [
            _with(next(deletes if change.item is None else puts), change) for change in changes
        ]
        return self.lines.finish(
            changes, Converted(records, converted.late, converted.rest), records
        )

    def widened(self, layout: Layout) -> ChangeLines:
        """Return a renderer for a layout with more columns; what was learned is kept."""
        return ChangeLines(self.lines.widened(layout), self.keys)

    @cached_property
    def _key_converter(self) -> Converter:
        return Converter(key_layout(self.lines.converter.layout, self.keys))


@dataclass(frozen=True)
class ChangeRecords:
    """Renders changes to dictionaries for the SDK's own road.

    Attributes:
        records: Renders items.
        keys: The type of each key attribute of the table.
    """

    records: RecordRenderer
    keys: Mapping[str, str]

    def __call__(self, changes: Sequence[Change]) -> Rendered:
        """Render a page of changes."""
        written = [msgspec.Raw(change.item) for change in changes if change.item is not None]
        rendered = self.records(written)
        puts = iter(rendered.records)
        layout = key_layout(self.records.layout, self.keys)
        records = [
            {
                **(
                    to_record(msgspec.json.decode(_keys(change)), layout).record
                    if change.item is None
                    else next(puts)
                ),
                **added(change),
            }
            for change in changes
        ]
        return Rendered(
            changes,
            records=records,
            late=rendered.late,
            reserved=rendered.reserved,
            rest=rendered.rest,
        )

    def widened(self, layout: Layout) -> ChangeRecords:
        """Return a renderer for a layout with more columns."""
        return ChangeRecords(self.records.widened(layout), self.keys)


def of_changes(
    renderer: LineRenderer | RecordRenderer, keys: Mapping[str, str]
) -> ChangeLines | ChangeRecords:
    """Return what renders changes as a renderer does items.

    Args:
        renderer: Renders items.
        keys: The type of each key attribute of the table.
    """
    if isinstance(renderer, LineRenderer):
        return ChangeLines(renderer, keys)
    return ChangeRecords(renderer, keys)


def key_layout(layout: Layout, keys: Mapping[str, str]) -> layouts.Columns:
    """Return the layout of the record of a deletion: of its key alone.

    Args:
        layout: That of the stream.
        keys: The type of each key attribute.
    """
    return layouts.Columns(
        keys,
        reserved=None,
        open=False,
        unknown="drop",
        decimals=layout.decimals,
        binary=layout.binary,
    )


def added(change: Change) -> dict[str, Any]:
    """Return what a change's record has beside its item's columns.

    Args:
        change: The change.
    """
    sequence = change.micros if change.sequence is None else change.sequence
    return {DELETED_AT: None if change.item is not None else moment(change), SEQUENCE: sequence}


def moment(change: Change) -> str:
    """Return when a change was made, as an ISO time in UTC.

    Args:
        change: The change.

    Raises:
        DataError: Its source does not tell.
    """
    if change.micros is None:
        raise DataError(
            f"A deletion says no time: {change.keys!r}", "Look at the file or stream it came from"
        )
    return (_EPOCH + timedelta(microseconds=change.micros)).isoformat(timespec="microseconds")


def _with(record: bytes, change: Change) -> bytes:
    return record[:-1] + b"," + orjson.dumps(added(change))[1:]


def _keys(change: Change) -> bytes:
    if change.keys is None:
        raise DataError("A deletion names no key", "Look at the file or stream it came from")
    return change.keys
