"""From a record to the write of its item."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.sizes import IndexKey
from dynamodb_core.table import Key
from target_dynamodb.encode import Encoder, MissingKey
from target_dynamodb.source import Source
from target_dynamodb.stream_options import StreamOptions

STRING_KEY = Key(("id",), ("S",))
TEXT = {"type": ["null", "string"]}
NUMBER = {"type": ["null", "number"]}


def encoder(
    properties: dict[str, Any] | None = None, key: Key = STRING_KEY, **source: Any
) -> Encoder:
    """An encoder for another tap's stream, or with `source` for one of our tap."""
    given = dict.fromkeys(key.names, TEXT) | (properties or {})
    return Encoder("orders", given, key=key, source=Source("t", **source) if source else None)


def ours(properties: dict[str, str], key: Key = STRING_KEY, **source: str) -> Encoder:
    """An encoder for a stream of our tap, with annotated properties."""
    annotated = {name: {"x-dynamodb-type": kind} for name, kind in properties.items()}
    return encoder(annotated, key, **{"item_format": "plain", **source})


def written(made: Encoder, record: dict[str, Any]) -> dict[str, Any]:
    """The item that is put, by the way over JSON and by the way over Python."""
    identity, body, deleted = made.encode(dict(record))
    text = json.dumps(record, default=str)
    assert not deleted
    item: dict[str, Any] = json.loads(body)
    if "Decimal" not in repr(record):
        other, short, deleted = made.encode_json(msgspec.Raw(text.encode()))
        assert (other, deleted) == (identity, False)
        assert json.loads(short) == item
    return item


def test_another_taps_record_is_typed_by_its_schema() -> None:
    made = encoder(
        {
            "count": {"type": "integer"},
            "photo": {"type": "string", "contentEncoding": "base64"},
            "blob": {"type": "string", "contentEncoding": "base16"},
            "price": {"type": "string", "format": "singer.decimal"},
            "at": {"type": "string", "format": "date-time"},
            "open": {"type": "boolean"},
            "tags": {"type": "array"},
            "doc": {"type": "object"},
        }
    )
    record = {
        "id": "a",
        "count": 12345678901234567890123456789012345678,
        "photo": "AAEC",
        "blob": "00fF",
        "price": "12.50",
        "at": "2026-02-28T00:00:00Z",
        "open": False,
        "tags": ["x", 1, None],
        "doc": {"a": {"b": 1.5, "S": "x"}, "": None},
    }
    assert written(made, record) == {
        "id": {"S": "a"},
        "count": {"N": "12345678901234567890123456789012345678"},
        "photo": {"B": "AAEC"},
        "blob": {"B": "AP8="},
        "price": {"N": "12.50"},
        "at": {"S": "2026-02-28T00:00:00Z"},
        "open": {"BOOL": False},
        "tags": {"L": [{"S": "x"}, {"N": "1"}, {"NULL": True}]},
        "doc": {"M": {"a": {"M": {"b": {"N": "1.5"}, "S": {"S": "x"}}}, "": {"NULL": True}}},
    }


def test_a_value_that_its_schema_does_not_know_is_typed_by_what_it_is() -> None:
    made = encoder({"n": NUMBER, "t": TEXT, "any": {"type": ["string", "integer"]}})
    record = {"id": "a", "n": "five", "t": 5, "any": True, "unknown": {"x": []}}
    assert written(made, record) == {
        "id": {"S": "a"},
        "n": {"S": "five"},
        "t": {"N": "5"},
        "any": {"BOOL": True},
        "unknown": {"M": {"x": {"L": []}}},
    }


def test_another_taps_nulls_are_left_out_and_ours_are_null() -> None:
    record = {"id": "a", "t": None, "unknown": None}
    assert written(encoder({"t": TEXT}), record) == {"id": {"S": "a"}}
    assert written(ours({"id": "S", "t": "S"}), record) == {
        "id": {"S": "a"},
        "t": {"NULL": True},
        "unknown": {"NULL": True},
    }


