"""What lies at a place is found wherever it was moved to; what is not whole is an error that names it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.exports import finding
from dynamodb_core.exports.finding import find
from dynamodb_core.folders import Folder, Stored
from tests.engines import exports as written
from tests.engines.exports import AT, Change, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.exports.kinds import Export
    from dynamodb_core.objects import ObjectStore

ITEMS: list[written.Item] = [{"id": {"S": f"k{n}"}, "n": {"N": str(n)}} for n in range(7)]
CHANGES = [Change({"id": {"S": f"k{n}"}}, item) for n, item in enumerate(ITEMS)]
HOUR = timedelta(hours=1)


class Bucket:
    """A bucket of S3, as `objects.Bucket` shows it, held in a folder; counts what it is asked."""

    def __init__(self, root: Path, prefix: str = "", asked: list[str] | None = None) -> None:
        self.root = root
        self.prefix = prefix
        self.location = f"s3://amzn-s3-demo-bucket/{prefix}".rstrip("/")
        self.asked: list[str] = [] if asked is None else asked

    def address(self, key: str = "") -> str:
        return f"{self.location}/{key}" if key else self.location

    def above(self) -> tuple[Bucket, str] | None:
        prefix, _, step = self.prefix.rpartition("/")
        return (Bucket(self.root, prefix, self.asked), step) if step else None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        before = f"{self.prefix}/" if self.prefix else ""
        self.asked.append(f"list {before}{prefix}")
        for path in sorted(self.root.rglob("*")):
            key = path.relative_to(self.root).as_posix()
            if path.is_file() and key.startswith(before + prefix):
                yield Stored(key[len(before) :], path.stat().st_size)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        path = self.root / self.prefix / key
        self.asked.append(f"open {path.relative_to(self.root).as_posix()}")
        if not path.is_file():
            raise DataError(f"There is no object {self.address(key)}")
        return io.BytesIO(path.read_bytes()[start:])

    def put(self, key: str, data: bytes | Path) -> None:
        raise NotImplementedError

    def remove(self, keys: Any) -> None:
        raise NotImplementedError


def reopened(export: Export, root: Path) -> ObjectStore:
    if export.root.startswith("s3://"):
        return Bucket(root, export.root.partition("://")[2].partition("/")[2])
    return Folder(Path(export.root))


def held(export: Export, root: Path) -> list[bytes]:
    """Read all lines as a reader would, and hold the files to what is said of them."""
    store = reopened(export, root)
    lines: list[bytes] = []
    for file in export.files:
        with store.open(file.key) as stream:
            data = stream.read()
        assert file.size == len(data)
        if file.md5 is not None:
            assert file.md5 == base64.b64encode(hashlib.md5(data).digest()).decode()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        if file.items is not None:
            assert file.items == text.count(b"\n")
        lines += text.splitlines()
    return lines


def full(root: Path, **more: Any) -> Written:
    return written.write_full(root, ITEMS, **more)


def window(root: Path, start: int = 0, **more: Any) -> Written:
    more.setdefault("export", f"0168010976{start:04d}-5e6f7a8b")
    return written.write_incremental(
        root, CHANGES, AT + start * HOUR, AT + (start + 1) * HOUR, **more
    )


@pytest.mark.parametrize("kind", ["full", "incremental"])
@pytest.mark.parametrize("prefix", ["", "some/prefix"])
@pytest.mark.parametrize("keys", ["absolute", "without_prefix"])
@pytest.mark.parametrize("where", ["bucket", "prefix", "aws", "export", "summary"])
@pytest.mark.parametrize("in_bucket", [True, False])
def test_an_export_is_found_where_it_was_written(
    tmp_path: Path, kind: str, prefix: str, keys: str, where: str, in_bucket: bool
) -> None:
    made = (full if kind == "full" else window)(tmp_path, prefix=prefix, keys=keys)
    place = {
        "bucket": tmp_path,
        "prefix": tmp_path / prefix,
        "aws": made.folder.parent,
        "export": made.folder,
        "summary": made.folder / "manifest-summary.json",
    }[where]
    named = place.relative_to(tmp_path).as_posix()
    store: ObjectStore = (
        Bucket(tmp_path, "" if named == "." else named) if in_bucket else Folder(place)
    )
    [export] = find(store)
    assert export.kind == kind
    assert (export.format, export.changes) == ("dynamodb_json", kind == "incremental")
    assert export.location.endswith(made.folder.relative_to(tmp_path).as_posix())
    assert (export.table_name, export.table_id) == ("ProductCatalog", written.TABLE_ID)
    assert (export.items, len(export.files)) == (7, len(made.data))
    if kind == "full":
        assert (export.at, export.since, export.until) == (AT, None, None)
    else:
        assert (export.at, export.since, export.until) == (None, AT, AT + HOUR)
    assert len(held(export, tmp_path)) == 7


@pytest.mark.parametrize("in_bucket", [True, False])
@pytest.mark.parametrize(
    "move",
    [
        lambda root: (root / "AWSDynamoDB").rename(root / "elsewhere"),
        lambda root: (root / "AWSDynamoDB").rename(root / "a") and (root / "a").rename(root / "b"),
        # Alone, and renamed.
        lambda root: next((root / "AWSDynamoDB").glob("016*")).rename(root / "renamed"),
    ],
)
def test_an_export_is_found_where_it_was_moved_to(
    tmp_path: Path, move: Callable[[Path], Any], in_bucket: bool
) -> None:
    full(tmp_path / "one", prefix="some/prefix")
    move(tmp_path / "one" / "some/prefix")
    place = next((tmp_path / "one").rglob("manifest-summary.json")).parent
    for outer in (tmp_path, tmp_path / "one", place.parent, place):
        named = outer.relative_to(tmp_path).as_posix()
        store: ObjectStore = (
            Bucket(tmp_path, "" if named == "." else named) if in_bucket else Folder(outer)
        )
        [export] = find(store)
        assert len(held(export, tmp_path)) == 7


def test_a_window_that_was_moved_has_its_data_beside_it_or_in_it(tmp_path: Path) -> None:
    made = window(tmp_path / "one", prefix="p")
    moved = tmp_path / "two" / "window"
    shutil.copytree(made.folder, moved)
    shutil.copytree(made.data[0].parent, tmp_path / "two" / "data")
    [export] = find(Folder(moved))
    assert len(held(export, tmp_path)) == 7
    assert export.root == str(tmp_path / "two")
    assert export.location == str(moved)
    (tmp_path / "two" / "data").rename(moved / "data")
    [export] = find(Folder(moved))
    assert len(held(export, tmp_path)) == 7


def test_a_relative_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = window(tmp_path)
    monkeypatch.chdir(made.folder)
    [export] = find(Folder(Path()))
    assert export.location == "."
    assert len(held(export, tmp_path)) == 7


def test_keys_may_be_relative_to_the_export(tmp_path: Path) -> None:
    made = full(tmp_path, keys="relative", prefix="p")
    for place in (tmp_path, made.folder):
        [export] = find(Folder(place))
        assert len(held(export, tmp_path)) == 7


def test_several_are_found_with_the_files_that_each_names(tmp_path: Path) -> None:
    full(tmp_path, prefix="p")
    for start in range(3):
        window(tmp_path, start, prefix="p", form="ION" if start == 1 else "DYNAMODB_JSON")
    stray = next((tmp_path / "p/AWSDynamoDB").glob("data/*"))
    shutil.copy(stray, stray.with_name("nobody-names-this.json.gz"))
    bucket = Bucket(tmp_path, "p")
    found = find(bucket)
    assert sorted((each.kind, each.format) for each in found) == [
        ("full", "dynamodb_json"),
        ("incremental", "dynamodb_json"),
        ("incremental", "dynamodb_json"),
        ("incremental", "ion"),
    ]
    for export in found:
        assert len(held(export, tmp_path)) == 7
    files = [file.key for export in found for file in export.files]
    assert len(files) == len(set(files))
    # The folder that windows share is listed once for all of them, and no data file is opened.
    assert bucket.asked.count("list p/AWSDynamoDB/data/") == 1
    assert not any("/data/" in asked for asked in bucket.asked if asked.startswith("open"))


def test_one_export_is_found_without_a_look_at_the_others(tmp_path: Path) -> None:
    window(tmp_path, 0)
    made = window(tmp_path, 1)
    bucket = Bucket(tmp_path, f"AWSDynamoDB/{made.folder.name}")
    find(bucket)
    listed = [asked for asked in bucket.asked if asked.startswith("list")]
    assert all(made.folder.name in each or each.endswith("/data/") for each in listed)


# What is not whole


def rewritten(path: Path, change: Callable[[Any], Any]) -> None:
    """Change a manifest's lines, and its checksum with it."""
    lines = [change(json.loads(line)) for line in path.read_bytes().splitlines()]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    path.write_bytes(data)
    path.with_suffix(".md5").write_bytes(base64.b64encode(hashlib.md5(data).digest()))


@pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
@pytest.mark.parametrize("suffix", [".md5", ".checksum"])
@pytest.mark.parametrize("hexadecimal", [True, False])
def test_a_manifest_that_was_changed_is_named(
    tmp_path: Path, name: str, suffix: Any, hexadecimal: bool
) -> None:
    made = full(tmp_path, checksums=suffix, hexadecimal=hexadecimal)
    assert len(find(Folder(made.folder))) == 1
    path = made.folder / f"{name}.json"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(DataError, match=rf"{name}\.json does not fit .*{name}\{suffix}"):
        find(Folder(made.folder))
    assert len(find(Folder(made.folder), verify=False)) == 1
    path.with_suffix(suffix).write_text("nothing")
    with pytest.raises(DataError, match=rf"{name}\{suffix} holds no MD5"):
        find(Folder(made.folder))


def test_checksums_may_be_missing(tmp_path: Path) -> None:
    made = full(tmp_path, checksums="none", left_out=("md5Checksum", "etag", "tableArn"))
    [export] = find(Folder(made.folder))
    assert {file.md5 for file in export.files} == {None}
    assert len(held(export, tmp_path)) == 7


def test_counts_that_differ_are_both_named(tmp_path: Path) -> None:
    made = full(tmp_path)
    rewritten(made.folder / "manifest-summary.json", lambda told: {**told, "itemCount": 1234})
    with pytest.raises(DataError, match=r"7 items together.*1,234") as found:
        find(Folder(made.folder))
    assert str(made.folder / "manifest-files.json") in str(found.value)
    assert find(Folder(made.folder), verify=False)[0].items == 1234


