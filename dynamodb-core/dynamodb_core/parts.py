"""What every source of items is: parts that yield blocks.

A scan segment, a file of an export and a shard of a change stream are parts. A part yields blocks
of finished output; each block says where to resume once its payload is out. Fan-out, back-pressure,
state and progress are written once, over blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Payload = TypeVar("Payload")


@dataclass(frozen=True)
class Part:
    """A piece of a source that one worker reads from its start, or from a place, to its end.

    Attributes:
        number: Which part of the source it is, from 0.
        place: Where to begin, as an earlier block said; None begins at the start.
    """

    number: int
    place: Any = None


@dataclass(frozen=True)
class Block(Generic[Payload]):
    """Some finished output of a part.

    Attributes:
        part: The number of the part.
        payload: What the source's `render` made of the items.
        count: How many items it holds.
        place: Where to resume once the payload is out; a JSON value, None when finished.
        finished: Whether the part has been read to its end.
        size: Bytes read from the source.
        units: Capacity units consumed.
    """

    part: int
    payload: Payload
    count: int
    place: Any
    finished: bool
    size: int = 0
    units: float = 0.0


def as_they_are(blocks: Iterator[Block[Any]]) -> Iterator[Block[Any]]:
    """Return blocks as they are."""
    return blocks
