"""The JSON Schema of the tap's settings: declared once, for validation, `--about` and the docs."""

from __future__ import annotations

from typing import Any

from dynamodb_core.codec import TYPES
from dynamodb_core.filters import FILTER_SCHEMA
from dynamodb_core.prices import COST_PROPERTIES
from dynamodb_core.settings import AWS_PROPERTIES
from dynamodb_core.warm_up import WARM_UP_PROPERTIES
from tap_dynamodb.batch import BATCH_PROPERTIES
from tap_dynamodb.exporting import EXPORT_PROPERTIES
from tap_dynamodb.following import CHANGES_PROPERTIES

ITEM_FORMATS = ("plain", "packed", "dynamodb_json")
DECIMALS = ("number", "string")
BINARY_ENCODINGS = ("base64", "base16")

_PROPERTIES: dict[str, dict[str, Any]] = {
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
            "Stream names by table name or ARN. By default a stream has its table's name, "
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
    "processes": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 64,
        "title": "Processes",
        "description": (
            "How many processes read a table and convert its items, and share scan_workers. By "
            "default one a core, each with four workers at least; and one in all where a table is "
            "under 128 MiB, where read_capacity is so small that one keeps up with it, and where "
            "stream maps or flattening want the SDK."
        ),
    },
    "read_capacity": {
        "type": ["integer", "null"],
        "minimum": 1,
        "title": "Read capacity",
        "description": (
            "Capacity units a second that the tap may consume of each table. By default half "
            "of what is provisioned, or half of an on-demand table's warm throughput or, where that is less, of its maximum."
        ),
    },
    "read_capacity_percent": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 100,
        "title": "Read capacity in percent",
        "description": (
            "The same in percent of what a table, or the index that is read, has: provisioned, or as "
            "its on-demand maximum, or else as the account's limit for a table. Goes instead of "
            "read_capacity."
        ),
    },
    "consistent_read": {
        "type": "boolean",
        "default": False,
        "title": "Consistent reads",
        "description": "Read strongly consistent, at twice the capacity units.",
    },
    **WARM_UP_PROPERTIES,
    "describe_ttl_and_tags": {
        "type": "boolean",
        "default": True,
        "title": "Describe TTL and tags",
        "description": (
            "Ask for the TTL attribute and the tags of each table at discovery, so that "
            "target-dynamodb can make the same table. What may not be asked for is left out; of more "
            "than 100 tables neither is asked for."
        ),
    },
    "skip_expired": {
        "type": "boolean",
        "default": False,
        "title": "Skip expired items",
        "description": (
            "Leave out items whose time to live has passed and that DynamoDB has not deleted "
            "yet, by the table's own TTL attribute. They are counted."
        ),
    },
    "decimals": {
        "type": "string",
        "enum": list(DECIMALS),
        "default": "number",
        "title": "Decimals",
        "description": (
            "Numbers as JSON numbers, or as exact strings, for targets that make floats of numbers."
        ),
    },
    "binary_encoding": {
        "type": "string",
        "enum": list(BINARY_ENCODINGS),
        "default": "base64",
        "title": "Binary encoding",
        "description": (
            "How binary columns are written. Postgres makes bytea of base16. Inside of maps, "
            "lists and sets it is always base64."
        ),
    },
    **EXPORT_PROPERTIES,
    **CHANGES_PROPERTIES,
    "segment_range": {
        "type": ["string", "null"],
        "pattern": r"^\d+-\d+$",
        "title": "Segment range",
        "description": (
            "Read only these segments, both ends included, for example 0-249 with segments "
            "1000: several machines share one scan, each with a state of its own."
        ),
    },
    "start_date": {
        "type": ["string", "null"],
        "format": "date-time",
        "title": "Start date",
        "description": (
            "Where a stream with a replication key begins when there is no bookmark. Full "
            "tables are read whole."
        ),
    },
    "replication_lookback_seconds": {
        "type": "integer",
        "minimum": 0,
        "maximum": 31_536_000,
        "default": 300,
        "title": "Lookback",
        "description": (
            "How far before its start a scan leaves the bookmark of a replication key: what "
            "clocks differ by, and what eventually consistent reads lag behind."
        ),
    },
    **COST_PROPERTIES,
    **BATCH_PROPERTIES,
    "emit_activate_version_messages": {
        "type": "boolean",
        "default": False,
        "title": "ACTIVATE_VERSION messages",
        "description": (
            "Whether a full read begins with ACTIVATE_VERSION, upon which SQL targets remove "
            "the rows that it did not bring. A scan that is gone on with keeps its version."
        ),
    },
}

