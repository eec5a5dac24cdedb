"""A plugin in a process of its own, whose waits are as short as a test says: see `settings`.

The engine of this machine shows every write at once, in its tables and in its streams. So nothing has to
lie between a page and the stream, and a phase of pages may end after one of them.
"""

from __future__ import annotations

import json
import runpy
import shlex
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONSTANTS = {
    "phase": ("dynamodb_core.changes.alternation", "PHASE_SECONDS"),
    "margin": ("dynamodb_core.changes.alternation", "MARGIN_SECONDS"),
    "lag": ("dynamodb_core.changes.alternation", "LAG_SECONDS"),
    "skew": ("dynamodb_core.changes.positions", "SKEW"),
    "soonest": ("tap_dynamodb.turns", "SOONEST_SECONDS"),
    "latest": ("tap_dynamodb.turns", "LATEST_SECONDS"),
    "said": ("tap_dynamodb.read_loop", "STATE_SECONDS"),
    "taken": ("target_dynamodb.duties", "STATE_SECONDS"),
    "idle": ("target_dynamodb.intake", "IDLE_SECONDS"),
}
"""What can be shortened, and where it stands."""

SHORT = {
    "phase": 0.0,
    "margin": 0.0,
    "lag": 0.0,
    "skew": 1.0,
    "soonest": 0.05,
    "latest": 0.2,
    "said": 0.2,
}
"""For the tap: it is the stream's turn after each page."""

TAKEN = {"taken": 0.2, "idle": 0.1}
"""For the target."""


def command(line: Iterable[str], seconds: Mapping[str, float]) -> list[str]:
    """Return a command line `python -m PLUGIN …` with other waits.

    Args:
        line: The command line.
        seconds: The waits, by their names in `CONSTANTS`.
    """
    python, m, *plugin = line
    assert m == "-m"
    return [python, str(Path(__file__)), json.dumps(dict(seconds)), *plugin]


def script(folder: Path, name: str, seconds: Mapping[str, float]) -> None:
    """Make a program of a plugin's name with other waits, for shells that have the folder on their path.

    Args:
        folder: Where it is put.
        name: The name, as the plugin's own program has it.
        seconds: The waits, by their names in `CONSTANTS`.
    """
    line = command([sys.executable, "-m", name.replace("-", "_")], seconds)
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec {shlex.join(line)} "$@"\n')
    path.chmod(0o755)


def main() -> None:
    """Shorten the waits and run the plugin."""
    _, seconds, plugin, *arguments = sys.argv
    sys.path[0] = str(Path.cwd())  # as with -m, and not the folder of this file
    for name, value in json.loads(seconds).items():
        module, constant = CONSTANTS[name]
        found = import_module(module)
        before = getattr(found, constant)
        assert isinstance(before, (float, timedelta))
        new = timedelta(seconds=value) if isinstance(before, timedelta) else value
        setattr(found, constant, new)
    sys.argv = [plugin, *arguments]
    runpy.run_module(plugin, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
