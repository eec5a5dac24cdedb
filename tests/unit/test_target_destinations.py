"""Tables found, made, checked and shared."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dynamodb_core.errors import ConfigError, KeyMismatch, TableNotFound
from dynamodb_core.progress import Progress
from dynamodb_core.table import Key
from target_dynamodb.destinations import Destinations
from target_dynamodb.keys import Stream, new_key
from target_dynamodb.settings import Settings
from target_dynamodb.source import Source
from tests.engines.scripted import ScriptedWire

TEXT = {"type": ["null", "string"]}
PROPERTIES: dict[str, dict[str, Any]] = {
    "id": TEXT,
    "n": {"type": "integer"},
    "b": {"x-dynamodb-type": "B"},
    "any": {},
}
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/"


class Service:
    """Answers DescribeTable and CreateTable; CreateTable makes a table that is described then."""

    def __init__(self, **tables: dict[str, str]) -> None:
        self.tables = {name: self.description(name, key) for name, key in tables.items()}

    @staticmethod
    def description(name: str, key: dict[str, str], **more: Any) -> dict[str, Any]:
        roles = ("HASH", "RANGE")
        return {
            "TableName": name,
            "TableArn": ARN + name,
            "TableStatus": "ACTIVE",
            "KeySchema": [
                {"AttributeName": n, "KeyType": role} for n, role in zip(key, roles, strict=False)
            ],
            "AttributeDefinitions": [
                {"AttributeName": n, "AttributeType": t} for n, t in key.items()
            ],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            **more,
        }

    def __call__(self, operation: str, request: dict[str, Any]) -> Any:
        name = request["TableName"]
        if operation == "CreateTable":
            types = {
                d["AttributeName"]: d["AttributeType"] for d in request["AttributeDefinitions"]
            }
            key = {
                part["AttributeName"]: types[part["AttributeName"]] for part in request["KeySchema"]
            }
            self.tables[name] = self.description(name, key)
        elif name not in self.tables:
            return TableNotFound(f"Table {name} does not exist", "Check its name")
        return {"Table": self.tables[name]}


def destinations(service: Service, **settings: Any) -> tuple[Destinations, ScriptedWire]:
    wire = ScriptedWire(service)
    progress = Progress("Written")
    log = logging.getLogger("test.destinations")
    return Destinations(Settings(**settings), wire, progress=progress, log=log), wire


def stream(name: str = "orders", key: tuple[str, ...] = ("id",), **more: Any) -> Stream:
    return Stream(name, key, PROPERTIES, **more)


def test_an_existing_table_is_described_once_for_all_its_streams() -> None:
    opened, wire = destinations(Service(orders={"id": "S"}))
    first = opened.open(stream())
    assert opened.open(stream()) is first  # the same stream again, with another SCHEMA
    assert first.table.key == Key(("id",), ("S",))
    assert wire.operations() == ["DescribeTable"]


@pytest.mark.parametrize(
    ("key", "types"), [(("id",), "S"), (("n",), "N"), (("b", "n"), "BN"), (("n", "id"), "NS")]
)
def test_a_missing_table_is_made_with_the_streams_key(
    key: tuple[str, ...], types: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    opened, wire = destinations(Service())
    assert opened.open(stream(key=key)).table.key == Key(key, tuple(types))
    [call] = [call for call in wire.calls if call.operation == "CreateTable"]
    assert call.request["BillingMode"] == "PAY_PER_REQUEST"
    assert "Created table orders (account 111122223333, region eu-west-1)" in caplog.text
    assert "on demand" in caplog.text
    assert "unlimited (a table of this run)" in caplog.text


def test_of_a_migrated_table_the_log_says_what_is_not_copied(
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = Key(("n", "id"), ("N", "S"))
    source = Source("orders", ARN + "orders", key=key, left_behind=("replicas in eu-north-1",))
    opened, _ = destinations(Service(), table_name="{table}_copy")
    made = opened.open(stream(key=("id", "n"), source=source))
    assert made.table.name == "orders_copy"
    assert made.table.key.names == ("n", "id")  # the source knows which is the partition key
    assert "and not its replicas in eu-north-1; its backups" in caplog.text


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ((), "no key properties"),
        (("id", "n", "b"), "3 key properties"),
        (("any",), "of type unknown"),
        (("gone",), "of type unknown"),
    ],
)
def test_a_key_that_cannot_be_made_is_an_error(key: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        new_key(stream(key=key), "orders")


def test_a_missing_table_is_an_error_where_none_may_be_made() -> None:
    opened, wire = destinations(Service(), create_tables=False)
    with pytest.raises(TableNotFound, match="create_tables"):
        opened.open(stream())
    assert wire.operations() == ["DescribeTable"]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"pk": "S"}, ("id",)),
        ({"id": "S", "n": "N"}, ("id",)),
        ({"id": "S"}, ("id", "n")),
        ({"id": "N"}, ("id",)),
        ({"id": "S", "n": "S"}, ("id", "n")),
        ({"pk": "S"}, ()),
    ],
)
def test_a_table_with_another_key_is_refused(table: dict[str, str], key: tuple[str, ...]) -> None:
    opened, _ = destinations(Service(orders=table))
    with pytest.raises(KeyMismatch, match=r"[Tt]able orders"):
        opened.open(stream(key=key))


def test_a_stream_without_a_key_takes_that_of_a_table_whose_attributes_it_has() -> None:
    opened, _ = destinations(Service(orders={"id": "S", "n": "N"}))
    assert opened.open(stream(key=())).table.key.names == ("id", "n")
    opened, _ = destinations(Service(orders={"n": "N", "id": "S"}))
    assert opened.open(stream(key=("id", "n"))).table.key.names == ("n", "id")


def test_the_source_itself_is_refused_unless_allowed() -> None:
    source = Source("orders", ARN + "orders")
    opened, _ = destinations(Service(orders={"id": "S"}))
    with pytest.raises(ConfigError, match="allow_same_table"):
        opened.open(stream(source=source))
    allowed, _ = destinations(Service(orders={"id": "S"}), allow_same_table=True)
    assert allowed.open(stream(source=source)).table.name == "orders"


def test_entities_of_one_table_go_to_one_table_unasked() -> None:
    source = Source("app", ARN + "app")
    opened, _ = destinations(Service(), table_name="{table}_copy")
    users = opened.open(stream("users", source=source))
    assert opened.open(stream("orders", source=source)) is users
    elsewhere = Source("app", ARN.replace("111122223333", "444455556666") + "app")
    with pytest.raises(ConfigError, match="would be written to table app_copy"):
        opened.open(stream("others", source=elsewhere))


def test_a_second_stream_needs_to_be_asked_for() -> None:
    opened, _ = destinations(Service(), table_names={"a": "t_1", "b": "t_1"})
    assert opened.open(stream("a")) is opened.open(stream("b"))
    with pytest.raises(
        ConfigError, match="Stream t_1 would be written to table t_1, as stream a, b"
    ):
        opened.open(stream("t_1"))
    fixed, _ = destinations(Service(), table_name="archive")
    assert fixed.open(stream("jan")) is fixed.open(stream("feb"))


def test_an_illegal_name_is_made_legal_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    opened, _ = destinations(Service())
    assert opened.open(stream("a:b!")).table.name == "a_b_"
    opened.open(stream("a:b!"))
    assert caplog.text.count("a:b! is no legal table name") == 1


@pytest.mark.parametrize(
    ("billing", "setting", "words"),
    [
        ({"WarmThroughput": {"WriteUnitsPerSecond": 4000}}, None, "2,000 units a second"),
        ({}, None, "unlimited"),
        ({}, 7, "7 units a second (as write_capacity says)"),
        (
            {
                "BillingModeSummary": {"BillingMode": "PROVISIONED"},
                "ProvisionedThroughput": {"WriteCapacityUnits": 10},
            },
            None,
            "5 units a second",
        ),
    ],
)
def test_the_log_says_the_write_capacity_and_why(
    billing: dict[str, Any], setting: int | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service = Service()
    service.tables["orders"] = service.description("orders", {"id": "S"}, **billing)
    opened, _ = destinations(service, write_capacity=setting)
    opened.open(stream())
    assert words in caplog.text
