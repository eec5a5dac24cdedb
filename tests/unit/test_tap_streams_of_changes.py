"""A stream that is followed: its columns, when workers have decided otherwise than the stream."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamodb.pages import Page, PageConverter
from tests.engines.scanned import Account, ScannedTable
from tests.engines.scripted import Clock
from tests.engines.shards import ScriptedStream
from tests.engines.tap import NEVER, Output, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BOTH_ROADS = pytest.mark.parametrize("limit", [None, NEVER], ids=["fast road", "the SDK's road"])
BOTH_WAYS = pytest.mark.parametrize("name", ["__call__", "changes"], ids=["snapshot", "changes"])
VALUES: list[dict[str, Any]] = [
    *({"S": "x"}, {"N": "1"}, {"B": "AA=="}, {"BOOL": True}),
    *({"L": []}, {"M": {}}, {"SS": ["a"]}, {"NS": ["1"]}),
]
AT_ONCE = len(VALUES)
NOW = 1_790_000_000.0


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let workers render a page each before the first of them is fitted to the columns."""
    monkeypatch.setattr("tap_dynamodb.change_run.choose_workers", lambda: AT_ONCE)

    def hold(name: str) -> None:
        barrier, convert = threading.Barrier(AT_ONCE, timeout=10), getattr(PageConverter, name)

        def converted(converter: PageConverter, some: Sequence[Any]) -> Page:
            page: Page = convert(converter, some)
            if some:
                barrier.wait()
            return page

        monkeypatch.setattr(PageConverter, name, converted)

    return hold


def followed(name: str, limit: int | None) -> Output:
    """Follow a table, one item a page or a shard; each has an attribute `v` of another type."""
    clock = Clock(NOW)
    stream = ScriptedStream("t", clock=clock, sleep=clock.sleep, latency=0.01, shards=AT_ONCE)
    keys: dict[str, str] = {}
    number = 0
    while len(keys) < AT_ONCE:
        keys.setdefault(stream.shard_of({"id": {"S": f"i{number}"}}), f"i{number}")
        number += 1
    items = [{"id": {"S": key}, "v": v} for key, v in zip(keys.values(), VALUES, strict=True)]
    if name == "changes":
        for item in items:
            stream.put({**item, "w": {"S": "before"}})
        clock.sleep(3600)
        for item in items:
            stream.put(item)
    more = {
        "LatestStreamArn": stream.arn,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": stream.view},
    }
    account = Account({"t": ScannedTable(items, more=more)})
    snapshot = {"snapshot": "none"} if name == "changes" else {}
    return sync(
        account.wire,
        {
            "tables": ["t"],
            "sample_size": 0,
            "replication_method": "LOG_BASED",
            "segments": AT_ONCE,
            "scan_workers": AT_ONCE,
            "changes": {"old_image": True, **snapshot},
        },
        limit=limit,
        own={
            "clock": clock,
            "wait": lambda _tap, seconds: clock.sleep(seconds),
            "wire_to": lambda _tap, _service: stream,
        },
    )


@BOTH_ROADS
@BOTH_WAYS
def test_what_is_rendered_again_says_of_a_change_what_it_said(
    together: Callable[[str], None], name: str, limit: int | None
) -> None:
    together(name)
    output = followed(name, limit)
    output.check()
    records = output.records()
    assert len(records) == AT_ONCE
    assert sum("v" in record for record in records) == 1
    assert sum("v" in record["_dynamodb"]["rest"] for record in records if "v" not in record) == 7
    for record in records:
        assert record["_sdc_deleted_at"] is None
        if name == "changes":
            assert record["_sdc_sequence"] == (NOW + 3600) * 1e6
            assert record["_sdc_old_image"]["w"] == "before"
    assert len({record["_sdc_sequence"] for record in records}) == 1
