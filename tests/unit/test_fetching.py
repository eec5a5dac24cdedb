"""Looking items up by their keys: all of them, whatever comes back unprocessed, within a budget."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.capacity import Budget
from dynamodb_core.errors import CorruptReply, ServiceError
from dynamodb_core.fetching import FULL_BYTES, MOST_KEYS, Fetcher
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key
from dynamodb_core.throttling import Throttle
from dynamodb_core.wire import BotoWire
from tests.engines import faults, meter
from tests.engines.faults import Reply, ok, refused
from tests.engines.recorded import RecordedWire
from tests.engines.scripted import PATIENCE, Clock, ScriptedWire, in_time, in_turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from demo.engine import Engine
    from tests.engines.faults import Request
    from tests.engines.tables import Tables

    Item = dict[str, dict[str, Any]]

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
STRING = Key(("id",), ("S",))
NUMBER = Key(("id",), ("N",))
BOTH = Key(("pk", "sk"), ("S", "B"))


class Orders:
    """A table that is looked into; it hands keys back, and notes what no request may do.

    Args:
        items: What it holds.
        key: Its key.
        kept: The share of keys that are looked up; of each request at least one.
        units: What each key costs.
    """

    def __init__(
        self, items: Sequence[Item], key: Key = STRING, *, kept: float = 1.0, units: float = 1.0
    ) -> None:
        self.violations: list[str] = []
        self.looked_up: Counter[Any] = Counter()
        self.handed_back = 0
        self._key = key
        self._items = {self.identity(item): item for item in items}
        self._kept = kept
        self._units = units
        self._random = random.Random(1)
        self._lock = threading.Lock()

    def identity(self, item: Mapping[str, Any]) -> Any:
        return tuple(
            Decimal(item[name][kind]) if kind == "N" else item[name][kind]
            for name, kind in zip(self._key.names, self._key.types, strict=True)
        )

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        [(name, asked)] = request["RequestItems"].items()
        with self._lock:
            keys = asked["Keys"]
            self._watch(operation, request, name, keys)
            kept = [key for key in keys if self._random.random() < self._kept] or keys[:1]
            left = [key for key in keys if key not in kept]
            self.handed_back += len(left)
            self.looked_up.update(map(self.identity, kept))
            items = [self._items[i] for i in map(self.identity, kept) if i in self._items]
            self._random.shuffle(items)
        return {
            "Responses": {name: items},
            "UnprocessedKeys": {name: {**asked, "Keys": left}} if left else {},
            "ConsumedCapacity": [{"TableName": name, "CapacityUnits": self._units * len(kept)}],
        }

    def _watch(self, operation: str, request: dict[str, Any], name: str, keys: list[Item]) -> None:
        if operation != "BatchGetItem" or name not in ("orders", ARN):
            self.violations.append(f"{operation} of {name}")
        if request["ReturnConsumedCapacity"] != "TOTAL":
            self.violations.append("units are not asked for")
        if not 1 <= len(keys) <= 100:
            self.violations.append(f"{len(keys)} keys in one request")
        if len(set(map(self.identity, keys))) != len(keys):
            self.violations.append("a key twice in one request")
        if any(set(key) != set(self._key.names) for key in keys):
            self.violations.append("attributes that are no keys")


def order(number: int, **more: Any) -> Item:
    return {"id": {"S": f"{number}"}, **more}


def keys_of(numbers: Sequence[int]) -> list[Item]:
    return [order(number) for number in numbers]


def fetcher(wire: Any, clock: Clock | None = None, **more: Any) -> Fetcher:
    clock = clock or Clock()
    budget = Budget(more.pop("rate", None), clock=clock, sleep=clock.sleep)
    given: dict[str, Any] = {"table": "orders", "key": STRING, "budget": budget, **more}
    return Fetcher(wire, sleep=clock.sleep, **given)


@pytest.mark.parametrize("table", ["orders", ARN])
def test_items_come_in_the_order_of_their_keys(table: str) -> None:
    held = [order(n, text={"S": f"text {n}"}) for n in range(0, 250, 2)]
    orders = Orders(held)
    wire = ScriptedWire(orders)
    asked = list(range(250))
    random.Random(2).shuffle(asked)
    found = fetcher(wire, table=table).fetch(keys_of(asked))
    assert found == [order(n, text={"S": f"text {n}"}) if n % 2 == 0 else None for n in asked]
    assert len(wire.calls) == 3
    assert {call.table for call in wire.calls} == {table}
    assert orders.violations == []


def test_no_keys_are_no_calls() -> None:
    wire = ScriptedWire(in_turn({}))
    assert fetcher(wire).fetch([]) == []
    assert wire.calls == []


@pytest.mark.parametrize("consistent", [True, False])
def test_items_are_read_as_consistently_as_is_asked(consistent: bool) -> None:
    wire = ScriptedWire(Orders([]))
    fetcher(wire, consistent=consistent).fetch(keys_of([1]))
    [call] = wire.calls
    assert call.request["RequestItems"]["orders"]["ConsistentRead"] is consistent


def test_what_comes_back_unprocessed_is_asked_again_until_nothing_is_left() -> None:
    orders = Orders([order(n) for n in range(500)], kept=0.3)
    pauses: list[float] = []
    clock = Clock()
    wire = ScriptedWire(orders)
    budget = Budget(None, clock=clock, sleep=clock.sleep)
    subject = Fetcher(wire, "orders", STRING, budget, sleep=pauses.append)
    found = in_time(lambda: subject.fetch(keys_of(range(500))))
    assert found == [order(n) for n in range(500)]
    assert orders.handed_back > 500
    assert set(orders.looked_up.values()) == {1}, "and nothing is paid for twice"
    assert orders.violations == []
    assert len(pauses) == len(wire.calls) - 5, "a pause before each further try"


def test_pauses_become_longer_while_nothing_is_processed() -> None:
    again = {
        "Responses": {},
        "UnprocessedKeys": {"orders": {"Keys": keys_of([1])}},
    }
    last = {"Responses": {"orders": [order(1)]}, "UnprocessedKeys": {}}
    clock = Clock()
    wire = ScriptedWire(in_turn(*[again] * 12, last))
    assert in_time(lambda: fetcher(wire, clock).fetch(keys_of([1]))) == [order(1)]
    assert len(clock.slept) == 12
    assert clock.slept[0] < 0.1
    assert 2.0 < clock.slept[-1] <= 5.0


def test_keys_that_come_back_lower_the_rate() -> None:
    """As the writer's do: a table that hands keys back for seconds is at its limit."""
    orders = Orders([order(n) for n in range(3000)], kept=0.5)
    clock = Clock()
    subject = fetcher(ScriptedWire(orders), clock, rate=100.0)
    budget = subject._budget
    in_time(lambda: subject.fetch(keys_of(range(3000))))
    assert budget.throttles == orders.handed_back
    assert budget.rate is not None
    assert budget.rate < 100


