"""Running a command and taking its time: CPU of all its processes, and the clock on the wall."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SECONDS = 900.0
"""A command that takes longer is ended, and the benchmark with it."""


class BenchmarkError(Exception):
    """A command failed, or did not do what it was measured for."""


@dataclass(frozen=True)
class Taken:
    """What a run took, in seconds.

    Attributes:
        cpu: User and system time of the command and of all processes that it waited for.
        wall: From its start to its end.
    """

    cpu: float
    wall: float

    def beyond(self, start_up: Taken) -> Taken:
        """Return what the work took, given what a run without any work takes."""
        return Taken(max(self.cpu - start_up.cpu, 1e-6), max(self.wall - start_up.wall, 1e-6))

    def each(self, count: int) -> Taken:
        """Return what one of `count` items took."""
        return Taken(self.cpu / count, self.wall / count)


def run(
    command: list[str],
    folder: Path,
    *,
    source: Path | None = None,
    output: Path | None = None,
    environment: Mapping[str, str] | None = None,
    codes: Container[int] = (0,),
) -> Taken:
    """Run a command to its end and say what it took.

    Args:
        command: The program and its arguments.
        folder: Where `stderr.log` goes.
        source: What it reads as standard input; nothing when None.
        output: Where its standard output goes; nowhere when None.
        environment: The variables it finds; those of any test when None.
        codes: Exit codes of a run that has not failed.

    Raises:
        BenchmarkError: It failed, or took too long.
    """
    nothing = Path(os.devnull)
    log = folder / "stderr.log"
    with (
        (source or nothing).open("rb") as given,
        (output or nothing).open("wb") as out,
        log.open("wb") as said,
    ):
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=out,
            stderr=said,
            cwd=ROOT,
            env=guard.environment() if environment is None else dict(environment),
            start_new_session=True,
        )
        end = threading.Timer(LONGEST_SECONDS, _kill, [process.pid])
        end.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _kill(process.pid)
            raise
        finally:
            end.cancel()
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        words = log.read_text(errors="replace").strip()[-2000:]
        raise BenchmarkError(f"{' '.join(command)} ended with {process.returncode}: {words}")
    return Taken(usage.ru_utime + usage.ru_stime, wall)


def in_turn(
    runs: Mapping[str, Callable[[], Taken]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[Taken]]:
    """Run several things one after the other, in every round again, and in turns of direction.

    What disturbs the machine for a while disturbs all of them alike.

    Args:
        runs: What to run, by name.
        rounds: How often.
        say: Told what was run.

    Returns:
        What each run took, round by round.
    """
    taken: dict[str, list[Taken]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in runs if number % 2 == 0 else reversed(list(runs)):
            taken[name].append(runs[name]())
            say(f"  round {number + 1}, {name}: {taken[name][-1].cpu:.2f} s CPU")
    return taken


def median(taken: list[Taken]) -> Taken:
    """Return the medians of CPU and wall."""
    return Taken(
        statistics.median(each.cpu for each in taken),
        statistics.median(each.wall for each in taken),
    )


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
