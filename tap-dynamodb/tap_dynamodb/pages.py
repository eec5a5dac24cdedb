"""What a worker does with a table: it reads its parts page by page and makes of each page what goes out.

All of it can be pickled and imports nothing of the SDK: threads here and worker processes run the
same code.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_dynamodb.changed import of_changes
from tap_dynamodb.render import LineRenderer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from dynamodb_core.change import Change
    from dynamodb_core.expired import Expiry
    from dynamodb_core.layouts import Layout
    from dynamodb_core.parts import Block
    from tap_dynamodb.changed import ChangeLines, ChangeRecords
    from tap_dynamodb.entities import Entities
    from tap_dynamodb.render import RecordRenderer, Rendered
    from tap_dynamodb.seen import Highest, Seen

    Blocks: TypeAlias = Iterator[Block["Page"]]

REFUSED = "Check what table_options says of this table (filter, query, index)"
"""What to check where DynamoDB refuses a read."""


class Page(NamedTuple):
    """What a worker made of a page of items.

    Attributes:
        parts: What became of the items of each stream.
        expired: How many items were left out as they have expired.
        seen: What the items said about the replication key, where there is one: once for each page
            that this stands for.
    """

    parts: Mapping[str, Rendered]
    expired: int = 0
    seen: tuple[Seen, ...] = ()


class Widened(NamedTuple):
    """News for those who render: a stream has more columns.

    Attributes:
        stream: Its name.
        layout: Its layout from now on.
    """

    stream: str
    layout: Layout


class PageConverter:
    """Makes of a page of items what becomes of it for each stream.

    Threads share it, and take turns: those that compute at the same time only wrest the interpreter
    from each other.

    Args:
        renderers: By stream; items of other streams are left out.
        entities: Tells the streams' items apart.
        expiry: Tells expired items; None where all are kept.
        observe: Looks at the replication key; None where there is none.
        keys: The type of each key attribute, where there are changes.
        old_image: Whether the records of changes tell what the item was before.
    """

    def __init__(
        self,
        renderers: Mapping[str, LineRenderer | RecordRenderer],
        entities: Entities,
        expiry: Expiry | None = None,
        observe: Highest | None = None,
        keys: Mapping[str, str] | None = None,
        *,
        old_image: bool = False,
    ) -> None:
        self._renderers = dict(renderers)
        self._entities = entities
        self._expiry = expiry
        self._observe = observe
        self._keys = keys or {}
        self._old_image = old_image
        self._of_changes: dict[str, ChangeLines | ChangeRecords] = {}
        self._computing = threading.Lock()

    def __call__(self, items: Sequence[msgspec.Raw]) -> Page:
        """Convert a page."""
        with self._computing:
            living = items if self._expiry is None else self._expiry.living(items)
            parts = {
                name: self._renderers[name](some)
                for name, some in self._entities.split(living).items()
                if name in self._renderers
            }
            seen = (self._observe(items),) if self._observe else ()
            return Page(parts, len(items) - len(living), seen)

    def changes(self, changes: Sequence[Change]) -> Page:
        """Convert a page of changes; a deletion is told to all streams that may have had the item."""
        with self._computing:
            living = self._living(changes)
            parts = {
                name: self._change_renderer(name)(some)
                for name, some in self._split(living).items()
                if name in self._renderers
            }
            return Page(parts, len(changes) - len(living))

    @property
    def looks(self) -> bool:
        """Whether each item of a page is parsed whole on the way to a line, whatever it is."""
        return (
            self._expiry is None
            and self._observe is None
            and len(self._entities.streams) == 1
            and all(
                isinstance(self._renderers.get(stream), LineRenderer)
                for stream in self._entities.streams
            )
        )

    def _change_renderer(self, stream: str) -> ChangeLines | ChangeRecords:
        made = self._of_changes.get(stream)
        if made is None:
            renderer = self._renderers[stream]
            made = of_changes(renderer, self._keys, old_image=self._old_image)
            self._of_changes[stream] = made
        return made

    def _living(self, changes: Sequence[Change]) -> Sequence[Change]:
        if self._expiry is None:
            return changes
        living = self._expiry.living
        return [each for each in changes if each.item is None or living([msgspec.Raw(each.item)])]

    def _split(self, changes: Sequence[Change]) -> Mapping[str, Sequence[Change]]:
        streams = self._entities.streams
        if len(streams) == 1:
            return {streams[0]: changes}
        split: dict[str, list[Change]] = {name: [] for name in streams}
        for change in changes:
            for name in self._streams_of(change):
                split[name].append(change)
        return split

    def _streams_of(self, change: Change) -> Sequence[str]:
        whole = change.old if change.item is None else change.item
        if whole is not None:
            return self._entities.streams_of(msgspec.Raw(whole))
        return self._entities.streams_of(msgspec.Raw(change.keys or b"{}"), self._keys)

    def widen(self, stream: str, layout: Layout) -> None:
        """Render a stream with more columns from the next page on."""
        self._renderers[stream] = self._renderers[stream].widened(layout)
        self._of_changes.pop(stream, None)

    def tell(self, news: Widened) -> None:
        """Go on with more columns."""
        self.widen(news.stream, news.layout)

    def __reduce__(self) -> Any:
        """Pickle by what it was made of; locks cannot be."""
        members = (self._renderers, self._entities, self._expiry, self._observe, self._keys)
        return partial(type(self), old_image=self._old_image), members
