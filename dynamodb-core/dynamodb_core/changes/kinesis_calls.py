"""The calls that a read of a Kinesis stream makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core.changes import kinesis_records
from dynamodb_core.changes.listing import merged, parents_first
from dynamodb_core.changes.service import IteratorExpired
from dynamodb_core.changes.shards import Shard
from dynamodb_core.errors import ServiceError, StreamNotFound

if TYPE_CHECKING:
    from dynamodb_core.changes.kinesis_records import Answer
    from dynamodb_core.wire import Wire


class Gone(Exception):
    """A shard, or a place in it, is not there any more."""


class KinesisCalls:
    """A stream's calls.

    Args:
        wire: Carries them.
        arn: The stream's ARN.
    """

    def __init__(self, wire: Wire, arn: str) -> None:
        self._wire = wire
        self._arn = arn

    def summary(self) -> dict[str, Any]:
        """Return what the stream is like."""
        answer = self._call("DescribeStreamSummary", {"StreamARN": self._arn})
        summary: dict[str, Any] = orjson.loads(answer)["StreamDescriptionSummary"]
        return summary

    def shards(self) -> list[Shard]:
        """Return the shards that are there, parents before children."""
        while True:
            try:
                return parents_first(merged(self._listed()).values())
            except ServiceError as error:
                if error.code != "ExpiredNextTokenException":
                    raise

    def iterator(self, shard: str, kind: str, more: dict[str, Any] | None = None) -> str:
        """Return an iterator.

        Args:
            shard: The shard.
            kind: The kind of its place, as Kinesis names it.
            more: The place.

        Raises:
            Gone: The shard is gone, or the place is none of its.
        """
        request = {
            "StreamARN": self._arn,
            "ShardId": shard,
            "ShardIteratorType": kind,
            **(more or {}),
        }
        iterator: str = orjson.loads(self._of_a_shard("GetShardIterator", request))["ShardIterator"]
        return iterator

    def records(self, shard: str, iterator: str, where: str) -> tuple[Answer, int]:
        """Return an answer and how many bytes it had.

        Args:
            shard: The shard.
            iterator: What asks for its records.
            where: The shard and its stream, for messages.

        Raises:
            Gone: The shard is gone.
            IteratorExpired: The iterator is too old.
        """
        request = {"StreamARN": self._arn, "ShardIterator": iterator}
        try:
            body = self._of_a_shard("GetRecords", request)
        except ServiceError as error:
            if error.code == "ExpiredIteratorException":
                raise IteratorExpired(shard) from error
            raise
        return kinesis_records.answer(body, where), len(body)

    def _listed(self) -> list[Shard]:
        shards: list[Shard] = []
        request: dict[str, Any] = {"StreamARN": self._arn}
        while True:
            said = orjson.loads(self._call("ListShards", request))
            shards += map(_shard, said["Shards"])
            if not said.get("NextToken"):
                return shards
            request = {"NextToken": said["NextToken"]}

    def _of_a_shard(self, operation: str, request: dict[str, Any]) -> bytes:
        try:
            return self._call(operation, request)
        except StreamNotFound as error:
            self._call(
                "ListShards", {"StreamARN": self._arn, "MaxResults": 1}
            )  # or it is the stream
            raise Gone from error
        except ServiceError as error:
            if error.code == "InvalidArgumentException" and "StartingSequenceNumber" in request:
                raise Gone from error
            raise

    def _call(self, operation: str, request: dict[str, Any]) -> bytes:
        return self._wire.call(operation, orjson.dumps(request), table=self._arn)


def _shard(said: dict[str, Any]) -> Shard:
    parents = (said.get("ParentShardId"), said.get("AdjacentParentShardId"))
    return Shard(
        said["ShardId"],
        tuple(parent for parent in parents if parent),
        open=not said["SequenceNumberRange"].get("EndingSequenceNumber"),
    )
