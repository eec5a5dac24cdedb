"""What the items of a page say about a replication key: a fold, computed in the worker that has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from dynamodb_core.errors import ConfigError
from dynamodb_core.peek import MISSING, peek
from tap_dynamodb.marks import Mark, ReplicationKey, parse
from tap_dynamodb.moments import KINDS, Moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import msgspec


@dataclass(frozen=True)
class Found:
    """What the values of one type were.

    Attributes:
        count: How many.
        beyond: How many of them name a moment after the limit.
        best: The highest of the others.
        forms: The forms of the moments among the others.
    """

    count: int = 0
    beyond: int = 0
    best: Mark | None = None
    forms: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Seen:
    """What a page's items say.

    Attributes:
        found: What the values were, by type.
        missing: Items without the attribute.
        other: Items that have it as a type that does not count.
    """

    found: Mapping[str, Found] = field(default_factory=dict)
    missing: int = 0
    other: int = 0


@dataclass
class Tally:
    """Counts over a run of the values that were no candidates for the bookmark.

    Attributes:
        missing: Items without the attribute.
        other: Items that have it as another type than the bookmark's.
        beyond: Values later than the bookmark may be.
    """

    missing: int = 0
    other: int = 0
    beyond: int = 0

    def line(self, name: str) -> str:
        """Return what a person should know of them, as text; empty if nothing.

        Args:
            name: The replication key.
        """
        told = []
        if self.missing:
            told.append(f"{self.missing:,} items have no {name}")
        if self.other:
            told.append(f"{self.other:,} have {name} as another type than the bookmark's")
        if told:
            told = [" and ".join(told) + ": these are read in every run"]
        if self.beyond:
            told.append(
                f"{self.beyond:,} values of {name} are later than the bookmark may be, which stays "
                "before the start of the scan: these are read again"
            )
        return "; ".join(told)


class Highest:
    """Finds the highest value of a replication key that may become the bookmark; for any thread.

    Args:
        key: The replication key.
    """

    def __init__(self, key: ReplicationKey) -> None:
        self._key = key
        self._kinds = KINDS if key.kind is None else (key.kind,)
        self._look = peek([key.name])

    def __call__(self, items: Sequence[msgspec.Raw]) -> Seen:
        """Look at a page.

        Args:
            items: Each item's DynamoDB JSON.

        Raises:
            ConfigError: A value that is no moment in a scan, or a time that is not in UTC.
            DataError: An item is not in DynamoDB's JSON.
        """
        values: dict[str, list[str]] = {kind: [] for kind in self._kinds}
        missing = other = 0
        for raw in items:
            value = self._look(raw)[0]
            if value is MISSING:
                missing += 1
            elif value.S is not UNSET and "S" in values:
                values["S"].append(value.S)
            elif value.N is not UNSET and "N" in values:
                values["N"].append(value.N)
            else:
                other += 1
        found = {kind: self._fold(kind, texts) for kind, texts in values.items() if texts}
        return Seen(found, missing, other)

    def __reduce__(self) -> Any:
        """Pickle by the replication key."""
        return type(self), (self._key,)

    def _fold(self, kind: str, texts: list[str]) -> Found:
        ordered = self._key.ordered
        best: Mark | None = None
        beyond = 0
        forms = set()
        for text in texts:
            moment = self._moment(kind, text)
            if moment is not None:
                if not ordered and best and best.moment and best.moment > moment:
                    continue
                forms.add(moment.form)
            mark = Mark(kind, text, moment)
            if not self._key.admits(mark):
                beyond += 1
            elif best is None or mark.order(ordered=ordered) > best.order(ordered=ordered):
                best = mark
        return Found(len(texts), beyond, best, frozenset(forms))

    def _moment(self, kind: str, text: str) -> Moment | None:
        moment = parse(self._key, kind, text)
        if moment is None and not self._key.ordered:
            what = f"a text of {len(text)} characters" if kind == "S" else "a number"
            raise ConfigError(
                f"The replication key {self._key.name} of table {self._key.table} has a value that "
                f"names no moment ({what}), and while a parallel scan goes on, only time tells which "
                "changes it can have missed",
                "Take an attribute that holds the time of the last change, in UTC, as ISO text or "
                "as a number since 1970; or set index and query in table_options, to read an index "
                "whose sort key it is in its order",
            )
        return moment
