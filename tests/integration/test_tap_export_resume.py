"""A read of exports that ends after any block: what its last STATE leaves out, the next run brings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamodb import read_loop
from tests.engines import exports
from tests.engines.exports import Change
from tests.engines.scanned import Account
from tests.engines.tap import sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.tap import Message

COUNT = 600
SINCE = exports.AT
HOUR = timedelta(hours=1)


def item(number: int, text: str = "full") -> dict[str, Any]:
    return {"id": {"S": f"i{number}"}, "text": {"S": text * 600}}


def keys(number: int) -> dict[str, Any]:
    return {"id": {"S": f"i{number}"}}


def applied(messages: list[Message], table: dict[str, str]) -> None:
    """Apply records to a table, in their order."""
    for message in messages:
        if message["type"] == "RECORD":
            record = message["record"]
            if record.get("_sdc_deleted_at"):
                table.pop(record["id"], None)
            else:
                table[record["id"]] = record["text"][:4]


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """A full export and two windows that overlap, of many blocks."""
    root = tmp_path / "bucket"
    exports.write_full(root, [item(n) for n in range(COUNT)], files=3, empty=1)
    early, late = (int((SINCE + n * HOUR).timestamp() * 1_000_000) for n in (0, 2))
    one = [Change(keys(n), item(n, "one "), None, early) for n in range(0, COUNT, 2)]
    one += [Change(keys(n), None, None, early) for n in range(1, COUNT, 4)]
    one.append(Change(keys(9999), item(9999, "gone"), None, late))
    two = [Change(keys(n), item(n, "two ")) for n in range(0, COUNT, 3)]
    exports.write_incremental(root, one, SINCE, SINCE + 3 * HOUR, export="01604475000001-aaaaaaaa")
    exports.write_incremental(
        root, two, SINCE + HOUR, SINCE + 4 * HOUR, export="01604475000002-bbbbbbbb"
    )
    return {
        "source": "export",
        "export": {"location": str(root), "key_properties": ["id"]},
        "scan_workers": 1,
        "processes": 1,
    }


def test_a_run_that_ends_after_any_block_is_gone_on_with_to_the_same_table(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_loop, "STATE_BYTES", 0)  # a STATE after every block
    wire = Account({}).wire
    messages = sync(wire, config).messages
    wanted: dict[str, str] = {}
    applied(messages, wanted)
    assert {wanted["i0"], wanted["i2"], wanted["i3"], wanted["i7"]} == {"two ", "one ", "full"}
    assert "i1" not in wanted
    assert "i9999" not in wanted, "the later of two windows that overlap does not name it"
    # On a slow machine a STATE of nothing comes first: whoever waits for a block looks up meanwhile.
    first = next(n for n, message in enumerate(messages) if message["type"] == "RECORD")
    states = [n for n, message in enumerate(messages) if message["type"] == "STATE" and n > first]
    assert len(states) > 20
    stages = set()
    for at in states[:-1]:
        table: dict[str, str] = {}
        applied(messages[:at], table)
        state = messages[at]["value"]
        [scan] = state["bookmarks"]["ProductCatalog"]["scan"]
        stages.add(scan.get("stage", 0))
        rest = sync(wire, config, state=state)
        assert len(rest.of("RECORD")) < len([m for m in messages if m["type"] == "RECORD"])
        applied(rest.messages, table)
        assert table == wanted
    assert stages == {0, 1, 2}
