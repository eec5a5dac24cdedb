"""A file of an export in S3 whose connection breaks in the middle: ranges, on botocore's own connections."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from typing import Any

import pytest

from dynamodb_core.errors import DataError, EndpointError, ServiceError
from dynamodb_core.exports.kinds import DataFile
from dynamodb_core.exports.reader import ExportReader
from dynamodb_core.exports.streaming import TRIES
from dynamodb_core.objects import at
from dynamodb_core.parts import Part
from dynamodb_core.settings import AwsSettings
from tests.engines import exports, faults
from tests.engines.faults import FaultService, Reply, Request

DRAW = random.Random(1)
ITEMS: list[exports.Item] = [
    {"id": {"N": str(n)}, "noise": {"S": DRAW.randbytes(300).hex()}} for n in range(3000)
]
DATA = exports.compressed([exports.full_line(item) for item in ITEMS], "gzip")
FILE = DataFile(
    "data/a.json.gz", 3000, base64.b64encode(hashlib.md5(DATA).digest()).decode(), len(DATA)
)


def start_of(request: Request) -> int:
    asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "bytes=0-"))
    assert asked
    return int(asked[1])


def whole_range(start: int) -> dict[str, str]:
    return {"ETag": '"one"', "Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}


def read(service: FaultService, waits: list[float]) -> list[Any]:
    settings = AwsSettings.from_config(
        {
            "aws_endpoint_url_s3": service.url,
            "aws_access_key_id": "a",
            "aws_secret_access_key": "b",
            "aws_region": "eu-west-1",
        }
    )
    reader = ExportReader(
        at("s3://bucket/AWSDynamoDB/0160", settings),
        [FILE],
        format="dynamodb_json",
        changes=False,
        convert=len,
        sleep=waits.append,
    )
    with reader:
        return list(reader(Part(0)))


def test_a_download_that_breaks_goes_on_at_its_byte() -> None:
    sent = iter([1 << 19, 300_000, None])
    starts = []

    def answer(request: Request) -> Reply:
        start = start_of(request)
        starts.append(start)
        status = 206 if start else 200
        return Reply(DATA[start:], status, whole_range(start), crc=None, sent=next(sent))

    waits: list[float] = []
    with faults.running() as service:
        service.answers(answer)
        blocks = read(service, waits)
    assert sum(block.payload for block in blocks) == 3000
    assert blocks[-1].finished
    assert starts[0] == 0
    assert len(starts) == 3
    assert 0 < starts[1] <= 1 << 19
    assert starts[1] < starts[2] < len(DATA)
    assert len(waits) == 2


def test_an_object_that_is_replaced_meanwhile_is_an_error() -> None:
    versions = iter(['"one"', '"two"'])

    def answer(request: Request) -> Reply:
        start = start_of(request)
        sent = None if start else 1 << 19
        headers = whole_range(start) | {"ETag": next(versions)}
        return Reply(DATA[start:], 206, headers, crc=None, sent=sent)

    with faults.running() as service:
        service.answers(answer)
        with pytest.raises(
            DataError, match=r"s3://bucket/AWSDynamoDB/0160/data/a\.json\.gz has changed"
        ):
            read(service, [])


def test_a_connection_that_never_brings_anything_is_given_up() -> None:
    waits: list[float] = []
    with faults.running() as service:
        service.replies(Reply(DATA, 200, {"ETag": '"one"'}, crc=None, sent=0))
        with pytest.raises(EndpointError, match=r"0 bytes of s3://bucket/.*a\.json\.gz were read"):
            read(service, waits)
        assert len(service.requests) == TRIES
    assert len(waits) == TRIES - 1


def test_a_service_that_does_not_know_ranges_is_an_error() -> None:
    with faults.running() as service:
        service.replies(Reply(DATA, 200, {"ETag": '"one"'}, crc=None, sent=1 << 19))
        with pytest.raises(ServiceError, match=r"a\.json\.gz was asked for from byte [0-9,]+ on"):
            read(service, [])
