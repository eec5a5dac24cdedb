"""`dynamodb-tools compare` when the network or DynamoDB fails: the exact result, or exit code 2; never a wrong "same".

The process is hurried: pauses between tries pass at once.
"""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from tests.engines import faults, relay
from tests.engines.compared import DIFFERENT, between, check, compare, expected
from tests.engines.faults import Reply
from tests.engines.tables import STRING_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.compared import Outcome
    from tests.engines.faults import Request
    from tests.engines.tables import Tables

TEXT = {"S": "x" * 5000}
ITEMS: list[Item] = [{"id": {"S": f"{n:03}"}, "n": {"N": str(n)}, "t": TEXT} for n in range(420)]
OTHERS: list[Item] = [
    *({**item, "n": {"N": "-1"}} for item in ITEMS[:230]),  # more than are looked up at once
    *ITEMS[240:],
    *({"id": {"S": f"extra {n}"}, "n": {"N": "1"}} for n in range(10)),
]
KINDS = {"differs": 230, "missing": 10, "extra": 10}


def refused(code: str, status: int = 400) -> Callable[[Request, Reply], Reply]:
    return lambda _request, _reply: faults.refused(code, status=status)


def bare(reply: Reply, body: bytes, crc: int | None = None) -> Reply:
    """The reply with another body, and with no checksum or another one."""
    headers = {n: v for n, v in reply.headers.items() if n.lower() != "x-amz-crc32"}
    return replace(reply, body=body, headers=headers, crc=crc)


def halved(request: Request, reply: Reply) -> Reply:
    """Half of the keys of a look are not processed; a scan has none."""
    if request.operation != "BatchGetItem":
        return reply
    answer = json.loads(reply.body)
    asked = json.loads(request.body)["RequestItems"]
    [(table, wanted)] = asked.items()
    kept = wanted["Keys"][::2]
    held = [item for item in answer["Responses"].get(table, []) if {"id": item["id"]} in kept]
    answer["Responses"] = {table: held}
    answer["UnprocessedKeys"] = {table: {**wanted, "Keys": wanted["Keys"][1::2]}}
    return bare(reply, json.dumps(answer).encode(), crc=-1)


def unprocessed(request: Request, reply: Reply) -> Reply:
    """No key of a look is processed."""
    if request.operation != "BatchGetItem":
        return reply
    answer = {"Responses": {}, "UnprocessedKeys": json.loads(request.body)["RequestItems"]}
    return bare(reply, json.dumps(answer).encode(), crc=-1)


