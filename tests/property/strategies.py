"""Hypothesis strategies for items as DynamoDB's JSON has them: every type, nested, badly named."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from dynamodb_core import numbers
from dynamodb_core.codec import TYPES

TypedValue = dict[str, Any]

# Names that somebody's code takes for something else.
NASTY = (
    "M", "S", "N", "L", "NULL", "BOOL", "B", "SS", "NS", "BS", "Item", "item", "_dynamodb", "types",
    "rest", "a.b", "a b", " ", "it's", 'say "so"', "back\\slash", "new\nline", "tab\t", "\x00", "\x1f",
    "\x7f", "\u2028", "a/b", "~", "~0", "~1", "/", "0", "1", "-", "#n", ":v", "name", "Name", "NAME",
    "size", "f0", "i", "r", "t", "v", "note", "types = {}", "'''", "{}", "%s", "class", "None",
    "__class__", "é", "日本", "😀", "=", "UNSET",
)  # fmt: skip

texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.one_of(st.sampled_from(NASTY), texts.filter(bool))
binaries = st.binary(max_size=9).map(lambda value: base64.b64encode(value).decode())


@st.composite
def numbers_(draw: st.DrawFn) -> str:
    """The text of an N that DynamoDB can hold, in one of the spellings that JSON has."""
    digits = draw(st.integers(0, 10 ** draw(st.integers(1, 38)) - 1))
    low, high = -130, 125 - len(str(digits)) + 1
    exponent = draw(st.one_of(st.just(0), st.integers(-45, 45), st.integers(low, high)))
    value = Decimal((draw(st.integers(0, 1)), tuple(map(int, str(digits))), min(exponent, high)))
    return draw(st.sampled_from((str(value), str(value).lower(), f"{value:f}")))


extremes = st.sampled_from(
    (
        "0", "-0", "1", "1.0", "1e0", "1E+2", "100", "9" * 38, "-" + "9" * 38, "0.1", "1E-130",
        "-1E-130", "9.9999999999999999999999999999999999999E+125", "18446744073709551616",
        "9223372036854775807", "9223372036854775808", "0.30000000000000004",
    )
)  # fmt: skip
number_texts = st.one_of(extremes, st.integers(-99, 99).map(str), numbers_())


def distinct(values: st.SearchStrategy[str], key: Any = None) -> st.SearchStrategy[list[str]]:
    """The values of a set."""
    return st.lists(values, min_size=1, max_size=4, unique_by=key or (lambda value: value))


def tagged(kind: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[TypedValue]:
    """Typed values of one type."""
    return value.map(lambda plain: {kind: plain})


leaves = st.one_of(
    tagged("S", texts),
    tagged("N", number_texts),
    tagged("B", binaries),
    tagged("BOOL", st.booleans()),
    tagged("NULL", st.just(True)),
    tagged("SS", distinct(texts)),
    tagged("NS", distinct(number_texts, numbers.canonical)),
    tagged("BS", distinct(binaries)),
)
values: st.SearchStrategy[TypedValue] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        tagged("L", st.lists(inner, max_size=4)),
        tagged("M", st.dictionaries(st.one_of(names, st.just("")), inner, max_size=4)),
    ),
    max_leaves=8,
)
items = st.dictionaries(names, values, max_size=7)

key_values = {
    "S": texts.filter(bool),
    "N": number_texts,
    "B": binaries.filter(bool),
}


@st.composite
def keyed_items(draw: st.DrawFn, keys: dict[str, str]) -> dict[str, TypedValue]:
    """Items that have these key attributes."""
    item = draw(items)
    for name, kind in keys.items():
        item[name] = {kind: draw(key_values[kind])}
    order = draw(st.permutations(list(item)))
    return {name: item[name] for name in order}


# The names and types of a primary key.
keys = st.dictionaries(
    names.filter(lambda name: name not in ("item", "_dynamodb")),
    st.sampled_from(("S", "N", "B")),
    min_size=1,
    max_size=2,
)


# How a layout may write numbers and binaries.
styles: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "decimals": st.sampled_from(("number", "number", "string")),
        "binary": st.sampled_from(("base64", "base64", "base16")),
    }
)


@st.composite
def column_types(draw: st.DrawFn, items_: list[dict[str, TypedValue]]) -> dict[str, str]:
    """Columns for some of the attributes of items and for others, often of a wrong type."""
    types = draw(st.dictionaries(names, st.sampled_from(TYPES), max_size=3))
    for item in items_:
        for name, typed in item.items():
            choice = draw(st.sampled_from(("right",) * 8 + ("wrong", "none")))
            if choice == "right":
                types.setdefault(name, next(iter(typed)))
            elif choice == "wrong":
                types.setdefault(name, draw(st.sampled_from(TYPES)))
    return types


@st.composite
def alike(draw: st.DrawFn) -> list[dict[str, TypedValue]]:
    """Items of which many are alike, as in a table: varied from a few."""
    kinds = draw(st.lists(items, min_size=1, max_size=3))
    made = []
    for _ in range(draw(st.integers(1, 6))):
        item = dict(draw(st.sampled_from(kinds)))
        for name in draw(st.lists(st.sampled_from(sorted(item)), max_size=2)) if item else ():
            if draw(st.booleans()):
                item.pop(name, None)
            else:
                item[name] = draw(values)
        item.update(draw(st.dictionaries(names, values, max_size=1)))
        made.append(item)
    return made


def same(typed: TypedValue) -> Any:
    """Return what two typed values have in common exactly when DynamoDB holds them for equal."""
    ((kind, value),) = typed.items()
    if kind == "N":
        return kind, numbers.canonical(value)
    if kind == "NS":
        return kind, sorted(map(numbers.canonical, value))
    if kind in ("SS", "BS"):
        return kind, sorted(value)
    if kind == "L":
        return kind, [same(part) for part in value]
    if kind == "M":
        return kind, {name: same(part) for name, part in value.items()}
    return kind, value


def same_item(item: dict[str, TypedValue]) -> dict[str, Any]:
    """Return `same` of each attribute."""
    return {name: same(typed) for name, typed in item.items()}
