"""The figures as tables: for a terminal, and as Markdown for docs/performance.md."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.compare import Row
    from benchmarks.measure import Taken
    from benchmarks.memory import Row as MemoryRow

BEGIN = "<!-- figures: written by `make benchmark ARGS=--markdown` -->"
END = "<!-- end of figures -->"
PACKAGES = ("singer-sdk", "boto3", "orjson", "msgspec")

Table = list[list[str]]


def about(items: Mapping[str, float]) -> str:
    """Return when and on what the figures were taken.

    Args:
        items: Bytes of an item on the wire, by mix.
    """
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    sizes = ", ".join(f"{mix} {size:,.0f} bytes" for mix, size in items.items())
    return (
        f"{datetime.now(timezone.utc):%Y-%m-%d}, {os.cpu_count()} cores of {processor()}, "
        f"Python {platform.python_version()}, {versions}. Items on the wire: {sizes}."
    )


def processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123 - no file, but a question to Linux
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def start_ups(taken: Mapping[str, Taken]) -> Table:
    """Return a table of what the programs take over no items."""
    rows = [[name, f"{each.cpu:.2f}", f"{each.wall:.2f}"] for name, each in taken.items()]
    return [["over no items", "CPU s", "s"], *rows]


def comparison(rows: Sequence[Row]) -> Table:
    """Return a table of a comparison, ratios first."""
    return [
        [
            *("items", "program", "x, CPU", "x, wall", "us CPU an item"),
            *("items / CPU s", "MB / CPU s", "items / s", "items a run"),
        ],
        *map(_row, rows),
    ]


def _row(row: Row) -> list[str]:
    return [
        row.mix,
        row.name,
        str(row.cpu_ratio or 1),
        str(row.wall_ratio or 1),
        _short(row.cpu * 1e6),
        f"{1 / row.cpu:,.0f}",
        f"{row.size / row.cpu / 1e6:,.1f}",
        f"{1 / row.wall:,.0f}",
        f"{row.items:,}",
    ]


def memory(rows: Sequence[MemoryRow]) -> Table:
    """Return a table of what was held in memory."""
    head = ["items", "program", "peak MB", "more, MB", "STATEs", "largest STATE, bytes"]
    return [
        head,
        *(
            [
                f"{row.held.records:,}",
                row.name,
                f"{row.held.peak / 1e6:.0f}",
                "" if row.more is None else f"{row.more / 1e6:+.0f}",
                f"{row.held.states:,}",
                f"{row.held.largest_state:,}",
            ]
            for row in rows
        ),
    ]


def text(table: Table) -> str:
    """Return a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    head, *rows = table
    rule = ["---" if number < 2 else "---:" for number, _ in enumerate(head)]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (head, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def replace(path: Path, figures: str) -> None:
    """Put figures between the marks of a page.

    Args:
        path: The page.
        figures: Markdown.
    """
    page = path.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}")


def replace_part(path: Path, title: str, figures: str) -> None:
    """Replace one part of a page's figures, or put it behind the others, and leave these alone.

    Args:
        path: The page.
        title: Of the part.
        figures: Markdown.
    """
    page = path.read_text()
    before, _, rest = page.partition(BEGIN)
    kept, _, after = rest.partition(END)
    parts = re.split(r"\n+(?=### )", kept.rstrip())
    new = f"### {title}\n\n{figures}"
    places = [n for n, part in enumerate(parts) if part.startswith(f"### {title}\n")]
    if places:
        parts[places[0]] = new
    else:
        parts.append(new)
    joined = "\n\n".join(parts)
    path.write_text(f"{before}{BEGIN}{joined}\n\n{END}{after}")


def _short(number: float) -> str:
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"
