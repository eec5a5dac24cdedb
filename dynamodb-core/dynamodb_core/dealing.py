"""Parts dealt out to worker processes, blocks back in one stream: `workers.fan_out`, on several cores.

Each process reads its parts by several threads, as a run in one process does. It gets another part
when one is finished, and waits with its blocks until they are taken.
"""

from __future__ import annotations

import queue
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dynamodb_core.parts import Part
from dynamodb_core.processes import Crew, WorkerLost
from dynamodb_core.workers import LOOK_UP_SECONDS, fan_out, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Self

    from dynamodb_core.parts import Block


class Reader(Protocol):
    """Reads parts, by several threads at once, within a `with` block.

    Pickled, it does the same in another process.
    """

    def __enter__(self) -> Self:
        """Make ready to read."""
        ...

    def __exit__(self, *error: object) -> None:
        """Let go of everything."""
        ...

    def __call__(self, part: Part) -> Iterator[Block[Any]]:
        """Read a part from its place to its end."""
        ...

    def name(self, number: int) -> str:
        """Return a part in words."""
        ...

    def tell(self, news: Any) -> None:
        """Take into account what the process has decided that the blocks go to."""
        ...


@dataclass(frozen=True)
class PartsJob:
    """What a worker process does: it reads the parts that it is given.

    Attributes:
        reader: Reads them.
        workers: How many at once.
    """

    reader: Reader
    workers: int

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        """Read parts, and tell the reader what is no part at once; see `processes.Job`."""
        arrived = queue.SimpleQueue[Any]()

        def sort() -> None:
            try:
                for message in inbox:
                    if isinstance(message, Part):
                        arrived.put(message)
                    else:
                        self.reader.tell(message)
                arrived.put(None)
            except BaseException as error:  # noqa: BLE001 - raised again below
                arrived.put(error)

        def parts() -> Iterator[Part]:
            for arrival in iter(arrived.get, None):
                if isinstance(arrival, BaseException):
                    raise arrival
                yield arrival

        start(sort, workers=1, name="sort")
        with self.reader as reader:
            for block in fan_out(parts(), reader, workers=self.workers, name=reader.name):
                send(block)
                del block


class Fleet:
    """Worker processes that share the parts of one source. Use its `blocks` once, then close it.

    Args:
        reader: Reads a part; pickled for each process.
        workers: How many parts are read at once, by all processes together.
        processes: How many; each reads one part at least.
    """

    def __init__(self, reader: Reader, *, workers: int, processes: int) -> None:
        self._name = reader.name
        self._room = shares(workers, processes)
        jobs = [PartsJob(reader, each) for each in self._room]
        self._crew = Crew(jobs, name="part")
        self._under_way: list[dict[int, None]] = [{} for _ in jobs]

    def blocks(
        self, parts: Iterable[Part], *, idle: Callable[[], None] = lambda: None
    ) -> Iterator[Block[Any]]:
        """Read parts and yield their blocks, in order within each part.

        Args:
            parts: What to read, in the order in which to begin.
            idle: Called while no block arrives; may raise to end the wait.

        Yields:
            The blocks of all parts, as they come.

        Raises:
            WorkerLost: A process ended in the middle of its parts.
            Error: Whatever reading raised first.
        """
        left = deque(parts)
        self._crew.start()
        for _ in range(max(self._room)):
            for worker in range(len(self._room)):
                self._deal(worker, left)
        while any(self._under_way):
            block: Any = None
            worker, block = self._receive(idle)
            if block.finished:
                del self._under_way[worker][block.part]
                self._deal(worker, left)
            yield block
        for worker in range(len(self._room)):
            self._crew.finish(worker)
        while self._crew.working:
            if self._crew.receive(LOOK_UP_SECONDS) is None:
                idle()

    def tell(self, news: Any) -> None:
        """Tell the reader in each process something.

        Args:
            news: What `Reader.tell` takes.
        """
        for worker in range(len(self._room)):
            self._crew.send(worker, news)

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._crew.close()

    def _deal(self, worker: int, left: deque[Part]) -> None:
        under_way = self._under_way[worker]
        if left and len(under_way) < self._room[worker]:
            part = left.popleft()
            under_way[part.number] = None
            self._crew.send(worker, part)

    def _receive(self, idle: Callable[[], None]) -> tuple[int, Any]:
        while True:
            try:
                received = self._crew.receive(LOOK_UP_SECONDS)
            except WorkerLost as lost:
                parts = [self._name(number) for number in self._under_way[lost.worker]]
                raise WorkerLost(lost.worker, lost.how, parts) from lost
            if received is not None:
                return received
            idle()


class Threads:
    """Threads of this process that share the parts of one source: `Fleet`, where there is one process.

    Args:
        reader: Reads a part.
        workers: How many parts are read at once.
    """

    def __init__(self, reader: Reader, *, workers: int) -> None:
        self._reader = reader
        self._workers = workers

    def blocks(
        self, parts: Iterable[Part], *, idle: Callable[[], None] = lambda: None
    ) -> Iterator[Block[Any]]:
        """Read parts and yield their blocks; see `Fleet.blocks`."""
        with self._reader as reader:
            yield from fan_out(parts, reader, workers=self._workers, idle=idle, name=reader.name)

    def tell(self, news: Any) -> None:
        """Tell the reader something."""
        self._reader.tell(news)

    def close(self) -> None:
        """Do nothing: the threads end with `blocks`."""


def hands(reader: Reader, *, workers: int, processes: int) -> Fleet | Threads:
    """Return what reads the parts of a source. Use its `blocks` once, then close it.

    Args:
        reader: Reads a part; pickled where there are several processes.
        workers: How many parts are read at once, by all together.
        processes: How many processes read; with one it is this one.
    """
    if processes > 1:
        return Fleet(reader, workers=workers, processes=processes)
    return Threads(reader, workers=workers)


def shares(whole: int, among: int) -> list[int]:
    """Return a number as a sum of so many others that differ by one at most, 1 at the least.

    Example: 7 among 3 is `[3, 2, 2]`.
    """
    each, more = divmod(whole, among)
    return [max(1, each + (number < more)) for number in range(among)]
