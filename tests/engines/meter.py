"""A relay that meters: it works out what DynamoDB would have consumed, says so, and throttles by it.

The engine keeps the data and answers; the figures are of our own and come from the items that an
operation touches, which the meter asks the engine for. So they hold with any engine, and they are
the judge of what a client says it consumed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.engines import faults
from tests.engines.faults import Reply
from tests.engines.ledger import Ledger, Paid, Refusal
from tests.engines.relay import Relay, forward
from tests.engines.units import Charge, Table, same_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.faults import FaultService, Request

_NOT_METERED = {
    *("UpdateItem", "TransactGetItems", "TransactWriteItems"),
    *("ExecuteStatement", "ExecuteTransaction", "BatchExecuteStatement"),
}
_SELECTIVE = {
    *("FilterExpression", "ProjectionExpression", "Select"),
    *("ScanFilter", "QueryFilter", "ConditionalOperator", "AttributesToGet"),
}
"""What decides how much of a page is shown; what is evaluated does not depend on it."""


class _RefusedError(Exception):
    """The engine refused something."""


class Meter(Relay):
    """What an engine was asked for and what that consumed; `running` gives one that listens.

    Metered are Scan, Query, GetItem, BatchGetItem, PutItem, DeleteItem and BatchWriteItem. Other
    ways to read and write items fail the test, and whatever is no data passes as it came. A table
    is described once and goes by its name: nobody else may change its indexes or write to it.

    Attributes:
        ledger: The budgets, and what was consumed.
    """

    def __init__(self, service: FaultService, engine: Engine, clock: Callable[[], float]) -> None:
        super().__init__(service, engine)
        self.ledger = Ledger(clock)
        self._engine = engine
        self._tables: dict[str, Table] = {}

    def answer(self, request: Request) -> Reply:
        """Return the engine's answer with figures in it, or a refusal."""
        operation = request.operation
        if not request.headers.get("X-Amz-Target", "").startswith("DynamoDB_"):
            return forward(self._engine, request)
        assert operation not in _NOT_METERED, f"{operation} is not metered"
        if operation in ("CreateTable", "UpdateTable", "DeleteTable"):
            self._tables.clear()
        metered = {
            "Scan": self._page,
            "Query": self._page,
            "GetItem": self._get,
            "BatchGetItem": self._batch,
            "PutItem": self._write,
            "DeleteItem": self._write,
            "BatchWriteItem": self._batch,
        }.get(operation)
        if metered is None:
            return forward(self._engine, request)
        bill: list[Paid] = []
        try:
            return metered(request, json.loads(request.body), bill)
        except _RefusedError:  # what the meter needs to know is refused: so is what was asked
            self.ledger.give_back(bill)
            reply = forward(self._engine, request)
            assert reply.status != http.client.OK, reply.body
            return reply

    def _page(self, request: Request, body: dict[str, Any], bill: list[Paid]) -> Reply:
        table = self._table(request, body["TableName"])
        index = table.indexes.get(body.get("IndexName", ""))
        name = index.name if index else None
        if index and index.local and index.attributes is not None:
            beyond = body.get("Select") == "ALL_ATTRIBUTES" or "ProjectionExpression" in body
            assert not beyond, f"{name} may have to look into its table, which is not metered"
        refusals = self.ledger.refusals(table, [Charge("read", name, 0.0, {})])
        if refusals:
            return self._refuse(refusals)
        reply = forward(self._engine, request)
        if reply.status != http.client.OK:
            return reply
        answer = json.loads(reply.body)
        items = answer.get("Items", [])
        if _SELECTIVE & body.keys():
            items = self._ask(request, request.operation, _unselective(body))["Items"]
        assert answer["ScannedCount"] == len(items), "somebody writes past the meter"
        consistent = body.get("ConsistentRead", False)
        charges = [table.read(items, consistent=consistent, index=name)]
        return self._admit(table, charges, bill) or self._finish(reply, body, bill)

    def _get(self, request: Request, body: dict[str, Any], bill: list[Paid]) -> Reply:
        table = self._table(request, body["TableName"])
        item = self._ask(request, "GetItem", _unselective(body)).get("Item", body["Key"])
        charges = [table.read([item], consistent=body.get("ConsistentRead", False))]
        refused = self._admit(table, charges, bill)
        return refused or self._finish(forward(self._engine, request), body, bill)

    def _write(self, request: Request, body: dict[str, Any], bill: list[Paid]) -> Reply:
        table = self._table(request, body["TableName"])
        key = table.key(body["Item"] if "Item" in body else body["Key"])
        old = self._items(request, table, [key]).get(same_item(key))
        refused = self._admit(table, table.write(old, body.get("Item")), bill)
        if refused:
            return refused
        reply = self._finish(forward(self._engine, request), body, bill)
        if reply.status != http.client.OK and b"ConditionalCheckFailed" in reply.body:
            bill = []
            self.ledger.pay(table, table.write(old, old)[:1], bill)
            self.ledger.note(bill)
        return reply

    def _batch(self, request: Request, body: dict[str, Any], bill: list[Paid]) -> Reply:
        """Forward what the buckets allow; the rest is unprocessed."""
        reading = request.operation == "BatchGetItem"
        kept: dict[str, Any] = {}
        left: dict[str, Any] = {}
        refusals: list[Refusal] = []
        for name, asked in body["RequestItems"].items():
            table = self._table(request, name)
            parts = asked["Keys"] if reading else asked
            keys = [table.key(part if reading else _target(part)) for part in parts]
            found = self._items(request, table, keys)
            for part, key in zip(parts, keys, strict=True):
                old = found.get(same_item(key))
                if reading:
                    consistent = asked.get("ConsistentRead", False)
                    charges = [table.read([old or key], consistent=consistent)]
                else:
                    charges = table.write(old, part.get("PutRequest", {}).get("Item"))
                against = self.ledger.refusals(table, charges)
                if against:
                    refusals += against
                else:
                    self.ledger.pay(table, charges, bill)
                side = left if against else kept
                side.setdefault(name, []).append(part)
            if reading:
                for side in (kept, left):
                    side.update({name: {**asked, "Keys": side[name]}} if name in side else {})
        if left and not kept:
            return self._refuse(refusals)
        sent = json.dumps({**body, "RequestItems": kept}).encode() if left else request.body
        self.ledger.note_throttles(refusals)
        more = {"UnprocessedKeys" if reading else "UnprocessedItems": left} if left else {}
        reply = forward(self._engine, replace(request, body=sent))
        return self._finish(reply, body, bill, more, several=True)

    def _finish(
        self,
        reply: Reply,
        body: Mapping[str, Any],
        bill: list[Paid],
        more: Mapping[str, Any] | None = None,
        *,
        several: bool = False,
    ) -> Reply:
        """Note what was paid, and put it and `more` into the answer, as the request wants it."""
        if reply.status != http.client.OK:
            self.ledger.give_back(bill)
            return reply
        self.ledger.note(bill)
        answer = json.loads(reply.body)
        assert not any(answer.get(name) for name in ("UnprocessedItems", "UnprocessedKeys"))
        told = {**answer, **(more or {})}
        told.pop("ConsumedCapacity", None)
        wanted = body.get("ReturnConsumedCapacity", "NONE")
        if wanted != "NONE":
            tables = {table.name: table for table, _ in bill}
            figures = [_figures(table, bill, wanted) for table in tables.values()]
            told["ConsumedCapacity"] = figures if several else figures[0]
        return reply if told == answer else _replaced(reply, told)

    def _admit(self, table: Table, charges: list[Charge], bill: list[Paid]) -> Reply | None:
        """Pay, or return the refusal."""
        refusals = self.ledger.refusals(table, charges)
        if refusals:
            return self._refuse(refusals)
        self.ledger.pay(table, charges, bill)
        return None

    def _refuse(self, refusals: list[Refusal]) -> Reply:
        self.ledger.note_throttles(refusals)
        code = refusals[0].code
        reasons = [
            {"reason": each.reason, "resource": each.resource} for each in dict.fromkeys(refusals)
        ]
        slow = code == "ThrottlingException"
        kind = "com.amazon.coral.availability" if slow else "com.amazonaws.dynamodb.v20120810"
        answer = {
            "__type": f"{kind}#{code}",
            "message": f"{reasons[0]['reason']} for {reasons[0]['resource']}, says the meter",
            "throttlingReasons" if slow else "ThrottlingReasons": reasons,
        }
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        return Reply(json.dumps(answer).encode(), 400, headers)

    def _table(self, request: Request, name: str) -> Table:
        name = name.rpartition("/")[2]
        if name not in self._tables:
            description = self._ask(request, "DescribeTable", {"TableName": name})["Table"]
            self._tables[name] = Table.of(description)
        return self._tables[name]

    def _items(self, request: Request, table: Table, keys: list[Item]) -> dict[Any, Item]:
        """Return the items that there are at these keys, by `same_item` of their keys."""
        found: dict[Any, Item] = {}
        asked: dict[str, Any] = {table.name: {"Keys": keys, "ConsistentRead": True}}
        while asked:
            answer = self._ask(request, "BatchGetItem", {"RequestItems": asked})
            for item in answer["Responses"].get(table.name, ()):
                found[same_item(table.key(item))] = item
            asked = answer.get("UnprocessedKeys", {})
        return found

    def _ask(self, request: Request, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the engine something else, as the account that sent the request."""
        headers = {**request.headers, "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        reply = forward(
            self._engine, replace(request, headers=headers, body=json.dumps(body).encode())
        )
        if reply.status != http.client.OK:
            raise _RefusedError
        answer: dict[str, Any] = json.loads(reply.body)
        return answer


@contextlib.contextmanager
def running(engine: Engine, clock: Callable[[], float] = time.monotonic) -> Iterator[Meter]:
    """Run a meter in front of an engine for the length of a `with` block, with a clock of seconds."""
    with faults.running() as service:
        meter = Meter(service, engine, clock)
        service.answers(meter.answer)
        yield meter


def _unselective(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a read request that shows all that it evaluates, and all of each item."""
    whole = {name: value for name, value in body.items() if name not in _SELECTIVE}
    used = set(re.findall(r"[#:]\w+", body.get("KeyConditionExpression", "")))
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        # An alias that no expression uses would be refused.
        aliases = {alias: meant for alias, meant in whole.pop(name, {}).items() if alias in used}
        whole.update({name: aliases} if aliases else {})
    return whole


def _target(write: Mapping[str, Any]) -> Item:
    """Return the item or the key of one write of a batch."""
    item: Item = (
        write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]
    )
    return item


def _figures(table: Table, bill: Iterable[Paid], wanted: str) -> dict[str, Any]:
    """Return ConsumedCapacity of one table: TOTAL or INDEXES."""
    sums: dict[str | None, float] = {None: 0.0}
    for paid_by, charge in bill:
        if paid_by is table:
            sums[charge.index] = sums.get(charge.index, 0.0) + charge.units
    figures: dict[str, Any] = {"TableName": table.name, "CapacityUnits": sum(sums.values())}
    if wanted == "INDEXES":
        figures["Table"] = {"CapacityUnits": sums.pop(None)}
        for index, units in sums.items():
            local = table.owner(index) is None
            group = "LocalSecondaryIndexes" if local else "GlobalSecondaryIndexes"
            figures.setdefault(group, {})[index] = {"CapacityUnits": units}
    return figures


def _replaced(reply: Reply, answer: Mapping[str, Any]) -> Reply:
    headers = {n: v for n, v in reply.headers.items() if n.lower() != "x-amz-crc32"}
    return Reply(json.dumps(answer).encode(), reply.status, headers)
