"""A table as a side of a comparison: its rows, its budget, its items looked up again, who reads it."""

from __future__ import annotations

import json
import pickle
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from dynamodb_core import workers
from dynamodb_core.capacity import Budget
from dynamodb_core.errors import ConfigError, ServiceError
from dynamodb_core.expressions import Filter
from dynamodb_core.paging import FIRST_ITEMS
from dynamodb_core.places import Places
from dynamodb_core.plan import ReadPlan
from dynamodb_core.prices import CostExceeded, Prices, Purse
from dynamodb_core.rates import Asked
from dynamodb_core.scan import PROCESS_RATE, PROCESSES_BYTES
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Table
from dynamodb_core.table_reader import TableReader
from dynamodb_core.throttling import Throttle
from dynamodb_core.wire import BotoWire
from dynamodb_tools import sides
from dynamodb_tools.canonical import Canon, bucket_of, unpack
from dynamodb_tools.pages import Rows
from dynamodb_tools.preparing import refuse, require_affordable
from dynamodb_tools.sides import How, TableSide, share_processes
from tests.engines.scanned import Account, ScannedTable, arn
from tests.engines.scripted import PATIENCE, ScriptedWire

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from dynamodb_core.parts import Block
    from tests.engines.scripted import Answer

FAN_OUT = 8
ITEMS = [{"id": {"S": f"k{number}"}, "n": {"N": str(number)}} for number in range(100)]
HOW = How(Asked("read"), workers=2)
PROVISIONED = {
    "BillingModeSummary": {"BillingMode": "PROVISIONED"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 600, "WriteCapacityUnits": 1},
}


class Keyed(Account):
    """Tables that are looked up by key as well."""

    def _answer(self, operation: str, request: dict[str, Any]) -> Answer:
        if operation != "BatchGetItem":
            return super()._answer(operation, request)
        [(name, wanted)] = request["RequestItems"].items()
        table = self.tables[name]
        there = {json.dumps(table.key_of(item)): item for item in table.items}
        found = [there[text] for key in wanted["Keys"] if (text := json.dumps(key)) in there]
        consumed = [{"TableName": name, "CapacityUnits": 1.0 * len(wanted["Keys"])}]
        return {"Responses": {name: found}, "UnprocessedKeys": {}, "ConsumedCapacity": consumed}


def made(table: ScannedTable, how: How = HOW, name: str = "orders") -> tuple[TableSide, Account]:
    account = Keyed({name: table})
    side = TableSide(name, Table.from_description(table.description(name)), account.wire, how)
    side.look_up_pace()
    side.begin(processes=0, purse=None)
    return side, account


def canon(side: TableSide, **more: Any) -> Canon:
    return Canon(side.key, **more)


def read(side: TableSide, places: Places, **more: Any) -> Generator[Block[Any]]:
    for block in side.blocks(canon(side, **more), FAN_OUT, places, lambda: None):
        yield block
        places.advance(block)


def keys(blocks: Iterator[Block[Any]]) -> list[bytes]:
    found = []
    for block in blocks:
        for number, rows in block.payload:
            some = [row.key for row in unpack(rows)]
            assert {bucket_of(key, 0, FAN_OUT) for key in some} == {number}
            found += some
    return sorted(found)


def key(number: int) -> bytes:
    return json.dumps({"id": {"S": f"k{number}"}}, separators=(",", ":")).encode()


ALL = sorted(key(number) for number in range(100))


def test_every_item_becomes_a_row_once() -> None:
    side, account = made(ScannedTable(ITEMS, page=7))
    places = Places(segments=5, seed=1)
    blocks = list(read(side, places))
    assert keys(iter(blocks)) == ALL
    assert places.complete
    assert sum(block.count for block in blocks) == 100
    assert sum(block.units for block in blocks) == 0.5 * len(account.calls("Scan"))


