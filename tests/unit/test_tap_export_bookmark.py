"""The bookmark of exports that were asked for: what it says comes back, and what is broken is refused."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import orjson
import pytest

from dynamodb_core.errors import StateError
from dynamodb_core.table import Key, Table
from tap_dynamodb.export_bookmark import STATE_KEY, Bookmark
from tap_dynamodb.sources import Source

SOURCE = Source("orders", Table("orders", "arn", "id-1", Key(("id",), ("S",))))
UNTIL = datetime(2026, 11, 21, 12, 0, 0, 28000, timezone.utc)


@pytest.mark.parametrize(
    "bookmark",
    [
        Bookmark("id-1"),
        Bookmark("id-0", UNTIL),
        Bookmark("id-1", UNTIL, ("a", "b")),
        Bookmark("id-1", None, ("a",)),
    ],
)
def test_a_bookmark_comes_back(bookmark: Bookmark) -> None:
    state = orjson.loads(orjson.dumps({STATE_KEY: bookmark.dump()}))
    assert Bookmark.load(state, SOURCE) == bookmark


@pytest.mark.parametrize("state", [{}, {STATE_KEY: []}, {STATE_KEY: None}])
def test_an_empty_state_knows_the_table_alone(state: dict[str, Any]) -> None:
    assert Bookmark.load(state, SOURCE) == Bookmark("id-1")


@pytest.mark.parametrize(
    "entries",
    [
        [{}],
        ["x"],
        {"table_id": "id-1", "until": "2026-11-21T12:00:00+00:00"},
        [{"table_id": "id-1"}, {"table_id": "id-1"}],
        [{"table_id": "id-1", "until": "2026-11-21T12:00:00"}],
        [{"table_id": "id-1", "until": "yesterday"}],
        [{"table_id": "id-1", "until": 5}],
        [{"table_id": "id-1", "asked": 5}],
    ],
)
def test_a_state_that_is_broken_is_refused(entries: Any) -> None:
    with pytest.raises(StateError, match="state of table orders cannot be read"):
        Bookmark.load({STATE_KEY: entries}, SOURCE)
