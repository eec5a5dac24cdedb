"""Time that passes only while everybody sleeps: minutes of several threads in milliseconds.

One thread runs at a time. When it sleeps, the one that is to wake next goes on, and the clock jumps to
that moment; so the outcome is the same every time, however busy the machine is.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SLEEPS = 1_000_000
PATIENCE = 120.0
"""Longest wait for the whole, in real seconds; only a failing test waits so long."""


class _EndedError(BaseException):
    """Ends a thread whose simulation is over."""


class Simulation:
    """A clock, a sleep, and the threads that use them.

    Attributes:
        now: The moment, in seconds.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._order = itertools.count()
        self._asleep: list[tuple[float, int, threading.Event]] = []
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._members = threading.local()
        self._sleeps = 0

    def __call__(self) -> float:
        """Return the moment."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Sleep. Outside of `run` nobody else is there, so the clock just moves."""
        self._sleeps += 1
        assert self._sleeps < MOST_SLEEPS, "this wait has no end"
        own: threading.Event | None = getattr(self._members, "turn", None)
        if own is None:
            self.now += seconds
            return
        own.clear()
        heapq.heappush(self._asleep, (self.now + max(seconds, 1e-6), next(self._order), own))
        self._next()
        own.wait(PATIENCE)
        if self._over.is_set():
            raise _EndedError

    def run(self, *functions: Callable[[], object]) -> None:
        """Run functions side by side until all have returned, or one has failed."""
        self._over.clear()
        left = [len(functions)]

        def member(function: Callable[[], object], turn: threading.Event) -> None:
            self._members.turn = turn
            turn.wait(PATIENCE)
            try:
                function()
            except _EndedError:
                return
            except BaseException as error:  # noqa: BLE001 - raised again below
                self._error = error
            left[0] -= 1
            if self._error is None and left[0]:
                self._next()
            else:
                self._over.set()

        threads = []
        for function in functions:
            turn = threading.Event()
            heapq.heappush(self._asleep, (self.now, next(self._order), turn))
            threads.append(threading.Thread(target=member, args=(function, turn), daemon=True))
        for thread in threads:
            thread.start()
        self._next()
        assert self._over.wait(PATIENCE), "somebody waits for something that is no sleep"
        for _, _, turn in self._asleep:
            turn.set()
        self._asleep.clear()
        for thread in threads:
            thread.join(PATIENCE)
        if self._error is not None:
            raise self._error

    def _next(self) -> None:
        """Let the one go on that is to wake next."""
        when, _, turn = heapq.heappop(self._asleep)
        self.now = max(self.now, when)
        turn.set()
