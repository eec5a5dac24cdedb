"""One file of an export as lines: however it is compressed, wherever its connection breaks."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import AccessError, DataError, EndpointError, Error, ServiceError
from dynamodb_core.exports import streaming
from dynamodb_core.exports.kinds import DataFile
from dynamodb_core.exports.streaming import TRIES, blocks_of_lines, chunks
from dynamodb_core.folders import Folder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

LINES = [b'{"Item":{"id":{"N":"%d"}}}' % n for n in range(2000)]
DATA = b"".join(line + b"\n" for line in LINES)
GZIP = gzip.compress(DATA)


class Breaking(io.RawIOBase):
    """A stream that breaks after some bytes."""

    def __init__(self, data: bytes, error: Exception | None, version: str | None) -> None:
        self.version = version
        self._stream = io.BytesIO(data)
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._stream.readinto(buffer)
        if not count and self._error is not None:
            raise self._error
        return count


class FakeStore(Folder):
    """Holds one object; opened for the nth time it breaks after so many bytes, as it is told."""

    def __init__(self, data: bytes, *breaks: tuple[int, Exception], refused: int = 0) -> None:
        super().__init__(Path("/"))
        self.data = data
        self.breaks = list(breaks)
        self.refused = refused
        self.starts: list[int] = []
        self.versions: Iterator[str] = iter(["one"] * 99)

    def address(self, key: str = "") -> str:
        return f"s3://bucket/exports/{key}"

    def open(self, key: str, start: int = 0) -> BinaryIO:
        self.starts.append(start)
        if self.refused:
            self.refused -= 1
            raise EndpointError("GetObject did not reach S3")
        size, error = self.breaks.pop(0) if self.breaks else (len(self.data), None)
        return io.BufferedReader(
            Breaking(self.data[start : start + size], error, next(self.versions)), 4096
        )


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def file_of(data: bytes, key: str = "data/a.json.gz", items: int | None = None) -> DataFile:
    return DataFile(key, items, md5(data), len(data))


def read(store: Any, file: DataFile, **options: Any) -> bytes:
    waits: list[float] = []
    data = b"".join(each.data for each in chunks(store, file, sleep=waits.append, **options))
    assert all(0 < wait < 11 for wait in waits)
    return data


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        lambda data: gzip.compress(data[:777]) + gzip.compress(b"") + gzip.compress(data[777:]),
        lambda data: gzip.compress(data[:7]) + b"\0" * 512 + gzip.compress(data[7:]) + b"\0" * 99,
        zstd.compress,
        lambda data: zstd.compress(data[:777]) + zstd.compress(data[777:]),
        lambda data: data,
    ],
    ids=["gzip", "members", "padded", "zstd", "frames", "none"],
)
@pytest.mark.parametrize("key", ["data/a.json.gz", "data/a.zst", "a"])
def test_the_first_bytes_say_how_a_file_is_compressed(
    pack: Callable[[bytes], bytes], key: str
) -> None:
    packed = pack(DATA)
    assert read(FakeStore(packed), file_of(packed, key)) == DATA


def test_a_chunk_is_whole_lines_and_neither_small_nor_large() -> None:
    data = DATA * 100
    packed = gzip.compress(data)
    found = list(chunks(FakeStore(packed), file_of(packed)))
    assert b"".join(each.data for each in found) == data
    assert all(each.data.endswith(b"\n") for each in found)
    assert all(each.data.count(b"\n") == each.lines for each in found)
    assert all(1 << 16 <= len(each.data) <= 2 << 17 for each in found[:-1])


def test_damage_is_told_by_the_lines_before_it() -> None:
    packed = gzip.compress(DATA * 100)[:-9]
    found: list[int] = []

    reading = chunks(FakeStore(packed), file_of(packed))
    with pytest.raises(DataError) as told:
        found.extend(each.data.count(b"\n") for each in reading)
    assert len(found) > 1
    assert f"beyond line {sum(found):,}:" in str(told.value)


def test_members_of_a_line_each_are_gathered() -> None:
    packed = b"".join(gzip.compress(line + b"\n", 1) for line in LINES)
    assert len(list(chunks(FakeStore(packed), file_of(packed)))) == 1


def test_a_last_line_without_its_end_counts() -> None:
    (chunk,) = chunks(FakeStore(b"a\nb\nc"), file_of(b"a\nb\nc"))
    assert (chunk.data, chunk.lines) == (b"a\nb\nc", 3)


@pytest.mark.parametrize("data", [gzip.compress(b""), b""], ids=["gzip of nothing", "nothing"])
def test_a_partition_without_items_has_no_lines(data: bytes) -> None:
    assert read(FakeStore(data), file_of(data, items=0)) == b""


def test_an_empty_file_is_no_gzip() -> None:
    with pytest.raises(DataError, match=r"bucket/exports/data/a.json.gz .*is empty"):
        read(FakeStore(b""), file_of(b"", items=None))


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 100, len(GZIP) - 3, len(GZIP) - 11])
def test_a_file_that_is_cut_off_is_named(cut: int) -> None:
    data = GZIP[:-cut]
    with pytest.raises(
        DataError, match=r"data/a\.json\.gz cannot be read beyond line [0-9,]+: it is cut"
    ):
        read(FakeStore(data), file_of(data), verify=False)


def test_a_zstd_file_that_is_cut_off_is_named() -> None:
    data = zstd.compress(DATA)[:-4]
    with pytest.raises(DataError, match="it is cut off"):
        read(FakeStore(data), file_of(data), verify=False)


@pytest.mark.parametrize("at", [20, len(GZIP) // 2, -8, -1])
def test_a_file_with_a_wrong_byte_is_named(at: int) -> None:
    data = bytearray(GZIP)
    data[at] ^= 0x10
    with pytest.raises(DataError, match=r"data/a\.json\.gz .* it is (damaged|cut off)"):
        read(FakeStore(bytes(data)), file_of(bytes(data)), verify=False)


@pytest.mark.parametrize("more", [b"{", b"junk" * 9, GZIP[:5]], ids=["{", "junk", "half a head"])
def test_what_follows_a_member_is_another_or_zeros(more: bytes) -> None:
    with pytest.raises(DataError, match=r"it is (damaged|cut off)"):
        read(FakeStore(GZIP + more), file_of(GZIP + more), verify=False)


def test_a_file_whose_header_is_gone_is_named() -> None:
    data = b"\0\0" + GZIP[2:]
    with pytest.raises(DataError, match="named as a compressed file"):
        read(FakeStore(data), file_of(data), verify=False)


def test_another_md5_is_an_error_at_the_end() -> None:
    file = file_of(GZIP)._replace(md5=md5(b"another"))
    reading = chunks(FakeStore(GZIP), file)
    assert next(reading).data == DATA
    with pytest.raises(DataError, match=r"data/a\.json\.gz has the MD5 .*verify: false"):
        next(reading)
    assert read(FakeStore(GZIP), file, verify=False) == DATA


@pytest.mark.parametrize("more", [-1, 1])
def test_another_size_is_an_error(more: int) -> None:
    file = file_of(GZIP)._replace(md5=None, size=len(GZIP) + more)
    with pytest.raises(DataError, match=r"a\.json\.gz has [0-9,]+ bytes, and had [0-9,]+ when"):
        read(FakeStore(GZIP), file)
    assert read(FakeStore(GZIP), file, verify=False) == DATA


@pytest.mark.parametrize(
    "error", [EndpointError("broken"), ServiceError("503"), OSError(5, "gone")]
)
@pytest.mark.parametrize("packed", [GZIP, DATA], ids=["gzip", "none"])
def test_a_connection_that_breaks_goes_on_at_its_byte(
    packed: bytes, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "READ_BYTES", 1000)
    store = FakeStore(packed, *[(size, error) for size in (1, 1001, 2500, 0, 3)])
    assert read(store, file_of(packed)) == DATA
    assert store.starts == [0, 1, 1002, 3502, 3502, 3505]


def test_breaks_that_come_after_some_progress_are_no_end() -> None:
    store = FakeStore(DATA, *[(1 << 18, EndpointError("broken"))] * 30)
    store.data = DATA * 200
    assert read(store, file_of(store.data, "a")) == store.data


def test_a_connection_that_stays_broken_is_an_error_with_its_place() -> None:
    store = FakeStore(DATA, *[(0, EndpointError("No route", "Check the network"))] * 99)
    with pytest.raises(EndpointError, match=r"No route; 0 bytes of .*/a were read\. Check"):
        read(store, file_of(DATA, "a"))
    assert len(store.starts) == TRIES


def test_a_disk_that_fails_is_an_error_of_ours() -> None:
    store = FakeStore(DATA, *[(0, OSError(5, "Input/output error"))] * 99)
    with pytest.raises(Error, match=r"exports/a cannot be read beyond byte 0: Input/output error"):
        read(store, file_of(DATA, "a"))


def test_a_store_that_cannot_be_reached_at_once_is_asked_again() -> None:
    store = FakeStore(GZIP, refused=TRIES - 1)
    assert read(store, file_of(GZIP)) == DATA


@pytest.mark.parametrize("error", [AccessError("refused"), DataError("gone")])
def test_what_does_not_pass_is_not_tried_again(error: Error) -> None:
    store = FakeStore(GZIP, (10, error))
    with pytest.raises(type(error)):
        read(store, file_of(GZIP))
    assert store.starts == [0]


def test_an_object_that_changes_between_two_tries_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "READ_BYTES", 1000)
    store = FakeStore(DATA, (3000, EndpointError("broken")))
    store.versions = iter(["one", "two"])
    with pytest.raises(DataError, match="exports/a has changed while it was read"):
        read(store, file_of(DATA, "a"), verify=False)


def test_a_connection_that_breaks_behind_the_last_byte_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "READ_BYTES", len(GZIP))
    store = FakeStore(GZIP, (len(GZIP), EndpointError("broken")))
    assert read(store, file_of(GZIP)) == DATA
    assert store.starts == [0]


def test_a_file_of_a_folder_that_changes_is_seen(tmp_path: Path) -> None:
    class Flaky(Folder):
        def open(self, key: str, start: int = 0) -> BinaryIO:
            file = super().open(key, start)
            if not start:
                return _FailsLater(file)  # type: ignore[return-value]
            return file

    path = tmp_path / "a"
    path.write_bytes(DATA * 20)
    file = DataFile("a", None, None, len(DATA) * 20)
    assert read(Flaky(tmp_path), file) == DATA * 20
    reading = chunks(Flaky(tmp_path), file, sleep=lambda _: path.write_bytes(b"x" * file.size))
    with pytest.raises(DataError, match="has changed while it was read"):
        list(reading)


class _FailsLater:
    """A file that can be read once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads = 0

    def read1(self, size: int) -> bytes:
        self._reads += 1
        if self._reads > 1:
            raise OSError(116, "Stale file handle")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: data], ids=["gzip", "none"])
