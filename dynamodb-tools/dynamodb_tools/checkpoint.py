"""The work folder of a comparison, and how far it has come: another run of the same command goes on.

::

    <root>/compare-<digest>/     0700; the digest is of what is compared, and how
        lock                     held by the run that is at work
        checkpoint.json          replaced as a whole every few seconds
        a/ b/                    the rows of either side, by bucket

A checkpoint says where the reads of both sides stand and how long the files of their buckets were then.
What was written afterwards is cut off and read again, so that no row is there twice, and none is missing.
It holds keys of items, and is for this user alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import orjson

from dynamodb_core.errors import ConfigError, StateError
from dynamodb_core.places import Places
from dynamodb_core.spool import refuse_shared, saying

try:
    import fcntl
except ImportError:  # Windows: nothing is locked
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FORMAT = 1
"""Of the checkpoint and of the rows; files of another one are not gone on with."""

ROOT = Path(".dynamodb-tools")
"""Where work folders are, unless the configuration says otherwise."""

AGAIN = "Make room there, or name another folder; run the same command again to go on"
START_OVER = "Begin anew with --start-over: both tables are read from their beginning"

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class SidePoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the read of one side has come.

    Attributes:
        identity: What tells the side from another one under its name, as a TableId does.
        segments: Into how many parts it is divided.
        seed: Decides their order.
        places: What `Places.dump_places` says.
        lengths: Bytes of the files of its buckets.
        items: Items that were read.
        size: Their bytes.
        units: Capacity units that reading them has cost.
        seconds: How long that took.
    """

    identity: str
    segments: int
    seed: int
    places: dict[str, object]
    lengths: list[int]
    items: int = 0
    size: int = 0
    units: float = 0.0
    seconds: float = 0.0

    def where(self) -> Places:
        """Return where the read stands.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: It is damaged.
        """
        places = Places(segments=self.segments, seed=self.seed)
        places.restore(self.places)
        return places


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a comparison has come.

    Attributes:
        format: `FORMAT` of the run that wrote it.
        began: When the comparison began, in words.
        a: The one side.
        b: The other.
    """

    format: int
    began: str
    a: SidePoint
    b: SidePoint


def digest(what: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same work.

    Args:
        what: What is compared, and how, as JSON.
    """
    text = orjson.dumps({"format": FORMAT, **what}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]


class WorkFolder:
    """The folder of one comparison, which one run at a time uses.

    Args:
        path: Where it is; `open` makes it and takes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folder, where it is not there, and take it.

        Raises:
            ConfigError: It cannot be used, or another run is at work in it.
        """
        root = self.path.parent
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_shared(root)
            self.path.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self._file("lock"), os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
        except OSError as error:
            raise ConfigError(
                f"The work folder {self.path} cannot be used: {error.strerror}",
                "Name another one with --work-folder",
            ) from error
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise ConfigError(
                f"Another run is making the same comparison, in {self.path}",
                "Wait for it, or name another folder with --work-folder",
            ) from error
        self._lock = lock

    def side(self, letter: str) -> Path:
        """Return where the buckets of a side are.

        Args:
            letter: `a` or `b`.
        """
        return self.path / letter

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with."""
        return self._file("checkpoint.json").exists()

    def load(self) -> Checkpoint | None:
        """Return how far an earlier run has come; None where there was none.

        Raises:
            StateError: What it has left cannot be read.
        """
        path = self._file("checkpoint.json")
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Checkpoint)
            _ = found.a.where(), found.b.where()
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"The checkpoint {path} cannot be read: {error}", START_OVER
            ) from error
        if found.format != FORMAT:
            raise StateError(f"The checkpoint {path} is of another version", START_OVER)
        return found

    def save(self, checkpoint: Checkpoint) -> None:
        """Write down how far the run has come, as a whole or not at all.

        Args:
            checkpoint: That.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        path, fresh = self._file("checkpoint.json"), self._file("checkpoint.new")
        with saying(path, AGAIN):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK
            with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(checkpoint))
            fresh.replace(path)

    def clear(self) -> None:
        """Remove what an earlier run has left."""
        for name in ("checkpoint.json", "checkpoint.new"):
            self._file(name).unlink(missing_ok=True)
        for letter in ("a", "b"):
            shutil.rmtree(self.side(letter), ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder, as the work is done; and its root, where nothing else is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()

    def close(self) -> None:
        """Let go of the folder; another run may go on with it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _file(self, name: str) -> Path:
        return self.path / name
