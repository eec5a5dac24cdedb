"""What the configuration asks of a table's capacity, or of an index's; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dynamodb_core.errors import ConfigError
from dynamodb_core.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.table import Index

Kind = Literal["read", "write"]
Rate = tuple[float | None, str]
"""Capacity units a second (None: unlimited), and the reason in words for the log."""


@dataclass(frozen=True)
class Asked:
    """What the configuration says of reading, or of writing.

    Attributes:
        kind: Which of them.
        units: Units a second; None when it does not say.
        percent: Percent of what there is; None likewise.

    Raises:
        ConfigError: It says both.
    """

    kind: Kind
    units: float | None = None
    percent: float | None = None

    def __post_init__(self) -> None:
        """Refuse two answers to one question."""
        if self.units is not None and self.percent is not None:
            raise ConfigError(
                f"{self.kind}_capacity and {self.kind}_capacity_percent are both set",
                "Remove one of them; null takes back, for a table, what is set for all",
            )

    def of(self, place: Table | Index, account_limit: Callable[[Kind], float]) -> Rate:
        """Return the rate for a table, or for an index that is read.

        Args:
            place: The table as DescribeTable says, or the index.
            account_limit: Returns what the account lets a table have; called where a percentage is
                asked for of what names no figure of its own.

        Raises:
            AccessError: That may not be looked up.
        """
        if self.units is not None:
            return float(self.units), f"as {self.kind}_capacity says"
        if self.percent is None:
            return careful(place, self.kind)
        granted, source = _granted(place, self.kind), f"the {_noun(place)}'s {_grant(place)}"
        if granted is None:
            granted, source = account_limit(self.kind), "the account's limit for a table,"
        return (
            granted * self.percent / 100,
            f"{self.percent:g}% of {source} {granted:,.10g} {self.kind} units a second",
        )

    def of_written_index(self, index: Index, account_limit: Callable[[Kind], float]) -> Rate:
        """Return the rate for an index that is written to as its table is.

        Units that are asked for are those of the table; an index that has fewer gives what it has.

        Args:
            index: The index.
            account_limit: As for `of`.

        Raises:
            AccessError: The account's limit may not be looked up.
        """
        granted = index.write_granted
        if self.units is not None and granted is not None and granted < self.units:
            return (
                granted,
                f"all of the index's {_grant(index)} {granted:,.10g} write units a second",
            )
        return self.of(index, account_limit)

    def of_load(
        self, table: Table, account_limit: Callable[[Kind], float]
    ) -> tuple[Rate, Mapping[str, Rate]]:
        """Return the rates of a table that is written to, and of each of its global indexes.

        Args:
            table: The table as DescribeTable says.
            account_limit: As for `of`.

        Raises:
            AccessError: The account's limit may not be looked up.
        """
        return self.of(table, account_limit), {
            index.name: self.of_written_index(index, account_limit)
            for index in table.indexes
            if not index.local
        }

    @property
    def varies(self) -> bool:
        """Whether the rate of a table follows from what it has, which may be changed meanwhile."""
        return self.units is None


def careful(place: Table | Index, kind: Kind) -> Rate:
    """Return a rate that leaves the other users of a table or index half of what it has.

    Args:
        place: The table as DescribeTable says, or the index.
        kind: Whether it is read or written.
    """
    what = _noun(place)
    units = place.write_units if kind == "write" else place.read_units
    if units is None:
        return None, f"unlimited, as the {what} names neither provisioned nor warm throughput"
    half = max(units / 2, 1.0)
    if place.billing == "PROVISIONED":
        return half, f"half of the {what}'s provisioned {units:,} {kind} units a second"
    return half, (
        f"half of the {what}'s {units:,} {kind} units a second, its warm throughput or on-demand "
        "maximum"
    )


def _granted(place: Table | Index, kind: Kind) -> float | None:
    return place.write_granted if kind == "write" else place.read_granted


def _noun(place: Table | Index) -> str:
    return "table" if isinstance(place, Table) else "index"


def _grant(place: Table | Index) -> str:
    return "provisioned" if place.billing == "PROVISIONED" else "on-demand maximum of"
