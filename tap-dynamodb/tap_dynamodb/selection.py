"""What of a table the configuration asks for: index, partitions, filter, attributes; pure."""

from __future__ import annotations

import hashlib
from itertools import product
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import expressions
from dynamodb_core.encode import ENCODERS
from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.expressions import KeyCondition, SortCondition
from dynamodb_core.filters import typed_filter
from dynamodb_core.plan import ReadPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dynamodb_core.encode import TypedValue
    from dynamodb_core.expressions import Filter
    from dynamodb_core.table import Index, Table
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source

QUERY_EXAMPLE = '{"pk": ["a", "b"], "sk": {"begins_with": "x"}}'


def readable(table: Table, settings: Settings) -> Table | Index:
    """Return what is read: the table, or the index that the settings name.

    Args:
        table: The table.
        settings: The table's own.

    Raises:
        ConfigError: There is no such index, or it cannot be read as it is asked for.
    """
    if settings.index is None:
        return table
    index = table.index(settings.index)
    if settings.consistent_read and not index.local:
        raise ConfigError(
            f"Index {index.name} of table {table.name} is a global one, which cannot be read "
            "strongly consistent",
            "Take consistent_read away for this table",
        )
    return index


def read_plan(source: Source, settings: Settings) -> ReadPlan:
    """Return what is read of a table, whoever reads it; into how many parts is not decided yet.

    Args:
        source: The table.
        settings: The table's own.

    Raises:
        ConfigError: The query or the filter is none, or does not fit what is read.
    """
    return ReadPlan(
        source.reference,
        index=settings.index,
        conditions=conditions(source.table, settings),
        filter=filter_expression(source.table, settings),
    )


def conditions(table: Table, settings: Settings) -> tuple[KeyCondition, ...]:
    """Return the partitions that the setting `query` asks for; none for a scan.

    Args:
        table: The table.
        settings: The table's own.

    Raises:
        ConfigError: It does not fit the key of what is read.
    """
    if settings.query is None:
        return ()
    given: Any = settings.query if isinstance(settings.query, list) else [settings.query]
    keys = _Keys(table, settings)
    found = [condition for query in given for condition in keys.conditions(query)]
    return tuple({condition_id(each): each for each in found}.values())  # none is read twice


def filter_expression(table: Table, settings: Settings) -> Filter | None:
    """Return the setting `filter` with its values typed.

    Args:
        table: The table, for messages.
        settings: The table's own.

    Raises:
        ConfigError: A placeholder or a value is none.
    """
    if settings.filter is None:
        return None
    return typed_filter(settings.filter, f"table {table.name}")


def fingerprint(
    settings: Settings, streams: Sequence[str], replication_key: str | None
) -> dict[str, str]:
    """Return what a state must have been made with to be gone on with, in words or digests.

    Args:
        settings: The table's own.
        streams: Names of the streams that it is read for; of account where there are entities.
        replication_key: By which the table is read, if it is not read whole.

    Returns:
        A text by setting, of those that are set. Filters and queries hold values of items, so
        these are digests.
    """
    parts = {
        "item_format": settings.item_format if settings.item_format != "plain" else None,
        "decimals": settings.decimals if settings.decimals != "number" else None,
        "binary_encoding": settings.binary_encoding
        if settings.binary_encoding != "base64"
        else None,
        "type_tags": None if settings.type_tags else "false",
        "skip_expired": "true" if settings.skip_expired else None,
        "index": settings.index,
        "filter": _digest(settings.filter),
        "query": _digest(settings.query),
        "entities": _digest(settings.entities or None),
        "streams": ", ".join(sorted(streams)) if settings.entities else None,
        "segment_range": _range(settings),
        "replication_key": replication_key,
    }
    return {name: text for name, text in parts.items() if text}


