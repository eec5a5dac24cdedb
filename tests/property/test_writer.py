"""A table that hands writes back at random, answers out of order, and is written by several workers.

Whatever happens, at every flush the table holds the last write of each key, and no request ever
held two writes of one key or went out while another one of the same key was on its way.
"""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core import batches
from dynamodb_core.budgets import Budgets
from dynamodb_core.errors import DataError, ServiceError
from dynamodb_core.progress import Progress
from dynamodb_core.table import Key, Table
from dynamodb_core.writer import Writer
from tests.engines.scripted import Answer, Identity, ScriptedTable, ScriptedWire, in_time

KEY = (("pk", "S"), ("sk", "N"))
TABLE = Table("t", "", "", Key(("pk", "sk"), ("S", "N")))

# Few keys, so that their writes meet; spellings of one number, and parts that a separator would join.
few_keys = st.tuples(
    st.sampled_from(("a", "a$", "$b")), st.sampled_from(("1", "1.0", "1e0", "10", "1E+1", "-0.5"))
)
many_keys = st.tuples(st.sampled_from(("a", "b")), st.integers(0, 60).map(str))


def steps(keys: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[list[Any]]:
    writes = st.tuples(st.sampled_from(("put", "put", "put", "delete")), keys)
    return st.lists(st.one_of(*[writes] * 12, st.just(("flush", None))), max_size=150)


class Model:
    """A writer, the table it writes to, and what the table must hold."""

    def __init__(self, answer: Any, table: ScriptedTable, workers: int) -> None:
        self.expected: dict[Identity, dict[str, Any]] = {}
        self.table = table
        self.writer = Writer(
            ScriptedWire(answer),
            TABLE,
            budgets=Budgets(None),
            progress=Progress("t"),
            workers=workers,
            sleep=lambda _seconds: threading.Event().wait(0.0002),
        )

    def step(self, number: int, action: str, key: tuple[str, str] | None) -> None:
        if key is None:
            in_time(self.writer.flush)
            assert self.table.items == self.expected
            return
        subject: dict[str, Any] = {"pk": {"S": key[0]}, "sk": {"N": key[1]}}
        identity = TABLE.key.identity(subject)
        own = (("S", key[0]), ("N", Decimal(key[1])))  # independent of Key.identity
        if action == "put":
            item = {**subject, "version": {"N": str(number)}}
            self.writer.put(identity, orjson.dumps(item))
            self.expected[own] = item
        else:
            self.writer.delete(identity, orjson.dumps(subject))
            self.expected.pop(own, None)


@settings(max_examples=120, deadline=None)
@given(
    script=st.one_of(steps(few_keys), steps(many_keys)),
    most_writes=st.sampled_from((1, 2, 4, 25)),
    workers=st.sampled_from((1, 2, 4)),
    kept=st.sampled_from((0.3, 0.7, 1.0)),
    held=st.sampled_from((0.0, 0.3, 0.8)),
    seed=st.integers(0, 1000),
)
def test_the_last_write_of_each_key_wins(
    script: list[Any], most_writes: int, workers: int, kept: float, held: float, seed: int
) -> None:
    table = ScriptedTable("t", KEY, seed=seed, kept=kept, held=held)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST_WRITES", most_writes)  # small requests: more of them meet
        model = Model(table, table, workers)
        try:
            for number, (action, key) in enumerate([*script, ("flush", None)]):
                model.step(number, action, key)
        finally:
            model.writer.close()
    assert table.violations == []


@settings(max_examples=60, deadline=None)
@given(
    script=steps(many_keys).filter(lambda script: len(script) > 3),
    failing=st.integers(1, 8),
    code=st.sampled_from(("InternalServerError", "ValidationException")),
    seed=st.integers(0, 1000),
)
def test_a_failure_surfaces_and_nothing_is_taken_for_written(
    script: list[Any], failing: int, code: str, seed: int
) -> None:
    """From one call on everything fails. A flush that returns was still true, the next one raises."""
    table = ScriptedTable("t", KEY, seed=seed, kept=0.6, held=0.3)
    failed = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if table.requests >= failing:
            failed.set()
            raise ServiceError("no more", code=code)
        return table(operation, request)

    model = Model(answer, table, 3)
    surfaced = False
    try:
        for number, (action, key) in enumerate([*script, ("flush", None)]):
            model.step(number, action, key)
    except (ServiceError, DataError):
        surfaced = True
    finally:
        model.writer.close()
    assert surfaced == failed.is_set()
    assert table.violations == []
