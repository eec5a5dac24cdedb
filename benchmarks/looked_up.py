"""The method that was not taken: one table scanned, its keys looked up in the other one by BatchGetItem.

    python -m benchmarks.looked_up config.json

The configuration is that of `dynamodb-tools`: `aws_*` settings, and two tables. Items that B alone has are not
named: a second scan counts B (for 0.5 units a 4 KB, as any scan), and more items than were found in it are
some that A has not. Their names would take a look-up of each of B's keys in A. Prints what it found as one
line of JSON. See docs/decisions/0004-how-two-tables-are-compared.md.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core import tables
from dynamodb_core.capacity import Budget
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.scan import read_part
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from dynamodb_core.workers import fan_out
from dynamodb_tools.canonical import Canon, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamodb_core.parts import Block

WORKERS = 8
SEGMENTS = 32
MOST_KEYS = 100
"""What one BatchGetItem takes."""


class _Found(msgspec.Struct, gc=False):
    Responses: dict[str, list[msgspec.Raw]]
    UnprocessedKeys: dict[str, Any]


_decode = msgspec.json.Decoder(_Found).decode


@dataclass(frozen=True)
class Counts:
    """What a page showed: items of A that B has, that it has otherwise, and that it has not."""

    same: int = 0
    differs: int = 0
    missing: int = 0


@dataclass(frozen=True)
class LookedUp:
    """Compares pages of A with what B has."""

    wire: BotoWire
    canon: Canon
    other: str

    def __call__(self, items: Sequence[msgspec.Raw]) -> Counts:
        """Return what a page of A shows."""
        same = differs = missing = 0
        rows = self.canon.rows(items)
        for at in range(0, len(rows), MOST_KEYS):
            wanted = rows[at : at + MOST_KEYS]
            found = {row.key: row.content for row in self.canon.rows(self._look_up(wanted))}
            for key, content, _ in wanted:
                if key not in found:
                    missing += 1
                elif found[key] == content:
                    same += 1
                else:
                    differs += 1
        return Counts(same, differs, missing)

    def _look_up(self, rows: Sequence[Any]) -> list[msgspec.Raw]:
        keys = [key_of(row.key) for row in rows]
        request = {
            "RequestItems": {self.other: {"Keys": keys}},
            "ReturnConsumedCapacity": "TOTAL",
        }
        answer = _decode(self.wire.call("BatchGetItem", orjson.dumps(request), table=self.other))
        if answer.UnprocessedKeys:
            raise SystemExit("the prototype is for the stub alone, which processes all keys")
        return answer.Responses.get(self.other, [])


def main(config: dict[str, Any]) -> None:
    """Compare, print."""
    a, b = config.pop("tables")
    wire = BotoWire(AwsSettings.from_config(config), connections=WORKERS)
    look_up = LookedUp(wire, Canon(tables.describe(wire, a).key), b)
    found = [block.payload for block in _blocks(wire, a, look_up)]
    same = sum(each.same for each in found)
    differs = sum(each.differs for each in found)
    held = sum(block.payload for block in _blocks(wire, b, len))
    print(
        json.dumps(
            {
                "same": same,
                "differs": differs,
                "missing": sum(each.missing for each in found),
                "extra": held - same - differs,
            }
        )
    )


def _blocks(wire: BotoWire, table: str, render: Any) -> Iterator[Block[Any]]:
    plan = ReadPlan(table, segments=SEGMENTS)

    def read(part: Part) -> Iterator[Block[Any]]:
        return read_part(part, plan=plan, wire=wire, budget=Budget(None), render=render)

    return fan_out([Part(number, None) for number in range(SEGMENTS)], read, workers=WORKERS)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
