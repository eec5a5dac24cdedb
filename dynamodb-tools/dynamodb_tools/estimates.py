"""What is known of a table before it is copied, and what follows of units and bytes; pure.

DynamoDB counts a table's items and bytes every six hours or so. From the two together follows not what
writing costs, as each item is rounded up to whole units, but between which figures it lies; a sample of
items says it closer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core import batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.prices import Prices
    from dynamodb_core.table import Index, Table

NEW_ON_DEMAND = 4000.0
"""Write units a second that a new on-demand table takes at first (AWS, "DynamoDB on-demand capacity mode")."""


class Span(NamedTuple):
    """Between which figures something lies.

    Attributes:
        low: It is no less.
        high: It is no more; None where nothing is known.
    """

    low: float
    high: float | None

    def times(self, factor: float) -> Span:
        """Return it multiplied."""
        return Span(self.low * factor, None if self.high is None else self.high * factor)

    def plus(self, other: Span) -> Span:
        """Return the sum."""
        open_ = self.high is None or other.high is None
        return Span(self.low + other.low, None if open_ else (self.high or 0) + (other.high or 0))


ZERO = Span(0.0, 0.0)


@dataclass(frozen=True)
class Sample:
    """What some of a table's items have shown.

    Attributes:
        items: How many there are in it.
        size: Their bytes, as DynamoDB counts them.
        write_units: What writing each of them would cost, without indexes.
        json_bytes: Their bytes in a file of DynamoDB JSON.
        units: What reading them has cost.
        index_units: What writing them would cost each index of the copy, by its name.
    """

    items: int
    size: int
    write_units: int
    json_bytes: int
    units: float
    index_units: Mapping[str, int] = field(default_factory=dict)


class Rate(NamedTuple):
    """How fast a table may be read or written.

    Attributes:
        units: Capacity units a second; None where nothing limits it.
        reason: Why, in words.
    """

    units: float | None
    reason: str


@dataclass(frozen=True)
class Given:
    """What is known, and what is asked for.

    Attributes:
        table: The table that is to be copied.
        read: How fast it may be read.
        write: How fast its copy may be written.
        write_indexes: The same for global indexes of the copy, by name.
        prices: What units and GB cost.
        copy: The copy, where it exists.
        recoverable: Whether the table has point-in-time recovery; None where that is not known.
        sample: Some of its items.
    """

    table: Table
    read: Rate
    write: Rate
    prices: Prices
    write_indexes: Mapping[str, Rate]
    copy: Table | None = None
    recoverable: bool | None = None
    sample: Sample | None = None


def write_units(given: Given) -> dict[str, Span]:
    """Return the write units of a copy: of the table itself under an empty name, and of each index.

    Local indexes are paid from the table's own capacity, and are a part of it here.

    Args:
        given: What is known.
    """
    table, sample = given.table, given.sample
    if sample is not None and not sample.items:
        sample = None
    found = {"": _bounds(table.item_count, table.size_bytes)}
    if sample is not None:
        found[""] = _of_sample(sample.write_units, sample, table)
    sizes = {index.name: index for index in table.indexes}
    for index in (given.copy or table).indexes:
        counted = sizes.get(index.name)
        if sample is not None and index.name in sample.index_units:
            units = _of_sample(sample.index_units[index.name], sample, table)
        elif counted is not None:
            units = _bounds(counted.item_count, counted.size_bytes)
        else:
            units = Span(0.0, None)
        name = "" if index.local else index.name
        found[name] = found.get(name, ZERO).plus(units)
    return found


def json_bytes(given: Given) -> Span:
    """Return the bytes of the table as files of DynamoDB JSON.

    Args:
        given: What is known.
    """
    table, sample = given.table, given.sample
    if sample is None or not sample.items:
        return Span(table.size_bytes, None)
    size = sample.json_bytes / sample.items * table.item_count
    return Span(size, size)


def rate_words(rate: Rate) -> str:
    """Return a rate and its reason in words.

    Args:
        rate: The rate.
    """
    if rate.units is None:
        return f"not limited ({rate.reason})"
    return f"at {rate.units:,.10g} units/s ({rate.reason})"


def new_copy_rate(table: Table) -> Rate:
    """Return how fast a copy may be written that is made like its table, and that nobody else uses.

    Args:
        table: The table.
    """
    return _of_new(table)


def new_index_rates(table: Table) -> dict[str, Rate]:
    """Return the same of its global indexes, by name.

    Args:
        table: The table.
    """
    return {index.name: _of_new(index) for index in table.indexes if not index.local}


def _of_new(place: Table | Index) -> Rate:
    if place.billing == "PROVISIONED":
        return Rate(place.write_granted, "provisioned as this table is, and all of it used")
    most = place.write_granted
    if most is not None and most < NEW_ON_DEMAND:
        return Rate(most, "its on-demand maximum, as this table has it")
    return Rate(NEW_ON_DEMAND, "what a new on-demand table takes at first")


def _of_sample(units: int, sample: Sample, table: Table) -> Span:
    whole = units / sample.items * table.item_count
    return Span(whole, whole)


def _bounds(items: int, size: int) -> Span:
    """Return what writing items of a size in all costs: each is rounded up to whole units."""
    whole = size / batches.UNIT_BYTES
    low = max(float(items), math.ceil(whole))
    return Span(low, max(low, items + math.floor(whole)))