def test_our_tags_and_misfits_are_put_back() -> None:
    made = ours({"id": "S", "doc": "M", "ns": "NS", "late": "N"})
    record = {
        "id": "a",
        "doc": {"photo": "AAEC", "sizes": ["1", "2.50"], "a/b": {"~": ["x"]}},
        "ns": ["1", "1E-130"],
        "late": None,
        "_dynamodb": {
            "types": {"/doc/photo": "B", "/doc/sizes": "NS", "/doc/a~1b/~0": "SS", "/gone/x": "B"},
            "rest": {"late": {"S": "text here"}, "far": {"BS": ["AA=="]}},
        },
    }
    assert written(made, record) == {
        "id": {"S": "a"},
        "doc": {
            "M": {
                "photo": {"B": "AAEC"},
                "sizes": {"NS": ["1", "2.50"]},
                "a/b": {"M": {"~": {"SS": ["x"]}}},
            }
        },
        "ns": {"NS": ["1", "1E-130"]},
        "late": {"S": "text here"},
        "far": {"BS": ["AA=="]},
    }


DECIMAL = {"type": ["null", "string"], "format": "singer.decimal", "x-dynamodb-type": "N"}
HEX = {"type": ["null", "string"], "contentEncoding": "base16", "x-dynamodb-type": "B"}
TEXTS = {"b": HEX, "n": DECIMAL, "price": DECIMAL, "photo": HEX}
TEXT_KEY = Key(("b", "n"), ("B", "N"))
TEXT_ITEM = {
    "b": {"B": "AP8="},
    "n": {"N": "5"},
    "price": {"N": "2.50"},
    "photo": {"B": "AQ=="},
    "doc": {"M": {"n": {"N": "3"}, "b": {"B": "AP8="}}},
}


@pytest.mark.parametrize(
    ("item_format", "record"),
    [
        (
            "plain",
            {
                "price": "2.50",
                "photo": "01",
                "doc": {"n": "3", "b": "AP8="},
                "_dynamodb": {"types": {"/doc/n": "N", "/doc/b": "B"}},
            },
        ),
        (
            "packed",
            {
                "item": {"price": "2.50", "photo": "AQ==", "doc": {"n": "3", "b": "AP8="}},
                "_dynamodb": {
                    "types": {
                        "/item/price": "N",
                        "/item/photo": "B",
                        "/item/doc/n": "N",
                        "/item/doc/b": "B",
                    }
                },
            },
        ),
        ("dynamodb_json", {"item": TEXT_ITEM}),
    ],
)
def test_decimal_strings_and_base16_are_numbers_and_binaries_again(
    item_format: str, record: dict[str, Any]
) -> None:
    made = encoder(TEXTS, TEXT_KEY, item_format=item_format)
    for number in ("5", "5.0", "05", "0.5E1"):
        given = {"b": "00ff", "n": number, **record}
        raw = msgspec.Raw(json.dumps(given).encode())
        for _, body, _ in (made.encode(given), made.encode_json(raw)):
            assert json.loads(body) == TEXT_ITEM
    assert made.encode({"b": "00FF", "n": "5", **record})[0] == (("B", "AP8="), ("N", "5"))


def test_decimal_strings_and_base16_without_the_annotations() -> None:
    bare = {
        name: {word: value for word, value in schema.items() if word != "x-dynamodb-type"}
        for name, schema in TEXTS.items()
    }
    record = {"b": "00ff", "n": "5", "price": "2.50", "photo": "01"}
    expected = {name: TEXT_ITEM[name] for name in record}
    assert written(encoder(bare, TEXT_KEY), record) == expected


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json"])
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"n": "five"}, "/n is no N: 'five'"),
        ({"n": "NaN"}, "/n is no N: 'NaN'"),
        ({"n": "1" * 39}, "39 significant digits"),
        ({"b": "AP8="}, "/b is 'AP8=', which is no B, base16 text"),
    ],
)
def test_a_text_that_is_no_number_or_no_base16_is_named(
    item_format: str, key: dict[str, Any], words: str
) -> None:
    made = encoder(TEXTS, TEXT_KEY, item_format=item_format)
    record = {"b": "00ff", "n": "5", "item": {}} | key
    if item_format == "dynamodb_json":
        record["item"] = {"b": {"B": "AP8="}, "n": {"N": record["n"]}}
    with pytest.raises(DataError, match="Stream orders, record with key") as raised:
        made.encode_json(msgspec.Raw(json.dumps(record).encode()))
    assert words in str(raised.value)


