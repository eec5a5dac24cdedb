"""Where a scan stands: what is finished, and where each unfinished segment goes on; pure.

A stream's state holds `scan`: a list that is empty when no scan is under way, else one object,

    {"table_id": "…", "segments": 8, "seed": 5, "began": "2026-11-21T12:00:00+00:00",
     "version": 1790000000, "finished": [[0, 2], [5, 5]], "places": [[3, {"id": {"S": "k"}}]]}

`finished` holds ranges of segment numbers, both ends included; `places` the last key read of each
segment that was begun. Meltano merges states member by member but replaces lists whole, so nothing
that a later state drops can come back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import StateError
from dynamodb_core.parts import Part
from dynamodb_core.scan import shuffled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynamodb_core.parts import Block
    from dynamodb_core.table import Table

STATE_KEY = "scan"
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
        finished: Segments read to their end.
        places: The key to go on after, by segment.
    """

    table_id: str
    segments: int
    seed: int
    began: str
    version: int
    finished: set[int] = field(default_factory=set)
    places: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, state: Mapping[str, Any], table: Table) -> ScanBookmark | None:
        """Read the bookmark of an unfinished scan.

        Args:
            state: The stream's state.
            table: The table that is to be scanned.

        Returns:
            The bookmark, or None when no scan is under way.

        Raises:
            StateError: It belongs to another table, or cannot be read.
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
                began=entry["began"],
                version=int(entry["version"]),
                finished={n for a, b in entry["finished"] for n in range(a, b + 1)},
                places={int(number): dict(key) for number, key in entry["places"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"The state of table {table.name} cannot be read: {error!r}", START_OVER
            ) from error
        if bookmark.table_id != identify(table):
            raise StateError(
                f"The state was made by another table than {table.name} is now: its id was "
                f"{bookmark.table_id}, it is {identify(table)}",
                START_OVER,
            )
        if not bookmark.finished | bookmark.places.keys() <= set(range(bookmark.segments)) or (
            bookmark.segments < 1
        ):
            raise StateError(
                f"The state of table {table.name} names segments beyond {bookmark.segments}",
                START_OVER,
            )
        return bookmark

    @property
    def complete(self) -> bool:
        """Whether every segment has been read to its end."""
        return len(self.finished) == self.segments

    def parts(self) -> list[Part]:
        """Return what is left to read: begun segments first, then the others in shuffled order."""
        order = shuffled(self.segments, self.seed)
        left = [number for number in order if number not in self.finished]
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
                "segments": self.segments,
                "seed": self.seed,
                "began": self.began,
                "version": self.version,
                "finished": ranges(self.finished),
                "places": [[number, dict(key)] for number, key in sorted(self.places.items())],
            }
        ]


def identify(table: Table) -> str:
    """Return what distinguishes a table from one that was made later under its name."""
    return table.id or table.arn


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
