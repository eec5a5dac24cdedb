from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from benchmarks.mixes import MIXES
from demo.wire import Wire, WireError
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.wire import Item

PAGES = 5


@pytest.fixture(scope="module", params=MIXES)
def service(request: pytest.FixtureRequest) -> Iterator[stub.Stub]:
    with stub.running(request.param, PAGES) as running:
        yield running


@pytest.fixture
def wire(service: stub.Stub) -> Iterator[Wire]:
    with contextlib.closing(Wire.of(service)) as opened:
        yield opened


def segment(wire: Wire, table: str, number: int, total: int, **more: Any) -> list[Item]:
    request = {"TableName": table, "Segment": number, "TotalSegments": total, **more}
    items: list[Item] = []
    while True:
        page = wire.call("Scan", request)
        assert page["Count"] == page["ScannedCount"] == len(page["Items"])
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        assert page["LastEvaluatedKey"] == {"id": page["Items"][-1]["id"]}
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_segments_together_hold_every_item_once(service: stub.Stub, wire: Wire, total: int) -> None:
    with ThreadPoolExecutor(total) as pool:
        parts = pool.map(lambda n: segment(wire, service.table, n, total), range(total))
        ids = [item["id"]["S"] for item in itertools.chain.from_iterable(parts)]
    described = wire.describe(service.table)["ItemCount"]
    assert len(ids) == len(set(ids)) == described
    assert described == PAGES * Pages(service.table, 1).per_page


def test_a_limit_cuts_pages_and_loses_nothing(service: stub.Stub, wire: Wire) -> None:
    per_page = Pages(service.table, 1).per_page
    limit = per_page // 2 + 1
    whole = segment(wire, service.table, 0, PAGES)
    assert segment(wire, service.table, 0, PAGES, Limit=limit) == whole
    first = wire.call("Scan", {"TableName": service.table, "Limit": 2})
    assert first["Items"] == whole[:2]


def test_pages_are_of_a_megabyte_and_carry_length_and_checksum(service: stub.Stub) -> None:
    address = service.endpoint_url.rpartition("/")[2]
    with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        for _ in range(2):  # on one connection
            connection.request(
                "POST",
                "/",
                body=b'{"TableName": "%s"}' % service.table.encode(),
                headers={"X-Amz-Target": "DynamoDB_20120810.Scan"},
            )
            response = connection.getresponse()
            raw = response.read()
            assert int(response.headers["Content-Length"]) == len(raw)
            assert int(response.headers["x-amz-crc32"]) == zlib.crc32(raw)
            assert 2**20 < len(raw) < 1.3 * 2**20


def test_writes_are_swallowed_and_counted(service: stub.Stub, wire: Wire) -> None:
    before = service.counts()
    items = [{"id": {"S": f"{n}"}} for n in range(60)]
    assert wire.put(stub.SINK, items) == 60
    after = service.counts()
    assert after["items_written"] - before["items_written"] == 60
    assert after["cpu_seconds"] >= before["cpu_seconds"]
    request = {"RequestItems": {stub.SINK: [{"PutRequest": {"Item": items[0]}}]}}
    answer = wire.call("BatchWriteItem", request)
    assert answer["UnprocessedItems"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": stub.SINK, "CapacityUnits": 1.0}]


def test_tables_are_listed_described_and_made(service: stub.Stub, wire: Wire) -> None:
    assert wire.key_of(service.table) == (("id", "S"),)
    wire.create_table("made_here", (("a", "B"), ("b", "N")))
    assert wire.key_of("made_here") == (("a", "B"), ("b", "N"))
    names = wire.call("ListTables", {})["TableNames"]
    assert {service.table, stub.SINK, "made_here"} <= set(names)
    assert list(wire.scan("made_here")) == []
    with pytest.raises(WireError, match="ResourceNotFoundException"):
        wire.describe("not_there")


def test_botocore_understands_it(service: stub.Stub) -> None:
    client: Any = botocore.session.Session().create_client(
        "dynamodb", endpoint_url=service.endpoint_url
    )
    with contextlib.closing(client):
        pages = client.get_paginator("scan").paginate(TableName=service.table)
        count = sum(page["Count"] for page in pages)
        assert count == client.describe_table(TableName=service.table)["Table"]["ItemCount"]
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.describe_table(TableName="not_there")


def test_requests_that_arrive_in_pieces_are_put_together() -> None:
    sent: list[bytes] = []

    service = stub.Service(Pages("large", 1))
    connection = stub.Connection(service, sent.extend)
    body = b'{"RequestItems": {"sink": [{"PutRequest": {"Item": {}}}]}}'
    request = (
        b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.BatchWriteItem\r\n"
        b"Content-Length: %d\r\n\r\n%s"
    ) % (len(body), body)
    stream = request * 3
    for n in range(0, len(stream), 7):
        connection.received(stream[n : n + 7])
    assert len(sent) == 3
    connection.received(stream)
    assert len(sent) == 6
    assert service.counts["items_written"] == 6


def test_many_connections_at_once(service: stub.Stub) -> None:
    barrier = threading.Barrier(8)

    def scan(_: int) -> int:
        with contextlib.closing(Wire.of(service)) as own:
            barrier.wait(timeout=30)
            return len(segment(own, service.table, 0, PAGES))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(scan, range(8)))) == 1
