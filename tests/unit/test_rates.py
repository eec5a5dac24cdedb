"""What a run may take of a table or an index, as the configuration and DescribeTable say."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.rates import Asked, careful
from dynamodb_core.table import Key, Table

Kind = Literal["read", "write"]
KINDS = pytest.mark.parametrize("kind", ["read", "write"])
ACCOUNT = 40_000.0
"""What the account lets any table have."""


def table(
    billing: str = "PROVISIONED", read: float | None = None, write: float | None = None
) -> Table:
    key = Key(("id",), ("S",))
    return Table("t", "", "", key, billing=billing, read_units=read, write_units=write)


def described(billing: str = "PROVISIONED", **more: Any) -> Table:
    """A table with a global and a local index; `more` holds what DescribeTable says of them."""

    def index(name: str) -> dict[str, Any]:
        return {
            "IndexName": name,
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            **more.get(name, {}),
        }

    return Table.from_description(
        {
            "TableName": "t",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingModeSummary": {"BillingMode": billing},
            "GlobalSecondaryIndexes": [index("g")],
            "LocalSecondaryIndexes": [index("l")],
            **more.get("table", {}),
        }
    )


def provisioned(read: int, write: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def maximum(read: int, write: int) -> dict[str, Any]:
    return {"OnDemandThroughput": {"MaxReadRequestUnits": read, "MaxWriteRequestUnits": write}}


WARM = {"WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}}


def asked_for_nothing(kind: Kind) -> float:
    raise AssertionError(f"the account's limit for {kind} is looked up for nothing")


# Without a word in the configuration


@pytest.mark.parametrize(
    ("given", "kind", "rate", "reason"),
    [
        (table(read=100, write=7), "read", 50.0, "half of the table's provisioned 100 read"),
        (table(read=100, write=7), "write", 3.5, "half of the table's provisioned 7 write"),
        (
            table("PAY_PER_REQUEST", read=12_000, write=4_000),
            "read",
            6_000.0,
            "half of the table's 12,000 read units a second, its warm throughput or on-demand maximum",
        ),
        (table("PAY_PER_REQUEST", write=4_000), "write", 2_000.0, "4,000 write units"),
        (table(read=1), "read", 1.0, "provisioned 1 read"),
    ],
)
def test_a_careful_rate_leaves_others_half_and_says_why(
    given: Table, kind: Kind, rate: float, reason: str
) -> None:
    assert careful(given, kind)[0] == rate
    assert reason in careful(given, kind)[1]
    assert Asked(kind).of(given, asked_for_nothing) == careful(given, kind)


@pytest.mark.parametrize("billing", ["PROVISIONED", "PAY_PER_REQUEST"])
@KINDS
def test_a_table_that_names_no_capacity_is_not_limited(billing: str, kind: Kind) -> None:
    rate, reason = careful(table(billing), kind)
    assert rate is None
    assert "unlimited" in reason


# Units


@KINDS
def test_units_go_before_what_the_table_has(kind: Kind) -> None:
    given = table(read=100, write=100)
    said = Asked(kind, units=7).of(given, asked_for_nothing)
    assert said == (7.0, f"as {kind}_capacity says")


@KINDS
def test_units_and_percent_contradict_each_other(kind: Kind) -> None:
    words = f"{kind}_capacity and {kind}_capacity_percent are both set"
    with pytest.raises(ConfigError, match=words):
        Asked(kind, units=7, percent=7)


# Percent


@pytest.mark.parametrize(
    ("given", "percent", "read", "write", "source"),
    [
        (described(table=provisioned(100, 30)), 20, 20.0, 6.0, "the table's provisioned"),
        (described(table=provisioned(7, 7)), 1, 0.07, 0.07, "the table's provisioned"),
        (
            described("PAY_PER_REQUEST", table={**maximum(500, 50), **WARM}),
            100,
            500.0,
            50.0,
            "the table's on-demand maximum of",
        ),
        (
            described("PAY_PER_REQUEST", table={**maximum(-1, -1), **WARM}),
            10,
            4_000.0,
            4_000.0,
            "the account's limit for a table,",
        ),
        (
            described("PAY_PER_REQUEST"),
            10,
            4_000.0,
            4_000.0,
            "the account's limit for a table,",
        ),
    ],
    ids=["provisioned", "1% of little", "on-demand maximum", "no maximum", "nothing is said"],
)
def test_percent_is_of_what_the_table_was_given_or_else_of_the_accounts_limit(
    given: Table, percent: int, read: float, write: float, source: str
) -> None:
    """Warm throughput is what a table happens to be ready for, and no limit of anybody's."""
    rates: dict[Kind, float] = {"read": read, "write": write}
    for kind, rate in rates.items():
        said, reason = Asked(kind, percent=percent).of(given, lambda _kind: ACCOUNT)
        assert said == pytest.approx(rate)
        assert reason.startswith(f"{percent}% of {source} ")
        assert reason.endswith(f"{kind} units a second")


