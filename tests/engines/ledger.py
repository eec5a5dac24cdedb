"""Who has consumed what, who may not any more, and why: the budgets of a meter; no HTTP."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.engines.units import LEAST, Bucket, Charge, Table, most_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.engines.units import Because, Kind

Paid = tuple[Table, Charge]

_LIMITS: dict[bool, Because] = {
    True: "MaxOnDemandThroughputExceeded",
    False: "ProvisionedThroughputExceeded",
}
_CODES: dict[Because, str] = {
    "ProvisionedThroughputExceeded": "ProvisionedThroughputExceededException",
    "MaxOnDemandThroughputExceeded": "ThrottlingException",
    "AccountLimitExceeded": "RequestLimitExceeded",
}


@dataclass(frozen=True)
class Refusal:
    """Why an operation does not go through."""

    code: str
    reason: str
    resource: str


class Ledger:
    """Budgets and what was taken from them.

    Args:
        clock: Returns seconds.

    Attributes:
        throttled: When each operation or write was refused (of the clock), and for which reason.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.throttled: list[tuple[float, str]] = []
        self._clock = clock
        self._consumed: dict[tuple[str, str | None, Kind], list[tuple[float, float]]] = {}
        self._budgets: dict[tuple[str, str | None, Kind], Bucket] = {}
        self._hot: dict[tuple[str, str | None, str, Kind], Bucket] = {}

    def limit(
        self,
        table: str,
        *,
        read: float | None = None,
        write: float | None = None,
        index: str | None = None,
        burst_seconds: float = 300.0,
        because: Because = "ProvisionedThroughputExceeded",
    ) -> None:
        """Give a table, or one of its global indexes, so many units a second from now on.

        Args:
            table: Its name.
            read: Read units a second; None leaves what is, infinity lifts the limit.
            write: Write units a second, likewise.
            index: A global index: it has a budget of its own. A local one has none.
            burst_seconds: The bucket holds the units of so many seconds, and is full at first.
            because: The kind of limit that it is; it decides the reason and the error's code.
        """
        now = self._clock()
        for kind, rate in _of_kinds(read, write):
            self._budgets.pop((table, index, kind), None)
            if not math.isinf(rate):
                bucket = Bucket(rate, rate * burst_seconds, now, because)
                self._budgets[table, index, kind] = bucket

    def hot(
        self,
        table: str,
        partition_value: str,
        units: float,
        *,
        index: str | None = None,
        burst_seconds: float = 1.0,
    ) -> None:
        """Let one partition key take no more than so many read and so many write units a second.

        Args:
            table: The table's name.
            partition_value: The key's value as DynamoDB's JSON spells it, whatever its type.
            units: Units a second; infinity lifts the limit.
            index: The global index whose key it is, if it is not the table's.
            burst_seconds: As for `limit`.
        """
        now = self._clock()
        for kind, rate in _of_kinds(units, units):
            self._hot.pop((table, index, partition_value, kind), None)
            if not math.isinf(rate):
                bucket = Bucket(rate, rate * burst_seconds, now, "KeyRangeThroughputExceeded")
                self._hot[table, index, partition_value, kind] = bucket

    def consumed(
        self, table: str, index: str | None = None, *, kind: Kind | None = None
    ) -> list[tuple[float, float]]:
        """Return when (of the clock) how many units were consumed, in order of time.

        Without an index it is what the table's budget paid, its local indexes included.
        """
        kinds: tuple[Kind, ...] = ("read", "write") if kind is None else (kind,)
        return sorted(each for k in kinds for each in self._consumed.get((table, index, k), ()))

    def most_in(
        self, seconds: float, table: str, index: str | None = None, *, kind: Kind | None = None
    ) -> float:
        """Return the most units in any window of so many seconds."""
        return most_in(seconds, self.consumed(table, index, kind=kind))

    def total(self, table: str, index: str | None = None, *, kind: Kind | None = None) -> float:
        """Return the sum of the units."""
        return sum(units for _, units in self.consumed(table, index, kind=kind))

    def refusals(self, table: Table, charges: Iterable[Charge]) -> list[Refusal]:
        """Return what speaks against an operation."""
        now = self._clock()
        found = []
        for charge in charges:
            owner = table.owner(charge.index)
            for bucket, _ in self._buckets(table, charge):
                if bucket.level(now) < LEAST[charge.kind]:
                    code = _CODES.get(bucket.because)
                    if code is None:
                        code = _CODES[_LIMITS[table.on_demand]]
                    place = "Index" if owner else "Table"
                    reason = f"{place}{charge.kind.capitalize()}{bucket.because}"
                    arn = f"{table.arn}/index/{owner}" if owner else table.arn
                    found.append(Refusal(code, reason, arn))
        return list(dict.fromkeys(found))

    def _buckets(self, table: Table, charge: Charge) -> Iterator[tuple[Bucket, float]]:
        """Yield the buckets that pay a charge, and how much each pays."""
        owner = table.owner(charge.index)
        budget = self._budgets.get((table.name, owner, charge.kind))
        if budget is not None:
            yield budget, charge.units
        for key in charge.by_key:
            hot = self._hot.get((table.name, owner, key, charge.kind))
            if hot is not None:
                yield hot, charge.of_key(key)

    def pay(self, table: Table, charges: Iterable[Charge], bill: list[Paid]) -> None:
        now = self._clock()
        for charge in charges:
            for bucket, units in self._buckets(table, charge):
                bucket.take(units, now)
            bill.append((table, charge))

    def give_back(self, bill: list[Paid]) -> None:
        now = self._clock()
        for table, charge in bill:
            for bucket, units in self._buckets(table, charge):
                bucket.take(-units, now)

    def note(self, bill: list[Paid]) -> None:
        now = self._clock()
        for table, charge in bill:
            for index in dict.fromkeys((table.owner(charge.index), charge.index)):
                place = (table.name, index, charge.kind)
                self._consumed.setdefault(place, []).append((now, charge.units))

    def note_throttles(self, refusals: Iterable[Refusal]) -> None:
        now = self._clock()
        self.throttled += [(now, refusal.reason) for refusal in refusals]


def _of_kinds(read: float | None, write: float | None) -> list[tuple[Kind, float]]:
    rates: tuple[tuple[Kind, float | None], ...] = (("read", read), ("write", write))
    return [(kind, rate) for kind, rate in rates if rate is not None]
