"""What DescribeTable says, and what makes two items the same item."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.table import Key, Table

PROVISIONED: dict[str, Any] = {
    "TableName": "orders",
    "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    "TableId": "11111111-2222-3333-4444-555555555555",
    "TableStatus": "ACTIVE",
    "ItemCount": 1234,
    "TableSizeBytes": 56789,
    "AttributeDefinitions": [
        {"AttributeName": "other", "AttributeType": "B"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "pk", "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": "sk", "KeyType": "RANGE"},
        {"AttributeName": "pk", "KeyType": "HASH"},
    ],
    "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 20},
}
ON_DEMAND = {
    **PROVISIONED,
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
}


def test_a_description_becomes_a_table() -> None:
    table = Table.from_description(PROVISIONED)
    assert table == Table(
        name="orders",
        arn="arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
        id="11111111-2222-3333-4444-555555555555",
        key=Key(("pk", "sk"), ("S", "N")),
        item_count=1234,
        size_bytes=56789,
        billing="PROVISIONED",
        read_units=100,
        write_units=20,
        read_granted=100,
        write_granted=20,
    )
    assert (table.account, table.region) == ("123456789012", "eu-west-1")
    assert table.description == PROVISIONED


def test_the_partition_key_comes_first_however_it_is_listed() -> None:
    assert str(Table.from_description(PROVISIONED).key) == "pk (S), sk (N)"


def test_the_key_may_be_one_attribute() -> None:
    description = {
        **PROVISIONED,
        "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
    }
    assert Table.from_description(description).key == Key(("other",), ("B",))


def test_an_on_demand_table_has_the_units_of_its_warm_throughput() -> None:
    warm = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}
    table = Table.from_description({**ON_DEMAND, "WarmThroughput": warm})
    assert (table.billing, table.read_units, table.write_units) == ("PAY_PER_REQUEST", 12000, 4000)


@pytest.mark.parametrize(
    ("most", "units"),
    [
        ({"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}, (100, 50)),
        ({"MaxReadRequestUnits": 90_000, "MaxWriteRequestUnits": -1}, (12_000, 4_000)),
        ({}, (12_000, 4_000)),
    ],
)
def test_an_on_demand_maximum_counts_where_it_is_less(
    most: dict[str, int], units: tuple[int, int]
) -> None:
    warm = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}
    given = {**ON_DEMAND, "WarmThroughput": warm, "OnDemandThroughput": most}
    table = Table.from_description(given)
    assert (table.read_units, table.write_units) == units


@pytest.mark.parametrize(
    "warm",
    [
        {},
        {"WarmThroughput": {"Status": "UPDATING"}},
        {"WarmThroughput": {"ReadUnitsPerSecond": 0, "WriteUnitsPerSecond": 0}},
    ],
)
def test_units_that_are_not_named_are_not_known(warm: dict[str, Any]) -> None:
    """Zero would be a rate of nothing."""
    table = Table.from_description({**ON_DEMAND, **warm})
    assert (table.read_units, table.write_units) == (None, None)


def test_an_engine_that_leaves_things_out_is_understood() -> None:
    needed = ("TableName", "AttributeDefinitions", "KeySchema")
    table = Table.from_description({name: PROVISIONED[name] for name in needed})
    assert (table.arn, table.id, table.account, table.region) == ("", "", "", "")
    assert (table.item_count, table.read_units) == (0, None)
    assert not table.active


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("ACTIVE", True),
        ("UPDATING", True),
        ("CREATING", False),
        ("DELETING", False),
        ("ARCHIVED", False),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", False),
    ],
)
def test_items_can_be_read_and_written_in_some_states_only(status: str, active: bool) -> None:
    assert Table.from_description({**PROVISIONED, "TableStatus": status}).active is active


def test_a_table_is_shown_without_its_long_description() -> None:
    assert "AttributeDefinitions" not in repr(Table.from_description(PROVISIONED))


# Identity: trap 2


BOTH = Key(("pk", "sk"), ("S", "S"))
NUMBER = Key(("n",), ("N",))
BINARY = Key(("b",), ("B",))


def test_no_joining_makes_two_keys_equal() -> None:
    parts = ["a", "b", "a$", "$b", "a/b", "$", "a,b", "a'", "('S', 'a')", "\x00", "a\x00"]
    identities = {
        BOTH.identity({"pk": {"S": first}, "sk": {"S": second}})
        for first, second in itertools.product(parts, parts)
    }
    assert len(identities) == len(parts) ** 2


@pytest.mark.parametrize(
    "spellings",
    [
        ("1", "1.0", "1e0", "+1", "01", "10E-1", "1.000"),
        ("100", "1E2", "1e+2", "100.00", "0.1E3"),
        ("0", "-0", "0.0", "0E5", "00"),
        ("-1.5", "-15E-1", "-01.50"),
        ("12345678901234567890123456789012345678", "1.2345678901234567890123456789012345678E37"),
    ],
)
def test_spellings_of_one_number_are_one_key(spellings: tuple[str, ...]) -> None:
    assert len({NUMBER.identity({"n": {"N": text}}) for text in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "-1"),
        ("1", "10"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345679"),
        ("0.1", "0.10000000000000000000000000000000000001"),
        ("9007199254740992", "9007199254740993"),
    ],
)
def test_different_numbers_are_different_keys(one: str, other: str) -> None:
    """Trap 4: as floats some of these would be one, and their items would merge."""
    assert NUMBER.identity({"n": {"N": one}}) != NUMBER.identity({"n": {"N": other}})


def test_text_that_looks_alike_is_not_the_same() -> None:
    texts = ("A", "a", "\u00e9", "e\u0301", "1", "1.0", " a", "a ")
    key = Key(("pk",), ("S",))
    assert len({key.identity({"pk": {"S": text}}) for text in texts}) == len(texts)


def test_binary_keys_are_compared_by_their_bytes() -> None:
    """Base64 has several spellings of one byte: its last character carries bits of no use."""
    assert BINARY.identity({"b": {"B": "YQ=="}}) == BINARY.identity({"b": {"B": "YR=="}})
    assert BINARY.identity({"b": {"B": "YQ=="}}) != BINARY.identity({"b": {"B": "Yg=="}})


def test_the_type_is_part_of_the_identity() -> None:
    assert Key(("k",), ("S",)).identity({"k": {"S": "1"}}) != Key(("k",), ("N",)).identity(
        {"k": {"N": "1"}}
    )


def test_other_attributes_do_not_matter() -> None:
    item = {"n": {"N": "1"}}
    assert NUMBER.identity({**item, "m": {"M": {"n": {"N": "2"}}}}) == NUMBER.identity(item)


@pytest.mark.parametrize(
    ("key", "item", "words"),
    [
        (NUMBER, {}, "n is missing"),
        (NUMBER, {"N": {"N": "1"}}, "n is missing"),
        (BOTH, {"pk": {"S": "a"}}, "sk is missing"),
        (NUMBER, {"n": {"S": "1"}}, "n is of type S, the table's key wants N"),
        (BOTH, {"pk": {"S": "a"}, "sk": {"NULL": True}}, "sk is of type NULL"),
        (BOTH, {"pk": {"S": ""}, "sk": {"S": "a"}}, "pk is empty"),
        (BINARY, {"b": {"B": ""}}, "b is empty"),
        (NUMBER, {"n": {"N": "NaN"}}, "NaN"),
        (BINARY, {"b": {"B": "no base64"}}, "b is no base64"),
    ],
)
def test_an_item_without_a_whole_key_is_refused(key: Key, item: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        key.identity(item)
