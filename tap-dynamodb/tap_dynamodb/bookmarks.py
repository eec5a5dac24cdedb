"""Where a scan stands: what is finished, and where each unfinished segment goes on; pure.

A stream's state holds `scan`: a list that is empty when no scan is under way, else one object,

    {"table_id": "…", "reads": {"index": "by_date"}, "segments": 8, "seed": 5,
     "began": "2026-11-21T12:00:00+00:00", "version": 1790000000,
     "finished": [[0, 2], [4, 4]], "places": [[3, {"id": {"S": "k"}}]]}

`reads` says what else but the table the places depend on. `seed` decides the order in which the
segments are read. `finished` holds ranges of places in that order, both ends included: about as many
as there are workers, however many segments there are. `places` holds the number of each segment that
was begun, and the last key read of it. The partitions of a query are counted as segments. Meltano
merges states member by member but replaces lists whole, so nothing that a later state drops can come
back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import StateError
from dynamodb_core.parts import Part
from dynamodb_core.scan import shuffled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynamodb_core.parts import Block
    from dynamodb_core.table import Table

STATE_KEY = "scan"
DIGESTED = ("filter", "query", "entities")
"""What of `reads` is a digest, as it may hold values of items."""

START_OVER = "To start over, run with --full-refresh, or clear the state of this stream"


@dataclass
class ScanBookmark:
    """The progress of one scan.

    Attributes:
        table_id: The table's TableId, or its ARN where the engine has none.
        segments: Into how many segments the scan is divided; places are valid for it only.
        seed: Decides the order of the segments.
        began: When the first run of this scan began, as an ISO time in UTC.
        version: The version of ACTIVATE_VERSION that its records carry.
        reads: What is read of the table: `selection.fingerprint`.
        only: The first and the last segment that this scan is about; None for all.
        finished: Segments read to their end.
        places: The key to go on after, by segment.
        marks: What was seen of a replication key: `incremental.Marks.dump`.
    """

    table_id: str
    segments: int
    seed: int
    began: str
    version: int
    reads: Mapping[str, str] = field(default_factory=dict)
    only: tuple[int, int] | None = None
    finished: set[int] = field(default_factory=set)
    places: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    marks: Sequence[Any] = ()

    @classmethod
    def load(
        cls,
        state: Mapping[str, Any],
        table: Table,
        reads: Mapping[str, str],
        only: tuple[int, int] | None = None,
    ) -> ScanBookmark | None:
        """Read the bookmark of an unfinished scan.

        Args:
            state: The stream's state.
            table: The table that is to be scanned.
            reads: What of it is to be read now.
            only: As in the attribute.

        Returns:
            The bookmark, or None when no scan is under way.

        Raises:
            StateError: It belongs to another table or another way of reading it, or is broken.
        """
        entries = state.get(STATE_KEY) or []
        if not entries:
            return None
        try:
            [entry] = entries
            bookmark = cls(
                table_id=entry["table_id"],
                segments=int(entry["segments"]),
                seed=int(entry["seed"]),
                began=_moment(entry["began"]),
                version=int(entry["version"]),
                reads={str(name): str(text) for name, text in entry["reads"].items()},
                only=only,
                places={int(number): dict(key) for number, key in entry["places"]},
                marks=tuple(entry.get("marks", ())),
            )
            bookmark.finished = bookmark._read(entry["finished"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"The state of table {table.name} cannot be read: {error!r}", START_OVER
            ) from error
        if not bookmark.finished and not bookmark.places:
            return None  # nothing of it is out: a first run that failed binds nobody
        if bookmark.table_id != identify(table):
            raise StateError(
                f"The state was made by another table than {table.name} is now: its id was "
                f"{bookmark.table_id}, it is {identify(table)}",
                START_OVER,
            )
        for name in sorted(bookmark.reads.keys() | reads.keys()):
            if bookmark.reads.get(name) != reads.get(name):
                before, now = (said.get(name, "not set") for said in (bookmark.reads, reads))
                change = (
                    f"another {name}" if name in DIGESTED else f"{name} {before}, now it is {now}"
                )
                raise StateError(
                    f"The state of table {table.name} was made with {change}",
                    f"Go back to that to read on. {START_OVER}",
                )
        if not bookmark.places.keys() <= set(bookmark.numbers):
            raise StateError(
                f"The state of table {table.name} names segments that are not among its "
                f"{bookmark.segments}",
                START_OVER,
            )
        return bookmark

    @property
    def numbers(self) -> range:
        """The segments that this scan is about."""
        first, last = self.only or (0, self.segments - 1)
        return range(first, min(last + 1, self.segments))

    @cached_property
    def _order(self) -> list[int]:
        return [n for n in shuffled(self.segments, self.seed) if n in self.numbers]

    def _read(self, finished: Sequence[tuple[int, int]]) -> set[int]:
        """Return the segments at these places of the order."""
        places = {place for a, b in finished for place in range(a, b + 1)}
        if not self._order or not places <= set(range(len(self._order))):
            raise ValueError("finished")
        return {self._order[place] for place in places}

    @property
    def complete(self) -> bool:
        """Whether every segment has been read to its end."""
        return not self.left

    @property
    def left(self) -> int:
        """How many parts of the run are not finished."""
        return len(self.numbers) - len(self.finished)

    def parts(self) -> list[Part]:
        """Return what is left to read: begun segments first, then the others in shuffled order."""
        left = [number for number in self._order if number not in self.finished]
        left.sort(key=lambda number: number not in self.places)
        return [Part(number, self.places.get(number)) for number in left]

    def advance(self, block: Block[Any]) -> None:
        """Note that a block's payload is out."""
        if block.finished:
            self.finished.add(block.part)
            self.places.pop(block.part, None)
        else:
            self.places[block.part] = block.place

    def dump(self) -> list[dict[str, Any]]:
        """Return the value for the stream's state."""
        return [
            {
                "table_id": self.table_id,
                "reads": dict(self.reads),
                "segments": self.segments,
                "seed": self.seed,
                "began": self.began,
                "version": self.version,
                "finished": ranges(n for n, it in enumerate(self._order) if it in self.finished),
                "places": [[number, dict(key)] for number, key in sorted(self.places.items())],
                **({"marks": list(self.marks)} if self.marks else {}),
            }
        ]


def identify(table: Table) -> str:
    """Return what distinguishes a table from one that was made later under its name."""
    return table.id or table.arn


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("began")
    return text


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Fold numbers into ascending ranges, both ends included.

    Example: `[0, 1, 2, 5]` becomes `[[0, 2], [5, 5]]`.
    """
    folded: list[list[int]] = []
    for number in sorted(numbers):
        if folded and number == folded[-1][1] + 1:
            folded[-1][1] = number
        else:
            folded.append([number, number])
    return folded
