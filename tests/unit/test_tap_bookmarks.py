from __future__ import annotations

import json
from typing import Any

import pytest

from dynamodb_core.errors import StateError
from dynamodb_core.parts import Block, Part
from dynamodb_core.places import ranges
from dynamodb_core.scan import shuffled
from dynamodb_core.table import Key, Table
from tap_dynamodb.bookmarks import START_OVER, STATE_KEY, ScanBookmark, identify

TABLE = Table("orders", "arn:aws:dynamodb:r:1:table/orders", "id-1", Key(("id",), ("S",)))
PLACE = {"id": {"S": "k"}}


def bookmark(**more: Any) -> ScanBookmark:
    return ScanBookmark(
        **{
            "table_id": "id-1",
            "segments": 8,
            "seed": 5,
            "began": "2026-11-21T12:00:00+00:00",
            "version": 1790000000,
            **more,
        }
    )


def block(part: int, place: Any = None) -> Block[bytes]:
    return Block(part, b"", 1, place, finished=place is None)


def reloaded(one: ScanBookmark) -> ScanBookmark | None:
    state = json.loads(json.dumps({STATE_KEY: one.dump()}))
    return ScanBookmark.load(state, TABLE, {})


@pytest.mark.parametrize(
    ("numbers", "folded"),
    [
        ([], []),
        ([4], [[4, 4]]),
        ([2, 0, 1, 5], [[0, 2], [5, 5]]),
        ([7, 6, 3, 0], [[0, 0], [3, 3], [6, 7]]),
        (range(10_000), [[0, 9999]]),
    ],
)
def test_ranges(numbers: list[int], folded: list[list[int]]) -> None:
    assert ranges(numbers) == folded


@pytest.mark.parametrize("state", [{}, {STATE_KEY: []}, {STATE_KEY: None}, {"other": 1}])
def test_no_scan_is_under_way(state: dict[str, Any]) -> None:
    assert ScanBookmark.load(state, TABLE, {}) is None


def test_a_bookmark_survives_json() -> None:
    one = bookmark(finished={0, 1, 2, 5}, places={3: PLACE, 7: {"id": {"B": "AP8="}}})
    assert reloaded(one) == one


def test_the_state_is_a_list_that_meltano_replaces_whole() -> None:
    (entry,) = bookmark(finished={0, 1, 5}, places={3: PLACE}).dump()
    assert entry == {
        "table_id": "id-1",
        "reads": {},
        "segments": 8,
        "seed": 5,
        "began": "2026-11-21T12:00:00+00:00",
        "version": 1790000000,
        "finished": places_of({0, 1, 5}),
        "places": [[3, PLACE]],
    }


def places_of(numbers: set[int]) -> list[list[int]]:
    """Return where segments of eight stand in the order of the bookmark's seed."""
    order = shuffled(8, 5)
    return ranges(order.index(number) for number in numbers)


def test_a_state_is_small_however_many_segments_there_are() -> None:
    one = bookmark(segments=10_000)
    under_way = one.parts()
    for part in under_way[:5_000:2] + under_way[1:4_980:2]:
        one.advance(block(part.number))
    assert len(one.dump()[0]["finished"]) <= 11
    assert len(json.dumps(one.dump())) < 500
    again = ScanBookmark.load({STATE_KEY: one.dump()}, TABLE, {})
    assert again is not None
    assert again.finished == one.finished


def test_a_dump_does_not_change_when_the_bookmark_goes_on() -> None:
    one = bookmark(places={3: PLACE})
    dumped = one.dump()
    before = json.dumps(dumped)
    one.advance(block(3))
    one.advance(block(4, {"id": {"S": "z"}}))
    assert json.dumps(dumped) == before


def test_a_block_moves_its_segment_and_no_other() -> None:
    one = bookmark()
    one.advance(block(3, PLACE))
    one.advance(block(4, {"id": {"S": "a"}}))
    one.advance(block(3, {"id": {"S": "z"}}))
    assert one.places == {3: {"id": {"S": "z"}}, 4: {"id": {"S": "a"}}}
    assert not one.finished


def test_a_finished_segment_has_no_place() -> None:
    one = bookmark(places={3: PLACE})
    one.advance(block(3))
    assert (one.finished, one.places) == ({3}, {})


def test_complete_when_every_segment_is_finished() -> None:
    one = bookmark(segments=3)
    for number in (2, 0):
        one.advance(block(number))
        assert not one.complete
    one.advance(block(1))
    assert one.complete
    assert one.parts() == []


