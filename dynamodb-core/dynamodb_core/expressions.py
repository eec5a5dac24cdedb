"""Expressions in DynamoDB's requests; every attribute name in them is an alias.

Many names are reserved words there, and many hold characters that an expression cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynamodb_core.encode import TypedValue

MOST_BYTES = 4096
"""Longest expression that DynamoDB takes, by AWS's table of its limits."""

SORT_OPERATORS = {"=": 1, "<": 1, "<=": 1, ">": 1, ">=": 1, "begins_with": 1, "between": 2}
"""How a key condition may bound a sort key, and how many values each operator wants."""


@dataclass(frozen=True)
class Filter:
    """A filter expression as a person wrote it.

    Attributes:
        expression: The expression.
        names: Attribute names by their placeholders, which begin with `#`.
        values: Typed values by their placeholders, which begin with `:`.
    """

    expression: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, TypedValue] = field(default_factory=dict)


class Range(NamedTuple):
    """Values of one type.

    Attributes:
        low: The lowest, typed.
        high: The highest, typed; None where there is no upper end.
    """

    low: TypedValue
    high: TypedValue | None = None


class Bounds(NamedTuple):
    """Which values of an attribute are wanted.

    Attributes:
        attribute: Its name.
        ranges: Values in any of these are wanted.
    """

    attribute: str
    ranges: tuple[Range, ...]


class SortCondition(NamedTuple):
    """What a key condition says of a sort key.

    Attributes:
        attribute: The sort key's name.
        operator: One of `SORT_OPERATORS`.
        values: As many typed values as it wants.
    """

    attribute: str
    operator: str
    values: tuple[TypedValue, ...]


class KeyCondition(NamedTuple):
    """A partition, and perhaps a range of it.

    Attributes:
        equal: The typed value of each partition key attribute, by name.
        sort: Conditions on the sort key: of one attribute, or of several where an index has them.
    """

    equal: Mapping[str, TypedValue]
    sort: tuple[SortCondition, ...] = ()


class Aliases:
    """Hands out the placeholders of one request.

    Args:
        given: A filter whose placeholders are taken.
    """

    def __init__(self, given: Filter | None = None) -> None:
        self._names = dict(given.names) if given else {}
        self._values = dict(given.values) if given else {}
        self._of_name: dict[str, str] = {}

    def name(self, attribute: str) -> str:
        """Return the placeholder of an attribute's name."""
        if attribute not in self._of_name:
            placeholder = _free("#", self._names)
            self._names[placeholder] = attribute
            self._of_name[attribute] = placeholder
        return self._of_name[attribute]

    def value(self, typed: TypedValue) -> str:
        """Return the placeholder of a value."""
        placeholder = _free(":", self._values)
        self._values[placeholder] = typed
        return placeholder

    def members(self) -> dict[str, Any]:
        """Return the members of the request that say what the placeholders stand for."""
        named = {
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
        }
        return {member: given for member, given in named.items() if given}


def projection(attributes: Iterable[str], aliases: Aliases) -> str:
    """Return a projection expression of top-level attributes."""
    return ",".join(map(aliases.name, attributes))


def key_condition(condition: KeyCondition, aliases: Aliases) -> str:
    """Return a key condition expression."""
    terms = [
        f"{aliases.name(name)} = {aliases.value(typed)}" for name, typed in condition.equal.items()
    ]
    for attribute, operator, values in condition.sort:
        name = aliases.name(attribute)
        given = [aliases.value(typed) for typed in values]
        if operator == "begins_with":
            terms.append(f"begins_with({name}, {given[0]})")
        elif operator == "between":
            terms.append(f"{name} BETWEEN {given[0]} AND {given[1]}")
        else:
            terms.append(f"{name} {operator} {given[0]}")
    return " AND ".join(terms)


def within(bounds: Bounds, aliases: Aliases) -> str:
    """Return a filter expression that leaves out what lies in none of the ranges.

    Items without the attribute, or with a type that no range has, are not left out.
    """
    name = aliases.name(bounds.attribute)
    terms = []
    for low, high in bounds.ranges:
        lower = aliases.value(low)
        upper = aliases.value(high) if high is not None else ""
        terms.append(f"{name} BETWEEN {lower} AND {upper}" if upper else f"{name} >= {lower}")
    kinds = dict.fromkeys(kind for low, _ in bounds.ranges for kind in low)
    others = [f"NOT attribute_type({name}, {aliases.value({'S': kind})})" for kind in kinds]
    return " OR ".join([*terms, f"attribute_not_exists({name})", " AND ".join(others)])


def both(*terms: str) -> str:
    """Return the conjunction of filter expressions; empty ones say nothing."""
    said = [term for term in terms if term]
    return said[0] if len(said) == 1 else " AND ".join(f"({term})" for term in said)


def _free(mark: str, taken: Mapping[str, Any]) -> str:
    number = len(taken)
    while f"{mark}{number}" in taken:
        number += 1
    return f"{mark}{number}"
