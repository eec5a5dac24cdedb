from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.peek import MISSING, Value, peek

ODD = 'a "quoted" name'


def raw(item: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(item))


@pytest.mark.parametrize("name", ["id", "a.b", "S", ODD, "\u00e9", "new\nline"])
def test_one_attribute_is_read_typed_whatever_its_name(name: str) -> None:
    look = peek([name])
    assert look(raw({"x": {"M": {name: {"S": "inside"}}}, name: {"N": "1"}}))[0] == Value(N="1")
    assert look(raw({name: {"L": [{"S": "x"}]}}))[0] == Value()
    assert look(raw({name: {"L": []}}))[0] is not MISSING
    assert look(raw({"x": {"S": "y"}}))[0] is MISSING
    assert look(raw({}))[0] is MISSING


@pytest.mark.parametrize("names", [("a", "b"), ("a", ODD), ("b", "a")])
def test_several_attributes_come_in_the_order_in_which_they_were_asked_for(
    names: tuple[str, str],
) -> None:
    look = peek(names)
    item = {names[0]: {"S": "x"}, "other": {"S": ""}, names[1]: {"BOOL": False}}
    assert look(raw(item))[:2] == (Value(S="x"), Value(BOOL=False))
    assert look(raw({names[1]: {"B": ""}}))[:2] == (MISSING, Value())


@pytest.mark.parametrize("name", ["id", ODD])
@pytest.mark.parametrize(
    "text", [b"[]", b'{"id":', b"\xff", b'{"id":{"S":5},"a \\"quoted\\" name":{"S":5}}']
)
def test_what_is_no_item_is_an_error(name: str, text: bytes) -> None:
    with pytest.raises(DataError, match="not in DynamoDB's JSON"):
        peek([name])(msgspec.Raw(text))
