"""Compares two tables, item by item and exactly, and says where they differ.

It reads raw wire JSON through `demo.wire` and knows nothing of the tap, the target or their core,
so that a mistake of theirs cannot cancel out here. Sets are compared as sets and numbers by value
(`1.0` is `1`); everything else must be the same to the letter, types included.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from demo.guard import ACCESS_KEY_ID
from demo.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from demo.wire import Item, KeySchema

_SHOWN = 10
_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One place where two tables differ: the item's key, the path in it, and both sides in words."""

    key: str
    path: str
    source: str
    target: str

    def __str__(self) -> str:
        where = f"item {self.key}" + (f" at {self.path}" if self.path else "")
        return f"{where}: source has {self.source}, target has {self.target}"


@dataclass(frozen=True)
class Comparison:
    """What came of comparing: how many items each side has, and every difference."""

    source_count: int
    target_count: int
    differences: list[Difference]

    @property
    def identical(self) -> bool:
        """Whether both sides hold the same items."""
        return not self.differences

    def __str__(self) -> str:
        if self.identical:
            return f"identical: {self.source_count:,} items"
        head = (
            f"different: {len(self.differences):,} differences, {self.source_count:,} items in the"
            f" source, {self.target_count:,} in the target"
        )
        shown = [f"  {difference}" for difference in self.differences[:_SHOWN]]
        if len(self.differences) > _SHOWN:
            shown.append(f"  and {len(self.differences) - _SHOWN:,} more")
        return "\n".join([head, *shown])


def compare_tables(source: Wire, source_table: str, target: Wire, target_table: str) -> Comparison:
    """Read both tables and compare them; tables with different keys differ by that alone."""
    key = source.key_of(source_table)
    other = target.key_of(target_table)
    if key != other:
        return Comparison(0, 0, [Difference("(the key schema)", "", str(key), str(other))])
    return compare(source.scan(source_table), target.scan(target_table), key)


def compare(source: Iterable[Item], target: Iterable[Item], key: KeySchema) -> Comparison:
    """Compare two collections of items that share a key; an item read twice is a difference."""
    repeated: list[Difference] = []
    left = _by_key(source, key, repeated, "source")
    right = _by_key(target, key, repeated, "target")
    differences = list(repeated)
    for identity, item in left.items():
        found = right.get(identity)
        name = _key_text(item, key)
        if found is None:
            differences.append(Difference(name, "", "the item", "nothing"))
        else:
            differences.extend(
                Difference(name, path, _text(a), _text(b)) for path, a, b in _maps(item, found, "")
            )
    differences.extend(
        Difference(_key_text(item, key), "", "nothing", "the item")
        for identity, item in right.items()
        if identity not in left
    )
    return Comparison(len(left), len(right), differences)


def _by_key(
    items: Iterable[Item], key: KeySchema, repeated: list[Difference], side: str
) -> dict[Hashable, Item]:
    found: dict[Hashable, Item] = {}
    for item in items:
        identity = tuple(_scalar(kind, item[name][kind]) for name, kind in key)
        if identity in found:
            words = ("the item twice", "") if side == "source" else ("", "the item twice")
            repeated.append(Difference(_key_text(item, key), "", *words))
        found[identity] = item
    return found


def _scalar(kind: str, value: Any) -> Hashable:
    if kind == "N":
        return Decimal(value)
    if kind == "B":
        return base64.b64decode(value, validate=True)
    result: Hashable = value
    return result


def _maps(
    source: dict[str, Any], target: dict[str, Any], path: str
) -> Iterator[tuple[str, Any, Any]]:
    for name in [*source, *(name for name in target if name not in source)]:
        yield from _values(
            source.get(name, _ABSENT), target.get(name, _ABSENT), f"{path}[{name!r}]"
        )


def _values(source: Any, target: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if source is _ABSENT or target is _ABSENT or len(source) != 1 or source.keys() != target.keys():
        yield path, source, target
        return
    ((kind, left),) = source.items()
    right = target[kind]
    if kind == "M":
        yield from _maps(left, right, path)
    elif kind == "L":
        for index in range(max(len(left), len(right))):
            a = left[index] if index < len(left) else _ABSENT
            b = right[index] if index < len(right) else _ABSENT
            yield from _values(a, b, f"{path}[{index}]")
    elif not _same(kind, left, right):
        yield path, source, target


def _same(kind: str, left: Any, right: Any) -> bool:
    if kind in ("SS", "NS", "BS"):
        if len(left) != len(right):
            return False
        return {_scalar(kind[0], v) for v in left} == {_scalar(kind[0], v) for v in right}
    if type(left) is not type(right):
        return False
    return _scalar(kind, left) == _scalar(kind, right)


def _text(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text):,} characters)"  # noqa: PLR2004


def _key_text(item: Item, key: KeySchema) -> str:
    return ", ".join(f"{name}={_text(item[name][kind])}" for name, kind in key)


def main(arguments: list[str] | None = None) -> int:
    """Compare two tables of one engine; print the outcome; return 0 when they are identical."""
    parser = argparse.ArgumentParser(prog="python -m demo.compare", description=__doc__)
    parser.add_argument("--endpoint", required=True, help="of the engine, on loopback")
    parser.add_argument("--account", default=ACCESS_KEY_ID, help="access key id")
    parser.add_argument("source", help="name of the source table")
    parser.add_argument("target", help="name of the target table")
    options = parser.parse_args(arguments)
    with contextlib.closing(Wire(options.endpoint, options.account)) as wire:
        comparison = compare_tables(wire, options.source, wire, options.target)
    print(comparison)
    return 0 if comparison.identical else 1


if __name__ == "__main__":
    sys.exit(main())
