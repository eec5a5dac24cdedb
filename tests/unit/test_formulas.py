"""Formulas of stream maps: our functions, the types they make, and errors that name them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

import tap_dynamodb.maps
import target_dynamodb.maps
from dynamodb_core import formulas
from dynamodb_core.errors import DataError
from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import sync

if TYPE_CHECKING:
    from singer_sdk.mapper import StreamMap

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "at": {"type": ["string", "null"], "x-dynamodb-type": "S"},
        "n": {"type": ["number", "null"], "x-dynamodb-type": "N"},
    },
}
DAY = 1_795_219_200
"""2026-11-21"""


@pytest.fixture(params=["tap", "target"])
def mapper_class(request: pytest.FixtureRequest) -> Any:
    """The mapper of each plugin."""
    return {"tap": tap_dynamodb.maps, "target": target_dynamodb.maps}[request.param].Mapper


def made(mapper_class: Any, stream_maps: dict[str, Any], stream: str = "orders") -> StreamMap:
    mapper = mapper_class({"stream_maps": stream_maps}, logging.getLogger("test"))
    mapper.register_raw_stream_schema(stream, SCHEMA, ["id"])
    found: StreamMap = mapper.stream_maps[stream][-1]
    return found


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("epoch(at)", DAY),
        ("epoch(at, years=1)", DAY + 365 * 86_400),
        ("epoch_ms(at, days=1)", (DAY + 86_400) * 1000),
        ("epoch(n, 'ms')", 1),
        ("epoch(at) + 30 * 86400", DAY + 30 * 86_400),
        ("epoch(at) - epoch(at)", 0),
        ("epoch(at) if n > 1 else None", DAY),
        ("epoch(_.get('missing'), days=1)", None),
        ("epoch(record.get('at'))", DAY),
        ("epoch(None) or epoch(at)", DAY),
    ],
)
def test_a_formula_calls_our_functions(mapper_class: Any, formula: str, value: int | None) -> None:
    stream_map = made(mapper_class, {"orders": {"made": formula}})
    record = {"id": "a", "at": "2026-11-21", "n": 1999}
    assert stream_map.transform(dict(record)) == {**record, "made": value}


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("epoch(at)", "integer"),
        ("epoch(at, years=1)", "integer"),
        ("epoch_ms(at) // 1000", "integer"),
        ("epoch(at) + 30 * 86400", "integer"),
        ("epoch(at) if n else None", "integer"),
        ("epoch(at) if n else epoch(id)", "integer"),
        ("epoch(at) if n else id", "string"),
        ("epoch(at) + n", "string"),
        ("epoch(at) / 2", "string"),
        ("str(epoch(at))", "string"),
        ("int(n)", "integer"),
    ],
)
@pytest.mark.parametrize("name", ["new", "at"])
def test_the_schema_says_what_a_formula_makes(
    mapper_class: Any, formula: str, told: str, name: str
) -> None:
    properties = made(mapper_class, {"orders": {name: formula}}).transformed_schema["properties"]
    if name == "at" and told == "string":
        return  # the SDK takes it for what it was
    assert told in properties[name]["type"]
    if told == "integer":
        assert "x-dynamodb-type" not in properties[name]
        assert "null" in properties[name]["type"]


def test_patterns_aliases_filters_and_second_maps_have_the_functions(mapper_class: Any) -> None:
    maps = {
        "ord*": {"__alias__": "all", "__filter__": "epoch(at) >= epoch('2026-11-21')"},
        "copy": {"__source__": "orders", "made": "epoch(at)"},
    }
    mapper = mapper_class({"stream_maps": maps}, logging.getLogger("test"))
    mapper.register_raw_stream_schema("orders", SCHEMA, ["id"])
    mapper.register_raw_stream_schema("orders", SCHEMA, ["id"])  # as it was: nothing is new
    first, second = mapper.stream_maps["orders"]
    assert first.stream_alias == "all"
    assert first.transform({"id": "a", "at": "2026-11-20"}) is None
    assert first.transform({"id": "a", "at": "2026-11-21"}) == {"id": "a", "at": "2026-11-21"}
    assert second.transform({"id": "a", "at": "2026-11-21"})["made"] == DAY


def test_a_failure_names_stream_formula_and_value(mapper_class: Any) -> None:
    stream_map = made(mapper_class, {"orders": {"made": "epoch(at, years=1)"}})
    with pytest.raises(DataError) as caught:
        stream_map.transform({"id": "a", "at": "21.11.2026"})
    assert caught.value.message == (
        "A stream map of stream orders fails on a record: epoch(at, years=1): "
        "'21.11.2026' is no date in ISO form"
    )
    assert "%d/%m/%Y" in caught.value.hint


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("epoch(missing)", "epoch(missing): 'missing' is not defined for expression"),
        ("epoch(missing) + 1", "'missing' is not defined for expression 'epoch(missing) + 1'"),
        ("epoch()", "epoch(): epoch() missing 1 required positional argument"),
        ("epoch(at) + 'x'", "epoch(at) + 'x': "),
        ("nothing(at)", "nothing(at): Function 'nothing' not defined"),
    ],
)
def test_whatever_fails_is_told_as_it_was_written(
    mapper_class: Any, formula: str, words: str
) -> None:
    stream_map = made(mapper_class, {"orders": {"made": formula}})
    with pytest.raises(DataError) as caught:
        stream_map.transform({"id": "a", "at": "2026-11-21"})
    assert words in caught.value.message
    assert "int(1)" not in str(caught.value)


def test_the_configuration_is_left_as_it_is(mapper_class: Any) -> None:
    own = {"id": "id", "made": "epoch(at)", "__else__": None}
    maps: dict[str, Any] = {"orders": own, "__else__": None}
    made(mapper_class, maps)
    assert maps == {"orders": own, "__else__": None}
    assert own == {"id": "id", "made": "epoch(at)", "__else__": None}


def test_what_is_no_formula_is_left_alone() -> None:
    maps: dict[str, Any] = {
        "orders": {"a": None, "b": "epoch(", "__filter__": "epoch(a)", "__key_properties__": ["a"]},
        "others": None,
        "__else__": "__NULL__",
    }
    assert formulas.typed(maps) == maps


def test_the_tap_has_them_in_records_and_schemas() -> None:
    items = [{"id": {"S": f"i{n}"}, "at": {"S": f"2026-11-{n:02}"}} for n in range(1, 4)]
    maps = {"t": {"at": "epoch(at)", "end": "epoch_ms(at, years=1)"}}
    output = sync(Account({"t": ScannedTable(items)}).wire, {"tables": ["t"], "stream_maps": maps})
    assert {record["id"]: (record["at"], record["end"]) for record in output.records()} == {
        f"i{n}": (DAY + (n - 21) * 86_400, (DAY + (365 + n - 21) * 86_400) * 1000)
        for n in range(1, 4)
    }
    properties = output.schema()["properties"]
    assert {name: properties[name]["type"] for name in ("at", "end")} == {
        "at": ["integer", "null"],
        "end": ["integer", "null"],
    }


def test_a_failure_ends_the_tap_with_our_error() -> None:
    table = ScannedTable([{"id": {"S": "a"}, "at": {"S": "soon"}}])
    config = {"tables": ["t"], "stream_maps": {"t": {"at": "epoch(at)"}}}
    with pytest.raises(DataError, match=r"stream t fails on a record: epoch\(at\): 'soon'"):
        sync(Account({"t": table}).wire, config)
