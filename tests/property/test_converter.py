"""The fast road gives the records of the reference, for any items and whatever it has learned."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamodb_core.codec import to_packed, to_plain, to_typed
from dynamodb_core.converter import Converter
from dynamodb_core.layouts import Columns, Packed, Typed
from tests.property import strategies as some

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.codec import Plain

# Items of every shape take a while to draw on a busy machine; nothing here is about time.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


# As DynamoDB writes items, and with escapes that it could write.
writers = st.sampled_from((orjson.dumps, lambda item: json.dumps(item).encode()))


def reference(
    items: list[dict[str, Any]], columns: Columns
) -> tuple[list[dict[str, Any]], dict[str, str], dict[str, int]]:
    records: list[dict[str, Any]] = []
    late: dict[str, str] = {}
    rest: dict[str, int] = {}
    for item in items:
        plain = to_plain(item, columns, orjson.Fragment)
        columns = columns.widened(plain.late)
        late.update(plain.late)
        for name in plain.rest:
            rest[name] = rest.get(name, 0) + 1
        records.append(_decode(orjson.dumps(plain.record)))
    return records, late, rest


@patient
@given(st.data())
def test_plain(data: st.DataObject) -> None:
    pages = data.draw(st.lists(some.alike(), min_size=1, max_size=3))
    converter = Converter(
        Columns(
            data.draw(some.column_types(pages[0])),
            reserved=data.draw(st.sampled_from(("_dynamodb", "types", None))),
            open=data.draw(st.booleans()),
            limit=data.draw(st.sampled_from((0, 3, 8, 1000))),
            unknown=data.draw(st.sampled_from(("rest", "drop"))),
            **data.draw(some.styles),
        )
    )
    for page in pages:
        assert isinstance(converter.layout, Columns)
        records, late, rest = reference(page, converter.layout)
        write = data.draw(writers)
        converted = converter.convert([msgspec.Raw(write(item)) for item in page])
        assert [_decode(record) for record in converted.records] == records
        assert converted.late == late
        assert converted.rest == rest
        if data.draw(st.integers(0, 3)):
            converter.layout = converter.layout.widened(converted.late)
        if data.draw(st.integers(0, 9)) == 0:
            converter = pickle.loads(pickle.dumps(converter))


@patient
@given(st.data())
def test_packed(data: st.DataObject) -> None:
    keys = data.draw(some.keys)
    reserved = data.draw(st.sampled_from(("_dynamodb", None)))
    layout = Packed(keys, reserved=reserved, **data.draw(some.styles))
    check_keyed(
        data, Converter(layout), keys, lambda item: to_packed(item, layout, orjson.Fragment)
    )


@patient
@given(st.data())
def test_dynamodb_json(data: st.DataObject) -> None:
    keys = data.draw(some.keys)
    layout = Typed(keys, **data.draw(some.styles))
    check_keyed(data, Converter(layout), keys, lambda item: to_typed(item, layout, orjson.Fragment))


def check_keyed(
    data: st.DataObject,
    converter: Converter,
    keys: dict[str, str],
    convert: Callable[[dict[str, Any]], Plain],
) -> None:
    for page in data.draw(st.lists(some.alike(), min_size=1, max_size=3)):
        for item in page:
            for name, kind in keys.items():
                item[name] = {kind: data.draw(some.key_values[kind])}
        expected = [_decode(orjson.dumps(convert(item).record)) for item in page]
        write = data.draw(writers)
        converted = converter.convert([msgspec.Raw(write(item)) for item in page])
        assert [_decode(record) for record in converted.records] == expected
        assert (converted.late, converted.rest) == ({}, {})
