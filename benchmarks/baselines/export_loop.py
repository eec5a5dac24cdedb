"""Baseline of a read of an export: Singer messages as a script over boto3's types and the SDK writes them.

    python -m benchmarks.baselines.export_loop FOLDER [compiled] > messages.jsonl

It inflates by the standard library's gzip, parses by its json, and writes by the SDK's default writer;
`compiled`: by isal and orjson instead, and by the same writer. How many items there were goes to standard
error.
"""

from __future__ import annotations

import gzip
import json
import sys
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from boto3.dynamodb.types import TypeDeserializer
from isal import igzip
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from singer_sdk.singerlib.messages import RecordMessage, SchemaMessage, StateMessage

from benchmarks.baselines.boto_loop import plain, schema

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = "export"
SAMPLE = 100


def main(folder: Path, *, compiled: bool) -> None:
    """Read all files of a folder, and write each item as a RECORD."""
    deserialize = TypeDeserializer().deserialize
    writer = SimpleSingerWriter()
    properties = schema(list(islice(read(folder, compiled=compiled), SAMPLE)))
    writer.write_message(SchemaMessage(STREAM, {"properties": properties}, ["id"]))
    items = 0
    for item in read(folder, compiled=compiled):
        record = {name: plain(deserialize(value)) for name, value in item.items()}
        now = datetime.now(timezone.utc)
        writer.write_message(RecordMessage(STREAM, record, time_extracted=now))
        items += 1
    writer.write_message(StateMessage({"bookmarks": {STREAM: {}}}))
    print(f"{items:,} items", file=sys.stderr)


def read(folder: Path, *, compiled: bool) -> Iterator[dict[str, Any]]:
    """Yield the items of a full export's files."""
    inflate: Any = igzip.open if compiled else gzip.open
    loads: Any = orjson.loads if compiled else json.loads
    for path in sorted(folder.glob("*.gz")):
        with inflate(path, "rb") as file:
            for line in file:
                yield loads(line)["Item"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), compiled="compiled" in sys.argv[2:])
