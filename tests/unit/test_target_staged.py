"""Writes that wait for a load: what it would refuse is said before it, and nothing is acknowledged early."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.errors import DataError, Error
from dynamodb_core.staging import Staging
from dynamodb_core.table import Table
from target_dynamodb.staged import LOOK_WRITES, SAID_SECONDS, Staged
from tests.engines.parts import lines
from tests.engines.scripted import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dynamodb_core.staging import Part

INDEXED = {
    "TableName": "orders",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "day", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {"IndexName": "by_day", "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}]}
    ],
}
PLAIN = {name: INDEXED[name] for name in ("TableName", "KeySchema")} | {
    "AttributeDefinitions": INDEXED["AttributeDefinitions"][:1]
}


class Load:
    """Notes what it was given; fails as often as it was told to."""

    def __init__(self, *, deletes: bool = True, fails: int = 0) -> None:
        self.deletes = deletes
        self.fails = fails
        self.found: list[bytes] = []
        self.tidied = 0

    def carry_out(self, parts: Iterator[Part], look: Callable[[], None]) -> None:
        look()
        for part in parts:
            self.found += lines(part.path.read_bytes())
        if self.fails:
            self.fails -= 1
            raise Error("no")

    def tidy(self) -> None:
        self.tidied += 1


def staged(tmp_path: Path, load: Load, **more: Any) -> Staged:
    description = more.pop("description", PLAIN)
    return Staged(
        Table.from_description(description),
        Staging(tmp_path, part_bytes=1000),
        load,
        log=logging.getLogger("test.staged"),
        **more,
    )


def put(into: Staged, **item: Any) -> None:
    into.put((("S", item["id"]["S"]),), orjson.dumps(item))


def deep(levels: int, kind: str = "M") -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels - 1):
        value = {"M": {"a": value}} if kind == "M" else {"L": [value]}
    return value


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"id": {"S": "a"}, "x": {"S": "x" * (400 * 1024)}}, "409,604 bytes large"),
        ({"id": {"S": "a"}, "x": deep(33)}, "nested deeper"),
        ({"id": {"S": "a"}, "x": deep(33, "L")}, "nested deeper"),
        ({"id": {"S": "k" * 2049}}, "2,049 bytes"),
        ({"id": {"S": "\U0001f600" * 513}}, "2,052 bytes"),
        ({"id": {"S": "a"}, "day": {"N": "1"}}, "by_day wants S"),
        ({"id": {"S": "a"}, "day": {"S": ""}}, "is empty"),
    ],
    ids=["large", "maps", "lists", "key", "key in bytes", "index", "index empty"],
)
def test_what_a_load_would_refuse_is_refused_before_it(
    tmp_path: Path, item: dict[str, Any], words: str
) -> None:
    description = INDEXED if "day" in item else PLAIN
    waiting = staged(tmp_path, load := Load(), description=description)
    with pytest.raises(DataError, match=words) as raised:
        put(waiting, **item)
    assert "table orders" in raised.value.message
    refused: list[tuple[bytes, DataError]] = []
    noting = staged(
        tmp_path,
        load,
        description=description,
        refused=lambda write, error: refused.append((write, error)),
    )
    put(noting, **item)
    put(noting, id={"S": "b"})
    [(write, _error)] = refused
    assert orjson.loads(write) == {"PutRequest": {"Item": item}}
    noting.finish(lambda: None)
    assert load.found == [b'{"Item":{"id":{"S":"b"}}}']
    for each in (waiting, noting):
        each.close()


def test_what_is_just_within_the_limits_is_loaded(tmp_path: Path) -> None:
    waiting = staged(tmp_path, load := Load())
    put(waiting, id={"S": "a"}, x=deep(32))
    put(waiting, id={"S": "b"}, x={"S": "x" * (400 * 1024 - 4)})
    put(waiting, id={"S": "k" * 2048})
    put(waiting, id={"S": "c"}, day={"N": "1"})  # no index here has it in its key
    waiting.finish(lambda: None)
    assert len(load.found) == 4
    waiting.close()


def test_a_deletion_is_refused_where_the_load_cannot_delete(tmp_path: Path) -> None:
    waiting = staged(tmp_path, load := Load(deletes=False))
    put(waiting, id={"S": "a"})
    with pytest.raises(
        DataError, match="key a cannot be loaded into table orders: it is to be del"
    ):
        waiting.delete((("S", "a"),), b'{"id":{"S":"a"}}')
    refused: list[bytes] = []
    noting = staged(tmp_path, load, refused=lambda write, _error: refused.append(write))
    noting.delete((("S", "a"),), b'{"id":{"S":"a"}}')
    assert refused == [b'{"DeleteRequest":{"Key":{"id":{"S":"a"}}}}']
    for each in (waiting, noting):
        each.close()


def test_it_is_complete_when_the_load_was_carried_out(tmp_path: Path) -> None:
    waiting = staged(tmp_path, load := Load(fails=1))
    put(waiting, id={"S": "a"})
    waiting.flush()
    assert not waiting.complete
    with pytest.raises(Error, match="no"):
        waiting.finish(lambda: None)
    assert not waiting.complete
    waiting.tidy()
    assert load.tidied == 0
    waiting.close()
    another = staged(tmp_path, load)
    put(another, id={"S": "a"})
    another.finish(lambda: None)
    another.finish(lambda: None)  # once is enough
    assert another.complete
    another.tidy()
    assert (load.tidied, len(load.found)) == (1, 2)
    another.close()
    assert list(tmp_path.iterdir()) == []


def test_how_much_waits_is_said_now_and_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    waiting = staged(tmp_path, Load(), clock=clock)
    for number in range(4 * LOOK_WRITES):
        clock.now += SAID_SECONDS / LOOK_WRITES / 1.9
        put(waiting, id={"S": str(number)})
    assert 1 <= caplog.text.count("Staged for table orders") <= 2
    waiting.close()
