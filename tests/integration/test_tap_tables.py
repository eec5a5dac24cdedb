"""The tap as a command on an engine: which tables it finds, and what it makes of their items."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines.tables import Tables
from tests.engines.tap import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine

DIGITS = "12345678901234567890123456789012345678"
PEOPLE: list[dict[str, Any]] = [
    {
        "id": {"S": f"p{n}"},
        "age": {"N": str(n)},
        "big": {"N": DIGITS},
        "small": {"N": "1E-130"},
        "secret": {"S": "hush"},
        "map": {"M": {"in": {"M": {"n": {"N": DIGITS}}}}},
    }
    for n in range(6)
]


@pytest.fixture
def own(account: Engine) -> Iterator[Tables]:
    """Tables of an account that no other test uses."""
    made = Tables(account)
    yield made
    made.drop()


@pytest.fixture
def command(account: Engine, tmp_path: Path) -> Command:
    return Command(tmp_path, account.config())


def create(own: Tables, *names: str) -> None:
    """Create tables under names of the test's choice."""
    for name in names:
        own.wire.create_table(name, (("id", "S"),))


def arn(own: Tables, name: str) -> str:
    text: str = own.wire.describe(name)["TableArn"]
    return text


def streams(catalog: dict[str, Any]) -> dict[str, str]:
    """Return the tables of a catalog by stream."""
    return {
        entry["tap_stream_id"]: entry["schema"]["x-dynamodb-table"]["name"]
        for entry in catalog["streams"]
    }


# Discovery


def test_tables_are_chosen_by_name_arn_and_pattern_and_excluded(
    command: Command, own: Tables
) -> None:
    create(own, "dev-users", "dev-orders", "prod-users", "audit", "other")
    catalog = command.discover(
        {"tables": ["audit", arn(own, "prod-users"), "dev-*"], "exclude_tables": ["*-orders"]}
    )
    assert streams(catalog) == {
        "audit": "audit",
        "dev_users": "dev-users",
        "prod_users": "prod-users",
    }


def test_an_arn_is_read_as_a_name_is(command: Command, own: Tables) -> None:
    name = own.create(PEOPLE)
    output = command({"tables": [arn(own, name)]})
    assert output.code == 0
    assert len(output.records(name)) == len(PEOPLE)


def test_without_tables_discovery_works_and_a_sync_says_how_to_choose(
    command: Command, own: Tables
) -> None:
    create(own, "orders", "people")
    own.wire.put("people", PEOPLE)
    assert set(streams(command.discover({}))) == {"orders", "people"}
    refused = command({})
    assert refused.code == 1
    assert refused.stdout == b""
    (line,) = refused.errors
    assert "There are 2 here: orders, people" in line
    assert '["orders"], or ["*"]' in line
    everything = command({"tables": ["*"]})
    assert everything.code == 0
    assert len(everything.records("people")) == len(PEOPLE)
    assert len(everything.of("SCHEMA")) == 2


def test_streams_that_would_clash_want_an_alias(command: Command, own: Tables) -> None:
    create(own, "a-b", "a_b")
    refused = command({"tables": ["a*"]}, "--discover")
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert "Tables a-b and a_b would both have the stream a_b" in refused.errors[0]
    aliased = command.discover({"tables": ["a*"], "stream_names": {"a_b": "other"}})
    assert streams(aliased) == {"a_b": "a-b", "other": "a_b"}


def test_a_key_attribute_with_the_name_of_the_item_field_is_refused(
    command: Command, own: Tables
) -> None:
    name = own.create([{"item": {"S": "x"}}], key=(("item", "S"),))
    refused = command({"tables": [name], "item_format": "packed"})
    assert refused.code == 1
    assert len(refused.errors) == 1
    assert "key attribute named item" in refused.errors[0]
    renamed = command({"tables": [name], "item_format": "packed", "item_field": "body"})
    assert renamed.records() == [{"item": "x", "body": {}}]


def test_a_catalog_in_hand_keeps_its_annotations_and_its_selection(
    command: Command, own: Tables
) -> None:
    name = own.create(PEOPLE)
    config = {"tables": [name]}
    catalog = command.discover(config)
    changed = copy.deepcopy(catalog)
    for entry in changed["streams"][0]["metadata"]:
        if entry["breadcrumb"] in (["properties", "secret"], ["properties", "id"]):
            entry["metadata"]["selected"] = False
    output = command(config, catalog=changed)
    assert output.code == 0
    schema, discovered = output.schema(), catalog["streams"][0]["schema"]
    assert schema["x-dynamodb-table"] == discovered["x-dynamodb-table"]
    assert schema["x-dynamodb-table"]["key"] == [{"name": "id", "type": "S"}]
    expected = {k: v for k, v in discovered["properties"].items() if k != "secret"}
    assert schema["properties"] == expected
    assert schema["properties"]["big"]["x-dynamodb-type"] == "N"
    assert {record["id"] for record in output.records()} == {f"p{n}" for n in range(6)}
    assert b"hush" not in output.stdout


