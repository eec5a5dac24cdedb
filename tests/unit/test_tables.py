"""Listing, describing and creating tables, against a scripted service."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core import tables
from dynamodb_core.definitions import Definition
from dynamodb_core.errors import AccessError, ServiceError, TableNotFound
from dynamodb_core.table import Key
from tests.engines.scripted import Answer, Clock, ScriptedWire, in_turn

KEY = Key(("pk", "sk"), ("S", "N"))
PLAIN = Definition("t", KEY)


def described(status: str = "ACTIVE") -> dict[str, Any]:
    return {
        "Table": {
            "TableName": "t",
            "TableStatus": status,
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        }
    }


# ListTables


def test_every_page_of_names_is_read() -> None:
    wire = ScriptedWire(
        in_turn(
            {"TableNames": ["a", "b"], "LastEvaluatedTableName": "b"},
            {"TableNames": [], "LastEvaluatedTableName": "c"},
            {"TableNames": ["d"]},
        )
    )
    assert list(tables.names(wire)) == ["a", "b", "d"]
    assert [call.request.get("ExclusiveStartTableName") for call in wire.calls] == [None, "b", "c"]


def test_names_are_asked_for_as_they_are_needed() -> None:
    wire = ScriptedWire(in_turn({"TableNames": ["a", "b"], "LastEvaluatedTableName": "b"}))
    names = tables.names(wire)
    assert (next(names), next(names)) == ("a", "b")
    assert len(wire.calls) == 1


def test_a_denied_list_is_an_error() -> None:
    with pytest.raises(AccessError):
        list(tables.names(ScriptedWire(in_turn(AccessError("denied")))))


# DescribeTable


def test_a_table_is_described_by_name_or_arn() -> None:
    wire = ScriptedWire(in_turn(described()))
    assert tables.describe(wire, "arn:x").key == KEY
    assert wire.calls[0].request == {"TableName": "arn:x"}
    assert wire.calls[0].table == "arn:x"


# CreateTable


class Service:
    """Answers CreateTable with one answer, and DescribeTable with one state after the other."""

    def __init__(self, created: Answer, *states: str) -> None:
        self._created = created
        self._states = list(states)

    def __call__(self, operation: str, request: dict[str, Any]) -> Answer:
        if operation == "CreateTable":
            return self._created
        assert operation == "DescribeTable"
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return TableNotFound("not yet") if state == "NONE" else described(state)


def test_a_new_table_is_billed_per_request_and_has_the_key() -> None:
    wire = ScriptedWire(Service({"TableDescription": {}}, "ACTIVE"))
    table = tables.create(wire, PLAIN)
    assert (table.key, table.active) == (KEY, True)
    assert wire.calls[0].request == {
        "TableName": "t",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    }


def test_a_key_of_one_part_has_no_range() -> None:
    wire = ScriptedWire(Service({}, "ACTIVE"))
    tables.create(wire, Definition("t", Key(("pk",), ("S",))))
    assert wire.calls[0].request["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]


def test_a_table_is_waited_for_until_it_is_active() -> None:
    """DescribeTable does not know it at first, and then says that it is being made."""
    clock = Clock()
    wire = ScriptedWire(Service({}, "NONE", "NONE", "CREATING", "CREATING", "ACTIVE"))
    table = tables.create(wire, PLAIN, clock=clock, sleep=clock.sleep)
    assert table.active
    assert wire.operations() == ["CreateTable"] + ["DescribeTable"] * 5
    assert clock.slept == pytest.approx([0.2, 0.4, 0.8, 1.6])


def test_looks_become_rarer_but_not_rarer_than_two_seconds() -> None:
    clock = Clock()
    wire = ScriptedWire(Service({}, *["CREATING"] * 20, "ACTIVE"))
    tables.wait_until_active(wire, "t", clock=clock, sleep=clock.sleep)
    assert max(clock.slept) == 2.0


def test_a_table_that_another_process_makes_is_waited_for() -> None:
    clock = Clock()
    race = ServiceError("Table already exists: t", code="ResourceInUseException")
    wire = ScriptedWire(Service(race, "CREATING", "ACTIVE"))
    assert tables.create(wire, PLAIN, clock=clock, sleep=clock.sleep).active


@pytest.mark.parametrize(
    "refusal",
    [
        AccessError("CreateTable is refused"),
        ServiceError("too many tables", code="LimitExceededException"),
        ServiceError("Type unsupported", code="ValidationException"),
    ],
)
def test_another_refusal_is_an_error_and_nothing_is_waited_for(refusal: Exception) -> None:
    wire = ScriptedWire(Service(refusal, "ACTIVE"))
    with pytest.raises(type(refusal)) as caught:
        tables.create(wire, PLAIN)
    assert caught.value is refusal
    assert wire.operations() == ["CreateTable"]


@pytest.mark.parametrize(("state", "words"), [("CREATING", "CREATING"), ("NONE", "not yet there")])
def test_a_table_that_does_not_become_active_is_an_error_after_ten_minutes(
    state: str, words: str
) -> None:
    clock = Clock(now=0.0)
    wire = ScriptedWire(Service({}, state))
    with pytest.raises(ServiceError, match=f"Table t is {words} after 600 seconds"):
        tables.create(wire, PLAIN, clock=clock, sleep=clock.sleep)
    assert 600 < clock.now < 610


def test_a_denied_look_ends_the_wait() -> None:
    with pytest.raises(AccessError):
        tables.wait_until_active(ScriptedWire(in_turn(AccessError("denied"))), "t")
