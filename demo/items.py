"""Items that are hard to carry, as raw DynamoDB JSON, and any number of ordinary ones.

Nothing here is random from run to run. `tricky(shape)` gives every hard case under a key of the
shape asked for; `ordinary(count)` gives flat items of about 170 bytes and nested ones of about
1.6 KB. Each hard case has a name, so that a difference can be spoken of. They are those of
`dynamodb-tools generate` (`dynamodb_tools.hard_cases`, `dynamodb_tools.shapes`).
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamodb_tools.hard_cases import CASES, KEY_BINARIES, KEY_NUMBERS, KEY_TEXTS
from dynamodb_tools.shapes import flat, nested

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.wire import Item, KeySchema


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


SHAPES = (
    Shape(
        "music",
        (("artist", "S"), ("released", "N")),
        (
            *((text, "0") for text in KEY_TEXTS),
            *(("one artist", number) for number in KEY_NUMBERS),
        ),
    ),
    Shape("people", (("id", "S"),), tuple((text,) for text in KEY_TEXTS)),
    Shape("readings", (("at", "N"),), tuple((number,) for number in KEY_NUMBERS)),
    Shape("pictures", (("digest.sha", "B"),), tuple((data,) for data in KEY_BINARIES)),
    Shape(
        "archive",
        (("Item", "B"), ("sort key", "S")),
        (
            *((data, "a") for data in KEY_BINARIES),
            *((_binary(b"one"), text) for text in KEY_TEXTS if len(text.encode()) <= 1024),  # noqa: PLR2004
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
