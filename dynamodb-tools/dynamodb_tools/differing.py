"""What differs between two items: exactly, by path, pure.

It agrees with `canonical`: there is a difference of value exactly when the digests of content differ.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core.pointers import escape
from dynamodb_tools.canonical import binary, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dynamodb_core.codec import Item
    from dynamodb_core.encode import TypedValue

_SETS: dict[str, Callable[[str], str]] = {"SS": str, "NS": number, "BS": binary}


class Difference(NamedTuple):
    """A place at which two items differ.

    Attributes:
        path: The attribute, and what leads from it to the value: `/prices/0`. Names are escaped as in a JSON
            Pointer; types are not named.
        a: The first item's value, None where it has none. Of two sets only the members that the other one lacks
            (`/tags`, `{"SS": ["only here"]}`), perhaps none (`{"SS": []}`).
        b: The second item's, likewise.
        spelling: Whether the values are equal, and only their numbers are spelled otherwise.
    """

    path: str
    a: TypedValue | None
    b: TypedValue | None
    spelling: bool = False


def differences(a: Item, b: Item, ignore: frozenset[str] = frozenset()) -> list[Difference]:
    """Return all differences of two items, in the order of the paths' names.

    Args:
        a: Typed attributes.
        b: Typed attributes.
        ignore: Attributes that do not count.
    """
    first, second = (
        {name: typed for name, typed in item.items() if name not in ignore} for item in (a, b)
    )
    return list(_members(first, second, ""))


def shown(value: TypedValue | None, most: int = 80) -> str:
    """Return a value for people, on one line: `N 1.5`, `S "text"`, `missing`.

    Args:
        value: The value.
        most: Characters from which on it is cut short.
    """
    if value is None:
        return "missing"
    [(kind, content)] = value.items()
    if kind == "NULL":
        return kind
    text = content if kind == "N" else json.dumps(content, ensure_ascii=False)
    line = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in f"{kind} {text}"[: most + 1]
    )
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _members(a: Mapping[str, Any], b: Mapping[str, Any], path: str) -> Iterator[Difference]:
    for name in sorted(a.keys() | b.keys()):
        yield from _values(a.get(name), b.get(name), f"{path}/{escape(name)}")


def _values(a: Any, b: Any, path: str) -> Iterator[Difference]:
    if a is None or b is None or a.keys() != b.keys():
        yield Difference(path, a, b)
        return
    [(kind, one)] = a.items()
    other = b[kind]
    if kind == "M":
        yield from _members(one, other, path)
    elif kind == "L":
        for index, (left, right) in enumerate(zip_longest(one, other)):
            yield from _values(left, right, f"{path}/{index}")
    elif kind in _SETS:
        yield from _sets(kind, one, other, path)
    elif kind == "N":
        if one != other:
            yield Difference(path, a, b, spelling=number(one) == number(other))
    elif kind == "B":
        if binary(one) != binary(other):
            yield Difference(path, a, b)
    elif one != other:
        yield Difference(path, a, b)


def _sets(kind: str, one: list[str], other: list[str], path: str) -> Iterator[Difference]:
    alike = _SETS[kind]
    here, there = Counter(map(alike, one)), Counter(map(alike, other))
    only_a, only_b = _some(one, here - there, alike), _some(other, there - here, alike)
    if only_a or only_b:
        yield Difference(path, {kind: only_a}, {kind: only_b})
    if kind == "NS":
        both = here & there
        one, other = _some(one, both, alike), _some(other, both, alike)
        here, there = Counter(one), Counter(other)
        if here != there:
            only_a, only_b = _some(one, here - there), _some(other, there - here)
            yield Difference(path, {kind: only_a}, {kind: only_b}, spelling=True)


def _some(members: list[str], wanted: Counter[str], alike: Callable[[str], str] = str) -> list[str]:
    """Return those members that are wanted, as often as they are."""
    left = Counter(wanted)
    found = []
    for member in members:
        if left[alike(member)] > 0:
            left[alike(member)] -= 1
            found.append(member)
    return found
