"""What units cost, and a purse that is not overdrawn."""

from __future__ import annotations

import threading

import pytest

from dynamodb_core.prices import (
    DATED,
    READ_PER_MILLION,
    WRITE_PER_MILLION,
    CostExceeded,
    Prices,
    Purse,
    money,
)
from tests.engines.scripted import PATIENCE


def test_the_default_prices_say_where_and_when_they_held() -> None:
    prices = Prices.of(None)
    assert prices == Prices(READ_PER_MILLION, WRITE_PER_MILLION, DATED)
    assert 8_000_000 * prices.unit("read") == pytest.approx(1.0)
    assert 8_000_000 * prices.unit("write") == pytest.approx(5.0)


def test_prices_of_the_configuration_are_undated_and_may_be_given_in_part() -> None:
    prices = Prices.of({"write_per_million": 1})
    assert prices == Prices(READ_PER_MILLION, 1.0, "")


def test_jobs_have_prices_by_the_gb() -> None:
    assert (Prices().export_per_gb, Prices().import_per_gb) == (0.10, 0.15)
    prices = Prices.of({"export_per_gb": 1, "import_per_gb": 2.5})
    assert (prices.export_per_gb, prices.import_per_gb, prices.dated) == (1.0, 2.5, "")
    assert prices.unit("read") == Prices().unit("read")


def test_a_purse_gives_no_more_than_is_in_it() -> None:
    purse = Purse(1.0, 0.01)
    purse.take(75.0)
    purse.take(25.0)
    with pytest.raises(CostExceeded, match=r"has cost about 1\.00, .* exceed max_cost, 1\.00"):
        purse.take(1.0)
    assert purse.spent == 1.0


def test_what_a_call_did_not_cost_can_be_spent_again() -> None:
    purse = Purse(1.0, 0.01)
    purse.take(90.0)
    purse.settle(90.0, 10.0)
    purse.take(90.0)
    assert purse.spent == pytest.approx(1.0)


def test_what_a_call_cost_beyond_what_was_expected_is_counted() -> None:
    purse = Purse(1.0, 0.01)
    purse.take(10.0)
    purse.settle(10.0, 150.0)
    with pytest.raises(CostExceeded):
        purse.take(0.0)


def test_several_threads_do_not_overdraw_it() -> None:
    purse = Purse(100.0, 1.0)
    refused = []

    def work() -> None:
        for _ in range(100):
            try:
                purse.take(1.0)
            except CostExceeded:
                refused.append(1)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert purse.spent == 100.0
    assert len(refused) == 700


@pytest.mark.parametrize(
    ("amount", "text"),
    [(1234.5, "1,234.50"), (1, "1.00"), (0.12, "0.12"), (0.000031, "0.000031"), (0.0, "0.00")],
)
def test_money_is_said_in_few_digits(amount: float, text: str) -> None:
    assert money(amount) == text
