"""The settings of the target: declared once, here; `--about` and the docs come from this module."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_core import workers
from dynamodb_core.errors import ConfigError
from dynamodb_core.prices import COST_PROPERTIES, Prices
from dynamodb_core.rates import Asked
from dynamodb_core.settings import AWS_PROPERTIES, AwsSettings
from target_dynamodb import naming
from target_dynamodb.rejecting import REJECT_PROPERTIES, Rejecting
from target_dynamodb.staging import STAGING_PROPERTIES, StagingSettings
from target_dynamodb.stream_options import STREAM_PROPERTIES, for_all_streams
from target_dynamodb.table_settings import TABLE_PROPERTIES, TableSettings
from target_dynamodb.writes import WRITE_PROPERTIES, Writes

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_WORKERS = 64
WORKERS = 8

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "table_name": {
            "type": ["string", "null"],
            "title": "Table name",
            "description": (
                "Table to write to: a name, or a pattern in which {stream} stands for the stream's "
                "name and {table} for the name of the DynamoDB table that the stream came from, for "
                "example {table}_copy. Left out, it is the source table's own name, or else the "
                "stream's. Characters that a table name cannot hold become _."
            ),
        },
        "table_names": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string"},
            "title": "Table names by stream",
            "description": (
                "Table for each stream that is named here, by its name or by a pattern with * and ?, of "
                "which the last that fits counts; as a name or pattern of a table. Goes before "
                "table_name. Several streams may be given one table."
            ),
        },
        **STREAM_PROPERTIES,
        "write_capacity": {
            "type": ["integer", "null"],
            "minimum": 1,
            "title": "Write capacity",
            "description": (
                "Write capacity units a second that a table's load may consume. Left out: half of "
                "what is provisioned, half of an on-demand table's warm throughput or maximum, unlimited "
                "for a table that this run created or that names neither."
            ),
        },
        "write_capacity_percent": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 100,
            "title": "Write capacity in percent",
            "description": (
                "The same in percent of what a table and each of its global indexes have: "
                "provisioned, or as their on-demand maximum, or else as the account's limit for a "
                "table. Goes instead of write_capacity."
            ),
        },
        "write_workers": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MOST_WORKERS,
            "default": WORKERS,
            "title": "Write workers",
            "description": "How many requests of 25 items are on their way to a table at once.",
        },
        "batch_root": {
            "type": ["string", "null"],
            "title": "Folder of BATCH files",
            "description": (
                "Folder below which the files of BATCH messages are read; all others are refused. "
                "Files that tap-dynamodb wrote are removed when DynamoDB has acknowledged their "
                "records, other files stay. Left out, BATCH messages are refused."
            ),
        },
        "processes": {
            "type": ["integer", "null"],
            "minimum": 1,
            "title": "Processes",
            "description": (
                "Worker processes that load files of BATCH messages side by side, each with "
                "write_workers of its own. Left out, one for each core. Records that come as lines "
                "are written by the one process that reads them."
            ),
        },
        "create_tables": {
            "type": ["boolean", "null"],
            "default": True,
            "title": "Create tables",
            "description": (
                "Create a table that is missing, with the stream's key properties as its key, and as "
                "table_settings and copy_table_settings say. When off, a missing table is an error."
            ),
        },
        **TABLE_PROPERTIES,
        "allow_same_table": {
            "type": ["boolean", "null"],
            "default": False,
            "title": "Allow the source table",
            "description": (
                "Allow writing into the very table that the stream was read from, or a replica of "
                "it. Every item that changed since it was read is then overwritten by its old self."
            ),
        },
        "dry_run": {
            "type": ["boolean", "null"],
            "default": False,
            "title": "Dry run",
            "description": (
                "Write nothing: encode and check every record, name those that DynamoDB would refuse, "
                "and say how many write units the load would cost. No table is created, no STATE handed "
                "on, no BATCH file removed. The exit code is 1 when a record would be refused."
            ),
        },
        **STAGING_PROPERTIES,
        **COST_PROPERTIES,
        **AWS_PROPERTIES,
        "validate_records": {
            "type": ["boolean", "null"],
            "default": False,
            "title": "Validate records",
            "description": (
                "Check every record against its SCHEMA before it is written. Off by default: "
                "DynamoDB itself refuses what it cannot hold, and the check is slow."
            ),
        },
        **REJECT_PROPERTIES,
        **WRITE_PROPERTIES,
        "batch_size_rows": {
            "type": ["integer", "null"],
            "minimum": 1,
            "title": "Rows between acknowledgements",
            "description": (
                "Wait for DynamoDB's acknowledgement after so many records of a stream. Left out, "
                "the target waits only when there is STATE to hand on, which is faster."
            ),
        },
    },
}
"""JSON Schema of the configuration; the SDK adds its own settings to it."""


@dataclass(frozen=True)
class Settings:
    """The target's configuration. Each attribute is the setting of its name.

    Attributes:
        table_name: Pattern of table names; None is the source table's name or the stream's.
        table_names: Patterns by stream.
        stream_options: Options by stream, or by pattern of streams.
        for_all_streams: What those options are where `stream_options` does not say.
        write_capacity: Units a second; None chooses carefully.
        write_capacity_percent: The same in percent.
        write_workers: Requests on their way at once, per table.
        batch_root: Below which folder files are read; None refuses BATCH messages.
        processes: Worker processes that load files.
        create_tables: Whether missing tables are made.
        making: What they are like.
        allow_same_table: Whether the stream's own table may be written.
        dry_run: Whether nothing is written.
        writes: What becomes of items that are there already.
        rejecting: What becomes of records that cannot be written.
        staging: Where the files lie of loads that DynamoDB does by itself.
        max_cost: What the run may cost; None where nobody counts.
        prices: What units cost.
        aws: Where the service is and who asks.
    """

    table_name: str | None = None
    table_names: Mapping[str, str] = field(default_factory=dict)
    stream_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    for_all_streams: Mapping[str, Any] = field(default_factory=dict)
    write_capacity: int | None = None
    write_capacity_percent: int | None = None
    write_workers: int = WORKERS
    batch_root: Path | None = None
    processes: int = field(default_factory=workers.cores)
    create_tables: bool = True
    making: TableSettings = field(default_factory=TableSettings)
    allow_same_table: bool = False
    dry_run: bool = False
    writes: Writes = field(default_factory=Writes)
    rejecting: Rejecting = field(default_factory=Rejecting)
    staging: StagingSettings = field(default_factory=StagingSettings)
    max_cost: float | None = None
    prices: Prices = field(default_factory=Prices)
    aws: AwsSettings = field(default_factory=AwsSettings)

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        _ = self.pace

    @property
    def pace(self) -> Asked:
        """What they ask of a table's write capacity."""
        return Asked("write", self.write_capacity, self.write_capacity_percent)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Read a configuration that fits `CONFIG_SCHEMA`.

        Args:
            config: The configuration; null and an empty string count as left out.

        Raises:
            ConfigError: A pattern of a table name has an unknown placeholder.
        """
        table_names = dict(config.get("table_names") or {})
        table_name = config.get("table_name") or None
        for setting, pattern in (("table_name", table_name), *_named(table_names)):
            unknown = naming.unknown_placeholders(pattern or "")
            if unknown:
                raise ConfigError(
                    f"{setting} {pattern!r} has the unknown placeholder {{{unknown[0]}}}",
                    "A pattern may hold {stream} and {table}",
                )
        create_tables = config.get("create_tables")
        batch_root = config.get("batch_root")
        max_cost = config.get("max_cost") or None
        return cls(
            table_name=table_name,
            table_names=table_names,
            stream_options=dict(config.get("stream_options") or {}),
            for_all_streams=for_all_streams(config),
            write_capacity=config.get("write_capacity"),
            write_capacity_percent=config.get("write_capacity_percent"),
            write_workers=config.get("write_workers") or WORKERS,
            batch_root=Path(batch_root).expanduser() if batch_root else None,
            processes=config.get("processes") or workers.cores(),
            create_tables=True if create_tables is None else bool(create_tables),
            making=TableSettings.from_config(config),
            allow_same_table=bool(config.get("allow_same_table")),
            dry_run=bool(config.get("dry_run")),
            rejecting=Rejecting.from_config(config),
            writes=Writes.from_config(config),
            staging=StagingSettings.from_config(config),
            max_cost=None if max_cost is None else float(max_cost),
            prices=Prices.of(config.get("prices")),
            aws=AwsSettings.from_config(config),
        )


def _named(table_names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"table_names[{stream}]", pattern) for stream, pattern in table_names.items()]
