"""What the options of a stream make of its items; pure.

An item is shaped just before its key is looked at, whatever format it came in, in this order: `types`,
`nulls` and `empty_strings` (here for streams of our tap; those of other taps are typed so from the
start), `rename`, `defaults`, `constants`, `join`, `shards`, and at last `drop` and `keep`.
"""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.pointers import escape
from dynamodb_core.provenance import DELETED_AT
from target_dynamodb import casts, joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.encode import TypedValue
    from dynamodb_core.table import Key
    from target_dynamodb.key_choice import Stream

    Item = dict[str, TypedValue]
    Step = Callable[[Item], Item]

PATTERNS = 4096
"""Names of attributes of which is remembered whether they are written."""


class Shape:
    """Shapes the items of a stream; `of` makes one where the options ask for something.

    Attributes:
        columns: The properties of a record from which its key is made, each with the type that it is
            given; None where its schema or its value says that.
        required: Those of them that no record may lack.

    Args:
        stream: The stream.
        key: The key of its table.
        pick: Returns a random number below its argument.

    Raises:
        ConfigError: The options contradict each other, or the key.
        DataError: A constant or a default cannot be an attribute.
    """

    def __init__(
        self,
        stream: Stream,
        key: Key,
        *,
        pick: Callable[[int], int] = random.randrange,
    ) -> None:
        _check(stream, key)
        options = stream.options
        self._stream = stream
        self._key = key
        self._pick = pick
        self._ours = stream.source is not None
        self._joins = [
            (name, self._parts(parts), set(parts)) for name, parts in options.join.items()
        ]
        by = options.shards.get("by") or ()
        self._random = by == "random"
        self._shards = int(options.shards.get("count") or 0)
        self._in_front = options.shards.get("place") == "prefix"
        self._partition = (key.names[0], stream.plain_type_of(key.names[0]) or "S")
        self._by = [] if self._random else self._parts(by)
        self._made_of = self._old_names((*key.names, *(name for name, _ in self._by)))
        self._constants = {n: stream.typed(n, value) for n, value in options.constants.items()}
        self._defaults = {n: stream.typed(n, value) for n, value in options.defaults.items()}
        own = {options.rename.get(name, name) for name in stream.key}
        self._own_defaults = {n: value for n, value in self._defaults.items() if n in own}
        self.columns = self._columns()
        self.required = [
            old for old in self.columns if options.rename.get(old, old) not in self._defaults
        ]
        before = self._before()
        after: list[Step] = [self._join] * bool(self._joins)
        after += [self._shard] * bool(options.shards)
        self._steps: list[Step] = [*before, self._complete, *after]
        self._key_steps: list[Step] = [*before, self._complete_key, *after]
        if options.drop or options.keep:
            kept = {*key.names, *options.join, *options.constants, *options.defaults}
            self._written = lru_cache(PATTERNS)(lambda name: self._is_written(name, kept))
            self._steps.append(self._select)

    @classmethod
    def of(cls, stream: Stream, key: Key) -> Shape | None:
        """Return the shape of a stream's items, None where they are written as they are.

        Args:
            stream: The stream.
            key: The key of its table.
        """
        options, source = stream.options, stream.source
        asked: list[object] = [options.rename, options.defaults, options.constants, options.join]
        asked += [options.shards, options.drop, options.keep]
        if source is not None:
            asked += [options.types, options.nulls == "omit", options.empty_strings != "keep"]
            asked.append(
                source.item_format != "plain"
                and bool(options.partition_key or options.sort_key is not None)
                and set(stream.key) != set(key.names)
            )
        return cls(stream, key) if any(asked) else None

    def item(self, item: Item) -> Item:
        """Return the item that is put.

        Args:
            item: The item as the record has it; it may be changed.

        Raises:
            DataError: It cannot be shaped so.
        """
        for step in self._steps:
            item = step(item)
        return item

    def key(self, item: Item) -> Item:
        """Return the key of an item that is deleted.

        Args:
            item: What its record says of `columns`; it may be changed.

        Raises:
            DataError: The record does not say enough, or the key is another each time.
        """
        if self._random:
            raise DataError(
                "its shard was chosen at random, so that it cannot be found to delete it",
                f"Choose shards by the key in stream_options of {self._stream.name}",
            )
        for step in self._key_steps:
            item = step(item)
        return {name: item[name] for name in self._key.names if name in item}

    # What is asked for

    def _parts(self, names: object) -> list[tuple[str, str]]:
        assert isinstance(names, (list, tuple))
        return [(name, self._stream.plain_type_of(name) or "S") for name in names]

    def _old_names(self, names: tuple[str, ...]) -> list[str]:
        """Return the properties of which some attributes are made, not those that are constant."""
        stream = self._stream
        found: dict[str, None] = {}
        left = list(names)
        seen: set[str] = set()
        while left:
            name = left.pop()
            parts = stream.options.join.get(name, (name,))
            for part in parts:
                if part in stream.options.join and part != name and part not in seen:
                    left.append(part)
                elif part not in stream.options.constants:
                    found[stream.old_name(part)] = None
            seen.add(name)
        return list(found)

    def _columns(self) -> dict[str, str | None]:
        stream = self._stream
        if stream.source is not None and stream.source.item_format != "plain":
            types = stream.source_types
            return {name: types.get(name) or stream.kind(name).type or "S" for name in stream.key}
        columns: dict[str, str | None] = {}
        types = dict(zip(self._key.names, self._key.types, strict=True))
        if stream.options.shards:
            del types[self._key.names[0]]
        for old in self._made_of:
            name = stream.options.rename.get(old, old)
            known = None if name in stream.options.join else types.get(name)
            cast = old in stream.options.types
            columns[old] = None if cast else known or stream.plain_type_of(name)
        return columns

    def _before(self) -> list[Step]:
        """Return the steps up to the new names."""
        options = self._stream.options
        steps: list[Step] = []
        if self._ours:
            self._casts = [
                (name, kind, casts.caster(kind, base16=False), f"/{escape(name)}")
                for name, kind in options.types.items()
            ]
            steps += [self._cast] * bool(self._casts)
            steps += [_without_nulls] * (options.nulls == "omit")
            steps += [self._without_empty] * (options.empty_strings != "keep")
        return [*steps, *[self._rename] * bool(options.rename)]

    def _is_written(self, name: str, kept: set[str]) -> bool:
        options = self._stream.options
        if any(fnmatchcase(name, pattern) for pattern in options.drop):
            return False
        asked = not options.keep or any(fnmatchcase(name, pattern) for pattern in options.keep)
        return asked or name in kept

    # The steps

    def _cast(self, item: Item) -> Item:
        for name, kind, cast, path in self._casts:
            typed = item.get(name)
            if typed is not None:
                try:
                    item[name] = casts.recast(typed, kind, cast, path)
                except casts.LeftOut:
                    del item[name]
        return item

    def _without_empty(self, item: Item) -> Item:
        made = item
        for name, typed in item.items():
            if typed.get("S") == "" and name not in self._made_of:
                made = dict(item) if made is item else made
                if self._stream.options.empty_strings == "null":
                    made[name] = {"NULL": True}
                else:
                    del made[name]
        return made

    def _rename(self, item: Item) -> Item:
        rename = self._stream.options.rename
        made = {rename.get(name, name): typed for name, typed in item.items()}
        if len(made) != len(item):
            old, new = next((o, n) for o, n in rename.items() if o in item and o != n and n in item)
            raise DataError(
                f"/{escape(old)} is to be renamed to {new}, and there is a /{escape(new)} already",
                "Rename that one too in stream_options",
            )
        return made

    def _complete(self, item: Item) -> Item:
        return {**self._defaults, **item, **self._constants}

    def _complete_key(self, item: Item) -> Item:
        return {**self._own_defaults, **item, **self._constants}

    def _join(self, item: Item) -> Item:
        for name, parts, names in self._joins:
            try:
                texts = joined.texts(item, parts, name)
            except joined.MissingPart:
                if name in self._key.names or name in dict(self._by):
                    raise
                texts = []
            if name in item and name not in names:
                raise DataError(
                    f"/{escape(name)} is there already, and is to be joined of {', '.join(names)}",
                    "Join them under another name, or rename that one in stream_options",
                )
            if texts:
                item[name] = {"S": joined.join(texts)}
            else:
                item.pop(name, None)
        return item

    def _shard(self, item: Item) -> Item:
        name, kind = self._partition
        typed = item.get(name)
        if typed is None:
            return item  # the key will be found to be missing
        text = joined.text(name, typed, kind)
        if not text:
            raise DataError(f"Key attribute {name} is empty", "DynamoDB refuses empty key values")
        if self._random:
            number = self._pick(self._shards)
        else:
            number = joined.shard(joined.texts(item, self._by, "the shard"), self._shards)
        parts = (str(number), text) if self._in_front else (text, str(number))
        item[name] = {"S": joined.SEPARATOR.join(parts)}
        return item

    def _select(self, item: Item) -> Item:
        return {name: typed for name, typed in item.items() if self._written(name)}


