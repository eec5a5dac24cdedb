"""A snapshot and a stream in turn: what comes after what, and how long is waited between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynamodb_core.changes.alternation import LAG_SECONDS, MARGIN_SECONDS, alternate

if TYPE_CHECKING:
    from collections.abc import Iterator

PHASE = 300.0
VISIT = 7.0


class Told:
    """A table of some phases and its stream; tells in what order they are read, and when."""

    def __init__(self, phases: int) -> None:
        self.now = 1000.0
        self.left = phases
        self.done: list[tuple[str, float]] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def complete(self) -> bool:
        return not self.left

    def pages(self) -> Iterator[str]:
        self.done.append(("pages", self.now))
        yield f"page {self.left}"
        self.now += PHASE
        self.left -= 1

    def changes(self, until: float) -> Iterator[str]:
        assert until <= self.now
        self.done.append(("changes", until))
        yield "changes"
        self.now += VISIT

    def read(self, **more: object) -> list[str]:
        return list(
            alternate(
                self.pages,
                self.changes,
                self.complete,
                clock=self.clock,
                wait=self.wait,
                **more,  # type: ignore[arg-type]
            )
        )


def test_pages_and_changes_take_turns_and_changes_have_the_last_word() -> None:
    told = Told(3)
    assert told.read(rested=True) == [
        *("page 3", "changes"),
        *("page 2", "changes"),
        *("page 1", "changes"),
    ]


def test_a_page_is_read_a_margin_after_the_last_change() -> None:
    told = Told(2)
    told.read(margin=12.0)
    (_, first), (_, until), (_, second), _ = told.done
    assert first == 1000.0 + 12.0  # an earlier run may have ended a moment ago
    assert second == until + VISIT + 12.0  # the visit told of changes up to its end


def test_who_begins_has_rested() -> None:
    told = Told(2)
    told.read(margin=12.0, rested=True)
    (_, first), (_, until), (_, second), _ = told.done
    assert first == 1000.0
    assert second == until + VISIT + 12.0


@pytest.mark.parametrize("phases", [1, 2])
def test_the_stream_is_read_beyond_the_last_page(phases: int) -> None:
    told = Told(phases)
    told.read(lag=4.0, margin=0.0, rested=True)
    moments = [moment for name, moment in told.done if name == "changes"]
    last_page = 1000.0 + PHASE * phases + VISIT * (phases - 1)
    assert moments[-1] == last_page + 4.0
    assert moments[:-1] == [1000.0 + PHASE] * (phases - 1)  # there is no wait for those between


def test_a_table_that_is_out_leaves_its_changes() -> None:
    told = Told(0)
    assert told.read() == ["changes"]
    assert told.done == [("changes", 1000.0 + LAG_SECONDS)]


@pytest.mark.parametrize("phases", range(1, 6))
def test_enough_ends_it_after_any_phase(phases: int) -> None:
    told = Told(9)
    told.read(enough=lambda: len(told.done) >= phases)
    assert len(told.done) == phases


def test_the_waits_are_those_that_are_written_about() -> None:
    """Eventually consistent reads are late by a second or so, and so is the stream."""
    assert MARGIN_SECONDS >= 10
    assert LAG_SECONDS >= 5
