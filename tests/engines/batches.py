"""BATCH files as a loader of the test's own reads them: by the standard library, independent of ours."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamodb_core.spool import Spool
    from tests.engines.tap import Message, Output


def config(root: Path, encoding: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return settings that ask for files below a folder; more ones go into `batch_config`."""
    said = {"storage": {"root": f"file://{root}"}, **more}
    return {"batch_config": said if encoding is None else {**said, "encoding": encoding}}


def files(message: Message) -> list[Path]:
    """Return the files that a BATCH message names."""
    assert message["manifest"]
    assert all(name.startswith("file:///") for name in message["manifest"])
    return [Path(name.removeprefix("file://")) for name in message["manifest"]]


def records(message: Message) -> list[dict[str, Any]]:
    """Return the records of a BATCH message, numbers exact."""
    assert message["encoding"]["format"] == "jsonl"
    found = []
    for path in files(message):
        data = path.read_bytes()
        if message["encoding"]["compression"] == "gzip":
            data = gzip.decompress(data)
        lines = data.split(b"\n")
        assert lines.pop() == b""
        found += [json.loads(line, parse_float=Decimal) for line in lines]
    return found


def expanded(output: Output) -> Output:
    """Return a run's messages with RECORD messages in the place of BATCH ones."""
    messages: list[Message] = []
    for message in output.messages:
        if message["type"] == "BATCH":
            version = {"version": message["version"]} if "version" in message else {}
            messages += [
                {"type": "RECORD", "stream": message["stream"], "record": record, **version}
                for record in records(message)
            ]
        else:
            messages.append(message)
    return replace(output, messages=messages)


def filled(spool: Spool, data: bytes = b"12345") -> Path:
    """Put a file into the folder of a run, and return its path."""
    draft = spool.draft(".jsonl")
    draft.write(data)
    return draft.keep()
