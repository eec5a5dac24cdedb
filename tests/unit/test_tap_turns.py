"""Tables that are followed together: whose turn it is, and how long nobody has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamodb import turns
from tap_dynamodb.read_loop import TURN

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = turns.LATEST_SECONDS
SHORTEST = turns.SOONEST_SECONDS


class Loop:
    """A read of a table: what it yields in each of its turns; then it has ended, or goes on for ever."""

    def __init__(self, name: str, *records: int, ends: bool = True) -> None:
        self.name, self.planned, self.ends = name, records, ends
        self.blocks = 0

    def records(self) -> Iterator[dict[str, Any]]:
        for count in self.planned:
            for number in range(count):
                self.blocks += 1
                yield {self.name: number}
            yield TURN
        while not self.ends:
            yield TURN


class Over(Exception):
    """It has been waited often enough."""


def played(*loops: Any, rounds: int = 99) -> tuple[list[str], list[float]]:
    """Return whose records came, `|` for a wait, and how long each wait was."""
    told: list[str] = []
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        told.append("|")
        if len(waits) == rounds:
            raise Over

    try:
        for record in turns.in_turn(loops, wait, lot=lambda _low, high: high):
            told += record
    except Over:
        pass
    return told, waits


def test_each_table_has_its_turn_and_one_that_ends_has_none() -> None:
    told, _ = played(Loop("a", 2, 1, 1), Loop("b", 1), Loop("c", 0, 1))
    assert "".join(told) == "aab|ac|a|"


def test_all_have_ended() -> None:
    assert played() == ([], [])
    assert played(Loop("a")) == ([], [])


def test_where_nothing_happens_pauses_grow_and_end_growing() -> None:
    _, waits = played(Loop("a", ends=False), rounds=5)
    assert waits == [2 * SHORTEST, 4 * SHORTEST, LONGEST, LONGEST, LONGEST]


def test_where_something_happens_the_next_look_is_soon() -> None:
    busy = (0, 0, 0, 1, 0)
    _, waits = played(Loop("a", *busy, ends=False), Loop("b", ends=False), rounds=5)
    assert waits == [2 * SHORTEST, 4 * SHORTEST, LONGEST, SHORTEST, 2 * SHORTEST]


def test_a_pause_is_drawn_by_lot() -> None:
    drawn: list[tuple[float, float]] = []

    def lot(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    def wait(seconds: float) -> None:
        assert seconds == drawn[-1][0]

    list(turns.in_turn([Loop("a", 1, 0)], wait, lot=lot))  # type: ignore[list-item]
    assert drawn == [(SHORTEST / 2, SHORTEST), (SHORTEST, 2 * SHORTEST)]


def test_what_fails_in_one_table_ends_them_all() -> None:
    class Broken(Loop):
        def records(self) -> Iterator[dict[str, Any]]:
            yield {"b": 1}
            raise OSError(self.name)

    with pytest.raises(OSError, match="b"):
        played(Loop("a", 1, 1), Broken("b"))
