"""What differs between two items, by examples."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_tools.differing import Difference, differences, shown

Value = dict[str, Any]

A, B = {"S": "a"}, {"S": "b"}


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ({"x": A}, {"x": A}, []),
        ({"x": A}, {"x": B}, [("/x", A, B)]),
        ({"x": A}, {}, [("/x", A, None)]),
        ({}, {"x": A}, [("/x", None, A)]),
        ({"x": A, "y": A}, {"y": A, "x": A}, []),
        ({"z": A, "b": A}, {"b": B, "a": A}, [("/a", None, A), ("/b", A, B), ("/z", A, None)]),
        ({"x": {"S": "1"}}, {"x": {"N": "1"}}, [("/x", {"S": "1"}, {"N": "1"})]),
        ({"x": {"NULL": True}}, {}, [("/x", {"NULL": True}, None)]),
        ({"x": {"BOOL": True}}, {"x": {"BOOL": False}}, [("/x", {"BOOL": True}, {"BOOL": False})]),
        ({"x": {"B": "AA=="}}, {"x": {"B": "AB=="}}, []),
        ({"x": {"B": "AA=="}}, {"x": {"B": "AQ=="}}, [("/x", {"B": "AA=="}, {"B": "AQ=="})]),
    ],
)
def test_attributes_are_told_by_name(a: Value, b: Value, found: list[Any]) -> None:
    assert differences(a, b) == [Difference(*each) for each in found]


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ({"L": [A, A]}, {"L": [A, B]}, [("/x/1", A, B)]),
        ({"L": [A, B]}, {"L": [B]}, [("/x/0", A, B), ("/x/1", B, None)]),
        ({"L": []}, {"L": [A]}, [("/x/0", None, A)]),
        ({"L": []}, {"M": {}}, [("/x", {"L": []}, {"M": {}})]),
        ({"M": {"a/b~": A}}, {"M": {"a/b~": B}}, [("/x/a~1b~0", A, B)]),
        ({"M": {"": A}}, {"M": {}}, [("/x/", A, None)]),
        ({"M": {"S": A}}, {"M": {"S": B}}, [("/x/S", A, B)]),
        (
            {"L": [A, {"M": {"m": {"L": [A, A]}}}]},
            {"L": [A, {"M": {"m": {"L": [A, B]}}}]},
            [("/x/1/m/1", A, B)],
        ),
    ],
)
def test_maps_and_lists_are_looked_into(a: Value, b: Value, found: list[Any]) -> None:
    assert differences({"x": a}, {"x": b}) == [Difference(*each) for each in found]


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, []),
        ({"SS": ["a", "b"]}, {"SS": ["c", "b"]}, [({"SS": ["a"]}, {"SS": ["c"]})]),
        ({"SS": ["a", "b"]}, {"SS": ["b"]}, [({"SS": ["a"]}, {"SS": []})]),
        ({"SS": ["1"]}, {"SS": ["1.0"]}, [({"SS": ["1"]}, {"SS": ["1.0"]})]),
        ({"SS": ["1"]}, {"NS": ["1"]}, [({"SS": ["1"]}, {"NS": ["1"]})]),
        ({"BS": ["AA==", "AQ=="]}, {"BS": ["AQ==", "AB=="]}, []),
        ({"BS": ["AA=="]}, {"BS": ["AQ=="]}, [({"BS": ["AA=="]}, {"BS": ["AQ=="]})]),
        ({"NS": ["1", "2"]}, {"NS": ["2", "3"]}, [({"NS": ["1"]}, {"NS": ["3"]})]),
        ({"NS": ["1", "2"]}, {"NS": ["2", "1.0"]}, [({"NS": ["1"]}, {"NS": ["1.0"]}, True)]),
        (
            {"NS": ["1", "2", "5"]},
            {"NS": ["3", "1.0", "5"]},
            [({"NS": ["2"]}, {"NS": ["3"]}), ({"NS": ["1"]}, {"NS": ["1.0"]}, True)],
        ),
    ],
)
def test_sets_are_told_by_their_members(a: Value, b: Value, found: list[Any]) -> None:
    assert differences({"x": a}, {"x": b}) == [Difference("/x", *each) for each in found]


@pytest.mark.parametrize(
    ("a", "b", "spelling"),
    [("1", "1.0", True), ("100", "1E2", True), ("0", "-0", True), ("1", "-1", False)],
)
def test_a_number_spelled_otherwise_is_told_from_another_number(
    a: str, b: str, spelling: bool
) -> None:
    [found] = differences({"x": {"N": a}}, {"x": {"N": b}})
    assert found == Difference("/x", {"N": a}, {"N": b}, spelling)


def test_what_is_ignored_is_ignored_at_the_top_only() -> None:
    a: dict[str, Value] = {"x": A, "m": {"M": {"x": A}}}
    b: dict[str, Value] = {"x": B, "m": {"M": {"x": B}}, "y": A}
    found = differences(a, b, frozenset(("x", "y")))
    assert found == [Difference("/m/x", A, B)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "missing"),
        ({"N": "1.50"}, "N 1.50"),
        ({"S": 'say "é"'}, 'S "say \\"é\\""'),
        ({"NULL": True}, "NULL"),
        ({"BOOL": False}, "BOOL false"),
        ({"SS": []}, "SS []"),
        ({"L": [{"N": "1"}]}, 'L [{"N": "1"}]'),
        ({"S": "a\nb\x1b[31m\x9b\u2028\u202e"}, 'S "a\\nb\\u001b[31m\\x9b\\u2028\\u202e"'),
        ({"S": "\ud800"}, 'S "\\ud800"'),
        ({"S": "x" * 99}, f'S "{"x" * 76}…'),
        ({"S": "x" * 76}, f'S "{"x" * 76}"'),
    ],
)
def test_values_are_shown_on_one_line(value: Value | None, text: str) -> None:
    assert shown(value) == text
    assert len(shown(value, 10)) <= 10