def test_what_had_no_room_in_an_answer_is_asked_for_at_once() -> None:
    large = [order(n, text={"S": "x" * 300_000}) for n in range(10)]
    answers = [
        {
            "Responses": {"orders": large[n : n + 2]},
            "UnprocessedKeys": {"orders": {"Keys": keys_of(range(n + 2, 10))}} if n < 8 else {},
        }
        for n in range(0, 10, 2)
    ]
    assert len(orjson.dumps(answers[0])) > FULL_BYTES
    clock = Clock()
    subject = fetcher(ScriptedWire(in_turn(*answers)), clock)
    assert subject.fetch(keys_of(range(10))) == large
    assert clock.slept == []
    assert subject._budget.throttles == 0


def test_numbers_are_one_key_however_they_are_spelled() -> None:
    held = [{"id": {"N": "1"}, "a": {"S": "x"}}, {"id": {"N": "0.5"}}]
    orders = Orders(held, NUMBER)
    spelled = ["1.0", "5E-1", "2", "1e0", "0.50"]
    asked = [{"id": {"N": text}} for text in spelled]
    found = fetcher(ScriptedWire(orders), key=NUMBER).fetch(asked)
    assert found == [held[0], held[1], None, held[0], held[1]]
    assert orders.violations == []


def test_keys_of_two_parts_are_not_mixed_up() -> None:
    held = [
        {"pk": {"S": pk}, "sk": {"B": sk}, "n": {"N": str(n)}}
        for n, (pk, sk) in enumerate(
            [("a", "YQ=="), ("a", "Yg=="), ("YQ==", "YQ=="), ("a$", "YQ==")]
        )
    ]
    orders = Orders(held, BOTH)
    absent = {"pk": {"S": "b"}, "sk": {"B": "YQ=="}}
    found = fetcher(ScriptedWire(orders), key=BOTH).fetch([*reversed(held), absent])
    assert found == [*reversed(held), None]
    assert orders.violations == []


