"""Changes to records: what was written as a record, what was deleted as its key and when.

Every record has, beside its item's columns,

    _sdc_deleted_at   when it was deleted, as an ISO time in UTC; null where it was not
    _sdc_sequence     orders the records of one item
    _sdc_deleted_by   `ttl` where DynamoDB itself has deleted it; missing elsewhere
    _sdc_old_image    the item before the change, where that is asked for and there was one

The last two are of streams alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import orjson

from dynamodb_core import layouts
from dynamodb_core.converter import Converter
from dynamodb_core.errors import DataError
from dynamodb_core.provenance import DELETED_AT, DELETED_BY, OLD_IMAGE, SEQUENCE
from tap_dynamodb.render import LineRenderer, RecordRenderer, Rendered, refuse_clash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.layouts import Layout

PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    DELETED_AT: {"type": ["null", "string"], "format": "date-time"},
    SEQUENCE: {"type": ["null", "integer"]},
}
"""JSON Schema of what is added to the columns of an item."""

TTL = "ttl"
"""Who has deleted an item whose time to live had passed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ITEM = "item"
_IN_FRONT = len(b'{"item":')
_WRITTEN = b'%%b,"%b":null,"%b":%%d' % (DELETED_AT.encode(), SEQUENCE.encode())
_OLD = b',"%b":' % OLD_IMAGE.encode()

Renderer = TypeVar("Renderer", LineRenderer, RecordRenderer)


def properties(*, by: bool = False, old_image: bool = False) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of what records have beside an item's columns.

    Args:
        by: Whether they tell who has deleted an item.
        old_image: Whether they tell what it was before.
    """
    told: dict[str, Mapping[str, Any]] = dict(PROPERTIES)
    if by:
        told[DELETED_BY] = {"type": ["null", "string"]}
    if old_image:
        told[OLD_IMAGE] = {"type": ["null", "object"], "additionalProperties": True}
    return {name: dict(schema) for name, schema in told.items()}


@dataclass(frozen=True)
class _Changes(Generic[Renderer]):
    """Renders changes as a renderer does items.

    Attributes:
        renderer: Renders items.
        keys: The type of each key attribute of the table.
        old_image: Whether records tell what the item was before.
    """

    renderer: Renderer
    keys: Mapping[str, str]
    old_image: bool = False

    def _sorted(self, changes: Sequence[Change]) -> tuple[list[msgspec.Raw], list[msgspec.Raw]]:
        """Return the items that were written, and the keys of those that were deleted."""
        written = [msgspec.Raw(change.item) for change in changes if change.item is not None]
        if len(written) == len(changes):
            return written, []
        return written, [msgspec.Raw(_keys(change)) for change in changes if change.item is None]

    def _olds(self, changes: Sequence[Change]) -> list[msgspec.Raw]:
        """Return the items that there were before, where that is to be told."""
        if not self.old_image:
            return []
        return [msgspec.Raw(change.old) for change in changes if change.old is not None]

    @cached_property
    def _key_layout(self) -> Layout:
        """How a deletion becomes a record: its key alone."""
        layout = self.renderer.layout
        return layouts.Columns(
            self.keys,
            reserved=None,
            open=False,
            unknown="drop",
            decimals=layout.decimals,
            binary=layout.binary,
        )

    @cached_property
    def _old_layout(self) -> Layout:
        """How an item that was becomes an object: typed where items are, else as plain JSON."""
        layout = self.renderer.layout
        if isinstance(layout, layouts.Typed):
            return layouts.Typed({}, _ITEM)
        return layouts.Packed({}, _ITEM, None, layout.decimals, layout.binary)


class ChangeLines(_Changes[LineRenderer]):
    """Renders changes to finished RECORD lines: the fast road."""

    def __call__(self, changes: Sequence[Change]) -> Rendered:
        """Render a page of changes."""
        if not changes:
            return Rendered()
        written, deleted = self._sorted(changes)
        converted = self.renderer.convert(written)
        refuse_clash(converted.late)
        records = converted.records
        if deleted:
            gone = self._key_converter.convert(deleted).records
            if b"{}" in gone:
                raise _no_key(changes)
            puts, deletes = iter(records), iter(gone)
            records = [next(deletes if change.item is None else puts) for change in changes]
        records = list(map(_with, records, changes))
        if olds := self._olds(changes):
            images = iter(self._old_converter.convert(olds).records)
            for number, change in enumerate(changes):
                if change.old is not None:
                    records[number] += _OLD + next(images)[_IN_FRONT:-1]
        return self.renderer.finish(changes, converted, records, b"}")

    @cached_property
    def _key_converter(self) -> Converter:
        return Converter(self._key_layout)

    @cached_property
    def _old_converter(self) -> Converter:
        return Converter(self._old_layout)


class ChangeRecords(_Changes[RecordRenderer]):
    """Renders changes to dictionaries for the SDK's own road."""

    def __call__(self, changes: Sequence[Change]) -> Rendered:
        """Render a page of changes."""
        written, deleted = self._sorted(changes)
        converted = self.renderer.convert(written)
        refuse_clash(converted.late)
        gone = self._records(self._key_layout, deleted)
        if {} in gone:
            raise _no_key(changes)
        puts, deletes = iter(converted.records), iter(gone)
        olds = iter(self._records(self._old_layout, self._olds(changes)))
        records = []
        for change in changes:
            record = next(deletes if change.item is None else puts)
            record.update(added(change))
            if self.old_image and change.old is not None:
                record[OLD_IMAGE] = next(olds)[_ITEM]
            records.append(record)
        return self.renderer.finish(changes, converted, records)

    def _records(self, layout: Layout, items: Sequence[msgspec.Raw]) -> list[dict[str, Any]]:
        return RecordRenderer(layout).convert(items).records


def of_changes(
    renderer: LineRenderer | RecordRenderer, keys: Mapping[str, str], *, old_image: bool = False
) -> ChangeLines | ChangeRecords:
    """Return what renders changes as a renderer does items.

    Args:
        renderer: Renders items.
        keys: The type of each key attribute of the table.
        old_image: Whether records tell what the item was before.
    """
    if isinstance(renderer, LineRenderer):
        return ChangeLines(renderer, keys, old_image)
    return ChangeRecords(renderer, keys, old_image)


def added(change: Change) -> dict[str, Any]:
    """Return what a change's record has beside its item's columns, but for the old image.

    Args:
        change: The change.

    Raises:
        DataError: It is a deletion, and its source does not tell when.
    """
    sequence = change.micros if change.sequence is None else change.sequence
    if change.item is not None:
        return {DELETED_AT: None, SEQUENCE: sequence}
    by = {DELETED_BY: TTL} if change.expired else {}
    return {DELETED_AT: moment(change), SEQUENCE: sequence, **by}


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
    seconds, micros = divmod(change.micros, 1_000_000)
    return f"{_second(seconds)}.{micros:06}+00:00"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    """Return a second as text; most changes of a page share theirs with others."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def _with(record: bytes, change: Change) -> bytes:
    """Return a record with what a change adds, but for the end of the object."""
    if change.item is not None:
        order = change.micros if change.sequence is None else change.sequence
        if order is not None:
            return _WRITTEN % (record[:-1], order)
    return record[:-1] + b"," + orjson.dumps(added(change))[1:-1]


def _keys(change: Change) -> bytes:
    if change.keys is None:
        raise _no_key([change])
    return change.keys


def _no_key(changes: Sequence[Change]) -> DataError:
    found = next(change.keys for change in changes if change.item is None)
    return DataError(
        f"A deletion names no key of the table: {found!r}",
        "Look at the file or stream it came from",
    )
