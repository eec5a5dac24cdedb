"""How fast a stream's table is read, as its settings say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynamodb_core.pace import ReadPace
from tap_dynamodb import selection

if TYPE_CHECKING:
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source


def read_pace(wire: Wire, source: Source, settings: Settings, *, share: float = 1.0) -> ReadPace:
    """Return the rate of one table's read.

    Args:
        wire: Carries the calls.
        source: The table.
        settings: The table's own.
        share: Which part of it this machine reads; units that are set are a machine's own.
    """
    readable = partial(selection.readable, settings=settings)
    return ReadPace(
        wire, source.reference, source.table, settings.pace, readable=readable, share=share
    )
