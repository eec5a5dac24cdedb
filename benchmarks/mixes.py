"""The items that are measured, as raw DynamoDB JSON: seeded, and of types that people have.

- flat: 170 bytes on the wire, 8 attributes.
- nested: 1.6 KB, 20 attributes with maps, lists and a set.
- large: 200 KB: a text, a list of 800 maps and a map of 100 maps.

A page of items is made once, with `PAGE` where its number belongs in every partition key; so any
number of pages with different keys costs no more than a replacement in bytes.
"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

Item = dict[str, dict[str, Any]]

PAGE = b"@@@@@@"
PAGE_DIGITS = len(PAGE)
PAGE_BYTES = 1 << 20
"""What AWS's Scan answers at most, as DynamoDB counts an item's size; here: as JSON on the wire."""

KEY = (("pk", "S"), ("sk", "N"))

_NAMES = ("Ann", "Bo", "Cy", "Dee", "Ed")
_CITIES = ("Berlin", "Lisboa", "Oslo", "Zürich")
_WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty")


def flat(rng: random.Random, number: int) -> Item:
    """Return an item of 8 attributes: a customer's visit."""
    return {
        "pk": {"S": f"c{PAGE.decode()}-{number:05d}"},
        "sk": {"N": str(1_700_000_000 + rng.randrange(10**7))},
        "name": {"S": rng.choice(_NAMES)},
        "live": {"BOOL": rng.random() < 0.5},
        "sum": {"N": f"{rng.randrange(1000)}.{rng.randrange(1, 100):02d}"},
        "city": {"S": rng.choice(_CITIES)},
        "kind": {"S": rng.choice(_WORDS)},
        "n": {"N": str(rng.randrange(100))},
    }


def nested(rng: random.Random, number: int) -> Item:
    """Return an item of 20 attributes: a customer's order."""
    place = {
        "street": {"S": "Main Street 1"},
        "zip": {"S": f"{rng.randrange(100_000):05d}"},
        "geo": {"M": {"lat": {"N": "52.520008"}, "lon": {"N": "13.404954"}}},
    }
    lines = [
        {
            "sku": {"S": f"SKU-{rng.randrange(100_000):05d}"},
            "quantity": {"N": str(rng.randrange(1, 9))},
            "price": {"N": f"{rng.randrange(900)}.{rng.randrange(1, 100):02d}"},
            "gift": {"BOOL": rng.random() < 0.1},
        }
        for _ in range(5)
    ]
    return {
        **flat(rng, number),
        "email": {"S": f"{rng.choice(_WORDS)}{number}@example.com"},
        "created": {"S": f"2026-05-{rng.randrange(1, 29):02d}T07:08:09.123456Z"},
        "updated": {"NULL": True} if rng.random() < 0.3 else {"S": "2026-06-01T10:00:00Z"},
        "deleted": {"NULL": True},
        "status": {"S": rng.choice(("open", "paid", "sent"))},
        "tags": {"SS": sorted(rng.sample(_WORDS, k=3))},
        "total": {"N": f"{rng.randrange(10_000)}.{rng.randrange(1, 100):02d}"},
        "address": {"M": place},
        "lines": {"L": [{"M": line} for line in lines]},
        "history": {"L": [{"N": str(rng.randrange(10**6))} for _ in range(10)]},
        "flags": {"M": {f"flag{n}": {"BOOL": rng.random() < 0.5} for n in range(5)}},
        "note": {"S": " ".join(rng.choices(_WORDS, k=50))},
    }


def large(rng: random.Random, number: int) -> Item:
    """Return an item of 11 attributes: a document with its history."""

    def event() -> Item:
        return {
            "at": {"N": str(1_700_000_000 + rng.randrange(10**7))},
            "kind": {"S": rng.choice(_WORDS)},
            "by": {"S": rng.choice(_NAMES)},
            "amount": {"N": f"{rng.randrange(1000)}.{rng.randrange(1, 100):02d}"},
            "done": {"BOOL": rng.random() < 0.5},
        }

    return {
        **flat(rng, number),
        "body": {"S": " ".join(rng.choices(_WORDS, k=17_000))},
        "events": {"L": [{"M": event()} for _ in range(800)]},
        "parts": {"M": {f"part-{n}": {"M": event()} for n in range(100)}},
    }


MIXES: dict[str, Callable[[random.Random, int], Item]] = {
    "flat": flat,
    "nested": nested,
    "large": large,
}


@functools.cache
def items(mix: str) -> tuple[bytes, ...]:
    """Return the items of one page, each as JSON, with `PAGE` in its partition key.

    Args:
        mix: A name in `MIXES`.
    """
    rng = random.Random(mix)
    made: list[bytes] = []
    size = 0
    while size < PAGE_BYTES:
        made.append(orjson.dumps(MIXES[mix](rng, len(made))))
        size += len(made[-1]) + 1
    return tuple(made)


def item_bytes(mix: str) -> float:
    """Return the average size of an item on the wire, as JSON."""
    return sum(map(len, items(mix))) / len(items(mix))
