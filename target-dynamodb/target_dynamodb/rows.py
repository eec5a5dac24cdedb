"""Records of Parquet files, group of rows by group, as JSON would have given them.

======================  ====================================================================
in a file               in a record
======================  ====================================================================
null                    left out, as Parquet does not tell it from a property that is missing
double                  the number that it is written as; whole ones without a fraction
string of a property    what its JSON says, where a JSON Schema knows objects or arrays only; in
                        a stream of our tap also where it knows several types, or none
binary                  base64
date, time, timestamp   text as ISO 8601 has it
======================  ====================================================================

pyarrow is imported when a file is opened, as it is an extra that few install.
"""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from dynamodb_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from target_dynamodb.contents import File

ROWS = 1000
"""Rows that are records at once."""

_SIMPLE = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def json_columns(properties: Mapping[str, Any], *, ours: bool) -> frozenset[str]:
    """Return the properties whose strings are JSON.

    Args:
        properties: The JSON Schema of each property.
        ours: Whether our tap wrote it.
    """
    found = set()
    for name, schema in properties.items():
        said = schema.get("type") if isinstance(schema, dict) else None
        types = [said] if isinstance(said, str) else said or ()
        kinds = {_SIMPLE.get(kind, "json") for kind in types if kind != "null"}
        if kinds == {"json"} or (ours and len(kinds) != 1):
            found.add(name)
    return frozenset(found)


def rows(file: File) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of a file, some at a time.

    Args:
        file: A Parquet file.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: The file is gone or damaged.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"File {file} is Parquet, and pyarrow is not installed",
            "Install ferry-target-dynamodb[parquet], or let the tap write jsonl",
        ) from error
    done = 0
    with file.claim.open() as raw:
        try:
            whole = parquet.ParquetFile(raw)
            for batch in whole.iter_batches(ROWS):
                yield [_record(row, file.json_columns) for row in batch.to_pylist()]
                done += batch.num_rows
        except (msgspec.DecodeError, pa.ArrowException, OSError) as error:
            raise DataError(
                f"File {file} cannot be read beyond row {done}: {error}",
                "The file stays where it is; run again with the last state to read it anew",
            ) from error


def _record(row: dict[str, Any], json_columns: Collection[str]) -> dict[str, Any]:
    record = {}
    for name, value in row.items():
        if value is None:
            continue
        if isinstance(value, str):
            record[name] = _decode(value) if name in json_columns else value
        else:
            record[name] = _plain(value)
    return record


def _plain(value: Any) -> Any:
    """Return a value as JSON would have given it."""
    convert = _CONVERSIONS.get(type(value))
    return convert(value) if convert else value


def _number(value: float) -> int | Decimal:
    return int(value) if value.is_integer() else Decimal(repr(value))


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    float: _number,
    bytes: lambda value: base64.b64encode(value).decode(),
    dict: lambda value: {name: _plain(each) for name, each in value.items()},
    list: lambda value: [_plain(each) for each in value],
    **dict.fromkeys((dt.datetime, dt.date, dt.time), lambda value: value.isoformat()),
}
