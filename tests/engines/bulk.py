"""Loads that DynamoDB does by itself, before an engine that has no bulk puts.

Everything but these operations goes on to the engine. A bulk put goes through the states that a test
names; at `COMPLETED` the items of its parts are in the engine's table.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import ParamValidator

from demo.wire import Wire
from tests.engines import faults, relay
from tests.engines.faults import Reply, ok, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from demo.engine import Engine
    from tests.engines.buckets import TestBucket
    from tests.engines.faults import Request

State = dict[str, Any]
"""Members of a description that go before those that are worked out."""


def complaints(operation: str, request: dict[str, Any]) -> str:
    """Return what is wrong with a request by botocore's model of DynamoDB; empty if nothing."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    shape = model.operation_model(operation).input_shape
    assert shape is not None
    found = ParamValidator().validate(request, shape)
    return str(found.generate_report())


class BulkService:
    """An engine that has bulk puts, and imports that go as a test says.

    Attributes:
        engine: The engine, as it is reached by way of this.
        operations: What it was asked for.
        started: The requests that have started a load.
        cancelled: Whether a bulk put was cancelled.
        states: What each look at a bulk put finds; the last one again and again.
        instead: Answers an operation in the place of everything else; None leaves it.
    """

    def __init__(self, engine: Engine, url: str, bucket: TestBucket) -> None:
        self.engine = replace(engine, endpoint_url=url)
        self.operations: list[str] = []
        self.started: list[dict[str, Any]] = []
        self.cancelled = False
        self.states: Sequence[State] = [{"BulkOperationStatus": "COMPLETED"}]
        self.instead: Callable[[str, dict[str, Any]], Reply | None] = lambda _o, _r: None
        self._beyond = engine
        self._bucket = bucket
        self._looks = 0
        self._items = 0

    def __call__(self, request: Request) -> Reply:
        said = json.loads(request.body or b"{}")
        self.operations.append(request.operation)
        other = self.instead(request.operation, said)
        if other is not None:
            return other
        known = {
            "StartBulkPutItems": self._start,
            "DescribeBulkOperation": self._describe,
            "CancelBulkOperation": self._cancel,
        }.get(request.operation)
        if request.operation == "ImportTable":
            self.started.append(said)
            assert complaints("ImportTable", said) == ""
        if known is None:
            return relay.forward(self._beyond, request)
        wrong = complaints(request.operation, said)
        return refused("ValidationException", wrong) if wrong else ok(known(said))

    def _arn(self) -> str:
        table = self.started[0]["TableName"]
        return f"arn:aws:dynamodb:{self.engine.region}:000000000000:table/{table}/bulk/1"

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        self.started.append(request)
        return self._said({"BulkOperationStatus": "IN_PROGRESS"})

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request == {"BulkOperationArn": self._arn()}
        state = self.states[min(self._looks, len(self.states) - 1)]
        self._looks += 1
        if state["BulkOperationStatus"] == "COMPLETED" and not self._items:
            self._items = self._put()
        return self._said({"ProcessedItemCount": self._items, **state})

    def _cancel(self, _request: dict[str, Any]) -> dict[str, Any]:
        self.cancelled = True
        self.states, self._looks = [{"BulkOperationStatus": "CANCELLED"}], 0
        return {}

    def _put(self) -> int:
        """Put the items of all parts, in any order."""
        source = self.started[0]["InputS3Configuration"]
        wire = Wire.of(self._beyond)
        count = 0
        for key in self._bucket.keys():  # noqa: SIM118 - no dictionary
            if key.startswith(source["S3KeyPrefix"]):
                for line in gzip.decompress(self._bucket.get(key)).splitlines():
                    item = json.loads(line)["Item"]
                    wire.call("PutItem", {"TableName": self.started[0]["TableName"], "Item": item})
                    count += 1
        wire.close()
        return count

    def _said(self, state: State) -> dict[str, Any]:
        return {"BulkOperationDescription": {"BulkOperationArn": self._arn(), **state}}


@contextlib.contextmanager
def running(engine: Engine, bucket: TestBucket) -> Iterator[BulkService]:
    """Run one on a free port of this machine for the length of a `with` block."""
    with faults.running() as service:
        made = BulkService(engine, service.url, bucket)
        service.answers(made)
        yield made
