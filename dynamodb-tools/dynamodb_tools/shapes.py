"""What generated items look like, without their keys, as raw DynamoDB JSON; seeded, and pure.

- flat: 170 bytes on the wire, 8 attributes with the key.
- nested: 1.6 KB, 20 attributes with maps, lists and a set.
- large: 200 KB, 11 attributes: a text, a list of 800 maps and a map of 100 maps.
- every: 1.3 KB; each of DynamoDB's ten types, at the top, inside a map and inside a list.
- nasty: what breaks tools, case by case (`hard_cases.py`), and items put together of such values.

The standard library is all that is wanted here: programs that hold no client make items too.
"""

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

Item = dict[str, dict[str, Any]]

_NAMES = ("Ann", "Bo", "Cy", "Dee", "Ed")
_CITIES = ("Berlin", "Lisboa", "Oslo", "Zürich")
_WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty")

_HALF, _AT_TIMES, _SELDOM = 0.5, 0.3, 0.1

NASTY_BYTES = 400_000
"""Bytes of the one attribute in the largest nasty items; keys of all lengths have room beside it."""


def flat(rng: random.Random) -> Item:
    """Return the attributes of a small item: a customer's visit."""
    return {
        "at": {"N": str(1_700_000_000 + rng.randrange(10**7))},
        "name": {"S": rng.choice(_NAMES)},
        "live": {"BOOL": rng.random() < _HALF},
        "sum": {"N": _price(rng)},
        "city": {"S": rng.choice(_CITIES)},
        "kind": {"S": rng.choice(_WORDS)},
        "n": {"N": str(rng.randrange(100))},
    }


def nested(rng: random.Random) -> Item:
    """Return the attributes of an item of some depth: a customer's order."""
    place = {
        "street": {"S": "Main Street 1"},
        "zip": {"S": f"{rng.randrange(100_000):05d}"},
        "geo": {"M": {"lat": {"N": "52.520008"}, "lon": {"N": "13.404954"}}},
    }
    lines = [
        {
            "sku": {"S": f"SKU-{rng.randrange(100_000):05d}"},
            "quantity": {"N": str(rng.randrange(1, 9))},
            "price": {"N": _price(rng)},
            "gift": {"BOOL": rng.random() < _SELDOM},
        }
        for _ in range(5)
    ]
    return {
        **flat(rng),
        "email": {"S": f"{rng.choice(_WORDS)}{rng.randrange(1000)}@example.com"},
        "created": {"S": f"2026-05-{rng.randrange(1, 29):02d}T07:08:09.123456Z"},
        "updated": {"NULL": True} if rng.random() < _AT_TIMES else {"S": "2026-06-01T10:00:00Z"},
        "deleted": {"NULL": True},
        "status": {"S": rng.choice(("open", "paid", "sent"))},
        "tags": {"SS": sorted(rng.sample(_WORDS, k=3))},
        "total": {"N": _price(rng)},
        "address": {"M": place},
        "lines": {"L": [{"M": line} for line in lines]},
        "history": {"L": [{"N": str(rng.randrange(10**6))} for _ in range(10)]},
        "flags": {"M": {f"flag{n}": {"BOOL": rng.random() < _HALF} for n in range(5)}},
        "note": {"S": " ".join(rng.choices(_WORDS, k=50))},
    }


def large(rng: random.Random) -> Item:
    """Return the attributes of a large item: a document with its history."""
    return {
        **flat(rng),
        "body": {"S": " ".join(rng.choices(_WORDS, k=16_000))},
        "events": {"L": [{"M": _event(rng)} for _ in range(800)]},
        "parts": {"M": {f"part-{n}": {"M": _event(rng)} for n in range(100)}},
    }


def every(rng: random.Random) -> Item:
    """Return attributes of each type, at the top, inside a map and inside a list."""
    inside = {**_each_type(rng), "map": {"M": _each_type(rng)}, "list": {"L": [{"S": "x"}]}}
    return {
        "at": {"N": str(1_700_000_000 + rng.randrange(10**7))},
        **_each_type(rng),
        "map": {"M": inside},
        "list": {"L": [*inside.values(), {"L": list(_each_type(rng).values())}]},
    }


