"""Objects below a place: the same from a bucket of a real engine and from a folder."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from dynamodb_core import objects
from dynamodb_core.errors import ConfigError, DataError, EndpointError, Error
from dynamodb_core.objects import Bucket, Folder, Stored
from dynamodb_core.settings import AwsSettings

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from dynamodb_core.objects import ObjectStore


def name(engine: Engine) -> str:
    """Buckets have one name in all accounts."""
    return f"ferry-{engine.access_key_id}"


def client(engine: Engine) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=engine.endpoint_url,
        aws_access_key_id=engine.access_key_id,
        aws_secret_access_key=engine.secret_access_key,
        region_name=engine.region,
    )


def settings(engine: Engine, **more: Any) -> AwsSettings:
    here = {"aws_endpoint_url_s3": engine.endpoint_url}
    return AwsSettings.from_config({**engine.config(), **here, **more})


@pytest.fixture
def bucket(account: Engine) -> Engine:
    made = client(account)
    made.create_bucket(
        Bucket=name(account), CreateBucketConfiguration={"LocationConstraint": account.region}
    )
    return account


@pytest.fixture(params=["s3", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return objects.at(str(tmp_path / "place"), AwsSettings())
    engine = request.getfixturevalue("bucket")
    return objects.at(f"s3://{name(engine)}/some/place/", settings(engine))


def test_what_is_put_can_be_listed_read_and_removed(store: ObjectStore, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789" * 1000)
    store.put("b/two", file)
    store.put("a", b"one")
    store.put("b/three", b"")
    assert list(store.list()) == [Stored("a", 3), Stored("b/three", 0), Stored("b/two", 10_000)]
    assert list(store.list("b/t")) == [Stored("b/three", 0), Stored("b/two", 10_000)]
    with store.open("b/two") as whole:
        assert whole.read() == file.read_bytes()
    with store.open("b/two", start=9_998) as rest:
        assert rest.read() == b"89"
    with store.open("a") as one:
        assert one.read(2) == b"on"
    store.put("a", b"another")
    assert next(store.list()) == Stored("a", 7)
    store.remove(["b/two", "b/three", "not there"])
    assert list(store.list()) == [Stored("a", 7)]


def test_what_is_not_there_is_named(store: ObjectStore) -> None:
    with pytest.raises(DataError, match="gone"):
        store.open("gone")


@pytest.mark.parametrize(
    "key", ["../out", "a/../../out", "/out", "a//b", ".", "a/..", "a\\b", "a\0"]
)
def test_no_key_leads_out_of_the_place(store: ObjectStore, key: str) -> None:
    for do in (
        lambda: store.put(key, b"x"),
        lambda: store.open(key),
        lambda: store.remove([key]),
        lambda: store.address(key),
    ):
        with pytest.raises(ConfigError, match="no name for a file"):
            do()


@pytest.mark.parametrize("location", ["http://x/y", "s3://", "s3://A_b/c", "s3://ab", "file://x/y"])
def test_other_places_are_refused(location: str) -> None:
    with pytest.raises(ConfigError, match="no place for files"):
        objects.at(location, AwsSettings())


def test_places_have_names(tmp_path: Path) -> None:
    of_bucket = objects.at("s3://bucket/a/b/", AwsSettings())
    assert of_bucket.address("c/d") == "s3://bucket/a/b/c/d"
    assert objects.at("s3://bucket", AwsSettings()).address("c") == "s3://bucket/c"
    assert isinstance(of_bucket, Bucket)
    assert of_bucket.key("c") == "a/b/c"
    folder = objects.at(f"file://{tmp_path}/x%20y", AwsSettings())
    assert folder.address("c") == str(tmp_path / "x y" / "c")


# A folder


def test_a_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Folder(tmp_path / "place").put("a/b", b"x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in sorted((tmp_path).rglob("*"))]
    assert modes == [0o700, 0o700, 0o600]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put("a", b"old")
    with pytest.raises(Error, match="cannot be written"):
        folder.put("a", tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    with folder.open("a") as old:
        assert old.read() == b"old"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    place = tmp_path / "place"
    place.mkdir()
    (place / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="cannot be read"):
        Folder(place).open("link")


# A bucket


def test_a_body_that_breaks_off_is_one_of_our_errors() -> None:
    class Breaking:
        def read(self, _size: int) -> bytes:
            raise ReadTimeoutError(endpoint_url="http://s3")

        def close(self) -> None:
            """Nothing is open."""

    settings = AwsSettings(endpoint_url_s3="http://s3")
    broken = objects._Body(Breaking(), "s3://bucket/key", settings)
    with pytest.raises(EndpointError, match="GetObject of s3://bucket/key did not reach S3"):
        broken.read(10)
    broken.close()


def test_more_objects_than_a_page_are_listed(bucket: Engine) -> None:
    made = client(bucket)
    for n in range(1001):
        made.put_object(Bucket=name(bucket), Key=f"many/{n:04}", Body=b"")
    store = objects.at(f"s3://{name(bucket)}/many", settings(bucket))
    found = [stored.key for stored in store.list()]
    assert found == [f"{n:04}" for n in range(1001)]
    store.remove(found)
    assert list(store.list()) == []


def test_a_bucket_that_is_not_there_is_a_wrong_setting(account: Engine) -> None:
    store = objects.at("s3://not-there/x", settings(account))
    with pytest.raises(ConfigError, match=r"Bucket not-there does not exist.*aws_endpoint_url_s3"):
        store.put("a", b"x")
    with pytest.raises(ConfigError, match="Bucket not-there"):
        list(store.list())


def test_s3_that_is_away_is_named(tmp_path: Path) -> None:
    nowhere = AwsSettings.from_config(
        {
            "aws_endpoint_url_s3": "http://127.0.0.1:1",
            "aws_access_key_id": "a",
            "aws_secret_access_key": "b",
            "aws_region": "eu-west-1",
        }
    )
    with pytest.raises(EndpointError, match=r"PutObject of s3://abc/x/a did not reach S3 .*_s3"):
        objects.at("s3://abc/x", nowhere).put("a", b"x")


def test_a_place_knows_the_one_above(store: ObjectStore) -> None:
    store.put("inner/a", b"x")
    inner = (
        objects.at(f"{store.location}/inner", AwsSettings())
        if isinstance(store, Folder)
        else Bucket("bucket", "some/place/inner", AwsSettings())
    )
    above, step = inner.above() or (store, "")
    assert step == "inner"
    if isinstance(store, Folder):
        assert above.location == store.location
        assert list(above.list()) == [Stored("inner/a", 1)]
    else:
        assert above.location == "s3://bucket/some/place"


def test_the_top_has_nothing_above(tmp_path: Path, monkeypatch: Any) -> None:
    assert objects.at("s3://bucket", AwsSettings()).above() is None
    assert objects.at("/", AwsSettings()).above() is None
    bucket, step = objects.at("s3://bucket/one", AwsSettings()).above() or (None, "")
    assert (bucket and bucket.location, step) == ("s3://bucket", "one")
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    folder, step = objects.at(".", AwsSettings()).above() or (None, "")
    assert (folder and folder.location, step) == (str(tmp_path), "a")


def test_only_folders_that_a_prefix_leads_to_are_listed(tmp_path: Path, monkeypatch: Any) -> None:
    folder = Folder(tmp_path)
    for key in ("a/b/one", "a/bc/two", "a/c/three", "ab/four", "a.b"):
        folder.put(key, b"x")
    walked = []

    def walk(root: Path, _real: Any = os.walk) -> Any:
        for each in _real(root):
            walked.append(os.path.relpath(each[0], root))
            yield each

    monkeypatch.setattr(os, "walk", walk)
    assert [key for key, _ in folder.list("a/b")] == ["a/b/one", "a/bc/two"]
    assert sorted(walked) == [".", "a", "a/b", "a/bc"]
    assert [key for key, _ in folder.list("a")] == [
        "a.b",
        "a/b/one",
        "a/bc/two",
        "a/c/three",
        "ab/four",
    ]
