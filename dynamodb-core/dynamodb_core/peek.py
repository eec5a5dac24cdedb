"""Reading a few attributes of an item and skipping over the others."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from dynamodb_core.errors import DataError
from dynamodb_core.shapes import nameable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Value(msgspec.Struct, frozen=True, gc=False):
    """A typed value: the member of its type is set, none where it has another type.

    Attributes:
        S: Text.
        N: A number's text.
        BOOL: A truth value.
    """

    S: str | UnsetType = UNSET
    N: str | UnsetType = UNSET
    BOOL: bool | UnsetType = UNSET


MISSING = Value()
"""The value, by identity, of an attribute that an item does not have."""


def peek(attributes: Sequence[str]) -> Callable[[msgspec.Raw], tuple[Value, ...]]:
    """Return a function that reads some attributes of an item.

    Args:
        attributes: Their names, each once; at least one.

    Returns:
        A function from the bytes of an item to the values, in the order of `attributes`. It raises
        DataError where they are no item in DynamoDB's JSON.
    """
    decode, get = _reader(attributes)

    def look(raw: msgspec.Raw) -> tuple[Value, ...]:
        try:
            return get(decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DataError("An item is not in DynamoDB's JSON") from None

    return look


def _reader(
    attributes: Sequence[str],
) -> tuple[Callable[[msgspec.Raw], Any], Callable[[Any], tuple[Value, ...]]]:
    if not all(map(nameable, attributes)):
        return (
            msgspec.json.Decoder(dict[str, Value]).decode,
            lambda item: tuple(item.get(name, MISSING) for name in attributes),
        )
    fields = [f"f{n}" for n in range(len(attributes))]
    struct = msgspec.defstruct(
        "Peeked",
        [(field, Value, MISSING) for field in fields],
        rename=dict(zip(fields, attributes, strict=True)),
        gc=False,
    )
    # An attrgetter of one path returns no tuple, so that the last stands there twice.
    return msgspec.json.Decoder(struct).decode, attrgetter(*fields, fields[-1])