def test_begun_segments_come_first_then_the_others_in_the_order_of_the_seed() -> None:
    fresh = [part.number for part in bookmark().parts()]
    assert sorted(fresh) == list(range(8))
    assert fresh != sorted(fresh)
    begun = bookmark(finished={fresh[0]}, places={fresh[6]: PLACE}).parts()
    assert begun == [Part(fresh[6], PLACE), *(Part(n) for n in fresh[1:6]), Part(fresh[7])]


def test_another_seed_is_another_order() -> None:
    orders = {tuple(part.number for part in bookmark(seed=seed).parts()) for seed in range(20)}
    assert len(orders) > 10


def test_a_range_of_segments_is_complete_by_itself() -> None:
    one = bookmark(only=(2, 4), finished={3})
    assert sorted(part.number for part in one.parts()) == [2, 4]
    one.advance(block(4))
    assert not one.complete
    one.advance(block(2))
    assert one.complete


@pytest.mark.parametrize(
    ("before", "now"),
    [({"index": "a"}, {}), ({}, {"index": "a"}), ({"index": "a"}, {"index": "b"})],
)
def test_the_state_of_another_way_of_reading_names_what_differs(
    before: dict[str, str], now: dict[str, str]
) -> None:
    state = {STATE_KEY: bookmark(reads={**before, "filter": "d1"}, finished={0}).dump()}
    with pytest.raises(
        StateError, match=r"was made with index (a|not set), now it is (a|b|not set)"
    ) as raised:
        ScanBookmark.load(state, TABLE, {**now, "filter": "d1"})
    assert raised.value.hint == f"Go back to that to read on. {START_OVER}"


def test_what_is_a_digest_is_not_shown() -> None:
    state = {STATE_KEY: bookmark(reads={"filter": "d1"}, finished={0}).dump()}
    with pytest.raises(StateError, match=r"was made with another filter\. Go back"):
        ScanBookmark.load(state, TABLE, {"filter": "d2"})


def test_a_run_that_failed_before_anything_was_out_binds_nobody() -> None:
    state = {STATE_KEY: bookmark(reads={"filter": "d1"}, table_id="another").dump()}
    assert ScanBookmark.load(state, TABLE, {}) is None


def test_the_state_of_another_range_is_refused_by_its_segments() -> None:
    state = {STATE_KEY: bookmark(places={7: PLACE}).dump()}
    with pytest.raises(StateError, match="names segments that are not among its 8"):
        ScanBookmark.load(state, TABLE, {}, only=(0, 3))


def test_the_state_of_another_table_says_how_to_start_over() -> None:
    state = {STATE_KEY: bookmark(table_id="id-0", finished={0}).dump()}
    with pytest.raises(StateError) as raised:
        ScanBookmark.load(state, TABLE, {})
    assert "orders" in raised.value.message
    assert "id-0" in raised.value.message
    assert raised.value.hint == START_OVER
    assert "--full-refresh" in START_OVER


def test_a_table_without_an_id_is_known_by_its_arn() -> None:
    unnamed = Table(TABLE.name, TABLE.arn, "", TABLE.key)
    assert identify(TABLE) == "id-1"
    assert identify(unnamed) == TABLE.arn


ENTRY = bookmark(finished={0}, places={3: PLACE}).dump()[0]


@pytest.mark.parametrize(
    "scan",
    [
        *([{name: value for name, value in ENTRY.items() if name != left}] for left in ENTRY),
        [ENTRY, ENTRY],
        ["text"],
        "text",
        7,
        [None],
        [{**ENTRY, "segments": "many"}],
        [{**ENTRY, "segments": None}],
        [{**ENTRY, "finished": 3}],
        [{**ENTRY, "finished": [[0]]}],
        [{**ENTRY, "finished": [["a", "b"]]}],
        [{**ENTRY, "places": [[3]]}],
        [{**ENTRY, "places": {"3": PLACE}}],
        [{**ENTRY, "places": [[3, "key"]]}],
        [{**ENTRY, "places": [[3, None]]}],
        [{**ENTRY, "finished": [[0, 8]]}],
        [{**ENTRY, "finished": [[-1, 2]]}],
        [{**ENTRY, "places": [[8, PLACE]]}],
        [{**ENTRY, "segments": 0}],
        [{**ENTRY, "reads": []}],
        [{**ENTRY, "began": "yesterday"}],
        [{**ENTRY, "began": "2026-11-21T12:00:00"}],
        [{**ENTRY, "began": None}],
    ],
)
def test_a_state_that_cannot_be_read_says_how_to_start_over(scan: Any) -> None:
    with pytest.raises(StateError) as raised:
        ScanBookmark.load({STATE_KEY: scan}, TABLE, {})
    assert raised.value.hint == START_OVER
