"""Two sides are read at the same time; however that ends, what was read is kept once."""

from __future__ import annotations

import itertools
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.buckets import Buckets
from dynamodb_core.errors import DataError, Error, StateError
from dynamodb_core.parts import Block
from dynamodb_core.table import Key
from dynamodb_tools.canonical import Canon
from dynamodb_tools.checkpoint import WorkFolder
from dynamodb_tools.reading import CHECKPOINT_SECONDS, Reading
from tests.engines.scripted import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dynamodb_core.places import Places

KEY = Key(("id",), ("S",))
CANON = Canon(KEY)
PAGES = 4


@dataclass
class Fake:
    """A side whose segments have four pages each; a page is one addition to the bucket of its segment.

    Attributes:
        before: Called before each page, with the number of its segment and its own.
    """

    name: str
    segments: int = 3
    identity: str = "1"
    before: Callable[[int, int], object] = lambda _segment, _page: None
    read: list[tuple[int, int]] = field(default_factory=list)
    key: Key = KEY

    @property
    def what(self) -> str:
        return f"table {self.name}"

    @property
    def place(self) -> dict[str, str]:
        return {"arn": self.name}

    def items_ahead(self, places: Places) -> int | None:
        return PAGES * places.left

    def blocks(
        self, canon: Canon, fan_out: int, places: Places, idle: Callable[[], None]
    ) -> Iterator[Block[Any]]:
        assert canon is CANON
        for part in places.parts():
            begun = 0 if part.place is None else part.place["page"] + 1
            for page in range(begun, PAGES):
                idle()
                self.before(part.number, page)
                self.read.append((part.number, page))
                last = page == PAGES - 1
                place = None if last else {"page": page}
                rows = [(part.number % fan_out, self.row(part.number, page))]
                yield Block(part.number, rows, 1, place, last, size=10, units=0.5)

    def row(self, segment: int, page: int) -> bytes:
        return f"{self.name}{segment}.{page};".encode()

    def fetch(self, keys: Any, *, idle: Any = None) -> Any:
        raise NotImplementedError

    def rows(self) -> list[bytes]:
        return [b"".join(self.row(n, page) for page in range(PAGES)) for n in range(self.segments)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[WorkFolder]:
    made = WorkFolder(tmp_path / "root" / "compare-1")
    made.open()
    yield made
    made.close()


def nothing() -> None:
    pass


def held(buckets: Buckets, segments: int) -> list[bytes]:
    return [b"".join(buckets.read(number)) for number in range(segments)]


def require_whole(reading: Reading, *sides: Fake) -> None:
    assert reading.complete
    for buckets, side in zip(reading.seal(), sides, strict=True):
        assert held(buckets, side.segments) == side.rows()


def test_both_sides_are_read_to_their_end(folder: WorkFolder) -> None:
    a, b = Fake("a"), Fake("b", segments=5)
    reading = Reading((a, b), folder)
    assert not reading.resumed
    reading.run(CANON, nothing)
    require_whole(reading, a, b)
    assert [(half.items, half.size, half.units) for half in reading.halves] == [
        (12, 120, 6.0),
        (20, 200, 10.0),
    ]


def test_they_are_read_at_the_same_time(folder: WorkFolder) -> None:
    together = threading.Barrier(2)

    def meet(segment: int, page: int) -> None:
        if (segment, page) == (0, 0):
            together.wait(PATIENCE)  # one after the other they would never meet

    Reading((Fake("a", before=meet), Fake("b", before=meet)), folder).run(CANON, nothing)


class BrokenError(Exception):
    pass


@pytest.mark.parametrize("error", [DataError("it is odd"), BrokenError()])
def test_an_error_of_one_side_keeps_what_was_read_of_both(
    folder: WorkFolder, error: Exception
) -> None:
    seen = itertools.count()

    def fail(_segment: int, _page: int) -> None:
        if next(seen) == 7:
            raise error

    reading = Reading((Fake("a"), Fake("b", before=fail)), folder)
    with pytest.raises(type(error)):
        reading.run(CANON, nothing)
    taken = [half.items for half in reading.halves]
    a, b = Fake("a"), Fake("b")
    again = Reading((a, b), folder)
    assert again.resumed
    assert again.began == reading.began
    again.run(CANON, nothing)
    require_whole(again, a, b)
    assert [half.items for half in again.halves] == [12, 12]
    assert [len(side.read) for side in (a, b)] == [12 - each for each in taken]


@pytest.mark.parametrize("at", range(0, 24, 5))
def test_it_can_be_ended_at_any_page(folder: WorkFolder, at: int) -> None:
    looks = itertools.count()

    def look() -> None:
        if next(looks) == at:
            raise BrokenError

    a, b = Fake("a"), Fake("b")
    with pytest.raises(BrokenError):
        Reading((a, b), folder).run(CANON, look)
    again = Reading((a, b), folder)
    again.run(CANON, nothing)
    require_whole(again, a, b)


def test_a_crash_after_a_checkpoint_reads_again_what_came_after_it(folder: WorkFolder) -> None:
    """The first run leaves no last words: what its files hold beyond the checkpoint is cut off."""
    a, b = Fake("a"), Fake("b")
    first = Reading((a, b), folder)
    blocks = a.blocks(CANON, 64, first.halves[0].places, nothing)
    for block in itertools.islice(blocks, 5):
        first.halves[0].take(block, 0.0)
    first.note()
    for block in itertools.islice(blocks, 3):
        first.halves[0].take(block, 0.0)
    first.halves[0].buckets.lengths()
    first.close()
    a.read.clear()
    again = Reading((a, b), folder)
    assert [half.items for half in again.halves] == [5, 0]
    again.run(CANON, nothing)
    require_whole(again, a, b)
    assert len(a.read) == 7


def test_what_was_read_whole_is_not_read_again(folder: WorkFolder) -> None:
    a, b = Fake("a"), Fake("b")
    reading = Reading((a, b), folder)
    reading.run(CANON, nothing)
    reading.close()
    for side in (a, b):
        side.read.clear()
    again = Reading((a, b), folder)
    assert again.complete
    again.run(CANON, nothing)
    assert (a.read, b.read) == ([], [])
    require_whole(again, a, b)


def test_a_side_that_was_read_whole_is_left_alone(folder: WorkFolder) -> None:
    a = Fake("a")
    read = threading.Event()

    def fail(_segment: int, _page: int) -> None:
        read.wait(PATIENCE)
        raise BrokenError

    first = Reading((a, Fake("b", before=fail)), folder)

    def look() -> None:
        if first.halves[0].places.complete:
            read.set()

    with pytest.raises(BrokenError):
        first.run(CANON, look)

    def refuse(*_: object) -> Any:
        raise AssertionError("it was read already")

    a.blocks = refuse  # type: ignore[method-assign, assignment]
    b = Fake("b")
    again = Reading((a, b), folder)
    again.run(CANON, nothing)
    require_whole(again, a, b)


def test_the_segments_of_the_first_run_count(folder: WorkFolder) -> None:
    def fail(_segment: int, _page: int) -> None:
        raise BrokenError

    with pytest.raises(BrokenError):
        Reading((Fake("a"), Fake("b", before=fail)), folder).run(CANON, nothing)
    a, b = Fake("a", segments=7), Fake("b", segments=7)
    again = Reading((a, b), folder)
    assert [half.places.segments for half in again.halves] == [3, 3]


def test_another_table_of_that_name_is_not_gone_on_with(folder: WorkFolder) -> None:
    Reading((Fake("a"), Fake("b")), folder).run(CANON, nothing)
    with pytest.raises(StateError, match=r"Table b was made anew.*--start-over"):
        Reading((Fake("a"), Fake("b", identity="2")), folder)


def test_checkpoints_are_made_on_the_way(folder: WorkFolder) -> None:
    now = 0.0

    def clock() -> float:
        return now

    noted = []

    def look() -> None:
        nonlocal now
        noted.append(folder.begun)
        now += CHECKPOINT_SECONDS / 4

    Reading((Fake("a"), Fake("b")), folder, clock=clock).run(CANON, look)
    assert noted[:2] == [False, False]
    assert noted[8:] == [True] * len(noted[8:])


def test_a_disk_that_is_full_ends_it_with_the_first_error(
    folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Error("The disk is full")

    monkeypatch.setattr(Buckets, "lengths", full)

    def look() -> None:
        raise BrokenError

    with pytest.raises(BrokenError):
        Reading((Fake("a"), Fake("b")), folder).run(CANON, look)
    with pytest.raises(Error, match="The disk is full"):
        Reading((Fake("a"), Fake("b")), folder).run(CANON, nothing)


def test_a_line_names_both_sides(folder: WorkFolder, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0

    def look() -> None:
        nonlocal now
        now += 3.0

    caplog.set_level(logging.INFO, "dynamodb-tools")
    Reading((Fake("a"), Fake("b")), folder, clock=lambda: now).run(CANON, look)
    lines = [record.getMessage() for record in caplog.records]
    both = [line for line in lines if "; B, table b: " in line]
    assert both
    assert both[0].startswith("A, table a: ")
    assert "left" in both[-1]
    assert sum(" 12 items, 0.0 MB in " in line for line in lines) == 2
