"""What a record becomes, on real engines: keys, names, types, shards, and what DynamoDB refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from demo.wire import WireError
from dynamodb_core import sizes
from target_dynamodb import joined
from tests.engines.filed import Filed, batch
from tests.integration.target_process import record, run, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tables import Tables
    from tests.integration.target_process import Message

TEXT = {"type": ["null", "string"]}
NUMBER = {"type": "number"}
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
engines = pytest.mark.parametrize("made_on", ["tables", "reference_tables"])


@pytest.fixture
def made(made_on: str, request: pytest.FixtureRequest) -> Tables:
    """Tables on either engine."""
    fixture: Tables = request.getfixturevalue(made_on)
    return fixture


def by(items: list[dict[str, Any]], *names: str) -> dict[str, dict[str, Any]]:
    return {"/".join(next(iter(item[n].values())) for n in names): item for item in items}


# Keys and names

SALE = {"shop": TEXT, "day": TEXT, "number": NUMBER, "total": NUMBER}
SALE_OPTIONS = {
    "sales": {
        "rename": {"shop": "pk", "total": "amount"},
        "partition_key": "pk",
        "join": {"sk": ["kind", "day", "number"]},
        "sort_key": "sk",
        "constants": {"kind": "SALE"},
        "defaults": {"currency": "EUR"},
        "drop": ["day"],
    }
}


def sales(form: str) -> list[Message]:
    """Sales as another tap, or our own in one of its formats, says them; the last is deleted."""
    records = [
        {"shop": "a#", "day": "b", "number": 1, "total": 5},
        {"shop": "a", "day": "#b", "number": 1, "total": 6},
        {"shop": "a", "day": "#b", "number": 10, "total": 7},
        {"shop": "a", "day": "#b", "number": 1.0, "total": 8, "currency": "CHF"},
        {"shop": "gone", "day": "b", "number": 1, "total": 9},
    ]
    key = ("shop", "day", "number")
    table: dict[str, Any] | None = None
    properties: dict[str, Any] = SALE
    if form:
        types = {"shop": "S", "day": "S", "number": "N", "total": "N"}
        properties = {name: {"x-dynamodb-type": kind} for name, kind in types.items()}
        table = {"name": "sales", "arn": "arn:aws:dynamodb:x:1:table/sales", "item_format": form}
    messages = [schema("sales", properties, key, table)]
    for each in records:
        own: dict[str, Any] = {name: each[name] for name in key}
        rest = {name: value for name, value in each.items() if name not in key}
        typed = {
            name: {"S": value} if isinstance(value, str) else {"N": str(value)}
            for name, value in each.items()
        }
        if form in ("", "plain"):
            own = each
        else:
            own["item"] = rest if form == "packed" else typed
        messages.append(record("sales", own))
    gone = {"shop": "gone", "day": "b", "number": 1, **GONE}
    return [*messages, record("sales", gone), state({"done": 1})]


@engines
@pytest.mark.parametrize("form", ["", "plain", "packed", "dynamodb_json"])
def test_three_key_properties_make_a_table_with_two(
    tmp_path: Path, made: Tables, form: str
) -> None:
    name = made.name("sales")
    target = run(tmp_path, made.engine, sales(form), table_name=name, stream_options=SALE_OPTIONS)
    assert target.process.returncode == 0, target.errors()
    assert target.states == [{"done": 1}]
    assert made.wire.key_of(name) == (("pk", "S"), ("sk", "S"))
    items = by(made.items(name), "pk", "sk")
    assert items.keys() == {"a#/SALE#b#1", "a/SALE#\\#b#1", "a/SALE#\\#b#10"}
    assert items["a/SALE#\\#b#10"] == {
        "pk": {"S": "a"},
        "sk": {"S": "SALE#\\#b#10"},
        "kind": {"S": "SALE"},
        "number": {"N": "10"},
        "amount": {"N": "7"},
        "currency": {"S": "EUR"},
    }
    last = items["a/SALE#\\#b#1"]  # 1 and 1.0 are one key
    assert (last["amount"], last["currency"]) == ({"N": "8"}, {"S": "CHF"})


def test_more_than_two_key_properties_want_to_be_joined(tmp_path: Path, tables: Tables) -> None:
    target = run(tmp_path, tables.engine, sales(""), table_name=tables.name())
    assert target.process.returncode == 1
    [error] = target.errors()
    assert "Stream sales has 3 key properties (shop, day, number)" in error
    assert '"partition_key": "shop", "join": {"sk": ["day", "number"]}' in "".join(target.log)


def test_an_existing_table_is_checked_against_the_options(tmp_path: Path, tables: Tables) -> None:
    swapped = tables.create(key=(("sk", "S"), ("pk", "S")))
    target = run(
        tmp_path, tables.engine, sales(""), table_name=swapped, stream_options=SALE_OPTIONS
    )
    assert target.process.returncode == 1
    assert "has the key sk (S), pk (S), stream sales has pk, sk" in target.errors()[0]


def test_a_key_that_does_not_tell_records_apart_is_said(tmp_path: Path, tables: Tables) -> None:
    name = tables.name()
    options = {"people": {"partition_key": "mail", "sort_key": ""}}
    messages = [
        schema("people", {"id": NUMBER, "mail": TEXT}),
        *(record("people", {"id": n, "mail": "a@b"}) for n in (1, 2)),
    ]
    target = run(tmp_path, tables.engine, messages, table_name=name, stream_options=options)
    assert target.process.returncode == 0, target.errors()
    assert tables.items(name) == [{"mail": {"S": "a@b"}, "id": {"N": "2"}}]
    assert any("records that differ in the rest only are one item" in line for line in target.log)
    safe = tables.name()
    options = {"people": {"partition_key": "mail"}}
    target = run(tmp_path, tables.engine, messages, table_name=safe, stream_options=options)
    assert tables.wire.key_of(safe) == (("mail", "S"), ("id", "N"))
    assert len(tables.items(safe)) == 2
    assert not any("are one item" in line for line in target.log)
    assert not any("fits no stream" in line for line in target.log)
    options = {"peple": {"partition_key": "mail"}}
    target = run(tmp_path, tables.engine, messages, table_name=safe, stream_options=options)
    assert any("mail (S), id (N), stream people has id" in line for line in target.errors())


def test_twelve_monthly_streams_go_into_one_table(tmp_path: Path, tables: Tables) -> None:
    name = tables.name("sales")
    months = [f"sales_2026_{month:02}" for month in range(1, 13)]
    messages = [
        message
        for month in months
        for message in (
            schema(month, {"id": TEXT}, table={"name": month, "arn": f"arn:aws:x:y:z:1:{month}"}),
            record(month, {"id": month}),
            record(month, {"id": "same"}),
            record(month, {"id": "other"}),
        )
    ]
    config: dict[str, Any] = {
        "table_names": {"sales_2026_*": name, "sale_*": name},
        "stream_options": {
            "sales_*": {
                "constants": {"from": "{table}"},
                "partition_key": "from",
            }
        },
    }
    target = run(tmp_path, tables.engine, messages, **config)
    assert target.process.returncode == 0, target.errors()
    items = tables.items(name)
    assert any("table_names[sale_*] fits no stream of this run" in line for line in target.log)
    assert len(items) == 36
    assert {item["from"]["S"] for item in items} == set(months)
    elsewhere = [*messages[:4], schema(name, {"id": TEXT})]
    refused = run(tmp_path, tables.engine, elsewhere, **config)
    assert f"Stream {name} would be written to table {name}" in refused.errors()[0]


@engines
@pytest.mark.parametrize("by_", [["id"], "random"])
def test_the_partition_key_is_spread_over_shards(
    tmp_path: Path, made: Tables, by_: list[str] | str
) -> None:
    name = made.name("events")
    options = {"events": {"shards": {"count": 5, "by": by_}}}
    messages = [
        schema("events", {"day": TEXT, "id": NUMBER}, ("day", "id")),
        *(record("events", {"day": "monday", "id": n}) for n in range(40)),
    ]
    target = run(tmp_path, made.engine, messages, table_name=name, stream_options=options)
    assert target.process.returncode == 0, target.errors()
    assert made.wire.key_of(name) == (("day", "S"), ("id", "N"))
    items = made.items(name)
    assert len(items) == 40
    days = {item["day"]["S"] for item in items}
    assert days <= {f"monday#{n}" for n in range(5)}
    assert len(days) > 1
    random = any("chosen at random" in line for line in target.log)
    assert random == (by_ == "random")
    if by_ == "random":
        return
    for item in items:
        assert item["day"]["S"] == f"monday#{joined.shard([item['id']['N']], 5)}"
    again = [
        messages[0],
        *(record("events", {"day": "monday", "id": n, **GONE}) for n in range(39)),
    ]
    run(tmp_path, made.engine, again, table_name=name, stream_options=options)
    assert [item["id"]["N"] for item in made.items(name)] == ["39"]


@pytest.mark.parametrize("processes", [1, 2])
def test_files_are_shaped_by_worker_processes_too(
    tmp_path: Path, tables: Tables, processes: int
) -> None:
    filed = Filed(tmp_path / "root")
    options = {
        "events": {
            "rename": {"id": "pk"},
            "constants": {"from": "{stream}"},
            "types": {"at": "epoch"},
            "shards": {"count": 3, "by": ["pk"]},
        }
    }
    head = schema("events", {"id": NUMBER, "at": TEXT})
    found = []
    for in_files in (False, True):
        name = tables.name("events")
        records = [{"id": n, "at": "1970-01-02", "x": ""} for n in range(60)]
        messages: list[Any] = [head, *(record("events", each) for each in records)]
        if in_files:
            texts = [json.dumps(each) for each in records]
            files = [filed.ours(texts[:30]), filed.ours(texts[30:])]
            messages = [head, *(batch("events", file) for file in files)]
        target = run(
            tmp_path,
            tables.engine,
            messages,
            table_name=name,
            stream_options=options,
            batch_root=str(filed.root),
            processes=processes,
        )
        assert target.process.returncode == 0, target.errors()
        found.append(by(tables.items(name), "pk"))
    assert found[0] == found[1]
    assert len(found[0]) == 60
    one = f"7#{joined.shard(['7'], 3)}"
    assert found[1][one] == {
        "pk": {"S": one},
        "from": {"S": "events"},
        "at": {"N": "86400"},
        "x": {"S": ""},
    }


def test_a_dry_run_sees_shaped_items(tmp_path: Path, tables: Tables) -> None:
    name = tables.name("sales")
    messages = [*sales("")[:-2], record("sales", {"shop": "z", "day": "x" * 1020, "number": 1})]
    target = run(
        tmp_path,
        tables.engine,
        messages,
        table_name=name,
        stream_options=SALE_OPTIONS,
        dry_run=True,
    )
    assert target.process.returncode == 1
    log = "".join(target.log)
    assert f"Would create table {name} for stream sales, key pk (S), sk (S)" in log
    assert "its key attribute sk is 1,027 bytes large" in log
    assert "1 record would be refused" in log


def test_items_that_were_to_be_written_before_are_not_shaped_again(
    tmp_path: Path, tables: Tables
) -> None:
    name = tables.create(key=(("pk", "S"), ("sk", "S")))
    item = {"pk": {"S": "a"}, "sk": {"S": "SALE#b#1"}, "day": {"S": ""}, "n": {"NULL": True}}
    source = {
        "name": "sales",
        "key": [{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}],
        "item_format": "dynamodb_json",
        "as_written": True,
    }
    properties = {"pk": {"x-dynamodb-type": "S"}, "sk": {"x-dynamodb-type": "S"}, "item": {}}
    messages = [
        schema("sales", properties, ("pk", "sk"), source),
        record("sales", {"pk": "a", "sk": "SALE#b#1", "item": item}),
    ]
    config: dict[str, Any] = {"stream_options": SALE_OPTIONS, "nulls": "omit"}
    target = run(tmp_path, tables.engine, messages, table_name=name, empty_strings="omit", **config)
    assert target.process.returncode == 0, target.errors()
    assert tables.items(name) == [item]


# Types

CSV = dict.fromkeys(("id", "price", "open", "tags", "at", "note", "more"), TEXT)


@engines
def test_records_of_tap_csv_are_typed_by_the_options(tmp_path: Path, made: Tables) -> None:
    name = made.name("people")
    messages = [
        schema("people", CSV),
        record(
            "people",
            {
                "id": "007",
                "price": "12.5",
                "open": "True",
                "tags": '["x","y"]',
                "at": "2026-11-21",
                "note": "",
                "more": '{"a":[1.5]}',
            },
        ),
        record("people", {**dict.fromkeys(CSV, ""), "id": "8"}),
    ]
    types = {"id": "N", "price": "N", "open": "BOOL", "tags": "SS", "at": "epoch", "more": "M"}
    target = run(
        tmp_path,
        made.engine,
        messages,
        table_name=name,
        empty_strings="omit",
        stream_options={"people": {"types": types}},
    )
    assert target.process.returncode == 0, target.errors()
    assert made.wire.key_of(name) == (("id", "N"),)
    items = by(made.items(name), "id")
    items["7"]["tags"]["SS"].sort()
    assert items == {
        "7": {
            "id": {"N": "7"},
            "price": {"N": "12.5"}
            if "price" in items["7"] and items["7"]["price"] == {"N": "12.5"}
            else {"N": "12.50"},
            "open": {"BOOL": True},
            "tags": {"SS": ["x", "y"]},
            "at": {"N": "1795219200"},
            "more": {"M": {"a": {"L": [{"N": "1.5"}]}}},
        },
        "8": {"id": {"N": "8"}},
    }


# What meltanolabs-tap-postgres 0.10 says of a table with a bytea, jsonb, numeric and timestamp.
UNION = {"type": ["string", "number", "integer", "array", "object", "boolean", "null"]}
POSTGRES = {
    "id": {"type": ["integer"]},
    "photo": TEXT,
    "doc": UNION,
    "price": {"type": ["number", "null"]},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "day": {"type": ["string", "null"], "format": "date"},
    "names": {"type": ["array", "null"], "items": TEXT},
}


@engines
def test_records_of_tap_postgres_are_what_they_say(tmp_path: Path, made: Tables) -> None:
    name = made.name("things")
    whole = {
        "id": 9007199254740993,
        "photo": "00ff10",
        "doc": {"a": [1, None, {"b": "c"}]},
        "price": 12.5,
        "at": "2026-11-21T12:00:00+02:00",
        "day": "2026-11-21",
        "names": ["x", "x"],
    }
    documents = ["text", 1.5, 7, [], True, {}]
    messages = [
        schema("things", POSTGRES),
        record("things", whole),
        *(record("things", {"id": n, "doc": doc}) for n, doc in enumerate(documents)),
        record("things", {"id": 100, "photo": "\\x00ff", "doc": None, "at": None}),
    ]
    types = {"photo": "hex", "at": "epoch_ms"}
    target = run(
        tmp_path,
        made.engine,
        messages,
        table_name=name,
        stream_options={"things": {"types": types}},
    )
    assert target.process.returncode == 0, target.errors()
    items = by(made.items(name), "id")
    assert items.pop("9007199254740993") == {
        "id": {"N": "9007199254740993"},
        "photo": {"B": "AP8Q"},
        "doc": {"M": {"a": {"L": [{"N": "1"}, {"NULL": True}, {"M": {"b": {"S": "c"}}}]}}},
        "price": {"N": "12.5"},
        "at": {"N": "1795255200000"},
        "day": {"S": "2026-11-21"},
        "names": {"L": [{"S": "x"}, {"S": "x"}]},
    }
    assert items.pop("100") == {"id": {"N": "100"}, "photo": {"B": "AP8="}}
    assert [items[str(n)]["doc"] for n in range(len(documents))] == [
        {"S": "text"},
        {"N": "1.5"},
        {"N": "7"},
        {"L": []},
        {"BOOL": True},
        {"M": {}},
    ]


# What DynamoDB refuses

INDEX: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "by", "AttributeType": "N"},
        {"AttributeName": "to", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_number",
            "KeySchema": [
                {"AttributeName": "by", "KeyType": "HASH"},
                {"AttributeName": "to", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}


def nested(levels: int) -> Any:
    value: Any = "innermost"
    for level in range(levels):
        value = [value] if level % 2 else {"m": value}
    return value


REFUSED: dict[str, tuple[dict[str, Any] | str, str]] = {
    "NaN": ('{"id":"b","deep":[{"n":NaN}]}', "/deep/0/n"),
    "Infinity": ('{"id":"b","n":-Infinity}', "/n"),
    "39 digits": ({"id": "b", "deep": {"n/": int("1" * 39)}}, "/deep/n~1"),
    "an empty key": ({"id": ""}, "Key attribute id is empty"),
    "too large": ({"id": "b", "big": "x" * 409_600}, "the largest of it is /big with 409,600"),
    "too deep": ({"id": "b", "deep": nested(32)}, "/deep is nested deeper than 32 levels"),
    "another type than its index": (
        {"id": "b", "by": "5"},
        "/by is of type S, and the key of index by_number wants N",
    ),
    "empty in its index": (
        {"id": "b", "by": 5, "to": ""},
        "/to is empty, and part of the key of index by_number",
    ),
    "a long key": ({"id": "b" * 2049}, "its key attribute id is 2,049 bytes large"),
}
NAMED_BEFORE = REFUSED.keys() - {"too deep", "a long key"}
"""What is found out without asking DynamoDB."""


@engines
@pytest.mark.parametrize("case", REFUSED)
def test_what_dynamodb_refuses_is_named(
    tmp_path: Path, made: Tables, made_on: str, case: str
) -> None:
    if made_on == "tables" and case not in NAMED_BEFORE:
        pytest.skip("this engine takes it")
    name = made.create(**INDEX)
    given, words = REFUSED[case]
    text = given if isinstance(given, str) else json.dumps(given)
    line = f'{{"type":"RECORD","stream":"s","record":{text}}}\n'
    good = [record("s", {"id": f"good{n}", "by": n, "to": "x"}) for n in range(30)]
    messages: list[Any] = [schema("s", {"id": TEXT}), *good, state({"at": 30}), line]
    target = run(tmp_path, made.engine, messages, table_name=name)
    assert target.process.returncode == 1
    [error] = target.errors()
    assert words in error
    before = case in NAMED_BEFORE
    assert ("Stream s, record with key" if before else "Stream s: DynamoDB refuses") in error
    assert target.states == ([{"at": 30}] if case in NAMED_BEFORE else [])
    assert len(made.items(name)) == 30


@engines
def test_the_border_of_400_kb_is_the_engines(tmp_path: Path, made: Tables, made_on: str) -> None:
    """Of text whose JSON is longer and shorter than what DynamoDB counts, of numbers and bytes."""
    fitting: dict[str, Any] = {
        "id": "largest",
        "n": [1, -2.5, 10**20],
        "quotes": '"' * 1000,
        "bytes": "AAEC",
        "map": {"a": None, "b": True, "é": "é"},
    }
    typed = {
        "id": {"S": "largest"},
        "n": {"L": [{"N": "1"}, {"N": "-2.5"}, {"N": "1" + "0" * 20}]},
        "quotes": {"S": '"' * 1000},
        "bytes": {"B": "AAEC"},
        "map": {"M": {"a": {"NULL": True}, "b": {"BOOL": True}, "é": {"S": "é"}}},
        "pad": {"S": ""},
    }
    room = 400 * 1024 - sizes.item_size(typed)
    properties = {"id": TEXT, "bytes": {**TEXT, "contentEncoding": "base64"}}
    name = made.create()
    messages = [
        schema("s", properties),
        record("s", {**fitting, "pad": "x" * room}),
        state({"at": 1}),
        record("s", {**fitting, "id": "larger!", "pad": "x" * (room + 1)}),
    ]
    target = run(tmp_path, made.engine, messages, table_name=name)
    assert target.states == [{"at": 1}]
    [error] = target.errors()
    assert "record with key id larger!: it is 409,601 bytes large" in error
    [item] = made.items(name)
    assert sizes.item_size(item) == 400 * 1024
    if made_on == "reference_tables":
        item["pad"]["S"] += "x"
        with pytest.raises(WireError, match="ValidationException"):
            made.wire.call("PutItem", {"TableName": name, "Item": item})
