"""Windows: chained without gap or overlap, whatever the times of the runs are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.exports.windows import LEAST, MOST, Window, windows

T = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("length", "lengths", "rest"),
    [
        (timedelta(), [], timedelta()),
        (-MINUTE, [], timedelta()),
        (15 * MINUTE - SECOND, [], 15 * MINUTE - SECOND),
        (15 * MINUTE, [15 * MINUTE], timedelta()),
        (24 * 60 * MINUTE, [24 * 60 * MINUTE], timedelta()),
        (24 * 60 * MINUTE + SECOND, [24 * 60 * MINUTE], SECOND),
        ((24 * 60 + 14) * MINUTE, [24 * 60 * MINUTE], 14 * MINUTE),
        ((24 * 60 + 15) * MINUTE, [24 * 60 * MINUTE, 15 * MINUTE], timedelta()),
        (50 * 60 * MINUTE, [24 * 60 * MINUTE, 24 * 60 * MINUTE, 120 * MINUTE], timedelta()),
    ],
)
def test_how_a_length_of_time_is_divided(
    length: timedelta, lengths: list[timedelta], rest: timedelta
) -> None:
    found = windows(T, T + length)
    assert [window.until - window.since for window in found.windows] == lengths
    assert found.rest == rest


def test_an_end_is_a_whole_second_and_the_beginning_is_what_it_was() -> None:
    since = T + timedelta(milliseconds=28)
    first, second = windows(since, T + timedelta(days=1, hours=1, milliseconds=999)).windows
    assert first.since == since
    assert first.until == T + timedelta(days=1)
    assert second == Window(T + timedelta(days=1), T + timedelta(days=1, hours=1))


moments = st.timedeltas(timedelta(), timedelta(days=35))


@given(begins=st.timedeltas(timedelta(), timedelta(seconds=1)), runs=st.lists(moments))
def test_the_windows_of_all_runs_are_one_chain(begins: timedelta, runs: list[timedelta]) -> None:
    start = since = T + begins
    chain: list[Window] = []
    for latest in (T + run for run in sorted(runs)):
        found = windows(since, latest)
        chain += found.windows
        since = chain[-1].until if chain else start
        assert found.rest < LEAST
        assert since <= max(latest, start)
    assert all(one.until == other.since for one, other in pairwise(chain))
    assert all(LEAST <= window.until - window.since <= MOST for window in chain)
    assert all(window.until.microsecond == 0 for window in chain)
    assert not chain or chain[0].since == start
