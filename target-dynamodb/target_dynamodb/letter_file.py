"""A dead-letter file on this machine, which runs append to."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError, Error
from target_dynamodb import exact
from target_dynamodb.letters import BEGINNING

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

PIECE_BYTES = 1 << 20
TAIL_BYTES = 1 << 16
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class LetterFile:
    """A file of this machine, which a run appends to; readable for its owner alone.

    Args:
        path: Where it is, or is to be.
    """

    most_bytes = PIECE_BYTES
    apart = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._size = 0

    def __str__(self) -> str:
        """Return its path."""
        return str(self._path)

    def open(self) -> None:
        """Open the file, or make it; cut off a last line that a killed run left unfinished.

        Raises:
            ConfigError: It cannot be made or written, is another kind of file, or another run
                writes it.
        """
        try:
            made = self._open()
            while not self._is_there():  # another run has removed it, as nothing was in it
                os.close(self._file)
                made = self._open()
            if made:
                _sync_folder(self._path.parent)
            elif hasattr(os, "fchmod"):
                os.fchmod(self._file, 0o600)
            self._mend()
        except BlockingIOError as error:
            raise self._unfit("another run writes to it") from error
        except OSError as error:
            raise self._unfit(error.strerror or type(error).__name__) from error

    def write(self, piece: bytes) -> None:
        """Append a piece; see `letterbox.Letterbox`."""
        left = memoryview(piece)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # else the next run does so
                os.ftruncate(self._file, self._size)
            raise self._failed(error) from error
        self._size += len(piece)

    def sync(self) -> None:
        """Let the file outlive the machine's power; see `letterbox.Letterbox`."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the file, and remove it if there is nothing in it."""
        if self._file < 0:
            return
        if not self._size:
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self._file)
        self._file = -1

    def _open(self) -> bool:
        """Open the file; return whether it was made."""
        try:
            self._file = os.open(self._path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self._file = os.open(self._path, _FLAGS)
            return False
        return True

    def _is_there(self) -> bool:
        """Lock the file; return whether it is still the one of its name."""
        opened = os.fstat(self._file)
        if not stat.S_ISREG(opened.st_mode):
            raise self._unfit("it is no file")
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            return os.path.samestat(opened, self._path.stat())
        except FileNotFoundError:
            return False

    def _mend(self) -> None:
        """See to it that what is appended begins a line, in a file that is one of ours."""
        size = self._size = os.fstat(self._file).st_size
        if not size:
            return
        begins = self._read(0, len(BEGINNING))
        if not BEGINNING.startswith(begins):
            raise self._unfit("it is no dead-letter file")
        tail, start = b"", size
        while start and b"\n" not in tail:
            step = min(TAIL_BYTES, start)
            start -= step
            tail = self._read(start, step) + tail
        last = tail[tail.rfind(b"\n") + 1 :]
        if not last:
            return
        if isinstance(exact.reread(last), dict):  # an editor may have left out its end
            os.write(self._file, b"\n")
            self._size += 1
        else:
            self._size -= len(last)
            os.ftruncate(self._file, self._size)

    def _read(self, start: int, size: int) -> bytes:
        os.lseek(self._file, start, os.SEEK_SET)
        return os.read(self._file, size)

    def _unfit(self, why: str) -> ConfigError:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        return ConfigError(
            f"The dead-letter file {self._path} cannot be written: {why}",
            "Name another file with dead_letter, in a folder that is there",
        )

    def _failed(self, error: OSError) -> Error:
        return Error(
            f"The dead-letter file {self._path} cannot be written: {error.strerror}",
            "See to room and permissions; no STATE was handed on beyond what the file holds, so "
            "run again with the last one",
        )


def _sync_folder(folder: Path) -> None:
    """Let a file's name outlive the machine's power, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
