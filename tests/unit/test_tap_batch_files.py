"""Pages to files in a worker: when a file ends, what its block says, what is left to the parent."""

from __future__ import annotations

import gzip
import os
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import Error
from dynamodb_core.layouts import Columns
from dynamodb_core.parts import Block
from dynamodb_core.spool import MARK, Spool
from tap_dynamodb.batch import Batching
from tap_dynamodb.batch_files import FILE_SECONDS, BatchFile, FileWriter
from tap_dynamodb.pages import Page
from tap_dynamodb.render import Rendered
from tap_dynamodb.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool.create(tmp_path)


def writer(spool: Spool, clock: Clock | None = None, **more: Any) -> FileWriter:
    return FileWriter(spool, Batching(spool.folder.parent, **more), clock or Clock())


def rendered(*lines: str, **more: Any) -> Rendered:
    return Rendered(lines="".join(f"{it}\n" for it in lines).encode(), count=len(lines), **more)


def block(number: int, last: int = 0, expired: int = 0, **parts: Rendered) -> Block[Page]:
    seen = (Seen(missing=number),)
    count = sum(each.count for each in parts.values())
    page = Page(parts, expired, seen)
    place = None if last else {"id": {"S": str(number)}}
    return Block(3, page, count, place, bool(last), size=10, units=0.5)


def lines(made: Rendered) -> list[str]:
    assert made.lines == b""
    assert made.file is not None
    data = made.file.read_bytes()
    return (gzip.decompress(data) if made.file.suffix == ".gz" else data).decode().splitlines()


def drafts(spool: Spool) -> int:
    return sum(path.name.startswith(".") for path in spool.files())


def test_the_pages_of_a_part_become_one_block_at_its_end(spool: Spool) -> None:
    blocks = [
        block(1, t=rendered("a", "b", rest={"x": 1}), expired=2),
        block(2, t=rendered("c", reserved=True, rest={"x": 2, "y": 1})),
        block(3, True, t=rendered("d", rest={"y": 3}), expired=1),
    ]
    (made,) = writer(spool)(iter(blocks))
    assert (made.part, made.count, made.size, made.units) == (3, 4, 30, 1.5)
    assert (made.place, made.finished) == (None, True)
    assert made.payload.expired == 3
    assert [seen.missing for seen in made.payload.seen] == [1, 2, 3]
    part = made.payload.parts["t"]
    assert lines(part) == ["a", "b", "c", "d"]
    assert (part.count, part.reserved, dict(part.rest)) == (4, True, {"x": 3, "y": 4})
    assert spool.files().keys() == {part.file}


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_file_ends_after_so_many_records_and_its_place_is_that_after_them(
    spool: Spool, compression: str
) -> None:
    blocks = [block(n, n == 5, t=rendered(f"{n}a", f"{n}b")) for n in range(1, 6)]
    made = list(writer(spool, size=3, compression=compression)(iter(blocks)))
    assert [lines(each.payload.parts["t"]) for each in made] == [
        ["1a", "1b", "2a", "2b"],
        ["3a", "3b", "4a", "4b"],
        ["5a", "5b"],
    ]
    assert [each.place for each in made] == [{"id": {"S": "2"}}, {"id": {"S": "4"}}, None]
    assert [each.finished for each in made] == [False, False, True]


def test_a_file_ends_after_so_many_bytes(spool: Spool) -> None:
    noise = [os.urandom(200_000).hex() for _ in range(4)]
    blocks = [block(n, n == 4, t=rendered(noise[n - 1])) for n in range(1, 5)]
    here = writer(spool, pending_bytes=1 << 20)
    assert here.batching.file_bytes == 1 << 18
    made = list(here(iter(blocks)))
    assert [each.count for each in made] == [2, 2]
    assert max(spool.files().values()) < 500_000


def test_a_file_ends_after_some_seconds(spool: Spool) -> None:
    clock = Clock()

    def slowly() -> Iterator[Block[Page]]:
        for number in range(1, 6):
            yield block(number, number == 5, t=rendered(str(number)))
            clock.now += FILE_SECONDS / 2

    assert [each.count for each in writer(spool, clock)(slowly())] == [3, 2]


def test_pages_without_records_have_no_file(spool: Spool) -> None:
    blocks = [block(1, t=Rendered()), block(2, True, t=Rendered())]
    (made,) = writer(spool)(iter(blocks))
    assert made.payload.parts["t"] == Rendered()
    assert (made.place, made.finished) == (None, True)
    assert len(made.payload.seen) == 2
    assert not spool.files()


def test_the_streams_of_a_table_have_a_file_each_and_end_together(spool: Spool) -> None:
    blocks = [
        block(1, a=rendered("1a"), b=Rendered()),
        block(2, a=rendered("2a", "2a"), b=rendered("2b")),
        block(3, a=rendered(), b=rendered("3b")),
        block(4, True, a=rendered(), b=rendered("4b")),
    ]
    one, other = writer(spool, size=3)(iter(blocks))
    assert lines(one.payload.parts["a"]) == ["1a", "2a", "2a"]
    assert lines(one.payload.parts["b"]) == ["2b"]
    assert other.payload.parts["a"].file is None
    assert lines(other.payload.parts["b"]) == ["3b", "4b"]
    assert (one.place, other.place) == ({"id": {"S": "2"}}, None)


def test_a_page_with_late_columns_is_left_to_the_parent(spool: Spool) -> None:
    late = block(2, a=rendered("2a", late={"x": "S"}), b=rendered("2b"))
    blocks = [block(1, a=rendered("1a"), b=rendered("1b")), late, late]
    blocks.append(block(3, True, a=rendered("3a"), b=rendered("3b")))
    before, *apart, after = writer(spool)(iter(blocks))
    assert lines(before.payload.parts["a"]) == ["1a"]
    assert (before.place, before.finished) == ({"id": {"S": "1"}}, False)
    assert apart == [late, late]
    assert lines(after.payload.parts["b"]) == ["3b"]
    assert after.finished


