"""Lines of exports to items and changes, by the examples of formats.md and by what is wrong with others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynamodb_core.change import Change
from dynamodb_core.exports.lines import LineError, micros, parser

FULL = b'{"Item":{"Id":{"N":"103"},"Authors":{"SS":["A","B"]},"InPublication":{"BOOL":false}}}'
ITEM = b'{"Id":{"N":"103"},"Authors":{"SS":["A","B"]},"InPublication":{"BOOL":false}}'
TIME = b'"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}}'
WHEN = 1680109764000000


def items(data: bytes, form: Any = "dynamodb_json") -> list[bytes]:
    return [bytes(raw) for raw in parser(form, changes=False)(data)]


def changes(data: bytes) -> list[Change]:
    return parser("dynamodb_json", changes=True)(data)


def test_an_item_is_the_very_bytes_of_its_line() -> None:
    assert items(FULL + b"\n") == [ITEM]
    odd = b' { "Item" : { "a" : {"N": "1.50"} } } '
    assert items(odd) == [b'{ "a" : {"N": "1.50"} }']


@pytest.mark.parametrize("blank", [b"\n", b"\n\n", b" \t\n", b"\r\n", b"\n\r\n \n"])
def test_blank_lines_are_none(blank: bytes) -> None:
    assert items(blank + FULL + b"\n" + blank + FULL + b"\r\n" + blank) == [ITEM, ITEM]


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"{",
        b"[]",
        b"3",
        b"null",
        b"{}",
        FULL[:-1],
        FULL + b"}",
        FULL + b"x",
        b'{"Item":3',
        b'{"Item":{"a":{"S":"x"}},"Other":{}}',
        b'{"item":{"a":{"S":"x"}}}',
        b'{"Item":{"a":{"S":"\xff"}}}',
        b'{"Item":{"a":{"S":"\xc3"}}}',
        b'{"Item":{"a":{"S":"\x01"}}}',
        b'{"Item":{"a":{"N":nan}}}',
        b'{"Item":{"a":{"S":"x"},}}',
        b'{"a":{"s":"x"}}',
        b"{" + TIME + b',"Keys":{"a":{"S":"x"}}}',
        b"$ion_1_0 {Item:{Id:103.}}",
        b'{"Item":' + b"[" * 9000,
        b'{"Item":' + b'{"a":' * 9000,
    ],
)
@pytest.mark.parametrize("before", [b"", FULL + b"\n", b"\n" + FULL + b"\n\n"])
def test_a_line_that_is_no_item_is_named_by_its_number(line: bytes, before: bytes) -> None:
    with pytest.raises(LineError) as caught:
        items(before + line + b"\n" + FULL + b"\n")
    assert caught.value.number == before.count(b"\n")
    assert caught.value.why.startswith("is ")


def test_an_item_over_two_lines_is_refused() -> None:
    with pytest.raises(LineError):
        items(b'{"Item":\n{"a":{"S":"x"}}}\n')


def test_an_image_that_is_no_object_is_refused_where_lines_are_read_one_by_one() -> None:
    with pytest.raises(LineError, match="no object as Item"):
        items(b'\n{"Item":3}\n')


def test_changes_of_both_views() -> None:
    put = b"{" + TIME + b',"Keys":{"a":{"S":"x"}},"NewImage":{"a":{"S":"x"},"v":{"N":"1"}}}'
    update = put[:-1] + b',"OldImage":{"a":{"S":"x"},"v":{"N":"0"}}}'
    delete = b"{" + TIME + b',"Keys":{"a":{"S":"x"}},"OldImage":{"a":{"S":"x"},"v":{"N":"0"}}}'
    gone = b"{" + TIME + b',"Keys":{"a":{"S":"x"}}}'
    key, new, old = (
        b'{"a":{"S":"x"}}',
        b'{"a":{"S":"x"},"v":{"N":"1"}}',
        b'{"a":{"S":"x"},"v":{"N":"0"}}',
    )
    assert changes(b"\n".join((put, update, delete, gone))) == [
        Change(new, key, WHEN),
        Change(new, key, WHEN, old=old),
        Change(None, key, WHEN, old=old),
        Change(None, key, WHEN),
    ]


@pytest.mark.parametrize("image", [b"null", b" null"])
def test_a_null_image_is_none(image: bytes) -> None:
    line = b"{" + TIME + b',"Keys":{"a":{"S":"x"}},"OldImage":null,"NewImage":' + image + b"}"
    assert changes(line) == [Change(None, b'{"a":{"S":"x"}}', WHEN)]


@pytest.mark.parametrize(
    "told",
    [
        b'{"WriteTimestampMicros":{"N":"1680109764000000"},"More":1}',
        b'{"WriteTimestampMicros":1680109764000000}',
        b'{"WriteTimestampMicros":"1680109764000000"}',
        b"1680109764000000",
    ],
)
def test_the_time_of_a_change_in_other_spellings(told: bytes) -> None:
    line = b'{"Metadata":' + told + b',"Keys":{"a":{"S":"x"}}}'
    assert changes(line + b"\n")[0].micros == WHEN


@pytest.mark.parametrize(
    "line",
    [
        FULL,
        b'{"Keys":{"a":{"S":"x"}}}',
        b"{" + TIME + b"}",
        b"{" + TIME + b',"Keys":3}',
        b"{" + TIME + b',"Keys":{},"NewImage":[]}',
        b"{" + TIME + b',"Keys":{},"OldImage":"x"}',
        b"{" + TIME + b',"Keys":{"a":{"S":"x"}},"NewImge":{"a":{"S":"x"}}}',
        b'{"Metadata":{},"Keys":{}}',
        b'{"Metadata":null,"Keys":{}}',
        b'{"Metadata":true,"Keys":{}}',
        b'{"Metadata":{"WriteTimestampMicros":{"N":"-1"}},"Keys":{}}',
        b'{"Metadata":{"WriteTimestampMicros":{"N":"1.5"}},"Keys":{}}',
        b'{"Metadata":{"WriteTimestampMicros":{"N":"\xd9\xa1"}},"Keys":{}}',
        b'{"Metadata":{"WriteTimestampMicros":{"S":"1"}},"Keys":{}}',
        b"{" + TIME + b',"Keys":{"a":{"S":"\xff"}}}',
    ],
)
@pytest.mark.parametrize("blank", [b"", b"\n"], ids=["all at once", "one by one"])
def test_a_line_that_is_no_change_is_named_by_its_number(line: bytes, blank: bytes) -> None:
    right = b"{" + TIME + b',"Keys":{"a":{"S":"x"}}}\n'
    with pytest.raises(LineError) as caught:
        changes(right + blank + line + b"\n" + right)
    assert caught.value.number == 1 + len(blank)


def test_a_legacy_item_of_every_type() -> None:
    line = (
        b'{"s":{"s":"\\u00e9"},"n":{"n":"1.50"},"b":{"b":"AQ=="},"ss":{"sS":["a"]},"ns":{"nS":["1E2"]},'
        b'"bs":{"bS":["AQ=="]},"m":{"m":{"m":{"m":{}}}},"l":{"l":[{"l":[]},{"nULL":true}]},'
        b'"t":{"bOOL":true},"f":{"bOOL":false},"z":{"nULLValue":true}}'
    )
    (item,) = items(line, "legacy")
    assert json.loads(item) == {
        "s": {"S": "é"}, "n": {"N": "1.50"}, "b": {"B": "AQ=="}, "ss": {"SS": ["a"]},
        "ns": {"NS": ["1E2"]}, "bs": {"BS": ["AQ=="]}, "m": {"M": {"m": {"M": {}}}},
        "l": {"L": [{"L": []}, {"NULL": True}]}, "t": {"BOOL": True}, "f": {"BOOL": False},
        "z": {"NULL": True},
    }  # fmt: skip


@pytest.mark.parametrize("tag", ["sS", "SS", "ss", "Ss"])
def test_legacy_tags_are_known_in_any_case(tag: str) -> None:
    (item,) = items(b'{"a":{"%s":["x"]}}' % tag.encode(), "legacy")
    assert json.loads(item) == {"a": {"SS": ["x"]}}


def test_names_of_attributes_keep_their_case() -> None:
    (item,) = items(b'{"S":{"m":{"S":{"s":"x"},"nULL":{"nULL":true}}}}', "legacy")
    assert json.loads(item) == {"S": {"M": {"S": {"S": "x"}, "nULL": {"NULL": True}}}}


def test_a_line_of_hive() -> None:
    line = b'id\x03{"s":"Seattle"}\x02scores\x03{"nS":["100","30"]}\r'
    assert [json.loads(item) for item in items(line + b"\n\n" + line, "legacy")] == [
        {"id": {"S": "Seattle"}, "scores": {"NS": ["100", "30"]}}
    ] * 2


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"a":{"s":3}}', "at /a"),
        (b'{"a":{"n":3}}', "at /a"),
        (b'{"a":{"b":["x"]}}', "at /a"),
        (b'{"a":{"x":"y"}}', "at /a"),
        (b'{"a":"y"}', "has no type, or several, at /a"),
        (b'{"a":{}}', "has no type, or several, at /a"),
        (b'{"a":{"s":"x","n":"1"}}', "has no type, or several, at /a"),
        (b'{"a":{"nULL":false}}', "at /a"),
        (b'{"a":{"bOOL":"true"}}', "at /a"),
        (b'{"a":{"sS":["x",1]}}', "at /a"),
        (b'{"a":{"m":{"b~/":{"l":[{"s":"x"},{"q":1}]}}}}', "at /a/b~0~1/1"),
        (b'{"a":{"s":"x"}', "is no item as in a legacy export"),
        (b"[]", "is no item as in a legacy export: it is no object"),
        (b'a\x03{"s":"x"}\x02b', "an attribute without a value: 'b'"),
        (b'a\x03{"s":"x"}\x02a\x03{"s":"y"}', "the attribute 'a' twice"),
        (b'a\x03{"s":x}', "has no value for 'a'"),
        (b'a\x03{"s":"x"}\x02\xff\x03{"s":"y"}', "is no UTF-8"),
        (FULL, "at /Item"),
    ],
)
def test_a_line_that_is_no_legacy_item_is_named(line: bytes, why: str) -> None:
    with pytest.raises(LineError) as caught:
        items(b'{"a":{"s":"x"}}\n' + line + b"\n", "legacy")
    assert caught.value.number == 1
    assert why in caught.value.why


@pytest.mark.parametrize("value", [0, "7", {"N": "7"}, {"WriteTimestampMicros": {"N": "7"}}])
def test_a_time_is_a_whole_number(value: Any) -> None:
    assert micros(value) in (0, 7)
