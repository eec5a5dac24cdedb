"""Looks come in time whatever else happens, and a STATE is handed on in time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from target_dynamodb.duties import LOOK_SECONDS, STATE_SECONDS, Duties
from tests.engines.scripted import Clock


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.done: list[str] = []
        self.reader = SimpleNamespace(alarm=0.0)
        self.duties = Duties(
            self.reader,
            drain=self.drain,
            look=lambda: self.done.append("look"),
            clock=self.clock,
        )
        self.duties.begin()

    def drain(self) -> None:
        self.done.append("drain")
        self.duties.drained()

    def go(self, seconds: float, *, draining: bool = False) -> None:
        """Let time pass, as the reader looks at its alarm; with `draining` others drain all the time."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.sleep(0.1)
            if draining:
                self.duties.drained()
            if self.clock.now >= self.reader.alarm:
                self.duties.look()


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("draining", [False, True])
def test_looks_come_in_time_however_often_something_is_drained(
    scene: Scene, draining: bool
) -> None:
    scene.go(10 * LOOK_SECONDS, draining=draining)
    assert 8 <= scene.done.count("look") <= 10
    assert "drain" not in scene.done


def test_a_state_is_drained_in_time_and_once(scene: Scene) -> None:
    scene.duties.state_came()
    scene.duties.state_came()
    scene.go(STATE_SECONDS + 0.2)
    assert scene.done.count("drain") == 1
    scene.go(5 * STATE_SECONDS)
    assert scene.done.count("drain") == 1


def test_silence_drains_what_waits_and_nothing_else(scene: Scene) -> None:
    scene.duties.idle(unsettled=False)
    assert scene.done == ["look"]
    scene.duties.idle(unsettled=True)
    scene.duties.state_came()
    scene.duties.idle(unsettled=False)
    assert scene.done == ["look", "look", "drain", "look", "drain"]