OF_EACH_TABLE = (
    "item_format",
    "item_field",
    "max_attributes",
    "sample_size",
    "segments",
    "segment_range",
    "read_capacity",
    "read_capacity_percent",
    "consistent_read",
    "warm_up",
    "source",
    "export",
    "replication_method",
    "changes",
    "skip_expired",
    "decimals",
    "binary_encoding",
    "start_date",
    "replication_lookback_seconds",
)
"""Settings that `table_options` can say otherwise for a table."""

_OF_ONE_TABLE: dict[str, dict[str, Any]] = {
    "types": {
        "type": "object",
        "additionalProperties": {
            "type": "string",
            "enum": [kind for kind in TYPES if kind != "NULL"],
        },
        "title": "Types",
        "description": "DynamoDB types of columns, by attribute, whatever the sample shows.",
    },
    "schema": {
        "type": "object",
        "additionalProperties": {"type": "object"},
        "title": "Schema",
        "description": (
            "JSON Schema of columns, by attribute: its keywords go over those that the attribute's "
            'type gives, for example {"created": {"format": "date-time"}}.'
        ),
    },
    "index": {
        "type": "string",
        "minLength": 3,
        "title": "Index",
        "description": "Read this global or local secondary index instead of the table.",
    },
    "query": {
        "type": ["object", "array"],
        "items": {"type": "object", "minProperties": 1},
        "minProperties": 1,
        "minItems": 1,
        "title": "Query",
        "description": (
            "Read these partitions only: a value or a list of values for each partition key "
            "attribute, and perhaps a condition on the sort key, for example "
            '{"pk": ["a", "b"], "sk": {"begins_with": "ORDER#"}}; or a list of such objects.'
        ),
    },
    "filter": FILTER_SCHEMA,
    "entities": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["stream", "where"],
            "properties": {
                "stream": {"type": "string", "minLength": 1},
                "where": {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {
                        "type": "object",
                        "properties": {
                            "prefix": {"type": "string", "minLength": 1},
                            "equals": {"type": ["string", "number", "boolean"]},
                        },
                        "additionalProperties": False,
                        "minProperties": 1,
                        "maxProperties": 1,
                    },
                },
            },
            "additionalProperties": False,
        },
        "title": "Entities",
        "description": (
            "Streams into which one scan is split, for single-table designs: an item goes to the "
            "first whose conditions it meets, for example "
            '[{"stream": "orders", "where": {"sk": {"prefix": "ORDER#"}}}], else to the stream of '
            "the table."
        ),
    },
    "replication_key": {
        "type": "string",
        "minLength": 1,
        "title": "Replication key",
        "description": (
            "Attribute that grows with every change, for incremental reading: a time in UTC as "
            "text or number; or any sort key, with a query."
        ),
    },
}


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its default: the SDK would write that over what is set for all."""
    return {word: said for word, said in schema.items() if word != "default"}


CONFIG_JSONSCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **_PROPERTIES,
        "table_options": {
            "type": ["object", "null"],
            "additionalProperties": {
                "type": "object",
                "properties": {
                    **{name: _without_default(_PROPERTIES[name]) for name in OF_EACH_TABLE},
                    **_OF_ONE_TABLE,
                },
                "additionalProperties": False,
            },
            "title": "Options by table",
            "description": (
                "What holds for some tables only, by name, ARN or pattern. Settings: "
                f"{', '.join(OF_EACH_TABLE)}; and {', '.join(_OF_ONE_TABLE)}."
            ),
        },
        **AWS_PROPERTIES,
    },
}
"""JSON Schema of the configuration, without what the SDK adds."""