def test_packed_records_are_unpacked_and_added_properties_kept() -> None:
    made = ours({"id": "S"}, item_format="packed")
    record = {
        "id": "a",
        "item": {"M": {"S": "x"}, "photo": "AAEC", "n": 1},
        "_dynamodb": {"types": {"/item/photo": "B"}},
        "added_by_a_map": 5,
    }
    assert written(made, record) == {
        "id": {"S": "a"},
        "M": {"M": {"S": {"S": "x"}}},
        "photo": {"B": "AAEC"},
        "n": {"N": "1"},
        "added_by_a_map": {"N": "5"},
    }


def test_typed_items_go_through_as_they_are() -> None:
    made = ours({"id": "S"}, item_format="dynamodb_json")
    item = '{"x":{"N":"1E2"},  "id":{"S":"\\u00e9"},"l":{"L":[{"M":{"S":{"S":"x"}}}]}}'
    raw = msgspec.Raw('{"id":"é","item":'.encode() + item.encode() + b"}")
    identity, body, deleted = made.encode_json(raw)
    assert identity == (("S", "é"),)
    assert body == item.encode()
    assert not deleted


def test_typed_items_whose_keys_are_texts_go_through_as_they_are() -> None:
    made = encoder(TEXTS, TEXT_KEY, item_format="dynamodb_json")
    item = b'{ "n":{"N":"5"}, "b":{"B":"AP8="}, "x":{"N":"1E2"}}'
    for number in (b"5", b'"5"'):
        raw = msgspec.Raw(b'{"b":"00ff","n":' + number + b',"item":' + item + b"}")
        assert made.encode_json(raw) == ((("B", "AP8="), ("N", "5")), item, False)
    changed = msgspec.Raw(b'{"b":"AP8=","n":"5","item":' + item + b"}")
    with pytest.raises(DataError, match="base16"):
        made.encode_json(changed)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"id": "b", "item": {"id": {"S": "a"}, "x": {"S": "y"}}}, {"id": {"S": "b"}}),
        ({"id": "a", "item": {"x": {"S": "y"}}}, {"id": {"S": "a"}}),
        ({"id": "a", "item": {"id": {"S": "a"}, "x": {"S": "y"}}, "z": 1}, {"z": {"N": "1"}}),
    ],
)
def test_a_typed_item_that_a_map_changed_takes_the_change(
    record: dict[str, Any], expected: dict[str, Any]
) -> None:
    item = written(ours({"id": "S"}, item_format="dynamodb_json"), record)
    assert item == {"id": {"S": "a"}, "x": {"S": "y"}, **expected}


@pytest.mark.parametrize("item_format", ["plain", "dynamodb_json"])
@pytest.mark.parametrize(
    ("spelled", "full"),
    [("1E2", "100"), ("1.0", "1"), ("-2.50E-3", "-0.0025"), ("007", "7"), ("12", "12")],
)
def test_numeric_keys_are_written_in_full(item_format: str, spelled: str, full: str) -> None:
    made = ours({"id": "N"}, Key(("id",), ("N",)), item_format=item_format)
    record: dict[str, Any] = {"id": Decimal(spelled)}
    if item_format == "dynamodb_json":
        record["item"] = {"id": {"N": spelled}}
    assert written(made, record) == {"id": {"N": full}}
    raw = json.dumps({**record, "id": 0}).replace('"id": 0', f'"id": {Decimal(spelled)}')
    identity, body, _ = made.encode_json(msgspec.Raw(raw.encode()))
    assert json.loads(body) == {"id": {"N": full}}
    assert identity == made.encode({**record, "id": Decimal(full)})[0]


