"""Where the records of a stream go: through its stream maps, each to a sink of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from target_dynamodb import mapping
from target_dynamodb.loading import Indirect
from target_dynamodb.rows import json_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_dynamodb.encode import Write
    from target_dynamodb.loading import Road
    from target_dynamodb.mapping import StreamMap
    from target_dynamodb.sinks import DynamoDBSink
    from target_dynamodb.source import Source

    Made = list[tuple[DynamoDBSink, Write | None]]


class Leg(NamedTuple):
    """One stream map, and the sink of what it makes."""

    stream_map: StreamMap
    sink: DynamoDBSink


class Course:
    """The way of a stream's records, as its last SCHEMA message and its stream maps say.

    Attributes:
        direct: The sink that takes them as they are; None where something else is asked for.
        sinks: All sinks that may take them.
        tables: The names of the tables of these.
        json_columns: The properties whose strings are JSON in a Parquet file.

    Args:
        stream: The stream's name.
        source: The table that it came from, if our tap wrote it.
        properties: The JSON Schema of each property.
        legs: Its stream maps but those that remove it, and their sinks.
        as_they_are: Whether the maps change nothing.
        drain: Waits until a sink's records are acknowledged.
    """

    def __init__(
        self,
        stream: str,
        source: Source | None,
        properties: Mapping[str, Any],
        legs: Sequence[Leg],
        *,
        as_they_are: bool,
        drain: Callable[[DynamoDBSink], None],
    ) -> None:
        self.sinks = [leg.sink for leg in legs]
        self.tables = frozenset(sink.table for sink in self.sinks)
        alone = self.sinks[0] if len(legs) == 1 and as_they_are else None
        self.direct = alone if alone and alone.direct else None
        self.json_columns = json_columns(properties, ours=source is not None)
        self._stream = stream
        self._reserved = source.reserved if source else None
        self._legs = legs
        self._drain = drain

    def make(self, message: dict[str, Any], record: dict[str, Any]) -> Made:
        """Return what a record becomes: writes, each with the sink that takes it.

        Args:
            message: The message that it came with.
            record: The record.

        Raises:
            DataError: It cannot be written.
        """
        made = []
        for stream_map, sink in self._legs:
            mapped = mapping.through(stream_map, self._stream, record, self._reserved)
            if mapped is not None:
                made.append((sink, sink.make(mapped, message)))
        return made

    def hand_over(self, made: Made) -> None:
        """Hand over what a record became.

        Args:
            made: What `make` returned.

        Raises:
            Error: An earlier write failed for good.
        """
        for sink, write in made:
            sink.hand_over(write)
            if sink.batch_size_rows and sink.is_full:
                self._drain(sink)

    def road(self, message: dict[str, Any]) -> Road:
        """Return what takes the records of a file.

        Args:
            message: The BATCH message that names the file.
        """
        return self.direct or Indirect(partial(self.make, message), self.hand_over)
