"""The tap on exports, against the least that a read of one takes, and against scripts.

Exports are written into the folder of the run: lines of the mixes, each file one member of gzip, with
manifests, so that the tap verifies what it reads. What is measured is a slope: what a long export takes
beyond a short one, so that neither start-up nor sampling counts.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import statistics
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.measure import BenchmarkError, Taken, in_turn, run
from tests.engines.exports import ion_line
from tests.engines.pages import Text, template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.client import Bench
    from benchmarks.report import Table

TAP = [sys.executable, "-m", "tap_dynamodb", "--config"]
FLOOR = [sys.executable, "-m", "benchmarks.baselines.export_floor"]
SCRIPT = [sys.executable, "-m", "benchmarks.baselines.export_loop"]

NAME = "exported"
FILE_PAGES = 4
LEVEL = 6
AT = "2026-11-01T00:00:00.000Z"
ARN = f"arn:aws:dynamodb:us-east-1:123456789012:table/{NAME}"

LEAST, THEIRS, COMPILED = "floor", "script", "script, isal and orjson"


@dataclass(frozen=True)
class Written:
    """An export that was written.

    Attributes:
        folder: Its folder, with the manifests.
        items: How many items it has.
        size: Bytes of its lines.
    """

    folder: Path
    items: int
    size: int


@dataclass(frozen=True)
class Program:
    """A program that reads exports.

    Attributes:
        name: What the table calls it.
        short: Pages of 1 MB of the short export.
        long: Pages of 1 MB of the long one.
        command: Its command line for an export.
        ion: Whether it reads Ion.
    """

    name: str
    short: int
    long: int
    command: Callable[[Written], list[str]]
    ion: bool = False


@dataclass(frozen=True)
class Slope:
    """What a program takes for the items that the long export has beyond the short one.

    Attributes:
        items: How many they are.
        size: Bytes of their lines.
        each: What one of them takes, round by round.
    """

    items: int
    size: int
    each: Sequence[Taken]

    def over(self, other: Slope, clock: str = "cpu") -> str:
        """Return how many times as long as another one it takes, with the least and the most.

        Args:
            other: The other one.
            clock: `cpu` or `wall`.
        """
        ratios = [
            getattr(own, clock) / getattr(its, clock)
            for own, its in zip(self.each, other.each, strict=True)
        ]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"

    def middle(self, clock: str) -> float:
        """Return the median of the seconds that an item takes.

        Args:
            clock: `cpu` or `wall`.
        """
        return float(statistics.median(getattr(each, clock) for each in self.each))


def speed(bench: Bench) -> Table:
    """Return what an item takes each program, and how that compares; ratios are of CPU, side by side.

    Args:
        bench: Says how much is measured.
    """
    table = [
        [
            *("items", "program", "times the floor", "x script", "x script, isal and orjson"),
            *("us CPU an item", "MB / CPU s", "MB / s", "items a run"),
        ]
    ]
    for mix in bench.scale.exports_pages:
        bench.say(f"exports, {mix}")
        slopes = measured(bench, mix)
        table += [_row(mix, name, slope, slopes) for name, slope in slopes.items()]
    return table


def measured(bench: Bench, mix: str) -> dict[str, Slope]:
    """Return what the items of a mix take each program.

    Args:
        bench: Says how much is measured.
        mix: The mix.

    Raises:
        BenchmarkError: A program failed, or has not read all.
    """
    folder = bench.folder / f"exports-{mix}"
    folder.mkdir()
    programs = _programs(bench, mix)
    wanted = {(length, each.ion) for each in programs for length in (each.short, each.long)}
    there = {each: write(folder, mix, each[0], ion=each[1]) for each in sorted(wanted)}
    runs: dict[str, Callable[[], Taken]] = {}
    for each in programs:
        for what, length in (("short", each.short), ("long", each.long)):
            runs[f"{each.name}, {what}"] = partial(_run, bench, each, there[length, each.ion])
    taken = in_turn(runs, bench.scale.rounds, bench.say)
    shutil.rmtree(folder)
    slopes = {}
    for each in programs:
        short, long = there[each.short, each.ion], there[each.long, each.ion]
        items = long.items - short.items
        pairs = zip(taken[f"{each.name}, long"], taken[f"{each.name}, short"], strict=True)
        slopes[each.name] = Slope(
            items, long.size - short.size, [a.beyond(b).each(items) for a, b in pairs]
        )
    return slopes


def write(folder: Path, mix: str, pages: int, *, ion: bool = False) -> Written:
    """Write a full export, and return it.

    Args:
        folder: Where it goes, in a folder of its own.
        mix: Its items.
        pages: How many pages of them.
        ion: Whether in Ion.
    """
    lines = [_line(item, ion=ion) for item in template(mix)]
    text = Text(b"".join(lines))
    export = folder / f"{'ion' if ion else 'json'}-{pages}"
    (export / "data").mkdir(parents=True)
    manifest, size = [], 0
    for first in range(0, pages, FILE_PAGES):
        held = range(first, min(first + FILE_PAGES, pages))
        data = b"".join(text.of(page) for page in held)
        size += len(data)
        key = f"data/{first:06d}.{'ion' if ion else 'json'}.gz"
        packed = gzip.compress(data, LEVEL)
        (export / key).write_bytes(packed)
        manifest.append(
            {
                "itemCount": len(held) * len(lines),
                "md5Checksum": base64.b64encode(hashlib.md5(packed).digest()).decode(),
                "dataFileS3Key": f"AWSDynamoDB/{export.name}/{key}",
            }
        )
    items = pages * len(lines)
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{ARN}/export/{export.name}",
        "exportTime": AT,
        "tableArn": ARN,
        "tableId": "0" * 36,
        "s3Bucket": "benchmark",
        "s3Prefix": None,
        "manifestFilesS3Key": f"AWSDynamoDB/{export.name}/manifest-files.json",
        "itemCount": items,
        "outputFormat": "ION" if ion else "DYNAMODB_JSON",
    }
    _with_checksum(
        export / "manifest-files.json", "".join(f"{json.dumps(it)}\n" for it in manifest)
    )
    _with_checksum(export / "manifest-summary.json", json.dumps(summary))
    return Written(export, items, size)


def _line(item: bytes, *, ion: bool) -> bytes:
    return ion_line(json.loads(item)) + b"\n" if ion else b'{"Item":%s}\n' % item


def _with_checksum(path: Path, text: str) -> None:
    path.write_text(text)
    digest = hashlib.md5(path.read_bytes()).digest()
    path.with_suffix(".md5").write_text(base64.b64encode(digest).decode())


def _programs(bench: Bench, mix: str) -> list[Program]:
    ours, theirs, ion = bench.scale.exports_pages[mix]
    short, one = 2 * FILE_PAGES, 1  # two files: one for each of two processes

    def tap(item_format: str, processes: int, export: Written) -> list[str]:
        settings: dict[str, Any] = {
            "source": "export",
            "export": {"location": str(export.folder), "key_properties": ["id"]},
            "item_format": item_format,
            "processes": processes,
        }
        return [*TAP, bench.config({}, **settings)]

    def script(*words: str) -> Callable[[Written], list[str]]:
        return lambda export: [*SCRIPT, str(export.folder / "data"), *words]

    found = []
    for item_format in ("dynamodb_json", "plain"):
        for processes in (1, 2):
            name = f"tap, {item_format}" + (", 2 processes" if processes > 1 else "")
            command = partial(tap, item_format, processes)
            found.append(Program(name, short, short + ours, command))
    if ion:
        for item_format in ("dynamodb_json", "plain"):
            name = f"tap, {item_format}, from Ion"
            found.append(Program(name, one, one + ion, partial(tap, item_format, 1), ion=True))
    least = Program(
        LEAST, short, short + ours, lambda export: [*FLOOR, str(export.folder / "data")]
    )
    return [
        *found,
        least,
        Program(COMPILED, one, one + theirs, script("compiled")),
        Program(THEIRS, one, one + theirs, script()),
    ]


def _run(bench: Bench, program: Program, export: Written) -> Taken:
    """Run a program over an export, and require that it has read all of its items."""
    taken = run(program.command(export), bench.folder)
    said = (bench.folder / "stderr.log").read_text(errors="replace")
    if f"{export.items:,} items" not in said:
        raise BenchmarkError(f"{program.name} has not read the {export.items:,} items: {said}")
    return taken


def _row(mix: str, name: str, slope: Slope, slopes: Mapping[str, Slope]) -> list[str]:
    size = slope.size / slope.items
    return [
        mix,
        name,
        "1" if name == LEAST else slope.over(slopes[LEAST]),
        "1" if name == THEIRS else slopes[THEIRS].over(slope),
        "1" if name == COMPILED else slopes[COMPILED].over(slope),
        f"{slope.middle('cpu') * 1e6:.2f}",
        f"{size / slope.middle('cpu') / 1e6:,.1f}",
        f"{size / slope.middle('wall') / 1e6:,.1f}",
        f"{slope.items:,}",
    ]
