"""Where dead letters lie: a file of this machine (`letter_file.py`), or objects in S3, one for each piece.

A piece is on the disk, or in the bucket, before any STATE that passes its records is handed on.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.objects import ObjectStore

PIECE_BYTES = 1 << 23


class Letterbox(Protocol):
    """Takes pieces of a dead-letter file: lines, the last one whole.

    Attributes:
        most_bytes: How large a piece should become at most.
        apart: Whether each piece is a file of its own, with SCHEMA messages of its own.
    """

    most_bytes: int
    apart: bool

    def open(self) -> None:
        """Make ready.

        Raises:
            Error: It cannot be written.
        """
        ...

    def write(self, piece: bytes) -> None:
        """Take a piece.

        Raises:
            Error: It cannot be written; nothing of it is left behind.
        """
        ...

    def sync(self) -> None:
        """Return when all pieces are where nothing but the loss of the disk can harm them.

        Raises:
            Error: That is not so.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class LetterObjects:
    """Objects below a prefix in S3, one for each piece, whose names sort in the order of writing.

    Args:
        store: Returns the prefix.
        now: Returns the moment of the first object, which begins the names.
    """

    most_bytes = PIECE_BYTES
    apart = True

    def __init__(
        self,
        store: Callable[[], ObjectStore],
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.timezone.utc),
    ) -> None:
        self._make = store
        self._now = now
        self._run = ""
        self._number = 0
        self._store: ObjectStore | None = None

    def __str__(self) -> str:
        """Return the prefix."""
        return self._store.location if self._store else "S3"

    def open(self) -> None:
        """Choose a name for the run.

        Raises:
            ConfigError: The location is none.
        """
        self._store = self._make()
        self._run = f"{self._now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"

    def write(self, piece: bytes) -> None:
        """Put a piece as an object; see `Letterbox`."""
        assert self._store
        self._number += 1
        self._store.put(f"{self._run}-{self._number:06}.jsonl", piece)

    def sync(self) -> None:
        """Return: an object that is put is there; see `Letterbox`."""

    def close(self) -> None:
        """Return: nothing is open; see `Letterbox`."""
