"""How far an incremental stream has come: the rule of its bookmark; pure.

A stream's state holds `incremental`: a list that is empty while there is no bookmark, else one object,

    {"replication_key": "updated_at", "scope": "…", "marks": [[null, {"S": "2026-11-21T12:00:00Z"}]]}

with one mark for a scan, or one for each partition condition of a query. Every mark is a value that
was seen, as it was written. The list is replaced whole, see `bookmarks`.

**The rule.** While a parallel scan goes on, items change: one in a segment that is finished, a later
one in a segment that is not. The highest value seen is later than the first change, which would be
lost for ever. So a mark is the highest value seen whose moment is not after the moment when the first
run of the scan began, less a lookback for what clocks differ by; later values are read again. A query
reads in the order of the key: there, values that name no moment may be marks too.

The next run reads from the mark's minute (text) or second (numbers) on, the mark included, because
spellings of one second sort in another order than time; a scan, in every form (see `moments`).
Items without the attribute, or with another type than the mark's, are read in every run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError, StateError
from dynamodb_core.expressions import Range
from tap_dynamodb import moments
from tap_dynamodb.bookmarks import START_OVER
from tap_dynamodb.marks import Mark, ReplicationKey, dump_marks, load_bookmark, load_marks, parse
from tap_dynamodb.moments import KINDS
from tap_dynamodb.seen import Highest, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from dynamodb_core.encode import TypedValue
    from tap_dynamodb.marks import PartId
    from tap_dynamodb.seen import Seen

STATE_KEY = "incremental"


class Marks:
    """The marks of one stream while it is read.

    Its bounds stay the same until it is complete. `observe` may be called in any thread, the rest
    belongs to one. `tally` counts what was seen, for the log.

    Args:
        key: The replication key; without a kind, the first values seen decide.
        old: The marks that earlier runs have left, by part.
        candidates: Those that the unfinished runs of this scan have found.
        start: Where to begin without a mark, in nanoseconds since 1970.
        scope: What the marks are true for.
    """

    def __init__(
        self,
        key: ReplicationKey,
        *,
        old: Mapping[PartId, Mark],
        candidates: Mapping[PartId, Mark],
        start: int | None = None,
        scope: str = "",
    ) -> None:
        self.key = key
        self.observe = Highest(key)
        self._old = dict(old)
        self._candidates = dict(candidates)
        self._start = start
        self._scope = scope
        self._kind = key.kind
        self.tally = Tally()

    @classmethod
    def load(
        cls,
        state: Mapping[str, Any],
        *,
        table: str,
        name: str,
        began: datetime,
        lookback: timedelta,
        ordered: bool = False,
        kind: str | None = None,
        start_date: str | None = None,
        scope: str = "",
        candidates: Sequence[Any] = (),
    ) -> Marks:
        """Read the marks from a stream's state.

        Args:
            state: The stream's state.
            table: The table's name.
            name: The replication key.
            began: When the first run of this scan began, with a zone.
            lookback: How far before that the marks stay.
            ordered: Whether each part is a query in the order of the key.
            kind: The attribute's type where it is known (a column, a sort key). For a scan, that
                of a mark goes before it.
            start_date: Where to begin without a mark, as the setting has it.
            scope: Text that is equal as long as marks stay true: table, index, filter.
            candidates: What `dump` returned in the run before, for a scan that is gone on with.

        Raises:
            StateError: The state cannot be read, or is that of another replication key or scope.
            ConfigError: The attribute's type cannot be a replication key, or there is no such date.
        """
        if kind not in (None, *KINDS):
            raise ConfigError(
                f"The replication key {name} of table {table} is of type {kind}",
                "A replication key is text (S) or a number (N)",
            )
        key = ReplicationKey(table, name, moments.nanoseconds(began - lookback), ordered=ordered)
        old = load_bookmark(state.get(STATE_KEY), key, scope)
        found = load_marks(candidates, key)
        kinds = [mark.kind for mark in (*old.values(), *found.values())]
        if len({*kinds, kind} - {None} if ordered else {*kinds}) > 1:
            raise StateError(
                f"The state of table {table} has marks of type {' and '.join(sorted({*kinds}))} "
                f"for the replication key {name}, which has one type"
                + (f", {kind}" if ordered and kind else ""),
                START_OVER,
            )
        found = {part: mark for part, mark in found.items() if key.admits(mark)}
        key = replace(key, kind=(*kinds, kind)[0])
        start = None if start_date is None else moments.parse_start(start_date)
        return cls(key, old=old, candidates=found, start=start, scope=scope)

    def bounds(self, part: PartId = None, like: TypedValue | None = None) -> tuple[Range, ...]:
        """Return which values are to be read: those in any of these ranges.

        Items without the attribute, or with a type that none of the ranges has, are to be read too.

        Args:
            part: The part.
            like: Any value of the part; asked for only by `needs_sample`, None if it is empty.

        Returns:
            Ranges; for a query one without an upper end. None of them: everything is to be read.

        Raises:
            ConfigError: There is a start date, and the values name no moments.
        """
        mark = self._old.get(part)
        if mark is None:
            return self._from_start(like)
        if mark.moment is None:
            return (Range(mark.typed, None),)
        if not self.key.ordered:
            return moments.ranges(_floor(mark), mark.kind)
        if mark.kind == "N":  # a counter of many digits looks like a moment: keep to its own units
            return (Range({"N": str(int(moments.order("N", mark.text)))}, None),)
        return (Range(moments.lowest(_floor(mark), mark.moment.form), None),)

    def needs_sample(self, part: PartId = None) -> bool:
        """Whether `bounds` wants a value of this part, to see how a start date is written there."""
        return self.key.ordered and self._start is not None and part not in self._old

    def advance(self, part: PartId, seen: Seen) -> None:
        """Take into account what a page showed; when its records are out.

        Args:
            part: The part that the page belongs to.
            seen: What `observe` returned for its items.

        Raises:
            ConfigError: Times in one partition are written in forms that sort apart.
        """
        if self._kind is None:
            with_marks = [kind for kind, found in seen.found.items() if found.best]
            self._kind = max(with_marks, key=lambda kind: seen.found[kind].count, default=None)
        self.tally.missing += seen.missing
        self.tally.other += seen.other
        for kind, found in seen.found.items():
            if self._kind not in (None, kind):
                self.tally.other += found.count
                continue
            self.tally.beyond += found.beyond
            if found.best is None:
                continue
            known = self._newest(part)
            if self.key.ordered:
                self._require_one_form(found.forms, known)
            self._candidates[part] = self._higher(known, found.best)

    def dump(self) -> list[list[Any]]:
        """Return what is to be kept with an unfinished scan, as `candidates` of the next run."""
        return dump_marks(self._candidates)

    def complete(self, parts: Iterable[PartId] = (None,)) -> list[dict[str, Any]]:
        """Return the bookmark of a scan that has been read to its end, for the stream's state.

        Args:
            parts: All parts of the scan; marks of others are dropped.
        """
        marks = {part: mark for part in parts if (mark := self._newest(part))}
        if not marks:
            return []
        entry: dict[str, Any] = {"replication_key": self.key.name}
        if self._scope:
            entry["scope"] = self._scope
        return [{**entry, "marks": dump_marks(marks)}]

    def _from_start(self, like: TypedValue | None) -> tuple[Range, ...]:
        if self._start is None:
            return ()
        if not self.key.ordered:
            kinds = KINDS if self.key.kind is None else (self.key.kind,)
            return tuple(each for kind in kinds for each in moments.ranges(self._start, kind))
        if like is None:
            return ()
        ((kind, text),) = like.items()
        moment = parse(self.key, kind, text)
        if moment is None:
            raise ConfigError(
                f"The replication key {self.key.name} of table {self.key.table} holds values that "
                "name no moment, so that start_date cannot be applied",
                "Take start_date away, and set it in table_options of the tables that it is for",
            )
        return (Range(moments.lowest(self._start, moment.form), None),)

    def _newest(self, part: PartId) -> Mark | None:
        return self._candidates.get(part, self._old.get(part))

    def _higher(self, known: Mark | None, mark: Mark) -> Mark:
        ordered = self.key.ordered
        if known and known.order(ordered=ordered) > mark.order(ordered=ordered):
            return known
        return mark

    def _require_one_form(self, forms: frozenset[str], known: Mark | None) -> None:
        if known and known.moment:
            forms |= {known.moment.form}
        if len(forms) > 1:
            raise ConfigError(
                f"Times of the replication key {self.key.name} of table {self.key.table} are "
                f"written in several ways in one partition ({', '.join(sorted(forms))}), which "
                "DynamoDB does not sort by time",
                "Write them in one way, or read the table by a scan, which minds each of them",
            )


def _floor(mark: Mark) -> int:
    assert mark.moment is not None
    step = moments.MINUTE if mark.kind == "S" else moments.SECOND
    return mark.moment.nanoseconds // step * step
