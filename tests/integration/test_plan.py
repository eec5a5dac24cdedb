"""`dynamodb-tools plan`: on an engine by its command line, and on descriptions that no engine gives."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from demo.items import SHAPES, ordinary
from dynamodb_core.errors import AccessError, ConfigError, TableNotFound
from dynamodb_core.prices import Prices
from dynamodb_core.rates import Asked
from dynamodb_core.settings import AwsSettings
from dynamodb_tools import plan_report
from dynamodb_tools.planning import Planning, settings_for
from tests.engines import pipeline
from tests.engines.scripted import ScriptedWire

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.engine import Engine
    from dynamodb_tools.estimates import Given
    from tests.engines.pipeline import Ended
    from tests.engines.scripted import Answer
    from tests.engines.tables import Tables

PEOPLE = SHAPES[1]


def planned(engine: Engine, folder: Path, *arguments: str, **settings: Any) -> Ended:
    config = folder / "plan.json"
    config.write_text(json.dumps({**engine.config(), **settings}))
    return pipeline.run(
        [sys.executable, "-m", "dynamodb_tools", "plan", "--config", str(config), *arguments]
    )


def told(ended: Ended) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


# By the command line


def test_a_table_is_planned_from_its_descriptions_alone(tables: Tables, tmp_path: Path) -> None:
    table = tables.create(ordinary(PEOPLE, 40), label="dev-orders")
    before = tables.items(table)
    ended = planned(
        tables.engine, tmp_path, table, "--read-capacity", "10", "--write-capacity", "5"
    )
    assert ended.code == 0, ended.err
    for words in (f"Table {table}", "scan, eventually consistent", "batches", "at 5 units/s"):
        assert words in ended.out
    assert not ended.errors
    assert tables.items(table) == before


def test_a_sample_reads_as_many_items_as_are_asked_for(tables: Tables, tmp_path: Path) -> None:
    items = [{"id": {"S": f"{n}"}, "t": {"S": "x" * 3000}} for n in range(40)]
    table = tables.create(items)
    [some] = told(planned(tables.engine, tmp_path, table, "--sample", "10", "--format", "json"))
    assert some["sample"]["items"] == 10
    assert some["sample"]["write_units"] == 30
    assert some["sample"]["size"] == pytest.approx(10 * 3005, rel=0.01)
    assert some["sample"]["json_bytes"] == pytest.approx(10 * 3045, rel=0.01)
    assert some["sample"]["units"] > 0
    [whole] = told(planned(tables.engine, tmp_path, table, "--sample", "1000", "--format", "json"))
    assert whole["sample"]["items"] == 40


def test_a_sample_shows_what_indexes_hold(tables: Tables, tmp_path: Path) -> None:
    def index(name: str, key: str, kind: str, **more: Any) -> dict[str, Any]:
        return {
            "IndexName": name,
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": kind, **more},
        }

    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "day", "user")]
    table = tables.create(
        AttributeDefinitions=types,
        GlobalSecondaryIndexes=[
            index("whole", "day", "ALL"),
            index("keys", "day", "KEYS_ONLY"),
            index("some", "day", "INCLUDE", NonKeyAttributes=["half"]),
            index("sparse", "user", "ALL"),
        ],
    )
    item = {"day": {"S": "d"}, "half": {"S": "x" * 1500}, "rest": {"S": "x" * 1500}}
    rare = {**item, "user": {"S": "u"}}
    tables.wire.put(table, ({**(item if n else rare), "id": {"S": f"{n}"}} for n in range(20)))
    [said] = told(planned(tables.engine, tmp_path, table, "--sample", "20", "--format", "json"))
    assert said["sample"]["write_units"] == 60
    expected = {"whole": 60, "keys": 20, "some": 40, "sparse": 3}
    assert said["sample"]["index_units"] == expected


def test_patterns_and_copies(tables: Tables, tmp_path: Path) -> None:
    one, two = (tables.create(label="plan-me") for _ in range(2))
    tables.note(f"{one}_copy")
    tables.wire.create_table(f"{one}_copy", PEOPLE.key)
    pattern = one.rpartition("_")[0] + "_*"
    arguments = (pattern, one, "--copy", "{table}_copy", "--format", "json")
    ended = planned(tables.engine, tmp_path, *arguments)
    said = told(ended)
    assert [each["table"] for each in said] == sorted([one, two])
    assert {each["table"]: each["copy"] for each in said} == {one: f"{one}_copy", two: None}
    assert f"There is no table {two}_copy yet" in ended.err
    text = planned(tables.engine, tmp_path, pattern).out
    assert text.count("\nTable ") == 2  # the copy is a table too, where nobody calls it one


def test_a_table_that_does_not_exist_is_an_error(tables: Tables, tmp_path: Path) -> None:
    ended = planned(tables.engine, tmp_path, "no_such_table")
    assert (ended.code, ended.out) == (1, "")
    assert "no_such_table" in ended.errors[-1]
    there = tables.create()
    ended = planned(tables.engine, tmp_path, "no_such_table", there)
    assert ended.code == 1
    assert f"Table {there}" in ended.out
    assert "no_such_table" in ended.errors[-1]
    ended = planned(tables.engine, tmp_path, "no_such_*")
    assert ended.code == 1
    assert "No table matches no_such_*" in ended.errors[-1]


def test_a_table_is_not_its_own_copy(tables: Tables, tmp_path: Path) -> None:
    table = tables.create()
    ended = planned(tables.engine, tmp_path, table, "--copy", table)
    assert ended.code == 1
    assert "its own copy" in ended.errors[-1]


def test_settings_that_contradict_each_other_are_an_error(tables: Tables, tmp_path: Path) -> None:
    both = {"read_capacity": 1, "read_capacity_percent": 1}
    ended = planned(tables.engine, tmp_path, tables.create(), **both)
    assert ended.code == 1
    assert "both set" in ended.errors[-1]


# On descriptions


ORDERS = {
    "TableName": "orders",
    "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    "TableId": "1",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "day", "AttributeType": "S"},
    ],
    "ItemCount": 1_000_000,
    "TableSizeBytes": 1_000_000_000,
    "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 50},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "ItemCount": 1_000_000,
            "IndexSizeBytes": 1_000_000,
            "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20},
        }
    ],
}
COPY = {
    **ORDERS,
    "TableName": "orders_copy",
    "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders_copy",
    "TableId": "2",
    "ItemCount": 0,
    "TableSizeBytes": 0,
    "ProvisionedThroughput": {"ReadCapacityUnits": 8, "WriteCapacityUnits": 300},
}
ON_DEMAND = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}


class Account:
    """Tables, by their descriptions alone."""

    def __init__(self, *described: Mapping[str, Any], recovery: Answer | None = None) -> None:
        self.tables = {each["TableName"]: dict(each) for each in described}
        self.recovery = recovery
        self.wire = ScriptedWire(self.answer)

    def answer(self, operation: str, request: dict[str, Any]) -> Answer:
        name = request.get("TableName", "").rpartition("/")[2]
        if operation == "DescribeTable":
            if name not in self.tables:
                return TableNotFound(f"There is no table {name}")
            return {"Table": self.tables[name]}
        if operation == "DescribeLimits":
            return {"TableMaxReadCapacityUnits": 40_000, "TableMaxWriteCapacityUnits": 20_000}
        assert operation == "DescribeContinuousBackups"
        return recovery("DISABLED") if self.recovery is None else self.recovery

    def look(self, reference: str = "orders", **asked: Any) -> Given:
        kinds: tuple[Any, ...] = ("read", "write")
        read, write = (
            Asked(kind, asked.pop(kind, None), asked.pop(f"{kind}_percent", None)) for kind in kinds
        )
        planning = Planning(read, write, Prices(), **asked)
        return planning.look(reference, self.wire, lambda _: self.wire)


def recovery(status: str) -> dict[str, Any]:
    said = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status}}
    return {"ContinuousBackupsDescription": said}


def rates(given: Given) -> tuple[float | None, float | None, float | None]:
    return given.read.units, given.write.units, given.write_indexes["by_day"].units


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (50, 50, 20)),  # half of what is read; all of a new copy, made like it
        ({"read": 7, "write": 30}, (7, 30, 20)),
        ({"read": 7, "write": 10}, (7, 10, 10)),
        ({"read_percent": 10, "write_percent": 50}, (10, 25, 10)),
        ({"copy": "orders_copy"}, (50, 150, 10)),
        ({"copy": "{table}_copy", "write": 250}, (50, 250, 20)),
        ({"copy": "{table}_new"}, (50, 50, 20)),
    ],
)
def test_rates_are_those_that_tap_and_target_would_take(
    asked: dict[str, Any], expected: tuple[float, float, float]
) -> None:
    given = Account(ORDERS, COPY).look(**asked)
    assert rates(given) == expected
    assert (given.copy is not None) == (asked.get("copy", "").endswith("_copy"))


def test_a_percentage_of_a_table_without_figures_is_of_the_account() -> None:
    given = Account({**ORDERS, **ON_DEMAND}).look(read_percent=10, write_percent=10)
    assert rates(given) == (4000, 2000, 2000)


def test_a_percentage_of_a_copy_is_of_its_own_account() -> None:
    here, there = Account({**ORDERS, **ON_DEMAND}), Account({**COPY, **ON_DEMAND})
    percent: tuple[Any, Any] = (Asked("read", percent=10), Asked("write", percent=10))
    planning = Planning(*percent, Prices(), copy="orders_copy")
    planning.look("orders", here.wire, lambda _: there.wire)
    assert here.wire.operations().count("DescribeLimits") == 1
    assert there.wire.operations().count("DescribeLimits") == 2  # of the table, and of its index


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (recovery("ENABLED"), True),
        (recovery("DISABLED"), False),
        (AccessError("It may not be asked"), None),
        ({}, None),
    ],
)
def test_recovery_may_be_on_off_or_not_to_be_known(answer: Answer, known: bool | None) -> None:
    given = Account(ORDERS, recovery=answer).look()
    assert given.recoverable is known


def test_nothing_is_called_but_descriptions() -> None:
    account = Account(ORDERS, COPY)
    account.look(copy="{table}_copy")
    assert account.wire.operations() == [
        "DescribeTable",
        "DescribeTable",
        "DescribeContinuousBackups",
    ]


def test_a_sample_of_a_scripted_table_goes_round_its_segments() -> None:
    account = Account(ORDERS)
    asked: list[dict[str, Any]] = []

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if operation != "Scan":
            return account.answer(operation, request)
        asked.append(request)
        segment, page = request["Segment"], int("ExclusiveStartKey" in request)
        count = min(request["Limit"], [1, 2, 3, 0][segment])
        item = {"id": {"S": f"{segment} {page}"}}
        last = {"LastEvaluatedKey": item} if segment in (1, 2) and not page else {}
        units = {"CapacityUnits": 0.5, "TableName": "orders"}
        return {
            "Items": [item] * count,
            "ScannedCount": count,
            "Count": count,
            "ConsumedCapacity": units,
            **last,
        }

    account.wire = ScriptedWire(answer)
    given = account.look(sample=100)
    assert given.sample is not None
    assert given.sample.items == 1 + 2 * 2 + 3 * 2
    assert given.sample.units == 0.5 * 6
    assert [request["Segment"] for request in asked] == [0, 1, 2, 3, 1, 2]
    asked.clear()
    few = account.look(sample=2)
    assert few.sample is not None
    assert few.sample.items == 2
    assert {request["TotalSegments"] for request in asked} == {2}


def test_what_is_said_of_a_provisioned_table() -> None:
    text = plan_report.text(Account(ORDERS, COPY).look(copy="{table}_copy"))
    flat = " ".join(text.split())
    for words in (
        "provisioned 100 read and 50 write units/s",
        "Writing orders_copy",
        "at 150 units/s (half of the table's provisioned 300 write units a second)",
        "of the units about 1,000,000 are for the global index by_day",
        "import from S3 (not now)",
        "makes a new table, and orders_copy exists",
        "bulk put from S3 none not known not known",
        "too late: the first changes are gone",
        "write_capacity 14 for index by_day",
        "Its stream is off",
    ):
        assert words in flat, words


def test_the_region_of_an_arn_counts_where_none_is_set() -> None:
    arn = "arn:aws:dynamodb:eu-north-1:1:table/x"
    assert settings_for(AwsSettings(), arn).region == "eu-north-1"
    assert settings_for(AwsSettings(region="us-east-1"), arn).region == "us-east-1"
    assert settings_for(AwsSettings(), "x").region is None


def test_a_copy_of_the_same_arn_is_refused_before_anything_is_read() -> None:
    account = Account(ORDERS)
    with pytest.raises(ConfigError, match="its own copy"):
        account.look(copy="orders", sample=5)
    assert set(account.wire.operations()) == {"DescribeTable"}