def test_a_read_goes_on_where_it_stands() -> None:
    side, _ = made(ScannedTable(ITEMS, page=7))
    places = Places(segments=5, seed=1)
    going_on = read(side, places)
    before = [next(going_on) for _ in range(6)]
    going_on.close()
    taken = Places(segments=5, seed=1)
    for block in before:
        taken.advance(block)
    again = Places(segments=5, seed=1)
    again.restore(json.loads(json.dumps(taken.dump_places())))
    other, account = made(ScannedTable(ITEMS, page=7))
    rest = list(read(other, again))
    assert sorted(keys(iter(before)) + keys(iter(rest))) == ALL
    requests = [call.request for call in account.calls("Scan")]
    for number, place in taken.places.items():
        first_of_it = next(r for r in requests if r["Segment"] == number)
        assert first_of_it["ExclusiveStartKey"] == place


def test_what_a_person_asks_for_is_in_the_request() -> None:
    given = Filter("#n > :n", {"#n": "n"}, {":n": {"N": "5"}})
    side, account = made(ScannedTable(ITEMS), replace(HOW, consistent=True, filter=given))
    list(read(side, Places(segments=1, seed=1)))
    [call] = account.calls("Scan")
    assert call.request["ConsistentRead"] is True
    assert call.request["FilterExpression"] == "#n > :n"
    assert call.request["ExpressionAttributeValues"] == {":n": {"N": "5"}}
    assert side.items_ahead(Places(segments=1, seed=1)) is None


def test_a_sample_is_the_same_on_both_sides() -> None:
    one, _ = made(ScannedTable(ITEMS, page=7))
    other, _ = made(ScannedTable(list(reversed(ITEMS)), page=100))
    found = [
        keys(read(side, Places(segments=segments, seed=segments), sample=30.0))
        for side, segments in ((one, 5), (other, 2))
    ]
    assert found[0] == found[1]
    assert 10 < len(found[0]) < 60


@pytest.mark.parametrize(
    ("pace", "more", "rate"),
    [
        (Asked("read"), PROVISIONED, 300.0),
        (Asked("read", 40), PROVISIONED, 40.0),
        (Asked("read", percent=50), {}, 20_000.0),
        (Asked("read"), {"OnDemandThroughput": {"MaxReadRequestUnits": 500}}, 250.0),
        (Asked("read"), {}, None),
    ],
)
def test_each_side_has_its_own_budget(
    pace: Asked, more: dict[str, Any], rate: float | None
) -> None:
    side, _ = made(ScannedTable(ITEMS, more=more), replace(HOW, pace=pace))
    assert (side.rate, side.budget.ceiling) == (rate, rate)
    assert (f"{rate:,.10g} units/s" if rate else "unlimited") in side.pace


def test_pages_are_small_where_the_budget_is() -> None:
    small = replace(HOW, pace=Asked("read", 4))
    side, account = made(ScannedTable(ITEMS, units=0.1), small)
    assert keys(read(side, Places(segments=1, seed=1))) == ALL
    limits = [call.request["Limit"] for call in account.calls("Scan")]
    assert limits[0] == FIRST_ITEMS
    wide, account = made(ScannedTable(ITEMS))
    list(read(wide, Places(segments=1, seed=1)))
    assert "Limit" not in account.calls("Scan")[0].request


def test_a_throttle_lowers_the_budget_that_is_read_with() -> None:
    side, account = made(ScannedTable(ITEMS, more=PROVISIONED))
    account.before = lambda operation, _request: (
        account.wire.throttle("orders", Throttle("TableReadProvisionedThroughputExceeded"))
        if operation == "Scan"
        else None
    )
    list(read(side, Places(segments=1, seed=1)))
    assert side.budget.throttles == 1
    account.wire.throttle("orders", Throttle())  # when nobody reads any more, nobody listens
    assert side.budget.throttles == 1


def test_only_tables_on_demand_are_paid_for() -> None:
    purse = Purse(1e-9, Prices().unit("read"))
    dear, account = made(ScannedTable(ITEMS))
    dear.begin(processes=0, purse=purse)
    with pytest.raises(CostExceeded):
        list(read(dear, Places(segments=1, seed=1)))
    assert not account.calls("Scan")
    paid, _ = made(ScannedTable(ITEMS, more=PROVISIONED))
    paid.begin(processes=0, purse=purse)
    assert keys(read(paid, Places(segments=1, seed=1))) == ALL


