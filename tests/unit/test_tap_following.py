"""The setting `changes`: what it says, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core.errors import ConfigError
from tap_dynamodb.following import REFUSED, Following
from tap_dynamodb.settings import Settings

CONNECTION = {"aws_region": "eu-west-1"}


@pytest.mark.parametrize("given", [None, {}, {"snapshot": None, "max_records": None}])
def test_left_out_and_null_are_the_defaults(given: dict[str, Any] | None) -> None:
    assert Following.of(given) == Following()
    assert Following().snapshot == "auto"


@pytest.mark.parametrize(
    "given",
    [
        {"snapshot": "none", "start": "oldest"},
        {"snapshot": "none", "start": "latest"},
        {"snapshot": "none", "follow": True},
        {"snapshot": "only", "max_seconds": 60},
        {"follow": True, "max_records": 5},
        {"enable_stream": True, "old_image": True, "fetch": True},
    ],
    ids=str,
)
def test_what_fits_together_is_taken_as_it_is(given: dict[str, Any]) -> None:
    found = Following.of(given)
    assert {name: getattr(found, name) for name in given} == given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"start": "oldest"}, "start oldest, and a snapshot"),
        ({"snapshot": "only", "start": "latest"}, "start latest, and a snapshot"),
        ({"follow": True, "max_seconds": 60}, "never ends, and max_seconds"),
        ({"follow": True, "snapshot": "only"}, "snapshot only, which follows nothing"),
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        Following.of(given)
    assert refused.value.hint


SOME = {
    "index": "by_n",
    "query": {"id": "a"},
    "filter": {"expression": "n > :n", "values": {":n": 1}},
    "replication_key": "n",
    "segment_range": "0-1",
    "warm_up": {"method": "on_demand"},
}


def test_every_refused_setting_is_tried() -> None:
    assert SOME.keys() == {*REFUSED}


@pytest.mark.parametrize("name", REFUSED)
def test_a_part_of_a_table_cannot_be_followed(name: str) -> None:
    alone = {"segments": 4} if name == "segment_range" else {}
    config = {**CONNECTION, **alone, "table_options": {"t": {name: SOME[name]}}}
    settings = Settings.from_config(config)
    Following().check(settings, "other")
    with pytest.raises(ConfigError, match=f"{name} is set for table t, whose") as refused:
        Following().check(settings.for_table("t"), "t")
    assert name in (refused.value.hint or "")
