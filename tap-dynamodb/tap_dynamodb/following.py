"""What the configuration says of change streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamodb.settings import Settings

LOG_BASED = "LOG_BASED"
METHODS = ("FULL_TABLE", "INCREMENTAL", LOG_BASED)

CHANGES_PROPERTIES: dict[str, dict[str, Any]] = {
    "replication_method": {
        "type": ["string", "null"],
        "enum": [*METHODS, None],
        "title": "Replication method",
        "description": (
            "FULL_TABLE, INCREMENTAL (by a replication_key), or LOG_BASED: a snapshot, then what the "
            "table's stream tells. A catalog's metadata goes before it."
        ),
    },
    "changes": {
        "type": ["object", "null"],
        "properties": {
            "snapshot": {"type": "string", "enum": ["auto", "none", "only"]},
            "start": {"type": "string", "enum": ["latest", "oldest"]},
            "stream": {"type": "string", "pattern": "^arn:"},
            "enable_stream": {"type": "boolean"},
            "follow": {"type": "boolean"},
            "max_seconds": {"type": "integer", "minimum": 1},
            "max_records": {"type": "integer", "minimum": 1},
            "old_image": {"type": "boolean"},
            "fetch": {"type": "boolean"},
        },
        "additionalProperties": False,
        "title": "Changes",
        "description": (
            "With LOG_BASED replication: snapshot (auto, none, only), start (latest, oldest), stream "
            "(an ARN, of Kinesis too), enable_stream, follow, max_seconds, max_records, old_image, "
            "fetch. More: docs/changes.md."
        ),
    },
}
"""Settings, as JSON Schema."""

REFUSED = (
    *("index", "query", "filter", "replication_key"),
    *("segment_range", "warm_up"),
)
"""Settings that say what of a table is scanned; its stream tells of all of it."""


@dataclass(frozen=True)
class Following:
    """The setting `changes`. Each attribute is the member of its name.

    Raises:
        ConfigError: It contradicts itself.
    """

    snapshot: str = "auto"
    start: str | None = None
    stream: str | None = None
    enable_stream: bool = False
    follow: bool = False
    max_seconds: int | None = None
    max_records: int | None = None
    old_image: bool = False
    fetch: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Following:
        """Read the setting, as `CHANGES_PROPERTIES` has it.

        Args:
            given: Its value.
        """
        return cls(**{name: said for name, said in (given or {}).items() if said is not None})

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.start is not None and self.snapshot != "none":
            raise ConfigError(
                f"changes says start {self.start}, and a snapshot, which says by itself from where on "
                "the stream is read",
                "Take start away, or set snapshot to none",
            )
        for name in ("max_seconds", "snapshot") if self.follow else ():
            if name == "max_seconds" and self.max_seconds is not None:
                raise ConfigError(
                    "changes says both follow, which never ends, and max_seconds", "Take one away"
                )
            if name == "snapshot" and self.snapshot == "only":
                raise ConfigError(
                    "changes says follow, and snapshot only, which follows nothing", "Take one away"
                )

    def check(self, settings: Settings, table: str) -> None:
        """Refuse what a table that is followed cannot have.

        Args:
            settings: The table's own.
            table: Its name.

        Raises:
            ConfigError: A setting asks for a part of the table.
        """
        for name in REFUSED:
            if getattr(settings, name):
                raise ConfigError(
                    f"{name} is set for table {table}, whose replication is LOG_BASED",
                    f"Take {name} away: a stream tells of the whole table, as it is",
                )
        if settings.exporting and settings.exporting.file_range:
            raise ConfigError(
                f"export.file_range is set for table {table}, whose replication is LOG_BASED",
                "Take it away: the snapshot is read whole, by one machine",
            )
