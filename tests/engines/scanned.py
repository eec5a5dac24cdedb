"""Tables in memory that a tap can list, describe and scan through a `ScriptedWire`.

An item's segment depends on its place in the table only (number modulo the segments), so a test knows
which items come together; a page holds as many items as the test says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import TableNotFound
from tests.engines.scripted import ScriptedWire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamodb_core.errors import Error
    from tests.engines.scripted import Answer, Call

REGION = "eu-west-1"
STRING_KEY = (("id", "S"),)


@dataclass
class ScannedTable:
    """A table with its items in the order of a scan."""

    items: Sequence[dict[str, Any]] = ()
    key: tuple[tuple[str, str], ...] = STRING_KEY
    page: int = 1000
    units: float = 0.5
    table_id: str = "11111111-2222-3333-4444-555555555555"
    more: dict[str, Any] = field(default_factory=dict)
    ttl: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def description(self, name: str) -> dict[str, Any]:
        """Return what DescribeTable says."""
        roles = ("HASH", "RANGE")
        return {
            "TableName": name,
            "TableArn": arn(name),
            "TableId": self.table_id,
            "TableStatus": "ACTIVE",
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in self.key],
            "KeySchema": [
                {"AttributeName": n, "KeyType": role}
                for (n, _), role in zip(self.key, roles, strict=False)
            ],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "ItemCount": len(self.items),
            "TableSizeBytes": 100 * len(self.items),
            **self.more,
        }

    def expiry(self) -> dict[str, str]:
        """Return what DescribeTimeToLive says."""
        if not self.ttl:
            return {"TimeToLiveStatus": "DISABLED"}
        return {"TimeToLiveStatus": "ENABLED", "AttributeName": self.ttl}

    def scan(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page."""
        own = list(self.items)[request["Segment"] :: request["TotalSegments"]]
        start = 0
        if "ExclusiveStartKey" in request:
            start = [self.key_of(item) for item in own].index(request["ExclusiveStartKey"]) + 1
        page = own[start : start + min(self.page, request.get("Limit", self.page))]
        answer: dict[str, Any] = {"Items": page, "Count": len(page)}
        if start + len(page) < len(own):
            answer["LastEvaluatedKey"] = self.key_of(page[-1])
        if request.get("ReturnConsumedCapacity") in ("TOTAL", "INDEXES"):
            answer["ConsumedCapacity"] = {"CapacityUnits": self.units}
        return answer

    def key_of(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return an item's key."""
        return {name: item[name] for name, _ in self.key}


class Account:
    """The tables of an account; `wire` is the way to them, and knows every call.

    Args:
        tables: Tables by name.
        denied: Errors to raise, by operation and table name ("" for those about no table).
        before: Called before each call, in the calling thread; it may wait or raise.
    """

    def __init__(
        self,
        tables: dict[str, ScannedTable],
        *,
        denied: dict[tuple[str, str], Error] | None = None,
        before: Callable[[str, dict[str, Any]], object] | None = None,
    ) -> None:
        self.tables = tables
        self.denied = denied or {}
        self.before = before
        self.limits: dict[str, Any] = {
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 30_000,
        }
        self.wire = ScriptedWire(self._answer)

    def calls(self, operation: str) -> list[Call]:
        """Return the calls of one operation so far."""
        return [call for call in self.wire.calls if call.operation == operation]

    def _answer(self, operation: str, request: dict[str, Any]) -> Answer:
        if self.before is not None:
            self.before(operation, request)
        name = request.get("TableName", request.get("ResourceArn", "")).rpartition("/")[2]
        if (operation, name) in self.denied:
            return self.denied[operation, name]
        if operation == "ListTables":
            return self._list(request)
        if operation == "DescribeLimits":
            return self.limits
        if name not in self.tables:
            return TableNotFound(f"Table {name} does not exist")
        if operation == "DescribeTable":
            return {"Table": self.tables[name].description(name)}
        if operation == "DescribeTimeToLive":
            return {"TimeToLiveDescription": self.tables[name].expiry()}
        if operation == "ListTagsOfResource":
            return {"Tags": [{"Key": k, "Value": v} for k, v in self.tables[name].tags.items()]}
        assert operation == "Scan"
        return self.tables[name].scan(request)

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        names = sorted(self.tables)
        after = request.get("ExclusiveStartTableName")
        left = names if after is None else names[names.index(after) + 1 :]
        shown = left[: min(request["Limit"], 2)]  # so that more than two names take pages
        last = {"LastEvaluatedTableName": shown[-1]} if len(shown) < len(left) else {}
        return {"TableNames": shown, **last}


def arn(name: str, account: str = "123456789012") -> str:
    """Return the ARN of a table."""
    return f"arn:aws:dynamodb:{REGION}:{account}:table/{name}"
