"""How many capacity units a second a run may consume."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Literal

from dynamodb_core.cells import own_cells
from dynamodb_core.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.cells import Cells
    from dynamodb_core.table import Index

BURST_SECONDS = 1.0
LONGEST_SLEEP_SECONDS = 0.25


_RATE, _BALANCE, _SEEN = range(3)
CELLS = 3
"""Numbers that a budget keeps."""


class Budget:
    """A rate of capacity units, shared by the workers of a run.

    A worker waits before a call, with the units it expects, and settles afterwards with what
    DynamoDB says was consumed. The balance may go negative; waiting repays it.

    Args:
        rate: Capacity units a second, greater than 0; None is unlimited.
        clock: Returns seconds; where processes share the budget, the same ones in all of them.
        sleep: Waits for seconds.
        cells: Where the budget keeps its `CELLS` numbers, for processes to share.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        cells: Cells | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._values, self._lock = cells or own_cells(CELLS)
        self._values[_RATE] = math.inf if rate is None else rate
        self._values[_SEEN] = clock()

    @property
    def rate(self) -> float | None:
        """Capacity units a second; None is unlimited."""
        rate = self._values[_RATE]
        return None if math.isinf(rate) else rate

    def wait(self, expected: float) -> None:
        """Wait until the balance allows a call, and take its expected units off.

        Args:
            expected: Capacity units that the call will probably consume.
        """
        while True:
            with self._lock:
                rate = self._values[_RATE]
                if math.isinf(rate):
                    return
                self._refill(rate)
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
        with self._lock:
            self._values[_BALANCE] -= consumed - expected

    def _refill(self, rate: float) -> None:
        now = self._clock()
        saved = self._values[_BALANCE] + (now - self._values[_SEEN]) * rate
        self._values[_BALANCE] = min(saved, rate * BURST_SECONDS)
        self._values[_SEEN] = now


def careful_rate(table: Table | Index, kind: Literal["read", "write"]) -> tuple[float | None, str]:
    """Return a rate that leaves a table's other users half of what it has.

    Args:
        table: The table as DescribeTable says, or the index of it that is read.
        kind: Whether the run reads or writes.

    Returns:
        Capacity units a second (None: unlimited), and the reason in words for the log.
    """
    what = "table" if isinstance(table, Table) else "index"
    units = table.write_units if isinstance(table, Table) and kind == "write" else table.read_units
    if units is None:
        return None, f"unlimited, as the {what} names neither provisioned nor warm throughput"
    half = max(units / 2, 1.0)
    if table.billing == "PROVISIONED":
        return half, f"half of the {what}'s provisioned {units:,} {kind} units a second"
    return half, (
        f"half of the {what}'s {units:,} {kind} units a second, its warm throughput or on-demand "
        "maximum"
    )


def choose_rate(
    setting: float | None, table: Table | Index, kind: Literal["read", "write"]
) -> tuple[float | None, str]:
    """Return the rate that the configuration asks for, or else a careful one.

    Args:
        setting: Units a second from the configuration; None when it says nothing.
        table: The table as DescribeTable says.
        kind: Whether the run reads or writes.

    Returns:
        Capacity units a second (None: unlimited), and the reason in words for the log.
    """
    if setting is not None:
        return float(setting), f"as {kind}_capacity says"
    return careful_rate(table, kind)
