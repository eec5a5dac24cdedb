"""Manifests, as AWS and as others write them; what makes no sense names the file."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.exports import manifests
from dynamodb_core.exports.detecting import Seen, detect
from dynamodb_core.exports.manifests import Named

MD5 = "mZTzQFTzQFTzQFTzQFTzQA=="
HEX = "9994f34054f34054f34054f34054f340"

FULL = {
    "version": "2020-06-30",
    "exportArn": "arn:aws:dynamodb:us-east-1:123456789012:table/Catalog/export/01234567890123-a1b2c3d4",
    "startTime": "2020-11-04T07:28:34.028Z",
    "endTime": "2020-11-04T07:33:43.897Z",
    "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/Catalog",
    "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
    "exportTime": "2020-11-04T07:28:34.028Z",
    "s3Bucket": "bucket",
    "s3Prefix": "some/prefix/",
    "s3SseAlgorithm": "AES256",
    "s3SseKmsKeyId": None,
    "manifestFilesS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/manifest-files.json",
    "billedSizeBytes": 0,
    "itemCount": 8,
    "outputFormat": "DYNAMODB_JSON",
}
WINDOW = {
    **{name: FULL[name] for name in FULL if name != "exportTime"},
    "version": "2023-08-01",
    "exportFromTime": "2023-03-29T16:50:00.000Z",
    "exportToTime": "2023-03-29T17:20:00Z",
    "exportType": "INCREMENTAL_EXPORT",
    "outputView": "NEW_AND_OLD_IMAGES",
    "outputFormat": "ION",
}


def summary(said: Any) -> manifests.Summary:
    return manifests.summary(json.dumps(said).encode(), "s3://b/manifest-summary.json")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


def test_a_full_export_says_its_table_and_its_time() -> None:
    said = summary(FULL)
    assert (said.kind, said.format, said.items) == ("full", "dynamodb_json", 8)
    assert (said.table_arn, said.table_name) == (FULL["tableArn"], "Catalog")
    assert (said.arn, said.table_id) == (FULL["exportArn"], FULL["tableId"])
    assert said.at == utc(2020, 11, 4, 7, 28, 34, 28000)
    assert (said.since, said.until, said.view) == (None, None, None)
    assert (said.prefix, said.files_key) == ("some/prefix", FULL["manifestFilesS3Key"])


def test_a_window_says_where_it_begins_and_ends() -> None:
    said = summary(WINDOW)
    assert (said.kind, said.format, said.at) == ("incremental", "ion", None)
    assert said.since == utc(2023, 3, 29, 16, 50)
    assert said.until == utc(2023, 3, 29, 17, 20)
    assert said.view == "NEW_AND_OLD_IMAGES"


def test_what_others_leave_out_is_not_known() -> None:
    said = summary({"itemCount": 1})
    assert (said.kind, said.format, said.items, said.prefix) == ("full", None, 1, "")
    told = (said.arn, said.table_arn, said.table_name, said.at, said.files_key)
    assert told == (None,) * 5
    assert summary({**FULL, "tableArn": None}).table_name == "Catalog"
    assert summary({**FULL, "s3Prefix": None}).prefix == ""
    assert summary({**FULL, "exportType": "FULL_EXPORT"}).kind == "full"
    assert summary({**WINDOW, "exportType": None}).kind == "incremental"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2020-11-04T07:28:34Z", utc(2020, 11, 4, 7, 28, 34)),
        ("2020-11-04T07:28:34", utc(2020, 11, 4, 7, 28, 34)),
        ("2020-11-04 07:28:34.1Z", utc(2020, 11, 4, 7, 28, 34, 100000)),
        ("2020-11-04T07:28:34.123456789Z", utc(2020, 11, 4, 7, 28, 34, 123456)),
        ("2020-11-04T09:28:34+02:00", utc(2020, 11, 4, 7, 28, 34)),
        ("2020-11-04T09:28:34+0200", utc(2020, 11, 4, 7, 28, 34)),
        (1604474914.028, utc(2020, 11, 4, 7, 28, 34, 28000)),
        (1604474914, utc(2020, 11, 4, 7, 28, 34)),
    ],
)
def test_times_are_exact_and_in_utc(written: object, meant: datetime) -> None:
    assert summary({**FULL, "exportTime": written}).at == meant


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"exportTime": "yesterday"}, "'yesterday' for exportTime"),
        ({"exportTime": "2020-13-04T07:28:34Z"}, "for exportTime"),
        ({"exportTime": True}, "for exportTime"),
        ({"exportTime": 1e300}, "for exportTime"),
        ({"itemCount": -1}, "for itemCount"),
        ({"itemCount": "8"}, "for itemCount"),
        ({"itemCount": True}, "for itemCount"),
        ({"tableArn": ["a"]}, "for tableArn"),
        ({"outputFormat": "CSV"}, "outputFormat 'CSV'"),
        ({"exportType": "OTHER"}, "exportType 'OTHER'"),
        ({"outputView": "OTHER"}, "outputView 'OTHER'"),
        (
            {"exportFromTime": "2023-03-29T17:20:00Z", "exportToTime": "2023-03-29T17:20:00Z"},
            "ends",
        ),
    ],
)
def test_a_summary_that_makes_no_sense_is_named(wrong: dict[str, Any], error: str) -> None:
    with pytest.raises(DataError, match="manifest-summary") as found:
        summary({**FULL, **wrong})
    assert error in str(found.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff{}", b'"x"', b"{}{}"])
def test_what_is_no_json_object_is_named(text: bytes) -> None:
    for read in (manifests.summary, manifests.legacy):
        with pytest.raises(DataError, match="some/file"):
            read(text, "some/file")
    if text:
        with pytest.raises(DataError, match="line 1 of some/file"):
            list(manifests.files([text], "some/file"))


def test_files_are_named_line_by_line() -> None:
    lines = [
        b'{"itemCount":8,"md5Checksum":"%b","etag":"f5f-1","dataFileS3Key":"a/b.json.gz"}\n'
        % MD5.encode(),
        b"\r\n",
        b'{"itemCount":0,"md5Checksum":"%b","dataFileS3Key":"c"}' % HEX.encode(),
        b'{"dataFileS3Key":"d","md5Checksum":null}',
    ]
    assert list(manifests.files(lines, "f")) == [
        Named("a/b.json.gz", 8, MD5),
        Named("c", 0, MD5),
        Named("d"),
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"itemCount": 1}, "names no file"),
        ({"dataFileS3Key": ""}, "names no file"),
        ({"dataFileS3Key": 1}, "dataFileS3Key"),
        ({"dataFileS3Key": "x", "itemCount": 1.5}, "itemCount"),
        ({"dataFileS3Key": "x", "md5Checksum": "mZTz"}, "'mZTz' for the MD5 of x"),
        ({"dataFileS3Key": "first"}, "names first again"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(line: dict[str, Any], error: str) -> None:
    lines = [b'{"dataFileS3Key":"first"}', json.dumps(line).encode()]
    with pytest.raises(DataError, match="line 2 of some/files") as found:
        list(manifests.files(lines, "some/files"))
    assert error in str(found.value)


@pytest.mark.parametrize("text", [MD5, f"{MD5}\n", HEX, HEX.upper(), f" {HEX}\r\n"])
def test_a_checksum_is_base64_or_hex(text: str) -> None:
    assert manifests.checksum(text.encode(), "f") == MD5


@pytest.mark.parametrize("text", [b"", b"mZTz", b"\xff", HEX[:-1].encode(), MD5[:-2].encode()])
def test_what_is_no_checksum_is_named(text: bytes) -> None:
    with pytest.raises(DataError, match="some/file"):
        manifests.checksum(text, "some/file.md5")


def legacy(**more: Any) -> bytes:
    entries = [
        {"url": "s3://bucket/path/one", "mandatory": True},
        {"url": "s3n://bucket/path/two", "mandatory": False},
        {"url": "s3://bucket/path/three"},
    ]
    return json.dumps(
        {"name": "DynamoDB-export", "version": 3, "entries": entries, **more}
    ).encode()


def test_a_legacy_manifest_names_urls() -> None:
    assert manifests.legacy(legacy(), "m") == (
        Named("s3://bucket/path/one"),
        Named("s3n://bucket/path/two", mandatory=False),
        Named("s3://bucket/path/three"),
    )


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"version": 2}, "version 2"),
        ({"version": None}, "version None"),
        ({"entries": None}, "entries"),
        ({"entries": ["x"]}, "names no file"),
        ({"entries": [{"url": 1}]}, "names no file"),
        ({"entries": [{"url": "s3://b/x", "mandatory": "yes"}]}, "names no file"),
        ({"entries": [{"url": "s3://b/x"}] * 2}, "again"),
    ],
)
def test_a_legacy_manifest_that_makes_no_sense_is_named(wrong: dict[str, Any], error: str) -> None:
    with pytest.raises(DataError, match="some/manifest") as found:
        manifests.legacy(legacy(**wrong), "some/manifest")
    assert error in str(found.value)


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b'{"Item":{"Id":{"N":"103"},"Authors":{"SS":["A","B"]}}}', ("dynamodb_json", False)),
        (b' {"Item":{"S":{"N":"1"},"M":{"M":{}},"NULL":{"NULL":true}}}', ("dynamodb_json", False)),
        (b'{"Item":{"S":"x"}}', ("legacy", False)),  # an attribute named Item
        (b'{"Item":{"s":"x"},"id":{"n":"1"}}', ("legacy", False)),
        (b'{"id":{"s":"x"},"a":{"sS":["a"]},"b":{"bOOL":false},"c":{"l":[]}}', ("legacy", False)),
        (b'{"id":{"nULLValue":true}}', ("legacy", False)),
        (b'{"id":{"nULL":true}}', ("legacy", False)),
        (b'{"id":{"S":"x"}}', ("legacy", False)),
        (b'id\x03{"s":"Seattle"}\x02scores\x03{"nS":["100","30"]}', ("legacy", False)),
        (
            b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"Id":{"N":"1"}}}',
            ("dynamodb_json", True),
        ),
        (b'{"Keys":{"Id":{"N":"1"}},"NewImage":{"Id":{"N":"1"}}}', ("dynamodb_json", True)),
        (b'{"Keys":{"s":"x"}}', ("legacy", False)),  # an attribute named Keys
        (b'{"Keys":{"s":"x"},"Metadata":{"n":"1"}}', ("legacy", False)),
        (b'$ion_1_0 {Item:{Id:103.,Authors:$dynamodb_SS::["A"]}}', ("ion", False)),
        (b" $ion_1_0 {'Item':{Keys:103.}}", ("ion", False)),
        (b"{Item:{Id:103.}}", ("ion", False)),
        (b"$ion_1_0 {Metadata:{WriteTimestampMicros:1.},Keys:{Id:1.}}", ("ion", True)),
        (b'$ion_1_0 {"Keys":{Id:1.}}', ("ion", True)),
        (b"$ion_1_0 {Record:{Keys:{Id:1.},NewImage:{Id:1.}}}", ("ion", True)),
        (b"{Keys:{Id:1.}}", ("ion", True)),
    ],
)
def test_a_line_shows_how_it_is_written(line: bytes, seen: tuple[Any, bool]) -> None:
    assert detect(line) == Seen(*seen)


@pytest.mark.parametrize(
    "line",
    [
        b"id,name",
        b"{}",
        b"[1]",
        b'{"id":"x"}',
        b'{"id":{"s":"x","n":"1"}}',
        b'{"a":{"s":1}}',
        b"{x",
    ],
)
def test_a_line_of_something_else_is_refused(line: bytes) -> None:
    with pytest.raises(DataError, match="The first line of f"):
        detect(line, "The first line of f")
