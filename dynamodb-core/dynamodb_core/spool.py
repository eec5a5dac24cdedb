"""The folder of a run: files for another program, which removes them; the writing side.

::

    <root>/ferry-<token>/      0700, made by the run that writes
        .ferry                 the mark: says the token, and is locked (shared) while anyone is at work
        .ended                 the run came to its normal end; what is left is for the reader
        <prefix><token>-….…    a file, 0600, whole: it had another name while it was written

A folder whose mark nobody has locked, and which has not ended, is that of a dead run: `sweep` removes
it. `inbox.py` is the reading side.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.errors import ConfigError, Error

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and only what has ended is swept
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

MARK = ".ferry"
ENDED = ".ended"
KEPT_SECONDS = 86_400.0
"""What a run left for its reader at a normal end is removed when nobody has come for it so long."""

GO_ON = "Make room there, or name another folder; run again with the last state to go on"

_FOLDER = re.compile(r"ferry-([0-9a-f]{32})\Z")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Swept(NamedTuple):
    """What a sweep has removed.

    Attributes:
        runs: Folders of runs.
        size: Bytes of their files.
    """

    runs: int
    size: int


class Spool:
    """The folder of one run. Pickled, it is the same folder, without the lock of the run.

    Args:
        folder: The folder, made by `create`.
        lock: Descriptor of the mark that this run has locked, if it is the one that made it.
    """

    def __init__(self, folder: Path, lock: int | None = None) -> None:
        self.folder = folder
        self.token = token_of(folder) or ""
        self._lock = lock
        self._beginning = threading.Lock()
        self._over = False

    def __reduce__(self) -> Any:
        """Pickle by the folder."""
        return type(self), (self.folder,)

    @classmethod
    def create(cls, root: Path) -> Spool:
        """Make the folder of a run, marked and locked until `end`, `abandon` or the process's end.

        Args:
            root: Below which folder; it is made, for this user alone, where it is not there.

        Raises:
            ConfigError: That folder cannot be used, or others may write to it.
        """
        token = secrets.token_hex(16)
        folder = root / f"ferry-{token}"
        fresh = folder / f"{MARK}-new"
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_shared(root)
            folder.mkdir(mode=0o700)
            lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600)
            os.write(lock, token.encode())
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_SH)
            fresh.rename(folder / MARK)  # locked before anyone can find it
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
                folder.rmdir()
            raise ConfigError(
                f"The folder {root} cannot be used for files: {error.strerror}",
                "Name a folder on this machine that this user may write to",
            ) from error
        return cls(folder, lock)

    def draft(self, suffix: str, prefix: str = "") -> Draft:
        """Begin a file. Several threads and processes may have one each.

        Args:
            suffix: Ends its name.
            prefix: Begins its name.

        Raises:
            Error: It cannot be made, or the run has broken off.
        """
        name = f"{prefix}{self.token}-{secrets.token_hex(8)}{suffix}"
        with self._beginning:
            if self._over:
                raise Error(f"The run has broken off, and folder {self.folder} takes no more files")
            return Draft(self.folder / name)

    def files(self) -> dict[Path, int]:
        """Return the files that nobody has removed yet with their sizes, drafts too."""
        return dict(_files(self.folder, self.token))

    def end(self) -> None:
        """Say that the run has ended as it should; what is left is its reader's.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        with saying(self.folder):
            flags = os.O_WRONLY | os.O_CREAT | _NO_LINK
            os.close(os.open(self.folder / ENDED, flags, 0o600))
        self._unlock()
        remove_if_empty(self.folder)

    def abandon(self, keep: Collection[Path] = ()) -> None:
        """Remove what no reader has heard of, as the run breaks off.

        Args:
            keep: Files that a reader may still come for, before the next sweep.
        """
        with self._beginning:  # a thread that is still at work begins none after this
            self._over = True
            for path, _size in _files(self.folder, self.token):
                if path not in keep:
                    with contextlib.suppress(OSError):
                        path.unlink()
        self._unlock()
        if not any(_files(self.folder, self.token)):
            _remove(self.folder, self.token)

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class Draft:
    """A file that is not whole yet. It gets its name when it is.

    Args:
        path: Its path when it is whole.

    Raises:
        Error: It cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._draft = path.with_name(f".{path.name}")
        with saying(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
            self._file = os.fdopen(os.open(self._draft, flags, 0o600), "wb")

    def write(self, data: bytes) -> int:
        """Write more of it.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        with saying(self.path):
            self._file.write(data)
        self.size += len(data)
        return len(data)

    def keep(self) -> Path:
        """Finish it, give it its name, and return its path.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        with saying(self.path):
            self._file.close()
            self._draft.rename(self.path)
        return self.path

    def drop(self) -> None:
        """Remove it, unless it has its name already."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._draft.unlink()