def test_two_spellings_of_a_key_are_one_identity() -> None:
    made = encoder(key=Key(("id", "n"), ("S", "N")))
    spellings = [1, Decimal("1.0"), Decimal("1E0"), "1"]
    assert len({made.encode({"id": "a", "n": n})[0] for n in spellings}) == 1
    assert made.encode({"id": "a$", "n": 1})[0] != made.encode({"id": "a", "n": 1})[0]


@pytest.mark.parametrize("item_format", ["plain", "packed", "dynamodb_json", ""])
def test_a_deleted_record_deletes_its_key(item_format: str) -> None:
    key = Key(("id", "n"), ("S", "N"))
    source: dict[str, Any] = {"item_format": item_format} if item_format else {}
    made = encoder(key=key, **source)
    record = {"id": "a", "n": Decimal("1E1"), "x": "y", "_sdc_deleted_at": "2026-01-01"}
    identity, body, deleted = made.encode(record)
    assert deleted
    assert json.loads(body) == {"id": {"S": "a"}, "n": {"N": "10"}}
    kept = {"id": "a", "n": 10, "item": {"id": {"S": "a"}, "n": {"N": "10"}}}
    assert made.encode({**kept, "_sdc_deleted_at": None})[::2] == (identity, False)


def test_the_taps_metadata_is_left_out_unless_it_is_an_attribute() -> None:
    record = {"id": "a", "_sdc_received_at": "now", "_sdc_sequence": 5, "_sdc_deleted_at": None}
    assert written(encoder({"_sdc_sequence": {"type": "integer"}}), record) == {"id": {"S": "a"}}
    attribute = ours({"id": "S", "_sdc_deleted_at": "S", "_sdc_sequence": "N"})
    record["_sdc_deleted_at"] = "2026-01-01"
    assert written(attribute, record) == {
        "id": {"S": "a"},
        "_sdc_sequence": {"N": "5"},
        "_sdc_deleted_at": {"S": "2026-01-01"},
    }


