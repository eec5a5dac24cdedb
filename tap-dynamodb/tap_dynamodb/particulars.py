"""What the tap tells of a table, so that a target can make another one like it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from dynamodb_core import tables
from dynamodb_core.descriptions import beyond, described
from dynamodb_core.errors import AccessError, ServiceError, TableNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from tap_dynamodb.sources import Source

MOST_TABLES = 100
"""Of more tables than these TTL and tags are not asked for: an account may ask for tags 10 times a
second, and discovery is to be quick."""

Answer = TypeVar("Answer")

log = logging.getLogger("tap-dynamodb")


@dataclass(frozen=True)
class Particulars:
    """What a table is like beside its items.

    Attributes:
        definition: Its settings, of which another table can be made.
        left_behind: What it has, in words, that neither items nor settings carry.
    """

    definition: Mapping[str, Any] = field(default_factory=dict)
    left_behind: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Table) -> Particulars:
        """Return what DescribeTable alone says.

        Args:
            table: The table.
        """
        return cls(described(table.description), tuple(beyond(table.description)))


class Inquiry:
    """Asks for what DescribeTable does not say: the TTL and the tags of tables.

    What may not be asked for is left out, is said once, and is not asked for again.

    Args:
        wire: Carries the calls.
        wanted: Whether anything is asked for.
        count: How many tables there are.
    """

    def __init__(self, wire: Wire, *, wanted: bool = True, count: int = 1) -> None:
        self._wire = wire
        self._why = "" if wanted else "describe_ttl_and_tags is off"
        if wanted and count > MOST_TABLES:
            self._why = f"there are more than {MOST_TABLES} tables"
            log.info("TTL and tags are not looked at, as %s", self._why)
        self._refused: dict[str, str] = {}

    def of(self, source: Source) -> Particulars:
        """Return what a table is like.

        Args:
            source: The table.

        Raises:
            Error: A call failed otherwise than by a refusal.
        """
        table, wire = source.table, self._wire
        expiry = self._ask("TTL", lambda: tables.ttl_attribute(wire, source.reference))
        tags = self._ask("tags", lambda: tables.tags(wire, table.arn)) if table.arn else None
        unknown = tuple(
            f"{what} ({self._why or self._refused.get(what, 'not known')})"
            for what, answer in (("TTL", expiry), ("tags", tags))
            if answer is None
        )
        return Particulars(
            described(table.description, ttl_attribute=expiry and expiry[0], tags=tags and tags[0]),
            (*beyond(table.description), *unknown),
        )

    def _ask(self, what: str, call: Callable[[], Answer]) -> tuple[Answer] | None:
        """Return an answer; None where there is none to be had."""
        if self._why or what in self._refused:
            return None
        try:
            return (call(),)
        except (AccessError, ServiceError, TableNotFound) as error:  # some engines know no ARN
            if what not in self._refused:
                self._refused[what] = "the tap may not look at it"
                log.info("The %s of tables cannot be told to a target: %s", what, error.message)
            return None
