"""Which table a stream goes to; pure.

DynamoDB's table names are 3 to 255 characters of `A-Z a-z 0-9 _ . -`. The rule for other names:
every character beyond these becomes `_`, a short name is filled up with `_` to three characters,
and a name over 255 characters is an error.

`table_names` goes by the stream's name, or by the last pattern of streams that fits it.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORTEST = 3
LONGEST = 255
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_.-]")


def unknown_placeholders(pattern: str) -> list[str]:
    """Return the placeholders of a pattern that stand for nothing.

    Args:
        pattern: A table name that may hold `{stream}` and `{table}`.
    """
    return [name for name in _PLACEHOLDER.findall(pattern) if name not in ("stream", "table")]


def legal(name: str) -> str:
    """Return a name as DynamoDB takes it, by the rule of this module.

    Args:
        name: Any name.

    Raises:
        ConfigError: The name is too long.
    """
    made = _ILLEGAL.sub("_", name).ljust(SHORTEST, "_")
    if len(made) > LONGEST:
        raise ConfigError(
            f"The table name {made[:40]}... has {len(made)} characters, DynamoDB takes {LONGEST}",
            "Name the table with table_names",
        )
    return made


def table_name(
    stream: str, source_table: str | None, *, pattern: str | None, patterns: Mapping[str, str]
) -> str:
    """Return the table that a stream goes to, before `legal`.

    Args:
        stream: The stream's name.
        source_table: The DynamoDB table that it came from, if it did.
        pattern: The setting `table_name`.
        patterns: The setting `table_names`.
    """
    chosen = _named(stream, patterns) or pattern or "{table}"
    names = {"stream": stream, "table": source_table or stream}
    return _PLACEHOLDER.sub(lambda found: names[found[1]], chosen)


def asked_for(stream: str, *, pattern: str | None, patterns: Mapping[str, str]) -> bool:
    """Return whether the configuration itself sends a stream to one certain table.

    That is so when the stream is named in `table_names`, or when what a pattern there or `table_name`
    says for it holds no placeholder.

    Args:
        stream: The stream's name.
        pattern: The setting `table_name`.
        patterns: The setting `table_names`.
    """
    chosen = _named(stream, patterns) or pattern
    return bool(patterns.get(stream)) or bool(chosen and not _PLACEHOLDER.search(chosen))


def _named(stream: str, patterns: Mapping[str, str]) -> str | None:
    fitting = [table for streams, table in patterns.items() if fnmatchcase(stream, streams)]
    return patterns.get(stream) or (fitting[-1] if fitting else None)
