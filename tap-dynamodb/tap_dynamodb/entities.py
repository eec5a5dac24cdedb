"""One scan split into a stream for each entity of a single-table design; pure.

Only the attributes that the rules look at are decoded, as every item passes through here before it
is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from dynamodb_core import numbers
from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.peek import peek

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import msgspec

    from dynamodb_core.peek import Value

    Values = tuple[Value, ...]
    Test = Callable[[Values], bool]


@dataclass(frozen=True)
class Entities:
    """The rules of one table. Threads may share them.

    Attributes:
        streams: The streams of entities, in the order of the rules, then the table's own.
        attributes: What the rules look at; it must be read for them to hold.
    """

    streams: tuple[str, ...]
    attributes: frozenset[str]
    _routes: tuple[tuple[Test, str], ...] = field(repr=False)
    _look: Callable[[msgspec.Raw], Values] = field(repr=False)
    _rules: Sequence[Mapping[str, Any]] = field(repr=False)

    @classmethod
    def of(cls, rules: Sequence[Mapping[str, Any]], own_stream: str) -> Entities:
        """Read the setting `entities`.

        Args:
            rules: As the setting has them; none where a table is one stream.
            own_stream: The table's own stream, of the items that meet no rule. Rules may name it,
                and each other's streams.

        Raises:
            ConfigError: A rule wants a number that DynamoDB cannot hold.
        """
        slots: dict[str, int] = {}
        routes = []
        for rule in rules:
            tests = []
            for name, wanted in rule["where"].items():
                slot = slots.setdefault(name, len(slots))
                try:
                    tests.append(_test(slot, wanted))
                except DataError as error:
                    raise ConfigError(
                        f"Entity {rule['stream']} of stream {own_stream} asks for {name}: "
                        f"{error.message}",
                        error.hint,
                    ) from error
            routes.append((reduce(_both, tests), rule["stream"]))
        streams = dict.fromkeys(rule["stream"] for rule in rules if rule["stream"] != own_stream)
        return cls(
            streams=(*streams, own_stream),
            attributes=frozenset(slots),
            _routes=tuple(routes),
            _look=peek(list(slots) or [""]),
            _rules=rules,
        )

    def __reduce__(self) -> Any:
        """Pickle by the rules."""
        return Entities.of, (self._rules, self.streams[-1])

    def split(self, items: Sequence[msgspec.Raw]) -> dict[str, list[msgspec.Raw]]:
        """Return the items of each stream, in their order.

        Args:
            items: The bytes of each item.

        Returns:
            Items by stream, for every one of `streams` in its order, be it empty.

        Raises:
            DataError: An item is not in DynamoDB's JSON.
        """
        own = self.streams[-1]
        if not self._routes:
            return {own: list(items)}
        found: dict[str, list[msgspec.Raw]] = {stream: [] for stream in self.streams}
        routes = [(test, found[stream].append) for test, stream in self._routes]
        look, rest = self._look, found[own].append
        for raw in items:
            values = look(raw)
            for test, add in routes:
                if test(values):
                    add(raw)
                    break
            else:
                rest(raw)
        return found

    def streams_of(self, item: msgspec.Raw, known: Collection[str] | None = None) -> Sequence[str]:
        """Return the streams that an item may belong to: one, or all where that cannot be known.

        Args:
            item: The item, or as much of it as there is.
            known: Which attributes there are of it; None where it is whole.

        Raises:
            DataError: The item is not in DynamoDB's JSON.
        """
        if not self._routes:
            return self.streams
        if known is not None and not self.attributes <= set(known):
            return self.streams
        values = self._look(item)
        return [next((name for test, name in self._routes if test(values)), self.streams[-1])]


def _test(slot: int, wanted: Mapping[str, Any]) -> Test:
    """Return the test of a condition, of values with the attribute's at a slot."""
    if "prefix" in wanted:
        prefix = wanted["prefix"]
        return lambda values: (text := values[slot].S) is not UNSET and text.startswith(prefix)
    value = wanted["equals"]
    if isinstance(value, str):
        return lambda values: value == values[slot].S
    if isinstance(value, bool):
        return lambda values: values[slot].BOOL is value
    number = numbers.canonical(numbers.from_python(value))
    return lambda values: (
        (text := values[slot].N) == number
        or (text is not UNSET and numbers.canonical(text) == number)
    )


def _both(one: Test, other: Test) -> Test:
    return lambda values: one(values) and other(values)
