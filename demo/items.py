"""Items that are hard to carry, as raw DynamoDB JSON, and any number of ordinary ones.

Nothing here is random from run to run. `tricky(shape)` gives every hard case under a key of the
shape asked for; `ordinary(count)` gives flat items of about 170 bytes and nested ones of about
1.6 KB. Each hard case has a name, so that a difference can be spoken of.
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.values import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.wire import Item, KeySchema

_WORDS = [
    "amber",
    "basil",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "haven",
    "inlet",
    "jetty",
    "knoll",
    "ledge",
    "mango",
]


@dataclass(frozen=True)
class Shape:
    """A kind of key: the table's name in the demo, its key attributes, and hard key values."""

    table: str
    key: KeySchema
    values: tuple[tuple[str, ...], ...]

    def keys(self) -> Iterator[Item]:
        """Yield different keys without end: the hard ones first, then plain ones."""
        for values in self.values:
            yield self._key(values)
        number = 0
        while True:
            number += 1
            yield self._key(tuple(_plain(kind, number) for _, kind in self.key))

    def _key(self, values: tuple[str, ...]) -> Item:
        pairs = zip(self.key, values, strict=True)
        return {name: {kind: value} for (name, kind), value in pairs}


def _plain(kind: str, number: int) -> str:
    if kind == "N":
        return str(1_000_000 + number)
    text = f"key {number:09d}"
    return base64.b64encode(text.encode()).decode() if kind == "B" else text


def _binary(data: bytes) -> str:
    return base64.b64encode(data).decode()


_TEXTS = (
    *("a", "A", "é", "e\u0301", "ß", "😀", "0", "00", "1.0", "true", "null", "{}", '{"S":"x"}'),
    *(" ", " a", "a ", "a b", "a.b", "a/b", "a~b", "a~1b", "a$", "a#b", "a|b", "a,b", "%41"),
    *('"', '\\"', "\\", "'", "`", "<&>", "\t", "\n", "\r\n", "\x00", "a\x00b", "\x1f", "\x7f"),
    *("\u2028", "\ufeff", "\uffff", "z" * 1024),
)
_NUMBERS = (
    *("0", "1", "-1", "7", "10", "100", "0.1", "-0.1", "1.5", "-273.15", "1E-130", "-1E-130"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616"),
    *("12345678901234567890123456789012345678", "12345678901234567890123456789012345679"),
    *("0.12345678901234567890123456789012345678", "-99999999999999999999999999999999999999"),
    *("9.9999999999999999999999999999999999999E+125", "1E+125", "-1E+125"),
)
_BYTES = tuple(
    _binary(data)
    for data in (
        *(b"\x00", b"\x00\x00", b"\x01", b"\xff", b"\xff\xff", b"\x80", b"a", b"A", b'"', b"\n"),
        *(b"\xc3\x28", b"\xed\xa0\x80", b"\xfb\xff\xbf", bytes(range(256)), b"\x00" * 1024),
    )
)

SHAPES = (
    Shape(
        "music",
        (("artist", "S"), ("released", "N")),
        (
            *((text, "0") for text in _TEXTS),
            *(("one artist", number) for number in _NUMBERS),
        ),
    ),
    Shape("people", (("id", "S"),), tuple((text,) for text in _TEXTS)),
    Shape("readings", (("at", "N"),), tuple((number,) for number in _NUMBERS)),
    Shape("pictures", (("digest.sha", "B"),), tuple((data,) for data in _BYTES)),
    Shape(
        "archive",
        (("Item", "B"), ("sort key", "S")),
        (
            *((data, "a") for data in _BYTES),
            *((_binary(b"one"), text) for text in _TEXTS if len(text.encode()) <= 1024),  # noqa: PLR2004
            # Joined by a separator, these two keys are one; so are the next two when taken as a set.
            *((_binary(b"a$"), "b"), (_binary(b"a"), "$b")),
            *((_binary(b"left"), _binary(b"right")), (_binary(b"right"), _binary(b"left"))),
        ),
    ),
)
"""The tables of the demo, one for each kind of key. `music` is the large one."""


def tricky(shape: Shape) -> Iterator[tuple[str, Item]]:
    """Yield every hard case by name, under different keys of `shape`; hard keys without one too."""
    keys = shape.keys()
    count = 0
    for name, attributes in CASES:
        yield name, {**attributes, **next(keys)}
        count += 1
    for number in range(count, len(shape.values)):
        yield f"key {number}", {"note": {"S": "the key is the case"}, **next(keys)}


def ordinary(shape: Shape, count: int, *, seed: int = 1) -> Iterator[Item]:
    """Yield `count` items under plain keys of `shape`: three in four flat, one in four nested.

    Their keys differ from one another and from those of `tricky`.
    """
    rng = random.Random(seed)
    for number in range(count):
        key = {name: {kind: _plain(kind, 10_000_000 + number)} for name, kind in shape.key}
        yield {**(nested(rng) if number % 4 == 3 else flat(rng)), **key}  # noqa: PLR2004


def flat(rng: random.Random) -> Item:
    """Return the attributes of a flat item, about 170 bytes with its key."""
    return {
        "title": {"S": " ".join(rng.choices(_WORDS, k=4))},
        "plays": {"N": str(rng.randrange(10**9))},
        "rating": {"N": f"{rng.randrange(500) / 100}"},
        "live": {"BOOL": rng.random() < 0.5},  # noqa: PLR2004
        "label": {"S": rng.choice(_WORDS)},
        "updated": {"S": f"2026-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T10:00:00Z"},
    }


def nested(rng: random.Random) -> Item:
    """Return the attributes of a nested item, about 1.6 KB with its key."""
    attributes = flat(rng)
    attributes["tags"] = {"SS": sorted(rng.sample(_WORDS, k=5))}
    attributes["scores"] = {"NS": [str(n) for n in sorted(rng.sample(range(1000), k=5))]}
    attributes["cover"] = {"B": _binary(rng.randbytes(96))}
    attributes["deleted"] = {"NULL": True}
    attributes["tracks"] = {"L": [{"M": _track(rng)} for _ in range(8)]}
    attributes["credits"] = {"M": {word: {"S": rng.choice(_WORDS)} for word in _WORDS}}
    return attributes


def _track(rng: random.Random) -> dict[str, Any]:
    return {
        "name": {"S": " ".join(rng.choices(_WORDS, k=6))},
        "seconds": {"N": f"{rng.randrange(10000, 90000) / 100}"},
        "hidden": {"BOOL": rng.random() < 0.1},  # noqa: PLR2004
        "writers": {"L": [{"S": rng.choice(_WORDS)} for _ in range(3)]},
    }
