"""A stream's shards as its pages list them: what is wrong with a listing, and the order to read in; pure.

A listing of many pages is no snapshot: shards split and are forgotten while it goes on. What one
listing leaves in doubt is settled by another one that says the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynamodb_core.changes.shards import Shard
from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

GONE, CHILDLESS, EMPTY = "gone", "childless", "empty"


def merged(shards: Iterable[Shard]) -> dict[str, Shard]:
    """Return the shards by their ids, each once: what was told of one in several places, together.

    A shard that has children is closed, also where it was listed before they were.

    Args:
        shards: As the pages list them.
    """
    found: dict[str, Shard] = {}
    for shard in shards:
        known = found.get(shard.id, shard)
        parents = tuple(dict.fromkeys((*known.parents, *shard.parents)))
        found[shard.id] = Shard(shard.id, parents, open=known.open and shard.open)
    for shard in list(found.values()):
        for parent in shard.parents:
            if parent in found and found[parent].open:
                found[parent] = replace(found[parent], open=False)
    return found


def doubts(
    found: dict[str, Shard], before: Iterable[str], *, growing: bool
) -> set[tuple[str, str]]:
    """Return what may be wrong with a listing: shards, each with whether it is `GONE` or `CHILDLESS`.

    A stream that is on has an open shard at least: `EMPTY` is what lists none.

    Args:
        found: The shards by their ids.
        before: The ids that were listed before.
        growing: Whether the stream is on, so that a closed shard has children.
    """
    named = {parent for shard in found.values() for parent in shard.parents}
    gone = {(each, GONE) for each in (*named, *before) if each not in found}
    ends = (
        {(shard.id, CHILDLESS) for shard in found.values() if not shard.open} if growing else set()
    )
    none = {("", EMPTY)} if growing and not found else set()
    return gone | none | {(each, why) for each, why in ends if each not in named}


def parents_first(shards: Iterable[Shard]) -> list[Shard]:
    """Return shards in an order in which each comes after its parents, as far as these are among them.

    Args:
        shards: Each once.

    Raises:
        DataError: A shard is its own ancestor.
    """
    left = {shard.id: shard for shard in shards}
    ordered: list[Shard] = []
    done: set[str] = set()
    for first in left.values():
        path, under_way = [first], set[str]()
        while path:
            shard = path[-1]
            if shard.id in done:
                path.pop()
                continue
            above = [left[each] for each in shard.parents if each in left and each not in done]
            if not above:
                path.pop()
                done.add(shard.id)
                ordered.append(shard)
            elif shard.id in under_way:
                raise DataError(f"Shard {shard.id} is listed as an ancestor of itself")
            else:
                under_way.add(shard.id)
                path.extend(above)
    return ordered
