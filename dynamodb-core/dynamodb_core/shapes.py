"""What items look like: a fold over typed items, from which the fast road is compiled.

A shape says which DynamoDB types were seen at a position, and what was inside of them. It promises
nothing: an item that does not fit is converted by the reference and teaches the shape.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core.codec import TYPES
from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# A map is taken for a dictionary, whose names are data, when it has more names than this …
_FEW = 32
# … and more than so many times the names that one map of its kind has.
_VARIETY = 4


@dataclass
class Shape:
    """What was seen at one position.

    Attributes:
        kinds: DynamoDB types, in the order in which they were seen.
        fields: What maps held here; meaningful when `M` was seen.
        element: What lists held here, None while every list was empty.
    """

    kinds: dict[str, None] = field(default_factory=dict)
    fields: Fields | None = None
    element: Shape | None = None

    def add(self, typed: Mapping[str, Any]) -> None:
        """Take one typed value into account."""
        ((kind, value),) = typed.items()
        if kind not in TYPES:
            raise ValueError(kind)
        self.kinds[kind] = None
        if kind == "M":
            if self.fields is None:
                self.fields = Fields()
            self.fields.add(value)
        elif kind == "L":
            for part in value:
                if self.element is None:
                    self.element = Shape()
                self.element.add(part)

    def merge(self, other: Shape) -> None:
        """Take everything into account that another shape has seen."""
        self.kinds.update(other.kinds)
        if other.fields is not None:
            self.fields = self.fields or Fields()
            self.fields.merge(other.fields)
        if other.element is not None:
            self.element = self.element or Shape()
            self.element.merge(other.element)

    def inside(self) -> Iterator[Shape]:
        """Yield the shapes one level further in."""
        if self.element is not None:
            yield self.element
        if self.fields is not None:
            yield from self.fields.inside()


@dataclass
class Fields:
    """What was seen in the maps at one position.

    Attributes:
        count: How many maps.
        total: How many entries they had together.
        shapes: The shape of each name, in the order in which they were seen.
        seen: How many maps had the name.
        values: The shape of all values together once the map is taken for a dictionary, and the
            names are no longer kept.
    """

    count: int = 0
    total: int = 0
    shapes: dict[str, Shape] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    values: Shape | None = None

    def add(self, entries: Mapping[str, Mapping[str, Any]], *, many: bool = False) -> None:
        """Take one map into account; an item is a map as well.

        Args:
            entries: Typed values by name.
            many: Whether names may be many without making it a dictionary.
        """
        self.count += 1
        self.total += len(entries)
        for name, typed in entries.items():
            if self.values is not None:
                self.values.add(typed)
                continue
            if name not in self.shapes:
                self.shapes[name] = Shape()
                self.seen[name] = 0
            self.shapes[name].add(typed)
            self.seen[name] += 1
        if not many and (self.varied(_VARIETY, _FEW) or not all(map(nameable, entries))):
            self.generalise()

    def merge(self, other: Fields) -> None:
        """Take everything into account that other maps have shown."""
        self.count += other.count
        self.total += other.total
        if other.values is not None:
            self.generalise()
        if self.values is not None:
            for shape in other.inside():
                self.values.merge(shape)
            return
        for name, shape in other.shapes.items():
            self.shapes.setdefault(name, Shape()).merge(shape)
            self.seen[name] = self.seen.get(name, 0) + other.seen[name]
        if self.varied(_VARIETY, _FEW):
            self.generalise()

    def varied(self, times: int, few: int) -> bool:
        """Whether there are more than a few names, and many times those of the average map."""
        names = len(self.shapes)
        return names > few and names * self.count > times * self.total

    def generalise(self) -> None:
        """Take these maps for dictionaries from now on."""
        if self.values is None:
            self.values = Shape()
            for shape in self.shapes.values():
                self.values.merge(shape)
            self.shapes, self.seen = {}, {}

    def always(self, name: str) -> bool:
        """Whether every map had the name."""
        return self.seen[name] == self.count

    def inside(self) -> Iterator[Shape]:
        """Yield the shapes of the values."""
        if self.values is not None:
            yield self.values
        yield from self.shapes.values()


def nameable(name: str) -> bool:
    """Whether a struct can have a field of this name in JSON: msgspec wants one without escapes."""
    return '"' not in name and "\\" not in name and (name.isprintable() or min(name) >= " ")


def learned(fields: Fields | None, items: Iterable[Mapping[str, Mapping[str, Any]]]) -> Fields:
    """Return what was known of items together with what further items show; pure.

    Args:
        fields: What was known, None at the beginning. It is not changed.
        items: Typed items.

    Raises:
        DataError: One of them is not in DynamoDB's JSON.
    """
    known = Fields() if fields is None else copy.deepcopy(fields)
    for item in items:
        try:
            known.add(item, many=True)
        except (AttributeError, TypeError, ValueError):
            raise DataError("An item is not in DynamoDB's JSON") from None
    return known


def size(fields: Fields) -> int:
    """Return how many positions a shape describes."""
    waiting = list(fields.inside())
    count = 0
    while waiting:
        shape = waiting.pop()
        count += 1
        waiting.extend(shape.inside())
    return count
