"""Messages of every kind through the target, to a table that hands writes back: the last word on order.

Records and deletions, changed SCHEMAs, files, a table that holds answers, hands writes back and finds
them in somebody's transaction: the table ends as if each record had been written before the next one
was read. And what a STATE speaks of is in the table when the STATE is handed on.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core import batches
from dynamodb_core.retry import Backoff
from target_dynamodb.target import TargetDynamoDB
from tests.engines.filed import Filed, batch
from tests.engines.scripted import ScriptedTable, ScriptedWire, in_time
from tests.unit.test_target_destinations import Service
from tests.unit.test_target_state import lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.engines.scripted import Answer, Identity

TEXT = {"type": ["null", "string"]}
PROPERTIES: dict[str, Any] = {"id": {"type": "string"}, "a": TEXT}
LATE = {**PROPERTIES, "late": TEXT}
NAMES = ("a", "late", "size", *"bcdefgh")  # many, so that few records set what others have set

writes = st.tuples(
    st.sampled_from(("put", "put", "put", "delete")),
    st.sampled_from("xyz"),
    st.sets(st.sampled_from(NAMES), max_size=2),
)
steps = st.one_of(
    *[writes] * 16,
    st.just(("schema", "", set())),
    st.just(("state", "", set())),
    st.tuples(st.just("file"), st.just(""), st.lists(writes, min_size=1, max_size=8)),
)
scripts = st.lists(steps, min_size=15, max_size=80)


class Script:
    """The messages of a script, and what it leaves behind.

    Args:
        steps: The script.
        mode: The write mode.
        there: The items that are there before.
        filed: Where its files go.
    """

    def __init__(
        self, steps: Sequence[Any], mode: str, there: dict[str, dict[str, Any]], filed: Filed
    ) -> None:
        self.items = {key: dict(item) for key, item in there.items()}
        self.messages: list[dict[str, Any]] = [self._schema(PROPERTIES)]
        self.last: dict[str, int] = {}
        self._mode = mode
        self._number = 0
        late = False
        for action, key, more in steps:
            if action == "schema":
                late = not late
                self.messages.append(self._schema(LATE if late else PROPERTIES))
            elif action == "state":
                self.messages.append({"type": "STATE", "value": {"at": self._number}})
            elif action == "file":
                self.messages.append(
                    batch("things", filed.ours([self._record(*each) for each in more]))
                )
            else:
                record = self._record(action, key, more)
                self.messages.append({"type": "RECORD", "stream": "things", "record": record})
        self.messages.append({"type": "STATE", "value": {"at": self._number}})

    def _schema(self, properties: dict[str, Any]) -> dict[str, Any]:
        schema = {"properties": properties}
        return {"type": "SCHEMA", "stream": "things", "schema": schema, "key_properties": ["id"]}

    def _record(self, action: str, key: str, names: set[str]) -> dict[str, Any]:
        self._number += 1
        self.last[key] = self._number
        if action == "delete":
            self.items.pop(key, None)
            return {"id": key, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
        record = {name: str(self._number) for name in sorted(names)}
        item = {"id": {"S": key}, **{name: {"S": text} for name, text in record.items()}}
        if self._mode == "merge":
            self.items[key] = {**self.items.get(key, {}), **item}
        elif self._mode == "put" or key not in self.items:
            self.items[key] = item
        return {"id": key, **record}


@settings(max_examples=120, deadline=None)
@given(
    mode=st.sampled_from(("put", "insert", "merge")),
    script=scripts,
    there=st.sets(st.sampled_from("xyz")),
    most_writes=st.sampled_from((1, 2, 25)),
    workers=st.sampled_from((1, 2, 4)),
    kept=st.sampled_from((0.4, 0.8, 1.0)),
    held=st.sampled_from((0.0, 0.5)),
    slow=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_table_ends_as_if_records_were_written_one_by_one(
    mode: str,
    script: list[Any],
    there: set[str],
    most_writes: int,
    workers: int,
    kept: float,
    held: float,
    *,
    slow: bool,
    seed: int,
) -> None:
    table = ScriptedTable("things", (("id", "S"),), seed=seed, kept=kept, held=held)
    old = {
        key: {"id": {"S": key}, "size": {"S": "old"}, "old": {"S": "old"}} for key in sorted(there)
    }
    table.items = {table.identity(item): item for item in map(dict, old.values())}
    handed: list[int] = []
    service = Service(things={"id": "S"})

    def answer(operation: str, request: dict[str, Any]) -> Answer:
        if operation.endswith("Item"):
            return table.slowly(operation, request) if slow else table(operation, request)
        told: Answer = service(operation, request)
        return told

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        filed = Filed(Path(folder))
        made = Script(script, mode, old, filed)

        def handed_on(line: str) -> None:
            """Of what comes after the STATE nothing is known; what nothing comes after is settled."""
            at = json.loads(line)["at"]
            handed.append(at)
            settled = {key for key, number in made.last.items() if number <= at}
            untouched = old.keys() - made.last.keys()
            assert _of(table, settled | untouched) == {
                key: made.items[key] for key in settled | untouched if key in made.items
            }

        patch.setattr(batches, "MOST_WRITES", most_writes)
        patch.setattr("dynamodb_core.writer.Backoff", lambda: Backoff(0.0002, 0.001))
        patch.setattr("target_dynamodb.output.write_line", handed_on)
        target = TargetDynamoDB(
            config={
                "write_mode": mode,
                "write_workers": workers,
                "batch_root": str(filed.root),
                "processes": 1,
            }
        )
        target.wire = ScriptedWire(answer)
        in_time(lambda: target.load(lines(*made.messages)))
    assert _of(table, "xyz") == made.items
    assert table.violations == []
    assert handed == sorted(set(handed))
    assert handed[-1] == made.messages[-1]["value"]["at"]


def _of(table: ScriptedTable, keys: Any) -> dict[str, dict[str, Any]]:
    found: dict[Identity, dict[str, Any]] = dict(table.items)
    return {identity[0][1]: item for identity, item in found.items() if identity[0][1] in keys}
