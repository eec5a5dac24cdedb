"""What a sample shows does not depend on the order of items, nor on how it was cut; columns fit."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamodb_core.table import Key
from tap_dynamodb.advice import clashes
from tap_dynamodb.sampled import WHOLE_IN_DOUBLE, Seen, columns, safe_in_double
from tests.property import strategies as some

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEY = Key(("pk", "sk"), ("S", "N"))
names = st.sampled_from(("pk", "sk", "a", "b", "A", "_dynamodb", "x y"))
samples = st.lists(st.dictionaries(names, some.values, max_size=5), max_size=6)
kinds = st.sampled_from(("S", "N", "B", "BOOL", "M", "L", "SS", "NS", "BS"))


def fold(items: list[dict[str, Any]]) -> Seen:
    seen = Seen()
    for item in items:
        seen.add(item)
    return seen


@patient
@given(samples, st.data())
def test_merging_is_adding_in_any_order(items: list[dict[str, Any]], data: st.DataObject) -> None:
    together = fold(items)
    assert fold(data.draw(st.permutations(items))) == together
    cut = data.draw(st.integers(0, len(items)))
    one, other = items[:cut], items[cut:]
    assert fold(one).merge(fold(other)) == together
    assert fold(other).merge(fold(one)) == together
    assert Seen().merge(together) == together


@patient
@given(samples)
def test_a_sample_counts_what_is_there(items: list[dict[str, Any]]) -> None:
    seen = fold(items)
    counts = Counter((name, next(iter(value))) for item in items for name, value in item.items())
    assert {
        (n, kind): count for n, each in seen.counts.items() for kind, count in each.items()
    } == (counts)
    assert +seen.inexact == Counter(
        name
        for item in items
        for name, value in item.items()
        if "N" in value and not safe_in_double(value["N"])
    )
    assert seen.inexact.keys() <= seen.counts.keys()


@patient
@given(some.number_texts)
def test_a_double_is_safe_where_it_gives_the_number_back(text: str) -> None:
    value = Decimal(text)
    exact = Decimal(repr(float(text))) == value
    assert safe_in_double(text) == (exact and value.copy_abs() <= WHOLE_IN_DOUBLE)


@patient
@given(samples, st.integers(1, 9), st.booleans(), st.dictionaries(names, kinds, max_size=4))
def test_columns_stay_within_the_limit_with_the_given_ones(
    items: list[dict[str, Any]], limit: int, reserved: bool, given_: dict[str, str]
) -> None:
    given_ = {name: kind for name, kind in given_.items() if name not in (*KEY.names, "_dynamodb")}
    given_ = dict(list(given_.items())[: max(limit - 2, 0)])
    found = columns(fold(items), KEY, limit, "_dynamodb" if reserved else None, given_)
    assert len(found) <= max(limit, 2)
    assert list(found)[:2] == ["pk", "sk"]
    assert list(found)[2:] == sorted(list(found)[2:])
    assert found.items() >= {**given_, "pk": "S", "sk": "N"}.items()
    assert not (reserved and "_dynamodb" in found)
    shown = {(name, kind) for item in items for name, value in item.items() for kind in value}
    assert found.items() - {**given_, "pk": "S", "sk": "N"}.items() <= shown


@patient
@given(st.lists(some.names, max_size=12))
def test_names_that_differ_in_case_only_are_always_in_one_group(given_: list[str]) -> None:
    groups = clashes(given_)
    assert groups == sorted(set(groups))
    for group in groups:
        assert len(group) > 1
        assert not any(set(group) < set(other) for other in groups)
    for one in given_:
        for other in given_:
            if one != other and one.lower() == other.lower():
                assert any({one, other} <= set(group) for group in groups)
