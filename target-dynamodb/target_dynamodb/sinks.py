"""The SDK's frame of a stream that is written: one sink for each SCHEMA of a stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, cast

from singer_sdk.exceptions import InvalidRecord, MissingKeyPropertiesError
from singer_sdk.sinks import Sink

from dynamodb_core.errors import DataError
from target_dynamodb.encode import SDC_PROPERTIES, MissingKey
from target_dynamodb.keys import Stream
from target_dynamodb.loader import Way
from target_dynamodb.loading import Direct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import msgspec
    from singer_sdk.target_base import Target

    from target_dynamodb.destinations import Destination
    from target_dynamodb.encode import Write
    from target_dynamodb.source import Source
    from target_dynamodb.target import TargetDynamoDB


Result = TypeVar("Result")


class MissingKeyProperty(DataError, MissingKeyPropertiesError):
    """A record lacks a part of its key: our error and the SDK's at once."""


class DynamoDBSink(Sink):
    """Turns the records of one stream into writes of its table.

    A record is handed on as soon as it is read; `process_batch` waits for what is not yet
    acknowledged. The writer belongs to the table, so that it outlives a changed SCHEMA.
    """

    MAX_SIZE_DEFAULT = sys.maxsize

    def __init__(
        self,
        target: Target,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._target = cast("TargetDynamoDB", target)
        self._destination: Destination | None = None
        self._way: Way | None = None
        self._direct: Direct | None = None
        self._uncounted = 0

    @property
    def validate_schema(self) -> bool:
        """Whether records are checked against the SCHEMA."""
        return bool(self.config.get("validate_records"))

    @property
    def current_size(self) -> int:
        """How many records are not yet known to be acknowledged."""
        if self._uncounted:
            self.tally_record_read(self._uncounted)
            self.record_counter_metric.increment(self._uncounted)
            self._uncounted = 0
        return super().current_size

    @property
    def direct(self) -> bool:
        """Whether records can go to the table as they are, past the SDK."""
        return not (self._validator or self.include_sdc_metadata_properties or self.batch_size_rows)

    @property
    def way(self) -> Way:
        """How its records become writes, the same object as long as that does not change."""
        assert self._way
        return self._way

    @property
    def table(self) -> str:
        """The name of the table that is written; empty before it is open."""
        return self._way.table.name if self._way else ""

    def open(self, source: Source | None) -> None:
        """Find or make the table, and learn how to encode for it.

        This is not done in `setup`, whose failure the SDK would log once more.

        Args:
            source: The table that the stream came from, if our tap wrote it.

        Raises:
            ConfigError: The table cannot take this stream.
            Error: A call failed.
        """
        # The SDK's other copy has lost every property that is named like the SDK's metadata.
        properties = self.original_schema["properties"]
        stream = Stream(self.stream_name, self.key_properties, properties, source)
        self._destination = self._target.destinations.open(stream)
        self._way = Way(
            self.stream_name,
            properties,
            self._destination.table,
            source,
            self.include_sdc_metadata_properties,
        )
        self._direct = Direct(self._way.encoder(), self._destination.writer)

    def road(self) -> Callable[[msgspec.Raw], None]:
        """Return what takes a record's JSON to the table by the shortest way.

        Raises:
            DataError: (by what is returned) The record cannot be written.
            Error: (by what is returned) An earlier write failed for good.
        """
        assert self._direct
        if self._target.settings.dry_run:
            return lambda record: self.hand_over(self.from_json(record))
        encode = self._direct.encoder.encode_json
        put = self._direct.writer.put
        delete = self._direct.writer.delete

        def take(record: msgspec.Raw) -> None:
            try:
                identity, body, deleted = encode(record)
            except MissingKey as error:
                raise MissingKeyProperty(error.message, error.hint) from error
            if deleted:
                delete(identity, body)
            else:
                put(identity, body)
            self._uncounted += 1

        return take

    def make(self, record: dict[str, Any], message: dict[str, Any]) -> Write | None:
        """Return the write of a record that went through the SDK's stream maps.

        Args:
            record: The record, which may be changed here.
            message: The message it came with.

        Raises:
            DataError: The record cannot be written; a dry run notes it, and returns None.
        """
        return self._tried(self._make, record, message)

    def from_json(self, record: bytes) -> Write | None:
        """Return the write of a record's JSON; see `loading.Road`.

        Args:
            record: The record.

        Raises:
            DataError: It cannot be written; a dry run notes it, and returns None.
            msgspec.DecodeError: It is no JSON object.
        """
        assert self._direct
        return self._tried(self._direct.from_json, record)

    def from_object(self, record: dict[str, Any]) -> Write | None:
        """Return the write of a record; see `loading.Road`.

        Args:
            record: The record.

        Raises:
            DataError: It cannot be written; a dry run notes it, and returns None.
        """
        assert self._direct
        return self._tried(self._direct.from_object, record)

    def hand_over(self, write: Write | None) -> None:
        """Hand a write to the table's writer.

        Args:
            write: What `make`, `from_json` or `from_object` returned.

        Raises:
            Error: An earlier write failed for good.
        """
        assert self._direct
        if write is not None:
            self._tried(self._direct.hand_over, write)
        self._uncounted += 1

    def count(self, records: int) -> None:
        """Count records that others have written for this sink.

        Args:
            records: How many.
        """
        self.record_counter_metric.increment(records)

    def _make(self, record: dict[str, Any], message: dict[str, Any]) -> Write:
        assert self._direct
        if self._validator is not None:
            try:
                self._validator.validate(record)
            except InvalidRecord as error:
                raise DataError(
                    f"Stream {self.stream_name}: a record does not fit its SCHEMA: "
                    f"{error.error_message}",
                    "Correct the tap's SCHEMA, or turn validate_records off",
                ) from error
        if self.include_sdc_metadata_properties:
            self._add_sdc_metadata_to_record(record, message, {})
            for name in SDC_PROPERTIES:
                if record.get(name) is None:
                    record.pop(name, None)
        try:
            return self._direct.from_object(record)
        except MissingKey as error:
            raise MissingKeyProperty(error.message, error.hint) from error

    def _tried(self, function: Callable[..., Result], *arguments: Any) -> Result | None:
        """Call a function; a dry run notes a record that cannot be written, and goes on."""
        try:
            return function(*arguments)
        except DataError as error:
            if not self._target.settings.dry_run:
                raise
            self._target.refusals.add(error)
            return None

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002
        """Hand a record to the table's writer.

        Args:
            record: The record.
            context: Not used.
        """
        self.hand_over(self.make(record, {}))

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002
        """Return when DynamoDB has acknowledged every record handed over so far.

        Args:
            context: Not used.
        """
        assert self._destination
        self._destination.writer.flush()
