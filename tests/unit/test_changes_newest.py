"""The newest write of each key: what is older or came before is left out, and memory is bounded."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from dynamodb_core.changes.newest import Newest, Write, identity
from dynamodb_core.errors import DataError

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND


def write(
    key: str,
    micros: int,
    source: str,
    new: str | None = "x",
    *,
    old: str | None = None,
    event: str = "",
) -> Write:
    images = (None if image is None else image.encode() for image in (old, new))
    return Write(key.encode(), micros, source, event, *images)


def orders(newest: Newest, *writes: Write, shard: str = "s") -> list[int | None]:
    return newest.orders(shard, writes)


def test_a_write_has_its_own_time() -> None:
    assert orders(Newest(), write("a", NOW, "1"), write("a", NOW + 5, "2")) == [NOW, NOW + 5]


def test_an_older_write_of_a_key_is_left_out_and_one_of_another_key_is_not() -> None:
    told = orders(
        Newest(), write("a", NOW, "1"), write("a", NOW - 1, "2"), write("b", NOW - 1, "3")
    )
    assert told == [NOW, None, NOW - 1]


def test_an_older_write_is_left_out_whichever_shard_it_is_in() -> None:
    newest = Newest()
    orders(newest, write("a", NOW, "1"), shard="one")
    assert orders(newest, write("a", NOW - 1, "2"), shard="other") == [None]


def test_the_same_write_again_is_left_out() -> None:
    assert orders(Newest(), write("a", NOW, "1"), write("a", NOW, "2")) == [NOW, None]


def test_a_record_that_is_read_again_passes_as_before() -> None:
    newest = Newest()
    first = write("a", NOW, "1")
    assert orders(newest, first) == orders(newest, first) == [NOW]
    assert orders(newest, first, shard="other") == [None]


def test_an_answer_that_is_read_again_ends_as_before() -> None:
    newest = Newest()
    answer = [
        write("a", NOW, "1", "x"),
        write("a", NOW, "2", "y", old="x"),
        write("b", NOW, "3"),
        write("a", NOW + 1, "4", "z", old="y"),
    ]
    assert orders(newest, *answer) == [NOW, NOW + 1, NOW, NOW + 2]
    assert orders(newest, *answer) == [None, None, NOW, NOW + 2]


def test_writes_of_one_time_are_ordered_as_they_come() -> None:
    told = orders(
        Newest(),
        write("a", NOW, "1", "x"),
        write("a", NOW, "2", "y", old="x"),
        write("a", NOW, "3", None, old="y"),
        write("a", NOW + 1, "4", "z"),
    )
    assert told == [NOW, NOW + 1, NOW + 2, NOW + 3]


@pytest.mark.parametrize("event", ["", "new name"])
def test_of_writes_of_one_time_an_earlier_one_that_comes_again_is_left_out(event: str) -> None:
    first = write("a", NOW, "1", "x", event="e1" if event else "")
    then = write("a", NOW, "2", "y", old="x", event="e2" if event else "")
    again = write("a", NOW, "3", "x", event=event)
    assert orders(Newest(), first, then, again) == [NOW, NOW + 1, None]


def test_of_writes_of_one_time_an_earlier_one_that_comes_late_is_left_out() -> None:
    told = orders(Newest(), write("a", NOW, "1", "y", old="x"), write("a", NOW, "2", "x", old="w"))
    assert told == [NOW, None]


def test_what_goes_back_and_forth_at_one_time_is_told_by_its_events() -> None:
    there, back, again = (
        write("a", NOW, str(n), new, old=old, event=f"e{n}")
        for n, (new, old) in enumerate([("y", "x"), ("x", "y"), ("y", "x")])
    )
    assert orders(Newest(), there, back, again) == [NOW, NOW + 1, NOW + 2]
    newest = Newest()
    orders(newest, there, back)
    assert orders(newest, there._replace(source="9")) == [None]


def test_without_a_name_what_goes_back_is_taken_for_what_came_before() -> None:
    made = write("a", NOW, "1", "x")
    gone = write("a", NOW, "2", None, old="x")
    assert orders(Newest(), made, gone, made._replace(source="3")) == [NOW, NOW + 1, None]
    named = [each._replace(event=f"e{each.source}") for each in (made, gone)]
    again = named[0]._replace(source="3", event="e3")
    assert orders(Newest(), *named, again) == [NOW, NOW + 1, NOW + 2]


def test_keys_are_forgotten_when_their_shard_is_past_the_window() -> None:
    newest = Newest(timedelta(seconds=10))
    for n in range(50_000):
        orders(newest, write(f"k{n}", NOW + n * SECOND // 100, str(n)))
    assert len(newest) <= 4096  # a thousand are within it
    assert orders(newest, write("k49000", NOW, "late")) == [None]


def test_each_shard_has_its_own_time() -> None:
    newest = Newest(timedelta(seconds=10))
    orders(newest, *(write(f"old{n}", NOW, str(n)) for n in range(500)), shard="behind")
    ahead = NOW + 3600 * SECOND
    for n in range(5000):
        orders(newest, write(f"new{n}", ahead + n * SECOND, str(n)), shard="ahead")
    assert orders(newest, write("old0", NOW - 1, "x"), shard="behind") == [None]


def test_the_keys_of_a_shard_that_is_over_grow_old_with_the_others() -> None:
    newest = Newest(timedelta(seconds=10))
    orders(newest, *(write(f"old{n}", NOW, str(n)) for n in range(500)), shard="over")
    newest.end("over")
    for n in range(5000):
        orders(newest, write(f"new{n}", NOW + (20 + n) * SECOND, str(n)), shard="goes on")
    assert orders(newest, write("old0", NOW - 1, "x"), shard="goes on") == [NOW - 1]


def test_of_too_many_keys_those_are_forgotten_that_were_written_first() -> None:
    newest = Newest(most=800)
    orders(newest, write("kept", NOW, "0"))
    for n in range(10_000):
        if n % 100 == 0:
            orders(newest, write("kept", NOW + n, f"kept {n}"))
        orders(newest, write(f"k{n}", NOW, str(n)))
        assert len(newest) <= 801
    assert orders(newest, write("kept", NOW, "x"), write("k9999", NOW - 1, "y")) == [None, None]
    assert orders(newest, write("k1", NOW - 1, "z")) == [NOW - 1]


def test_a_key_that_is_written_again_is_remembered_longer() -> None:
    newest = Newest(most=800)
    orders(newest, write("kept", NOW, "0"), *(write(f"k{n}", NOW, str(n)) for n in range(700)))
    orders(newest, write("kept", NOW + 1, "again"))
    orders(newest, *(write(f"l{n}", NOW, str(n)) for n in range(200)))
    assert len(newest) == 700
    assert orders(newest, write("kept", NOW, "x"), write("k9", NOW - 1, "y")) == [None, NOW - 1]


def test_threads_share_it() -> None:
    newest = Newest(most=2000)
    passed: list[int] = []

    def work(shard: int) -> None:
        for n in range(2000):
            order = newest.orders(str(shard), [write("a", NOW + n, f"{shard}/{n}", str(n))])
            passed.extend(each for each in order if each is not None)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == sorted(set(passed))
    assert max(passed) == NOW + 1999


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"pk":{"S":"a"},"sk":{"N":"1"}}', b'{"sk":{"N":"1.0"},"pk":{"S":"a"}}'),
        (b'{"n":{"N":"100"}}', b'{"n":{"N":"1E+2"}}'),
        (b'{"b":{"B":"AAE="}}', b'{ "b": {"B": "AAE="} }'),
    ],
)
def test_one_key_however_it_is_spelled(one: bytes, other: bytes) -> None:
    assert identity(one) == identity(other)


def test_keys_that_are_not_one() -> None:
    keys = [
        b'{"pk":{"S":"1"}}',
        b'{"pk":{"N":"1"}}',
        b'{"kp":{"S":"1"}}',
        b'{"a":{"S":"x"},"b":{"S":"y"}}',
        b'{"a":{"S":"y"},"b":{"S":"x"}}',
        b'{"a":{"S":"x\\",\\"y"},"b":{"S":""}}'.replace(b'""', b'"z"'),
        b'{"pk":{"B":"AAE="}}',
    ]
    assert len({identity(each) for each in keys}) == len(keys)


@pytest.mark.parametrize(
    "keys", [b"{}", b"[]", b"null", b"{", b'{"a":1}', b'{"a":{}}', b'{"a":{"S":"x","N":"1"}}']
)
def test_what_is_no_key(keys: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        identity(keys)


def test_an_empty_key() -> None:
    with pytest.raises(DataError):
        identity(b'{"a":{"S":""}}')
