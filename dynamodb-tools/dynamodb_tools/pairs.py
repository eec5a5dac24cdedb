"""Which tables are compared with which: names, ARNs and patterns on the one side, a template on the other; pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TABLE = "{table}"
"""Stands in B for the name of the table of A."""


class Pair(NamedTuple):
    """Two tables.

    Attributes:
        a: Name or ARN of the one that is as both ought to be.
        b: That of the other.
    """

    a: str
    b: str


def pairs(a: str, b: str, names: Callable[[], Iterable[str]]) -> list[Pair]:
    """Return the pairs of tables that are compared.

    Args:
        a: A name or ARN, a pattern, or several of these with commas between; or an export.
        b: A name or ARN, or an export; `{table}` in it stands for the name of the table of A.
        names: Lists the tables of A's account; called where there is a pattern.

    Raises:
        ConfigError: Nothing matches, or several tables would be compared with one; or an export of A is to
            give B its name.
    """
    if is_export(a.strip()):
        if TABLE in b or not b.strip():
            raise ConfigError(f"A is an export, and B is {b or 'empty'}", "Name B itself")
        return [Pair(a.strip(), b.strip())]
    chosen = [text.strip() for text in a.split(",") if text.strip()]
    patterns = [text for text in chosen if is_pattern(text)]
    found = {text: text for text in chosen if text not in patterns}
    if patterns:
        matched = [n for n in names() if any(fnmatchcase(n, pattern) for pattern in patterns)]
        copies = {b.replace(TABLE, name) for name in matched} if b != TABLE else set()
        found |= {name: name for name in matched if name not in copies}
    if not found or not b.strip():
        raise ConfigError(
            f"There is no table {a}" if b.strip() else "No table B is named",
            "Name a table or its ARN; check aws_region and the account of the credentials",
        )
    made = [Pair(name, b.strip().replace(TABLE, table_name(name))) for name in sorted(found)]
    if len({pair.b for pair in made}) < len(made):
        raise ConfigError(
            f"{len(made)} tables of A would be compared with {made[0].b}",
            f"Write {TABLE} in B where the name of the table of A belongs, for example {TABLE}_copy",
        )
    return made


def is_export(text: str) -> bool:
    """Return whether a text names an export or a folder rather than a table."""
    if ":table/" in text:  # an ARN, or several names with one among them
        return text.startswith("arn:") and "/export/" in text
    return "/" in text


def is_pattern(text: str) -> bool:
    """Return whether a text is a pattern rather than a name or an ARN."""
    return any(character in text for character in "*?[")


def table_name(reference: str) -> str:
    """Return the table name of a name or an ARN."""
    return reference.partition(":table/")[2] or reference
