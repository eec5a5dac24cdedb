"""The windows that incremental exports are asked for: chained, none overlapping another. Pure.

::

    since                                                    latest
      ├────── 24 h ──────┼────── 24 h ──────┼──── 7 h 20 ──────┤
                                                  or: ── 9 min ┤   too short: left for the next time

What DynamoDB takes is a window of 15 minutes to 24 hours. Each begins exactly where the one before it
ended, the first one at the moment of the full export or at the end of the last window that was read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

LEAST = timedelta(minutes=15)
MOST = timedelta(hours=24)
"""How short and how long a window may be."""


class Window(NamedTuple):
    """A window of time.

    Attributes:
        since: Where it begins; that moment is in it.
        until: Where it ends; that moment is not in it.
    """

    since: datetime
    until: datetime


class Windows(NamedTuple):
    """What can be asked for, and what cannot yet.

    Attributes:
        windows: The windows, in their order.
        rest: How long it is from the last one's end, or from the beginning, to the latest moment.
    """

    windows: tuple[Window, ...]
    rest: timedelta


def windows(since: datetime, latest: datetime) -> Windows:
    """Return the windows from one moment to another; their ends are whole seconds, but for the first's.

    Args:
        since: Up to where everything is known.
        latest: The latest moment that can be exported.
    """
    latest = latest.replace(microsecond=0)
    found = []
    while latest - since >= LEAST:
        until = min(latest, (since + MOST).replace(microsecond=0))
        found.append(Window(since, until))
        since = until
    return Windows(tuple(found), max(latest - since, timedelta()))
