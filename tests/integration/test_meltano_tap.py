"""The tap in a Meltano project of its own: select, catalog, metadata, shares, stream maps.

The project's loader is our target, with what Meltano hands to it kept in a file on the way.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from demo.__main__ import plugin_environment
from demo.compare import compare_tables
from demo.engine import ROOT
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tests.engines import batches, pipeline, relay
from tests.engines.recorded import RecordedWire
from tests.engines.tables import Tables
from tests.engines.tap import Output, make, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine
    from tests.engines.relay import Relay

Item = dict[str, Any]
TAP, TARGET = "tap-dynamodb", "target-dynamodb"
BIN = Path(sys.executable).parent
MANY = 200
NOW = datetime.now(timezone.utc).replace(microsecond=0)


class Project:
    """A Meltano project over one table and its copy.

    Attributes:
        relay: What the plugins' calls go through.
        table: The table that is read.
        copy: The table that is written.
        environment: What Meltano finds in its environment.
    """

    def __init__(self, tables: Tables, seen: Relay, folder: Path, table: str) -> None:
        self.relay = seen
        self.table = table
        self.copy = tables.name("copy")
        self._tables = tables
        self._folder = folder
        self._kept = folder / "messages.jsonl"
        loader = folder / TARGET
        loader.write_text(f"#!/bin/sh\ntee '{self._kept}' | '{BIN / TARGET}' \"$@\"\n")
        loader.chmod(0o755)
        self.environment = plugin_environment(seen.engine, [table], folder)
        self.environment |= {
            "MELTANO_PROJECT_ROOT": str(folder),
            "TARGET_DYNAMODB_TABLE_NAME": self.copy,
        }

    def write(self, config: dict[str, Any], **extras: Any) -> None:
        """Write meltano.yml: the tap's configuration, and extras such as `select`."""
        plugins = YAML(typ="safe").load(ROOT / "meltano.yml")["plugins"]
        (tap, _batch), (target,) = plugins["extractors"], plugins["loaders"]
        for plugin, executable in ((tap, BIN / TAP), (target, self._folder / TARGET)):
            del plugin["pip_url"]
            plugin["executable"] = str(executable)
        tap |= {"config": config, **extras}
        project = {
            "environments": [{"name": "dev"}],
            "default_environment": "dev",
            "send_anonymous_usage_stats": False,
            "plugins": plugins,
        }
        (self._folder / "meltano.yml").write_text(json.dumps(project))

    def run(self, *options: str, tap: str = TAP, **environment: str) -> Output:
        """Run tap and target to a good end; return what the tap wrote."""
        self.relay.forget()
        done = pipeline.meltano({**self.environment, **environment}, "run", *options, tap, TARGET)
        assert done.code == 0, done.err
        output = Output(parse(self._kept.read_bytes()), done.err)
        output.check()
        return output

    def is_copied(self) -> bool:
        wire = self._tables.wire
        return compare_tables(wire, self.table, wire, self.copy).identical


@pytest.fixture
def seen(engine: Engine) -> Iterator[Relay]:
    with relay.running(engine) as running:
        yield running


SAMPLED: dict[str, Any] = {
    "name": {"S": "Ada"},
    "n": {"N": "1.50"},
    "tags": {"SS": ["x", "y"]},
    "data": {"B": "AAE="},
    "secret": {"S": "hush"},
}
RARE: dict[str, Any] = {"n": {"S": "many"}, "late": {"M": {"data": {"B": "AAE="}}}}
SAMPLE = {"sample_size": 8, "segments": 4}
"""Reads two items from each of four places."""


def filled(tables: Tables, count: int = 200) -> tuple[str, str]:
    """Make a table in which one item has what no small sample shows; return both names."""
    table = tables.create([{"id": {"S": f"i{n:03}"}, **SAMPLED} for n in range(count)])
    segment = {"TableName": table, "Segment": 3, "TotalSegments": 4}
    last = tables.wire.call("Scan", segment)["Items"][-1]
    tables.wire.put(table, [{**last, **RARE}])
    return table, last["id"]["S"]


def samples(seen: Relay) -> int:
    """Return how many pages were read as samples: they alone have a limit."""
    return sum("Limit" in request for request in seen.of("Scan"))


def described(seen: Relay) -> list[str]:
    return sorted(request["TableName"] for request in seen.of("DescribeTable"))


def by_id(output: Output) -> dict[str, Item]:
    found = {record["id"]: record for record in output.records()}
    assert len(found) == len(output.records())
    return found


