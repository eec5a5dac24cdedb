"""Looking a table's capacity up again, on a clock that the test sets."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from dynamodb_core.errors import AccessError
from dynamodb_core.lookups import EVERY_SECONDS, Lookups
from tests.engines.scripted import PATIENCE, Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def at_once(function: Callable[[], None], *, workers: int, name: str) -> list[threading.Thread]:
    """Run it here."""
    assert (workers, name) == (1, "look-up")
    function()
    return []


def test_it_is_looked_up_every_few_minutes_and_not_before() -> None:
    clock, seen = Clock(now=0.0), list[float]()
    lookups = Lookups(lambda: seen.append(clock.now), "it", clock=clock, start=at_once)
    while clock.now <= 3 * EVERY_SECONDS:
        lookups()
        clock.now += 1
    assert seen == [EVERY_SECONDS, 2 * EVERY_SECONDS, 3 * EVERY_SECONDS]
    assert 60 <= EVERY_SECONDS <= 600


def test_nobody_waits_for_a_look_and_no_second_one_begins_beside_it() -> None:
    clock, begun, go_on = Clock(now=0.0), threading.Semaphore(0), threading.Event()
    looks: list[str] = []

    def look() -> None:
        looks.append(threading.current_thread().name)
        begun.release()
        go_on.wait(PATIENCE)

    lookups = Lookups(look, "it", clock=clock)
    for _ in range(3):
        clock.now += EVERY_SECONDS
        lookups()
    assert begun.acquire(timeout=PATIENCE)
    assert len(looks) == 1
    assert looks != [threading.current_thread().name]
    go_on.set()
    for thread in lookups._threads:
        thread.join(PATIENCE)
    clock.now += EVERY_SECONDS
    lookups()
    assert begun.acquire(timeout=PATIENCE)


def test_a_look_that_fails_is_said_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    clock, looks = Clock(now=0.0), list[float]()

    def look() -> None:
        looks.append(clock.now)
        raise AccessError("DescribeTable on table t is refused")

    lookups = Lookups(look, "The read capacity of table t", clock=clock, start=at_once)
    for _ in range(2):
        clock.now += EVERY_SECONDS
        lookups()
    assert len(looks) == 2
    [said, _] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert said.getMessage() == (
        "The read capacity of table t is taken to be what it was, as it cannot be seen: "
        "DescribeTable on table t is refused."
    )
