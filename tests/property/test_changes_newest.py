"""Shuffled and repeated within the window, writes end in the state that their order gives."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.changes.newest import Newest, Write

NOW = 1_800_000_000_000_000


class Happened(NamedTuple):
    key: str
    micros: int
    old: bytes | None
    new: bytes | None


@st.composite
def histories(draw: st.DrawFn, *, ties: bool) -> list[Happened]:
    """Writes as the table had them: no two of a key say the same."""
    state: dict[str, bytes | None] = {}
    happened = []
    micros = NOW
    for number in range(draw(st.integers(1, 30))):
        key = draw(st.sampled_from("abc"))
        micros += draw(st.integers(0 if ties else 1, 3))
        old = state.get(key)
        new = None if old and draw(st.booleans()) else str(number).encode()
        happened.append(Happened(key, micros, old, new))
        state[key] = new
    return happened


def arrived(happened: list[Happened], places: list[int], *, named: bool) -> list[Write]:
    """Return what of it comes in which order, each in a place of its own."""
    return [
        Write(
            each.key.encode(), each.micros, str(place), str(n) if named else "", each.old, each.new
        )
        for place, n in enumerate(places)
        for each in [happened[n]]
    ]


def applied(newest: Newest, writes: list[Write], shards: list[int]) -> dict[bytes, Any]:
    """Return the items that passing writes leave, having seen that their orders grow by key."""
    state: dict[bytes, Any] = {}
    orders: dict[bytes, int] = {}
    for write, shard in zip(writes, shards, strict=True):
        (order,) = newest.orders(str(shard), [write])
        if order is not None:
            assert order > orders.get(write.key, 0)
            assert order >= write.micros
            orders[write.key] = order
            state[write.key] = write.new
    return {key: new for key, new in state.items() if new is not None}


def final(happened: list[Happened]) -> dict[bytes, Any]:
    state = {each.key.encode(): each.new for each in happened}
    return {key: new for key, new in state.items() if new is not None}


@given(histories(ties=False), st.data(), st.booleans())
def test_any_order_and_any_repetition_end_in_the_ordered_state(
    happened: list[Happened], data: st.DataObject, named: bool
) -> None:
    again = data.draw(st.lists(st.sampled_from(range(len(happened))), max_size=20))
    places = data.draw(st.permutations([*range(len(happened)), *again]))
    shards = data.draw(st.lists(st.integers(0, 2), min_size=len(places), max_size=len(places)))
    writes = arrived(happened, places, named=named)
    assert applied(Newest(), writes, shards) == final(happened)


@given(histories(ties=True), st.data(), st.booleans())
def test_so_does_repetition_of_what_came_where_times_are_the_same(
    happened: list[Happened], data: st.DataObject, named: bool
) -> None:
    places: list[int] = []
    for n in range(len(happened)):
        places.append(n)
        places += data.draw(st.lists(st.sampled_from(places), max_size=2))
    writes = arrived(happened, places, named=named)
    assert applied(Newest(), writes, [0] * len(writes)) == final(happened)


@given(histories(ties=True), st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=9))
def test_answers_that_are_thrown_away_and_read_again_end_in_the_ordered_state(
    happened: list[Happened], answers: list[tuple[int, bool]]
) -> None:
    writes = arrived(happened, list(range(len(happened))), named=True)
    newest = Newest()
    state: dict[bytes, Any] = {}
    done = 0
    for size, kept in [*answers, (len(writes), True)]:
        answer = writes[done : done + size]
        for write, order in zip(answer, newest.orders("s", answer), strict=True):
            if kept and order is not None:
                state[write.key] = write.new
        done += len(answer) if kept else 0
    assert {key: new for key, new in state.items() if new is not None} == final(happened)
