"""Answers as they stand on the wire, byte by byte: all kinds of them, and none that is one."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import select
import socket
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from botocore.exceptions import ReadTimeoutError

from dynamodb_core import exchange
from dynamodb_core.errors import CorruptReply
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BODY = b'{"Items":[],"Count":0}'
CRC = b"x-amz-crc32: %d\r\n" % zlib.crc32(BODY)
USUAL = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(BODY), CRC, BODY)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n5\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\n\r\n"
) % (CRC, BODY[:5], len(BODY) - 5, BODY[5:])
PATIENCE = 20.0


class End(bytes):
    """Bytes after which the server closes the connection."""


class Break(bytes):
    """Bytes after which the server resets the connection."""


class Silence(bytes):
    """Bytes after which the server says nothing more."""


def lines_of_head(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a request up to the empty one; none at the end of the connection."""
    while (line := file.readline()) not in (b"\r\n", b""):
        yield line


class Server:
    """Answers requests with given bytes, in turn, the last ones again and again.

    It notes each request, and the number of the connection that it came by.
    """

    def __init__(self) -> None:
        self.answers: Sequence[bytes] = [USUAL]
        self.requests: list[bytes] = []
        self.connections: list[int] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._held: list[socket.socket] = []

    def answer(self, request: bytes) -> bytes:
        """Return what is said to a request; its first try is the one that is to fail."""
        whole = b"attempt=" in request
        if whole and isinstance(self.answers[0], Silence):
            return self.answers[-1]
        return self.answers[min(len(self.requests), len(self.answers)) - 1]

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            for number in itertools.count():
                connection, _ = self._listener.accept()
                self._held.append(connection)
                threading.Thread(target=self._talk, args=[connection, number], daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), connection.makefile("rb") as file:
            while head := b"".join(lines_of_head(file)):
                fields = dict(line.lower().split(b": ") for line in head.splitlines()[1:])
                self.requests.append(head + b"\r\n" + file.read(int(fields[b"content-length"])))
                self.connections.append(number)
                answer = self.answer(self.requests[-1])
                connection.sendall(answer)
                if isinstance(answer, End):
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if isinstance(answer, Break):
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    file.close()
                    connection.close()
                    return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._held:
            connection.close()


@pytest.fixture(scope="module")
def one_server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join(PATIENCE)


@pytest.fixture(scope="module")
def one_wire(one_server: Server) -> BotoWire:
    settings = AwsSettings("AKID", "secret", region="eu-west-1", endpoint_url=one_server.url)
    return BotoWire(settings, sleep=lambda _seconds: None)


@pytest.fixture
def server(one_server: Server, one_wire: BotoWire, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that the wire has an open connection to, on which it speaks in our own words."""
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0
    )
    one_server.answers = [USUAL]
    shortcut = one_wire._client(tries=10)
    monkeypatch.setattr(shortcut, "_detour", 0)
    for _ in range(2):
        scan(one_wire)
    one_server.requests.clear()
    one_server.connections.clear()
    return one_server


@pytest.fixture
def wire(server: Server, one_wire: BotoWire) -> BotoWire:
    assert server.requests == []
    return one_wire


def scan(wire: BotoWire) -> bytes:
    return wire.call("Scan", b'{"TableName":"t"}', table="t")


def went(server: Server) -> list[str]:
    """Which road each request took; of botocore's, which try it was."""
    return [
        request.partition(b"attempt=")[2][:1].decode() if b"attempt=" in request else "short"
        for request in server.requests
    ]


def lines(*lines: bytes) -> bytes:
    """A success of these header lines, and the body."""
    return b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + BODY


LENGTH = b"Content-Length: %d" % len(BODY)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (USUAL, True),
        (lines(b"conTENT-length:%d  " % len(BODY), b"X-AMZ-CRC32:\t%d" % zlib.crc32(BODY)), True),
        (lines(LENGTH, b"Connection: keep-alive", b"Server:"), True),
        (lines(LENGTH, b"Connection: close"), False),
        (lines(LENGTH, b"Connection: Keep-Alive, Close"), False),
        (End(lines(LENGTH, b"Connection: close")), False),
        (USUAL + b"more than was asked for", False),
        (CHUNKED, True),
        (CHUNKED.replace(b"0\r\n\r\n", b"0\r\nTrailer: a\r\n\r\n"), True),
        (CHUNKED.replace(CRC, b"Connection: close\r\n"), False),
        (End(lines(b"Server: without a length")), False),
        (End(USUAL.replace(b"/1.1", b"/1.0")), False),
        (USUAL.replace(b"/1.1", b"/1.0"), False),
        (CHUNKED.replace(CRC, CRC + LENGTH + b"\r\n"), True),
        (lines(LENGTH, b"Content-Length: 5"), True),
        (b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + USUAL, True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + USUAL, True),
        (b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" + CHUNKED, True),
        (lines(LENGTH, b"Via: one", b"Via: two"), True),
        (lines(LENGTH, b"Folded: one", b"  two"), True),
        (lines(LENGTH, b"H\xe9: \xe9"), True),
        (lines(LENGTH, *[b"X-%d: %b" % (n, b"x" * 500) for n in range(40)]), True),
    ],
)
def test_a_success_of_any_kind_is_taken(
    server: Server, wire: BotoWire, answer: bytes, kept: bool
) -> None:
    server.answers = [answer, USUAL]
    for _ in range(3):
        assert scan(wire) == BODY
    assert went(server) == ["short"] * 3
    first, second, third = server.connections
    assert (first == second, second == third) == (kept, True)


