"""Before a comparison: what is refused, what it will cost, and what is said of it."""

from __future__ import annotations

import contextlib
import logging
import shutil
from typing import TYPE_CHECKING

from dynamodb_core.costs import estimate, scan_cost
from dynamodb_core.errors import ConfigError
from dynamodb_tools.report import left_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynamodb_core.places import Places
    from dynamodb_core.prices import Prices
    from dynamodb_tools.report import Scope
    from dynamodb_tools.sides import Readable

ROW_BYTES = 70
"""About what an item takes on disk."""

log = logging.getLogger("dynamodb-tools")


def refuse(a: Readable, b: Readable) -> None:
    """Refuse sides that cannot be compared.

    Args:
        a: The one.
        b: The other.

    Raises:
        ConfigError: They are one table or one export, have other keys, or cannot be read now.
    """
    one = a.place.get("arn") == b.place.get("arn") and a.identity == b.identity
    if one and "location" in a.place and a.place == b.place:
        raise ConfigError(f"A and B are the same: {a.what}", "Name two of them")
    if one and "arn" in a.place and (a.identity or a.place == b.place):
        raise ConfigError(
            f"A and B are the same table, {a.table.name}",
            "Name two tables, or give one of them another region or account: --b aws_region=…",
        )
    if a.key != b.key:
        raise ConfigError(
            f"The tables have other keys: {a.table.name} has {a.key}, {b.table.name} has {b.key}",
            "Tables can be compared whose keys have the same names and types",
        )
    for side in (a, b):
        if side.can_fetch and not side.table.active:
            raise ConfigError(
                f"{side.what[:1].upper()}{side.what[1:]} cannot be read: it is "
                f"{side.table.description.get('TableStatus')}",
                "Run again when it is ACTIVE",
            )


def refuse_of_exports(
    a: Readable, b: Readable, scope: Scope, *, filtered: bool, to_file: bool
) -> None:
    """Refuse what cannot be said of exports.

    Args:
        a: The one side.
        b: The other.
        scope: What of the items is compared.
        filtered: Whether items must meet a filter.
        to_file: Whether differences go to a file.

    Raises:
        ConfigError: It is asked for.
    """
    if a.can_fetch and b.can_fetch:
        return
    if filtered:
        raise ConfigError(
            "filter is set, and DynamoDB does not filter exports",
            "Leave it out; --ignore and --sample work",
        )
    if to_file and not a.can_fetch:
        raise ConfigError(
            f"output wants the items of A, which cannot be looked up by their keys in {a.what}",
            "Load the export into a table and compare that one, or compare without --output",
        )
    if scope.since is not None and not b.can_fetch and not a.can_fetch:
        raise ConfigError(
            "since is set, and neither A nor B is a table: exports do not change", "Leave it out"
        )


def require_affordable(
    sides: Sequence[Readable], left: Sequence[Places], most: float, prices: Prices
) -> None:
    """Refuse a comparison that would cost too much; nothing was paid for yet.

    Args:
        sides: The sides.
        left: Where the read of each stands.
        most: What it may cost.
        prices: What units cost.

    Raises:
        CostExceeded: It would cost more.
    """
    costs = [
        scan_cost(
            side.table.name,
            0 if side.table.billing == "PROVISIONED" else side.size_ahead(places),
            prices,
            consistent=side.how.consistent,
        )
        for side, places in zip(sides, left, strict=True)
    ]
    log.info("%s", estimate(costs, most, prices))


def announce(sides: Sequence[Readable], left: Sequence[Places], scope: Scope, root: Path) -> None:
    """Say what is going to be read, how fast and by whom, and how much room it takes.

    Args:
        sides: The sides, which have begun.
        left: Where the read of each stands.
        scope: What of the items is compared.
        root: Where the files are.
    """
    for letter, side, places in zip("AB", sides, left, strict=True):
        if not places.complete:
            log.info(
                "Reading %s: %s, about %s items: %s of %s %s by %s workers in %s, %s",
                letter,
                side.what,
                f"{side.table.item_count:,}",
                places.left,
                places.segments,
                side.parts_name,
                side.how.workers_chosen,
                _processes(side.processes),
                side.pace,
            )
    for words in left_out(scope):
        log.info("Compared: %s", words)
    size = sum(side.table.item_count for side in sides) * ROW_BYTES * scope.sample / 100
    log.info("Files of about %s MB lie in %s meanwhile", f"{size / 1e6:,.1f}", root)
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(root).free
        if size > free:
            log.warning(
                "In %s %s MB are free: should they not do, name another folder with --work-folder",
                root,
                f"{free / 1e6:,.1f}",
            )


def _processes(count: int) -> str:
    return {0: "this process", 1: "a process of its own"}.get(
        count, f"{count} processes of its own"
    )
