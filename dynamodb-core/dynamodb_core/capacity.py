"""How many capacity units a second a run may consume."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from dynamodb_core import throttling
from dynamodb_core.cells import own_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.cells import Cells
    from dynamodb_core.prices import Purse
    from dynamodb_core.throttling import Throttle

BURST_SECONDS = 1.0
LONGEST_SLEEP_SECONDS = 0.25
MEASURE_SECONDS = 4.0
"""Over about so long it is measured what is really consumed."""
LEAST_MEASURE_SECONDS = 1.0

BACK_SHARE = 0.1
"""Of the writes of a second, how many must come back unprocessed to count as a throttle."""

UNEXPLAINED_SECONDS = 5
"""So many such seconds in a row are waited for a reason."""

_CEILING, _RATE, _BALANCE, _SEEN = range(4)
_AFTER, _LOWERED, _SLOW, _HOT = range(4, 8)
_THROTTLES, _HOT_THROTTLES = range(8, 10)
_BEGAN, _CONSUMED, _CONSUMED_SEEN = range(10, 13)
_SECOND, _SENT, _BACK = range(13, 16)
_WHOLE, _UNEXPLAINED = range(16, 18)
CELLS = 18
"""Numbers that a budget keeps."""


class Budget:
    """A rate of capacity units, shared by the workers of a run.

    A worker waits before a call, with the units it expects, and settles afterwards with what
    DynamoDB says was consumed. The balance may go negative; waiting repays it.

    A throttle lowers the rate, time without one brings it back to its ceiling, as `throttling` says;
    a hot key range is counted and lowers nothing.

    Args:
        rate: Capacity units a second, greater than 0; None is unlimited.
        clock: Returns seconds; where processes share the budget, the same ones in all of them.
        sleep: Waits for seconds.
        cells: Where the budget keeps its `CELLS` numbers, for processes to share. Clock and sleep
            are pickled with it.
        purse: What pays for the units, and ends the run when it is empty; None where nobody counts.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        cells: Cells | None = None,
        purse: Purse | None = None,
    ) -> None:
        self._purse = purse
        self._clock = clock
        self._sleep = sleep
        self._values, self._lock = cells or own_cells(CELLS)
        values, now = self._values, clock()
        values[_CEILING] = values[_RATE] = math.inf if rate is None else rate
        for moment in (_SEEN, _BEGAN, _CONSUMED_SEEN, _SECOND):
            values[moment] = now
        for never in (_LOWERED, _SLOW, _HOT):
            values[never] = -math.inf

    @property
    def rate(self) -> float | None:
        """Capacity units a second at the moment, the ceiling at most; None is unlimited."""
        with self._lock:
            self._go_on(self._clock())
            rate = self._values[_RATE]
        return None if math.isinf(rate) else rate

    @property
    def ceiling(self) -> float | None:
        """Capacity units a second that were asked for; None is unlimited. It may be changed."""
        ceiling = self._values[_CEILING]
        return None if math.isinf(ceiling) else ceiling

    @ceiling.setter
    def ceiling(self, rate: float | None) -> None:
        with self._lock:
            self._go_on(self._clock())
            values, ceiling = self._values, math.inf if rate is None else rate
            if values[_RATE] >= values[_CEILING]:
                values[_RATE] = ceiling
            values[_RATE] = min(values[_RATE], ceiling)
            values[_CEILING] = ceiling

    @property
    def throttles(self) -> int:
        """How many tries and writes were throttled, for whatever reason."""
        return int(self._values[_THROTTLES])

    @property
    def hot_throttles(self) -> int:
        """How many of them for a hot key range."""
        return int(self._values[_HOT_THROTTLES])

    @property
    def reason_heard(self) -> float:
        """When (of the clock) DynamoDB has said last why it throttles; minus infinity for never."""
        return max(self._values[_SLOW], self._values[_HOT])

    @property
    def reason_known(self) -> bool:
        """Whether that is not long ago."""
        return self._clock() - self.reason_heard < throttling.HOT_SECONDS

    def wait(self, expected: float) -> None:
        """Wait until the balance allows a call, and take its expected units off.

        Args:
            expected: Capacity units that the call will probably consume.

        Raises:
            CostExceeded: The purse does not pay for it.
        """
        if self._purse is not None:
            self._purse.take(expected)
        while True:
            with self._lock:
                self._go_on(self._clock())
                rate = self._values[_RATE]
                if math.isinf(rate):
                    return
                if self._values[_BALANCE] >= 0:
                    self._values[_BALANCE] -= expected
                    return
                debt = -self._values[_BALANCE] / rate
            self._sleep(min(debt, LONGEST_SLEEP_SECONDS))  # another call may settle meanwhile

    def settle(self, expected: float, consumed: float) -> None:
        """Replace what a call was expected to consume by what it did consume.

        Args:
            expected: What `wait` was given for this call.
            consumed: Capacity units as DynamoDB reports them.
        """
        if self._purse is not None:
            self._purse.settle(expected, consumed)
        with self._lock:
            now, values = self._clock(), self._values
            values[_CONSUMED] = self._lately(now) + consumed
            values[_CONSUMED_SEEN] = now
            if not math.isinf(values[_RATE]):
                values[_BALANCE] -= consumed - expected

    def throttled(self, throttle: Throttle) -> None:
        """Take into account that a try of a call was throttled; for `Wire.watch`.

        Args:
            throttle: Why.
        """
        with self._lock:
            now, values = self._clock(), self._values
            values[_THROTTLES] += 1
            if throttle.hot:
                values[_HOT_THROTTLES] += 1
                values[_HOT] = now
            else:
                values[_SLOW] = now if throttle.reason else values[_SLOW]
                self._lower(now)

    def answered(self, sent: int, back: int) -> None:
        """Take into account how many writes of a request came back unprocessed, without a reason.

        They are held to have the reason that was heard last. Where none was, one will be: they are
        tried again alone, and what is refused as a whole has a reason. Only where none comes for
        several seconds is the table held to be at its limit.

        Args:
            sent: Writes of the request.
            back: How many of them came back.
        """
        with self._lock:
            now, values = self._clock(), self._values
            if now - values[_SECOND] >= throttling.LOWER_SECONDS:
                self._judge(now)
                values[_SECOND], values[_SENT], values[_BACK] = now, 0, 0
            values[_SENT] += sent
            values[_BACK] += back
            values[_THROTTLES] += back
            if back and self._is_hot(now):
                values[_HOT_THROTTLES] += back
                values[_HOT] = now

    def _judge(self, now: float) -> None:
        """Lower the rate for what has come back in the last second, if it is at fault."""
        values = self._values
        if values[_BACK] <= BACK_SHARE * values[_SENT] or self._is_hot(now):
            values[_UNEXPLAINED] = 0
            return
        values[_UNEXPLAINED] += 1
        slow = now - values[_SLOW] < throttling.HOT_SECONDS
        if slow or values[_UNEXPLAINED] > UNEXPLAINED_SECONDS:
            self._lower(now)

    def _is_hot(self, now: float) -> bool:
        """Return whether the last reason that was heard is a hot key range, not long ago."""
        hot = self._values[_HOT]
        return now - hot < throttling.HOT_SECONDS and hot >= self._values[_SLOW]

    def _lower(self, now: float) -> None:
        values = self._values
        if now - values[_LOWERED] < throttling.LOWER_SECONDS:
            return
        self._go_on(now)
        measured = MEASURE_SECONDS * (1 - math.exp((values[_BEGAN] - now) / MEASURE_SECONDS))
        consumed = self._lately(now) / max(measured, LEAST_MEASURE_SECONDS)
        lowered = throttling.lowered(values[_RATE], consumed)
        if math.isinf(lowered):
            return
        if math.isinf(values[_RATE]):
            values[_WHOLE] = consumed
        values[_RATE] = values[_AFTER] = lowered
        values[_BALANCE] = min(values[_BALANCE], 0.0)
        values[_LOWERED] = now

    def _lately(self, now: float) -> float:
        """Return what was consumed, the longer ago the less of it."""
        values = self._values
        return values[_CONSUMED] * math.exp((values[_CONSUMED_SEEN] - now) / MEASURE_SECONDS)

    def _go_on(self, now: float) -> None:
        """Let the time pass since it was last looked at: the rate rises, the balance fills."""
        values = self._values
        since = max(values[_SEEN], values[_LOWERED] + throttling.LOWER_SECONDS)
        if values[_RATE] < values[_CEILING] and now > since:
            whole = values[_WHOLE] if math.isinf(values[_CEILING]) else values[_CEILING]
            step = throttling.step(values[_AFTER], whole)
            values[_RATE] = min(values[_RATE] + step * (now - since), values[_CEILING])
        rate = values[_RATE]
        if not math.isinf(rate):
            saved = values[_BALANCE] + (now - values[_SEEN]) * rate
            values[_BALANCE] = min(saved, rate * BURST_SECONDS)
        values[_SEEN] = now
