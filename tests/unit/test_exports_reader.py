"""Files of an export as parts: verified before they are finished, resumed by line, errors with their line."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import pickle
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from dynamodb_core.change import Change
from dynamodb_core.converter import Converter
from dynamodb_core.dealing import hands
from dynamodb_core.errors import DataError, EndpointError, Error, StateError
from dynamodb_core.exports import reader as reading
from dynamodb_core.exports import streaming
from dynamodb_core.exports.kinds import DataFile
from dynamodb_core.exports.reader import ExportReader, first_items, read_changes
from dynamodb_core.folders import Folder
from dynamodb_core.layouts import Columns, Typed
from dynamodb_core.objects import Bucket
from dynamodb_core.parts import Block, Part
from dynamodb_core.settings import AwsSettings
from tests.engines import exports
from tests.unit.test_exports_streaming import FakeStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITEMS: list[exports.Item] = [
    {"id": {"N": str(n)}, "name": {"S": f"item {n}"}, "b": {"B": "AQI="}} for n in range(5000)
]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "READ_BYTES", 10_000)
    monkeypatch.setattr(streaming, "INFLATED_BYTES", 30_000)


def decoded(found: list[Any]) -> list[Any]:
    return [json.loads(bytes(each)) for each in found]


def file_of(path: Path, items: int | None) -> DataFile:
    data = path.read_bytes()
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    return DataFile(path.name, items, md5, len(data))


def one_file(folder: Path, lines: list[bytes], *, compression: Any = "gzip") -> Path:
    (path,) = exports.write_plain(folder, lines, files=1, compression=compression).data
    return path


def reader(store: Any, *files: DataFile, **options: Any) -> ExportReader:
    return ExportReader(
        store,
        files,
        **{"format": "dynamodb_json", "changes": False, "convert": decoded, **options},
    )


def payloads(blocks: list[Block[Any]]) -> list[Any]:
    return [each for block in blocks for each in block.payload]


def full(folder: Path, **options: Any) -> tuple[ExportReader, Path]:
    path = one_file(folder, [exports.full_line(item) for item in ITEMS])
    file = file_of(path, len(ITEMS))._replace(**options.pop("file", {}))
    return reader(Folder(path.parent), file, **options), path


def test_a_file_comes_as_blocks_with_their_places(tmp_path: Path) -> None:
    read, _ = full(tmp_path)
    with read:
        blocks = list(read(Part(0)))
    assert payloads(blocks) == ITEMS
    assert len(blocks) > 5
    lines = 0
    for block in blocks[:-1]:
        lines += block.count
        assert block.place == {"line": lines}
        assert not block.finished
    assert blocks[-1].place is None
    assert blocks[-1].finished
    assert sum(block.count for block in blocks) == len(ITEMS)
    assert sum(block.size for block in blocks) == sum(len(exports.full_line(i)) + 1 for i in ITEMS)


def test_a_read_goes_on_after_any_block(tmp_path: Path) -> None:
    read, _ = full(tmp_path)
    with read:
        blocks = list(read(Part(0)))
        for n, block in enumerate(blocks[:-1], 1):
            rest = list(read(Part(0, json.loads(json.dumps(block.place)))))
            assert payloads(blocks[:n]) + payloads(rest) == ITEMS
            assert rest[-1].finished


@pytest.mark.parametrize("line", [1, 2, 3, 4999, 5000])
@pytest.mark.parametrize("unseen", [False, True])
def test_a_read_goes_on_within_a_chunk(tmp_path: Path, line: int, unseen: bool) -> None:
    read, _ = full(tmp_path, unseen=unseen)
    blocks = list(read(Part(0, {"line": line})))
    assert payloads(blocks) == ITEMS[line:]
    for block in blocks[:-1]:
        line += block.count
        assert block.count
        assert block.place == {"line": line}
    assert blocks[-1].finished


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("unseen", [False, True])
def test_lines_are_told_from_any_of_them_on(tmp_path: Path, ended: bool, unseen: bool) -> None:
    lines = [exports.full_line(each) for each in ITEMS[:3]]
    (tmp_path / "a").write_bytes(b"\n".join(lines) + b"\n" * ended)
    file = file_of(tmp_path / "a", 3)
    for skip in range(4):
        options: Any = {"format": "dynamodb_json", "changes": False, "unseen": unseen}
        found = list(reading.read(Folder(tmp_path), file, skip=skip, **options))
        assert [(decoded(some.found), some.before, some.lines) for some in found] == [
            (ITEMS[skip:3], skip, 3 - skip)
        ] * (skip < 3)


def test_blank_lines_count_for_places_and_not_for_items(tmp_path: Path) -> None:
    lines = [b"", exports.full_line(ITEMS[0]), b" ", b"", exports.full_line(ITEMS[1])]
    path = one_file(tmp_path, lines)
    for line, left in ((0, 2), (1, 2), (2, 1), (4, 1), (5, 0)):
        blocks = list(reader(Folder(path.parent), file_of(path, 2))(Part(0, {"line": line})))
        assert payloads(blocks) == ITEMS[2 - left : 2]


@pytest.mark.parametrize(
    "place", [{}, {"line": -1}, {"line": "1"}, {"line": True}, 3, {"line": 5001}]
)
def test_a_place_that_is_none_is_an_error(tmp_path: Path, place: Any) -> None:
    read, path = full(tmp_path)
    with pytest.raises(StateError, match=path.name):
        list(read(Part(0, place)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"items": 4999}, "has 5,000 items, and its manifest says 4,999"),
        ({"items": 5001}, "has 5,000 items, and its manifest says 5,001"),
        ({"md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "has the MD5"),
        ({"size": 7}, "bytes, and had 7"),
    ],
)
@pytest.mark.parametrize("place", [None, {"line": 2500}])
def test_no_file_is_finished_before_it_is_right(
    tmp_path: Path, change: dict[str, Any], said: str, place: Any
) -> None:
    read, path = full(tmp_path, file=change)
    blocks: list[Block[Any]] = []
    with pytest.raises(DataError) as caught:
        blocks.extend(read(Part(0, place)))
    for block in blocks:
        assert not block.finished
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_verification_can_be_left_out(tmp_path: Path) -> None:
    wrong = {"items": 1, "md5": "AAAAAAAAAAAAAAAAAAAAAA==", "size": 7}
    read, _ = full(tmp_path, file=wrong, verify=False)
    assert payloads(list(read(Part(0)))) == ITEMS


def test_the_last_block_waits_for_the_verification(tmp_path: Path) -> None:
    """Also where a file is one block: nothing of it is out before it is right."""
    path = one_file(tmp_path, [exports.full_line(ITEMS[0])])
    read = reader(Folder(path.parent), file_of(path, 2))
    with pytest.raises(DataError, match="has 1 items"):
        next(iter(read(Part(0))))


def test_a_file_without_items_is_one_block(tmp_path: Path) -> None:
    path = one_file(tmp_path, [])
    (block,) = reader(Folder(path.parent), file_of(path, 0))(Part(0))
    assert block == Block(0, [], 0, None, finished=True)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*gone"):
        list(reader(Folder(tmp_path), DataFile("gone.json.gz", 1, None, 1))(Part(0)))


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    lines = [exports.full_line(item) for item in ITEMS]
    lines[3210] = b'{"Item":{"id":{"N":"1"}'
    path = one_file(tmp_path, lines)
    with pytest.raises(DataError, match=rf"Line 3,211 of {path} is not") as caught:
        list(reader(Folder(path.parent), file_of(path, 5000))(Part(0)))
    assert "Copy the export again" in caught.value.hint
    with pytest.raises(DataError, match=r"Line 3,211 of"):
        list(reader(Folder(path.parent), file_of(path, 5000))(Part(0, {"line": 3100})))


def test_of_a_line_and_a_file_that_are_damaged_the_file_is_named(tmp_path: Path) -> None:
    lines = [exports.full_line(item) for item in ITEMS]
    lines[10] = b"x"
    path = one_file(tmp_path, lines)
    file = file_of(path, 5000)._replace(md5="AAAAAAAAAAAAAAAAAAAAAA==")
    with pytest.raises(DataError, match="has the MD5"):
        list(reader(Folder(path.parent), file)(Part(0)))


FOREIGN = {
    "an item in DynamoDB JSON": exports.full_line(ITEMS[0]),
    "a change in DynamoDB JSON": exports.change_line(exports.Change({"id": {"N": "1"}}, ITEMS[0])),
    "an item in Ion": exports.ion_line(ITEMS[0]),
    "a change in Ion": exports.ion_change_line(exports.Change({"id": {"N": "1"}}, ITEMS[0])),
    "an item in JSON of Data Pipeline or EMR": exports.legacy_line(ITEMS[0]),
}
DECLARED = {
    "an item in DynamoDB JSON": ("dynamodb_json", False),
    "a change in DynamoDB JSON": ("dynamodb_json", True),
    "an item in Ion": ("ion", False),
    "a change in Ion": ("ion", True),
    "an item in JSON of Data Pipeline or EMR": ("legacy", False),
}


@pytest.mark.parametrize("seen", FOREIGN)
@pytest.mark.parametrize("declared", DECLARED)
def test_a_file_of_another_format_is_an_error_that_says_which(
    tmp_path: Path, seen: str, declared: str
) -> None:
    if declared.endswith("Ion"):
        pytest.importorskip("amazon.ion")
    path = one_file(tmp_path, [FOREIGN[seen]])
    form, changes = DECLARED[declared]
    read = reader(Folder(path.parent), file_of(path, 1), format=form, changes=changes, convert=list)
    if seen == declared:
        assert len(payloads(list(read(Part(0))))) == 1
        return
    with pytest.raises(DataError, match=rf"Line 1 of {path}") as caught:
        list(read(Part(0)))
    assert f"It looks like {seen}, and the export is said to hold {declared}" in str(caught.value)


def test_an_item_that_cannot_be_converted_is_named_by_its_line(tmp_path: Path) -> None:
    lines = [b"", *(exports.full_line(item) for item in ITEMS)]
    lines[4000] = exports.full_line({"id": {"S": "no number"}})
    lines.insert(3999, b" ")
    path = one_file(tmp_path, lines)
    convert = Converter(Typed({"id": "N"})).convert
    with pytest.raises(DataError, match=rf"Line 4,002 of {path}: Key attribute 'id' is of type S"):
        list(reader(Folder(path.parent), file_of(path, 5000), convert=convert)(Part(0)))


@pytest.mark.parametrize("item", [b"3", b"[]", b'"x"', b"null", b'{"id":{"s":"x"}}', b'{"id":3}'])
@pytest.mark.parametrize("layout", [Typed({"id": "N"}), Columns({"id": "N"})], ids=str)
def test_what_is_no_item_is_refused_by_its_line(tmp_path: Path, item: bytes, layout: Any) -> None:
    lines = [exports.full_line(item) for item in ITEMS[:1000]]
    lines[700] = b'{"Item":%b}' % item
    path = one_file(tmp_path, lines)
    convert = Converter(layout).convert
    with pytest.raises(DataError, match=rf"Line 701 of {path}"):
        list(reader(Folder(path.parent), file_of(path, 1000), convert=convert)(Part(0)))


def test_an_error_of_all_items_together_names_their_lines(tmp_path: Path) -> None:
    def convert(found: list[Any]) -> None:
        if len(found) > 1:
            raise DataError("too many", "take fewer")

    path = one_file(tmp_path, [exports.full_line(item) for item in ITEMS[:9]])
    with pytest.raises(DataError, match=rf"In lines 1 to 9 of {path}: too many\. take fewer"):
        list(reader(Folder(path.parent), file_of(path, 9), convert=convert)(Part(0)))


def test_an_error_that_is_not_about_an_item_stays(tmp_path: Path) -> None:
    def convert(found: list[Any]) -> None:
        raise Error("The disk is full")

    read, _ = full(tmp_path, convert=convert)
    with pytest.raises(Error, match=r"^The disk is full\.$"):
        list(read(Part(0)))


def test_changes(tmp_path: Path) -> None:
    key: exports.Item = {"id": {"N": "1"}}
    written = [
        exports.Change(key, ITEMS[1], None, 5),
        exports.Change(key, ITEMS[1], ITEMS[0], 6),
        exports.Change(key, None, ITEMS[1], 7),
    ]
    path = one_file(tmp_path, [exports.change_line(each) for each in written])
    store, file = Folder(path.parent), file_of(path, 3)
    (block,) = reader(store, file, changes=True, convert=list)(Part(0))
    assert [(each.item is None, each.old is None, each.micros) for each in block.payload] == [
        (False, True, 5), (False, False, 6), (True, False, 7),
    ]  # fmt: skip
    assert list(read_changes(store, file, format="dynamodb_json", changes=True)) == [block.payload]
    images = first_items(store, [file], 9, format="dynamodb_json", changes=True)
    assert decoded(images) == [ITEMS[1], ITEMS[1]]


def test_items_as_changes(tmp_path: Path) -> None:
    path = one_file(tmp_path, [exports.full_line(ITEMS[0])])
    (found,) = read_changes(
        Folder(path.parent), file_of(path, 1), format="dynamodb_json", changes=False
    )
    assert found == [Change(json.dumps(ITEMS[0], separators=(",", ":")).encode())]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (10, 10), (300, 300), (9000, 5000)])
@pytest.mark.parametrize("files", [1, 7, 40])
def test_a_sample_is_of_many_files(tmp_path: Path, count: int, expected: int, files: int) -> None:
    written = exports.write_plain(
        tmp_path, [exports.full_line(item) for item in ITEMS], files=files
    )
    named = [file_of(path, None)._replace(md5="wrong", items=7) for path in written.data]
    found = first_items(Folder(written.folder), named, count, format="dynamodb_json", changes=False)
    assert len(found) == expected
    kept = decoded(found)
    assert all(item in ITEMS for item in kept[:50])
    assert len({item["id"]["N"] for item in kept}) == expected
    if count == 300 and files == 7:
        assert len({int(item["id"]["N"]) % 7 for item in kept}) == 7
    assert all(isinstance(raw, msgspec.Raw) for raw in found)


def test_a_sample_holds_its_items_and_not_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "READ_BYTES", 1 << 19)
    path = one_file(tmp_path, [exports.full_line(item) for item in ITEMS], compression="none")
    files = [file_of(path, None)]
    tracemalloc.start()
    try:
        items = first_items(Folder(path.parent), files, 9, format="dynamodb_json", changes=False)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(items) == 9
    assert path.stat().st_size > 300_000
    assert held < 100_000


def test_files_without_lines_give_no_sample(tmp_path: Path) -> None:
    path = one_file(tmp_path, [])
    files = [file_of(path, 0), file_of(path, None), DataFile("gone", 0, None, 3)]
    files.append(DataFile("gone.json.gz", None, None, 0))
    store = Folder(path.parent)
    assert first_items(store, files, 9, format="dynamodb_json", changes=False) == []
    assert first_items(store, [], 9, format="dynamodb_json", changes=False) == []


class Upper:
    """A converter that can be told something, and pickled."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __call__(self, found: list[Any]) -> Any:
        return [*decoded(found), *self.told]


