"""Runs of the tap that follow a table, one after the other, in this process; no run waits for anything.

`Followed` reads a table of an engine, and `scripted` one in memory whose time passes as the test says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tests.engines.scripted import Clock
from tests.engines.shards import ScriptedStream
from tests.engines.stale import StaleTable
from tests.engines.tap import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.wire import Wire
    from tests.engines.tables import Tables
    from tests.engines.tap import Output

NOW = 1_790_000_000.0


class Hurried:
    """The time of this machine, and how long would have been waited."""

    def __init__(self) -> None:
        self.waited = 0.0

    def __call__(self) -> float:
        return time.time() + self.waited

    def sleep(self, seconds: float) -> None:
        """Let seconds pass at once."""
        self.waited += seconds


@dataclass
class Followed:
    """A table that is followed: each run goes on with the state of the one before.

    Attributes:
        table: The table's name.
        wire: Carries the tap's calls about it.
        wire_to: Returns what carries calls to another service.
        clock: The tap's; a real engine's is the machine's own.
        config: What is set for every run.
        state: The last STATE.
        copy: What the records have left, by `id`.
    """

    table: str
    wire: Wire
    wire_to: Callable[[str], Wire]
    clock: Any
    config: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    copy: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def run(self, *, changes: Mapping[str, Any] | None = None, **more: Any) -> Output:
        """Run the tap; `own`, `catalog`, `limit` and `fails` are those of `sync`.

        Args:
            changes: The setting.
            more: Further settings.
        """
        own = more.pop("own", {})
        arguments = {name: more.pop(name) for name in ("catalog", "limit", "fails") if name in more}
        given: dict[str, Any] = {
            "tables": [self.table],
            "replication_method": "LOG_BASED",
            "scan_workers": 2,
            **self.config,
            **more,
        }
        if changes is not None:
            given["changes"] = {**given.get("changes", {}), **changes}
        output = sync(
            self.wire,
            {name: value for name, value in given.items() if value is not None},
            state=self.state,
            own={
                "clock": self.clock,
                "wait": lambda _tap, seconds: self.clock.sleep(seconds),
                "wire_to": lambda _tap, service: self.wire_to(service),
                **own,
            },
            **arguments,
        )
        output.check()
        if output.of("STATE"):
            self.state = output.state
        for record in output.records():
            if record.get("_sdc_deleted_at"):
                self.copy.pop(record["id"], None)
            else:
                self.copy[record["id"]] = record
        return output

    def entry(self, stream: str | None = None) -> dict[str, Any]:
        """Return what the state says of the changes."""
        [entry] = self.state["bookmarks"][stream or self.table]["changes"]
        found: dict[str, Any] = entry
        return found


def on(tables: Tables, table: str, **config: Any) -> Followed:
    """Follow a table of an engine."""
    given = tables.engine.config()
    settings = AwsSettings.from_config(given)
    wire = BotoWire(settings)
    return Followed(
        table,
        wire,
        lambda service: wire if service == "dynamodb" else BotoWire(settings, service=service),
        Hurried(),
        {**given, **config},
    )


class Scripted(Followed):
    """A table in memory that is followed.

    Attributes:
        stream: Its stream, and what is written to.
    """

    stream: ScriptedStream
    clock: Clock

    def put(self, key: str, value: int = 1, **more: Any) -> None:
        """Write an item."""
        self.stream.put({"id": {"S": key}, "n": {"N": str(value)}, **more})

    def delete(self, key: str, *, expired: bool = False) -> None:
        """Delete an item."""
        self.stream.delete({"id": {"S": key}}, expired=expired)

    @property
    def there(self) -> dict[str, int]:
        """The table's items."""
        return {str(k[0][1]): int(item["n"]["N"]) for k, item in self.stream.items.items()}

    @property
    def copied(self) -> dict[str, int]:
        """The copy's items."""
        return {key: int(record["n"]) for key, record in self.copy.items()}


def scripted(config: Mapping[str, Any] | None = None, **stream: Any) -> Scripted:
    """Follow a table in memory.

    Args:
        config: Settings of the tap.
        stream: What `ScriptedStream` takes.
    """
    clock = Clock(NOW)
    made = ScriptedStream("orders", clock=clock, sleep=clock.sleep, latency=0.01, **stream)
    table = StaleTable(made, clock=clock, sleep=clock.sleep)
    given = {"sample_size": 0, "segments": 2, **(config or {})}
    found = Scripted("orders", table, lambda _service: made, clock, given)
    found.stream = made
    return found
