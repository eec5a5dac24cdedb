"""Text that code puts together, as a list of pieces: JSON that is the same in every record, and expressions.

Neighbours are put together, so that most of a record is one join.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from dynamodb_core.pointers import escape

if TYPE_CHECKING:
    from collections.abc import Callable


class Json(str):
    """A piece of text that is the same in every record."""

    __slots__ = ()


class Number(str):
    """An expression for the text of a number, which must be noted."""

    __slots__ = ()


class Tag(str):
    """An expression for an entry, or several, that tell the types of values inside."""

    __slots__ = ()


Pieces = list[str]
"""Expressions, and texts as `Json`: together the JSON of a value."""


def pointed(*names: str) -> Pieces:
    """Return the pieces of a JSON Pointer, or of a part of one, as it stands in JSON."""
    return [Json(orjson.dumps("".join(f"/{escape(name)}" for name in names)).decode()[1:-1])]


def named(name: str) -> Json:
    """Return a name with its colon, as it stands before its value."""
    return Json(orjson.dumps(name).decode() + ":")


def entries(always: list[Pieces], others: list[str]) -> Pieces:
    """Return the pieces of an object.

    Args:
        always: The pieces of each entry that is always there.
        others: Expressions, each for entries with a comma before each, or for nothing.
    """
    between = [piece for entry in always for piece in (Json(","), *entry)][1:]
    if not always and others:
        return [Json("{"), f"{joined(others)}[1:]", Json("}")]
    return [Json("{"), *between, *others, Json("}")]


def optional(source: str, expression: str) -> str:
    """Return an expression for what is there when a struct is."""
    return f"('' if {source} is U else {expression})"


def choice(source: str, kinds: dict[str, str]) -> str:
    """Return an expression for what is true of the kind that a value has."""
    chain = "".join(f"{what} if {source}.{kind} is not U else " for kind, what in kinds.items())
    return f"({chain}misfit())"


def joined(pieces: Pieces) -> str:
    """Return an expression for the text of pieces; their numbers are noted where they stand, and tags too."""
    return _join(pieces, "mark({}, types)".format, "(note(({0},)) or {0})".format)


def returned(pieces: Pieces, after: str = "") -> list[str]:
    """Return statements that return the text of pieces; their numbers are noted all at once, and tags too."""
    tags = [piece for piece in pieces if isinstance(piece, Tag)]
    numbers = [piece for piece in pieces if isinstance(piece, Number)]
    before = [f"types.extend(({', '.join(tags)},))"] if tags else []
    before += [f"note(({', '.join(numbers)},))"] if numbers else []
    return [*before, f"return {_join(pieces, lambda _tag: '', str)}{after}"]


def _join(pieces: Pieces, tag: Callable[[str], str], number: Callable[[str], str]) -> str:
    sources: list[str] = []
    text = ""
    for piece in pieces:
        if isinstance(piece, Json):
            text += piece
            continue
        source = tag(piece) if isinstance(piece, Tag) else piece
        source = number(piece) if isinstance(piece, Number) else source
        if source:
            sources += [repr(text), source] if text else [source]
            text = ""
    if text:
        sources.append(repr(text))
    return sources[0] if len(sources) == 1 else f"join(({', '.join(sources)}))"


def quoted(text: str) -> Pieces:
    """Return the pieces of a string that wants no escapes."""
    return [Json('"'), text, Json('"')]


def within(brackets: str, parts: str) -> Pieces:
    """Return the pieces of what stands in brackets, of an expression for the texts of its parts."""
    return [Json(brackets[0]), f"commas({parts})", Json(brackets[1])]
