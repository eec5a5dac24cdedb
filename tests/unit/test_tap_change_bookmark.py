"""The bookmark of a table that is followed: what it says comes back, and what is broken is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynamodb_core.changes.positions import Positions
from dynamodb_core.changes.shards import Shard
from dynamodb_core.errors import StateError
from dynamodb_core.table import Key, Table
from tap_dynamodb.change_bookmark import STATE_KEY, ChangeBookmark

TABLE = Table("orders", "arn", "id-1", Key(("id",), ("S",)))
POSITIONS = Positions.noted("arn:1", [Shard("shard-1")], now=1_790_000_000.5, since=1_790_000_000.0)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("positions", [None, POSITIONS])
def test_a_bookmark_comes_back(positions: Positions | None, *, whole: bool) -> None:
    bookmark = ChangeBookmark("id-1", 1_790_000_000_000_000, whole, positions)
    state = orjson.loads(orjson.dumps({STATE_KEY: bookmark.dump()}))
    assert ChangeBookmark.load(state, TABLE) == bookmark
    assert ChangeBookmark.is_whole(state) == whole


@pytest.mark.parametrize("state", [{}, {STATE_KEY: []}, {STATE_KEY: None}])
def test_an_empty_state_knows_nothing(state: dict[str, Any]) -> None:
    assert ChangeBookmark.load(state, TABLE) is None
    assert not ChangeBookmark.is_whole(state)


@pytest.mark.parametrize(
    "entries",
    [
        [4],
        [None],
        ["x"],
        [{}],
        [{}, {}],
        {"table_id": "id-1"},
        [{"table_id": "id-1"}],
        [{"table_id": "id-1", "snapshot": "now"}],
        [{"table_id": "id-1", "snapshot": None}],
        [{"table_id": "id-1", "snapshot": 1, "positions": None}],
        [{"table_id": "id-1", "snapshot": 1, "positions": {}}],
        [{"table_id": "id-1", "snapshot": 1, "positions": {"stream": "arn:1", "shards": 4}}],
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused(entries: Any) -> None:
    with pytest.raises(StateError, match="table orders cannot be read") as refused:
        ChangeBookmark.load({STATE_KEY: entries}, TABLE)
    assert "--full-refresh" in (refused.value.hint or "")


@pytest.mark.parametrize("entries", [[4], ["x"], [{}]], ids=str)
def test_what_cannot_be_read_does_not_say_that_a_snapshot_is_out(entries: Any) -> None:
    assert not ChangeBookmark.is_whole({STATE_KEY: entries})


def test_another_table_of_this_name_is_another_one() -> None:
    state = {STATE_KEY: ChangeBookmark("id-0", 1).dump()}
    with pytest.raises(StateError, match=r"was made anew.*id-0.*id-1"):
        ChangeBookmark.load(state, TABLE)
