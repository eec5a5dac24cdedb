"""Items looked up by their keys: BatchGetItem within a budget, until nothing is left unprocessed."""

from __future__ import annotations

import json
import math
import threading
import time
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import workers
from dynamodb_core.errors import CorruptReply, Error
from dynamodb_core.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from dynamodb_core.capacity import Budget
    from dynamodb_core.codec import Item
    from dynamodb_core.table import Key
    from dynamodb_core.wire import Wire

    Keys = dict[Hashable, Item]
    """Keys by their identity."""

MOST_KEYS = 100
"""Keys that one request takes."""

UNIT_BYTES = 4096
"""Bytes of an item that one unit pays for, read strongly consistent; each item is rounded up."""

USUAL_ITEM_BYTES = 1024.0
"""Taken for an item's size where the table does not know it."""

CALL_SECONDS = 0.5
"""A call is to cost no more than the budget gives in this time, unless it is about one item."""

FULL_BYTES = 600_000
"""An answer of so many bytes may have left keys out for want of room: DynamoDB ends one before it has more than 1 MB
of a partition, or 16 MB in all."""

MEMORY = 0.8
"""How much what older calls have cost counts, from call to call."""

WORKERS = 8


class Fetcher:
    """Looks items of a table up. One call of `fetch` at a time.

    Attributes:
        units: Capacity units that it has consumed so far.

    Args:
        wire: Carries the calls.
        table: The table's name or ARN.
        key: Its key.
        budget: What may be consumed; it hears of throttles while items are looked up.
        consistent: Whether items are read strongly consistent, at twice the units.
        item_bytes: The average size of an item, None where that is not known.
        at_once: How many calls go on at once.
        backoff: Waits before keys are tried again that came back unprocessed.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        wire: Wire,
        table: str,
        key: Key,
        budget: Budget,
        *,
        consistent: bool = True,
        item_bytes: float | None = None,
        at_once: int = WORKERS,
        backoff: Backoff | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.units = 0.0
        self._wire = wire
        self._table = table
        self._key = key
        self._budget = budget
        self._consistent = consistent
        self._at_once = at_once
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._lock = threading.Lock()
        units = max(1.0, (item_bytes or USUAL_ITEM_BYTES) / UNIT_BYTES)
        self._mean = units if consistent else units / 2

    def fetch(
        self, keys: Sequence[Item], *, idle: Callable[[], object] = lambda: None
    ) -> list[Item | None]:
        """Return the items that the table has now.

        Args:
            keys: Typed keys, in any number; all their items are held in memory.
            idle: Called in this thread while no answer comes; may raise to end the wait.

        Returns:
            The item of each key, None where there is none.

        Raises:
            CorruptReply: An answer does not fit what was asked.
            Error: A call failed.
        """
        identities = [self._key.identity(key) for key in keys]
        asked: Keys = {
            identity: {name: key[name] for name in self._key.names}
            for identity, key in zip(identities, keys, strict=True)
        }
        found: dict[Hashable, Item] = {}
        end_watch = self._wire.watch(self._table, self._budget.throttled)
        try:
            for some in workers.gather(
                self._all_of, self._batches(asked), workers=self._at_once, idle=idle
            ):
                found |= some
        finally:
            end_watch()
        return [found.get(identity) for identity in identities]

    def _batches(self, asked: Keys) -> Iterator[Keys]:
        """Cut keys into what one request takes and the budget gives."""
        rate, most = self._budget.rate, MOST_KEYS
        if rate is not None:
            most = max(1, min(most, int(rate * CALL_SECONDS / self._mean)))
        identities = list(asked)
        for first in range(0, len(identities), most):
            yield {identity: asked[identity] for identity in identities[first : first + most]}

    def _all_of(self, asked: Keys) -> dict[Hashable, Item]:
        """Look keys up until none comes back unprocessed."""
        found: dict[Hashable, Item] = {}
        delays = self._backoff.delays()
        while asked:
            items, left, size = self._call(asked)
            found |= items
            if left and size < FULL_BYTES:
                self._budget.answered(len(asked), len(left))
                self._sleep(next(delays))
            asked = left
        return found

    def _call(self, asked: Keys) -> tuple[dict[Hashable, Item], Keys, int]:
        """Send one request; return the items, the keys that are left, and the bytes of the answer."""
        expected = self._mean * len(asked)
        self._budget.wait(expected)
        consumed = 0.0
        try:
            wanted = {"Keys": list(asked.values()), "ConsistentRead": self._consistent}
            request = {"RequestItems": {self._table: wanted}, "ReturnConsumedCapacity": "TOTAL"}
            body = self._wire.call("BatchGetItem", dump(request), table=self._table)
            items, left, said = self._read(body, asked)
            answered = len(asked) - len(left)
            consumed = self._mean * answered if said is None else said
            self._learn(consumed, answered)
        finally:
            self._budget.settle(expected, consumed)
        return items, left, len(body)

    def _read(self, body: bytes, asked: Keys) -> tuple[dict[Hashable, Item], Keys, float | None]:
        """Return an answer's items, the keys that it leaves over, and the units that it names."""
        try:
            answer = load(body)
            items: dict[Hashable, Item] = {
                self._key.identity(item): item
                for items in answer["Responses"].values()
                for item in items
            }
            left: Keys = {
                self._key.identity(key): key
                for wanted in (answer.get("UnprocessedKeys") or {}).values()
                for key in wanted["Keys"]
            }
            said = answer.get("ConsumedCapacity")
            units = math.fsum(each["CapacityUnits"] for each in said) if said else None
        except (Error, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._corrupt(f"it cannot be read: {error!r}") from error
        if strange := [identity for identity in (*items, *left) if identity not in asked]:
            raise self._corrupt(f"{len(strange)} of its keys were not asked for")
        if both := items.keys() & left.keys():
            raise self._corrupt(f"{len(both)} of its keys are both there and unprocessed")
        return items, left, units

    def _learn(self, units: float, answered: int) -> None:
        with self._lock:
            self.units += units
            if answered and units:
                self._mean = self._mean * MEMORY + units / answered * (1 - MEMORY)

    def _corrupt(self, why: str) -> CorruptReply:
        return CorruptReply(
            f"An answer of BatchGetItem on table {self._table} is none: {why}",
            "Run again to go on",
            code="CorruptReply",
        )


def load(body: bytes) -> Any:
    """Return what JSON of DynamoDB says; it may hold texts that are no Unicode."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # it takes no half of a surrogate pair for a character
        return json.loads(body)


def dump(request: Any) -> bytes:
    """Return the JSON of a request or an item; it may hold texts that are no Unicode."""
    try:
        return orjson.dumps(request)
    except orjson.JSONEncodeError:
        return json.dumps(request).encode()
