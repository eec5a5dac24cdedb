r"""Attributes made of several others, and shards: texts that no two different lists of parts share; pure.

The rule: each part becomes text, `\` in it becomes `\\` and `#` becomes `\#`, and the parts are joined by
`#`. So a `#` that no `\` protects stands between two parts, and nowhere else: the parts can be told from
the text, and `("a#", "b")` and `("a", "#b")` differ (`a\##b`, `a#\#b`). A string is its own text; a number
is written out in full (`1`, `1.0` and `1e0` are one number, and all `1`); binary is its base64. A part has
one type in all records, so that the text `1` and the number 1 are never mixed.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from dynamodb_core import numbers
from dynamodb_core.errors import DataError
from dynamodb_core.pointers import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynamodb_core.encode import TypedValue

SEPARATOR = "#"
_ESCAPE = "\\"
_ESCAPED = str.maketrans({_ESCAPE: _ESCAPE * 2, SEPARATOR: _ESCAPE + SEPARATOR})
_HASHED = 8
"""Bytes of the hash that choose a shard."""


class MissingPart(DataError):
    """An item lacks a part of what is joined."""


def join(parts: Iterable[str]) -> str:
    """Return the joined text of parts, by the rule of this module."""
    return SEPARATOR.join(part.translate(_ESCAPED) for part in parts)


def split(text: str) -> list[str]:
    """Return the parts that a text was joined of."""
    parts, part, protected = [], "", False
    for character in text:
        if not protected and character == _ESCAPE:
            protected = True
        elif not protected and character == SEPARATOR:
            parts.append(part)
            part = ""
        else:
            part += character
            protected = False
    return [*parts, part]


def text(name: str, typed: TypedValue, kind: str) -> str:
    """Return a part as text.

    Args:
        name: The attribute.
        typed: Its value.
        kind: The type that it has in all records: `S`, `N` or `B`.

    Raises:
        DataError: It is of another type, or no number, or no base64.
    """
    value = typed.get(kind)
    if not isinstance(value, str):
        raise DataError(
            f"/{escape(name)} is of type {'/'.join(typed)}, and as a part of another attribute it is "
            f"{kind} in all records",
            f'Say its type in stream_options: {{"types": {{"{name}": "{next(iter(typed))}"}}}}',
        )
    if kind == "N":
        return numbers.plain_digits(value)
    if kind == "B":
        try:
            return b64encode(b64decode(value, validate=True)).decode()
        except ValueError as error:
            raise DataError(f"/{escape(name)} is no base64: {error}") from error
    return value


def texts(item: Mapping[str, TypedValue], parts: Sequence[tuple[str, str]], what: str) -> list[str]:
    """Return attributes of an item as texts.

    Args:
        item: The item.
        parts: Names and types.
        what: What is made of them, for messages.

    Raises:
        MissingPart: The item lacks one, or it is NULL.
        DataError: As for `text`.
    """
    found = []
    for name, kind in parts:
        typed = item.get(name)
        if typed is None or "NULL" in typed:
            raise MissingPart(
                f"/{escape(name)} is missing, of which {what} is made",
                "Give it a value in stream_options (defaults), or look at the tap",
            )
        found.append(text(name, typed, kind))
    return found


def shard(parts: Iterable[str], count: int) -> int:
    """Return the shard that parts belong to: the same everywhere, and for ever.

    It is the first 8 bytes of the SHA-256 of their joined text in UTF-8, as a number with the highest
    byte first, modulo the number of shards.

    Args:
        parts: Texts of attributes.
        count: How many shards there are.
    """
    digest = hashlib.sha256(join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:_HASHED], "big") % count