# Records


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
def test_each_item_format_is_exact(command: Command, own: Tables, item_format: str) -> None:
    name = own.create(PEOPLE)
    output = command({"tables": [name], "item_format": item_format})
    assert output.code == 0
    output.check()
    # To the letter: no parser stands between the wire and this.
    assert output.stdout.count(DIGITS.encode()) == 2 * len(PEOPLE)
    (record,) = [record for record in output.records() if record["id"] == "p1"]
    (stored,) = [item for item in own.items(name) if item["id"] == {"S": "p1"}]
    attributes = {
        "age": 1,
        "big": int(DIGITS),
        "small": Decimal("1E-130"),
        "secret": "hush",
        "map": {"in": {"n": int(DIGITS)}},
    }
    assert (
        record
        == {
            "plain": {"id": "p1", **attributes},
            "packed": {"id": "p1", "item": attributes},
            "dynamodb_json": {"id": "p1", "item": stored},
        }[item_format]
    )
    assert f"{len(PEOPLE)} items" in output.log


def test_maps_filter_rename_add_and_alias_with_exact_numbers(command: Command, own: Tables) -> None:
    name = own.create(PEOPLE)
    mapping = {
        "years": "age",
        "age": None,
        "secret": None,
        "label": "'person ' + id",
        "__filter__": "age >= 4",
        "__alias__": "elders",
    }
    output = command({"tables": [name], "stream_maps": {name: mapping}})
    assert output.code == 0
    output.check()
    assert sorted(output.records("elders"), key=lambda record: record["id"]) == [
        {
            "id": f"p{n}",
            "years": n,
            "label": f"person p{n}",
            "big": int(DIGITS),
            "small": Decimal("1E-130"),
            "map": {"in": {"n": int(DIGITS)}},
        }
        for n in (4, 5)
    ]
    assert output.stdout.count(DIGITS.encode()) == 4


def test_flattening_keeps_numbers_exact(command: Command, own: Tables) -> None:
    name = own.create(PEOPLE)
    config = {"tables": [name], "flattening_enabled": True, "flattening_max_depth": 3}
    output = command(config)
    assert output.code == 0
    record = output.records()[0]
    assert record["big"] == int(DIGITS)
    assert record["small"] == Decimal("1E-130")
    assert json.loads(record["map"]) == {"in": {"n": int(DIGITS)}}
    assert output.schema()["properties"]["map"] == {"type": ["string", "null"]}


def test_a_test_run_reads_one_record_of_each_table(command: Command, own: Tables) -> None:
    names = sorted(own.create(PEOPLE) for _ in range(2))
    output = command({"tables": names, "segments": 1}, "--test")
    assert output.code == 0
    for name in names:
        (record,) = output.records(name)
        assert record["big"] == int(DIGITS)
        assert len(output.of("SCHEMA", name)) == 1


@pytest.mark.parametrize("more", [{}, {"flattening_enabled": True, "flattening_max_depth": 1}])
def test_late_attributes_widen_the_schema_in_time(
    command: Command, own: Tables, more: dict[str, Any]
) -> None:
    kinds: list[dict[str, Any]] = [{"S": "x"}, {"N": "1"}, {"BOOL": True}, {"B": "AP8="}]
    items = [
        {"id": {"S": f"i{n}"}, f"late{n % 9}": {"N": str(n)}, "v": kinds[n % 4]} for n in range(90)
    ]
    name = own.create(items)
    config = {"tables": [name], "sample_size": 1, "max_attributes": 8, **more}
    output = command(config)
    assert output.code == 0
    output.check(most=8)
    assert len(output.of("SCHEMA")) > 1
    columns = output.schema()["properties"]
    assert columns.keys() - {"_dynamodb"} > {"id", "v"}
    for record in output.records():
        n = int(record["id"][1:])
        reserved = record.get("_dynamodb") or {}
        reserved = json.loads(reserved) if isinstance(reserved, str) else reserved
        rest = reserved.get("rest", {})
        late = f"late{n % 9}"
        assert (late in record) is (late in columns)
        assert rest.get(late) == (None if late in columns else {"N": str(n)})
        assert ("v" in record) is ("v" not in rest)
        assert rest.get("v", kinds[n % 4]) == kinds[n % 4]
    assert len(output.records()) == 90
