"""Where a scan stands: what is finished, and where each unfinished segment goes on; pure.

A stream's state holds `scan`: a list that is empty when no scan is under way, else one object,

    {"table_id": "…", "reads": {"index": "by_date"}, "segments": 8, "seed": 5,
     "began": "2026-11-21T12:00:00+00:00", "version": 1790000000,
     "finished": [[0, 2], [4, 4]], "places": [[3, {"id": {"S": "k"}}]]}

`reads` says what else but the table the places depend on. `seed` decides the order in which the
segments are read. `finished` holds ranges of places in that order, both ends included: about as many
as there are workers, however many segments there are. `places` holds the number of each segment that
was begun, and the last key read of it. The partitions of a query are counted as segments. Meltano merges
states member by member but replaces lists whole, so nothing that a later state drops can come back.

The files of an export are counted as segments too; a place is how many lines of one are out. Of
several exports `stage` says which one is read; the first one, 0, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import StateError
from dynamodb_core.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.table import Table

STATE_KEY = "scan"
DIGESTED = ("filter", "query", "entities", "export")
"""What of `reads` is a digest, as it may hold values of items."""

START_OVER = "To start over, run with --full-refresh, or clear the state of this stream"


@dataclass(kw_only=True)
class ScanBookmark(Places):
    """The progress of one scan.

    Attributes:
        table_id: The table's TableId, or its ARN where the engine has none.
        began: When the first run of this scan began, as an ISO time in UTC.
        version: The version of ACTIVATE_VERSION that its records carry.
        reads: What is read of the table: `selection.fingerprint`.
        marks: What was seen of a replication key: `incremental.Marks.dump`.
        stage: Of several exports, which one is read: those before it are out.
    """

    table_id: str
    began: str
    version: int
    reads: Mapping[str, str] = field(default_factory=dict)
    marks: Sequence[Any] = ()
    stage: int = 0

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
                marks=tuple(entry.get("marks", ())),
                stage=int(entry.get("stage", 0)),
            )
            bookmark.restore(entry)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"The state of table {table.name} cannot be read: {error!r}", START_OVER
            ) from error
        if not bookmark.finished and not bookmark.places and not bookmark.stage:
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
                **self.dump_places(),
                **({"marks": list(self.marks)} if self.marks else {}),
                **({"stage": self.stage} if self.stage else {}),
            }
        ]


def identify(table: Table) -> str:
    """Return what distinguishes a table from one that was made later under its name."""
    return table.id or table.arn


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("began")
    return text
