"""Whether a copy is made before the stream of its table forgets the first changes; pure.

A stream keeps changes for 24 hours. A copy by a scan is followed up with the changes since it began, so it
must be made before the first of them is gone; or scan and stream are read in turn, as the tap does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dynamodb_core.progress import duration
from dynamodb_tools.estimates import Span, write_units

if TYPE_CHECKING:
    from dynamodb_tools.estimates import Given
    from dynamodb_tools.roads import Road

HOUR = 3600.0
RETENTION_SECONDS = 24 * HOUR
SAFE_SECONDS = 20 * HOUR
"""What is made in this time leaves some for reading the changes."""

TELLING = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
"""The views of a stream that say what an item has become."""

Verdict = Literal["in time", "perhaps", "too late", "not known"]


@dataclass(frozen=True)
class Following:
    """Whether a copy can be followed up.

    Attributes:
        seconds: How long the copy takes, a scan and batches at once; None where nothing limits either.
        verdict: Whether that is within the stream's retention.
        view: What the stream tells; empty where it is off.
        advice: What to do.
    """

    seconds: Span | None
    verdict: Verdict
    view: str
    advice: tuple[str, ...]


def following(given: Given, read: Road, write: Road) -> Following:
    """Return whether a copy can be followed up by the stream.

    Args:
        given: What is known of the table.
        read: How it is read.
        write: How the copy is written.
    """
    seconds = _together(read.seconds, write.seconds)
    verdict = _verdict(seconds)
    view = stream_view(given)
    advice = list(_of_stream(view))
    if verdict in ("perhaps", "too late"):
        advice += _faster(given, read)
        advice += _otherwise(given)
    elif verdict == "not known":
        unset = [
            name
            for name, road in (("read_capacity", read), ("write_capacity", write))
            if road.seconds is None
        ]
        advice += [
            f"Set {' and '.join(unset)} to know how long it takes: the table names no figure"
        ] * bool(unset)
    return Following(seconds, verdict, view, tuple(advice))


def stream_view(given: Given) -> str:
    """Return what the table's stream tells; empty where it is off.

    Args:
        given: What is known of the table.
    """
    said = given.table.description.get("StreamSpecification") or {}
    return str(said.get("StreamViewType") or "") if said.get("StreamEnabled") else ""


def _together(read: Span | None, write: Span | None) -> Span | None:
    """Return how long both take side by side."""
    known = [each for each in (read, write) if each is not None]
    if not known:
        return None
    highs = [each.high for each in known if each.high is not None]
    sure = len(highs) == 2  # noqa: PLR2004 - both of them
    return Span(max(each.low for each in known), max(highs) if sure else None)


def _verdict(seconds: Span | None) -> Verdict:
    if seconds is None:
        return "not known"
    if seconds.low > RETENTION_SECONDS:
        return "too late"
    if seconds.high is None:
        return "not known" if seconds.low <= SAFE_SECONDS else "perhaps"
    return "in time" if seconds.high <= SAFE_SECONDS else "perhaps"


def _of_stream(view: str) -> list[str]:
    if not view:
        return [
            (
                "Its stream is off: turn it on, with NEW_IMAGE or NEW_AND_OLD_IMAGES, before the copy "
                "begins (tap-dynamodb does with changes.enable_stream), or let nobody write to the table "
                "meanwhile"
            )
        ]
    if view not in TELLING:
        return [
            (
                f"Its stream tells {view}, which does not say what an item has become: turn it off and "
                "on again with NEW_IMAGE or NEW_AND_OLD_IMAGES, if nobody else reads it, or let tap-dynamodb "
                "look the items up (changes.fetch)"
            )
        ]
    return []


def _faster(given: Given, read: Road) -> list[str]:
    wanted = []
    if read.units is not None and given.read.units is not None:
        wanted.append((f"read_capacity {_needed(read.units)}", read.units, given.read.units))
    for name, units in write_units(given).items():
        rate = given.write_indexes.get(name) if name else given.write
        if rate is not None and rate.units is not None:
            of = f" for index {name}" if name else ""
            wanted.append((f"write_capacity {_needed(units)}{of}", units, rate.units))
    short = [
        words for words, units, rate in wanted if (units.high or units.low) / rate > SAFE_SECONDS
    ]
    if not short:
        return []
    return [
        (
            f"Faster: with {' and '.join(short)} it is made in {duration(SAFE_SECONDS)}, if the tables have as "
            "much; the units are the same, so on demand it costs the same"
        )
    ]


def _needed(units: Span) -> str:
    return f"{math.ceil((units.high or units.low) / SAFE_SECONDS):,}"


def _otherwise(given: Given) -> list[str]:
    on = {
        True: "it is on",
        False: "it is off: turn it on first",
        None: "whether it is on is not known",
    }[given.recoverable]
    return [
        (
            "Or in turns, as tap-dynamodb does with replication_method LOG_BASED: it scans for some minutes, "
            "reads the stream up to now, scans on, and so on, for days if need be"
        ),
        (
            "Or by exports: LOG_BASED with source export and export.trigger incremental takes a full one, "
            "then incremental ones up to the last 24 hours, then the stream. They want point-in-time "
            f"recovery ({on}), which reaches back up to 35 days"
        ),
    ]
