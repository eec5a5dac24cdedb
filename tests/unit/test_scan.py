"""A segmented scan of a table that is scripted page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core import scan, workers
from dynamodb_core.capacity import Budget
from dynamodb_core.errors import CorruptReply, PartLost, ServiceError
from dynamodb_core.paging import Paging
from dynamodb_core.parts import Block, Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.scan import choose_segments, read_page, read_part, shuffled
from dynamodb_core.table import Key, Table
from tests.engines.scripted import Answer, Clock, ScriptedWire, in_time, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import msgspec

MIB = 1024 * 1024


def page(ids: Sequence[str], next_key: str | None = None, units: float = 1.0) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "Items": [{"id": {"S": one}} for one in ids],
        "Count": len(ids),
        "ScannedCount": len(ids),
        "ConsumedCapacity": {"TableName": "t", "CapacityUnits": units},
    }
    return answer if next_key is None else {**answer, "LastEvaluatedKey": {"id": {"S": next_key}}}


class ScannedTable:
    """Items `<segment>-<number>` in pages of three; every other page of a segment is empty."""

    def __init__(self, segments: int, items: int) -> None:
        self.segments = [[f"{s}-{n:02}" for n in range(items)] for s in range(segments)]

    def __call__(self, operation: str, request: dict[str, Any]) -> Answer:
        assert operation == "Scan"
        assert request["TotalSegments"] == len(self.segments)
        ids = self.segments[request["Segment"]]
        start = request.get("ExclusiveStartKey", {"id": {"S": "start"}})["id"]["S"]
        if start.startswith("empty-"):
            after = int(start.removeprefix("empty-"))
            found = ids[after : after + 3]
            return page(found, f"full-{after + 3}" if after + 3 < len(ids) else None)
        after = 0 if start == "start" else int(start.removeprefix("full-"))
        return page((), f"empty-{after}")


def ids_of(items: list[msgspec.Raw]) -> list[str]:
    return [orjson.loads(bytes(item))["id"]["S"] for item in items]


def payloads(blocks: Iterable[Block[list[str]]]) -> list[str]:
    return [one for block in blocks for one in block.payload]


def reader(
    wire: ScriptedWire, plan: ReadPlan, budget: Budget | None = None
) -> Callable[[Part], Iterator[Block[list[str]]]]:
    def read(part: Part) -> Iterator[Block[list[str]]]:
        return read_part(part, plan=plan, wire=wire, budget=budget or Budget(None), render=ids_of)

    return read


# Everything, in order, to the end


def test_all_segments_are_read_to_their_end_and_each_in_order() -> None:
    table = ScannedTable(segments=7, items=20)
    read = reader(ScriptedWire(table), ReadPlan("t", 7))
    seen: dict[int, list[str]] = {number: [] for number in range(7)}
    finished = []
    for block in workers.fan_out([Part(n) for n in shuffled(7, 1)], read, workers=3):
        assert block.part not in finished
        assert block.count == len(block.payload)
        seen[block.part] += block.payload
        finished += [block.part] * block.finished
    assert seen == dict(enumerate(table.segments))
    assert sorted(finished) == list(range(7))


def test_a_page_without_items_is_not_the_end() -> None:
    """A filter, or deleted items, leave pages that hold only a key to go on from."""
    blocks = list(reader(ScriptedWire(ScannedTable(1, 4)), ReadPlan("t", 1))(Part(0)))
    assert [block.count for block in blocks] == [0, 3, 0, 1]
    assert [block.finished for block in blocks] == [False, False, False, True]


def test_a_place_says_where_the_rest_begins() -> None:
    table = ScannedTable(segments=2, items=10)
    read = reader(ScriptedWire(table), ReadPlan("t", 2))
    blocks = list(read(Part(1)))
    assert blocks[-1].place is None
    for number, block in enumerate(blocks[:-1]):
        before = payloads(blocks[: number + 1])
        place = orjson.loads(orjson.dumps(block.place))  # as it comes back out of a state
        after = payloads(read(Part(1, place)))
        assert before + after == table.segments[1]


def test_a_binary_key_survives_as_a_place() -> None:
    """Trap 8: the key stays typed, so that bytes are not taken for text."""
    key = {"pk": {"B": "/wA="}, "sk": {"N": "123456789012345678901234567890"}}
    first = {**page(["a"]), "LastEvaluatedKey": key}
    wire = ScriptedWire(in_turn(first, page(["b"])))
    blocks = list(reader(wire, ReadPlan("t", 1))(Part(0)))
    assert blocks[0].place == key
    assert wire.calls[1].request["ExclusiveStartKey"] == key


def test_items_are_handed_on_as_they_came() -> None:
    item = b'{"id":{"S":"a"},"n":{"N":"1.50E+2"},"M":{"M":{"S":{"S":"\\u00e9"}}}}'
    wire = ScriptedWire(in_turn(b'{"Count":1,"Items":[' + item + b'],"ScannedCount":1}'))
    got = read_page(wire, ReadPlan("t", 1), Part(0), Budget(None), 1.0)
    assert [bytes(raw) for raw in got.items] == [item]
    assert got.next_key is None


def test_a_block_says_its_bytes_and_units() -> None:
    answer = orjson.dumps(page(["a"], units=12.5))
    [block] = reader(ScriptedWire(in_turn(answer)), ReadPlan("t", 1))(Part(0))
    assert (block.size, block.units) == (len(answer), 12.5)


def test_the_plan_stands_in_every_request() -> None:
    wire = ScriptedWire(in_turn(page(["a"], "a"), page(["b"])))
    list(reader(wire, ReadPlan("arn:t", 9, consistent=True, limit=50))(Part(4)))
    for call in wire.calls:
        assert call.table == "arn:t"
        assert (
            call.request.items()
            >= {
                "TableName": "arn:t",
                "Segment": 4,
                "TotalSegments": 9,
                "ConsistentRead": True,
                "Limit": 50,
                "ReturnConsumedCapacity": "INDEXES",
            }.items()
        )
    assert "ExclusiveStartKey" not in wire.calls[0].request


def test_a_scan_is_eventually_consistent_unless_asked_for() -> None:
    wire = ScriptedWire(in_turn(page([])))
    list(reader(wire, ReadPlan("t", 1))(Part(0)))
    assert not wire.calls[0].request.keys() & {"ConsistentRead", "Limit"}


# Damaged pages


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"{}", "Items"),
        (b'{"Items":[]}', "Count"),
        (b'{"Count":0,"ScannedCount":0}', "Items"),
        (b'{"Items":[{"id":{"S":"a"}}],"Count":2}', "Count is 2, but there are 1 items"),
        (b'{"Items":[{"id":{"S":"a"}},{"id":{"S":"b"}}],"Count":1}', "Count is 1"),
        (b'{"Count":2,"Items":[{"id":{"S":"a"}},{"id":{"S":"b"}', "truncated"),
        (b'{"Count":1,"Items":[{"id":{"S":"a"}}],"LastEvaluatedKey":', "truncated"),
        (b'{"Items":null,"Count":0}', "Items"),
        (b"<html></html>", "malformed"),
        (b"", "truncated"),
    ],
)
def test_a_damaged_page_names_segment_and_table_and_is_no_end(answer: bytes, why: str) -> None:
    """botocore makes an empty page of such an answer, which looks like a normal end."""
    wire = ScriptedWire(in_turn(page(["a"], "a"), answer))
    blocks: list[Block[list[str]]] = []
    with pytest.raises(CorruptReply, match=rf"segment 3 of 8 of table t .*{why}") as caught:
        blocks.extend(reader(wire, ReadPlan("t", 8))(Part(3)))
    assert caught.value.code == "CorruptReply"
    assert not any(block.finished for block in blocks)


def test_a_failing_call_ends_the_scan_with_its_error() -> None:
    wire = ScriptedWire(in_turn(page(["a"], "a"), ServiceError("no", code="InternalServerError")))
    read = reader(wire, ReadPlan("t", 1))
    with pytest.raises(ServiceError, match="no"):
        in_time(lambda: list(workers.fan_out([Part(0)], read, workers=1)))


def test_a_segment_that_ends_early_is_lost() -> None:
    """Trap 18: the end is a page without LastEvaluatedKey, never the end of an iterator."""

    def stop(part: Part) -> Iterator[Block[list[str]]]:
        blocks = reader(ScriptedWire(ScannedTable(1, 9)), ReadPlan("t", 1))(part)
        yield next(blocks)

    with pytest.raises(PartLost, match="Part 0"):
        in_time(lambda: list(workers.fan_out([Part(0)], stop, workers=1)))


# The budget


def test_the_first_page_is_billed_as_expected_and_the_next_as_consumed() -> None:
    clock = Clock()
    budget = Budget(10.0, clock=clock, sleep=clock.sleep)
    pages = [page(["a"], "a", 40.0), page(["b"], "b", 40.0), page(["c"], units=40.0)]
    list(reader(ScriptedWire(in_turn(*pages)), ReadPlan("t", 1), budget)(Part(0)))
    # Page 1 cost 40 units, repaid in 4 s before page 2; likewise before page 3.
    assert sum(clock.slept) == pytest.approx(8.0, abs=0.05)


@pytest.mark.parametrize(("rate", "seconds"), [(1.0, 0.5), (10.0, 0.5), (1000.0, 0.128)])
def test_other_workers_wait_for_what_a_page_may_cost(rate: float, seconds: float) -> None:
    clock = Clock()
    budget = Budget(rate, clock=clock, sleep=clock.sleep)
    waited = []

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        budget.wait(0.0)  # another worker, while this page is on its way
        waited.append(sum(clock.slept))
        return page([])

    list(reader(ScriptedWire(answer), ReadPlan("t", 1), budget)(Part(0)))
    assert waited == [pytest.approx(seconds, rel=0.05)]


def test_a_small_budget_reads_small_pages() -> None:
    clock = Clock()
    limits: list[int] = []

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        limits.append(request["Limit"])
        last = None if sum(limits) >= 2000 else "x"
        return page(["x"] * request["Limit"], last, request["Limit"] * 0.0625)  # 512 bytes each

    budget = Budget(5.0, clock=clock, sleep=clock.sleep)
    list(reader(ScriptedWire(answer), ReadPlan("t", 1), budget)(Part(0)))
    assert limits[:3] == [4, 16, 38]  # few at first: what is believed of them may be wrong
    assert limits[-1] in (39, 40)
    assert sum(clock.slept) == pytest.approx(sum(limits) * 0.0625 / 5.0, rel=0.05)


def cost(items: int, item_bytes: float, *, consistent: bool = False) -> float:
    """What DynamoDB charges for a page, in whole 4 KB."""
    return max(1, -(-items * item_bytes // 4096)) * (1.0 if consistent else 0.5)


@pytest.mark.parametrize(
    ("rate", "consistent", "item_bytes", "limit"),
    [
        (None, False, 100.0, None),
        (256.0, False, 100.0, None),
        (256.0, True, 100.0, 5242),
        (5.0, False, 8192.0, 2),
        (5.0, True, 8192.0, 1),
        (5.0, False, 400_000.0, 1),
        (5.0, False, 1024.0, 20),
        (5.0, False, 100.0, 204),
    ],
)
@pytest.mark.parametrize("believed", [100.0, None, 100_000.0])
def test_a_page_comes_to_cost_half_a_second_of_the_budget(
    rate: float | None,
    consistent: bool,
    item_bytes: float,
    limit: int | None,
    believed: float | None,
) -> None:
    paging = Paging(Budget(rate), consistent=consistent, item_bytes=believed)
    for _ in range(60):
        items = paging.limit or 1000
        paging.learn(items, cost(items, item_bytes, consistent=consistent))
    assert paging.limit == (limit and pytest.approx(limit, rel=0.25, abs=0.5))
    if limit:
        assert paging.expected == pytest.approx(
            limit * item_bytes / 8192 * (1 + consistent), rel=0.2
        )


def test_a_first_page_is_small_whatever_is_believed_of_the_items() -> None:
    """Items that turn out to have 400 KB would cost 1 MB at once."""
    for believed in (10.0, None):
        assert Paging(Budget(200.0), item_bytes=believed).limit == 4


def test_until_a_page_has_come_the_others_wait_for_all_that_it_may_cost() -> None:
    paging = Paging(Budget(5.0), item_bytes=10.0)
    assert paging.expected == 2.5
    paging.learn(4, 0.5)
    assert paging.expected < 2.0


def test_items_that_grow_are_met_with_a_small_page_at_once() -> None:
    paging = Paging(Budget(20.0), item_bytes=100.0)
    for _ in range(10):
        paging.learn(paging.limit or 0, cost(paging.limit or 0, 100.0))
    assert (paging.limit or 0) > 500
    paging.learn(600, 128.0)  # 1 MB
    assert (paging.limit or 0) < 60


def test_large_items_that_come_now_and_then_are_reckoned_with() -> None:
    paging = Paging(Budget(20.0), item_bytes=1000.0)
    for number in range(50):
        limit = paging.limit or 0
        size = 20_000.0 if number % 10 == 0 else 200.0
        paging.learn(limit, cost(limit, size))
        if number > 10:
            assert cost(paging.limit or 0, 20_000.0) <= 20.0  # a second's worth


def test_what_was_learned_while_a_page_waited_bounds_it() -> None:
    """Eight workers that waited with large pages would come one after the other, with all of them."""
    clock = Clock()
    budget = Budget(20.0, clock=clock, sleep=clock.sleep)
    paging = Paging(budget, item_bytes=100.0)
    for _ in range(10):
        paging.learn(paging.limit or 0, cost(paging.limit or 0, 100.0))
    budget.wait(0.0)
    budget.settle(0.0, 40.0)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        paging.learn(800, 128.0)  # another worker's page

    budget._sleep = sleep
    wire = ScriptedWire(in_turn(page(["a"], None, 0.5)))
    read = read_part(
        Part(0), plan=ReadPlan("t", 1), wire=wire, budget=budget, paging=paging, render=ids_of
    )
    list(read)
    assert wire.calls[0].request["Limit"] < 80


def test_a_filter_does_not_make_items_dear() -> None:
    """The units are for the items that were looked at, be they few that were returned."""
    budget = Budget(5.0, clock=(clock := Clock()), sleep=clock.sleep)
    pages = [
        {**page(["a"], "a", 2.5), "ScannedCount": 20},
        {**page(["b"], None, 2.5), "ScannedCount": 20},
    ]
    wire = ScriptedWire(in_turn(*pages))
    list(reader(wire, ReadPlan("t", 1), budget)(Part(0)))
    assert [call.request["Limit"] for call in wire.calls] == [4, 20]


def test_a_failed_page_costs_nothing() -> None:
    clock = Clock()
    budget = Budget(1.0, clock=clock, sleep=clock.sleep)
    for answer in (ServiceError("no"), b"{}"):
        with pytest.raises(ServiceError):
            list(reader(ScriptedWire(in_turn(answer)), ReadPlan("t", 1), budget)(Part(0)))
    budget.wait(1.0)
    assert clock.slept == []


# Into how many segments, and in which order


def table_of(size: int) -> Table:
    return Table("t", "", "", Key(("id",), ("S",)), size_bytes=size)


@pytest.mark.parametrize(
    ("size", "count", "segments"),
    [
        (0, 8, 8),
        (16 * MIB - 1, 8, 8),
        (16 * MIB, 8, 32),
        (64 * MIB * 32, 8, 32),
        (64 * MIB * 33, 8, 33),
        (64 * MIB * 1000, 8, 1000),
        (10**15, 8, 10_000),
        (10**15, 1, 10_000),
    ],
)
def test_segments_follow_the_size(size: int, count: int, segments: int) -> None:
    assert choose_segments(table_of(size), count) == segments


def test_there_are_never_more_segments_than_the_service_takes() -> None:
    assert choose_segments(table_of(10**18), 1000) <= 1_000_000


MUCH = 10**10


@pytest.mark.parametrize(
    ("given", "processes", "why"),
    [
        ({}, 2, ""),
        ({"cores": 1}, 1, ""),
        ({"cores": 64, "workers": 16}, 4, ""),
        ({"cores": 64, "workers": 256}, 32, ""),
        ({"cores": 64, "workers": 256, "parts": 1000}, 64, ""),
        ({"cores": 4, "workers": 16, "parts": 3}, 3, ""),
        ({"parts": 1}, 1, "1 workers are too few"),
        ({"workers": 7}, 1, "7 workers are too few"),
        ({"size_bytes": scan.PROCESSES_BYTES}, 2, ""),
        ({"size_bytes": 12_300_000}, 1, "12.3 MB are read before a second one has begun"),
        ({"size_bytes": 0}, 1, "0.0 MB are read before a second one has begun"),
        ({"rate": 20e6}, 2, ""),
        ({"rate": 800_000.0}, 1, "one keeps up with 0.8 MB/s"),
    ],
)
def test_processes_follow_the_machine_and_what_there_is_to_do(
    given: dict[str, Any], processes: int, why: str
) -> None:
    usual = {"cores": 2, "workers": 8, "parts": 32, "size_bytes": MUCH, "rate": None}
    assert scan.choose_processes(**{**usual, **given}) == (processes, why)


@pytest.mark.parametrize(("cores", "count"), [(1, 4), (2, 8), (4, 16), (64, 16)])
def test_workers_follow_the_machine(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int
) -> None:
    monkeypatch.setattr(scan, "cores", lambda: cores)
    assert scan.choose_workers() == count


@pytest.mark.parametrize("segments", [1, 2, 100])
def test_the_order_holds_every_segment_once(segments: int) -> None:
    assert sorted(shuffled(segments, 5)) == list(range(segments))


def test_the_order_follows_the_seed_and_is_shuffled() -> None:
    assert shuffled(100, 5) == shuffled(100, 5)
    assert shuffled(100, 5) != shuffled(100, 6)
    assert shuffled(100, 5) != list(range(100))
