"""Whatever an item holds and whatever the columns are, it comes back through a real JSON text."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamodb_core import numbers
from dynamodb_core.codec import to_packed, to_plain, to_typed
from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.restore import from_packed, from_plain, from_typed
from tests.property import strategies as some

if TYPE_CHECKING:
    from collections.abc import Iterator

# Items of every shape take a while to draw on a busy machine; nothing here is about time.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def through_json(record: dict[str, Any]) -> dict[str, Any]:
    return dict(_decode(orjson.dumps(record)))


@patient
@given(st.data())
def test_plain_comes_back(data: st.DataObject) -> None:
    item = data.draw(some.items)
    columns = Columns(
        data.draw(some.column_types([item])),
        reserved=data.draw(st.sampled_from(("_dynamodb", "types", "a"))),
        open=data.draw(st.booleans()),
        limit=data.draw(st.integers(0, 9)),
        **data.draw(some.styles),
    )
    plain = to_plain(item, columns, orjson.Fragment)
    types = columns.widened(plain.late).types
    back = from_plain(
        through_json(plain.record), types, reserved=columns.reserved, binary=columns.binary
    )
    assert some.same_item(back) == some.same_item(item)


@patient
@given(st.data())
def test_plain_for_python_holds_the_same_values(data: st.DataObject) -> None:
    item = data.draw(some.items)
    columns = Columns(data.draw(some.column_types([item])), **data.draw(some.styles))
    text = through_json(to_plain(item, columns, orjson.Fragment).record)
    assert text == to_plain(item, columns, numbers.to_python).record


@patient
@given(st.data())
def test_packed_comes_back(data: st.DataObject) -> None:
    keys = data.draw(some.keys)
    item = data.draw(some.keyed_items(keys))
    layout = Packed(keys, **data.draw(some.styles))
    plain = to_packed(item, layout, orjson.Fragment)
    back = from_packed(through_json(plain.record), keys, binary=layout.binary)
    assert some.same_item(back) == some.same_item(item)


@patient
@given(st.data())
def test_dynamodb_json_comes_back(data: st.DataObject) -> None:
    keys = data.draw(some.keys)
    item = data.draw(some.keyed_items(keys))
    layout = Typed(keys, **data.draw(some.styles))
    plain = to_typed(item, layout, orjson.Fragment)
    assert from_typed(through_json(plain.record), keys, binary=layout.binary) == item


@patient
@given(st.data())
def test_decimal_strings_leave_no_number_in_a_record(data: st.DataObject) -> None:
    keys = data.draw(some.keys)
    item = data.draw(some.keyed_items(keys))
    columns = Columns(data.draw(some.column_types([item])), decimals="string")
    for record in (
        to_plain(item, columns, numbers.to_python).record,
        to_packed(item, Packed(keys, decimals="string"), numbers.to_python).record,
        to_typed(item, Typed(keys, decimals="string"), numbers.to_python).record,
    ):
        assert all(isinstance(leaf, (str, bool)) for leaf in leaves(record))


def leaves(value: Any) -> Iterator[Any]:
    """Yield what is no object, no array and no null."""
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    elif value is not None:
        yield value


@given(some.number_texts)
def test_numbers_keep_their_spelling_and_value(text: str) -> None:
    assert numbers.literal(text) == text
    assert Decimal(numbers.canonical(text)) == Decimal(text)
    assert Decimal(numbers.plain_digits(text)) == Decimal(text)
    assert numbers.to_python(text) == Decimal(text)
    assert Decimal(numbers.from_python(numbers.to_python(text))) == Decimal(text)


@given(some.number_texts)
def test_a_number_that_dynamodb_holds_may_be_written_and_one_digit_more_may_not(text: str) -> None:
    checked = numbers.checked(text)
    assert checked == (text if Decimal(text) else "0")
    if Decimal(text):
        mantissa = numbers.canonical(text).partition("E")[0].lstrip("-").rstrip("0")
        longer = f"{mantissa}{'0' * (38 - len(mantissa))}1"
        with pytest.raises(DataError, match="39 significant digits"):
            numbers.checked(longer)


@given(some.number_texts, some.number_texts)
def test_numbers_are_one_key_exactly_when_they_are_equal(one: str, other: str) -> None:
    equal = Decimal(one) == Decimal(other)
    assert (numbers.canonical(one) == numbers.canonical(other)) is equal
    assert (numbers.plain_digits(one) == numbers.plain_digits(other)) is equal


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_written_exactly_or_refused(value: float) -> None:
    if value == 0 or 1e-130 <= abs(value) < 1e126:
        assert float(numbers.from_python(value)) == value