def test_what_select_leaves_out_is_not_asked_for(
    tables: Tables, seen: Relay, tmp_path: Path
) -> None:
    table, rare = filled(tables)
    project = Project(tables, seen, tmp_path, table)
    project.write(SAMPLE, select=["*.*", "!*.secret", "!*.tags"])
    output = project.run()
    for request in seen.of("Scan"):
        if "Limit" not in request:
            names = request["ExpressionAttributeNames"]
            asked = {names[alias] for alias in request["ProjectionExpression"].split(",")}
            assert asked == {"id", "name", "n", "data"}
    records = by_id(output)
    assert len(records) == 200
    assert {name for record in records.values() for name in record} - {"_dynamodb"} == asked
    assert records[rare] == {
        "id": rare,
        "name": "Ada",
        "data": "AAE=",
        "_dynamodb": {"rest": {"n": {"S": "many"}}},
    }
    assert {name for item in tables.items(project.copy) for name in item} == asked
    assert samples(seen) == 4


def test_what_the_sample_did_not_show_arrives_without_select(
    tables: Tables, seen: Relay, tmp_path: Path
) -> None:
    table, rare = filled(tables)
    project = Project(tables, seen, tmp_path, table)
    project.write(SAMPLE)
    output = project.run()
    first, *widened = output.of("SCHEMA")
    told = {
        name: part.get("x-dynamodb-type") for name, part in first["schema"]["properties"].items()
    }
    assert told == {"id": "S", **{name: next(iter(value)) for name, value in SAMPLED.items()}}
    assert first["schema"]["properties"]["data"]["contentEncoding"] == "base64"
    assert first["schema"]["x-dynamodb-table"]["name"] == table
    assert widened
    assert output.schema()["properties"].keys() - told.keys() == {"late", "_dynamodb"}
    assert output.schema()["properties"]["late"]["x-dynamodb-type"] == "M"
    assert by_id(output)[rare]["_dynamodb"] == {
        "rest": {"n": {"S": "many"}},
        "types": {"/late/data": "B"},
    }
    assert project.is_copied()


def test_a_catalog_saves_all_sampling_and_its_own_annotations_count(
    tables: Tables, seen: Relay, tmp_path: Path
) -> None:
    table, _rare = filled(tables)
    other = tables.create([{"id": {"S": "a"}}])
    config: dict[str, Any] = {"tables": [table, other]}
    catalog = make(RecordedWire(tables.engine), config).catalog_dict
    entry = next(each for each in catalog["streams"] if each["stream"] == table)
    properties = entry["schema"]["properties"]
    properties["late"] = {"type": ["null", "object"], "x-dynamodb-type": "M"}
    properties["name"]["x-owner"] = "finance"
    properties["tags"]["x-dynamodb-type"] = "L"
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(catalog))
    project = Project(tables, seen, tmp_path, table)
    # With a catalog of one's own Meltano looks at no `select`: that is the catalog's own affair.
    project.write(config, catalog=str(path), select_filter=[table])
    output = project.run(TAP_DYNAMODB_TABLES=json.dumps(config["tables"]))
    assert samples(seen) == 0
    assert [name for name in described(seen) if name != project.copy] == [table]
    assert "ListTables" not in {call.operation for call in seen.calls}
    first = output.of("SCHEMA")[0]["schema"]
    assert {name: first["properties"][name] for name in properties} == properties
    assert first["x-dynamodb-table"] == entry["schema"]["x-dynamodb-table"]
    assert {tuple(sorted(record["_dynamodb"]["rest"])) for record in output.records()} <= {
        ("tags",),
        ("n", "tags"),
    }
    assert project.is_copied()


