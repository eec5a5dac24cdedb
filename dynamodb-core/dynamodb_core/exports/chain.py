"""Exports in the order of time: a full one, then its windows, so that in the end the table's state stands. Pure.

::

    full      ●                         what the table was at that moment
    windows   ├────────┤                begins at that moment, exactly
                       ├────────┤       begins where the last one ended
                    ├──────────────┤    or before: they overlap; what only the later one knows: overlap.py
                         ├──┤           inside another: says nothing that that one does not say

What lies between two windows nobody knows: such a gap is an error. So is a window that begins before the
full export, whose lines say no times: whether a change came before or after it cannot be told. A window
that ends by then is left out, and so is a full export that the windows before it lead up to: reading on
from the older one gives the same items, and their deletions, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.kinds import said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import NoReturn

    from dynamodb_core.exports.kinds import Export


@dataclass(frozen=True)
class Stage:
    """An export, as it is read after the ones before it.

    Attributes:
        export: The export.
        later: The next window, where it overlaps this one: `overlap.gone` tells which items of this
            one are gone, though no line of either says so.
    """

    export: Export
    later: Export | None = None


def _say_nothing(export: Export, why: str) -> None:
    """Leave unsaid what is left out."""


def stages(
    exports: Sequence[Export], *, skipped: Callable[[Export, str], None] = _say_nothing
) -> list[Stage]:
    """Return what is to be read, in this order.

    Args:
        exports: The exports of one table, in any order.
        skipped: Called with each export that is not to be read, and with the reason as a clause.

    Raises:
        ConfigError: They are not of one table, do not follow each other, or do not say their time.
    """
    if len(exports) <= 1:
        return [Stage(export) for export in exports]
    for number, export in enumerate(exports):
        _refuse_timeless(export, exports[number - 1])
    _refuse_strangers(exports)
    full = sorted((each for each in exports if each.kind == "full"), key=_moment)
    windows = sorted((each for each in exports if each.kind != "full"), key=_window)
    chained = [full[0]] if full else []
    for window in windows:
        _chain(chained, window, full, skipped)
    for other in full[1:]:
        reached = chained[-1]
        if _end(reached) < _end(other):
            _refuse_two(full[0], other)
        skipped(
            other, f"{reached} leads up to it" if reached.kind != "full" else f"so does {reached}"
        )
    return [
        *(Stage(one, two if _begins(two) < _end(one) else None) for one, two in pairwise(chained)),
        Stage(chained[-1]),
    ]


def _chain(
    chained: list[Export],
    window: Export,
    full: Sequence[Export],
    skipped: Callable[[Export, str], None],
) -> None:
    """Add a window to those that begin before it."""
    last = chained[-1] if chained else None
    if last is None:
        chained.append(window)
    elif _end(window) <= _end(last):
        skipped(window, f"it ends before {last}" if last.kind == "full" else f"it is inside {last}")
    elif last.kind == "full" and _begins(window) < _end(last):
        raise ConfigError(
            f"The window of {window.location} begins at {said(window.since)}, before the time of the "
            f"full export {last.location}, {said(last.at)}: whether its changes came before that cannot "
            "be told",
            "Export windows from that time on, to the millisecond, and leave this one out",
        )
    elif _begins(window) > _end(last):
        for other in full[1:]:
            if _end(other) > _end(last):
                _refuse_two(full[0], other)
        raise ConfigError(
            f"The window from {said(_end(last))} to {said(window.since)} is missing: it lies between "
            f"{last} and {window}",
            "Export that window, too; or begin with a newer full export",
        )
    else:
        chained.append(window)


def _refuse_timeless(export: Export, other: Export) -> None:
    full = export.kind == "full" and export.at is not None
    window = export.kind == "incremental" and export.since is not None and export.until is not None
    if not full and not window:
        raise ConfigError(
            f"Nothing says which time {export} tells of, so that it cannot be read together with {other}",
            "Name one of them",
        )


def _refuse_strangers(exports: Sequence[Export]) -> None:
    for name, what in (("table_arn", "table"), ("table_id", "table of the id")):
        first: Export | None = None
        for export in exports:
            mine = getattr(export, name)
            if mine is None:
                continue
            if first is None:
                first = export
            elif getattr(first, name) != mine:
                raise ConfigError(
                    f"{first} is of {what} {getattr(first, name)}, and {export} of {mine}",
                    "Name exports of one table; one that was made anew is another table",
                )


def _refuse_two(one: Export, other: Export) -> NoReturn:
    raise ConfigError(
        f"There are two full exports, and no windows that lead from one to the other: {one} and {other}",
        "Name the one to read, with the windows after it",
    )


def _moment(full: Export) -> tuple[datetime, str]:
    return _end(full), full.location


def _window(window: Export) -> tuple[datetime, float, str]:
    """Sort by the beginning; of two that begin at once the longer one is first."""
    return _begins(window), -_end(window).timestamp(), window.location


def _begins(export: Export) -> datetime:
    begins = export.at or export.since
    assert begins
    return begins


def _end(export: Export) -> datetime:
    """Return the moment of which the table's state is known once an export has been read."""
    ends = export.at or export.until
    assert ends
    return ends
