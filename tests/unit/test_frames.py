"""Messages between processes: whole, also when the other end goes in the middle of one."""

from __future__ import annotations

import pickle
import signal
import threading
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core import frames
from tests.engines.scripted import PATIENCE, in_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

LARGE = bytes(range(256)) * 12_000
"""More than a pipe holds."""


@dataclass
class Page:
    lines: bytes
    count: int

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (frames.apart(self.lines), self.count)


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    there, here = Pipe(duplex=False)
    yield here, there
    for end in (here, there):
        end.close()


@pytest.mark.parametrize(
    "message",
    [
        None,
        "a word",
        Page(b"", 0),
        Page(b"short", 1),
        Page(LARGE, 2),
        [Page(LARGE, 3), "between", Page(b"x" * frames.LEAST_APART, 4), Page(b"", 5)],
        {"deep": [Page(LARGE, 6)], "plain": LARGE},
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_arrives_as_it_was_sent(
    ends: tuple[Connection, Connection], message: Any
) -> None:
    here, there = ends
    arrived = in_time(lambda: _both_ways(here, there, [message, "the next one"]))
    assert arrived == [message, "the next one"]


def test_what_travels_apart_is_bytes_again(ends: tuple[Connection, Connection]) -> None:
    here, there = ends
    (page,) = in_time(lambda: _both_ways(here, there, [Page(LARGE, 1)]))
    assert type(page.lines) is bytes


def test_large_bytes_are_not_in_the_pickle() -> None:
    frame = frames.Frame(Page(LARGE, 1))
    assert len(frame._head) < 1000
    assert [each.nbytes for each in frame._apart] == [len(LARGE)]


@pytest.mark.parametrize("kept", [0, 3, 100, len(LARGE)])
def test_an_end_in_the_middle_of_a_message_is_no_message(
    ends: tuple[Connection, Connection], kept: int
) -> None:
    here, there = ends
    frame = frames.Frame(Page(LARGE, 1))

    class Torn:
        """Takes some bytes of the message and then goes."""

        def send(self) -> None:
            here.send_bytes(frame._head)
            part = frame._apart[0][:kept]
            frames._write(here, part)
            here.close()

    sending = start(Torn().send)
    if kept == len(LARGE):
        assert in_time(lambda: frames.receive(there)) == Page(LARGE, 1)
    else:
        with pytest.raises(EOFError):
            in_time(lambda: frames.receive(there))
    sending.join(PATIENCE)  # before its end is closed once more


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such signals")
def test_a_signal_in_the_middle_of_a_message_tears_nothing(
    ends: tuple[Connection, Connection],
) -> None:
    here, there = ends
    heard = threading.Event()
    arrived: list[Any] = []

    def read() -> None:
        heard.wait(PATIENCE)
        arrived.append(frames.receive(there))

    before = signal.signal(signal.SIGALRM, lambda _number, _frame: heard.set())
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        frames.Frame(Page(LARGE, 1)).send(here)  # waits for the reader, and so for the signal
    finally:
        signal.signal(signal.SIGALRM, before)
    reader.join(PATIENCE)
    assert arrived == [Page(LARGE, 1)]


def test_nobody_there_any_more_is_an_error(ends: tuple[Connection, Connection]) -> None:
    here, there = ends
    there.close()
    with pytest.raises(OSError):  # noqa: PT011 - of the system's, whichever
        frames.Frame(Page(LARGE, 1)).send(here)


def test_an_ordinary_pickle_of_it_is_whole() -> None:
    assert pickle.loads(pickle.dumps(Page(LARGE, 1), 5)) == Page(LARGE, 1)


def start(function: Any) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def _both_ways(here: Connection, there: Connection, messages: list[Any]) -> list[Any]:
    def send() -> None:
        for message in messages:
            frames.Frame(message).send(here)

    start(send)
    return [frames.receive(there) for _ in messages]
