"""Which tables there are to read."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import tables, workers
from dynamodb_core.errors import AccessError, ConfigError, TableNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings

DESCRIBE_WORKERS = 16
SHOWN_TABLES = 20

log = logging.getLogger("tap-dynamodb")


@dataclass(frozen=True)
class Source:
    """A table to read.

    Attributes:
        reference: Its name, or the ARN that the configuration gives.
        table: What DescribeTable says, or its exports.
        stages: The exports that it is read from, in their order; none where it is scanned.
    """

    reference: str
    table: Table
    stages: tuple[Stage, ...] = ()


def find(wire: Wire, settings: Settings) -> list[Source]:
    """Return the tables that the configuration chooses, described, in the order of their names.

    Args:
        wire: Carries the calls; ListTables only where there is a pattern, or no choice at all.
        settings: `tables` and `exclude_tables` choose.

    Raises:
        TableNotFound: A table given by name or ARN does not exist.
        AccessError: A table given by name or ARN may not be described, or none of those found.
        ConfigError: `tables` chooses none.
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
    if settings.tables and not any(found):
        raise ConfigError(
            f"No table is left to read of {', '.join(settings.tables)}",
            "Check tables and exclude_tables, aws_region and the account of the credentials",
        )
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
    """Warn of settings for tables that are not read: a misspelt name would be without effect.

    Args:
        settings: `table_options` and `stream_names` name tables.
        tables: Those that are read.
    """
    for setting in ("table_options", "stream_names"):
        for name in getattr(settings, setting):
            if not any(fnmatchcase(table.name, name) or name == table.arn for table in tables):
                log.warning("%s names %s, which is no table that is read here", setting, name)


def warn_of_another_choice(settings: Settings, stream: str, annotation: Mapping[str, Any]) -> None:
    """Warn of a stream of a catalog whose table is not among those that are chosen.

    Args:
        settings: `tables` and `exclude_tables` choose.
        stream: The stream's name.
        annotation: What its schema says of its table; empty where nothing does.
    """
    name = annotation.get("name")
    if not settings.tables or name is None:
        return
    chosen = any(
        text == annotation.get("arn") or fnmatchcase(name, table_name(text))
        for text in settings.tables
    )
    if not chosen or _excluded(name, settings):
        log.warning(
            "Stream %s of the catalog is of table %s, which tables does not choose; the catalog counts",
            stream,
            name,
        )


def is_pattern(text: str) -> bool:
    """Return whether a table setting is a pattern rather than a name or an ARN."""
    return any(character in text for character in "*?[")


def table_name(reference: str) -> str:
    """Return the table name of a name or an ARN."""
    return reference.partition(":table/")[2] or reference


def _excluded(reference: str, settings: Settings) -> bool:
    name = table_name(reference)
    return any(fnmatchcase(name, pattern) for pattern in settings.exclude_tables)
