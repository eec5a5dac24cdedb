"""What the clock asks for while messages come in, and while they do not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

STATE_SECONDS = 2.0
"""How long a STATE may wait before everything that it speaks of is drained and it is handed on."""

LOOK_SECONDS = 1.0
"""Between two looks at the clock's duties while messages come in."""


class Alarmed(Protocol):
    """What calls `Duties.look` at a moment.

    Attributes:
        alarm: That moment, on the clock.
    """

    alarm: float


class Duties:
    """Decides when to drain, and when to look at the clock again.

    Args:
        alarmed: Has an `alarm`, which is set to the moment of the next look.
        drain: Waits for acknowledgements and hands on the STATE.
        look: Done at every look.
        clock: Returns seconds.
    """

    def __init__(
        self,
        alarmed: Alarmed,
        *,
        drain: Callable[[], None],
        look: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarmed = alarmed
        self._drain = drain
        self._look = look
        self._clock = clock
        self._state_due: float | None = None
        self._next_look = 0.0

    def begin(self) -> None:
        """Ask for the first look."""
        self._next_look = self._clock() + LOOK_SECONDS
        self._set_alarm()

    def state_came(self) -> None:
        """Note that there is a STATE to hand on."""
        if self._state_due is None:
            self._state_due = self._clock() + STATE_SECONDS
            self._set_alarm()

    def drained(self) -> None:
        """Note that everything is drained now, and the STATE handed on."""
        self._state_due = None
        self._set_alarm()

    def look(self) -> None:
        """Do what is due, while messages come in."""
        self._look()
        if self._state_due is not None and self._state_due <= self._clock():
            self._drain()
        self.begin()

    def idle(self, *, unsettled: bool) -> None:
        """Do what can be done while nothing comes in.

        Args:
            unsettled: Whether something is not acknowledged.
        """
        self._look()
        if self._state_due is not None or unsettled:
            self._drain()

    def _set_alarm(self) -> None:
        """Ask for the next look, which nothing that happens meanwhile puts off."""
        due = self._next_look
        self._alarmed.alarm = due if self._state_due is None else min(due, self._state_due)
