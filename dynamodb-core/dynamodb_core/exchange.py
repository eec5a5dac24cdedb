"""One request and its answer on a connection that is open already: HTTP/1.1, as little as it takes.

Connections are urllib3's: it opens them, by TLS, CA bundles and proxies, checks that they still are,
and keeps them. Only the words on the wire are our own: with those of urllib3 and `http.client` a
request takes four times the CPU. An answer of a kind that is seldom (chunked, of an older HTTP,
without a length) is read by `http.client` all the same.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

FIRST_BYTES = 1 << 14
"""How much is received at first: all of the answer to a write."""
MOST_HEAD_BYTES = 1 << 16

_STATUS = re.compile(r"HTTP/1\.1 ([2-5][0-9][0-9])(?: |$)").match
_LENGTH = re.compile(r"[0-9]{1,12}").fullmatch
_BODILESS = frozenset({204, 304})

FAILURES = (OSError, http.client.HTTPException)
"""What an exchange may raise."""


class Answer(NamedTuple):
    """An HTTP response.

    Attributes:
        status: Its status.
        headers: Its headers, by their names in small letters.
        body: Its body, whole.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(pool: Any, request: bytes, *, timeout: float) -> Answer | None:
    """Send a request over an open connection of a pool, and receive the answer.

    Args:
        pool: urllib3's `HTTPConnectionPool`.
        request: The whole request, without `Connection: close`.
        timeout: Seconds that sending may take, and each wait for more of the answer.

    Returns:
        The answer; None when nothing was sent: no open connection is free, or they are those to a
        proxy that passes on requests in the clear, which have another form.

    Raises:
        OSError: The connection broke, or nothing arrived in time.
        HTTPException: What arrived is no answer, or a part of one.
        urllib3.exceptions.ClosedPoolError: The pool was closed.
    """
    connection = pool._get_conn()  # noqa: SLF001 - decision 3
    try:
        if connection.is_closed or connection.proxy_is_forwarding:
            return None
        reusable = False
        try:
            answer, reusable = _converse(connection.sock, request, timeout)
        finally:
            if not reusable:
                connection.close()
        return answer
    finally:
        pool._put_conn(connection)  # noqa: SLF001


def _converse(sock: socket.socket, request: bytes, timeout: float) -> tuple[Answer, bool]:
    """Return the answer, and whether the connection may be used again."""
    if sock.gettimeout() != timeout:
        sock.settimeout(timeout)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(request)  # a server may answer, and close, before it has read all of it
    received = sock.recv(FIRST_BYTES)
    while (end := received.find(b"\r\n\r\n")) < 0:
        more = sock.recv(FIRST_BYTES)
        if not more or len(received) > MOST_HEAD_BYTES:
            raise http.client.RemoteDisconnected(f"The answer ended after {len(received)} bytes")
        received += more
    head = _head(received[:end])
    if head is None:
        return _by_the_book(sock, received)
    status, headers, length = head
    body = received[end + 4 :]
    if len(body) < length:
        body += _rest(sock, length - len(body))
    reusable = len(body) == length and "close" not in headers.get("connection", "").lower()
    return Answer(status, headers, body[:length]), reusable


def _head(head: bytes) -> tuple[int, dict[str, str], int] | None:
    """Return status, headers and the length of the body; None where that is not all there is to it."""
    first, *lines = head.decode("latin-1").split("\r\n")
    status = _STATUS(first)
    if status is None:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name in headers or name != name.strip():  # odd, or more of the line before
            return None
        headers[name] = value.strip(" \t")
    length = headers.get("content-length", "")
    if int(status[1]) in _BODILESS or "transfer-encoding" in headers or not _LENGTH(length):
        return None
    return int(status[1]), headers, int(length)


def _rest(sock: socket.socket, missing: int) -> bytes:
    with sock.makefile("rb") as file:  # which receives into one piece of memory
        rest = file.read(missing)
    if len(rest) < missing:
        raise http.client.IncompleteRead(b"", missing - len(rest))
    return rest


def _by_the_book(sock: socket.socket, received: bytes) -> tuple[Answer, bool]:
    """Do as `_converse` for an answer of any kind, of which some was received already."""
    response = http.client.HTTPResponse(_Again(sock, received), method="POST")  # type: ignore[arg-type]
    response.begin()
    closing = response.will_close
    body = response.read()
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        seen = headers.get(name.lower())
        headers[name.lower()] = value if seen is None else f"{seen}, {value}"
    return Answer(response.status, headers, body), not closing


class _Again(io.RawIOBase):
    """A socket whose first bytes are read once more."""

    def __init__(self, sock: socket.socket, received: bytes) -> None:
        super().__init__()
        self._sock = sock
        self._received = memoryview(received)

    def makefile(self, *_arguments: object) -> io.BufferedReader:
        """Return itself as the file that `http.client` reads."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read, first what was received already."""
        if not self._received:
            return self._sock.recv_into(buffer)
        count = min(len(buffer), len(self._received))
        buffer[:count] = self._received[:count]
        self._received = self._received[count:]
        return count
