"""Versions as attributes of items, and what a complete version says of older ones."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynamodb_core.errors import ConfigError
from target_dynamodb.versions import VERSION, Versions

WRITE = ((("S", "a"),), b'{"id":{"S":"a"},"n":{"N":"1.50E+1"}}', False)


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b'{"id":{"S":"a"}}', 3),
        (b'{"id":{"S":"a"},"_sdc_table_version":{"N":"1"}}', 3),
        (b'{"_sdc_table_version":{"NULL":true},"id":{"S":"a"}}', 0),
        (b'{"id":{"S":"\\"_sdc_table_version\\""}}', 10**18),
    ],
)
def test_an_item_carries_its_version_once(body: bytes, version: int) -> None:
    identity, marked, deleted = Versions("s").mark(((1,), body, False), {"version": version})
    assert (identity, deleted) == ((1,), False)
    assert marked.count(b'"_sdc_table_version":') == 1
    expected = orjson.loads(body) | {VERSION: {"N": str(version)}}
    assert orjson.loads(marked) == expected


def test_the_rest_of_an_item_stays_as_it_was_written() -> None:
    assert Versions("s").mark(WRITE, {"version": 1})[1].startswith(WRITE[1][:-1])


def test_a_deletion_carries_none_and_says_nothing() -> None:
    versions = Versions("s")
    deletion = (WRITE[0], b'{"id":{"S":"a"}}', True)
    assert versions.mark(deletion, {"version": 1}) == deletion
    assert versions.mark(deletion, {}) == deletion
    assert versions.older_than(1) is None


@pytest.mark.parametrize("version", [None, "1", 1.5, True])
def test_a_record_without_a_version_makes_all_items_look_old(version: Any) -> None:
    versions = Versions("s")
    versions.mark(WRITE, {"version": 1})
    assert versions.mark(WRITE, {"version": version}) == WRITE
    with pytest.raises(ConfigError, match="1 of its records had no version"):
        versions.older_than(1)


def test_only_a_version_that_has_come_deletes() -> None:
    versions = Versions("s")
    assert versions.older_than(2) is None
    versions.mark(WRITE, {"version": 1})
    assert versions.older_than(2) is None
    versions.mark(WRITE, {"version": 2})
    older = versions.older_than(2)
    assert older is not None
    assert older.expression == "attribute_exists(#version) AND #version < :version"
    assert older.names == {"#version": VERSION}
    assert older.values == {":version": {"N": "2"}}