def test_half_of_a_surrogate_pair_is_a_character() -> None:
    body = rb'{"Responses":{"orders":[{"id":{"S":"1"},"t":{"S":"\ud800"}}]},"UnprocessedKeys":{}}'
    assert fetcher(ScriptedWire(in_turn(body))).fetch(keys_of([1])) == [order(1, t={"S": "\ud800"})]


# The budget


def test_units_are_what_the_answers_say() -> None:
    subject = fetcher(ScriptedWire(Orders([], units=2.5, kept=0.5)))
    subject.fetch(keys_of(range(150)))
    assert subject.units == 375.0
    subject.fetch(keys_of(range(10)))
    assert subject.units == 400.0


@pytest.mark.parametrize(
    ("consistent", "item_bytes", "units"), [(True, 9000, 2.2), (False, 0, 0.5)]
)
def test_an_engine_that_names_no_units_is_believed_to_take_what_was_expected(
    consistent: bool, item_bytes: int, units: float
) -> None:
    silent: dict[str, Any] = {"Responses": {"orders": []}, "UnprocessedKeys": {}}
    subject = fetcher(ScriptedWire(in_turn(silent)), consistent=consistent, item_bytes=item_bytes)
    subject.fetch(keys_of(range(10)))
    assert subject.units == pytest.approx(10 * units, rel=0.01)


def test_a_budget_is_held_and_not_spent_in_bursts() -> None:
    clock = Clock()
    spent: list[tuple[float, float]] = []
    orders = Orders([], units=3.0)

    def answer(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answered = orders(operation, request)
        spent.append((clock(), answered["ConsumedCapacity"][0]["CapacityUnits"]))
        return answered

    subject = fetcher(ScriptedWire(answer), clock, rate=20.0, item_bytes=10_000)
    in_time(lambda: subject.fetch(keys_of(range(400))))
    seconds = spent[-1][0] - spent[0][0]
    assert sum(units for _, units in spent) == 1200
    assert 1200 / 20 - 2 <= seconds <= 1200 / 20 + 2
    assert max(units for _, units in spent) <= 20 * 0.5 + 3


def test_one_key_goes_out_however_small_the_budget_is() -> None:
    clock = Clock()
    wire = ScriptedWire(Orders([order(1), order(2)], units=100.0))
    found = fetcher(wire, clock, rate=1.0, item_bytes=400_000).fetch(keys_of([1, 2]))
    assert found == [order(1), order(2)]
    assert len(wire.calls) == 2


def test_what_items_cost_is_learned() -> None:
    """Items of ten times the size that was believed: later calls ask for fewer of them."""
    wire = ScriptedWire(Orders([], units=10.0))
    subject = fetcher(wire, rate=100.0, item_bytes=100)
    for _ in range(5):
        in_time(lambda: subject.fetch(keys_of(range(50))))
    sizes = [len(call.request["RequestItems"]["orders"]["Keys"]) for call in wire.calls]
    assert sizes[0] == 50
    assert max(sizes[-3:]) <= 7


def test_a_call_that_fails_costs_nothing() -> None:
    clock = Clock()
    subject = fetcher(ScriptedWire(in_turn(ServiceError("no"))), clock, rate=1.0)
    for _ in range(20):
        with pytest.raises(ServiceError):
            subject.fetch(keys_of(range(3)))
    assert sum(clock.slept) == 0
    assert subject.units == 0


def test_the_budget_hears_of_throttles_while_items_are_looked_up() -> None:
    def answer(_operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        wire.throttle("orders", Throttle("TableReadProvisionedThroughputExceeded", ARN))
        return {"Responses": {"orders": []}, "UnprocessedKeys": {}}

    wire = ScriptedWire(answer)
    subject = fetcher(wire)
    subject.fetch(keys_of([1]))
    wire.throttle("orders", Throttle())
    assert subject._budget.throttles == 1


# What is no answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({}, "Responses"),
        ({"Responses": []}, "cannot be read"),
        ({"Responses": {"orders": [order(2)]}}, "1 of its keys were not asked for"),
        ({"Responses": {"orders": [{"other": {"S": "1"}}]}}, "Key attribute id is missing"),
        (
            {"Responses": {}, "UnprocessedKeys": {"orders": {"Keys": keys_of([2])}}},
            "not asked for",
        ),
        (
            {
                "Responses": {"orders": [order(1)]},
                "UnprocessedKeys": {"orders": {"Keys": keys_of([1])}},
            },
            "both there and unprocessed",
        ),
        (b'{"Responses":{"orders":[{"id"', "cannot be read"),
    ],
)
def test_an_answer_to_something_else_is_an_error_and_no_missing_item(answer: Any, why: str) -> None:
    subject = fetcher(ScriptedWire(in_turn(answer)))
    with pytest.raises(CorruptReply, match=f"BatchGetItem on table orders is none: .*{why}"):
        subject.fetch(keys_of([1]))


