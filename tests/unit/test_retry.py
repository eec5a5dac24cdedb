"""Pauses between tries."""

from __future__ import annotations

from itertools import islice

import pytest

from dynamodb_core.retry import Backoff


def bounds(backoff: Backoff, count: int) -> list[float]:
    bound, found = backoff.first, []
    for _ in range(count):
        found.append(bound)
        bound = min(bound * 2, backoff.limit)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_each_delay_lies_between_half_its_bound_and_its_bound(seed: int) -> None:
    backoff = Backoff(first=0.05, limit=5.0, seed=seed)
    for delay, bound in zip(backoff.delays(), bounds(backoff, 50), strict=False):
        assert bound / 2 <= delay <= bound


def test_delays_grow_to_the_limit_and_stay_there() -> None:
    delays = list(islice(Backoff(first=1.0, limit=4.0, seed=1).delays(), 100))
    assert delays[0] <= 1.0
    assert max(delays) <= 4.0
    assert min(delays[2:]) >= 2.0


def test_a_seed_repeats_the_delays_and_none_does_not() -> None:
    seeded = [list(islice(Backoff(seed=7).delays(), 9)) for _ in range(2)]
    drawn = [list(islice(Backoff().delays(), 9)) for _ in range(2)]
    assert seeded[0] == seeded[1]
    assert drawn[0] != drawn[1]


def test_delays_are_not_in_step() -> None:
    """Workers that were throttled together must not come back together."""
    firsts = {next(Backoff(seed=seed).delays()) for seed in range(50)}
    assert len(firsts) == 50
