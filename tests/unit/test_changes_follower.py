"""All shards of a stream up to a moment: parents before children, nothing skipped, nothing forgotten."""

from __future__ import annotations

import base64
import itertools
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.change import Change
from dynamodb_core.changes.follower import LISTING_SECONDS, MOST_LISTINGS, Follower
from dynamodb_core.changes.positions import Positions
from dynamodb_core.changes.service import IteratorExpired, Records
from dynamodb_core.changes.shard_reader import EMPTY_ANSWERS
from dynamodb_core.changes.shards import Position, Shard
from dynamodb_core.changes.streams import DynamoDBStreams
from dynamodb_core.errors import HistoryLost, ServiceError
from tests.engines.scripted import PATIENCE, Clock, in_time
from tests.engines.shards import Disagreement, ScriptedStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamodb_core.parts import Block

START = 1_800_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR


def item(name: object, **more: Any) -> dict[str, dict[str, Any]]:
    return {"id": {"S": str(name)}, **{key: {"S": str(value)} for key, value in more.items()}}


def names(changes: Sequence[Change]) -> list[str]:
    """Return the keys of changes; a block's payload in these tests."""
    return [orjson.loads(change.keys or b"")["id"]["S"] for change in changes]


def opened(iterator: str) -> str:
    return base64.b64decode(iterator.rpartition("|")[2]).decode()


