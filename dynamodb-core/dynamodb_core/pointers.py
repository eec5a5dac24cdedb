"""JSON Pointers (RFC 6901): the paths at which `_dynamodb.types` names a value's type."""

from __future__ import annotations

from typing import Any

Place = tuple[Any, Any]
"""Where a value stands: the place it is inside of, None at the top, and its name or index there."""


def escape(name: str) -> str:
    """Return a property's name as one token of a pointer."""
    if "~" in name or "/" in name:
        return name.replace("~", "~0").replace("/", "~1")
    return name


def split(pointer: str) -> list[str]:
    """Return the names and indexes that a pointer passes through; none for the whole document.

    A text that is no pointer (it does not begin with a slash) passes through nothing.
    """
    if not pointer.startswith("/"):
        return []
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def index(token: str, length: int) -> int | None:
    """Return the position that a token names in an array of this length, None when it is none."""
    if not token.isascii() or not token.isdigit() or (len(token) > 1 and token[0] == "0"):
        return None
    fits = len(token) <= len(str(length)) and int(token) < length
    return int(token) if fits else None


def pointer(at: Place | None) -> str:
    """Return the JSON Pointer of a place, written only when somebody asks for it."""
    tokens: list[str] = []
    while at is not None:
        at, token = at
        tokens.append(escape(str(token)))
    return "".join(f"/{token}" for token in reversed(tokens))