def test_a_comparison_that_would_cost_too_much_is_refused_before_it_is_paid() -> None:
    size = {"TableSizeBytes": 8192 * 1_000_000}
    dear, _ = made(ScannedTable(ITEMS, more=size))
    free, _ = made(ScannedTable(ITEMS, more={**PROVISIONED, **size}), name="free")
    left = [Places(segments=2, seed=1), Places(segments=2, seed=1)]
    require_affordable([dear, free], left, 0.13, Prices())
    with pytest.raises(CostExceeded, match=r"0\.12"):
        require_affordable([dear, free], left, 0.12, Prices())
    left[0].finished.add(0)  # half of it was paid for by an earlier run
    require_affordable([dear, free], left, 0.12, Prices())


def test_a_filter_that_dynamodb_refuses_is_the_configurations_fault() -> None:
    side, account = made(ScannedTable(ITEMS))
    account.denied["Scan", "orders"] = ServiceError("Invalid", code="ValidationException")
    with pytest.raises(ConfigError, match=r"refuses to read table orders.*filter"):
        list(read(side, Places(segments=1, seed=1)))


def test_items_are_looked_up_as_they_are_now() -> None:
    side, account = made(ScannedTable(ITEMS))
    found = side.fetch([key(3), key(300), key(4)])
    assert found == {key(3): ITEMS[3], key(300): None, key(4): ITEMS[4]}
    assert account.calls("BatchGetItem")[0].request["RequestItems"]["orders"]["ConsistentRead"]
    assert side.fetched_units == 3.0


def test_a_wait_for_pages_can_be_ended() -> None:
    class EndedError(Exception):
        pass

    def end() -> None:
        raise EndedError

    over = threading.Event()

    def answer(_operation: str, _request: dict[str, Any]) -> Answer:
        over.wait(PATIENCE)
        return {"Items": [], "Count": 0}

    table = Table.from_description(ScannedTable(ITEMS).description("orders"))
    side = TableSide("orders", table, ScriptedWire(answer), HOW)
    try:
        with pytest.raises(EndedError):
            list(side.blocks(canon(side), FAN_OUT, Places(segments=1, seed=1), end))
    finally:
        over.set()


def test_a_reader_goes_to_another_process() -> None:
    table = Table.from_description(ScannedTable(ITEMS).description("orders"))
    rows = Rows(Canon(table.key, frozenset({"n"}), sample=50.0), FAN_OUT)
    again = pickle.loads(pickle.dumps(rows))
    raw = [msgspec.Raw(json.dumps(item).encode()) for item in ITEMS]
    assert again(raw) == rows(raw) != []
    wire = BotoWire(AwsSettings(region="eu-west-1"))
    reader = TableReader(ReadPlan("orders", segments=3), wire, Budget(5.0), rows, item_bytes=10.0)
    assert reader.name(1) == "segment 1 of 3 of table orders"


# Where it is


@pytest.mark.parametrize(
    ("reference", "region", "found"),
    [
        ("orders", None, None),
        ("orders", "us-east-1", "us-east-1"),
        (arn("orders"), None, "eu-west-1"),
        (arn("orders"), "us-east-1", "us-east-1"),
    ],
)
def test_an_arn_says_the_region_where_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch, reference: str, region: str | None, found: str | None
) -> None:
    asked: list[AwsSettings] = []

    def wire(settings: AwsSettings, **_more: Any) -> ScriptedWire:
        asked.append(settings)
        return Account({"orders": ScannedTable(ITEMS)}).wire

    monkeypatch.setattr("dynamodb_core.wire.BotoWire", wire)
    side = TableSide.open(reference, AwsSettings(region=region, endpoint_url="http://x"), HOW)
    assert [settings.region for settings in asked] == [found]
    assert side.reference == reference
    assert side.place == {"arn": arn("orders"), "endpoint": "http://x"}
    assert side.what == "table orders in eu-west-1"