class Dripping(io.RawIOBase):
    """A socket on which an answer arrives in pieces of one size."""

    def __init__(self, answer: bytes, size: int) -> None:
        super().__init__()
        self.left = answer
        self._size = size

    def gettimeout(self) -> float:
        return PATIENCE

    def sendall(self, _request: bytes) -> None:
        pass

    def recv(self, most: int) -> bytes:
        piece = self.left[: min(most, self._size)]
        self.left = self.left[len(piece) :]
        return piece

    def recv_into(self, buffer: Any) -> int:
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    readinto = recv_into


@pytest.mark.parametrize("answer", [USUAL, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED])
def test_an_answer_may_arrive_in_any_pieces(answer: bytes) -> None:
    for size in range(1, len(answer) + 1):
        sock: Any = Dripping(answer, size)
        found, reusable = exchange._converse(sock, b"", PATIENCE)
        assert (found.status, found.body, reusable, sock.left) == (200, BODY, True, b"")
        assert found.headers["x-amz-crc32"] == str(zlib.crc32(BODY))


def test_a_large_answer_is_taken_whole(server: Server, wire: BotoWire) -> None:
    body = b'{"Items":["%b"]}' % (b"x" * 3_000_000)
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nx-amz-crc32: %d\r\n\r\n%b" % (
        *(len(body), zlib.crc32(body)),
        body,
    )
    server.answers = [large, USUAL]
    assert [scan(wire) for _ in range(2)] == [body, BODY]
    assert went(server) == ["short"] * 2
    assert len(set(server.connections)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        End(b""),
        Break(b""),
        End(USUAL[:12]),
        End(USUAL[:40]),
        End(USUAL[:-1]),
        Break(USUAL[:-1]),
        End(CHUNKED[:-10]),
        End(CHUNKED[:60]),
        End(b"HTTP/1.1 100 Continue\r\n\r\n"),
        End(b"SSH-2.0-OpenSSH\r\n\r\n"),
        End(b"\x15\x03\x01\x00\x02\x02\x16"),
        End(CHUNKED.replace(b"\r\n5\r\n", b"\r\nfive\r\n")),
        End(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000,
        End(b"HTTP/1.1 twohundred OK\r\n\r\n"),
        End(b"HTTP/1.1 503 Service Unavailable\r\n\r\n<html></html>"),
    ],
)
def test_what_is_no_answer_or_half_of_one_is_botocores_first_try(
    server: Server, wire: BotoWire, fault: bytes
) -> None:
    server.answers = [fault, USUAL]
    assert scan(wire) == BODY
    assert went(server) == ["short", "2"]
    assert scan(wire) == BODY
    assert server.connections[1] == server.connections[2] != server.connections[0]


