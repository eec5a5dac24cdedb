"""One data file of an export as whole lines: opened, inflated and verified while it streams.

::

    store ── bytes ── inflated ── whole lines      a chunk at a time, never a file
               │
               └ MD5 and size of what lies there, compared when the file is at its end

A connection that breaks is opened again where it broke; what lies there must still be the same. How a
file is compressed is told by its first bytes, whatever its name says.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import time
from base64 import b64encode
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from isal import igzip_lib

from dynamodb_core.errors import DataError, EndpointError, Error, ServiceError
from dynamodb_core.exports.documents import AS_WRITTEN, UNVERIFIED
from dynamodb_core.retry import Backoff
from dynamodb_core.zstandard import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import BinaryIO

    from dynamodb_core.exports.kinds import DataFile
    from dynamodb_core.objects import ObjectStore

MOST_LINE = 4 << 20
"""Bytes of a line. An item of 400 KB takes less, however it is escaped."""

READ_BYTES = 1 << 17
"""Bytes that are read at once, and about what a chunk has at the least, but for a file's last one.

What becomes of a chunk is to find room in the processor's cache: with chunks of a megabyte an item takes a
fifth longer."""

INFLATED_BYTES = 1 << 17
"""Bytes that are inflated at once, however many a few compressed ones stand for."""

TRIES = 6
"""How often a file is opened without a byte more of it, before its error stands."""

BACKOFF = Backoff(first=0.2, limit=10.0)
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_MAGIC_BYTES = 4
_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")
# No line of text has one; \x02 and \x03 stand in Hive's.
_BINARY = re.compile(rb"[\x00\x01\x04-\x08\x0e-\x1f]").search
_BINARY_WITHIN = 1024


class Chunk:
    """Some whole lines of a file.

    Args:
        data: The lines; the last one of a file may lack its end.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def lines(self) -> int:
        """How many they are, blank ones included: counted, unless whoever took them apart has set it."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))


class _Inflater(Protocol):
    """What libraries have to inflate some bytes at a time."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def chunks(
    store: ObjectStore,
    file: DataFile,
    *,
    verify: bool = True,
    most_line: int = MOST_LINE,
    backoff: Backoff = BACKOFF,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[Chunk]:
    """Yield the lines of a file. It is right as a whole only when this has come to its end.

    Args:
        store: What its key is below.
        file: The file.
        verify: Whether its size and its MD5 must be what the export says.
        most_line: The longest line there may be.
        backoff: The delays before a file is opened again.
        sleep: Waits for seconds.

    Raises:
        DataError: The file is gone, damaged, cut off, another than it was, or has a line without end.
        Error: It cannot be read.
    """
    where = store.address(file.key)
    source = _Source(
        store, file, read_bytes=min(READ_BYTES, most_line), backoff=backoff, sleep=sleep
    )
    number = 0
    with contextlib.closing(source.read()) as raw:
        try:
            inflated = _inflated(raw, file, min(INFLATED_BYTES, most_line))
            for data in _whole_lines(inflated, most_line):
                chunk = Chunk(data)
                yield chunk
                number += chunk.lines
        except _Damage as damage:
            raise DataError(
                f"The file {where} cannot be read beyond line {number:,}: {damage}", AS_WRITTEN
            ) from damage.__cause__
    if verify:
        source.check()


