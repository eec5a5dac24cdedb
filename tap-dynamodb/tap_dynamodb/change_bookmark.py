"""What a state says of a table that is followed: its snapshot, and where its stream goes on; pure.

A table's state holds `changes`: a list that is empty before its first run, else of one object,

    {"table_id": "…", "snapshot": 1795320096000000, "whole": true,
     "positions": {"stream": "arn:…", "reached": 1795320096.5, "shards": [["shardId-…", {"sequence": "…"}]]}}

`snapshot` is the `_sdc_sequence` of the snapshot's records. `whole` says that all of it is out; until
then `scan` says how far it has come. `positions` is `Positions.dump`; it is missing as long as an export
is read, which the stream is read after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core.changes.positions import Positions
from dynamodb_core.errors import StateError
from tap_dynamodb.bookmarks import START_OVER, identify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.table import Table

STATE_KEY = "changes"


@dataclass
class ChangeBookmark:
    """How far a table that is followed has been read.

    Attributes:
        table_id: Which table it is: `bookmarks.identify`.
        snapshot: `_sdc_sequence` of the snapshot's records.
        whole: Whether all of the snapshot is out, or none is wanted.
        positions: Where the stream goes on; None before it was looked at.
    """

    table_id: str
    snapshot: int
    whole: bool = False
    positions: Positions | None = None

    @classmethod
    def load(cls, state: Mapping[str, Any], table: Table) -> ChangeBookmark | None:
        """Read it from a stream's state.

        Args:
            state: The state.
            table: The table as it is now.

        Returns:
            The bookmark; None where there is none.

        Raises:
            StateError: It cannot be read, or is of another table.
        """
        entries = state.get(STATE_KEY) or []
        if not entries:
            return None
        try:
            [entry] = entries
            found = cls(str(entry["table_id"]), int(entry["snapshot"]), bool(entry.get("whole")))
            if "positions" in entry:
                found.positions = Positions.load(entry["positions"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"The state of table {table.name} cannot be read: {error!r}", START_OVER
            ) from error
        if found.table_id != identify(table):
            raise StateError(
                f"Table {table.name} was made anew since its changes were read: its id was "
                f"{found.table_id}, it is {identify(table)}",
                START_OVER,
            )
        return found

    @staticmethod
    def is_whole(state: Mapping[str, Any]) -> bool:
        """Say whether a state tells that all of the snapshot is out; any other one does not."""
        entries = state.get(STATE_KEY) or [{}]
        return bool(isinstance(entries[0], dict) and entries[0].get("whole"))

    def dump(self) -> list[dict[str, Any]]:
        """Return the value for the stream's state."""
        whole = {"whole": True} if self.whole else {}
        positions = {"positions": self.positions.dump()} if self.positions else {}
        return [{"table_id": self.table_id, "snapshot": self.snapshot, **whole, **positions}]
