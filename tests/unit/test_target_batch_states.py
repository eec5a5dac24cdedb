"""A STATE is true when every file before it is acknowledged, in whatever order that happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_dynamodb.states import States


def test_a_state_without_files_is_true_at_once_and_told_once() -> None:
    states = States()
    states.add({"at": 1})
    assert states.take() == {"at": 1}
    assert states.take() is None


def test_of_several_states_only_the_newest_is_of_use() -> None:
    states = States()
    for at in range(3):
        states.add(at)
    assert states.take() == 2
    assert states.take() is None


def test_a_state_waits_for_every_file_before_it_and_for_none_after_it() -> None:
    states = States()
    first, second = states.begin(), states.begin()
    states.add("two")
    third = states.begin()
    states.add("three")
    assert states.take() is None
    states.acknowledge(second)
    assert states.take() is None
    states.acknowledge(first)
    assert states.take() == "two"
    assert states.waiting == 1
    states.acknowledge(third)
    assert states.take() == "three"
    assert states.waiting == 0


def test_a_state_that_looks_like_a_file_is_none() -> None:
    states = States()
    number = states.begin()
    states.add(number)
    states.acknowledge(number)
    assert states.take() == number


@given(st.lists(st.booleans(), max_size=30), st.randoms(use_true_random=False))
def test_what_is_told_is_true_and_nothing_true_is_held_back(
    is_file: list[bool], random: st.DataObject
) -> None:
    states = States()
    came: list[tuple[int, list[int]]] = []  # a STATE, and the files before it
    files: list[int] = []
    done: set[int] = set()
    told = -1
    for number, each in enumerate(is_file):
        if each:
            files.append(states.begin())
        else:
            states.add(number)
            came.append((number, list(files)))
        open_files = [file for file in files if file not in done]
        for file in open_files:
            if random.random() < 0.4:  # type: ignore[attr-defined]
                done.add(file)
                states.acknowledge(file)
        taken = states.take()
        true = [state for state, before in came if done.issuperset(before)]
        newest = true[-1] if true else -1
        assert (taken if taken is not None else told) == newest
        told = newest
    assert states.waiting == len(set(files) - done)
