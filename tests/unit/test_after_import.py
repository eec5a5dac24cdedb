"""What ImportTable cannot give a table is set afterwards, one after the other."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from dynamodb_core import after_import, jobs
from dynamodb_core.definitions import Definition
from dynamodb_core.errors import AccessError
from dynamodb_core.table import Key
from tests.engines.bulk import complaints
from tests.engines.scripted import Clock, ScriptedWire

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
ALL: dict[str, Any] = {
    "stream_view_type": "NEW_IMAGE",
    "tags": {"a": "b"},
    "table_class": "STANDARD_INFREQUENT_ACCESS",
    "deletion_protection_enabled": True,
    "ttl_attribute": "ends",
}
EXPECTED = ["TagResource", "UpdateTimeToLive", "UpdateTable", "UpdateTable", "UpdateTable"]


def definition(settings: dict[str, Any]) -> Definition:
    return Definition("orders", Key(("id",), ("S",)), settings)


class Service:
    """A table that is being changed for a while after each change, and then refuses the next one."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.busy = 0

    def __call__(self, operation: str, request: dict[str, Any]) -> Any:
        if operation == "DescribeTable":
            status = "CREATING" if self.busy else "ACTIVE"
            self.busy = max(0, self.busy - 1)
            key = [{"AttributeName": "id", "KeyType": "HASH"}]
            types = [{"AttributeName": "id", "AttributeType": "S"}]
            said = {"KeySchema": key, "AttributeDefinitions": types, "TableStatus": status}
            return {"Table": {"TableName": "orders", "TableArn": ARN, **said}}
        assert not self.busy, "one change at a time"
        if self.refuses in request:
            return AccessError(f"{operation} is refused", "Check the permissions")
        self.busy = 2
        return {}


def test_everything_that_is_asked_for_is_set() -> None:
    clock, wire = Clock(), ScriptedWire(Service())
    after_import.complete(wire, definition(ALL), clock=clock, sleep=clock.sleep)
    changes = [call for call in wire.calls if call.operation != "DescribeTable"]
    assert [call.operation for call in changes] == EXPECTED
    assert [complaints(call.operation, call.request) for call in changes] == [""] * 5
    assert changes[0].table == ARN
    assert changes[-1].request == {"TableName": "orders", "DeletionProtectionEnabled": True}


def test_nothing_is_set_that_is_not_asked_for() -> None:
    assert list(after_import.requests(definition({}), ARN)) == []


def test_what_is_left_undone_is_named() -> None:
    clock, wire = Clock(), ScriptedWire(Service(refuses="TableClass"))
    with pytest.raises(AccessError, match="not yet its table class, deletion protection") as raised:
        after_import.complete(wire, definition(ALL), clock=clock, sleep=clock.sleep)
    assert "Check the permissions" in raised.value.hint


def test_every_setting_of_a_definition_is_in_the_import_or_comes_after_it() -> None:
    """A member of CreateTable that a definition learns to say must not get lost on this way."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    shape: Any = model.shape_for("TableCreationParameters")
    known = shape.members.keys()
    created = definition({**ALL, "sse_type": "KMS"}).create_request()
    job = jobs.import_job(created, jobs.Parts("b", "p/", "gzip"), "t")
    imported = job.request["TableCreationParameters"].keys()
    later = {name for _, request in after_import.requests(definition(ALL), ARN) for name in request}
    assert created.keys() <= imported | later
    assert imported <= known
