"""The code of the fast road writes what the reference says, wherever a value stands and whatever it holds."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from dynamodb_core import converter as converters
from dynamodb_core.codec import to_packed, to_plain, to_typed
from dynamodb_core.converter import Converted, Converter
from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed, Typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.layouts import Layout

Value = dict[str, Any]
Item = dict[str, Value]

PLACES: dict[str, Callable[[Value], Value]] = {
    "at the top": lambda value: value,
    "in a map": lambda value: {"M": {"b": value, "c": {"BOOL": True}}},
    "in a wide map": lambda value: {"M": {**{f"n{n}": {"N": "1"} for n in range(8)}, "b": value}},
    "in a list": lambda value: {"L": [value, value]},
    "in maps of a list": lambda value: {"L": [{"M": {"b": value}}, {"M": {"b": value}}]},
    "in maps of a list, sometimes": lambda value: {"L": [{"M": {"b": value}}, {"M": {}}]},
    "in a list of a list": lambda value: {"L": [{"L": [value]}, {"L": []}]},
    "in a list of all sorts": lambda value: {"L": [value, {"NULL": True}, {"L": [value]}]},
    "in a dictionary": lambda value: {"M": {'"/~': value, "b": value}},
    "in lists of a dictionary": lambda value: {"M": {"\\n": {"L": [value]}}},
}
LAYOUTS: dict[str, Callable[[str], Layout]] = {
    "plain": lambda kind: Columns({"pk": "S", "a": kind}),
    "plain, decimal strings": lambda kind: Columns(
        {"pk": "S", "a": kind}, decimals="string", binary="base16"
    ),
    "plain, untagged": lambda kind: Columns({"pk": "S", "a": kind}, reserved=None),
    "plain, of another type": lambda _kind: Columns({"pk": "S", "a": "BOOL"}),
    "plain, without a column": lambda _kind: Columns({"pk": "S"}, limit=1),
    "packed": lambda _kind: Packed({"pk": "S"}, item_field='"item"'),
    "packed, decimal strings": lambda _kind: Packed({"pk": "S"}, decimals="string"),
    "dynamodb_json": lambda _kind: Typed({"pk": "S"}),
}
KNOWN: dict[str, Any] = {
    "S": "x",
    "N": "1",
    "B": "AA==",
    "BOOL": True,
    "NULL": True,
    "SS": ["x"],
    "NS": ["1"],
    "BS": ["AA=="],
}
TEXTS = (
    *("", "x", "é", "日本", "😀", "\x7f", "\u2028", "%s{}", "}", "','", "/", "~1"),
    *('"', "\\", '","', "\n", "\r\n", "\t", "\x00", "\x1f", "\\u0041", 'say "so"\\'),
)
WRITERS: dict[str, Callable[[Any], bytes]] = {
    "as DynamoDB writes": orjson.dumps,
    "in ASCII": lambda item: json.dumps(item, separators=(",", ":")).encode(),
    "with slashes escaped": lambda item: orjson.dumps(item).replace(b"/", b"\\/"),
}


def item(value: Value | None, pk: str = "x") -> Item:
    return {"pk": {"S": pk}} if value is None else {"pk": {"S": pk}, "a": value}


def reference(of: Item, layout: Layout) -> Any:
    convert: Any = {Columns: to_plain, Packed: to_packed, Typed: to_typed}[type(layout)]
    return orjson.loads(orjson.dumps(convert(of, layout, orjson.Fragment).record))


def taught(layout: Layout, place: Callable[[Value], Value], kind: str, *others: Any) -> Converter:
    """Return what knows values of a kind at a place, and other values instead of them."""
    converter = Converter(layout)
    page = [item(place({kind: KNOWN[kind]})), *(item(other) for other in others)]
    converter.convert([msgspec.Raw(orjson.dumps(each)) for each in page])
    return converter


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("others", [(), (None,), ({"NULL": True},), (None, {"SS": ["z"]})])
def test_any_text_is_written_as_it_is(
    where: str, name: str, others: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = PLACES[where]
    for kind, values in {
        "S": TEXTS,
        "B": ("", "AA==", "////", "++/+"),
        "SS": ([], [""], *([text] for text in TEXTS), list(TEXTS)),
        "BS": ([], ["////", "AA=="]),
        "NS": ([], ["1", "2.50"]),
        "BOOL": (True, False),
        "N": ("1", "-0", "2.50", "1E+2"),
    }.items():
        layout = LAYOUTS[name](next(iter(place({kind: KNOWN[kind]}))))
        converter = taught(layout, place, kind, *others)
        items = [
            item(place({kind: value}), pk=text)
            for value, text in zip(values, TEXTS * 3, strict=False)
        ]
        expected = [reference(each, layout) for each in items]
        with monkeypatch.context() as patch:
            patch.setattr(converters, "_REFERENCE", {})
            for write in WRITERS.values():
                records = converter.convert([msgspec.Raw(write(each)) for each in items]).records
                assert list(map(orjson.loads, records)) == expected
                assert not any(b"\n" in record for record in records)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("decimals", ["number", "string"])
def test_names_of_a_dictionary_are_written_as_they_are(
    write: Callable[[Any], bytes], decimals: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Columns({"pk": "S", "a": "M"}, decimals=decimals)
    place = PLACES["in a dictionary"]
    converter = taught(layout, place, "N")
    items = [item({"M": {text: {"N": "1"}}}) for text in TEXTS]
    expected = [reference(each, layout) for each in items]
    monkeypatch.setattr(converters, "_REFERENCE", {})
    records = converter.convert([msgspec.Raw(write(each)) for each in items]).records
    assert list(map(orjson.loads, records)) == expected


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("others", [(), (None,), ({"NULL": True},)])
def test_a_number_is_seen_to_be_one_wherever_it_stands(
    where: str, name: str, others: tuple[Any, ...]
) -> None:
    place = PLACES[where]
    layout = LAYOUTS[name](next(iter(place({"N": "1"}))))
    for text in (
        "+1",
        "01",
        ".5",
        "1.",
        " 1",
        "1 ",
        "1\n",
        "1,2",
        "",
        "0x1",
        "NaN",
        '1"',
        "[1]",
        "1e",
    ):
        odd = item(place({"N": text}))
        converter = taught(layout, place, "N", *others)
        body = [msgspec.Raw(orjson.dumps(odd))]
        assert said(partial(converter.convert, body)) == said(partial(reference, odd, layout))


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "plain, without a column"])
@pytest.mark.parametrize("other", [{"NULL": True}, {"S": "x"}])
def test_a_value_without_a_type_is_told(where: str, name: str, other: Value) -> None:
    place = PLACES[where]
    layout = LAYOUTS[name]("N" if where == "at the top" else next(iter(place({"N": "1"}))))
    converter = taught(layout, place, "N", other, place(other))
    odd = item(place({}))
    body = [msgspec.Raw(orjson.dumps(odd))]
    assert said(partial(converter.convert, body)) == said(partial(reference, odd, layout))


def said(convert: Callable[[], Any]) -> Any:
    """Return a record, or what is wrong with its item."""
    try:
        made = convert()
    except DataError as error:
        return str(error)
    return orjson.loads(made.records[0]) if isinstance(made, Converted) else made


def test_a_key_that_is_a_number_is_seen_to_be_one() -> None:
    for layout in (Columns({"pk": "N"}), Packed({"pk": "N"}), Typed({"pk": "N"})):
        converter = Converter(layout)
        converter.convert([msgspec.Raw(b'{"pk":{"N":"1"}}')])
        for text in (b"1,2", b"", b"1 2"):
            with pytest.raises(DataError):
                converter.convert([msgspec.Raw(b'{"pk":{"N":"%s"}}' % text)])


def test_maps_may_nest_as_deep_as_dynamodb_lets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Value = {"SS": ["x"]}
    for level in range(31):
        deep = {"M": {"b": deep}} if level % 2 else {"L": [deep, {"NULL": True}, {"N": "1"}]}
    layout = Columns({"pk": "S", "a": "M"}, decimals="string")
    converter = Converter(layout)
    body = [msgspec.Raw(orjson.dumps(item(deep)))]
    converter.convert(body)
    expected = reference(item(deep), layout)
    monkeypatch.setattr(converters, "_REFERENCE", {})
    assert orjson.loads(converter.convert(body).records[0]) == expected
