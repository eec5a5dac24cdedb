"""Data dealt out to files by number, more than memory holds; read back a file at a time.

What is added waits in memory until its file's share of the buffers is full, and is then spilled as one
block. What is added together stays together: no row lies in two blocks.

::

    a file      blocks
    a block     length (4 bytes, little endian) of what follows, which is compressed (zlib)

Whose files they are is decided by the function that begins one: a run's own, with a name that nobody
knows (`spool.Draft`), or those of a folder, which another run of the same work finds again: `lengths`
is what it has to know.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Protocol

from isal import isal_zlib

from dynamodb_core.errors import Error, StateError
from dynamodb_core.spool import saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FAN_OUT = 64
"""Files that data is dealt out to."""

BUFFERED_BYTES = 8 << 20
"""Bytes that wait for their file, of all files together."""

AGAIN = "Make room there, or name another folder; run the same command again to go on"
BEGIN_ANEW = "Begin anew with --start-over: all of it is read again"

_LENGTH = struct.Struct("<I")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class File(Protocol):
    """What a bucket is written to. `spool.Draft` is one."""

    size: int
    """Bytes that were written."""

    def write(self, data: bytes) -> int:
        """Append to it.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        ...

    def keep(self) -> Path:
        """Close it, and return where it is.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        ...

    def drop(self) -> None:
        """Let go of it, unless it has been kept."""
        ...


class Buckets:
    """Takes data by the number of its bucket. A file is begun when there is something for it.

    Args:
        fan_out: How many buckets.
        begin: Begins the file of a bucket.
        buffered_bytes: Bytes that may wait for their file, of all buckets together.
    """

    def __init__(
        self,
        fan_out: int,
        begin: Callable[[int], File],
        *,
        buffered_bytes: int = BUFFERED_BYTES,
    ) -> None:
        self.fan_out = fan_out
        self._begin = begin
        self._most = max(1, buffered_bytes // fan_out)
        self._waiting: list[list[bytes]] = [[] for _ in range(fan_out)]
        self._sizes = [0] * fan_out
        self._files: list[File | None] = [None] * fan_out
        self._paths: list[Path | None] = [None] * fan_out

    @classmethod
    def create(
        cls, folder: Path, fan_out: int = FAN_OUT, *, buffered_bytes: int = BUFFERED_BYTES
    ) -> Buckets:
        """Return buckets whose files lie in a folder; what lies there under their names is replaced.

        Args:
            folder: The folder; it is made, for this user alone, with its first file.
            fan_out: How many buckets.
            buffered_bytes: Bytes that may wait for their file, of all buckets together.
        """
        return cls.reopen(folder, [0] * fan_out, buffered_bytes=buffered_bytes)

    @classmethod
    def reopen(
        cls, folder: Path, lengths: Sequence[int], *, buffered_bytes: int = BUFFERED_BYTES
    ) -> Buckets:
        """Return the buckets of another run as they were when it noted their lengths.

        What was spilled afterwards is cut off.

        Args:
            folder: The folder.
            lengths: What `lengths` returned then.
            buffered_bytes: Bytes that may wait for their file, of all buckets together.

        Raises:
            StateError: A file is not there, or shorter than it was.
            Error: A file cannot be written.
        """
        found = [_Appended(_path(folder, number), size) for number, size in enumerate(lengths)]
        buckets = cls(len(lengths), found.__getitem__, buffered_bytes=buffered_bytes)
        for number, file in enumerate(found):
            if file.size:
                file.cut()
                buckets._files[number] = file
        return buckets

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self._files if file is not None)

    def add(self, number: int, data: bytes) -> None:
        """Take data.

        Args:
            number: The bucket, from 0.
            data: What it is to hold; it is read back as a whole.

        Raises:
            Error: The disk is full, or the folder cannot be used.
        """
        self._waiting[number].append(data)
        self._sizes[number] += len(data)
        if self._sizes[number] >= self._most:
            self._spill(number)

    def lengths(self) -> list[int]:
        """Spill what waits, and return how long the files are now: what `reopen` has to know.

        They are so long for any other process, not yet after a loss of power.

        Raises:
            Error: The disk is full, or the folder cannot be used.
        """
        for number in range(self.fan_out):
            if self._waiting[number]:
                self._spill(number)
        return [0 if file is None else file.size for file in self._files]

    def seal(self) -> None:
        """Close the files, for they are to be read: nothing more is added, and they take no descriptors.

        Buckets that have no file yet may still be added to, and sealed later.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        for number, file in enumerate(self._files):
            if file is not None and self._paths[number] is None:
                self._paths[number] = file.keep()

    def read(self, number: int) -> Iterator[bytes]:
        """Yield what a bucket holds, in the order in which it came, in blocks of whole additions.

        Args:
            number: The bucket; it may be read several times.

        Raises:
            Error: The file cannot be read, or is damaged.
        """
        path = self._paths[number]
        if path is not None:
            yield from _blocks(path)
        if self._waiting[number]:
            yield b"".join(self._waiting[number])

    def remove(self, number: int) -> None:
        """Remove what a bucket holds, its file too. Nothing is added to it any more."""
        self._waiting[number].clear()
        self._sizes[number] = 0
        file, path = self._files[number], self._paths[number]
        if file is not None:
            (path or file.keep()).unlink(missing_ok=True)
        self._files[number] = self._paths[number] = None

    def clear(self) -> None:
        """Remove what all buckets hold."""
        for number in range(self.fan_out):
            self.remove(number)

    def close(self) -> None:
        """Let go of the files that are not sealed; those of a folder stay where they are."""
        for number, file in enumerate(self._files):
            if file is not None and self._paths[number] is None:
                file.drop()

    def _spill(self, number: int) -> None:
        file = self._files[number]
        if file is None:
            file = self._files[number] = self._begin(number)
        block = isal_zlib.compress(b"".join(self._waiting[number]), 0)
        file.write(_LENGTH.pack(len(block)) + block)
        self._waiting[number].clear()
        self._sizes[number] = 0


