"""Where a read of many parts stands: what is finished, and where each begun part goes on; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core.parts import Part
from dynamodb_core.scan import shuffled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynamodb_core.parts import Block


@dataclass(kw_only=True)
class Places:
    """The parts of a source that have been read, and those that have not.

    Attributes:
        segments: Into how many parts the source is divided; places are valid for it only.
        seed: Decides the order in which the parts are read.
        only: The first and the last part that the read is about; None for all.
        finished: Parts read to their end.
        places: The key to go on after, by part.
    """

    segments: int
    seed: int
    only: tuple[int, int] | None = None
    finished: set[int] = field(default_factory=set)
    places: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def numbers(self) -> range:
        """The parts that the read is about."""
        first, last = self.only or (0, self.segments - 1)
        return range(first, min(last + 1, self.segments))

    @property
    def complete(self) -> bool:
        """Whether every part has been read to its end."""
        return not self.left

    @property
    def left(self) -> int:
        """How many parts are not finished."""
        return len(self.numbers) - len(self.finished)

    def parts(self) -> list[Part]:
        """Return what is left to read: begun parts first, then the others in shuffled order."""
        left = [number for number in self._order if number not in self.finished]
        left.sort(key=lambda number: number not in self.places)
        return [Part(number, self.places.get(number)) for number in left]

    def advance(self, block: Block[Any]) -> None:
        """Note that a block's payload is out."""
        if block.finished:
            self.finished.add(block.part)
            self.places.pop(block.part, None)
        else:
            self.places[block.part] = block.place

    def dump_places(self) -> dict[str, Any]:
        """Return what `restore` takes, as JSON.

        `finished` holds ranges of places in the shuffled order, both ends included: about as many as
        there are workers, however many parts there are. `places` holds the number of each part that was
        begun, and the last key read of it.
        """
        return {
            "finished": ranges(n for n, it in enumerate(self._order) if it in self.finished),
            "places": [[number, dict(key)] for number, key in sorted(self.places.items())],
        }

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump_places` returned of a read with the same segments, seed and `only`.

        Args:
            dumped: That, perhaps damaged.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: It is no such thing.
        """
        self.places = {int(number): dict(key) for number, key in dumped["places"]}
        self.finished = self._at(dumped["finished"])

    @cached_property
    def _order(self) -> list[int]:
        return [n for n in shuffled(self.segments, self.seed) if n in self.numbers]

    def _at(self, finished: Sequence[tuple[int, int]]) -> set[int]:
        """Return the parts at these places of the order."""
        places = {place for a, b in finished for place in range(a, b + 1)}
        if not self._order or not places <= set(range(len(self._order))):
            raise ValueError("finished")
        return {self._order[place] for place in places}


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Fold numbers into ascending ranges, both ends included.

    Example: `[0, 1, 2, 5]` becomes `[[0, 2], [5, 5]]`.
    """
    folded: list[list[int]] = []
    for number in sorted(numbers):
        if folded and number == folded[-1][1] + 1:
            folded[-1][1] = number
        else:
            folded.append([number, number])
    return folded
