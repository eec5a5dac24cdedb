"""Which tables are compared with which."""

from __future__ import annotations

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_tools.pairs import Pair, pairs

NAMES = ["orders", "orders_copy", "users", "users_copy", "logs-1"]
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


def never() -> list[str]:
    raise AssertionError("tables were listed that nobody asked for")


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("orders", "copy", [("orders", "copy")]),
        (" orders ", " copy ", [("orders", "copy")]),
        ("orders", "orders", [("orders", "orders")]),  # of another region, perhaps
        ("orders", "{table}_copy", [("orders", "orders_copy")]),
        (ARN, "{table}_copy", [(ARN, "orders_copy")]),
        (ARN, ARN, [(ARN, ARN)]),
        ("orders", ARN.replace("orders", "{table}2"), [("orders", f"{ARN}2")]),
        ("b,a", "{table}x", [("a", "ax"), ("b", "bx")]),
        ("a,a,", "{table}x", [("a", "ax")]),
    ],
)
def test_names(a: str, b: str, wanted: list[tuple[str, str]]) -> None:
    assert pairs(a, b, never) == [Pair(*each) for each in wanted]


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("*", "{table}_copy", ["logs-1", "orders", "users"]),
        ("o*", "{table}_copy", ["orders"]),
        ("[ou]*", "{table}", ["orders", "orders_copy", "users", "users_copy"]),
        ("user?", "{table}_copy", ["users"]),
        ("users,o*s", "{table}_copy", ["orders", "users"]),
        ("orders_copy,o*", "{table}_copy", ["orders", "orders_copy"]),  # named, so it is meant
    ],
)
def test_patterns_leave_out_copies_of_what_they_match(a: str, b: str, wanted: list[str]) -> None:
    found = pairs(a, b, lambda: NAMES)
    assert [pair.a for pair in found] == wanted
    assert [pair.b for pair in found] == [b.replace("{table}", name) for name in wanted]


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("x*", "{table}_copy", r"no table x\*"),
        ("", "b", "no table"),
        ("orders", " ", "No table B"),
        ("o*", "copy", "2 tables of A would be compared with copy"),
        ("a,b", "copy", "2 tables of A would be compared with copy"),
        (f"orders,{ARN}", "{table}_copy", "2 tables of A would be compared with orders_copy"),
    ],
)
def test_what_is_no_pair(a: str, b: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        pairs(a, b, lambda: NAMES)
