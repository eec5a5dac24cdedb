"""What the code that `generate.py` makes calls, by the short names that it has there."""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
from msgspec import UNSET

from dynamodb_core.codec import base16
from dynamodb_core.pointers import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import msgspec

_commas = ",".join
_quotes = '","'.join


class Misfit(Exception):
    """An item that the program cannot convert."""


def _raw(value: msgspec.Raw) -> str:
    """Return JSON as it came; on one line, for records are lines."""
    body = bytes(value)
    if b"\n" in body or b"\r" in body:
        body = orjson.dumps(orjson.loads(body))
    return body.decode()


def _strings(texts: Sequence[str]) -> str:
    """Return a list of strings without anything that wants an escape."""
    return f'["{_quotes(texts)}"]' if texts else "[]"


def _escaped_strings(texts: Sequence[str]) -> str:
    return f"[{_commas(map(encode_basestring, texts))}]"


def _noted(texts: list[str], note: Callable[[list[str]], None]) -> list[str]:
    note(texts)
    return texts


def _mark(tag: str, types: list[str]) -> str:
    types.append(tag)
    return ""


def _tags(at: str, kind: str, parts: Sequence[object]) -> str:
    """Return the entries that tell the type of all parts of a list."""
    between = f'":"{kind}","{at}/'
    return f'"{at}/{between.join(map(str, range(len(parts))))}":"{kind}"' if parts else ""


def _pointer(name: str) -> str:
    """Return a part of a JSON Pointer as it stands in JSON."""
    return encode_basestring(escape(name))[1:-1]


def _keep(name: str, entry: str, spill: Callable[[str], None], rest: list[str]) -> str:
    """Let an attribute go to `rest`, where its entry is this."""
    spill(name)
    rest.append(entry)
    return ""


def _reserve(name: str, types: Iterable[str], rest: Iterable[str]) -> str:
    """Return the entry of the reserved object, with a comma before it, if there is any.

    Args:
        name: Its name with a colon.
        types: Entries of its `types`; some may be empty.
        rest: Entries of its `rest`.
    """
    tags, kept = _commas(filter(None, types)), _commas(rest)
    if not kept:
        return f',{name}{{"types":{{{tags}}}}}' if tags else ""
    return (
        f',{name}{{"types":{{{tags}}},"rest":{{{kept}}}}}'
        if tags
        else f',{name}{{"rest":{{{kept}}}}}'
    )


def _hex(text: str) -> str:
    try:
        return base16(text)
    except ValueError:
        raise Misfit from None


def _misfit() -> NoReturn:
    raise Misfit


PRIMITIVES: dict[str, Any] = {
    "U": UNSET,
    "raw": _raw,
    "join": "".join,
    "commas": _commas,
    "glue": b"".join,
    "escape": encode_basestring,
    "strings": _strings,
    "escaped_strings": _escaped_strings,
    "noted": _noted,
    "mark": _mark,
    "tags": _tags,
    "keep": _keep,
    "reserve": _reserve,
    "hex": _hex,
    "pointer": _pointer,
    "misfit": _misfit,
}
