"""A small HTTP service on loopback that answers as a test says, faults included.

It is no DynamoDB: it keeps nothing and understands nothing. It gives one reply after the other (the
last one again and again), or what a function says, and remembers every request byte for byte.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import sys
import threading
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

_RESET = struct.pack("ii", 1, 0)
_CREDENTIAL = re.compile(r"Credential=([^/]+)/")


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """DynamoDB's operation, or the `Action` of a form."""
        target = self.headers.get("X-Amz-Target", "")
        return target.rpartition(".")[2] or self.form.get("Action", "")

    @property
    def form(self) -> dict[str, str]:
        """The body as a form, as STS takes it."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def access_key_id(self) -> str:
        """Who signed it."""
        found = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        return found[1] if found else ""


@dataclass(frozen=True)
class Reply:
    """What is sent.

    Attributes:
        body: The body; its length is what Content-Length says.
        status: The HTTP status.
        headers: More headers.
        crc: The checksum that is sent; -1 sends the right one, None sends none.
        sent: Break the connection after so many bytes of the body; None sends it whole.
        reset: Reset the connection instead of replying at all.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    crc: int | None = -1
    sent: int | None = None
    reset: bool = False


def ok(answer: Any = None) -> Reply:
    return Reply(json.dumps(answer or {}).encode())


def refused(code: str, message: str = "because", status: int = 400) -> Reply:
    """An error as DynamoDB says it."""
    answer = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return Reply(json.dumps(answer).encode(), status)


def html(status: int, body: bytes = b"<html><body>Service Unavailable</body></html>") -> Reply:
    """An error as a load balancer says it."""
    return Reply(body, status, {"Content-Type": "text/html"}, crc=None)


def role_credentials(access_key_id: str, expires: str, account: str = "123456789012") -> Reply:
    """STS's answer to AssumeRole."""
    body = (
        "<AssumeRoleResponse><AssumeRoleResult>"
        f"<AssumedRoleUser><Arn>arn:aws:sts::{account}:assumed-role/r/s</Arn>"
        "<AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>"
        f"<Credentials><AccessKeyId>{access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>secret of {access_key_id}</SecretAccessKey>"
        f"<SessionToken>token-of-{access_key_id}</SessionToken>"
        f"<Expiration>{expires}</Expiration></Credentials>"
        "</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
        "</AssumeRoleResponse>"
    )
    return Reply(body.encode(), headers={"Content-Type": "text/xml"}, crc=None)


def role_refused(code: str, message: str) -> Reply:
    """STS's refusal."""
    body = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
        "</Error><RequestId>1</RequestId></ErrorResponse>"
    )
    return Reply(body.encode(), 403, {"Content-Type": "text/xml"}, crc=None)


class FaultService:
    """What the service says, and what it was asked; `running` gives one that listens."""

    url: str

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self._replies: list[Reply] = []
        self._answer: Callable[[Request], Reply] = self._next
        self._lock = threading.Lock()

    def replies(self, *replies: Reply) -> None:
        """Give one reply after the other, the last one again and again."""
        self._replies = list(replies)
        self._answer = self._next

    def answers(self, answer: Callable[[Request], Reply]) -> None:
        """Reply as a function says; it runs one call at a time."""
        self._answer = answer

    def _next(self, _request: Request) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            return self._answer(request)

    def operations(self) -> list[str]:
        with self._lock:
            return [request.operation for request in self.requests]


@contextlib.contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[FaultService]:
    """Run a service on a free port of this machine for the length of a `with` block.

    With a context it speaks TLS.
    """
    service = FaultService()
    server = _Server(("127.0.0.1", 0), _handler(service))
    server.failures = service.failures
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    service.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert not service.failures, service.failures


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    failures: list[BaseException]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is its own affair; anything else fails the test."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.failures.append(error)


def _handler(service: FaultService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        # Head and body together, and what is larger at once: else a reply would take 40 ms.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = service.reply_to(Request(dict(self.headers.items()), body))
            if reply.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            if reply.crc is not None:
                crc = zlib.crc32(reply.body) if reply.crc == -1 else reply.crc
                self.send_header("x-amz-crc32", str(crc))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: reply.sent])
            self.close_connection = reply.sent is not None

        def do_GET(self) -> None:  # S3 is read so
            self.do_POST()

        def log_message(self, *_arguments: object) -> None:
            """Stay silent."""

    return Handler
