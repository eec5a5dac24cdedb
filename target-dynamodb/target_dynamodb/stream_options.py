"""What the configuration says of one stream: `stream_options`, over the settings for all; pure.

An option is declared once: its JSON Schema in `OF_ONE_STREAM` (or in `OF_ALL_STREAMS`, when it is a
setting of the target that a stream can have otherwise), and an attribute of its name, with the default,
in `StreamOptions`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from target_dynamodb.writes import WRITE_MODE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_dynamodb.settings import Settings

TYPES = ("S", "N", "B", "SS", "NS", "BS", "BOOL", "M", "L", "hex", "epoch", "epoch_ms")
"""What `types` can make of an attribute: DynamoDB's types, binary of base16, moments as numbers."""

OF_ALL_STREAMS: dict[str, dict[str, Any]] = {
    "write_mode": WRITE_MODE,
    "nulls": {
        "type": ["string", "null"],
        "enum": ["keep", "omit", None],
        "title": "Nulls",
        "description": (
            "What becomes of a property that is null: keep writes NULL, omit leaves the attribute "
            "out. Left out, keep for streams of tap-dynamodb and omit for those of other taps."
        ),
    },
    "empty_strings": {
        "type": ["string", "null"],
        "enum": ["keep", "omit", "null", None],
        "default": "keep",
        "title": "Empty strings",
        "description": (
            'What becomes of a property that is "": keep writes it, omit leaves the attribute out, '
            "null writes NULL. A key attribute that is empty is an error."
        ),
    },
}
"""Settings of the target that `stream_options` can say otherwise for a stream."""

_NAMES = {"type": ["array", "null"], "items": {"type": "string"}}

OF_ONE_STREAM: dict[str, dict[str, Any]] = {
    "partition_key": {"type": ["string", "null"]},
    "sort_key": {"type": ["string", "null"]},
    "rename": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    "keep": _NAMES,
    "drop": _NAMES,
    "constants": {"type": ["object", "null"]},
    "defaults": {"type": ["object", "null"]},
    "join": {
        "type": ["object", "null"],
        "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "shards": {
        "type": ["object", "null"],
        "properties": {
            "count": {"type": "integer", "minimum": 2},
            "by": {"anyOf": [{"const": "random"}, {"type": "array", "minItems": 1}]},
            "place": {"enum": ["suffix", "prefix"]},
        },
        "required": ["count", "by"],
        "additionalProperties": False,
    },
    "types": {"type": ["object", "null"], "additionalProperties": {"enum": list(TYPES)}},
}
"""Options that a stream alone can have."""

# Without defaults: the SDK would write these into each stream's options, over the target's own settings.
_OPTIONS = {
    name: {word: said for word, said in schema.items() if word != "default"}
    for name, schema in {**OF_ONE_STREAM, **OF_ALL_STREAMS}.items()
}

STREAM_PROPERTIES: dict[str, dict[str, Any]] = {
    **OF_ALL_STREAMS,
    "stream_options": {
        "type": ["object", "null"],
        "additionalProperties": {
            "type": "object",
            "properties": _OPTIONS,
            "additionalProperties": False,
        },
        "title": "Options by stream",
        "description": (
            "Options of the streams that are named here, by name or by pattern with * and ?: "
            f"{', '.join(OF_ONE_STREAM)}, and {', '.join(OF_ALL_STREAMS)} otherwise than for all. "
            "Patterns hold in their order, a later one before an earlier one, and a stream's own name "
            "before all patterns. Streams are named as stream_maps names them."
        ),
    },
}
"""The settings of this module, as JSON Schema."""


@dataclass(frozen=True)
class StreamOptions:
    """What holds for one stream; can be pickled. Each attribute is the option of its name.

    Attributes:
        write_mode: `put`, `insert` or `merge`.
        nulls: `keep` or `omit`; empty for what suits the tap.
        empty_strings: `keep`, `omit` or `null`.
        partition_key: The attribute that is the partition key; None for the stream's own.
        sort_key: The attribute that is the sort key; None for the stream's own, empty for none.
        rename: New names of attributes.
        keep: Attributes that are written, names or patterns; empty for all.
        drop: Attributes that are not written, names or patterns.
        constants: Values of attributes, whatever the record says.
        defaults: Values of attributes that a record lacks.
        join: Attributes that are made of others, joined.
        shards: How the partition key is spread; empty for not at all.
        types: Types of attributes.
    """

    write_mode: str = "put"
    nulls: str = ""
    empty_strings: str = "keep"
    partition_key: str | None = None
    sort_key: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    keep: Sequence[str] = ()
    drop: Sequence[str] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    join: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shards: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, stream: str) -> StreamOptions:
        """Return the options of a stream.

        Args:
            settings: The target's settings; its own go behind what `stream_options` says.
            stream: The stream's name, after stream maps.
        """
        by_name = settings.stream_options
        found = dict(settings.for_all_streams)
        for pattern, given in by_name.items():
            if pattern != stream and fnmatchcase(stream, pattern):
                found |= _said(given)
        return cls(**(found | _said(by_name.get(stream))))


def for_all_streams(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration says of all streams.

    Args:
        config: The configuration; null counts as left out.
    """
    return _said({name: config.get(name) for name in OF_ALL_STREAMS})


def in_vain(settings: Settings, streams: Collection[str]) -> list[str]:
    """Return what the settings say by stream that fits no stream, such as a name with a typing error.

    Args:
        settings: The target's settings.
        streams: All streams that came, after stream maps.
    """
    by_stream: dict[str, Iterable[str]] = {
        "stream_options": settings.stream_options,
        "table_names": settings.table_names,
    }
    return [
        f"{setting}[{pattern}]"
        for setting, patterns in by_stream.items()
        for pattern in patterns
        if pattern not in streams and not any(fnmatchcase(stream, pattern) for stream in streams)
    ]


def _said(given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (given or {}).items() if value is not None}
