"""A scan that is killed anywhere and goes on from its last STATE skips nothing and repeats nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.scan import shuffled
from tap_dynamodb import read_loop
from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import NEVER, Message, Output, sync

sizes = st.integers(0, 7)
tables = st.builds(
    lambda count, page: ScannedTable([{"id": {"S": str(n)}} for n in range(count)], page=page),
    sizes,
    st.integers(1, 3),
)
accounts = st.dictionaries(st.sampled_from(("a", "b")), tables, min_size=1)
configs = st.fixed_dictionaries(
    {
        "tables": st.just(["*"]),
        "item_format": st.sampled_from(("plain", "dynamodb_json")),
        "segments": st.integers(1, 4),
        "scan_workers": st.integers(1, 4),
        "emit_activate_version_messages": st.booleans(),
    }
)
limits = st.sampled_from((None, NEVER))
Item = tuple[str, str]


def run(account: Account, config: dict[str, Any], limit: int | None, **more: Any) -> Output:
    """Run the tap with a STATE after every block."""
    account.wire.calls.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_loop, "STATE_SECONDS", 0)
        return sync(account.wire, config, limit=limit, **more)


def items(messages: list[Message]) -> list[Item]:
    return [(m["stream"], m["record"]["id"]) for m in messages if m["type"] == "RECORD"]


def everything(account: Account) -> list[Item]:
    return sorted((name, i["id"]["S"]) for name, t in account.tables.items() for i in t.items)


def scans(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the unfinished scans of a state by stream."""
    return {
        name: entry["scan"][0]
        for name, entry in state.get("bookmarks", {}).items()
        if entry.get("scan")
    }


@settings(max_examples=60)
@given(accounts, configs, limits)
def test_killed_at_every_block_boundary(
    tables: dict[str, ScannedTable], config: dict[str, Any], limit: int | None
) -> None:
    account = Account(tables)
    whole = run(account, config, limit)
    assert sorted(items(whole.messages)) == everything(account)
    assert not scans(whole.state)
    for number, message in enumerate(whole.messages):
        if message["type"] == "STATE" and (left := scans(message["value"])):
            state = json.loads(json.dumps(message["value"]))
            rest = run(account, config, limit, state=state)
            assert sorted(items(whole.messages[:number]) + items(rest.messages)) == everything(
                account
            )
            assert not scans(rest.state)
            reads_only_what_is_left(account, left)
            keeps_its_versions(whole, rest, left)


def reads_only_what_is_left(account: Account, left: dict[str, dict[str, Any]]) -> None:
    begun: dict[tuple[str, int], Any] = {}
    for call in account.calls("Scan"):
        if "Segment" in call.request and "Limit" not in call.request:
            place = (call.request["TableName"], call.request["Segment"])
            begun.setdefault(place, call.request.get("ExclusiveStartKey"))
    for name, scan in left.items():
        order = shuffled(scan["segments"], scan["seed"])
        finished = {order[n] for first, last in scan["finished"] for n in range(first, last + 1)}
        places = dict(scan["places"])
        read = {segment: key for (table, segment), key in begun.items() if table == name}
        assert read == {
            segment: places.get(segment) for segment in set(range(scan["segments"])) - finished
        }


def keeps_its_versions(whole: Output, rest: Output, left: dict[str, Any]) -> None:
    for name, scan in left.items():
        for output in (whole, rest):
            for message in output.of("ACTIVATE_VERSION", name):
                assert message["version"] == scan["version"]
            for message in output.of("RECORD", name):
                assert message.get("version", scan["version"]) == scan["version"]


@settings(max_examples=60)
@given(accounts, configs, limits, st.data())
def test_killed_again_and_again(
    tables: dict[str, ScannedTable], config: dict[str, Any], limit: int | None, data: st.DataObject
) -> None:
    merge = pytest.importorskip("meltano.core.utils").merge
    account = Account(tables)
    stored: dict[str, Any] = {}
    got: list[Item] = []
    for _ in range(5):
        output = run(account, config, limit, state=stored)
        ends = [n for n, m in enumerate(output.messages) if m["type"] == "STATE"]
        last = data.draw(st.sampled_from(ends))
        got += items(output.messages[: last + 1])
        for message in output.messages[: last + 1]:
            if message["type"] == "STATE":  # what Meltano does with each of them
                stored = merge(json.loads(json.dumps(message["value"])), stored)
        assert stored == output.messages[last]["value"], "nothing comes back in the merge"
        if not scans(stored) and "bookmarks" in stored:
            break
    else:
        got += items(run(account, config, limit, state=stored).messages)
    assert sorted(got) == everything(account)
