"""Text Ion to items: the types, exact numbers, names that the library does not take for names."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

import pytest

from dynamodb_core.change import Change
from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.lines import LineError, parser

simpleion = pytest.importorskip("amazon.ion.simpleion")

TIME = 1680109764000000


def item_of(text: str) -> Any:
    (raw,) = parser("ion", changes=False)(f"$ion_1_0 {{Item:{text}}}\n".encode())
    return json.loads(bytes(raw))


def change_of(text: str) -> Change:
    (change,) = parser("ion", changes=True)(text.encode())
    assert isinstance(change, Change)
    return change


def test_the_line_of_the_documentation() -> None:
    text = '{Authors:$dynamodb_SS::["A","B"],Id:103.,PageCount:6d2,Price:2d3,InPublication:false}'
    assert item_of(text) == {
        "Authors": {"SS": ["A", "B"]},
        "Id": {"N": "103"},
        "PageCount": {"N": "600"},
        "Price": {"N": "2000"},
        "InPublication": {"BOOL": False},
    }


@pytest.mark.parametrize(
    ("ion", "typed"),
    [
        ('"x\\u00e9\\n😀"', {"S": "xé\n😀"}),
        ('""', {"S": ""}),
        ("true", {"BOOL": True}),
        ("null", {"NULL": True}),
        ("null.string", {"NULL": True}),
        ("{{AQI=}}", {"B": "AQI="}),
        ("{{}}", {"B": ""}),
        ("{}", {"M": {}}),
        ("{a:{b:[1.,{}]}}", {"M": {"a": {"M": {"b": {"L": [{"N": "1"}, {"M": {}}]}}}}}),
        ("[]", {"L": []}),
        ('["a","b"]', {"L": [{"S": "a"}, {"S": "b"}]}),
        ("$dynamodb_NS::[1.,2.5]", {"NS": ["1", "2.5"]}),
        ("$dynamodb_BS::[{{AQ==}}]", {"BS": ["AQ=="]}),
        ('{S:"x",Item:{N:"1"}}', {"M": {"S": {"S": "x"}, "Item": {"M": {"N": {"S": "1"}}}}}),
    ],
)
def test_a_value_of_every_type(ion: str, typed: Any) -> None:
    assert item_of(f"{{a:{ion}}}") == {"a": typed}


@pytest.mark.parametrize(
    ("ion", "text"),
    [
        ("170206220242d1", "1702062202420"),
        ("0.", "0"),
        ("0d5", "0"),
        ("-0.", "0"),
        ("-0.00", "0"),
        ("1.50", "1.5"),
        ("100.", "100"),
        ("10d-1", "1"),
        ("-25d-2", "-0.25"),
        ("5", "5"),
        ("-123456789012345678901234567890", "-123456789012345678901234567890"),
        ("9" * 38 + ".", "9" * 38),
        ("0." + "1" * 38, "0." + "1" * 38),
        ("-1." + "2" * 37, "-1." + "2" * 37),
        ("1d-130", "0." + "0" * 129 + "1"),
        ("1d125", "1" + "0" * 125),
        ("9." + "9" * 37 + "d125", "9" * 38 + "0" * 88),
        ("1" + "0" * 60, "1" + "0" * 60),
    ],
)
def test_a_number_is_exact_and_written_as_dynamodb_does(ion: str, text: str) -> None:
    assert item_of(f"{{n:{ion}}}") == {"n": {"N": text}}


@pytest.mark.parametrize("ion", ["1d90000000", "1d-90000000", "0d90000000", "0d-90000000"])
def test_a_number_far_out_of_range_is_not_written_out(ion: str) -> None:
    tracemalloc.start()
    try:
        assert item_of(f"{{n:{ion}}}") == {"n": {"N": "0"}}
    except LineError:
        assert ion.startswith("1")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("name", ["$10", "$3", "$1", "$999999"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_name_of_a_dollar_and_digits_is_a_name(name: str, quote: str) -> None:
    text = f'{{{quote}{name}{quote} : 1.,b:{{"x":1.,{quote}{name}{quote}:"{name}"}},c:"{name}"}}'
    assert item_of(text) == {
        name: {"N": "1"},
        "b": {"M": {"x": {"N": "1"}, name: {"S": name}}},
        "c": {"S": name},
    }


def test_such_a_name_inside_of_a_text_is_text() -> None:
    text = '{a:"{\\"$10\\":1,\\"$3\\":2}",b:"$10"}'
    assert item_of(text) == {"a": {"S": '{"$10":1,"$3":2}'}, "b": {"S": "$10"}}


@pytest.mark.parametrize("text", ['{"$3":1.,b:"it\'s"}', '{"\\x243":1.}', '{"\\u00243":1.}'])
def test_such_a_name_is_refused_where_it_cannot_be_told(text: str) -> None:
    with pytest.raises(LineError, match="a name that is \\$ and digits"):
        item_of(text)


LARGE = 400_000


@pytest.mark.parametrize(
    ("ion", "typed"),
    [
        (f'{{a:"{"x" * LARGE}"}}', {"a": {"S": "x" * LARGE}}),
        (f'{{a:"{"é😀" * 60_000}"}}', {"a": {"S": "é😀" * 60_000}}),
        (f'{{a:"{chr(92)}u00e9{"x" * LARGE}"}}', {"a": {"S": "é" + "x" * LARGE}}),
        (f"{{a:{{{{{'AQID' * 130_000}}}}}}}", {"a": {"B": "AQID" * 130_000}}),
        (f"{{'{'x y' * 21_000}':1.}}", {"x y" * 21_000: {"N": "1"}}),
        (f"{{a:[{','.join(['1.'] * 100_000)}]}}", {"a": {"L": [{"N": "1"}] * 100_000}}),
    ],
    ids=["text", "utf-8", "escaped", "blob", "name", "list"],
)
def test_an_item_may_be_as_large_as_dynamodb_allows(ion: str, typed: Any) -> None:
    assert item_of(ion) == typed


@pytest.mark.parametrize("name", ["'a b'", '"a b"', '""', "'it\\'s'", '"null"', "'null'", "$x"])
def test_quoted_names(name: str) -> None:
    plain = {"'it\\'s'": "it's"}.get(name, name.strip("'\""))
    assert item_of(f"{{{name}:1.}}") == {plain: {"N": "1"}}


@pytest.mark.parametrize(
    "line",
    [
        b"  $ion_1_0 {Item:{a:1.}}  ",
        b"{Item:{a:1.}}\r",
        b'$ion_1_0 {"Item":{"a":1.}}',
        b"{'Item':{a:1.}}",
    ],
)
def test_what_else_a_line_may_look_like(line: bytes) -> None:
    (raw,) = parser("ion", changes=False)(b"\n" + line + b"\n \n")
    assert bytes(raw) == b'{"a":{"N":"1"}}'


@pytest.mark.parametrize(
    "line",
    [
        b'{"Item":{"Id":{"N":"103"}}}',
        b'{"Item":{"Id":{"M":{}},"x":{"S":"a"}}}',
        b'{"a":{"s":"x"}}',
        b"$ion_1_0",
        b"$ion_1_0 3",
        b"$ion_1_0 {Item:{a:1.}",
        b"$ion_1_0 {Item:{a:1.}} {Item:{b:1.}}",
        b"$ion_1_0 {Item:{a:1.},Other:1}",
        b"$ion_1_0 {Item:[]}",
        b"$ion_1_0 {Item:null}",
        b"$ion_1_0 {Item:{a:nan}}",
        b"$ion_1_0 {Item:{a:1e0}}",
        b"$ion_1_0 {Item:{a:2020-01-01T}}",
        b'$ion_1_0 {Item:{a:{{"clob"}}}}',
        b"$ion_1_0 {Item:{a:(b c)}}",
        b'$ion_1_0 {Item:{a:other::"x"}}',
        b"$ion_1_0 {Item:{a:other::null}}",
        b"$ion_1_0 {Item:{a:$dynamodb_XX::[1.]}}",
        b'$ion_1_0 {Item:{a:$dynamodb_NS::["1"]}}',
        b"$ion_1_0 {Item:{a:$dynamodb_SS::[1.]}}",
        b'$ion_1_0 {Item:{a:$dynamodb_SS::"x"}}',
        b"$ion_1_0 {Item:{a:1d126}}",
        b"$ion_1_0 {Item:{a:1d-131}}",
        b"$ion_1_0 {Item:{a:1d999999}}",
        b"$ion_1_0 {Item:{a:" + b"1" * 39 + b".}}",
        b"$ion_1_0 {Item:{a:" + b"1" * 39 + b"}}",
        b"$ion_1_0 {Item:{a:" + b"1" * 5000 + b"}}",
        b"$ion_1_0 {Item:{a:$10}}",
        b'$ion_1_0 {Item:{a:"\xff"}}',
        b"$ion_1_0 {Item:{a:" + b"[" * 5000 + b"]" * 5000 + b"}}",
        b"\xe0\x01\x00\xea",
    ],
    ids=lambda line: line[:40].decode("latin-1"),
)
def test_a_line_that_is_no_item_is_named_by_its_number(line: bytes) -> None:
    with pytest.raises(LineError) as caught:
        parser("ion", changes=False)(b"\n{Item:{a:1.}}\n" + line + b"\n")
    assert caught.value.number == 2


@pytest.mark.parametrize(
    "metadata",
    [
        f"{{WriteTimestampMicros:{TIME}.}}",
        f"{{WriteTimestampMicros:{TIME}}}",
        f'{{WriteTimestampMicros:{{N:"{TIME}"}}}}',
        f"{{WriteTimestampMicros:{{N:{TIME}.}}}}",
        "{WriteTimestampMicros:1680109764d6}",
        f'{{"WriteTimestampMicros":{TIME}.}}',
        f"{TIME}",
        f"{TIME}.",
    ],
)
@pytest.mark.parametrize("wrapper", ["%s", "$ion_1_0 %s", "$ion_1_0 {Record:%s}", '{"x":%s}'])
def test_a_change_in_every_variant(metadata: str, wrapper: str) -> None:
    text = f'{{Metadata:{metadata},Keys:{{a:"x"}},OldImage:{{a:"x"}},NewImage:{{a:"x",v:1.}}}}'
    key, new = b'{"a":{"S":"x"}}', b'{"a":{"S":"x"},"v":{"N":"1"}}'
    assert change_of(wrapper % text) == Change(new, key, TIME, old=key)


def test_a_deletion() -> None:
    text = f"$ion_1_0 {{Metadata:{TIME},Keys:{{a:1.}},OldImage:{{a:1.}}}}"
    assert change_of(text) == Change(None, b'{"a":{"N":"1"}}', TIME, old=b'{"a":{"N":"1"}}')
    assert change_of(text[:-1] + ",NewImage:null}").item is None
    assert change_of(text[:-1] + ",NewImage:null.struct}").item is None


@pytest.mark.parametrize(
    "text",
    [
        "{Item:{a:1.}}",
        "{Keys:{a:1.}}",
        "{Metadata:1}",
        "{Metadata:1,Keys:1}",
        "{Metadata:1.5,Keys:{}}",
        "{Metadata:{},Keys:{}}",
        "{Metadata:-1,Keys:{}}",
        "{Metadata:true,Keys:{}}",
        "{Metadata:1,Keys:{},NewImge:{}}",
        "{Metadata:1,Keys:{},NewImage:[]}",
        '{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"a":{"S":"x"}}}',
    ],
)
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(LineError):
        change_of(text)


def test_a_list_that_is_no_set_is_named_by_its_path() -> None:
    with pytest.raises(LineError) as caught:
        item_of('{a:{"b/":[1.,$dynamodb_NS::["x"]]}}')
    assert "a NS at /a/b~1/1 with something else in it" in caught.value.why


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("amazon", "amazon.ion", "amazon.ion.simpleion"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'ferry-tap-dynamodb\[ion\]'"):
        parser("ion", changes=False)


def test_without_its_compiled_part_the_library_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simpleion, "c_ext", False)
    with pytest.raises(ConfigError, match="without its compiled part"):
        parser("ion", changes=False)
