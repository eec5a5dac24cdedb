"""What capacity units and jobs cost, and a purse that a run does not overdraw.

Only units of tables on demand have a price each; those of provisioned tables are paid by the hour,
whether anybody uses them or not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dynamodb_core.cells import Cells, own_cells
from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DATED = "us-east-1 on 2024-11-01"
"""Where and since when the prices held that are the default."""
READ_PER_MILLION = 0.125
WRITE_PER_MILLION = 0.625
"""US dollars for a million request units of the Standard table class (AWS, "Amazon DynamoDB pricing
for on-demand capacity")."""
EXPORT_PER_GB = 0.10
IMPORT_PER_GB = 0.15
"""US dollars for a GB of a table that is exported to S3, and of uncompressed files that are imported (the
same page)."""

COST_PROPERTIES: dict[str, dict[str, Any]] = {
    "max_cost": {
        "type": ["string", "number", "null"],  # Meltano cannot set fractions in the environment
        "pattern": "^[0-9]*[.]?[0-9]+$",
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
            "export_per_gb": {"type": "number", "minimum": 0},
            "import_per_gb": {"type": "number", "minimum": 0},
        },
        "additionalProperties": False,
        "title": "Prices",
        "description": (
            "Prices of a million read and write request units, by which max_cost is judged: "
            f"read_per_million, {READ_PER_MILLION} by default, and write_per_million, "
            f"{WRITE_PER_MILLION}: US dollars in {DATED}. Global tables pay each write once a replica. "
            f"dynamodb-tools plan also takes those of a GB: export_per_gb ({EXPORT_PER_GB:.2f}) and "
            f"import_per_gb ({IMPORT_PER_GB:.2f})."
        ),
    },
}
"""Settings of both plugins, as JSON Schema."""


class CostExceeded(ConfigError):
    """The run would cost more than it may."""


@dataclass(frozen=True)
class Prices:
    """Prices of a million request units, and of a GB that DynamoDB itself moves.

    Attributes:
        read_per_million: For reading.
        write_per_million: For writing.
        dated: Where and when they hold; empty where the configuration gives them.
        export_per_gb: For exporting a table to S3.
        import_per_gb: For importing files from S3, by their uncompressed size.
    """

    read_per_million: float = READ_PER_MILLION
    write_per_million: float = WRITE_PER_MILLION
    dated: str = DATED
    export_per_gb: float = EXPORT_PER_GB
    import_per_gb: float = IMPORT_PER_GB

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Prices:
        """Read the setting `prices`, as `COST_PROPERTIES` has it."""
        given = given or {}
        return cls(
            float(given.get("read_per_million", READ_PER_MILLION)),
            float(given.get("write_per_million", WRITE_PER_MILLION)),
            "" if given else DATED,
            float(given.get("export_per_gb", EXPORT_PER_GB)),
            float(given.get("import_per_gb", IMPORT_PER_GB)),
        )

    def unit(self, kind: Literal["read", "write"]) -> float:
        """Return what a unit costs.

        Args:
            kind: Whether it is for reading or for writing.
        """
        return (self.read_per_million if kind == "read" else self.write_per_million) / 1_000_000


_SPENT = 0
CELLS = 1
"""Numbers that a purse keeps."""


class Purse:
    """What a run may spend on units of one kind, shared by all that its workers call.

    Args:
        most: The most that may be spent.
        unit_price: What a unit costs, in the same currency.
        cells: Where it keeps its `CELLS` numbers, for processes to share.
    """

    def __init__(self, most: float, unit_price: float, *, cells: Cells | None = None) -> None:
        self.most = most
        self.unit_price = unit_price
        self._values, self._lock = cells or own_cells(CELLS)

    @property
    def spent(self) -> float:
        """What has been spent; calls that are under way are included as they were estimated."""
        with self._lock:
            return self._values[_SPENT]

    def at(self, unit_price: float) -> Purse:
        """Return the same purse for units of another kind.

        Args:
            unit_price: What one of these costs.
        """
        return Purse(self.most, unit_price, cells=Cells(self._values, self._lock))

    def take(self, units: float) -> None:
        """Pay for a call before it goes out.

        Args:
            units: What it will probably consume.

        Raises:
            CostExceeded: There is not as much left.
        """
        cost = units * self.unit_price
        with self._lock:
            spent = self._values[_SPENT]
            if spent + cost > self.most:
                raise CostExceeded(
                    f"The run has cost about {money(spent)}, and its next call would exceed "
                    f"max_cost, {money(self.most)}",
                    "What is done stays done: raise max_cost, and run again with the last state to "
                    "go on",
                )
            self._values[_SPENT] = spent + cost

    def settle(self, expected: float, consumed: float) -> None:
        """Replace what a call was expected to consume by what it did consume.

        Args:
            expected: What `take` was given for it.
            consumed: Capacity units as DynamoDB reports them.
        """
        with self._lock:
            self._values[_SPENT] += (consumed - expected) * self.unit_price


def money(amount: float) -> str:
    """Return an amount in few digits, for example `12.40` or `0.00031`."""
    if amount >= 1 or amount <= 0:
        return f"{amount:,.2f}"
    return f"{amount:.{1 - math.floor(math.log10(amount))}f}"
