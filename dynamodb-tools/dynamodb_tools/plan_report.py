"""What is said of a table that is to be copied: as text for people, and as JSON; pure."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dynamodb_core.descriptions import STANDARD
from dynamodb_core.prices import money
from dynamodb_core.progress import duration
from dynamodb_tools.following import RETENTION_SECONDS, SAFE_SECONDS, following, stream_view
from dynamodb_tools.roads import read_roads, write_roads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamodb_core.table import Index, Table
    from dynamodb_tools.estimates import Given, Span
    from dynamodb_tools.following import Following
    from dynamodb_tools.roads import Road

_VERDICTS = {
    "in time": "in time: the stream still has the first changes when the copy is made",
    "perhaps": f"perhaps not in time: {duration(SAFE_SECONDS)} would be safe",
    "too late": "too late: the first changes are gone before the copy is made",
    "not known": "whether that is in time is not known",
}
_NAME_WIDTH = 33
_GAP = 2
_WIDTH = 100


def text(given: Given) -> str:
    """Return what is known of a table and of the roads, as text.

    Args:
        given: What is known.
    """
    reading, writing = read_roads(given), write_roads(given)
    follow = following(given, reading[0], writing[0])
    lines = [f"Table {given.table.name}", *_facts(given), ""]
    lines += [*_roads("Reading", reading), "", *_roads(_writing(given), writing), ""]
    lines += [*_follow(follow), "", _priced(given)]
    return "\n".join(lines)


def as_json(given: Given) -> dict[str, Any]:
    """Return the same as JSON.

    Args:
        given: What is known.
    """
    reading, writing = read_roads(given), write_roads(given)
    follow = following(given, reading[0], writing[0])
    table = given.table
    return {
        "table": table.name,
        "arn": table.arn,
        "region": table.region,
        "key": [{"name": n, "type": t} for n, t in table.types.items()],
        "items": table.item_count,
        "bytes": table.size_bytes,
        "item_bytes": table.item_bytes,
        **_capacity(table),
        "indexes": [
            {
                "name": index.name,
                "local": index.local,
                "projection": index.projection,
                "items": index.item_count,
                "bytes": index.size_bytes,
            }
            for index in table.indexes
        ],
        "replicas": [each.get("RegionName") for each in table.description.get("Replicas") or ()],
        "stream": stream_view(given) or None,
        "point_in_time_recovery": given.recoverable,
        "sample": asdict(given.sample) if given.sample else None,
        "copy": given.copy.name if given.copy else None,
        "read_rate": given.read._asdict(),
        "write_rate": given.write._asdict(),
        "roads": [_road(each) for each in (*reading, *writing)],
        "following": {
            "seconds": _span(follow.seconds),
            "retention_seconds": RETENTION_SECONDS,
            "verdict": follow.verdict,
            "advice": list(follow.advice),
        },
        "prices": {
            "read_per_million": given.prices.read_per_million,
            "write_per_million": given.prices.write_per_million,
            "export_per_gb": given.prices.export_per_gb,
            "import_per_gb": given.prices.import_per_gb,
            "dated": given.prices.dated or None,
        },
    }


# Text


def _facts(given: Given) -> list[str]:
    table = given.table
    view = stream_view(given)
    size = f" of {table.item_bytes:,.0f} bytes on average" if table.item_bytes else ""
    recovery = {True: "on", False: "off", None: "not known"}[given.recoverable]
    facts = [
        ("key", str(table.key)),
        (
            "items",
            (
                f"{table.item_count:,}{size}, {_size(table.size_bytes)}; DynamoDB counts them every six hours "
                "or so"
            ),
        ),
        ("capacity", _billing(table)),
        *(("index", _index(index)) for index in table.indexes),
        ("stream", f"{view}, kept for 24 hours" if view else "off"),
        ("recovery", f"point-in-time recovery is {recovery}"),
    ]
    replicas = [str(each.get("RegionName")) for each in table.description.get("Replicas") or ()]
    if replicas:
        facts.append(("replicas", ", ".join(replicas)))
    sample = given.sample
    if sample is not None:
        each = sample.size / sample.items if sample.items else 0
        facts.append(
            (
                "sample",
                (
                    f"{sample.items:,} items of {each:,.0f} bytes on average, {sample.write_units:,} write "
                    f"units in all; reading them cost {sample.units:,.1f} units"
                ),
            )
        )
    elif not table.item_count:
        facts.append(("note", "nothing is counted yet: the figures below are those of no items"))
    return [line for name, words in facts for line in _wrapped(f"  {name:<10}", words)]


def _billing(table: Table) -> str:
    said = _capacity(table)
    words = [
        f"{label} {_units(said[name])}"
        for label, name in (
            ("provisioned", "provisioned"),
            ("at most", "on_demand_maximum"),
            ("warm throughput", "warm_throughput"),
        )
        if said[name]
    ]
    mode = [] if table.billing == "PROVISIONED" else ["on demand"]
    kind = said["table_class"]
    return ", ".join([*mode, *words, *([f"table class {kind}"] if kind else [])])


def _capacity(table: Table) -> dict[str, Any]:
    description = table.description
    given = description.get("ProvisionedThroughput") or {}
    most = description.get("OnDemandThroughput") or {}
    warm = description.get("WarmThroughput") or {}
    provisioned = table.billing == "PROVISIONED"
    return {
        "billing": table.billing,
        "provisioned": _pair(given, "ReadCapacityUnits", "WriteCapacityUnits")
        if provisioned
        else None,
        "on_demand_maximum": None
        if provisioned
        else _pair(most, "MaxReadRequestUnits", "MaxWriteRequestUnits"),
        "warm_throughput": _pair(warm, "ReadUnitsPerSecond", "WriteUnitsPerSecond"),
        "table_class": (description.get("TableClassSummary") or {}).get("TableClass"),
    }


def _pair(given: dict[str, Any], read: str, write: str) -> dict[str, int] | None:
    found = {
        kind: int(given[name])
        for kind, name in (("read", read), ("write", write))
        if (given.get(name) or 0) > 0
    }
    return found or None


def _units(pair: dict[str, int]) -> str:
    return " and ".join(f"{units:,} {kind}" for kind, units in pair.items()) + " units/s"


def _index(index: Index) -> str:
    kind = "local" if index.local else "global"
    return (
        f"{index.name} ({kind}, {index.projection}): {index.item_count:,} items, "
        f"{_size(index.size_bytes)}; each write of an item in it is paid for it too"
    )


def _writing(given: Given) -> str:
    return f"Writing {given.copy.name}" if given.copy else "Writing a new copy"


def _roads(title: str, roads: Sequence[Road]) -> list[str]:
    """Return a table of roads, each with its remarks below it."""
    rows = [
        (
            f"  {road.name}{'' if road.open else ' (not now)'}",
            "none" if road.units is None else _shown(road.units, lambda units: f"{units:,.0f}"),
            "not known" if road.cost is None else _shown(road.cost, money),
            "not known" if road.seconds is None else _shown(road.seconds, duration),
        )
        for road in roads
    ]
    head = (title, "units", "cost", "time")
    widths = [max(map(len, column)) + _GAP for column in zip(head, *rows, strict=True)]

    def line(row: tuple[str, ...]) -> str:
        cells = zip(row[1:], widths[1:], strict=True)
        return f"{row[0]:<{_NAME_WIDTH}}" + "".join(f"{cell:>{width}}" for cell, width in cells)

    lines = [line(head)]
    for row, road in zip(rows, roads, strict=True):
        lines.append(line(row))
        lines += [each for remark in road.remarks for each in _wrapped("      ", remark)]
    return lines


def _follow(follow: Following) -> list[str]:
    time = "not known" if follow.seconds is None else _shown(follow.seconds, duration)
    lines = [
        "Changes meanwhile (a stream keeps them for 24 hours)",
        *_wrapped("  ", f"scan and batches at once: {time}; {_VERDICTS[follow.verdict]}"),
    ]
    return lines + [line for each in follow.advice for line in _wrapped("  - ", each)]


def _priced(given: Given) -> str:
    prices = given.prices
    by = f"the prices of {prices.dated}, US dollars" if prices.dated else "the prices given"
    kind = _capacity(given.table)["table_class"]
    if prices.dated and kind not in (None, STANDARD):
        by += f" (those of table class {kind} are others: set prices)"
    return "\n".join(
        _wrapped(
            "",
            f"Costs are by {by}; storage, streams, requests to S3 and transfer are not counted. Estimates are of "
            "what DynamoDB had counted, and throttling makes it slower.",
        )
    )


def _shown(span: Span, show: Callable[[float], str]) -> str:
    low = show(span.low)
    if span.high is None:
        return f"{low} or more"
    high = show(span.high)
    return low if low == high else f"{low} to {high}"


def _size(size: float) -> str:
    return f"{size / 1e9:,.2f} GB" if size >= 1e8 else f"{size / 1e6:,.2f} MB"  # noqa: PLR2004


def _wrapped(lead: str, words: str) -> list[str]:
    """Return words as lines that begin below each other."""
    return textwrap.wrap(
        words,
        _WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )


# JSON


def _road(road: Road) -> dict[str, Any]:
    return {
        "name": road.name,
        "step": road.step,
        "open": road.open,
        "units": _span(road.units),
        "cost": _span(road.cost),
        "seconds": _span(road.seconds),
        "remarks": list(road.remarks),
    }


def _span(span: Span | None) -> list[float | None] | None:
    return None if span is None else list(span)
