"""What goes out in each mode, what answers mean, and how two writes of a key meet; case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core import batches, modes
from dynamodb_core.errors import DataError
from dynamodb_core.expressions import MOST_BYTES
from dynamodb_core.table import Key, Table

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dynamodb_core.modes import Call, Mode

TABLE = Table("t", "", "", Key(("pk", "sk"), ("S", "N")))
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
OLDER = {**KEY, "x": {"S": "old"}, "y": {"S": "old"}}
NEWER = {**KEY, "x": {"S": "new"}, "z": {"NULL": True}}
BOTH = {**KEY, "x": {"S": "new"}, "y": {"S": "old"}, "z": {"NULL": True}}
DELETION = batches.delete(orjson.dumps(KEY))


def mode(name: str, **table: Any) -> Mode:
    return modes.of(name, Table("t", "", "", TABLE.key, **table))


def calls(name: str, write: bytes) -> list[tuple[str, dict[str, Any]]]:
    return [(call.operation, orjson.loads(call.body)) for call in mode(name).calls({1: write})]


def put(name: str, item: dict[str, Any]) -> bytes:
    return mode(name).put(orjson.dumps(item))


def in_words(write: bytes) -> tuple[str, dict[str, Any]]:
    [(request, body)] = orjson.loads(write).items()
    [content] = body.values()
    return request.removesuffix("Request"), content


@pytest.mark.parametrize(
    ("name", "expected"),
    [("put", ("Put", NEWER)), ("insert", ("Insert", OLDER)), ("merge", ("Merge", BOTH))],
)
def test_two_items_that_wait(name: str, expected: Any) -> None:
    older = put(name, OLDER)
    met = mode(name).meet(older, put(name, NEWER))
    assert in_words(met) == expected
    assert (met is older) == (name == "insert")  # so that the newer one is counted as kept


@pytest.mark.parametrize("name", ["put", "insert", "merge"])
def test_a_deletion_and_an_item(name: str) -> None:
    of = mode(name)
    assert of.meet(put(name, OLDER), DELETION) == DELETION
    after = of.meet(DELETION, put(name, OLDER))
    assert in_words(after) == ("Put", OLDER)  # whatever is there: the deletion is not sent
    last = {"put": NEWER, "insert": OLDER, "merge": BOTH}[name]
    again = of.meet(after, put(name, NEWER))
    assert in_words(again) == ("Put", last)
    assert (again is after) == (name == "insert")
    assert of.meet(again, DELETION) == of.meet(DELETION, DELETION) == DELETION
    # One that was on its way comes back, and finds what the other two have become.
    assert of.meet(put(name, NEWER), after) == of.meet(DELETION, after) == after


COUNTED = {"TableName": "t", "ReturnConsumedCapacity": "INDEXES"}


def test_an_insert_is_a_conditional_put() -> None:
    assert calls("insert", put("insert", OLDER)) == [
        (
            "PutItem",
            {
                **COUNTED,
                "Item": OLDER,
                "ConditionExpression": "attribute_not_exists(#k)",
                "ExpressionAttributeNames": {"#k": "pk"},
            },
        )
    ]


@pytest.mark.parametrize("name", ["insert", "merge"])
def test_what_is_not_inserted_or_merged_goes_out_alone(name: str) -> None:
    assert calls(name, DELETION) == [("DeleteItem", {**COUNTED, "Key": KEY})]
    after = mode(name).meet(DELETION, put(name, OLDER))
    assert calls(name, after) == [("PutItem", {**COUNTED, "Item": OLDER})]


def test_a_merge_sets_all_attributes_but_the_key() -> None:
    odd = {"size": {"N": "1"}, 'q"\\': {"S": '"'}, "": {"L": []}}
    assert calls("merge", put("merge", {**odd, **KEY})) == [
        (
            "UpdateItem",
            {
                **COUNTED,
                "Key": KEY,
                "UpdateExpression": "SET #0=:0,#1=:1,#2=:2",
                "ExpressionAttributeNames": {"#0": "size", "#1": 'q"\\', "#2": ""},
                "ExpressionAttributeValues": {":0": {"N": "1"}, ":1": {"S": '"'}, ":2": {"L": []}},
            },
        )
    ]


def test_a_merge_of_a_key_alone_makes_the_item() -> None:
    assert calls("merge", put("merge", KEY)) == [("UpdateItem", {**COUNTED, "Key": KEY})]


@pytest.mark.parametrize(("count", "updates"), [(400, 1), (401, 2), (1200, 3)])
def test_more_attributes_than_an_expression_can_name_go_in_several_updates(
    count: int, updates: int
) -> None:
    item = {f"a{number}": {"N": str(number)} for number in range(count)}
    sent = calls("merge", put("merge", {**KEY, **item}))
    assert len(sent) == updates
    there: dict[str, Any] = {}
    for _, request in sent:
        assert len(request["UpdateExpression"]) <= MOST_BYTES
        names, values = (request[f"ExpressionAttribute{member}"] for member in ("Names", "Values"))
        there |= {name: values[f":{place[1:]}"] for place, name in names.items()}
    assert there == item


def test_values_are_sent_as_they_were_given() -> None:
    text = b'{"pk":{"S":"a"},"n":{"N":"1.00E+10"},"sk":{"N":"1"},"t":{"S":"\\u00e9\xc3\xa9"}}'
    for name in ("insert", "merge"):
        [call] = mode(name).calls({1: mode(name).put(text)})
        assert b'{"N":"1.00E+10"}' in call.body
        assert b'{"S":"\\u00e9\xc3\xa9"}' in call.body


def test_an_item_that_is_no_json_is_an_error_of_the_data() -> None:
    with pytest.raises(DataError, match="no JSON"):
        list(mode("merge").calls({1: mode("merge").put(b'{"\\ud800":{}}')}))


def test_whoever_is_told_of_a_refused_write_gets_a_put() -> None:
    for name in ("put", "insert", "merge"):
        assert in_words(modes.as_put(put(name, OLDER))) == ("Put", OLDER)
    assert modes.as_put(DELETION) == DELETION


def only_call(of: Mode, write: bytes) -> Call:
    [call] = of.calls({1: write})
    return call


def test_the_answer_to_a_single_write_says_what_it_has_consumed() -> None:
    of = mode("merge")
    call = only_call(of, put("merge", OLDER))
    assert call.units == 1
    index = {"GlobalSecondaryIndexes": {"i": {"CapacityUnits": 3.0}}}
    said = {"TableName": "t", "CapacityUnits": 5.0, "Table": {"CapacityUnits": 2.0}, **index}
    sent = of.answer({1: b""}, call, {"ConsumedCapacity": said})
    assert (sent.left, sent.kept, sent.consumed) == ({}, 0, (2.0, {"i": 3.0}))
    assert of.answer({1: b""}, call, {}).consumed.total == 1.0


@pytest.mark.parametrize(
    ("table", "units"),
    [
        ({}, 3),
        ({"item_count": 10, "size_bytes": 50_000}, 5),
        ({"item_count": 9, "size_bytes": 9}, 1),
    ],
    ids=["as large as the one that came", "of average size", "at least one"],
)
def test_a_condition_that_fails_is_paid_for_and_counted(table: dict[str, Any], units: int) -> None:
    of = mode("insert", **table)
    write = of.put(b"x" * 2500)
    sent = of.failure({1: write}, only_call(of, write), "ConditionalCheckFailedException")
    assert sent is not None
    assert (sent.left, sent.kept, sent.consumed) == ({}, 1, (units, {}))


def test_what_another_transaction_holds_is_sent_again() -> None:
    of = mode("insert")
    writes: dict[Hashable, bytes] = {1: put("insert", OLDER)}
    sent = of.failure(writes, only_call(of, writes[1]), "TransactionConflictException")
    assert sent is not None
    assert (sent.left, sent.kept) == (writes, 0)


@pytest.mark.parametrize("name", ["put", "insert", "merge"])
def test_other_failures_are_errors(name: str) -> None:
    of = mode(name)
    write = put(name, OLDER)
    for code in ("ValidationException", "InternalServerError"):
        assert of.failure({1: write}, only_call(of, write), code) is None
