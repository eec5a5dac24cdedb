"""Items that are read by the names that were learned are the same to the letter as those read as dictionaries."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.table import Key
from dynamodb_tools.canonical import Canon, Row
from dynamodb_tools.learned import LONGEST_PAUSE, MOST_NAMES, Learned
from tests.property import strategies

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = (Key(("id",), ("S",)), Key(("n",), ("N",)), Key(("id", "n"), ("S", "N")))
leaves = st.one_of(
    strategies.tagged("S", strategies.texts),
    strategies.tagged("N", strategies.number_texts),
    strategies.tagged("BOOL", st.booleans()),
    strategies.tagged("NULL", st.just(True)),
)
others = st.dictionaries(strategies.names, st.one_of(leaves, leaves, leaves, strategies.values))


def written(item: dict[str, Any], *, escaped: bool = False) -> bytes:
    return json.dumps(item, ensure_ascii=escaped).encode()


def apart(canon: Canon, items: Sequence[bytes]) -> list[Row]:
    """Return the rows as one makes them that has learned nothing."""
    return [row for item in items for row in pickle.loads(pickle.dumps(canon)).rows([item])]


@settings(max_examples=60)
@given(
    key=st.sampled_from(KEYS),
    made=st.lists(others, min_size=2, max_size=40),
    ids=st.lists(strategies.texts.filter(bool), min_size=40, max_size=40),
    numbers=st.lists(strategies.number_texts, min_size=40, max_size=40),
    escaped=st.booleans(),
    ignore=st.sets(st.sampled_from(strategies.NASTY), max_size=3),
    sample=st.sampled_from((100.0, 50.0)),
)
def test_what_was_learned_changes_no_row(
    key: Key,
    made: list[dict[str, Any]],
    ids: list[str],
    numbers: list[str],
    escaped: bool,
    ignore: set[str],
    sample: float,
) -> None:
    whole = [
        {**item, "id": {"S": text}, "n": {"N": number}}
        for item, text, number in zip(made, ids, numbers, strict=False)
    ]
    items = [written(item, escaped=escaped) for item in whole]
    canon = Canon(key, frozenset(ignore - {"id", "n"}), sample=sample)
    wanted = apart(canon, items)
    assert canon.rows(items) == wanted
    assert canon.rows(items) == wanted  # now some of it is known
    plain = [item for item in items if Canon(key)._learned.read([item]) is None]
    assert [row for item in plain for row in canon.rows([item])] == wanted


def leaf_items(count: int) -> list[bytes]:
    return [
        written({"id": {"S": str(n)}, "n": {"N": "1"}, "b": {"NULL": True}}) for n in range(count)
    ]


def test_items_of_known_names_are_read_by_them() -> None:
    learned = Learned()
    items = leaf_items(3)
    assert learned.read(items) is None
    learned.learn([json.loads(item) for item in items])
    page = learned.read(items)
    assert page is not None
    assert learned.parts(page, KEYS[2]) == [["0", "1", "2"], ["1", "1", "1"]]
    assert learned.lines(page, ()).splitlines() == [
        b'{"b":{"NULL":true},"id":{"S":"%d"},"n":{"N":"1"}}' % n for n in range(3)
    ]
    assert (
        learned.lines(page, ("n", "nothing")).splitlines()[0]
        == b'{"b":{"NULL":true},"id":{"S":"0"}}'
    )


@pytest.mark.parametrize(
    "value",
    [{"M": {}}, {"L": []}, {"SS": ["a"]}, {"B": ""}, {"N": 1}, {"S": None}, {"BOOL": 0}, "x", None],
)
def test_what_does_not_fit_is_left(value: Any) -> None:
    learned = Learned()
    learned.learn([{"id": {"S": "a"}, "v": {"S": "b"}}])
    assert learned.read([written({"id": {"S": "a"}, "v": value})]) is None
    assert learned.read([written({"id": {"S": "a"}, "w": {"S": "b"}})]) is None


def test_tables_of_other_items_are_tried_seldom() -> None:
    learned = Learned()
    learned.learn([{"id": {"S": "a"}}])
    nested, plain = written({"id": {"S": "a"}, "m": {"M": {}}}), written({"id": {"S": "a"}})
    for _ in range(500):
        assert learned.read([nested]) is None
    tries = [learned.read([plain]) for _ in range(LONGEST_PAUSE + 1)]
    assert any(page is not None for page in tries)
    assert learned.read([plain]) is not None


def test_so_many_names_are_learned_and_no_more() -> None:
    learned = Learned()
    some = {f"a{n}": {"S": "x"} for n in range(MOST_NAMES)}
    learned.learn([some])
    assert learned.read([written(some)]) is not None
    learned.learn([{"another": {"S": "x"}}])
    assert learned.read([written(some)]) is None
