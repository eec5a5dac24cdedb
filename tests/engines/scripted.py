"""A `Wire` in memory: for what no engine does, and for what must be looked at call by call.

`ScriptedWire` answers as a function says. `ScriptedTable` is such a function for BatchWriteItem, and for
PutItem, UpdateItem and DeleteItem: a table that hands writes back, answers out of order, and keeps a list
of whatever no request may do.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from dynamodb_core.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.throttling import Throttle

Answer = dict[str, Any] | bytes | BaseException
MOST_WRITES = 25
MOST_BYTES = 16 * 1000 * 1000
MOST_SLEEPS = 100_000
PATIENCE = 10.0
"""Longest wait for another thread, in seconds; only a failing test waits so long."""


@dataclass(frozen=True)
class Call:
    """One call: the operation, its request, the request's bytes, the table it was said to be about."""

    operation: str
    request: dict[str, Any]
    body: bytes
    table: str


class ScriptedWire:
    """Answers from a function; an exception that it returns or raises is raised.

    The function runs in the calling thread, several at once. Calls are recorded as they come in.
    """

    region = "eu-west-1"

    def __init__(self, answer: Callable[[str, dict[str, Any]], Answer]) -> None:
        self.throttles = 0
        self.calls: list[Call] = []
        self._answer = answer
        self._lock = threading.Lock()
        self._listeners: list[tuple[str, Callable[[Throttle], object]]] = []

    def watch(self, table: str, listener: Callable[[Throttle], object]) -> Callable[[], None]:
        pair = (table, listener)
        self._listeners.append(pair)
        return lambda: self._listeners.remove(pair)

    def throttle(self, table: str, throttle: Throttle) -> None:
        """Say that a try of a call about a table was throttled; an answer may do so before it answers."""
        with self._lock:
            self.throttles += 1
        for name, listener in list(self._listeners):
            if name == table:
                listener(throttle)

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        request = orjson.loads(body)
        with self._lock:
            self.calls.append(Call(operation, request, body, table))
        answer = self._answer(operation, request)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, bytes) else orjson.dumps(answer)

    def operations(self) -> list[str]:
        with self._lock:
            return [call.operation for call in self.calls]


def in_turn(*answers: Answer) -> Callable[[str, dict[str, Any]], Answer]:
    """Give one answer after the other; the last one again and again."""
    left = list(answers)
    lock = threading.Lock()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answer


Identity = tuple[Any, ...]


