"""Records through BATCH files are those of the RECORD lines, whatever the items and the settings."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import batches
from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import make, sync
from tests.property import strategies as some

if TYPE_CHECKING:
    from tests.engines.tap import Output

pyarrow: Any = pytest.importorskip("pyarrow.parquet")

Item = dict[str, Any]

configs = st.fixed_dictionaries(
    {
        "item_format": st.sampled_from(("plain", "plain", "packed", "dynamodb_json")),
        "type_tags": st.booleans(),
        "max_attributes": st.sampled_from((1, 3, 8, 1000)),
        "sample_size": st.sampled_from((0, 1, 1000)),
        "decimals": st.sampled_from(("number", "number", "string")),
        "emit_activate_version_messages": st.booleans(),
    }
)
encodings = st.sampled_from((None, {"format": "jsonl", "compression": "none"}))
sizes = st.sampled_from((1, 2, 1000))
maps = st.sampled_from(
    (
        {"stream_maps": {"t": {"twice": "id + id", "__alias__": "mapped"}}},
        {"stream_maps": {"t": {"id": "id", "__else__": None}}},
        {"stream_maps": {"t": {"__filter__": "id < '3'"}}},
        {"flattening_enabled": True, "flattening_max_depth": 2},
    )
)
ENTITIES = [
    {"stream": "low", "where": {"id": {"prefix": "1"}}},
    {"stream": "high", "where": {"id": {"prefix": "2"}}},
]


def numbered(items: list[Item]) -> list[Item]:
    return [{**item, "id": {"S": str(number)}} for number, item in enumerate(items)]


def both(
    account: Account, config: dict[str, Any], data: st.DataObject, **arguments: Any
) -> tuple[Output, Output]:
    """Run without and with files; return the messages of both, the files' records as RECORDs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "batch"
        asked = batches.config(root, data.draw(encodings), batch_size=data.draw(sizes))
        lines = sync(account.wire, config, **arguments)
        told = sync(account.wire, {**config, **asked}, **arguments)
        assert not told.records()
        said = {path for message in told.of("BATCH") for path in batches.files(message)}
        assert said == set(root.glob("ferry-*/[!.]*"))
        assert len(said) == len(told.of("BATCH")), "a file is named once"
        assert all(path.stat().st_size for path in said)
        found = batches.expanded(told)
    check_order(found)
    return lines, found


def check_order(output: Output) -> None:
    """Check that a schema comes before what needs it, and a version stands on all of it."""
    known: dict[str, dict[str, Any]] = {}
    versions: dict[str, int] = {}
    for message in output.messages:
        if message["type"] == "SCHEMA":
            known[message["stream"]] = message["schema"]["properties"]
        elif message["type"] == "ACTIVATE_VERSION":
            versions[message["stream"]] = message["version"]
        elif message["type"] == "RECORD":
            assert message["record"].keys() <= known[message["stream"]].keys()
            assert message.get("version") == versions.get(message["stream"])


def counted(output: Output) -> Counter[str]:
    return Counter(
        json.dumps([message["stream"], message["record"]], default=str, sort_keys=True)
        for message in output.of("RECORD")
    )


@settings(max_examples=40)
@given(some.alike(), configs, st.data())
def test_the_same_records_in_the_same_order(
    items: list[Item], config: dict[str, Any], data: st.DataObject
) -> None:
    account = Account({"t": ScannedTable(numbered(items))})
    one_page = {**config, "tables": ["t"], "segments": 1, "scan_workers": 1}
    lines, files = both(account, one_page, data)
    assert files.records() == lines.records()
    assert len(files.records()) == len(items)
    assert files.schema()["properties"] == lines.schema()["properties"]


@settings(max_examples=40)
@given(some.alike(), configs, st.data())
def test_the_same_records_of_each_entity_however_the_pages_come(
    items: list[Item], config: dict[str, Any], data: st.DataObject
) -> None:
    # With a sample of everything no column is late, and records do not depend on who came first.
    table = ScannedTable(numbered(items), page=data.draw(st.integers(1, 4)))
    options = {"entities": data.draw(st.sampled_from(([], ENTITIES)))}
    given_ = {
        **config,
        "sample_size": 1000,
        "max_attributes": 1000,
        "tables": ["t"],
        "segments": data.draw(st.integers(1, 4)),
        "scan_workers": data.draw(st.integers(1, 4)),
        "table_options": {"t": options},
    }
    lines, files = both(Account({"t": table}), given_, data)
    assert counted(files) == counted(lines)
    assert len(files.records()) == len(items)
    if options["entities"]:
        assert {m["record"]["id"][0] for m in files.of("RECORD", "low")} <= {"1"}


