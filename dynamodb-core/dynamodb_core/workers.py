"""Threads, the only module that starts them: parts out to workers, blocks back in one stream."""

from __future__ import annotations

import contextlib
import operator
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from dynamodb_core.errors import PartLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dynamodb_core.parts import Block, Part

Argument = TypeVar("Argument")
Result = TypeVar("Result")

LOOK_UP_SECONDS = 0.25
"""How often a wait looks up, to see that it is to end."""

MOST_READY = 2
"""Finished blocks that wait for their consumer, who takes them faster than they are made."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fan_out(
    parts: Iterable[Part],
    read: Callable[[Part], Iterator[Block[Any]]],
    *,
    workers: int,
    idle: Callable[[], None] = lambda: None,
    name: Callable[[int], str] = lambda number: f"part {number}",
) -> Iterator[Block[Any]]:
    """Read parts by several threads and yield their blocks, in order within each part.

    A part is taken when a thread is free for it, so that parts may be those that arrive. A reader
    that is ahead of its consumer waits: a block a worker is held, and `MOST_READY`.

    Args:
        parts: What to read, in the order in which to begin.
        read: Reads one part; runs in a worker.
        workers: How many parts are read at once.
        idle: Called in the consumer's thread while no block arrives; may raise to end the wait.
        name: Returns a part in words.

    Yields:
        The blocks of all parts, as they come.

    Raises:
        PartLost: A part ended without a finished block.
        Error: Whatever `read` raised first.
    """
    count = min(workers, operator.length_hint(parts, workers))
    left = iter(parts)
    taking = threading.Lock()
    ready: queue.Queue[Block[Any] | BaseException | None] = queue.Queue(maxsize=MOST_READY)
    closing = threading.Event()

    def hand_over(result: Block[Any] | BaseException | None) -> bool:
        while not closing.is_set():
            try:
                ready.put(result, timeout=LOOK_UP_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        while not closing.is_set():
            try:
                with taking:
                    part = next(left, None)
                if part is None:
                    hand_over(None)
                    return
                finished = False
                for block in read(part):
                    finished = block.finished
                    if not hand_over(block):
                        return
                    del block  # else it is held as long as the next one takes
            except BaseException as error:  # noqa: BLE001 - raised again by the consumer
                hand_over(error)
                return
            if not finished:
                hand_over(_unfinished(name(part.number)))
                return

    start(work, workers=count, name="part")
    try:
        while count:
            try:
                block = ready.get(timeout=LOOK_UP_SECONDS)
            except queue.Empty:
                idle()
                continue
            if isinstance(block, BaseException):
                raise block
            if block is None:
                count -= 1
                continue
            yield block
            del block
    finally:
        closing.set()


def _unfinished(part: str) -> PartLost:
    return PartLost(
        f"{part[:1].upper()}{part[1:]} ended before it was finished",
        "Run again with the last state to read the rest",
    )


def gather(
    function: Callable[[Argument], Result],
    arguments: Iterable[Argument],
    *,
    workers: int = 16,
    idle: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Call a function for each argument by several threads that do not keep the process alive.

    Args:
        function: What to call.
        arguments: One for each call.
        workers: How many calls go on at once.
        idle: Called in this thread while no call returns; may raise to end the wait.

    Returns:
        The results in the order of the arguments.

    Raises:
        Error: What a failing call raised first.
    """
    waiting = queue.SimpleQueue[Any]()
    count = 0
    for argument in arguments:
        waiting.put((count, argument))
        count += 1
    ready = queue.SimpleQueue[Any]()

    def work() -> None:
        while True:
            try:
                number, argument = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                ready.put((number, function(argument), None))
            except BaseException as error:  # noqa: BLE001 - raised again by the caller
                ready.put((number, None, error))
                return

    start(work, workers=min(workers, count), name="gather")
    results: list[Any] = [None] * count
    left = count
    try:
        while left:
            try:
                number, result, error = ready.get(timeout=LOOK_UP_SECONDS)
            except queue.Empty:
                idle()
                continue
            if error is not None:
                raise error
            results[number] = result
            left -= 1
    finally:  # what nobody waits for any more is not begun
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.get_nowait()
    return results


def start(function: Callable[[], None], *, workers: int, name: str) -> list[threading.Thread]:
    """Run a function in several threads that do not keep the process alive.

    Args:
        function: What each thread runs once; it handles its own errors.
        workers: How many threads.
        name: Begins the threads' names.

    Returns:
        The threads, started.
    """
    threads = [
        threading.Thread(target=function, name=f"{name}-{number}", daemon=True)
        for number in range(workers)
    ]
    for thread in threads:
        thread.start()
    return threads
