"""From a record to the write of its item: compiled once for each SCHEMA; pure.

`attributes.py` types the properties; here the formats of our tap are taken apart, its reserved object
is put back, deletions are told, and what the options ask for is done (`shape.py`). `_sdc_` properties that a tap added are left out; an attribute of
that name, which our tap annotates, is an attribute like any other. Numeric keys are written out in
full digits, as not every engine sees that two spellings are one key.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core import numbers, restore, sizes
from dynamodb_core.errors import DataError
from dynamodb_core.provenance import DELETED_AT, DELETED_BY, OLD_IMAGE, SEQUENCE
from dynamodb_core.shapes import nameable
from target_dynamodb.attributes import Attributes
from target_dynamodb.compiled import compiled
from target_dynamodb.joined import MissingPart
from target_dynamodb.key_choice import Stream
from target_dynamodb.shape import Shape
from target_dynamodb.stream_options import StreamOptions
from target_dynamodb.verbatim import Verbatim

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from dynamodb_core.encode import TypedValue
    from dynamodb_core.layouts import Binary
    from dynamodb_core.sizes import IndexKey
    from dynamodb_core.table import Key
    from target_dynamodb.compiled import Compiled
    from target_dynamodb.source import Source

    Write = tuple[Hashable, bytes, bool]

OF_CHANGES = frozenset({DELETED_BY, OLD_IMAGE})
"""Properties that say more of a change, and never enter an item."""

SDC_PROPERTIES = OF_CHANGES | frozenset(
    {
        DELETED_AT,
        SEQUENCE,
        "_sdc_batched_at",
        "_sdc_extracted_at",
        "_sdc_received_at",
        "_sdc_sync_started_at",
        "_sdc_table_version",
    }
)
SHOWN = 100
"""Characters of a record's key that an error shows."""

_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


class MissingKey(DataError):
    """A record has no value for a part of its key."""


