"""The file of differences: its lines, its end, and what is left of it when something fails."""

from __future__ import annotations

import datetime as dt
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.converter import Converter
from dynamodb_core.errors import ConfigError, DataError, Error
from dynamodb_core.layouts import Typed
from dynamodb_core.provenance import TABLE
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key, Table
from dynamodb_tools.differences_file import COMPARED, DifferencesFile
from dynamodb_tools.differing import Difference
from tap_dynamodb.discovery import stream_schema
from tap_dynamodb.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/"
KEY = Key(("pk", "sk"), ("S", "N"))
ITEM = {
    "pk": {"S": "é\n"},
    "sk": {"N": "12345678901234567890123456789012345678"},
    "a": {"N": "1.50"},
}
KEY_JSON = '{"pk":{"S":"é\\n"},"sk":{"N":"12345678901234567890123456789012345678"}}'.encode()


def table(name: str = "dev-orders", key: Key = KEY, **more: Any) -> Table:
    description = {
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(key.names, ("HASH", "RANGE"), strict=False)
        ],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "Replicas": [{"RegionName": "us-east-1"}],
    }
    return Table(name, ARN + name, f"id-of-{name}", key, description=description, **more)


A, B = table(), table("prod-orders")


def file(path: Path) -> DifferencesFile:
    return DifferencesFile(path, now=lambda: NOW)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "differences.jsonl"


def test_the_schema_is_that_of_the_tap(path: Path) -> None:
    with file(path) as differences, differences.pair(A, B):
        pass
    schema = lines(path)[0]
    settings = Settings(aws=AwsSettings(), item_format="dynamodb_json", type_tags=False)
    assert schema["schema"] == stream_schema(A, {}, settings)
    assert (schema["stream"], schema["key_properties"]) == ("dev_orders", ["pk", "sk"])


def test_a_record_is_that_of_the_tap_with_what_differs_beside_it(path: Path) -> None:
    found = [
        Difference("/a", {"N": "1.50"}, {"N": "1.6"}),
        Difference("/b", None, {"S": "x"}),
        Difference("/c", {"N": "1"}, {"N": "1.0"}, spelling=True),
    ]
    with file(path) as differences, differences.pair(A, B):
        differences.write("differs", KEY_JSON, ITEM, found)
    line = path.read_bytes().splitlines()[1]
    made = Converter(Typed({"pk": "S", "sk": "N"})).convert([json.dumps(ITEM).encode()])  # type: ignore[list-item]
    assert json.loads(line)["record"] == json.loads(made.records[0])
    assert b'"sk":12345678901234567890123456789012345678' in line
    assert json.loads(line) == {
        "type": "RECORD",
        "stream": "dev_orders",
        "record": {"pk": "é\n", "sk": int(ITEM["sk"]["N"]), "item": ITEM},
        "time_extracted": "2026-01-02T03:04:05+00:00",
        "difference": {
            "kind": "differs",
            "key": json.loads(KEY_JSON),
            "paths": [
                {"path": "/a", "a": {"N": "1.50"}, "b": {"N": "1.6"}},
                {"path": "/b", "a": None, "b": {"S": "x"}},
                {"path": "/c", "a": {"N": "1"}, "b": {"N": "1.0"}, "spelling": True},
            ],
        },
    }


@pytest.mark.parametrize("item", [ITEM, json.dumps(ITEM).encode()])
def test_an_item_may_be_json(path: Path, item: Any) -> None:
    with file(path) as differences, differences.pair(A, B):
        differences.write("missing", KEY_JSON, item)
    assert lines(path)[1]["record"]["item"] == ITEM


def test_what_b_alone_has_is_no_record(path: Path) -> None:
    with file(path) as differences, differences.pair(A, B):
        differences.write("extra", KEY_JSON)
    extra = lines(path)[1]
    assert extra["type"] == "EXTRA"
    assert extra["record"] == {"pk": "é\n", "sk": int(ITEM["sk"]["N"])}
    assert extra["difference"] == {"kind": "extra", "key": json.loads(KEY_JSON), "paths": []}


@pytest.mark.parametrize(("kind", "item"), [("extra", ITEM), ("missing", None), ("differs", None)])
def test_items_are_there_for_all_but_what_b_alone_has(path: Path, kind: Any, item: Any) -> None:
    with pytest.raises(AssertionError), file(path) as differences, differences.pair(A, B):
        differences.write(kind, KEY_JSON, item)
    assert not list(path.parent.iterdir())


def test_the_end_counts_the_differences_of_each_pair(path: Path) -> None:
    with file(path) as differences:
        with differences.pair(A, B):
            differences.write("missing", KEY_JSON, ITEM)
            differences.write("extra", KEY_JSON)
            differences.write("extra", KEY_JSON)
        with differences.pair(B, A):
            differences.write("respelled", KEY_JSON, ITEM)
    none = {"missing": 0, "extra": 0, "differs": 0, "respelled": 0}
    assert lines(path)[-1] == {
        "type": "STATE",
        "value": {
            COMPARED: [
                {"stream": "dev_orders", "a": A.arn, "b": B.arn, **none, "missing": 1, "extra": 2},
                {"stream": "prod_orders", "a": B.arn, "b": A.arn, **none, "respelled": 1},
            ]
        },
    }


