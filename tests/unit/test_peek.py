from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dynamodb_core.peek import peek

ODD = 'a "quoted" name'


def raw(item: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(item))


@pytest.mark.parametrize("name", ["id", "a.b", "S", ODD, "\u00e9", "new\nline"])
def test_one_attribute_is_read_typed_whatever_its_name(name: str) -> None:
    look = peek([name])
    assert look(raw({"x": {"M": {name: {"S": "inside"}}}, name: {"N": "1"}})) == ({"N": "1"},)
    assert look(raw({"x": {"S": "y"}})) == (None,)
    assert look(raw({})) == (None,)


@pytest.mark.parametrize("names", [("a", "b"), ("a", ODD), ("b", "a")])
def test_several_attributes_come_in_the_order_in_which_they_were_asked_for(
    names: tuple[str, str],
) -> None:
    values = {names[0]: {"L": [{"S": "x"}]}, names[1]: {"BOOL": False}}
    look = peek(names)
    assert look(raw(values)) == tuple(values.values())
    assert look(raw({names[1]: {"B": ""}, "other": {"S": ""}})) == (None, {"B": ""})
