"""Fan-out over threads: completeness, order, errors, and an end without leftovers."""

from __future__ import annotations

import os
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from dynamodb_core.errors import ConfigError, PartLost, ServiceError
from dynamodb_core.parts import Block, Part
from dynamodb_core.workers import cores, fan_out, gather, start
from tests.engines.scripted import PATIENCE, in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = 0.3


def count_to(last: int, part: Part) -> Iterator[Block[int]]:
    for number in range(part.place or 0, last):
        yield Block(part.number, number, 1, number + 1, finished=number == last - 1)


def consume(_value: object) -> None:
    pass


def end_of(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def began() -> Iterator[list[threading.Thread]]:
    """Threads of readers, noted by the readers themselves; all have ended when a test ends."""
    noted: list[threading.Thread] = []
    yield noted
    end_of(noted)


# fan_out


@pytest.mark.parametrize("workers", [1, 3, 20])
def test_every_block_of_every_part_comes_and_each_part_in_order(workers: int) -> None:
    parts = [Part(number) for number in range(12)]
    seen: dict[int, list[int]] = {part.number: [] for part in parts}
    for block in fan_out(parts, lambda part: count_to(part.number + 1, part), workers=workers):
        seen[block.part].append(block.payload)
    assert seen == {number: list(range(number + 1)) for number in range(12)}


def test_a_part_is_taken_when_a_worker_is_free_for_it() -> None:
    """Parts may be those that arrive: none is asked for before it can be read."""
    taken: list[int] = []
    go_on = threading.Event()

    def arriving() -> Iterator[Part]:
        for number in range(6):
            if number == 2:
                assert go_on.wait(PATIENCE)
            taken.append(number)
            yield Part(number)

    blocks = fan_out(arriving(), lambda part: count_to(1, part), workers=2)
    assert {next(blocks).part, next(blocks).part} == {0, 1}
    assert taken == [0, 1]
    go_on.set()
    assert {block.part for block in blocks} == {2, 3, 4, 5}


def test_what_is_wrong_with_the_parts_surfaces() -> None:
    def arriving() -> Iterator[Part]:
        yield Part(0)
        raise ConfigError("no such part")

    with pytest.raises(ConfigError, match="no such part"):
        in_time(lambda: list(fan_out(arriving(), lambda part: count_to(1, part), workers=2)))


def test_a_lost_part_is_named_as_its_source_names_it() -> None:
    def read(part: Part) -> Iterator[Block[int]]:
        yield Block(part.number, 0, 1, 1, finished=False)

    with pytest.raises(PartLost, match="Segment 3 of t ended before it was finished"):
        list(fan_out([Part(3)], read, workers=1, name=lambda number: f"segment {number} of t"))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux alone tells")
def test_cores_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5, 6})
    assert cores() == 3


def test_cores_are_all_where_no_more_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def test_a_part_begins_at_its_place() -> None:
    blocks = fan_out([Part(0, 7)], lambda part: count_to(10, part), workers=2)
    assert [block.payload for block in blocks] == [7, 8, 9]


def test_parts_begin_in_the_order_given() -> None:
    order = [4, 1, 3, 0, 2]
    blocks = fan_out([Part(n) for n in order], lambda part: count_to(1, part), workers=1)
    assert [block.part for block in blocks] == order


def test_no_parts_no_blocks() -> None:
    assert in_time(lambda: list(fan_out([], lambda part: count_to(1, part), workers=4))) == []


def test_no_more_parts_are_read_at_once_than_there_are_workers() -> None:
    lock, reading, most = threading.Lock(), set[int](), 0

    def read(part: Part) -> Iterator[Block[int]]:
        nonlocal most
        with lock:
            reading.add(part.number)
            most = max(most, len(reading))
        yield Block(part.number, 0, 1, 1, finished=False)
        with lock:
            reading.discard(part.number)
        yield Block(part.number, 1, 1, None, finished=True)

    list(fan_out([Part(number) for number in range(40)], read, workers=3))
    assert most <= 3


def test_parts_are_read_at_the_same_time() -> None:
    both = threading.Barrier(2)

    def read(part: Part) -> Iterator[Block[int]]:
        both.wait(PATIENCE)  # breaks when the other part does not begin
        yield Block(part.number, 0, 1, None, finished=True)

    assert len(list(fan_out([Part(0), Part(1)], read, workers=2))) == 2


@pytest.mark.parametrize("blocks", [0, 1, 5])
def test_a_part_that_ends_without_a_finished_block_is_lost(blocks: int) -> None:
    """Trap 18: it looks like a normal end."""

    def read(part: Part) -> Iterator[Block[int]]:
        if part.number != 2:
            yield from count_to(3, part)
        else:
            for number in range(blocks):
                yield Block(part.number, number, 1, number + 1, finished=False)

    with pytest.raises(PartLost, match="Part 2 ended before it was finished"):
        in_time(lambda: list(fan_out([Part(n) for n in range(4)], read, workers=2)))


@pytest.mark.parametrize(
    "error", [ServiceError("broken"), MemoryError("broken"), SystemExit("broken")]
)
def test_an_error_in_a_worker_surfaces(error: BaseException) -> None:
    def read(part: Part) -> Iterator[Block[int]]:
        if part.number == 5:
            raise error
        yield from count_to(2, part)

    with pytest.raises(type(error), match="broken"):
        in_time(lambda: list(fan_out([Part(n) for n in range(8)], read, workers=2)))