def hours_ago(hours: float) -> dict[str, str]:
    return {"S": (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_metadata_makes_a_stream_incremental_by_meltanos_own_state(
    tables: Tables, seen: Relay, tmp_path: Path
) -> None:
    items = [{"id": {"S": f"i{n}"}, "changed": hours_ago(48 - n)} for n in range(24)]
    table = tables.create(items)
    project = Project(tables, seen, tmp_path, table)
    by_change = {"replication-method": "INCREMENTAL", "replication-key": "changed"}
    project.write({"segments": 3}, metadata={table: by_change})
    assert len(project.run().records()) == 24
    assert not any("FilterExpression" in request for request in seen.of("Scan"))
    changes = [{"id": {"S": "i3"}, "changed": hours_ago(2)}]
    changes.append({"id": {"S": "new"}, "changed": hours_ago(1)})
    tables.wire.put(table, changes)
    second = project.run()
    assert set(by_id(second)) == {"i23", "i3", "new"}
    assert second.of("SCHEMA")[0]["bookmark_properties"] == ["changed"]
    asked = [request for request in seen.of("Scan") if "Limit" not in request]
    assert all("FilterExpression" in request for request in asked)
    assert project.is_copied()


def test_two_machines_share_a_scan_and_their_records_go_through_maps(
    tables: Tables, seen: Relay, tmp_path: Path
) -> None:
    nested = {"address": {"M": {"city": {"S": "Oslo"}, "zip": {"N": "150"}}}}
    table = tables.create([{"id": {"S": f"i{n:03}"}, **SAMPLED, **nested} for n in range(200)])
    project = Project(tables, seen, tmp_path, table)
    # Meltano drops a null of the project's file, so it is __NULL__ that takes a property out.
    maps = {table: {"secret": "__NULL__", "twice": "float(n) * 2"}}
    flat = {"flattening_enabled": True, "flattening_max_depth": 1}
    project.write({"segments": 8, "stream_maps": maps, **flat})
    shares = {"first": "0-3", "second": "4-7"}
    found = []
    for suffix, share in shares.items():
        output = project.run("--state-id-suffix", suffix, TAP_DYNAMODB_SEGMENT_RANGE=share)
        low, high = map(int, share.split("-"))
        asked = [request for request in seen.of("Scan") if "Limit" not in request]
        assert {request["Segment"] for request in asked} == set(range(low, high + 1))
        assert {request["TotalSegments"] for request in asked} == {8}
        found.append(by_id(output))
    assert not found[0].keys() & found[1].keys()
    assert all(found)
    copied = tables.items(project.copy)
    assert {item["id"]["S"] for item in copied} == found[0].keys() | found[1].keys()
    assert len(copied) == 200
    wanted = {"name": "Ada", "n": Decimal("1.5"), "twice": 3, "data": "AAE="}
    texts = {"tags": '["x","y"]', "address": '{"city":"Oslo","zip":150}'}
    for records in found:
        for name, record in records.items():
            assert record == {"id": name, **wanted, **texts}
    listed = pipeline.meltano(project.environment, "--log-level=error", "state", "list").out
    assert {line.rpartition(":")[2] for line in listed.split()} == shares.keys()


# BATCH


def test_the_inherited_tap_writes_files_that_the_target_takes_away(
    tables: Tables, seen: Relay, tmp_path: Path
) -> None:
    table, rare = filled(tables)
    project = Project(tables, seen, tmp_path, table)
    project.write(SAMPLE, select=["*.*", "!*.secret"])
    output = project.run(tap=f"{TAP}-batch")
    assert not output.records()
    messages = output.of("BATCH")
    assert messages
    root = tmp_path / ".meltano/run/batch"
    assert all(path.is_relative_to(root) for each in messages for path in batches.files(each))
    assert not list(root.iterdir()), "loaded, acknowledged, removed"
    copied = {item["id"]["S"]: item for item in tables.items(project.copy)}
    assert len(copied) == 200
    expected = {item["id"]["S"]: item for item in tables.items(table)}
    for name, item in expected.items():
        item.pop("secret")
        if name == rare:
            item.pop("late")  # whoever selects gets what was selected
        assert copied[name] == item


# Discovery of many tables


@pytest.fixture
def own(account: Engine) -> Iterator[Tables]:
    """Tables in an account where there are no others."""
    made = Tables(account)
    yield made
    made.drop()


def test_discovery_describes_each_of_many_tables_once(own: Tables) -> None:
    names = [own.create() for _ in range(MANY)]
    once = {("DescribeTable", name): 1 for name in names}
    with relay.running(own.engine) as seen:

        def discovered(config: dict[str, Any]) -> Counter[tuple[str, str]]:
            seen.forget()
            wire = BotoWire(AwsSettings.from_config(seen.engine.config()), connections=16)
            assert make(wire, config).streams.keys() == set(names)
            return Counter(
                (each.operation, each.request.get("TableName", "")) for each in seen.calls
            )

        packed = discovered({"tables": ["*"], "item_format": "packed"})
        assert packed.pop(("ListTables", "")) in (2, 3)  # the engine may say that there is more
        assert packed == once
        plain = discovered({"tables": names})
        assert plain == once | {("Scan", name): 4 for name in names}
