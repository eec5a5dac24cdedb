"""A forward proxy on loopback, as companies have them: it notes what it is asked for.

Whatever host a client names, the proxy connects to the one service that it was started for. So a
client may speak to AWS's own host names, by TLS as well, and nothing leaves this machine.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from demo import guard

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

_OF_ONE_HOP = {"proxy-authorization", "proxy-connection", "connection", "content-length"}


class Proxy:
    """What the proxy was asked for; `running` gives one that listens.

    Attributes:
        url: Its address.
        tunnels: `host:port` of each CONNECT.
        forwarded: The URL of each request that it passed on in the clear.
        authorizations: `Proxy-Authorization` of each of both; None where there was none.
        refusal: A status that it answers with instead of doing anything; 0 for none.
    """

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.url = ""
        self.tunnels: list[str] = []
        self.forwarded: list[str] = []
        self.authorizations: list[str | None] = []
        self.refusal = 0
        self.upstream = upstream


@contextlib.contextmanager
def running(upstream: str, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy on a free port of this machine, in front of the service at a loopback URL.

    With a context the proxy itself is reached over TLS.
    """
    address = urlsplit(guard.loopback(upstream))
    proxy = Proxy((address.hostname or "", address.port or 0))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    proxy.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        wbufsize = -1

        def _refused(self) -> bool:
            proxy.authorizations.append(self.headers.get("Proxy-Authorization"))
            if proxy.refusal:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(proxy.refusal)
                self.send_header("Content-Length", "0")
                self.end_headers()
            return bool(proxy.refusal)

        def do_CONNECT(self) -> None:
            proxy.tunnels.append(self.path)
            self.close_connection = True
            if self._refused():
                return
            with socket.create_connection(proxy.upstream) as beyond:
                self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                _pass_on(self.connection, beyond)

        def do_POST(self) -> None:
            proxy.forwarded.append(self.path)
            if self._refused():
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {n: v for n, v in self.headers.items() if n.lower() not in _OF_ONE_HOP}
            beyond = http.client.HTTPConnection(*proxy.upstream, timeout=30)
            beyond.request("POST", urlsplit(self.path).path or "/", body, headers)
            answer = beyond.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"server", "date"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            beyond.close()

        def log_message(self, *_arguments: object) -> None:
            """Stay silent."""

    return Handler


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    ways = {one: other, other: one}
    while True:
        ready, _, _ = select.select([one, other], [], [], 30)
        if not ready:
            return
        for side in ready:
            with contextlib.suppress(ConnectionError):
                data = side.recv(1 << 16)
                if data:
                    ways[side].sendall(data)
                    continue
            return
