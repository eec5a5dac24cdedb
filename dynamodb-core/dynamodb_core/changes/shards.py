"""A shard of a change stream, and where the read of one goes on; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Shard:
    """A shard, as its stream lists it.

    Attributes:
        id: Its name.
        parents: The shards that it came from: none, one, or of a merged one two. They may be gone.
        open: Whether more records may come.
    """

    id: str
    parents: tuple[str, ...] = ()
    open: bool = True


@dataclass(frozen=True)
class Position:
    """Where the read of a shard goes on. Without `sequence` and `since` that is its beginning.

    Attributes:
        sequence: The sequence number after which to go on.
        since: The moment from which on to read, in microseconds since 1970: what is older is left out,
            and the read begins there where no sequence number is known.
        order: What `Change.sequence` was given last; those that follow are higher.
        closed: Whether the shard has been read to its end.
    """

    sequence: str | None = None
    since: int | None = None
    order: int = 0
    closed: bool = False

    def dump(self) -> dict[str, Any]:
        """Return what `load` takes, as JSON: the members that say something."""
        said = {
            "sequence": self.sequence,
            "since": self.since,
            "order": self.order,
            "closed": self.closed,
        }
        return {name: value for name, value in said.items() if value not in (None, 0, False)}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Position:
        """Read what `dump` returned.

        Args:
            dumped: That, perhaps damaged.

        Raises:
            TypeError, ValueError: It is no such thing.
        """
        position = cls(**dumped)
        kinds = (("sequence", str | None), ("since", int | None), ("order", int), ("closed", bool))
        for name, kind in kinds:
            if not isinstance(getattr(position, name), kind):
                raise ValueError(name)  # noqa: TRY004 - damaged, as all else that is
        return position
