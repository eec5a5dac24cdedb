"""Which tables there are to read, and what a sample of each shows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core import tables, workers
from dynamodb_core.capacity import Budget, choose_rate
from dynamodb_core.errors import AccessError, ConfigError, TableNotFound
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.scan import PAGE_UNITS, read_page
from tap_dynamodb import selection
from tap_dynamodb.advice import advise
from tap_dynamodb.discovery import sampled_schema
from tap_dynamodb.entities import Entities
from tap_dynamodb.sampled import Seen
from tap_dynamodb.scanning import refusals

if TYPE_CHECKING:
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings

SAMPLE_SEGMENTS = 4
"""From how many places of a table its sample comes."""

DESCRIBE_WORKERS = 16
SHOWN_TABLES = 20

log = logging.getLogger("tap-dynamodb")


@dataclass(frozen=True)
class Source:
    """A table to read.

    Attributes:
        reference: Its name, or the ARN that the configuration gives.
        table: What DescribeTable says.
    """

    reference: str
    table: Table


def find(wire: Wire, settings: Settings) -> list[Source]:
    """Return the tables that the configuration chooses, described, in the order of their names.

    Args:
        wire: Carries the calls; ListTables only where there is a pattern, or no choice at all.
        settings: `tables` and `exclude_tables` choose.

    Raises:
        TableNotFound: A table given by name or ARN does not exist.
        AccessError: A table given by name or ARN may not be described, or none of those found.
    """
    chosen = settings.tables or ("*",)
    named = {text for text in chosen if not is_pattern(text) and not _excluded(text, settings)}
    patterns = [text for text in chosen if is_pattern(text)]
    matched: set[str] = set()
    if patterns:
        listed = list(tables.names(wire))
        for pattern in patterns:
            hits = {name for name in listed if fnmatchcase(name, pattern)}
            if not hits:
                log.warning("No table here matches %s", pattern)
            matched |= hits
        matched -= {table_name(text) for text in named}
        matched = {name for name in matched if not _excluded(name, settings)}

    refused: list[AccessError] = []

    def described(reference: str) -> Source | None:
        try:
            return describe(wire, reference)
        except AccessError as error:
            if reference in named:
                raise
            refused.append(error)
            log.warning("Table %s is left out: %s", reference, error)
        except TableNotFound:
            if reference in named:
                raise
            log.warning("Table %s is left out: it is gone since it was listed", reference)
        return None

    found = workers.gather(described, sorted(named | matched), workers=DESCRIBE_WORKERS)
    if refused and not any(found):
        raise refused[0]
    # A table may be given by its name and by its ARN.
    different = {source.table.arn or source.reference: source for source in filter(None, found)}
    return sorted(different.values(), key=lambda source: source.table.name)


def describe(wire: Wire, reference: str) -> Source:
    """Return one table, described.

    Args:
        wire: Carries the call.
        reference: The table's name or ARN.
    """
    return Source(reference, tables.describe(wire, reference))


def schemas(
    wire: Wire, found: list[Source], names: list[str], settings: Settings
) -> list[dict[str, dict[str, Any]]]:
    """Return the JSON Schemas of each table's streams; plain streams are sampled for it.

    Args:
        wire: Carries the calls.
        found: The tables.
        names: The name of each table's own stream.
        settings: Name the item format and bound the samples.

    Returns:
        For each table the schema of each stream, by its name: of the table's own, and of its
        entities.
    """

    def of(source: Source, own: str) -> dict[str, dict[str, Any]]:
        table = source.table
        its = settings.for_table(table.name, table.arn)
        entities = Entities.of(its.entities, own)
        seen = {name: Seen() for name in entities.streams}
        if its.item_format == "plain":
            for name, items in entities.split(sample(wire, source, its)).items():
                for raw in items:
                    seen[name].add(msgspec.json.decode(raw))
        schemas = {
            name: sampled_schema(each, table, its, None if name == own else name)
            for name, each in seen.items()
        }
        lines = (advise(seen[name], schema, table, its) for name, schema in schemas.items())
        for line in dict.fromkeys(line for some in lines for line in some):
            log.warning("%s", line)
        return schemas

    return workers.gather(
        lambda pair: of(*pair), zip(found, names, strict=True), workers=DESCRIBE_WORKERS
    )


def require_choice(settings: Settings, names: list[str]) -> None:
    """Refuse to read a whole account by accident.

    Args:
        settings: `tables` is to choose.
        names: The tables there are, for the message.

    Raises:
        ConfigError: `tables` is not set.
    """
    if settings.tables:
        return
    shown = ", ".join(names[:SHOWN_TABLES])
    if len(names) > SHOWN_TABLES:
        shown += f" and {len(names) - SHOWN_TABLES} more"
    first = orjson.dumps(names[:1] or ["orders"]).decode()
    raise ConfigError(
        f"No tables are chosen. There are {len(names)} here: {shown or 'none'}",
        f'Set tables, for example {first}, or ["*"] to read them all',
    )


def warn_of_strangers(settings: Settings, tables: list[Table]) -> None:
    """Warn of options for tables that are not read: a misspelt name would be without effect.

    Args:
        settings: `table_options` names tables.
        tables: Those that are read.
    """
    for name in settings.table_options:
        if not any(fnmatchcase(table.name, name) or name == table.arn for table in tables):
            log.warning("table_options names %s, which is no table that is read here", name)


def sample(wire: Wire, source: Source, settings: Settings) -> list[msgspec.Raw]:
    """Read a bounded sample from several places of what is read of a table.

    Args:
        wire: Carries the calls.
        source: The table.
        settings: The table's own: `sample_size` bounds the items, `read_capacity` the units a second.
    """
    if not settings.sample_size:
        return []
    read = selection.readable(source.table, settings)
    conditions = selection.conditions(source.table, settings)[:SAMPLE_SEGMENTS]
    rate, _reason = choose_rate(settings.read_capacity, read, "read")
    budget = Budget(rate)
    segments = len(conditions) or min(SAMPLE_SEGMENTS, settings.sample_size)
    plan = ReadPlan(
        source.reference,
        segments,
        index=settings.index,
        conditions=conditions,
        filter=selection.filter_expression(source.table, settings),
        limit=-(-settings.sample_size // segments),
    )
    items: list[msgspec.Raw] = []
    with refusals(plan):
        for segment in range(segments):
            items += read_page(wire, plan, Part(segment), budget, PAGE_UNITS / segments).items
    return items


def is_pattern(text: str) -> bool:
    """Return whether a table setting is a pattern rather than a name or an ARN."""
    return any(character in text for character in "*?[")


def table_name(reference: str) -> str:
    """Return the table name of a name or an ARN."""
    return reference.partition(":table/")[2] or reference


def _excluded(reference: str, settings: Settings) -> bool:
    name = table_name(reference)
    return any(fnmatchcase(name, pattern) for pattern in settings.exclude_tables)
