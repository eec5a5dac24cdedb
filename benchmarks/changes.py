"""The tap on a stream of changes, and its reader alone, against a script over boto3.

Each reads all that a canned stream holds: a hundred thousand changes, the script fewer. What a read of
a stream without changes takes is left out.
"""

from __future__ import annotations

import math
import sys
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.compare import Subject, compare
from benchmarks.measure import BenchmarkError, in_turn, median, run
from tests.engines import streamed

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.client import Bench
    from benchmarks.compare import Row
    from benchmarks.measure import Taken
    from tests.engines.streamed import Streamed

TAP = [sys.executable, "-m", "tap_dynamodb", "--config"]
READER = [sys.executable, "-m", "benchmarks.baselines.change_reader"]
SCRIPT = [sys.executable, "-m", "benchmarks.baselines.change_loop"]
FORMATS = ("dynamodb_json", "plain")
CHANGES = {"snapshot": "none", "start": "oldest"}


def speed(bench: Bench) -> list[Row]:
    """Return what a change takes each program, and how that compares.

    Args:
        bench: Says how much is measured.

    Raises:
        BenchmarkError: A program failed, or has not read all.
    """
    rows = []
    for mix, (ours, others) in bench.scale.changes.items():
        bench.say(f"changes, {mix}")
        per_answer = streamed.Changes(mix, 1).per_answer
        size = streamed.Changes(mix, 1).size / per_answer
        answers = [math.ceil(changes / per_answer) for changes in (ours, others)]
        with (
            streamed.running(mix, answers[0]) as long,
            streamed.running(mix, answers[1]) as short,
            streamed.running(mix, 0) as empty,
        ):
            commands = _commands(bench)
            none = {
                name: partial(run, command(empty), bench.folder)
                for name, command in commands.items()
            }
            start_ups = in_turn(none, bench.scale.rounds, bench.say)
            subjects = [
                _subject(bench, name, command, short if name == "script" else long, start_ups[name])
                for name, command in commands.items()
            ]
            rows += compare(mix, size, subjects, rounds=bench.scale.rounds, say=bench.say)
    return rows


def _commands(bench: Bench) -> dict[str, Callable[[Streamed], list[str]]]:
    """Return the command lines of the programs, the baseline's last."""

    def tap(item_format: str, source: Streamed) -> list[str]:
        settings = {"tables": [source.table], "replication_method": "LOG_BASED"}
        more = {"changes": CHANGES, "item_format": item_format}
        return [*TAP, bench.config(source.config(), **settings, **more)]

    def script(command: list[str], source: Streamed) -> list[str]:
        return [*command, bench.config(source.config()), source.arn]

    return {
        **{f"tap, {item_format}": partial(tap, item_format) for item_format in FORMATS},
        "reader alone, plain": partial(script, READER),
        "script": partial(script, SCRIPT),
    }


def _subject(
    bench: Bench,
    name: str,
    command: Callable[[Streamed], list[str]],
    source: Streamed,
    start_ups: list[Taken],
) -> Subject:
    line = command(source)

    def once() -> Taken:
        before = source.counts()["changes_read"]
        taken = run(line, bench.folder)
        read = source.counts()["changes_read"] - before
        if read != source.changes:
            raise BenchmarkError(f"{name} read {read} of {source.changes} changes")
        return taken

    return Subject(name, source.changes, once, median(start_ups))
