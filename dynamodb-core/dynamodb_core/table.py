"""A table as DescribeTable says, its key, and what makes two items the same item."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core import numbers
from dynamodb_core.errors import DataError

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
    def active(self) -> bool:
        """Whether items can be read and written."""
        return self.description.get("TableStatus") in ("ACTIVE", "UPDATING")

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Table:
        """Read the `Table` member of DescribeTable's or CreateTable's answer.

        Args:
            description: The member, as JSON gives it.
        """
        types = {
            a["AttributeName"]: a["AttributeType"] for a in description["AttributeDefinitions"]
        }
        schema = sorted(description["KeySchema"], key=lambda part: part["KeyType"] != "HASH")
        names = tuple(part["AttributeName"] for part in schema)
        billing = description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        read, write = _units(description, billing)
        return cls(
            name=description["TableName"],
            arn=description.get("TableArn", ""),
            id=description.get("TableId", ""),
            key=Key(names, tuple(types[name] for name in names)),
            item_count=int(description.get("ItemCount", 0)),
            size_bytes=int(description.get("TableSizeBytes", 0)),
            billing=billing,
            read_units=read,
            write_units=write,
            description=description,
        )


def _canonical_base64(name: str, text: str) -> str:
    try:
        return b64encode(b64decode(text, validate=True)).decode()
    except ValueError as error:
        raise DataError(
            f"Key attribute {name} is no base64: {error}", "Binary values travel as base64"
        ) from error


def _units(description: Mapping[str, Any], billing: str) -> tuple[float | None, float | None]:
    if billing == "PROVISIONED":
        given = description.get("ProvisionedThroughput", {})
        read, write = given.get("ReadCapacityUnits"), given.get("WriteCapacityUnits")
    else:
        given = description.get("WarmThroughput", {})
        read, write = given.get("ReadUnitsPerSecond"), given.get("WriteUnitsPerSecond")
    return read or None, write or None
