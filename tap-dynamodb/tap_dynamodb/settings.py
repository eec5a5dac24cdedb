"""The tap's settings: declared once, for validation, `--about` and the docs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AWS_PROPERTIES, AwsSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

ITEM_FORMATS = ("plain", "packed", "dynamodb_json")

CONFIG_JSONSCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tables": {
            "type": ["array", "null"],
            "items": {"type": "string"},
            "title": "Tables",
            "description": (
                "Tables to read: names, ARNs, or patterns with * and ?. Names and ARNs never call "
                'ListTables. Discovery works without it; a sync wants a choice, if only ["*"].'
            ),
        },
        "exclude_tables": {
            "type": ["array", "null"],
            "items": {"type": "string"},
            "title": "Excluded tables",
            "description": "Names or patterns of tables to leave out of what `tables` matches.",
        },
        "stream_names": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string"},
            "title": "Stream names",
            "description": (
                "Stream names by table name. By default a stream has its table's name, "
                "with _ for every -."
            ),
        },
        "item_format": {
            "type": "string",
            "enum": list(ITEM_FORMATS),
            "default": "plain",
            "title": "Item format",
            "description": (
                "plain: attributes as columns, for warehouses and people. packed: key columns and "
                "one object with all other attributes, one schema for ever. dynamodb_json: key "
                "columns and the typed item, the fastest road from table to table."
            ),
        },
        "item_field": {
            "type": "string",
            "minLength": 1,
            "default": "item",
            "title": "Item field",
            "description": "Name of the object that holds the item in packed and dynamodb_json.",
        },
        "type_tags": {
            "type": "boolean",
            "default": True,
            "title": "Type tags",
            "description": (
                "Whether records carry, where an item needs it, what plain JSON cannot say "
                "(binaries and sets inside maps, values of another type than their column). "
                "Without it the way back to DynamoDB is not exact."
            ),
        },
        "reserved_field": {
            "type": "string",
            "minLength": 1,
            "default": "_dynamodb",
            "title": "Reserved field",
            "description": "Name of the object that holds the type tags.",
        },
        "max_attributes": {
            "type": "integer",
            "minimum": 1,
            "default": 1000,
            "title": "Most attributes",
            "description": (
                "Most columns a plain stream gets; attributes beyond travel in the type tags. "
                "Postgres ends at 1,600 columns."
            ),
        },
        "sample_size": {
            "type": "integer",
            "minimum": 0,
            "default": 1000,
            "title": "Sample size",
            "description": (
                "Items that discovery reads of each table to learn its attributes (plain only). "
                "Attributes that the sample does not show are added while reading."
            ),
        },
        "segments": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 1_000_000,
            "title": "Segments",
            "description": (
                "Into how many parts a scan is divided. By default the table's size decides."
            ),
        },
        "scan_workers": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 256,
            "title": "Scan workers",
            "description": "How many segments are read at once. By default four a core, at most 16.",
        },
        "read_capacity": {
            "type": ["integer", "null"],
            "minimum": 1,
            "title": "Read capacity",
            "description": (
                "Capacity units a second that the tap may consume of each table. By default half "
                "of what is provisioned, or half of an on-demand table's warm throughput."
            ),
        },
        "consistent_read": {
            "type": "boolean",
            "default": False,
            "title": "Consistent reads",
            "description": "Read strongly consistent, at twice the capacity units.",
        },
        "emit_activate_version_messages": {
            "type": "boolean",
            "default": False,
            "title": "ACTIVATE_VERSION messages",
            "description": (
                "Whether a full read begins with ACTIVATE_VERSION, upon which SQL targets remove "
                "the rows that it did not bring. A scan that is gone on with keeps its version."
            ),
        },
        **AWS_PROPERTIES,
    },
}
"""JSON Schema of the configuration, without what the SDK adds."""


@dataclass(frozen=True)
class Settings:
    """The tap's configuration. Each attribute is the setting of its name."""

    aws: AwsSettings
    tables: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()
    stream_names: Mapping[str, str] | None = None
    item_format: str = "plain"
    item_field: str = "item"
    type_tags: bool = True
    reserved_field: str = "_dynamodb"
    max_attributes: int = 1000
    sample_size: int = 1000
    segments: int | None = None
    scan_workers: int | None = None
    read_capacity: int | None = None
    consistent_read: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Read a configuration that fits `CONFIG_JSONSCHEMA`.

        Args:
            config: The plugin's configuration; settings of the SDK are ignored.

        Returns:
            The settings; null and empty count as left out.

        Raises:
            ConfigError: Two settings contradict each other, or one cannot be honoured.
        """
        if config.get("batch_config"):
            raise ConfigError(
                "batch_config is set, but this tap writes no BATCH messages yet",
                "Remove batch_config",
            )
        names = [field.name for field in fields(cls) if field.name != "aws"]
        given = {name: config[name] for name in names if config.get(name) not in (None, "")}
        for name in ("tables", "exclude_tables"):
            given[name] = tuple(given.get(name, ()))
        settings = cls(aws=AwsSettings.from_config(config), **given)
        if settings.item_field == settings.reserved_field:
            raise ConfigError(
                f"item_field and reserved_field are both {settings.item_field}",
                "Give them different names",
            )
        return settings
