"""A table as it is to be made: its settings, and the requests that make it of them; pure.

Settings of a table are one mapping under names in snake case, the same wherever they stand: in the
target's configuration, in the SCHEMA that the tap writes of a table (`descriptions.py`), and here.
A member that is missing or null leaves its part to DynamoDB's own default, but for the billing: a
table without units is on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dynamodb_core.table import Key

Settings = Mapping[str, Any]

ON_DEMAND, PROVISIONED = "PAY_PER_REQUEST", "PROVISIONED"
UNITS = ("read_capacity_units", "write_capacity_units")
MAXIMA = ("max_read_request_units", "max_write_request_units")
INDEXES = ("global_secondary_indexes", "local_secondary_indexes")
AFTER_LOAD = "after_load"

PARTS: Mapping[str, tuple[str, ...]] = {
    "indexes": (*INDEXES, "attributes"),
    "ttl": ("ttl_attribute",),
    "stream": ("stream_view_type",),
    "tags": ("tags",),
    "table_class": ("table_class",),
    "deletion_protection": ("deletion_protection_enabled",),
    "capacity": ("billing_mode", *UNITS, *MAXIMA),
    "encryption": ("sse_type", "kms_master_key_id"),
}
"""What of a table can be copied, in a word each, and the settings that it is made of."""


def part_of(settings: Settings, parts: Iterable[str]) -> dict[str, Any]:
    """Return some parts of a table's settings.

    Args:
        settings: The settings.
        parts: Which: words of `PARTS`.
    """
    parts = frozenset(parts)
    names = {name for part in parts for name in PARTS[part]}
    found = {name: value for name, value in settings.items() if name in names}
    return found if "capacity" in parts else _without_capacity(found)


def merged(below: Settings, above: Settings) -> dict[str, Any]:
    """Return settings over which others were laid.

    What is said above counts: a list goes in the place of the one below, tags and attributes are
    joined by name, null takes back. Another billing mode takes the capacity of the one below away.

    Args:
        below: Settings.
        above: Settings that go before them.
    """
    mode = _billing_mode(above) or (ON_DEMAND if "billing_mode" in above else None)
    if mode is not None and mode != (_billing_mode(below) or ON_DEMAND):
        below = _without_capacity(below)
    whole = {**below}
    for name, value in above.items():
        joins = isinstance(value, Mapping) and whole.get(name)
        whole[name] = {**whole[name], **value} if joins else value
    return whole


def key_attributes(settings: Settings) -> set[str]:
    """Return the attributes that are in the key of an index.

    Args:
        settings: Settings of a table.
    """
    return {
        name
        for member in INDEXES
        for index in settings.get(member) or ()
        for name in _attributes(index)
    }


@dataclass(frozen=True)
class Definition:
    """A table that is to be made, or completed.

    Attributes:
        name: Its name.
        key: Its primary key.
        settings: Its settings.
        types: `S`, `N` or `B` of attributes, where the settings' own `attributes` say nothing.

    Raises:
        ConfigError: The settings contradict each other, or lack something.
    """

    name: str
    key: Key
    settings: Settings = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse settings of which no table can be made."""
        given = [name for name in UNITS if self.settings.get(name)]
        if self.billing_mode == PROVISIONED and len(given) < len(UNITS):
            raise self._wrong("is provisioned", f"Give both {' and '.join(UNITS)}")
        self._refuse_other_capacity("", self.settings)
        names = [index["name"] for index in self._indexes()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise self._wrong(f"has two indexes named {twice[0]}", "Give each its own name")
        for index in self.global_indexes:
            self._refuse_other_capacity(f" index {index['name']} of", index)
        if self.local_indexes and len(self.key.names) == 1:
            raise self._wrong(
                f"has local secondary indexes, and no sort key (its key: {self.key})",
                "Only a table with a sort key can have them: make them global_secondary_indexes",
            )
        for index in self._indexes():
            for name in _attributes(index):
                self._type(name, index["name"])
            if _projection(index) == "INCLUDE" and not index.get("non_key_attributes"):
                raise self._wrong(
                    f"has index {index['name']} with projection_type INCLUDE of no attribute",
                    "Name them: non_key_attributes",
                )

    @property
    def billing_mode(self) -> str:
        """`PAY_PER_REQUEST` or `PROVISIONED`; the latter also where units are given."""
        return _billing_mode(self.settings) or ON_DEMAND

    @property
    def global_indexes(self) -> Sequence[Settings]:
        """Its global secondary indexes, as the settings have them."""
        return self.settings.get("global_secondary_indexes") or ()

    @property
    def local_indexes(self) -> Sequence[Settings]:
        """Its local secondary indexes, likewise."""
        return self.settings.get("local_secondary_indexes") or ()

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        said = self.settings.get("tags") or {}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def indexes_later(self) -> bool:
        """Whether its global indexes are made after the load; local ones come with their table."""
        return self.settings.get("create_indexes") == AFTER_LOAD

    def create_request(self) -> dict[str, Any]:
        """Return the request of CreateTable."""
        own = zip(self.key.names, ("HASH", "RANGE"), strict=False)
        with_it = () if self.indexes_later else self.global_indexes
        settings = self.settings
        request: dict[str, Any] = {
            "TableName": self.name,
            "BillingMode": self.billing_mode,
            "AttributeDefinitions": self._attribute_definitions(with_it),
            "KeySchema": [{"AttributeName": name, "KeyType": role} for name, role in own],
            **self._throughput(settings),
        }
        if self.local_indexes:
            request["LocalSecondaryIndexes"] = [
                _index({**index, "partition_key": self.key.names[0]})
                for index in self.local_indexes
            ]
        if with_it:
            request["GlobalSecondaryIndexes"] = [self._global_index(index) for index in with_it]
        if view := settings.get("stream_view_type"):
            request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
        if settings.get("sse_type") or settings.get("kms_master_key_id"):
            key = settings.get("kms_master_key_id")
            request["SSESpecification"] = {
                "Enabled": True,
                "SSEType": settings.get("sse_type") or "KMS",
                **({"KMSMasterKeyId": key} if key else {}),
            }
        if tags := self.tags:
            request["Tags"] = [{"Key": name, "Value": value} for name, value in tags.items()]
        if settings.get("table_class"):
            request["TableClass"] = settings["table_class"]
        if settings.get("deletion_protection_enabled"):
            request["DeletionProtectionEnabled"] = True
        return request

    def ttl_request(self) -> dict[str, Any] | None:
        """Return the request of UpdateTimeToLive; None where nothing expires."""
        attribute = self.settings.get("ttl_attribute")
        if not attribute:
            return None
        enabled = {"Enabled": True, "AttributeName": attribute}
        return {"TableName": self.name, "TimeToLiveSpecification": enabled}

    def index_request(self, name: str) -> dict[str, Any]:
        """Return the request of UpdateTable that adds one of the global indexes.

        Args:
            name: The index's name.
        """
        [index] = [each for each in self.global_indexes if each["name"] == name]
        return {
            "TableName": self.name,
            "AttributeDefinitions": self._attribute_definitions([index]),
            "GlobalSecondaryIndexUpdates": [{"Create": self._global_index(index)}],
        }

    def _indexes(self) -> Iterator[Settings]:
        yield from self.global_indexes
        yield from self.local_indexes

    def _global_index(self, index: Settings) -> dict[str, Any]:
        if self.billing_mode == PROVISIONED:
            index = {**{name: self.settings.get(name) for name in UNITS}, **index}
        return {**_index(index), **self._throughput(index)}

    def _throughput(self, given: Settings) -> dict[str, Any]:
        names, member, (read, write) = (
            (UNITS, "ProvisionedThroughput", ("ReadCapacityUnits", "WriteCapacityUnits"))
            if self.billing_mode == PROVISIONED
            else (MAXIMA, "OnDemandThroughput", ("MaxReadRequestUnits", "MaxWriteRequestUnits"))
        )
        units = dict(zip((read, write), (given.get(name) for name in names), strict=True))
        found = {name: value for name, value in units.items() if value is not None}
        return {member: found} if found else {}

    def _attribute_definitions(self, global_indexes: Iterable[Settings]) -> list[dict[str, str]]:
        used = [*self.key.names]
        for index in (*self.local_indexes, *global_indexes):
            used += _attributes(index)
        return [
            {"AttributeName": name, "AttributeType": self._type(name, "")}
            for name in dict.fromkeys(used)
        ]

    def _type(self, attribute: str, index: str) -> str:
        own = dict(zip(self.key.names, self.key.types, strict=True))
        said = self.settings.get("attributes") or {}
        found = own.get(attribute) or said.get(attribute) or self.types.get(attribute)
        if found not in ("S", "N", "B"):
            raise self._wrong(
                f"has index {index} with {attribute} in its key, which is "
                f"{f'of type {found}' if found else 'of no known type'}",
                f'Say whether it is S, N or B: "attributes": {{"{attribute}": "S"}}',
            )
        return found

    def _refuse_other_capacity(self, index: str, given: Settings) -> None:
        provisioned = self.billing_mode == PROVISIONED
        for name in MAXIMA if provisioned else UNITS:
            if given.get(name) is not None:
                mode = "provisioned" if provisioned else "on demand"
                raise ConfigError(
                    f"The settings of{index} table {self.name} have {name}, and the table is {mode}",
                    f"Take {name} away, or change billing_mode",
                )

    def _wrong(self, what: str, hint: str) -> ConfigError:
        return ConfigError(f"By its settings table {self.name} {what}", hint)


def _index(index: Settings) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": _projection(index)}
    if index.get("non_key_attributes"):
        projection["NonKeyAttributes"] = list(index["non_key_attributes"])
    return {
        "IndexName": index["name"],
        "KeySchema": [
            {"AttributeName": name, "KeyType": role}
            for member, role in (("partition_key", "HASH"), ("sort_key", "RANGE"))
            for name in names(index.get(member))
        ],
        "Projection": projection,
    }


def names(said: str | Sequence[str] | None) -> list[str]:
    """Return the attributes of a part of an index's key: one, or several in a list.

    Args:
        said: What the settings say.
    """
    if not said:
        return []
    return [said] if isinstance(said, str) else list(said)


def _attributes(index: Settings) -> list[str]:
    return [*names(index.get("partition_key")), *names(index.get("sort_key"))]


def _projection(index: Settings) -> str:
    return index.get("projection_type") or ("INCLUDE" if index.get("non_key_attributes") else "ALL")


def _billing_mode(settings: Settings) -> str | None:
    said: str | None = settings.get("billing_mode")
    if said is None and any(settings.get(name) for name in UNITS):
        return PROVISIONED
    if said is None and any(settings.get(name) for name in MAXIMA):
        return ON_DEMAND
    return said


def _without_capacity(settings: Settings) -> dict[str, Any]:
    capacity = PARTS["capacity"]
    bare = {name: value for name, value in settings.items() if name not in capacity}
    member = INDEXES[0]
    if bare.get(member):
        bare[member] = [
            {name: value for name, value in index.items() if name not in capacity}
            for index in bare[member]
        ]
    return bare