@settings(max_examples=40)
@given(some.alike(), configs, st.data())
def test_nothing_is_lost_where_columns_come_late(
    items: list[Item], config: dict[str, Any], data: st.DataObject
) -> None:
    table = ScannedTable(numbered(items), page=data.draw(st.integers(1, 2)))
    given_ = {
        **config,
        "tables": ["t"],
        "segments": data.draw(st.integers(1, 3)),
        "scan_workers": data.draw(st.integers(1, 3)),
    }
    lines, files = both(Account({"t": table}), given_, data)
    ids = sorted(record["id"] for record in files.records())
    assert ids == sorted(record["id"] for record in lines.records())
    assert len(set(ids)) == len(items)


@settings(max_examples=40)
@given(some.alike(), configs, st.data())
def test_what_is_deselected_is_in_no_file(
    items: list[Item], config: dict[str, Any], data: st.DataObject
) -> None:
    account = Account({"t": ScannedTable(numbered(items))})
    given_ = {**config, "tables": ["t"], "segments": 1, "scan_workers": 1}
    catalog = make(account.wire, given_).catalog_dict
    metadata = {
        part["breadcrumb"][-1]: part["metadata"]
        for part in catalog["streams"][0]["metadata"]
        if part["breadcrumb"]
    }
    left_out = data.draw(st.sets(st.sampled_from(sorted(metadata))))
    for name in left_out:
        metadata[name]["selected"] = False
    lines, files = both(account, given_, data, catalog=catalog)
    assert files.records() == lines.records()
    for record in files.records():
        assert record.keys() & left_out <= {"id"}


@settings(max_examples=40)
@given(some.alike(), configs, maps, st.data())
def test_maps_and_flattening_are_honoured(
    items: list[Item], config: dict[str, Any], asked: dict[str, Any], data: st.DataObject
) -> None:
    account = Account({"t": ScannedTable(numbered(items), page=data.draw(st.integers(1, 4)))})
    given_ = {**config, **asked, "tables": ["t"], "segments": 1, "scan_workers": 1}
    lines, files = both(account, given_, data)
    assert files.records() == lines.records()
    assert {m["stream"] for m in files.of("RECORD")} == {m["stream"] for m in lines.of("RECORD")}


def read_parquet(output: Output) -> list[Item]:
    """Return the records of Parquet files, with JSON where the last schema wants some."""
    found = []
    for message in output.of("BATCH"):
        kinds = {
            name: {*schema.get("type", ["object"])}
            for name, schema in output.schema(message["stream"])["properties"].items()
        }
        for path in batches.files(message):
            for row in pyarrow.read_table(path).to_pylist():
                there = {name: value for name, value in row.items() if value is not None}
                found.append(
                    {
                        name: json.loads(value, parse_float=Decimal)
                        if kinds.get(name, {"object"}) & {"object", "array"}
                        else value
                        for name, value in there.items()
                    }
                )
    return found


@settings(max_examples=40)
@given(some.alike(), configs, st.data())
def test_parquet_holds_the_same_records(
    items: list[Item], config: dict[str, Any], data: st.DataObject
) -> None:
    table = ScannedTable(numbered(items), page=data.draw(st.integers(1, 3)))
    given_ = {**config, "decimals": "string", "tables": ["t"], "segments": 1, "scan_workers": 1}
    given_["flattening_enabled"] = data.draw(st.booleans())
    given_["flattening_max_depth"] = 1
    with tempfile.TemporaryDirectory() as folder:
        asked = batches.config(Path(folder), {"format": "parquet"}, batch_size=data.draw(sizes))
        lines = sync(Account({"t": table}).wire, given_)
        told = sync(Account({"t": table}).wire, {**given_, **asked})
        found = read_parquet(told)
    # Rows of a schema that is gone by then go into a file of their own, before or after the others.
    assert sorted(found, key=lambda record: int(record["id"])) == [
        {name: value for name, value in record.items() if value is not None}
        for record in sorted(lines.records(), key=lambda record: int(record["id"]))
    ]
