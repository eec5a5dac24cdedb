"""Looking a table's capacity up again while a run goes on: people change it by hand."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dynamodb_core import workers
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

EVERY_SECONDS = 180.0
"""Between two looks at what a table has."""

log = logging.getLogger("ferry-dynamodb")


class Lookups:
    """Looks something up every few minutes, in a thread of its own, so that nothing waits for it.

    Args:
        look: Looks it up, and does what is to be done about it. What it raises of our errors is
            logged: the run goes on with what was seen before, and its own calls fail by themselves
            where something is amiss.
        what: What is looked up, for messages.
        clock: Returns seconds.
        start: Runs a function in a thread: `workers.start`.
    """

    def __init__(
        self,
        look: Callable[[], object],
        what: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[..., list[threading.Thread]] = workers.start,
    ) -> None:
        self._look = look
        self._what = what
        self._clock = clock
        self._start = start
        self._due = clock() + EVERY_SECONDS
        self._threads: list[threading.Thread] = []

    def __call__(self) -> None:
        """Begin a look when it is time for one, and the last one has ended. Returns at once."""
        now = self._clock()
        if now < self._due or any(thread.is_alive() for thread in self._threads):
            return
        self._due = now + EVERY_SECONDS
        self._threads = self._start(self._try, workers=1, name="look-up")

    def _try(self) -> None:
        try:
            self._look()
        except Error as error:
            log.warning(
                "%s is taken to be what it was, as it cannot be seen: %s", self._what, error
            )
