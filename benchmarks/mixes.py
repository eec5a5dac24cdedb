"""The items that are measured, as raw DynamoDB JSON: seeded, and of types that people have.

- flat: 170 bytes on the wire, 8 attributes.
- nested: 1.6 KB, 20 attributes with maps, lists and a set.
- large: 200 KB, 11 attributes: a text, a list of 800 maps and a map of 100 maps.

All are without their key, one attribute more, which whoever makes a table of them adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Item = dict[str, dict[str, Any]]

_NAMES = ("Ann", "Bo", "Cy", "Dee", "Ed")
_CITIES = ("Berlin", "Lisboa", "Oslo", "Zürich")
_WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty")


def flat(rng: random.Random) -> Item:
    """Return the attributes of a small item: a customer's visit."""
    return {
        "at": {"N": str(1_700_000_000 + rng.randrange(10**7))},
        "name": {"S": rng.choice(_NAMES)},
        "live": {"BOOL": rng.random() < 0.5},
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
            "gift": {"BOOL": rng.random() < 0.1},
        }
        for _ in range(5)
    ]
    return {
        **flat(rng),
        "email": {"S": f"{rng.choice(_WORDS)}{rng.randrange(1000)}@example.com"},
        "created": {"S": f"2026-05-{rng.randrange(1, 29):02d}T07:08:09.123456Z"},
        "updated": {"NULL": True} if rng.random() < 0.3 else {"S": "2026-06-01T10:00:00Z"},
        "deleted": {"NULL": True},
        "status": {"S": rng.choice(("open", "paid", "sent"))},
        "tags": {"SS": sorted(rng.sample(_WORDS, k=3))},
        "total": {"N": _price(rng)},
        "address": {"M": place},
        "lines": {"L": [{"M": line} for line in lines]},
        "history": {"L": [{"N": str(rng.randrange(10**6))} for _ in range(10)]},
        "flags": {"M": {f"flag{n}": {"BOOL": rng.random() < 0.5} for n in range(5)}},
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


MIXES: dict[str, Callable[[random.Random], Item]] = {
    "flat": flat,
    "nested": nested,
    "large": large,
}


def _event(rng: random.Random) -> Item:
    return {
        "at": {"N": str(1_700_000_000 + rng.randrange(10**7))},
        "kind": {"S": rng.choice(_WORDS)},
        "by": {"S": rng.choice(_NAMES)},
        "amount": {"N": _price(rng)},
        "done": {"BOOL": rng.random() < 0.5},
    }


def _price(rng: random.Random) -> str:
    return f"{rng.randrange(1000)}.{rng.randrange(1, 10)}{rng.randrange(1, 10)}"
