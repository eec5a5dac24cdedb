"""The settings of tables that the target makes: their JSON Schema, and what they are for one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dynamodb_core.definitions import AFTER_LOAD, ON_DEMAND, PARTS, PROVISIONED, merged
from dynamodb_core.warm_up import WARM_UP_PROPERTIES, WarmUp

if TYPE_CHECKING:
    from collections.abc import Mapping

COPIED = ("indexes", "ttl", "stream", "tags", "table_class", "deletion_protection")
"""What is copied by default: all that costs nothing by itself and is of no one region or account."""

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_UNITS = {"type": ["integer", "null"], "minimum": 1}
_CAPACITY = {
    "read_capacity_units": _UNITS,
    "write_capacity_units": _UNITS,
    "max_read_request_units": _UNITS,
    "max_write_request_units": _UNITS,
}
_KEY = {"type": ["string", "array"], "items": _NAME, "minLength": 1, "minItems": 1, "maxItems": 4}
_INDEX = {
    "name": {"type": "string", "minLength": 3, "maxLength": 255, "pattern": "^[A-Za-z0-9_.-]+$"},
    "projection_type": {"type": ["string", "null"], "enum": ["ALL", "KEYS_ONLY", "INCLUDE", None]},
    "non_key_attributes": {
        "type": ["array", "null"],
        "items": _NAME,
        "minItems": 1,
        "maxItems": 20,
    },
}

SETTINGS: dict[str, dict[str, Any]] = {
    "billing_mode": {"type": ["string", "null"], "enum": [ON_DEMAND, PROVISIONED, None]},
    **_CAPACITY,
    "attributes": {
        "type": ["object", "null"],
        "additionalProperties": {"type": ["string", "null"], "enum": ["S", "N", "B", None]},
    },
    "global_secondary_indexes": {
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "required": ["name", "partition_key"],
            "properties": {**_INDEX, "partition_key": _KEY, "sort_key": _KEY, **_CAPACITY},
            "additionalProperties": False,
        },
    },
    "local_secondary_indexes": {
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "required": ["name", "sort_key"],
            "properties": {**_INDEX, "sort_key": _NAME},
            "additionalProperties": False,
        },
    },
    "create_indexes": {"type": ["string", "null"], "enum": ["with_table", AFTER_LOAD, None]},
    "ttl_attribute": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
    "stream_view_type": {
        "type": ["string", "null"],
        "enum": ["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY", None],
    },
    "sse_type": {"type": ["string", "null"], "enum": ["KMS", None]},
    "kms_master_key_id": {"type": ["string", "null"], "minLength": 1},
    "tags": {
        "type": ["object", "null"],
        "additionalProperties": {"type": ["string", "null"], "maxLength": 256},
    },
    "deletion_protection_enabled": {"type": ["boolean", "null"]},
    "table_class": {
        "type": ["string", "null"],
        "enum": ["STANDARD", "STANDARD_INFREQUENT_ACCESS", None],
    },
}
"""JSON Schema of each setting of a table; `docs/tables.md` explains them."""

_SETTINGS = {"type": ["object", "null"], "properties": SETTINGS, "additionalProperties": False}
_COPY = {
    "type": ["array", "null"],
    "items": {"type": "string", "enum": list(PARTS)},
    "uniqueItems": True,
}

TABLE_PROPERTIES: dict[str, dict[str, Any]] = {
    "table_settings": {
        **_SETTINGS,
        "title": "Settings of new tables",
        "description": (
            "What a table that the target makes is like, as in docs/tables.md: billing_mode, "
            "read_capacity_units, write_capacity_units, max_read_request_units, "
            "max_write_request_units, attributes, global_secondary_indexes, "
            "local_secondary_indexes, create_indexes, ttl_attribute, stream_view_type, sse_type, "
            "kms_master_key_id, tags, deletion_protection_enabled, table_class. They go before "
            "what is copied. Left out, a table is on demand and has what is copied."
        ),
    },
    "copy_table_settings": {
        **_COPY,
        "default": list(COPIED),
        "title": "Settings that are copied",
        "description": (
            "What a new table takes over from the DynamoDB table that its stream came from: indexes, "
            "ttl, stream, tags, table_class, deletion_protection, and, when named, capacity (with "
            "the billing mode) and encryption. An empty list copies nothing but the key."
        ),
    },
    **WARM_UP_PROPERTIES,
    "table_options": {
        "type": ["object", "null"],
        "additionalProperties": {
            "type": "object",
            "properties": {
                "table_settings": _SETTINGS,
                "copy_table_settings": _COPY,
                **WARM_UP_PROPERTIES,
            },
            "additionalProperties": False,
        },
        "title": "Options by table",
        "description": (
            "Settings for some of the tables that are written, by name or pattern with * and ?: "
            "table_settings, which are laid over those for all tables, copy_table_settings and warm_up. "
            "Patterns count in their order, a table's own name last; null takes back what is set "
            "for all."
        ),
    },
}
"""Settings of the target, as JSON Schema."""


@dataclass(frozen=True)
class TableSettings:
    """What tables that are made are like.

    Attributes:
        own: The setting `table_settings`.
        copied: The setting `copy_table_settings`.
        warm_up: The setting `warm_up`; None where it is left out.
        options: The setting `table_options`.
    """

    own: Mapping[str, Any] = field(default_factory=dict)
    copied: tuple[str, ...] = COPIED
    warm_up: WarmUp | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TableSettings:
        """Read a configuration that fits `TABLE_PROPERTIES`.

        Args:
            config: The target's configuration.

        Raises:
            ConfigError: A warm-up is asked for that cannot be.
        """
        options = config.get("table_options") or {}
        for each in options.values():
            WarmUp.of(each.get("warm_up"))
        return cls(
            config.get("table_settings") or {},
            _copied(config.get("copy_table_settings"), COPIED),
            WarmUp.of(config.get("warm_up")),
            options,
        )

    def for_table(self, name: str) -> TableSettings:
        """Return the settings as they are for one table.

        Args:
            name: The table's name.
        """
        own, copied, warm_up = self.own, self.copied, self.warm_up
        patterns = [p for p in self.options if p != name and fnmatchcase(name, p)]
        for pattern in (*patterns, name):
            options = self.options.get(pattern) or {}
            own = merged(own, options.get("table_settings") or {})
            if "copy_table_settings" in options:
                copied = _copied(options["copy_table_settings"], COPIED)
            if "warm_up" in options:
                warm_up = WarmUp.of(options["warm_up"])
        return TableSettings(own, copied, warm_up)


def _copied(said: list[str] | None, default: tuple[str, ...]) -> tuple[str, ...]:
    return default if said is None else tuple(said)
