"""A table as DescribeTable says, its key, and what makes two items the same item."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core import numbers
from dynamodb_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Key:
    """A table's primary key.

    Attributes:
        names: The partition key's name, then the sort key's where there is one.
        types: `S`, `N` or `B`, in the same order.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]

    def identity(self, item: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
        """Return what two items have in common exactly when DynamoDB holds them for one.

        Args:
            item: Typed attributes; only those of the key are looked at.

        Returns:
            A type and a normalised text for each part of the key. Numbers are equal by value
            (`1`, `1.0` and `1e0` are one key), binary values by their bytes, and no joining can
            make two keys equal.

        Raises:
            DataError: A part is missing, empty, or not of the key's type.
        """
        parts = []
        for name, kind in zip(self.names, self.types, strict=True):
            value = item.get(name)
            if value is None:
                raise DataError(f"Key attribute {name} is missing", "Every item needs its key")
            text = value.get(kind)
            if text is None:
                raise DataError(
                    f"Key attribute {name} is of type {'/'.join(value)}, the table's key wants {kind}",
                    "Change the attribute's type, or the key of the table",
                )
            if text == "":
                raise DataError(
                    f"Key attribute {name} is empty", "DynamoDB refuses empty key values"
                )
            if kind == "N":
                text = numbers.canonical(text)
            elif kind == "B":
                text = _canonical_base64(name, text)
            parts.append((kind, text))
        return tuple(parts)

    def __str__(self) -> str:
        """Return the key as a person writes it, for example `pk (S), sk (N)`."""
        return ", ".join(f"{n} ({t})" for n, t in zip(self.names, self.types, strict=True))


@dataclass(frozen=True)
class Index:
    """A secondary index, as far as reading it wants to know.

    Its key does not identify an item: that is the table's key, which every index holds.

    Attributes:
        name: The index's name.
        local: Whether it is a local one, which can be read strongly consistent.
        partition: The attributes of its partition key: one, or up to four of a global index.
        sort: Those of its sort key: none, one, or up to four.
        types: `S`, `N` or `B`, by key attribute.
        projection: `ALL`, `KEYS_ONLY` or `INCLUDE`.
        item_count: Items, as DynamoDB counts them every six hours or so.
        size_bytes: Size, counted likewise.
        billing: `PROVISIONED` or `PAY_PER_REQUEST`, as the table's.
        read_units: Capacity units a second that it is known to give, None when not known. A local
            index has those of the table.
        write_units: The same for writing.
        read_granted: Those of them that it was given by somebody: provisioned, or as the maximum of
            one that is on demand. None where there is no such figure.
        write_granted: The same for writing.
    """

    name: str
    local: bool
    partition: tuple[str, ...]
    sort: tuple[str, ...]
    types: Mapping[str, str]
    projection: str = "ALL"
    item_count: int = 0
    size_bytes: int = 0
    billing: str = "PROVISIONED"
    read_units: float | None = None
    write_units: float | None = None
    read_granted: float | None = None
    write_granted: float | None = None

    @property
    def item_bytes(self) -> float | None:
        """The average size of an item, None where that is not known."""
        return self.size_bytes / self.item_count if self.item_count else None


@dataclass(frozen=True)
class Table:
    """What a run needs to know of a table.

    Attributes:
        name: The table's name.
        arn: Its ARN.
        id: Its TableId, which changes when it is made anew; empty where the engine has none.
        key: Its primary key.
        item_count: Items, as DynamoDB counts them every six hours or so.
        size_bytes: Size, counted likewise.
        billing: `PROVISIONED` or `PAY_PER_REQUEST`.
        read_units: Capacity units a second that it is known to give, None when not known.
        write_units: The same for writing.
        read_granted: Those of them that it was given by somebody: provisioned, or as the maximum of
            one that is on demand. None where there is no such figure.
        write_granted: The same for writing.
        description: The whole answer of DescribeTable.
    """

    name: str
    arn: str
    id: str
    key: Key
    item_count: int = 0
    size_bytes: int = 0
    billing: str = "PROVISIONED"
    read_units: float | None = None
    write_units: float | None = None
    read_granted: float | None = None
    write_granted: float | None = None
    description: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def account(self) -> str:
        """The account that the ARN names."""
        return (self.arn.split(":") + [""] * 5)[4]

    @property
    def region(self) -> str:
        """The region that the ARN names."""
        return (self.arn.split(":") + [""] * 5)[3]

    @property
    def item_bytes(self) -> float | None:
        """The average size of an item, None where that is not known."""
        return self.size_bytes / self.item_count if self.item_count else None

    @property
    def partition(self) -> tuple[str, ...]:
        """The attribute of its partition key."""
        return self.key.names[:1]

    @property
    def sort(self) -> tuple[str, ...]:
        """That of its sort key, where there is one."""
        return self.key.names[1:]

    @property
    def types(self) -> Mapping[str, str]:
        """`S`, `N` or `B`, by key attribute."""
        return dict(zip(self.key.names, self.key.types, strict=True))

    @property
    def active(self) -> bool:
        """Whether items can be read and written."""
        return self.description.get("TableStatus") in ("ACTIVE", "UPDATING")

    @property
    def indexes(self) -> tuple[Index, ...]:
        """Its secondary indexes, the global ones first."""
        return tuple(
            self._index(each, local=member == "LocalSecondaryIndexes")
            for member in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
            for each in self.description.get(member) or ()
        )

    def index(self, name: str) -> Index:
        """Return one of the table's secondary indexes.

        Args:
            name: The index's name.

        Raises:
            ConfigError: The table has none of that name.
        """
        indexes = {index.name: index for index in self.indexes}
        if name not in indexes:
            there = ", ".join(indexes) or "none"
            raise ConfigError(f"Table {self.name} has no index {name}", f"Its indexes: {there}")
        return indexes[name]

    def _index(self, described: Mapping[str, Any], *, local: bool) -> Index:
        types = _key_types(self.description)
        partition, sort = (
            tuple(
                part["AttributeName"] for part in described["KeySchema"] if part["KeyType"] == role
            )
            for role in ("HASH", "RANGE")
        )
        return Index(
            described["IndexName"],
            local,
            partition,
            sort,
            {attribute: types[attribute] for attribute in (*partition, *sort)},
            projection=described.get("Projection", {}).get("ProjectionType", "ALL"),
            item_count=int(described.get("ItemCount", 0)),
            size_bytes=int(described.get("IndexSizeBytes", 0)),
            billing=self.billing,
            **_units(self.description if local else described, self.billing),
        )

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Table:
        """Read the `Table` member of DescribeTable's or CreateTable's answer.

        Args:
            description: The member, as JSON gives it.
        """
        types = _key_types(description)
        schema = sorted(description["KeySchema"], key=lambda part: part["KeyType"] != "HASH")
        names = tuple(part["AttributeName"] for part in schema)
        billing = description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        return cls(
            name=description["TableName"],
            arn=description.get("TableArn", ""),
            id=description.get("TableId", ""),
            key=Key(names, tuple(types[name] for name in names)),
            item_count=int(description.get("ItemCount", 0)),
            size_bytes=int(description.get("TableSizeBytes", 0)),
            billing=billing,
            description=description,
            **_units(description, billing),
        )


def _key_types(description: Mapping[str, Any]) -> dict[str, str]:
    return {a["AttributeName"]: a["AttributeType"] for a in description["AttributeDefinitions"]}


def _canonical_base64(name: str, text: str) -> str:
    try:
        return b64encode(b64decode(text, validate=True)).decode()
    except ValueError as error:
        raise DataError(
            f"Key attribute {name} is no base64: {error}", "Binary values travel as base64"
        ) from error


def _units(description: Mapping[str, Any], billing: str) -> dict[str, float | None]:
    """Return the units a second that a table or index is known to give.

    On demand these are its warm throughput, or the maximum that it was given where that is less.
    """
    given = description.get("ProvisionedThroughput") or {}
    if billing == "PROVISIONED":
        read, write = given.get("ReadCapacityUnits"), given.get("WriteCapacityUnits")
        units = {"read_units": read or None, "write_units": write or None}
        return {**units, "read_granted": read or None, "write_granted": write or None}
    warm = description.get("WarmThroughput") or {}
    most = description.get("OnDemandThroughput") or {}
    read, write = most.get("MaxReadRequestUnits"), most.get("MaxWriteRequestUnits")
    return {
        "read_units": _least(warm.get("ReadUnitsPerSecond"), read),
        "write_units": _least(warm.get("WriteUnitsPerSecond"), write),
        "read_granted": _least(read),
        "write_granted": _least(write),
    }


def _least(*units: float | None) -> float | None:
    return min((each for each in units if each and each > 0), default=None)  # -1 is no maximum
