"""One request of writes: sent within the budget, its answer read, a refused one taken apart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import modes, sizes
from dynamodb_core.errors import CorruptReply, DataError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dynamodb_core.budgets import Budgets, Consumed
    from dynamodb_core.modes import Call, Mode, Sent
    from dynamodb_core.progress import Progress
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

    Writes = dict[Hashable, bytes]


class Sender:
    """Sends writes to one table. Any thread may call it.

    Args:
        wire: Carries the calls.
        table: The table to write to.
        mode: How it is written.
        budgets: What the writes may consume.
        progress: Told what was written.
        refused: Told of each write that DynamoDB refuses for what it is, and why. Left out, such a
            write is an error.
        took: Told how many seconds each call took.
    """

    def __init__(
        self,
        wire: Wire,
        table: Table,
        mode: Mode,
        *,
        budgets: Budgets,
        progress: Progress,
        refused: Callable[[bytes, DataError], object] | None,
        took: Callable[[float], object],
    ) -> None:
        self._wire = wire
        self._table = table
        self._mode = mode
        self._budgets = budgets
        self._progress = progress
        self._refused = refused
        self._took = took

    def send(self, writes: Writes) -> Writes:
        """Send some writes.

        Args:
            writes: Writes by identity, as many as the mode sends together.

        Returns:
            Those that are to be sent again.

        Raises:
            DataError: DynamoDB refuses one of them for what it is; the others are written.
            Error: The call failed for good.
        """
        units = 0.0
        try:
            for call in self._mode.calls(writes):
                sent = self._call(writes, call)
                units += sent.consumed.total
                if sent.left:
                    break
        except ServiceError as error:
            if error.code != "ValidationException":
                raise
            return self._isolate(writes, error)
        left = sent.left
        written = len(writes) - len(left) - sent.kept
        size = sum(map(len, writes.values())) * written // len(writes)
        if self._mode.most_writes > 1:
            self._budgets.answered(len(writes), len(left))
        self._progress.add(items=written, size=size, units=units, kept=sent.kept)
        return left

    def _call(self, writes: Writes, call: Call) -> Sent:
        consumed: Consumed | None = None
        expected = self._budgets.wait(call.units)
        try:
            began = time.monotonic()
            try:
                reply = self._wire.call(call.operation, call.body, table=self._table.name)
            except ServiceError as error:
                failed = self._mode.failure(writes, call, error.code)
                if failed is None:
                    raise
                sent = failed
            else:
                sent = self._mode.answer(writes, call, self._parse(call, reply))
            consumed = sent.consumed
            self._took(time.monotonic() - began)
        finally:
            self._budgets.settle(expected, consumed)
        return sent

    def _isolate(self, writes: Writes, error: ServiceError) -> Writes:
        """Send the writes of a refused request one by one, so that the error names the culprit.

        The others are written all the same, or come back unprocessed.
        """
        if len(writes) > 1:
            left: Writes = {}
            refused: DataError | None = None
            for identity, write in writes.items():
                try:
                    left |= self.send({identity: write})
                except DataError as another:
                    refused = refused or another
            if refused is not None:
                raise refused
            return left
        [(identity, write)] = writes.items()
        key = (
            "/".join(text for _kind, text in identity) if isinstance(identity, tuple) else identity
        )
        culprit = DataError(
            f"DynamoDB refuses the item with key {key} ({len(write):,} bytes as JSON) "
            f"for table {self._table.name}: {_reason(write, self._table) or error.message}",
            "Change or leave out the item",
        )
        if self._refused is None:
            raise culprit from error
        self._refused(modes.as_put(write), culprit)
        return {}

    def _parse(self, call: Call, reply: bytes) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = orjson.loads(reply)
        except orjson.JSONDecodeError as error:
            raise CorruptReply(
                f"The answer of {call.operation} on table {self._table.name} is no JSON: {error}",
                "Run again to go on",
                code="CorruptReply",
            ) from error
        return answer


def _reason(write: bytes, table: Table) -> str:
    """Return why a write is refused, with its place in the item; empty where that is not known here."""
    asked = orjson.loads(modes.as_put(write)).get("PutRequest")
    if asked is None:
        return ""
    try:
        sizes.check(asked["Item"], table)
    except DataError as reason:
        return reason.message
    except (KeyError, ValueError, ArithmeticError):  # an item that is none
        pass
    return ""
