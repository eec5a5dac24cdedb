"""The SDK's frame of the target: messages in, STATE out, and an orderly end."""

from __future__ import annotations

import contextlib
import time
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import (
    ConfigValidationError,
    RecordsWithoutSchemaException,
    SingerSDKError,
)
from singer_sdk.helpers.capabilities import PluginCapabilities, TargetCapabilities
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib.exceptions import SingerError
from singer_sdk.singerlib.json import serialize_json
from singer_sdk.target_base import Target

from dynamodb_core.errors import ConfigError, DataError, Error
from dynamodb_core.progress import Progress
from dynamodb_core.settings import discreet
from target_dynamodb import mapping, output
from target_dynamodb.destinations import Destinations
from target_dynamodb.ending import DRAIN_SECONDS, Ending
from target_dynamodb.reader import MessageReader, parts
from target_dynamodb.settings import CONFIG_SCHEMA, Settings
from target_dynamodb.sinks import DynamoDBSink
from target_dynamodb.source import Source

if TYPE_CHECKING:
    from types import FrameType

    import click
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput
    from singer_sdk.singerlib.encoding.base import GenericSingerReader

    from dynamodb_core.wire import Wire

STATE_SECONDS = 2.0
"""How long a STATE may wait before everything that it speaks of is drained and it is handed on."""

LOOK_SECONDS = 1.0
"""Between two looks at the clock's duties while messages come in."""


class RecordBeforeSchema(DataError, RecordsWithoutSchemaException):
    """A RECORD came before its SCHEMA: our error and the SDK's at once."""


