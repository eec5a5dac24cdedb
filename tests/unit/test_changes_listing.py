"""What a listing of shards leaves in doubt, and that parents come first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.changes.listing import CHILDLESS, EMPTY, GONE, doubts, merged, parents_first
from dynamodb_core.changes.shards import Shard
from dynamodb_core.errors import DataError

OLD = Shard("old", open=False)
LEFT, RIGHT = Shard("left", ("old",)), Shard("right", ("old",))


def by_id(*shards: Shard) -> dict[str, Shard]:
    return {shard.id: shard for shard in shards}


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([], []),
        ([OLD, LEFT, RIGHT], [OLD, LEFT, RIGHT]),
        ([LEFT, LEFT], [LEFT]),
        # split while it was listed: open on one page, closed on another
        ([Shard("old"), LEFT, OLD], [OLD, LEFT]),
        ([OLD, LEFT, Shard("old")], [OLD, LEFT]),
        ([OLD, Shard("old")], [OLD]),
        # open, and yet it has children
        ([Shard("old"), LEFT], [OLD, LEFT]),
        # the parent told once only; two parents of a merged one
        ([Shard("left"), LEFT], [LEFT]),
        ([Shard("c", ("a",)), Shard("c", ("b",))], [Shard("c", ("a", "b"))]),
    ],
)
def test_shards_are_put_together(told: list[Shard], found: list[Shard]) -> None:
    assert merged(told) == by_id(*found)


@pytest.mark.parametrize(
    ("found", "before", "growing", "doubtful"),
    [
        ([OLD, LEFT], [], True, set()),
        ([LEFT], [], True, {("old", GONE)}),
        ([LEFT], [], False, {("old", GONE)}),
        ([LEFT, RIGHT], ["left", "gone"], True, {("old", GONE), ("gone", GONE)}),
        ([OLD], [], True, {("old", CHILDLESS)}),
        ([OLD], [], False, set()),
        ([], [], True, {("", EMPTY)}),
        ([], [], False, set()),
        ([Shard("old")], ["old"], True, set()),
    ],
)
def test_doubts(
    found: list[Shard], before: list[str], growing: bool, doubtful: set[tuple[str, str]]
) -> None:
    assert doubts(by_id(*found), before, growing=growing) == doubtful


@st.composite
def forests(draw: st.DrawFn) -> list[Shard]:
    """Shards whose parents, up to two, are any that were there before, or gone; in any order."""
    shards: list[Shard] = []
    for number in range(draw(st.integers(0, 12))):
        older = [f"s{n}" for n in range(number)] + ["gone"]
        parents = draw(st.lists(st.sampled_from(older), max_size=2, unique=True))
        shards.append(Shard(f"s{number}", tuple(parents)))
    return draw(st.permutations(shards))


@given(forests())
def test_parents_come_first_whatever_the_order_of_the_listing(shards: list[Shard]) -> None:
    ordered = parents_first(shards)
    assert sorted(ordered, key=id) == sorted(shards, key=id)
    there = {shard.id for shard in shards}
    done: set[str] = set()
    for shard in ordered:
        assert there & set(shard.parents) <= done
        done.add(shard.id)


def test_a_lineage_may_be_long() -> None:
    line = [Shard(f"s{n}", (f"s{n - 1}",)) for n in range(20_000)]
    assert parents_first(reversed(line)) == line


@pytest.mark.parametrize(
    "shards",
    [
        [Shard("a", ("a",))],
        [Shard("a", ("b",)), Shard("b", ("a",))],
        [Shard("x"), Shard("a", ("x", "b")), Shard("b", ("c",)), Shard("c", ("a",))],
    ],
)
def test_a_shard_that_is_its_own_ancestor_is_refused(shards: list[Shard]) -> None:
    with pytest.raises(DataError, match=r"Shard . is listed as an ancestor of itself"):
        parents_first(shards)
