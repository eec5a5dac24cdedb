"""Baseline of the tap: a table to Singer messages as a script over boto3 and the SDK writes them.

    python -m benchmarks.baselines.boto_loop config.json > messages.jsonl

The configuration is the tap's: `aws_*` settings, and one table.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from singer_sdk.singerlib.messages import RecordMessage, SchemaMessage, StateMessage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES = {
    "S": "string",
    "N": "number",
    "BOOL": "boolean",
    "M": "object",
    "L": "array",
    "SS": "array",
}


def main(config: dict[str, Any]) -> None:
    """Read a table from its first item to its last, and write each as a RECORD."""
    [table] = config["tables"]
    client = boto3.client(
        "dynamodb",
        endpoint_url=config["aws_endpoint_url"],
        region_name=config["aws_region"],
        aws_access_key_id=config["aws_access_key_id"],
        aws_secret_access_key=config["aws_secret_access_key"],
    )
    keys = [
        key["AttributeName"] for key in client.describe_table(TableName=table)["Table"]["KeySchema"]
    ]
    deserialize = TypeDeserializer().deserialize
    writer = SimpleSingerWriter()
    properties: dict[str, Any] = {}
    for page in client.get_paginator("scan").paginate(TableName=table):
        now = datetime.now(timezone.utc)
        if not properties:
            properties = schema(page["Items"])
            writer.write_message(SchemaMessage(table, {"properties": properties}, keys))
        for item in page["Items"]:
            record = {name: plain(deserialize(value)) for name, value in item.items()}
            writer.write_message(RecordMessage(table, record, time_extracted=now))
    writer.write_message(StateMessage({"bookmarks": {table: {}}}))


def plain(value: Any) -> Any:
    """Return an attribute as JSON can have it; the items measured have sets at their top alone."""
    return sorted(value) if isinstance(value, set) else value


def schema(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the properties that some items have."""
    kinds = {
        name: kind
        for item in items
        for name, value in item.items()
        for kind in value
        if kind != "NULL"
    }
    return {name: {"type": [TYPES[kind], "null"]} for name, kind in kinds.items()}


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
