from __future__ import annotations

import contextlib
import http.client
import json
import zlib
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from tests.engines import streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWERS = 6


@pytest.fixture(scope="module", params=["flat", "nested"])
def service(request: pytest.FixtureRequest) -> Iterator[streamed.Streamed]:
    with streamed.running(request.param, ANSWERS) as running:
        yield running


@pytest.fixture
def client(service: streamed.Streamed) -> Iterator[Any]:
    opened: Any = botocore.session.Session().create_client(
        "dynamodbstreams", endpoint_url=service.endpoint_url
    )
    with contextlib.closing(opened):
        yield opened


def shards(client: Any, arn: str) -> list[str]:
    described = client.describe_stream(StreamArn=arn)["StreamDescription"]
    return [shard["ShardId"] for shard in described["Shards"]]


def read(client: Any, arn: str, shard: str, kind: str, **more: Any) -> list[dict[str, Any]]:
    """Return a shard's records up to the first empty answer."""
    limit = {"Limit": more.pop("Limit")} if "Limit" in more else {}
    request = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": kind, **more}
    iterator = client.get_shard_iterator(**request)["ShardIterator"]
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get_records(ShardIterator=iterator, **limit)
        if not answer["Records"]:
            return found
        found += answer["Records"]
        iterator = answer["NextShardIterator"]


def test_the_shards_together_hold_every_record_once(
    service: streamed.Streamed, client: Any
) -> None:
    before = service.counts()["changes_read"]
    parts = [
        read(client, service.arn, shard, "TRIM_HORIZON") for shard in shards(client, service.arn)
    ]
    numbers = [[int(each["dynamodb"]["SequenceNumber"]) for each in part] for part in parts]
    assert all(part == sorted(part) for part in numbers)
    every = {number for part in numbers for number in part}
    assert len(every) == sum(map(len, numbers)) == service.changes
    assert service.counts()["changes_read"] - before == service.changes
    assert {each["eventName"] for each in parts[0]} == {"INSERT", "MODIFY", "REMOVE"}
    for each in parts[1]:
        told, kind = each["dynamodb"], each["eventName"]
        assert ("NewImage" in told) == (kind != "REMOVE")
        assert ("OldImage" in told) == (kind != "INSERT")
        assert told.get("NewImage", told.get("OldImage"))["id"] == told["Keys"]["id"]


def test_a_read_goes_on_after_a_number(service: streamed.Streamed, client: Any) -> None:
    shard = shards(client, service.arn)[1]
    whole = read(client, service.arn, shard, "TRIM_HORIZON", Limit=300)
    assert whole == read(client, service.arn, shard, "TRIM_HORIZON")
    per_answer = service.changes // ANSWERS
    assert len(whole) == 2 * per_answer, "of six answers it has two"
    for place in (3, per_answer - 1, per_answer, len(whole) - 1):
        number = whole[place]["dynamodb"]["SequenceNumber"]
        more = {"SequenceNumber": number}
        after = read(client, service.arn, shard, "AFTER_SEQUENCE_NUMBER", **more)
        assert after == whole[place + 1 :]
    assert read(client, service.arn, shard, "LATEST") == []


def test_answers_carry_length_and_checksum(service: streamed.Streamed) -> None:
    address = service.endpoint_url.rpartition("/")[2]
    headers = {"X-Amz-Target": "DynamoDBStreams_20120810.GetRecords"}
    with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        for iterator in ("5-0", "1-7", f"{ANSWERS}-0"):
            body = json.dumps({"ShardIterator": iterator})
            connection.request("POST", "/", body=body, headers=headers)
            response = connection.getresponse()
            raw = response.read()
            assert int(response.headers["Content-Length"]) == len(raw)
            assert int(response.headers["x-amz-crc32"]) == zlib.crc32(raw)


def test_the_table_says_which_stream_it_has(service: streamed.Streamed) -> None:
    client: Any = botocore.session.Session().create_client(
        "dynamodb", endpoint_url=service.endpoint_url
    )
    with contextlib.closing(client):
        described = client.describe_table(TableName=service.table)["Table"]
    assert described["LatestStreamArn"] == service.arn
    assert described["StreamSpecification"]["StreamEnabled"]


def test_answers_are_as_large_as_they_may_be() -> None:
    flat, nested = streamed.Changes("flat", 1), streamed.Changes("nested", 1)
    assert flat.per_answer == streamed.MOST_RECORDS
    assert 0.9 * streamed.MOST_BYTES < nested.size <= streamed.MOST_BYTES
