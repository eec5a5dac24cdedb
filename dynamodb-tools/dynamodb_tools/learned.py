"""Items without maps, lists, sets and binaries, read by the names of their attributes, which are learned; pure.

Most items of most tables are such. Parsed into one class made for their names, and written again in the order
of these, they take a third of the time that dictionaries take. What comes out is to the letter what
`contents.dump` writes. Items that do not fit are left to the dictionaries, and teach their names.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamodb_core.table import Key

MOST_NAMES = 64
"""Names that are learned; tables with more are read as dictionaries."""

LONGEST_PAUSE = 64
"""Calls after one that failed in which `read` does not try, at the most."""

_is_plain = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+').fullmatch
"""Whether a class may have a member of this name in JSON."""

_encode_lines = msgspec.json.Encoder().encode_lines


class Leaf(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A value that holds no others."""

    S: str | UnsetType = UNSET
    N: str | UnsetType = UNSET
    BOOL: bool | UnsetType = UNSET
    NULL: bool | UnsetType = UNSET


LEAVES = frozenset(Leaf.__struct_fields__)


class Learned:
    """What was learned of a table's items. Pickled, it is as ignorant as a new one."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._decode: Callable[[bytes], list[Any]] | None = None
        self._pause = 0
        self._skipped = 0

    def __reduce__(self) -> tuple[type[Learned], tuple[()]]:
        """Be pickled as a new one."""
        return Learned, ()

    def read(self, items: Sequence[msgspec.Raw | bytes]) -> list[Any] | None:
        """Return items, parsed; None where one of them does not fit what was learned.

        Args:
            items: Each as DynamoDB JSON.
        """
        if self._decode is None:
            return None
        if self._skipped < self._pause:
            self._skipped += 1
            return None
        self._skipped = 0
        try:
            page = self._decode(b"[%b]" % b",".join(items))
        except (msgspec.DecodeError, UnicodeError):
            self._pause = min(2 * self._pause + 1, LONGEST_PAUSE)
            return None
        self._pause = 0
        return page

    def learn(self, items: Iterable[Any]) -> None:
        """Take in the names of items that did not fit.

        Args:
            items: Typed attributes of each.
        """
        if self._skipped or len(self._fields) > MOST_NAMES:
            return
        names = {
            name
            for item in items
            if isinstance(item, dict)
            and all(type(each) is dict and LEAVES.issuperset(each) for each in item.values())
            and all(map(_is_plain, item))
            for name in item
        }
        if names <= self._fields.keys():
            return
        every = sorted(names | self._fields.keys())
        self._fields = {name: f"f{number}" for number, name in enumerate(every)}
        if len(every) > MOST_NAMES:
            self._decode = None
            return
        fields = [
            (field, Leaf | UnsetType, msgspec.field(default=UNSET, name=name))
            for name, field in self._fields.items()
        ]
        item = msgspec.defstruct("Item", fields, forbid_unknown_fields=True, gc=False)
        self._decode = msgspec.json.Decoder(list[item]).decode  # type: ignore[valid-type]
        self._pause = 0

    def parts(self, page: list[Any], key: Key) -> list[list[str]]:
        """Return the values of a key's attributes, of each attribute those of all items.

        Args:
            page: Items that were read.
            key: The key.

        Raises:
            AttributeError: An item has not the attribute.
            KeyError: None has.
        """
        return [
            list(map(attrgetter(f"{self._fields[name]}.{kind}"), page))
            for name, kind in zip(key.names, key.types, strict=True)
        ]

    def lines(self, page: list[Any], ignore: Iterable[str]) -> bytes:
        """Return the JSON of each item on a line of its own, its attributes in order.

        Args:
            page: Items that were read. They are changed.
            ignore: Attributes to leave out.
        """
        for field in filter(None, map(self._fields.get, ignore)):
            for item in page:
                setattr(item, field, UNSET)
        return _encode_lines(page)