def sweep(root: Path, *, now: Callable[[], float] = time.time) -> Swept:
    """Remove what dead runs have left below a root, and what nobody has come for.

    Args:
        root: As for `Spool.create`; it need not be there.
        now: Returns the time in seconds since 1970.
    """
    runs = size = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(root) as entries:
        for folder in [Path(entry.path) for entry in entries]:
            token = token_of(folder)
            if token is None or not _is_dead(folder, now()):
                continue
            with contextlib.suppress(OSError), _locked_alone(folder / MARK) as alone:
                if alone and _is_dead(folder, now()):  # it may just have come to its end
                    size += sum(size for _path, size in _files(folder, token))
                    runs += 1
                    _remove(folder, token)
    return Swept(runs, size)


def token_of(folder: Path) -> str | None:
    """Return the token of a run's folder; None where it is no such folder of this user."""
    named = _FOLDER.match(folder.name)
    if named is None:
        return None
    try:
        found = folder.lstat()
        mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if not mine or not stat.S_ISDIR(found.st_mode):
            return None  # nothing in there is looked at: it may be a pipe that waits for us
        mark = (folder / MARK).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return named[1] if mark == named[1] else None


def remove_if_empty(folder: Path) -> None:
    """Remove the folder of a run that has ended, when its last file is gone."""
    token = token_of(folder)
    if token and (folder / ENDED).exists() and not any(_files(folder, token)):
        _remove(folder, token)


def refuse_shared(root: Path) -> None:
    """Refuse a root where others could put something in the place of a run's folder.

    Args:
        root: The root, which is there.

    Raises:
        ConfigError: It belongs to another user, or others may write to it.
    """
    found = root.stat()
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    strange = hasattr(os, "getuid") and found.st_uid not in (0, os.getuid())
    if shared or strange:
        raise ConfigError(
            f"The folder {root} is no place for files with data: "
            + ("it belongs to another user" if strange else "other users may write to it"),
            "Name a folder below it that is not there yet: it is made for this user alone",
        )


def _is_dead(folder: Path, now: float) -> bool:
    try:
        return now - (folder / ENDED).lstat().st_mtime > KEPT_SECONDS
    except FileNotFoundError:
        return fcntl is not None  # else nobody can tell


@contextlib.contextmanager
def _locked_alone(mark: Path) -> Iterator[bool]:
    """Try to lock a mark that nobody else has locked; yields whether that was so."""
    descriptor = os.open(mark, os.O_RDWR | _NO_LINK)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _files(folder: Path, token: str) -> Iterator[tuple[Path, int]]:
    """Yield the files of a run with their sizes, drafts too."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # its reader was faster
                if f"{token}-" in entry.name:
                    yield Path(entry.path), entry.stat(follow_symlinks=False).st_size


def _remove(folder: Path, token: str) -> None:
    """Remove a run's folder with what is ours in it; what is not keeps it in place."""
    mark, ended = folder / MARK, folder / ENDED
    with contextlib.suppress(OSError):
        for path in (*(path for path, _size in _files(folder, token)), ended, mark):
            path.unlink(missing_ok=True)
        folder.rmdir()


@contextlib.contextmanager
def saying(path: Path, hint: str = GO_ON) -> Iterator[None]:
    """Turn what the system says of a file that is written into an error of ours.

    Args:
        path: The file.
        hint: What the user can do.

    Raises:
        Error: Writing it failed.
    """
    try:
        yield
    except OSError as error:
        raise Error(f"The file {path} cannot be written: {error.strerror}", hint) from error
