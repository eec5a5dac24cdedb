"""What of a table is read, on real engines: attributes, filters, indexes, partitions, entities."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError, StateError
from tests.engines.recorded import RecordedWire
from tests.engines.tap import NEVER, Output, make, sync

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.engines.tables import Tables

Item = dict[str, Any]
COMPOSITE = (("pk", "S"), ("sk", "S"))
BOTH_ROADS = pytest.mark.parametrize(
    "limit", [pytest.param(None, id="fast road"), pytest.param(NEVER, id="the SDK's road")]
)


@pytest.fixture(params=["tables", "reference_tables"])
def there(request: pytest.FixtureRequest) -> Tables:
    """Tables on ministack, and on DynamoDB Local."""
    found: Tables = request.getfixturevalue(request.param)
    return found


class Run:
    """One run of the tap over one table of an engine.

    Attributes:
        wire: What it asked for.
        output: What it wrote.
    """

    def __init__(self, there: Tables, table: str, *, limit: int | None = None, **more: Any) -> None:
        self.wire = RecordedWire(there.engine)
        arguments = {name: more.pop(name) for name in ("catalog", "state", "fails") if name in more}
        whole = {name: more.pop(name) for name in list(more) if name in ("item_format", "segments")}
        config = {"tables": [table], **whole, "table_options": {table: more}}
        config["describe_ttl_and_tags"] = False
        self.output: Output = sync(self.wire, config, limit=limit, **arguments)
        self.output.check()

    def ids(self, stream: str | None = None, name: str = "id") -> set[Any]:
        """Return the values of one column."""
        records = self.output.records(stream)
        found = {record[name] for record in records}
        assert len(found) == len(records)
        return found


def selected(catalog: dict[str, Any], *deselected: str) -> dict[str, Any]:
    """Return a catalog in which some properties are deselected."""
    changed = copy.deepcopy(catalog)
    for entry in changed["streams"]:
        for part in entry["metadata"]:
            if part["breadcrumb"][1:] and part["breadcrumb"][1] in deselected:
                part["metadata"]["selected"] = False
    return changed


def discovered(there: Tables, table: str, **more: Any) -> dict[str, Any]:
    config = {"tables": [table], "table_options": {table: more}}
    catalog: dict[str, Any] = make(RecordedWire(there.engine), config).catalog_dict
    return catalog


def numbered(count: int, **more: Any) -> list[Item]:
    return [{"id": {"S": f"i{n:03}"}, "n": {"N": str(n)}, **more} for n in range(count)]


# Attributes

ODD_NAMES = ("size", "a.b", "a b", 'qu"ote', "#x", ":y", "1st", "name", "é")


@BOTH_ROADS
def test_deselected_attributes_are_not_asked_for(there: Tables, limit: int | None) -> None:
    more = {name: {"S": f"v-{name}"} for name in (*ODD_NAMES, "secret")}
    table = there.create(numbered(5, **more))
    catalog = selected(discovered(there, table), "secret", "n")
    run = Run(there, table, limit=limit, catalog=catalog)
    assert run.output.records() != []
    for record in run.output.records():
        assert set(record) == {"id", *ODD_NAMES}
    for request in run.wire.of("Scan"):
        names = request["ExpressionAttributeNames"]
        asked = {names[alias] for alias in request["ProjectionExpression"].split(",")}
        assert asked == {"id", *ODD_NAMES}


def test_without_deselection_whole_items_are_asked_for(there: Tables) -> None:
    run = Run(there, there.create(numbered(3)))
    assert all("ProjectionExpression" not in request for request in run.wire.of("Scan"))


def test_a_deselected_key_is_read_all_the_same(there: Tables) -> None:
    table = there.create(numbered(3))
    run = Run(there, table, catalog=selected(discovered(there, table), "id", "n"))
    assert run.ids() == {"i000", "i001", "i002"}


@BOTH_ROADS
def test_more_attributes_than_an_expression_can_name_are_left_out_after_reading(
    there: Tables, limit: int | None
) -> None:
    many = {f"attribute{n:03}": {"N": str(n)} for n in range(900)}
    table = there.create([{"id": {"S": "a"}, "secret": {"S": "hush"}, **many}])
    catalog = selected(discovered(there, table), "secret")
    run = Run(there, table, limit=limit, catalog=catalog)
    (record,) = run.output.records()
    assert set(record) == {"id", *many}
    assert all("ProjectionExpression" not in request for request in run.wire.of("Scan"))
    assert "901 attributes are more than an expression can name" in run.output.log


def test_packed_without_its_item_asks_for_the_key_only(there: Tables) -> None:
    table = there.create(numbered(3))
    catalog = selected(discovered(there, table, item_format="packed"), "item")
    run = Run(there, table, catalog=catalog, item_format="packed")
    assert all(set(record) == {"id"} for record in run.output.records())
    assert run.ids() == {"i000", "i001", "i002"}
    assert {request["ProjectionExpression"] for request in run.wire.of("Scan")} == {"#0"}


def test_an_attribute_first_seen_after_discovery_stays_out_when_something_was_deselected(
    there: Tables,
) -> None:
    table = there.create(numbered(3))
    catalog = selected(discovered(there, table), "n")
    there.wire.call("PutItem", {"TableName": table, "Item": {"id": {"S": "z"}, "late": {"S": "x"}}})
    run = Run(there, table, catalog=catalog)
    assert {"id": "z"} in run.output.records()
    assert len(run.output.of("SCHEMA")) == 1


# Filters

MIXED: list[Item] = [
    {"id": {"S": "a"}, "status": {"S": "open"}, "size": {"N": "5"}},
    {"id": {"S": "b"}, "status": {"S": "open"}, "size": {"N": "50"}},
    {"id": {"S": "c"}, "status": {"S": "closed"}, "size": {"N": "50"}},
    {"id": {"S": "d"}, "tags": {"SS": ["x", "y"]}, "data": {"B": "AAE="}, "ok": {"BOOL": True}},
]


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (
            {
                "expression": "#s = :open AND #n > :n",
                "names": {"#s": "status", "#n": "size"},
                "values": {":open": "open", ":n": 10},
            },
            {"b"},
        ),
        ({"expression": "attribute_not_exists(#s)", "names": {"#s": "status"}}, {"d"}),
        ({"expression": "tags = :t", "values": {":t": {"SS": ["y", "x"]}}}, {"d"}),
        ({"expression": "ok = :t", "values": {":t": True}}, {"d"}),
        (
            {"expression": "#d = :b", "names": {"#d": "data"}, "values": {":b": {"B": "AAE="}}},
            {"d"},
        ),
        ({"expression": "id IN (:0, :1)", "values": {":0": "a", ":1": "c"}}, {"a", "c"}),
    ],
)
def test_a_filter_says_which_items_are_read(
    there: Tables, given: dict[str, Any], ids: set[str]
) -> None:
    table = there.create(MIXED)
    assert Run(there, table, filter=given).ids() == ids


def test_the_sample_sees_what_the_filter_lets_through(there: Tables) -> None:
    table = there.create(MIXED)
    given = {"expression": "attribute_exists(tags)"}
    run = Run(there, table, filter=given)
    assert set(run.output.schema()["properties"]) == {"id", "tags", "data", "ok"}
    assert f"Reading table {table} (filtered)" in run.output.log


def test_a_filter_and_deselection_hold_together(there: Tables) -> None:
    table = there.create(MIXED)
    given = {"expression": "#0 = :0", "names": {"#0": "status"}, "values": {":0": "open"}}
    catalog = selected(discovered(there, table), "status", "tags", "data", "ok")
    run = Run(there, table, catalog=catalog, filter=given)
    assert sorted(run.output.records(), key=str) == [
        {"id": "a", "size": 5},
        {"id": "b", "size": 50},
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"expression": "size >"}, "DynamoDB refuses to read table"),
        ({"expression": "#a = :a", "values": {":a": 1}}, "DynamoDB refuses to read table"),
        ({"expression": "#a = :a", "names": {"a": "size"}, "values": {":a": 1}}, "placeholder a"),
        ({"expression": "a = :a", "values": {":a": [1]}}, "neither a plain value nor typed"),
    ],
)
def test_a_filter_that_is_none_is_one_clear_error(
    there: Tables, given: dict[str, Any], words: str
) -> None:
    table = there.create(MIXED)
    with pytest.raises(ConfigError, match=words):
        Run(there, table, filter=given)


# Indexes

ORDERS: list[Item] = [
    {
        "pk": {"S": f"customer{n % 3}"},
        "sk": {"S": f"order{n:02}"},
        "state": {"S": "open" if n % 2 else "done"},
        "placed": {"N": str(1000 + n)},
        "note": {"S": "x"},
    }
    for n in range(12)
]
INDEXES: dict[str, Any] = {
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_state",
            "KeySchema": [
                {"AttributeName": "state", "KeyType": "HASH"},
                {"AttributeName": "placed", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by_placed",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "placed", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
        {"AttributeName": "state", "AttributeType": "S"},
        {"AttributeName": "placed", "AttributeType": "N"},
    ],
}


def orders(there: Tables, more: Sequence[Item] = ()) -> str:
    return there.create([*ORDERS, *more], key=COMPOSITE, **INDEXES)


@BOTH_ROADS
@pytest.mark.parametrize("index", ["by_state", "by_placed"])
def test_an_index_is_read_by_the_tables_key(there: Tables, index: str, limit: int | None) -> None:
    sparse = [{"pk": {"S": "customer0"}, "sk": {"S": "no order"}}]
    table = orders(there, sparse)
    run = Run(there, table, limit=limit, index=index)
    assert run.ids(name="sk") == {item["sk"]["S"] for item in ORDERS}
    schema = run.output.of("SCHEMA")[0]
    assert schema["key_properties"] == ["pk", "sk"]
    assert schema["schema"]["x-dynamodb-table"]["index"] == index
    assert {request["IndexName"] for request in run.wire.of("Scan")} == {index}
    assert f"index {index} of table {table}" in run.output.log
    partly = f"Index {index} of table {table} holds a part of each item only"
    assert (partly in run.output.log) is (index == "by_state")


def test_an_index_that_is_not_there_names_those_that_are(there: Tables) -> None:
    table = orders(there)
    with pytest.raises(
        ConfigError, match=r"has no index by_day\. Its indexes: by_state, by_placed"
    ):
        Run(there, table, index="by_day")


def test_a_global_index_cannot_be_read_consistently_and_a_local_one_can(there: Tables) -> None:
    table = orders(there)
    with pytest.raises(ConfigError, match="cannot be read strongly consistent"):
        Run(there, table, index="by_state", consistent_read=True)
    run = Run(there, table, index="by_placed", consistent_read=True)
    assert all(request["ConsistentRead"] for request in run.wire.of("Scan")[4:])
    assert len(run.output.records()) == 12


# Partitions


@BOTH_ROADS
@pytest.mark.parametrize(
    ("query", "index", "expected"),
    [
        ({"pk": "customer1"}, None, {1, 4, 7, 10}),
        ({"pk": ["customer1", "customer2"]}, None, {1, 4, 7, 10, 2, 5, 8, 11}),
        ({"pk": "customer1", "sk": {"begins_with": "order0"}}, None, {1, 4, 7}),
        ({"pk": "customer1", "sk": "order04"}, None, {4}),
        (
            [{"pk": "customer0", "sk": {">=": "order06"}}, {"pk": "customer2"}],
            None,
            {6, 9, 2, 5, 8, 11},
        ),
        ({"state": "open", "placed": {"between": [1003, 1007]}}, "by_state", {3, 5, 7}),
        ({"state": ["open", "done"], "placed": {"<": 1002}}, "by_state", {0, 1}),
        ({"pk": "customer0", "placed": {">": 1005}}, "by_placed", {6, 9}),
        ({"pk": "nobody"}, None, set()),
        ([{"pk": ["customer1", "customer1"]}, {"pk": "customer1"}], None, {1, 4, 7, 10}),
    ],
)
def test_a_query_reads_its_partitions_and_nothing_else(
    there: Tables, query: Any, index: str | None, expected: set[int], limit: int | None
) -> None:
    table = orders(there)
    run = Run(there, table, limit=limit, query=query, **({"index": index} if index else {}))
    assert run.ids(name="sk") == {f"order{n:02}" for n in expected}
    assert not run.wire.of("Scan")
    assert run.output.state["bookmarks"][table]["scan"] == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"sk": "order01"}, "lacks pk. Its partition key is pk, its sort key sk"),
        ({"pk": "a", "state": "open"}, "names state"),
        ({"pk": 5}, "pk is of type S"),
        ({"pk": "a", "sk": {"contains": "x"}}, "has no condition on sk"),
        ({"pk": "a", "sk": {"between": ["x"]}}, "has no condition on sk"),
        ({"pk": []}, "names no value of pk"),
        ([{"pk": "a"}, {"pk": []}], "names no value of pk"),
    ],
)
def test_a_query_that_does_not_fit_the_key_says_so(there: Tables, query: Any, words: str) -> None:
    table = orders(there)
    with pytest.raises(ConfigError, match=words):
        Run(there, table, query=query)


def test_binary_and_numeric_keys_can_be_asked_for(there: Tables) -> None:
    items = [{"pk": {"B": "AAE="}, "sk": {"N": str(n)}} for n in range(4)]
    table = there.create(items, key=(("pk", "B"), ("sk", "N")))
    run = Run(there, table, query={"pk": "AAE=", "sk": {">": 1.5}})
    assert run.ids(name="sk") == {2, 3}


# Index keys of several attributes

SALES: list[Item] = [
    {
        "id": {"S": f"i{n:02}"},
        "tenant": {"S": f"t{n % 2}"},
        "region": {"S": "eu" if n % 4 < 2 else "us"},
        "year": {"N": str(2020 + n % 3)},
        "at": {"S": f"2026-11-{n + 1:02}T00:00:00Z"},
    }
    for n in range(12)
]
MANY_KEYED: dict[str, Any] = {
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_tenant",
            "KeySchema": [
                {"AttributeName": "tenant", "KeyType": "HASH"},
                {"AttributeName": "region", "KeyType": "HASH"},
                {"AttributeName": "year", "KeyType": "RANGE"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "N" if name == "year" else "S"}
        for name in ("id", "tenant", "region", "year", "at")
    ],
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (None, set(range(12))),
        ({"tenant": "t0", "region": "eu"}, {0, 4, 8}),
        ({"tenant": ["t0", "t1"], "region": ["eu", "us"]}, set(range(12))),
        ({"tenant": "t0", "region": "eu", "year": 2020}, {0}),
        ({"tenant": "t0", "region": ["eu", "us"], "year": {">": 2020}}, {4, 8, 2, 10}),
        ({"tenant": "t0", "region": "us", "year": 2020, "at": {"begins_with": "2026-11-0"}}, {6}),
    ],
)
def test_an_index_may_have_a_key_of_several_attributes(
    there: Tables, query: Any, expected: set[int]
) -> None:
    table = there.create(SALES, **MANY_KEYED)
    more = {"query": query} if query else {"segments": 3}
    run = Run(there, table, index="by_tenant", **more)
    assert run.ids() == {f"i{n:02}" for n in expected}
    assert run.output.of("SCHEMA")[0]["key_properties"] == ["id"]


def test_a_query_by_a_part_of_such_a_key_says_what_is_missing(there: Tables) -> None:
    table = there.create(SALES[:1], **MANY_KEYED)
    words = "lacks region. Its partition key is tenant, region, its sort key year, at"
    with pytest.raises(ConfigError, match=words):
        Run(there, table, index="by_tenant", query={"tenant": "t0"})


def test_such_an_index_is_read_incrementally_by_its_last_sort_key(there: Tables) -> None:
    table = there.create(SALES, **MANY_KEYED)
    years = [{"tenant": "t0", "region": "eu", "year": year} for year in (2020, 2021, 2022)]
    first = Run(there, table, index="by_tenant", query=years, replication_key="at")
    assert first.ids() == {"i00", "i04", "i08"}
    second = Run(
        there, table, index="by_tenant", query=years, replication_key="at", state=first.output.state
    )
    assert second.ids() == {"i00", "i04", "i08"}  # each year's newest
    assert all(">=" in q["KeyConditionExpression"] for q in second.wire.of("Query")[3:])


# What has expired


@BOTH_ROADS
def test_expired_items_are_left_out_and_counted(there: Tables, limit: int | None) -> None:
    now = int(time.time())
    values: dict[str, Any] = {
        "gone": {"N": str(now - 100_000)},
        "gone too": {"N": str(now - 10)},
        "later": {"N": str(now + 100_000)},
        "text": {"S": str(now - 100_000)},
        "long ago": {"N": "1"},
    }
    items = [{"id": {"S": name}, "ttl": value} for name, value in values.items()]
    table = there.create([*items, {"id": {"S": "none"}}])
    enable = {"Enabled": True, "AttributeName": "ttl"}
    there.wire.call("UpdateTimeToLive", {"TableName": table, "TimeToLiveSpecification": enable})
    run = Run(there, table, limit=limit, skip_expired=True)
    assert run.ids() == {"later", "text", "long ago", "none"}
    assert "have expired (attribute 'ttl') and were left out" in run.output.log
    assert "DescribeTimeToLive" not in {name for name, _ in Run(there, table).wire.requests}


def test_expired_items_are_told_though_their_attribute_is_deselected(there: Tables) -> None:
    past = {"N": str(int(time.time()) - 10)}
    table = there.create([{"id": {"S": "gone"}, "ttl": past}, {"id": {"S": "here"}}])
    enable = {"Enabled": True, "AttributeName": "ttl"}
    there.wire.call("UpdateTimeToLive", {"TableName": table, "TimeToLiveSpecification": enable})
    catalog = selected(discovered(there, table), "ttl")
    run = Run(there, table, catalog=catalog, skip_expired=True)
    assert run.output.records() == [{"id": "here"}]


def test_a_table_without_ttl_keeps_everything_and_says_so(there: Tables) -> None:
    table = there.create([{"id": {"S": "a"}, "ttl": {"N": "1700000000"}}])
    run = Run(there, table, skip_expired=True)
    assert run.ids() == {"a"}
    assert f"Nothing in table {table} expires: it has no TTL" in run.output.log


# Segments


def test_ranges_of_segments_make_up_the_table(there: Tables) -> None:
    table = there.create(numbered(60))
    shares = [
        Run(there, table, segments=9, segment_range=text).ids() for text in ("0-2", "3-3", "4-8")
    ]
    assert set.union(*shares) == {f"i{n:03}" for n in range(60)}
    assert sum(map(len, shares)) == 60


# A state and what it was made with


@pytest.mark.parametrize(
    ("before", "now", "name"),
    [
        ({"index": "by_state"}, {}, "index"),
        ({}, {"filter": {"expression": "attribute_exists(pk)"}}, "filter"),
        ({"query": {"pk": "customer0"}}, {"query": {"pk": "customer1"}}, "query"),
        ({"segment_range": "0-1"}, {"segment_range": "2-3"}, "segment_range"),
    ],
)
def test_a_state_of_another_read_of_the_table_is_refused(
    there: Tables, before: dict[str, Any], now: dict[str, Any], name: str
) -> None:
    table = orders(there)
    run = Run(there, table, segments=4, **before)
    unfinished = run.output.of("STATE")[0]["value"]
    assert unfinished["bookmarks"][table]["scan"] != []
    Run(there, table, segments=4, state=unfinished, **before)
    with pytest.raises(
        StateError, match=rf"was made with (another {name}|{name} .*, now it is .*)\. Go back"
    ):
        Run(there, table, segments=4, state=unfinished, **now)