def _without_nulls(item: Item) -> Item:
    return {name: typed for name, typed in item.items() if "NULL" not in typed}


def _check(stream: Stream, key: Key) -> None:
    """Refuse options that contradict each other.

    Raises:
        ConfigError: They do.
    """
    options = stream.options
    new = list(options.rename.values())
    for name in new:
        if new.count(name) > 1:
            raise ConfigError(
                f"stream_options of {stream.name} rename several attributes to {name}",
                "Give each a name of its own, or join them",
            )
    later = list(options.join)
    for name, parts in options.join.items():
        later.remove(name)
        early = [part for part in parts if part in later]
        if early:
            raise ConfigError(
                f"stream_options of {stream.name} join {name} of {early[0]}, which is joined later",
                f"Put {early[0]} before {name}",
            )
    for name in key.names:
        found = [pattern for pattern in options.drop if fnmatchcase(name, pattern)]
        if found:
            raise ConfigError(
                f"stream_options of {stream.name} drop {found[0]}, and {name} is of the table's key",
                "Leave the key's attributes out of drop",
            )
    deletes = DELETED_AT in stream.properties and not stream.kind(DELETED_AT).annotated
    if options.shards.get("by") == "random" and deletes:
        raise ConfigError(
            f"Stream {stream.name} has deletions, and shards that are chosen at random cannot be "
            "found again",
            "Choose shards by attributes of the key: by",
        )
