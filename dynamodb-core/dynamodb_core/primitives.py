"""What the code that `generate.py` makes calls, by the short names that it has there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import orjson
from msgspec import UNSET

from dynamodb_core.codec import base16
from dynamodb_core.pointers import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec


class Misfit(Exception):
    """An item that the program cannot convert."""


def _raw(value: msgspec.Raw) -> orjson.Fragment:
    """Return JSON as it came; on one line, for records are lines."""
    body = bytes(value)
    if b"\n" in body or b"\r" in body:
        body = orjson.dumps(orjson.loads(body))
    return orjson.Fragment(body)


def _mark(value: Any, at: str, types: dict[str, str], kind: str) -> Any:
    types[at] = kind
    return value


def _numbers(parts: list[Any], note: Callable[[str], None]) -> list[orjson.Fragment]:
    texts = [part.N for part in parts]
    for text in texts:
        note(text)
    return list(map(orjson.Fragment, texts))


def _texts(parts: list[Any], note: Callable[[str], None]) -> list[str]:
    texts = [part.N for part in parts]
    for text in texts:
        note(text)
    return texts


def _marked_texts(
    parts: list[Any], note: Callable[[str], None], at: str, types: dict[str, str]
) -> list[str]:
    for n in range(len(parts)):
        types[f"{at}/{n}"] = "N"
    return _texts(parts, note)


def _hex(text: str) -> str:
    try:
        return base16(text)
    except ValueError:
        raise Misfit from None


def _misfit() -> NoReturn:
    raise Misfit


PRIMITIVES: dict[str, Any] = {
    "U": UNSET,
    "F": orjson.Fragment,
    "raw": _raw,
    "dumps": orjson.dumps,
    "join": b"".join,
    "mark": _mark,
    "numbers": _numbers,
    "texts": _texts,
    "marked": _marked_texts,
    "hex": _hex,
    "esc": escape,
    "misfit": _misfit,
}
