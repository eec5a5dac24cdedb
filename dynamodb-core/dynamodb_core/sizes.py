"""How large an item is, and what DynamoDB would refuse it for; pure.

The rules and limits are AWS's ("DynamoDB item sizes and formats", "Quotas in Amazon DynamoDB"); where
they are vague about numbers and empty values, they are as DynamoDB Local counts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.batches import UNIT_BYTES
from dynamodb_core.errors import DataError
from dynamodb_core.pointers import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.codec import Item
    from dynamodb_core.table import Table

MOST_ITEM_BYTES = 400 * 1024
"""Names and values of an item together."""

MOST_PARTITION_KEY_BYTES = 2048
MOST_SORT_KEY_BYTES = 1024
MOST_DEPTH = 32
"""Values inside of each other, the innermost one included."""

MOST_NUMBER_BYTES = 21


def item_size(item: Mapping[str, Any]) -> int:
    """Return the bytes that DynamoDB counts for an item, given as typed attributes."""
    return sum(
        len(name.encode("utf-8", "surrogatepass")) + value_size(value)
        for name, value in item.items()
    )


def value_size(value: Mapping[str, Any]) -> int:
    """Return the bytes that DynamoDB counts for a typed value, without its name."""
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode("utf-8", "surrogatepass"))
    if kind == "N":
        return _number_size(content)
    if kind == "B":
        padding: int = content.count("=")
        return 3 * len(content) // 4 - padding
    if kind == "M":
        return 3 + len(content) + item_size(content)
    if kind == "L":
        return 3 + len(content) + sum(map(value_size, content))
    if kind in ("SS", "NS", "BS"):
        return sum(value_size({kind[0]: each}) for each in content)
    return 1  # NULL, BOOL


def write_units(item: Mapping[str, Any]) -> int:
    """Return the write capacity units that putting an item costs its table at least.

    Replacing a larger item costs what that one would; indexes and replicas cost as much again.
    """
    return max(1, -(-item_size(item) // UNIT_BYTES))


def check(item: Item, table: Table) -> None:
    """Find out whether DynamoDB would refuse an item; its types and numbers are taken as valid.

    Args:
        item: Typed attributes.
        table: The table that the item is to be put into.

    Raises:
        DataError: The item is too large, too deep, or does not fit the key of the table or of one
            of its indexes.
    """
    check_size(item)
    for name, value in item.items():
        if _depth(value) > MOST_DEPTH:
            raise DataError(
                f"/{escape(name)} is nested deeper than {MOST_DEPTH} levels", "Flatten it"
            )
    most = (MOST_PARTITION_KEY_BYTES, MOST_SORT_KEY_BYTES)
    for name, limit in zip(table.key.names, most, strict=False):
        key_size = value_size(item[name])
        if key_size > limit:
            raise DataError(
                f"its key attribute {name} is {key_size:,} bytes large, and DynamoDB takes {limit:,}"
            )
    check_index_keys(item, index_keys(table))


def check_size(item: Item) -> None:
    """Find out whether an item is too large.

    Args:
        item: Typed attributes.

    Raises:
        DataError: It is.
    """
    size = item_size(item)
    if size > MOST_ITEM_BYTES:
        largest = max(item, key=lambda name: value_size(item[name]))
        raise DataError(
            f"it is {size:,} bytes large, and DynamoDB takes {MOST_ITEM_BYTES:,}; the largest of it is "
            f"/{escape(largest)} with {value_size(item[largest]):,}",
            "Leave attributes out, or keep them in S3",
        )


class IndexKey(NamedTuple):
    """An attribute that is part of the key of an index, and not of the table's.

    Attributes:
        name: The attribute.
        type: `S`, `N` or `B`.
        of: The index, or one of them.
    """

    name: str
    type: str
    of: str


def index_keys(table: Table) -> list[IndexKey]:
    """Return the attributes that keys of a table's indexes want to be of a type, each once."""
    found: dict[str, IndexKey] = {}
    for index in table.indexes:
        for name in (*index.partition, *index.sort):
            if name not in table.key.names:
                found.setdefault(name, IndexKey(name, index.types[name], index.name))
    return list(found.values())


def check_index_keys(item: Item, keys: Sequence[IndexKey]) -> None:
    """Find out whether the keys of indexes refuse an item. One that lacks an attribute is not in them.

    Args:
        item: Typed attributes.
        keys: What `index_keys` returned.

    Raises:
        DataError: They do.
    """
    for name, wanted, index in keys:
        value = item.get(name)
        if value is None:
            continue
        [(kind, content)] = value.items()
        if kind != wanted:
            raise DataError(
                f"/{escape(name)} is of type {kind}, and the key of index {index} wants {wanted}",
                "Make it that type, or leave it out: the item is not in the index then",
            )
        if content == "":
            raise DataError(
                f"/{escape(name)} is empty, and part of the key of index {index}",
                "Leave it out: the item is not in the index then",
            )


def _number_size(text: str) -> int:
    """Return a byte, one for every two digits, counted from the point, and one for a minus."""
    negative, digits, exponent = Decimal(text).as_tuple()
    significant = "".join(map(str, digits)).lstrip("0")
    stripped = significant.rstrip("0")
    if not stripped:
        return 1
    last = int(exponent) + len(significant) - len(stripped)  # the power of ten of the last digit
    first = last + len(stripped) - 1
    pairs = first // 2 - last // 2 + 1
    return min(MOST_NUMBER_BYTES, 1 + pairs + negative)


def _depth(value: Mapping[str, Any]) -> int:
    """Return how many values stand inside of each other, without recursion."""
    deepest = 0
    left = [(value, 1)]
    while left:
        each, depth = left.pop()
        deepest = max(deepest, depth)
        [(kind, content)] = each.items()
        if kind in ("M", "L"):
            inner = content.values() if kind == "M" else content
            left += [(one, depth + 1) for one in inner]
    return deepest
