"""Servers that speak DynamoDB's language, but do not tell the capacity units of each index."""

from __future__ import annotations

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import orjson
import pytest

from dynamodb_core import batches
from dynamodb_core.budgets import Budgets
from dynamodb_core.errors import ServiceError
from dynamodb_core.progress import Progress
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Table
from dynamodb_core.wire import BotoWire
from dynamodb_core.writer import Writer
from tests.engines import faults
from tests.engines.faults import Reply, Request, ok, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engines.faults import FaultService

SCAN = orjson.dumps({"TableName": "t", "ReturnConsumedCapacity": "INDEXES"})
TEXTS = [
    "INDEXES consumed capacity is not supported.",
    "Value 'INDEXES' at 'returnConsumedCapacity' failed to satisfy constraint: [TOTAL, NONE]",
    "Unknown value of ReturnConsumedCapacity",
]
ITEM_TOO_LARGE = "One or more parameter values were invalid: Size of attribute INDEXES is too large"


class Server:
    """Refuses INDEXES, writes everything, and counts one unit an item."""

    def __init__(self, text: str) -> None:
        self.asked: list[str] = []
        self.written: list[str] = []
        self._text = text

    def __call__(self, request: Request) -> Reply:
        body = orjson.loads(request.body)
        self.asked.append(body.get("ReturnConsumedCapacity", ""))
        if self.asked[-1] == "INDEXES":
            return refused("ValidationException", self._text)
        writes = body.get("RequestItems", {}).get("t", [])
        self.written += [each["PutRequest"]["Item"]["id"]["S"] for each in writes]
        return ok({"ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 1.0 * len(writes)}]})


@pytest.fixture
def service() -> Iterator[FaultService]:
    with faults.running() as service:
        yield service


@pytest.fixture
def wire(service: FaultService) -> BotoWire:
    settings = AwsSettings(
        access_key_id="AKIDOFTHETESTS",
        secret_access_key="secret-key-of-the-tests",
        region="eu-west-1",
        endpoint_url=service.url,
    )
    return BotoWire(settings, sleep=lambda _seconds: None)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


@pytest.mark.parametrize("text", TEXTS)
def test_a_server_that_refuses_indexes_is_asked_for_the_total(
    service: FaultService, wire: BotoWire, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(text)
    service.answers(server)
    for _ in range(3):
        wire.call("Scan", SCAN, table="t")
        wire.call("BatchWriteItem", batches.request("t", {}), table="t")
    assert server.asked == ["INDEXES"] + ["TOTAL"] * 6
    [said] = warnings_of(caplog)
    assert service.url in said


def test_a_wire_of_another_process_knows_that_a_server_refuses_indexes(
    service: FaultService, wire: BotoWire, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(TEXTS[0])
    service.answers(server)
    wire.call("Scan", SCAN, table="t")
    again = pickle.loads(pickle.dumps(wire))
    again.call("Scan", SCAN, table="t")
    assert server.asked == ["INDEXES", "TOTAL", "TOTAL"]
    assert len(warnings_of(caplog)) == 1


def test_a_load_goes_on_and_says_so_once(
    service: FaultService, wire: BotoWire, caplog: pytest.LogCaptureFixture
) -> None:
    """Several writers meet the refusal at the same time; no item is held to be the culprit."""
    server = Server(TEXTS[0])
    service.answers(server)
    progress = Progress("Written")
    table = Table.from_description(
        {
            "TableName": "t",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        }
    )
    writer = Writer(wire, table, budgets=Budgets(None), progress=progress, workers=4)
    names = [f"{number:03d}" for number in range(200)]
    for name in names:
        item = {"id": {"S": name}, "text": {"S": '"ReturnConsumedCapacity":"INDEXES"'}}
        writer.put(name, orjson.dumps(item))
    writer.flush()
    writer.close()
    assert sorted(server.written) == names
    assert progress.units == len(names)
    assert len(warnings_of(caplog)) == 1


def test_a_text_that_looks_like_the_request_stays_as_it_is(
    service: FaultService, wire: BotoWire
) -> None:
    server = Server(TEXTS[0])
    service.answers(server)
    text = '"ReturnConsumedCapacity":"INDEXES"'
    item = {"id": {"S": "a"}, text: {"S": text}, "ReturnConsumedCapacity": {"S": "INDEXES"}}
    body = batches.request("t", {1: batches.put(orjson.dumps(item))})
    for _ in range(2):
        wire.call("BatchWriteItem", body, table="t")
    sent = orjson.loads(service.requests[-1].body)
    assert sent.pop("ReturnConsumedCapacity") == "TOTAL"
    assert sent == {"RequestItems": {"t": [{"PutRequest": {"Item": item}}]}}


def test_a_refusal_for_another_reason_changes_nothing(
    service: FaultService, wire: BotoWire, caplog: pytest.LogCaptureFixture
) -> None:
    service.replies(refused("ValidationException", ITEM_TOO_LARGE))
    with pytest.raises(ServiceError, match="too large"):
        wire.call("Scan", SCAN, table="t")
    service.replies(ok())
    wire.call("Scan", SCAN, table="t")
    assert service.requests[-1].body == SCAN
    assert warnings_of(caplog) == []


def test_a_refusal_that_names_no_capacity_is_not_asked_again(
    service: FaultService, wire: BotoWire
) -> None:
    service.replies(refused("ValidationException", "too large"))
    with pytest.raises(ServiceError, match="too large"):
        wire.call("Scan", SCAN, table="t")
    assert len(service.requests) == 1


def test_threads_that_learn_it_together_say_it_once(
    service: FaultService, wire: BotoWire, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(TEXTS[0])
    service.answers(server)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: wire.call("Scan", SCAN, table="t"), range(40)))
    assert server.asked.count("TOTAL") == 40
    assert len(warnings_of(caplog)) == 1
