"""Objects below a folder of this machine: what `objects.py` does in S3, without a network.

A key is what follows the folder, with `/` between its steps: absolute ones, and those with `..`, are
refused, so that nothing beyond the folder is read, written or removed. What is put is whole or not there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from dynamodb_core.errors import ConfigError, DataError, Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Stored(NamedTuple):
    """An object that is there.

    Attributes:
        key: Its key, as `ObjectStore` takes it.
        size: Its bytes.
    """

    key: str
    size: int


class Folder:
    """A folder of this machine; what is made in it is for this user alone.

    Attributes:
        location: The folder's path.

    Args:
        root: The folder; it need not be there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)

    def address(self, key: str = "") -> str:
        """Return an object's path; see `objects.ObjectStore`."""
        return str(self._path(key) if key else self.root)

    def above(self) -> tuple[Folder, str] | None:
        """Return the folder above; see `objects.ObjectStore`."""
        here = Path(os.path.abspath(self.root))  # noqa: PTH100 - links stay as they are named
        return (Folder(here.parent), here.name) if here.name else None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects; see `objects.ObjectStore`."""
        found: list[Stored] = []
        with saying(self.location, "listed"):
            for here, folders, names in os.walk(self.root):
                above = "".join(f"{step}/" for step in Path(here).relative_to(self.root).parts)
                inner = [name for name in folders if not name.startswith(".")]
                folders[:] = [name for name in inner if _leads(prefix, f"{above}{name}/")]
                found += [
                    Stored(above + name, Path(here, name).stat().st_size)
                    for name in names
                    if not name.startswith(".") and (above + name).startswith(prefix)
                ]
        yield from sorted(found)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """Open an object; see `objects.ObjectStore`."""
        path = self._path(key)
        try:
            file = os.fdopen(os.open(path, os.O_RDONLY | _NO_LINK), "rb")
        except FileNotFoundError as error:
            raise DataError(f"There is no file {path}") from error
        except OSError as error:
            raise DataError(f"The file {path} cannot be read: {error.strerror}") from error
        file.seek(start)
        return file

    def put(self, key: str, data: bytes | Path) -> None:
        """Put an object; see `objects.ObjectStore`."""
        path = self._path(key)
        draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
        with saying(str(path), "written"):
            self._make(path.parent)
            try:
                with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                    if isinstance(data, bytes):
                        file.write(data)
                    else:
                        with data.open("rb") as source:
                            shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
                draft.rename(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            _sync(path.parent)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects, and the folders that are empty then; see `objects.ObjectStore`."""
        for key in keys:
            path = self._path(key)
            with saying(str(path), "removed"):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another file is in there
                for folder in path.parents:
                    if folder == self.root:
                        break
                    folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*checked(key).split("/"))

    def _make(self, folder: Path) -> None:
        """Make a folder, and those above it that are missing, for this user alone."""
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
            _sync(each.parent)


def checked(key: str) -> str:
    """Return a key that stays below its place.

    Args:
        key: The key.

    Raises:
        ConfigError: It does not.
    """
    steps = key.split("/")
    if not all(steps) or {".", ".."} & set(steps) or "\0" in key or "\\" in key:
        raise ConfigError(f"{key!r} is no name for a file below a folder or a prefix")
    return key


def _leads(prefix: str, folder: str) -> bool:
    """Tell whether keys that begin so may lie in a folder."""
    return prefix.startswith(folder) or folder.startswith(prefix)


def _sync(folder: Path) -> None:
    """Let the names in a folder outlive the machine's power, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def saying(what: str, done: str) -> Iterator[None]:
    """Turn what the system says of a file or a folder into an error of ours.

    Args:
        what: The file or the folder.
        done: What is done to it, as in `cannot be read`.

    Raises:
        Error: The system refused.
    """
    try:
        yield
    except OSError as error:
        raise Error(
            f"{what} cannot be {done}: {error.strerror or error}",
            "Look at who may do so, and at the room there; run again with the last state to go on",
        ) from error