class TargetDynamoDB(Target):
    """Singer target that writes the records of any tap into DynamoDB tables."""

    name = "target-dynamodb"
    package_name = "ferry-target-dynamodb"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_SCHEMA
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.VALIDATE_RECORDS,
    ]
    default_sink_class = DynamoDBSink
    message_reader_class = MessageReader
    message_reader: MessageReader

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
        setup_mapper: bool = True,
        message_reader: GenericSingerReader[Any] | None = None,
    ) -> None:
        self._ending = Ending(self.name, self._stop_reading)
        super().__init__(
            config=config,
            parse_env_config=parse_env_config,
            validate_config=validate_config,
            setup_mapper=setup_mapper,
            message_reader=message_reader,
        )
        self.max_parallelism = 1  # the writers have their own threads
        self.settings = Settings.from_config(self.config)
        self.progress = Progress("Written")
        self._sources: dict[str, Source | None] = {}
        self._schemas: dict[str, str] = {}
        self._versions_ignored: set[str] = set()
        self._throttles = 0
        self._state_due: float | None = None
        self._printed_state: dict[str, Any] | None = None
        self.message_reader.on_alarm = self._look
        self.message_reader.on_idle = self._settle_and_look

    @cached_property
    def wire(self) -> Wire:
        """What carries the calls to DynamoDB."""
        from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

        return BotoWire(self.settings.aws, connections=4 * self.settings.write_workers)

    @cached_property
    def destinations(self) -> Destinations:
        """The tables that are written."""
        return Destinations(self.settings, self.wire, progress=self.progress, log=self.logger)

    # From the command line to the last acknowledgement

    @classmethod
    def invoke(  # type: ignore[override] # as the SDK's own
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Run the target, as the command line says.

        Args:
            about: Only print what there is to know about the target.
            about_format: `json` or `markdown`.
            config: The configuration.
            file_input: Where the messages are; standard input when None.
        """
        if about:
            super().invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        target = cls(
            config=config.config if config else {},
            parse_env_config=config.parse_env if config else False,
        )
        target.load(file_input)

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the configuration files.

        Args:
            ctx: The command's context.
            param: The option.
            value: Paths, or `ENV`.

        Raises:
            ConfigError: A file is missing or is no JSON object.
        """
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"The configuration {', '.join(value)} cannot be read: {error}".rstrip(". "),
                "--config takes the path of a JSON file, or ENV",
            ) from error

    def load(self, file_input: IO[str] | None = None) -> None:
        """Read messages to the end of the input, and write them.

        After bad input, what came before it is still written and its STATE handed on.

        Args:
            file_input: Where the messages are; standard input when None.

        Raises:
            Error: Something failed; all STATE that was handed on is true.
            SystemExit: A signal ended the run, with 128 and its number.
        """
        self._ending.begin()
        self._set_alarm()
        try:
            self.listen(file_input)
        except (Error, SingerSDKError, SingerError):
            with contextlib.suppress(Error):  # the first error is the one to tell
                self._settle()
            raise
        finally:
            if "destinations" in self.__dict__:
                self.destinations.close()

    def process_endofpipe(self) -> None:
        """Drain, hand on the last STATE, and say what was done.

        Raises:
            SystemExit: A signal ended the run, with 128 and its number.
        """
        stopped_by = self._ending.signal_name
        if stopped_by:
            self.logger.warning(
                "%s: reading has ended; waiting up to %.0f s for DynamoDB to acknowledge the rest",
                stopped_by,
                DRAIN_SECONDS,
            )
        try:
            super().process_endofpipe()
        except Error as error:
            if not stopped_by:
                raise
            self.logger.error("%s", error)  # noqa: TRY400 - a line, not a traceback
        self._count_throttles()
        self.logger.info("%s", self.progress.summary())
        self._ending.leave()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop reading; the SDK's own handler would drain in the middle of a write."""
        self._ending.take(signum)

    def _stop_reading(self) -> None:
        self.message_reader.stop()

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        try:
            return super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            raise ConfigError(
                f"The configuration is not valid: {'; '.join(map(discreet, error.errors))}",
                "target-dynamodb --about shows every setting",
            ) from error

    # Messages

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        """Take a SCHEMA message.

        Before a changed one everything is drained: writes of one key keep their order, and the
        sink of the old one is finished.
        """
        stream, schema = parts(message_dict, "SCHEMA", "stream", "schema")
        if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
            raise DataError(f"The SCHEMA of stream {stream} has no properties", "Look at the tap")
        keys = message_dict.get("key_properties") or []
        if not isinstance(keys, list) or not all(isinstance(name, str) for name in keys):
            raise DataError(f"The key properties of stream {stream} are no list of names")
        said = serialize_json([schema, keys])
        if self._schemas.get(stream) == said:
            return
        if stream in self._schemas:
            self._settle()
        source = self._sources[stream] = Source.from_schema(stream, schema)
        super()._process_schema_message(message_dict)
        self._schemas[stream] = said
        for retired in self._sinks_to_clear:
            retired.clean_up()
        self._sinks_to_clear.clear()
        for stream_map in self.mapper.stream_maps[stream]:
            if not isinstance(stream_map, RemoveRecordTransform):
                self._sink(stream_map.stream_alias).open(source)
        self._lay_road(stream)

    def _lay_road(self, stream: str) -> None:
        """Let the reader hand records straight to their sink, where nothing asks for the SDK."""
        self.message_reader.roads.pop(stream, None)
        stream_map, *others = self.mapper.stream_maps[stream]
        sink = self._sink(stream_map.stream_alias)
        identity = type(stream_map) is SameRecordTransform and not stream_map.flattening_enabled
        if identity and sink.direct and not others:
            self.message_reader.roads[stream] = sink.road()

    def _sink(self, stream: str) -> DynamoDBSink:
        sink = self._sinks_active[stream]
        assert isinstance(sink, DynamoDBSink)
        return sink

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Take a RECORD message through its stream maps."""
        stream, record = parts(message_dict, "RECORD", "stream", "record")
        if stream not in self._schemas:
            raise RecordBeforeSchema(
                f"A RECORD of stream {stream} came before its SCHEMA",
                "The tap must send a SCHEMA first; look at its output",
            )
        if not isinstance(record, dict):
            raise DataError(f"A RECORD of stream {stream} is no JSON object", "Look at the tap")
        source = self._sources[stream]
        reserved = source.reserved if source else None
        for stream_map in self.mapper.stream_maps[stream]:
            transformed = mapping.through(stream_map, stream, record, reserved)
            if transformed is None:
                continue
            sink = self._sink(stream_map.stream_alias)
            sink.take(transformed, message_dict)
            if sink.batch_size_rows and sink.is_full:
                self.drain_one(sink)

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Take a STATE message; it is handed on within seconds, and when it is true."""
        parts(message_dict, "STATE", "value")
        super()._process_state_message(message_dict)
        if self._state_due is None:
            self._state_due = time.monotonic() + STATE_SECONDS
            self._set_alarm()

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Drain at an ACTIVATE_VERSION message, and leave older items as they are."""
        (stream,) = parts(message_dict, "ACTIVATE_VERSION", "stream")
        self._settle()
        if stream not in self._versions_ignored:
            self._versions_ignored.add(stream)
            self.logger.info(
                "ACTIVATE_VERSION of stream %s: items that the tap no longer sends stay", stream
            )

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        """Refuse a BATCH message."""
        (stream,) = parts(message_dict, "BATCH", "stream")
        raise ConfigError(
            f"Stream {stream} comes in BATCH messages, which this target does not read",
            "Remove batch_config from the tap's configuration",
        )

    # Acknowledgements and STATE

    def _write_state_message(self, state: dict[str, Any]) -> None:
        """Hand on a STATE, each once, with its numbers as they came."""
        if self._latest_state is self._printed_state:
            return
        output.write_line(serialize_json(state))
        self._printed_state = self._latest_state

    def _settle(self) -> None:
        """Wait until everything read so far is acknowledged; hand on the STATE."""
        self._state_due = None
        self.drain_all()
        self._set_alarm()

    def _settle_and_look(self) -> None:
        """Settle while the input is silent."""
        if self._state_due is not None or any(s.current_size for s in self._sinks_active.values()):
            self._settle()
        self._say_progress()

    def _look(self) -> None:
        """Do what the clock asks for, while messages come in."""
        if self._state_due is not None and self._state_due <= time.monotonic():
            self._settle()
        self._say_progress()
        self._set_alarm()

    def _set_alarm(self) -> None:
        next_look = time.monotonic() + LOOK_SECONDS
        due = next_look if self._state_due is None else min(next_look, self._state_due)
        self.message_reader.alarm = due

    def _say_progress(self) -> None:
        if self.progress.due():
            self._count_throttles()
            self.logger.info("%s", self.progress.line())

    def _count_throttles(self) -> None:
        if "wire" in self.__dict__:
            seen = self.wire.throttles
            self.progress.add(throttles=seen - self._throttles)
            self._throttles = seen


def command() -> None:
    """Run the command line.

    Raises:
        Error: Something failed that the user can do something about.
        SystemExit: The command ended by itself.
    """
    try:
        TargetDynamoDB.cli()
    except (SingerSDKError, SingerError) as error:
        raise Error(" ".join(str(error).split()).rstrip(".") or type(error).__name__) from error
