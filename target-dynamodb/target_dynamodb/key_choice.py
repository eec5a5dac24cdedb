"""Which attributes are a stream's key, what each is made of, and of what type it is; pure.

Without options these are the key properties, in their order. An attribute that `stream_options` names
takes its place; what it does not hold of the key properties stays in the key, so that no two records
become one item unless the options say so (`sort_key: ""`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dynamodb_core import encode
from target_dynamodb import casts
from target_dynamodb.kinds import Kind, kind
from target_dynamodb.stream_options import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynamodb_core.table import Key
    from target_dynamodb.source import Source


@dataclass(frozen=True)
class Stream:
    """What the target knows of a stream when it looks for its table; can be pickled.

    Attributes:
        name: The stream's name, after stream maps.
        key_properties: Its key, partition key first; may be empty.
        properties: The JSON Schema of each property.
        source: The table that it came from, if our tap wrote it.
        options: What the configuration says of it.
    """

    name: str
    key_properties: Sequence[str]
    properties: Mapping[str, Mapping[str, Any]]
    source: Source | None = None
    options: StreamOptions = field(default_factory=StreamOptions)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Its own key properties; of two, the source says which is the partition key."""
        names = tuple(self.key_properties)
        source_key = self.source.key if self.source else None
        if source_key and set(source_key.names) == set(names):
            return source_key.names
        return names

    @cached_property
    def source_types(self) -> Mapping[str, str]:
        """The types of the key attributes of its source; empty where that is not known."""
        source_key = self.source.key if self.source else None
        return dict(zip(source_key.names, source_key.types, strict=True)) if source_key else {}

    def kind(self, name: str) -> Kind:
        """Return what one of its properties becomes, by its schema alone."""
        return kind(self.properties.get(name) or {})

    def key_names(self) -> tuple[str, ...]:
        """Return the attributes that are to be its key, however many."""
        options = self.options
        partition, sort = options.partition_key, options.sort_key
        rest = [options.rename.get(name, name) for name in self.key]
        chosen = [name for name in (partition, sort) if name]
        if chosen or sort == "":
            covered = set(self.parts_of(chosen)) | set(chosen)
            rest = [name for name in rest if name not in covered]
        if sort == "":
            return (partition,) if partition else tuple(rest[:1])
        if partition and sort:
            return (partition, sort)
        if partition:
            return (partition, *rest)
        return (*rest, sort) if sort else tuple(rest)

    def parts_of(self, names: Iterable[str]) -> set[str]:
        """Return the attributes of the record, under their new names, that some attributes hold.

        Those are the attributes from which alone their value is made, each with its whole value.
        """
        options = self.options
        found: set[str] = set()
        left, seen = list(names), set[str]()
        while left:
            name = left.pop()
            joined = options.join.get(name) if name not in seen else None
            seen.add(name)
            if joined is not None:
                left += joined
            elif name not in options.constants:
                found.add(name)
        return found - (options.join.keys() - {n for n, of in options.join.items() if n in of})

    def tells_apart(self, key: Key) -> bool:
        """Return whether two records of other key properties never have one key in a table.

        Args:
            key: The table's key.
        """
        options = self.options
        old = {options.rename.get(name, name): name for name in self.key}
        altered = {new for new, name in old.items() if new in options.defaults}
        altered |= {new for new, name in old.items() if name in options.types}
        held = self.parts_of(key.names) - altered
        return bool(old) and old.keys() <= held

    def type_of(self, name: str) -> str | None:
        """Return the type of an attribute that it is written with, None where that is not known.

        Args:
            name: Its name in the table.
        """
        options = self.options
        if name in options.join or (options.shards and self.key_names()[:1] == (name,)):
            return "S"
        return self.plain_type_of(name)

    def plain_type_of(self, name: str) -> str | None:
        """Return the same, before it is spread over shards.

        Args:
            name: Its name in the table.
        """
        options = self.options
        if name in options.join:
            return "S"
        if name in options.constants:
            return next(iter(self.typed(name, options.constants[name])))
        old = self.old_name(name)
        if old in options.types:
            return casts.type_of(options.types[old])
        found = self.kind(old).type or self.source_types.get(old)
        if found is None and name in options.defaults:
            return next(iter(self.typed(name, options.defaults[name])))
        return found

    def old_name(self, name: str) -> str:
        """Return the property that an attribute is made of."""
        return next((old for old, new in self.options.rename.items() if new == name), name)

    def typed(self, name: str, value: Any) -> encode.TypedValue:
        """Return the value of a constant or a default as an attribute; a text may hold placeholders.

        Args:
            name: The attribute.
            value: What the configuration says; `{stream}` and `{table}` in it stand for the names.

        Raises:
            DataError: It cannot be an attribute of the type that is asked for.
        """
        if isinstance(value, str):
            table = self.source.name if self.source else self.name
            value = value.replace("{stream}", self.name).replace("{table}", table)
        if value is None:
            return {"NULL": True}
        wanted = self.options.types.get(name)
        path = f"/{name}"
        return casts.caster(wanted)(value, path) if wanted else encode.natural(value, path)
