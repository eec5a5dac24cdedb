"""What the configuration says of exports: where they lie, or what is to be exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCES = ("scan", "export")

EXPORT_PROPERTIES: dict[str, dict[str, Any]] = {
    "source": {
        "type": "string",
        "enum": list(SOURCES),
        "default": "scan",
        "title": "Source",
        "description": "Whether a table is scanned, or read from its exports.",
    },
    "export": {
        "type": ["object", "null"],
        "properties": {
            "location": {
                "type": ["string", "array"],
                "items": {"type": "string", "minLength": 1},
                "minLength": 1,
                "minItems": 1,
            },
            "table_name": {"type": "string", "minLength": 1},
            "key_properties": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "maxItems": 2,
            },
            "ttl_attribute": {"type": "string", "minLength": 1},
            "verify": {"type": "boolean"},
            "file_range": {"type": "string", "pattern": "^[0-9]+-[0-9]+$"},
            "trigger": {"type": "string", "enum": ["full", "incremental"]},
            "bucket": {"type": "string", "minLength": 3},
            "prefix": {"type": "string"},
            "bucket_owner": {"type": "string", "pattern": "^[0-9]{12}$"},
            "kms_key": {"type": "string", "minLength": 1},
            "format": {"type": "string", "enum": ["dynamodb_json", "ion"]},
            "view": {"type": "string", "enum": ["new", "new_and_old"]},
        },
        "additionalProperties": False,
        "title": "Exports",
        "description": (
            "With source export: location (s3://bucket/prefix, a folder, an ARN, or several of "
            "them), or trigger (full or incremental) with bucket. More: docs/exports.md."
        ),
    },
}
"""Settings, as JSON Schema."""


@dataclass(frozen=True)
class Exporting:
    """The setting `export`. Each attribute is the member of its name.

    Raises:
        ConfigError: It says both where exports lie and that one is to be made, or neither.
    """

    location: tuple[str, ...] = ()
    table_name: str | None = None
    key_properties: tuple[str, ...] = ()
    ttl_attribute: str | None = None
    verify: bool = True
    file_range: tuple[int, int] | None = None
    trigger: str | None = None
    bucket: str | None = None
    prefix: str = ""
    bucket_owner: str | None = None
    kms_key: str | None = None
    format: str = "dynamodb_json"
    view: str = "new"

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Exporting:
        """Read the setting, as `EXPORT_PROPERTIES` has it.

        Args:
            given: Its value.
        """
        config = dict(given or {})
        if isinstance(config.get("location"), str):
            config["location"] = [config["location"]]
        for name in ("location", "key_properties"):
            config[name] = tuple(config.get(name, ()))
        if "file_range" in config:
            first, _, last = config["file_range"].partition("-")
            config["file_range"] = (int(first), int(last))
        return cls(**config)

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if bool(self.location) == (self.trigger is not None):
            raise ConfigError(
                "export says both location and trigger"
                if self.location
                else "source is export, and export says neither location nor trigger",
                "location is where exports lie; trigger (full or incremental) makes one, in bucket",
            )
        if self.trigger is not None and not self.bucket:
            raise ConfigError(
                f"export asks for trigger {self.trigger} and names no bucket",
                "Set export.bucket to the bucket that DynamoDB is to write to",
            )
        for name in ("table_name", "key_properties", "file_range") if self.trigger else ():
            if getattr(self, name):
                raise ConfigError(
                    f"export says both {name} and trigger",
                    f"Take {name} away: the table is there and says it; machines that share the files of "
                    "one export read it by location",
                )
        if self.trigger is None:
            for name in ("bucket", "bucket_owner", "kms_key"):
                if getattr(self, name):
                    raise ConfigError(
                        f"export says {name} without trigger", f"Take {name} away, or set trigger"
                    )
        if self.file_range is not None and self.file_range[0] > self.file_range[1]:
            first, last = self.file_range
            raise ConfigError(
                f"export.file_range {first}-{last} is no range", "Write the lower number first"
            )