OF_CHANGES: dict[str, Any] = {
    "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"},
    "_sdc_deleted_by": {"type": ["null", "string"]},
    "_sdc_old_image": {"type": ["null", "object"], "additionalProperties": True},
    "_sdc_sequence": {"type": ["null", "integer"]},
}
TOLD = {"_sdc_deleted_by": None, "_sdc_old_image": {"id": "a", "x": "old"}, "_sdc_sequence": 2**53}
FORMS: dict[str, dict[str, Any]] = {
    "plain": {"x": "y"},
    "packed": {"item": {"x": "y"}},
    "dynamodb_json": {"item": {"id": {"S": "a"}, "x": {"S": "y"}}},
    "": {"x": "y"},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("metadata", [True, False])
def test_what_a_change_says_of_itself_is_no_attribute(form: str, metadata: bool) -> None:
    source = Source("t", item_format=form) if form else None
    properties = {"id": TEXT, "x": TEXT, **OF_CHANGES}
    made = Encoder("s", properties, key=STRING_KEY, source=source, metadata=metadata)
    record = {"id": "a", **FORMS[form], **TOLD}
    if not metadata:
        record["_sdc_deleted_at"] = None
    item = written(made, record)
    ours_alone = {"_sdc_sequence": {"N": str(2**53)}} if metadata else {}
    assert item == {"id": {"S": "a"}, "x": {"S": "y"}, **ours_alone}


@pytest.mark.parametrize("form", FORMS)
def test_what_dynamodb_itself_has_deleted_is_deleted(form: str) -> None:
    source = Source("t", item_format=form) if form else None
    made = Encoder("s", {"id": TEXT, **OF_CHANGES}, key=STRING_KEY, source=source)
    record = {"id": "a", **TOLD, "_sdc_deleted_at": "2026-01-01", "_sdc_deleted_by": "ttl"}
    for write in (made.encode(record), made.encode_json(msgspec.Raw(json.dumps(record).encode()))):
        assert write == ((("S", "a"),), b'{"id":{"S":"a"}}', True)


def test_items_of_changes_go_through_as_they_are_by_the_short_road() -> None:
    source = Source("t", item_format="dynamodb_json")
    [road] = Encoder("s", {"id": TEXT, **OF_CHANGES}, key=STRING_KEY, source=source)._short
    item = b'{"id":{"S":"a"}, "x":{"N":"1E2"}}'
    begins = b'{"id":"a","item":' + item
    more = b',"_sdc_old_image":{"x":{}},"_sdc_sequence":5'
    for told in (b"", b',"_sdc_deleted_at":null', b',"_sdc_deleted_at":null' + more):
        assert road.write(msgspec.Raw(begins + told + b"}")) == ((("S", "a"),), item, False)
    assert road.write(msgspec.Raw(begins + b',"_sdc_deleted_at":"now"}')) is None
    assert road.write(msgspec.Raw(begins + b',"_sdc_batched_at":"now"}')) is None
    attribute = {**OF_CHANGES, "_sdc_sequence": {"x-dynamodb-type": "N"}}
    [road] = Encoder("s", {"id": TEXT, **attribute}, key=STRING_KEY, source=source)._short
    assert road.write(msgspec.Raw(begins + b',"_sdc_sequence":5}')) is None


@pytest.mark.parametrize("missing", [{}, {"id": None}])
@pytest.mark.parametrize("item_format", ["plain", "packed", ""])
def test_a_missing_key_is_named(missing: dict[str, Any], item_format: str) -> None:
    source: dict[str, Any] = {"item_format": item_format} if item_format else {}
    made = encoder(key=Key(("id", "n"), ("S", "N")), **source)
    with pytest.raises(MissingKey, match="orders, record with key n 1: id of the key is missing"):
        made.encode({**missing, "n": 1})


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"id": ""}, "id is empty"),
        ({"id": 5}, "/id is 5"),
        ({"id": "a", "n": float("nan")}, "/n"),
        ({"id": "a", "n": Decimal("Infinity")}, "/n"),
        ({"id": "a", "doc": [{"x/y": int("1" * 39)}]}, "/doc/0/x~1y"),
        ({"id": "a", "n": Decimal("1E126")}, "/n"),
        ({"id": "a", "photo": "no base64"}, "/photo"),
        ({"id": "a", "blob": "0"}, "/blob"),
        ({"id": "a", "t": "\ud800"}, "no text"),
        ({"id": "a", "t": object()}, "/t"),
    ],
)
def test_what_cannot_be_written_is_named(record: dict[str, Any], words: str) -> None:
    made = encoder(
        {
            "n": NUMBER,
            "photo": {"type": "string", "contentEncoding": "base64"},
            "blob": {"type": "string", "contentEncoding": "base16"},
        }
    )
    with pytest.raises(DataError, match="Stream orders, record with key") as raised:
        made.encode(record)
    assert words in str(raised.value)


def test_a_value_that_was_edited_and_no_longer_fits_is_an_error() -> None:
    made = ours({"id": "S", "n": "N", "doc": "M"})
    with pytest.raises(DataError, match="/n is no N: 'five'"):
        made.encode({"id": "a", "n": "five", "doc": {}})
    edited = {"id": "a", "doc": {"p": 5}, "_dynamodb": {"types": {"/doc/p": "B"}}}
    with pytest.raises(DataError, match="/doc/p is 5"):
        made.encode(edited)
    with pytest.raises(DataError, match="_dynamodb does not hold"):
        made.encode({"id": "a", "_dynamodb": "x"})


def test_an_annotation_that_is_no_type_is_an_error() -> None:
    with pytest.raises(DataError, match="annotated with X"):
        ours({"id": "S", "n": "X"})


def test_what_is_no_object_is_left_to_the_reader() -> None:
    with pytest.raises(msgspec.DecodeError):
        encoder().encode_json(msgspec.Raw(b"[1]"))