def test_counts_that_are_not_known_are_not_compared(tmp_path: Path) -> None:
    made = full(tmp_path, left_out=("itemCount",))
    [export] = find(Folder(made.folder))
    assert export.items is None
    assert {file.items for file in export.files} == {None}


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_a_missing_file_is_named_as_the_manifest_has_it(tmp_path: Path, kind: str) -> None:
    made = (full if kind == "full" else window)(tmp_path, prefix="p")
    made.data[1].unlink()
    named = made.data[1].relative_to(tmp_path).as_posix()
    for place in (tmp_path, made.folder):
        for verify in (True, False):
            with pytest.raises(DataError) as found:
                find(Folder(place), verify=verify)
            assert f"names {named}, and there is no such file" in str(found.value)


@pytest.mark.parametrize(
    "foreign", ["secret/x.gz", "../../secret/x.gz", "/secret/x.gz", "s3://other/secret/x.gz"]
)
@pytest.mark.parametrize("in_bucket", [True, False])
def test_a_manifest_leads_nowhere_else(tmp_path: Path, foreign: str, in_bucket: bool) -> None:
    made = full(tmp_path, prefix="p")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/x.gz").write_bytes(gzip.compress(b""))
    rewritten(
        made.folder / "manifest-files.json",
        lambda told: {**told, "dataFileS3Key": foreign} if not told["itemCount"] else told,
    )
    for place in ("p", f"p/AWSDynamoDB/{made.folder.name}"):
        store: ObjectStore = Bucket(tmp_path, place) if in_bucket else Folder(tmp_path / place)
        with pytest.raises(DataError, match="manifest-files") as found:
            find(store)
        assert foreign in str(found.value)


@pytest.mark.parametrize("in_bucket", [True, False])
def test_who_names_one_export_reads_none_beside_it(tmp_path: Path, in_bucket: bool) -> None:
    made = full(tmp_path)
    other = full(tmp_path, export="other").data[0].relative_to(tmp_path).as_posix()
    rewritten(
        made.folder / "manifest-files.json",
        lambda told: {**told, "dataFileS3Key": other} if not told["itemCount"] else told,
    )
    place = made.folder.relative_to(tmp_path).as_posix()
    store: ObjectStore = Bucket(tmp_path, place) if in_bucket else Folder(made.folder)
    with pytest.raises(DataError, match="no such file below its own place") as found:
        find(store)
    assert other in str(found.value)


def test_a_manifest_without_an_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = full(tmp_path)
    monkeypatch.setattr(finding, "MOST_MANIFEST_BYTES", 500)
    with pytest.raises(DataError, match="larger than a manifest may be"):
        find(Folder(made.folder))


def test_a_file_is_not_read_twice_under_two_names(tmp_path: Path) -> None:
    made = full(tmp_path)
    other = f"data/{made.data[0].name}"
    path = made.folder / "manifest-files.json"
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    lines.append({**lines[0], "dataFileS3Key": other})
    path.write_bytes(b"\n".join(json.dumps(line).encode() for line in lines))
    with pytest.raises(DataError, match=f"names {other}, a file that it names before"):
        find(Folder(made.folder), verify=False)


def test_an_export_under_way_is_an_error_that_says_so(tmp_path: Path) -> None:
    made = full(tmp_path / "one")
    for path in made.folder.glob("manifest-*"):
        path.unlink()
    for place in (made.folder, made.folder.parent, tmp_path):
        with pytest.raises(DataError, match="under way, or has failed") as found:
            find(Folder(place))
        assert str(made.folder) in str(found.value)
    window(tmp_path / "one")
    told: list[str] = []
    [export] = find(Folder(tmp_path), unfinished=told.append)
    assert (export.kind, told) == ("incremental", [str(made.folder)])
    (made.folder / "AAA").write_bytes(b"no data yet")
    with pytest.raises(ConfigError, match="no export"):
        find(Folder(made.folder), unfinished=told.append)


