"""What is read of a table and how: from a part to the request for its next page; pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core.expressions import (
    MOST_BYTES,
    Aliases,
    Bounds,
    Filter,
    KeyCondition,
    SortCondition,
    both,
    key_condition,
    projection,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynamodb_core.parts import Part


@dataclass(frozen=True)
class ReadPlan:
    """How a table, or an index of it, is read; the same for all of its parts.

    A plan without `conditions` is a scan, whose parts are segments. With them it is a query for
    each, and they are its parts.

    Attributes:
        table: Name or ARN of the table.
        segments: How many parts there are. A place is valid for the same number only.
        index: The index that is read instead of the table.
        consistent: Whether to read strongly consistent, at twice the units.
        limit: Most items a page; None lets DynamoDB fill pages to 1 MB.
        conditions: The partitions that are read, one for each part.
        filter: What items must meet.
        attributes: The attributes that are wanted; None for all. More than an expression can name
            are all read.
        bounds: Which values of an attribute are wanted, of all parts or by part.
        ordered: Whether that attribute is the sort key of the queries. Its bounds are a part of the
            key condition then, and so one range without an upper end; else they are a filter.
    """

    table: str
    segments: int = 1
    index: str | None = None
    consistent: bool = False
    limit: int | None = None
    conditions: Sequence[KeyCondition] = ()
    filter: Filter | None = None
    attributes: Sequence[str] | None = None
    bounds: Mapping[int, Bounds] | Bounds | None = None
    ordered: bool = False

    @property
    def operation(self) -> str:
        """`Scan` or `Query`."""
        return "Query" if self.conditions else "Scan"

    @property
    def what(self) -> str:
        """The table, and the index of it, in words."""
        return f"index {self.index} of table {self.table}" if self.index else f"table {self.table}"

    def part(self, number: int) -> str:
        """Return a part in words."""
        if self.conditions:
            return f"partition {number + 1} of {self.segments} of {self.what}"
        return f"segment {number} of {self.segments} of {self.what}"

    def request(self, part: Part, limit: int | None = None) -> dict[str, Any]:
        """Return the request for a part's next page.

        Args:
            part: The segment or the key condition, and in `place` the key to begin after.
            limit: Most items of this page, where the plan says nothing; None for as many as fit.
        """
        aliases = Aliases(self.filter)
        wanted = self.filter.expression if self.filter else ""
        request: dict[str, Any] = {"TableName": self.table, "ReturnConsumedCapacity": "INDEXES"}
        bound = self._bound(part.number)
        if self.conditions:
            condition = self.conditions[part.number]
            if bound and self.ordered:
                condition = _bounded(condition, bound)
            request["KeyConditionExpression"] = key_condition(condition, aliases)
        else:
            request |= {"Segment": part.number, "TotalSegments": self.segments}
        if bound and not self.ordered:
            wanted = both(wanted, within(bound, aliases))
        if wanted:
            request["FilterExpression"] = wanted
        if self.attributes is not None and self.projects:
            request["ProjectionExpression"] = projection(self.attributes, aliases)
        if self.index is not None:
            request["IndexName"] = self.index
        if self.consistent:
            request["ConsistentRead"] = True
        if self.limit is not None or limit is not None:
            request["Limit"] = self.limit if self.limit is not None else limit
        if part.place is not None:
            request["ExclusiveStartKey"] = part.place
        return request | aliases.members()

    def _bound(self, number: int) -> Bounds | None:
        if self.bounds is None or isinstance(self.bounds, Bounds):
            return self.bounds
        return self.bounds.get(number)

    @cached_property
    def projects(self) -> bool:
        """Whether there are wanted attributes, and not more than an expression can name."""
        if self.attributes is None:
            return False
        return len(projection(self.attributes, Aliases()).encode()) <= MOST_BYTES - _ROOM


_ROOM = 512
"""Bytes that longer placeholders may take where a filter has used up the short ones."""


def _bounded(condition: KeyCondition, bound: Bounds) -> KeyCondition:
    ((low, _high),) = bound.ranges
    lower = SortCondition(bound.attribute, ">=", (low,))
    return condition._replace(sort=(*condition.sort, lower))
