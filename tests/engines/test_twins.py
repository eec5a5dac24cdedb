from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from demo.compare import compare_tables
from demo.wire import Wire
from tests.engines import twins

if TYPE_CHECKING:
    from collections.abc import Iterator


PAGES = twins.EVERY + 3  # two pages for each kind but the last


@pytest.fixture(scope="module", params=["flat", "nested"])
def service(request: pytest.FixtureRequest) -> Iterator[twins.Twins]:
    with twins.running(request.param, PAGES) as running:
        yield running


def test_the_tables_differ_by_what_was_seeded(service: twins.Twins) -> None:
    a, b = service.twins()
    with contextlib.closing(Wire.of(service)) as wire:
        found = compare_tables(wire, twins.A, wire, twins.B)
        assert (found.source_count, found.target_count) == (a.items, b.items)
        assert {name: wire.describe(name)["ItemCount"] for name in (twins.A, twins.B)} == {
            twins.A: a.items,
            twins.B: b.items,
        }
    kinds = [
        "missing"
        if each.target == "nothing"
        else "extra"
        if each.source == "nothing"
        else "differs"
        for each in found.differences
    ]
    assert {kind: kinds.count(kind) for kind in ("differs", "missing", "extra")} == {
        "differs": 2,
        "missing": 2,
        "extra": 2,
    }
    assert b.found == {"differs": 2, "missing": 2, "extra": 2, "respelled": 1}
    assert {each.path for each in found.differences if each.path} == {"['n']"}


def test_items_are_looked_up_by_their_keys(service: twins.Twins) -> None:
    with contextlib.closing(Wire.of(service)) as wire:
        items = {item["id"]["S"]: item for item in wire.scan(twins.B)}
        wanted = [*list(items)[::1000], "000001-00010", "000043-00000", "000002-99999"]
        request = {"Keys": [{"id": {"S": key}} for key in wanted[-100:]]}
        answer = wire.call("BatchGetItem", {"RequestItems": {twins.B: request}})
    found = {item["id"]["S"]: item for item in answer["Responses"][twins.B]}
    assert found == {key: items[key] for key in wanted[-100:] if key in items}
    assert {"000001-00010", "000043-00000", "000002-99999"} - found.keys() == {
        "000001-00010",  # it is missing in B
        "000043-00000",  # there is no such page
    }
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 0.5 * len(wanted[-100:])
    assert json.dumps(answer["UnprocessedKeys"]) == "{}"


def test_disjoint_tables_have_no_key_in_common() -> None:
    with (
        twins.running("flat", 2, disjoint=True) as service,
        contextlib.closing(Wire.of(service)) as wire,
    ):
        a, b = ({item["id"]["S"] for item in wire.scan(name)} for name in (twins.A, twins.B))
        assert len(a) == len(b) == service.twins()[1].items
        assert not a & b
