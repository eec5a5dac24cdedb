"""A table's capacity raised for a while: what to ask for, and what to put back; pure.

What a table had before is kept in a `Note`, which is written down before anything is changed, so that it
can be put back after a crash. Only what still stands as it was set is put back: whoever has changed it
meanwhile knows better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core.definitions import ON_DEMAND, PROVISIONED
from dynamodb_core.errors import ConfigError
from dynamodb_core.notes import OWN, Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynamodb_core.notes import Units
    from dynamodb_core.table import Table

METHODS = ("provisioned", "on_demand", "warm_throughput")
_UNITS = {"type": ["integer", "null"], "minimum": 1}

WARM_UP_PROPERTIES: dict[str, dict[str, Any]] = {
    "warm_up": {
        "type": ["object", "null"],
        "properties": {
            "method": {"type": "string", "enum": list(METHODS)},
            "read_units": _UNITS,
            "write_units": _UNITS,
            "accept_cost": {"type": ["boolean", "null"]},
        },
        "required": ["method"],
        "additionalProperties": False,
        "title": "Warm-up",
        "description": (
            "Raise a table's capacity before the run and put it back at the end, as in "
            "docs/warm-up.md: method provisioned raises to read_units and write_units, on_demand "
            "switches a provisioned table to on demand (four times in 24 hours at most), "
            "warm_throughput raises the warm throughput, which is billed, can never be lowered, and "
            "so wants accept_cost."
        ),
    },
}
"""The setting of both plugins, as JSON Schema."""


@dataclass(frozen=True)
class WarmUp:
    """What the configuration asks for.

    Attributes:
        method: One of `METHODS`.
        read: Read units a second; None to leave them.
        write: Write units a second, of the table and of each global index; None to leave them.

    Raises:
        ConfigError: It asks for nothing, or for what is billed without accepting it.
    """

    method: str
    read: int | None = None
    write: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any] | None) -> WarmUp | None:
        """Read the setting; None where it is left out.

        Args:
            said: What fits `WARM_UP_PROPERTIES`.
        """
        if not said:
            return None
        asked = cls(said["method"], said.get("read_units"), said.get("write_units"))
        if asked.method == "on_demand":
            return asked
        if asked.read is None and asked.write is None:
            raise ConfigError(
                f"warm_up by {asked.method} says no units", "Give read_units, write_units or both"
            )
        if asked.method == "warm_throughput" and said.get("accept_cost") is not True:
            raise ConfigError(
                "warm_up by warm_throughput is billed once for what it raises, and can never be lowered",
                "Set accept_cost to true in warm_up, or choose another method",
            )
        return asked


@dataclass(frozen=True)
class Plan:
    """What is to be done to warm a table up.

    Attributes:
        request: Of UpdateTable.
        note: What is to be put back; None where nothing can be.
        words: What it does, for the log.
    """

    request: Mapping[str, Any]
    note: Note | None
    words: str


def plan(table: Table, asked: WarmUp, earlier: Note | None = None, index: str = OWN) -> Plan | None:
    """Return what is to be done; None where the table has what is asked for.

    Args:
        table: The table as it is now.
        asked: What is asked for.
        earlier: The note of an earlier run that has not put back what it had raised.
        index: The index that is read, of which the read units are asked for.

    Raises:
        ConfigError: The method is none for this table.
    """
    if asked.method == "warm_throughput":
        return _warmed(table, asked, index)
    now = _provisioned(table)
    if asked.method == "on_demand":
        if table.billing == ON_DEMAND:
            return None
        note = Note("on_demand", _truth(now, earlier), earlier.after if earlier else {})
        request = {"TableName": table.name, "BillingMode": ON_DEMAND}
        return Plan(request, note, "switched to on demand")
    if table.billing != PROVISIONED:
        raise ConfigError(
            f"Table {table.name} is on demand: there are no provisioned units to raise",
            "Choose warm_throughput as the method of warm_up, or take warm_up away",
        )
    wanted = {
        name: (
            max(read, asked.read or 0) if name == index else read,
            max(write, asked.write or 0),
        )
        for name, (read, write) in now.items()
    }
    raised = {name: units for name, units in wanted.items() if units != now[name]}
    if not raised:
        return None
    truth = _truth(now, earlier)
    after = {
        name: (
            *(earlier.after.get(name, ()) if earlier else ()),
            *([raised[name]] if name in raised else ()),
        )
        for name in now
    }
    after = {name: tuple(dict.fromkeys(each)) for name, each in after.items() if each}
    note = Note("provisioned", {name: truth[name] for name in after}, after)
    return Plan(_provision(table, raised), note, f"raised: {_in_words(raised, now)}")


def put_back(table: Table, note: Note) -> Plan | None:
    """Return what puts back what a table had; None where nothing of it stands any more.

    Args:
        table: The table as it is now.
        note: What it had.
    """
    if note.method == "on_demand" and table.billing == ON_DEMAND:
        own = note.before[OWN]
        names = [OWN, *(index.name for index in table.indexes if not index.local)]
        units = {name: note.before.get(name, own) for name in names}
        request = {"BillingMode": PROVISIONED, **_provision(table, units)}
        return Plan(request, None, "switched back to provisioned capacity")
    if table.billing != PROVISIONED:
        return None
    now = _provisioned(table)
    units = {
        name: before
        for name, before in note.before.items()
        if name in now and note.was_set(name, now[name]) and now[name] != before
    }
    if not units:
        return None
    return Plan(_provision(table, units), None, f"put back: {_in_words(units, now)}")


def _warmed(table: Table, asked: WarmUp, index: str) -> Plan | None:
    """Return what raises the warm throughput of a table, and for writing of its global indexes."""
    updates: dict[str, dict[str, int]] = {}
    described = {OWN: table.description} | {
        each["IndexName"]: each for each in table.description.get("GlobalSecondaryIndexes") or ()
    }
    for name, each in described.items():
        warm = each.get("WarmThroughput") or {}
        for member, units in (
            ("ReadUnitsPerSecond", asked.read if name == index else None),
            ("WriteUnitsPerSecond", asked.write),
        ):
            if units and units > (warm.get(member) or 0):
                updates.setdefault(name, {})[member] = units
    if not updates:
        return None
    request = {"TableName": table.name, **_members(updates, "WarmThroughput")}
    words = ", ".join(
        f"{name or 'table'} {' '.join(f'{member} {units:,}' for member, units in each.items())}"
        for name, each in updates.items()
    )
    return Plan(request, None, f"given warm throughput, for good: {words}")


def _provisioned(table: Table) -> dict[str, Units]:
    """Return the provisioned units of a table and of its global indexes."""
    described: Iterable[Mapping[str, Any]] = table.description.get("GlobalSecondaryIndexes") or ()
    places = {OWN: table.description} | {each["IndexName"]: each for each in described}
    found = {}
    for name, each in places.items():
        given = each.get("ProvisionedThroughput") or {}
        units = (given.get("ReadCapacityUnits") or 0, given.get("WriteCapacityUnits") or 0)
        found[name] = (int(units[0]), int(units[1]))
    return found


def _truth(now: Mapping[str, Units], earlier: Note | None) -> dict[str, Units]:
    """Return what a table has by itself: of what an earlier run has raised, what it had before."""
    if earlier is None:
        return dict(now)
    return {
        name: earlier.before[name] if earlier.was_set(name, units) else units
        for name, units in now.items()
    }


def _provision(table: Table, units: Mapping[str, Units]) -> dict[str, Any]:
    members = ("ReadCapacityUnits", "WriteCapacityUnits")
    updates = {name: dict(zip(members, each, strict=True)) for name, each in units.items()}
    return {"TableName": table.name, **_members(updates, "ProvisionedThroughput")}


def _members(updates: Mapping[str, Mapping[str, int]], member: str) -> dict[str, Any]:
    found: dict[str, Any] = {member: updates[OWN]} if OWN in updates else {}
    indexes = [
        {"Update": {"IndexName": name, member: each}} for name, each in updates.items() if name
    ]
    return found | ({"GlobalSecondaryIndexUpdates": indexes} if indexes else {})


def _in_words(units: Mapping[str, Units], now: Mapping[str, Units]) -> str:
    return (
        ", ".join(
            f"{name or 'table'} from {now[name][0]:,}/{now[name][1]:,} to {read:,}/{write:,}"
            for name, (read, write) in units.items()
        )
        + " read/write units a second"
    )
