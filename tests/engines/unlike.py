"""Pairs of items that differ in one way each, and pairs that only look different."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.wire import Item


def binary(data: bytes) -> str:
    return base64.b64encode(data).decode()


def text(value: str) -> dict[str, Any]:
    return {"S": value}


def whole(value: Any) -> dict[str, Any]:
    """A value at the top, in a map and in a list, so that a change of it is one at any depth."""
    return {
        "top": value,
        "map": {"M": {"in": {"M": {"a/b": value, "~": text("x")}}}},
        "list": {"L": [text("x"), {"L": [value]}]},
    }


PLACES = {"/top", "/map/in/a~1b", "/list/1/0"}
ORDER = {"a": {"N": "1"}, "b": {"S": "2"}, "c": {"BOOL": True}}

# Attributes in A, attributes in B, what is found, and where.
CASES: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None, str, set[str]]] = {
    "missing": (whole(text("a")), None, "missing", set()),
    "extra": (None, whole(text("a")), "extra", set()),
    "the same": (whole(text("a")), whole(text("a")), "", set()),
    "a text": (whole(text("a")), whole(text("A")), "differs", PLACES),
    "composed or not": (whole(text("\xe9")), whole(text("e\u0301")), "differs", PLACES),
    "a blank": (whole(text("a")), whole(text("a ")), "differs", PLACES),
    "a number": (whole({"N": "1"}), whole({"N": "2"}), "differs", PLACES),
    "its sign": (whole({"N": "1"}), whole({"N": "-1"}), "differs", PLACES),
    "its 38th digit": (
        whole({"N": "12345678901234567890123456789012345678"}),
        whole({"N": "12345678901234567890123456789012345679"}),
        "differs",
        PLACES,
    ),
    "its power": (whole({"N": "1E-130"}), whole({"N": "1E-129"}), "differs", PLACES),
    "true": (whole({"BOOL": True}), whole({"BOOL": False}), "differs", PLACES),
    "N 1 and S 1": (whole({"N": "1"}), whole(text("1")), "differs", PLACES),
    "S and B": (whole(text("YQ==")), whole({"B": "YQ=="}), "differs", PLACES),
    "NULL and BOOL": (whole({"NULL": True}), whole({"BOOL": True}), "differs", PLACES),
    "SS and L": (whole({"SS": ["a"]}), whole({"L": [text("a")]}), "differs", PLACES),
    "SS and NS": (whole({"SS": ["1"]}), whole({"NS": ["1"]}), "differs", PLACES),
    "SS and BS": (whole({"SS": ["YQ=="]}), whole({"BS": ["YQ=="]}), "differs", PLACES),
    "M and L": (whole({"M": {}}), whole({"L": []}), "differs", PLACES),
    "a member of SS": (whole({"SS": ["a", "b"]}), whole({"SS": ["a", "c"]}), "differs", PLACES),
    "one of SS more": (whole({"SS": ["a"]}), whole({"SS": ["a", "b"]}), "differs", PLACES),
    "a member of NS": (whole({"NS": ["1", "2"]}), whole({"NS": ["1", "3"]}), "differs", PLACES),
    "a member of BS": (
        whole({"BS": [binary(b"a"), binary(b"b")]}),
        whole({"BS": [binary(b"a"), binary(b"c")]}),
        "differs",
        PLACES,
    ),
    "the order of SS": (whole({"SS": ["a", "b", "c"]}), whole({"SS": ["c", "a", "b"]}), "", set()),
    "the order of NS": (whole({"NS": ["1", "10", "2"]}), whole({"NS": ["2", "10", "1"]}), "", set()),
    "the order of BS": (
        whole({"BS": [binary(b"a"), binary(b"b")]}),
        whole({"BS": [binary(b"b"), binary(b"a")]}),
        "",
        set(),
    ),
    "a byte": (
        whole({"B": binary(b"\x00\xff\x10")}),
        whole({"B": binary(b"\x00\xff\x11")}),
        "differs",
        PLACES,
    ),
    "a byte more": (whole({"B": binary(b"\x00")}), whole({"B": binary(b"\x00\x00")}), "differs", PLACES),
    "no bytes": (whole({"B": ""}), whole({"B": binary(b"\x00")}), "differs", PLACES),
    "the order of a list": (
        {"list": {"L": [text("a"), text("b"), text("c")]}},
        {"list": {"L": [text("b"), text("a"), text("c")]}},
        "differs",
        {"/list/0", "/list/1"},
    ),
    "a longer list": (
        {"list": {"L": [text("a")]}},
        {"list": {"L": [text("a"), {"NULL": True}]}},
        "differs",
        {"/list/1"},
    ),
    "the order of members": (
        {"map": {"M": ORDER}, **ORDER},
        {**dict(reversed(ORDER.items())), "map": {"M": dict(reversed(ORDER.items()))}},
        "",
        set(),
    ),
    "missing or NULL": ({"b": text("x")}, {"a": {"NULL": True}, "b": text("x")}, "differs", {"/a"}),
    "missing or empty": ({"a": text("")}, {}, "differs", {"/a"}),
    "empty or NULL": ({"a": text("")}, {"a": {"NULL": True}}, "differs", {"/a"}),
    "missing or empty, in a map": (
        {"m": {"M": {}}},
        {"m": {"M": {"a": text("")}}},
        "differs",
        {"/m/a"},
    ),
    "an empty list": ({"a": {"L": []}}, {}, "differs", {"/a"}),
    "case of a name": ({"a": text("x")}, {"A": text("x")}, "differs", {"/a", "/A"}),
    "names that are types": (
        {"S": {"M": {"N": {"N": "1"}}}},
        {"S": {"M": {"N": {"S": "1"}}}},
        "differs",
        {"/S/N"},
    ),
    "a text that looks like a number": (
        {"a": text('{"N":"1.0"}')},
        {"a": text('{"N":"1"}')},
        "differs",
        {"/a"},
    ),
    "several at once": (
        {"a": text("x"), "b": {"N": "1"}, "c": {"SS": ["x"]}, "same": text("s")},
        {"a": text("y"), "c": {"SS": ["y"]}, "d": {"NULL": True}, "same": text("s")},
        "differs",
        {"/a", "/b", "/c", "/d"},
    ),
}  # fmt: skip

SPELLED = {
    "power": ("100", "1E2", "respelled"),
    "zeros": ("1.5", "1.500", "respelled"),
    "minus nought": ("0", "-0", "respelled"),
    "leading": ("7", "007", "respelled"),
    "neither is normal": ("1.50", "15E-1", "respelled"),
    "alike": ("1.50", "1.50", ""),
    "another value": ("1.50", "1.51", "differs"),
}


def sides(cases: dict[str, Any]) -> tuple[list[Item], list[Item]]:
    pairs = [(text(name), case[0], case[1]) for name, case in cases.items()]
    return (
        [{"id": key, **a} for key, a, _ in pairs if a is not None],
        [{**b, "id": key} for key, _, b in pairs if b is not None],
    )
