"""What the fast road learns, and that it is taken; its records are checked by a property."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import msgspec
import orjson
import pytest

from dynamodb_core import converter as converters
from dynamodb_core.codec import to_packed, to_plain, to_typed
from dynamodb_core.converter import Converted, Converter
from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed, Typed


def raws(*items: dict[str, Any]) -> list[msgspec.Raw]:
    return [msgspec.Raw(orjson.dumps(item)) for item in items]


def records(converted: Converted) -> list[Any]:
    return [orjson.loads(record) for record in converted.records]


def table(n: int, **more: Any) -> dict[str, Any]:
    return {
        "pk": {"S": f"k{n}"},
        "n": {"N": f"{n}.50"},
        "M": {"M": {"S": {"S": "x"}, "deep": {"L": [{"N": "1"}, {"SS": ["a"]}]}}},
        "l": {"L": [{"N": "1"}, {"N": f"{n}"}]},
        "ls": {"L": [{"M": {"n": {"N": "5"}}}]},
        **({"odd": {"B": "AA=="}} if n % 2 else {}),
        **more,
    }


COLUMNS = {"pk": "S", "n": "N", "M": "M", "odd": "B", "l": "L", "ls": "L"}


@pytest.mark.parametrize(
    "layout",
    [
        Columns(COLUMNS),
        Columns({"pk": "S", "n": "S", "M": "M"}, open=False),
        Columns({"pk": "S", "n": "N"}, open=False, unknown="drop"),
        Packed({"pk": "S"}),
        Typed({"pk": "S"}),
        Columns(COLUMNS, decimals="string", binary="base16"),
        Columns(COLUMNS, reserved=None, decimals="string"),
        Columns({"pk": "S", "n": "S", "odd": "B"}, open=False, binary="base16"),
        Packed({"pk": "S", "n": "N"}, decimals="string", binary="base16"),
        Packed({"pk": "S", "n": "N"}, reserved=None, decimals="string"),
        Typed({"pk": "S", "n": "N"}, decimals="string"),
    ],
)
def test_items_like_those_it_knows_take_the_fast_road(
    layout: Columns | Packed | Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = {Columns: to_plain, Packed: to_packed, Typed: to_typed}[type(layout)]
    expected = [
        orjson.loads(orjson.dumps(convert(table(n), layout, orjson.Fragment).record))  # type: ignore[operator]
        for n in range(6)
    ]
    converter = Converter(layout)
    converter.convert(raws(table(0), table(1)))
    monkeypatch.setattr(converters, "_REFERENCE", {})
    assert records(converter.convert(raws(*map(table, range(6))))) == expected
    again = pickle.loads(pickle.dumps(converter))
    assert records(again.convert(raws(*map(table, range(6))))) == expected


def test_a_table_that_drifts_gets_fast_again(monkeypatch: pytest.MonkeyPatch) -> None:
    converter = Converter(Columns({"pk": "S", "n": "N", "M": "M", "odd": "B"}))
    for drift in range(4):
        page = [table(n, **{f"new{drift}": {"N": "1"}}) for n in range(300)]
        for _ in range(2):
            late = converter.convert(raws(*page)).late
            assert isinstance(converter.layout, Columns)
            converter.layout = converter.layout.widened(late)
        expected = records(converter.convert(raws(*page)))
        with monkeypatch.context() as patch:
            patch.setattr(converters, "_REFERENCE", {})
            assert records(converter.convert(raws(*page))) == expected


def test_an_attribute_of_two_types_stays_on_the_fast_road(monkeypatch: pytest.MonkeyPatch) -> None:
    converter = Converter(Columns({"a": "N"}))
    items = raws({"a": {"N": "1"}}, {"a": {"L": [{"S": "x\n"}]}}, {"a": {"NULL": True}})
    expected = converter.convert(items)
    monkeypatch.setattr(converters, "_REFERENCE", {})
    assert converter.convert(items) == expected
    assert expected.rest == {"a": 1}
    assert records(expected) == [
        {"a": 1},
        {"_dynamodb": {"rest": {"a": {"L": [{"S": "x\n"}]}}}},
        {"a": None},
    ]


def test_a_column_is_not_tagged_however_other_items_look() -> None:
    columns = Columns({"a": "N"}, decimals="string")
    items = ({"a": {"N": "1"}}, {"a": {"M": {"b": {"B": "AA=="}}}})
    converter = Converter(columns)
    for _ in range(2):
        assert records(converter.convert(raws(*items))) == [
            {"a": "1"},
            {"_dynamodb": {"rest": items[1]}},
        ]


def test_a_late_attribute_is_decided_once_within_a_page() -> None:
    converter = Converter(Columns({"a": "N"}))
    converter.convert(raws({"a": {"N": "1"}}, {"b": {"NULL": True}}))
    page = [{"NULL": True}, {"S": "x"}, {"N": "1"}, {"NULL": True}]
    converted = converter.convert(raws(*({"b": typed} for typed in page)))
    assert converted.late == {"b": "S"}
    assert converted.rest == {"b": 2}
    assert records(converted) == [
        {"_dynamodb": {"rest": {"b": {"NULL": True}}}},
        {"b": "x"},
        {"_dynamodb": {"rest": {"b": {"N": "1"}}}},
        {"b": None},
    ]


@pytest.mark.parametrize("limit", [1, 2])
def test_a_page_after_new_columns_uses_them(limit: int) -> None:
    converter = Converter(Columns({"a": "N"}, limit=1))
    items = raws({"a": {"N": "1"}, "b": {"S": "x"}})
    assert records(converter.convert(items)) == [{"a": 1, "_dynamodb": {"rest": {"b": {"S": "x"}}}}]
    converter.layout = Columns({"a": "N", "b": "S"}, limit=limit)
    assert records(converter.convert(items)) == [{"a": 1, "b": "x"}]


def test_maps_with_many_names_are_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    def page(start: int) -> list[msgspec.Raw]:
        return raws(
            *(
                {"m": {"M": {f"id/{start + n}-{i}": {"SS": ["x"]} for i in range(3)}}}
                for n in range(50)
            )
        )

    converter = Converter(Columns({"m": "M"}))
    converter.convert(page(0))
    expected = Converter(Columns({"m": "M"})).convert(page(1000))
    monkeypatch.setattr(converters, "_REFERENCE", {})
    converted = converter.convert(page(1000))
    assert converted == expected
    assert orjson.loads(converted.records[0])["_dynamodb"]["types"] == {
        f"/m/id~11000-{i}": "SS" for i in range(3)
    }


@pytest.fixture
def packed_by_many_names() -> Converter:
    converter = Converter(Packed({"pk": "B"}))
    converter.convert(raws(*({"pk": {"B": "AA=="}, f"a{n}": {"S": "x"}} for n in range(80))))
    return converter


def test_packed_with_many_names_stays_fast_and_tags_binary(
    packed_by_many_names: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converters, "_REFERENCE", {})
    converted = packed_by_many_names.convert(
        raws({"pk": {"B": "AA=="}, 'new "one"': {"B": "AQ=="}})
    )
    assert records(converted) == [
        {
            "pk": "AA==",
            "item": {'new "one"': "AQ=="},
            "_dynamodb": {"types": {'/item/new "one"': "B"}},
        }
    ]


@pytest.mark.parametrize("item", [{"pk": {"S": "AA=="}}, {"a1": {"S": "x"}}])
def test_packed_with_many_names_looks_at_the_key(
    packed_by_many_names: Converter, item: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match="pk"):
        packed_by_many_names.convert(raws(item))


@pytest.mark.parametrize("space", [b"\n", b"\r"])
def test_a_record_is_one_line_however_the_item_was_written(space: bytes) -> None:
    item = msgspec.Raw(b'{_"pk": {"S":_"a\\n"},_"x": {_"N": "1"}}'.replace(b"_", space))
    for layout in (
        Typed({"pk": "S"}),
        Packed({"pk": "S"}),
        Columns({"pk": "S"}, limit=1),
        Columns({"pk": "S", "x": "S"}),
    ):
        (record,) = Converter(layout).convert([item]).records
        assert space not in record
        assert orjson.loads(record)["pk"] == "a\n"


def test_bytes_that_are_no_item_are_an_error() -> None:
    for body in (b"{", b"[]", b"1", b'{"pk":{"S":"\xff"}}', b'{"pk":"a"}', b'{"pk":{}}'):
        for layout in (Columns({"pk": "S"}), Packed({"pk": "S"}), Typed({"pk": "S"})):
            known = Converter(layout)
            known.convert(raws({"pk": {"S": "a"}}))
            for converter in (known, Converter(layout)):
                with pytest.raises(DataError):
                    converter.convert([msgspec.Raw(body)])


def test_no_items_are_no_records() -> None:
    assert Converter(Columns({})).convert([]) == Converted([], {}, {})


def test_threads_share_one_converter() -> None:
    columns = Columns({"pk": "S", "n": "N", "M": "M", "odd": "B"})
    pages = [[table(n, **{f"x{n % 7}": {"S": str(page)}}) for n in range(50)] for page in range(8)]
    converter = Converter(columns)
    equal: list[bool] = []

    def work(page: list[dict[str, Any]]) -> None:
        expected = records(Converter(columns).convert(raws(*page)))
        equal.extend(records(converter.convert(raws(*page))) == expected for _ in range(20))

    threads = [threading.Thread(target=work, args=(page,)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert equal == [True] * 20 * len(pages)
