"""Writing items by concurrent calls, until DynamoDB has acknowledged every one.

The order of writes to one key is kept end to end. A newer write meets an older one that still waits,
and one remains of both (`modes`: where items are put, the newer); while an older one is on its way the
newer waits for it; and a write that DynamoDB hands back unprocessed meets a newer one that waits, else
it is tried again before anything newer can arrive.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from typing import TYPE_CHECKING

from dynamodb_core import batches, modes, workers
from dynamodb_core.concurrency import Concurrency
from dynamodb_core.retry import Backoff
from dynamodb_core.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dynamodb_core.budgets import Budgets
    from dynamodb_core.errors import DataError
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
        mode: How it is written: `put`, `insert` or `merge`, see `modes`.
        budgets: What the writes may consume.
        workers: How many requests are on their way at once.
        backoff: Pauses before writes that came back unprocessed.
        progress: Told what was written.
        refused: Told of each write that DynamoDB refuses for what it is, and why; the load goes on.
            Left out, such a write ends it. Called by any thread.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        wire: Wire,
        table: Table,
        *,
        mode: str = "put",
        budgets: Budgets,
        progress: Progress,
        workers: int = 8,
        backoff: Backoff | None = None,
        refused: Callable[[bytes, DataError], object] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.table = table
        self._mode = modes.of(mode, table)
        self._as_write = self._mode.put
        self._budgets = budgets
        self._most_workers = workers
        self._backoff = backoff or Backoff()
        self._progress = progress
        self._sleep = sleep
        self._at_work = 0
        self._pausing = 0
        self._concurrency = Concurrency(workers)
        self._fit()
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)  # for the one who puts and flushes
        self._work_there = threading.Condition(self._lock)  # for the workers
        self._room_below = sys.maxsize
        self._taken_at = time.monotonic()
        self._waiting: dict[Hashable, bytes] = {}
        self._waiting_bytes = 0
        self._in_flight: set[Hashable] = set()
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._flushing = False
        self._closing = False
        self._open = False  # whether the threads run, and nothing has ended them
        self._sender = Sender(
            wire,
            table,
            self._mode,
            budgets=budgets,
            progress=progress,
            refused=refused,
            took=self._took,
        )

    def put(self, identity: Hashable, item: bytes) -> None:
        """Hand over an item; it is written soon, or at the next flush.

        Args:
            identity: `Key.identity` of the item.
            item: The item as DynamoDB JSON.

        Raises:
            Error: An earlier write failed for good. Nothing more is written.
        """
        self._add(identity, self._as_write(item))

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
        with self._lock:
            self._flushing = True
            self._work_there.notify_all()
            try:
                while (self._waiting or self._in_flight) and not self._ended:
                    self._room.wait(workers.LOOK_UP_SECONDS)
            finally:
                self._flushing = False
            self._raise_error()

    def close(self) -> None:
        """Stop the threads after the calls they are in; what still waits is abandoned."""
        with self._lock:
            self._closing = True
            self._end()

    def _fit(self) -> None:
        """Choose how much waits and how much is on its way at once, by the rate of the moment.

        A small budget is not spread over many requests: together it is about two seconds' worth, so
        that a flush ends soon.
        """
        rate = self._budgets.rate
        rate = math.inf if rate is None else max(rate, 1.0)
        most = self._most_workers
        together = self._mode.most_writes
        self._workers = math.ceil(min(most, rate / together))
        self._most_units = rate
        self._most_waiting = math.ceil(min(2 * most * batches.MOST_WRITES, rate))
        self._most_bytes = min(2 * batches.MOST_BYTES, rate * batches.UNIT_BYTES)
        self._full = min(together, self._most_waiting)

    def _add(self, identity: Hashable, write: bytes) -> None:
        with self._lock:
            waiting = self._waiting
            count = len(waiting)
            if (
                count >= self._most_waiting
                or self._waiting_bytes >= self._most_bytes
                or not self._open
            ):
                self._wait_for_room()
                count = len(waiting)
            older = waiting.setdefault(identity, write)
            self._waiting_bytes += len(write)
            if len(waiting) == count:
                self._waiting_bytes -= len(write)
                self._meet(identity, older, write)
            elif len(waiting) % self._full == 0 and self._free:
                self._work_there.notify()

    def _meet(self, identity: Hashable, older: bytes, newer: bytes) -> None:
        """Let one write wait in the place of two of a key, of which one waits already."""
        met = self._mode.meet(older, newer)
        if met is older:
            self._progress.add(kept=1)
        self._waiting_bytes += len(met) - len(self._waiting[identity])
        self._waiting[identity] = met

    def _wait_for_room(self) -> None:
        """Return when one more write may wait.

        Where as many wait as may, it is not for the next request that one waits, but for half of them:
        the one who puts and the workers would wake each other for every 25 writes.
        """
        if not self._threads:
            self._threads = workers.start(
                self._work, workers=self._most_workers, name=f"write-{self.table.name}"
            )
        if self._waiting_bytes >= self._most_bytes:
            self._work_there.notify()
        most = self._most_waiting
        if len(self._waiting) >= most:
            self._room_below = most // 2 + 1 if most >= 2 * batches.MOST_WRITES else most
        while not (self._has_room or self._ended):
            self._room.wait(workers.LOOK_UP_SECONDS)
        self._room_below = sys.maxsize
        self._raise_error()
        self._open = True

    @property
    def _free(self) -> bool:
        """Whether one more request on its way would be of use."""
        calling = self._at_work - self._pausing
        return self._at_work < self._workers and calling < self._concurrency.useful

    @property
    def _has_room(self) -> bool:
        return len(self._waiting) < self._room_below and self._waiting_bytes < self._most_bytes

    def _end(self) -> None:
        self._open = False
        self._room.notify_all()
        self._work_there.notify_all()

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
                try:
                    self._write(batch)
                finally:
                    with self._lock:
                        self._at_work -= 1
                        self._fit()
        except BaseException as error:  # noqa: BLE001 - raised again by put and flush
            with self._lock:
                self._error = self._error or error
                self._end()

    def _next_batch(self) -> dict[Hashable, bytes]:
        with self._lock:
            lingered = False
            while not self._ended:
                full = len(self._waiting) >= self._full or self._waiting_bytes >= self._most_bytes
                if (
                    self._free
                    and (full or lingered or self._flushing)
                    and (batch := self._take({}))
                ):
                    self._at_work += 1
                    if len(self._waiting) >= self._full and self._free:
                        self._work_there.notify()
                    return batch
                timely = self._work_there.wait(LINGER_SECONDS)
                lingered = not timely and time.monotonic() - self._taken_at >= LINGER_SECONDS
            return {}

    def _take(self, beside: dict[Hashable, bytes]) -> dict[Hashable, bytes]:
        taken = batches.take(
            self._waiting,
            self._in_flight,
            beside=beside,
            most_writes=self._mode.most_writes,
            most_units=self._most_units,
        )
        self._in_flight.update(taken)
        self._waiting_bytes -= sum(map(len, taken.values()))
        if taken:
            self._taken_at = time.monotonic()
            if self._has_room and not self._flushing:
                self._room.notify()
        return taken

    def _write(self, batch: dict[Hashable, bytes]) -> None:
        delays = self._backoff.delays()
        while batch:
            left = self._sender.send(batch)
            with self._lock:
                self._in_flight.difference_update(batch.keys() - left.keys() if left else batch)
                for identity in left.keys() & self._waiting.keys():  # a newer write waits
                    self._meet(identity, left.pop(identity), self._waiting[identity])
                    self._in_flight.discard(identity)
                if left:  # what waits for the others' keys may go by another worker
                    self._work_there.notify()
                elif not self._waiting and not self._in_flight:
                    self._room.notify()
            if left:
                if 2 * len(left) <= len(batch):  # it goes slowly, but it goes
                    delays = self._backoff.delays()
                with self._lock:
                    self._pausing += 1
                    self._work_there.notify()
                self._sleep(next(delays))
                with self._lock:
                    self._pausing -= 1
                    if self._ended:
                        return
                    # Alone it is refused as a whole where it cannot go through, and the refusal
                    # has the reason, which an answer does not.
                    if self._budgets.reason_known:
                        left |= self._take(left)
            batch = left

    def _took(self, seconds: float) -> None:
        with self._lock:
            self._concurrency.answered(seconds)
