"""The ways to read a table and to write its copy: what each takes of units, money and time; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dynamodb_core import paging
from dynamodb_tools.estimates import ZERO, Span, json_bytes, rate_words, write_units

if TYPE_CHECKING:
    from dynamodb_tools.estimates import Given, Rate

GB = 1e9

LEAST_BULK = 1024
"""The fewest units a second that a bulk put can be limited to."""


@dataclass(frozen=True)
class Road:
    """A way to read a table, or to write its copy.

    Attributes:
        name: What it is called.
        step: Whether it reads or writes.
        open: Whether it can be gone now; else the remarks say what it wants.
        units: Capacity units; None where it takes none.
        cost: In the currency of the prices; None where no price is known.
        seconds: How long it takes; None where that cannot be known.
        remarks: What else is to be known of it.
    """

    name: str
    step: Literal["read", "write"]
    open: bool
    units: Span | None
    cost: Span | None
    seconds: Span | None
    remarks: tuple[str, ...] = ()


def read_roads(given: Given) -> list[Road]:
    """Return the ways to read the table.

    Args:
        given: What is known.
    """
    return [_scan(given, consistent=False), _scan(given, consistent=True), _export(given)]


def write_roads(given: Given) -> list[Road]:
    """Return the ways to write the copy.

    Args:
        given: What is known.
    """
    return [_batches(given), _import(given), _bulk(given)]


def _scan(given: Given, *, consistent: bool) -> Road:
    table = given.table
    units = table.size_bytes / paging.UNIT_BYTES * (2 if consistent else 1)
    span = Span(units, units)
    return Road(
        f"scan, {'strongly' if consistent else 'eventually'} consistent",
        "read",
        open=True,
        units=span,
        cost=_paid(span, table.billing, given.prices.unit("read")),
        seconds=_seconds(span, given.read),
        remarks=(rate_words(given.read), *_free(table.billing)),
    )


def _export(given: Given) -> Road:
    table = given.table
    size = table.size_bytes + sum(index.size_bytes for index in table.indexes if index.local)
    cost = size / GB * given.prices.export_per_gb
    wants = {
        True: (),
        False: ("wants point-in-time recovery, which is off",),
        None: ("wants point-in-time recovery; whether it is on is not known",),
    }[given.recoverable]
    return Road(
        "export to S3",
        "read",
        open=given.recoverable is True,
        units=None,
        cost=Span(cost, cost),
        seconds=None,
        remarks=(
            *wants,
            "takes no capacity; how long cannot be known before: minutes to hours",
            "is as old as its point in time",
        ),
    )


def _batches(given: Given) -> Road:
    units = write_units(given)
    whole = ZERO
    for each in units.values():
        whole = whole.plus(each)
    slowest = [_seconds(units[""], given.write)]
    slowest += [
        _seconds(units[name], given.write_indexes[name])
        for name in units
        if name in given.write_indexes
    ]
    known = [each for each in slowest if each is not None]
    seconds = None
    if slowest[0] is not None:
        highs = [each.high for each in known]
        high = None if None in highs else max(high for high in highs if high is not None)
        seconds = Span(max(each.low for each in known), high)
    billing = (given.copy or given.table).billing
    remarks = [rate_words(given.write), *_free(billing), _known_by(given)]
    names = [name for name in units if name]
    if names:
        shares = sum(units[name].low for name in names)
        remarks.append(
            f"of the units about {shares:,.0f} are for the global "
            f"index{'es' if len(names) > 1 else ''} {', '.join(names)}"
        )
    replicas = (given.copy.description.get("Replicas") or ()) if given.copy is not None else ()
    if replicas:
        remarks.append("the copy is a global table: each write is paid once a replica more")
    return Road(
        "batches",
        "write",
        open=True,
        units=whole,
        cost=_paid(whole, billing, given.prices.unit("write")),
        seconds=seconds,
        remarks=tuple(remarks),
    )


def _known_by(given: Given) -> str:
    if given.sample is not None and given.sample.items:
        return f"units by a sample of {given.sample.items:,} items"
    return "units by the items' number and size: --sample says it closer"


def _import(given: Given) -> Road:
    cost = json_bytes(given).times(given.prices.import_per_gb / GB)
    local = [index.name for index in given.table.indexes if index.local]
    remarks = ["takes no capacity; how long cannot be known before"]
    if given.copy is not None:
        remarks.insert(0, f"makes a new table, and {given.copy.name} exists")
    if local:
        remarks.insert(0, f"cannot make local indexes: {', '.join(local)}")
    if cost.high is None:
        remarks.append("files of DynamoDB JSON are larger than the table: --sample says how much")
    return Road(
        "import from S3",
        "write",
        open=given.copy is None and not local,
        units=None,
        cost=cost,
        seconds=None,
        remarks=tuple(remarks),
    )


def _bulk(given: Given) -> Road:
    replicas = given.copy is not None and bool(given.copy.description.get("Replicas"))
    remarks = []
    if given.copy is None:
        remarks.append("wants a table that exists")
    if replicas:
        remarks.append("is not for global tables")
    return Road(
        "bulk put from S3",
        "write",
        open=given.copy is not None and not replicas,
        units=None,
        cost=None,
        seconds=None,
        remarks=(*remarks, "its price is not known to us; AWS's pages say it", _bulk_limit(given)),
    )


def _bulk_limit(given: Given) -> str:
    asked = given.write.units
    low = "" if asked is None or asked >= LEAST_BULK else f", {asked:,.10g} is too few"
    return f"can be limited to {LEAST_BULK:,} units a second and more{low}"


def _seconds(units: Span, rate: Rate) -> Span | None:
    return None if rate.units is None else units.times(1 / rate.units)


def _paid(units: Span, billing: str, price: float) -> Span:
    return ZERO if billing == "PROVISIONED" else units.times(price)


def _free(billing: str) -> tuple[str, ...]:
    return ("from provisioned capacity, which is paid anyway",) if billing == "PROVISIONED" else ()