INDEXES = [IndexKey("by", "N", "by_number"), IndexKey("to", "S", "by_text")]
REFUSED_BY_INDEXES: dict[str, tuple[dict[str, Any], str]] = {
    "another type": (
        {"by": {"S": "5"}},
        "/by is of type S, and the key of index by_number wants N",
    ),
    "empty": ({"to": {"S": ""}}, "/to is empty, and part of the key of index by_text"),
    "NULL": ({"to": {"NULL": True}}, "/to is of type NULL"),
    "a set": ({"to": {"SS": ["x"]}}, "/to is of type SS"),
}


@pytest.mark.parametrize("case", REFUSED_BY_INDEXES)
@pytest.mark.parametrize("form", ["plain", "dynamodb_json", ""])
def test_what_an_index_refuses_is_named_by_every_road(case: str, form: str) -> None:
    typed, words = REFUSED_BY_INDEXES[case]
    [(name, value)] = typed.items()
    [(kind, content)] = value.items()
    properties: dict[str, Any] = {"id": {"x-dynamodb-type": "S"}, name: {"x-dynamodb-type": kind}}
    options = StreamOptions(nulls="keep")
    if not form:
        words = words.replace("type SS", "type L")
        properties = {"id": TEXT}
    source = Source("t", item_format=form) if form else None
    made = Encoder("s", properties, key=STRING_KEY, source=source, options=options, indexes=INDEXES)
    record: dict[str, Any] = {"id": "a", name: None if kind == "NULL" else content}
    fitting: dict[str, Any] = {"id": "a"}
    if form == "dynamodb_json":
        record = {"id": "a", "item": {"id": {"S": "a"}, **typed}}
        fitting = {"id": "a", "item": {"id": {"S": "a"}, "by": {"N": "5"}, "to": {"S": "x"}}}
    for _ in range(3):
        with pytest.raises(DataError, match=f"Stream s, record with key id a: {words}"):
            made.encode_json(msgspec.Raw(json.dumps(record).encode()))
    assert made.encode_json(msgspec.Raw(json.dumps(fitting).encode()))[0] == (("S", "a"),)
    gone = {"id": "a", "_sdc_deleted_at": "now"}
    assert made.encode(gone)[2]


def test_what_fits_its_indexes_goes_the_short_road() -> None:
    source = Source("t", item_format="dynamodb_json")
    [road] = Encoder("s", {}, key=STRING_KEY, source=source, indexes=INDEXES)._short
    item = b'{"id":{"S":"a"},"by":{"N":"5"}}'
    assert road.write(msgspec.Raw(b'{"id":"a","item":' + item + b"}"))
    item = b'{"id":{"S":"a"},"by":{"S":"5"}}'
    assert road.write(msgspec.Raw(b'{"id":"a","item":' + item + b"}")) is None


@pytest.mark.parametrize("form", ["plain", "packed", "dynamodb_json", ""])
def test_an_item_of_more_than_400_kb_is_named_with_its_largest_attribute(form: str) -> None:
    key = {"id": {"x-dynamodb-type": "S"}, "a/b": {"x-dynamodb-type": "S"}}
    source = Source("t", item_format=form) if form else None
    made = Encoder("s", key, key=STRING_KEY, source=source)
    for size, fits in ((400 * 1024 - 6, True), (400 * 1024 - 5, False)):
        text = '"' * size  # its JSON is twice as long
        record: dict[str, Any] = {"id": "a", "a/b": text}
        if form == "packed":
            record = {"id": "a", "item": {"a/b": text}}
        elif form == "dynamodb_json":
            record = {"id": "a", "item": {"id": {"S": "a"}, "a/b": {"S": text}}}
        raw = msgspec.Raw(json.dumps(record).encode())
        if fits:
            assert made.encode_json(raw)[0] == (("S", "a"),)
            continue
        with pytest.raises(DataError, match=r"key id a: it is 409,601 bytes.* /a~1b with 409,595"):
            made.encode_json(raw)
