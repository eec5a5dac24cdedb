"""The target holds what is on its way to DynamoDB, and of a file the lines that it is at.

Neither many records nor many that cannot be written make it hold more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import memory
from benchmarks.client import TAP, TARGET
from benchmarks.measure import run
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from benchmarks.memory import Held

MB = 1_000_000
SHORT, LONG = 2, 81
"""Pages: ten thousand records, and half a million, which are 65 MB as lines."""


def load(folder: Path, pages: int, processes: int) -> Held:
    """Let the tap write files of so many pages, make one file of them, and load it."""
    root = folder / f"root-{pages}"
    messages = folder / f"{pages}.jsonl"
    with stub.running("flat", pages) as engine:
        reads = {"batch_config": {"storage": {"root": f"file://{root}"}}, "batch_pending_bytes": 0}
        writes = {"table_name": stub.SINK, "batch_root": str(root), "processes": processes}
        for name, more in (("reads", {"tables": ["flat"], **reads}), ("writes", writes)):
            (folder / f"{name}.json").write_text(json.dumps({**engine.config(), **more}))
        run([*TAP, str(folder / "reads.json")], folder, output=messages)
        said = [json.loads(line) for line in messages.read_text().splitlines()]
        batches = [message for message in said if message["type"] == "BATCH"]
        files = [
            Path(name.removeprefix("file://")) for each in batches for name in each["manifest"]
        ]
        whole = root / "whole.jsonl.gz"
        with whole.open("wb") as out:  # gzip files one after the other are one
            for file in files:
                out.write(file.read_bytes())
        one = [said[0], {**batches[0], "manifest": [f"file://{whole}"]}, said[-1]]
        messages.write_text("".join(json.dumps(message) + "\n" for message in one))
        held = memory.hold([*TARGET, str(folder / "writes.json")], folder, messages)
        assert engine.counts()["items_written"] == Pages("flat", pages).items
    assert held.states == 1
    return held


@pytest.mark.parametrize("processes", [1, 2])
def test_memory_does_not_grow_with_the_file(processes: int, tmp_path: Path) -> None:
    short, long = (load(tmp_path, pages, processes) for pages in (SHORT, LONG))
    more = long.largest - short.largest
    assert more < 30 * MB, f"{short.largest / MB:.0f} -> {long.largest / MB:.0f} MB"


FEW, MANY = 1_500, 15_000
TEXT = "x" * 4_000
"""Of each record: many of them are 60 MB."""

WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "insert": ({"write_mode": "insert"}, "1"),
    "merge": ({"write_mode": "merge"}, "1"),
    "dead letters": (
        {"on_error": "dead_letter", "dead_letter": "rejects.jsonl", "max_errors": 2 * MANY},
        "NaN",
    ),
}


def fed(folder: Path, count: int, config: dict[str, Any], number: str) -> Held:
    """Feed so many records, each with a number in it, and no STATE before the end."""
    messages = folder / f"{count}.jsonl"
    with messages.open("w") as out:
        properties = {"id": {"type": "string"}, "text": {"type": "string"}}
        schema = {"type": "object", "properties": properties}
        said = {"type": "SCHEMA", "stream": "s", "schema": schema, "key_properties": ["id"]}
        out.write(json.dumps(said) + "\n")
        for at in range(count):
            own = f'{{"id":"i{at}","n":{number},"text":"{TEXT}"}}'
            out.write(f'{{"type":"RECORD","stream":"s","record":{own}}}\n')
        out.write('{"type":"STATE","value":{"done":true}}\n')
    with stub.running("flat", 1) as engine:
        path = folder / "target.json"
        path.write_text(json.dumps({**engine.config(), "table_name": stub.SINK, **config}))
        held = memory.hold([*TARGET, str(path)], folder, messages)
        written = engine.counts()["items_written"]
    messages.unlink()
    assert held.states == 1
    assert written == (0 if number == "NaN" else count)
    return held


@pytest.mark.parametrize("way", WAYS)
def test_memory_does_not_grow_with_the_records(way: str, tmp_path: Path) -> None:
    config, number = WAYS[way]
    if "dead_letter" in config:
        config = {**config, "dead_letter": str(tmp_path / config["dead_letter"])}
    few, many = (fed(tmp_path, count, config, number) for count in (FEW, MANY))
    more = many.largest - few.largest
    assert more < 25 * MB, f"{few.largest / MB:.0f} -> {many.largest / MB:.0f} MB"
