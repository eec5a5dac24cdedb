from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dynamodb_core.expired import FIVE_YEARS, Expiry

NOW = 1_790_000_000


def living(*values: Any) -> list[Any]:
    """Return the values of the TTL attribute whose items live on."""
    raws = [
        msgspec.Raw(msgspec.json.encode({"ttl": v} if v else {"id": {"S": "x"}})) for v in values
    ]
    kept = Expiry("ttl", now=lambda: NOW + 0.9).living(raws)
    return [value for value, raw in zip(values, raws, strict=True) if raw in kept]


@pytest.mark.parametrize("past", [NOW, NOW - 1, NOW - FIVE_YEARS, f"{NOW - 1}.5", "1.7E+9"])
def test_a_number_in_the_past_has_expired(past: Any) -> None:
    assert living({"N": str(past)}) == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"N": str(NOW + 1)},
        {"N": str(NOW * 1000)},
        {"N": "9E+125"},
        {"S": str(NOW - 1)},
        {"S": "2020-01-01"},
        {"NULL": True},
        {"L": [{"N": "1"}]},
        {"NS": ["1"]},
        {"M": {"N": {"N": "1"}}},
        {"BOOL": True},
    ],
)
def test_missing_and_odd_values_live(value: Any) -> None:
    assert living(value) == [value]


@pytest.mark.parametrize("value", ["0", "-1", str(NOW - FIVE_YEARS - 1)])
def test_what_lies_over_five_years_back_lives_as_dynamodb_does_not_delete_it(value: str) -> None:
    assert living({"N": value}) == [{"N": value}]


def test_the_others_keep_their_order() -> None:
    values = [{"N": str(NOW + 3)}, {"N": "1789999999"}, {"N": str(NOW + 1)}, None]
    assert living(*values) == [values[0], values[2], values[3]]
