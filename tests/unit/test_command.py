"""The frame of every command, in a process of its own: exit code, one line, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FRAME = """
import gc, sys
from dynamodb_core import command
from dynamodb_core.errors import ConfigError

def main():
    {}

command.run(main, "tap-dynamodb")
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-c", FRAME.format(body)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_that_returns_ends_with_0_and_silence() -> None:
    done = run("return 'ignored'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_of_our_errors_is_one_line_on_stderr_and_1() -> None:
    done = run("raise ConfigError('Table t\\nis gone', 'Look for it')")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Table t is gone. Look for it.\n"


def test_the_line_goes_to_the_commands_logger() -> None:
    done = run(
        "import logging; logging.basicConfig(format='%(levelname)s %(name)s %(message)s'); "
        "raise ConfigError('no')"
    )
    assert done.stderr == "ERROR tap-dynamodb no.\n"


def test_a_defect_keeps_its_traceback() -> None:
    done = run("{}['missing']")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("KeyError: 'missing'\n")


@pytest.mark.parametrize(("code", "returned"), [("143", 143), ("0", 0), ("None", 0)])
def test_an_exit_code_of_its_own_is_kept(code: str, returned: int) -> None:
    assert run(f"sys.exit({code})").returncode == returned


def test_ctrl_c_is_no_success() -> None:
    assert run("raise KeyboardInterrupt").returncode != 0


def test_the_collector_runs_seldom() -> None:
    done = run("print(gc.get_threshold()[0], gc.get_freeze_count() > 1000)")
    assert done.stdout == "200000 True\n"
