"""Changes of a stream that tells keys alone get their items, as they are now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.capacity import Budget
from dynamodb_core.change import Change
from dynamodb_core.changes.fetched import Fetched
from dynamodb_core.changes.records import UNTOLD
from dynamodb_core.errors import DataError, ServiceError
from dynamodb_core.fetching import Fetcher
from dynamodb_core.table import Key
from tests.engines.scripted import Clock, ScriptedWire, in_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.throttling import Throttle

KEY = Key(("id",), ("S",))


class Items:
    """A table that is looked into; it counts what it is asked for."""

    def __init__(self, *there: str) -> None:
        self.there = {name: {"id": {"S": name}, "n": {"N": "1"}} for name in there}
        self.asked: list[list[str]] = []
        self.before: Callable[[], object] = bool

    def __call__(self, operation: str, request: dict[str, Any]) -> Any:
        self.before()
        assert operation == "BatchGetItem"
        [(table, wanted)] = request["RequestItems"].items()
        assert wanted["ConsistentRead"]
        names = [key["id"]["S"] for key in wanted["Keys"]]
        self.asked.append(names)
        found = [self.there[name] for name in names if name in self.there]
        return {"Responses": {table: found}, "ConsumedCapacity": [{"CapacityUnits": len(names)}]}


def fetched(items: Items, rate: float | None = None) -> Fetched:
    clock = Clock()
    budget = Budget(rate, clock=clock, sleep=clock.sleep)
    return Fetched(Fetcher(ScriptedWire(items), "orders", KEY, budget, sleep=clock.sleep))


def keys(name: str) -> bytes:
    return orjson.dumps({"id": {"S": name}})


def written(name: str, sequence: int, old: bytes | None = None) -> Change:
    return Change(UNTOLD, keys(name), sequence, sequence, old)


def test_items_are_looked_up_and_the_rest_of_a_change_stays() -> None:
    items = Items("a", "b")
    deleted = Change(None, keys("a"), 3, 3, b"{}", expired=True)
    told = Change(b'{"id":{"S":"c"}}', keys("c"), 4, 4)
    given = [written("b", 1), written("a", 2, b'{"old":{}}'), deleted, told]
    full = fetched(items)(given)
    assert full[2:] == [deleted, told]
    assert [orjson.loads(each.item or b"") for each in full[:2]] == [
        items.there["b"],
        items.there["a"],
    ]
    assert [each._replace(item=UNTOLD) for each in full[:2]] == given[:2]
    assert items.asked == [["a", "b"]]


def test_an_item_is_looked_up_once_however_often_it_was_written() -> None:
    items = Items("a")
    full = fetched(items)([written("a", number) for number in range(250)])
    assert items.asked == [["a"]]
    assert [change.sequence for change in full] == list(range(250))


def test_changes_of_an_item_that_is_gone_are_left_out_and_its_deletion_is_not() -> None:
    items = Items("a")
    one = fetched(items)
    deleted = Change(None, keys("b"), 3, 3)
    full = one([written("b", 1), written("a", 2), written("b", 2), deleted])
    assert [(each.keys, each.sequence) for each in full] == [(keys("a"), 2), (keys("b"), 3)]
    assert one.gone == 2
    assert one([written("b", 4)]) == []
    assert one.gone == 3


@pytest.mark.parametrize("changes", [[], [Change(None, keys("a"), 1)], [Change(b"{}", None, 1)]])
def test_what_tells_all_there_is_needs_no_call(changes: list[Change]) -> None:
    items = Items()
    one = fetched(items)
    assert one(changes) == changes
    assert (items.asked, one.gone) == ([], 0)


class Deaf:
    """A wire that answers, whatever it is asked: requests may hold what `orjson` does not read."""

    region = ""
    throttles = 0

    def __init__(self, answer: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer = answer

    def watch(self, table: str, listener: Callable[[Throttle], object]) -> Callable[[], None]:
        return lambda: None

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        self.asked.append(body)
        return self._answer


def test_a_text_that_is_no_unicode_is_looked_up_as_it_is() -> None:
    key = b'{"id":{"S":"\\ud800"}}'
    wire = Deaf(b'{"Responses":{"orders":[%b]}}' % key)
    [full] = Fetched(Fetcher(wire, "orders", KEY, Budget(None)))([Change(UNTOLD, key, 1)])
    assert full.item is not None
    assert b'"\\ud800"' in full.item
    assert b'"\\ud800"' in wire.asked[0]


def test_a_change_without_the_tables_key_is_an_error() -> None:
    with pytest.raises(DataError, match="Key attribute id is missing"):
        fetched(Items())([Change(UNTOLD, None, 1)])


def test_a_call_that_fails_is_told() -> None:
    items = Items()

    def fail() -> None:
        raise ServiceError("No")

    items.before = fail
    with pytest.raises(ServiceError, match="No"):
        fetched(items)([written("a", 1)])


def test_threads_take_turns() -> None:
    """The budget hears of a throttle once for each call of the fetcher that is under way."""
    items = Items("a", "b")
    one = fetched(items)
    under_way: list[int] = []
    most: list[int] = []

    def note() -> None:
        under_way.append(1)
        most.append(len(under_way))
        threading.Event().wait(0.01)  # so that another one would get in
        under_way.pop()

    items.before = note
    threads = [
        threading.Thread(target=one, args=([written(name, 1), written("gone", 2)],), daemon=True)
        for name in ("a", "b") * 5
    ]

    def together() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    in_time(together)
    assert max(most) == 1
    assert len(items.asked) == len(threads)
    assert one.gone == len(threads)


def test_looking_up_keeps_to_the_budget() -> None:
    items = Items()
    clock = Clock()
    budget = Budget(10, clock=clock, sleep=clock.sleep)
    fetcher = Fetcher(ScriptedWire(items), "orders", KEY, budget, sleep=clock.sleep, at_once=1)
    Fetched(fetcher)([written(f"{number}", number) for number in range(200)])
    assert sum(map(len, items.asked)) == 200
    assert clock.now >= 1000 + 200 / 10 - 2
