"""Waiting between tries.

botocore retries whole calls; this is for what it does not see: a call that succeeded in part.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Backoff:
    """Exponential delays with full jitter.

    Attributes:
        first: The bound of the first delay, in seconds.
        limit: The bound that no delay exceeds, in seconds.
        seed: Makes the delays repeatable; None draws new ones each time.
    """

    first: float = 0.05
    limit: float = 5.0
    seed: int | None = None

    def delays(self) -> Iterator[float]:
        """Yield delays in seconds, for ever.

        Yields:
            A delay between half its bound and its bound; the bound doubles up to `limit`.
        """
        draw = random.Random(self.seed)  # noqa: S311 - jitter needs no secrecy
        bound = self.first
        while True:
            yield bound * draw.uniform(0.5, 1.0)
            bound = min(bound * 2, self.limit)
