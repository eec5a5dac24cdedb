"""What a read of a stream takes without the tap around it: the core's reader, and the tap's rendering.

    python -m benchmarks.baselines.change_reader config.json ARN > messages.jsonl

Shard by shard in one thread, from the oldest record to the first empty answer: `DynamoDBStreams`, and
`PageConverter.changes` to RECORD lines. How many changes there were goes to standard error.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.layers import columns
from dynamodb_core.changes.shards import Position
from dynamodb_core.changes.streams import DynamoDBStreams
from dynamodb_core.converter import Converter
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tap_dynamodb.entities import Entities
from tap_dynamodb.pages import PageConverter
from tap_dynamodb.render import LineRenderer

KEYS = {"id": "S"}


def main(config: dict[str, Any], arn: str) -> None:
    """Read a stream, and write each change as a RECORD."""
    gc.freeze()
    gc.set_threshold(200_000)  # as the tap's command does
    wire = BotoWire(AwsSettings.from_config(config), service="dynamodbstreams")
    stream = DynamoDBStreams(wire, arn)
    name = arn.split("/")[1]
    convert: PageConverter | None = None
    count = 0
    for shard in stream.shards():
        position = Position()
        iterator: str | None = stream.iterator(shard.id, position)
        while iterator is not None:
            read = stream.records(shard.id, iterator, position)
            if not read.changes:
                break
            if convert is None:
                items = [change.item for change in read.changes if change.item is not None]
                lines = LineRenderer(name, None, Converter(columns(items)))
                convert = PageConverter({name: lines}, Entities.of([], name), keys=KEYS)
            page = convert.changes(read.changes).parts[name]
            sys.stdout.buffer.write(page.lines)
            count += len(read.changes)
            position, iterator = read.position, read.iterator
    print(f"{count:,} changes", file=sys.stderr)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