def test_a_part_that_ends_with_such_a_page(spool: Spool) -> None:
    late = block(1, True, t=rendered("1", late={"x": "S"}))
    assert list(writer(spool)(iter([late]))) == [late]
    assert not spool.files()


def test_a_reader_that_is_given_up_leaves_no_draft(spool: Spool) -> None:
    def blocks() -> Iterator[Block[Page]]:
        yield block(1, t=rendered("1"))
        assert drafts(spool) == 1
        yield block(2, t=rendered("2", late={"x": "S"}))

    made = writer(spool)(blocks())
    first = next(made)
    assert spool.files().keys() == {first.payload.parts["t"].file}
    made.close()  # type: ignore[attr-defined]
    assert spool.files().keys() == {first.payload.parts["t"].file}


def test_a_part_that_ends_too_early_leaves_no_draft(spool: Spool) -> None:
    assert list(writer(spool)(iter([block(1, t=rendered("1"))]))) == []
    assert not spool.files()


def test_an_error_of_the_source_leaves_no_draft(spool: Spool) -> None:
    def broken() -> Iterator[Block[Page]]:
        yield block(1, t=rendered("1"))
        assert drafts(spool) == 1
        raise Error("the line is dead")

    with pytest.raises(Error, match="the line is dead"):
        list(writer(spool)(broken()))
    assert not spool.files()


def test_a_file_that_could_not_be_written_is_never_kept(spool: Spool) -> None:
    file = BatchFile(spool, Batching(spool.folder.parent, compression="none"))
    real = file._draft._file
    full: Any = os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0)
    file._draft._file = full
    with full, pytest.raises(Error, match="No space left on device"):
        file.add(b"x\n", 1)
    file._draft._file = real  # there is room again, and a gap in the file
    with pytest.raises(Error, match="No space left on device"):
        file.add(b"y\n", 1)
    with pytest.raises(Error, match="No space left on device"):
        file.keep()
    file.drop()
    assert not spool.files()


def test_a_file_whose_end_could_not_be_written_is_never_kept(spool: Spool) -> None:
    file = BatchFile(spool, Batching(spool.folder.parent))
    file.add(b"x\n", 1)
    real = file._draft._file
    full: Any = os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0)
    file._draft._file = full
    with full, pytest.raises(Error, match="No space left on device"):
        file.keep()
    file._draft._file = real
    with pytest.raises(Error, match="No space left on device"):
        file.keep()
    file.drop()
    assert not spool.files()


def test_it_travels_to_another_process(spool: Spool) -> None:
    here = FileWriter(spool, Batching(spool.folder.parent))
    again = pickle.loads(pickle.dumps(here))
    (made,) = again(iter([block(1, True, t=rendered("a"))]))
    there = pickle.loads(pickle.dumps(made))
    assert lines(there.payload.parts["t"]) == ["a"]
    assert there.payload.parts["t"].file.parent == spool.folder


def test_any_gzip_reads_the_files(spool: Spool) -> None:
    text = "".join(f'{{"n":{n}}}' for n in range(200_000))
    file = BatchFile(spool, Batching(spool.folder.parent))
    for _ in range(3):
        file.add(f"{text}\n".encode(), 1)
    path = file.keep()
    assert gzip.decompress(path.read_bytes()).decode() == f"{text}\n" * 3
    assert {p.name for p in spool.folder.iterdir()} == {MARK, path.name}
    assert path.stat().st_size < len(text)


def test_of_a_large_page_no_second_copy_is_compressed_at_once(spool: Spool) -> None:
    file = BatchFile(spool, Batching(spool.folder.parent))
    sizes: list[int] = []

    class Gzip:
        def compress(self, data: bytes) -> bytes:
            sizes.append(len(data))
            return b""

    file._writes._gzip = Gzip()  # type: ignore[attr-defined]
    file.add(b"x" * 1_000_000, 1)
    file.drop()
    assert sum(sizes) == 1_000_000
    assert max(sizes) <= 1 << 18


def test_other_columns_begin_another_file_where_files_have_columns(spool: Spool) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    one = Columns({"a": "S"}, reserved=None)
    more = one.widened({"b": "N"})
    pages = [('{"a":"x"}', one), ('{"a":"y"}', one), ('{"b":1}', more), ('{"a":"z","b":2}', more)]
    blocks = [
        block(n, n == 3, t=rendered(line, layout=layout)) for n, (line, layout) in enumerate(pages)
    ]
    first, last = writer(spool, format="parquet")(iter(blocks))
    tables = [parquet.read_table(each.payload.parts["t"].file) for each in (first, last)]
    assert [table.to_pylist() for table in tables] == [
        [{"a": "x"}, {"a": "y"}],
        [{"a": None, "b": 1.0}, {"a": "z", "b": 2.0}],
    ]
    assert first.place == {"id": {"S": "1"}}
    (same,) = writer(spool)(iter(blocks))  # lines have no columns
    assert same.count == 4


@pytest.mark.parametrize("size", [1, 2, 5])
def test_records_are_all_there_whatever_the_size_of_files(spool: Spool, size: int) -> None:
    pages = [["a"], [], ["b", "c"], ["d", "e", "f"], [], ["g"]]
    blocks = [block(n, n == 5, t=rendered(*page)) for n, page in enumerate(pages)]
    found = []
    for each in writer(spool, size=size)(iter(blocks)):
        part = each.payload.parts["t"]
        found += lines(part) if part.file else []
    assert found == list("abcdefg")
