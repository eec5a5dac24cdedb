"""The policies of docs/permissions.md are enough for `dynamodb-tools`, and nothing in them is idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engines import pipeline
from tests.integration.test_permissions import (
    Guarded,
    actions,
    check_exact,
    guarded,
    without,
)

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.pipeline import Ended

__all__ = ["guarded"]

DONE = {"Comparing": 1, "Generating": 0, "Planning": 0}
"""The exit code of each command, done: the copy lacks items."""

WITHOUT = {("Planning", "dynamodb:DescribeContinuousBackups")}
"""What a command does without."""


@pytest.fixture(scope="module")
def copy(guarded: Guarded) -> str:
    return guarded.tables.create([{"id": {"S": "i00"}, "day": {"S": "sunday"}}], label="copy")


def run(heading: str, guarded: Guarded, copy: str, user: Engine, folder: Path) -> Ended:
    """Run what a policy is for, as a user."""
    folder.mkdir(exist_ok=True)
    line = {
        "Comparing": ["compare", guarded.table, copy, "--work-folder", str(folder / "work")],
        "Generating": ["generate", copy, "--count", "10"],
        "Planning": ["plan", guarded.table, "--sample", "10"],
    }[heading]
    settings = pipeline.command("dynamodb_tools", user.config(), folder)
    return pipeline.run([*settings[:3], line[0], *settings[3:], *line[1:]])


@pytest.mark.parametrize("heading", DONE)
def test_a_command_makes_the_calls_of_its_policy_and_no_others(
    guarded: Guarded, copy: str, tmp_path: Path, heading: str
) -> None:
    name = copy if heading == "Generating" else guarded.table
    policy = guarded.policy(heading, TABLE=name, COPY=copy)
    ended = run(heading, guarded, copy, guarded.user(policy), tmp_path)
    assert ended.code == DONE[heading], ended.err
    check_exact(policy, guarded.relay)


@pytest.mark.parametrize("heading", DONE)
def test_a_command_fails_clearly_without_one_of_them(
    guarded: Guarded, copy: str, tmp_path: Path, heading: str
) -> None:
    name = copy if heading == "Generating" else guarded.table
    policy = guarded.policy(heading, TABLE=name, COPY=copy)
    for action in actions(policy):
        user = guarded.user(without(policy, action))
        ended = run(heading, guarded, copy, user, tmp_path / action.replace(":", "-"))
        if (heading, action) in WITHOUT:
            assert ended.code == 0, ended.err
        else:
            assert ended.code == (2 if heading == "Comparing" else 1), ended.err
            assert action.partition(":")[2] in ended.errors[-1]
        assert "Traceback" not in ended.err
