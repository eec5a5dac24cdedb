"""An engine that does next to nothing: canned Scan pages, and writes that are counted and forgotten.

A real engine takes a quarter to a half of the machine and hides what its client costs. The name of a
table says what is in it: `flat-30` holds 30 pages of flat items, `flat-0` none; any other table is
there to be written to. Scan divides pages among segments. Nothing is verified, not even signatures.
"""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import sys
import threading
import urllib.request
import zlib
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks import mixes
from demo import guard, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE_UNITS = 128.5
_CONTENT = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"x-amz-target: *\w+\.(\w+)", re.IGNORECASE)
_TABLE = re.compile(r"(\w+)-(\d+)")
_PUT = b'"PutRequest"'


class Stub(socketserver.ThreadingTCPServer):
    """The server; it counts the writes it took."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.taken = 0
        self.lock = threading.Lock()


class _Connection(socketserver.StreamRequestHandler):
    """One connection, kept open. The standard library's own HTTP server costs ten times as much."""

    disable_nagle_algorithm = True
    rbufsize = 1 << 20
    server: Stub

    def handle(self) -> None:
        """Answer requests until the client hangs up."""
        with contextlib.suppress(ConnectionError):
            while head := self._head():
                length = _CONTENT.search(head)
                body = self.rfile.read(int(length[1])) if length else b""
                operation = _TARGET.search(head)
                if operation is None:
                    answer = b"%d" % self.server.taken
                else:
                    answer = getattr(self, operation[1].decode())(body)
                self.connection.sendall(_response(answer))

    def _head(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            lines.append(line)
        return b"".join(lines)

    def DescribeTable(self, body: bytes) -> bytes:  # noqa: N802 - the operation's name
        """Describe any table; none names a throughput, so nothing is held back."""
        name = orjson.loads(body)["TableName"]
        mix, pages = _content(name)
        count = len(mixes.items(mix)) * pages if pages else 0
        table = {
            "TableName": name,
            "TableArn": f"arn:aws:dynamodb:{guard.REGION}:000000000000:table/{name}",
            "TableId": f"{zlib.crc32(name.encode()):08x}-0000-4000-8000-000000000000",
            "TableStatus": "ACTIVE",
            "KeySchema": [
                {"AttributeName": attribute, "KeyType": role}
                for (attribute, _), role in zip(mixes.KEY, ("HASH", "RANGE"), strict=True)
            ],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in mixes.KEY
            ],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "ItemCount": count,
            "TableSizeBytes": pages << 20,
        }
        return orjson.dumps({"Table": table})

    def Scan(self, body: bytes) -> bytes:  # noqa: N802 - the operation's name
        """Answer a page: of a segment's pages the one after the start key's."""
        request = orjson.loads(body)
        mix, pages = _content(request["TableName"])
        segment, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
        start = request.get("ExclusiveStartKey")
        page = segment
        if start is not None:
            page = int(start["pk"]["S"][1 : 1 + mixes.PAGE_DIGITS]) + segments
        if page >= pages:
            return b'{"Count":0,"Items":[],"ScannedCount":0}'
        items = mixes.items(mix)[: request.get("Limit")]
        last = b""
        if page + segments < pages:
            last = b'"LastEvaluatedKey":{"pk":{"S":"c%s"},"sk":{"N":"0"}},' % mixes.PAGE
        used = b'"ConsumedCapacity":{"CapacityUnits":%.1f,"TableName":"x"},' % PAGE_UNITS
        answer = b'{%b"Count":%d,"Items":[%b],%b"ScannedCount":%d}' % (
            used if "ReturnConsumedCapacity" in request else b"",
            len(items),
            b",".join(items),
            last,
            len(items),
        )
        return answer.replace(mixes.PAGE, b"%0*d" % (mixes.PAGE_DIGITS, page))

    def BatchWriteItem(self, body: bytes) -> bytes:  # noqa: N802 - the operation's name
        """Take every write."""
        count = body.count(_PUT)
        with self.server.lock:
            self.server.taken += count
        if b'"ReturnConsumedCapacity"' not in body:
            return b'{"UnprocessedItems":{}}'
        return (
            b'{"ConsumedCapacity":[{"CapacityUnits":%d.0,"Table":{"CapacityUnits":%d.0},'
            b'"TableName":"x"}],"UnprocessedItems":{}}' % (count, count)
        )


def _content(table: str) -> tuple[str, int]:
    named = _TABLE.fullmatch(table)
    return (named[1], int(named[2])) if named and named[1] in mixes.MIXES else ("", 0)


def _response(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n"
        b"x-amz-crc32: %d\r\nx-amzn-RequestId: STUB\r\nConnection: keep-alive\r\n\r\n%b"
        % (len(body), zlib.crc32(body), body)
    )


@contextlib.contextmanager
def running(log: Path) -> Iterator[str]:
    """Run the stub in a process of its own for the length of a `with` block.

    Args:
        log: Where what it says goes.

    Yields:
        Its endpoint.
    """
    port = server.free_port()
    command = [sys.executable, "-m", "benchmarks.stub", str(port)]
    process = server.start(command, log, guard.environment())
    try:
        server.wait_until_it_answers(process, port, "/", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(process)


def taken(endpoint: str) -> int:
    """Return how many writes a running stub has taken so far."""
    with urllib.request.urlopen(guard.loopback(endpoint)) as answer:
        return int(answer.read())


if __name__ == "__main__":
    with Stub(int(sys.argv[1])) as stub:
        stub.serve_forever(poll_interval=10)
