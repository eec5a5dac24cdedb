"""One scan split into a stream for each entity of a single-table design; pure.

Only the attributes that the rules look at are decoded, as every item passes through here before it
is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from dynamodb_core import numbers
from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.shapes import nameable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Values = tuple[Any, ...]
    Test = Callable[[Values], bool]
    Decode = Callable[[msgspec.Raw], Any]
    Get = Callable[[Any], Values]


class _Value(msgspec.Struct, frozen=True, gc=False):
    """A typed value, of the types that a rule can ask for."""

    S: str | UnsetType = UNSET
    N: str | UnsetType = UNSET
    BOOL: bool | UnsetType = UNSET


_MISSING = _Value()


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
    _decode: Decode = field(repr=False)
    _get: Get = field(repr=False)

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
        slots: dict[tuple[str, str], int] = {}
        routes = []
        for rule in rules:
            tests = []
            for name, wanted in rule["where"].items():
                slot = slots.setdefault((name, _kind(wanted)), len(slots))
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
        decode, get = _reader(list(slots))
        return cls(
            streams=(*streams, own_stream),
            attributes=frozenset(name for name, _ in slots),
            _routes=tuple(routes),
            _decode=decode,
            _get=get,
        )

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
        decode, get, rest = self._decode, self._get, found[own].append
        try:
            for raw in items:
                values = get(decode(raw))
                for test, add in routes:
                    if test(values):
                        add(raw)
                        break
                else:
                    rest(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DataError("An item is not in DynamoDB's JSON") from None
        return found


def _kind(wanted: Mapping[str, Any]) -> str:
    """Return the DynamoDB type that a condition asks for."""
    value = wanted.get("equals", "")
    return "S" if isinstance(value, str) else "BOOL" if isinstance(value, bool) else "N"


def _test(slot: int, wanted: Mapping[str, Any]) -> Test:
    """Return the test of a condition, of values with the attribute's at a slot."""
    if "prefix" in wanted:
        prefix = wanted["prefix"]
        return lambda values: (text := values[slot]) is not UNSET and text.startswith(prefix)
    value = wanted["equals"]
    if isinstance(value, str | bool):
        return lambda values: values[slot] == value
    number = numbers.canonical(numbers.from_python(value))
    return lambda values: (
        (text := values[slot]) == number
        or (text is not UNSET and numbers.canonical(text) == number)
    )


def _both(one: Test, other: Test) -> Test:
    return lambda values: one(values) and other(values)


def _reader(slots: Sequence[tuple[str, str]]) -> tuple[Decode, Get]:
    """Return what decodes an item, and what takes the values of the slots from that."""
    names = {name: f"f{number}" for number, name in enumerate(dict.fromkeys(n for n, _ in slots))}
    if not names or not all(map(nameable, names)):

        def get(item: dict[str, _Value]) -> Values:
            return tuple(getattr(item.get(name, _MISSING), kind) for name, kind in slots)

        return msgspec.json.Decoder(dict[str, _Value]).decode, get
    struct = msgspec.defstruct(
        "Item",
        [(own, _Value, _MISSING) for own in names.values()],
        rename={own: name for name, own in names.items()},
        gc=False,
    )
    paths = [f"{names[name]}.{kind}" for name, kind in slots]
    # An attrgetter of one path returns no tuple, so that the last stands there twice.
    return msgspec.json.Decoder(struct).decode, attrgetter(*paths, paths[-1])