@pytest.mark.parametrize("most", [300, 5000])
def test_a_line_is_bounded(pack: Callable[[bytes], bytes], most: int) -> None:
    for data, right in (
        (b"x\n" * 90 + b"y" * most + b"\n" + b"z\n" * 9, True),
        (b"x\n" * 90 + b"y" * (most + 1) + b"\n" + b"z\n" * 9, False),
        (b"x\n" * 90 + b"y" * (most + 1), False),
        (b"y" * most, True),
    ):
        packed = pack(data)
        if right:
            assert read(FakeStore(packed), file_of(packed), most_line=most) == data
        else:
            with pytest.raises(DataError, match=r"a\.json\.gz .* of more than [0-9,]+ bytes"):
                read(FakeStore(packed), file_of(packed), most_line=most)


@pytest.mark.parametrize("fill", [b"\0", b"\n"], ids=["one line", "blank lines"])
def test_a_bomb_takes_no_more_memory_than_a_line(fill: bytes) -> None:
    """1 GiB of one byte, in a file of a few KB: zstd of a MiB, many times."""
    packed = zstd.compress(fill * (1 << 20)) * 1024
    tracemalloc.start()
    try:
        for _ in chunks(FakeStore(packed), file_of(packed), verify=False):
            pass
    except DataError as error:
        assert "of more than 4,194,304 bytes" in str(error)  # noqa: PT017
    else:
        assert fill == b"\n"
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 32 << 20


