"""The keys of generated items: how they are spread over partition keys, and their values; pure.

An item's key follows from its number alone, so that another seed makes other items of the same keys.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Literal, NamedTuple

import orjson

from dynamodb_core import numbers
from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.table import Key

Spread = Literal["uniform", "hot"]

MOST_NUMBER = 10**12
"""No item has this number, or a higher one: a key's text has twelve digits."""

HOT_OF_TEN = 9
"""Of ten items one after the other, how many have the hot partition key."""

SIDE_BY_SIDE = 100
"""So many items one after the other have different partition keys, where they are spread evenly."""

PER_PARTITION = 10
"""So many items have one partition key then, where there is a sort key."""

_HARD_FROM = 1_000_000
"""Added to numeric keys that are no hard ones: no hard one is so much and twelve digits at most."""

KEY_BYTES = {"S": 12, "N": 7, "B": 8}
"""The most that DynamoDB counts for a plain value of a key, by its type."""


class Value(NamedTuple):
    """A value of a key attribute.

    Attributes:
        json: It as JSON, without its type: a string.
        plain: It as a property of a record: a string, or a number.
        identity: What `Key.identity` has of it.
    """

    json: str
    plain: str
    identity: tuple[str, str]


Place = tuple[int, int]
"""Numbers of an item's partition key and sort key."""


def places(key: Key, spread: Spread) -> Callable[[int], Place]:
    """Return what says where the item of a number is.

    Args:
        key: The table's key.
        spread: `uniform`: the partition keys have 10 items each; or one each, without a sort key. `hot`:
            nine items in ten have one partition key, the tenth is spread as if uniform.

    Raises:
        ConfigError: The key allows no such spread.
    """
    if len(key.names) == 1:
        if spread == "hot":
            raise ConfigError(
                f"With the key {key} no partition key can be hot: each item has one of its own",
                "Take a table with a sort key, whose items can share a partition key",
            )
        return lambda number: (number, 0)
    if spread == "uniform":
        return lambda number: (_partition(number), number)

    def hot(number: int) -> Place:
        ten, left = divmod(number, 10)
        return (0 if left < HOT_OF_TEN else 1 + _partition(ten)), number

    return hot


def _partition(number: int) -> int:
    block, within = divmod(number, SIDE_BY_SIDE * PER_PARTITION)
    return block * SIDE_BY_SIDE + within % SIDE_BY_SIDE


def plain(kind: str) -> Callable[[int], Value]:
    """Return what makes values of a type: short ones, of one length but for numbers.

    Args:
        kind: `S`, `N` or `B`.
    """
    if kind == "N":
        return _plain_number
    return _plain_text if kind == "S" else _plain_binary


def _plain_text(number: int) -> Value:
    text = f"{number:012d}"
    quoted = f'"{text}"'
    return Value(quoted, quoted, ("S", text))


def _plain_number(number: int) -> Value:
    text = str(number)
    return Value(f'"{text}"', text, ("N", numbers.canonical(text)))


def _plain_binary(number: int) -> Value:
    text = base64.b64encode(number.to_bytes(8, "big")).decode()
    quoted = f'"{text}"'
    return Value(quoted, quoted, ("B", text))


def hard(kind: str, most: int) -> Callable[[int], Value]:
    """Return what makes nasty values of a type: each hard one as it is, then with a number behind it.

    Args:
        kind: `S`, `N` or `B`.
        most: How many bytes a value may have.
    """
    from dynamodb_tools import hard_cases  # noqa: PLC0415 - 2 MB, seldom wanted

    texts, binaries = hard_cases.KEY_TEXTS, hard_cases.KEY_BINARIES

    def text(number: int) -> Value:
        value, size = texts[number % len(texts)], KEY_BYTES["S"]
        if number >= len(texts):
            room = most - size if len(value.encode()) + size > most else None
            value = f"{value[:room]}{number:012d}"
        return _value("S", value, value)

    def a_number(number: int) -> Value:
        hard_ones = hard_cases.KEY_NUMBERS
        known = number < len(hard_ones)
        value = hard_ones[number] if known else str(_HARD_FROM + number)
        return Value(f'"{value}"', numbers.literal(value), ("N", numbers.canonical(value)))

    def binary(number: int) -> Value:
        data = base64.b64decode(binaries[number % len(binaries)])
        if number >= len(binaries):
            size = KEY_BYTES["B"]
            data = data[: most - size] + number.to_bytes(size, "big")
        value = base64.b64encode(data).decode()
        return _value("B", value, value)

    return {"S": text, "N": a_number, "B": binary}[kind]


def _value(kind: str, value: str, identity: str) -> Value:
    quoted = orjson.dumps(value).decode()
    return Value(quoted, quoted, (kind, identity))
