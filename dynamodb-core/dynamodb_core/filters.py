"""Filter expressions as settings say them: plain values become typed ones; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_core.codec import TYPES
from dynamodb_core.encode import natural
from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.expressions import Filter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.encode import TypedValue

FILTER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["expression"],
    "properties": {
        "expression": {"type": "string", "minLength": 1},
        "names": {"type": "object", "additionalProperties": {"type": "string"}},
        "values": {"type": "object"},
    },
    "additionalProperties": False,
    "title": "Filter",
    "description": (
        "A DynamoDB filter expression with its names and values, for example "
        '{"expression": "#s = :s", "names": {"#s": "status"}, "values": {":s": "open"}}. What '
        "it leaves out costs the same capacity."
    ),
}
"""The setting `filter`, as JSON Schema."""


def typed_filter(given: Mapping[str, Any], what: str) -> Filter:
    """Return a filter with its values typed.

    Args:
        given: The setting, as `FILTER_SCHEMA` has it.
        what: What is filtered, for messages, for example `table orders`.

    Raises:
        ConfigError: A placeholder or a value is none.
    """
    names = given.get("names") or {}
    values = given.get("values") or {}
    wrong = [name for name in names if not name.startswith("#")]
    wrong += [name for name in values if not name.startswith(":")]
    if wrong:
        raise ConfigError(
            f"The filter of {what} has the placeholder {wrong[0]}",
            "Placeholders of names begin with #, those of values with :",
        )
    typed = {name: _value(value, f"{name} of its filter", what) for name, value in values.items()}
    return Filter(given["expression"], names, typed)


def _value(value: Any, where: str, what: str) -> TypedValue:
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in TYPES:
        return value
    whose = f"{what[:1].upper()}{what[1:]}"
    if isinstance(value, dict | list):
        raise ConfigError(
            f"{whose}: {where} is neither a plain value nor typed",
            'Give a text, a number, a boolean, or a value as DynamoDB types it: {"SS": ["a"]}',
        )
    try:
        return natural(value, where)
    except DataError as error:
        raise ConfigError(f"{whose}: {error.message}", error.hint) from error
