"""Items to records: the hot loop of the tap, the same for both roads.

A renderer knows the layout and the names, and changes nothing. What a block of items needs beyond it
(columns that are not there yet) it reports, and the stream decides. Where changes follow on the items,
these say so: a renderer of a snapshot gives all of its records one `_sdc_sequence`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from dynamodb_core import codec, frames, layouts, numbers
from dynamodb_core.errors import ConfigError
from dynamodb_core.provenance import DELETED_AT, DELETED_BY, OLD_IMAGE, SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dynamodb_core.codec import Item, Plain
    from dynamodb_core.converter import Converted, Converter
    from dynamodb_core.layouts import Layout

NAMES = frozenset({DELETED_AT, DELETED_BY, OLD_IMAGE, SEQUENCE})
"""The properties that records may have beside their items' columns, where changes are told."""


@dataclass(frozen=True)
class Rendered:
    """What became of a page of items.

    Attributes:
        items: The items as they came, where there are late columns: to render them again when these
            are decided otherwise.
        lines: RECORD messages, each ending with a newline; of the fast road.
        count: How many these are.
        records: Records; of the SDK's road.
        late: Columns that the records have and the renderer's layout has not, with their types.
        reserved: Whether a record carries the reserved object.
        rest: How many items had the attribute travel in the reserved object, as it fits no column.
        file: The file that holds the lines, of one page or of several, instead of `lines`.
        layout: The layout of lines that go into a file.
    """

    items: Sequence[Any] = ()
    lines: bytes = b""
    count: int = 0
    records: Sequence[dict[str, Any]] = ()
    late: Mapping[str, str] = field(default_factory=dict)
    reserved: bool = False
    rest: Mapping[str, int] = field(default_factory=dict)
    file: Path | None = None
    layout: Layout | None = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle it so that its lines may travel apart."""
        members = {each.name: getattr(self, each.name) for each in fields(self)}
        if protocol >= frames.PROTOCOL:
            members["lines"] = frames.apart(self.lines)
        return type(self), tuple(members.values())


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class LineRenderer:
    """Renders items to finished RECORD lines: the fast road.

    Attributes:
        stream: Name of the stream.
        version: Version of ACTIVATE_VERSION, where the stream sends it.
        converter: Makes records of items, and learns what they look like.
        now: Returns the time, in UTC.
        bare: Whether a line is the record alone, as in a file, and no RECORD message.
        snapshot: `_sdc_sequence` of every item, as changes follow; None where none do.
    """

    stream: str
    version: int | None
    converter: Converter
    now: Callable[[], datetime] = utc_now
    bare: bool = False
    snapshot: int | None = None

    def __call__(self, items: Sequence[msgspec.Raw]) -> Rendered:
        """Render a page of items; one time of extraction holds for all of them."""
        if not items:
            return Rendered()
        converted = self.convert(items)
        if self.snapshot is None:
            return self.finish(items, converted, converted.records)
        refuse_clash(converted.late)
        ends = orjson.dumps(snapshot_members(self.snapshot))[1:]
        records = [record[:-1] for record in converted.records]
        return self.finish(items, converted, records, b"," + ends)

    def convert(self, items: Sequence[msgspec.Raw]) -> Converted:
        """Make records of items, as JSON."""
        return self.converter.convert(items)

    def finish(
        self, items: Sequence[Any], converted: Converted, records: Sequence[bytes], end: bytes = b""
    ) -> Rendered:
        """Make lines of records.

        Args:
            items: What they were made of, to be rendered again where that is necessary.
            converted: What the converter has to say of them.
            records: JSON of each record.
            end: What each of them lacks at its end.
        """
        head, tail = (b"", b"\n") if self.bare else self._envelope()
        tail = end + tail
        lines = head + (tail + head).join(records) + tail
        name = getattr(self.layout, "reserved", None)
        return Rendered(
            items if converted.late else (),
            lines=lines,
            count=len(records),
            late=converted.late,
            # A nested attribute of that name shows the column too early, which does no harm.
            reserved=name is not None and orjson.dumps(name) + b":" in lines,
            rest=converted.rest,
            layout=self.layout if self.bare else None,
        )

    def _envelope(self) -> tuple[bytes, bytes]:
        """Return what stands before a record and behind it in its RECORD message."""
        head = b'{"type":"RECORD","stream":' + orjson.dumps(self.stream) + b',"record":'
        after: dict[str, Any] = {"time_extracted": self.now()}
        if self.version is not None:
            after["version"] = self.version
        return head, b"," + orjson.dumps(after)[1:] + b"\n"

    @property
    def layout(self) -> Layout:
        """How an item becomes a record."""
        return self.converter.layout

    def widened(self, layout: Layout) -> LineRenderer:
        """Return a renderer for a layout with more columns; what was learned is kept."""
        self.converter.layout = layout
        return self


class Recorded(NamedTuple):
    """The records of some items as dictionaries; see `Converted`."""

    records: list[dict[str, Any]]
    late: dict[str, str]
    rest: Mapping[str, int]


@dataclass(frozen=True)
class RecordRenderer:
    """Renders items to dictionaries for the SDK's own road: maps, flattening, selection.

    Attributes:
        layout: How an item becomes a record.
        snapshot: As in `LineRenderer`.
    """

    layout: Layout
    snapshot: int | None = None

    def __call__(self, items: Sequence[msgspec.Raw]) -> Rendered:
        """Render a page of items; numbers are exact, int or Decimal."""
        converted = self.convert(items)
        if self.snapshot is not None:
            refuse_clash(converted.late)
            more = snapshot_members(self.snapshot)
            for record in converted.records:
                record.update(more)
        return self.finish(items, converted, converted.records)

    def convert(self, items: Sequence[msgspec.Raw]) -> Recorded:
        """Make records of items."""
        records = []
        late: dict[str, str] = {}
        rest: dict[str, int] = {}
        layout = self.layout
        for raw in items:
            plain = to_record(msgspec.json.decode(raw), layout)
            records.append(plain.record)
            if plain.late:
                late |= plain.late
                assert isinstance(layout, layouts.Columns)
                layout = layout.widened(plain.late)
            for name in plain.rest:
                rest[name] = rest.get(name, 0) + 1
        return Recorded(records, late, rest)

    def finish(
        self,
        items: Sequence[Any],
        converted: Recorded,
        records: Sequence[dict[str, Any]],
    ) -> Rendered:
        """Return what became of items; see `LineRenderer.finish`."""
        field = getattr(self.layout, "reserved", None)
        return Rendered(
            items,
            records=records,
            late=converted.late,
            reserved=any(field in record for record in records),
            rest=converted.rest,
        )

    def widened(self, layout: Layout) -> RecordRenderer:
        """Return a renderer for a layout with more columns."""
        return replace(self, layout=layout)


def snapshot_members(sequence: int) -> dict[str, Any]:
    """Return what the records of a snapshot have beside their items' columns.

    Args:
        sequence: What orders them before the changes that follow.
    """
    return {DELETED_AT: None, SEQUENCE: sequence}


def refuse_clash(late: Mapping[str, str]) -> None:
    """Refuse attributes with the name of a property that says what became of an item.

    Args:
        late: Attributes that are to be columns.

    Raises:
        ConfigError: There is one; as a column it would hide deletions from whoever loads them.
    """
    for name in late.keys() & NAMES:
        raise ConfigError(
            f"An item has an attribute {name}, which says what became of an item",
            "Read the table in the item_format packed or dynamodb_json",
        )


def to_record(item: Item, layout: Layout) -> Plain:
    """Return an item as a record of Python values, by its layout."""
    if isinstance(layout, layouts.Columns):
        return codec.to_plain(item, layout, numbers.to_python)
    if isinstance(layout, layouts.Packed):
        return codec.to_packed(item, layout, numbers.to_python)
    return codec.to_typed(item, layout, numbers.to_python)