def pair(
    a: dict[str, Any], b: dict[str, Any], *, endpoints: tuple[str, str] = ("", "")
) -> tuple[TableSide, TableSide]:
    described = ScannedTable(ITEMS).description("orders")
    one, other = (
        TableSide(
            "orders",
            Table.from_description({**described, **more}),
            ScriptedWire(lambda *_: {}),
            HOW,
            endpoint=url,
        )
        for more, url in zip((a, b), endpoints, strict=True)
    )
    return one, other


@pytest.mark.parametrize(
    ("a", "b", "endpoints", "words"),
    [
        ({}, {}, ("", ""), "the same table, orders"),
        ({}, {}, ("http://x", "http://y"), "the same table, orders"),
        ({"TableId": ""}, {"TableId": ""}, ("", ""), "the same table, orders"),
        (
            {},
            {
                "TableId": "2",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
            },
            ("", ""),
            r"other keys: orders has id \(S\), orders has id \(N\)",
        ),
        (
            {},
            {
                "TableId": "2",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            },
            ("", ""),
            r"other keys: orders has id \(S\), orders has pk \(S\)",
        ),
        (
            {},
            {"TableId": "2", "TableStatus": "CREATING"},
            ("", ""),
            "cannot be read: it is CREATING",
        ),
    ],
)
def test_tables_that_cannot_be_compared(
    a: dict[str, Any], b: dict[str, Any], endpoints: tuple[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        refuse(*pair(a, b, endpoints=endpoints))


@pytest.mark.parametrize(
    ("a", "b", "endpoints"),
    [
        ({}, {"TableId": "2"}, ("", "")),  # another account whose engine names none in the ARN
        ({}, {"TableArn": arn("orders").replace("eu-west", "us-east")}, ("", "")),  # a replica
        ({"TableId": ""}, {"TableId": ""}, ("http://x", "http://y")),
    ],
)
def test_tables_of_one_name_that_are_two(
    a: dict[str, Any], b: dict[str, Any], endpoints: tuple[str, str]
) -> None:
    refuse(*pair(a, b, endpoints=endpoints))


# Who reads it


LARGE, SMALL = PROCESSES_BYTES, PROCESSES_BYTES - 1


@pytest.mark.parametrize(
    ("cores", "asked", "sizes", "shares"),
    [
        (1, None, (LARGE, LARGE), [0, 0]),
        (2, None, (LARGE, LARGE), [1, 1]),
        (2, None, (LARGE, SMALL), [2, 0]),
        (2, None, (SMALL, SMALL), [0, 0]),
        (4, None, (LARGE, LARGE), [2, 2]),
        (32, None, (LARGE, LARGE), [2, 2]),  # each has workers enough to have pages under way
        (2, 1, (LARGE, LARGE), [0, 0]),
        (2, 3, (SMALL, SMALL), [3, 3]),
        (1, 3, (SMALL, SMALL), [3, 3]),
    ],
)
def test_cores_are_shared_by_what_is_worth_a_process(
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    asked: int | None,
    sizes: tuple[int, int],
    shares: list[int],
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: cores)
    how = replace(HOW, processes=asked, workers=8)
    made_sides = [made(ScannedTable(ITEMS, more={"TableSizeBytes": n}), how)[0] for n in sizes]
    left = [Places(segments=16, seed=1), Places(segments=16, seed=1)]
    assert share_processes(made_sides, left) == shares


def test_no_process_for_what_is_read_already_or_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 4)
    how = replace(HOW, workers=8)
    large = {"TableSizeBytes": LARGE}
    done = Places(segments=1, seed=1, finished={0})
    left = Places(segments=16, seed=1)
    quick, _ = made(ScannedTable(ITEMS, more=large), how)
    assert share_processes([quick, quick], [done, left]) == [0, 2]
    for units, share in ((PROCESS_RATE / 8192 + 1, 2), (PROCESS_RATE / 8192 - 1, 0)):
        side, _ = made(ScannedTable(ITEMS, more=large), replace(how, pace=Asked("read", units)))
        assert share_processes([side, quick], [left, done])[0] == share
    monkeypatch.setattr(sides, "can_share", lambda: False)
    assert share_processes([quick, quick], [left, left]) == [0, 0]
