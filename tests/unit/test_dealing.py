"""Parts dealt out to worker processes: the same promises as `fan_out` gives over threads, and more."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.dealing import Fleet, shares
from dynamodb_core.errors import ConfigError, PartLost, ServiceError
from dynamodb_core.parts import Block, Part
from dynamodb_core.processes import WorkerLost, shared_cells
from tests.engines.scripted import in_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from dynamodb_core.cells import Cells

LAST = 5
SHORT = 0.5


@dataclass
class Reader:
    """Counts to five in each part; some parts do other things. Runs in the worker processes."""

    odd: int = -1
    does: str = ""
    error: BaseException | None = None
    cells: Cells | None = None
    told: list[Any] = field(default_factory=list)
    entered: bool = False

    def __enter__(self) -> Self:
        self.entered = True
        return self

    def __exit__(self, *error: object) -> None:
        if self.cells is not None:
            with self.cells.lock:
                self.cells.values[0] += 1

    def __call__(self, part: Part) -> Iterator[Block[Any]]:
        assert self.entered
        odd = part.number == self.odd
        for number in range(part.place or 0, LAST):
            if odd and number == 2:
                self._do()
                if self.does == "stop":
                    return
            yield Block(
                part.number,
                {"number": number, "pid": os.getpid(), "told": tuple(self.told)},
                1,
                number + 1,
                finished=number == LAST - 1,
            )

    def _do(self) -> None:
        if self.error is not None:
            raise self.error
        if self.does == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.does == "leave":
            os._exit(0)
        while self.does == "wait" and self.cells and not self.cells.values[1]:
            time.sleep(0.001)

    def name(self, number: int) -> str:
        return f"segment {number} of table t"

    def tell(self, news: Any) -> None:
        if news == "bad":
            raise ConfigError("bad news")
        self.told.append(news)


@dataclass
class Endless(Reader):
    """Never comes to an end, and says in a cell how many blocks it has made."""

    def __call__(self, part: Part) -> Iterator[Block[Any]]:
        assert self.cells is not None
        for number in range(10**9):
            with self.cells.lock:
                self.cells.values[1] += 1
            yield Block(part.number, b"x" * 200_000, 1, number, finished=False)


@pytest.fixture
def fleets() -> Iterator[Callable[..., Fleet]]:
    made: list[Fleet] = []

    def make(reader: Reader, *, workers: int = 4, processes: int = 2) -> Fleet:
        made.append(Fleet(reader, workers=workers, processes=processes))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


def test_every_block_of_every_part_comes_and_each_part_in_order(
    fleets: Callable[..., Fleet],
) -> None:
    seen: dict[int, list[int]] = {number: [] for number in range(13)}
    pids = set()
    for block in fleets(Reader()).blocks([Part(number) for number in range(13)]):
        seen[block.part].append(block.payload["number"])
        pids.add(block.payload["pid"])
    assert seen == {number: list(range(LAST)) for number in range(13)}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_process_gets_a_part_when_it_has_a_worker_for_it(fleets: Callable[..., Fleet]) -> None:
    """A part that takes long holds up no other."""
    cells = shared_cells(2)
    finished = []

    def read() -> None:
        fleet = fleets(Reader(odd=0, does="wait", cells=cells), workers=2)
        for block in fleet.blocks([Part(number) for number in range(6)]):
            if block.finished:
                finished.append(block.part)
            if len(finished) == 5:
                cells.values[1] = 1

    in_time(read)
    assert finished == [1, 2, 3, 4, 5, 0]


def test_a_part_begins_at_its_place_and_fewer_parts_than_processes_are_no_harm(
    fleets: Callable[..., Fleet],
) -> None:
    blocks = list(fleets(Reader(), processes=3).blocks([Part(7, 3)]))
    assert [block.payload["number"] for block in blocks] == [3, 4]


def test_the_readers_end_as_they_began(fleets: Callable[..., Fleet]) -> None:
    cells = shared_cells(1)
    assert len(list(fleets(Reader(cells=cells)).blocks([Part(0), Part(1)]))) == 2 * LAST
    assert cells.values[0] == 2


@pytest.mark.parametrize(("does", "how"), [("die", "SIGKILL"), ("leave", "exit code 0")])
def test_a_worker_that_dies_is_an_error_that_names_what_it_was_reading(
    fleets: Callable[..., Fleet], does: str, how: str
) -> None:
    """Trap 18: its end looks like a normal one."""
    fleet = fleets(Reader(odd=1, does=does), workers=2)
    with pytest.raises(WorkerLost, match=f"{how}.* while it was reading segment 1 of table t"):
        in_time(lambda: list(fleet.blocks([Part(n) for n in range(4)])))


def test_a_part_that_ends_without_a_finished_block_is_lost(fleets: Callable[..., Fleet]) -> None:
    fleet = fleets(Reader(odd=2, does="stop"))
    with pytest.raises(PartLost, match="Segment 2 of table t ended before it was finished"):
        in_time(lambda: list(fleet.blocks([Part(n) for n in range(4)])))


def test_what_a_worker_raises_is_raised_here(fleets: Callable[..., Fleet]) -> None:
    fleet = fleets(Reader(odd=3, error=ServiceError("It failed", "Try again", code="Odd")))
    with pytest.raises(ServiceError, match=r"It failed\. Try again\.") as caught:
        in_time(lambda: list(fleet.blocks([Part(n) for n in range(9)])))
    assert caught.value.code == "Odd"


def test_news_reach_every_process_while_it_reads(fleets: Callable[..., Fleet]) -> None:
    fleet = fleets(Reader())
    told: dict[int, bool] = {}
    for count, block in enumerate(fleet.blocks([Part(n) for n in range(400)])):
        if count == 0:
            fleet.tell("wider")
        told[block.payload["pid"]] = block.payload["told"] == ("wider",)
    assert list(told.values()) == [True, True]


def test_news_that_cannot_be_taken_are_an_error(fleets: Callable[..., Fleet]) -> None:
    cells = shared_cells(2)
    fleet = fleets(Endless(cells=cells))

    def read() -> None:
        for count, _block in enumerate(fleet.blocks([Part(0)])):
            if count == 1:
                fleet.tell("bad")

    with pytest.raises(ConfigError, match="bad news"):
        in_time(read)


def test_readers_wait_for_a_slow_consumer(fleets: Callable[..., Fleet]) -> None:
    """A worker holds a block a thread, some that are finished, and what its pipe holds."""
    cells = shared_cells(2)
    blocks = fleets(Endless(cells=cells), workers=4).blocks([Part(n) for n in range(4)])
    next(blocks)
    threading.Event().wait(SHORT)  # time for readers that do not wait
    pipes = 2 * 1_048_576 // 200_000
    assert cells.values[1] <= 4 + 2 * (2 + 1) + pipes + 4
    blocks.close()  # type: ignore[attr-defined] # it is a generator


def test_idle_is_called_in_the_consumers_thread_while_nothing_comes(
    fleets: Callable[..., Fleet],
) -> None:
    cells = shared_cells(2)
    threads = []

    def idle() -> None:
        threads.append(threading.current_thread())
        cells.values[1] = 1

    fleet = fleets(Reader(odd=0, does="wait", cells=cells))
    assert len(list(fleet.blocks([Part(0)], idle=idle))) == LAST
    assert set(threads) == {threading.current_thread()}


def test_idle_may_end_the_wait(fleets: Callable[..., Fleet]) -> None:
    def idle() -> None:
        raise KeyboardInterrupt

    fleet = fleets(Reader(odd=0, does="wait", cells=shared_cells(2)))
    with pytest.raises(KeyboardInterrupt):
        list(fleet.blocks([Part(0)], idle=idle))


def test_closing_ends_the_processes(fleets: Callable[..., Fleet]) -> None:
    fleet = fleets(Reader())
    blocks = fleet.blocks([Part(n) for n in range(100)])
    pid = next(blocks).payload["pid"]
    fleet.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_starts_before_the_first_block_is_asked_for(fleets: Callable[..., Fleet]) -> None:
    fleet = fleets(Reader())
    fleet.blocks([Part(0)]).close()  # type: ignore[attr-defined] # it is a generator
    assert fleet._crew.working == 0


@pytest.mark.parametrize(
    ("whole", "among", "each"),
    [(8, 2, [4, 4]), (7, 3, [3, 2, 2]), (1, 1, [1]), (2, 3, [1, 1, 1]), (16, 5, [4, 3, 3, 3, 3])],
)
def test_shares(whole: int, among: int, each: list[int]) -> None:
    assert shares(whole, among) == each
