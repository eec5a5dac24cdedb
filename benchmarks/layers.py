"""Where the time goes: the layers of tap and target one by one, in one thread.

    python -m benchmarks.layers [mix ...]

CPU microseconds an item, the least of several rounds. What a whole run takes beyond their sum (see
`python -m benchmarks`) is threads taking turns, memory, and the SDK's frame.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from botocore.credentials import Credentials

from benchmarks import report
from benchmarks.client import TAP
from benchmarks.measure import run
from benchmarks.mixes import MIXES
from demo import guard
from dynamodb_core import batches
from dynamodb_core.budgets import Budgets, Consumed
from dynamodb_core.capacity import Budget
from dynamodb_core.converter import Converter
from dynamodb_core.layouts import Columns
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.progress import Progress
from dynamodb_core.scan import read_page
from dynamodb_core.settings import AwsSettings
from dynamodb_core.signing import Scope, Signer
from dynamodb_core.table import Key, Table
from dynamodb_core.wire import BotoWire
from dynamodb_core.writer import Writer
from tap_dynamodb.render import LineRenderer
from target_dynamodb.encode import Encoder
from target_dynamodb.reader import MessageReader
from target_dynamodb.source import Source
from tests.engines import stub

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.throttling import Throttle

PAGES = 8
ROUNDS = 5
KEY = Key(("id",), ("S",))
SIGNED = {
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": "DynamoDB_20120810.BatchWriteItem",
}


class Canned:
    """A wire whose answers are there already."""

    throttles = 0
    region = guard.REGION

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self._next = 0

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        """Return the next answer, after the last one the first."""
        del operation, body, table
        self._next += 1
        return self._answers[(self._next - 1) % len(self._answers)]

    def watch(self, table: str, listener: Callable[[Throttle], object]) -> Callable[[], None]:
        """Do nothing, as nothing is throttled."""
        del table, listener
        return lambda: None


class Layers:
    """The layers of one mix, measured one after the other.

    Args:
        mix: The items.
        folder: Where files go.
    """

    def __init__(self, mix: str, folder: Path) -> None:
        self.mix = mix
        self.folder = folder
        self.rows: list[list[str]] = []
        self._items = 1

    def measure(self, layer: str, function: Callable[[], Any]) -> Any:
        """Run a layer over all items, note what it takes an item, and return its result."""
        least = float("inf")
        for _ in range(ROUNDS):
            began = time.process_time()
            result = function()
            least = min(least, time.process_time() - began)
        self.rows.append([self.mix, layer, f"{least / self._items * 1e6:.2f}"])
        return result

    def tap(self, engine: stub.Stub) -> None:
        """Measure from Scan's answers to RECORD lines."""
        plan = ReadPlan(self.mix, PAGES)
        budget = Budget(None)

        def read(wire: Any) -> list[Any]:
            return [read_page(wire, plan, Part(n), budget, 0.0).items for n in range(PAGES)]

        wire = BotoWire(AwsSettings.from_config(engine.config()))
        requests = [
            orjson.dumps({"TableName": self.mix, "Segment": n, "TotalSegments": PAGES})
            for n in range(PAGES)
        ]
        bodies = [wire.call("Scan", request, table=self.mix) for request in requests]
        pages = read(Canned(bodies))
        self._items = sum(map(len, pages))
        self.measure(
            "tap: Scan, checksum",
            lambda: [wire.call("Scan", request, table=self.mix) for request in requests],
        )
        self.measure("tap: a page into items", lambda: read(Canned(bodies)))
        render = LineRenderer(
            self.mix, None, Converter(columns(pages[0])), lambda: datetime.now(timezone.utc)
        )
        self.measure("tap: items to RECORD lines, plain", lambda: [*map(render, pages)])

    def target(self, engine: stub.Stub) -> None:
        """Measure from RECORD lines to BatchWriteItem."""
        config, stream = self.folder / "config.json", self.folder / "stream.jsonl"
        config.write_text(json.dumps({**engine.config(), "tables": [self.mix]}))
        run([*TAP, str(config)], self.folder, output=stream)
        lines = stream.read_bytes().splitlines(keepends=True)
        schemas = [line for line in lines if line.startswith(b'{"type":"SCHEMA"')]
        schema = json.loads(schemas[-1])["schema"]
        stream.write_bytes(b"".join(line for line in lines if line.startswith(b'{"type":"RECORD"')))

        def read(road: Callable[[Any], object]) -> None:
            reader = MessageReader()
            reader.roads[self.mix] = road
            with stream.open("rb") as records:
                reader.process_lines(records, {})

        raws: list[Any] = []
        read(raws.append)
        self._items = len(raws)
        self.measure("target: lines to messages", lambda: read(id))
        encoder = Encoder(
            self.mix, schema["properties"], key=KEY, source=Source.from_schema(self.mix, schema)
        )
        writes = self.measure(
            "target: records to items, plain", lambda: [*map(encoder.encode_json, raws)]
        )
        requests = self.measure("target: writes to requests", lambda: pack(writes))
        self.measure("target: the same by a Writer and its threads", lambda: write(writes))
        signer = Signer(engine.endpoint_url + "/", SIGNED, Scope(guard.REGION, "dynamodb"))
        keys = Credentials(guard.ACCESS_KEY_ID, "secret")
        self.measure(
            "target: signing",
            lambda: [signer.authorization(body, keys, signer.now()) for body in requests],
        )
        wire = BotoWire(AwsSettings.from_config(engine.config()))
        answers = self.measure(
            "target: BatchWriteItem, signed, sent and answered",
            lambda: [wire.call("BatchWriteItem", body, table=stub.SINK) for body in requests],
        )
        self.measure(
            "target: answers to units",
            lambda: [Consumed.of(orjson.loads(answer), 0.0) for answer in answers],
        )


def columns(items: list[Any]) -> Columns:
    """Return the columns that a sample of these items gives."""
    types: dict[str, str] = {}
    for item in map(orjson.loads, map(bytes, items)):
        for name, typed in item.items():
            kind = next(iter(typed))
            if kind != "NULL":
                types.setdefault(name, kind)
    return Columns(types=types, reserved="_dynamodb", open=True, limit=1000)


def pack(writes: list[Any]) -> list[bytes]:
    """Return the requests that writes fill."""
    waiting: dict[Any, bytes] = {}
    requests = []
    for identity, body, _ in writes:
        waiting[identity] = batches.put(body)
        if len(waiting) == batches.MOST_WRITES:
            requests.append(batches.request(stub.SINK, batches.take(waiting, set(), beside={})))
    return requests


def write(writes: list[Any]) -> None:
    """Hand writes to a writer whose calls cost nothing."""
    wire = Canned([b'{"UnprocessedItems":{}}'])
    table = Table(stub.SINK, "", "", KEY)
    writer = Writer(wire, table, budgets=Budgets(None), progress=Progress("x"))
    for identity, body, _ in writes:
        writer.put(identity, body)
    writer.flush()
    writer.close()


def main(mixes: list[str]) -> None:
    """Measure and print."""
    guard.enter()
    rows = [["items", "layer", "us CPU an item"]]
    for mix in mixes or MIXES:
        with (
            tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
            stub.running(mix, PAGES) as engine,
        ):
            layers = Layers(mix, Path(folder))
            layers.tap(engine)
            layers.target(engine)
            rows += layers.rows
    print(report.text(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
