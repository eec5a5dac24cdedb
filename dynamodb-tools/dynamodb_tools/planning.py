"""Looks at a table and at its copy, and at some items if that is asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from dynamodb_core import backups, sizes, tables
from dynamodb_core.capacity import Budget
from dynamodb_core.errors import ConfigError, TableNotFound
from dynamodb_core.paging import PAGE_UNITS, UNIT_BYTES, USUAL_ITEM_BYTES
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.scan import read_page
from dynamodb_tools.estimates import (
    Given,
    Rate,
    Sample,
    new_copy_rate,
    new_index_rates,
)
from dynamodb_tools.pairs import TABLE, table_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.prices import Prices
    from dynamodb_core.rates import Asked, Kind
    from dynamodb_core.settings import AwsSettings
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

SAMPLE_SEGMENTS = 4
"""From how many places of a table its sample comes."""

LINE_BYTES = len('{"Item":}\n')
"""What a line of a file of DynamoDB JSON has beside the item."""

log = logging.getLogger("dynamodb-tools")


@dataclass(frozen=True)
class Planning:
    """What is asked for of every table.

    Attributes:
        read: Of the capacity of the tables.
        write: Of the capacity of the copies.
        prices: What units and GB cost.
        copy: Name or ARN of the copy, where `{table}` stands for the table's name; empty for one that
            is made.
        sample: How many items are read of each table.
    """

    read: Asked
    write: Asked
    prices: Prices
    copy: str = ""
    sample: int = 0

    def look(self, reference: str, wire: Wire, wire_of_copy: Callable[[str], Wire]) -> Given:
        """Return what is known of a table.

        Args:
            reference: Its name or ARN.
            wire: Carries the calls about it.
            wire_of_copy: Returns what carries those about the copy of a name or an ARN.

        Raises:
            TableNotFound: There is no such table.
            AccessError: It may not be described.
            ConfigError: It is its own copy.
        """
        table = tables.describe(wire, reference)

        copy, its_wire = self._copy(table, wire_of_copy)

        def limit(kind: Kind) -> float:
            return tables.account_limit(wire if kind == "read" else its_wire or wire, kind)

        read = Rate(*self.read.of(table, limit))
        if copy is not None or self.write.units is not None or self.write.percent is not None:
            rate, of_indexes = self.write.of_load(copy or table, limit)
            write = Rate(*rate)
            write_indexes = {name: Rate(*each) for name, each in of_indexes.items()}
        else:
            write, write_indexes = new_copy_rate(table), new_index_rates(table)
        return Given(
            table,
            read,
            write,
            self.prices,
            write_indexes,
            copy=copy,
            recoverable=backups.recoverable(wire, reference),
            sample=sample(wire, reference, table, self.sample, read, copy=copy)
            if self.sample
            else None,
        )

    def _copy(
        self, table: Table, wire_of_copy: Callable[[str], Wire]
    ) -> tuple[Table | None, Wire | None]:
        if not self.copy:
            return None, None
        name = self.copy.replace(TABLE, table.name)
        wire = wire_of_copy(name)
        try:
            copy = tables.describe(wire, name)
        except TableNotFound:
            log.info("There is no table %s yet: a new copy is planned", table_name(name))
            return None, wire
        if (copy.arn, copy.id) == (table.arn, table.id):
            raise ConfigError(
                f"Table {table.name} is named as its own copy",
                f"Name another one, for example {TABLE}_copy, or set b to another region or account",
            )
        return copy, wire


def sample(
    wire: Wire, reference: str, table: Table, count: int, rate: Rate, *, copy: Table | None = None
) -> Sample:
    """Read some items from several places of a table, and return what they show.

    Args:
        wire: Carries the calls.
        reference: The table's name or ARN.
        table: The table.
        count: How many items; a table that has fewer is read whole.
        rate: How fast it may be read.
        copy: Its copy, whose indexes count; None for one that has the same.

    Raises:
        Error: A call failed.
    """
    segments = min(SAMPLE_SEGMENTS, count)
    plan = ReadPlan(reference, segments=segments)
    budget = Budget(rate.units)
    item_units = (table.item_bytes or USUAL_ITEM_BYTES) / UNIT_BYTES
    parts = [Part(number) for number in range(segments)]
    items = size = write_units = json_bytes = 0
    indexes = _indexes(copy or table)
    index_units = dict.fromkeys(indexes, 0)
    units = 0.0
    while parts and items < count:
        part = parts.pop(0)
        most = -(-(count - items) // (len(parts) + 1))
        expected = min(PAGE_UNITS, max(0.5, most * item_units))
        page = read_page(wire, plan, part, budget, expected, limit=lambda most=most: most)  # type: ignore[misc]
        units += page.units
        for raw in page.items:
            item = orjson.loads(bytes(raw))
            items += 1
            size += sizes.item_size(item)
            write_units += sizes.write_units(item)
            json_bytes += len(orjson.dumps(item)) + LINE_BYTES
            for name, (wanted, held) in indexes.items():
                if item.keys() >= wanted:
                    kept = item if held is None else {n: v for n, v in item.items() if n in held}
                    index_units[name] += sizes.write_units(kept)
        if page.next_key is not None:
            parts.append(replace(part, place=page.next_key))
    return Sample(items, size, write_units, json_bytes, units, index_units)


def _indexes(table: Table) -> dict[str, tuple[set[str], set[str] | None]]:
    """Return of each index which attributes an item in it has, and which it holds (None for all)."""
    found: dict[str, tuple[set[str], set[str] | None]] = {}
    for index in table.indexes:
        wanted = {*index.partition, *index.sort}
        member = "LocalSecondaryIndexes" if index.local else "GlobalSecondaryIndexes"
        [said] = [each for each in table.description[member] if each["IndexName"] == index.name]
        more = (said.get("Projection") or {}).get("NonKeyAttributes") or ()
        held = None if index.projection == "ALL" else {*wanted, *table.key.names, *more}
        found[index.name] = (wanted, held)
    return found


def settings_for(aws: AwsSettings, reference: str) -> AwsSettings:
    """Return who asks, and where: an ARN's region counts where the settings name none.

    Args:
        aws: The settings.
        reference: A table's name or ARN.
    """
    if not reference.startswith("arn:") or aws.region is not None:
        return aws
    return replace(aws, region=(reference.split(":") + [""] * 4)[3] or None)
