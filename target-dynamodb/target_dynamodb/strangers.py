"""Messages of types that the target does not know: Singer permits any, and a target passes them over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

SHOWN = 60
"""Characters of a type that the log shows."""

MOST_TYPES = 20
"""So many types are told apart; what comes after them is counted as one."""

OTHERS = "other types"


class Strangers:
    """Passes messages over, and says so: once a type, and how many there were at the end.

    Args:
        log: Told of them.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._counts: Counter[str] = Counter()

    def pass_over(self, kind: str, line: int, known: Iterable[str]) -> None:
        """Pass over a message.

        Args:
            kind: Its type.
            line: The line of the input that it is.
            known: The types that the target knows.

        Raises:
            DataError: It is one of those but for capital letters.
        """
        if kind.strip().upper() in known:
            raise DataError(
                f"Line {line} of the input has the type {kind!r}, which Singer writes "
                f"{kind.strip().upper()}",
                "Look at what writes the input; passed over, its records would be lost",
            )
        shown = kind if len(kind) <= SHOWN else f"{kind[:SHOWN]}..."
        if shown not in self._counts and len(self._counts) >= MOST_TYPES:
            shown = OTHERS
        self._counts[shown] += 1
        if self._counts[shown] == 1:
            self._log.warning(
                "Line %d of the input is a message of the type %s, which this target does not know: "
                "it and all others of this type are passed over",
                line,
                shown,
            )

    def conclude(self) -> None:
        """Say how many messages were passed over, if there were any."""
        if self._counts:
            each = ", ".join(f"{count:,} of type {kind}" for kind, count in self._counts.items())
            self._log.info("Messages that were passed over: %s", each)
