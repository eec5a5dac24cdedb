"""Buckets on an engine, for a test's own use."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from demo.engine import Engine

_numbers = itertools.count(1)


class TestBucket:
    """A new bucket; its name is used nowhere else, in no account."""

    __test__ = False

    def __init__(self, engine: Engine) -> None:
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=engine.endpoint_url,
            aws_access_key_id=engine.access_key_id,
            aws_secret_access_key=engine.secret_access_key,
            region_name=engine.region,
        )
        self.name = f"ferry-{os.getpid()}-{next(_numbers)}"
        self.client.create_bucket(
            Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": engine.region}
        )

    def keys(self) -> list[str]:
        """Return the keys of all objects."""
        answer = self.client.list_objects_v2(Bucket=self.name)
        return [each["Key"] for each in answer.get("Contents", ())]

    def get(self, key: str) -> bytes:
        """Return an object."""
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data