def test_lines_without_blank_ones_and_their_ends() -> None:
    data = b"a\r\n\n \t\nb\nc"
    blocks = blocks_of_lines(FakeStore(data), file_of(data, "a", items=3))
    assert list(blocks) == [[b"a", b"b", b"c"]]


@pytest.mark.parametrize("skip", [0, 1, 2, 3, 4, 1999, 2000])
def test_lines_are_left_out(skip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "READ_BYTES", 1000)
    blocks = blocks_of_lines(FakeStore(DATA), file_of(DATA, "a", items=2000), skip=skip)
    assert [line for block in blocks for line in block] == LINES[skip:]


@pytest.mark.parametrize("items", [1999, 2001, 0])
@pytest.mark.parametrize("skip", [0, 500])
def test_another_count_of_lines_is_an_error(items: int, skip: int) -> None:
    file = file_of(GZIP, items=items)
    with pytest.raises(DataError, match=rf"gz has 2,000 items, and its manifest says {items:,}"):
        list(blocks_of_lines(FakeStore(GZIP), file, skip=skip))
    assert list(blocks_of_lines(FakeStore(GZIP), file, skip=skip, verify=False))


def test_a_reader_that_is_left_closes_what_it_has_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def close(self: Breaking) -> None:
        closed.append(self.version)
        io.RawIOBase.close(self)

    monkeypatch.setattr(Breaking, "close", close)
    reading = chunks(FakeStore(DATA * 100), file_of(DATA * 100, "a"))
    next(reading)
    assert not closed
    reading.close()  # type: ignore[attr-defined]
    assert closed
