"""What a sample of a table has shown, a pure fold, and the columns that follow from it."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.table import Key

WHOLE_IN_DOUBLE = 2**53
"""Up to here a double holds every whole number."""


@dataclass
class Seen:
    """What a sample has shown. Merging is a fold: the order of items does not matter.

    Attributes:
        counts: How often each attribute had each type.
        inexact: How many of an attribute's numbers are not safe in a double.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    inexact: Counter[str] = field(default_factory=Counter)

    def add(self, item: Mapping[str, Mapping[str, Any]]) -> Seen:
        """Count a typed item's attributes, and return self."""
        for name, value in item.items():
            for kind, content in value.items():
                self.counts.setdefault(name, Counter())[kind] += 1
                if kind == "N" and not safe_in_double(content):
                    self.inexact[name] += 1
        return self

    def merge(self, other: Seen) -> Seen:
        """Add what another sample has shown, and return self."""
        for name, counts in other.counts.items():
            self.counts.setdefault(name, Counter()).update(counts)
        self.inexact.update(other.inexact)
        return self

    def kind(self, name: str) -> str | None:
        """Return the type that an attribute had most often; None where it was only ever NULL."""
        typed = {kind: n for kind, n in self.counts.get(name, {}).items() if kind != "NULL"}
        return min(typed, key=lambda kind: (-typed[kind], kind), default=None)


def safe_in_double(text: str) -> bool:
    """Return whether a double holds a number, and every whole number up to it, exactly.

    Args:
        text: The text of an N. One that is no number counts as safe: the scan refuses it by name.
    """
    if len(text) <= sys.float_info.dig and text.isdigit():
        return True
    try:
        value, double = Decimal(text), float(text)
    except (InvalidOperation, ValueError):
        return True
    return -WHOLE_IN_DOUBLE <= value <= WHOLE_IN_DOUBLE and Decimal(repr(double)) == value


def columns(
    seen: Seen,
    key: Key,
    limit: int,
    reserved: str | None = None,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Decide the columns of a plain stream.

    Args:
        seen: What the sample has shown.
        key: The table's key; its attributes come first, with the key's types.
        limit: Most columns; beyond it the attributes seen least often are left out.
        reserved: The name that no column may have.
        given: DynamoDB types of attributes that are columns in any case.

    Returns:
        DynamoDB type by attribute, keys first, then by name. An attribute of several types gets the
        type it had most often; one that was only ever NULL gets no column, as nothing decides it.
    """
    decided = dict(given or {})
    room = max(limit - len(key.names) - len(decided), 0)
    free = seen.counts.keys() - decided.keys() - {*key.names, reserved}
    often = sorted(free, key=lambda name: (-sum(seen.counts[name].values()), name))
    typed = ((name, seen.kind(name)) for name in often)
    decided.update(islice(((name, kind) for name, kind in typed if kind), room))
    chosen = dict(zip(key.names, key.types, strict=True))
    return chosen | {name: decided[name] for name in sorted(decided)}
