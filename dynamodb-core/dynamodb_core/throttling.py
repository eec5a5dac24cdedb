"""Why DynamoDB throttles, and what becomes of a rate then: additive increase, multiplicative decrease; pure.

A table, an index or an account that is at its limit asks for a lower rate. A key range that is hot
does not: the rest of the table has room, and only what touches that range has to wait.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import orjson

LOWER_TO = 0.7
"""The share of a rate that is left when it was too much."""

LOWER_SECONDS = 1.0
"""Between two decreases: calls that were under way at the first one say nothing new."""

LEAST_RATE = 1.0
"""Units a second that no throttling takes away: somebody has to find out when it is over."""

RAISE_SHARE = 0.05
"""Of the rate that was left by the last decrease, what comes back each second without another."""

WHOLE_SECONDS = 120.0
"""The whole comes back in this time at the latest."""

HOT_SECONDS = 30.0
"""For so long a reason is held to be that of writes that come back without one."""

_INDEX = "/index/"


class Throttle(NamedTuple):
    """One reason for which DynamoDB has throttled a try of a call.

    Attributes:
        reason: As `ThrottlingReasons` has it, for example `TableWriteKeyRangeThroughputExceeded`;
            empty where an answer names none.
        resource: The ARN of the table or index; empty likewise.
    """

    reason: str = ""
    resource: str = ""

    @property
    def hot(self) -> bool:
        """Whether a key range is hot, rather than the table, the index or the account at its limit."""
        return "KeyRange" in self.reason

    @property
    def of_reading(self) -> bool:
        """Whether it is known to be about reading, which has a capacity of its own."""
        return "Read" in self.reason

    @property
    def of_index(self) -> str:
        """The index that it is about; empty for the table itself."""
        return self.resource.partition(_INDEX)[2]


def reasons(body: bytes) -> list[Throttle]:
    """Return the reasons in the body of an error that says that a call was throttled.

    Args:
        body: The body, as it arrived.

    Returns:
        Each reason once; one that is empty where the body names none.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    said: Any = None
    if isinstance(answer, dict):
        said = answer.get("ThrottlingReasons") or answer.get("throttlingReasons")
    if not isinstance(said, list):
        said = []
    found = [
        Throttle(str(each.get("reason") or ""), str(each.get("resource") or ""))
        for each in said
        if isinstance(each, dict)
    ]
    return list(dict.fromkeys(found)) or [Throttle()]


def lowered(rate: float, consumed: float) -> float:
    """Return the rate after a throttle.

    Args:
        rate: The rate until now; infinite where there was none.
        consumed: Units a second that were really consumed of late.

    Returns:
        A share of what was consumed, as a rate that is not used up cannot be what was too much; but
        at least of half the rate, as little may have been consumed for want of anything to do. It
        stays infinite while nothing was consumed.
    """
    if math.isinf(rate):
        return max(consumed * LOWER_TO, LEAST_RATE) if consumed else rate
    base = min(rate, max(consumed, rate / 2))
    return min(rate, max(base * LOWER_TO, LEAST_RATE))


def step(after: float, whole: float) -> float:
    """Return by how much a rate rises in a second without a throttle.

    Args:
        after: What the last decrease has left.
        whole: The ceiling; or what was consumed before the first throttle, where there is no ceiling.
    """
    return max(after * RAISE_SHARE, whole / WHOLE_SECONDS)
