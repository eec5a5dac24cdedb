"""The SDK's frame of a stream that is written: one sink for each SCHEMA of a stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from singer_sdk.exceptions import InvalidRecord, MissingKeyPropertiesError
from singer_sdk.sinks import Sink

from dynamodb_core.errors import DataError
from target_dynamodb.destinations import Stream
from target_dynamodb.encode import SDC_PROPERTIES, Encoder, MissingKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import msgspec
    from singer_sdk.target_base import Target

    from target_dynamodb.destinations import Destination
    from target_dynamodb.source import Source
    from target_dynamodb.target import TargetDynamoDB


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
        self._encoder: Encoder | None = None
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
        self._encoder = Encoder(
            self.stream_name,
            properties,
            key=self._destination.table.key,
            source=source,
            metadata=self.include_sdc_metadata_properties,
        )

    def road(self) -> Callable[[msgspec.Raw], None]:
        """Return what takes a record's JSON to the table by the shortest way.

        Raises:
            DataError: (by what is returned) The record cannot be written.
            Error: (by what is returned) An earlier write failed for good.
        """
        assert self._encoder
        assert self._destination
        encode = self._encoder.encode_json
        put = self._destination.writer.put
        delete = self._destination.writer.delete

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

    def take(self, record: dict[str, Any], message: dict[str, Any]) -> None:
        """Take a record that went through the SDK's stream maps.

        Args:
            record: The record, which may be changed here.
            message: The RECORD message it came with.

        Raises:
            DataError: The record cannot be written.
            Error: An earlier write failed for good.
        """
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
        self.process_record(record, {})
        self._uncounted += 1

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002
        """Hand a record to the table's writer.

        Args:
            record: The record.
            context: Not used.
        """
        assert self._encoder
        assert self._destination
        try:
            identity, body, deleted = self._encoder.encode(record)
        except MissingKey as error:
            raise MissingKeyProperty(error.message, error.hint) from error
        if deleted:
            self._destination.writer.delete(identity, body)
        else:
            self._destination.writer.put(identity, body)

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002
        """Return when DynamoDB has acknowledged every record handed over so far.

        Args:
            context: Not used.
        """
        assert self._destination
        self._destination.writer.flush()
