"""The shards of a stream that were seen, and how they hang together; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamodb_core.changes.shards import Shard


class Forest:
    """What listings have told so far: no single one needs to tell all.

    It is not part of a state: a first listing tells what matters.
    """

    def __init__(self) -> None:
        self._shards: dict[str, Shard] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._seen: dict[str, float] = {}
        self._now = 0.0

    def remember(self, shards: Iterable[Shard], now: float | None = None) -> None:
        """Take note of shards that are there.

        Args:
            shards: The shards.
            now: This moment; None if it is about that of the last listing.
        """
        self._now = self._now if now is None else now
        for shard in shards:
            self._shards[shard.id] = shard
            self._seen[shard.id] = self._now
            for parent in shard.parents:
                self._children.setdefault(parent, {})[shard.id] = None

    def forget(self, before: float) -> None:
        """Forget the shards that no listing since a moment has named."""
        for shard in [each for each, seen in self._seen.items() if seen < before]:
            del self._seen[shard]
            for parent in self._shards.pop(shard).parents:
                siblings = self._children[parent]
                del siblings[shard]
                if not siblings:
                    del self._children[parent]

    def children(self, shard: str) -> list[Shard]:
        """Return the shards that follow on one, so far as they are known."""
        return [self._shards[child] for child in self._children.get(shard, ())]

    def named(self, shard: str) -> bool:
        """Whether a shard is known, if only as the parent of another one."""
        return shard in self._shards or shard in self._children

    def ancestors(self, shards: Iterable[str]) -> set[str]:
        """Return all that some shards came from, also what is known by name only."""
        found: set[str] = set()
        left = list(shards)
        while left:
            shard = self._shards.get(left.pop())
            for parent in shard.parents if shard else ():
                if parent not in found:
                    found.add(parent)
                    left.append(parent)
        return found
