"""Reading a few attributes of an item and skipping over the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from dynamodb_core.shapes import nameable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Peek = tuple[Any, ...]
"""The typed value of each attribute that was asked for; None where the item has none."""


def peek(attributes: Sequence[str]) -> Callable[[msgspec.Raw], Peek]:
    """Return a function that reads some attributes of an item.

    Args:
        attributes: Their names, each once.

    Returns:
        A function from the bytes of an item to the typed values, in the order of `attributes`.
    """
    if not all(map(nameable, attributes)):
        return lambda raw: tuple(map(orjson.loads(memoryview(raw)).get, attributes))
    names = {f"f{n}": name for n, name in enumerate(attributes)}
    fields = [(field, dict[str, Any] | UnsetType, UNSET) for field in names]
    struct = msgspec.defstruct("Peeked", fields, rename=names, gc=False)
    decode: Any = msgspec.json.Decoder(struct).decode
    if len(names) == 1:

        def one(raw: msgspec.Raw) -> Peek:
            value = decode(raw).f0
            return (None if value is UNSET else value,)

        return one

    def several(raw: msgspec.Raw) -> Peek:
        return tuple(
            None if value is UNSET else value for value in msgspec.structs.astuple(decode(raw))
        )

    return several