def test_percent_of_an_index_is_of_its_own_and_of_a_local_one_of_its_tables() -> None:
    given = described(table=provisioned(100, 100), g=provisioned(10, 10))
    asked = Asked("read", percent=50)
    assert asked.of(given.index("g"), asked_for_nothing)[0] == 5.0
    assert asked.of(given.index("l"), asked_for_nothing)[0] == 50.0
    on_demand = described("PAY_PER_REQUEST", table=maximum(100, 100), g=maximum(10, 10))
    assert asked.of(on_demand.index("g"), asked_for_nothing)[0] == 5.0


def test_large_figures_are_said_in_full() -> None:
    reason = Asked("read", percent=50).of(
        described(table=provisioned(3_000_001, 1)), asked_for_nothing
    )
    assert reason == (1_500_000.5, "50% of the table's provisioned 3,000,001 read units a second")


# A load, which writes to the indexes too


def rates(asked: Asked, given: Table) -> tuple[float | None, dict[str, float | None]]:
    (rate, _), indexes = asked.of_load(given, lambda _kind: ACCOUNT)
    return rate, {name: units for name, (units, _) in indexes.items()}


@pytest.mark.parametrize(
    ("asked", "given", "expected"),
    [
        (
            Asked("write"),
            described(table=provisioned(1, 100), g=provisioned(1, 10)),
            (50.0, {"g": 5.0}),
        ),
        (
            Asked("write", percent=20),
            described(table=provisioned(1, 100), g=provisioned(1, 10)),
            (20.0, {"g": 2.0}),
        ),
        (
            Asked("write", units=40),
            described(table=provisioned(1, 100), g=provisioned(1, 10)),
            (40.0, {"g": 10.0}),
        ),
        (
            Asked("write", units=40),
            described(table=provisioned(1, 100), g=provisioned(1, 1000)),
            (40.0, {"g": 40.0}),
        ),
        (Asked("write", units=40), described("PAY_PER_REQUEST"), (40.0, {"g": 40.0})),
        (
            Asked("write", percent=10),
            described("PAY_PER_REQUEST", table=maximum(1, 500)),
            (50.0, {"g": 4_000.0}),
        ),
        (Asked("write"), described("PAY_PER_REQUEST"), (None, {"g": None})),
    ],
)
def test_each_global_index_has_a_rate_of_its_own_and_a_local_one_has_none(
    asked: Asked, given: Table, expected: tuple[float | None, dict[str, float | None]]
) -> None:
    assert rates(asked, given) == expected


def test_the_reason_says_when_an_index_has_less_than_the_table_is_given() -> None:
    given = described(table=provisioned(1, 100), g=provisioned(1, 10))
    _, indexes = Asked("write", units=40).of_load(given, asked_for_nothing)
    assert indexes["g"][1] == "all of the index's provisioned 10 write units a second"


@pytest.mark.parametrize(
    ("asked", "varies"),
    [(Asked("read"), True), (Asked("read", percent=5), True), (Asked("read", units=5), False)],
)
def test_only_units_do_not_depend_on_the_table(asked: Asked, varies: bool) -> None:
    assert asked.varies is varies
