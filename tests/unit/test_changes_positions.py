"""Where the read of a stream stands: what comes into the frontier, and when history is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dynamodb_core.changes.forest import Forest
from dynamodb_core.changes.positions import RETENTION, SKEW, Positions
from dynamodb_core.changes.shards import Position, Shard
from dynamodb_core.errors import HistoryLost

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
NOW = 1_800_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR
CLOSED = Position(closed=True, sequence="9", order=50)


def shard(name: str, *parents: str, open: bool = True) -> Shard:  # noqa: A002 - as it is called
    return Shard(name, parents, open)


def dead(name: str, *parents: str) -> Shard:
    return Shard(name, parents, open=False)


def read_up_to(reached: float | None, **frontier: Position) -> Positions:
    """Return positions as they come out of a state: begun two days ago, unless nothing was reached."""
    begun = NOW if reached is None else NOW - 2 * DAY
    positions = Positions(stream=ARN, begun=begun, reached=reached, frontier=frontier)
    return Positions.load(json.loads(json.dumps(positions.dump())))


def test_what_is_listed_first_is_read_from_the_moment_on() -> None:
    shards = [dead("a"), dead("b", "a"), shard("c", "b"), shard("d", "gone")]
    positions = Positions.noted(ARN, shards, now=NOW, since=NOW - 5, order=3)
    since = round((NOW - 5 - SKEW.total_seconds()) * 1e6)
    assert positions.frontier == {name: Position(since=since, order=3) for name in ("a", "d")}
    positions.advance("a", Position(order=3, closed=True))
    assert positions.frontier.keys() == {"b", "d"}
    assert positions.frontier["b"] == Position(since=since, order=3)  # else its dead records return
    assert not positions.complete


def test_the_oldest_is_read_from_the_beginning() -> None:
    positions = Positions.noted(ARN, [shard("a")], now=NOW)
    assert positions.frontier == {"a": Position()}


def test_the_place_that_is_furthest_behind_is_first() -> None:
    positions = read_up_to(
        NOW, a=Position("1", order=9), b=Position("1", order=5), c=CLOSED, d=Position("1", order=7)
    )
    assert positions.ready() == ["b", "d", "a"]


def test_a_split_gives_its_order_to_both_also_to_one_that_is_listed_late() -> None:
    positions = read_up_to(NOW, a=Position("1", order=10))
    positions.refresh([shard("a")], NOW)
    positions.refresh([dead("a"), shard("b", "a")], NOW)
    assert positions.ready() == ["a"]
    positions.advance("a", CLOSED)
    assert positions.frontier == {"b": Position(order=50)}
    positions.advance("b", Position("10", order=60))
    positions.refresh([dead("a"), shard("b", "a"), shard("c", "a")], NOW)
    assert positions.frontier == {"b": Position("10", order=60), "c": Position(order=60)}


def test_a_merged_shard_waits_for_both_and_takes_the_higher_order() -> None:
    positions = read_up_to(NOW, a=Position("1", order=10), b=Position("1", order=20))
    listed = [dead("a"), dead("b"), shard("c", "a", "b")]
    assert positions.refresh(listed, NOW) == []
    positions.advance("b", Position(closed=True, order=20))
    assert positions.ready() == ["a"]
    assert positions.refresh(listed, NOW) == []
    assert positions.frontier.keys() == {"a", "b"}
    positions = Positions.load(positions.dump())
    positions.refresh(listed, NOW)
    positions.advance("a", Position(closed=True, order=15))
    assert positions.frontier == {"c": Position(order=20)}


def test_a_shard_that_has_ended_stays_until_a_child_of_it_is_known() -> None:
    positions = read_up_to(NOW, a=Position("1"))
    positions.refresh([shard("a")], NOW)
    positions.advance("a", CLOSED)
    assert positions.frontier == {"a": CLOSED}
    assert positions.childless("a")
    assert positions.complete
    positions = Positions.load(positions.dump())
    positions.found([shard("b", "a"), shard("of another", "that is not read")])
    assert positions.frontier == {"b": Position(order=50)}
    assert not positions.childless("a")


def test_a_child_that_is_found_before_its_parent_is_finished_waits() -> None:
    positions = read_up_to(NOW, a=Position("1"))
    positions.found([shard("b", "a"), shard("c", "b")])
    assert positions.ready() == ["a"]
    positions.advance("a", CLOSED)
    assert positions.ready() == ["b"]


def test_what_was_read_is_not_read_again() -> None:
    """Its parents are all that says so, as the state tells of the newest alone."""
    positions = read_up_to(NOW, e=Position("1"))
    listed = [dead("a"), dead("b", "a"), dead("c", "b"), dead("d", "c"), shard("e", "d")]
    assert positions.refresh(listed, NOW) == []
    assert positions.ready() == ["e"]


def test_a_lineage_that_nobody_knew_of_is_read_too() -> None:
    positions = read_up_to(NOW, a=Position("1"))
    assert positions.refresh([shard("a"), dead("x"), shard("y", "x")], NOW) == []
    assert positions.frontier.keys() == {"a", "x"}


def test_only_shards_of_the_frontier_are_advanced() -> None:
    with pytest.raises(KeyError):
        read_up_to(NOW).advance("a", Position())


# What looks odd, and what is lost

RECENT = NOW - HOUR
BEGUN = Position("7", order=round((NOW - 3 * HOUR) * 1e6))

LOST = {
    "a shard that nobody has seen came between": (
        {"a": BEGUN},
        [shard("a"), shard("c", "b")],
        "shard b",
    ),
    "so did one of two parents": (
        {"a": replace(BEGUN, closed=True)},
        [dead("a"), shard("c", "a", "b")],
        "shard b",
    ),
    "what followed on a shard is gone with it": (
        {"a": replace(BEGUN, closed=True), "x": BEGUN},
        [shard("x")],
        "shard a",
    ),
}


@pytest.mark.parametrize(("frontier", "listed", "named"), LOST.values(), ids=LOST.keys())
def test_history_is_lost(frontier: dict[str, Position], listed: list[Shard], named: str) -> None:
    positions = read_up_to(RECENT, **frontier)
    before = dict(positions.frontier)
    assert positions.refresh(listed, NOW, settled=False)
    assert positions.frontier == before
    with pytest.raises(HistoryLost, match=named) as lost:
        positions.refresh(listed, NOW)
    assert ARN in lost.value.message
    assert "from 2027-01-15T07:00:00Z on" in lost.value.message
    assert "--full-refresh" in lost.value.hint


FINE = {
    "a shard that was read is forgotten, and its child is there": (
        {"a": CLOSED},
        [shard("b", "a")],
        {"b"},
    ),
    "the stream is off, and is forgotten shard by shard": (
        {"a": CLOSED, "b": CLOSED},
        [dead("b")],
        {"a", "b"},
    ),
    "and at last wholly": ({"a": CLOSED, "b": CLOSED}, [], {"a", "b"}),
    "a shard that is not listed is asked for all the same": (
        {"a": BEGUN, "b": BEGUN},
        [shard("b"), shard("c", "a")],
        {"a", "b"},
    ),
    "so it is where none is listed": ({"a": BEGUN}, [], {"a"}),
    "the parent of an open one is forgotten": ({"b": BEGUN}, [shard("b", "a")], {"b"}),
}


@pytest.mark.parametrize(("frontier", "listed", "left"), FINE.values(), ids=FINE.keys())
def test_history_is_not_lost(
    frontier: dict[str, Position], listed: list[Shard], left: set[str]
) -> None:
    positions = read_up_to(RECENT, **frontier)
    assert positions.refresh(listed, NOW) == []
    assert positions.frontier.keys() == left


@pytest.mark.parametrize("since", [None, NOW])
def test_nobody_misses_what_vanished_while_it_was_older_than_what_is_wanted(
    since: float | None,
) -> None:
    """Every hour shards die that were listed at the beginning: they held nothing that is wanted."""
    generations = [dead("a"), dead("b", "a"), dead("c", "b"), shard("d", "c")]
    positions = Positions.noted(ARN, generations, now=NOW, since=since)
    assert positions.unmissed(NOW + HOUR)
    positions.advance("a", replace(positions.frontier["a"], closed=True))
    positions = Positions.load(positions.dump())
    positions.advance("b", replace(positions.frontier["b"], closed=True))
    assert positions.refresh(generations[3:], NOW + HOUR, settled=False) == ["b", "d"]
    assert positions.refresh(generations[3:], NOW + HOUR) == ["b", "d"]
    assert positions.frontier.keys() == {"d"}
    assert not positions.unmissed(NOW + DAY + 1)


def test_a_shard_that_ended_may_vanish_while_nobody_misses_it() -> None:
    positions = Positions.noted(ARN, [dead("a"), shard("x")], now=NOW, since=NOW)
    positions.advance("a", replace(positions.frontier["a"], closed=True))
    positions.refresh([shard("x"), shard("c", "b")], NOW + HOUR)
    assert positions.frontier.keys() == {"x", "c"}


AGES = {
    "all was read a moment ago": (RECENT, {"a": Position("1"), "b": Position()}, None),
    "nobody came for a day": (NOW - DAY - 1, {"a": Position("1")}, "shard a"),
    "nobody came for a day, and all had been read": (NOW - DAY - 1, {"a": CLOSED}, None),
    "a shard is busy, and the visit goes on": (
        NOW - DAY - 1,
        {"a": Position("1", order=round(RECENT * 1e6))},
        None,
    ),
    "one is, and another was never visited": (
        NOW - DAY - 1,
        {"a": Position("1", order=round(RECENT * 1e6)), "b": Position("1", order=5)},
        "shard b",
    ),
}


@pytest.mark.parametrize(("reached", "frontier", "lost"), AGES.values(), ids=AGES.keys())
def test_places_are_not_older_than_the_stream_remembers(
    reached: float, frontier: dict[str, Position], lost: str | None
) -> None:
    positions = read_up_to(reached, **frontier)
    if lost is None:
        positions.check(NOW)
        return
    with pytest.raises(HistoryLost, match=f"{lost} of .*2027-01-14T07.*2027-01-14T08"):
        positions.check(NOW)
    positions.check(NOW, timedelta(days=7))


@pytest.mark.parametrize("since", [None, NOW])
def test_positions_that_were_noted_and_never_read_grow_old(since: float | None) -> None:
    positions = Positions.noted(ARN, [shard("a")], now=NOW, since=since)
    positions.check(NOW + DAY - SKEW.total_seconds())
    with pytest.raises(HistoryLost, match="shard a"):
        positions.check(NOW + DAY + 1)


def test_another_stream_is_another_history() -> None:
    positions = read_up_to(RECENT, a=BEGUN)
    positions.belongs_to(ARN)
    with pytest.raises(HistoryLost, match="2027-01-15T07:00:00") as lost:
        positions.belongs_to(ARN + "1")
    assert "--full-refresh" in lost.value.hint


# State


def test_a_state_says_what_is_to_be_known() -> None:
    positions = Positions.noted(ARN, [shard("a"), shard("b")], now=NOW, since=NOW, order=4)
    positions.advance("b", Position("77", order=5))
    since = round((NOW - 120) * 1e6)
    assert positions.dump() == {
        "stream": ARN,
        "noted": "2027-01-15T08:00:00+00:00",
        "since": since,
        "order": 4,
        "shards": [["a", {"since": since, "order": 4}], ["b", {"sequence": "77", "order": 5}]],
    }
    positions.reached = NOW + 1.25
    assert positions.dump()["reached"] == "2027-01-15T08:00:01.250000+00:00"
    assert Positions.load(positions.dump()) == positions


GOOD = {
    "stream": ARN,
    "noted": "2027-01-15T08:00:00+00:00",
    "order": 0,
    "shards": [["a", {"sequence": "1"}]],
}


@pytest.mark.parametrize(
    "damage",
    [
        {"stream": 5},
        {"noted": None},
        {"noted": NOW},
        {"noted": "x"},
        {"noted": "2027-01-15T08:00:00"},
        {"since": "1"},
        {"since": 1.5},
        {"order": None},
        {"reached": "x"},
        {"shards": None},
        {"shards": [["a"]]},
        {"shards": [["a", {"sequence": 5}]]},
        {"shards": [["a", {"other": 5}]]},
        {"shards": [["a", []]]},
        {"shards": [[5, {}]]},
        {"shards": [[[], {}]]},
    ],
    ids=str,
)
def test_a_damaged_state_is_refused(damage: dict[str, Any]) -> None:
    Positions.load(GOOD)
    with pytest.raises((ValueError, TypeError, KeyError)):
        Positions.load({**GOOD, **damage})


@pytest.mark.parametrize("missing", ["stream", "noted", "order", "shards"])
def test_so_is_one_of_which_something_is_missing(missing: str) -> None:
    with pytest.raises(KeyError):
        Positions.load({name: value for name, value in GOOD.items() if name != missing})


def test_the_retention_is_that_of_dynamodb_streams() -> None:
    assert RETENTION.total_seconds() == DAY


def test_memory_of_dead_shards_is_as_short_as_the_streams() -> None:
    """Who follows for months hears of millions."""
    forest = Forest()
    for hour in range(100):
        born = [shard(f"{hour}", f"{hour - 1}"), shard(f"x{hour}", f"{hour - 1}")]
        forest.remember(born, hour * HOUR)
        forest.forget(hour * HOUR - DAY)
    assert forest.ancestors(["99"]) == {str(hour) for hour in range(74, 99)}
    assert [each.id for each in forest.children("74")] == ["75", "x75"]
    assert forest.children("73") == []
    assert not forest.named("73")
    assert forest.named("74")
