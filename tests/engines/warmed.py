"""A provisioned table in memory, as far as UpdateTable and tags go: for warm-ups, call by call."""

from __future__ import annotations

from typing import Any

from dynamodb_core.errors import AccessError, ServiceError
from dynamodb_core.table import Table
from tests.engines.model import complaints
from tests.engines.scripted import ScriptedWire

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/t"
Units = tuple[int, int]


class Crash(BaseException):
    """The process is gone: nothing catches this."""


class WarmedTable:
    """Answers DescribeTable, UpdateTable and the calls about tags.

    Args:
        units: Read and write units of the table ("") and of each global index.
        billing: How it is billed.
        tagged: Whether it can be tagged.
    """

    def __init__(
        self, units: dict[str, Units], *, billing: str = "PROVISIONED", tagged: bool = True
    ) -> None:
        self.units = dict(units)
        self.billing = billing
        self.tagged = tagged
        self.warm: dict[str, dict[str, int]] = {}
        self.tags: dict[str, str] = {}
        self.busy = 0
        self.crash_after: int | None = None
        self.die_before = ""
        self.refusal: Exception | None = None
        self.wire = ScriptedWire(self)

    @property
    def table(self) -> Table:
        """The table as it is described now."""
        return Table.from_description(self.description())

    def updates(self) -> list[dict[str, Any]]:
        """Return the requests of UpdateTable so far."""
        return [call.request for call in self.wire.calls if call.operation == "UpdateTable"]

    def __call__(self, operation: str, request: dict[str, Any]) -> Any:
        assert complaints(operation, request) == []
        if operation == self.die_before:
            raise Crash
        if self.crash_after is not None:
            self.crash_after -= 1
            if self.crash_after < 0:
                raise Crash
        if operation == "DescribeTable":
            self.busy = max(0, self.busy - 1)
            return {"Table": self.description()}
        if operation == "UpdateTable":
            return self.refusal or self._update(request)
        if not self.tagged:
            return AccessError(f"{operation} is refused")
        if operation == "TagResource":
            assert all(len(tag["Value"]) <= 256 for tag in request["Tags"])
            self.tags |= {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        elif operation == "UntagResource":
            for key in request["TagKeys"]:
                del self.tags[key]
        else:
            assert operation == "ListTagsOfResource"
            return {"Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()]}
        return {}

    def description(self) -> dict[str, Any]:
        """Return what DescribeTable says."""
        members = ("ReadCapacityUnits", "WriteCapacityUnits")
        status = "UPDATING" if self.busy > 1 else "ACTIVE"
        of_indexes = "UPDATING" if self.busy else "ACTIVE"  # they are ready last
        given = {
            name: {
                "ProvisionedThroughput": dict(
                    zip(members, each if self.billing == "PROVISIONED" else (0, 0), strict=True)
                ),
                **({"WarmThroughput": self.warm[name]} if name in self.warm else {}),
            }
            for name, each in self.units.items()
        }
        key = [{"AttributeName": "id", "KeyType": "HASH"}]
        return {
            "TableName": "t",
            "TableArn": ARN,
            "TableStatus": status,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": key,
            "BillingModeSummary": {"BillingMode": self.billing},
            **given[""],
            "GlobalSecondaryIndexes": [
                {"IndexName": name, "KeySchema": key, "IndexStatus": of_indexes, **each}
                for name, each in given.items()
                if name
            ],
        }

    def _update(self, request: dict[str, Any]) -> Any:
        if self.busy > (len(self.units) == 1):
            return ServiceError("Table is being updated", code="ResourceInUseException")
        new = dict(self.units)
        billing = request.get("BillingMode", self.billing)
        places = {"": request} | {
            each["Update"]["IndexName"]: each["Update"]
            for each in request.get("GlobalSecondaryIndexUpdates", ())
        }
        for name, each in places.items():
            given = each.get("ProvisionedThroughput")
            if given:
                assert billing == "PROVISIONED", "units of a table on demand"
                units = (given["ReadCapacityUnits"], given["WriteCapacityUnits"])
                changed = units != self.units[name] or billing != self.billing
                assert changed, "DynamoDB refuses what changes nothing"
                new[name] = units
            for member, value in each.get("WarmThroughput", {}).items():
                own = self.warm.setdefault(name, {})
                assert value > own.get(member, 0), "warm throughput can only be raised"
                own[member] = value
        if billing == "PROVISIONED" != self.billing:
            assert all(places[n].get("ProvisionedThroughput") for n in self.units), (
                "units are wanted"
            )
        self.units, self.billing, self.busy = new, billing, 3
        return {}
