"""Attributes whose values have no column of their type: warned of once, counted at the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

SHOWN = 5
"""So many attributes get a warning of their own, and a place in the summary."""


class Misfits:
    """Counts the items of which an attribute did not fit.

    Args:
        log: Where to warn.
        reserved: Name of the object in which such values travel; None when they are left out.
    """

    def __init__(self, log: logging.Logger, reserved: str | None) -> None:
        self._log = log
        self._fate = (
            f"travel in {reserved}, and a column of that name is empty there"
            if reserved
            else "are left out, as type_tags is off"
        )
        self._counts: Counter[str] = Counter()

    def add(self, counts: Mapping[str, int]) -> None:
        """Count items by attribute, and warn of attributes that are new here.

        Args:
            counts: Items by attribute.
        """
        for name in sorted(counts.keys() - self._counts.keys()):
            if len(self._counts) < SHOWN:
                self._log.warning(
                    "Attribute %r has values without a column of their type; they %s",
                    name,
                    self._fate,
                )
            elif len(self._counts) == SHOWN:
                self._log.warning("More such attributes are counted at the end of the table")
            self._counts[name] = 0
        self._counts.update(counts)

    def summary(self) -> str:
        """Return the counts in words; empty when everything fitted."""
        most = self._counts.most_common(SHOWN)
        more = len(self._counts) - len(most)
        words = ", ".join(f"{name!r} {count:,}" for name, count in most)
        return f"{words} and those of {more} more attributes" if more else words