def streams(path: Path) -> Sequence[str]:
    return [line["stream"] for line in lines(path) if line["type"] == "SCHEMA"]


def test_each_pair_has_a_stream_of_its_own(path: Path) -> None:
    with file(path) as differences:
        for name in ("a-b", "a_b", "a-b"):
            with differences.pair(table(name), B):
                differences.write("missing", KEY_JSON, ITEM)
    assert streams(path) == ["a_b", "a_b_2", "a_b_3"]
    assert [m["stream"] for m in lines(path) if m["type"] == "RECORD"] == streams(path)


@pytest.mark.parametrize(
    ("names", "field"), [(("item",), "item_"), (("item", "item_"), "item__"), (("id",), "item")]
)
def test_the_item_stands_under_a_name_that_no_key_has(
    path: Path, names: tuple[str, ...], field: str
) -> None:
    a = table(key=Key(names, ("S",) * len(names)))
    item = {name: {"S": "x"} for name in names}
    with file(path) as differences, differences.pair(a, B):
        differences.write("missing", json.dumps(item).encode(), item)
    schema, record, _ = lines(path)
    assert schema["schema"][TABLE]["item_field"] == field
    assert record["record"] == {**dict.fromkeys(names, "x"), field: item}


# What is left when something fails


def test_an_error_leaves_what_was_there(path: Path) -> None:
    path.write_text("of yesterday")
    with pytest.raises(DataError), file(path) as differences, differences.pair(A, B):
        differences.write("missing", KEY_JSON, {"pk": {"S": "x"}})
    assert path.read_text() == "of yesterday"
    assert list(path.parent.iterdir()) == [path]


def test_until_the_end_nothing_of_it_is_seen(path: Path) -> None:
    path.write_text("of yesterday")
    with file(path) as differences:
        with differences.pair(A, B):
            differences.write("missing", KEY_JSON, ITEM)
        assert path.read_text() == "of yesterday"
    assert len(lines(path)) == 3
    assert list(path.parent.iterdir()) == [path]


def test_a_pair_that_fails_leaves_nothing_and_the_others_stay(path: Path) -> None:
    with file(path) as differences:
        with differences.pair(A, B):
            differences.write("missing", KEY_JSON, ITEM)
        with pytest.raises(DataError), differences.pair(B, A):
            differences.write("missing", KEY_JSON, {"pk": {"S": "no whole key"}})
        with differences.pair(table("third"), A):
            differences.write("extra", KEY_JSON)
    assert streams(path) == ["dev_orders", "third"]
    assert len(lines(path)) == 5
    assert [each["stream"] for each in lines(path)[-1]["value"][COMPARED]] == streams(path)


def test_a_last_pair_that_fails_leaves_nothing_behind_the_end(path: Path) -> None:
    def fail(differences: DifferencesFile) -> None:
        with differences.pair(B, A):
            for item in (*[ITEM] * 100, {"pk": {"S": "no whole key"}}):
                differences.write("missing", KEY_JSON, item)

    with file(path) as differences, pytest.raises(DataError):
        fail(differences)
    assert lines(path) == [{"type": "STATE", "value": {COMPARED: []}}]


def test_only_its_owner_reads_it(path: Path) -> None:
    with file(path) as differences:
        (draft,) = path.parent.iterdir()
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        with differences.pair(A, B):
            pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_draft_of_a_killed_run_does_not_matter(path: Path) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text("half a line")
    draft.chmod(0o644)
    with file(path) as differences, differences.pair(A, B):
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    assert len(lines(path)) == 2


def test_a_link_stays_and_leads_to_the_new_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "elsewhere" / "file.jsonl"
    path.symlink_to(place)
    with file(path) as differences, differences.pair(A, B):
        assert len(list(place.parent.iterdir())) == 1  # a draft elsewhere could not be renamed
    assert path.is_symlink()
    assert len(lines(place)) == 2


@pytest.mark.parametrize("name", ["", "no/such/folder", "folder", "nul\0"])
def test_a_name_that_can_be_no_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"), file(tmp_path / name):
        pytest.fail("it was taken")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_device_is_not_replaced_by_a_file() -> None:
    with pytest.raises(ConfigError, match="is no file"), DifferencesFile("/dev/null"):
        pytest.fail("it was taken")


def test_no_room_left_is_an_error(tmp_path: Path) -> None:
    def fill() -> None:
        with (
            file(tmp_path / "full.jsonl") as differences,
            Path("/dev/full").open("wb", buffering=0) as full,
        ):
            assert differences._file is not None
            differences._file.close()
            differences._file = full
            with differences.pair(A, B):
                for _ in range(10_000):
                    differences.write("missing", KEY_JSON, ITEM)

    with pytest.raises(Error, match="No space left"):
        fill()
    assert not list(tmp_path.iterdir())
