"""A replication key, the values of it that were seen, and how the state holds them; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core import numbers
from dynamodb_core.errors import ConfigError, DataError, StateError
from tap_dynamodb import moments
from tap_dynamodb.bookmarks import START_OVER
from tap_dynamodb.moments import KINDS, ForeignOffset, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    from dynamodb_core.encode import TypedValue

    PartId: TypeAlias = str | None
    """A query's condition; None is the whole table."""


@dataclass(frozen=True)
class ReplicationKey:
    """The attribute by which a table is read incrementally.

    Attributes:
        table: The table's name, for messages.
        name: The attribute's name.
        limit: Moments after this one never become a bookmark; nanoseconds since 1970.
        ordered: Whether each part is a query that reads in the order of this attribute.
        kind: The attribute's type, `S` or `N`; None where both may count.
    """

    table: str
    name: str
    limit: int
    ordered: bool = False
    kind: str | None = None

    def admits(self, mark: Mark) -> bool:
        """Whether a value may become the bookmark."""
        return mark.moment is None or mark.moment.nanoseconds <= self.limit


class Mark(NamedTuple):
    """A value that was seen.

    Attributes:
        kind: `S` or `N`.
        text: The value, as it is written.
        moment: The moment that it names, if any.
    """

    kind: str
    text: str
    moment: Moment | None

    @property
    def typed(self) -> TypedValue:
        """The value as DynamoDB's JSON has it."""
        return {self.kind: self.text}

    def order(self, *, ordered: bool) -> Any:
        """Return what sorts marks of one type: DynamoDB's order for a query, else time."""
        own = moments.order(self.kind, self.text)
        if ordered or self.moment is None:
            return own
        return self.moment.nanoseconds, own


def parse(key: ReplicationKey, kind: str, text: str) -> Moment | None:
    """Return the moment that a value of a replication key names, None where it names none.

    Raises:
        ConfigError: It is a time that is not in UTC.
    """
    try:
        return moments.moment(kind, text)
    except ForeignOffset as error:
        raise ConfigError(
            f"The replication key {key.name} of table {key.table} holds a time with the offset "
            f"{error}: DynamoDB compares text byte by byte, which is the order of time only where "
            "all times are in UTC",
            "Let the writers store UTC (2026-11-21T12:00:00Z), choose another replication key, or "
            "read the full table",
        ) from None


def dump_marks(marks: Mapping[PartId, Mark]) -> list[list[Any]]:
    """Return marks as the state holds them: pairs of part and typed value."""
    pairs = sorted(marks.items(), key=lambda pair: (pair[0] is not None, pair[0] or ""))
    return [[part, dict(mark.typed)] for part, mark in pairs]


def load_marks(pairs: Iterable[Any], key: ReplicationKey) -> dict[PartId, Mark]:
    """Read what `dump_marks` returned.

    Raises:
        StateError: It cannot be read.
    """
    marks: dict[PartId, Mark] = {}
    try:
        for part, typed in pairs:
            _require(part is None or isinstance(part, str))
            _require(part not in marks)
            marks[part] = _load_mark(typed, key)
    except (AttributeError, TypeError, ValueError, ConfigError, DataError) as error:
        raise StateError(
            f"The state of table {key.table} has marks of {key.name} that cannot be read",
            START_OVER,
        ) from error
    return marks


def load_bookmark(entries: Any, key: ReplicationKey, scope: str) -> dict[PartId, Mark]:
    """Read the bookmark that the last scan has left.

    Args:
        entries: What the stream's state holds.
        key: The replication key of this run.
        scope: What marks have to be true for.

    Raises:
        StateError: It cannot be read, or is that of another replication key or scope.
    """
    if not entries:
        return {}
    try:
        [entry] = entries
        name, pairs, made_for = entry["replication_key"], entry["marks"], entry.get("scope", "")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StateError(
            f"The bookmark of table {key.table} cannot be read: {error!r}", START_OVER
        ) from error
    if name != key.name:
        raise StateError(
            f"The bookmark of table {key.table} is one of the replication key {name}, and this run's "
            f"is {key.name}",
            START_OVER,
        )
    if made_for != scope:
        raise StateError(
            f"The bookmark of table {key.table} was made by another table of this name, or with "
            "another index or filter or for other streams: items that it left out may be older than "
            "the bookmark",
            START_OVER,
        )
    return load_marks(pairs, key)


def _load_mark(typed: Mapping[str, Any], key: ReplicationKey) -> Mark:
    ((kind, text),) = typed.items()
    _require(kind in KINDS and isinstance(text, str))
    if kind == "N":
        numbers.canonical(text)
    mark = Mark(kind, text, parse(key, kind, text))
    _require(key.ordered or mark.moment is not None)
    return mark


def _require(fine: bool) -> None:  # noqa: FBT001 - an assertion about what came from outside
    if not fine:
        raise ValueError
