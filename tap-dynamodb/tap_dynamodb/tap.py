"""The tap: config in, streams out."""

from __future__ import annotations

import copy
import time
from contextlib import contextmanager
from functools import cache, cached_property
from typing import IO, TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from dynamodb_core.errors import ConfigError, Error
from dynamodb_core.prices import Prices
from dynamodb_core.scan import choose_workers
from dynamodb_core.settings import discreet
from dynamodb_core.wire import BotoWire
from tap_dynamodb import discovery, naming, sampling, sources
from tap_dynamodb.arguments import checked
from tap_dynamodb.costs import Spending
from tap_dynamodb.emit import Emitter
from tap_dynamodb.foreign import unknown
from tap_dynamodb.maps import Mapper
from tap_dynamodb.outbox import Outbox
from tap_dynamodb.properties import CONFIG_JSONSCHEMA
from tap_dynamodb.reading import TableReading
from tap_dynamodb.settings import Settings
from tap_dynamodb.streams import DynamoDBStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import ClassVar

    import click
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput

    from dynamodb_core.wire import Wire
    from tap_dynamodb.sources import Source


class TapDynamoDB(Tap):
    """Reads Amazon DynamoDB tables by parallel scan, losslessly and within a given capacity."""

    name = "tap-dynamodb"
    package_name = "ferry-tap-dynamodb"
    dynamic_catalog = True
    config_jsonschema: ClassVar[dict[str, Any]] = copy.deepcopy(CONFIG_JSONSCHEMA)
    message_writer_class = Emitter
    clock = staticmethod(time.time)
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.ACTIVATE_VERSION,
        TapCapabilities.LOG_BASED,
        PluginCapabilities.ABOUT,
        PluginCapabilities.BATCH,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(self, *, catalog: Any = None, **arguments: Any) -> None:
        """Make the tap. The SDK discovers here, unless a catalog is given.

        Args:
            catalog: The input catalog. Given as a dictionary its annotations are kept, which the
                SDK's own classes drop.
            **arguments: As `singer_sdk.Tap` takes them.
        """
        self._raw_catalog: dict[str, Any] | None = catalog if isinstance(catalog, dict) else None
        self._signal: int | None = None
        self._streaming = 0
        # The SDK makes a tap that only discovers without stream maps.
        self._discovers = not arguments.get("setup_mapper", True)
        self._readings: dict[str, TableReading] = {}
        self._finished: list[TableReading] = []
        super().__init__(catalog=copy.deepcopy(catalog), **arguments)
        self.emitter.written = self._leave_when_asked

    def setup_mapper(self) -> None:
        """Make the stream maps of all streams."""
        _ = self.streams  # which add to a catalog's schemas what changes have beside items
        self.mapper = Mapper(dict(self.config), self.logger)
        self.mapper.register_raw_streams_from_catalog(self.catalog)

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

    @classmethod
    def invoke(  # type: ignore[override] # as the SDK's own
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap, as the command line says.

        Args:
            about: Only print what there is to know about the tap.
            about_format: `json` or `markdown`.
            config: The configuration.
            state: A file with the last STATE.
            catalog: A file with a catalog.

        Raises:
            ConfigError: The state or the catalog is no JSON object.
        """
        super().invoke(
            about=about,
            about_format=about_format,
            config=config,
            state=checked("--state", state),
            catalog=checked("--catalog", catalog),
        )

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        for line in unknown(self.config, self.config_jsonschema["properties"]):
            self.logger.warning("%s", line)
        try:
            return super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            raise ConfigError(
                f"The configuration is not valid: {'; '.join(map(discreet, error.errors))}",
                "tap-dynamodb --about shows every setting",
            ) from error

    @cached_property
    def settings(self) -> Settings:
        """The configuration."""
        return Settings.from_config(self.config)

    @cached_property
    def wire(self) -> Wire:
        """The one connection to DynamoDB."""
        workers = self.settings.scan_workers or choose_workers()
        return BotoWire(self.settings.aws, connections=max(workers, sources.DESCRIBE_WORKERS))

    @cache  # noqa: B019 - a tap lives as long as its process
    def wire_to(self, service: str) -> Wire:
        """Return what carries calls to a service of changes.

        Args:
            service: botocore's name of it: `dynamodbstreams` or `kinesis`.
        """
        return BotoWire(self.settings.aws, connections=choose_workers(), service=service)

    @cached_property
    def spending(self) -> Spending:
        """What the run may cost."""
        return Spending(self.settings.max_cost, Prices.of(self.settings.prices), self.logger)

    def require_affordable(self) -> None:
        """Refuse a run that would cost more than `max_cost`, before its first paid call."""
        self.spending.require(
            (reading.source.table, reading.settings, reading.share_left)
            for reading in self._readings.values()
            if any(stream.selected for stream in reading.streams)
        )

    @property
    def readings(self) -> list[TableReading]:
        """The reads of all tables of which something is selected."""
        found = self.streams.values()
        chosen = (s.reading for s in found if isinstance(s, DynamoDBStream) and s.selected)
        return list(dict.fromkeys(chosen))

    @property
    def emitter(self) -> Emitter:
        """The owner of stdout."""
        assert isinstance(self.message_writer, Emitter)
        return self.message_writer

    def wait(self, seconds: float) -> None:
        """Wait for seconds, unless the target goes before."""
        self.emitter.wait(seconds)

    @property
    def outbox(self) -> Outbox | None:
        """Where BATCH files are announced; None where records go out as messages."""
        limited = any(each.ABORT_AT_RECORD_COUNT is not None for each in self.streams.values())
        return None if limited else self._outbox

    @cached_property
    def _outbox(self) -> Outbox | None:
        batching = self.settings.batching
        return Outbox(batching, self.emitter, self.logger) if batching else None

    def discover_streams(self) -> Sequence[DynamoDBStream]:
        """Return a stream for each table; a catalog in hand stops all sampling."""
        if self._raw_catalog is not None:
            return [self._catalogued(entry) for entry in self._raw_catalog.get("streams", ())]
        settings = self.settings
        found = self._found
        tables = [source.table for source in found]
        if not self._discovers:
            self.require_choice([table.name for table in tables])
            self.spending.require(
                (table, settings.for_table(table.name, table.arn), 1.0) for table in tables
            )
        sources.warn_of_strangers(settings, tables)
        names = naming.stream_names(tables, settings)
        schemas = sampling.schemas(self.wire, found, names, settings, self.spending.purse)
        return [
            self._stream(name, schema, source.reference)
            for source, by_name in zip(found, schemas, strict=True)
            for name, schema in by_name.items()
        ]

    @cached_property
    def _found(self) -> list[Source]:
        """The tables that the configuration chooses."""
        settings = self.settings
        if self._reads_a_place:
            from tap_dynamodb import exported  # noqa: PLC0415 - seldom wanted

            return exported.find(lambda: self.wire, settings)
        found = sources.find(self.wire, settings)
        own = [settings.for_table(each.table.name, each.table.arn) for each in found]
        return [
            self.exported(each.reference) if its.source == "export" and not its.triggers else each
            for each, its in zip(found, own, strict=True)
        ]

    @property
    def _reads_a_place(self) -> bool:
        """Whether all tables are those whose exports lie at `export.location`."""
        return self.settings.source == "export" and not self.settings.triggers

    def exported(self, reference: str) -> Source:
        """Return a table as its exports tell of it.

        Args:
            reference: Its name or ARN.

        Raises:
            ConfigError: There is no export of it where the configuration says.
        """
        name = reference.rpartition("/")[2]
        if self._reads_a_place:
            for each in self._found:
                if each.table.name == name:
                    return each
        from tap_dynamodb import exported  # noqa: PLC0415 - seldom wanted

        settings = self.settings.for_table(name, reference)
        return exported.one(lambda: self.wire, settings, name)

    @property
    def catalog_dict(self) -> dict[str, Any]:
        """The catalog, with the annotations that the SDK's classes drop."""
        catalog: dict[str, Any] = super().catalog_dict
        for entry in catalog["streams"]:
            known = self.streams[entry["tap_stream_id"]].schema
            entry["schema"] = discovery.reattach(entry["schema"], known)
        return catalog

    def require_choice(self, names: list[str] | None = None) -> None:
        """Refuse to read every table of an account when the configuration chooses none.

        Args:
            names: The tables there are; left out, those of the streams.
        """
        if self._reads_a_place:
            return  # export.location is a choice
        if names is None:
            names = [
                stream.schema.get(discovery.TABLE, {}).get("name", stream.name)
                for stream in self.streams.values()
            ]
        sources.require_choice(self.settings, names)

    def ask_for_exports(self) -> None:
        """Ask for what is to be exported of all tables, before the wait for the first of them."""
        readings = self.readings
        for reading in readings:
            reading.check()  # what is wrong is said before anything is paid for
        for reading in readings:
            if reading.ask():
                self.state_writer.write_state(self.state)

    def finished(self, reading: TableReading) -> None:
        """Note that a table was read to its end.

        Until all are, a run that is started again skips those that are; afterwards the next run
        begins anew.

        Args:
            reading: The read of the table.
        """
        self._finished.append(reading)
        read = {stream.name for each in self._finished for stream in each.streams}
        if {name for name, each in self.streams.items() if each.selected} <= read:
            for each in self._finished:
                each.end()
            if self.outbox is not None:
                self.outbox.end()
            if not all(each.tells_deletions for each in self._finished):
                self._say_what_is_not_deleted()

    def _say_what_is_not_deleted(self) -> None:
        if self.config.get("emit_activate_version_messages"):
            self.logger.info(
                "Full reads began with ACTIVATE_VERSION: a target that knows it removes the rows "
                "that were not brought again"
            )
        else:
            self.logger.info(
                "Nothing was deleted downstream: what is no longer in DynamoDB stays there, unless "
                "emit_activate_version_messages is set and the target knows it"
            )

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Let a signal wait until a block is out, so that STATE is true."""
        self._streaming += 1
        try:
            yield
        finally:
            self._streaming -= 1

    def stop_when_asked(self, write_state: Callable[[], None]) -> None:
        """Leave the process when a signal has come.

        Args:
            write_state: Writes a STATE of all that is out.

        Raises:
            SystemExit: With 128 plus the signal's number, as a shell expects it.
        """
        if self._signal is None:
            return
        self.logger.info("Signal %d: stopping", self._signal)
        try:
            write_state()
        finally:
            raise SystemExit(128 + self._signal)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self._signal = signum  # and no log: in the middle of a line of it another cannot be begun
        if not self.emitter.writing:
            self._leave_when_asked()

    def _leave_when_asked(self) -> None:
        if self._signal is not None and not self._streaming:
            raise SystemExit(128 + self._signal)

    def _catalogued(self, entry: dict[str, Any]) -> DynamoDBStream:
        annotation = entry["schema"].get(discovery.TABLE, {})
        given = {table: name for name, table in self.settings.stream_names.items()}
        name = entry.get("stream") or entry["tap_stream_id"]
        sources.warn_of_another_choice(self.settings, name, annotation)
        reference = annotation.get("name") or given.get(name, name)
        if annotation.get("arn") in self.settings.tables:
            reference = annotation["arn"]
        return self._stream(name, entry["schema"], reference)

    def _stream(self, name: str, schema: dict[str, Any], reference: str) -> DynamoDBStream:
        reading = self._readings.setdefault(reference, TableReading(self, reference))
        return DynamoDBStream(self, name=name, schema=schema, reading=reading)


def command() -> None:
    """Run the command line.

    Raises:
        Error: Something failed that the user can do something about.
        SystemExit: The command ended by itself.
    """
    try:
        TapDynamoDB.cli()
    except SingerSDKError as error:
        raise Error(" ".join(str(error).split()).rstrip(".") or type(error).__name__) from error
