"""A stub of DynamoDB that serves canned pages and swallows writes, with next to no CPU of its own.

For benchmarks of the client alone: `with running("flat", 64) as stub:` serves a table `flat` of 64
pages; `stub.counts()` says what was asked of it. Standard library only, in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.client
import json
import re
import select
import signal
import socket
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.mixes import MIXES
from demo import guard
from demo.engine import ROOT, Engine
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SINK = "sink"
"""A table that exists, holds nothing and takes every write."""

_CHUNK = 1 << 18
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *DynamoDB(?:Streams)?_20120810\.(\w+)", re.IGNORECASE)
_WRITTEN = re.compile(rb'"RequestItems" *: *\{ *"([^"]+)"')
_KEY = [{"AttributeName": "id", "KeyType": "HASH"}]


class Service:
    """What the stub knows: its pages, the tables that were made, and counts of what was asked."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.tables = {
            pages.table: self._table(pages.table, _KEY, [["id", "S"]]),
            SINK: self._table(SINK, _KEY, [["id", "S"]]),
        }
        self.counts = {"requests": 0, "scans": 0, "items_read": 0, "items_written": 0}

    def answer(self, operation: str, body: bytes) -> list[bytes]:
        """Return the whole HTTP response to one request, in parts."""
        self.counts["requests"] += 1
        if operation == "BatchWriteItem":
            return self._batch_write(body)
        request: dict[str, Any] = json.loads(body) if body else {}
        if operation == "Scan" and request["TableName"] == self.pages.table:
            page = self.pages.answer(request)
            self.counts["scans"] += 1
            self.counts["items_read"] += page.count
            return [head(200, page.length, page.crc), *page.parts]
        if operation == "ListTables":
            return json_answer(200, {"TableNames": sorted(self.tables)})
        if operation == "counts":
            return json_answer(200, {**self.counts, "cpu_seconds": time.process_time()})
        if operation == "CreateTable":
            types = [
                [d["AttributeName"], d["AttributeType"]] for d in request["AttributeDefinitions"]
            ]
            name = request["TableName"]
            self.tables[name] = self._table(name, request["KeySchema"], types)
            return json_answer(200, {"TableDescription": self.tables[name]})
        if operation == "ListTagsOfResource":
            return json_answer(200, {"Tags": []})
        table = self.tables.get(request.get("TableName", ""))
        if table is None:
            return _refusal("ResourceNotFoundException", "Requested resource not found")
        if operation == "DescribeTable":
            return json_answer(200, {"Table": table})
        if operation == "DescribeTimeToLive":
            return json_answer(200, {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})
        if operation in ("PutItem", "UpdateItem"):
            self.counts["items_written"] += 1
            consumed = {"TableName": table["TableName"], "CapacityUnits": 1.0}
            return json_answer(200, {"ConsumedCapacity": consumed})
        if operation == "Scan":
            return json_answer(200, {"Items": [], "Count": 0, "ScannedCount": 0})
        return _refusal("UnknownOperationException", operation)

    def _batch_write(self, body: bytes) -> list[bytes]:
        count = body.count(b'"PutRequest"') + body.count(b'"DeleteRequest"')
        self.counts["items_written"] += count
        found = _WRITTEN.search(body)
        return _written(found.group(1) if found else b"", max(count, len(body) // 1024))

    def _table(
        self, name: str, key: list[dict[str, str]], types: list[list[str]]
    ) -> dict[str, Any]:
        full = name == self.pages.table
        return {
            "TableName": name,
            "TableStatus": "ACTIVE",
            "TableArn": f"arn:aws:dynamodb:{guard.REGION}:{guard.ACCESS_KEY_ID}:table/{name}",
            "TableId": f"00000000-0000-4000-8000-{zlib.crc32(name.encode()):012d}",
            "KeySchema": key,
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in types],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
            "CreationDateTime": 1.7e9,
            "ItemCount": self.pages.pages * self.pages.per_page if full else 0,
            "TableSizeBytes": self.pages.pages * 2**20 if full else 0,
        }


def head(status: int, length: int, crc: int) -> bytes:
    """Return what stands before the body of an answer."""
    return (
        b"HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n"
        b"x-amz-crc32: %d\r\nx-amzn-RequestId: STUB\r\n\r\n"
    ) % (status, b"OK" if status == 200 else b"Bad Request", length, crc)


def json_answer(status: int, answer: dict[str, Any]) -> list[bytes]:
    """Return a whole response with a JSON body."""
    body = json.dumps(answer).encode()
    return [head(status, len(body), zlib.crc32(body)), body]


@functools.cache
def _written(table: bytes, units: int) -> list[bytes]:
    consumed = {"TableName": table.decode(), "CapacityUnits": float(units)}
    return [b"".join(json_answer(200, {"UnprocessedItems": {}, "ConsumedCapacity": [consumed]}))]


def _refusal(code: str, message: str) -> list[bytes]:
    return json_answer(
        400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    )


class Connection:
    """One kept-alive connection: cuts requests out of what arrives, and answers each in turn."""

    def __init__(self, service: Service, send: Callable[[list[bytes]], None]) -> None:
        self._service = service
        self._send = send
        self._buffer = b""
        self._pieces: list[bytes] = []
        self._needed = 0

    def received(self, data: bytes) -> None:
        if self._buffer:
            self._pieces.append(data)
            self._needed -= len(data)
            if self._needed > 0:
                return  # look again when the request is whole, not before
            data = self._buffer + b"".join(self._pieces)
            self._pieces.clear()
        while data:
            head = data.find(b"\r\n\r\n")
            length = _LENGTH.search(data, 0, head) if head >= 0 else None
            end = head + 4 + (int(length.group(1)) if length else 0)
            if head < 0 or len(data) < end:
                self._needed = end - len(data) if head >= 0 else 1
                break
            target = _TARGET.search(data, 0, head)
            operation = target.group(1).decode() if target else "counts"
            self._send(self._service.answer(operation, data[head + 4 : end]))
            data = data[end:]
        self._buffer = data


class _Peer:
    """The socket of a connection, and what it could not take yet."""

    def __init__(self, service: Service, peer: socket.socket, poll: select.epoll) -> None:
        self.socket = peer
        self._poll = poll
        self._left: list[bytes] = []
        self._connection = Connection(service, self._send)

    def ready(self, events: int) -> bool:
        """Read or write what can be; return False when the other side is gone."""
        try:
            if events & select.EPOLLOUT:
                left, self._left = self._left, []
                self._send(left)
                if not self._left:
                    self._poll.modify(self.socket.fileno(), select.EPOLLIN)
            else:
                data = self.socket.recv(_CHUNK)
                if not data:
                    return False
                self._connection.received(data)
        except BlockingIOError:
            pass
        except ConnectionError:
            return False
        return True

    def _send(self, parts: list[bytes]) -> None:
        if self._left:
            self._left += parts
            return
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = self.socket.sendmsg(parts)
        for part in parts:
            if sent < len(part):
                self._left.append(part[sent:])
            sent = max(0, sent - len(part))
        if self._left:
            self._poll.modify(self.socket.fileno(), select.EPOLLOUT)


def serve(service: Service, port: int) -> None:
    """Serve on loopback until a signal ends the process; print the port when ready."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    peers: dict[int, _Peer] = {}
    print(listener.getsockname()[1], flush=True)  # noqa: T201  (who started it waits for it)
    while True:
        for number, events in poll.poll():
            if number == listener.fileno():
                made, _ = listener.accept()
                made.setblocking(False)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peers[made.fileno()] = _Peer(service, made, poll)
                poll.register(made.fileno(), select.EPOLLIN)
            elif not peers[number].ready(events):
                poll.unregister(number)
                peers.pop(number).socket.close()


@dataclass(frozen=True)
class Stub(Engine):
    """A running stub: an engine that has one full table and one sink."""

    table: str = ""
    pages: int = 0

    def counts(self) -> dict[str, Any]:
        """Return requests, scans, items_read, items_written, and the stub's own cpu_seconds."""
        address = self.endpoint_url.rpartition("/")[2]
        with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
            connection.request("GET", "/")
            counts: dict[str, Any] = json.loads(connection.getresponse().read())
        return counts


@contextlib.contextmanager
def running(mix: str, pages: int) -> Iterator[Stub]:
    """Run the stub, in a process of its own and on a free port, for the length of a `with` block."""
    command = [sys.executable, "-m", "tests.engines.stub", "--mix", mix, "--pages", str(pages)]
    with subprocess.Popen(
        command, cwd=ROOT, env=guard.environment(), stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Stub(f"http://127.0.0.1:{port}", table=mix, pages=pages)
        finally:
            process.terminate()


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--mix", choices=MIXES, default="flat", help="the items, and the table's name"
    )
    parser.add_argument("--pages", type=int, default=16, help="of about 1 MB each (default: 16)")
    parser.add_argument("--port", type=int, default=0, help="default: a free one, which is printed")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve(Service(Pages(options.mix, options.pages)), options.port)


if __name__ == "__main__":
    main()
