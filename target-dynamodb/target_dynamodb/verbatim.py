"""Records of `dynamodb_json`, whose items go to the table as they are; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from dynamodb_core import numbers
from dynamodb_core.codec import base16
from dynamodb_core.errors import DataError
from dynamodb_core.provenance import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping

    from dynamodb_core.layouts import Binary
    from dynamodb_core.table import Key


class Verbatim:
    """Slices an item out of its record, where nothing about it has to be changed.

    Args:
        key: The key of the table that is written.
        item_field: The property that holds the typed item.
        binary: How binary keys are written.
        indexed: The type that keys of indexes want of attributes.
        skipped: Properties that say something of the record, and are no attributes. One that says that
            the item was deleted is to be null.
    """

    def __init__(
        self,
        key: Key,
        item_field: str,
        binary: Binary = "base64",
        indexed: Mapping[str, str] | None = None,
        *,
        skipped: Collection[str] = (),
    ) -> None:
        self._key = key
        self._indexed = [
            (f"index{number}", type_) for number, type_ in enumerate((indexed or {}).values())
        ]
        self._base16 = binary == "base16"
        names = [f"key{number}" for number, _ in enumerate(key.names)]
        properties: list[tuple[str, Any, Any]] = [
            (own, msgspec.Raw, msgspec.field(name=name))
            for own, name in zip(names, key.names, strict=True)
        ]
        properties.append(("item", msgspec.Raw, msgspec.field(name=item_field)))
        properties += [
            (
                f"skipped{number}",
                None | UnsetType if name == DELETED_AT else msgspec.Raw | UnsetType,
                msgspec.field(name=name, default=UNSET),
            )
            for number, name in enumerate(skipped)
        ]
        record: Any = msgspec.defstruct("Record", properties, forbid_unknown_fields=True)
        attributes: list[tuple[str, Any, Any]] = [
            (own, dict[str, str], msgspec.field(name=name))
            for own, name in zip(names, key.names, strict=True)
        ]
        attributes += [
            (f"index{number}", dict[str, str] | UnsetType, msgspec.field(name=name, default=UNSET))
            for number, name in enumerate(indexed or {})
        ]
        self._record = msgspec.json.Decoder(record).decode
        part: Any = msgspec.defstruct("Attributes", attributes)
        self._attributes = msgspec.json.Decoder(part).decode

    def write(self, record: msgspec.Raw) -> tuple[Hashable, bytes, bool] | None:
        """Return the write that a record is.

        Args:
            record: The record's JSON.

        Returns:
            The write, as `Encoder` makes them; None when the record has to be looked at closely: it
            has other properties, its key was changed on the way, or is spelled unusually.
        """
        try:
            parts = self._record(record)
            attributes = self._attributes(parts.item)
        except msgspec.ValidationError:
            return None
        try:
            typed = self._key_of(parts, attributes)
            if typed is not None and self._fits_indexes(attributes):
                return self._key.identity(typed), bytes(parts.item), False
        except (DataError, ValueError):  # no number, no base64
            pass
        return None

    def _fits_indexes(self, attributes: Any) -> bool:
        for own, type_ in self._indexed:
            typed = getattr(attributes, own)
            if typed is not UNSET and not typed.get(type_):
                return False
        return True

    def _key_of(self, parts: Any, attributes: Any) -> dict[str, dict[str, str]] | None:
        typed: dict[str, dict[str, str]] = {}
        for place, (name, type_) in enumerate(zip(self._key.names, self._key.types, strict=True)):
            own = f"key{place}"
            text = getattr(attributes, own).get(type_)
            given = bytes(getattr(parts, own))
            if not text:
                return None
            if type_ == "N":
                if given.strip(b'"') != text.encode() or numbers.plain_digits(text) != text:
                    return None
            elif given != orjson.dumps(base16(text) if self._base16 and type_ == "B" else text):
                return None
            typed[name] = {type_: text}
        return typed
