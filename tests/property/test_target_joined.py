"""Joined attributes and shards: no two lists of parts have one text."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core import numbers
from dynamodb_core.errors import DataError
from target_dynamodb import joined
from tests.property import strategies as some

# Texts in which what joins and what protects are frequent.
texts = st.text(st.sampled_from("ab#\\"), max_size=5) | some.texts
lists = st.lists(texts, min_size=1, max_size=4)


@given(lists)
def test_the_parts_can_be_told_from_the_text(parts: list[str]) -> None:
    assert joined.split(joined.join(parts)) == parts


@given(lists, lists)
def test_two_lists_of_parts_never_have_one_text(one: list[str], other: list[str]) -> None:
    assert (joined.join(one) == joined.join(other)) == (one == other)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["a", "b"], "a#b"),
        (["a#", "b"], "a\\##b"),
        (["a", "#b"], "a#\\#b"),
        (["a\\", "b"], "a\\\\#b"),
        (["a\\#b"], "a\\\\\\#b"),
        (["", ""], "#"),
        ([""], ""),
    ],
)
def test_the_rule_is_as_documented(parts: list[str], text: str) -> None:
    assert joined.join(parts) == text


@given(some.number_texts, some.number_texts)
def test_two_spellings_of_a_number_are_one_part_and_two_numbers_are_two(
    one: str, other: str
) -> None:
    made = [joined.text("n", {"N": each}, "N") for each in (one, other)]
    assert (made[0] == made[1]) == (numbers.canonical(one) == numbers.canonical(other))
    assert Decimal(made[0]) == Decimal(one)


def test_parts_are_texts_numbers_in_full_and_base64() -> None:
    item: dict[str, dict[str, Any]] = {"s": {"S": "x"}, "n": {"N": "1.50E2"}, "b": {"B": "AAEC"}}
    parts = [("s", "S"), ("n", "N"), ("b", "B")]
    assert joined.texts(item, parts, "pk") == ["x", "150", "AAEC"]


@pytest.mark.parametrize("typed", [{"N": "1"}, {"BOOL": True}, {"L": []}, {"SS": ["a"]}])
def test_a_part_has_one_type_in_all_records(typed: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"/a~1b is of type .* is S in all records"):
        joined.text("a/b", typed, "S")


@pytest.mark.parametrize("item", [{}, {"a": {"NULL": True}}])
def test_a_missing_part_is_named(item: dict[str, Any]) -> None:
    with pytest.raises(joined.MissingPart, match="/a is missing, of which pk is made"):
        joined.texts(item, [("a", "S")], "pk")


@given(lists, st.integers(2, 1000))
def test_a_shard_is_the_hash_that_the_docs_say(parts: list[str], count: int) -> None:
    digest = hashlib.sha256(joined.join(parts).encode()).hexdigest()
    assert joined.shard(parts, count) == int(digest[:16], 16) % count


def test_a_shard_is_the_same_for_ever() -> None:
    """Written down once: what was written with an older release is found by a newer one."""
    shards = [joined.shard([f"customer-{n}", "é#"], 16) for n in range(12)]
    assert shards == [6, 2, 1, 10, 1, 15, 10, 2, 14, 3, 8, 1]


def test_shards_are_about_equally_full() -> None:
    counts = [0] * 10
    for number in range(10_000):
        counts[joined.shard([str(number)], 10)] += 1
    assert min(counts) > 800
    assert max(counts) < 1200
