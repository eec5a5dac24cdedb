"""What ImportTable cannot give a table, and what is therefore set when the import is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import tables
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.definitions import Definition
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

_UPDATED = ("StreamSpecification", "TableClass", "DeletionProtectionEnabled")
"""Members of CreateTable's request that UpdateTable takes, too; one at a time."""


def requests(definition: Definition, arn: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the operations that complete a table, each with its request; pure.

    Protection from deletion comes last, so that a table on which this failed can be deleted.

    Args:
        definition: What the table is to be like.
        arn: Its ARN.
    """
    created = definition.create_request()
    if created.get("Tags"):
        yield "TagResource", {"ResourceArn": arn, "Tags": created["Tags"]}
    expiry = definition.ttl_request()
    if expiry is not None:
        yield "UpdateTimeToLive", expiry
    for member in _UPDATED:
        if member in created:
            yield "UpdateTable", {"TableName": definition.name, member: created[member]}


def complete(
    wire: Wire,
    definition: Definition,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Table:
    """Complete a table that was imported, and return it.

    Args:
        wire: Carries the calls.
        definition: What it is to be like.
        clock: Returns seconds.
        sleep: Waits for seconds.

    Raises:
        Error: A call failed; the error says what is left to be done.
    """
    name = definition.name
    table = tables.wait_until_active(wire, name, clock=clock, sleep=sleep)
    left = list(requests(definition, table.arn))
    while left:
        operation, request = left[0]
        about = table.arn if operation == "TagResource" else name
        try:
            wire.call(operation, orjson.dumps(request), table=about)
        except Error as error:
            undone = ", ".join(_words(request) for _, request in left)
            said = f"The items of table {name} are all there, and not yet its {undone}"
            error.hint = (
                f"{said}: set these by hand, or delete the table and run again. {error.hint}"
            )
            raise
        left.pop(0)
        table = tables.wait_until_active(wire, name, clock=clock, sleep=sleep)
    return table


def _words(request: dict[str, Any]) -> str:
    names = {"TimeToLiveSpecification": "TTL", "StreamSpecification": "stream", "Tags": "tags"}
    names |= {"TableClass": "table class", "DeletionProtectionEnabled": "deletion protection"}
    return next(words for name, words in names.items() if name in request)
