"""The SDK's frame of the target: messages in, STATE out, and an orderly end."""

from __future__ import annotations

import contextlib
import time
from functools import cached_property, partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import SingerSDKError
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib.exceptions import SingerError
from singer_sdk.singerlib.json import serialize_json

from dynamodb_core.errors import DataError, Error
from dynamodb_core.progress import Progress
from target_dynamodb import letters, output
from target_dynamodb.batch import Batch
from target_dynamodb.command import CommandTarget
from target_dynamodb.course import Course, Leg
from target_dynamodb.destinations import Destinations
from target_dynamodb.duties import Duties
from target_dynamodb.ending import DRAIN_SECONDS, Ending
from target_dynamodb.files import Files
from target_dynamodb.loading import Stopped
from target_dynamodb.maps import Mapper
from target_dynamodb.reader import MessageReader, parts
from target_dynamodb.rehearsal import Refusals
from target_dynamodb.rejects import Rejects
from target_dynamodb.settings import CONFIG_SCHEMA, Settings
from target_dynamodb.sinks import DynamoDBSink, RecordBeforeSchema
from target_dynamodb.source import Source, check_schema
from target_dynamodb.states import States
from target_dynamodb.stream_options import in_vain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import FrameType

    from singer_sdk.singerlib.encoding.base import GenericSingerReader

    from dynamodb_core.wire import Wire


