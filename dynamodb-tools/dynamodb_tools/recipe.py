"""Generated items: each follows from its number, and from nothing else but what is asked for; pure."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from dynamodb_core import sizes
from dynamodb_core.errors import ConfigError
from dynamodb_tools import key_values
from dynamodb_tools.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from dynamodb_core.codec import Item
    from dynamodb_core.sizes import IndexKey
    from dynamodb_core.table import Key
    from dynamodb_tools.key_values import Spread, Value

AT = "at"
"""The attribute that rises with an item's number, where the shape has it: a second an item."""

AT_FROM = 1_700_000_000
_AT_BYTES = 8
"""The most that DynamoDB counts for its value."""

PAD = "pad"
"""The attribute that fills an item up to the size that is asked for."""

_OFFSETS = 1000
_WORDS = (
    "anchor",
    "bridge",
    "canyon",
    "drift",
    "echo",
    "flint",
    "gravel",
    "harbor",
    "island",
    "jade",
)


@dataclass(frozen=True)
class Recipe:
    """What items are asked for.

    Attributes:
        key: The key of their table.
        shape: One of `SHAPES`.
        seed: Chooses among all the items of a shape there could be.
        size: Bytes of each, as DynamoDB counts them; None leaves it to the shape.
        spread: How they are spread over partition keys.
        index_keys: What the keys of the table's indexes want.
    """

    key: Key
    shape: str = "flat"
    seed: int = 1
    size: int | None = None
    spread: Spread = "uniform"
    index_keys: tuple[IndexKey, ...] = ()


class Body(NamedTuple):
    """What many items have in common.

    Attributes:
        attributes: The attributes but for the key, `at` and `pad`.
        numbered: Whether the items have `at`.
        fixed: Bytes of an item, as DynamoDB counts them, but for the values of the key, of `at` and of
            `pad`.
    """

    attributes: Item
    numbered: bool
    fixed: int


