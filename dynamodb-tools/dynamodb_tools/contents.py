"""The content of an item: its canonical form, and the digests that stand for it; pure.

A number's normal form is the one DynamoDB gives back: plain digits, without exponent and needless zeros.
An item that spells a number otherwise has a second digest, of the spelling.

Nearly all items come in their canonical form, but for the order of their attributes. So `digests` sorts these,
and looks in the JSON for what may be written otherwise; only then it walks through the item. A quote in a text
or a name is escaped there, so that what looks like a type and the beginning of its value is one.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import numbers
from dynamodb_core.errors import DataError
from dynamodb_tools.rows import CONTENT_BYTES, SPELLING_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dynamodb_core.encode import TypedValue

MOST_WHOLE, MOST_FRACTION = 126, 168
"""Digits before and after the point of a number that is written out; DynamoDB's need no more."""

_PLAIN = (
    rf"0|-?(?:[1-9][0-9]{{0,{MOST_WHOLE - 1}}}(?:\.[0-9]{{0,{MOST_FRACTION - 1}}}[1-9])?"
    rf"|0\.[0-9]{{0,{MOST_FRACTION - 1}}}[1-9])"
)
_is_plain = re.compile(_PLAIN, re.ASCII).fullmatch
# Names of attributes are followed by an object, and quotes in texts are escaped: this is a tag.
_other_number = re.compile(rf'N":"(?!(?:{_PLAIN})")'.encode()).search
_SET, _BINARY = b'S":[', b'"B":"'

_LEAVES = frozenset(("S", "N", "BOOL", "NULL"))


def number(text: str) -> str:
    """Return a number's normal form: one text for all spellings of it.

    Numbers that are too large or too small for DynamoDB keep an exponent. What is no number is returned as
    it is, and equal to nothing else.

    Args:
        text: The value of an N.
    """
    if _is_plain(text):
        return text
    try:
        short = numbers.canonical(text)
    except DataError:
        return text
    mantissa, _, power = short.partition("E")
    sign, digits, exponent = mantissa[: short[0] == "-"], mantissa.lstrip("-"), int(power or 0)
    if len(digits) + exponent > MOST_WHOLE or -exponent > MOST_FRACTION:
        digits, trailing = digits.rstrip("0"), len(digits) - len(digits.rstrip("0"))
        return f"{sign}{digits}E{exponent + trailing}"
    if exponent >= 0:
        return sign + digits + "0" * exponent
    padded = digits.rjust(1 - exponent, "0")
    return f"{sign}{padded[:exponent]}.{padded[exponent:]}"


def binary(text: str) -> str:
    """Return the base64 that every encoder writes for some bytes; what is no base64 as it is.

    Args:
        text: The value of a B.
    """
    try:
        return b64encode(b64decode(text, validate=True)).decode()
    except ValueError:
        return text


def canonical(typed: Mapping[str, Any], spell: Callable[[str], str] = number) -> TypedValue:
    """Return a value's canonical form.

    Args:
        typed: The value.
        spell: Writes a number.
    """
    [(kind, value)] = typed.items()
    if kind == "N":
        return {kind: spell(value)}
    if kind == "B":
        return {kind: binary(value)}
    if kind == "M":
        return {kind: {name: canonical(inner, spell) for name, inner in value.items()}}
    if kind == "L":
        return {kind: [canonical(inner, spell) for inner in value]}
    if kind == "SS":
        return {kind: sorted(value)}
    if kind == "BS":
        return {kind: sorted(map(binary, value))}
    if kind == "NS":
        return {
            kind: [spell(text) for text in sorted(value, key=lambda text: (number(text), text))]
        }
    return {kind: value}


def digests(page: list[Any]) -> tuple[list[bytes], list[bytes]]:
    """Return what stands for the contents of items, and for how they spell numbers: `Row` says what.

    Args:
        page: Typed attributes of each item. They are changed.
    """
    spellings = [b""] * len(page)
    try:
        texts = [orjson.dumps(item, None, orjson.OPT_SORT_KEYS) for item in page]
    except TypeError:  # half of a surrogate pair
        texts = [dump(item) for item in page]
    whole = b"".join(texts)
    odd = _other_number(whole) is not None
    tags = [tag for tag in (_SET, _BINARY) if tag in whole]
    for index, text in enumerate(texts if odd or tags else ()):
        wanted = sum(map(text.count, tags))
        normal = None if odd and _other_number(text) else _settled(page[index], text, wanted)
        if normal is None:
            normal, spellings[index] = _respelled(page[index])
        texts[index] = normal
    return [blake2b(text, digest_size=CONTENT_BYTES).digest() for text in texts], spellings


def plain_digests(lines: bytes) -> list[bytes] | None:
    """Return what stands for the contents of items without sets and binaries, as `digests` does.

    Args:
        lines: The JSON of each item on a line, its members sorted.

    Returns:
        The digests; None where a number is not in its normal form.
    """
    if _other_number(lines):
        return None
    texts = lines.split(b"\n")
    del texts[-1]  # what follows the last line's end
    return [blake2b(text, digest_size=CONTENT_BYTES).digest() for text in texts]


def load(text: bytes) -> Any:
    """Return what JSON says; half of a surrogate pair in it is a character as any other.

    Args:
        text: The JSON of an item.

    Raises:
        DataError: It is none.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(text)  # takes half of a surrogate pair for a character
        except ValueError:
            raise DataError(f"An item is no JSON: {error}") from error


def dump(value: Any) -> bytes:
    """Return a value as compact JSON with its members sorted.

    Args:
        value: What `load` may return.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # half of a surrogate pair
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _settled(item: dict[str, TypedValue], text: bytes, wanted: int) -> bytes | None:
    """Return the JSON of an item's canonical form; None where numbers in sets are spelled otherwise.

    Args:
        item: The item; all its numbers outside of sets are in their normal form. It is changed.
        text: Its JSON.
        wanted: How many sets and binaries it has.
    """
    changed = False
    levels: list[Iterable[TypedValue]] = [item.values()] if wanted else []
    for values in levels:  # it grows meanwhile
        for typed in values:
            (kind,) = typed
            if kind in _LEAVES:
                continue
            value = typed[kind]
            if kind == "M":
                levels.append(value.values())
            elif kind == "L":
                levels.append(value)
            else:
                if kind == "NS" and not all(map(_is_plain, value)):
                    return None
                normal = canonical(typed)[kind]
                if normal != value:
                    typed[kind] = normal
                    changed = True
                wanted -= 1
                if not wanted:
                    return dump(item) if changed else text
    return text


def _respelled(item: dict[str, TypedValue]) -> tuple[bytes, bytes]:
    """Return the JSON of an item's canonical form, and a digest of how it spells its numbers."""
    normal, spelled = (
        dump({name: canonical(typed, spell) for name, typed in item.items()})
        for spell in (number, str)
    )
    if normal == spelled:
        return normal, b""
    return normal, blake2b(spelled, digest_size=SPELLING_BYTES).digest()
