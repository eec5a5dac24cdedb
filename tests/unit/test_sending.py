"""Single writes within the budget: paid whatever becomes of them, counted as what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.budgets import Budgets
from dynamodb_core.errors import DataError, ServiceError
from dynamodb_core.progress import Progress
from dynamodb_core.table import Key, Table
from dynamodb_core.writer import Writer
from tests.engines.scripted import Answer, Clock, ScriptedTable, ScriptedWire, in_time

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = Table("t", "", "", Key(("id",), ("S",)))


def load(
    answer: Callable[[str, dict[str, Any]], Answer], *items: dict[str, Any], **more: Any
) -> Progress:
    progress = Progress("t")
    options: dict[str, Any] = {"budgets": Budgets(None), **more}
    writer = Writer(
        ScriptedWire(answer),
        TABLE,
        progress=progress,
        sleep=lambda _seconds: None,
        **options,
    )
    try:
        for item in items:
            writer.put(TABLE.key.identity(item), orjson.dumps(item))
        in_time(writer.flush)
    finally:
        writer.close()
    return progress


def item(key: str, size: int = 1) -> dict[str, Any]:
    return {"id": {"S": key}, "v": {"S": "x" * size}}


def test_an_insert_that_finds_an_item_is_paid_and_no_item_written() -> None:
    clock = Clock()
    budgets = Budgets(1.0, clock=clock, sleep=clock.sleep)
    table = ScriptedTable("t", (("id", "S"),))
    there = [item(key, 3000) for key in "abcd"]
    table.items = {table.identity(each): each for each in there}
    progress = load(table, *there, mode="insert", budgets=budgets, workers=1)
    assert (progress.items, progress.kept) == (0, 4)
    assert progress.units == 4 * 3
    assert sum(clock.slept) >= 3 * 3  # the last one's are repaid after the end
    assert table.conditions_failed == 4
    assert "4 more were there already" in progress.summary()


def test_what_dynamodb_says_is_what_is_paid() -> None:
    table = ScriptedTable("t", (("id", "S"),))
    progress = load(table, item("a"), item("b"), mode="merge")
    assert (progress.items, progress.kept, progress.units) == (2, 0, 2 * 2.0)


def test_several_updates_of_one_record_are_one_item_and_all_paid() -> None:
    table = ScriptedTable("t", (("id", "S"),))
    many = {f"a{number}": {"N": str(number)} for number in range(1000)}
    progress = load(table, {"id": {"S": "a"}, **many}, mode="merge")
    assert (progress.items, progress.units, table.requests) == (1, 3 * 2.0, 3)
    assert table.violations == []


@pytest.mark.parametrize("mode", ["insert", "merge"])
def test_a_refused_write_is_told_as_a_put_or_named(mode: str) -> None:
    refusal = ServiceError("the item is too odd", code="ValidationException")
    table = ScriptedTable("t", (("id", "S"),))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        subject = request["Item" if operation == "PutItem" else "Key"]
        return refusal if subject == {**subject, "id": {"S": "odd"}} else table(operation, request)

    with pytest.raises(DataError, match="item with key odd"):
        load(answer, item("odd"), mode=mode)
    told: list[Any] = []
    progress = load(
        answer,
        item("a"),
        item("odd"),
        item("b"),
        mode=mode,
        refused=lambda write, error: told.append((orjson.loads(write), error)),
    )
    [(write, error)] = told
    assert write == {"PutRequest": {"Item": item("odd")}}
    assert "too odd" in error.message
    assert progress.items == 2
