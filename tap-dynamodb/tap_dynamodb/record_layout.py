"""From the settings, the schema and what is selected to the layout of a stream's records; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core import layouts
from dynamodb_core.column_schema import column_types
from tap_dynamodb.render import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.layouts import Layout
    from dynamodb_core.table import Key
    from tap_dynamodb.settings import Settings

Place = tuple[str, ...]
_DEPTH = len(("properties", "name"))


@dataclass(frozen=True)
class Selected:
    """What of a stream's properties is selected.

    Attributes:
        mask: Whether each place of the schema is selected; answers for late properties as well.
        settings: The table's own.
    """

    mask: Mapping[Place, bool]
    settings: Settings

    @property
    def whole(self) -> bool:
        """Whether nothing is deselected but, perhaps, the reserved object."""
        reserved = ("properties", self.settings.reserved_field)
        return all(chosen for place, chosen in self.mask.items() if place != reserved)

    @property
    def by_layout(self) -> bool:
        """Whether the layout leaves out by itself what is deselected."""
        deselected = [place for place, chosen in self.mask.items() if not chosen]
        if any(place[-1] in NAMES for place in deselected if place):
            return False
        if self.settings.item_format != "plain":
            return not deselected
        return all(len(place) == _DEPTH for place in deselected)

    def columns(self, properties: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return the DynamoDB type of each selected attribute that has a column.

        Args:
            properties: Those of the stream's schema.
        """
        types = column_types(properties)
        if self.settings.type_tags:
            types.pop(self.settings.reserved_field, None)
        return {name: kind for name, kind in types.items() if self.mask["properties", name]}

    def wanted(self, properties: Mapping[str, Mapping[str, Any]]) -> list[str] | None:
        """Return the attributes that the records are made of; None for all.

        Args:
            properties: Those of the stream's schema.
        """
        if self.settings.item_format != "plain":
            return None if self.mask["properties", self.settings.item_field] else []
        return None if self.whole else list(self.columns(properties))

    def layout(self, properties: Mapping[str, Mapping[str, Any]], key: Key) -> Layout:
        """Return how an item becomes a record.

        Args:
            properties: Those of the stream's schema.
            key: The table's key.
        """
        settings = self.settings
        keys = dict(zip(key.names, key.types, strict=True))
        tagged = settings.type_tags and self.mask["properties", settings.reserved_field]
        reserved = settings.reserved_field if tagged else None
        style: dict[str, Any] = {"decimals": settings.decimals, "binary": settings.binary_encoding}
        if settings.item_format == "packed":
            return layouts.Packed(keys, settings.item_field, reserved, **style)
        if settings.item_format == "dynamodb_json":
            return layouts.Typed(keys, settings.item_field, **style)
        return layouts.Columns(
            types=self.columns(properties),
            reserved=reserved,
            open=self.whole,
            limit=settings.max_attributes,
            unknown="rest" if self.whole else "drop",
            **style,
        )
