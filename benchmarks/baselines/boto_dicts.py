"""Baseline of `dynamodb-tools compare`: both tables loaded into dictionaries by boto3, and compared.

    python -m benchmarks.baselines.boto_dicts config.json

The configuration is that of `dynamodb-tools`: `aws_*` settings, and two tables. Prints what it found as one
line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3


def main(config: dict[str, Any]) -> None:
    """Load, compare, print."""
    client = boto3.resource(
        "dynamodb",
        endpoint_url=config["aws_endpoint_url"],
        region_name=config["aws_region"],
        aws_access_key_id=config["aws_access_key_id"],
        aws_secret_access_key=config["aws_secret_access_key"],
    ).meta.client
    a, b = (load(client, table) for table in config["tables"])
    print(
        json.dumps(
            {
                "items": [len(a), len(b)],
                "missing": len(a.keys() - b.keys()),
                "extra": len(b.keys() - a.keys()),
                "differs": sum(a[key] != b[key] for key in a.keys() & b.keys()),
            }
        )
    )


def load(client: Any, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return all items of a table, as Python has them, by their keys."""
    schema = client.describe_table(TableName=table)["Table"]["KeySchema"]
    names = [key["AttributeName"] for key in schema]
    return {
        tuple(item[name] for name in names): item
        for page in client.get_paginator("scan").paginate(TableName=table)
        for item in page["Items"]
    }


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
