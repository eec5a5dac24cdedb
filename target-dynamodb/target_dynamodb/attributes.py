"""From a record's properties to typed attributes: compiled once for each SCHEMA; pure.

Which type an attribute gets is decided, in this order, by the option `types`, by the table's key, by
the annotation of our tap (`x-dynamodb-type`), by the JSON Schema, by the value. A null is NULL or left
out, as is asked for, and so is an empty text; nulls inside of objects and arrays are kept. A value of
another tap that does not fit its schema is typed by what it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dynamodb_core import encode, numbers
from dynamodb_core.errors import DataError
from dynamodb_core.pointers import escape
from target_dynamodb import casts
from target_dynamodb.compiled import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from target_dynamodb.kinds import Kind

    Encode = Callable[[Any, str], encode.TypedValue]

_SAFE = 10**numbers.MAX_DIGITS
_AS_IT_IS: dict[str, type] = {"S": str, "BOOL": bool}
_FITTING: dict[str, tuple[type, ...]] = {
    "S": (str,),
    "N": (int, float, Decimal),
    "BOOL": (bool,),
    "L": (list,),
    "M": (dict,),
}


class _NoValue:
    """The class of no value."""


class Attributes:
    """Types the top-level properties of records.

    Args:
        kinds: What the properties become.
        keys: The properties that the key is made of, each with the type that it is given; None where
            it is typed as any other.
        apart: Properties that are no attributes.
        keep_nulls: Whether null is NULL; else the attribute is left out.
        empty: What becomes of an empty text that is not of the key: `keep`, `omit`, or `null`.
        types: The option `types`.

    Raises:
        DataError: A property is annotated with a type that DynamoDB does not have.
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        *,
        keys: Mapping[str, str | None],
        apart: Container[str],
        keep_nulls: bool,
        empty: str = "keep",
        types: Mapping[str, str] | None = None,
    ) -> None:
        self._apart = apart
        self._keep_nulls = keep_nulls
        self._empty = empty
        types = types or {}
        self._columns = {
            name: _column(name, kinds.get(name), None, types.get(name))
            for name in {**kinds, **types}
            if name not in apart
        }
        self._keys = {
            name: _column(name, kinds.get(name), type_, types.get(name))
            for name, type_ in keys.items()
        }
        self._columns |= {n: column for n, column in self._keys.items() if n not in apart}
        self._texts = {name for name, found in kinds.items() if found.decimal}
        self._texts |= {
            name
            for name, type_ in types.items()
            if type_ == "N" and name in kinds and kinds[name].type == "S"
        }

    def columns(self) -> list[Column]:
        """Return the properties that are attributes, each with how it is typed."""
        return [
            Column(name, type_, encoder, path, text=name in self._texts)
            for name, (_, type_, encoder, path) in self._columns.items()
        ]

    def of(self, record: Mapping[str, Any]) -> dict[str, encode.TypedValue]:
        """Return the attributes of a record.

        Args:
            record: The record; numbers as int, float or Decimal.

        Raises:
            DataError: A value does not fit; its path is named.
        """
        if self._empty != "keep":
            return self._of_filled(record)
        return self._of(record)

    def _of_filled(self, record: Mapping[str, Any]) -> dict[str, encode.TypedValue]:
        """Return the attributes of a record without those that are an empty text."""
        empty = {
            name
            for name, value in record.items()
            if value == "" and name not in self._keys and name not in self._apart
        }
        item = self._of({name: value for name, value in record.items() if name not in empty})
        if self._empty == "null":
            item |= {name: {"NULL": True} for name in empty}
        return item

    def _of(self, record: Mapping[str, Any]) -> dict[str, encode.TypedValue]:
        columns = self._columns
        item: dict[str, encode.TypedValue] = {}
        for name, value in record.items():
            column = columns.get(name)
            if column is None:
                if name not in self._apart:
                    if value is not None:
                        item[name] = encode.natural(value, f"/{escape(name)}")
                    elif self._keep_nulls:
                        item[name] = {"NULL": True}
                continue
            as_it_is, type_, encoder, path = column
            if value.__class__ is as_it_is:
                item[name] = {type_: value}
            elif value is not None:
                try:
                    item[name] = encoder(value, path)
                except casts.LeftOut:
                    continue
            elif self._keep_nulls:
                item[name] = {"NULL": True}
        return item

    def key_of(self, record: Mapping[str, Any]) -> dict[str, encode.TypedValue]:
        """Return the key attributes of a record, without those that are missing or null.

        Args:
            record: The record.

        Raises:
            DataError: A value does not fit; its path is named.
        """
        return {
            name: encoder(record[name], path)
            for name, (_, _, encoder, path) in self._keys.items()
            if record.get(name) is not None
        }


def _column(
    name: str, found: Kind | None, key: str | None, asked: str | None
) -> tuple[type, str, Encode, str]:
    """Return, for a property: what is written as it is, the type, the encoder, the path."""
    path = f"/{escape(name)}"
    if asked is not None:
        cast = casts.caster(asked, base16=bool(found and found.base16))
        alike = asked in ("S", "N") or (asked == "BOOL" and bool(found and found.type == "BOOL"))
        if not alike:
            return _NoValue, "", cast, path
        return _AS_IT_IS.get(asked, _NoValue), asked, cast, path
    type_ = key or (found.type if found else None)
    if type_ is None:
        return _NoValue, "", encode.natural, path
    if type_ not in encode.ENCODERS:
        raise DataError(
            f"Property {name} is annotated with {type_}, which is no DynamoDB type",
            "Use a tap-dynamodb and a target-dynamodb of one version",
        )
    binary = encode.TOP_ENCODERS["base16" if found and found.base16 else "base64"]
    encoder: Encode = _number if type_ == "N" else binary[type_]
    if type_ in _FITTING and not (key or (found and found.annotated)):
        encoder = _lenient(type_, encoder, texts=bool(found and found.decimal))
    return _AS_IT_IS.get(type_, _NoValue), type_, encoder, path


def _lenient(type_: str, encoder: Encode, *, texts: bool) -> Encode:
    """Return an encoder that types by the value what the schema is wrong about."""
    fitting = (*_FITTING[type_], str) if texts else _FITTING[type_]

    def by_schema(value: Any, path: str) -> encode.TypedValue:
        if isinstance(value, fitting) and value.__class__ is not bool:
            return encoder(value, path)
        return encode.natural(value, path)

    return by_schema


def _number(value: Any, path: str) -> encode.TypedValue:
    if value.__class__ is int and -_SAFE < value < _SAFE:
        return {"N": str(value)}
    return encode.ENCODERS["N"](value, path)
