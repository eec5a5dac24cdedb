"""A comparison that is killed, or asked to end, in the middle: another run of the same command goes on."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from demo import guard
from tests.engines import compared
from tests.engines.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.faults import Reply, Request

ITEMS = 1_500
SEGMENTS = 24
PAGES = 2 * SEGMENTS
"""Calls of Scan that both tables take at least."""

MIDDLE = PAGES // 2
HELD = 4
"""Calls of a run that was killed that the gate may have held, and lets through afterwards: two a table."""

COUNTED = ("a", "b", "same", "missing", "extra", "differs", "respelled")


def item(number: int, value: int) -> Item:
    return {"id": {"S": f"k{number}"}, "n": {"N": str(value)}}


A = [item(number, number) for number in range(ITEMS)]
B = [item(number, number if number % 100 else -1) for number in range(7, ITEMS + 3)]
WANTED = {
    "a": ITEMS,
    "b": ITEMS - 4,
    "same": 1479,
    "missing": 7,
    "extra": 3,
    "differs": 14,
    "respelled": 0,
}


@pytest.fixture(scope="module")
def pair(engine: Engine) -> Iterator[tuple[str, str]]:
    made = Tables(engine)
    yield made.create(A, label="resume"), made.create(B, label="resume")
    made.drop()


class Gate:
    """Stands before the engine; when so many calls of Scan are through, it holds the next one until it opens."""

    def __init__(self) -> None:
        self.scans: Counter[str] = Counter()
        self.held = threading.Event()
        self.opened = threading.Event()
        self.operation = "Scan"
        self.most = PAGES * 100

    def __call__(self, request: Request) -> Reply | None:
        if request.operation == self.operation and self.scans.total() >= self.most:
            self.held.set()
            self.opened.wait(compared.PATIENCE)
        if request.operation == "Scan":
            self.scans[json.loads(request.body)["TableName"]] += 1
        return None

    def begin(self, most: int = PAGES * 100) -> None:
        self.scans.clear()
        self.held.clear()
        self.opened.clear()
        self.most = most


class Comparison:
    """The same command, again and again."""

    def __init__(self, engine: Engine, gate: Gate, pair: tuple[str, str], folder: Path) -> None:
        self.gate = gate
        self.folder = folder
        self.work = folder / "work"
        self.log = folder / "log.txt"
        self._pair = pair
        self._config = {
            **engine.config(),
            "segments": SEGMENTS,
            "scan_workers": 2,
            "format": "json",
            "work_folder": str(self.work),
        }

    @contextlib.contextmanager
    def started(self, *more: str, **config: Any) -> Iterator[subprocess.Popen[str]]:
        path = self.folder / "config.json"
        path.write_text(json.dumps({**self._config, **config}))
        with (
            self.log.open("w") as errors,
            subprocess.Popen(
                [*compared.COMMAND, "--config", str(path), *self._pair, *more],
                env=guard.environment(),
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process,
        ):
            net = threading.Timer(compared.PATIENCE, process.kill)
            net.start()
            try:
                yield process
            finally:
                net.cancel()
                self.gate.opened.set()
                if process.poll() is None:
                    process.kill()

    def run(self, *more: str, **config: Any) -> tuple[int, str]:
        """Run it to its end; return the exit code and what it printed."""
        self.gate.begin()
        with self.started(*more, **config) as process:
            said, _ = process.communicate()
        return process.returncode, said

    def whole(self, *more: str, **config: Any) -> dict[str, Any]:
        """Run it to its end, and require the right result, and that nothing is left behind."""
        code, said = self.run(*more, **config)
        assert code == 1, self.log.read_text()
        report: dict[str, Any] = json.loads(said)
        assert {name: report["counts"][name] for name in COUNTED} == WANTED
        assert not self.work.exists()
        return report

    def interrupt(self, number: signal.Signals, *, noted: bool, **config: Any) -> int:
        """Send it a signal in the middle; return the exit code."""
        self.gate.begin(MIDDLE)
        with self.started(**config) as process:
            assert self.gate.held.wait(compared.PATIENCE)
            until(lambda: not noted or self.noted > 0)
            process.send_signal(number)
            until(lambda: process.poll() is not None)
        return process.returncode

    @property
    def noted(self) -> int:
        """How many segments the checkpoint says are finished."""
        said = [json.loads(path.read_bytes()) for path in self.checkpoints]
        ranges = [each for one in said for side in "ab" for each in one[side]["places"]["finished"]]
        return sum(last - first + 1 for first, last in ranges)

    @property
    def checkpoints(self) -> list[Path]:
        return list(self.work.glob("*/checkpoint.json"))


def until(condition: Callable[[], bool]) -> None:
    """Return when a condition holds; fail when it takes too long."""
    end = time.monotonic() + compared.PATIENCE
    while not condition():
        assert time.monotonic() < end


@pytest.fixture
def comparison(engine: Engine, pair: tuple[str, str], tmp_path: Path) -> Iterator[Comparison]:
    gate = Gate()
    with compared.between(engine, gate) as before:
        yield Comparison(before, gate, pair, tmp_path)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_is_killed_is_gone_on_with(comparison: Comparison, processes: int) -> None:
    code = comparison.interrupt(signal.SIGKILL, noted=True, processes=processes)
    assert code == -signal.SIGKILL
    noted = comparison.noted
    report = comparison.whole(processes=processes)
    assert "Going on with" in comparison.log.read_text()
    left = PAGES - noted  # each segment is one page
    assert left < PAGES
    assert left <= comparison.gate.scans.total() <= left + HELD
    assert report["a"]["read"] == ITEMS
    assert report["b"]["read"] == ITEMS - 4


def test_what_was_written_after_the_checkpoint_is_read_again_once(comparison: Comparison) -> None:
    """Files that are longer than the checkpoint says, as after a crash."""
    comparison.interrupt(signal.SIGTERM, noted=False)
    [checkpoint] = comparison.checkpoints
    said = json.loads(checkpoint.read_bytes())
    for letter in ("a", "b"):
        for number, length in enumerate(said[letter]["lengths"]):
            file = checkpoint.parent / letter / f"{number:03d}.spill"
            with file.open("ab") as more:
                assert more.tell() == length
                more.write(file.read_bytes() if length else b"no block at all")
    comparison.whole()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_keeps_what_was_read(
    comparison: Comparison, number: signal.Signals
) -> None:
    assert comparison.interrupt(number, noted=False) == 128 + number
    log = comparison.log.read_text()
    assert "run the same command again to go on" in log
    assert "Traceback" not in log
    assert comparison.checkpoints
    comparison.whole()
    assert comparison.gate.scans.total() < PAGES


def test_a_whole_run_reads_all_of_it_and_is_told_from_one_that_goes_on(
    comparison: Comparison,
) -> None:
    comparison.whole()
    assert comparison.gate.scans.total() >= PAGES
    assert "Going on with" not in comparison.log.read_text()


def test_starting_over_reads_everything_again(comparison: Comparison) -> None:
    comparison.interrupt(signal.SIGTERM, noted=False)
    comparison.whole("--start-over")
    assert comparison.gate.scans.total() >= PAGES


def test_another_comparison_does_not_go_on_with_it(comparison: Comparison) -> None:
    comparison.interrupt(signal.SIGTERM, noted=False)
    [kept] = comparison.checkpoints
    code, said = comparison.run("--ignore", "n")
    assert code == 1
    assert json.loads(said)["counts"]["differs"] == 0
    assert comparison.gate.scans.total() >= PAGES
    assert kept.exists()
    comparison.whole()
    assert comparison.gate.scans.total() < PAGES


def test_a_damaged_work_folder_is_no_result(comparison: Comparison) -> None:
    comparison.interrupt(signal.SIGTERM, noted=False)
    [checkpoint] = comparison.checkpoints
    [spilled, *_] = sorted((checkpoint.parent / "a").glob("*.spill"))
    spilled.write_bytes(spilled.read_bytes()[:-1])
    code, said = comparison.run()
    assert (code, said) == (2, "")
    assert "--start-over" in comparison.log.read_text()
    assert "run the same command again" not in comparison.log.read_text()
    comparison.whole("--start-over")


def test_a_table_that_was_made_anew_is_not_gone_on_with(comparison: Comparison) -> None:
    comparison.interrupt(signal.SIGTERM, noted=False)
    [checkpoint] = comparison.checkpoints
    said = json.loads(checkpoint.read_bytes())
    said["b"]["identity"] = "another TableId"
    checkpoint.write_text(json.dumps(said))
    code, _ = comparison.run()
    assert code == 2
    assert "was made anew" in comparison.log.read_text()
    assert "--start-over" in comparison.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_has_read_both_tables_does_not_read_them_again(
    comparison: Comparison, number: signal.Signals
) -> None:
    """The last page of both has come, and the run is ended before it has said what it found."""
    output = comparison.folder / "differences.jsonl"
    comparison.gate.begin(0)
    comparison.gate.operation = "BatchGetItem"
    with comparison.started(output=str(output)) as process:
        assert comparison.gate.held.wait(compared.PATIENCE)
        process.send_signal(number)
        until(lambda: process.poll() is not None)
    log = comparison.log.read_text()
    if number is signal.SIGINT:
        assert process.returncode == 128 + number
        assert "run the same command again to go on" in log
    assert "Traceback" not in log
    assert not output.exists()
    comparison.gate.operation = "Scan"
    comparison.whole(output=str(output))
    assert comparison.gate.scans.total() == 0
    kinds = Counter(
        line["difference"]["kind"]
        for line in map(json.loads, output.read_text().splitlines())
        if "difference" in line
    )
    assert kinds == {kind: WANTED[kind] for kind in ("missing", "extra", "differs")}


def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(
    comparison: Comparison,
) -> None:
    code, said = comparison.run(output=str(comparison.folder / "gone" / "differences.jsonl"))
    assert (code, said) == (2, "")
    assert comparison.gate.scans.total() == 0
    assert not comparison.work.exists()