def test_whoever_waits_can_end_it() -> None:
    class Enough(Exception):
        pass

    held = threading.Event()

    def answer(_operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        held.wait(10)
        return {"Responses": {"orders": []}, "UnprocessedKeys": {}}

    def idle() -> None:
        raise Enough

    wire = ScriptedWire(answer)
    with pytest.raises(Enough):
        fetcher(wire, at_once=2).fetch(keys_of(range(1000)), idle=idle)
    assert len(wire.calls) == 2
    asking = [each for each in threading.enumerate() if each.name.startswith("gather")]
    held.set()
    for each in asking:
        each.join(PATIENCE)
        assert not each.is_alive()
    assert len(wire.calls) == 2, "what nobody waits for is not asked"


# Over the network


def network(service: faults.FaultService) -> BotoWire:
    settings = AwsSettings(
        access_key_id="a", secret_access_key="b", region="eu-west-1", endpoint_url=service.url
    )
    return BotoWire(settings, sleep=lambda _: None)


def test_throttles_damage_and_unprocessed_keys_are_outlasted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0
    )
    orders = Orders([order(n) for n in range(150)], kept=0.6)
    draw = random.Random(3)

    def answer(request: Request) -> Reply:
        fault = draw.random()
        if fault < 0.2:
            return refused("ProvisionedThroughputExceededException", "too fast")
        answered = ok(orders(request.operation, json.loads(request.body)))
        if fault < 0.4:
            return Reply(answered.body, crc=1)
        return answered

    with faults.running() as service:
        service.answers(answer)
        found = in_time(lambda: fetcher(network(service)).fetch(keys_of(range(160))))
    assert found == [order(n) if n < 150 else None for n in range(160)]
    assert orders.handed_back > 50
    assert orders.violations == []


@pytest.mark.parametrize("by", ["tables", "reference_tables"])
def test_a_real_engine_gives_back_what_it_holds(by: str, request: pytest.FixtureRequest) -> None:
    """20 MB in one request's keys: the answer has no room for all of them."""
    made: Tables = request.getfixturevalue(by)
    held = [order(n, text={"S": "x" * (200_000 if n < 100 else 10)}) for n in range(180)]
    name = made.create(held)
    wire = RecordedWire(made.engine)
    found = fetcher(wire, table=name).fetch(keys_of(range(200)))
    assert found == [*held, *[None] * 20]
    if by == "reference_tables":
        assert len(wire.of("BatchGetItem")) > 2
        arn = made.wire.call("DescribeTable", {"TableName": name})["Table"]["TableArn"]
        assert fetcher(wire, table=arn).fetch(keys_of([3])) == [held[3]]


def test_units_are_what_a_meter_counts(engine: Engine, tables: Tables) -> None:
    name = tables.create([order(n, text={"S": "x" * 50 * n}) for n in range(300)])
    with meter.running(engine) as metered:
        metered.ledger.limit(name, read=600.0, burst_seconds=0.1)
        clock = Clock()
        subject = fetcher(RecordedWire(metered.engine), clock, table=name)
        found = subject.fetch(keys_of(range(320)))
        assert sum(item is not None for item in found) == 300
        assert subject.units == metered.ledger.total(name)
        assert metered.ledger.throttled


def test_a_request_has_as_many_keys_as_dynamodb_takes() -> None:
    assert MOST_KEYS == 100
