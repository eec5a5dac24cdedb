"""Baseline of the target: the SDK's own reader and batch sink over boto3's `batch_writer`.

    python -m benchmarks.baselines.sdk_loader --config config.json < messages.jsonl

The configuration is the target's: `aws_*` settings, and `table_name`, a table that exists.
"""

from __future__ import annotations

from typing import Any, ClassVar

import boto3
from singer_sdk import BatchSink, Target
from singer_sdk import typing as th


class BatchWriterSink(BatchSink):
    """Hands the SDK's batches to `batch_writer`."""

    def setup(self) -> None:
        """Connect to the table."""
        config = self.config
        resource = boto3.resource(
            "dynamodb",
            endpoint_url=config["aws_endpoint_url"],
            region_name=config["aws_region"],
            aws_access_key_id=config["aws_access_key_id"],
            aws_secret_access_key=config["aws_secret_access_key"],
        )
        self.table = resource.Table(config["table_name"])

    def process_batch(self, context: dict[str, Any]) -> None:
        """Write a batch.

        Args:
            context: Holds the records.
        """
        with self.table.batch_writer() as batch:
            for record in context["records"]:
                batch.put_item(Item=record)


class SDKLoader(Target):
    """A target as the SDK's template makes one."""

    name = "sdk-loader"
    default_sink_class = BatchWriterSink
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        *(
            th.Property(name, th.StringType, required=True)
            for name in (
                "aws_endpoint_url",
                "aws_region",
                "aws_access_key_id",
                "aws_secret_access_key",
                "table_name",
            )
        )
    ).to_dict()


if __name__ == "__main__":
    SDKLoader.cli()
