"""Records through the SDK's own stream maps."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from singer_sdk.mapper import PluginMapper

from dynamodb_core.errors import DataError
from target_dynamodb import mapping

RECORD = {
    "id": "a",
    "doc": {"photo": "AAEC"},
    "n": 5,
    "_dynamodb": {"types": {"/doc/photo": "B"}, "rest": {"late": {"S": "x"}}},
}
PROPERTIES = {name: {"type": ["null", "string", "object", "integer"]} for name in RECORD}


def through(stream_map: Any = None, **config: Any) -> dict[str, Any] | None:
    given: dict[str, Any] = {"stream_maps": {"s": stream_map} if stream_map else {}, **config}
    mapper = PluginMapper(plugin_config=given, logger=logging.getLogger("test"))
    mapper.register_raw_stream_schema("s", {"type": "object", "properties": PROPERTIES}, ["id"])
    return mapping.through(mapper.stream_maps["s"][0], "s", RECORD, "_dynamodb")


def test_a_record_keeps_what_a_map_does_not_name() -> None:
    assert through({"n": "n + 1"}) == {**RECORD, "n": 6}


def test_a_record_can_be_filtered_out() -> None:
    assert through({"__filter__": "n > 5"}) is None


def test_types_survive_a_map_that_keeps_named_properties_only() -> None:
    made = through({"id": "id", "doc": "doc", "__else__": None})
    assert made == {
        "id": "a",
        "doc": {"photo": "AAEC"},
        "_dynamodb": {"types": {"/doc/photo": "B"}},  # and nothing of `rest`, which was not named
    }


def test_flattening_leaves_the_reserved_object_whole() -> None:
    made = through(None, flattening_enabled=True, flattening_max_depth=2)
    assert made is not None
    assert made["_dynamodb"] == RECORD["_dynamodb"]


def test_dates_that_a_map_makes_are_text() -> None:
    made = through({"day": "datetime.date.fromisoformat('2026-02-28')"})
    assert made is not None
    assert made["day"] == "2026-02-28"


def test_a_map_that_fails_names_the_stream_and_the_record() -> None:
    words = "A stream map of stream s fails on the record with key id a: .*invalid literal"
    with pytest.raises(DataError, match=words):
        through({"n": "int(id)"})


def test_a_record_is_named_by_its_key_as_far_as_it_has_one() -> None:
    assert mapping.named({"a": 1, "b": "x" * 200}, ["a", "b"]).endswith(f"a 1, b {'x' * 100}")
    assert (
        mapping.named({"a": None}, ["a"]) == mapping.named({"a": 1}, None) == "a record without key"
    )


def test_the_record_itself_is_not_changed() -> None:
    before = repr(RECORD)
    through({"n": "n + 1", "doc": "__NULL__"})
    assert repr(RECORD) == before