class Items:
    """The items of a recipe.

    Args:
        recipe: What they are to be like.

    Raises:
        ConfigError: There can be no such items.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        key = recipe.key
        self._shape = SHAPES[recipe.shape]
        self._places = key_values.places(key, recipe.spread)
        self._values = [self._maker(*each) for each in zip(key.types, _MOST, strict=False)]
        self.pad = _free(PAD, (*key.names, *(each.name for each in recipe.index_keys)))
        self._names = sum(len(name.encode()) for name in key.names)
        self._room = self._room_for_body()
        self._filler = self._fill()
        self._bodies: list[Body | None] = [None] * self._shape.bodies
        self._texts: list[str | None] = [None] * self._shape.bodies
        self._before = [
            f'{"," if place else "{"}{_text(name)}:{{"{kind}":'
            for place, (name, kind) in enumerate(zip(key.names, key.types, strict=True))
        ]

    @property
    def bodies(self) -> int:
        """How many different bodies there are."""
        return self._shape.bodies

    def body(self, number: int) -> Body:
        """Return what the item of a number has in common with others.

        Args:
            number: The item's number.
        """
        place = number % len(self._bodies)
        found = self._bodies[place]
        if found is None:
            found = self._bodies[place] = self._body(place)
        return found

    def key(self, number: int) -> Sequence[Value]:
        """Return the values of an item's key.

        Args:
            number: The item's number.
        """
        return [
            make(place) for make, place in zip(self._values, self._places(number), strict=False)
        ]

    def padding(self, number: int, key: Sequence[Value]) -> str | None:
        """Return the value of an item's `pad`; None where it has none.

        Args:
            number: The item's number.
            key: The values of its key.
        """
        size = self.recipe.size
        if size is None:
            return None
        body = self.body(number)
        used = body.fixed + sum(_size(*value.identity) for value in key)
        if body.numbered:
            used += _size("N", str(AT_FROM + number))
        start = number * 7 % _OFFSETS
        return self._filler[start : start + size - used]

    def item(self, number: int) -> tuple[Hashable, bytes]:
        """Return an item: its `Key.identity`, and the item as DynamoDB JSON.

        Args:
            number: Its number, from 0.
        """
        key = self.key(number)
        return tuple([value.identity for value in key]), self.typed(number, key).encode()

    def typed(self, number: int, key: Sequence[Value]) -> str:
        """Return an item as DynamoDB JSON.

        Args:
            number: Its number.
            key: The values of its key.
        """
        place = number % len(self._texts)
        text = self._texts[place]
        if text is None:
            attributes = orjson.dumps(self.body(place).attributes).decode()[1:-1]
            text = self._texts[place] = f",{attributes}" if attributes else ""
            if self.body(place).numbered:
                self._texts[place] = text = f'{text},"{AT}":{{"N":"'
        parts = [f"{before}{value.json}}}" for before, value in zip(self._before, key, strict=True)]
        parts.append(text)
        if text.endswith('{"N":"'):
            parts.append(f'{AT_FROM + number}"}}')
        padding = self.padding(number, key)
        parts.append("}" if padding is None else f',"{self.pad}":{{"S":"{padding}"}}}}')
        return "".join(parts)

    def sampled(self, first: int, count: int) -> tuple[float, float]:
        """Return the average size of items, and the write units that one costs its table.

        Args:
            first: The first one's number.
            count: How many there are; of more than there are bodies some are looked at.
        """
        some = range(first, first + min(count, self.bodies))
        made = [orjson.loads(self.item(number)[1]) for number in some]
        size, units = (sum(map(of, made)) for of in (sizes.item_size, sizes.write_units))
        return size / max(len(made), 1), units / max(len(made), 1)

    def _maker(self, kind: str, most: int) -> Callable[[int], Value]:
        if self.recipe.shape == "nasty":
            return key_values.hard(kind, most)
        return key_values.plain(kind)

    def _room_for_body(self) -> int | None:
        size, shape = self.recipe.size, self.recipe.shape
        if size is None:
            return None
        if shape == "nasty":
            raise ConfigError(
                "Nasty items have sizes of their own, and a size is asked for",
                "Leave size out, or take another shape",
            )
        if size > sizes.MOST_ITEM_BYTES:
            raise ConfigError(
                f"Items of {size:,} bytes are asked for, and DynamoDB takes {sizes.MOST_ITEM_BYTES:,}"
            )
        least = self._names + len(self.pad)
        least += sum(key_values.KEY_BYTES[kind] for kind in self.recipe.key.types)
        wanted = _sizes_of(self._wanted_by_indexes(0))
        if size < least + wanted:
            raise ConfigError(
                f"Items of {size:,} bytes are asked for, and with this key one has "
                f"{least + wanted:,} at the least",
                "Ask for larger ones",
            )
        return size - least

    def _fill(self) -> str:
        size = self.recipe.size
        if size is None:
            return ""
        rng = random.Random(f"{self.recipe.seed} {PAD}")  # noqa: S311 - seeded
        return " ".join(rng.choices(_WORDS, k=(size + _OFFSETS) // 5 + 1))  # of 4 letters or more

    def _body(self, place: int) -> Body:
        recipe = self.recipe
        made: dict[str, Any] = {**self._shape.body(recipe.shape, recipe.seed, place)}
        wanted = self._wanted_by_indexes(place)
        at_is_ours = AT in made and AT not in recipe.key.names
        for name, value in wanted.items():
            found = made.get(name)
            if found is None or found.keys() != value.keys() or "" in found.values():
                made[name] = value
                at_is_ours = at_is_ours and name != AT
        if at_is_ours:
            del made[AT]
        for name in (*recipe.key.names, self.pad):
            made.pop(name, None)
        room = self._room
        if room is not None:
            must = [*wanted, *(name for name in made if name not in wanted)]
            made = {name: made[name] for name in must if name in made}
            at_is_ours = at_is_ours and room >= _sizes_of(wanted) + len(AT) + _AT_BYTES
            room -= len(AT) + _AT_BYTES if at_is_ours else 0
            made = _first(made, room)
        fixed = self._names + sizes.item_size(made) + len(self.pad)
        return Body(made, at_is_ours, fixed + (len(AT) if at_is_ours else 0))

    def _wanted_by_indexes(self, place: int) -> dict[str, dict[str, str]]:
        """Return values for the attributes that are in keys of indexes; each is spread over the bodies."""
        texts = {
            "S": f"value {place:04d}",
            "N": str(1001 + place),
            "B": base64.b64encode(place.to_bytes(3, "big")).decode(),
        }
        return {name: {kind: texts[kind]} for name, kind, _ in self.recipe.index_keys}


_MOST = (sizes.MOST_PARTITION_KEY_BYTES, sizes.MOST_SORT_KEY_BYTES)


def _first(attributes: dict[str, Any], room: int) -> dict[str, Any]:
    """Return the first attributes, as many as there is room for."""
    some = {}
    for name, value in attributes.items():
        room -= sizes.item_size({name: value})
        if room < 0:
            break
        some[name] = value
    return some


def _size(kind: str, text: str) -> int:
    """Return the bytes that DynamoDB counts for a value of a key, or for `at`."""
    if kind == "N" and not text.endswith("00") and text.isdigit() and text != "0":
        return 1 + (len(text) + 1) // 2
    return sizes.value_size({kind: text})


def _sizes_of(attributes: dict[str, dict[str, str]]) -> int:
    return sizes.item_size(attributes)


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _text(name: str) -> str:
    return orjson.dumps(name).decode()