def test_blocks_before_an_error_are_not_lost() -> None:
    def read(part: Part) -> Iterator[Block[int]]:
        yield Block(part.number, 0, 1, 1, finished=False)
        yield Block(part.number, 1, 1, 2, finished=False)
        raise ServiceError("broken")

    blocks = fan_out([Part(0)], read, workers=1)
    assert [next(blocks).payload, next(blocks).payload] == [0, 1]
    with pytest.raises(ServiceError):
        next(blocks)


def test_a_reader_waits_for_a_slow_consumer(began: list[threading.Thread]) -> None:
    """About two blocks a worker are held, however long the table is."""
    read_so_far = []
    held = threading.Event()

    def read(part: Part) -> Iterator[Block[int]]:
        began.append(threading.current_thread())
        for number in range(1000):
            read_so_far.append(number)
            if len(read_so_far) >= 4:
                held.set()
            yield Block(part.number, number, 1, number, finished=number == 999)

    blocks = fan_out([Part(0)], read, workers=1)
    next(blocks)
    assert held.wait(PATIENCE)
    began[0].join(SHORT)  # time for a reader that does not wait
    assert len(read_so_far) <= 4  # one taken, two held, one in the reader's hand
    assert sum(1 for _ in blocks) == 999


def test_a_consumer_that_stops_early_leaves_no_threads(began: list[threading.Thread]) -> None:
    closed = []

    def read(part: Part) -> Iterator[Block[int]]:
        began.append(threading.current_thread())
        try:
            for number in range(10**9):
                yield Block(part.number, number, 1, number, finished=False)
        finally:
            closed.append(part.number)

    blocks = fan_out([Part(n) for n in range(9)], read, workers=3)
    first = next(blocks)
    assert not first.finished
    blocks.close()  # type: ignore[attr-defined] # it is a generator
    end_of(began)
    assert 1 <= len(closed) <= 3  # those that had begun; no other part is begun after the end


def test_an_error_leaves_no_threads(began: list[threading.Thread]) -> None:
    def read(part: Part) -> Iterator[Block[int]]:
        began.append(threading.current_thread())
        if part.number == 1:
            raise ServiceError("broken")
        for number in range(10**9):
            yield Block(part.number, number, 1, number, finished=False)

    with pytest.raises(ServiceError):
        in_time(lambda: deque(islice(fan_out([Part(0), Part(1)], read, workers=2), 10**6), 1))


def test_idle_is_called_in_the_consumers_thread_while_nothing_comes() -> None:
    called, threads = threading.Event(), []

    def read(part: Part) -> Iterator[Block[int]]:
        assert called.wait(PATIENCE)
        yield Block(part.number, 0, 1, None, finished=True)

    def idle() -> None:
        threads.append(threading.current_thread())
        called.set()

    assert len(list(fan_out([Part(0)], read, workers=1, idle=idle))) == 1
    assert set(threads) == {threading.current_thread()}


def test_idle_may_end_the_wait(began: list[threading.Thread]) -> None:
    go_on = threading.Event()

    def read(part: Part) -> Iterator[Block[int]]:
        began.append(threading.current_thread())
        go_on.wait(PATIENCE)
        yield Block(part.number, 0, 1, None, finished=True)

    def idle() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(fan_out([Part(0)], read, workers=1, idle=idle))
    go_on.set()


def test_nothing_starts_before_the_first_block_is_asked_for() -> None:
    begun = []

    def read(part: Part) -> Iterator[Block[int]]:
        begun.append(part)
        return iter(())

    blocks = fan_out([Part(0)], read, workers=1)
    blocks.close()  # type: ignore[attr-defined] # it is a generator
    assert begun == []


# gather


def test_gather_keeps_the_order() -> None:
    assert gather(lambda n: n * n, range(100), workers=7) == [n * n for n in range(100)]
    assert gather(lambda n: n, [], workers=7) == []


def test_gather_calls_at_the_same_time() -> None:
    both = threading.Barrier(2)
    assert len(gather(lambda _n: both.wait(PATIENCE), range(2), workers=2)) == 2


def test_gather_raises_what_a_call_raised() -> None:
    def one(number: int) -> int:
        if number == 3:
            raise ConfigError("the fourth")
        return number

    with pytest.raises(ConfigError, match="the fourth"):
        in_time(lambda: gather(one, range(50), workers=2))


def test_gather_does_not_wait_for_other_calls_after_a_failure() -> None:
    go_on = threading.Event()

    def one(number: int) -> None:
        if number == 1:
            raise ConfigError("at once")
        go_on.wait(PATIENCE)

    with pytest.raises(ConfigError):
        in_time(lambda: gather(one, range(2), workers=2))
    go_on.set()


# start


def test_started_threads_are_named_and_do_not_keep_the_process_alive() -> None:
    all_here = threading.Barrier(4)
    threads = start(lambda: consume(all_here.wait(PATIENCE)), workers=3, name="write-t")
    all_here.wait(PATIENCE)
    end_of(threads)
    assert [thread.name for thread in threads] == ["write-t-0", "write-t-1", "write-t-2"]
    assert all(thread.daemon for thread in threads)
