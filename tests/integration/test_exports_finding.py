"""Exports are found in a bucket of a real engine, and their files can be opened by what was found."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dynamodb_core import objects
from dynamodb_core.exports.chain import stages
from dynamodb_core.exports.finding import find
from dynamodb_core.settings import AwsSettings
from tests.engines.exports import AT, Change, Item, upload, write_full, write_incremental

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine

ITEMS: list[Item] = [{"id": {"S": f"k{n}"}} for n in range(5)]


@pytest.mark.parametrize("place", ["", "/copies/p", "/copies/p/AWSDynamoDB/02-window"])
def test_exports_are_found_in_a_bucket(account: Engine, tmp_path: Path, place: str) -> None:
    bucket = f"ferry-{account.access_key_id}"
    client: Any = boto3.client(
        "s3",
        endpoint_url=account.endpoint_url,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
        region_name=account.region,
    )
    client.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": account.region}
    )
    write_full(tmp_path, ITEMS, prefix="p", export="01-full")
    changes = [Change(item, item) for item in ITEMS]
    made = write_incremental(
        tmp_path, changes, AT, AT + timedelta(hours=1), prefix="p", export="02-window"
    )
    upload(made, client, bucket, "copies/")
    settings = AwsSettings.from_config(
        {**account.config(), "aws_endpoint_url_s3": account.endpoint_url}
    )
    found = [stage.export for stage in stages(find(objects.at(f"s3://{bucket}{place}", settings)))]
    kinds = ["incremental"] if place.endswith("window") else ["full", "incremental"]
    assert [export.kind for export in found] == kinds
    for export in found:
        store = objects.at(export.root, settings)
        lines = 0
        for file in export.files:
            with store.open(file.key) as stream:
                data = stream.read()
            assert len(data) == file.size
            lines += gzip.decompress(data).count(b"\n")
        assert lines == len(ITEMS) == export.items
