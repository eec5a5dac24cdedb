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
from tap_dynamodb.discovery import Seen, columns, stream_schema

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
        AccessError: A table given by name or ARN may not be described.
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

    def described(reference: str) -> Source | None:
        try:
            return describe(wire, reference)
        except AccessError as error:
            if reference in named:
                raise
            log.warning("Table %s is left out: %s", reference, error)
        except TableNotFound:
            if reference in named:
                raise
            log.warning("Table %s is left out: it is gone since it was listed", reference)
        return None

    found = workers.gather(described, sorted(named | matched), workers=DESCRIBE_WORKERS)
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


def schemas(wire: Wire, found: list[Source], settings: Settings) -> list[dict[str, Any]]:
    """Return the JSON Schema of each table's stream; plain streams are sampled for it.

    Args:
        wire: Carries the calls.
        found: The tables.
        settings: Names the item format and bounds the samples.
    """

    def schema(source: Source) -> dict[str, Any]:
        attributes: dict[str, str] = {}
        if settings.item_format == "plain":
            attributes = columns(
                sample(wire, source, settings),
                source.table.key,
                settings.max_attributes,
                settings.reserved_field if settings.type_tags else None,
            )
        return stream_schema(source.table, attributes, settings)

    return workers.gather(schema, found, workers=DESCRIBE_WORKERS)


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


def sample(wire: Wire, source: Source, settings: Settings) -> Seen:
    """Read a bounded sample from several places of a table.

    Args:
        wire: Carries the calls.
        source: The table.
        settings: `sample_size` bounds the items, `read_capacity` the units a second.
    """
    seen = Seen()
    if not settings.sample_size:
        return seen
    rate, _reason = choose_rate(settings.read_capacity, source.table, "read")
    budget = Budget(rate)
    segments = min(SAMPLE_SEGMENTS, settings.sample_size)
    plan = ReadPlan(source.reference, segments, limit=-(-settings.sample_size // segments))
    for segment in range(segments):
        page = read_page(wire, plan, Part(segment), budget, PAGE_UNITS / segments)
        for raw in page.items:
            seen.add(msgspec.json.decode(raw))
    return seen


def is_pattern(text: str) -> bool:
    """Return whether a table setting is a pattern rather than a name or an ARN."""
    return any(character in text for character in "*?[")


def table_name(reference: str) -> str:
    """Return the table name of a name or an ARN."""
    return reference.partition(":table/")[2] or reference


def _excluded(reference: str, settings: Settings) -> bool:
    name = table_name(reference)
    return any(fnmatchcase(name, pattern) for pattern in settings.exclude_tables)