class ScriptedTable:
    """A table that is written to, with an idea of keys of its own: numbers are compared as numbers.

    Args:
        name: The table's name.
        key: Names and types of its key.
        seed: Decides which writes come back unprocessed and which answers are held.
        kept: The share of writes that are carried out; the others come back unprocessed, or are
            refused as they are in somebody's transaction where they came alone.
        held: The share of calls that are held until another one was answered.
    """

    def __init__(
        self,
        name: str,
        key: tuple[tuple[str, str], ...],
        *,
        seed: int = 0,
        kept: float = 1.0,
        held: float = 0.0,
    ) -> None:
        self.items: dict[Identity, dict[str, Any]] = {}
        self.violations: list[str] = []
        self.history: list[Identity] = []
        self.requests = 0
        self.handed_back = 0
        self.conditions_failed = 0
        self._name = name
        self._key = key
        self._random = random.Random(seed)
        self._kept = kept
        self._held = held
        self._on_the_way: set[Identity] = set()
        self._answered = threading.Condition()

    def identity(self, item: dict[str, Any]) -> Identity:
        return tuple(
            (kind, Decimal(item[name][kind]) if kind == "N" else item[name][kind])
            for name, kind in self._key
        )

    def __call__(self, operation: str, request: dict[str, Any]) -> Answer:
        if operation != "BatchWriteItem":
            return self._single(operation, request)
        writes = request["RequestItems"][self._name]
        keys = [self.identity(_subject(write)) for write in writes]
        with self._answered:
            self._watch(request, keys)
            if self._random.random() < self._held:
                self._answered.wait(0.002)  # until another call was answered, if there is one
            left = []
            for key, write in zip(keys, writes, strict=True):
                if self._random.random() < self._kept:
                    self._carry_out(key, write)
                else:
                    left.append(write)
            self._random.shuffle(left)
            self.handed_back += len(left)
            self._on_the_way.difference_update(keys)
            self._answered.notify_all()
        return {"UnprocessedItems": {self._name: left} if left else {}, **self._consumed(writes)}

    def slowly(self, operation: str, request: dict[str, Any]) -> Answer:
        """Answer after a while, in which whoever writes hands over more."""
        threading.Event().wait(0.003)
        return self(operation, request)

    def _single(self, operation: str, request: dict[str, Any]) -> Answer:
        key = self.identity(request["Item"] if operation == "PutItem" else request["Key"])
        if request["TableName"] != self._name:
            self.violations.append(f"a call about {request['TableName']}")
        with self._answered:
            self._watch(request, [key])
            if self._random.random() < self._held:
                self._answered.wait(0.002)
            code = ""
            if self._random.random() >= self._kept:
                code = "TransactionConflictException"
                self.handed_back += 1
            elif "ConditionExpression" in request and key in self.items:
                code = "ConditionalCheckFailedException"
                self.conditions_failed += 1
            else:
                self._carry_out_single(key, operation, request)
            self._on_the_way.discard(key)
            self._answered.notify_all()
        if code:
            return ServiceError(f"{operation} failed with {code}", code=code)
        return {"ConsumedCapacity": self._consumed([request])["ConsumedCapacity"][0]}

    def _carry_out_single(self, key: Identity, operation: str, request: dict[str, Any]) -> None:
        self.history.append(key)
        if operation == "PutItem":
            self.items[key] = request["Item"]
        elif operation == "DeleteItem":
            self.items.pop(key, None)
        else:
            item = self.items.setdefault(key, {**request["Key"]})
            names = request.get("ExpressionAttributeNames", {})
            values = request.get("ExpressionAttributeValues", {})
            expression = request.get("UpdateExpression", "").removeprefix("SET ")
            for term in filter(None, expression.split(",")):
                name, _, value = term.partition("=")
                item[names[name]] = values[value]

    def _watch(self, request: dict[str, Any], keys: list[Identity]) -> None:
        self.requests += 1
        if not 1 <= len(keys) <= MOST_WRITES:
            self.violations.append(f"{len(keys)} writes in one request")
        if len(set(keys)) != len(keys):
            self.violations.append(f"two writes of one key in one request: {keys}")
        if again := self._on_the_way.intersection(keys):
            self.violations.append(f"two requests at once write {again}")
        if len(orjson.dumps(request)) > MOST_BYTES:
            self.violations.append("more than 16 MB in one request")
        self._on_the_way.update(keys)

    def _carry_out(self, key: Identity, write: dict[str, Any]) -> None:
        self.history.append(key)
        if "PutRequest" in write:
            self.items[key] = write["PutRequest"]["Item"]
        else:
            self.items.pop(key, None)

    def _consumed(self, writes: list[Any]) -> dict[str, Any]:
        return {
            "ConsumedCapacity": [
                {
                    "TableName": self._name,
                    "CapacityUnits": 2.0 * len(writes),
                    "Table": {"CapacityUnits": 1.0 * len(writes)},
                    "GlobalSecondaryIndexes": {"i": {"CapacityUnits": 1.0 * len(writes)}},
                }
            ]
        }


def _subject(write: dict[str, Any]) -> dict[str, Any]:
    subject: dict[str, Any] = (
        write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]
    )
    return subject


class Clock:
    """A clock that only a sleep moves. Never less than a millisecond, so that it always moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            assert len(self.slept) < MOST_SLEEPS, "this wait has no end"
            self.slept.append(seconds)
            self.now += max(seconds, 0.001)


Result = TypeVar("Result")


def in_time(function: Callable[[], Result]) -> Result:
    """Call a function in a thread of its own; fail, instead of hanging, when it does not return."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), f"{function} does not come back"
    if errors:
        raise errors[0]
    return results[0]
