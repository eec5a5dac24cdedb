"""Runs a command, reads what it writes and throws it away, and says what memory it took.

    python -m benchmarks.peak command ...

Prints one line of JSON: `peak`, the most memory in bytes that the command had resident, and of its
output `records`, `states` and `largest_state` (bytes). Ends with the command's exit code.

It parses every line, as a target would, and so is slower than the tap: what the tap does not hold
back piles up. It is a process of its own because Linux counts what the parent had resident at the
moment of the start as the child's: the parent must be small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

_KIB = 1 if sys.platform == "darwin" else 1024
"""Unit of the system's figure, in bytes."""


def main(command: list[str]) -> int:
    """Run, read, print; return the exit code."""
    records = states = largest = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=2**16) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kind = json.loads(line)["type"]
            if kind == "RECORD":
                records += 1
            elif kind == "STATE":
                states += 1
                largest = max(largest, len(line))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    figures = {
        "peak": usage.ru_maxrss * _KIB,
        "records": records,
        "states": states,
        "largest_state": largest,
    }
    print(json.dumps(figures))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
