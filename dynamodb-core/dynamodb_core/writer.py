"""Writing items by concurrent BatchWriteItem calls, until DynamoDB has acknowledged every one.

The order of writes to one key is kept end to end. A newer write replaces an older one that still
waits; while an older one is on its way the newer waits for it; and a write that DynamoDB hands back
unprocessed is dropped when a newer one waits, else tried again before anything newer can arrive.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import batches, workers
from dynamodb_core.errors import CorruptReply, DataError, ServiceError
from dynamodb_core.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dynamodb_core.capacity import Budget
    from dynamodb_core.progress import Progress
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

LINGER_SECONDS = 0.25
"""How long fewer writes than fill a request wait for company."""


class Writer:
    """Writes to one table. Threads start with the first write.

    Not to be shared by several threads: one thread puts, deletes and flushes.

    Args:
        wire: Carries the calls.
        table: The table to write to.
        budget: What the writes may consume.
        workers: How many requests are on their way at once.
        backoff: Pauses before writes that came back unprocessed.
        progress: Told what was written.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        wire: Wire,
        table: Table,
        *,
        budget: Budget,
        progress: Progress,
        workers: int = 8,
        backoff: Backoff | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.table = table
        self._wire = wire
        self._budget = budget
        # A small budget is not spread over many requests: what waits and what is on its way is
        # about two seconds' worth, so that a flush ends soon.
        rate = math.inf if budget.rate is None else max(budget.rate, 1.0)
        self._workers = math.ceil(min(workers, rate / batches.MOST_WRITES))
        self._most_units = rate
        self._backoff = backoff or Backoff()
        self._progress = progress
        self._sleep = sleep
        self._most_waiting = math.ceil(min(2 * workers * batches.MOST_WRITES, rate))
        self._most_bytes = min(2 * batches.MOST_BYTES, rate * batches.UNIT_BYTES)
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Hashable, bytes] = OrderedDict()
        self._waiting_bytes = 0
        self._in_flight: set[Hashable] = set()
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._flushing = False
        self._closing = False

    def put(self, identity: Hashable, item: bytes) -> None:
        """Hand over an item; it is written soon, or at the next flush.

        Args:
            identity: `Key.identity` of the item.
            item: The item as DynamoDB JSON.

        Raises:
            Error: An earlier write failed for good. Nothing more is written.
        """
        self._add(identity, batches.put(item))

    def delete(self, identity: Hashable, key: bytes) -> None:
        """Hand over a deletion.

        Args:
            identity: `Key.identity` of the item to delete.
            key: Its key attributes as DynamoDB JSON.

        Raises:
            Error: An earlier write failed for good. Nothing more is written.
        """
        self._add(identity, batches.delete(key))

    def flush(self) -> None:
        """Return when DynamoDB has acknowledged every write handed over so far.

        Raises:
            Error: A write failed for good.
        """
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            try:
                while (self._waiting or self._in_flight) and not self._ended:
                    self._changed.wait(workers.LOOK_UP_SECONDS)
            finally:
                self._flushing = False
            self._raise_error()

    def close(self) -> None:
        """Stop the threads after the calls they are in; what still waits is abandoned."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _add(self, identity: Hashable, write: bytes) -> None:
        with self._changed:
            if not self._threads:
                self._threads = workers.start(
                    self._work, workers=self._workers, name=f"write-{self.table.name}"
                )
            while (
                len(self._waiting) >= self._most_waiting or self._waiting_bytes >= self._most_bytes
            ) and not self._ended:
                self._changed.wait(workers.LOOK_UP_SECONDS)
            self._raise_error()
            self._waiting_bytes += len(write) - len(self._waiting.get(identity, b""))
            self._waiting[identity] = write
            if len(self._waiting) % min(batches.MOST_WRITES, self._most_waiting) == 0:
                self._changed.notify_all()

    @property
    def _ended(self) -> bool:
        return self._closing or self._error is not None

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closing:
            raise RuntimeError(f"The writer of table {self.table.name} is closed")

    def _work(self) -> None:
        try:
            while batch := self._next_batch():
                self._write(batch)
        except BaseException as error:  # noqa: BLE001 - raised again by put and flush
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _next_batch(self) -> dict[Hashable, bytes]:
        with self._changed:
            lingered = False
            while not self._ended:
                full = len(self._waiting) >= min(batches.MOST_WRITES, self._most_waiting)
                if (full or lingered or self._flushing) and (batch := self._take({})):
                    return batch
                lingered = not self._changed.wait(LINGER_SECONDS)
            return {}

    def _take(self, beside: dict[Hashable, bytes]) -> dict[Hashable, bytes]:
        taken = batches.take(
            self._waiting, self._in_flight, beside=beside, most_units=self._most_units
        )
        self._in_flight.update(taken)
        self._waiting_bytes -= sum(map(len, taken.values()))
        if taken:  # else idle workers would wake each other for ever
            self._changed.notify_all()
        return taken

    def _write(self, batch: dict[Hashable, bytes]) -> None:
        delays = self._backoff.delays()
        while batch:
            left = self._call(batch)
            with self._changed:
                self._in_flight.difference_update(batch.keys() - left.keys())
                for identity in left.keys() & self._waiting.keys():
                    del left[identity]  # a newer write of the same key waits
                    self._in_flight.discard(identity)
                self._changed.notify_all()
            if left:
                if len(left) < len(batch):  # it goes slowly, but it goes
                    delays = self._backoff.delays()
                self._sleep(next(delays))
                with self._changed:
                    if self._ended:
                        return
                    left |= self._take(left)
            batch = left

    def _call(self, batch: dict[Hashable, bytes]) -> dict[Hashable, bytes]:
        """Send one request; return what came back unprocessed."""
        body = batches.request(self.table.name, batch)
        expected = sum(map(batches.units, batch.values()))
        consumed = 0.0
        self._budget.wait(expected)
        try:
            answer = self._parse(self._wire.call("BatchWriteItem", body, table=self.table.name))
            consumed = _units(answer, expected)
        except ServiceError as error:
            if error.code != "ValidationException":
                raise
            return self._isolate(batch, error)
        finally:
            self._budget.settle(expected, consumed)
        left = self._unprocessed(batch, answer)
        written = len(batch) - len(left)
        size = sum(map(len, batch.values())) * written // len(batch)
        self._progress.add(items=written, size=size, units=consumed, throttles=len(left))
        return left

    def _isolate(self, batch: dict[Hashable, bytes], error: ServiceError) -> dict[Hashable, bytes]:
        """Write the items of a refused request one by one, so that the error names the culprit.

        The others are written all the same, or come back unprocessed.
        """
        if len(batch) > 1:
            left: dict[Hashable, bytes] = {}
            refused: DataError | None = None
            for identity, write in batch.items():
                try:
                    left |= self._call({identity: write})
                except DataError as culprit:
                    refused = refused or culprit
            if refused is not None:
                raise refused
            return left
        [(identity, write)] = batch.items()
        key = (
            "/".join(text for _kind, text in identity) if isinstance(identity, tuple) else identity
        )
        raise DataError(
            f"DynamoDB refuses the item with key {key} ({len(write):,} bytes as JSON) "
            f"for table {self.table.name}: {error.message}",
            "Change or leave out the item",
        ) from error

    def _parse(self, reply: bytes) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = orjson.loads(reply)
        except orjson.JSONDecodeError as error:
            raise CorruptReply(
                f"The answer of BatchWriteItem on table {self.table.name} is no JSON: {error}",
                "Run again to go on",
                code="CorruptReply",
            ) from error
        return answer

    def _unprocessed(
        self, batch: dict[Hashable, bytes], answer: dict[str, Any]
    ) -> dict[Hashable, bytes]:
        returned = [
            write for writes in answer.get("UnprocessedItems", {}).values() for write in writes
        ]
        if not returned:
            return {}
        left = {
            identity: batch[identity]
            for identity in map(self._identity, returned)
            if identity in batch
        }
        if len(left) != len(returned):
            raise ServiceError(
                f"BatchWriteItem on table {self.table.name} returned {len(returned)} unprocessed "
                f"writes, of which {len(left)} were asked for",
                "Run again to go on",
            )
        return left

    def _identity(self, write: dict[str, Any]) -> Hashable:
        if "PutRequest" in write:
            return self.table.key.identity(write["PutRequest"]["Item"])
        return self.table.key.identity(write["DeleteRequest"]["Key"])


def _units(answer: dict[str, Any], expected: float) -> float:
    """Return the units of the table itself; the balance of its indexes is their own.

    An engine that names none is believed to have consumed what was expected.
    """
    said = answer.get("ConsumedCapacity")
    if not said:
        return expected
    return sum(float(each.get("Table", each).get("CapacityUnits", 0.0)) for each in said)
