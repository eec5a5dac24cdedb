"""Whether what is written to a table can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from dynamodb_core.wire import Wire


def recoverable(wire: Wire, name: str) -> bool | None:
    """Return whether a table has point-in-time recovery.

    Args:
        wire: Carries the call.
        name: The table's name or ARN.

    Returns:
        None where that may not be asked, or the service does not know.
    """
    try:
        reply = wire.call(
            "DescribeContinuousBackups", orjson.dumps({"TableName": name}), table=name
        )
        said = orjson.loads(reply)["ContinuousBackupsDescription"]
        status = said["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    except (Error, KeyError, TypeError, ValueError):
        return None
    return bool(status == "ENABLED")