@pytest.mark.parametrize("framed", [b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_failure_that_is_told_in_full_leaves_its_connection_open(
    server: Server, wire: BotoWire, framed: bytes
) -> None:
    end = b"0\r\n\r\n" if b"chunked" in framed else b""
    server.answers = [b"HTTP/1.1 500 Sorry\r\n" + framed + b"\r\n" + end, USUAL]
    assert scan(wire) == BODY
    assert went(server) == ["short", "2"]
    assert len(set(server.connections)) == 1


@pytest.mark.parametrize("fault", [Silence(b""), Silence(USUAL[:20]), Silence(USUAL[:-1])])
def test_silence_is_ended_and_is_botocores_first_try(
    server: Server, wire: BotoWire, fault: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire._client(tries=10), "_timeout", 0.05)
    server.answers = [fault, USUAL]
    assert scan(wire) == BODY
    assert "2" in went(server)
    assert "1" not in went(server)


def test_silence_is_told_as_what_it_is(
    server: Server, wire: BotoWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortcut = wire._client(tries=10)
    monkeypatch.setattr(shortcut, "_timeout", 0.05)
    server.answers = [Silence(b"")]
    assert isinstance(shortcut.send("Scan", "t", b"{}"), ReadTimeoutError)


def test_the_timeout_is_that_of_the_client(one_wire: BotoWire) -> None:
    wire = one_wire
    assert wire._client(tries=10)._timeout == wire._client(tries=4)._timeout == 60


def test_a_connection_that_was_closed_in_silence_is_replaced_before_it_is_used(
    server: Server, wire: BotoWire
) -> None:
    server.answers = [End(USUAL), USUAL]
    assert scan(wire) == BODY
    [pool] = {template.pool for template in wire._client(tries=10)._templates.values()}
    connection = pool._get_conn()
    if connection.sock is not None:  # the server's farewell is still on its way
        select.select([connection.sock], [], [], PATIENCE)
    pool._put_conn(connection)
    for _ in range(2):
        assert scan(wire) == BODY
    assert went(server) == ["short"] * 3
    assert server.connections[1] == server.connections[2] != server.connections[0]


def test_a_pool_that_was_closed_is_replaced(server: Server, wire: BotoWire) -> None:
    [pool] = {template.pool for template in wire._client(tries=10)._templates.values()}
    pool.close()
    wire._client(tries=10).client._endpoint.http_session.close()
    for _ in range(3):
        assert scan(wire) == BODY
    assert went(server) == ["short"] * 3
    assert len(set(server.connections)) == 1


def test_an_answer_that_nobody_asked_to_compress_is_told(server: Server, wire: BotoWire) -> None:
    packed = gzip.compress(BODY)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    server.answers = [head + packed]
    with pytest.raises(CorruptReply, match="no whole JSON object"):
        scan(wire)
    assert all(b"Accept-Encoding: identity\r\n" in request for request in server.requests)


def test_the_checksum_counts_however_its_header_is_spelled(server: Server, wire: BotoWire) -> None:
    wrong = [lines(LENGTH, name + b": 1") for name in (b"x-amz-crc32", b"X-Amz-Crc32")]
    server.answers = [*wrong, CHUNKED.replace(CRC, b"X-AMZ-CRC32: 1\r\n"), USUAL]
    assert scan(wire) == BODY
    assert went(server) == ["short"] * 4


def test_a_server_that_answers_before_it_has_read_everything_is_heard() -> None:
    """Sending breaks, and the refusal is there to be read."""
    ours, theirs = socket.socketpair()
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with ours:
        theirs.sendall(refusal)
        theirs.close()
        found, reusable = exchange._converse(ours, b"x" * 16_000_000, PATIENCE)
    assert (found.status, found.body, reusable) == (413, b"{}", False)


def test_interruption_leaves_no_half_read_connection(
    server: Server, wire: BotoWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of one answer would pass for the next one."""
    heads = itertools.count()
    head = exchange._head

    def interrupted(received: bytes) -> Any:
        if next(heads) == 0:
            raise KeyboardInterrupt
        return head(received)

    monkeypatch.setattr(exchange, "_head", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scan(wire)
    for _ in range(2):
        assert scan(wire) == BODY
    assert server.connections[1] == server.connections[2] != server.connections[0]
