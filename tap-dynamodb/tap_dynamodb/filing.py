"""A stream's way into BATCH files, on the parent's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamodb.outbox import Address
from tap_dynamodb.parquet import columns_of_layout, columns_of_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.layouts import Layout
    from tap_dynamodb.outbox import Outbox
    from tap_dynamodb.render import Rendered


class Filing:
    """Sees to it that the records of a stream get into files, and the files are announced.

    Args:
        outbox: Announces them.
        version: Version of ACTIVATE_VERSION, where the stream sends it.
        distinct: Whether no key is in two records of a run.
    """

    def __init__(self, outbox: Outbox, version: int | None, *, distinct: bool) -> None:
        self._outbox = outbox
        self._version = version
        self._distinct = distinct
        self._columns: dict[str, Mapping[str, str]] = {}

    def take(self, stream: str, rendered: Rendered, layout: Layout) -> None:
        """Announce a file that a worker has written, or write what it could not.

        Args:
            stream: The stream's name.
            rendered: What the worker has made.
            layout: The stream's, with all columns of the lines.
        """
        to = self._address(stream)
        if rendered.file is not None:
            self._outbox.announce(to, rendered.file)
        else:
            columns = columns_of_layout(layout) if self._outbox.wants_columns else None
            self._outbox.add(to, rendered.lines, rendered.count, columns)

    def add(self, stream: str, line: bytes, properties: Mapping[str, Any]) -> None:
        """Write a record that stream maps have made.

        Args:
            stream: The name that they have given to the stream.
            line: The record as JSON.
            properties: Those of its schema.
        """
        if self._outbox.wants_columns and stream not in self._columns:
            self._columns[stream] = columns_of_schema(properties)
        self._outbox.add(self._address(stream), line + b"\n", 1, self._columns.get(stream))

    def widened(self) -> None:
        """Take note that schemas have changed."""
        self._columns.clear()

    def count(self, streams: set[str]) -> int:
        """Announce what was added; return how many messages there were since this was last asked.

        Args:
            streams: Names of the stream, after stream maps.
        """
        self._outbox.flush()
        return sum(self._outbox.messages.pop(stream, 0) for stream in streams)

    def _address(self, stream: str) -> Address:
        return Address(stream, self._version, self._distinct)
