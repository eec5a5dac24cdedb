"""A few numbers that several threads change, or several processes."""

from __future__ import annotations

import threading
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import MutableSequence
    from contextlib import AbstractContextManager


class Cells(NamedTuple):
    """Numbers and the lock to hold while they are read and changed.

    Those of `processes.shared_cells` are shared by processes: they travel with a job.

    Attributes:
        values: The numbers.
        lock: Held by one thread of one process at a time.
    """

    values: MutableSequence[float]
    lock: AbstractContextManager[Any]


def own_cells(count: int) -> Cells:
    """Return cells for the threads of this process, all 0.

    Args:
        count: How many.
    """
    return Cells(array("d", bytes(8 * count)), threading.Lock())
