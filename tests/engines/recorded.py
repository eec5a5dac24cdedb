"""The tap's own wire to a real engine, with a memory of the calls that went over it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire

if TYPE_CHECKING:
    from demo.engine import Engine


class RecordedWire(BotoWire):
    """A wire to an engine.

    Attributes:
        requests: What was asked for: operation and request, in the order of the calls.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(AwsSettings.from_config(engine.config()))
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        """Carry out one operation; see `Wire.call`."""
        self.requests.append((operation, json.loads(body)))
        return super().call(operation, body, table=table)

    def of(self, operation: str) -> list[dict[str, Any]]:
        """Return the requests of one operation."""
        return [request for name, request in self.requests if name == operation]
