"""Which attributes are a stream's key, and whether a table has it."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core.errors import ConfigError, KeyMismatch
from dynamodb_core.table import Key, Table
from target_dynamodb.keys import Stream, check_key, new_key, remarks
from target_dynamodb.source import Source
from target_dynamodb.stream_options import StreamOptions

TEXT = {"type": ["null", "string"]}
PROPERTIES: dict[str, Any] = {
    **dict.fromkeys(("a", "b", "c", "x"), TEXT),
    "n": {"type": "integer"},
    "any": {},
}


def stream(key: str, **options: Any) -> Stream:
    return Stream("s", tuple(key.split()), PROPERTIES, None, StreamOptions(**options))


def table(**key: str) -> Table:
    return Table("t", "", "", Key(tuple(key), tuple(key.values())))


JOIN: dict[str, Any] = {"join": {"sk": ["b", "c"]}, "sort_key": "sk"}
TWO_JOINS = {**JOIN, "join": {"pk": ["a", "n"], "sk": ["b", "c"]}, "partition_key": "pk"}


@pytest.mark.parametrize(
    ("key", "options", "names", "types", "apart"),
    [
        ("a", {}, "a", "S", True),
        ("b a", {}, "b a", "SS", True),
        ("a", {"partition_key": "x"}, "x a", "SS", True),
        ("a", {"partition_key": "x", "sort_key": ""}, "x", "S", False),
        ("a", {"sort_key": ""}, "a", "S", True),
        ("a b", {"sort_key": ""}, "a", "S", False),
        ("a", {"sort_key": "n"}, "a n", "SN", True),
        ("a b", {"partition_key": "b"}, "b a", "SS", True),
        ("a b", {"sort_key": "a"}, "b a", "SS", True),
        ("a b", {"partition_key": "x", "sort_key": "n"}, "x n", "SN", False),
        ("a b c", {"partition_key": "a", **JOIN}, "a sk", "SS", True),
        ("a b c", JOIN, "a sk", "SS", True),
        ("a b c", {"join": {"pk": ["a", "b", "c"]}, "partition_key": "pk"}, "pk", "S", True),
        ("a b c", TWO_JOINS, "pk sk", "SS", True),
        ("a", {"rename": {"a": "id"}}, "id", "S", True),
        ("n", {"rename": {"n": "id"}}, "id", "N", True),
        ("a n", {"rename": {"a": "n", "n": "a"}}, "n a", "SN", True),
        ("a b", {"rename": {"b": "x"}, "partition_key": "x"}, "x a", "SS", True),
        ("n", {"shards": {"count": 2, "by": ["a"]}}, "n", "S", True),
        ("a n", {"shards": {"count": 2, "by": ["n"]}}, "a n", "SN", True),
        ("a n", {"shards": {"count": 2, "by": ["a"]}, "partition_key": "n"}, "n a", "SS", True),
        ("a", {"types": {"a": "N"}}, "a", "N", False),
        ("any", {"types": {"any": "B"}}, "any", "B", False),
        ("a", {"constants": {"x": 5}, "partition_key": "x"}, "x a", "NS", True),
        ("a", {"constants": {"a": "always"}}, "a", "S", False),
        ("any", {"defaults": {"any": 5}}, "any", "N", False),
        ("a", {"join": {"a": ["a", "x"]}}, "a", "S", True),
        ("a b", {"join": {"p": ["q"], "q": ["a", "b"]}, "partition_key": "p"}, "p", "S", True),
    ],
)
def test_the_key_of_a_table_that_is_made(
    key: str, options: dict[str, Any], names: str, types: str, apart: bool
) -> None:
    of = stream(key, **options)
    made = new_key(of, "t")
    assert made == Key(tuple(names.split()), tuple(types))
    assert of.tells_apart(made) == apart
    assert any("are one item" in said for said in remarks(of, made)) != apart
    check_key(of, Table("t", "", "", made))


@pytest.mark.parametrize(
    ("key", "options", "words"),
    [
        ("", {}, "no key properties"),
        ("a b c", {}, "3 key properties"),
        ("a b", {"partition_key": "x"}, "3 key properties"),
        ("any", {}, "of type unknown"),
        ("a", {"partition_key": "gone"}, "gone of stream s is of type unknown"),
        ("a", {"types": {"a": "SS"}}, "of type SS"),
        ("a", {"constants": {"x": True}, "partition_key": "x"}, "x of stream s is of type BOOL"),
    ],
)
def test_a_key_that_cannot_be_made_is_an_error(
    key: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        new_key(stream(key, **options), "t")


@pytest.mark.parametrize(
    ("key", "options", "there"),
    [
        ("a b", {}, {"b": "S", "a": "S"}),
        ("", {}, {"a": "S", "n": "N"}),
        ("", {"constants": {"k": 1}}, {"a": "S", "k": "N"}),
        ("", {"rename": {"x": "k"}}, {"k": "S"}),
        ("any", {}, {"any": "B"}),
        ("any", {"partition_key": "any"}, {"any": "N"}),
    ],
)
def test_a_table_that_has_the_key_is_taken(
    key: str, options: dict[str, Any], there: dict[str, str]
) -> None:
    check_key(stream(key, **options), table(**there))


@pytest.mark.parametrize(
    ("key", "options", "there"),
    [
        ("a b", {"partition_key": "a"}, {"b": "S", "a": "S"}),
        ("a b", {"sort_key": "b"}, {"b": "S", "a": "S"}),
        ("a n", {"shards": {"count": 2, "by": ["a"]}}, {"n": "S", "a": "S"}),
        ("a", {"partition_key": "x"}, {"x": "S"}),
        ("a", {"rename": {"a": "x"}}, {"a": "S"}),
        ("n", {"shards": {"count": 2, "by": ["a"]}}, {"n": "N"}),
        ("a", {"types": {"a": "epoch"}}, {"a": "S"}),
        ("", {"partition_key": "x"}, {"a": "S"}),
    ],
)
def test_a_table_with_another_key_is_refused(
    key: str, options: dict[str, Any], there: dict[str, str]
) -> None:
    with pytest.raises(KeyMismatch, match=r"[Tt]able t"):
        check_key(stream(key, **options), table(**there))


def test_too_many_key_properties_are_told_how_to_be_joined() -> None:
    with pytest.raises(ConfigError, match=r'"partition_key": "a", "join": {"sk": \["b", "c"\]}'):
        new_key(stream("a b c"), "t")
    with pytest.raises(ConfigError, match="3 key properties"):
        check_key(stream("a b", partition_key="x"), table(x="S", a="S"))


def test_random_shards_are_said_loudly() -> None:
    of = stream("a", shards={"count": 2, "by": "random"})
    [said] = remarks(of, new_key(of, "t"))
    assert "becomes a second item" in said


def test_a_source_says_which_is_the_partition_key_also_of_renamed_ones() -> None:
    source = Source("t", key=Key(("n", "a"), ("N", "S")))
    of = Stream("s", ("a", "n"), {"a": {}, "n": {}}, source, StreamOptions(rename={"n": "id"}))
    assert new_key(of, "t") == Key(("id", "a"), ("N", "S"))
