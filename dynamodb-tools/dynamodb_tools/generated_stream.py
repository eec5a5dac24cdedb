"""Generated items as a Singer stream, in the forms that tap-dynamodb has; pure.

`plain` has an item's attributes as properties, for all targets; `dynamodb_json` has the whole item, typed,
in one property. Of both target-dynamodb makes the same item again.
"""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any, Literal

import orjson

from dynamodb_core import codec, provenance
from dynamodb_core.column_schema import property_schema, reserved_schema
from dynamodb_core.errors import ConfigError
from dynamodb_core.layouts import RESERVED, Columns
from dynamodb_core.table import Table
from dynamodb_tools.recipe import AT, AT_FROM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from dynamodb_tools.key_values import Value
    from dynamodb_tools.recipe import Items

ItemFormat = Literal["plain", "dynamodb_json"]

MOST_COLUMNS = 1000
"""Attributes beyond so many travel in the reserved object, as with the tap."""

GENERATED = "generated"
"""The member of the STATE that says up to which number, itself not among them, items are out."""


class GeneratedStream:
    """The messages of a stream.

    Args:
        items: The items.
        name: The stream's name.
        item_format: The form of its records.

    Raises:
        ConfigError: The key has the name of a property that is ours.
    """

    def __init__(self, items: Items, name: str, item_format: ItemFormat) -> None:
        self.name = name
        self._items = items
        self._key = items.recipe.key
        if item_format == "plain" and RESERVED in self._key.names:
            raise ConfigError(
                f"The key has an attribute {RESERVED}, which is a property of ours",
                "Name it otherwise, or take --item-format dynamodb_json",
            )
        on_demand = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}
        self._table = Table(name, "", "", self._key, description=on_demand)
        self._plain = item_format == "plain"
        self._texts: dict[int, str] = {}
        self._names = [orjson.dumps(each).decode() for each in self._key.names]
        self._item_field = orjson.dumps(provenance.item_field(self._table)).decode()
        self._pad = orjson.dumps(items.pad).decode()
        self._columns = Columns(self._types() if self._plain else {}, open=False)

    def schema(self) -> bytes:
        """Return the SCHEMA message."""
        schema = provenance.typed_schema(self._table)
        if self._plain:
            schema["properties"] = self._properties()
            own = {"item_format": "plain", "item_field": "item", "reserved": RESERVED}
            schema[provenance.TABLE] |= own
        said = {"stream": self.name, "schema": schema, "key_properties": list(self._key.names)}
        return orjson.dumps({"type": "SCHEMA", **said}) + b"\n"

    def records(self, numbers: Iterable[int], now: datetime) -> bytes:
        """Return RECORD messages.

        Args:
            numbers: Of which items.
            now: When they were made.
        """
        head = f'{{"type":"RECORD","stream":{orjson.dumps(self.name).decode()},"record":{{'
        tail = f'}},"time_extracted":{orjson.dumps(now).decode()}}}\n'
        record, key = self._record, self._items.key
        lines = starmap(record, [(number, key(number)) for number in numbers])
        return "".join([f"{head}{line}{tail}" for line in lines]).encode()

    def state(self, number: int) -> bytes:
        """Return the STATE message.

        Args:
            number: That of the next item.
        """
        return orjson.dumps({"type": "STATE", "value": {GENERATED: number}}) + b"\n"

    def _record(self, number: int, key: Sequence[Value]) -> str:
        """Return the properties of a record."""
        parts = [f"{name}:{value.plain}" for name, value in zip(self._names, key, strict=True)]
        if not self._plain:
            parts.append(f"{self._item_field}:{self._items.typed(number, key)}")
            return ",".join(parts)
        place = number % self._items.bodies
        text = self._texts.get(place)
        if text is None:
            text = self._texts[place] = self._properties_of_body(number)
        if text:
            parts.append(text)
        if self._items.body(number).numbered:
            parts.append(f'"{AT}":{AT_FROM + number}')
        padding = self._items.padding(number, key)
        if padding is not None:
            parts.append(f'{self._pad}:"{padding}"')
        return ",".join(parts)

    def _properties_of_body(self, number: int) -> str:
        attributes = self._items.body(number).attributes
        record = codec.to_plain(attributes, self._columns, orjson.Fragment).record
        return orjson.dumps(record).decode()[1:-1]

    def _types(self) -> dict[str, str]:
        """Return the types of the columns: that which an attribute has first; S if it is NULL always."""
        types: dict[str, str] = {}
        nothing: dict[str, str] = {}
        for number in range(self._items.bodies):
            for name, value in self._items.body(number).attributes.items():
                [kind] = value
                if kind == "NULL":
                    nothing[name] = "S"
                elif name != RESERVED:
                    types.setdefault(name, kind)
        types = {**types, **{name: kind for name, kind in nothing.items() if name not in types}}
        types.pop(RESERVED, None)
        return dict(list(types.items())[:MOST_COLUMNS])

    def _properties(self) -> dict[str, Any]:
        kinds = zip(self._key.names, self._key.types, strict=True)
        properties = {name: property_schema(kind, nullable=False) for name, kind in kinds}
        bodies = [self._items.body(number) for number in range(self._items.bodies)]
        if any(body.numbered for body in bodies):
            properties[AT] = property_schema("N")
        properties |= {name: property_schema(kind) for name, kind in self._columns.types.items()}
        if self._items.recipe.size is not None:
            properties[self._items.pad] = property_schema("S")
        plain = (codec.to_plain(body.attributes, self._columns, str).record for body in bodies)
        if any(RESERVED in record for record in plain):
            properties[RESERVED] = reserved_schema()
        return properties
