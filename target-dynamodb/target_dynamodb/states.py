"""Which STATE is true while files are under way: an ordered queue of both; pure.

Files are acknowledged in any order. A STATE is true when every file that came before it is; of several
true ones only the newest is of use.
"""

from __future__ import annotations

from collections import deque
from typing import Any

State = Any


class States:
    """Files that are not acknowledged, and the STATEs between them, in the order in which they came.

    It holds no more STATEs than files, as of two with no file between them the older is dropped.
    """

    def __init__(self) -> None:
        self._queue: deque[int | State] = deque()
        self._files: set[int] = set()
        self._next = 0

    @property
    def waiting(self) -> int:
        """How many files are not acknowledged."""
        return len(self._files)

    def begin(self) -> int:
        """Note a file that comes now.

        Returns:
            Its number: the first is 0, and each is one more than the last.
        """
        number = self._next
        self._next += 1
        self._files.add(number)
        self._queue.append(_File(number))
        return number

    def acknowledge(self, number: int) -> None:
        """Note that DynamoDB has acknowledged all records of a file.

        Args:
            number: The file's.
        """
        self._files.discard(number)

    def add(self, state: State) -> None:
        """Note a STATE that comes now.

        Args:
            state: Its value.
        """
        if self._queue and not isinstance(self._queue[-1], _File):
            self._queue.pop()
        self._queue.append(state)

    def take(self) -> State | None:
        """Return the newest STATE before which no file waits, each once; None without a new one."""
        newest: State | None = None
        while self._queue:
            first = self._queue[0]
            if isinstance(first, _File) and first in self._files:
                break
            self._queue.popleft()
            if not isinstance(first, _File):
                newest = first
        return newest


class _File(int):
    """A file's number, told from a STATE, which may be any JSON."""
