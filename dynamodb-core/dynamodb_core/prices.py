"""What capacity units cost, and a purse that a run does not overdraw.

Only units of tables on demand have a price each; those of provisioned tables are paid by the hour,
whether anybody uses them or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dynamodb_core.cells import own_cells
from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.cells import Cells

DATED = "us-east-1 on 2024-11-01"
"""Where and since when the prices held that are the default."""
READ_PER_MILLION = 0.125
WRITE_PER_MILLION = 0.625
"""US dollars for a million request units of the Standard table class (AWS, "Amazon DynamoDB pricing
for on-demand capacity")."""

COST_PROPERTIES: dict[str, dict[str, Any]] = {
    "max_cost": {
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "title": "Highest cost",
        "description": (
            "What a run may cost in request units of tables on demand, in the currency of the prices. "
            "A run that would cost more ends with exit code 1 before its first paid call, where that "
            "can be known, and else before the call that would exceed it."
        ),
    },
    "prices": {
        "type": ["object", "null"],
        "properties": {
            "read_per_million": {"type": "number", "minimum": 0},
            "write_per_million": {"type": "number", "minimum": 0},
        },
        "additionalProperties": False,
        "title": "Prices",
        "description": (
            "Prices of a million read and write request units, by which max_cost is judged: "
            f"read_per_million, {READ_PER_MILLION} by default, and write_per_million, "
            f"{WRITE_PER_MILLION}: US dollars in {DATED}. Global tables pay each write once a replica."
        ),
    },
}
"""Settings of both plugins, as JSON Schema."""


class CostExceeded(ConfigError):
    """The run would cost more than it may."""


@dataclass(frozen=True)
class Prices:
    """Prices of a million request units.

    Attributes:
        read_per_million: For reading.
        write_per_million: For writing.
        dated: Where and when they hold; empty where the configuration gives them.
    """

    read_per_million: float = READ_PER_MILLION
    write_per_million: float = WRITE_PER_MILLION
    dated: str = DATED

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Prices:
        """Read the setting `prices` of a configuration that fits `COST_PROPERTIES`."""
        given = config.get("prices") or {}
        return cls(
            float(given.get("read_per_million", READ_PER_MILLION)),
            float(given.get("write_per_million", WRITE_PER_MILLION)),
            "" if given else DATED,
        )

    def of(self, units: float, kind: Literal["read", "write"]) -> float:
        """Return what units cost.

        Args:
            units: Request units.
            kind: Whether they are for reading or for writing.
        """
        per_million = self.read_per_million if kind == "read" else self.write_per_million
        return units * per_million / 1_000_000


_SPENT = 0
CELLS = 1
"""Numbers that a purse keeps."""


class Purse:
    """What a run may spend, shared by all that its workers call.

    Args:
        most: The most that may be spent.
        cells: Where it keeps its `CELLS` numbers, for processes to share.
    """

    def __init__(self, most: float, *, cells: Cells | None = None) -> None:
        self.most = most
        self._values, self._lock = cells or own_cells(CELLS)

    @property
    def spent(self) -> float:
        """What has been spent, calls that are under way included as they were estimated."""
        with self._lock:
            return self._values[_SPENT]

    def take(self, cost: float) -> None:
        """Take out what a call will probably cost.

        Args:
            cost: In the currency of `most`.

        Raises:
            CostExceeded: There is not as much left.
        """
        with self._lock:
            spent = self._values[_SPENT]
            if spent + cost > self.most:
                raise CostExceeded(
                    f"The run has cost about {money(spent)}, and its next call would exceed "
                    f"max_cost, {money(self.most)}",
                    "What was acknowledged stays: raise max_cost and run again with the last state "
                    "to go on",
                )
            self._values[_SPENT] = spent + cost

    def settle(self, expected: float, cost: float) -> None:
        """Replace what a call was expected to cost by what it did cost.

        Args:
            expected: What `take` was given for it.
            cost: What it has cost.
        """
        with self._lock:
            self._values[_SPENT] += cost - expected


def money(amount: float) -> str:
    """Return an amount in few digits, for example `12.40` or `0.00031`."""
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"
