"""A table that hands writes back at random, answers out of order, and is written by several workers.

Whatever happens, at every flush the table holds what its mode makes of the writes of each key, one
after the other, and no request ever held two writes of one key or went out while another one of the
same key was on its way.
"""

from __future__ import annotations

import copy
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Collection

KEY = (("pk", "S"), ("sk", "N"))
TABLE = Table("t", "", "", Key(("pk", "sk"), ("S", "N")))
MODES = ("put", "insert", "merge")

# Few keys, so that their writes meet; spellings of one number, and parts that a separator would join.
few_keys = st.tuples(
    st.sampled_from(("a", "a$", "$b")), st.sampled_from(("1", "1.0", "1e0", "10", "1E+1", "-0.5"))
)
two_keys = st.sampled_from((("a", "1"), ("a", "1.0"), ("a$", "1")))
many_keys = st.tuples(st.sampled_from(("a", "b")), st.integers(0, 60).map(str))
attributes = st.sets(st.sampled_from(("size", 'q"', "a.b")))

Step = tuple[str, "tuple[str, str] | None", "set[str]"]


def steps(
    keys: st.SearchStrategy[tuple[str, str]], least: int = 0
) -> st.SearchStrategy[list[Step]]:
    """Writes and flushes; Hypothesis makes lists of about twice the least length."""
    writes = st.tuples(st.sampled_from(("put", "put", "put", "delete")), keys, attributes)
    return st.lists(
        st.one_of(*[writes] * 12, st.just(("flush", None, set()))), min_size=least, max_size=150
    )


class Model:
    """A writer, the table it writes to, and what the table must hold."""

    def __init__(self, answer: Any, table: ScriptedTable, workers: int, mode: str = "put") -> None:
        self.expected: dict[Identity, dict[str, Any]] = copy.deepcopy(table.items)
        self.table = table
        self.progress = Progress("t")
        self.kept = 0
        self._mode = mode
        self.writer = Writer(
            ScriptedWire(answer),
            TABLE,
            mode=mode,
            budgets=Budgets(None),
            progress=self.progress,
            workers=workers,
            sleep=lambda _seconds: threading.Event().wait(0.0002),
        )

    def step(
        self, number: int, action: str, key: tuple[str, str] | None, names: Collection[str]
    ) -> None:
        if key is None:
            in_time(self.writer.flush)
            assert _without_numbers(self.table.items) == _without_numbers(self.expected)
            return
        subject: dict[str, Any] = {"pk": {"S": key[0]}, "sk": {"N": key[1]}}
        identity = TABLE.key.identity(subject)
        own = (("S", key[0]), ("N", Decimal(key[1])))  # independent of Key.identity
        if action == "delete":
            self.writer.delete(identity, orjson.dumps(subject))
            self.expected.pop(own, None)
            return
        item = {**subject, **{name: {"N": str(number)} for name in sorted(names)}}
        self.writer.put(identity, orjson.dumps(item))
        there = self.expected.get(own)
        if there is not None and self._mode == "insert":
            self.kept += 1
        elif there is not None and self._mode == "merge":
            self.expected[own] = {**item, **there, **{name: item[name] for name in names}}
        else:
            self.expected[own] = item


def _without_numbers(items: dict[Identity, Any]) -> dict[Identity, Any]:
    """A table without what its key may be spelled like; the identity has the number."""
    return {
        key: {name: value for name, value in item.items() if name != "sk"}
        for key, item in items.items()
    }


@settings(max_examples=200, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    script=st.one_of(
        steps(few_keys), steps(two_keys, 15), steps(few_keys, 15), steps(many_keys, 20)
    ),
    there=st.sets(few_keys),
    most_writes=st.sampled_from((1, 2, 4, 25)),
    workers=st.sampled_from((1, 2, 4)),
    kept=st.sampled_from((0.3, 0.7, 1.0)),
    held=st.sampled_from((0.0, 0.3, 0.8)),
    slow=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_table_holds_what_its_writes_leave_one_after_the_other(
    mode: str,
    script: list[Step],
    there: set[tuple[str, str]],
    most_writes: int,
    workers: int,
    kept: float,
    held: float,
    *,
    slow: bool,
    seed: int,
) -> None:
    table = ScriptedTable("t", KEY, seed=seed, kept=kept, held=held)
    for pk, sk in sorted(there):
        item = {"pk": {"S": pk}, "sk": {"N": sk}, "old": {"S": "x"}, "size": {"S": "old"}}
        table.items[table.identity(item)] = item
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST_WRITES", most_writes)  # small requests: more of them meet
        model = Model(table.slowly if slow else table, table, workers, mode)
        try:
            for number, (action, key, names) in enumerate([*script, ("flush", None, set())]):
                model.step(number, action, key, names)
        finally:
            model.writer.close()
    assert table.violations == []
    # An insert that a deletion replaces while it waits finds nothing, as it is never sent.
    deletes = any(action == "delete" for action, _, _ in script)
    assert model.progress.kept <= model.kept if deletes else model.progress.kept == model.kept


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    script=steps(many_keys).filter(lambda script: len(script) > 3),
    failing=st.integers(1, 8),
    code=st.sampled_from(("InternalServerError", "ValidationException")),
    seed=st.integers(0, 1000),
)
def test_a_failure_surfaces_and_nothing_is_taken_for_written(
    mode: str, script: list[Step], failing: int, code: str, seed: int
) -> None:
    """From one call on everything fails. A flush that returns was still true, the next one raises."""
    table = ScriptedTable("t", KEY, seed=seed, kept=0.6, held=0.3)
    failed = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if table.requests >= failing:
            failed.set()
            raise ServiceError("no more", code=code)
        return table(operation, request)

    model = Model(answer, table, 3, mode)
    surfaced = False
    try:
        for number, (action, key, names) in enumerate([*script, ("flush", None, set())]):
            model.step(number, action, key, names)
    except (ServiceError, DataError):
        surfaced = True
    finally:
        model.writer.close()
    assert surfaced == failed.is_set()
    assert table.violations == []
