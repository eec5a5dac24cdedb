"""The writer of exports is held against what AWS documents, and its Ion against amazon.ion."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import json
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines import exports
from tests.engines.exports import Change
from tests.property.strategies import items, number_texts

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from pathlib import Path

if importlib.util.find_spec("amazon"):
    from amazon.ion import simpleion
needs_ion = pytest.mark.skipif(
    not importlib.util.find_spec("amazon"), reason="amazon.ion is not installed"
)

BOOK: exports.Item = {
    "Authors": {"SS": ["A", "B"]},
    "Id": {"N": "103"},
    "PageCount": {"N": "600"},
    "Price": {"N": "2000"},
    "InPublication": {"BOOL": False},
}
UNTIL = datetime(2023, 3, 29, 18, tzinfo=timezone.utc)


def document(path: Path) -> Any:
    return json.loads(path.read_bytes())


def test_a_line_of_a_full_export_is_that_of_the_documentation() -> None:
    item: exports.Item = {
        "Id": {"N": "103"},
        "Authors": {"SS": ["A", "B"]},
        "InPublication": {"BOOL": False},
    }
    assert exports.full_line(item) == (
        b'{"Item":{"Id":{"N":"103"},"Authors":{"SS":["A","B"]},"InPublication":{"BOOL":false}}}'
    )


def test_a_line_of_ion_is_that_of_the_documentation() -> None:
    assert exports.ion_line(BOOK) == (
        b'$ion_1_0 {Item:{Authors:$dynamodb_SS::["A","B"],Id:103.,PageCount:6d2,Price:2d3,'
        b"InPublication:false}}"
    )


def test_a_change_has_its_members_in_order() -> None:
    change = Change({"PK": {"S": "a"}}, {"v": {"N": "2"}}, {"v": {"N": "1"}}, 1680109764000000)
    assert exports.change_line(change) == (
        b'{"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}},"Keys":{"PK":{"S":"a"}},'
        b'"OldImage":{"v":{"N":"1"}},"NewImage":{"v":{"N":"2"}}}'
    )
    deleted = json.loads(exports.change_line(change._replace(new=None)))
    assert list(deleted) == ["Metadata", "Keys", "OldImage"]


def test_a_line_of_emr_and_of_data_pipeline() -> None:
    item: exports.Item = {
        "id": {"S": "a"},
        "n": {"N": "1"},
        "ns": {"NS": ["1"]},
        "t": {"BOOL": True},
    }
    rest: exports.Item = {
        "l": {"L": [{"M": {"x": {"NULL": True}}}]},
        "b": {"B": "AQ=="},
        "bs": {"BS": ["AQ=="]},
    }
    assert exports.legacy_line(item | rest) == (
        b'{"id":{"s":"a"},"n":{"n":"1"},"ns":{"nS":["1"]},"t":{"bOOL":true},'
        b'"l":{"l":[{"m":{"x":{"nULL":true}}}]},"b":{"b":"AQ=="},"bs":{"bS":["AQ=="]}}'
    )
    assert b'"x":{"nULLValue":true}' in exports.data_pipeline_line(rest)


def test_a_line_of_hive() -> None:
    item: exports.Item = {"id": {"S": "Seattle"}, "scores": {"NS": ["100", "30"]}}
    assert exports.hive_line(item) == b'id\x03{"s":"Seattle"}\x02scores\x03{"nS":["100","30"]}'


@pytest.mark.parametrize(
    ("text", "ion"),
    [
        ("1702062202420", "170206220242d1"),
        ("0", "0."),
        ("-0", "0."),
        ("-1.50", "-1.5"),
        ("1E-130", "1d-130"),
        ("0.25", "25d-2"),
        ("9" * 38, "9" * 38 + "."),
    ],
)
def test_a_number_in_ion(text: str, ion: str) -> None:
    assert exports.ion_line({"n": {"N": text}}) == f"$ion_1_0 {{Item:{{n:{ion}}}}}".encode()


@needs_ion
@given(text=number_texts)
def test_a_number_in_ion_is_exact(text: str) -> None:
    value = simpleion.loads(exports.ion_line({"n": {"N": text}}))["Item"]["n"]
    assert isinstance(value, Decimal)
    assert value == Decimal(text)


@needs_ion
@given(item=items)
def test_what_amazon_ion_reads_is_what_was_written(item: exports.Item) -> None:
    value = simpleion.loads(exports.ion_line(item))["Item"]
    assert set(value) == set(item)
    for name, typed in item.items():
        ((kind, content),) = typed.items()
        found = value[name]
        if kind in ("S", "BOOL"):
            assert found == content
        elif kind == "B":
            assert bytes(found) == base64.b64decode(content)
        elif kind in ("SS", "NS", "BS"):
            assert [each.text for each in found.ion_annotations] == [f"$dynamodb_{kind}"]
            assert len(found) == len(content)
        elif kind in ("M", "L"):
            assert len(found) == len(content)


@needs_ion
@pytest.mark.parametrize("variant", ["struct", "number", "int", "typed", "wrapped", "quoted"])
def test_every_variant_of_a_change_is_ion(variant: exports.IonChange) -> None:
    change = Change(
        {"PK": {"S": "a"}}, {"PK": {"S": "a"}, "$1": {"N": "2"}}, None, 1680109764000000
    )
    value = simpleion.loads(exports.ion_change_line(change, variant))
    told = value["Record"] if variant == "wrapped" else value
    assert list(told) == ["Metadata", "Keys", "NewImage"]
    assert told["NewImage"] == {"PK": "a", "$1": 2}
    assert b"1680109764000000" in exports.ion_change_line(change, variant)


def test_a_full_export_lies_as_documented(tmp_path: Path) -> None:
    written = exports.write_full(tmp_path, [BOOK] * 5, prefix="exports/of", files=2, empty=1)
    assert written.folder == tmp_path / "exports/of/AWSDynamoDB/01604475000000-1a2b3c4d"
    assert sorted(path.name for path in written.folder.iterdir()) == [
        "_started", "data", "manifest-files.json", "manifest-files.md5", "manifest-summary.json",
        "manifest-summary.md5",
    ]  # fmt: skip
    summary = document(written.folder / "manifest-summary.json")
    assert set(summary) == {
        "version", "exportArn", "startTime", "endTime", "tableArn", "tableId", "exportTime",
        "s3Bucket", "s3Prefix", "s3SseAlgorithm", "s3SseKmsKeyId", "manifestFilesS3Key",
        "billedSizeBytes", "itemCount", "outputFormat",
    }  # fmt: skip
    assert summary["version"] == "2020-06-30"
    assert summary["itemCount"] == 5
    assert summary["exportTime"] == "2020-11-04T07:28:34.028Z"
    for name in ("manifest-summary", "manifest-files"):
        data = (written.folder / f"{name}.json").read_bytes()
        said = (written.folder / f"{name}.md5").read_bytes()
        assert base64.b64decode(said) == hashlib.md5(data).digest()
        assert len(said) == 24
    lines = [
        json.loads(line)
        for line in (tmp_path / summary["manifestFilesS3Key"]).read_bytes().splitlines()
    ]
    assert [line["itemCount"] for line in lines] == [3, 2, 0]
    for line, path in zip(lines, written.data, strict=True):
        assert tmp_path / line["dataFileS3Key"] == path
        assert path.suffixes == [".json", ".gz"]
        digest = hashlib.md5(path.read_bytes()).digest()
        assert base64.b64decode(line["md5Checksum"]) == digest
        assert line["etag"] == hashlib.md5(digest).hexdigest() + "-1"
        assert gzip.decompress(path.read_bytes()).count(b"\n") == line["itemCount"]


def test_data_of_windows_lies_in_one_folder(tmp_path: Path) -> None:
    change = Change({"PK": {"S": "a"}}, None, {"PK": {"S": "a"}})
    since = UNTIL - timedelta(hours=1)
    first = exports.write_incremental(tmp_path, [change], since, UNTIL, prefix="p")
    second = exports.write_incremental(
        tmp_path, [change], UNTIL, UNTIL + timedelta(hours=1), prefix="p", export="0168-2",
        view="NEW_IMAGE", keys="without_prefix",
    )  # fmt: skip
    assert {path.parent for path in first.data + second.data} == {tmp_path / "p/AWSDynamoDB/data"}
    assert len({*first.data, *second.data}) == 6
    summary = document(first.folder / "manifest-summary.json")
    assert summary["exportType"] == "INCREMENTAL_EXPORT"
    assert summary["version"] == "2023-08-01"
    assert summary["exportFromTime"] == "2023-03-29T17:00:00.000Z"
    assert summary["exportToTime"] == "2023-03-29T18:00:00.000Z"
    assert "exportTime" not in summary
    assert b"OldImage" in gzip.decompress(first.data[0].read_bytes())
    assert b"OldImage" not in gzip.decompress(second.data[0].read_bytes())
    line = json.loads((second.folder / "manifest-files.json").read_bytes().splitlines()[0])
    assert line["dataFileS3Key"] == second.data[0].relative_to(tmp_path / "p").as_posix()


def test_spellings_of_other_writers(tmp_path: Path) -> None:
    written = exports.write_full(
        tmp_path, [BOOK], keys="relative", checksums=".checksum", hexadecimal=True,
        left_out=["tableArn", "md5Checksum"], compression="zstd", files=1, empty=0,
    )  # fmt: skip
    assert "tableArn" not in document(written.folder / "manifest-summary.json")
    line = json.loads((written.folder / "manifest-files.json").read_bytes())
    assert "md5Checksum" not in line
    assert written.folder / line["dataFileS3Key"] == written.data[0]
    data = (written.folder / "manifest-files.json").read_bytes()
    said = (written.folder / "manifest-files.checksum").read_text()
    assert said == hashlib.md5(data).hexdigest()
    assert zstd.decompress(written.data[0].read_bytes()) == exports.full_line(BOOK) + b"\n"


def test_a_legacy_export_has_its_manifest(tmp_path: Path) -> None:
    written = exports.write_legacy(tmp_path, [BOOK] * 3, scheme="s3n")
    manifest = document(written.folder / "manifest")
    assert manifest["version"] == 3
    assert manifest["name"] == "DynamoDB-export"
    assert [entry["url"] for entry in manifest["entries"]] == [
        f"s3n://{exports.BUCKET}/{path.relative_to(tmp_path).as_posix()}" for path in written.data
    ]
    assert (written.folder / "manifest").read_bytes().count(b"\n") > 3
    assert not (
        exports.write_legacy(tmp_path, [], prefix="x", manifest=False).folder / "manifest"
    ).exists()


@given(lines=st.lists(st.binary().filter(lambda line: b"\n" not in line)))
def test_members_are_several_gzip_files_in_one(lines: list[bytes]) -> None:
    data = exports.compressed(lines, "members")
    assert gzip.decompress(data) == b"".join(line + b"\n" for line in lines)
    assert len(lines) < 6 or data.count(b"\x1f\x8b\x08") >= 3
