"""What the options make of items: names, keys, shards; in all formats of records."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest

from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.table import Key
from target_dynamodb import joined
from target_dynamodb.encode import Encoder, MissingKey
from target_dynamodb.key_choice import Stream
from target_dynamodb.keys import new_key
from target_dynamodb.shape import Shape
from target_dynamodb.source import Source
from target_dynamodb.stream_options import StreamOptions

TEXT = {"type": ["null", "string"]}
NUMBER = {"type": "number"}
PROPERTIES: dict[str, Any] = {"id": TEXT, "n": NUMBER, "at": TEXT, "x": TEXT}
FORMATS = ("", "plain", "packed", "dynamodb_json")
ID = Key(("id",), ("S",))


def stream(
    item_format: str = "",
    key: tuple[str, ...] = ("id",),
    properties: dict[str, Any] | None = None,
    **options: Any,
) -> Stream:
    """A stream of another tap, or with a format one of ours."""
    properties = properties or PROPERTIES
    source = None
    if item_format:
        types = {"id": "S", "n": "N", "at": "S", "x": "S", "b": "B"}
        own = Key(key, tuple(types[name] for name in key))
        source = Source("t", key=own, item_format=item_format)
        properties = {name: {"x-dynamodb-type": types[name]} for name in {*properties, *key}}
    return Stream("orders", key, properties, source, StreamOptions(**options))


def encoder(of: Stream, key: Key | None = None) -> Encoder:
    return Encoder(
        of.name,
        of.properties,
        key=key or new_key(of, "orders"),
        source=of.source,
        key_properties=of.key_properties,
        options=of.options,
    )


def written(of: Stream, record: dict[str, Any], key: Key | None = None) -> dict[str, Any]:
    """The item that is made of a record, whose values are texts, numbers and nulls."""
    form = of.source.item_format if of.source else ""
    given = dict(record)
    if form == "packed":
        rest = {name: value for name, value in record.items() if name not in of.key}
        given = {name: record[name] for name in of.key} | {"item": rest}
    elif form == "dynamodb_json":
        typed = {
            name: {"NULL": True}
            if value is None
            else {"S": value}
            if isinstance(value, str)
            else {"N": str(value)}
            for name, value in record.items()
        }
        given = {name: record[name] for name in of.key} | {"item": typed}
    made = encoder(of, key)
    identity, body, deleted = made.encode_json(msgspec.Raw(orjson.dumps(given)))
    assert not deleted
    item: dict[str, Any] = orjson.loads(body)
    assert identity == (key or new_key(of, "orders")).identity(item)
    other, same, _ = made.encode(given)
    assert (other, orjson.loads(same)) == (identity, item)
    return item


@pytest.mark.parametrize("form", FORMATS)
class TestInEveryFormat:
    def test_attributes_get_new_names(self, form: str) -> None:
        of = stream(form, rename={"id": "pk", "n": "x", "x": "n"})
        assert new_key(of, "t") == Key(("pk",), ("S",))
        record = {"id": "a", "n": 5, "x": "t", "at": "now"}
        expected = {"pk": {"S": "a"}, "x": {"N": "5"}, "n": {"S": "t"}, "at": {"S": "now"}}
        assert written(of, record) == expected

    def test_constants_defaults_drop_and_keep(self, form: str) -> None:
        of = stream(
            form,
            constants={"from": "{stream}", "x": 7},
            defaults={"at": "never", "tags": ["a"]},
            types={"tags": "SS"},
            drop=["n"],
        )
        record = {"id": "a", "n": 5, "x": "t"}
        expected = {
            "id": {"S": "a"},
            "from": {"S": "orders"},
            "x": {"N": "7"},
            "at": {"S": "never"},
            "tags": {"SS": ["a"]},
        }
        assert written(of, record) == expected
        assert written(of, {**record, "at": "now"})["at"] == {"S": "now"}
        kept = stream(form, constants={"c": True}, keep=["x*"])
        assert written(kept, record) == {"id": {"S": "a"}, "x": {"S": "t"}, "c": {"BOOL": True}}

    def test_another_attribute_is_the_key(self, form: str) -> None:
        of = stream(form, partition_key="n")
        if form in ("packed", "dynamodb_json"):
            of = stream(form, partition_key="n", types={"n": "N"})
        assert new_key(of, "t") == Key(("n", "id"), ("N", "S"))
        item = {"id": {"S": "a"}, "n": {"N": "5"}, "x": {"S": "t"}}
        assert written(of, {"id": "a", "n": 5, "x": "t"}) == item

    def test_three_key_properties_are_joined(self, form: str) -> None:
        of = stream(
            form,
            ("id", "n", "at"),
            partition_key="id",
            sort_key="sk",
            join={"sk": ["n", "at"]},
            drop=["at"],
        )
        assert new_key(of, "t") == Key(("id", "sk"), ("S", "S"))
        item = written(of, {"id": "a", "n": 150, "at": "b#"})
        assert item == {"id": {"S": "a"}, "n": {"N": "150"}, "sk": {"S": "150#b\\#"}}

    @pytest.mark.parametrize("place", ["suffix", "prefix"])
    def test_the_partition_key_is_spread(self, form: str, place: str) -> None:
        shards = {"count": 4, "by": ["at"], "place": place}
        of = stream(form, ("n", "at"), shards=shards)
        assert new_key(of, "t") == Key(("n", "at"), ("S", "S"))
        shard = joined.shard(["now"], 4)
        item = written(of, {"n": 5, "at": "now"})
        assert item["n"] == {"S": f"5#{shard}" if place == "suffix" else f"{shard}#5"}

    def test_deletes_find_the_key_that_was_put(self, form: str) -> None:
        of = stream(
            form,
            ("id", "n", "at"),
            rename={"id": "pk"},
            partition_key="pk",
            sort_key="sk",
            join={"sk": ["kind", "n", "at"]},
            constants={"kind": "order"},
            shards={"count": 9, "by": ["sk"]},
            drop=["at"],
        )
        record = {"id": "a", "n": 150, "at": "b#", "x": "more"}
        item = written(of, record)
        gone = {"id": "a", "n": 150, "at": "b#", "_sdc_deleted_at": "2026-01-01"}
        identity, body, deleted = encoder(of).encode_json(msgspec.Raw(orjson.dumps(gone)))
        assert deleted
        assert orjson.loads(body) == {name: item[name] for name in ("pk", "sk")}
        assert identity == new_key(of, "t").identity(item)

    def test_nulls_are_kept_or_left_out(self, form: str) -> None:
        record = {"id": "a", "x": None, "new": None}
        keep = {"id": {"S": "a"}, "x": {"NULL": True}, "new": {"NULL": True}}
        omit = {"id": {"S": "a"}}
        assert written(stream(form), record) == (keep if form else omit)
        assert written(stream(form, nulls="keep"), record) == keep
        assert written(stream(form, nulls="omit"), record) == omit

    def test_empty_texts_are_kept_left_out_or_null(self, form: str) -> None:
        record = {"id": "a", "x": "", "new": "", "n": 1}
        rest = {"id": {"S": "a"}, "n": {"N": "1"}}
        assert written(stream(form), record) == {**rest, "x": {"S": ""}, "new": {"S": ""}}
        assert written(stream(form, empty_strings="omit"), record) == rest
        null = {**rest, "x": {"NULL": True}, "new": {"NULL": True}}
        assert written(stream(form, empty_strings="null"), record) == null

    @pytest.mark.parametrize("empty", ["keep", "omit", "null"])
    def test_an_empty_key_is_an_error(self, form: str, empty: str) -> None:
        with pytest.raises(DataError, match="Key attribute id is empty"):
            written(stream(form, empty_strings=empty), {"id": "", "x": ""})
        of = stream(form, empty_strings=empty, shards={"count": 4, "by": ["x"]})
        with pytest.raises(DataError, match="Key attribute id is empty"):
            written(of, {"id": "", "x": "a"})

    def test_types_win_over_what_the_tap_says(self, form: str) -> None:
        of = stream(form, types={"at": "epoch", "x": "N", "n": "S", "new": "SS"})
        record = {"id": "a", "n": 5, "at": "1970-01-02", "x": "7"}
        expected = {"id": {"S": "a"}, "n": {"S": "5"}, "at": {"N": "86400"}, "x": {"N": "7"}}
        assert written(of, record) == expected
        with pytest.raises(
            DataError, match=r"Stream orders, record with key id a: .*/at is 'soon'"
        ):
            written(of, {**record, "at": "soon"})

    def test_a_key_can_be_made_a_type(self, form: str) -> None:
        of = stream(form, ("at",), types={"at": "epoch"})
        assert new_key(of, "t") == Key(("at",), ("N",))
        assert written(of, {"at": "1970-01-02T00:00:00Z"}) == {"at": {"N": "86400"}}

    def test_a_name_that_is_taken_is_an_error(self, form: str) -> None:
        with pytest.raises(DataError, match="/x is to be renamed to at, and there is a /at"):
            written(stream(form, rename={"x": "at"}), {"id": "a", "x": "t", "at": "now"})
        of = stream(form, join={"at": ["x", "id"]})
        assert written(of, {"id": "a", "x": "t"})["at"] == {"S": "t#a"}
        with pytest.raises(DataError, match="/at is there already"):
            written(of, {"id": "a", "x": "t", "at": "now"})

    def test_a_missing_part_is_named(self, form: str) -> None:
        of = stream(form, join={"sk": ["x", "id"]}, sort_key="sk", partition_key="id")
        with pytest.raises(
            MissingKey, match=r"orders, record with key .*(/x is missing|x of the key)"
        ):
            written(of, {"id": "a"})
        of = stream(form, shards={"count": 4, "by": ["x"]})
        with pytest.raises(MissingKey, match=r"/x is missing, of which the shard|x of the key"):
            written(of, {"id": "a"})

    def test_an_attribute_that_is_no_key_lacks_its_parts(self, form: str) -> None:
        of = stream(form, join={"by_x": ["x", "id"]})
        assert written(of, {"id": "a"}) == {"id": {"S": "a"}}


def test_a_typed_value_of_another_type_is_converted_where_our_tap_had_no_column() -> None:
    of = stream("plain", types={"late": "N"})
    record = {"id": "a", "late": None, "_dynamodb": {"rest": {"late": {"S": "5"}}}}
    _, body, _ = encoder(of).encode(record)
    assert orjson.loads(body) == {"id": {"S": "a"}, "late": {"N": "5"}}


def test_an_empty_set_of_another_tap_is_left_out() -> None:
    of = stream(types={"tags": "SS"}, properties={"id": TEXT, "tags": {"type": "array"}})
    assert written(of, {"id": "a", "tags": []}) == {"id": {"S": "a"}}
    assert written(of, {"id": "a", "tags": ["x", "x"]}) == {"id": {"S": "a"}, "tags": {"SS": ["x"]}}


def test_a_part_of_an_unknown_type_has_to_be_text() -> None:
    of = stream(properties={"id": TEXT, "any": {}}, join={"sk": ["any"]}, sort_key="sk")
    assert written(of, {"id": "a", "any": "1"})["sk"] == {"S": "1"}
    with pytest.raises(
        DataError, match=r'/any is of type N.*S in all records.*"types": {"any": "N"}'
    ):
        written(of, {"id": "a", "any": 1})


def test_a_join_may_use_an_earlier_one_and_its_own_name() -> None:
    of = stream(join={"at": ["at", "x"], "pk": ["id", "at"]}, partition_key="pk")
    item = written(of, {"id": "a", "at": "b", "x": "c"})
    assert item["at"] == {"S": "b#c"}
    assert item["pk"] == {"S": "a#b\\#c"}
    with pytest.raises(ConfigError, match="join pk of at, which is joined later"):
        written(stream(join={"pk": ["at"], "at": ["x", "id"]}), {"id": "a"})


def test_of_deletes_only_a_key_property_takes_its_default() -> None:
    of = stream(
        key=("id", "at"), defaults={"at": "never", "x": "none"}, sort_key="sk",
        partition_key="id", join={"sk": ["at", "x"]},
    )  # fmt: skip
    assert written(of, {"id": "a"})["sk"] == {"S": "never#none"}
    gone = {"id": "a", "x": "b", "_sdc_deleted_at": "now"}
    _, body, _ = encoder(of).encode(gone)
    assert orjson.loads(body) == {"id": {"S": "a"}, "sk": {"S": "never#b"}}
    with pytest.raises(MissingKey, match="/x is missing"):
        encoder(of).encode({"id": "a", "at": "b", "_sdc_deleted_at": "now"})


def test_random_shards_are_any_and_cannot_be_deleted() -> None:
    of = stream(shards={"count": 10, "by": "random"})
    shape = Shape(of, ID, pick=lambda count: count - 1)
    assert shape.item({"id": {"S": "a"}}) == {"id": {"S": "a#9"}}
    made = encoder(of)
    shards = {orjson.loads(made.encode({"id": "a"})[1])["id"]["S"] for _ in range(400)}
    assert shards == {f"a#{number}" for number in range(10)}
    with pytest.raises(DataError, match="its shard was chosen at random"):
        made.encode({"id": "a", "_sdc_deleted_at": "now"})
    deletes = stream(
        shards={"count": 10, "by": "random"}, properties={**PROPERTIES, "_sdc_deleted_at": TEXT}
    )
    with pytest.raises(ConfigError, match="Stream orders has deletions"):
        encoder(deletes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rename": {"n": "y", "x": "y"}}, "rename several attributes to y"),
        ({"drop": ["i*"]}, "drop i\\*, and id is of the table's key"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        encoder(stream(**options))


@pytest.mark.parametrize("form", FORMATS)
def test_without_options_there_is_no_shape(form: str) -> None:
    assert Shape.of(stream(form), ID) is None
    assert Shape.of(stream(form, nulls="keep", empty_strings="keep"), ID) is None
    assert (Shape.of(stream(form, types={"x": "N"}), ID) is None) == (form == "")
