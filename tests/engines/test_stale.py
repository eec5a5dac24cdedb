from __future__ import annotations

from itertools import chain
from typing import Any

import orjson
import pytest

from tests.engines.scripted import Clock
from tests.engines.shards import ScriptedStream
from tests.engines.stale import StaleTable

NOW = 1_700_000_000.0


def item(name: str, value: str = "x") -> dict[str, Any]:
    return {"id": {"S": name}, "v": {"S": value}}


def pages(table: StaleTable, **more: Any) -> list[list[str]]:
    found, request = [], {"TableName": "t", **more}
    while True:
        answer = orjson.loads(table.call("Scan", orjson.dumps(request)))
        assert answer["Count"] == len(answer["Items"])
        found.append([f"{each['id']['S']}{each['v']['S']}" for each in answer["Items"]])
        if "LastEvaluatedKey" not in answer:
            return found
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def stream(clock: Clock) -> ScriptedStream:
    return ScriptedStream(clock=clock, sleep=clock.sleep)


def test_pages_hold_every_item_once(clock: Clock, stream: ScriptedStream) -> None:
    for number in range(25):
        stream.put(item(f"{number}-"))
    table = StaleTable(stream, clock=clock, sleep=clock.sleep, page=4)
    whole = pages(table)
    assert len(whole) == 7
    shown = list(chain.from_iterable(whole))
    assert sorted(shown) == sorted(f"{number}-x" for number in range(25))
    parts = [pages(table, Segment=number, TotalSegments=3) for number in range(3)]
    assert all(part[0] for part in parts)
    assert list(chain.from_iterable(chain.from_iterable(parts))) == shown
    assert [len(page) for page in pages(table, Limit=3)] == [3] * 8 + [1]


def test_a_page_shows_what_was_true_a_while_ago(clock: Clock, stream: ScriptedStream) -> None:
    lags = iter([5.0, 0.0, 5.0, 0.0, 20.0, 20.0])
    stream.put(item("a", "1"))
    stream.put(item("b", "1"))
    clock.sleep(10)
    for name in "ab":
        stream.put(item(name, "2"))
    clock.sleep(1)
    table = StaleTable(stream, clock=clock, sleep=clock.sleep, lag=lambda: next(lags))
    assert sorted(pages(table)[0]) in (["a1", "b2"], ["a2", "b1"])
    stream.delete({"id": {"S": "a"}})
    stream.delete({"id": {"S": "b"}})
    assert len(pages(table)[0]) == 1, "one is there still"
    assert pages(table) == [[]], "and before they were written, none"
    assert pages(table, ConsistentRead=True) == [[]]


def test_a_page_arrives_late(clock: Clock, stream: ScriptedStream) -> None:
    stream.put(item("a", "1"))
    stream.later(NOW + 2, lambda: stream.put(item("a", "2")))
    stream.later(NOW + 4, lambda: stream.put(item("a", "3")))
    more: dict[str, Any] = {"latency": lambda: 3.0, "late": lambda: 7.0}
    table = StaleTable(stream, clock=clock, sleep=clock.sleep, **more)
    assert pages(table) == [["a2"]]
    assert table.read == [NOW + 3]
    assert clock.now == NOW + 10


def test_it_is_described_with_its_stream(clock: Clock, stream: ScriptedStream) -> None:
    table = StaleTable(stream, clock=clock, sleep=clock.sleep)
    described = orjson.loads(table.call("DescribeTable", b'{"TableName":"scripted"}'))["Table"]
    assert described["LatestStreamArn"] == stream.arn
    assert described["StreamSpecification"]["StreamEnabled"]
