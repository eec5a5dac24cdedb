"""What the option `types` makes of values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dynamodb_core.errors import DataError
from target_dynamodb import casts
from target_dynamodb.stream_options import TYPES

NOON = "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("S", "x", {"S": "x"}),
        ("S", "", {"S": ""}),
        ("S", 5, {"S": "5"}),
        ("S", Decimal("1.50"), {"S": "1.50"}),
        ("S", 1.5, {"S": "1.5"}),
        ("S", True, {"S": "true"}),
        ("S", {"a": [1, Decimal("2.50"), None]}, {"S": '{"a":[1,2.50,null]}'}),
        ("N", "1.50", {"N": "1.50"}),
        ("N", " 5 ", {"N": "5"}),
        ("N", 7, {"N": "7"}),
        ("B", "AAEC", {"B": "AAEC"}),
        ("B", "\\x0001ff", {"B": "AAH/"}),
        ("hex", "0001FF", {"B": "AAH/"}),
        ("hex", "\\x0001ff", {"B": "AAH/"}),
        ("BOOL", True, {"BOOL": True}),
        ("BOOL", "TRUE", {"BOOL": True}),
        ("BOOL", "f", {"BOOL": False}),
        ("BOOL", " no ", {"BOOL": False}),
        ("BOOL", 0, {"BOOL": False}),
        ("BOOL", Decimal(1), {"BOOL": True}),
        ("SS", ["b", "a", "b"], {"SS": ["b", "a"]}),
        ("SS", ["x", 5], {"SS": ["x", "5"]}),
        ("SS", '["x","y"]', {"SS": ["x", "y"]}),
        ("NS", [1, "1.0", Decimal("2.5")], {"NS": ["1", "2.5"]}),
        ("BS", ["AAEC", "\\x00ff"], {"BS": ["AAEC", "AP8="]}),
        ("M", {"a": 1}, {"M": {"a": {"N": "1"}}}),
        ("M", '{"a":1.50}', {"M": {"a": {"N": "1.50"}}}),
        ("L", ["a", None], {"L": [{"S": "a"}, {"NULL": True}]}),
        ("L", "[]", {"L": []}),
        ("epoch", "1970-01-02", {"N": "86400"}),
        ("epoch", NOON, {"N": "1795262400"}),
        ("epoch", " 2026-11-21 14:00:00.9+02:00 ", {"N": "1795262400"}),
        ("epoch", "1969-12-31T23:59:59.5", {"N": "-1"}),
        ("epoch", 1795262400, {"N": "1795262400"}),
        ("epoch", "1795262400", {"N": "1795262400"}),
        ("epoch", "-1.5", {"N": "-1.5"}),
        ("epoch_ms", NOON, {"N": "1795262400000"}),
    ],
)
def test_a_value_is_made_the_type(kind: str, value: Any, made: dict[str, Any]) -> None:
    assert casts.caster(kind)(value, "/a") == made
    assert next(iter(made)) == casts.type_of(kind)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("N", "five", "/a is no N"),
        ("N", True, "/a is no N"),
        ("N", "NaN", "NaN and Infinity"),
        ("N", "1" * 39, "39 significant digits"),
        ("S", Decimal("NaN"), "/a is no N"),
        ("B", "no base64", "/a is 'no base64', which is no B, base64"),
        ("B", "\\x0", "base16"),
        ("hex", "AAEC?", "base16"),
        ("BOOL", "maybe", "/a is 'maybe', which is no BOOL"),
        ("BOOL", 2, "no BOOL"),
        ("BOOL", [], "no BOOL"),
        ("M", "[1]", "/a is '\\[1\\]', which is no M"),
        ("M", "{", "no M"),
        ("L", {"a": 1}, "no L"),
        ("L", "[NaN]", "/a/0"),
        ("SS", "x", "no SS"),
        ("SS", ["a", None], "/a/1 is None, which no SS can hold"),
        ("SS", [["a"]], "/a/0"),
        ("NS", [1, "x"], "/a/1 is no N"),
        ("BS", ["AAEC", "?"], "/a/1"),
        ("epoch", "soon", "/a is 'soon', which is no date"),
        ("epoch", "2026-02-30", "no date"),
        ("epoch", True, "no date"),
    ],
)
def test_a_value_that_cannot_be_made_the_type_is_named(kind: str, value: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        casts.caster(kind)(value, "/a")


@pytest.mark.parametrize("kind", ["SS", "NS", "BS"])
def test_an_empty_set_is_left_out(kind: str) -> None:
    values: tuple[Any, ...] = ([], "[]")
    for empty in values:
        with pytest.raises(casts.LeftOut):
            casts.caster(kind)(empty, "/a")


def test_text_that_its_schema_says_is_base16_is_binary() -> None:
    assert casts.caster("B", base16=True)("00ff", "/a") == {"B": "AP8="}


@pytest.mark.parametrize(
    ("typed", "kind", "made"),
    [
        ({"S": "5"}, "N", {"N": "5"}),
        ({"N": "1E2"}, "N", {"N": "1E2"}),
        ({"N": "1.50"}, "S", {"S": "1.50"}),
        ({"L": [{"S": "a"}, {"S": "a"}]}, "SS", {"SS": ["a"]}),
        ({"NS": ["1", "2.50"]}, "L", {"L": [{"N": "1"}, {"N": "2.50"}]}),
        ({"SS": ["a"]}, "L", {"L": [{"S": "a"}]}),
        ({"M": {"a": {"N": "1.50"}}}, "S", {"S": '{"a":1.50}'}),
        ({"B": "AAEC"}, "S", {"S": "AAEC"}),
        ({"B": "AAEC"}, "hex", {"B": "AAEC"}),
        ({"S": NOON}, "epoch", {"N": "1795262400"}),
        ({"N": "5"}, "epoch", {"N": "5"}),
        ({"NULL": True}, "N", {"NULL": True}),
    ],
)
def test_what_our_tap_typed_is_made_another_type(
    typed: dict[str, Any], kind: str, made: dict[str, Any]
) -> None:
    assert casts.recast(typed, kind, casts.caster(kind), "/a") == made


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_has_its_cast(kind: str) -> None:
    with pytest.raises(DataError):
        casts.caster(kind)(object(), "/a")
