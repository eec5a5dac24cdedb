"""What keeps the demo, the tests and the benchmarks away from AWS.

Four fences, each enough by itself: the environment holds no credentials of a person, every
endpoint must be on loopback, a client without an endpoint finds a closed port instead of AWS,
and (in a test process) sockets connect to loopback only.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

REGION = "eu-west-1"
ACCESS_KEY_ID = "000000000000"
SECRET_ACCESS_KEY = "dummy"  # noqa: S105  (a word for engines that check nothing)
NOWHERE = "http://127.0.0.1:1"
"""The endpoint of a client that was given none: nothing listens on port 1."""

_NO_FILE = os.path.join(os.sep, "nonexistent", "aws")  # noqa: PTH118  (a string for the environment)


class NotLoopbackError(Exception):
    """Something was about to leave this machine."""


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `base` (default: this process's environment) without a way to AWS.

    Every `AWS_*` variable is dropped. What remains are dummy keys, a region, config files that do
    not exist, no instance metadata, and an endpoint where nothing answers. Loopback passes by any
    proxy.
    """
    source = os.environ if base is None else base
    clean = {name: value for name, value in source.items() if not name.upper().startswith("AWS_")}
    clean.update(
        AWS_ACCESS_KEY_ID=ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY=SECRET_ACCESS_KEY,
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_CONFIG_FILE=_NO_FILE,
        AWS_SHARED_CREDENTIALS_FILE=_NO_FILE,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_ENDPOINT_URL=NOWHERE,
        NO_PROXY="127.0.0.1,localhost,::1",
        no_proxy="127.0.0.1,localhost,::1",
    )
    return clean


def enter() -> None:
    """Make `environment()` the environment of this process and of its children."""
    clean = environment()
    os.environ.clear()
    os.environ.update(clean)


def is_loopback(host: str) -> bool:
    """Say whether `host`, a name or an address, is this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def loopback(url: str) -> str:
    """Return `url` unchanged when its host is loopback; raise NotLoopbackError when it is not."""
    host = urlsplit(url).hostname
    if host is None or not is_loopback(host):
        raise NotLoopbackError(f"{url!r} is not an address on this machine; only loopback is used")
    return url


def fence_sockets() -> None:
    """Refuse, from now on and in this process, every look-up and connection beyond loopback.

    Unix sockets stay open. Calling it again changes nothing.
    """
    if getattr(socket.socket.connect, "fenced", False):
        return
    socket.socket.connect = _fenced(socket.socket.connect)  # type: ignore[method-assign]
    socket.socket.connect_ex = _fenced(socket.socket.connect_ex)  # type: ignore[method-assign]
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not is_loopback(name):
            raise NotLoopbackError(f"tests look up loopback only, not {name!r}")
        return look_up(host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


def _fenced(connect: Any) -> Any:
    def connect_on_loopback(sock: socket.socket, address: Any) -> Any:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            raise NotLoopbackError(f"tests connect to loopback only, not to {address!r}")
        return connect(sock, address)

    connect_on_loopback.fenced = True  # type: ignore[attr-defined]
    return connect_on_loopback
