"""A shard of a scripted stream: what was written to it, so far as it is left."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from typing import Any

RETENTION = 24 * 3600.0
"""Seconds that a record lives, and a shard after it was closed."""


@dataclass(frozen=True)
class Written:
    """A record of a shard: its number, when it was written, its JSON."""

    number: int
    at: float
    body: bytes


@dataclass
class Log:
    """A shard: what range of keys it has, and its records so far as they are left.

    `first` is how many of its records are gone, and `gaps` says how many empty answers come before a
    record of it, or before its end.
    """

    id: str
    parent: str | None
    low: int
    high: int
    start: int
    records: list[Written] = field(default_factory=list)
    first: int = 0
    gone: int = 0
    gaps: dict[int, int] = field(default_factory=dict)
    closed: float | None = None
    end: int = 0

    @property
    def total(self) -> int:
        """How many records it ever had."""
        return self.first + len(self.records)

    def listed(self) -> dict[str, Any]:
        """Return what DescribeStream says of it."""
        numbers = {"StartingSequenceNumber": str(self.start)}
        if self.closed is not None:
            numbers["EndingSequenceNumber"] = str(self.end)
        parent = {} if self.parent is None else {"ParentShardId": self.parent}
        return {"ShardId": self.id, "SequenceNumberRange": numbers, **parent}

    def place_after(self, number: int, *, at: bool) -> int:
        """Return the place of the first record after a number, or at it."""
        find = bisect.bisect_left if at else bisect.bisect_right
        return self.first + find(self.records, number, key=lambda each: each.number)

    def forget(self, now: float) -> float:
        """Forget records that are too old; return until when that is all, not after now if the shard is gone."""
        old = bisect.bisect_right(self.records, now - RETENTION, key=lambda each: each.at)
        if old:
            self.gone = self.records[old - 1].number
            self.first += old
            del self.records[:old]
        if self.records:
            return self.records[0].at + RETENTION
        return math.inf if self.closed is None else self.closed + RETENTION
