"""How many calls at once are of use, by how long they take and how fast they follow each other.

As many calls are under way as answers come in the time of one call (Little's law). More of them only
wait: for the service, or for the interpreter, which threads then wrest from each other. The shortest
call of a while is taken, as longer ones have waited already.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_CALLS = 16
"""Calls to judge by."""
LEAST_SECONDS = 0.1
"""Seconds to judge by."""
HEADROOM = 1.25
SPARE = 1
"""Calls beyond what was just seen: where they are of use more answers come, and more are allowed."""


class Concurrency:
    """Watches calls, and says how many at once are of use. Its caller sees to locking.

    Args:
        most: How many at once there may be.
        clock: Returns seconds.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.useful = most
        self._most = most
        self._clock = clock
        self._since = clock()
        self._calls = 0
        self._shortest = math.inf

    def answered(self, seconds: float) -> None:
        """Take note of a call.

        Args:
            seconds: How long it took.
        """
        self._calls += 1
        self._shortest = min(self._shortest, seconds)
        if self._calls < LEAST_CALLS:
            return
        passed = self._clock() - self._since
        if passed < LEAST_SECONDS:
            return
        seen = self._calls / passed * self._shortest
        self.useful = min(self._most, math.ceil(HEADROOM * seen) + SPARE)
        self._since += passed
        self._calls = 0
        self._shortest = math.inf