class Encoder:
    """Makes writes of the records of a stream.

    A write is the identity of its item, a body, and whether it deletes. The body is DynamoDB JSON:
    the item to put, or the key of the item to delete.

    Args:
        stream: The stream's name, for messages.
        properties: The JSON Schema of each property.
        key: The key of the table that is written.
        source: The table that the stream came from, if our tap wrote it.
        metadata: Whether the `_sdc_` properties are to be written.
        key_properties: The stream's own key.
        options: What the configuration says of the stream.
        indexes: What the keys of the table's indexes want.

    Raises:
        ConfigError: The options contradict each other, or the key.
        DataError: A property is annotated with a type that there is none, or a constant is none.
    """

    def __init__(
        self,
        stream: str,
        properties: Mapping[str, Mapping[str, Any]],
        *,
        key: Key,
        source: Source | None = None,
        metadata: bool = False,
        key_properties: Sequence[str] = (),
        options: StreamOptions | None = None,
        indexes: Sequence[IndexKey] = (),
    ) -> None:
        options = options or StreamOptions()
        described = Stream(stream, key_properties, properties, source, options)
        self._stream = stream
        self._key = key
        self._source = source
        self._indexes = indexes
        self._shape = Shape.of(described, key)
        types: dict[str, str] = dict(zip(key.names, key.types, strict=True))
        self._numeric = [name for name, type_ in types.items() if type_ == "N"]
        self._keys = self._shape.columns if self._shape else types
        self._required = self._shape.required if self._shape else key.names
        kinds = {name: described.kind(name) for name in properties}
        base16 = any(kinds[name].base16 for name in self._keys if name in kinds)
        self._binary: Binary = "base16" if base16 else "base64"
        added = {n for n in SDC_PROPERTIES if n not in kinds or not kinds[n].annotated}
        self._marks_deletion = DELETED_AT in added
        self._apart: set[str] = added & OF_CHANGES if metadata else set(added)
        if source is not None and source.reserved:
            self._apart.add(source.reserved)
        if source is not None and source.item_format != "plain":
            self._apart.update(self._keys, (source.item_field,))
        keep_nulls = options.nulls == "keep" if options.nulls else source is not None
        empty = "keep" if source else options.empty_strings
        self._attributes = Attributes(
            kinds,
            keys=self._keys,
            apart=self._apart,
            keep_nulls=keep_nulls or source is not None,
            empty=empty,
            types=None if source else options.types,
        )
        self._short: Sequence[Verbatim | Compiled] = ()
        indexed = {each.name: each.type for each in indexes}
        if self._shape is not None:
            return
        if source is not None and source.item_format == "dynamodb_json":
            if all(map(nameable, (*key.names, source.item_field, *indexed))):
                self._short = (
                    Verbatim(
                        key,
                        source.item_field,
                        self._binary,
                        indexed,
                        skipped=self._apart & added & properties.keys(),
                    ),
                )
        elif source is None or source.item_format == "plain":
            reserved = source.reserved if source else ""
            marking = DELETED_AT if self._marks_deletion else ""
            self._short = compiled(
                self._attributes.columns(),
                types,
                skipped=self._apart - {reserved, marking},
                absent=marking,
                reserved=reserved,
                keep_nulls=keep_nulls,
                empty=empty,
                indexed=indexed,
            )

    def encode_json(self, record: msgspec.Raw) -> Write:
        """Make a write of a record's JSON.

        Args:
            record: The record, as it stands in its message.

        Raises:
            MissingKey: A part of the key is missing or null.
            DataError: The record cannot be written; stream, key and path are named.
            msgspec.DecodeError: It is not a JSON object.
        """
        for road in self._short:
            write = road.write(record)
            if write is not None:
                if len(write[1]) > sizes.MOST_ITEM_BYTES:
                    break  # perhaps it is too large
                return write
        return self.encode(_decode(record))

    def encode(self, record: dict[str, Any]) -> Write:
        """Make a write of a record.

        Args:
            record: The record; numbers as int, float or Decimal.

        Raises:
            MissingKey: A part of the key is missing or null.
            DataError: The record cannot be written; stream, key and path are named.
        """
        try:
            deleted = self._marks_deletion and record.get(DELETED_AT) is not None
            item = self._attributes.key_of(record) if deleted else self._item(record)
            if self._shape is not None:
                item = self._shape.key(item) if deleted else self._shape.item(item)
            for name in self._numeric:
                text = item.get(name, {}).get("N")
                if text is not None and not (text.isdecimal() and text[0] != "0"):
                    item[name] = {"N": numbers.plain_digits(text)}
            identity = self._key.identity(item)
            if self._indexes and not deleted:
                sizes.check_index_keys(item, self._indexes)
            return identity, _body(item), deleted
        except DataError as error:
            raise self._explain(record, error) from error
        except orjson.JSONEncodeError as error:  # a lone surrogate
            what = DataError(f"it holds a text that is no text: {error}")
            raise self._explain(record, what) from error

    def _item(self, record: dict[str, Any]) -> dict[str, TypedValue]:
        source = self._source
        if source is None:
            return self._attributes.of(record)
        if source.item_format == "plain":
            item = self._attributes.of(record)
            if source.reserved and record.get(source.reserved) is not None:
                _put_back(item, record, source.reserved)
            return item
        keys = {name: type_ or "S" for name, type_ in self._keys.items()}
        if source.item_format == "packed":
            item = restore.from_packed(
                record,
                keys,
                item_field=source.item_field,
                reserved=source.reserved,
                binary=self._binary,
            )
        else:
            item = restore.from_typed(
                record, keys, item_field=source.item_field, binary=self._binary
            )
        if not self._apart.issuperset(record):  # a stream map added properties
            item.update(self._attributes.of(record))
        return item

    def _explain(self, record: dict[str, Any], error: DataError) -> DataError:
        missing = [name for name in self._required if record.get(name) is None]
        shown = ", ".join(
            f"{name} {record[name]!s:.{SHOWN}}"
            for name in self._keys
            if record.get(name) is not None
        )
        where = f"Stream {self._stream}, record with key {shown or 'missing'}"
        if missing:
            return MissingKey(
                f"{where}: {' and '.join(missing)} of the key is missing",
                "Every record needs a value for each part of its table's key",
            )
        named = MissingKey if isinstance(error, MissingPart) else DataError
        return named(f"{where}: {error.message}", error.hint)


def _body(item: dict[str, TypedValue]) -> bytes:
    body = orjson.dumps(item)
    if len(body) > sizes.MOST_ITEM_BYTES:  # else it fits: it is never larger than its JSON
        sizes.check_size(item)
    return body


def _put_back(item: dict[str, TypedValue], record: dict[str, Any], name: str) -> None:
    """Put back what the reserved object of our tap says."""
    reserved = record[name]
    types: Any = reserved.get("types") if isinstance(reserved, dict) else "none"
    rest: Any = reserved.get("rest") if isinstance(reserved, dict) else "none"
    if not isinstance(types or {}, dict) or not isinstance(rest or {}, dict):
        raise DataError(
            f"The property {name} does not hold `types` and `rest`",
            "Leave the property as the tap wrote it",
        )
    restore.apply_tags(item, record, types or {})
    restore.apply_rest(item, record, rest or {})
