from __future__ import annotations

import pytest

from dynamodb_core.expressions import Bounds, Filter, KeyCondition, Range, SortCondition
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan

PLACE = {"id": {"S": "k"}}
OPEN = Filter("#s = :s", {"#s": "status"}, {":s": {"S": "open"}})
SINCE = Bounds("at", (Range({"S": "2026"}),))


def test_a_scan_asks_for_its_segment() -> None:
    plan = ReadPlan("t", 9)
    assert plan.operation == "Scan"
    assert plan.request(Part(4)) == {
        "TableName": "t",
        "Segment": 4,
        "TotalSegments": 9,
        "ReturnConsumedCapacity": "INDEXES",
    }


def test_what_is_said_of_the_read_stands_in_every_request() -> None:
    plan = ReadPlan("arn:t", 2, index="by_date", consistent=True, limit=50)
    request = plan.request(Part(1, PLACE))
    assert request["TableName"] == "arn:t"
    assert request["IndexName"] == "by_date"
    assert request["ConsistentRead"] is True
    assert request["Limit"] == 50
    assert request["ExclusiveStartKey"] == PLACE


def test_a_query_asks_for_its_partition() -> None:
    conditions = [KeyCondition({"pk": {"S": name}}) for name in "ab"]
    plan = ReadPlan("t", 2, conditions=conditions)
    assert plan.operation == "Query"
    request = plan.request(Part(1, PLACE))
    assert request["KeyConditionExpression"] == "#0 = :0"
    assert request["ExpressionAttributeValues"] == {":0": {"S": "b"}}
    assert request["ExclusiveStartKey"] == PLACE
    assert not {"Segment", "TotalSegments"} & request.keys()


def test_a_filter_keeps_its_own_placeholders_beside_a_projection() -> None:
    request = ReadPlan("t", 1, filter=OPEN, attributes=["id", "size"]).request(Part(0))
    assert request["FilterExpression"] == "#s = :s"
    names = request["ExpressionAttributeNames"]
    assert names["#s"] == "status"
    assert [names[alias] for alias in request["ProjectionExpression"].split(",")] == ["id", "size"]


def test_a_bound_is_a_filter_in_a_scan() -> None:
    request = ReadPlan("t", 1, filter=OPEN, bounds=SINCE).request(Part(0))
    assert request["FilterExpression"].startswith("(#s = :s) AND (#")


def test_a_bound_is_a_part_of_the_key_condition_in_a_query() -> None:
    condition = KeyCondition({"pk": {"S": "a"}})
    plan = ReadPlan("t", 2, conditions=[condition] * 2, bounds={1: SINCE}, ordered=True)
    assert plan.request(Part(0))["KeyConditionExpression"] == "#0 = :0"
    assert plan.request(Part(1))["KeyConditionExpression"] == "#0 = :0 AND #1 >= :1"
    assert "FilterExpression" not in plan.request(Part(1))


def test_a_bound_of_another_attribute_than_the_sort_key_is_a_filter_in_a_query() -> None:
    plan = ReadPlan("t", conditions=[KeyCondition({"pk": {"S": "a"}})], bounds=SINCE)
    request = plan.request(Part(0))
    assert request["KeyConditionExpression"] == "#0 = :0"
    assert request["FilterExpression"].startswith("#1 >= :1 OR ")


def test_more_attributes_than_an_expression_can_name_are_not_asked_for() -> None:
    few, many = [f"a{n}" for n in range(500)], [f"a{n}" for n in range(1000)]
    assert ReadPlan("t", attributes=few).projects
    assert not ReadPlan("t", attributes=many).projects
    assert "ProjectionExpression" in ReadPlan("t", attributes=few).request(Part(0))
    assert "ProjectionExpression" not in ReadPlan("t", attributes=many).request(Part(0))


def test_a_projection_fits_beside_a_filter_that_took_the_short_names() -> None:
    names = {f"#{n}": f"n{n}" for n in range(120)}
    given = Filter("attribute_exists(#0)", names)
    most = next(
        n
        for n in range(900, 0, -1)
        if ReadPlan("t", attributes=[f"a{k}" for k in range(n)]).projects
    )
    attributes = [f"a{n}" for n in range(most)]
    request = ReadPlan("t", filter=given, attributes=attributes).request(Part(0))
    assert len(request["ProjectionExpression"]) <= 4096


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (ReadPlan("t", 8), "segment 3 of 8 of table t"),
        (ReadPlan("t", 8, index="i"), "segment 3 of 8 of index i of table t"),
        (
            ReadPlan("t", 8, conditions=[KeyCondition({"pk": {"S": "secret"}})] * 8),
            "partition 4 of 8 of table t",
        ),
    ],
)
def test_a_part_is_named_without_the_values_of_its_key(plan: ReadPlan, words: str) -> None:
    assert plan.part(3) == words


def test_a_sort_condition_and_a_bound_on_different_attributes_stand_together() -> None:
    condition = KeyCondition({"pk": {"S": "a"}}, (SortCondition("year", "=", ({"N": "1"},)),))
    request = ReadPlan("t", conditions=[condition], bounds=SINCE, ordered=True).request(Part(0))
    assert request["KeyConditionExpression"] == "#0 = :0 AND #1 = :1 AND #2 >= :2"
