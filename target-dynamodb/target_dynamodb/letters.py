"""The lines of a dead-letter file, which is itself a Singer stream; pure.

A RECORD stands there as it came, with the reason beside it. What DynamoDB itself refused is written as
the item that was refused, in the form of our tap's `dynamodb_json`, whose SCHEMA says `as_written`: on
its way back nothing is done to it a second time.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from dynamodb_core import provenance
from dynamodb_core.provenance import DELETED_AT
from target_dynamodb.source import AS_WRITTEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.table import Table
    from target_dynamodb.source import Source

BEGINNING = b'{"type":"SCHEMA",'
"""Begins every file of ours."""

_REASON = b',"reason":'


class _Put(msgspec.Struct):
    item: msgspec.Raw = msgspec.field(name="Item")


class _Delete(msgspec.Struct):
    key: msgspec.Raw = msgspec.field(name="Key")


class _Write(msgspec.Struct):
    put: _Put | None = msgspec.field(name="PutRequest", default=None)
    delete: _Delete | None = msgspec.field(name="DeleteRequest", default=None)


_write = msgspec.json.Decoder(_Write).decode


def from_line(line: bytes, reason: str) -> bytes:
    """Return the line of a RECORD message that came as a line.

    Args:
        line: The line. A reason that it has (it may come from a dead-letter file) gives way.
        reason: Why it cannot be written.
    """
    line = line.strip()
    head, mark, older = line.rpartition(_REASON)  # outside of a text, as quotes in one are escaped
    if not (mark and _is_text(older[:-1])):
        head = line[:-1].rstrip()
    return head + _REASON + _text(reason) + b"}\n"


def from_record(stream: str, record: bytes, reason: str) -> bytes:
    """Return the line of a record that came in a file.

    Args:
        stream: Its stream.
        record: Its JSON.
        reason: Why it cannot be written.
    """
    parts = (_text(stream), record.strip(), _text(reason))
    return b'{"type":"RECORD","stream":%b,"record":%b,"reason":%b}\n' % parts


def as_written_schema(stream: str, table: Table, source: Source | None) -> bytes:
    """Return the SCHEMA of items that DynamoDB refused.

    Args:
        stream: A stream that goes to the table.
        table: The table that refused them.
        source: The table that the stream came from, if our tap wrote it.
    """
    properties: dict[str, Any] = provenance.keys(table)
    field = provenance.item_field(table)
    properties[field] = {"type": ["null", "object"], "additionalProperties": True}
    if DELETED_AT not in properties:
        properties[DELETED_AT] = {"type": ["null", "string"], "format": "date-time"}
    annotation: dict[str, Any] = {
        "name": source.name if source else table.name,
        "key": provenance.source(table)["key"],
        "item_format": "dynamodb_json",
        "item_field": field,
        "reserved": "",
        AS_WRITTEN: True,
    }
    if source is not None:
        annotation |= {"arn": source.arn, "id": source.id, "region": source.region}
    said = {"type": "object", "properties": properties, provenance.TABLE: annotation}
    message = {
        "type": "SCHEMA",
        "stream": stream,
        "schema": said,
        "key_properties": list(table.key.names),
    }
    return orjson.dumps(message) + b"\n"


def as_written(
    stream: str, table: Table, write: bytes, reason: str, *, now: dt.datetime | None = None
) -> bytes:
    """Return the line of a write that DynamoDB refused.

    Args:
        stream: The stream of its SCHEMA.
        table: The table that refused it.
        write: The write request.
        reason: What DynamoDB said.
        now: The moment of a deletion; left out, now.
    """
    asked = _write(write)
    if asked.put is not None:
        item = bytes(asked.put.item)
        record = _key_of(item, table)
        record[provenance.item_field(table)] = orjson.Fragment(item)
    else:
        assert asked.delete is not None
        record = _key_of(bytes(asked.delete.key), table)
        record[DELETED_AT] = (now or dt.datetime.now(dt.timezone.utc)).isoformat()
    return from_record(stream, orjson.dumps(record), reason)


def _key_of(item: bytes, table: Table) -> dict[str, Any]:
    """Return the key of an item as our tap writes it."""
    typed: Mapping[str, Mapping[str, str]] = orjson.loads(item)
    key: dict[str, Any] = {}
    for name, type_ in zip(table.key.names, table.key.types, strict=True):
        text = typed[name][type_]
        key[name] = orjson.Fragment(text) if type_ == "N" else text
    return key


def _is_text(json: bytes) -> bool:
    try:
        return isinstance(orjson.loads(json), str)
    except orjson.JSONDecodeError:
        return False


def _text(text: str) -> bytes:
    """Return a text as JSON; half characters, which an error may quote, become question marks."""
    return orjson.dumps(text.encode(errors="replace").decode())
