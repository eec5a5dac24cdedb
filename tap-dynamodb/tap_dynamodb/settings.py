"""The tap's settings, for the whole run and as they are for one table."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError
from dynamodb_core.rates import Asked
from dynamodb_core.settings import AwsSettings
from dynamodb_core.warm_up import WarmUp
from tap_dynamodb.batch import PENDING_BYTES, Batching
from tap_dynamodb.exporting import Exporting
from tap_dynamodb.following import Following
from tap_dynamodb.foreign import refuse_foreign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.layouts import Binary, Decimals


_PACE = ("read_capacity", "read_capacity_percent")

UNKNOWN_TO_EXPORTS = (
    *("filter", "query", "index", "replication_key", "consistent_read"),
    *("segments", "segment_range", "warm_up"),
)
"""Settings that say how DynamoDB is to read a table."""


@dataclass(frozen=True)
class Settings:
    """The tap's configuration. Each attribute is the setting of its name.

    Those after `table_options` can be set by it alone, and so for one table only.
    """

    aws: AwsSettings
    tables: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()
    stream_names: Mapping[str, str] = field(default_factory=dict)
    item_format: str = "plain"
    item_field: str = "item"
    type_tags: bool = True
    reserved_field: str = "_dynamodb"
    max_attributes: int = 1000
    sample_size: int = 1000
    segments: int | None = None
    segment_range: tuple[int, int] | None = None
    source: str = "scan"
    export: Mapping[str, Any] | None = None
    replication_method: str | None = None
    changes: Mapping[str, Any] | None = None
    scan_workers: int | None = None
    processes: int | None = None
    read_capacity: int | None = None
    read_capacity_percent: int | None = None
    consistent_read: bool = False
    warm_up: Mapping[str, Any] | None = None
    describe_ttl_and_tags: bool = True
    skip_expired: bool = False
    decimals: Decimals = "number"
    binary_encoding: Binary = "base64"
    start_date: str | None = None
    replication_lookback_seconds: int = 300
    max_cost: float | None = None
    prices: Mapping[str, float] | None = None
    batch_config: Mapping[str, Any] | None = None
    batch_pending_bytes: int = PENDING_BYTES
    table_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    schema: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    index: str | None = None
    query: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    filter: Mapping[str, Any] | None = None
    entities: Sequence[Mapping[str, Any]] = ()
    replication_key: str | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Read a configuration that fits `CONFIG_JSONSCHEMA`.

        Args:
            config: The plugin's configuration; settings of the SDK are ignored.

        Returns:
            The settings; null and empty count as left out.

        Raises:
            ConfigError: Two settings contradict each other, or one cannot be honoured; or one is
                another tap's.
        """
        refuse_foreign(config)
        given = _given(config)
        for name in ("tables", "exclude_tables"):
            given[name] = tuple(given.get(name, ()))
        settings = cls(aws=AwsSettings.from_config(config), **given)
        _ = settings.batching
        each = [replace(settings, **_options(given)) for given in settings.table_options.values()]
        if config.get("emit_activate_version_messages") and any(
            one.segment_range for one in (settings, *each)
        ):
            raise ConfigError(
                "segment_range and emit_activate_version_messages are both set: a target would remove "
                "the rows that other machines bring",
                "Take emit_activate_version_messages away",
            )
        return settings

    def for_table(self, name: str, arn: str = "") -> Settings:
        """Return the settings as they are for one table.

        Args:
            name: The table's name.
            arn: Its ARN.

        Returns:
            These settings, with what `table_options` says of the table: first the patterns that
            match its name, in their order, then its name and its ARN.
        """
        options: dict[str, Any] = {}
        for pattern, given in self.table_options.items():
            if pattern != name and fnmatchcase(name, pattern):
                options |= _options(given)
        for own in (name, arn):
            options |= _options(self.table_options.get(own, {}))
        return replace(self, **options) if options else self

    @property
    def pace(self) -> Asked:
        """What they ask of a table's read capacity."""
        return Asked("read", self.read_capacity, self.read_capacity_percent)

    @property
    def batching(self) -> Batching | None:
        """How records are written to files; None where they go out as messages.

        Raises:
            ConfigError: What `batch_config` asks for cannot be had.
        """
        return Batching.of(self.batch_config, self.batch_pending_bytes)

    @property
    def exporting(self) -> Exporting | None:
        """What is read of exports; None where tables are scanned.

        Raises:
            ConfigError: The setting `export` contradicts itself.
        """
        return Exporting.of(self.export) if self.source == "export" else None

    @property
    def following(self) -> Following:
        """How the table's changes are read, where that is asked for.

        Raises:
            ConfigError: The setting `changes` contradicts itself.
        """
        return Following.of(self.changes)

    @property
    def method(self) -> str | None:
        """The replication method that they ask for; None where they leave it open."""
        return self.replication_method or ("INCREMENTAL" if self.replication_key else None)

    @property
    def triggers(self) -> bool:
        """Whether exports are made, and not only read."""
        return self.exporting is not None and self.exporting.trigger is not None

    @property
    def asks_for_windows(self) -> bool:
        """Whether exports of changes are made."""
        return self.exporting is not None and self.exporting.trigger == "incremental"

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.exporting is not None:
            self._refuse_what_exports_cannot()
        if self.item_field == self.reserved_field:
            raise ConfigError(
                f"item_field and reserved_field are both {self.item_field}",
                "Give them different names",
            )
        _ = self.pace, WarmUp.of(self.warm_up), self.following
        if self.segment_range is None:
            return
        if self.query is not None:
            raise ConfigError(
                "segment_range and query are both set, but a query has partitions and no segments",
                "Share out the partitions: give each machine a query of its own",
            )
        first, last = self.segment_range
        if self.segments is None:
            raise ConfigError(
                "segment_range is set, but segments is not",
                "Set segments to the same number on every machine that shares the scan",
            )
        if not first <= last < self.segments:
            raise ConfigError(
                f"segment_range {first}-{last} is no range of {self.segments} segments",
                f"Segments are counted from 0 to {self.segments - 1}",
            )

    def _refuse_what_exports_cannot(self) -> None:
        """Refuse what only DynamoDB itself can do."""
        for name in UNKNOWN_TO_EXPORTS:
            if getattr(self, name):
                raise ConfigError(
                    f"{name} is set, and source is export: an export is read whole, from files",
                    f"Take {name} away; entities, stream_maps and selected attributes work on exports",
                )


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given for a table; null takes back what is set for all."""
    defaults = {each.name: each.default for each in fields(Settings) if each.name in config}
    given = _given(config)
    if given.keys() & _PACE:  # the one that is said of a table goes before the other
        given = dict.fromkeys(_PACE) | given
    return {n: defaults[n] for n, value in config.items() if value is None} | given


def _given(config: Mapping[str, Any]) -> dict[str, Any]:
    names = [field.name for field in fields(Settings) if field.name != "aws"]
    given = {name: config[name] for name in names if config.get(name) not in (None, "")}
    if "segment_range" in given:
        first, _, last = given["segment_range"].partition("-")
        given["segment_range"] = (int(first), int(last))
    if "max_cost" in given:
        given["max_cost"] = float(given["max_cost"])
    return given
