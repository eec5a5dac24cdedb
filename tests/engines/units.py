"""What DynamoDB charges: sizes of items, units of operations, token buckets; pure.

AWS's documentation has the rules; where it is vague, DynamoDB Local's figures decide, and
test_meter.py says where the two part.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from demo.wire import Item

Kind = Literal["read", "write"]
Because = Literal[
    "ProvisionedThroughputExceeded",
    "MaxOnDemandThroughputExceeded",
    "AccountLimitExceeded",
    "KeyRangeThroughputExceeded",
]
"""The last part of the reason for which DynamoDB throttles."""

LEAST: dict[Kind, float] = {"read": 0.5, "write": 1.0}


def number_size(text: str) -> int:
    """Return the bytes of an N: one, one for two digits (paired from the point), one if negative.

    No number takes more than 21.
    """
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int), text
    plain = "".join(map(str, digits)).lstrip("0")
    if not plain:
        return 1
    if exponent % 2:  # pairs begin at the decimal point: 0.5 is the pair 50
        plain += "0"
    pairs = len(plain.zfill(len(plain) + len(plain) % 2)) // 2
    while plain.endswith("00"):
        plain, pairs = plain[:-2], pairs - 1
    return min(21, 1 + pairs + sign)


def value_size(typed: Mapping[str, Any]) -> int:
    """Return the bytes of a value, without its name."""
    ((kind, value),) = typed.items()
    if kind == "S":
        return len(value.encode("utf-8", "surrogatepass"))
    if kind == "N":
        return number_size(value)
    if kind == "B":
        return len(base64.b64decode(value))
    if kind in ("SS", "NS", "BS"):
        return sum(value_size({kind[0]: each}) for each in value)
    if kind == "L":
        return 3 + sum(1 + value_size(each) for each in value)
    if kind == "M":
        return 3 + len(value) + item_size(value)
    return 1  # NULL, BOOL


def item_size(item: Item) -> int:
    """Return the bytes of an item: names and values."""
    return sum(len(name.encode()) + value_size(typed) for name, typed in item.items())


def read_units(size: int, *, consistent: bool) -> float:
    """Return what it costs to read so many bytes; nothing found costs as much as 4 KB."""
    return max(1, -(-size // 4096)) * (1.0 if consistent else 0.5)


def write_units(*items: Item | None) -> float:
    """Return what it costs to make one of these out of the other: the larger counts, or 1."""
    size = max((item_size(item) for item in items if item is not None), default=0)
    return float(max(1, -(-size // 1024)))


def same(typed: Mapping[str, Any]) -> Any:
    """Return what two spellings of one value have in common."""
    ((kind, value),) = typed.items()
    if kind in ("SS", "NS", "BS"):
        return kind, frozenset(same({kind[0]: each}) for each in value)
    if kind == "L":
        return kind, tuple(map(same, value))
    if kind == "M":
        return kind, same_item(value)
    return kind, Decimal(value) if kind == "N" else value


def same_item(item: Item) -> Any:
    """Return `same` of a whole item or key."""
    return frozenset((name, same(typed)) for name, typed in item.items())


@dataclass(frozen=True)
class Index:
    """What of an item stands in an index; `local` ones are paid by the table's budget.

    Attributes:
        keys: Its key attributes, the partition key first.
        attributes: All that it holds of an item; None is everything.
    """

    name: str
    keys: tuple[str, ...]
    attributes: frozenset[str] | None = None
    local: bool = False

    def entry(self, item: Item | None) -> Item | None:
        """Return what the index holds of an item; None when the item is not in it."""
        if item is None or any(key not in item for key in self.keys):
            return None
        names = item.keys() if self.attributes is None else self.attributes
        return {name: typed for name, typed in item.items() if name in names}

    def units(self, old: Item | None, new: Item | None) -> float:
        """Return what it costs the index that an item changes; a new key costs two writes."""
        before, after = self.entry(old), self.entry(new)
        if before is None or after is None:
            return 0.0 if before is after else write_units(before, after)
        if same_item(before) == same_item(after):
            return 0.0
        if any(same(before[key]) != same(after[key]) for key in self.keys):
            return write_units(before) + write_units(after)
        return write_units(before, after)


@dataclass(frozen=True)
class Table:
    """What DescribeTable says of a table, as far as it is metered."""

    name: str
    arn: str
    keys: tuple[str, ...]
    indexes: Mapping[str, Index]
    on_demand: bool

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Table:
        """Read the answer of DescribeTable."""
        keys = _keys(description)
        indexes = {}
        for group in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
            for each in description.get(group, ()):
                name, projection = each["IndexName"], each["Projection"]
                kept = {*keys, *_keys(each), *projection.get("NonKeyAttributes", ())}
                whole = projection["ProjectionType"] == "ALL"
                local = group.startswith("Local")
                indexes[name] = Index(name, _keys(each), None if whole else frozenset(kept), local)
        billing = description.get("BillingModeSummary", {}).get("BillingMode")
        on_demand = billing == "PAY_PER_REQUEST"
        return cls(description["TableName"], description["TableArn"], keys, indexes, on_demand)

    def owner(self, index: str | None) -> str | None:
        """Return the index whose budget pays for an index; None is the table's."""
        return None if index is None or self.indexes[index].local else index

    def key(self, item: Item) -> Item:
        """Return the key attributes of an item."""
        return {name: item[name] for name in self.keys if name in item}

    def write(self, old: Item | None, new: Item | None) -> list[Charge]:
        """Return what it costs to write `new` (None: to delete) where `old` stood (None: nothing)."""
        charges = [Charge("write", None, write_units(old, new), _by_key(self.keys, old, new))]
        for index in self.indexes.values():
            units = index.units(old, new)
            if units:
                by_key = _by_key(index.keys, index.entry(old), index.entry(new))
                charges.append(Charge("write", index.name, units, by_key))
        return charges

    def read(self, items: Iterable[Item], *, consistent: bool, index: str | None = None) -> Charge:
        """Return what it costs to evaluate these items in one page, or as one item."""
        kept = [self.indexes[index].entry(item) if index else item for item in items]
        by_key = _by_key(self.indexes[index].keys if index else self.keys, *kept)
        units = read_units(sum(by_key.values()), consistent=consistent)
        return Charge("read", index, units, by_key)