def whole(blocks: Iterator[Block[Any]]) -> Iterator[Block[Any]]:
    """All blocks of a file as one."""
    found = list(blocks)
    yield Block(found[-1].part, payloads(found), len(payloads(found)), None, finished=True)


@pytest.mark.parametrize("processes", [1, 2])
def test_files_are_dealt_out_as_parts(tmp_path: Path, processes: int) -> None:
    written = exports.write_full(tmp_path, ITEMS, files=5, empty=2, compression="members")
    files = [
        file_of(path, 1000 if n < 5 else 0)._replace(key=path.relative_to(tmp_path).as_posix())
        for n, path in enumerate(written.data)
    ]
    read = reader(Folder(tmp_path), *files)
    crew = hands(read, workers=4, processes=processes)
    try:
        blocks = list(crew.blocks([Part(n) for n in range(7)]))
    finally:
        crew.close()
    found = payloads(blocks)
    assert sorted(found, key=lambda item: int(item["id"]["N"])) == ITEMS
    assert {block.part for block in blocks if block.finished} == set(range(7))


def test_a_reader_can_be_pickled_with_its_store_and_is_told_things(tmp_path: Path) -> None:
    path = one_file(tmp_path, [exports.full_line(ITEMS[0])])
    convert = Upper()
    read: ExportReader = pickle.loads(
        pickle.dumps(
            reader(
                Folder(path.parent),
                file_of(path, 1),
                convert=convert,
                tell=convert.told.append,
                finish=whole,
            )
        )
    )
    assert read.name(0) == f"file {path}"
    with read:
        assert payloads(list(read(Part(0)))) == ITEMS[:1]


