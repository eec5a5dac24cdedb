"""Files that another program has written for us and named in a message; the reading side.

Only what lies below one folder is read, however it was named, and only what carries the mark of a run
of ours (`spool.py`) is removed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dynamodb_core import spool
from dynamodb_core.errors import DataError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from typing import BinaryIO

_SCHEME = "file://"
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True)
class Claim:
    """A file to read. Processes may pass it on to each other.

    Attributes:
        path: Where it is, links resolved.
        ours: Whether a run of ours wrote it, so that it is removed when it has been read.
        size: Its bytes.
    """

    path: Path
    ours: bool
    size: int

    def open(self) -> BinaryIO:
        """Open it to be read; the caller closes it.

        Raises:
            DataError: It is gone, or no file any more.
        """
        return _open(self.path)


class Inbox:
    """Claims files below one folder, and keeps what they lie in from being swept meanwhile.

    Args:
        root: The folder; it need not be there before the first claim.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: dict[Path, int] = {}

    def claim(self, location: str) -> Claim:
        """Return a file that a message names.

        Args:
            location: A `file://` URL, encoded or (as the SDK writes it) not; or an absolute path.

        Raises:
            DataError: It is no local file, not below the folder, or not there.
        """
        root = Path(os.path.realpath(self._root))
        outside = False
        for named in _paths(location):
            path = Path(os.path.realpath(named))
            if not path.is_relative_to(root):
                outside = True
            elif _is_there(path):
                token = self._lock(path.parent)
                with _open(path) as file:  # its folder may have been swept before it was locked
                    size = os.fstat(file.fileno()).st_size
                return Claim(path, token is not None and f"{token}-" in path.name, size)
        if outside:
            raise DataError(
                f"The file {location!r} is not below {root}, and is not read",
                "Let the tap write its files below that folder, or name the folder of its files",
            )
        raise DataError(
            f"There is no file {location!r}",
            "It may have been read and removed already; run again with the last state to go on",
        )

    def remove(self, claim: Claim) -> bool:
        """Remove a file that has been read, if a run of ours wrote it, and the folder after the last.

        Args:
            claim: The file.

        Returns:
            Whether it was removed.

        Raises:
            DataError: It cannot be removed.
        """
        if not claim.ours:
            return False
        try:
            claim.path.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(
                f"The file {claim.path} has been read and cannot be removed: {error.strerror}",
                "Look at who may write to its folder",
            ) from error
        spool.remove_if_empty(claim.path.parent)
        return True

    def close(self) -> None:
        """Let go of all folders."""
        for lock in self._locks.values():
            os.close(lock)
        self._locks.clear()

    def _lock(self, folder: Path) -> str | None:
        """Keep a run's folder from being swept; return its token, None where it is none of ours."""
        token = spool.token_of(folder)
        if token is not None and folder not in self._locks:
            for gone in [each for each in self._locks if not each.exists()]:
                os.close(self._locks.pop(gone))
            with contextlib.suppress(OSError):  # swept just now: then the file is gone, too
                lock = self._locks[folder] = os.open(folder / spool.MARK, _FLAGS)
                if fcntl is not None:
                    fcntl.flock(lock, fcntl.LOCK_SH)
        return token


def _paths(location: str) -> list[str]:
    """Return what paths a location may mean, the likeliest first."""
    if location[: len(_SCHEME)].lower() == _SCHEME:
        path = location[len(_SCHEME) :].removeprefix("localhost")
        paths = list(dict.fromkeys([path, unquote(path)]))
    else:
        paths = [location]
    if all(Path(path).is_absolute() and "\0" not in path for path in paths):
        return paths
    raise DataError(
        f"{location!r} names no file of this machine",
        "Let the tap write its files into a folder: its batch_config needs a storage root of file:///",
    )


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, a folder that may not be looked into
        return False


def _open(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, _FLAGS | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
        reason = "it is no file"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise DataError(
        f"The file {path} cannot be read: {reason}",
        "It may have been removed meanwhile; run again with the last state to go on",
    )