def blocks_of_lines(
    store: ObjectStore,
    file: DataFile,
    *,
    skip: int = 0,
    verify: bool = True,
    most_line: int = MOST_LINE,
    backoff: Backoff = BACKOFF,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[list[bytes]]:
    """Yield the lines of a file, some at a time, without blank ones and without their ends.

    Args:
        store: What its key is below.
        file: The file.
        skip: How many lines are left out at its beginning, blank ones included.
        verify: Whether size, MD5 and count of lines must be what the export says.
        most_line: As in `chunks`.
        backoff: As in `chunks`.
        sleep: As in `chunks`.

    Raises:
        DataError: As in `chunks`; or there are not as many lines as there should be.
        Error: It cannot be read.
    """
    number = items = 0
    options: dict[str, Any] = {"most_line": most_line, "backoff": backoff, "sleep": sleep}
    for chunk in chunks(store, file, verify=verify, **options):
        lines = chunk.data.split(b"\n")
        items += sum(1 for line in lines if line.strip())
        found = [line.rstrip(b"\r") for line in lines[max(0, skip - number) :] if line.strip()]
        number += chunk.lines
        if found:
            yield found
    if verify:
        check_count(file, store.address(file.key), items)


def check_count(file: DataFile, where: str, items: int) -> None:
    """Compare how many items a file has with how many it should have.

    Args:
        file: The file.
        where: Its address.
        items: How many it has.

    Raises:
        DataError: It should have more or fewer.
    """
    if file.items is not None and file.items != items:
        raise DataError(
            f"The file {where} has {items:,} items, and its manifest says {file.items:,}",
            UNVERIFIED,
        )


class _Damage(Exception):
    """What is wrong with a file's bytes, without the file."""


class _Source:
    """The bytes of a file as they lie there, read once."""

    def __init__(
        self,
        store: ObjectStore,
        file: DataFile,
        *,
        read_bytes: int,
        backoff: Backoff,
        sleep: Callable[[float], object],
    ) -> None:
        self._store = store
        self._file = file
        self._where = store.address(file.key)
        self._read_bytes = read_bytes
        self._backoff = backoff
        self._sleep = sleep
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._count = 0
        self._version: str | None = None

    def read(self) -> Generator[bytes, None, None]:
        """Yield the bytes, and go on where a connection broke."""
        stream: BinaryIO | None = None
        failed = 0
        delays = self._backoff.delays()
        try:
            while True:
                try:
                    if stream is None:
                        stream = self._open()
                    # What came before a break is kept, where the stream can give a part.
                    data = getattr(stream, "read1", stream.read)(self._read_bytes)
                except (EndpointError, ServiceError, OSError) as error:
                    failed += 1
                    if self._count and self._count == self._file.size:
                        return  # it broke behind the last byte
                    if failed == TRIES:
                        raise self._explained(error) from error
                    _close(stream)
                    stream = None
                    self._sleep(next(delays))
                    continue
                if not data:
                    return
                failed = 0
                delays = self._backoff.delays()
                self._count += len(data)
                self._md5.update(data)
                yield data
        finally:
            _close(stream)

    def check(self) -> None:
        """Compare what was read with what the export says."""
        if self._count != self._file.size:
            raise DataError(
                f"The file {self._where} has {self._count:,} bytes, and had {self._file.size:,} when "
                "the export was listed",
                "Let it be as it was and run again",
            )
        found = b64encode(self._md5.digest()).decode()
        if self._file.md5 is not None and self._file.md5 != found:
            raise DataError(
                f"The file {self._where} has the MD5 {found}, and its manifest says "
                f"{self._file.md5}",
                UNVERIFIED,
            )

    def _open(self) -> BinaryIO:
        stream = self._store.open(self._file.key, self._count)
        version = _version(stream)
        if self._count and version != self._version:
            _close(stream)
            raise DataError(
                f"The file {self._where} has changed while it was read",
                "Let it be as it was and run again with the last state",
            )
        self._version = version
        return stream

    def _explained(self, error: Exception) -> Error:
        if isinstance(error, Error):
            return type(error)(
                f"{error.message}; {self._count:,} bytes of {self._where} were read", error.hint
            )
        said = getattr(error, "strerror", None) or error
        return Error(
            f"The file {self._where} cannot be read beyond byte {self._count:,}: {said}",
            "Run again with the last state to go on",
        )


def _version(stream: BinaryIO) -> str | None:
    """Return what tells a state of a file from its others, None where that is not known."""
    told: str | None = getattr(getattr(stream, "raw", None), "version", None)  # S3
    if told is not None:
        return told
    try:
        stat = os.fstat(stream.fileno())
    except OSError:
        return None
    return f"{stat.st_dev}-{stat.st_ino}-{stat.st_size}-{stat.st_mtime_ns}"


def _close(stream: BinaryIO | None) -> None:
    if stream is not None:
        with contextlib.suppress(Error, OSError):  # it broke already
            stream.close()


def _inflated(raw: Iterator[bytes], file: DataFile, most: int) -> Iterator[bytes]:
    """Yield what a file says, some bytes at a time."""
    head = b""
    for data in raw:
        head += data
        if len(head) >= _MAGIC_BYTES:
            break
    named = file.key.lower().endswith(_SUFFIXES)
    if named and not head and file.items != 0:
        raise _Damage("it is empty, which no compressed file is")
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    whole = itertools.chain((head,) if head else (), raw)
    if kind == "gzip":
        yield from _members(whole, _gzip, igzip_lib.IsalError, most)
    elif kind == "zstd":
        zstd = zstandard("ferry-tap-dynamodb")
        yield from _members(whole, zstd.ZstdDecompressor, zstd.ZstdError, most)
    elif named and _BINARY(head[:_BINARY_WITHIN]):
        raise _Damage("it is named as a compressed file, and is neither gzip nor zstd")
    else:
        yield from whole


def _gzip() -> _Inflater:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _members(
    raw: Iterable[bytes], make: Callable[[], _Inflater], failure: Any, most: int
) -> Iterator[bytes]:
    """Inflate one compressed member after the other; zeros between them and behind them are none."""
    inflater: _Inflater | None = None
    for data in raw:
        given = data
        while True:
            if inflater is None:
                given = given.lstrip(b"\0")
                if not given:
                    break
                inflater = make()
            try:
                out = inflater.decompress(given, most)
            except failure as error:
                raise _Damage(f"it is damaged ({error})") from error
            if out:
                yield out
            given = b""
            if inflater.eof:
                given = inflater.unused_data
                inflater = None
            elif inflater.needs_input:
                break
    if inflater is not None:
        raise _Damage("it is cut off")


def _whole_lines(inflated: Iterable[bytes], most_line: int) -> Iterator[bytes]:
    """Yield whole lines, together some 128 KiB at the least; the last one may lack its end."""
    enough = min(READ_BYTES, most_line)
    pieces: list[bytes] = []
    size = 0
    for data in inflated:
        pieces.append(data)
        size += len(data)
        if size < enough:
            continue
        joined = b"".join(pieces)
        _bound(joined, most_line)
        cut = joined.rfind(b"\n") + 1
        rest = joined[cut:]
        pieces = [rest] if rest else []
        # A long line that is not yet whole is looked at again only when there is much more of it.
        size = 0 if not cut else len(rest)
        if cut:
            yield joined[:cut]
    joined = b"".join(pieces)
    if joined:
        _bound(joined, most_line)
        yield joined


def _bound(data: bytes, most_line: int) -> None:
    if len(data) > most_line and max(map(len, data.split(b"\n"))) > most_line:
        raise _Damage(f"its next lines hold one of more than {most_line:,} bytes")