class TargetDynamoDB(CommandTarget):
    """Singer target that writes the records of any tap into DynamoDB tables."""

    name = "target-dynamodb"
    package_name = "ferry-target-dynamodb"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_SCHEMA
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
        self.progress = Progress("Dry run" if self.settings.dry_run else "Written")
        self._schemas: dict[str, str] = {}
        self._courses: dict[str, Course] = {}
        self._versions_ignored: set[str] = set()
        self.refusals = Refusals(self.logger)
        self.rejects = Rejects.of(self.settings, self.logger)
        self._states = States()
        self._printed_state: dict[str, Any] | None = None
        self._duties = Duties(self.message_reader, drain=self._drain, look=self._look)
        self.message_reader.on_alarm = self._duties.look
        self.message_reader.on_idle = lambda: self._duties.idle(unsettled=self._unsettled())

    @cached_property
    def wire(self) -> Wire:
        """What carries the calls to DynamoDB."""
        from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

        return BotoWire(self.settings.aws, connections=4 * self.settings.write_workers)

    @cached_property
    def destinations(self) -> Destinations:
        """The tables that are written."""
        return Destinations(
            self.settings,
            self.wire,
            progress=self.progress,
            log=self.logger,
            stopped=self._stopped,
            rejects=self.rejects,
        )

    @cached_property
    def files(self) -> Files:
        """The files of BATCH messages."""
        return Files.of(
            self.settings,
            self.destinations,
            self._states,
            progress=self.progress,
            stopped=self._stopped,
            loaded=self._count_loaded,
            rejects=self.rejects,
        )

    def setup_mapper(self) -> None:
        """Make what will make the stream maps."""
        self.mapper = Mapper(dict(self.config), self.logger)

    # From the command line to the last acknowledgement

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
        self._duties.begin()
        try:
            if self.rejects is not None:
                self.rejects.open()
            self.listen(file_input)
        except (Error, SingerSDKError, SingerError):
            with contextlib.suppress(Error):  # the first error is the one to tell
                self._settle()
            raise
        finally:
            if "files" in self.__dict__:
                self.files.close()
            if "destinations" in self.__dict__:
                self.destinations.close()
            if self.rejects is not None:
                self.rejects.close()

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
            self._finish_files()
            if "destinations" in self.__dict__:
                self.destinations.load_staged(self._stopped)
            super().process_endofpipe()
        except Error as error:
            if not stopped_by:
                raise
            self.logger.error("%s", error)  # noqa: TRY400 - a line, not a traceback
        self.logger.info("%s", self.progress.summary())
        streams = {sink.stream_name for course in self._courses.values() for sink in course.sinks}
        for name in in_vain(self.settings, streams) if streams and not stopped_by else ():
            self.logger.warning("%s fits no stream of this run", name)
        if self.settings.dry_run:
            self.refusals.conclude(self.progress, self.settings.prices)
        if "destinations" in self.__dict__:
            self.destinations.finish(lambda: self._ending.signal_name)
        self._ending.leave()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop reading; the SDK's own handler would drain in the middle of a write."""
        self._ending.take(signum)

    def _stop_reading(self) -> None:
        self.message_reader.stop()

    # Messages

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        """Take a SCHEMA message.

        Before a changed one everything is drained: writes of one key keep their order, and the
        sink of the old one is finished.
        """
        stream, schema = parts(message_dict, "SCHEMA", "stream", "schema")
        keys = message_dict.get("key_properties") or []
        check_schema(stream, schema, keys)
        said = serialize_json([schema, keys])
        if self._schemas.get(stream) == said:
            return
        if stream in self._schemas:
            self._settle()
        source = Source.from_schema(stream, schema)
        if self.rejects is not None:
            self.rejects.schema(stream, serialize_json({"type": "SCHEMA", **message_dict}))
        super()._process_schema_message(message_dict)
        self._schemas[stream] = said
        for retired in self._sinks_to_clear:
            retired.clean_up()
        self._sinks_to_clear.clear()
        self._courses[stream] = self._open_course(stream, source, schema["properties"])
        self._lay_road(stream)

    def _open_course(self, stream: str, source: Source | None, properties: Any) -> Course:
        legs = []
        for stream_map in self.mapper.stream_maps[stream]:
            if not isinstance(stream_map, RemoveRecordTransform):
                sink = self._sinks_active[stream_map.stream_alias]
                assert isinstance(sink, DynamoDBSink)
                with self._leaving_when_stopped():
                    sink.open(source)
                legs.append(Leg(stream_map, sink))
        as_they_are = all(
            type(stream_map) is SameRecordTransform and not stream_map.flattening_enabled
            for stream_map in self.mapper.stream_maps[stream]
        )
        return Course(
            stream, source, properties, legs, as_they_are=as_they_are, drain=self.drain_one
        )

    def _lay_road(self, stream: str) -> None:
        """Let the reader hand records straight to their sink, where nothing asks for the SDK."""
        self.message_reader.roads.pop(stream, None)
        direct = self._courses[stream].direct
        if direct is not None:
            self.message_reader.roads[stream] = direct.road()

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Take a RECORD message through its stream maps."""
        stream, record = parts(message_dict, "RECORD", "stream", "record")
        course = self._course(stream, "RECORD")
        if not isinstance(record, dict):
            raise DataError(f"A RECORD of stream {stream} is no JSON object", "Look at the tap")
        if self._states.waiting:
            self.files.wait_for(course.tables)
            self._lay_road(stream)
        try:
            made = course.make(message_dict, record)
        except DataError as error:
            self.reject(stream, error)
        else:
            course.hand_over(made)

    def reject(self, stream: str, error: DataError) -> None:
        """Note the record that was read last as one that cannot be written, where such are noted.

        Args:
            stream: Its stream.
            error: Why it cannot be written.

        Raises:
            DataError: They are not; it is the same.
            Error: There are too many of them, or it cannot be noted.
        """
        if self.rejects is None:
            raise error
        line = letters.from_line(self.message_reader.line, error.message)
        self.rejects.add(stream, line, error)

    def _course(self, stream: str, kind: str) -> Course:
        if stream not in self._courses:
            raise RecordBeforeSchema(
                f"A {kind} of stream {stream} came before its SCHEMA",
                "The tap must send a SCHEMA first; look at its output",
            )
        return self._courses[stream]

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Take a STATE message; it is handed on within seconds, and when it is true."""
        parts(message_dict, "STATE", "value")
        self._states.add(message_dict["value"])
        self._advance()
        if self._printed_state is None and not (self._states.waiting or self._unsettled()):
            self._drain()  # what is killed later has told from where on to read, before any record

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Drain at an ACTIVATE_VERSION message; older items stay unless hard_delete is set."""
        (stream,) = parts(message_dict, "ACTIVATE_VERSION", "stream")
        self._settle()
        if self.settings.writes.hard_delete:
            for sink in self._course(stream, "ACTIVATE_VERSION").sinks:
                with self._leaving_when_stopped():
                    sink.activate_version(message_dict.get("version"))
        elif stream not in self._versions_ignored:
            self._versions_ignored.add(stream)
            self.logger.info(
                "ACTIVATE_VERSION of stream %s: items that the tap no longer sends stay", stream
            )

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        """Load the files of a BATCH message, or let worker processes do so."""
        parts(message_dict, "BATCH", "stream", "encoding", "manifest")
        course = self._course(message_dict["stream"], "BATCH")
        batch = Batch.from_message(message_dict, course.json_columns)
        direct, flush = course.direct, partial(self._flush, course.tables)
        # Without keys of its own the stream has those of the table, which need not be distinct.
        if (
            direct
            and direct.distinct
            and batch.distinct_keys
            and self.destinations.shares(direct.table)
        ):
            for stream, each in self._courses.items():
                if each.tables & course.tables:  # its records wait for the files
                    self.message_reader.roads.pop(stream, None)
            self.files.load_beside(batch, direct.way, flush)
        else:
            self._drain()
            self.files.load_here(batch, course.road(message_dict), course.tables, flush)

    def _flush(self, tables: Collection[str]) -> None:
        """Return when what this process has written to some tables is acknowledged."""
        for sink in self._sinks_active.values():
            if isinstance(sink, DynamoDBSink) and sink.table in tables:
                self.drain_one(sink)

    def _count_loaded(self, stream: str, records: int) -> None:
        """Count the records of an acknowledged file, after which a STATE may have become true."""
        for sink in self._courses[stream].sinks:
            sink.count(records)
        self._advance()

    # Acknowledgements and STATE

    def _write_state_message(self, state: dict[str, Any]) -> None:
        """Hand on a STATE, each once, with its numbers as they came; none of a dry run.

        All tables are flushed first, also those of a sink that another one has replaced.
        """
        true = "destinations" not in self.__dict__ or self.destinations.flush()
        if self.rejects is not None:
            self.rejects.sync()
        if not true or self._latest_state is self._printed_state or self.settings.dry_run:
            return
        output.write_line(serialize_json(state))
        self._printed_state = self._latest_state

    def _advance(self) -> None:
        """Go on to the newest STATE before which no file waits."""
        state = self._states.take()
        if state is not None:
            super()._process_state_message({"value": state})
            self._duties.state_came()

    def _settle(self) -> None:
        """Wait until everything read so far is acknowledged; hand on the STATE."""
        self._finish_files()
        self._drain()

    def _finish_files(self) -> None:
        if "files" in self.__dict__:
            self.files.finish()

    def _drain(self) -> None:
        """Wait for what this process has written; hand on the newest STATE that is true."""
        self.drain_all()
        self._duties.drained()

    def _unsettled(self) -> bool:
        return any(sink.current_size for sink in self._sinks_active.values())

    def _stopped(self) -> bool:
        """Do what the clock asks for, in the middle of a file; return whether the run is to end."""
        if time.monotonic() >= self.message_reader.alarm:
            self._duties.look()
        return bool(self._ending.signal_name)

    @contextlib.contextmanager
    def _leaving_when_stopped(self) -> Iterator[None]:
        """Leave the process where a signal has ended the deletion of items."""
        try:
            yield
        except Stopped:
            self.process_endofpipe()

    def _look(self) -> None:
        if "files" in self.__dict__:
            self.files.poll()
        if "destinations" in self.__dict__:
            self.destinations.look_at_capacity()
        if self.progress.due():
            self.logger.info("%s", self.progress.line())
