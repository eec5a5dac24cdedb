"""DynamoDB itself agrees with what `moments` says of its order, on AWS's own engine."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamodb import moments

if TYPE_CHECKING:
    from tests.engines.tables import Tables

MARK = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
STEPS = (
    timedelta(days=-400),
    timedelta(days=-1),
    timedelta(hours=-12),
    timedelta(minutes=-1),
    timedelta(seconds=-1),
    timedelta(0),
    timedelta(milliseconds=500),
    timedelta(seconds=30),
    timedelta(hours=5),
    timedelta(days=1),
    timedelta(days=4000),
)


def spellings(moment: datetime) -> dict[str, list[str]]:
    naive, epoch = moment.replace(tzinfo=None), moments.nanoseconds(moment)
    return {
        "S": [
            text
            for separator in "T "
            for text in (
                naive.isoformat(separator),
                naive.isoformat(separator) + "Z",
                naive.isoformat(separator, "milliseconds") + "+00:00",
                naive.isoformat(separator, "minutes") + "Z",
                naive.isoformat()[:10],
            )
        ],
        "N": [
            str(epoch // 10**9),
            f"{epoch / 10**9:.1f}",
            str(epoch // 10**6),
            str(epoch // 10**3),
            str(epoch),
        ],
    }


@pytest.mark.parametrize("kind", ["S", "N"])
def test_the_ranges_of_a_mark_leave_out_what_is_earlier_and_nothing_else(
    reference_tables: Tables, kind: str
) -> None:
    texts = {text for step in STEPS for text in spellings(MARK + step)[kind]}
    items: list[dict[str, Any]] = [{"id": {"S": text}, "at": {kind: text}} for text in texts]
    odd: list[dict[str, Any]] = [
        {"id": {"S": "missing"}},
        {"id": {"S": "flag"}, "at": {"BOOL": True}},
    ]
    table = reference_tables.create([*items, *odd])
    base = moments.nanoseconds(MARK)
    values: dict[str, Any] = {":kind": {"S": kind}}
    terms = ["NOT attribute_type(#at, :kind)"]
    for number, each in enumerate(moments.ranges(base, kind)):
        values[f":low{number}"] = each.low
        if each.high is None:
            terms.append(f"#at >= :low{number}")
        else:
            values[f":high{number}"] = each.high
            terms.append(f"#at BETWEEN :low{number} AND :high{number}")
    request = {
        "TableName": table,
        "FilterExpression": " OR ".join(terms),
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": values,
    }
    found = {item["id"]["S"] for item in reference_tables.wire.call("Scan", request)["Items"]}
    later = {text for text in texts if at(kind, text) >= base}
    assert found == later | {MARK.date().isoformat()} & texts | {"missing", "flag"}


def at(kind: str, text: str) -> int:
    moment = moments.moment(kind, text)
    assert moment is not None
    return moment.nanoseconds


@pytest.mark.parametrize("kind", ["S", "N"])
def test_a_query_is_in_the_order_that_marks_go_by(reference_tables: Tables, kind: str) -> None:
    texts = {text for step in STEPS for text in spellings(MARK + step)[kind]}
    texts |= {"S": {"é", "\uffff", "\U0001f600", "~", "a", "Z"}, "N": {"-1.5", "0", "1E-130"}}[kind]
    texts |= {"N": {"9" * 38, "1" + "0" * 36 + "1", "1" + "0" * 36 + "2"}}.get(kind, set())
    items: list[dict[str, Any]] = [{"pk": {"S": "p"}, "at": {kind: text}} for text in texts]
    by_value = {moments.order(kind, text): item for text, item in zip(texts, items, strict=True)}
    table = reference_tables.create(by_value.values(), key=(("pk", "S"), ("at", kind)))
    request = {
        "TableName": table,
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "p"}},
    }
    answer = reference_tables.wire.call("Query", request)
    order: list[Any] = [moments.order(kind, item["at"][kind]) for item in answer["Items"]]
    assert order == sorted(order)
    assert len(order) == len(by_value)
