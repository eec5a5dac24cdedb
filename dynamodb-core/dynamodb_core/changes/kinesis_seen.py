"""What one run has seen of the shards of a Kinesis stream. No I/O."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core.changes.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamodb_core.changes.kinesis_records import Child


class SeenShard(NamedTuple):
    """What is known of a shard.

    Attributes:
        read: Whether an answer about it has come.
        sequence: The sequence number of the last record that was read.
        micros: When the last one was written.
        tip: When it was asked, by this machine's clock, that it had nothing more to tell; 0 for never.
    """

    read: bool = False
    sequence: str | None = None
    micros: int = 0
    tip: int = 0


_UNSEEN = SeenShard()


class Seen:
    """What is known of the shards. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shards: dict[str, SeenShard] = {}
        self._open: dict[str, int] = {}
        self._parents: dict[str, list[str]] = {}
        self._children: dict[str, list[Shard]] = {}

    def listed(self, shards: Iterable[Shard], at: int) -> None:
        """Take note of a listing.

        Args:
            shards: The shards that are there.
            at: When it was begun, in microseconds since 1970.
        """
        there = {shard.id: shard for shard in shards}
        with self._lock:
            self._open = {name: at for name, shard in there.items() if shard.open}
            self._parents = {
                name: [parent for parent in shard.parents if parent in there]
                for name, shard in there.items()
            }

    def answered(self, shard: str, sequence: str | None, micros: int, tip: int) -> int:
        """Take note of an answer.

        Args:
            shard: The shard.
            sequence: The sequence number of the last record that was read; None where there is none.
            micros: When the last one was written.
            tip: When it was asked, where there was nothing more to tell; 0 where there was.

        Returns:
            The moment until when all of the shard is known, and before which nothing of its children
            was written, so far as clocks agree: it had nothing more to tell, and was open.
        """
        with self._lock:
            before = self._shards.get(shard, _UNSEEN)
            last, tip_ever = max(micros, before.micros), max(tip, before.tip)
            self._shards[shard] = SeenShard(True, sequence, last, tip_ever)
            return min(tip, self._open.get(shard, 0))

    def ended(self, shard: str, children: Iterable[Child]) -> None:
        """Take note of the children of a shard that is at its end.

        Args:
            shard: The shard.
            children: They, as the answer tells them.
        """
        found = [Shard(each.ShardId, tuple(each.ParentShards) or (shard,)) for each in children]
        if found:
            with self._lock:
                self._children[shard] = found

    def of(self, shard: str) -> SeenShard:
        """Return what is known of a shard."""
        return self._shards.get(shard, _UNSEEN)

    def parents(self, shard: str) -> list[str]:
        """Return those of a shard's parents that are still there."""
        return self._parents.get(shard, [])

    def children(self, shard: str) -> list[Shard]:
        """Return the shards that follow on one, where its end has told them."""
        return self._children.get(shard, [])
