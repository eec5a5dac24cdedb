"""Baseline of a read of a stream: RECORD lines as a script over boto3 and the standard library writes them.

    python -m benchmarks.baselines.change_loop config.json ARN > messages.jsonl

Shard by shard, from the oldest record to the first empty answer. How many changes there were goes to
standard error.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer


def main(config: dict[str, Any], arn: str) -> None:
    """Read a stream, and write each change as a RECORD."""
    client = boto3.client(
        "dynamodbstreams",
        endpoint_url=config["aws_endpoint_url"],
        region_name=config["aws_region"],
        aws_access_key_id=config["aws_access_key_id"],
        aws_secret_access_key=config["aws_secret_access_key"],
    )
    deserialize = TypeDeserializer().deserialize
    described = client.describe_stream(StreamArn=arn)["StreamDescription"]
    table, count = described["TableName"], 0
    for shard in described["Shards"]:
        iterator = client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = client.get_records(ShardIterator=iterator)
            if not answer["Records"]:
                break
            for told in answer["Records"]:
                change = told["dynamodb"]
                item = change.get("NewImage", change["Keys"])
                at = change["ApproximateCreationDateTime"]
                record = {
                    **{name: deserialize(value) for name, value in item.items()},
                    "_sdc_deleted_at": at.isoformat() if told["eventName"] == "REMOVE" else None,
                    "_sdc_sequence": change["SequenceNumber"],
                }
                message = {"type": "RECORD", "stream": table, "record": record}
                sys.stdout.write(f"{json.dumps(message, default=plain)}\n")
                count += 1
            iterator = answer.get("NextShardIterator")
    print(f"{count:,} changes", file=sys.stderr)


def plain(value: Any) -> Any:
    """Return an attribute as JSON can have it; numbers lose digits."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return sorted(value) if isinstance(value, set) else str(value)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
