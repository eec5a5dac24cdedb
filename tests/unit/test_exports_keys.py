"""A manifest's keys: every spelling leads to the file, and none out of the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.exports.keys import File, Surroundings, resolve, resolve_url

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = "AWSDynamoDB/01-a/data/x.json.gz"


def of(*keys: str) -> Callable[[str], int | None]:
    return {key: len(key) for key in keys}.get


def around(home: str, **more: object) -> Surroundings:
    return Surroundings("s3://b/manifest-files.json", home, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "place", "there"),
    [
        # From the bucket's top: the place is the bucket, a prefix of it, the folder above the export.
        (DATA, around("AWSDynamoDB/01-a/", bucket="b"), DATA),
        (f"p/q/{DATA}", around(DATA[:17], bucket="b", base="p/q/"), DATA),
        (f"p/{DATA}", around("01-a/", bucket="b", base="p/AWSDynamoDB/"), "01-a/data/x.json.gz"),
        # Without the prefix.
        (DATA, around("p/AWSDynamoDB/01-a/", bucket="b", prefix="p"), f"p/{DATA}"),
        (DATA, around("AWSDynamoDB/01-a/", bucket="b", base="p/", prefix="p"), DATA),
        # Moved with what is around it: to another prefix, another bucket, a folder.
        (f"p/{DATA}", around("new/01-a/"), "new/01-a/data/x.json.gz"),
        (f"p/{DATA}", around("new/AWSDynamoDB/01-a/", bucket="b", base="c/"), f"new/{DATA}"),
        ("p/AWSDynamoDB/data/x.gz", around("new/02-b/"), "new/data/x.gz"),
        ("p/AWSDynamoDB/data/x.gz", around("02-b/"), "data/x.gz"),
        ("AWSDynamoDB/old/AWSDynamoDB/data/x.gz", around("02-b/"), "data/x.gz"),
        # Below the export's folder.
        ("data/x.gz", around("some/01-a/"), "some/01-a/data/x.gz"),
        ("x.gz", around("some/"), "some/x.gz"),
        ("x.gz", around(""), "x.gz"),
        # Moved alone, or renamed.
        (f"p/{DATA}", around("renamed/"), "renamed/data/x.json.gz"),
        (f"p/{DATA}", around(""), "data/x.json.gz"),
        ("p/AWSDynamoDB/data/x.gz", around("moved/"), "moved/data/x.gz"),
    ],
)
def test_a_key_is_found_however_it_is_spelled(key: str, place: Surroundings, there: str) -> None:
    assert resolve(key, place, of(there, "other/x.gz")) == File(there, len(there))


def test_spellings_are_tried_in_their_order() -> None:
    place = around("p/AWSDynamoDB/01-a/", bucket="b", prefix="p")
    there = [DATA, f"p/{DATA}", f"p/AWSDynamoDB/01-a/{DATA}"]
    for number in range(len(there)):
        assert resolve(DATA, place, of(*there[number:])).key == there[number]


@pytest.mark.parametrize(
    "key",
    [
        "../other/x.gz",
        "AWSDynamoDB/../../x.gz",
        "AWSDynamoDB/01-a/./x.gz",
        "/etc/passwd",
        "s3://other/AWSDynamoDB/01-a/data/x.json.gz",
        "file:///etc/passwd",
        "a\\..\\x",
        "data/x\0.gz",
    ],
)
def test_a_key_that_may_lead_elsewhere_is_refused(key: str) -> None:
    looked: list[str] = []

    def look(key: str) -> int:
        looked.append(key)
        return 1

    with pytest.raises(DataError, match="refused") as found:
        resolve(key, around("AWSDynamoDB/01-a/", bucket="b"), look)
    assert repr(key) in str(found.value)
    assert looked == []


@pytest.mark.parametrize(
    ("key", "there"),
    [
        ("other/place/x.gz", "other/place/x.gz"),
        ("AWSDynamoDB/02-b/data/x.gz", "02-b/data/x.gz"),
        ("p/AWSDynamoDB/other/x.gz", "other/x.gz"),
        (f"p/{DATA}", "elsewhere"),
        ("data/", "01-a/data/"),
        ("data//x.gz", "01-a/data//x.gz"),
    ],
)
def test_nothing_beside_the_export_is_read_but_the_data_of_windows(key: str, there: str) -> None:
    place = around("01-a/", bucket="b", base="", allowed=("01-a/", "data/"))
    with pytest.raises(DataError, match="no such file below its own place") as found:
        resolve(key, place, of(there))
    assert key in str(found.value)
    assert resolve("p/AWSDynamoDB/data/x.gz", place, of("data/x.gz")).key == "data/x.gz"


def test_another_prefix_of_the_bucket_is_not_taken_for_the_place() -> None:
    with pytest.raises(DataError, match="no such file"):
        resolve("a/b/01/x.gz", around("home/", bucket="b", base="p/q/"), of("01/x.gz"))


def test_a_folder_of_this_machine_is_no_bucket() -> None:
    with pytest.raises(DataError, match="no such file"):
        resolve("other/x.gz", around("home/"), of("other/x.gz"))


@pytest.mark.parametrize(
    ("url", "place", "there"),
    [
        ("s3://b/path/one", around("path/", bucket="b"), "path/one"),
        ("s3n://b/path/one", around("path/", bucket="b"), "path/one"),
        ("s3://b/path/one", around("", bucket="b", base="path/"), "one"),
        ("s3://b/else/one", around("path/", bucket="b"), "else/one"),
        # A moved copy: the file's name beside the manifest.
        ("s3://b/path/one", around("moved/", bucket="c"), "moved/one"),
        ("s3://b/path/one", around("moved/"), "moved/one"),
        ("s3://b/path/one", around(""), "one"),
        ("s3://b/path/one", around("", bucket="b", base="moved/"), "one"),
    ],
)
def test_a_url_is_found_where_it_says_or_beside(url: str, place: Surroundings, there: str) -> None:
    assert resolve_url(url, place, of(there)) == File(there, len(there))


def test_another_buckets_file_of_the_same_key_is_not_taken() -> None:
    place = around("moved/", bucket="c")
    with pytest.raises(DataError, match="s3://b/path/one"):
        resolve_url("s3://b/path/one", place, of("path/one"))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "http://x/y", "one", "s3://b/a/../one", "s3://b//one", "s3://b", ""],
)
def test_a_url_that_may_lead_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(DataError, match="refused"):
        resolve_url(url, around("", bucket="b"), lambda _: 1)


def test_what_is_not_mandatory_may_be_missing() -> None:
    assert resolve_url("s3://b/one", around(""), of(), mandatory=False) is None
    with pytest.raises(DataError, match="s3://b/one"):
        resolve_url("s3://b/one", around(""), of())
