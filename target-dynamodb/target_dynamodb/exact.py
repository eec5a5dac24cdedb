"""Records from their JSON, with every digit of their numbers; pure."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder of msgspec raises on what it does not take for JSON."""

decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
"""Decodes a strict JSON object; floats become Decimal."""

encode = msgspec.json.Encoder(decimal_format="number").encode
"""The way back: a record as JSON, with every digit of its numbers."""


def reread(line: bytes) -> Any:
    """Decode what `decode` does not: NaN, Infinity and lone surrogates pass, for errors to name.

    Args:
        line: What should be JSON.

    Returns:
        What it says; None where it is null, or no JSON at all.
    """
    try:
        return json.loads(line, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError):
        return None
