"""Items deleted by a scan of keys: all of them, within both budgets, and left when the run is to end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dynamodb_core import emptying
from dynamodb_core.budgets import Budgets
from dynamodb_core.capacity import Budget
from dynamodb_core.errors import ServiceError
from dynamodb_core.expressions import Filter
from dynamodb_core.progress import Progress
from dynamodb_core.table import Key, Table
from dynamodb_core.throttling import Throttle
from tests.engines.scanned import ScannedTable
from tests.engines.scripted import Answer, Clock, ScriptedTable, ScriptedWire, in_time

KEY = (("pk", "S"), ("sk", "N"))
TABLE = Table("t", "", "", Key(("pk", "sk"), ("S", "N")), item_count=500, size_bytes=50_000)


class Service:
    """A table that is scanned while items of it are deleted."""

    def __init__(self, count: int = 500, *, kept: float = 0.8) -> None:
        keys = [{"pk": {"S": f"k{n % 7}"}, "sk": {"N": str(n)}} for n in range(count)]
        self.scanned = ScannedTable(keys, key=KEY, page=20)
        self.table = ScriptedTable("t", KEY, kept=kept, seed=1)
        self.table.items = {self.table.identity(key): {**key, "v": {"S": "x"}} for key in keys}
        self.wire = ScriptedWire(self)

    def __call__(self, operation: str, request: dict[str, Any]) -> Answer:
        return self.scanned.scan(request) if operation == "Scan" else self.table(operation, request)

    def empty(self, **more: Any) -> bool:
        options: dict[str, Any] = {
            "reading": Budget(None),
            "writing": Budgets(None),
            "progress": Progress("t"),
        }
        return in_time(lambda: emptying.empty(self.wire, TABLE, **(options | more)))


def test_every_item_is_deleted_whatever_comes_back_unprocessed() -> None:
    service, progress = Service(), Progress("t", whole_parts=emptying.segments(TABLE))
    assert service.empty(progress=progress)
    assert service.table.items == {}
    assert service.table.violations == []
    assert (progress.items, progress.parts) == (500, emptying.segments(TABLE))
    scans = [call.request for call in service.wire.calls if call.operation == "Scan"]
    assert all(request["ConsistentRead"] for request in scans)
    assert {request["ProjectionExpression"] for request in scans} == {"#0,#1"}
    assert scans[0]["ExpressionAttributeNames"] == {"#0": "pk", "#1": "sk"}
    assert not any("FilterExpression" in request for request in scans)


def test_a_filter_goes_along() -> None:
    service = Service(0)
    where = Filter("#v < :v", {"#v": "version"}, {":v": {"N": "2"}})
    assert service.empty(where=where)
    for call in service.wire.calls:
        assert call.request["FilterExpression"] == "#v < :v"
        names = call.request["ExpressionAttributeNames"]
        assert names["#v"] == "version"
        assert {names[place] for place in call.request["ProjectionExpression"].split(",")} == {
            "pk",
            "sk",
        }


def test_both_budgets_are_waited_for() -> None:
    clock = Clock()
    reading = Budget(1.0, clock=clock, sleep=clock.sleep)
    service = Service(200, kept=1.0)
    assert service.empty(reading=reading)
    pages = service.wire.operations().count("Scan")
    assert sum(clock.slept) >= 0.5 * pages - 2  # half a unit a page, at a unit a second
    clock = Clock()
    writing = Budgets(10.0, clock=clock, sleep=clock.sleep)
    assert Service(200, kept=1.0).empty(writing=writing)
    assert sum(clock.slept) >= 200 / 10 - 3  # a unit each, but for what was saved


def test_a_throttle_of_reading_slows_the_reading_alone() -> None:
    throttle = Throttle("TableReadProvisionedThroughputExceeded", "arn:aws:dynamodb:r:1:table/t")
    service = Service(100, kept=1.0)
    reading, writing = Budget(100.0), Budgets(100.0)
    service.wire.watch("t", writing.throttled)
    told = threading.Event()

    def stopped() -> bool:
        if not told.is_set():
            told.set()
            service.wire.throttle("t", throttle)
        return False

    assert service.empty(reading=reading, writing=writing, stopped=stopped)
    assert (reading.throttles, writing.throttles) == (1, 0)
    service.wire.throttle("t", throttle)
    assert reading.throttles == 1  # it is no longer told


def test_it_ends_when_the_run_does() -> None:
    service = Service(kept=1.0)
    calls = iter(range(1000))
    assert not service.empty(stopped=lambda: next(calls) >= 2)
    assert len(service.table.items) > 400


@pytest.mark.parametrize("failing", ["Scan", "BatchWriteItem"])
def test_a_failure_is_told(failing: str) -> None:
    service = Service()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if operation == failing:
            return ServiceError("no more", code="InternalServerError")
        return service(operation, request)

    service.wire = ScriptedWire(answer)
    with pytest.raises(ServiceError, match="no more"):
        service.empty()
    assert len(service.table.items) == 500