def _keys(description: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        each["AttributeName"]
        for kind in ("HASH", "RANGE")
        for each in description["KeySchema"]
        if each["KeyType"] == kind
    )


def _by_key(keys: Sequence[str], *items: Item | None) -> dict[str, int]:
    """Return the bytes of each partition key's items."""
    sizes: dict[str, int] = {}
    for item in items:
        if item is not None:
            ((_, text),) = item[keys[0]].items()
            sizes[text] = sizes.get(text, 0) + item_size(item)
    return sizes


@dataclass(frozen=True)
class Charge:
    """What one operation consumes of a table or an index, and the bytes it touches of each key."""

    kind: Kind
    index: str | None
    units: float
    by_key: Mapping[str, int]

    def of_key(self, key: str) -> float:
        """Return the part of the units that falls to one partition key."""
        return self.units * self.by_key.get(key, 0) / max(1, sum(self.by_key.values()))


class Bucket:
    """Tokens that come in at `rate` a second up to `size`; debts are allowed. It begins full.

    An operation goes through while there is enough for the smallest one, whatever it costs then:
    DynamoDB does not know what a page costs before it has read it.
    """

    def __init__(self, rate: float, size: float, now: float, because: Because) -> None:
        self.because = because
        self._rate = rate
        self._size = size
        self._level = size
        self._then = now

    def level(self, now: float) -> float:
        """Return what is in it."""
        self._level = min(self._size, self._level + (now - self._then) * self._rate)
        self._then = now
        return self._level

    def take(self, units: float, now: float) -> None:
        """Take units out; a negative figure puts them back."""
        self._level = self.level(now) - units


def most_in(seconds: float, consumed: Sequence[tuple[float, float]]) -> float:
    """Return the most units in any window of so many seconds, its end not included."""
    most, inside, first = 0.0, 0.0, 0
    for when, units in consumed:
        inside += units
        while consumed[first][0] <= when - seconds:
            inside -= consumed[first][1]
            first += 1
        most = max(most, inside)
    return most