class Reading:
    """A stream, and a follower of it on the same clock."""

    def __init__(self, *, workers: int = 3, since: bool = False, **more: Any) -> None:
        self.clock = Clock(START)
        more.setdefault("latency", 0.01)
        self.stream = ScriptedStream(clock=self.clock, sleep=self.clock.sleep, **more)
        self.workers = workers
        self._writes = itertools.count()
        self.service = DynamoDBStreams(self.stream, self.stream.arn, clock=self.clock)
        self.positions = Positions.noted(
            self.stream.arn,
            self.service.shards(),
            now=self.clock(),
            since=self.clock() if since else None,
        )
        self.follower = self.follow(self.positions)

    def follow(self, positions: Positions) -> Follower:
        return Follower(
            DynamoDBStreams(self.stream, self.stream.arn, clock=self.clock),
            positions,
            names,
            workers=self.workers,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def restart(self) -> None:
        self.positions = Positions.load(orjson.loads(orjson.dumps(self.positions.dump())))
        self.follower = self.follow(self.positions)

    def write(self, *keys: object) -> None:
        for key in keys:
            self.stream.put(item(key, write=next(self._writes)))

    def visit(self, **more: Any) -> list[str]:
        """Read up to now; return the keys in the order in which they came."""
        until = self.clock()
        found = in_time(
            lambda: [key for block in self.follower.blocks(until, **more) for key in block.payload]
        )
        assert self.positions.reached == until
        assert self.stream.early == []
        return found

    def calls(self) -> Counter[str]:
        """Return how many calls there were since this was asked last."""
        counted = Counter(call.operation for call in self.stream.calls)
        self.stream.calls.clear()
        return counted


# What is read


def test_all_that_was_written_comes_once_and_in_its_order() -> None:
    reading = Reading(shards=4)
    reading.write(*range(50))
    assert sorted(map(int, reading.visit())) == list(range(50))
    reading.write("x")
    reading.write("x")
    reading.write("y")
    assert sorted(reading.visit()) == ["x", "x", "y"]
    assert reading.visit() == []


def test_parents_come_before_their_children_and_children_at_once() -> None:
    reading = Reading(workers=4)
    made = 0
    for _ in range(4):
        for shard in reading.stream.open():
            reading.write(*range(made, made + 10))
            made += 10
            reading.stream.split(shard)
    reading.write(*range(made, made + 40))
    reading.calls()
    found = reading.visit()
    assert sorted(map(int, found)) == list(range(made + 40))
    assert len(reading.positions.frontier) == 16
    assert not any(position.closed for position in reading.positions.frontier.values())
    assert reading.visit() == []


def test_a_child_is_read_while_another_lineage_is_busy() -> None:
    """It is asked for at the end of its parent, and not waited for until all others are read."""
    reading = Reading(shards=2)
    ending, busy = reading.stream.open()
    read = threading.Event()

    def look(operation: str, request: dict[str, Any]) -> None:
        if operation != "GetRecords":
            return
        shard = request["ShardIterator"]
        if reading.stream.listed() == [ending, busy]:
            reading.stream.roll_over(ending)
        if busy in opened(shard):
            assert read.wait(PATIENCE)
        elif ending not in opened(shard):
            read.set()

    reading.stream.before = look
    reading.visit()
    assert read.is_set()


@pytest.mark.parametrize("child_shards", ["answered", "ignored", "refused"])
@pytest.mark.parametrize("ends", ["after", "with"])
def test_shards_that_split_while_they_are_read_are_followed(ends: str, child_shards: str) -> None:
    """The listing of the visit's beginning knows nothing of them."""
    reading = Reading(ends=ends, child_shards=child_shards, most=3, latency=1.0)

    def grow() -> None:
        reading.stream.split(reading.stream.open()[0])
        reading.stream.roll_over(reading.stream.open()[-1])
        reading.write(*range(10, 20))

    reading.write(*range(10))
    reading.clock.now += 5
    reading.stream.later(reading.clock() + 4, grow)
    found = reading.visit()
    assert len(reading.stream.listed()) > 1
    reading.clock.now += 5
    found += reading.visit()
    assert sorted(map(int, found)) == list(range(20))
    assert reading.stream.open()
    assert sorted(reading.positions.ready()) == sorted(reading.stream.open())


def test_a_thousand_open_shards_are_all_read_to_the_moment() -> None:
    reading = Reading(workers=16, shards=1000, latency=0.0)
    reading.write(*range(3000))
    assert sorted(map(int, reading.visit())) == list(range(3000))
    assert len(reading.positions.ready()) == 1000


def test_what_is_older_than_wanted_is_left_out_through_all_generations() -> None:
    """Also in shards that follow on others: a stream remembers six generations of the dead."""
    clock = Clock(START)
    stream = ScriptedStream(clock=clock, sleep=clock.sleep, latency=0.01)
    for generation in range(5):
        stream.put(item(generation))
        clock.now += 4 * HOUR
        stream.roll_over(stream.open()[0])
    service = DynamoDBStreams(stream, stream.arn, clock=clock)
    positions = Positions.noted(stream.arn, service.shards(), now=clock(), since=clock())
    stream.put(item("new"))
    follower = Follower(service, positions, names, clock=clock, sleep=clock.sleep)
    found = in_time(lambda: [key for it in follower.blocks(clock()) for key in it.payload])
    assert found == ["new"]
    assert stream.early == []


@pytest.mark.parametrize("answers", [1, EMPTY_ANSWERS - 1])
def test_an_empty_answer_is_not_the_end(answers: int) -> None:
    reading = Reading(shards=2)
    reading.stream.gap(answers)
    reading.write(*range(20))
    assert sorted(map(int, reading.visit())) == list(range(20))


@pytest.mark.parametrize("most", [1, 7])
def test_answers_of_which_nothing_is_wanted_are_not_empty(most: int) -> None:
    """Where a read cannot begin at a moment, all that is older is passed over."""
    clock = Clock(START)
    stream = ScriptedStream(
        clock=clock, sleep=clock.sleep, latency=0.01, most=most, at_timestamp="refused"
    )
    for number in range(3 * EMPTY_ANSWERS * most):
        stream.put(item(number))
    clock.now += HOUR
    service = DynamoDBStreams(stream, stream.arn, clock=clock)
    positions = Positions.noted(stream.arn, service.shards(), now=clock(), since=clock())
    stream.put(item("new"))
    follower = Follower(service, positions, names, clock=clock, sleep=clock.sleep)
    found = in_time(lambda: [key for it in follower.blocks(clock()) for key in it.payload])
    assert found == ["new"]


def test_empty_answers_count_in_a_row_alone() -> None:
    reading = Reading()
    for key in range(4):
        reading.stream.gap(EMPTY_ANSWERS - 1)
        reading.write(key)
    reading.clock.now += 5
    assert reading.visit() == ["0", "1", "2", "3"]


def test_so_many_empty_answers_are() -> None:
    reading = Reading()
    reading.stream.gap(EMPTY_ANSWERS)
    reading.write("a")
    assert reading.visit() == []
    assert reading.visit() == ["a"]


@pytest.mark.parametrize("ends", ["after", "with"])
def test_a_closed_shard_is_read_to_its_end(ends: str) -> None:
    """A shard that is closed may still have empty answers before its last record."""
    reading = Reading(ends=ends)
    reading.write(*range(5))
    reading.stream.gap(EMPTY_ANSWERS + 5)
    reading.write(*range(5, 9))
    [shard] = reading.stream.open()
    reading.stream.roll_over(shard)
    reading.write("child")
    found = reading.visit()
    assert found == [str(n) for n in range(5)]
    assert not reading.positions.frontier[shard].closed
    assert reading.visit() == ["5", "6", "7", "8", "child"]


def test_a_stream_that_is_off_is_read_to_its_end() -> None:
    reading = Reading(shards=3)
    reading.write(*range(9))
    reading.stream.disable()
    assert sorted(map(int, reading.visit())) == list(range(9))
    assert reading.positions.complete
    reading.restart()
    assert reading.visit() == []


def test_a_stream_without_shards_is_read() -> None:
    service = Told([])
    follower = Follower(service, Positions(stream="s", begun=START), names, clock=Clock(START))
    assert in_time(lambda: list(follower.blocks(START))) == []
    assert follower.positions.reached == START


def test_who_writes_on_and_on_does_not_keep_the_visit_going() -> None:
    """It is over when a change of the moment, or a later one, came."""
    reading = Reading(shards=2, most=5)
    written = iter(range(10**6))

    def write(operation: str, _request: dict[str, Any]) -> None:
        if operation == "GetRecords":
            reading.write(*(next(written) for _ in range(20)))

    reading.write(*(next(written) for _ in range(100)))
    reading.clock.now += 5
    reading.stream.before = write
    found = reading.visit()
    assert set(map(int, found)) >= set(range(100))


def test_a_moment_that_is_yet_to_come_is_waited_for_without_haste() -> None:
    reading = Reading(latency=0.001)
    reading.stream.later(START + 20, lambda: reading.write("late"))
    reading.calls()
    until = reading.clock() + 30
    found = in_time(lambda: [it.payload for it in reading.follower.blocks(until)])
    assert ["late"] in found
    assert reading.clock() >= until
    assert reading.calls()["GetRecords"] < 5 * 30 + 2 * EMPTY_ANSWERS


# Shards that are not what they were


def test_iterators_that_have_expired_are_got_anew() -> None:
    reading = Reading(shards=2)
    reading.write(*range(10))
    reading.visit()
    reading.clock.now += 16 * 60
    reading.write(*range(10, 20))
    reading.calls()
    assert sorted(map(int, reading.visit())) == list(range(10, 20))
    assert reading.calls()["GetShardIterator"] == 2


def test_an_iterator_that_expires_in_the_middle_loses_nothing() -> None:
    reading = Reading(most=2)
    reading.write(*range(10))
    expired = iter([False, False, True, False, True, False])

    def expire(operation: str, _request: dict[str, Any]) -> None:
        if operation == "GetRecords" and next(expired, False):
            reading.stream.fail("GetRecords", "ExpiredIteratorException")

    reading.stream.before = expire
    assert reading.visit() == [str(n) for n in range(10)]


def test_after_a_new_iterator_one_empty_answer_is_not_enough() -> None:
    """It begins at the last record, and not where the old one had come to."""
    reading = Reading()
    reading.write("a")
    reading.visit()
    reading.stream.gap(5)
    reading.write("b")
    reading.clock.now += 16 * 60
    assert reading.visit(empties=1) == ["b"]


def test_an_iterator_that_never_works_is_an_error() -> None:
    reading = Reading()
    reading.stream.fail("GetRecords", *["ExpiredIteratorException"] * 2)
    with pytest.raises(ServiceError, match="expired as soon as it was given"):
        reading.visit()


@pytest.mark.parametrize("listings", [1, 2])
def test_children_that_are_listed_late_are_waited_for(listings: int) -> None:
    reading = Reading()
    reading.write("a")
    reading.visit()
    child = reading.stream.roll_over(reading.stream.open()[0])
    reading.write("b")
    hidden = Disagreement(hidden=frozenset({child}))
    reading.stream.disagree(*[hidden] * (1 + 2 * listings))
    assert reading.visit() == ["b"]


def test_a_shard_that_a_listing_leaves_out_is_not_lost() -> None:
    reading = Reading(shards=2)
    reading.write(*range(10))
    reading.visit()
    reading.restart()
    reading.write(*range(10, 20))
    hidden = Disagreement(hidden=frozenset({reading.stream.open()[0]}))
    reading.stream.disagree(*[hidden] * 2)
    assert sorted(map(int, reading.visit())) == list(range(10, 20))


def test_a_shard_that_is_gone_is_lost_history() -> None:
    reading = Reading(shards=2)
    reading.write(*range(10))
    reading.visit()
    reading.restart()
    gone, _ = reading.stream.open()
    reading.stream.roll_over(gone)
    reading.clock.now += DAY - 60
    reading.positions.reached = reading.clock()  # as if the other one had been read on
    reading.clock.now += 120
    listed = len(reading.stream.listed())
    with pytest.raises(HistoryLost, match=gone):
        reading.visit()
    assert listed == 3 - 1
    assert reading.calls()["GetRecords"] > 0  # those of the first visit; none of the second


def test_records_that_are_gone_are_lost_history() -> None:
    """A reader that is slower than the stream forgets."""
    reading = Reading(most=2)
    reading.clock.now -= 1
    reading.write(*range(60))
    reading.clock.now += 1

    def dawdle(changes: Sequence[Change]) -> list[str]:
        reading.clock.now += 3 * HOUR
        return names(changes)

    follower = Follower(
        reading.service, reading.positions, dawdle, clock=reading.clock, sleep=reading.clock.sleep
    )
    with pytest.raises(HistoryLost, match="shardId-"):
        in_time(lambda: list(follower.blocks(START)))


def test_a_shard_is_read_on_when_its_last_record_is_forgotten() -> None:
    """As in a table that nothing is written to: all that is left was written after it."""
    reading = Reading()
    reading.write("a")
    for _ in range(3):
        reading.clock.now += 20 * HOUR
        reading.visit()
        reading.restart()
    reading.write("b")
    assert reading.visit() == ["b"]


def test_it_is_not_where_something_may_be_gone_that_was_not_read() -> None:
    """Nothing but the records tells that the shard was busy, and its reader far behind."""
    reading = Reading(most=1)
    reading.write("a", "b")
    with closing(reading.follower.blocks(reading.clock())) as blocks:  # type: ignore[type-var]
        next(blocks)
        next(blocks)
    position = reading.positions.frontier[reading.stream.open()[0]]
    reading.clock.now += DAY + 10
    order = round(reading.clock() * 1e6)
    reading.positions.advance(reading.stream.open()[0], replace(position, order=order))
    with pytest.raises(HistoryLost, match="shardId-"):
        reading.visit()


def test_a_place_that_nobody_came_back_to_is_lost_history() -> None:
    reading = Reading()
    reading.write("a")
    reading.visit()
    reading.clock.now += DAY + 10
    reading.restart()
    with pytest.raises(HistoryLost, match="shardId-"):
        reading.visit()


def test_a_shard_that_dies_between_its_listing_and_its_visit_is_not_missed() -> None:
    clock = Clock(START)
    stream = ScriptedStream(clock=clock, sleep=clock.sleep, latency=0.01)
    stream.put(item("old"))
    old = stream.open()[0]
    stream.roll_over(old)
    clock.now += DAY - 1
    service = DynamoDBStreams(stream, stream.arn, clock=clock)
    positions = Positions.noted(stream.arn, service.shards(), now=clock(), since=clock())
    assert positions.ready() == [old]
    stream.put(item("new"))

    def die(operation: str, _request: dict[str, Any]) -> None:
        if operation == "GetShardIterator":
            clock.now = max(clock.now, START + DAY + 5)

    stream.before = die
    follower = Follower(service, positions, names, clock=clock, sleep=clock.sleep)
    found = in_time(lambda: [key for it in follower.blocks(clock()) for key in it.payload])
    assert found == ["new"]


# What is out


def reached(found: list[str], end: int) -> bool:
    return len(found) >= end


def test_a_block_is_out_when_the_next_one_is_asked_for() -> None:
    reading = Reading(most=2)
    reading.write(*range(6))
    before = reading.positions.dump()
    blocks = iter(reading.follower.blocks(reading.clock()))
    with closing(blocks):  # type: ignore[type-var]
        assert next(blocks).payload == ["0", "1"]
        assert reading.positions.dump() == before
        assert next(blocks).payload == ["2", "3"]
        [(_, position)] = reading.positions.dump()["shards"]
        assert position["sequence"]
    assert reading.positions.reached is None
    reading.restart()
    assert reading.visit() == ["2", "3", "4", "5"]


def test_a_visit_ends_when_it_is_enough_and_the_next_one_goes_on() -> None:
    reading = Reading(shards=3, most=4)
    reading.write(*range(60))
    found: list[str] = []
    left = itertools.count(7, 7)
    while reading.positions.reached is None:
        end = next(left)
        blocks = reading.follower.blocks(reading.clock(), enough=partial(reached, found, end))
        for block in blocks:
            found += block.payload
    assert next(left) > 7 * 5
    assert sorted(map(int, found)) == list(range(60))


def test_who_is_furthest_behind_comes_first_where_a_visit_ends_early() -> None:
    """Else a busy shard would take all turns, and the others' records be forgotten."""
    reading = Reading(shards=2, most=5, workers=1)
    busy, idle = reading.stream.open()
    reading.write(*range(100))
    seen = set()
    for _ in range(8):
        for block in reading.follower.blocks(reading.clock(), enough=lambda: True):
            seen.add(block.place.shard)
        reading.restart()
        reading.clock.now += 1
    assert seen == {busy, idle}


def test_enough_is_looked_at_while_nothing_comes() -> None:
    released, looked = threading.Event(), []

    def wait(operation: str, _request: dict[str, Any]) -> None:
        if operation == "GetRecords":
            assert released.wait(PATIENCE)

    reading = Reading()
    reading.stream.before = wait

    def enough() -> bool:
        looked.append(threading.current_thread())
        return True

    assert in_time(lambda: list(reading.follower.blocks(START, enough=enough))) == []
    released.set()
    assert looked
    assert reading.positions.reached is None


def test_who_waits_may_end_the_visit() -> None:
    released = threading.Event()

    def wait(operation: str, _request: dict[str, Any]) -> None:
        if operation == "GetRecords":
            assert released.wait(PATIENCE)

    reading = Reading()
    reading.stream.before = wait

    def idle() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_time(lambda: list(reading.follower.blocks(START, idle=idle)))
    released.set()


def test_an_end_leaves_no_thread_waiting() -> None:
    before = set(threading.enumerate())
    reading = Reading(shards=2, most=1, workers=5)
    reading.write(*range(20))
    with closing(reading.follower.blocks(reading.clock())) as blocks:  # type: ignore[type-var]
        next(blocks)

    def fail(_operation: str, _request: dict[str, Any]) -> None:
        raise ServiceError("broken")

    reading.stream.before = fail
    with pytest.raises(ServiceError, match="broken"):
        in_time(lambda: list(reading.follower.blocks(reading.clock())))
    reading.stream.before = lambda _operation, _request: None
    reading.visit()
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_payloads_are_made_in_the_workers_and_finished_there() -> None:
    reading = Reading(shards=2)
    reading.write(*range(4))
    threads = set()

    def convert(changes: Sequence[Change]) -> list[str]:
        threads.add(threading.current_thread())
        return names(changes)

    def finish(blocks: Iterator[Block[Any]]) -> Iterator[Block[Any]]:
        for block in blocks:
            yield replace(block, payload=(len(block.payload), block.count))

    follower = Follower(
        reading.service,
        reading.positions,
        convert,
        clock=reading.clock,
        sleep=reading.clock.sleep,
        finish=finish,
    )
    found = in_time(lambda: list(follower.blocks(reading.clock())))
    assert sum(block.count for block in found) == 4
    assert all(block.payload == (block.count, block.count) for block in found)
    assert all(block.size > 0 for block in found if block.count)
    assert threads
    assert threading.current_thread() not in threads


# What it costs to follow


def test_an_idle_shard_costs_one_call_a_visit() -> None:
    reading = Reading(shards=3, latency=0.001)
    reading.write(*range(9))
    reading.visit()
    reading.calls()
    for _ in range(10):
        assert reading.visit(empties=1) == []
    assert reading.calls() == {"GetRecords": 30}
    reading.write("a")
    assert reading.visit(empties=1) == ["a"]


def test_a_shard_that_was_never_at_its_newest_place_costs_more() -> None:
    reading = Reading()
    reading.stream.gap(EMPTY_ANSWERS - 1)
    reading.write("a")
    assert reading.visit(empties=1) == ["a"]


def test_so_does_one_that_had_more_to_tell_when_the_visit_was_over() -> None:
    reading = Reading()
    reading.clock.now = START + 10
    reading.write("a")  # at the moment that is to be reached
    assert reading.visit() == ["a"]
    reading.stream.gap(EMPTY_ANSWERS - 1)
    reading.write("b")
    reading.clock.now += 5
    assert reading.visit(empties=1) == ["b"]


def test_shards_are_listed_anew_from_time_to_time() -> None:
    reading = Reading()
    reading.visit()
    reading.calls()
    reading.clock.now += LISTING_SECONDS + 1
    reading.visit(empties=1)
    assert reading.calls()["DescribeStream"] >= 1


def test_who_follows_gets_the_children_of_a_shard_at_once() -> None:
    reading = Reading()
    reading.visit()
    for generation in range(10):
        reading.write(f"{generation}, before")
        reading.stream.roll_over(reading.stream.open()[0])
        reading.write(f"{generation}, after")
        assert reading.visit(empties=1) == [f"{generation}, before", f"{generation}, after"]


def test_a_stream_that_is_off_is_not_listed_again_and_again() -> None:
    reading = Reading()
    reading.stream.disable()
    reading.visit()
    assert reading.calls()["DescribeStream"] <= 5 * (MOST_LISTINGS + 2)
    reading.visit(empties=1)
    assert reading.calls() == {}


# Services that say how far behind a read is


class Told:
    """A service that answers from lists: for each shard its answers, the last one again and again."""

    retention = timedelta(days=7)

    def __init__(self, shards: Sequence[Shard], **answers: Sequence[Records | Exception]) -> None:
        self._shards = list(shards)
        self._answers = {name: list(its) for name, its in answers.items()}
        self.asked: list[str] = []

    def __str__(self) -> str:
        return "a scripted stream"

    def shards(self) -> list[Shard]:
        return self._shards

    def children(self, shard: str) -> list[Shard]:
        return [each for each in self._shards if shard in each.parents]

    def iterator(self, shard: str, position: Position) -> str:
        return f"{shard} from {position.sequence}"

    def records(self, shard: str, iterator: str, position: Position) -> Records:
        del iterator, position
        self.asked.append(shard)
        answers = self._answers[shard]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def told(key: int | None = None, behind: float | None = None, order: int = 0) -> Records:
    keys = orjson.dumps(item(key))
    changes = [] if key is None else [Change(None, keys, key)]
    return Records(changes, Position(sequence=str(key or 0), order=order), "next", behind)


def followed(service: Told, **more: Any) -> tuple[list[str], Positions]:
    clock = Clock(START)
    positions = Positions.noted("s", service.shards(), now=START)
    follower = Follower(service, positions, names, clock=clock, sleep=clock.sleep, **more)
    found = in_time(lambda: [key for it in follower.blocks(START) for key in it.payload])
    return found, positions


def test_a_service_that_says_that_nothing_is_left_is_believed_at_once() -> None:
    service = Told([Shard("a")], a=[told(1, behind=5.0), told(2, behind=0.0)])
    found, _ = followed(service)
    assert found == ["1", "2"]
    assert service.asked == ["a", "a"]


def test_and_one_that_says_that_something_is_left_as_well() -> None:
    service = Told([Shard("a")], a=[*[told(behind=3.0)] * (3 * EMPTY_ANSWERS), told(7, behind=0.0)])
    assert followed(service)[0] == ["7"]


def test_a_position_is_taken_over_from_an_empty_answer() -> None:
    service = Told([Shard("a")], a=[told(behind=0.0, order=99)])
    assert followed(service)[1].frontier["a"].order == 99


def test_a_merged_shard_is_read_after_both_that_it_came_from() -> None:
    end = replace(told(1), iterator=None)
    service = Told(
        [Shard("a", open=False), Shard("b", open=False), Shard("c", ("a", "b"))],
        a=[*[told(n) for n in range(1, 50)], end],
        b=[end],
        c=[told(2, behind=0.0)],
    )
    _, positions = followed(service)
    assert service.asked[-1] == "c"
    assert service.asked.count("c") == 1
    assert positions.frontier.keys() == {"c"}


class Listed(Told):
    """A service the listings of which differ; the last one is right."""

    def __init__(self, listings: Sequence[Sequence[Shard]], **answers: Sequence[Records]) -> None:
        super().__init__(listings[-1], **answers)
        self._listings = list(listings)

    def shards(self) -> list[Shard]:
        return list(self._listings.pop(0) if len(self._listings) > 1 else self._listings[0])


ANCESTOR, LEAF, OTHER = Shard("a"), Shard("b", ("a",)), Shard("x")
CHILD, GRANDCHILD = Shard("c", ("b",)), Shard("d", ("c",))

ODD = {
    "what was read, without the one that tells": [[ANCESTOR, OTHER], [ANCESTOR, LEAF, OTHER]],
    "it again and again": [*[[ANCESTOR, OTHER]] * (MOST_LISTINGS - 1), [ANCESTOR, LEAF, OTHER]],
    "no shard at all": [[], [ANCESTOR, LEAF, OTHER]],
}


@pytest.mark.parametrize("listings", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("closed", [False, True])
def test_an_odd_listing_is_not_believed(listings: list[list[Shard]], *, closed: bool) -> None:
    """One who begins with a state knows the frontier alone, and reads nothing again."""
    service = Listed(listings, **{name: [told(1, behind=0.0)] for name in "abcx"})
    frontier = {"b": Position("1", closed=closed), "x": Position("1")}
    positions = Positions(stream="s", begun=START, frontier=frontier)
    clock = Clock(START)
    follower = Follower(service, positions, names, clock=clock, sleep=clock.sleep)
    in_time(lambda: list(follower.blocks(START)))
    assert set(service.asked) == ({"x"} if closed else {"b", "x"})
    assert positions.frontier.keys() == {"b", "x"}


def test_a_shard_whose_parent_is_not_listed_is_not_read_before_it() -> None:
    listings = [[LEAF, GRANDCHILD], [LEAF, CHILD, GRANDCHILD]]
    service = Listed(listings, c=[told(1, behind=0.0)], d=[])
    frontier = {"b": Position("1", closed=True)}
    positions = Positions(stream="s", begun=START, frontier=frontier)
    clock = Clock(START)
    follower = Follower(service, positions, names, clock=clock, sleep=clock.sleep)
    in_time(lambda: list(follower.blocks(START)))
    assert service.asked == ["c"]


def test_a_place_that_the_service_no_longer_knows_is_not_asked_for() -> None:
    """It would begin later, and say nothing."""
    service = Told([Shard("a")], a=[told(1, behind=0.0)])
    positions = Positions.noted("s", service.shards(), now=START - 8 * DAY, since=START - 8 * DAY)
    follower = Follower(service, positions, names, clock=Clock(START))
    with pytest.raises(HistoryLost, match="shard a"):
        in_time(lambda: list(follower.blocks(START)))
    assert service.asked == []


def test_an_expired_iterator_of_any_service_is_got_anew() -> None:
    service = Told([Shard("a")], a=[told(1, 5.0), IteratorExpired("a"), told(2, 0.0)])
    assert followed(service)[0] == ["1", "2"]
