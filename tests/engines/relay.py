"""A relay on loopback: it passes each request on to an engine, as it came, and remembers it.

Unlike `recorded.py` it also sees what other processes ask for, and what botocore asks for by itself.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from demo import guard
from tests.engines import faults
from tests.engines.faults import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine
    from tests.engines.faults import FaultService, Request

_OF_ONE_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}


@dataclass(frozen=True)
class Call:
    """One call: the operation and its request, and the service, as the target header spells it."""

    operation: str
    request: dict[str, Any]
    service: str = ""


class Relay:
    """What an engine was asked for; `running` gives one that listens.

    Attributes:
        engine: The engine, as it is reached by the relay.
    """

    def __init__(self, service: FaultService, engine: Engine) -> None:
        self.engine = replace(engine, endpoint_url=service.url)
        self._service = service
        self._forgotten = 0

    @property
    def calls(self) -> list[Call]:
        """What was asked for since the last `forget`, in the order of arrival."""
        return [
            Call(
                each.operation,
                json.loads(each.body) if "X-Amz-Target" in each.headers else each.form,
                each.headers.get("X-Amz-Target", "").partition("_")[0],
            )
            for each in self._service.requests[self._forgotten :]
        ]

    def of(self, operation: str) -> list[dict[str, Any]]:
        """Return the requests of one operation."""
        return [call.request for call in self.calls if call.operation == operation]

    def forget(self) -> None:
        """Begin a new list of calls."""
        self._forgotten = len(self._service.requests)


def forward(engine: Engine, request: Request) -> Reply:
    """Send a request on to an engine as it came, and return its answer."""
    address = urlsplit(guard.loopback(engine.endpoint_url))
    # The host that was asked for goes along, as it is part of what was signed.
    headers = {n: v for n, v in request.headers.items() if n.lower() != "content-length"}
    with contextlib.closing(
        http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    ) as beyond:
        beyond.request("POST", "/", request.body, headers)
        answer = beyond.getresponse()
        data = answer.read()
    kept = {n: v for n, v in answer.getheaders() if n.lower() not in _OF_ONE_HOP}
    return Reply(data, answer.status, kept, crc=None)


@contextlib.contextmanager
def running(engine: Engine) -> Iterator[Relay]:
    """Run a relay in front of an engine for the length of a `with` block."""
    with faults.running() as service:
        service.answers(partial(forward, engine))
        yield Relay(service, engine)
