"""What is compiled for a SCHEMA makes the same writes as the reference, or leaves the record to it."""

from __future__ import annotations

import functools
import itertools
import json
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamodb_core.errors import DataError
from dynamodb_core.sizes import IndexKey
from dynamodb_core.table import Key
from target_dynamodb.compiled import LONGEST_PAUSE, MOST_COLUMNS
from target_dynamodb.encode import Encoder
from target_dynamodb.source import Source
from target_dynamodb.stream_options import TYPES, StreamOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

patient = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = ("id", "n", "a", "b/c", 'q"', "é", "_sdc_deleted_at", "_sdc_sequence", "_dynamodb", "{x}%")
SCHEMAS: tuple[dict[str, Any], ...] = (
    *({"x-dynamodb-type": kind} for kind in ("S", "N", "BOOL", "B", "M", "L", "SS", "NS", "NULL")),
    {"x-dynamodb-type": "N", "type": "string", "format": "singer.decimal"},
    {"x-dynamodb-type": "B", "contentEncoding": "base16"},
    *({"type": ["null", name]} for name in ("string", "number", "boolean", "array", "object")),
    {"type": "string", "format": "singer.decimal"},
    {"type": "string", "contentEncoding": "base64"},
    {},
)


def object_of(members: Iterable[tuple[str, str]], colon: str = ":") -> str:
    """A JSON object of names and values that are JSON already."""
    return f"{{{','.join(f'{name}{colon}{value}' for name, value in members)}}}"


NUMBERS = (
    *("0", "-0", "7", "-12", "100", "1.50", "-0.0", "0.000001", "0.0000001", "-0.0000000"),
    *("1e5", "1E-7", "9" * 38, "9" * 39, "-" + "9" * 38, f"{'1' * 20}.{'2' * 17}"),
    *(f"{'1' * 20}.{'2' * 18}", f"{'1' * 20}.{'2' * 19}", "1e400", "-9223372036854775809"),
)
TEXTS = (
    *('""', '"a"', '"é\\u00e9\\n"', '"5"', '"-0"', '"0.0"', '"007"', '"1.0"', '"1e3"', '"AAEC"'),
    *('"00fF"', '"\\ud800"', f'"{"9" * 39}"'),
)
RESERVED = (
    *("null", "{}", '"x"', '{"rest":{}}', '{"rest":{"new":{"N":"1E2"}}}'),
    *('{"rest":{"a":{"S":"x"}}}', '{"rest":{"n":{"S":"x"}}}', '{"rest":{"new":{"X":"x"}}}'),
    *('{"rest":{"new":{}}}', '{"rest":{"new":{"S":"x","N":"1"}}}', '{"types":{"/doc/x":"NS"}}'),
    *('{"types":{"/doc/x":"NS"},"rest":{}}', '{"types":null,"rest":{"new":{"NULL":true}}}'),
)
numbers, texts, reserved = map(st.sampled_from, (NUMBERS, TEXTS, RESERVED))
scalars = st.one_of(numbers, texts, st.sampled_from(("null", "true", "false")))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]"),
        st.lists(st.tuples(st.sampled_from(('"M"', '"x"')), inner), max_size=3).map(
            lambda parts: object_of(parts, ": ")
        ),
    ),
    max_leaves=4,
)


words = st.sampled_from(TYPES)
asked = st.builds(
    StreamOptions,
    nulls=st.sampled_from(("", "", "keep", "omit")),
    empty_strings=st.sampled_from(("keep", "keep", "omit", "null")),
    types=st.just({}) | st.dictionaries(st.sampled_from(NAMES[:6]), words, max_size=3),
)


def result(encoder: Encoder, record: str) -> Any:
    """A write, its body read; or what is wrong with the record."""
    try:
        identity, body, deleted = encoder.encode_json(msgspec.Raw(record.encode()))
    except (DataError, msgspec.DecodeError) as error:
        return type(error), str(error)
    return identity, orjson.loads(body), deleted


