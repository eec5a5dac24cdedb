"""A snapshot and a stream in turn, so that nothing is lost between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Block = TypeVar("Block")

PHASE_SECONDS = 300.0
"""How long pages are read before it is the stream's turn."""

MARGIN_SECONDS = 10.0
"""From the last change that went out to the next page: longer than an eventually consistent read is late."""

LAG_SECONDS = 5.0
"""From the last page to the moment that the stream is read up to: longer than a change takes to get into
the stream, and than clocks differ."""


def alternate(
    pages: Callable[[], Iterable[Block]],
    changes: Callable[[float], Iterable[Block]],
    complete: Callable[[], bool],
    *,
    clock: Callable[[], float],
    wait: Callable[[float], object],
    margin: float = MARGIN_SECONDS,
    lag: float = LAG_SECONDS,
    rested: bool = False,
    enough: Callable[[], bool] = bool,
) -> Iterator[Block]:
    """Read a table and the stream of its changes in turn, until both are out.

    The stream's positions were noted before the first page was read. By key, whoever takes all this in
    its order ends with what the table held when the last phase began, or with something newer:

    - A page is followed by all changes since it was read: the stream goes on where it stood before the
      page, and its last phase reaches beyond the last page. Where no change of a key follows, the page
      told the newest.
    - A page follows no change that it does not know: it shows the table as it was `margin` ago or later,
      and by then all changes before it had been made. So it brings no deleted item back. This goes for
      changes of an earlier run, too, which may have ended a moment ago.
    - A change that is told a second time, or that a page knows already, is followed by all later ones
      of its key, the last of which has the last word.

    A table of any size is read so, as no change waits longer than a phase of pages takes. (Runs
    that have enough after some pages must begin with the stream, else it forgets: whoever calls this
    sees to that.)

    Args:
        pages: Reads the table for some time, on from where it was left.
        changes: Reads the stream up to a moment, on from where it was left.
        complete: Whether all of the table is out.
        clock: Tells the moment, in seconds since 1970.
        wait: Waits for seconds.
        margin: Seconds to wait before pages are read; 0 where they are read consistently.
        lag: Seconds to wait after the last page.
        rested: Whether nothing went out before: the first pages come at once.
        enough: Looked at after each phase; ends the read when it is true.

    Yields:
        What `pages` and `changes` do.
    """
    over = False
    while not over:
        if not complete():
            if not rested:
                wait(margin)
            rested = False
            yield from pages()
        if enough():
            return
        over = complete()
        if over:
            wait(lag)
        yield from changes(clock())
        if enough():
            return
