"""The type table of codec.py: what goes where, and what is lost when asked; trap 5."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest

from dynamodb_core import numbers
from dynamodb_core.codec import to_packed, to_plain, to_typed
from dynamodb_core.converter import Converter
from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.restore import from_packed, from_plain, from_typed

EVERYTHING: dict[str, Any] = {
    "S": {"S": ""},
    "N": {"N": "-12345678901234567890123456789012345.678"},
    "B": {"B": "AP8="},
    "BOOL": {"BOOL": False},
    "NULL": {"NULL": True},
    "M": {"M": {"S": {"S": "x"}, "a/b~": {"B": "AA=="}, "": {"M": {}}}},
    "L": {"L": [{"L": []}, {"NS": ["1", "1E-130"]}, {"M": {"S": {"S": "x"}}}, {"NULL": True}]},
    "SS": {"SS": ["b", "a"]},
    "NS": {"NS": ["3.10", "2"]},
    "BS": {"BS": ["AA==", "AQ=="]},
}
TYPES = {name: next(iter(typed)) for name, typed in EVERYTHING.items() if name != "NULL"}


def raws(*items: dict[str, Any]) -> list[msgspec.Raw]:
    return [msgspec.Raw(orjson.dumps(item)) for item in items]


def plain(item: dict[str, Any], columns: Columns) -> dict[str, Any]:
    return to_plain(item, columns, numbers.to_python).record


def test_the_type_table() -> None:
    assert plain(EVERYTHING, Columns(TYPES)) == {
        "S": "",
        "N": Decimal("-12345678901234567890123456789012345.678"),
        "B": "AP8=",
        "BOOL": False,
        "M": {"S": "x", "a/b~": "AA==", "": {}},
        "L": [[], ["1", "1E-130"], {"S": "x"}, None],
        "SS": ["b", "a"],
        "NS": ["3.10", "2"],
        "BS": ["AA==", "AQ=="],
        "_dynamodb": {
            "types": {"/M/a~1b~0": "B", "/L/1": "NS"},
            "rest": {"NULL": {"NULL": True}},
        },
    }


def test_decimal_strings_and_base16_at_the_top_and_tags_inside() -> None:
    item = {
        **EVERYTHING,
        "M": {"M": {"n": {"N": "1E2"}, "b": {"B": "AP8="}, "s": {"S": "1E2"}}},
        "L": {"L": [{"N": "-0.50"}, {"L": [{"N": "+5"}, {"NS": ["1"]}]}]},
    }
    columns = Columns(TYPES, decimals="string", binary="base16")
    record = plain(item, columns)
    assert record == {
        "S": "",
        "N": "-12345678901234567890123456789012345.678",
        "B": "00ff",
        "BOOL": False,
        "M": {"n": "1E2", "b": "AP8=", "s": "1E2"},
        "L": ["-0.50", ["5", ["1"]]],
        "SS": ["b", "a"],
        "NS": ["3.10", "2"],
        "BS": ["AA==", "AQ=="],
        "_dynamodb": {
            "types": {"/M/n": "N", "/M/b": "B", "/L/0": "N", "/L/1/0": "N", "/L/1/1": "NS"},
            "rest": {"NULL": {"NULL": True}},
        },
    }
    back = from_plain(record, TYPES, binary="base16")
    assert back == {**item, "L": {"L": [{"N": "-0.50"}, {"L": [{"N": "5"}, {"NS": ["1"]}]}]}}


def test_what_travels_in_rest_is_as_on_the_wire() -> None:
    item: dict[str, Any] = {"a": {"N": "1"}, "b": {"B": "AP8="}}
    columns = Columns({"a": "B", "b": "N"}, decimals="string", binary="base16")
    assert plain(item, columns) == {"_dynamodb": {"rest": item}}


def test_what_does_not_fit_its_column_goes_to_rest_and_has_no_property() -> None:
    item: dict[str, Any] = {
        "a": {"S": "x"},
        "b": {"NULL": True},
        "c": {"NULL": True},
        "_dynamodb": {"N": "1"},
    }
    converted = to_plain(item, Columns({"a": "N", "b": "N", "_dynamodb": "N"}), numbers.to_python)
    assert converted.record == {
        "b": None,
        "_dynamodb": {"rest": {name: item[name] for name in ("a", "c", "_dynamodb")}},
    }
    assert converted.late == {}
    assert converted.rest == ("a", "c", "_dynamodb")


def test_late_attributes_get_columns_up_to_the_limit() -> None:
    item: dict[str, Any] = {"a": {"S": "x"}, "b": {"N": "1"}, "c": {"N": "2"}}
    converted = to_plain(item, Columns({"a": "S"}, limit=2), numbers.to_python)
    assert converted.late == {"b": "N"}
    assert converted.record == {"a": "x", "b": 1, "_dynamodb": {"rest": {"c": {"N": "2"}}}}
    assert Columns({"a": "S"}, limit=2).widened({"b": "N", "c": "N"}).types == {"a": "S", "b": "N"}
    assert Columns({"a": "S"}, open=False).widened({"b": "N"}).types == {"a": "S"}


@pytest.mark.parametrize("name", ["b", "_dynamodb"])
def test_closed_columns_keep_or_drop_what_they_do_not_know(name: str) -> None:
    item = {"a": {"S": "x"}, name: {"N": "1"}}
    assert plain(item, Columns({"a": "S"}, open=False, unknown="drop")) == {"a": "x"}
    assert plain(item, Columns({"a": "S"}, open=False))["_dynamodb"] == {"rest": {name: {"N": "1"}}}


def test_without_the_reserved_object_what_it_would_hold_is_lost_and_reported() -> None:
    item: dict[str, Any] = {"a": {"S": "x"}, "m": {"M": {"b": {"B": "AA=="}}}}
    converted = to_plain(item, Columns({"a": "N", "m": "M"}, reserved=None), numbers.to_python)
    assert converted.record == {"m": {"b": "AA=="}}
    assert converted.rest == ("a",)
    back = from_plain(converted.record, {"m": "M"}, reserved=None)
    assert back == {"m": {"M": {"b": {"S": "AA=="}}}}
    texts = plain({"l": {"L": [{"N": "1"}]}}, Columns({}, reserved=None, decimals="string"))
    assert from_plain(texts, {"l": "L"}, reserved=None) == {"l": {"L": [{"S": "1"}]}}


def test_packed_tags_attributes_of_the_item_itself() -> None:
    item: dict[str, Any] = {
        "pk": {"B": "AA=="},
        "photo": {"B": "AQ=="},
        "item": {"SS": ["a"]},
        "n": {"N": "1"},
    }
    record = to_packed(item, Packed({"pk": "B"}), numbers.to_python).record
    assert record == {
        "pk": "AA==",
        "item": {"photo": "AQ==", "item": ["a"], "n": 1},
        "_dynamodb": {"types": {"/item/photo": "B", "/item/item": "SS"}},
    }
    assert from_packed(record, {"pk": "B"}) == item


KEYED: dict[str, Any] = {
    "pk": {"B": "AP8="},
    "sk": {"N": "1.0"},
    "n": {"N": "2"},
    "b": {"B": "AP8="},
    "l": {"L": [{"N": "3"}]},
}


def test_packed_has_its_keys_as_columns_are_and_tags_the_rest() -> None:
    keys = {"pk": "B", "sk": "N"}
    layout = Packed(keys, decimals="string", binary="base16")
    record = to_packed(KEYED, layout, numbers.to_python).record
    assert record == {
        "pk": "00ff",
        "sk": "1.0",
        "item": {"n": "2", "b": "AP8=", "l": ["3"]},
        "_dynamodb": {"types": {"/item/n": "N", "/item/b": "B", "/item/l/0": "N"}},
    }
    assert from_packed(record, keys, binary="base16") == KEYED


def test_dynamodb_json_has_only_its_keys_changed() -> None:
    keys = {"pk": "B", "sk": "N"}
    layout = Typed(keys, decimals="string", binary="base16")
    record = to_typed(KEYED, layout, numbers.to_python).record
    assert record == {"pk": "00ff", "sk": "1.0", "item": KEYED}
    assert from_typed(record, keys, binary="base16") == KEYED
    changed = from_typed({**record, "pk": "01"}, keys, binary="base16")
    assert changed == {**KEYED, "pk": {"B": "AQ=="}}


@pytest.mark.parametrize("decimals", ["number", "string"])
@pytest.mark.parametrize("text", ["NaN", "Infinity", "", "1,5", "0x1", "1 2", "٣x"])
def test_a_number_that_is_none_is_an_error_with_its_path(decimals: Any, text: str) -> None:
    columns = Columns({"n": "N", "m": "M", "l": "L"}, decimals=decimals)
    one, typed = {"N": "1"}, {"N": text}
    right: dict[str, Any] = {"n": one, "m": {"M": {"n": one}}, "l": {"L": [one, one]}}
    known = Converter(columns)
    known.convert(raws(right))
    for path, wrong in (
        ("/n", {"n": typed}),
        ("/m/n", {"m": {"M": {"n": typed}}}),
        ("/l/1", {"l": {"L": [one, typed]}}),
    ):
        with pytest.raises(DataError, match=f"At {path}: "):
            plain({**right, **wrong}, columns)
        with pytest.raises(DataError, match=f"At {path}: "):
            known.convert(raws({**right, **wrong}))


@pytest.mark.parametrize("text", ["A", "AP8", "no base64", "é", 5])
def test_a_binary_that_is_none_is_an_error_where_it_has_to_be_read(text: Any) -> None:
    columns = Columns({"b/c": "B"}, binary="base16")
    item = {"b/c": {"B": text}}
    with pytest.raises(DataError, match="The binary at /b~1c is no base64"):
        plain(item, columns)
    known = Converter(columns)
    known.convert(raws({"b/c": {"B": "AP8="}}))
    with pytest.raises(DataError, match="The binary at /b~1c is no base64"):
        known.convert(raws(item))


def test_dynamodb_json_keeps_the_item_verbatim_and_a_changed_key_wins() -> None:
    item = {"pk": {"N": "1.0"}, "a": {"N": "2.50"}}
    record = to_typed(item, Typed({"pk": "N"}), numbers.to_python).record
    assert record == {"pk": Decimal("1.0"), "item": item}
    assert from_typed({**record, "pk": 1}, {"pk": "N"}) == item
    assert from_typed({**record, "pk": 7}, {"pk": "N"}) == {**item, "pk": {"N": "7"}}


@pytest.mark.parametrize("convert", [to_packed, to_typed])
def test_a_key_that_is_missing_or_of_another_type_is_an_error(convert: Any) -> None:
    layout = Packed({"pk": "S"}) if convert is to_packed else Typed({"pk": "S"})
    with pytest.raises(DataError, match="missing"):
        convert({"a": {"S": "x"}}, layout, numbers.to_python)
    with pytest.raises(DataError, match="type N"):
        convert({"pk": {"N": "1"}}, layout, numbers.to_python)
    with pytest.raises(DataError):
        Converter(layout).convert(raws({"pk": {"N": "1"}}))


@pytest.mark.parametrize("typed", [{}, {"S": "a", "N": "1"}, {"X": 1}, "a", None, []])
def test_what_is_not_in_dynamodbs_json_is_an_error_with_its_path(typed: Any) -> None:
    with pytest.raises(DataError, match="/a~1b/0"):
        to_plain({"a/b": {"L": [typed]}}, Columns({}), numbers.to_python)
