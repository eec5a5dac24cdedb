"""What a signal does to a load: reading ends at once, what was read is still drained."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN_SECONDS = 30.0
"""How long after a signal DynamoDB may take to acknowledge what was read."""

EXIT_CODE = 128
"""The exit code of a signal is this and its number."""


class Ending:
    """Takes signals while a load goes on.

    The handler only notes the signal and wakes the reader, as it may interrupt any line of the
    program; it takes no lock and writes no log. Later signals change nothing: Ctrl-C under a
    program that passes signals on arrives twice.

    Args:
        name: Begins the last words, when the time is up.
        stop: Ends the reading of messages; safe in a signal handler.
    """

    def __init__(self, name: str, stop: Callable[[], None]) -> None:
        self._name = name
        self._stop = stop
        self._loading = False
        self._signal = 0

    @property
    def signal_name(self) -> str:
        """The signal that ends the load; empty when there was none."""
        return signal.Signals(self._signal).name if self._signal else ""

    def begin(self) -> None:
        """From now on a signal is noted, and the load ends in its own way."""
        self._loading = True

    def leave(self) -> None:
        """Leave the process if a signal ended the load; later ones leave it at once.

        Raises:
            SystemExit: There was a signal; the code is 128 and its number.
        """
        self._loading = False
        if self._signal:
            raise SystemExit(EXIT_CODE + self._signal)

    def take(self, signum: int) -> None:
        """Take a signal, in its handler.

        Args:
            signum: The signal's number.

        Raises:
            SystemExit: No load goes on.
        """
        if not self._loading:
            raise SystemExit(EXIT_CODE + signum)
        if self._signal:
            return
        self._signal = signum
        self._stop()
        if sys.platform != "win32":
            signal.signal(signal.SIGALRM, lambda _number, _frame: self._give_up())
            signal.setitimer(signal.ITIMER_REAL, DRAIN_SECONDS)

    def _give_up(self) -> None:
        words = (
            f"{self._name}: DynamoDB has not acknowledged in {DRAIN_SECONDS:.0f} s what was read. "
            "The last STATE that was handed on is true. Run again with it.\n"
        )
        os.write(2, words.encode())
        os._exit(EXIT_CODE + self._signal)