@patient
@given(
    data=st.data(),
    properties=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(SCHEMAS), max_size=8),
    key=st.sampled_from((Key(("id",), ("S",)), Key(("id", "n"), ("S", "N")), Key(("n",), ("N",)))),
    ours=st.booleans(),
    options=asked,
    indexed=st.dictionaries(st.sampled_from(NAMES[2:]), st.sampled_from("SNB"), max_size=2),
)
def test_it_is_what_the_reference_makes(
    data: st.DataObject,
    properties: dict[str, Any],
    key: Key,
    ours: bool,
    options: StreamOptions,
    indexed: dict[str, str],
) -> None:
    if ours:  # their nulls, empty texts and types are the reference's business
        options = StreamOptions()
    indexes = [IndexKey(name, kind, "by") for name, kind in indexed.items()]

    def encoder() -> Encoder:
        source = Source("t") if ours else None
        return Encoder("s", properties, key=key, source=source, options=options, indexes=indexes)

    quick, reference = encoder(), encoder()
    reference._short = ()
    usual = st.fixed_dictionaries(
        {'"id"': st.sampled_from(('"a"', '""', "5", "null")) | texts, '"n"': numbers},
        optional={
            orjson.dumps(name).decode(): reserved if name == "_dynamodb" else values
            for name in NAMES[2:]
        },
    )
    for members in data.draw(st.lists(usual, min_size=1, max_size=3)):
        shuffled = data.draw(st.permutations(list(members.items())))
        record = object_of(shuffled)
        for road in quick._short:
            road._pause = 0  # type: ignore[union-attr]
        assert result(quick, record) == result(reference, record)


ANNOTATED = {
    "id": {"x-dynamodb-type": "S"},
    "n": {"x-dynamodb-type": "N"},
    "on": {"x-dynamodb-type": "BOOL"},
    "doc": {"x-dynamodb-type": "M"},
}
KEY = Key(("id",), ("S",))
DENSE = '{"id":"a","n":1.5,"on":true,"doc":{"x":[1]}}'


@functools.cache
def encoders(
    properties: str, key: Key, *, ours: bool, empty: str, indexes: tuple[IndexKey, ...]
) -> tuple[Encoder, Encoder]:
    """An encoder with its short roads, and one that is the reference."""
    quick, reference = (
        Encoder(
            "s",
            json.loads(properties),
            key=key,
            source=Source("t") if ours else None,
            options=StreamOptions(empty_strings=empty),
            indexes=indexes,
        )
        for _ in range(2)
    )
    reference._short = ()
    return quick, reference


def both(
    record: str,
    properties: dict[str, Any],
    key: Key = KEY,
    *,
    ours: bool = True,
    empty: str = "keep",
    indexes: tuple[IndexKey, ...] = (),
) -> tuple[Any, Any]:
    """What is made of a record by the short roads, and by the reference."""
    quick, reference = encoders(
        json.dumps(properties), key, ours=ours, empty=empty, indexes=indexes
    )
    for road in quick._short:
        road._pause = 0  # type: ignore[union-attr]
    return result(quick, record), result(reference, record)


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("value", [*NUMBERS, *TEXTS, "null", "true", "false", "{}", "[1.50]"])
@pytest.mark.parametrize("name", ANNOTATED)
def test_a_value_becomes_what_the_reference_makes_of_it(name: str, value: str, ours: bool) -> None:
    record = json.loads(DENSE)
    del record[name]
    dense = json.dumps(record)[:-1] + f', "{name}": {value}}}'
    others = {"id": {}, "n": {"type": "number"}, "on": {"type": "boolean"}, "doc": {}}
    texts = {**ANNOTATED, "n": {**ANNOTATED["n"], "format": "singer.decimal", "type": "string"}}
    for record_ in (dense, dense.replace('"on": true', '"on": null')):
        for properties in (ANNOTATED, others, texts):
            for key in (KEY, Key(("n", "id"), ("N", "S"))):
                quick, reference = both(record_, properties, key, ours=ours)
                assert quick == reference


@pytest.mark.parametrize("value", RESERVED)
def test_the_reserved_object_is_read_as_by_the_reference(value: str) -> None:
    quick, reference = both(DENSE.replace("{", f'{{"_dynamodb":{value},', 1), ANNOTATED)
    assert quick == reference


FOREIGN: dict[str, Any] = {
    "id": {"type": "string"},
    "n": {"type": "number"},
    "text": {"type": ["null", "string"]},
    "price": {"type": "string", "format": "singer.decimal"},
    "doc": {},
}