class _Appended:
    """A file of a folder that is written, from some length on, by one run after the other.

    Args:
        path: Where it is.
        size: How long it was.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._path = path
        self._descriptor: int | None = None

    def cut(self) -> None:
        """Cut off what was written after its length was noted."""
        with saying(self._path, BEGIN_ANEW):
            try:
                descriptor = os.open(self._path, os.O_WRONLY | _NO_LINK)
            except FileNotFoundError:
                raise self._short("is not there") from None
            try:
                there = os.fstat(descriptor).st_size
                if there < self.size:
                    raise self._short(f"has {there:,} bytes")
                os.ftruncate(descriptor, self.size)
            finally:
                os.close(descriptor)

    def write(self, data: bytes) -> int:
        with saying(self._path, AGAIN):
            if self._descriptor is None:
                self._descriptor = self._open()
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        self.size += len(data)
        return len(data)

    def keep(self) -> Path:
        with saying(self._path, AGAIN):
            self._close()
        return self._path

    def drop(self) -> None:
        self._close()

    def _open(self) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = 0 if self.size else os.O_TRUNC
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | fresh | _NO_LINK
        return os.open(self._path, flags, 0o600)

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _short(self, what: str) -> StateError:
        return StateError(
            f"The file {self._path} {what}, and {self.size:,} bytes of it were noted", BEGIN_ANEW
        )


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:03d}.spill"


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while head := file.read(_LENGTH.size):
                [length] = _LENGTH.unpack(head)
                block = isal_zlib.decompressobj()
                data = block.decompress(file.read(length))
                if not block.eof or block.unused_data:
                    raise ValueError("a block is not as long as it says")  # noqa: TRY301
                yield data
    except (struct.error, ValueError, isal_zlib.error) as error:  # type: ignore[misc]
        raise Error(f"The file {path} is damaged: {error}", BEGIN_ANEW) from error
    except OSError as error:
        raise Error(f"The file {path} cannot be read: {error.strerror}", BEGIN_ANEW) from error
