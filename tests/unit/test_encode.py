"""Values back to typed values, and errors that name the path of what does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core.encode import ENCODERS, TOP_ENCODERS, natural
from dynamodb_core.errors import DataError
from dynamodb_core.restore import from_plain


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("S", 1), ("S", None), ("B", "no base64"), ("B", "AAA"), ("B", 1), ("BOOL", 0), ("BOOL", "true"),
        ("NULL", False), ("M", []), ("M", "{}"), ("L", {}), ("SS", "a"), ("SS", [1]), ("SS", []),
        ("SS", ["a", "a"]), ("NS", ["1", "1.0"]), ("NS", ["x"]), ("NS", []), ("NS", [True]),
        ("BS", ["?"]), ("BS", []), ("M", {"a": {"b": [float("nan")]}}), ("L", [{1}]),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_its_type_is_an_error_with_the_path(
    kind: str, value: Any
) -> None:
    with pytest.raises(DataError, match=r"/x"):
        ENCODERS[kind](value, "/x")


@pytest.mark.parametrize("value", ["0", "0g", "AP8=", 1, None, "é"])
def test_base16_that_is_none_is_an_error_with_the_path(value: Any) -> None:
    with pytest.raises(DataError, match=r"/x is .*, which is no B, base16 text"):
        TOP_ENCODERS["base16"]["B"](value, "/x")


def test_only_binaries_at_the_top_are_base16() -> None:
    assert TOP_ENCODERS["base16"]["B"]("00fF", "/x") == {"B": "AP8="}
    assert TOP_ENCODERS["base16"]["BS"](["AP8="], "/x") == {"BS": ["AP8="]}
    assert TOP_ENCODERS["base64"]["B"]("00ff", "/x") == {"B": "00ff"}


def test_errors_inside_name_the_path() -> None:
    with pytest.raises(DataError, match=r"/a~1b/1/c "):
        from_plain({"a/b": [1, {"c": float("inf")}]}, {})
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DataError, match="nested too deeply"):
        natural(deep, "/deep")


def test_subclasses_are_typed_as_what_they_are() -> None:
    class Named(dict[str, Any]):
        pass

    assert natural(Named(a=Named())) == {"M": {"a": {"M": {}}}}


def test_a_pointer_to_what_is_gone_is_ignored_and_a_misfit_is_an_error() -> None:
    record = {
        "m": {"b": "AA==", "n": None, "l": [{"s": ["a"]}]},
        "text": "x",
        "_dynamodb": {
            "types": {
                "/m/b": "B", "/m/n": "B", "/m/gone": "B", "/gone/b": "B", "/text/b": "B", "no": "B", "": "B",
                "/m/l/0/s": "SS", "/m/l/1/s": "SS", "/m/l/00/s": "SS", "/m/l/-/s": "SS", "/m/b/0": "B",
                "/_dynamodb/types": "B",
            }
        },
    }  # fmt: skip
    assert from_plain(record, {}) == {
        "m": {
            "M": {
                "b": {"B": "AA=="},
                "n": {"NULL": True},
                "l": {"L": [{"M": {"s": {"SS": ["a"]}}}]},
            }
        },
        "text": {"S": "x"},
    }
    for kind, value in (("B", "edited!"), ("SS", [1]), ("X", "a")):
        edited = {"m": {"b": value}, "_dynamodb": {"types": {"/m/b": kind}}}
        with pytest.raises(DataError, match="/m/b"):
            from_plain(edited, {})


def test_rest_fills_what_is_missing_or_null_and_a_new_value_wins() -> None:
    rest = {"a": {"N": "1"}, "b": {"N": "2"}, "c": {"N": "3"}}
    record = {"a": None, "b": "given on the way", "_dynamodb": {"rest": rest}}
    expected = {"a": {"N": "1"}, "b": {"S": "given on the way"}, "c": {"N": "3"}}
    assert from_plain(record, {}) == expected


@pytest.mark.parametrize("extra", ["x", [], 1, {"types": []}, {"rest": 1}, {"rest": {"b": 1}}])
def test_a_reserved_object_that_is_none_of_ours_is_an_error(extra: Any) -> None:
    with pytest.raises(DataError):
        from_plain({"a": 1, "_dynamodb": extra}, {})
