"""`dynamodb-tools compare` against a boto3 script that loads both tables into dictionaries: speed, memory, method.

Two tables come from the stub (`tests/engines/twins.py`). An item that is counted is one that was read: two tables
of a million items each are two million items.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.compare import Subject, compare
from benchmarks.measure import BenchmarkError, Taken, in_turn, median, run
from benchmarks.memory import hold, taken_and_held
from dynamodb_core.paging import UNIT_BYTES
from dynamodb_core.sizes import item_size
from tests.engines import twins
from tests.engines.pages import MARK, template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.client import Bench
    from benchmarks.compare import Row
    from benchmarks.report import Table
    from tests.engines.twins import Twins

TOOL = [sys.executable, "-m", "dynamodb_tools", "compare"]
SCRIPT = [sys.executable, "-m", "benchmarks.baselines.boto_dicts"]
LOOKED_UP = [sys.executable, "-m", "benchmarks.looked_up"]

OURS, OURS_2, THEIRS, OTHER = (
    "compare, 1 process",
    "compare, a process a table",
    "boto3 into dictionaries",
    "scan and BatchGetItem",
)
DIFFERENT = 1
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Tables:
    """Two tables, and the ways to compare them.

    Attributes:
        bench: Has the folder for files.
        stub: Serves them.
    """

    bench: Bench
    stub: Twins

    @property
    def items(self) -> int:
        """How many items both have together."""
        return sum(twin.items for twin in self.stub.twins())

    @property
    def work(self) -> Path:
        """The folder for files of the comparison."""
        return self.bench.folder / "compared"

    def command(self, name: str) -> list[str]:
        """Return the command line of a program."""
        engine = self.stub.config()
        if name in (THEIRS, OTHER):
            config = self.bench.config(engine, tables=[twins.A, twins.B])
            return [*(SCRIPT if name == THEIRS else LOOKED_UP), config]
        settings: dict[str, Any] = {"work_folder": str(self.work), "format": "json", "show": 0}
        if name == OURS:
            settings["processes"] = 1
        config = self.bench.config(engine, **settings)
        return [*TOOL, "--config", config, twins.A, twins.B]

    def run(self, name: str) -> Taken:
        """Run a program, and require that it found what there is to find.

        Raises:
            BenchmarkError: It failed, or found anything else.
        """
        output = self.bench.folder / "found.json"
        taken = run(self.command(name), self.bench.folder, output=output, codes=(0, DIFFERENT))
        self.check(name, json.loads(output.read_text()))
        return taken

    def check(self, name: str, said: dict[str, Any]) -> None:
        """Require of what a program said that it is right.

        Raises:
            BenchmarkError: It is not.
        """
        a, b = self.stub.twins()
        wanted = dict.fromkeys(("missing", "extra", "differs"), 0) | {
            kind: count for kind, count in b.found.items() if kind != "respelled"
        }
        if self.stub.disjoint:
            wanted = {"missing": a.items, "extra": b.items, "differs": 0}
        counts = said.get("counts", said)
        found = {kind: counts[kind] for kind in wanted}
        if found != wanted:
            raise BenchmarkError(f"{name} found {found}, and there are {wanted}")


def speed(bench: Bench) -> list[Row]:
    """Compare the command with the script: CPU and wall an item read, start-up left out."""
    rows = []
    rounds = bench.scale.rounds
    names = (OURS, OURS_2, THEIRS)
    with twins.running("flat", 0) as empty:
        nothing = Tables(bench, empty)
        starts = in_turn({name: _once(nothing, name) for name in names}, rounds, bench.say)
    for mix, (ours, theirs) in bench.scale.compared_pages.items():
        bench.say(f"compare, {mix}")
        with twins.running(mix, ours) as long, twins.running(mix, theirs) as short:
            subjects = []
            for name in names:
                tables = Tables(bench, short if name == THEIRS else long)
                start = median(starts[name])
                subjects.append(Subject(name, tables.items, _once(tables, name), start))
            size = sum(map(len, template(mix))) / len(template(mix))
            rows += compare(mix, size, subjects, rounds=rounds, say=bench.say)
    return rows


def memory(bench: Bench) -> Table:
    """Return what the command and the script hold over tables without a common key, and on disk."""
    table = [["items a table", "program", "peak MB", "files, MB", "bytes an item"]]
    ours, theirs = bench.scale.compared_memory_pages
    for name, lengths in ((OURS, ours), (OURS_2, ours[-1:]), (THEIRS, theirs)):
        for pages in lengths:
            with twins.running("flat", pages, disjoint=True) as stub:
                tables = Tables(bench, stub)
                with _watched(tables.work) as files:
                    held = hold(tables.command(name), bench.folder, codes=(0, DIFFERENT))
                bench.say(f"compare, {name}: {tables.items:,} items, {held.peak / 1e6:.0f} MB")
                each = "" if name == THEIRS else f"{files.most / tables.items:.0f}"
                size = "" if name == THEIRS else f"{files.most / 1e6:,.0f}"
                half = f"{tables.items // 2:,}"
                table.append([half, name, f"{held.peak / 1e6:.0f}", size, each])
    return table


def methods(bench: Bench) -> Table:
    """Return what the two methods take on tables that are nearly the same, by DynamoDB's prices."""
    head = ["items a table", "method", "units an item of A", "CPU s", "wall s", "peak MB"]
    table = [head]
    ours, others = bench.scale.compared_methods_pages
    with twins.running("flat", 0) as empty, twins.running("flat", 2) as little:
        starts = {name: Tables(bench, empty).run(name) for name in (OURS, OTHER)}
        for name in (OURS, OTHER):
            Tables(bench, little).run(name)  # it finds what there is to find
    for name, pages in ((OURS, ours), (OTHER, others)):
        with twins.running("flat", pages) as stub:
            tables = Tables(bench, stub)
            command = tables.command(name)
            taken, held = taken_and_held(command, bench.folder, codes=(0, DIFFERENT))
            taken = taken.beyond(starts[name])
        bench.say(f"methods, {name}: {tables.items:,} items, {taken.cpu:.1f} s CPU")
        figures = [f"{taken.cpu:.1f}", f"{taken.wall:.1f}", f"{held.peak / 1e6:.0f}"]
        table.append([f"{tables.items // 2:,}", name, f"{units('flat', name):.3f}", *figures])
    return table


def units(mix: str, name: str) -> float:
    """Return the units that an item of A takes, read eventually consistent.

    A scan rounds up what a page holds, a look-up what an item has.
    """
    items = [json.loads(item.replace(MARK, b"000000")) for item in template(mix)]
    sizes = [item_size(item) for item in items]
    scanned = sum(sizes) / len(sizes) / UNIT_BYTES
    if name != OTHER:
        return 2 * scanned
    looked_up = sum(-(-2 * size // UNIT_BYTES) for size in sizes) / len(sizes) / 2
    return 2 * scanned + looked_up


def _once(tables: Tables, name: str) -> Callable[[], Taken]:
    return lambda: tables.run(name)


class _Files(threading.Thread):
    """Looks at how large a folder is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.ended = threading.Event()
        self._folder = folder

    def run(self) -> None:
        """Look until told to end."""
        while not self.ended.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError):
                files = [path.stat().st_size for path in self._folder.rglob("*") if path.is_file()]
                self.most = max(self.most, sum(files))


@contextlib.contextmanager
def _watched(folder: Path) -> Iterator[_Files]:
    files = _Files(folder)
    files.start()
    try:
        yield files
    finally:
        files.ended.set()
        files.join()
        shutil.rmtree(folder, ignore_errors=True)
