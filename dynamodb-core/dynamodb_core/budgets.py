"""What a load may consume: of its table, and of each global index, which has a budget of its own.

A write to a table is a write to its indexes too. DynamoDB throttles it when one of them is at its
limit, whatever the table itself could take; a local index is paid by the table.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.capacity import CELLS, Budget
from dynamodb_core.cells import own_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.cells import Cells
    from dynamodb_core.prices import Purse
    from dynamodb_core.throttling import Throttle

FORGET_SHARE = 0.1
"""How much the newest request counts in what a unit of a write's own size costs, where that falls."""


class Consumed(NamedTuple):
    """What a request has consumed.

    Attributes:
        table: Units of the table, those of its local indexes among them.
        indexes: Units of each global index that was touched.
    """

    table: float
    indexes: Mapping[str, float]

    @property
    def total(self) -> float:
        """All units that are paid for."""
        return self.table + sum(self.indexes.values())

    @classmethod
    def of(cls, answer: Mapping[str, Any], expected: float) -> Consumed:
        """Read an answer of BatchWriteItem about one table.

        Args:
            answer: The answer.
            expected: What is believed of an engine that names no units. One that does not tell those
                of each index lets the table pay for them.
        """
        table, indexes = 0.0, dict[str, float]()
        said = answer.get("ConsumedCapacity")
        if not said:
            return cls(expected, {})
        for each in said:
            table += float(each.get("Table", each).get("CapacityUnits", 0.0))
            for local in (each.get("LocalSecondaryIndexes") or {}).values():
                table += float(local.get("CapacityUnits", 0.0))
            for name, index in (each.get("GlobalSecondaryIndexes") or {}).items():
                indexes[name] = indexes.get(name, 0.0) + float(index.get("CapacityUnits", 0.0))
        return cls(table, indexes)


class Expected(NamedTuple):
    """What a request will probably consume.

    Attributes:
        units: By the size of its writes.
        places: Units of the table, then of each global index.
    """

    units: float
    places: tuple[float, ...]


class Budgets:
    """The budgets of one table's load. Threads may share it, and processes, as part of a job.

    What a write will cost is known only of itself, by its size; what the items cost that it replaces,
    and what each index costs, is learned as a ratio to that.

    Attributes:
        table: The budget of the table.
        indexes: That of each global index, by name.

    Args:
        rate: Capacity units a second of the table; None is unlimited.
        indexes: Those of each global index.
        clock: Returns seconds; where processes share the budgets, the same ones in all of them.
        sleep: Waits for seconds.
        cells: Makes a place for so many numbers, for example `processes.shared_cells`.
        purse: What pays for the units; None where nobody counts.
    """

    def __init__(
        self,
        rate: float | None,
        indexes: Mapping[str, float | None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        cells: Callable[[int], Cells] = own_cells,
        purse: Purse | None = None,
    ) -> None:
        def budget(units: float | None) -> Budget:
            return Budget(units, clock=clock, sleep=sleep, cells=cells(CELLS), purse=purse)

        self.table = budget(rate)
        self.indexes = {name: budget(units) for name, units in (indexes or {}).items()}
        self._ratios, self._lock = cells(1 + len(self.indexes))
        for number in range(len(self._ratios)):
            self._ratios[number] = 1.0

    @property
    def all(self) -> tuple[Budget, ...]:
        """The budgets: the table's, then those of its indexes in their order."""
        return (self.table, *self.indexes.values())

    @property
    def rate(self) -> float | None:
        """Units a second, by the writes' own size, that the scarcest of them allows; None: unlimited."""
        rates = [
            budget.rate / max(ratio, 1e-9)
            for budget, ratio in zip(self.all, list(self._ratios), strict=True)
            if budget.rate is not None
        ]
        return min(rates, default=None)

    @property
    def throttles(self) -> int:
        """How many tries and writes were throttled, for whatever reason."""
        return sum(budget.throttles for budget in self.all)

    @property
    def hot_throttles(self) -> int:
        """How many of them for a hot key range."""
        return sum(budget.hot_throttles for budget in self.all)

    @property
    def reason_known(self) -> bool:
        """Whether DynamoDB has said lately why it throttles."""
        return any(budget.reason_known for budget in self.all)

    def wait(self, units: float) -> Expected:
        """Wait until all balances allow a request, and take off what is expected of it.

        Args:
            units: What its writes will cost the table, by their own size.

        Returns:
            What was taken off, for `settle`.
        """
        with self._lock:
            expected = Expected(units, tuple(units * ratio for ratio in self._ratios))
        for budget, its in zip(self.all, expected.places, strict=True):
            budget.wait(its)
        return expected

    def settle(self, expected: Expected, consumed: Consumed | None) -> None:
        """Replace what was expected of a request by what it did consume.

        Args:
            expected: What `wait` returned.
            consumed: What DynamoDB says; None where the request failed.
        """
        figures = [0.0] * len(expected.places)
        if consumed is not None:
            figures = [consumed.table, *(consumed.indexes.get(each, 0.0) for each in self.indexes)]
            self._learn(expected.units, figures)
        for budget, its, figure in zip(self.all, expected.places, figures, strict=True):
            budget.settle(its, figure)

    def throttled(self, throttle: Throttle) -> None:
        """Take into account that a try was throttled; for `Wire.watch`.

        Args:
            throttle: Why, and whether by the table or by an index.
        """
        if throttle.of_reading:
            return
        self.indexes.get(throttle.of_index, self.table).throttled(throttle)

    def answered(self, sent: int, back: int) -> None:
        """Take into account how many writes of a request came back unprocessed, without a reason.

        They are held to have the reason that was heard last, if that was not long ago.

        Args:
            sent: Writes of the request.
            back: How many of them came back.
        """
        latest = max(self.all, key=lambda budget: budget.reason_heard)
        latest.answered(sent, back)

    def _learn(self, units: float, figures: list[float]) -> None:
        """Take a rise in at once, so that it is not paid for by a burst; a fall little by little."""
        if not units:
            return
        with self._lock:
            for number, figure in enumerate(figures):
                seen, known = figure / units, self._ratios[number]
                share = 1.0 if seen > known else FORGET_SHARE
                self._ratios[number] = known + (seen - known) * share
