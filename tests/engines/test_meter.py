"""The meter: its rules by themselves, its figures against DynamoDB Local's, its throttling."""

from __future__ import annotations

import base64
import contextlib
import math
import random
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings

from demo.wire import Wire, WireError
from tests.engines import meter as metering
from tests.engines.units import (
    Bucket,
    Index,
    item_size,
    most_in,
    read_units,
    value_size,
    write_units,
)
from tests.property import strategies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.meter import Meter
    from tests.engines.tables import Tables

NINES = "9" * 38
SIZES: list[tuple[dict[str, Any], int]] = [
    ({"S": ""}, 0),
    ({"S": "abc"}, 3),
    ({"S": "é😀"}, 6),
    ({"B": ""}, 0),
    ({"B": "AAEC"}, 3),
    ({"B": "AAECAw=="}, 4),
    ({"NULL": True}, 1),
    ({"BOOL": False}, 1),
    ({"SS": ["a", "bc"]}, 3),
    ({"BS": ["AAEC", "AA=="]}, 4),
    ({"NS": ["1", "-22", "0.5"]}, 7),
    ({"L": []}, 3),
    ({"L": [{"S": "a"}, {"S": "b"}]}, 7),
    ({"L": [{"L": [{"NULL": True}]}]}, 9),
    ({"L": [{"N": "1.0"}, {"N": "0012"}]}, 9),
    ({"M": {}}, 3),
    ({"M": {"kk": {"S": "a"}}}, 7),
    ({"M": {"é": {"M": {"a": {"N": "7"}}}}}, 13),
    *(
        ({"N": text}, size)
        for size, texts in {
            1: ("0", "-0", "0.000", "0E+5"),
            2: ("1", "1.0", "007", "12", "99", "100", "1000", "1E125", "0.1", "0.01", "0.001"),
            3: ("120", "123", "1234", "1.5", "12.5", "1.25", "0.123", "0.012", "-1", "-12", "-0.1"),
            4: ("12345", "123456", "123.4", "1.234", "-123", "-1234", "-1.5"),
            5: ("-12345", "-123456", "123.456"),
            7: ("10000000001",),
            20: (NINES, NINES[1:]),
            21: (f"-{NINES}", f"9.{NINES[1:]}", f"-9.{NINES[1:]}"),
        }.items()
        for text in texts
    ),
]
KEY = (("id", "S"), ("at", "N"))
ATTRIBUTES = [{"AttributeName": n, "AttributeType": t} for n, t in (*KEY, ("g", "S"), ("l", "B"))]


def index(name: str, keys: tuple[str, ...], projection: str, *more: str) -> dict[str, Any]:
    described: dict[str, Any] = {"ProjectionType": projection}
    if more:
        described["NonKeyAttributes"] = list(more)
    kinds = zip(("HASH", "RANGE"), keys, strict=False)
    schema = [{"AttributeName": key, "KeyType": kind} for kind, key in kinds]
    return {"IndexName": name, "KeySchema": schema, "Projection": described}


