"""The SDK's frame of a stream that is written: one sink for each SCHEMA of a stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, cast

from singer_sdk.exceptions import (
    InvalidRecord,
    MissingKeyPropertiesError,
    RecordsWithoutSchemaException,
)
from singer_sdk.sinks import Sink

from dynamodb_core.errors import DataError
from target_dynamodb.encode import SDC_PROPERTIES, MissingKey
from target_dynamodb.keys import Stream, remarks
from target_dynamodb.loader import Way
from target_dynamodb.loading import Direct
from target_dynamodb.mapping import named
from target_dynamodb.stream_options import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import msgspec
    from singer_sdk.target_base import Target

    from target_dynamodb.destinations import Destination
    from target_dynamodb.encode import Write
    from target_dynamodb.source import Source
    from target_dynamodb.target import TargetDynamoDB
    from target_dynamodb.versions import Versions


Result = TypeVar("Result")


class RecordBeforeSchema(DataError, RecordsWithoutSchemaException):
    """Records came before its SCHEMA: our error and the SDK's at once."""


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
        self._versions: Versions | None = None
        self._uncounted = 0
        self._distinct = False

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
        return not (
            self._validator
            or self.include_sdc_metadata_properties
            or self.batch_size_rows
            or self._versions
        )

    @property
    def way(self) -> Way:
        """How its records become writes, the same object as long as that does not change."""
        assert self._way
        return self._way

    @property
    def distinct(self) -> bool:
        """Whether records of other key properties are other items, whatever the options make of them."""
        return self._distinct

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
        options = StreamOptions()
        if source is None or not source.as_written:
            options = StreamOptions.of(self._target.settings, self.stream_name)
        stream = Stream(self.stream_name, self.key_properties, properties, source, options)
        self._destination = self._target.destinations.open(stream)
        self._versions = self._target.destinations.versions(self.stream_name)
        self._way = Way(
            self.stream_name,
            properties,
            self._destination.table,
            source,
            self.include_sdc_metadata_properties and not (source and source.as_written),
            mode=self._destination.mode,
            key_properties=tuple(self.key_properties),
            options=options,
        )
        key = self._destination.table.key
        for remark in remarks(stream, key):
            self.logger.warning("%s", remark)
        self._distinct = stream.tells_apart(key)
        self._direct = Direct(self._way.encoder(), self._destination.writer)

    def road(self) -> Callable[[msgspec.Raw], None]:
        """Return what takes a record's JSON to the table by the shortest way.

        Raises:
            DataError: (by what is returned) The record cannot be written, and nothing takes such.
            Error: (by what is returned) An earlier write failed for good.
        """
        assert self._direct
        if self._target.settings.dry_run:
            return lambda record: self.hand_over(self.from_json(record))
        encode = self._direct.encoder.encode_json
        put = self._direct.writer.put
        delete = self._direct.writer.delete
        reject = self._target.reject

        def take(record: msgspec.Raw) -> None:
            try:
                identity, body, deleted = encode(record)
            except DataError as error:
                reject(self.stream_name, _of_the_sdk(error))
                return
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
                    f"Stream {self.stream_name}: {named(record, self.key_properties)} does not fit "
                    f"its SCHEMA: {error.error_message}",
                    "Correct the tap's SCHEMA, or turn validate_records off",
                ) from error
        if self.way.metadata:
            self._add_sdc_metadata_to_record(record, message, {})
            for name in SDC_PROPERTIES:
                if record.get(name) is None:
                    record.pop(name, None)
        try:
            write = self._direct.from_object(record)
        except MissingKey as error:
            raise _of_the_sdk(error) from error
        return write if self._versions is None else self._versions.mark(write, message)

    def _tried(self, function: Callable[..., Result], *arguments: Any) -> Result | None:
        """Call a function; a dry run notes a record that cannot be written, and goes on."""
        try:
            return function(*arguments)
        except DataError as error:
            if not self._target.settings.dry_run:
                raise
            self._target.refusals.add(error)
            return None

    def activate_version(self, new_version: Any) -> None:
        """Delete the items that older versions of the stream have left, where that is asked for.

        Args:
            new_version: The version that is complete; all of it is acknowledged.

        Raises:
            ConfigError: Records came without a version.
            Error: A call failed.
            Stopped: The run is to end, and items may be left.
        """
        if self._versions is None:
            return
        older = self._versions.older_than(new_version)
        rejects = self._target.rejects
        if older is None:
            self.logger.warning(
                "ACTIVATE_VERSION of stream %s: no record of version %s has come, so that older items "
                "stay",
                self.stream_name,
                new_version,
            )
        elif rejects is not None and rejects.count:
            self.logger.warning(
                "ACTIVATE_VERSION of stream %s: records could not be written, and the older items "
                "that they were to replace are not to be told from others, so that all of them stay",
                self.stream_name,
            )
        elif not self._target.settings.dry_run:
            self._target.destinations.remove(self.table, self.stream_name, new_version, older)

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


def _of_the_sdk(error: DataError) -> DataError:
    """Return an error of ours as one of the SDK's as well, where it has one."""
    if isinstance(error, MissingKey):
        return MissingKeyProperty(error.message, error.hint)
    return error
