"""What a state says of the exports that runs have asked for; pure.

A table's state holds `export`: a list of one object,

    {"table_id": "…", "until": "2026-11-21T12:00:00+00:00",
     "asked": ["arn:aws:dynamodb:…:table/orders/export/0176…"]}

`until` is the moment up to which everything was read: the next window begins there. `asked` names the
exports that are under way, or are being read; it is out before the waiting begins. Both change when all
tables of a run have been read, so that a run that is started again reads the same exports on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import StateError
from tap_dynamodb.bookmarks import START_OVER, identify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamodb.sources import Source

STATE_KEY = "export"


@dataclass(frozen=True)
class Bookmark:
    """What a table's state says of the exports that were asked for.

    Attributes:
        table_id: Which table they are of: `bookmarks.identify`.
        until: Up to where everything was read; None where nothing was.
        asked: The ARNs of those that are under way, or are being read.
    """

    table_id: str
    until: datetime | None = None
    asked: tuple[str, ...] = ()

    @classmethod
    def load(cls, state: Mapping[str, Any], source: Source) -> Bookmark:
        """Read it from a stream's state.

        Args:
            state: The state.
            source: The table.

        Raises:
            StateError: It cannot be read.
        """
        entries = state.get(STATE_KEY) or []
        if not entries:
            return cls(identify(source.table))
        try:
            [entry] = entries
            until = _moment(entry["until"]) if "until" in entry else None
            return cls(str(entry["table_id"]), until, tuple(map(str, entry.get("asked", ()))))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"The state of table {source.table.name} cannot be read: {error!r}", START_OVER
            ) from error

    def dump(self) -> list[dict[str, Any]]:
        """Return the value for the stream's state."""
        until = {"until": self.until.isoformat()} if self.until else {}
        asked = {"asked": list(self.asked)} if self.asked else {}
        return [{"table_id": self.table_id, **until, **asked}]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("until")
    return moment