# What DynamoDB or the way there may do to an answer.
PASSING: dict[str, Callable[[Request, Reply], Reply]] = {
    "throughput": refused("ProvisionedThroughputExceededException"),
    "throttled": refused("ThrottlingException"),
    "request limit": refused("RequestLimitExceeded"),
    "500": refused("InternalServerError", 500),
    "503": lambda _request, _reply: faults.html(503),
    "reset": lambda _request, _reply: Reply(reset=True),
    "cut": lambda _request, reply: replace(reply, sent=len(reply.body) // 2),
    "cut, no checksum": lambda _, reply: replace(
        bare(reply, reply.body), sent=len(reply.body) // 2
    ),
    "wrong checksum": lambda _request, reply: bare(reply, reply.body, zlib.crc32(reply.body) ^ 1),
    "a byte changed": lambda _request, reply: bare(
        reply, reply.body.replace(b'"n"', b'"m"', 1), zlib.crc32(reply.body)
    ),
    "half of the keys": halved,
    "no key": unprocessed,
}


def cut_short(_request: Request, reply: Reply) -> Reply:
    return bare(reply, reply.body[: len(reply.body) // 2])


def empty(_request: Request, reply: Reply) -> Reply:
    return bare(reply, b"{}")


def without_an_item(request: Request, reply: Reply) -> Reply:
    answer = json.loads(reply.body)
    if request.operation == "Scan" and answer["Items"]:
        answer["Items"].pop()
    return bare(reply, json.dumps(answer).encode())


# Answers of which nobody can tell what they should have been.
DAMAGED: dict[str, Callable[[Request, Reply], Reply]] = {
    "cut short, no checksum": cut_short,
    "empty": empty,
    "an item less than counted": without_an_item,
}


@dataclass
class Faulty:
    """An engine whose answers are damaged now and then, seeded; the first of each operation always.

    Attributes:
        engine: The engine.
        kinds: What may happen.
        table: The table that it happens to; both where it is empty.
        operation: The operation; all where it is empty.
        share: How often after that.
        happened: How often what happened, by operation.
    """

    engine: Engine
    kinds: list[Callable[[Request, Reply], Reply]]
    table: str = ""
    operation: str = ""
    share: float = 0.3
    seed: int = 1
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def __call__(self, request: Request) -> Reply | None:
        if request.operation not in ("Scan", "BatchGetItem"):
            return None
        if self.table.encode() not in request.body or self.operation not in request.operation:
            return None
        if self.happened[request.operation] and self._random.random() >= self.share:
            return None
        reply = relay.forward(self.engine, request)
        assert reply.status == 200
        self.happened[request.operation] += 1
        return self._random.choice(self.kinds)(request, reply)


@pytest.fixture(scope="module")
def two(module_tables: Tables) -> tuple[str, str]:
    return module_tables.create(ITEMS, label="one"), module_tables.create(OTHERS, label="other")


def run(faulty: Faulty, two: tuple[str, str], folder: Path, *options: str) -> Outcome:
    with between(faulty.engine, faulty) as here:
        return compare(here, *two, folder, *options, "--segments", "6", hurried=True)


def require_the_truth(outcome: Outcome) -> None:
    wanted = check(outcome, ITEMS, OTHERS, STRING_KEY)
    assert outcome.code == 1
    assert Counter(each.kind for each in wanted) == KINDS


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_changes_nothing(
    engine: Engine, two: tuple[str, str], tmp_path: Path, kind: str
) -> None:
    faulty = Faulty(engine, [PASSING[kind]])
    require_the_truth(run(faulty, two, tmp_path))
    assert faulty.happened["Scan"]
    assert faulty.happened["BatchGetItem"]


@pytest.mark.parametrize("seed", range(6))
def test_all_of_it_on_either_side(
    engine: Engine, two: tuple[str, str], tmp_path: Path, seed: int
) -> None:
    faulty = Faulty(engine, list(PASSING.values()), two[seed % 2], share=0.5, seed=seed)
    outcome = run(faulty, two, tmp_path)
    assert faulty.happened["Scan"]
    if outcome.code == 2:  # one call failed ten times
        assert outcome.lines is None
    else:
        require_the_truth(outcome)


@pytest.mark.parametrize("side", [0, 1], ids=["A", "B"])
@pytest.mark.parametrize("operation", ["Scan", "BatchGetItem"])
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_answer_is_never_taken_for_one(
    engine: Engine, two: tuple[str, str], tmp_path: Path, kind: str, operation: str, side: int
) -> None:
    if kind == "an item less than counted" and operation != "Scan":
        pytest.skip("BatchGetItem counts nothing")
    faulty = Faulty(engine, [DAMAGED[kind]], two[side], operation, share=1.0)
    outcome = run(faulty, two, tmp_path)
    assert faulty.happened[operation]
    assert (outcome.code, outcome.lines) == (2, None), outcome
    assert "Traceback" not in outcome.log


@pytest.mark.parametrize("kind", ["throughput", "500", "reset", "wrong checksum"])
def test_what_does_not_pass_is_no_result(
    engine: Engine, two: tuple[str, str], tmp_path: Path, kind: str
) -> None:
    """Not even of tables that are the same as far as was seen."""
    faulty = Faulty(engine, [PASSING[kind]], two[1], share=1.0)
    outcome = run(faulty, two, tmp_path)
    assert (outcome.code, outcome.lines) == (2, None), outcome
    assert "Traceback" not in outcome.log
    require_the_truth(compare(engine, *two, tmp_path))


def test_equal_tables_are_the_same_in_spite_of_all(
    engine: Engine, tables: Tables, two: tuple[str, str], tmp_path: Path
) -> None:
    copy = tables.create(ITEMS[::-1])
    faulty = Faulty(engine, list(PASSING.values()), share=0.4, seed=3)
    outcome = run(faulty, (two[0], copy), tmp_path)
    assert faulty.happened["Scan"] > 1
    assert not any(each.kind in DIFFERENT for each in expected(ITEMS, ITEMS, STRING_KEY))
    assert (outcome.code, outcome.found(STRING_KEY)) == (0, Counter())