def test_half_an_export_is_named(tmp_path: Path) -> None:
    made = full(tmp_path)
    (made.folder / "manifest-files.json").unlink()
    with pytest.raises(DataError, match="manifest-files"):
        find(Folder(made.folder))
    made = full(tmp_path / "two")
    (made.folder / "manifest-summary.json").unlink()
    (made.folder / "_started").unlink()
    with pytest.raises(DataError, match="has no manifest-summary"):
        find(Folder(tmp_path / "two"))


def test_nothing_is_an_error(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "not there"):
        with pytest.raises(ConfigError, match="no export") as found:
            find(Folder(place))
        assert str(place) in str(found.value)


# Legacy exports, and files without a manifest


@pytest.mark.parametrize("scheme", ["s3", "s3n"])
@pytest.mark.parametrize("in_bucket", [True, False])
def test_a_legacy_export_is_found_where_it_is_and_where_it_was_moved_to(
    tmp_path: Path, scheme: str, in_bucket: bool
) -> None:
    made = written.write_legacy(tmp_path, ITEMS, scheme=scheme)
    (made.folder / "_SUCCESS").write_bytes(b"")
    (made.folder / "not-named").write_bytes(b"x")
    moved = made.folder.rename(tmp_path / "moved")
    for place in (made.folder, moved):
        if not place.exists():
            shutil.copytree(moved, place)
        for outer in ("", place.name):
            if not outer and made.folder.exists() and moved.exists():
                continue
            store: ObjectStore = Bucket(tmp_path, outer) if in_bucket else Folder(tmp_path / outer)
            [export] = find(store)
            assert (export.kind, export.format, export.changes) == ("legacy", "legacy", False)
            assert export.location.endswith(place.name)
            assert len(held(export, tmp_path)) == 7


def test_a_legacy_file_that_has_to_be_there_is_named(tmp_path: Path) -> None:
    made = written.write_legacy(tmp_path, ITEMS)
    made.data[0].unlink()
    with pytest.raises(DataError, match=f"manifest names s3://.*{made.data[0].name}"):
        find(Folder(made.folder))
    manifest = json.loads((made.folder / "manifest").read_bytes())
    for entry in manifest["entries"]:
        entry["mandatory"] = False
    (made.folder / "manifest").write_text(json.dumps(manifest))
    [export] = find(Folder(made.folder))
    assert len(export.files) == len(made.data) - 1


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none", "members"])
@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (lambda n: written.full_line(ITEMS[n]), ("dynamodb_json", False)),
        (lambda n: written.ion_line(ITEMS[n]), ("ion", False)),
        (lambda n: written.change_line(CHANGES[n]), ("dynamodb_json", True)),
        (lambda n: written.ion_change_line(CHANGES[n]), ("ion", True)),
        (lambda n: written.legacy_line(ITEMS[n]), ("legacy", False)),
        (lambda n: written.hive_line(ITEMS[n]), ("legacy", False)),
    ],
)
def test_files_without_a_manifest_show_how_they_are_written(
    tmp_path: Path, line: Callable[[int], bytes], seen: tuple[str, bool], compression: Any
) -> None:
    made = written.write_plain(tmp_path, [line(n) for n in range(7)], compression=compression)
    for name in ("_SUCCESS", "_temporary/part", ".part.crc", ".hidden/part", "deeper/_also"):
        (made.folder / name).parent.mkdir(exist_ok=True)
        (made.folder / name).write_bytes(b"no data")
    (made.folder / "aaa-empty").write_bytes(b"")
    (made.folder / "aab-empty.gz").write_bytes(gzip.compress(b""))
    (made.folder / "aac-blank").write_bytes(b"\n \n")
    (made.folder / "deeper/one").write_bytes(made.data[0].read_bytes())
    [export] = find(Folder(tmp_path))
    assert (export.kind, export.format, export.changes) == ("files", *seen)
    assert len(export.files) == len(made.data) + 4
    assert {(file.items, file.md5) for file in export.files} == {(None, None)}


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("id,name\n1,one\n")
    with pytest.raises(DataError, match=r"first line of .*table\.csv begins with 'id,name'"):
        find(Folder(tmp_path))


def test_empty_files_are_no_items(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"")
    [export] = find(Folder(tmp_path))
    assert (export.kind, len(export.files)) == ("files", 1)


def test_a_format_that_is_not_said_is_seen(tmp_path: Path) -> None:
    made = full(tmp_path, form="ION", left_out=("outputFormat",))
    [export] = find(Folder(made.folder))
    assert export.format == "ion"
