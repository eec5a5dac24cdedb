"""Runs a command, reads what it writes and throws it away, and says what memory it took.

    python -m benchmarks.peak command ...

Prints one line of JSON: `peak`, the most memory in bytes that the command had resident, its worker
processes included (their peaks are added up, and so is what they share), `largest`, the most that one
of them had, and of its output `records`, `states` and `largest_state` (bytes). Ends with the command's exit code.

It parses every line, as a target would, and so is slower than the tap: what the tap does not hold
back piles up. It is a process of its own because Linux counts what the parent had resident at the
moment of the start as the child's: the parent must be small.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

_KIB = 1 if sys.platform == "darwin" else 1024
"""Unit of the system's figure, in bytes."""

LOOK_SECONDS = 0.2
"""How often the processes are looked at. Their peaks so far are noted, so that a look misses little."""


def main(command: list[str]) -> int:
    """Run, read, print; return the exit code."""
    records = states = largest = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=2**16) as process:
        assert process.stdout is not None
        looks = _Looks(process.pid)
        looks.start()
        for line in process.stdout:
            kind = json.loads(line).get("type", "STATE")  # a target writes its bare value
            if kind == "RECORD":
                records += 1
            elif kind == "STATE":
                states += 1
                largest = max(largest, len(line))
        looks.end()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    figures = {
        "peak": max(looks.held, usage.ru_maxrss * _KIB),
        "largest": usage.ru_maxrss * _KIB,
        "records": records,
        "states": states,
        "largest_state": largest,
    }
    print(json.dumps(figures))
    return process.returncode


class _Looks(threading.Thread):
    """Looks at a process and all that it has begun, until it is told to end."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.held = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        """Look."""
        while not self._ended.wait(LOOK_SECONDS):
            self.held = max(self.held, sum(map(_peak, _family(self._pid))))

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def _family(pid: int) -> list[int]:
    """Return a process and all that it has begun; where the system does not tell, the process."""
    found = [pid]
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += _family(int(child))
    return found


def _peak(pid: int) -> int:
    """Return the most that a process had resident; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