def test_news_go_to_the_converter(tmp_path: Path) -> None:
    convert = Upper()
    read, _ = full(tmp_path, convert=convert, tell=convert.told.append, finish=whole)
    read.tell("news")
    (block,) = read(Part(0))
    assert "news" in block.payload
    assert reader(Folder(tmp_path)).tell("news") is None  # type: ignore[func-returns-value]


def test_a_bucket_is_pickled_without_its_client() -> None:
    bucket = Bucket("bucket", "prefix", AwsSettings())
    bucket._opened = lambda: None
    copy = pickle.loads(pickle.dumps(bucket))
    assert copy._opened is None
    assert copy.address("key") == "s3://bucket/prefix/key"


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_connection_that_breaks_again_and_again_changes_nothing(compression: Any) -> None:
    lines = [exports.full_line(item) for item in ITEMS]
    data = exports.compressed(lines, compression)
    store = FakeStore(data, *[(11_000 + n * 777, EndpointError("broken")) for n in range(9)])
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    waits: list[float] = []
    read = reader(store, DataFile("a", 5000, md5, len(data)), sleep=waits.append)
    assert payloads(list(read(Part(0)))) == ITEMS
    assert len(waits) >= 2


def test_items_that_were_reordered_in_a_file_are_another_file(tmp_path: Path) -> None:
    path = one_file(tmp_path, [exports.full_line(item) for item in ITEMS])
    file = file_of(path, 5000)
    path.write_bytes(gzip.compress(b"".join(exports.full_line(i) + b"\n" for i in ITEMS[::-1])))
    read = reader(Folder(path.parent), file._replace(size=path.stat().st_size))
    with pytest.raises(DataError, match="has the MD5"):
        list(read(Part(0)))
