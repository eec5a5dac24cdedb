"""How it is told that changes are gone before they were read; pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from dynamodb_core.errors import HistoryLost

START_OVER = "Start over with a new snapshot: run with --full-refresh, or clear the state"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def history_lost(
    stream: str, shard: str = "", since: int | None = None, until: int | None = None
) -> HistoryLost:
    """Return the error that names the hole.

    Args:
        stream: The stream, as its service says it.
        shard: The shard; empty where it is the whole stream.
        since: From when on changes may be missing, in microseconds since 1970; None or 0 where that
            is not known.
        until: Until when; likewise.
    """
    what = f"shard {shard} of {stream}" if shard else stream
    begin = f"from {_moment(since)}" if since else "from its beginning"
    end = f"to {_moment(until)}" if until and until > (since or 0) else "on"
    return HistoryLost(
        f"Changes of {what} are gone before they were read, {begin} {end}",
        START_OVER,
    )


def _moment(micros: int) -> str:
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%SZ")
