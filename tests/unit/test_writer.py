"""The writer against a scripted wire; every interleaving is made by hand."""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.budgets import Budgets
from dynamodb_core.errors import AccessError, CorruptReply, DataError, ServiceError
from dynamodb_core.progress import Progress
from dynamodb_core.retry import Backoff
from dynamodb_core.table import Key, Table
from dynamodb_core.throttling import Throttle
from dynamodb_core.writer import Writer
from tests.engines.scripted import (
    PATIENCE,
    Answer,
    Clock,
    ScriptedTable,
    ScriptedWire,
    in_time,
    in_turn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORT = 0.3
"""Seconds that something wrong is given to happen; nothing right waits for them to pass."""

STRING = Table("t", "", "", Key(("id",), ("S",)))
TWO_PARTS = Table("t", "", "", Key(("pk", "sk"), ("S", "N")))


class Run:
    """A writer over a scripted wire, with no pauses unless a test makes them."""

    def __init__(
        self,
        answer: Callable[[str, dict[str, Any]], Answer],
        *,
        table: Table = STRING,
        workers: int = 2,
        budgets: Budgets | None = None,
        sleep: Callable[[float], object] = lambda _seconds: None,
    ) -> None:
        self.wire = ScriptedWire(answer)
        self.progress = Progress("t")
        budgets = budgets or Budgets(None)
        self.wire.watch(table.name, budgets.throttled)
        for budget in budgets.all:
            self.progress.follow("t", budget)
        self.pauses: list[float] = []
        self.table = table

        def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            sleep(seconds)

        self.writer = Writer(
            self.wire,
            table,
            budgets=budgets,
            progress=self.progress,
            workers=workers,
            backoff=Backoff(seed=1),
            sleep=pause,
        )

    def put(self, key: str, value: str = "") -> None:
        self.put_item({"id": {"S": key}, "v": {"S": value}})

    def put_item(self, item: dict[str, Any]) -> None:
        self.writer.put(self.table.key.identity(item), orjson.dumps(item))

    def puts(self, *numbers: int) -> None:
        for number in range(*numbers):
            self.put(f"k{number}")

    def sent(self) -> list[list[str]]:
        """The keys of each request, in the order of the requests."""
        return [
            [_item(write)["id"]["S"] for write in call.request["RequestItems"]["t"]]
            for call in list(self.wire.calls)
        ]

    def values_sent(self, key: str) -> list[str]:
        return [
            _item(write)["v"]["S"]
            for call in list(self.wire.calls)
            for write in call.request["RequestItems"]["t"]
            if _item(write)["id"]["S"] == key
        ]


def _item(write: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = write["PutRequest"]["Item"]
    return item


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    made: list[Run] = []

    def make(*arguments: Any, **keywords: Any) -> Run:
        made.append(Run(*arguments, **keywords))
        return made[-1]

    yield make
    for one in made:
        one.writer.close()


def unprocessed(request: dict[str, Any], *keys: str) -> Answer:
    """Hand back the writes of some keys, or of all when none is named."""
    writes = request["RequestItems"]["t"]
    back = [write for write in writes if not keys or _item(write)["id"]["S"] in keys]
    return {"UnprocessedItems": {"t": back} if back else {}}


def refusal(code: str = "ValidationException") -> ServiceError:
    return ServiceError("the item is too odd", "Run again", code=code)


# Acknowledged before flush returns


def test_flush_waits_for_the_answer_and_not_only_for_the_call(run: Callable[..., Run]) -> None:
    called, go_on, events = threading.Event(), threading.Event(), []

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        go_on.wait(PATIENCE)
        events.append("answered")
        return {}

    one = run(answer)
    one.put("a")

    def flush() -> None:
        one.writer.flush()
        events.append("flushed")

    flusher = threading.Thread(target=flush)
    flusher.start()
    assert called.wait(PATIENCE)
    flusher.join(SHORT)
    go_on.set()
    flusher.join(PATIENCE)
    assert events == ["answered", "flushed"]


def test_flush_without_writes_returns_and_calls_nothing(run: Callable[..., Run]) -> None:
    one = run(in_turn({}))
    in_time(one.writer.flush)
    assert one.wire.calls == []


def test_everything_is_written_in_full_requests(run: Callable[..., Run]) -> None:
    table = ScriptedTable("t", (("id", "S"),))
    one = run(table, workers=4)
    one.puts(1000)
    in_time(one.writer.flush)
    assert len(table.items) == 1000
    assert table.violations == []
    assert table.requests < 60  # 40 are full ones; single writes would be 1000
    assert one.progress.items == 1000


def test_several_flushes_each_see_everything_before_them(run: Callable[..., Run]) -> None:
    table = ScriptedTable("t", (("id", "S"),), kept=0.5)
    one = run(table)
    for part in range(5):
        one.puts(part * 30, part * 30 + 30)
        in_time(one.writer.flush)
        assert len(table.items) == part * 30 + 30


def test_a_single_write_goes_out_without_a_flush(run: Callable[..., Run]) -> None:
    """Else the last items before a quiet hour would wait that hour."""
    written = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        written.set()
        return {}

    one = run(answer)
    one.put("a")
    assert written.wait(PATIENCE)


def test_writes_wait_a_moment_for_company(run: Callable[..., Run]) -> None:
    one = run(in_turn({}), workers=8)
    one.puts(10)
    in_time(one.writer.flush)
    assert len(one.sent()) == 1


# Trap 1: partial success


def test_unprocessed_writes_are_sent_until_none_is_left(run: Callable[..., Run]) -> None:
    times = iter(range(100))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        return unprocessed(request) if next(times) < 12 else {"UnprocessedItems": {}}

    one = run(answer, workers=1)
    one.puts(3)
    in_time(one.writer.flush)
    assert one.sent() == [["k0", "k1", "k2"]] * 13
    assert one.progress.items == 3
    assert one.progress.throttles == 36


def test_pauses_between_partial_successes_grow(run: Callable[..., Run]) -> None:
    times = iter(range(100))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        return unprocessed(request) if next(times) < 8 else {}

    one = run(answer, workers=1)
    one.put("a")
    in_time(one.writer.flush)
    assert len(one.pauses) == 8
    assert one.pauses[0] <= 0.05
    assert 2.5 <= one.pauses[7] <= 5.0


REASON = Throttle("TableWriteProvisionedThroughputExceeded", "arn:aws:dynamodb:r:1:table/t")


@pytest.mark.parametrize(
    ("reasons", "beside"),
    [([REASON], [f"k{number}" for number in range(25, 48)]), ([], []), ([Throttle()], [])],
    ids=["the reason was heard", "no reason was heard", "an engine without reasons"],
)
def test_only_what_came_back_is_sent_again_and_with_others_once_the_reason_is_known(
    run: Callable[..., Run], reasons: list[Throttle], beside: list[str]
) -> None:
    """An answer has no reason; the refusal of a request that cannot go through at all has one."""
    first = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if first.is_set():
            return {}
        first.set()
        return unprocessed(request, "k3", "k7")

    resting, go_on = threading.Event(), threading.Event()

    def rest(_seconds: float) -> None:
        resting.set()
        go_on.wait(PATIENCE)

    one = run(answer, workers=1, sleep=rest)
    for reason in reasons:
        one.wire.throttle("t", reason)
    one.puts(25)
    assert resting.wait(PATIENCE)
    one.puts(25, 60)
    go_on.set()
    in_time(one.writer.flush)
    again = one.sent()[1]
    assert again == ["k3", "k7", *beside]
    assert sorted(key for keys in one.sent()[1:] for key in keys) == sorted(
        ["k3", "k7", *(f"k{number}" for number in range(25, 60))]
    )


# Trap 3: the order of the writes to one key


def test_a_newer_write_waits_while_the_older_one_is_on_its_way(run: Callable[..., Run]) -> None:
    """The older write comes back unprocessed, and its worker rests; others must not pass it by."""
    resting, go_on, second = threading.Event(), threading.Event(), threading.Event()
    calls = iter(range(100))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        number = next(calls)
        if number == 0:
            return unprocessed(request, "k0")
        second.set()
        return {}

    def rest(_seconds: float) -> None:
        resting.set()
        go_on.wait(PATIENCE)

    one = run(answer, workers=4, sleep=rest)
    one.put("k0", "old")
    one.puts(1, 25)
    assert resting.wait(PATIENCE)
    one.put("k0", "new")
    one.puts(100, 124)
    assert second.wait(PATIENCE)  # a free worker took the others
    assert "k0" not in one.sent()[1]
    go_on.set()
    in_time(one.writer.flush)
    assert one.values_sent("k0") == ["old", "old", "new"]


def test_an_older_write_that_comes_back_is_dropped_for_a_newer_one(run: Callable[..., Run]) -> None:
    called, go_on = threading.Event(), threading.Event()
    calls = iter(range(100))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if next(calls) > 0:
            return {}
        called.set()
        go_on.wait(PATIENCE)
        return unprocessed(request)

    one = run(answer, workers=4)
    one.put("a", "old")
    one.puts(24)
    assert called.wait(PATIENCE)
    one.put("a", "new")
    go_on.set()
    in_time(one.writer.flush)
    assert one.values_sent("a") == ["old", "new"]


def test_of_waiting_writes_to_one_key_only_the_last_is_sent(run: Callable[..., Run]) -> None:
    called, go_on = threading.Event(), threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        go_on.wait(PATIENCE)
        return {}

    one = run(answer, workers=1)
    one.puts(25)
    assert called.wait(PATIENCE)
    for version in range(10):
        one.put("a", str(version))
    go_on.set()
    in_time(one.writer.flush)
    assert one.values_sent("a") == ["9"]


def test_a_deletion_is_a_write_like_any_other(run: Callable[..., Run]) -> None:
    table = ScriptedTable("t", (("id", "S"),), kept=0.6, seed=3)
    one = run(table)
    key = STRING.key.identity({"id": {"S": "k1"}})
    one.puts(3)
    in_time(one.writer.flush)
    one.put("k1", "newer")
    one.writer.delete(key, b'{"id":{"S":"k1"}}')
    in_time(one.writer.flush)
    assert {item["id"]["S"] for item in table.items.values()} == {"k0", "k2"}
    one.writer.delete(key, b'{"id":{"S":"k1"}}')
    one.put("k1", "newest")
    in_time(one.writer.flush)
    assert table.items[table.identity({"id": {"S": "k1"}})]["v"] == {"S": "newest"}


# The limits of a request and of memory


def test_requests_stay_below_16_mb(run: Callable[..., Run]) -> None:
    table = ScriptedTable("t", (("id", "S"),), kept=0.7, seed=1)
    one = run(table, workers=2)
    for number in range(50):
        one.put(f"k{number}", "x" * 700_000)
    in_time(one.writer.flush)
    assert len(table.items) == 50
    assert table.violations == []


def test_bytes_are_sent_as_they_were_given(run: Callable[..., Run]) -> None:
    """Numbers of 38 digits, and text that a JSON library would write otherwise."""
    item = b'{"id":{"S":"a"},"n":{"N":"1.00000000000000000000000000000000000001E+10"},"t":{"S":"\\u00e9\xc3\xa9"}}'
    one = run(in_turn({}))
    one.writer.put(STRING.key.identity({"id": {"S": "a"}}), item)
    in_time(one.writer.flush)
    assert item in one.wire.calls[0].body


def filling(one: Run, value: str) -> tuple[threading.Thread, list[int]]:
    handed_over: list[int] = []

    def fill() -> None:
        with contextlib.suppress(RuntimeError):  # the test is over, and has closed the writer
            for number in range(2000):
                one.put(f"k{number}", value)
                handed_over.append(number)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    return thread, handed_over


@pytest.mark.parametrize(
    ("size", "most"),
    [
        (1, 2 * 25 + 2 * 2 * 25),  # on their way, and waiting
        (4_000_000, 2 * 3 + 8),  # 3 in each request of 16 MB, and 32 MB waiting
    ],
)
def test_a_slow_table_slows_the_one_who_puts(run: Callable[..., Run], size: int, most: int) -> None:
    """What waits is bounded, in number and in bytes, however long the table takes."""
    go_on = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        go_on.wait(PATIENCE)
        return {}

    one = run(answer, workers=2)
    filler, handed_over = filling(one, "x" * size)
    filler.join(2 * SHORT)
    assert 0 < len(handed_over) <= most
    one.writer.close()
    go_on.set()
    filler.join(PATIENCE)


def test_the_one_who_puts_is_woken_for_many_writes_at_once(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Woken for each request, it and the workers would wake each other for every 25 writes."""
    monkeypatch.setattr("dynamodb_core.writer.LINGER_SECONDS", 60.0)
    monkeypatch.setattr("dynamodb_core.workers.LOOK_UP_SECONDS", 60.0)
    called, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.release()
        go_on.acquire(timeout=6 * PATIENCE)
        return {}

    one = run(answer, workers=2)
    filler, handed_over = filling(one, "x")

    def asleep() -> bool:
        return one.writer._room_below < sys.maxsize and len(one.writer._waiting) > 50

    def wait_until(reached: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not reached() and time.monotonic() < end:
            filler.join(0.01)

    for _ in range(2):
        assert called.acquire(timeout=PATIENCE)
    wait_until(asleep)
    before = len(handed_over)
    while len(one.writer._waiting) > 75:  # when 25 of them are taken, more than half are left
        go_on.release()
        assert called.acquire(timeout=PATIENCE)
        filler.join(SHORT)
        assert asleep()
    assert len(handed_over) == before
    go_on.release()
    assert called.acquire(timeout=PATIENCE)
    wait_until(lambda: len(handed_over) == before + 50)
    wait_until(asleep)
    assert len(handed_over) == before + 50
    one.writer.close()
    go_on.release(10)
    filler.join(PATIENCE)


def test_a_full_request_goes_out_at_once(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynamodb_core.writer.LINGER_SECONDS", 60.0)
    called = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        return {}

    one = run(answer, workers=4)
    one.put("a")
    in_time(one.writer.flush)
    end = time.monotonic() + PATIENCE
    while one.writer._at_work and time.monotonic() < end:
        called.wait(0.01)
    called.clear()
    one.puts(25)
    assert called.wait(PATIENCE)


def test_company_is_waited_for_since_the_last_request(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many idle workers one always has just waited long enough; it would take a single write."""
    monkeypatch.setattr("dynamodb_core.writer.LINGER_SECONDS", 0.01)
    called = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        return {}

    one = run(answer, workers=8)
    one.writer._taken_at = math.inf
    one.put("a")
    assert not called.wait(SHORT)
    one.writer._taken_at = -math.inf
    assert called.wait(PATIENCE)


def test_a_write_that_replaces_another_takes_no_more_room_than_it_needs(
    run: Callable[..., Run],
) -> None:
    called, go_on = threading.Event(), threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        go_on.wait(PATIENCE)
        return {}

    one = run(answer, workers=1)
    one.puts(25)
    assert called.wait(PATIENCE)
    for version in range(50):
        in_time(functools.partial(one.put, "a", str(version % 10) * 1_000_000))
    one.put("a", "small")
    go_on.set()
    in_time(one.writer.flush)
    assert one.values_sent("a") == ["small"]


def test_the_one_who_puts_goes_on_when_there_is_room_again(run: Callable[..., Run]) -> None:
    go_on = threading.Event()
    table = ScriptedTable("t", (("id", "S"),))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        go_on.wait(PATIENCE)
        return table(operation, request)

    one = run(answer, workers=2)
    filler, _ = filling(one, "x")
    filler.join(SHORT)
    assert filler.is_alive()
    go_on.set()
    filler.join(PATIENCE)
    assert not filler.is_alive()
    in_time(one.writer.flush)
    assert len(table.items) == 2000


def test_idle_workers_rest_while_one_waits_for_its_answer(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush once let them wake each other: a whole CPU for as long as DynamoDB took."""
    called, go_on = threading.Event(), threading.Event()
    wakes: list[int] = []

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        go_on.wait(PATIENCE)
        return {}

    one = run(answer, workers=8)
    idle = one.writer._work_there
    notify = idle.notify

    def counted(n: int = 1) -> None:
        wakes.append(n)
        notify(n)

    monkeypatch.setattr(idle, "notify", counted)
    one.put("a")
    flusher = threading.Thread(target=one.writer.flush)
    flusher.start()
    assert called.wait(PATIENCE)
    flusher.join(SHORT)
    go_on.set()
    flusher.join(PATIENCE)
    assert len(wakes) == 1  # by the flush


# Refusals and failures


def refuse_marked(operation: str, request: dict[str, Any]) -> Answer:
    if any(_item(write)["v"]["S"] == "odd" for write in request["RequestItems"]["t"]):
        raise refusal()
    return {}


def test_a_refused_request_is_split_until_the_culprit_is_named(run: Callable[..., Run]) -> None:
    table = ScriptedTable("t", (("id", "S"),))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        refuse_marked(operation, request)
        return table(operation, request)

    one = run(answer, workers=1)
    for number in range(25):
        one.put(f"k{number}", "odd" if number in (7, 20) else "plain")
    with pytest.raises(DataError, match=r"item with key k7 .* table t: the item is too odd"):
        in_time(one.writer.flush)
    assert len(table.items) == 23  # the innocent ones, before and after the culprits
    assert one.progress.items == 23


def test_the_culprit_is_named_by_all_parts_of_its_key(run: Callable[..., Run]) -> None:
    one = run(in_turn(refusal()), table=TWO_PARTS)
    one.put_item({"pk": {"S": "anna"}, "sk": {"N": "12"}})
    with pytest.raises(DataError, match="key anna/12 "):
        in_time(one.writer.flush)


def test_writes_handed_back_while_a_request_is_split_are_sent_again(
    run: Callable[..., Run],
) -> None:
    """DynamoDB refuses two items together that it takes one by one, and throttles one of these."""
    throttled = iter([True])

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if len(request["RequestItems"]["t"]) > 1:
            raise refusal()
        return unprocessed(request) if next(throttled, False) else {}

    one = run(answer, workers=1)
    one.puts(3)
    in_time(one.writer.flush)
    assert one.sent() == [["k0", "k1", "k2"], ["k0"], ["k1"], ["k2"], ["k0"]]
    assert one.progress.items == 3


@pytest.mark.parametrize(
    "failure",
    [
        refusal("ThrottlingException"),
        AccessError("BatchWriteItem is refused"),
        MemoryError("a defect"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_failure_surfaces_at_flush_and_at_every_call_after_it(
    run: Callable[..., Run], failure: BaseException
) -> None:
    one = run(in_turn({}, failure))
    one.put("a")
    in_time(one.writer.flush)
    one.put("b")
    for call in (one.writer.flush, lambda: one.put("c"), one.writer.flush):
        with pytest.raises(type(failure)):
            in_time(call)
    assert one.progress.items == 1  # what was acknowledged stays
    assert one.sent() == [["a"], ["b"]]  # and nothing more is written


def test_a_failure_surfaces_at_a_put_that_waits_for_room(run: Callable[..., Run]) -> None:
    go_on = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        go_on.wait(PATIENCE)
        raise refusal("InternalServerError")

    one = run(answer, workers=1)

    def fill() -> None:
        for number in range(1000):
            if number == 70:  # 25 are on their way, and 5 more have room
                go_on.set()
            one.put(f"k{number}")

    with pytest.raises(ServiceError, match="too odd"):
        in_time(fill)


def test_a_failure_stops_the_workers_that_rest(run: Callable[..., Run]) -> None:
    resting, go_on = threading.Event(), threading.Event()
    calls = iter(range(100))

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if next(calls) == 0:
            return unprocessed(request)
        raise refusal("InternalServerError")

    def rest(_seconds: float) -> None:
        resting.set()
        go_on.wait(PATIENCE)

    one = run(answer, workers=2, sleep=rest)
    one.puts(25)
    assert resting.wait(PATIENCE)
    one.puts(25, 50)
    with pytest.raises(ServiceError):
        in_time(one.writer.flush)
    go_on.set()
    for thread in one.writer._threads:
        thread.join(PATIENCE)
    assert len(one.sent()) == 2


@pytest.mark.parametrize(
    "returned",
    [
        [
            {"PutRequest": {"Item": {"id": {"S": "a"}}}},
            {"PutRequest": {"Item": {"id": {"S": "z"}}}},
        ],
        [{"PutRequest": {"Item": {"id": {"S": "z"}}}}],
        [
            {"PutRequest": {"Item": {"id": {"S": "a"}}}},
            {"PutRequest": {"Item": {"id": {"S": "a"}}}},
        ],
    ],
    ids=["more", "another", "twice"],
)
def test_unprocessed_writes_that_nobody_asked_for_are_an_error(
    run: Callable[..., Run], returned: list[Any]
) -> None:
    one = run(in_turn({"UnprocessedItems": {"t": returned}}))
    one.put("a")
    with pytest.raises(ServiceError, match="unprocessed writes, of which"):
        in_time(one.writer.flush)


def test_unprocessed_writes_are_known_by_value_and_not_by_spelling(
    run: Callable[..., Run],
) -> None:
    """DynamoDB may hand a numeric key back in another spelling."""
    back = [{"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"N": "100"}}}}]
    one = run(in_turn({"UnprocessedItems": {"t": back}}, {}), table=TWO_PARTS)
    one.put_item({"pk": {"S": "a"}, "sk": {"N": "1e2"}, "v": {"S": "kept"}})
    in_time(one.writer.flush)
    first, second = one.wire.calls
    assert first.body == second.body


@pytest.mark.parametrize("reply", [b"{broken}", b"{}{}", b""])
def test_an_answer_that_is_no_json_is_an_error(run: Callable[..., Run], reply: bytes) -> None:
    one = run(in_turn(reply))
    one.put("a")
    with pytest.raises(CorruptReply, match="BatchWriteItem on table t"):
        in_time(one.writer.flush)


# The end


def test_close_is_harmless_before_the_first_write_and_twice(run: Callable[..., Run]) -> None:
    one = run(in_turn({}))
    in_time(one.writer.close)
    in_time(one.writer.close)
    assert one.wire.calls == []


def test_close_does_not_wait_for_a_call_and_lets_the_threads_end_after_it(
    run: Callable[..., Run],
) -> None:
    called, go_on = threading.Event(), threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        go_on.wait(PATIENCE)
        return unprocessed(request)

    one = run(answer, workers=2)
    one.puts(25)
    assert called.wait(PATIENCE)
    in_time(one.writer.close)
    go_on.set()
    for thread in one.writer._threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert len(one.sent()) == 1  # what came back is abandoned


def test_threads_do_not_keep_the_process_alive(run: Callable[..., Run]) -> None:
    one = run(in_turn({}), workers=3)
    one.put("a")
    assert [thread.daemon for thread in one.writer._threads] == [True] * 3


def test_a_closed_writer_says_so_instead_of_waiting_for_ever(run: Callable[..., Run]) -> None:
    go_on = threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        go_on.wait(PATIENCE)
        return {}

    one = run(answer, workers=1)
    one.puts(60)
    one.writer.close()
    with pytest.raises(RuntimeError, match="writer of table t is closed"):
        in_time(one.writer.flush)
    with pytest.raises(RuntimeError, match="writer of table t is closed"):
        in_time(lambda: one.puts(60, 200))
    go_on.set()


def test_close_ends_a_flush_that_waits(run: Callable[..., Run]) -> None:
    called, go_on = threading.Event(), threading.Event()

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        called.set()
        go_on.wait(PATIENCE)
        return {}

    one = run(answer, workers=1)
    one.put("a")

    def close() -> None:
        called.wait(PATIENCE)
        one.writer.close()

    closer = threading.Thread(target=close)
    closer.start()
    with pytest.raises(RuntimeError, match="closed"):
        in_time(one.writer.flush)
    closer.join(PATIENCE)
    go_on.set()


# Capacity and progress


@pytest.mark.parametrize(
    "consumed",
    [
        [{"TableName": "t", "CapacityUnits": 7.0}],
        [{"TableName": "t", "CapacityUnits": 9.0, "Table": {"CapacityUnits": 7.0}}],
    ],
    ids=["total", "with indexes"],
)
def test_the_budget_is_billed_what_the_table_consumed(
    run: Callable[..., Run], consumed: list[Any]
) -> None:
    clock = Clock()
    budgets = Budgets(1.0, clock=clock, sleep=clock.sleep)
    one = run(in_turn({"ConsumedCapacity": consumed}), workers=1, budgets=budgets)
    for key in "abc":
        one.put(key)
        in_time(one.writer.flush)
    assert one.progress.units == 21.0
    # The third call waited until the units of the first two were repaid.
    assert sum(clock.slept) == pytest.approx(14.0)


def test_a_failed_call_costs_nothing(run: Callable[..., Run]) -> None:
    clock = Clock()
    budgets = Budgets(1.0, clock=clock, sleep=clock.sleep)
    one = run(in_turn(refusal("InternalServerError")), workers=1, budgets=budgets)
    one.put("a", "x" * 50_000)
    with pytest.raises(ServiceError):
        in_time(one.writer.flush)
    budgets.wait(1.0)
    assert clock.slept == []


def test_progress_counts_acknowledged_items_and_their_bytes(run: Callable[..., Run]) -> None:
    table = ScriptedTable("t", (("id", "S"),), kept=0.5, seed=2)
    one = run(table, workers=1)
    for number in range(40):
        one.put(f"{number:03}", "x" * 1000)
    in_time(one.writer.flush)
    assert one.progress.items == 40
    assert one.progress.throttles == table.handed_back > 0
    assert one.progress.size == pytest.approx(40 * 1060, rel=0.02)
    assert one.progress.units > 40  # the table's own; handed-back writes cost here as well