def is_ordered_by(attribute: str, table: Table, read: Table | Index, plan: ReadPlan) -> bool:
    """Return whether each partition that is queried is read in the order of an attribute.

    Args:
        attribute: The attribute, for example a replication key.
        table: The table, for messages.
        read: What is read: `readable`.
        plan: How: `read_plan`.

    Raises:
        ConfigError: The query has a condition on the attribute already.
    """
    if not plan.conditions or attribute not in read.sort:
        return False
    before = set(read.sort[: read.sort.index(attribute)])
    for condition in plan.conditions:
        said = {each.attribute: each.operator for each in condition.sort}
        if attribute in said:
            raise ConfigError(
                f"The query of table {table.name} has a condition on {attribute}, which is the "
                "replication key",
                "Take it out: the bookmark says where to begin, and start_date before there is one",
            )
        if any(said.get(name) != "=" for name in before):
            return False
    return True


def condition_id(condition: KeyCondition) -> str:
    """Return a text that tells one partition from another, without its values."""
    return _digest([sorted(condition.equal.items()), condition.sort])


def scope(table_id: str, reads: Mapping[str, str], *, ordered: bool) -> str:
    """Return a text that is equal as long as the marks of a replication key stay true.

    Args:
        table_id: What tells the table from one that was made later under its name.
        reads: The `fingerprint`.
        ordered: Whether each partition has a mark of its own.
    """
    kept = {"index", "filter", "entities", "streams", "segment_range", "query"}
    if ordered:
        kept.discard("query")
    return _digest([table_id, *sorted((n, text) for n, text in reads.items() if n in kept)])


class _Keys:
    """The key of what is read, as queries name it."""

    def __init__(self, table: Table, settings: Settings) -> None:
        self.read = readable(table, settings)
        self.what = f"table {table.name}"
        if self.read is not table:
            self.what = f"index {self.read.name} of {self.what}"

    def conditions(self, query: Mapping[str, Any]) -> Iterator[KeyCondition]:
        missing = [name for name in self.read.partition if name not in query]
        foreign = [name for name in query if name not in (*self.read.partition, *self.read.sort)]
        if missing or foreign:
            raise ConfigError(
                f"The query of {self.what} "
                + (f"lacks {', '.join(missing)}" if missing else f"names {', '.join(foreign)}"),
                f"Its partition key is {', '.join(self.read.partition)}, its sort key "
                f"{', '.join(self.read.sort) or 'none'}; for example {QUERY_EXAMPLE}",
            )
        sort = tuple(self.condition(name, query[name]) for name in self.read.sort if name in query)
        choices = [
            [self.typed(name, value) for value in _listed(query[name])]
            for name in self.read.partition
        ]
        if not all(choices):
            raise ConfigError(
                f"The query of {self.what} names no value of {', '.join(self.read.partition)}",
                f"Give it partitions, for example {QUERY_EXAMPLE}, or take it away to read the whole",
            )
        for chosen in product(*choices):
            yield KeyCondition(dict(zip(self.read.partition, chosen, strict=True)), sort)

    def condition(self, name: str, said: Any) -> SortCondition:
        if not isinstance(said, dict):
            return SortCondition(name, "=", (self.typed(name, said),))
        operator, value = next(iter(said.items())) if len(said) == 1 else ("", None)
        values = _listed(value)
        if expressions.SORT_OPERATORS.get(operator) != len(values):
            raise ConfigError(
                f"The query of {self.what} has no condition on {name}",
                f"Give a value, or one of {', '.join(expressions.SORT_OPERATORS)} with its value, "
                "between with a list of two",
            )
        return SortCondition(name, operator, tuple(self.typed(name, each) for each in values))

    def typed(self, name: str, value: Any) -> TypedValue:
        try:
            return ENCODERS[self.read.types[name]](value, f"/{name}")
        except DataError as error:
            raise ConfigError(
                f"The query of {self.what}: {error.message}",
                f"{name} is of type {self.read.types[name]}",
            ) from error


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _range(settings: Settings) -> str:
    if settings.segment_range is None:
        return ""
    first, last = settings.segment_range
    return f"{first}-{last} of {settings.segments}"  # of another number they are other segments


def _digest(value: Any) -> str:
    if value is None:
        return ""
    text = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]