@pytest.mark.parametrize("empty", ["keep", "omit", "null"])
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("missing", [None, "n", "text"])
def test_an_empty_text_becomes_what_the_reference_makes_of_it(
    empty: str, name: str, missing: str | None
) -> None:
    record: dict[str, Any] = {"id": "a", "n": 5, "text": "t", "price": "1.50", "doc": {"x": ""}}
    record.pop(missing or "", None)
    quick, reference = both(json.dumps({**record, name: ""}), FOREIGN, ours=False, empty=empty)
    assert quick == reference


@pytest.mark.parametrize("kind", ["S", "N", "B"])
@pytest.mark.parametrize("name", ["n", "on", "doc", "text", "new"])
@pytest.mark.parametrize("value", ['"x"', '""', "5", "null", "true", "[]", '"AAEC"'])
@pytest.mark.parametrize("ours", [True, False])
def test_keys_of_indexes_refuse_what_the_reference_refuses(
    kind: str, name: str, value: str, ours: bool
) -> None:
    properties = {**ANNOTATED, "text": {"x-dynamodb-type": "S"}} if ours else FOREIGN
    record = json.loads(DENSE) | {"text": "t"}
    indexes = (IndexKey(name, kind, "by"),)
    record.pop(name, None)
    given = json.dumps(record)[:-1] + f',"{name}":{value}}}'
    rest = json.dumps(record)[:-1] + f',"_dynamodb":{{"rest":{{"{name}":{{"S":{value}}}}}}}}}'
    for each in (given, rest, given.replace('"text"', '"id2"')):
        quick, reference = both(each, properties, ours=ours, indexes=indexes)
        assert quick == reference


@pytest.mark.parametrize(
    ("record", "road"),
    [
        (DENSE, 0),
        (DENSE.replace("1.5", "-12"), 0),
        (DENSE.replace("1.5", "null"), 1),
        (DENSE.replace('"on":true,', ""), 1),
        (DENSE.replace("{", '{"_dynamodb":{"rest":{"x":{"B":"AA=="}}},', 1), 1),
        (DENSE.replace("{", '{"_dynamodb":null,', 1), 1),
        (DENSE.replace("{", '{"_sdc_received_at":"now","_sdc_deleted_at":null,', 1), 0),
        (DENSE.replace("{", '{"_sdc_deleted_at":"now",', 1), None),
        (DENSE.replace("{", '{"_dynamodb":{"types":{"/doc/x":"NS"}},', 1), None),
        (DENSE.replace("{", '{"new":1,', 1), None),
        (DENSE.replace("1.5", "1e5"), None),
        (DENSE.replace('"a"', '""'), None),
    ],
)
def test_records_go_by_the_shortest_road_that_there_is(record: str, road: int | None) -> None:
    """Else the property would hold of roads that nothing goes by."""
    roads = Encoder("s", ANNOTATED, key=KEY, source=Source("t"))._short
    taken = [each.write(msgspec.Raw(record.encode())) is not None for each in roads]
    assert taken == [road == 0, road in (0, 1)]


def test_after_records_that_do_not_fit_fewer_are_tried() -> None:
    dense, sparse = Encoder("s", ANNOTATED, key=KEY, source=Source("t"))._short
    raw, odd = msgspec.Raw(DENSE.encode()), msgspec.Raw(b'{"id":"a"}')
    tried = []
    for number in range(4 * LONGEST_PAUSE):
        if not dense._pause:  # type: ignore[union-attr]
            tried.append(number)
        assert dense.write(odd) is None
        assert sparse.write(odd) is not None
    gaps = [after - before for before, after in itertools.pairwise(tried)]
    assert gaps[:3] == [1, 3, 7]
    assert max(gaps) == LONGEST_PAUSE - 1
    for _ in range(LONGEST_PAUSE):
        dense.write(raw)
    assert dense.write(raw) is not None
    assert dense.write(odd) is None
    assert dense.write(raw) is not None


def test_keys_of_bytes_and_very_wide_schemas_are_left_to_the_reference() -> None:
    assert not Encoder("s", {}, key=Key(("id",), ("B",)))._short
    wide = {f"c{number}": {"type": "string"} for number in range(MOST_COLUMNS)}
    assert not Encoder("s", wide, key=KEY)._short
    assert Encoder("s", dict(list(wide.items())[1:]), key=KEY)._short
