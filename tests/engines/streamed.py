"""The stub with a table that has a stream of changes: canned answers of GetRecords, with next to no CPU.

`with running("flat", 100) as stream:` serves a table `flat` of one page, and a stream of 100 answers of
a thousand records or 1 MB each, dealt to `SHARDS` open shards. Every answer holds the same records but
for their keys and sequence numbers. Of ten records six are modified items, three new ones, and one is
deleted; all have new and old images, as far as there are any. Behind the last one come empty answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.mixes import MIXES
from demo import guard
from demo.engine import ROOT
from tests.engines import stub
from tests.engines.pages import MARK, Body, Pages, Text, template

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARDS = 4
MOST_RECORDS = 1000
MOST_BYTES = 2**20
KINDS = (
    "MODIFY",
    "INSERT",
    "MODIFY",
    "MODIFY",
    "INSERT",
    "MODIFY",
    "REMOVE",
    *("MODIFY",) * 2,
    "INSERT",
)
LABEL = "2026-11-01T00:00:00.000"
_DIGITS = 5


class Changes:
    """All answers of one stream; `answer` finds the one that an iterator asks for.

    Args:
        mix: The items.
        answers: How many answers have records.
        at: When they were written, in seconds since 1970.
    """

    def __init__(self, mix: str, answers: int, at: int = 1_700_000_000) -> None:
        self.answers = answers
        self._records = _records(mix, at)
        self.per_answer = len(self._records)
        self.size = sum(map(len, self._records))
        self._text = Text(b'{"Records":[' + b",".join(self._records) + b"]")

    @property
    def changes(self) -> int:
        """How many changes there are in all answers."""
        return self.answers * self.per_answer

    def answer(self, iterator: str, limit: int) -> tuple[Body, int]:
        """Return an answer, and how many records it has. Answer a belongs to the shard a mod `SHARDS`."""
        number, first = map(int, iterator.split("-"))
        if number >= self.answers:
            return _body(Text(b'{"Records":[]'), 0, iterator), 0
        last = min(first + limit, self.per_answer)
        after = f"{number}-{last}" if last < self.per_answer else f"{number + SHARDS}-0"
        text = self._text
        if last - first < self.per_answer:
            text = Text(b'{"Records":[' + b",".join(self._records[first:last]) + b"]")
        return _body(text, number, after), last - first

    def iterator(self, shard: int, request: dict[str, Any]) -> str:
        """Return what asks for the records of a shard."""
        kind = request["ShardIteratorType"]
        if kind == "LATEST":
            return f"{self.answers}-0"
        if not kind.endswith("SEQUENCE_NUMBER"):
            return f"{shard}-0"
        number = request["SequenceNumber"]
        answer, record = int(number[-11:-_DIGITS]), int(number[-_DIGITS:])
        record += kind.startswith("AFTER")
        return f"{answer}-{record}" if record < self.per_answer else f"{answer + SHARDS}-0"


def _records(mix: str, at: int) -> list[bytes]:
    """Return the records of an answer, with `MARK` for its number."""
    records: list[bytes] = []
    size = 0
    items = [json.loads(item) for item in template(mix)]
    for number, item in enumerate(items):
        kind = KINDS[number % len(KINDS)]
        # An older form of the same item is the one of another key.
        old = {**items[number - 1], "id": item["id"]}
        told = {
            "ApproximateCreationDateTime": at,
            "Keys": {"id": item["id"]},
            **({} if kind == "REMOVE" else {"NewImage": item}),
            **({} if kind == "INSERT" else {"OldImage": old}),
            "SequenceNumber": f"4000000000{MARK.decode()}{number:0{_DIGITS}d}",
            "SizeBytes": 1000,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        record = {
            "awsRegion": guard.REGION,
            "dynamodb": told,
            "eventID": f"{number:032x}",
            "eventName": kind,
            "eventSource": "aws:dynamodb",
            "eventVersion": "1.1",
        }
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        size += len(line)
        if records and (size > MOST_BYTES or len(records) == MOST_RECORDS):
            break
        records.append(line)
    return records


class Service(stub.Service):
    """What the stub with a stream knows."""

    def __init__(self, mix: str, changes: Changes) -> None:
        super().__init__(Pages(mix, 1))
        self.changes = changes
        self.arn = f"{self.tables[mix]['TableArn']}/stream/{LABEL}"
        self.tables[mix] |= {
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            "LatestStreamArn": self.arn,
            "LatestStreamLabel": LABEL,
        }
        self.counts["changes_read"] = 0

    def answer(self, operation: str, body: bytes) -> list[bytes]:
        """Return the whole HTTP response to one request, in parts."""
        if operation == "GetRecords":
            request = json.loads(body)
            limit = request.get("Limit", MOST_RECORDS)
            answer, count = self.changes.answer(request["ShardIterator"], limit)
            self.counts["requests"] += 1
            self.counts["changes_read"] += count
            return [stub.head(200, answer.length, answer.crc), *answer.parts]
        if operation == "GetShardIterator":
            request = json.loads(body)
            shard = int(request["ShardId"].rpartition("-")[2])
            return stub.json_answer(200, {"ShardIterator": self.changes.iterator(shard, request)})
        if operation == "ListStreams":
            named = {"StreamArn": self.arn, "TableName": self.pages.table, "StreamLabel": LABEL}
            return stub.json_answer(200, {"Streams": [named]})
        if operation == "DescribeStream":
            return stub.json_answer(200, {"StreamDescription": self._description(json.loads(body))})
        return super().answer(operation, body)

    def _description(self, request: dict[str, Any]) -> dict[str, Any]:
        shards = [
            {
                "ShardId": f"shardId-00000001700000000000-{shard:08d}",
                "SequenceNumberRange": {"StartingSequenceNumber": f"{4 * 10**20 + shard}"},
            }
            for shard in range(SHARDS)
        ]
        return {
            "StreamArn": self.arn,
            "StreamLabel": LABEL,
            "StreamStatus": "ENABLED",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "CreationRequestDateTime": 1.7e9,
            "TableName": self.pages.table,
            "KeySchema": self.tables[self.pages.table]["KeySchema"],
            "Shards": [] if "ShardFilter" in request else shards,
        }


def _body(text: Text, number: int, after: str) -> Body:
    end = b',"NextShardIterator":"%s"}' % after.encode()
    parts = (text.of(number), end)
    return Body(parts, sum(map(len, parts)), zlib.crc32(end, text.crc(number)), 0)


@dataclass(frozen=True)
class Streamed(stub.Stub):
    """The running stub with a stream.

    Attributes:
        arn: The stream's ARN.
        changes: How many changes it tells.
    """

    arn: str = ""
    changes: int = 0

    def config(self) -> dict[str, str]:
        """Return the `aws_*` settings with which the tap reaches this stub, and its stream."""
        return {**super().config(), "aws_endpoint_url_streams": self.endpoint_url}


@contextlib.contextmanager
def running(mix: str, answers: int) -> Iterator[Streamed]:
    """Run the stub, in a process of its own and on a free port, for the length of a `with` block."""
    command = [sys.executable, "-m", "tests.engines.streamed", "--mix", mix]
    with subprocess.Popen(
        [*command, "--answers", str(answers)],
        cwd=ROOT,
        env=guard.environment(),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            changes = Changes(mix, answers)
            arn = Service(mix, changes).arn
            url = f"http://127.0.0.1:{port}"
            yield Streamed(url, table=mix, pages=1, arn=arn, changes=changes.changes)
        finally:
            process.terminate()


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mix", choices=MIXES, default="flat", help="the items")
    parser.add_argument("--answers", type=int, default=16, help="of GetRecords (default: 16)")
    parser.add_argument("--port", type=int, default=0, help="default: a free one, which is printed")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    changes = Changes(options.mix, options.answers, int(time.time()))
    stub.serve(Service(options.mix, changes), options.port)


if __name__ == "__main__":
    main()
