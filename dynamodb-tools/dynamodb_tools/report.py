"""What a comparison has found, for people and for programs; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.progress import duration
from dynamodb_tools import join
from dynamodb_tools.canonical import key_of
from dynamodb_tools.differing import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.encode import TypedValue
    from dynamodb_tools.differing import Difference

SAME, DIFFERENT, UNCERTAIN = 0, 1, 2
"""Exit codes. Uncertain is what could not be said: an error, or items that would not keep still."""

MOST_PATHS = 5
"""Paths of an item that a line shows."""

_KIND_WIDTH = len("respelled")


class Shown(NamedTuple):
    """One of the first differences.

    Attributes:
        kind: What is different.
        key: The key, as JSON in its normal form.
        differences: What differs, by path.
    """

    kind: str
    key: bytes
    differences: Sequence[Difference] = ()


@dataclass
class Counts(join.Counts):
    """How many items are what, once those that differ were looked at again.

    Attributes:
        settled: Different when they were read, and equal when they were looked at again.
        moving: Different each time, and changed in between.
    """

    settled: int = 0
    moving: int = 0


@dataclass(frozen=True)
class SideReport:
    """What reading a side took.

    Attributes:
        what: The side in words.
        place: Where it is, as `Side.place`.
        read: Items that were read.
        size: Their bytes.
        units: Capacity units, those of second looks too.
        seconds: How long it was read.
    """

    what: str
    place: Mapping[str, str]
    read: int
    size: int
    units: float
    seconds: float


@dataclass(frozen=True)
class Scope:
    """What of the items was compared, and how.

    Attributes:
        sample: Percent of the keys.
        keys_only: Whether only keys were.
        ignore: Attributes that did not count.
        filter: The filter as it was given.
        consistent: Whether both sides were read strongly consistent.
        since: Seconds after which differences were looked at again; None for not at all.
    """

    sample: float = 100.0
    keys_only: bool = False
    ignore: tuple[str, ...] = ()
    filter: Mapping[str, Any] | None = None
    consistent: bool = False
    since: float | None = None


@dataclass
class Report:
    """The result of one comparison.

    Attributes:
        a: Of A.
        b: Of B.
        scope: What was compared.
        counts: What was found.
        seconds: How long all of it took.
        first: The first differences.
    """

    a: SideReport
    b: SideReport
    scope: Scope
    counts: Counts
    seconds: float
    first: list[Shown] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """`SAME`, `DIFFERENT` or `UNCERTAIN`."""
        if self.counts.different:
            return DIFFERENT
        return UNCERTAIN if self.counts.moving else SAME


def line(found: Shown) -> str:
    """Return a difference as one line.

    Args:
        found: The difference.
    """
    words = f"{found.kind:<{_KIND_WIDTH}}  {_key_text(found.key)}"
    paths = [f"{_plain(d.path)}: {shown(d.a)} | {shown(d.b)}" for d in found.differences]
    if len(paths) > MOST_PATHS:
        paths[MOST_PATHS:] = [f"and {len(paths) - MOST_PATHS:,} more"]
    return f"{words}  {'; '.join(paths)}" if paths else words


def summary(report: Report) -> str:
    """Return the end of a comparison, in several lines.

    Args:
        report: The comparison.
    """
    counts = report.counts
    rows = [
        ("same", counts.same),
        ("spelled otherwise", counts.respelled),
        ("missing in B", counts.missing),
        ("extra in B", counts.extra),
        ("differing", counts.differs),
        ("settled since", counts.settled),
        ("still moving", counts.moving),
    ]
    said = [f"  {name:<17}  {count:>13,}" for name, count in rows if count]
    lines = [
        *_more(report),
        *(_side(letter, side) for letter, side in (("A", report.a), ("B", report.b))),
        *(said if counts.a != counts.same or counts.b != counts.same else ()),
        *(f"  {words}" for words in left_out(report.scope)),
        f"{_verdict(report)} ({duration(report.seconds)})",
    ]
    return "\n".join(lines)


def overall(codes: Mapping[str, int]) -> str:
    """Return what has come out of several comparisons, as one line.

    Args:
        codes: The exit code of each, by its name; those of errors are `UNCERTAIN` too.
    """
    words = {SAME: "the same", DIFFERENT: "different", UNCERTAIN: "could not be said"}
    said = []
    for code, verdict in words.items():
        names = [name for name, its in codes.items() if its == code]
        which = f" ({', '.join(names)})" if code != SAME else ""
        said += [f"{len(names)} {verdict}{which}"] if names else []
    return f"{len(codes)} pairs: {', '.join(said)}"


def left_out(scope: Scope) -> list[str]:
    """Return in words what was not compared.

    Args:
        scope: What was.
    """
    words = []
    if scope.sample < 100:  # noqa: PLR2004 - percent
        words.append(f"of the keys a sample of {scope.sample:g}%, the same ones on both sides")
    if scope.keys_only:
        words.append("keys only")
    if scope.ignore:
        words.append(f"without {', '.join(scope.ignore)}")
    if scope.filter is not None:
        words.append(f"only items that meet {scope.filter['expression']}")
    return words


def as_json(report: Report) -> dict[str, Any]:
    """Return a comparison as one object of JSON, whose names stay.

    Args:
        report: The comparison.
    """
    counts, scope = report.counts, report.scope
    code = report.exit_code
    return {
        "identical": None if code == UNCERTAIN else code == SAME,
        "a": _side_json(report.a, counts.a),
        "b": _side_json(report.b, counts.b),
        "counts": dict(vars(counts)),
        "seconds": round(report.seconds, 3),
        "units": report.a.units + report.b.units,
        "sample": scope.sample,
        "keys_only": scope.keys_only,
        "ignored": list(scope.ignore),
        "filter": dict(scope.filter) if scope.filter is not None else None,
        "consistent_read": scope.consistent,
        "since": scope.since,
        "differences": [
            {
                "kind": each.kind,
                "key": key_of(each.key),
                "paths": [
                    {
                        "path": d.path,
                        "a": d.a,
                        "b": d.b,
                        **({"spelling": True} if d.spelling else {}),
                    }
                    for d in each.differences
                ],
            }
            for each in report.first
        ],
    }


def _more(report: Report) -> list[str]:
    counts = report.counts
    first = sum(each.kind != "respelled" for each in report.first)
    left = counts.different - first
    between = [""] if report.first or left else []
    return [f"… and {left:,} more", *between] if left > 0 else between


def _side(letter: str, side: SideReport) -> str:
    units = "" if "location" in side.place else f"{side.units:,.1f} capacity units, "
    return (
        f"{letter}  {side.what}: {side.read:,} items read, {side.size / 1e6:,.1f} MB, "
        f"{units}{duration(side.seconds)}"
    )


def _verdict(report: Report) -> str:
    counts = report.counts
    if report.exit_code == DIFFERENT:
        return (
            f"Different: {counts.different:,} items; {counts.a:,} of A were compared with "
            f"{counts.b:,} of B"
        )
    if report.exit_code == UNCERTAIN:
        return f"Not decided: {counts.moving:,} items are different, and would not keep still"
    return f"The same: {counts.a:,} items"


def _side_json(side: SideReport, items: int) -> dict[str, Any]:
    return {
        "what": side.what,
        **side.place,
        "items": items,
        "read": side.read,
        "bytes": side.size,
        "units": side.units,
        "seconds": round(side.seconds, 3),
    }


def _key_text(key: bytes) -> str:
    typed = key_of(key)
    parts = [f"{_text(name)}:{_key_value(value)}" for name, value in typed.items()]
    return f"{{{','.join(parts)}}}"


def _key_value(typed: TypedValue) -> str:
    [(kind, value)] = typed.items()
    return str(value) if kind == "N" else _text(value)


def _text(value: str) -> str:
    return _plain(json.dumps(value, ensure_ascii=False))


def _plain(text: str) -> str:
    """Return a text that moves no terminal's cursor and can be written as UTF-8."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
