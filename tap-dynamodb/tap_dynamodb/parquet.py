"""Records as Parquet, with a schema that is said beforehand instead of guessed from the first rows.

=====================================  ========================================================
in a record                            in a file
=====================================  ========================================================
text, binary (base64), exact decimals  string
number                                 double, if it is the same number there, digit by digit
boolean                                bool
map, list, set, the reserved object    string: JSON
null, left out                         null: Parquet does not tell them apart
=====================================  ========================================================

A number that a double cannot hold is an error. pyarrow is imported when a file is begun, as it is an
extra that few install.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.layouts import Layout
    from dynamodb_core.spool import Draft

_KINDS = {"S": "string", "B": "string", "N": "number", "BOOL": "boolean"}
_JSON_TYPES = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
}
_GZIP_LEVEL = 1
_GROUP_BYTES = 1 << 20

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


def columns_of_layout(layout: Layout) -> dict[str, str]:
    """Return what a layout's columns are in a file.

    Args:
        layout: How items become records.

    Returns:
        `string`, `number`, `boolean` or `json` by property.
    """
    types = layout.types if isinstance(layout, Columns) else layout.keys
    kinds = {**_KINDS, "N": "string"} if layout.decimals == "string" else _KINDS
    columns = {name: kinds.get(kind, "json") for name, kind in types.items()}
    if not isinstance(layout, Columns):
        columns[layout.item_field] = "json"
    if isinstance(layout, Columns | Packed) and layout.reserved is not None:
        columns[layout.reserved] = "json"
    return columns


def columns_of_schema(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what the properties of a JSON Schema are in a file, as `columns_of_layout` does."""
    columns = {}
    for name, schema in properties.items():
        types = schema.get("type", [])
        kinds = {types} if isinstance(types, str) else set(types)
        found = {_JSON_TYPES.get(kind, "json") for kind in kinds - {"null"}}
        columns[name] = found.pop() if len(found) == 1 else "json"
    return columns


class ParquetRows:
    """Writes records to a draft as Parquet, in row groups of about a megabyte of JSON.

    Args:
        draft: Where to write.
        columns: What the columns are.
        compression: `gzip` or `none`.
    """

    def __init__(self, draft: Draft, columns: Mapping[str, str], compression: str) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra that few install
        from pyarrow import parquet  # noqa: PLC0415

        types = {"string": pa.string(), "json": pa.string(), "number": pa.float64()}
        types["boolean"] = pa.bool_()
        self._columns = dict(columns)
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
        self._batch = pa.record_batch
        self._sink = _Sink(draft)
        gzipped = compression == "gzip"
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"),
            self._schema,
            compression="gzip" if gzipped else "none",
            compression_level=_GZIP_LEVEL if gzipped else None,
        )

    def add(self, lines: bytes) -> None:
        """Write records.

        Args:
            lines: JSON of each, a line.

        Raises:
            DataError: A number does not fit.
        """
        self._held.append(lines)
        self._held_bytes += len(lines)
        if self._held_bytes >= _GROUP_BYTES:
            self._write()

    def end(self) -> None:
        """Write what is left, and what belongs behind the last record.

        Raises:
            DataError: A number does not fit.
        """
        self._write()
        self._writer.close()

    def drop(self) -> None:
        """Let go of the draft: pyarrow writes what belongs behind the last record in any case."""
        self._sink.forgets = True

    def _write(self) -> None:
        rows = [_decode(line) for line in b"".join(self._held).split(b"\n")[:-1]]
        self._held.clear()
        self._held_bytes = 0
        if not {name for row in rows for name in row} <= self._columns.keys():
            raise DataError("A record has a property that its file has no column for")
        read = {"string": _strings, "number": _numbers, "boolean": _booleans, "json": _json}
        arrays = [
            read[kind](name, [_value(row, name) for row in rows])
            for name, kind in self._columns.items()
        ]
        self._writer.write_batch(self._batch(arrays, schema=self._schema))


class _Sink:
    """A draft as a file that pyarrow writes to."""

    closed = False

    def __init__(self, draft: Draft) -> None:
        self.forgets = False
        self._draft = draft

    def write(self, data: bytes) -> int:
        return len(data) if self.forgets else self._draft.write(bytes(data))

    def tell(self) -> int:
        return self._draft.size

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        """The draft is kept or dropped by who has begun it."""


def _value(row: Mapping[str, msgspec.Raw], name: str) -> bytes | None:
    raw = row.get(name)
    if raw is None:
        return None
    value = bytes(raw)
    return None if value == b"null" else value


def _strings(name: str, values: Sequence[bytes | None]) -> list[str | None]:
    try:
        return [None if value is None else _text(value) for value in values]
    except msgspec.ValidationError as error:
        raise _misfit(name, "is no text in some record") from error


def _json(_name: str, values: Sequence[bytes | None]) -> list[str | None]:
    return [None if value is None else value.decode() for value in values]


def _booleans(name: str, values: Sequence[bytes | None]) -> list[bool | None]:
    if not {*values} <= {b"true", b"false", None}:
        raise _misfit(name, "is neither true nor false in some record")
    return [None if value is None else value == b"true" for value in values]


def _numbers(name: str, values: Sequence[bytes | None]) -> list[float | None]:
    return [None if value is None else _double(name, value.decode()) for value in values]


def _double(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise _misfit(name, "is no number in some record") from error
    said = repr(number)
    if said in {text, f"{text}.0"} or Decimal(said) == Decimal(text):
        return number
    raise _misfit(name, f"has a number that a double cannot hold ({len(text)} characters)")


def _misfit(name: str, what: str) -> DataError:
    return DataError(
        f"Property {name!r} {what}, so that a Parquet file would change it",
        "Take the format jsonl, or set decimals to string",
    )
