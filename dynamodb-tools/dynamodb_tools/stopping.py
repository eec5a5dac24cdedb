"""What a signal does to a command: it ends with 128 and the signal's number, and keeps what it has done."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from typing_extensions import Self

EXIT_CODE = 128
"""The exit code of a signal is this and its number."""

PATIENCE_SECONDS = 30.0
"""How long after a signal the work that is held may take to end, where it has last words."""


class Stopped(SystemExit):
    """A signal has come.

    Args:
        number: Its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(EXIT_CODE + number)
        self.name = signal.Signals(number).name


class Signals:
    """Takes the signals that ask a command to end, for the length of a `with` block.

    Within `held` a signal waits until `look` is called; outside of it the command ends where it is. Later
    ones change nothing: Ctrl-C under a program that passes signals on arrives twice.
    """

    def __init__(self) -> None:
        self._number = 0
        self._held = False
        self._last_words: Callable[[], str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take them from now on."""
        for each in (signal.SIGINT, signal.SIGTERM):
            self._before[each] = signal.signal(each, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        """Leave them to whoever had them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._last_words is not None and self._number and sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def held(self, last_words: Callable[[], str] | None = None) -> Iterator[None]:
        """Let a signal wait until `look`, as what goes on must not end at any point.

        Args:
            last_words: Returns what is said on standard error where it goes on for half a minute all the
                same, and is ended; None lets it go on.
        """
        self._held, self._last_words = True, last_words
        try:
            yield
        finally:
            self._held = False

    def look(self) -> None:
        """End the command if a signal has come.

        Raises:
            Stopped: One has.
        """
        if self._number:
            raise Stopped(self._number)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        again, self._number = bool(self._number), number
        if not (again or self._held):
            self.look()
        if not again and self._last_words is not None and sys.platform != "win32":
            signal.signal(signal.SIGALRM, lambda _number, _frame: self._give_up())
            signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)

    def _give_up(self) -> None:
        assert self._last_words is not None
        os.write(2, f"{self._last_words()}\n".encode())
        os._exit(EXIT_CODE + self._number)
