"""What a bounded sample of each table shows, and the schemas that follow from it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from dynamodb_core import workers
from dynamodb_core.capacity import Budget
from dynamodb_core.paging import FIRST_ITEMS, PAGE_UNITS, UNIT_BYTES, USUAL_ITEM_BYTES
from dynamodb_core.parts import Part
from dynamodb_core.scan import read_page
from dynamodb_core.table_reader import refusals
from tap_dynamodb import changed, selection
from tap_dynamodb.advice import advise
from tap_dynamodb.discovery import sampled_schema
from tap_dynamodb.entities import Entities
from tap_dynamodb.following import LOG_BASED
from tap_dynamodb.pace import read_pace
from tap_dynamodb.pages import REFUSED
from tap_dynamodb.particulars import Inquiry, Particulars
from tap_dynamodb.sampled import Seen
from tap_dynamodb.sources import DESCRIBE_WORKERS, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.prices import Purse
    from dynamodb_core.table import Index, Table
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings

SAMPLE_SEGMENTS = 4
"""From how many places of a table its sample comes."""

SAMPLE_SECONDS = 10.0
"""A sample costs no more than the budget gives in about this time."""

log = logging.getLogger("tap-dynamodb")


def schemas(
    wire: Wire,
    found: list[Source],
    names: list[str],
    settings: Settings,
    purse: Purse | None = None,
) -> list[dict[str, dict[str, Any]]]:
    """Return the JSON Schemas of each table's streams; plain streams are sampled for it.

    Args:
        wire: Carries the calls.
        found: The tables.
        names: The name of each table's own stream.
        settings: Name the item format and bound the samples.
        purse: What pays for them.

    Returns:
        For each table the schema of each stream, by its name: of the table's own, and of its
        entities.
    """
    inquiry = Inquiry(wire, wanted=settings.describe_ttl_and_tags, count=len(found))

    def of(source: Source, own: str) -> dict[str, dict[str, Any]]:
        table = source.table
        its = settings.for_table(table.name, table.arn)
        entities = Entities.of(its.entities, own)
        seen = {name: Seen() for name in entities.streams}
        if its.item_format == "plain":
            for name, items in entities.split(sample(wire, source, its, purse)).items():
                for raw in items:
                    seen[name].add(msgspec.json.decode(raw))
        told = Particulars() if source.stages and not table.description else inquiry.of(source)
        more: Mapping[str, Mapping[str, Any]] = {}
        if its.method == LOG_BASED:
            more = changed.properties(by=True, old_image=its.following.old_image)
        elif any(stage.export.changes for stage in source.stages) or its.asks_for_windows:
            more = changed.PROPERTIES
        schemas = {
            name: sampled_schema(each, table, its, None if name == own else name, told, more=more)
            for name, each in seen.items()
        }
        lines = (advise(seen[name], schema, table, its) for name, schema in schemas.items())
        for line in dict.fromkeys(line for some in lines for line in some):
            log.warning("%s", line)
        return schemas

    return workers.gather(
        lambda pair: of(*pair), zip(found, names, strict=True), workers=DESCRIBE_WORKERS
    )


def sample(
    wire: Wire, source: Source, settings: Settings, purse: Purse | None = None
) -> list[msgspec.Raw]:
    """Read a bounded sample from several places of what is read of a table.

    Args:
        wire: Carries the calls.
        source: The table.
        settings: The table's own: `sample_size` bounds the items, and what is said of capacity the
            units a second; a small budget has a small sample.
        purse: What pays for a table on demand.
    """
    if not settings.sample_size:
        return []
    if source.stages:
        from tap_dynamodb import exported  # noqa: PLC0415 - seldom wanted

        return exported.sample(source, settings)
    read = selection.readable(source.table, settings)
    plan = selection.read_plan(source, settings)
    conditions = plan.conditions[:SAMPLE_SEGMENTS]
    rate, _reason = read_pace(wire, source, settings).rate()
    budget = Budget(rate, purse=None if source.table.billing == "PROVISIONED" else purse)
    size = _affordable(settings.sample_size, rate, read)
    segments = len(conditions) or min(SAMPLE_SEGMENTS, size)
    plan = replace(plan, segments=segments, conditions=conditions)
    items: list[msgspec.Raw] = []
    most = -(-size // segments)
    limit = most if rate is None or read.item_bytes else min(most, FIRST_ITEMS)
    expected = PAGE_UNITS / segments

    def chosen() -> int:
        return limit

    with refusals(plan, REFUSED):
        for segment in range(segments):
            page = read_page(wire, plan, Part(segment), budget, expected, limit=chosen)
            items += page.items
            if rate is not None and page.units and page.evaluated:
                affordable = SAMPLE_SECONDS * rate / segments
                limit = max(1, min(most, int(affordable * page.evaluated / page.units)))
    budget.wait(0.0)  # the read that follows begins with no debt
    return items


def _affordable(size: int, rate: float | None, read: Table | Index) -> int:
    """Return how many items a sample has, so that a small budget pays for it in some seconds."""
    if rate is None:
        return size
    units = SAMPLE_SECONDS * rate
    return max(1, min(size, int(units * UNIT_BYTES / (read.item_bytes or USUAL_ITEM_BYTES))))
