"""The tap itself through stories: whatever is written while it reads and follows, nothing is lost.

The same stories as in test_changes_model.py, told to the whole tap. A run that crashes is one whose
destination took in the first of its messages only; the next run goes on from the last STATE of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.changes import alternation
from tap_dynamodb import read_loop
from tests.engines.story import Destination, Story, Told, stories
from tests.engines.tap import sync

if TYPE_CHECKING:
    from collections.abc import Mapping

STORIES = 30
KEPT = ("STATE", "RECORD")


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let phases be short, and states many."""
    monkeypatch.setattr(alternation, "PHASE_SECONDS", 2.0)
    monkeypatch.setattr(read_loop, "STATE_SECONDS", 0.0)


def run(
    story: Story, state: Mapping[str, Any] | None, config: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Run the tap, and return its messages."""
    output = sync(
        story.table,
        {
            "tables": [story.stream.table],
            "sample_size": 0,
            "segments": 3,
            "scan_workers": 2,
            "replication_method": "LOG_BASED",
            **config,
        },
        state=state,
        own={
            "clock": story.clock,
            "wait": lambda _tap, seconds: story.clock.sleep(seconds),
            "wire_to": lambda _tap, _service: story.stream,
        },
    )
    return [message for message in output.messages if message["type"] in KEPT]


def take(
    destination: Destination, messages: list[dict[str, Any]], state: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Take messages in, and return the last state."""
    for message in messages:
        if message["type"] == "STATE":
            state = message["value"]
        else:
            record = message["record"]
            value = None if record["_sdc_deleted_at"] else str(record["v"])
            destination.take([Told(record["id"], value, int(record["_sdc_sequence"]))])
    return state


def faults(story: Story, **config: Any) -> list[str]:
    """Play a story to the end of a run, and once more later on; return what is wrong after them."""
    destination, found = Destination(), []
    state: Mapping[str, Any] | None = None
    for crash in [*story.crashes, None, None]:
        messages = run(story, state, config)
        if crash is not None:
            messages = messages[: 1 + crash * len(messages) // 12]
        state = take(destination, messages, state)
        if crash is None:
            for key in story.keys:
                # All that was written before the run's last phase is out.
                last = destination.last.get(key)
                best = destination.highest.get(key, Told(key, None, 0)).value
                possible = story.possible(key, max(story.table.read))
                if last not in possible or best not in possible:
                    found.append(f"{key} ends as {last}, and {best}, and was {possible}")
        story.clock.sleep(story.chance.choice([1.0, 60.0]) * story.slow)
    if story.stream.early:
        found.append(f"{set(story.stream.early)} were read before their parents")
    return found


@pytest.mark.parametrize("slow", [1.0, 60.0])
@pytest.mark.parametrize("consistent", [False, True])
def test_the_tap_ends_with_the_items_of_the_table(slow: float, *, consistent: bool) -> None:
    config = {"consistent_read": consistent}
    assert [found for story in stories(slow, STORIES) if (found := faults(story, **config))] == []


def test_without_a_margin_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alternation, "MARGIN_SECONDS", 0.0)
    assert any(faults(story) for slow in (1.0, 60.0) for story in stories(slow, STORIES))
