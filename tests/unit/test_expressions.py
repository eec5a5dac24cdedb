from __future__ import annotations

import pytest

from dynamodb_core.expressions import (
    SORT_OPERATORS,
    Aliases,
    Bounds,
    Filter,
    KeyCondition,
    Range,
    SortCondition,
    both,
    key_condition,
    projection,
    within,
)


def test_every_name_is_an_alias_and_each_name_has_one() -> None:
    aliases = Aliases()
    assert projection(["size", "a.b", "size"], aliases) == "#0,#1,#0"
    assert aliases.members() == {"ExpressionAttributeNames": {"#0": "size", "#1": "a.b"}}


def test_aliases_keep_out_of_the_way_of_those_that_a_person_gave() -> None:
    aliases = Aliases(Filter("#1 = :0", {"#1": "status"}, {":0": {"S": "x"}}))
    assert aliases.name("other") != "#1"
    assert aliases.value({"N": "1"}) != ":0"
    members = aliases.members()
    assert members["ExpressionAttributeNames"]["#1"] == "status"
    assert members["ExpressionAttributeValues"][":0"] == {"S": "x"}
    assert len(members["ExpressionAttributeNames"]) == 2


def test_a_request_without_placeholders_names_none() -> None:
    assert Aliases().members() == {}


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        ("=", "#1 = :1"),
        ("<", "#1 < :1"),
        ("<=", "#1 <= :1"),
        (">", "#1 > :1"),
        (">=", "#1 >= :1"),
        ("begins_with", "begins_with(#1, :1)"),
        ("between", "#1 BETWEEN :1 AND :2"),
    ],
)
def test_a_key_condition_names_partition_and_sort_key(operator: str, text: str) -> None:
    values = tuple({"S": str(n)} for n in range(SORT_OPERATORS[operator]))
    condition = KeyCondition({"pk": {"S": "a"}}, (SortCondition("sk", operator, values),))
    aliases = Aliases()
    assert key_condition(condition, aliases) == f"#0 = :0 AND {text}"
    assert aliases.members()["ExpressionAttributeNames"] == {"#0": "pk", "#1": "sk"}


def test_a_partition_key_of_several_attributes_is_given_in_whole() -> None:
    condition = KeyCondition({"tenant": {"S": "a"}, "region": {"N": "1"}})
    assert key_condition(condition, Aliases()) == "#0 = :0 AND #1 = :1"


def test_a_bound_keeps_what_it_cannot_judge() -> None:
    aliases = Aliases()
    text = within(Bounds("at", (Range({"N": "5"}),)), aliases)
    assert text == "#0 >= :0 OR attribute_not_exists(#0) OR NOT attribute_type(#0, :1)"
    assert aliases.members()["ExpressionAttributeValues"] == {":0": {"N": "5"}, ":1": {"S": "N"}}


def test_a_bound_of_several_ranges_takes_what_lies_in_any_of_them() -> None:
    ranges = (Range({"N": "5"}, {"N": "7"}), Range({"N": "9"}), Range({"S": "a"}))
    text = within(Bounds("at", ranges), Aliases())
    assert text == (
        "#0 BETWEEN :0 AND :1 OR #0 >= :2 OR #0 >= :3 OR attribute_not_exists(#0) "
        "OR NOT attribute_type(#0, :4) AND NOT attribute_type(#0, :5)"
    )


@pytest.mark.parametrize(
    ("terms", "text"),
    [(("", ""), ""), (("a = b", ""), "a = b"), (("a OR b", "c OR d"), "(a OR b) AND (c OR d)")],
)
def test_two_filters_hold_together(terms: tuple[str, str], text: str) -> None:
    assert both(*terms) == text