INDEXED: dict[str, Any] = {
    "AttributeDefinitions": ATTRIBUTES,
    "GlobalSecondaryIndexes": [
        index("g_all", ("g",), "ALL"),
        index("g_keys", ("g", "at"), "KEYS_ONLY"),
        index("g_some", ("g", "id"), "INCLUDE", "piece", "deep"),
    ],
    "LocalSecondaryIndexes": [index("l_all", ("id", "l"), "ALL")],
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(dynamodb_local: Engine, clock: Clock) -> Iterator[Meter]:
    with metering.running(dynamodb_local, clock) as running:
        yield running


@pytest.fixture
def wire(meter: Meter) -> Iterator[Wire]:
    opened = Wire.of(meter.engine)
    yield opened
    opened.close()


def item(number: int, rng: random.Random) -> Item:
    """Return an item of its own size and types; some are in no index."""
    made: Item = {
        "id": {"S": f"k{number % 7}"},
        "at": {"N": str(number * 13 - 40)},
        "text": {"S": "é" * rng.choice((0, 40, 400, 4000, 9000))},
        "bytes": {"B": base64.b64encode(bytes(rng.randrange(3000))).decode()},
        "numbers": {"NS": [str(rng.randrange(10**9) / 1000) for _ in range(number % 4 + 1)]},
        "deep": {"M": {"a": {"L": [{"N": "-1.50"}, {"BOOL": True}, {"NULL": True}]}}},
        "piece": {"S": "s" * rng.randrange(2000)},
    }
    if number % 3:
        made["g"] = {"S": f"g{number % 2}"}
    if number % 4:
        made["l"] = {"B": base64.b64encode(bytes([number, 255])).decode()}
    if item_size(made) % 1024 > 920 or item_size(made) % 1024 == 0:  # see the local index below
        made["text"]["S"] += "x" * 110
    return made


def items(count: int, seed: int) -> list[Item]:
    rng = random.Random(seed)
    return [item(number, rng) for number in range(count)]


def key(whole: Item) -> Item:
    return {"id": whole["id"], "at": whole["at"]}


def units(answer: dict[str, Any]) -> Any:
    """Return the figures without the table's name."""
    consumed = answer["ConsumedCapacity"]
    [figures] = consumed if isinstance(consumed, list) else [consumed]
    return {name: value for name, value in figures.items() if name != "TableName"}


def numbered(count: int, size: int = 10) -> list[Item]:
    return [{"id": {"S": f"{n:03d}"}, "pad": {"S": "x" * (size - 8)}} for n in range(count)]


@pytest.mark.parametrize(("typed", "size"), SIZES, ids=lambda value: str(value)[:40])
def test_sizes(typed: dict[str, Any], size: int) -> None:
    assert value_size(typed) == size
    assert item_size({"é": typed, "b": typed}) == 3 + 2 * size


@pytest.mark.parametrize(
    ("size", "eventual", "consistent", "write"),
    [
        (0, 0.5, 1, 1),
        (1024, 0.5, 1, 1),
        (1025, 0.5, 1, 2),
        (4096, 0.5, 1, 4),
        (4097, 1, 2, 5),
        (8192, 1, 2, 8),
        (8193, 1.5, 3, 9),
        (2**20, 128, 256, 1024),
    ],
)
def test_units(size: int, eventual: float, consistent: float, write: float) -> None:
    assert read_units(size, consistent=False) == eventual
    assert read_units(size, consistent=True) == consistent
    assert write_units({"a": {"S": "x" * (size - 1)}} if size else None, None) == write


def test_units_of_an_index() -> None:
    keys = Index("i", ("g", "at"), frozenset({"g", "at", "id"}))
    whole = Index("i", ("g",))
    old: Item = {"id": {"S": "a"}, "g": {"S": "g"}, "at": {"N": "1"}, "z": {"S": "z" * 2000}}
    assert keys.entry({"id": {"S": "a"}, "g": {"S": "g"}}) is None
    assert (keys.units(None, None), keys.units(None, old), keys.units(old, None)) == (0, 1, 1)
    assert (whole.units(None, old), whole.units(old, None)) == (2, 2)
    assert keys.units(old, {**old, "z": {"S": ""}}) == 0
    assert whole.units(old, {**old, "z": {"S": ""}}) == 2
    assert whole.units(old, {**old, "at": {"N": "1.0"}}) == 0
    assert whole.units(old, {**old, "at": {"N": "2"}}) == 2
    assert keys.units(old, {**old, "at": {"N": "2"}}) == 2
    assert whole.units(old, {**old, "g": {"S": "h"}}) == 4
    ordered = Index("i", ("g", "at"))
    assert ordered.units(old, {**old, "at": {"N": "1.0"}, "z": {"S": ""}}) == 2


def test_windows() -> None:
    consumed = [(0.0, 1.0), (0.5, 2.0), (1.0, 4.0), (1.25, 8.0), (9.0, 3.0)]
    assert most_in(1.0, consumed) == 14
    assert most_in(1.25, consumed) == 14  # 0.0 and 1.25 are 1.25 apart: the end is not included
    assert most_in(1.26, consumed) == 15
    assert most_in(0.25, consumed) == 8
    assert most_in(100, consumed) == 18
    assert most_in(1, []) == 0


def test_a_bucket() -> None:
    bucket = Bucket(5, 10, 0.0, "ProvisionedThroughputExceeded")
    bucket.take(12, 0.0)
    assert bucket.level(0.0) == -2
    assert bucket.level(1.0) == 3
    assert bucket.level(60.0) == 10
    bucket.take(4, 60.0)
    bucket.take(-1, 60.0)
    assert bucket.level(60.0) == 7


def exact(whole: Item, wire: Wire, table: str) -> None:
    """See DynamoDB Local itself charge a unit more from the byte on where the meter does."""
    padded: Item = {**whole, "pad": {"S": ""}}
    units = -(-item_size(padded) // 1024)
    room = units * 1024 - item_size(padded)
    charged = []
    for more in (room, room + 1):
        padded["pad"] = {"S": "x" * more}
        request = {"TableName": table, "Item": padded, "ReturnConsumedCapacity": "TOTAL"}
        charged.append(wire.call("PutItem", request)["ConsumedCapacity"]["CapacityUnits"])
    wire.call("DeleteItem", {"TableName": table, "Key": {"id": whole["id"]}})
    assert charged == [units, units + 1]


def test_sizes_are_those_of_dynamodb_local(reference_tables: Tables) -> None:
    table = reference_tables.create()
    for typed, _ in SIZES:
        exact({"id": {"S": "a"}, "value": typed}, reference_tables.wire, table)


@pytest.fixture(scope="module")
def plain(dynamodb_local: Engine) -> Iterator[tuple[Wire, str]]:
    wire = Wire.of(dynamodb_local)
    wire.create_table("sizes_of_any_item", (("id", "S"),))
    yield wire, "sizes_of_any_item"
    wire.call("DeleteTable", {"TableName": "sizes_of_any_item"})
    wire.close()


# DynamoDB Local refuses an empty name in a map.
WITHOUT_EMPTY_NAMES = strategies.keyed_items({"id": "S"}).filter(
    lambda item: "'': " not in str(item)
)


@settings(max_examples=30, derandomize=True, suppress_health_check=list(HealthCheck))
@given(whole=WITHOUT_EMPTY_NAMES)
def test_sizes_of_any_item_are_those_of_dynamodb_local(
    plain: tuple[Wire, str], whole: Item
) -> None:
    exact(whole, *plain)


READS: list[dict[str, Any]] = [
    {},
    {"Limit": 3},
    {"Limit": 7},
    {"FilterExpression": "size(#t) > :t", "ExpressionAttributeNames": {"#t": "text"}, "Limit": 9}
    | {"ExpressionAttributeValues": {":t": {"N": "200"}}},
    {"FilterExpression": "attribute_exists(nothing)", "ReturnConsumedCapacity": "TOTAL"},
    {"ProjectionExpression": "#i", "ExpressionAttributeNames": {"#i": "id"}},
    {"Select": "COUNT"},
    {"IndexName": "g_all"},
    {"IndexName": "g_all", "Limit": 4, "FilterExpression": "attribute_not_exists(piece)"},
    {"IndexName": "l_all", "ProjectionExpression": "piece"},
]


def condition(name: str, value: str, more: dict[str, Any]) -> dict[str, Any]:
    """Return a query; its aliases stand beside those of a filter."""
    names = {"#key": name, **more.get("ExpressionAttributeNames", {})}
    values = {":key": {"S": value}, **more.get("ExpressionAttributeValues", {})}
    aliases = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    return {**more, "KeyConditionExpression": "#key = :key", **aliases}


@pytest.mark.parametrize("consistent", [False, True])
def test_reads_cost_what_dynamodb_local_says(
    reference_tables: Tables, meter: Meter, wire: Wire, consistent: bool
) -> None:
    table = reference_tables.create(items(21, 1), key=KEY, **INDEXED)
    paid: dict[str | None, float] = {None: 0.0, "l_all": 0.0, "g_all": 0.0}
    pages = 0
    for more in READS:
        name = more.get("IndexName")
        if consistent and name == "g_all":
            continue
        partition = ("g", "g1") if name == "g_all" else ("id", "k3")
        for operation, asked in (("Scan", more), ("Query", condition(*partition, more))):
            request = {"TableName": table, "ReturnConsumedCapacity": "INDEXES", **asked}
            request["ConsistentRead"] = consistent
            while True:
                theirs = reference_tables.wire.call(operation, request)
                if not theirs["ScannedCount"]:  # an empty page: see below
                    break
                ours = wire.call(operation, request)
                assert ours == theirs
                paid[name] += units(ours)["CapacityUnits"]
                pages += 1
                if "LastEvaluatedKey" not in theirs:
                    break
                request["ExclusiveStartKey"] = theirs["LastEvaluatedKey"]
    assert pages > 20
    assert meter.ledger.total(table, "l_all") == paid["l_all"] > 0
    assert meter.ledger.total(table) == paid[None] + paid["l_all"]
    assert meter.ledger.total(table, "g_all") == paid["g_all"]
    assert meter.ledger.total(table, kind="write") == 0


def test_single_reads_cost_what_dynamodb_local_says(reference_tables: Tables, wire: Wire) -> None:
    made = items(25, 2)
    table = reference_tables.create(made, key=KEY, **INDEXED)
    for consistent in (False, True):
        more = {"ConsistentRead": consistent, "ProjectionExpression": "piece"}
        shared = {"ReturnConsumedCapacity": "INDEXES"}
        for asked in [*map(key, made), {"id": {"S": "nobody"}, "at": {"N": "1"}}]:
            request = {"TableName": table, "Key": asked, **more, **shared}
            assert wire.call("GetItem", request) == reference_tables.wire.call("GetItem", request)
        keys = {table: {"Keys": [*map(key, made)], **more}}
        ours = wire.call("BatchGetItem", {"RequestItems": keys, **shared})
        theirs = reference_tables.wire.call("BatchGetItem", {"RequestItems": keys, **shared})
        assert units(ours) == units(theirs)
        assert len(ours["Responses"][table]) == 25


def writes(seed: int) -> list[dict[str, Any]]:
    """Return batches that make, change, move in indexes, leave alone and delete items."""
    rng = random.Random(seed)
    made: set[str] = set()
    batches = []
    for turn in range(4):
        chosen = rng.sample(items(50, seed + turn // 2), 20)
        for whole in chosen:
            if rng.random() < 0.3 and "g" in whole:
                whole["g"] = {"S": "moved"}
            if rng.random() < 0.2:
                whole.pop("l", None)
        batches.append(
            [
                {"PutRequest": {"Item": whole}}
                if str(key(whole)) not in made or rng.random() < 0.6
                else {"DeleteRequest": {"Key": key(whole)}}
                for whole in chosen
            ]
        )
        for write in batches[-1]:
            if "PutRequest" in write:
                made.add(str(key(write["PutRequest"]["Item"])))
            else:
                made.discard(str(write["DeleteRequest"]["Key"]))
    return [{"RequestItems": batch} for batch in batches]


@pytest.mark.parametrize("wanted", ["INDEXES", "TOTAL"])
def test_writes_cost_what_dynamodb_local_says(
    reference_tables: Tables, meter: Meter, wire: Wire, wanted: str
) -> None:
    metered = reference_tables.create(key=KEY, **INDEXED)
    other = reference_tables.create(key=KEY, **INDEXED)
    paid = 0.0
    for batch in writes(3):
        answers = [
            by.call(
                "BatchWriteItem",
                {"RequestItems": {name: batch["RequestItems"]}, "ReturnConsumedCapacity": wanted},
            )
            for by, name in ((wire, metered), (reference_tables.wire, other))
        ]
        assert answers[0]["UnprocessedItems"] == {}
        assert units(answers[0]) == units(answers[1])
        paid += units(answers[0])["CapacityUnits"]
    for write in writes(5)[0]["RequestItems"]:
        ((kind, request),) = write.items()
        operation = kind.replace("Request", "Item")
        request["ReturnConsumedCapacity"] = wanted
        ours = wire.call(operation, {"TableName": metered, **request})
        theirs = reference_tables.wire.call(operation, {"TableName": other, **request})
        assert units(ours) == units(theirs)
        paid += units(ours)["CapacityUnits"]
    indexes = ("g_all", "g_keys", "g_some")
    assert sum(meter.ledger.total(metered, each) for each in (None, *indexes)) == paid
    assert min(meter.ledger.total(metered, each) for each in (*indexes, "l_all")) > 0
    by_key = {str(key(whole)): whole for whole in reference_tables.items(other)}
    assert by_key == {str(key(whole)): whole for whole in reference_tables.items(metered)}
    assert len(by_key) > 20


def test_a_table_without_indexes_and_pages_of_a_megabyte(
    reference_tables: Tables, wire: Wire
) -> None:
    table = reference_tables.create(numbered(50, 30_000))
    request: dict[str, Any] = {"TableName": table, "ReturnConsumedCapacity": "TOTAL"}
    first = wire.call("Scan", request)
    assert first == reference_tables.wire.call("Scan", request)
    assert (
        first["ConsumedCapacity"]["CapacityUnits"] == math.ceil(first["Count"] * 30_000 / 4096) / 2
    )
    assert 0 < first["Count"] < 50


def test_where_dynamodb_local_is_not_followed(reference_tables: Tables, wire: Wire) -> None:
    """The figures are the meter's, then Local's; the meter goes by AWS's documentation."""

    def both(operation: str, request: dict[str, Any]) -> tuple[float, float]:
        request = {**request, "ReturnConsumedCapacity": "TOTAL"}
        ours, theirs = (by.call(operation, request) for by in (wire, reference_tables.wire))
        return units(ours)["CapacityUnits"], units(theirs)["CapacityUnits"]

    table = reference_tables.create(key=KEY, **INDEXED)
    # An empty page costs the least that a read costs, not nothing.
    nobody = {"id": {"S": "nobody"}, "at": {"N": "1"}}
    assert both("Scan", {"TableName": table}) == (0.5, 0)
    assert both("Query", {"TableName": table, **condition("id", "nobody", {})}) == (0.5, 0)
    # So does each item that a batch does not find, as it does in a GetItem.
    keys = {table: {"Keys": [nobody], "ConsistentRead": True}}
    assert both("BatchGetItem", {"RequestItems": keys}) == (1, 0)
    assert both("GetItem", {"TableName": table, "Key": nobody}) == (0.5, 0.5)
    # A delete of nothing costs a unit in a batch too, not two.
    deletes = {table: [{"DeleteRequest": {"Key": nobody}}]}
    assert both("BatchWriteItem", {"RequestItems": deletes}) == (1, 2)
    assert both("DeleteItem", {"TableName": table, "Key": nobody}) == (1, 1)
    # A scan of an index costs its entries, as a query does, not the items that they stand for.
    long = {"g": {"S": "g"}, "text": {"S": "x" * 9000}}
    wire.call("PutItem", {"TableName": table, "Item": {**nobody, **long}})
    assert both("Scan", {"TableName": table, "IndexName": "g_keys"}) == (0.5, 1.5)
    query = {"TableName": table, "IndexName": "g_keys", **condition("g", "g", {})}
    assert both("Query", query) == (0.5, 0.5)


def test_entries_of_local_indexes_are_100_bytes_more_in_dynamodb_local(
    reference_tables: Tables, wire: Wire
) -> None:
    """AWS's documentation counts them as storage only; so does the meter."""
    table = reference_tables.create(key=KEY, **INDEXED)
    whole: Item = {"id": {"S": "a"}, "at": {"N": "1"}, "l": {"B": "AAEC"}, "pad": {"S": ""}}
    for size, theirs in ((924, 1), (925, 2), (1024, 2)):
        whole["pad"] = {"S": "x" * (size - item_size({**whole, "pad": {"S": ""}}))}
        request = {"TableName": table, "Item": whole, "ReturnConsumedCapacity": "INDEXES"}
        for by, expected in ((wire, 1), (reference_tables.wire, theirs)):
            figures = units(by.call("PutItem", request))
            assert figures["LocalSecondaryIndexes"] == {"l_all": {"CapacityUnits": expected}}
            assert figures["Table"] == {"CapacityUnits": 1}
            by.call("DeleteItem", {"TableName": table, "Key": key(whole)})


@pytest.fixture
def client(meter: Meter) -> Iterator[DynamoDBClient]:
    """botocore's client sees an error as a user's program does."""
    made = boto3.client(
        "dynamodb",
        endpoint_url=meter.engine.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    made.close()


def refusal(call: Callable[[], object]) -> tuple[str, list[dict[str, str]]]:
    """Return the code and the reasons with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    error: Any = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    reasons = error.get("ThrottlingReasons") or error.get("throttlingReasons", [])
    return error["Error"]["Code"], reasons


def puts(table: str, made: list[Item]) -> Any:
    return {table: [{"PutRequest": {"Item": whole}} for whole in made]}


def test_reads_wait_for_their_bucket(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient, clock: Clock
) -> None:
    table = reference_tables.create(numbered(30, 4096))
    arn = reference_tables.wire.describe(table)["TableArn"]

    def get() -> None:
        client.get_item(TableName=table, Key={"id": {"S": "001"}}, ConsistentRead=True)

    meter.ledger.limit(table, read=5, burst_seconds=2)
    for _ in range(10):
        get()
    reason = {"reason": "TableReadProvisionedThroughputExceeded", "resource": arn}
    assert refusal(get) == ("ProvisionedThroughputExceededException", [reason])
    clock.now += 1
    assert client.scan(TableName=table)["Count"] == 30  # 15 units: 10 of them are owed
    assert refusal(lambda: client.scan(TableName=table))[1] == [reason]
    clock.now += 2
    assert refusal(get)[1] == [reason]
    clock.now += 0.2
    get()
    assert meter.ledger.consumed(table) == [(1000.0, 1.0)] * 10 + [(1001.0, 15.0), (1003.2, 1.0)]
    assert (meter.ledger.total(table, kind="read"), meter.ledger.total(table)) == (26, 26)
    assert (meter.ledger.most_in(1, table), meter.ledger.most_in(2, table)) == (15, 25)
    assert meter.ledger.throttled == [(when, reason["reason"]) for when in (1000.0, 1001.0, 1003.0)]
    meter.ledger.limit(table, read=math.inf)
    assert client.scan(TableName=table)["Count"] == 30


def test_batches_are_written_as_far_as_the_bucket_allows(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient, clock: Clock
) -> None:
    table = reference_tables.create()
    free = reference_tables.create()
    made = numbered(6, 1024)
    meter.ledger.limit(table, write=4, burst_seconds=1)

    def write(asked: Any) -> Any:
        return client.batch_write_item(RequestItems=asked, ReturnConsumedCapacity="TOTAL")

    answer = write({**puts(table, made), **puts(free, made)})
    assert answer["UnprocessedItems"] == puts(table, made[4:])
    assert [each["CapacityUnits"] for each in answer["ConsumedCapacity"]] == [4, 6]
    assert sorted(reference_tables.items(table), key=str) == made[:4]
    assert sorted(reference_tables.items(free), key=str) == made
    code, [reason] = refusal(lambda: write(puts(table, made[4:])))
    assert code == "ProvisionedThroughputExceededException"
    assert reason["reason"] == "TableWriteProvisionedThroughputExceeded"
    clock.now += 1
    deletes = [{"DeleteRequest": {"Key": {"id": whole["id"]}}} for whole in made[:2]]
    assert not write({table: puts(table, made[4:])[table] + deletes})["UnprocessedItems"]
    assert sorted(reference_tables.items(table), key=str) == made[2:]
    assert (meter.ledger.total(table), meter.ledger.total(free)) == (8, 6)
    assert len(meter.ledger.throttled) == 4


def test_what_cannot_be_read_in_a_batch_is_unprocessed(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient
) -> None:
    table = reference_tables.create(numbered(4, 4096))
    keys: Any = [{"id": {"S": f"{number:03d}"}} for number in range(4)]
    meter.ledger.limit(table, read=2.5, burst_seconds=1)
    asked: Any = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "id"}
    answer = client.batch_get_item(RequestItems={table: asked}, ReturnConsumedCapacity="TOTAL")
    assert sorted(answer["Responses"][table], key=str) == keys[:3]
    assert answer["UnprocessedKeys"] == {table: {**asked, "Keys": keys[3:]}}
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 3}]
    _, [reason] = refusal(lambda: client.batch_get_item(RequestItems={table: asked}))
    assert reason["reason"] == "TableReadProvisionedThroughputExceeded"


def test_a_global_index_has_a_budget_of_its_own(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient, clock: Clock
) -> None:
    table = reference_tables.create(key=KEY, **INDEXED)
    arn = f"{reference_tables.wire.describe(table)['TableArn']}/index/g_all"
    made: list[Item] = [
        {"id": {"S": "a"}, "at": {"N": str(n)}, **({"g": {"S": "g"}} if n % 2 else {})}
        for n in range(8)
    ]
    meter.ledger.limit(table, index="g_all", write=2, read=1, burst_seconds=1)
    answer = client.batch_write_item(RequestItems=puts(table, made))
    assert answer["UnprocessedItems"] == puts(table, [made[5], made[7]])
    put = {"TableName": table, "Item": made[5]}
    code, [reason] = refusal(lambda: client.put_item(**put))  # type: ignore[arg-type]
    assert code == "ProvisionedThroughputExceededException"
    assert reason == {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": arn}
    client.scan(TableName=table, IndexName="g_all")
    client.scan(TableName=table, IndexName="g_all")
    _, [reason] = refusal(lambda: client.scan(TableName=table, IndexName="g_all"))
    assert reason == {"reason": "IndexReadProvisionedThroughputExceeded", "resource": arn}
    assert client.scan(TableName=table, IndexName="g_keys")["Count"] == 2
    clock.now += 1
    client.put_item(**put)  # type: ignore[arg-type]
    assert (meter.ledger.total(table), meter.ledger.total(table, "g_all", kind="write")) == (7, 3)
    assert meter.ledger.total(table, "g_all", kind="read") == 1


def test_a_hot_key_throttles_what_touches_it(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient, clock: Clock
) -> None:
    made: list[Item] = [
        {"id": {"S": "hot" if n % 2 else "c"}, "at": {"N": str(n)}} for n in range(8)
    ]
    table = reference_tables.create(key=KEY)
    meter.ledger.hot(table, "hot", 2)
    answer = client.batch_write_item(RequestItems=puts(table, made))
    assert answer["UnprocessedItems"] == puts(table, [made[5], made[7]])
    query: Any = {"TableName": table, "KeyConditionExpression": "id = :id"}
    hot, cold = ({**query, "ExpressionAttributeValues": {":id": made[n]["id"]}} for n in (1, 0))
    for _ in range(4):
        client.query(**hot)
    code, [reason] = refusal(lambda: client.query(**hot))
    assert code == "ThrottlingException"  # of a table on demand
    assert reason["reason"] == "TableReadKeyRangeThroughputExceeded"
    assert refusal(lambda: client.scan(TableName=table))[1] == [reason]
    assert client.query(**cold)["Count"] == 4
    clock.now += 0.4
    for _ in range(2):  # a page is not of the hot key alone: a third of its bytes
        client.scan(TableName=table)
    assert refusal(lambda: client.scan(TableName=table))[1] == [reason]
    assert meter.ledger.total(table, kind="read") == 3.5


@pytest.mark.parametrize(
    ("because", "code"),
    [
        ("ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException"),
        ("MaxOnDemandThroughputExceeded", "ThrottlingException"),
        ("AccountLimitExceeded", "RequestLimitExceeded"),
    ],
)
def test_each_limit_has_its_reason(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient, because: Any, code: str
) -> None:
    table = reference_tables.create()
    meter.ledger.limit(table, write=1, burst_seconds=0, because=because)
    said, [reason] = refusal(lambda: client.put_item(TableName=table, Item={"id": {"S": "a"}}))
    assert (said, reason["reason"]) == (code, f"TableWrite{because}")
    assert reference_tables.items(table) == []


def test_what_the_engine_refuses_costs_nothing(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient
) -> None:
    table = reference_tables.create()
    meter.ledger.limit(table, write=2, read=1, burst_seconds=1)
    one: Item = {"id": {"S": "a"}}
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("ValidationException", lambda: client.put_item(TableName=table, Item={"x": {"S": "a"}})),
        ("ValidationException", lambda: client.scan(TableName=table, IndexName="none")),
        ("ValidationException", lambda: client.scan(TableName=table, FilterExpression="(")),
        ("ResourceNotFoundException", lambda: client.scan(TableName="nowhere")),
        (
            "ValidationException",
            lambda: client.batch_write_item(RequestItems=puts(table, [one, one])),
        ),
        (
            "ValidationException",
            lambda: client.batch_write_item(
                RequestItems=puts(table, [one, {"id": {"S": "b"}, "x": {"N": "1E999"}}])
            ),
        ),
        (
            "ResourceNotFoundException",
            lambda: client.batch_write_item(
                RequestItems={**puts(table, [one]), **puts("nowhere", [one])}
            ),
        ),
    ]
    for code, call in wrong * 2:
        assert refusal(call) == (code, [])
    assert (meter.ledger.total(table), meter.ledger.throttled) == (0, [])


def test_a_condition_that_fails_costs_the_item_that_is_there(
    reference_tables: Tables, meter: Meter, client: DynamoDBClient
) -> None:
    table = reference_tables.create(numbered(1, 3000))
    put: Any = {"TableName": table, "Item": {"id": {"S": "000"}}}
    for condition_ in ("attribute_not_exists(id)", "attribute_exists(nothing)"):
        code, _ = refusal(lambda: client.put_item(**put, ConditionExpression=condition_))  # noqa: B023
        assert code == "ConditionalCheckFailedException"
    assert meter.ledger.consumed(table) == [(1000.0, 3.0)] * 2


def test_a_write_that_is_not_metered_fails_the_test(reference_tables: Tables) -> None:
    table = reference_tables.create()
    with contextlib.ExitStack() as stack:
        meter = stack.enter_context(metering.running(reference_tables.engine))
        wire = Wire.of(meter.engine)
        with pytest.raises(ConnectionError):
            wire.call("UpdateItem", {"TableName": table, "Key": {"id": {"S": "a"}}})
        wire.close()
        with pytest.raises(AssertionError, match="UpdateItem is not metered"):
            stack.close()


def test_data_passes_unharmed(reference_tables: Tables, wire: Wire) -> None:
    made = [{**whole, "odd": {"S": '\u2028\x00\ud83d\ude00 é \\ "'}} for whole in items(30, 9)]
    table = reference_tables.create(key=KEY, **INDEXED)
    assert wire.put(table, made) == 30
    direct = reference_tables.items(table)
    assert list(wire.scan(table)) == direct
    assert {str(key(whole)) for whole in direct} == {str(key(whole)) for whole in made}
    for more in READS:
        for wanted in ("NONE", "TOTAL"):
            request = {**more, "TableName": table, "ReturnConsumedCapacity": wanted}
            answers = [by.call("Scan", request) for by in (wire, reference_tables.wire)]
            assert answers[0] == answers[1]
            assert ("ConsumedCapacity" in answers[0]) == (wanted != "NONE")


def test_ministack_is_metered_alike(engine: Engine, tables: Tables, clock: Clock) -> None:
    """Its own figures are constant: what is said comes from the meter."""
    made = numbered(400, 4000)
    with metering.running(engine, clock) as meter:
        wire = Wire.of(meter.engine)
        table = tables.create()
        wire.put(table, made)
        assert meter.ledger.total(table, kind="write") == 4 * 400
        request: dict[str, Any] = {"TableName": table, "ReturnConsumedCapacity": "INDEXES"}
        filtered = {
            "FilterExpression": "id < :id",
            "ExpressionAttributeValues": {":id": {"S": "010"}},
        }
        for more, count in (({}, 400), (filtered, 10), ({"Limit": 50}, 400)):
            asked, found, paid = {**request, **more}, 0, 0.0
            while True:
                page = wire.call("Scan", asked)
                figures = page["ConsumedCapacity"]
                expected = max(1, math.ceil(page["ScannedCount"] * 4000 / 4096)) / 2
                assert figures["Table"]["CapacityUnits"] == figures["CapacityUnits"] == expected
                found += page["Count"]
                paid += expected
                if "LastEvaluatedKey" not in page:
                    break
                asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            assert found == count
            assert paid >= 400 * 4000 / 4096 / 2
        meter.ledger.limit(table, write=1, burst_seconds=0)
        with pytest.raises(WireError, match="TableWriteProvisionedThroughputExceeded"):
            wire.call("PutItem", {"TableName": table, "Item": made[0]})
        assert [call.operation for call in meter.calls][-1] == "PutItem"
        wire.close()