def _each_type(rng: random.Random) -> Item:
    """Return attributes of each type that holds no others."""
    digits = rng.randrange(1, 38)
    return {
        "text": {"S": rng.choice(_WORDS)},
        "number": {"N": f"{rng.randrange(1, 10**6)}.{rng.randrange(1, 10**digits, 2)}"[:38]},
        "binary": {"B": _base64(rng.randbytes(rng.randrange(1, 20)))},
        "flag": {"BOOL": rng.random() < _HALF},
        "nothing": {"NULL": True},
        "texts": {"SS": sorted(rng.sample(_WORDS, k=rng.randrange(1, 5)))},
        "numbers": {"NS": [f"{n}.5" for n in sorted(rng.sample(range(1000), k=3))]},
        "binaries": {"BS": [_base64(bytes([n])) for n in sorted(rng.sample(range(256), k=2))]},
    }


class _Nasty:
    """The nasty items: the hard cases one after the other, then wild ones."""

    def __init__(self) -> None:
        self._cases: list[Item] = []

    def __call__(self, rng: random.Random, number: int) -> Item:
        cases = self._cases or self._load()
        return cases[number] if number < len(cases) else self._wild(rng)

    def _load(self) -> list[Item]:
        from dynamodb_tools import hard_cases  # noqa: PLC0415 - 2 MB, seldom wanted

        hard = (*hard_cases.SMALL_CASES, *hard_cases.large_cases(NASTY_BYTES))
        self._cases = [attributes for _, attributes in hard]
        self._names = hard_cases.NAMES
        self._texts = hard_cases.TEXTS
        self._numbers = hard_cases.NUMBERS
        self._binaries = tuple(_base64(data) for data in hard_cases.BYTES)
        return self._cases

    def _wild(self, rng: random.Random) -> Item:
        """Return an item of random depth, of hard values under hard names."""
        names = rng.sample(self._names, k=rng.randrange(1, 8))
        return {name: self._value(rng, rng.randrange(6)) for name in names}

    def _value(self, rng: random.Random, depth: int) -> dict[str, Any]:
        kind = rng.choice(("M", "L") if depth > 1 else ("S", "N", "B", "NULL", "BOOL", "SS", "BS"))
        some = rng.randrange(4)
        if kind == "M":
            names = rng.sample(self._names, k=some)
            return {kind: {name: self._value(rng, rng.randrange(depth)) for name in names}}
        if kind == "L":
            return {kind: [self._value(rng, rng.randrange(depth)) for _ in range(some)]}
        if kind == "SS":
            return {kind: rng.sample(self._texts, k=some + 1)}
        if kind == "BS":
            return {kind: rng.sample(self._binaries, k=some + 1)}
        if kind in ("S", "N", "B"):
            choices = {"S": self._texts, "N": self._numbers, "B": self._binaries}
            return {kind: rng.choice(choices[kind])}
        return {"NULL": True} if kind == "NULL" else {kind: rng.random() < _HALF}


class Shape(NamedTuple):
    """A kind of items.

    Attributes:
        bodies: How many different ones there are, but for their keys and what is numbered: making one
            anew for each of millions of items would take longer than writing it.
        make: Returns the attributes of one of them, of its own randomness and its number.
    """

    bodies: int
    make: Callable[[random.Random, int], Item]

    def body(self, name: str, seed: int, number: int) -> Item:
        """Return one of the bodies; the same one wherever and whenever it is asked for.

        Args:
            name: The shape's name.
            seed: Chooses among all there could be.
            number: Which of them.
        """
        return self.make(random.Random(f"{seed} {name} {number}"), number)  # noqa: S311 - seeded


def _random(make: Callable[[random.Random], Item]) -> Callable[[random.Random, int], Item]:
    return lambda rng, _number: make(rng)


SHAPES: dict[str, Shape] = {
    "flat": Shape(1000, _random(flat)),
    "nested": Shape(1000, _random(nested)),
    "large": Shape(20, _random(large)),
    "every": Shape(1000, _random(every)),
    "nasty": Shape(500, _Nasty()),
}
"""The shapes, by name."""


def _event(rng: random.Random) -> Item:
    return {
        "at": {"N": str(1_700_000_000 + rng.randrange(10**7))},
        "kind": {"S": rng.choice(_WORDS)},
        "by": {"S": rng.choice(_NAMES)},
        "amount": {"N": _price(rng)},
        "done": {"BOOL": rng.random() < _HALF},
    }


def _price(rng: random.Random) -> str:
    return f"{rng.randrange(1000)}.{rng.randrange(1, 10)}{rng.randrange(1, 10)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
