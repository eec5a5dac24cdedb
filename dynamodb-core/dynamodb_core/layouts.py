"""How a record is laid out: the three forms in which an item can leave, and come back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

RESERVED = "_dynamodb"
ITEM_FIELD = "item"

Decimals = Literal["number", "string"]
"""How N is written: as a JSON number, or as a string of its exact decimal text. Values inside maps,
lists and the object of `packed` are tagged then, so that they come back as numbers."""

Binary = Literal["base64", "base16"]
"""How B is written at the top of a record; base16 is in lower case. Everywhere else, in sets too, it is
base64 as on the wire."""


@dataclass(frozen=True)
class Columns:
    """The layout `plain`: attributes as top-level properties.

    Attributes:
        types: The DynamoDB type of each column, by attribute.
        reserved: The property for what JSON does not say; None leaves it out.
        open: Whether attributes that have no column yet get one.
        limit: How many columns there may be.
        unknown: What becomes of attributes without a column when no columns are added: they are
            kept in the reserved object's `rest`, or left out.
        decimals: How numbers are written.
        binary: How binary columns are written.
    """

    types: Mapping[str, str]
    reserved: str | None = RESERVED
    open: bool = True
    limit: int = 1000
    unknown: Literal["rest", "drop"] = "rest"
    decimals: Decimals = "number"
    binary: Binary = "base64"

    def widened(self, late: Mapping[str, str]) -> Columns:
        """Return these columns and those of late attributes that have none yet, up to the limit."""
        fresh = [(name, kind) for name, kind in late.items() if name not in self.types]
        room = max(0, self.limit - len(self.types)) if self.open else 0
        return replace(self, types={**self.types, **dict(fresh[:room])}) if fresh else self


@dataclass(frozen=True)
class Packed:
    """The layout `packed`: the key as properties, all other attributes in one object.

    Attributes:
        keys: The type of each key attribute.
        item_field: The property that holds the object.
        reserved: As in `Columns`.
        decimals: How numbers are written, those of the key as well.
        binary: How binary keys are written.
    """

    keys: Mapping[str, str]
    item_field: str = ITEM_FIELD
    reserved: str | None = RESERVED
    decimals: Decimals = "number"
    binary: Binary = "base64"


@dataclass(frozen=True)
class Typed:
    """The layout `dynamodb_json`: the key as properties, the whole typed item in one object.

    Attributes:
        keys: The type of each key attribute.
        item_field: The property that holds the item.
        decimals: How numeric keys are written; inside the item they are what they are.
        binary: How binary keys are written.
    """

    keys: Mapping[str, str]
    item_field: str = ITEM_FIELD
    decimals: Decimals = "number"
    binary: Binary = "base64"


Layout = Columns | Packed | Typed
