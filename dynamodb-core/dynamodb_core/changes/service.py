"""What a service of change streams can do, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import timedelta

    from dynamodb_core.change import Change
    from dynamodb_core.changes.shards import Position, Shard


@dataclass(frozen=True)
class Records:
    """An answer of GetRecords.

    Attributes:
        changes: What its records tell, in their order; `micros` is when each was written, as the
            service says (DynamoDB Streams rounds down to a second), and `sequence` orders them.
        position: Where to go on after them; that from which they were asked for, where there are none.
        iterator: What asks for the next ones; None at the end of a closed shard.
        behind: Seconds that the read is behind the newest record; None where the service does not say.
        size: Bytes of the answer.
    """

    changes: list[Change]
    position: Position
    iterator: str | None
    behind: float | None = None
    size: int = 0


class IteratorExpired(Exception):
    """An iterator is older than the service lets it be: ask for another one."""


class ChangeService(Protocol):
    """A stream of changes. Threads may share it."""

    @property
    def retention(self) -> timedelta:
        """How long records are kept."""
        ...

    def __str__(self) -> str:
        """Name the stream, for messages."""
        ...

    def shards(self) -> list[Shard]:
        """List all shards that are still there, parents before children.

        Raises:
            Error: The stream is not there, or may not be read.
        """
        ...

    def children(self, shard: str) -> list[Shard]:
        """Return the shards that follow on a closed one, so far as they are known."""
        ...

    def iterator(self, shard: str, position: Position) -> str:
        """Return what asks for the records of a shard from a position on.

        Raises:
            HistoryLost: What lies there is gone.
        """
        ...

    def records(self, shard: str, iterator: str, position: Position) -> Records:
        """Return the next records of a shard.

        Args:
            shard: The shard.
            iterator: What asks for them.
            position: Where they begin.

        Raises:
            IteratorExpired: The iterator is too old.
            HistoryLost: What lies there is gone.
            ServiceError: The call failed after every retry.
        """
        ...
