"""From the raw bytes of items to the finished JSON bytes of their records: the fast road.

The converter learns from the first items what items look like and compiles a program for that. Items
that do not fit are converted by the reference, `codec.py`, and teach the converter; so its records are
always those of the reference, and a table that drifts stays fast.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from dynamodb_core.codec import to_packed, to_plain, to_typed
from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.primitives import Misfit
from dynamodb_core.program import compile_packed, compile_plain, compile_typed
from dynamodb_core.shapes import learned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynamodb_core.codec import Item, Number, Plain
    from dynamodb_core.layouts import Layout
    from dynamodb_core.program import Program
    from dynamodb_core.shapes import Fields

_SAMPLE = 100
# After n further compilations the next waits for 2**n misfits: however a table drifts, they are few.
_ROUNDS = 20
_MISFITS = (msgspec.DecodeError, UnicodeDecodeError, Misfit, KeyError)

_floats = msgspec.json.Decoder(list[float])


class Converted(NamedTuple):
    """The records of some items.

    Attributes:
        records: JSON of each record on one line, in the order of the items.
        late: Attributes that got a column in these items, and its type; those that follow in the
            same call were converted with it. Widen the converter's `layout` by it before the next
            call; where another type was decided in the meantime, convert the items again.
        rest: How many items had the attribute go to `rest` (or lose it for want of one).
    """

    records: list[bytes]
    late: dict[str, str]
    rest: Mapping[str, int]


class Converter:
    """Converts items to records of one layout. Threads may share it; it can be pickled.

    Args:
        layout: `Columns`, `Packed` or `Typed`.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._fields: Fields | None = None
        self._program: tuple[Layout, Program | None] | None = None
        self._compiled = 0
        self._missed: list[Item] = []
        self._misses = 0
        self._lock = threading.Lock()

    @property
    def layout(self) -> Layout:
        """The layout; set it to convert with other columns from the next call on."""
        return self._layout

    @layout.setter
    def layout(self, layout: Layout) -> None:
        with self._lock:
            if self._program is not None and not _still_true(*self._program, layout):
                self._program = None
            elif self._program is not None:
                self._program = (layout, self._program[1])
            self._layout = layout

    def convert(self, items: Sequence[msgspec.Raw]) -> Converted:
        """Convert a page.

        Args:
            items: The bytes of each item, as `msgspec.Raw` slices of an answer (or anything that has
                a buffer).

        Raises:
            DataError: An item is no item, has no key, or holds a number that is none.
        """
        if not items:
            return Converted([], {}, {})
        layout, program = self._program or self._start(items)
        page = _Page(layout)
        if program is None:
            return page.by_reference(items)
        if not page.by_program(items, program):
            return _Page(layout).by_reference(items)
        if page.misfits:
            self._learn(page)
        return page.result()

    def _start(self, items: Sequence[msgspec.Raw]) -> tuple[Layout, Program | None]:
        """Compile for the first time, or for another layout; other threads wait for it."""
        with self._lock:
            if self._program is None:
                if self._fields is None:
                    step = -(-len(items) // _SAMPLE)
                    sample = () if isinstance(self._layout, Typed) else items[::step]
                    self._fields = learned(None, map(_parse, sample))
                self._program = (self._layout, _compile(self._fields, self._layout))
            return self._program

    def _learn(self, page: _Page) -> None:
        """Keep misfits in mind, and compile again when they are many."""
        with self._lock:
            self._misses += len(page.misfits)
            room = _SAMPLE - len(self._missed)
            self._missed += page.misfits[: max(0, room)]
            if self._compiled >= _ROUNDS or self._misses < 2**self._compiled:
                return
            self._fields = learned(self._fields, self._missed)
            self._compiled += 1
            self._missed, self._misses = [], 0
            self._program = (self._layout, _compile(self._fields, self._layout))

    def __getstate__(self) -> dict[str, Any]:
        """Return what was learned; the program is compiled again where it is needed."""
        with self._lock:
            return {"layout": self._layout, "fields": self._fields, "compiled": self._compiled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["layout"])  # type: ignore[misc]
        self._fields, self._compiled = state["fields"], state["compiled"]


class _Page:
    """One call of `convert`: its columns grow as attributes turn up late."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.late: dict[str, str] = {}
        self.records: list[bytes] = []
        self.spilled: list[str] = []
        self.misfits: list[Item] = []

    def by_program(self, items: Sequence[msgspec.Raw], program: Program) -> bool:
        """Convert by program, misfits by reference; False when a number is not spelled as in JSON."""
        decode, build, nulls, _ = program
        texts: list[str] = []
        note, spill, add = texts.extend, self.spilled.append, self.records.append
        # The program sends NULL to `rest` where an attribute has no column: not once it has one.
        trusted = True
        for raw in items:
            body = raw if raw.__class__ is bytes else bytes(raw)
            try:
                add(build(decode(body), note, spill, body) if trusted else self.reference(body))
            except _MISFITS:
                add(self.reference(body, teach=True))
                trusted = nulls.isdisjoint(self.late)
        return _are_numbers(texts)

    def by_reference(self, items: Sequence[msgspec.Raw]) -> Converted:
        """Convert item by item as codec.py does."""
        for raw in items:
            self.records.append(self.reference(raw))
        return self.result()

    def reference(self, raw: bytes | msgspec.Raw, *, teach: bool = False) -> bytes:
        """Convert one item as codec.py does."""
        item = _parse(raw)
        plain = _REFERENCE[type(self.layout)](item, self.layout, orjson.Fragment)
        self.spilled += plain.rest
        if plain.late and isinstance(self.layout, Columns):
            self.late.update(plain.late)
            self.layout = self.layout.widened(plain.late)
        elif teach and self.late.keys().isdisjoint(item) and not isinstance(self.layout, Typed):
            self.misfits.append(item)
        return orjson.dumps(plain.record)

    def result(self) -> Converted:
        return Converted(self.records, self.late, Counter(self.spilled))


_REFERENCE: dict[type, Callable[[Item, Any, Number], Plain]] = {
    Columns: to_plain,
    Packed: to_packed,
    Typed: to_typed,
}


def _compile(fields: Fields, layout: Layout) -> Program | None:
    if isinstance(layout, Columns):
        return compile_plain(fields, layout)
    return compile_packed(fields, layout) if isinstance(layout, Packed) else compile_typed(layout)


def _still_true(old: Layout, program: Program | None, new: Layout) -> bool:
    """Whether a program for the old columns converts right what it takes, with the new ones."""
    if old == new:
        return True
    if program is None or not isinstance(old, Columns) or not isinstance(new, Columns):
        return False
    return (
        new.open
        and replace(old, types=new.types) == new
        and all(new.types.get(name) == kind for name, kind in old.types.items())
        and program.decided.isdisjoint(new.types.keys() - old.types.keys())
    )


def _parse(raw: bytes | msgspec.Raw) -> Item:
    try:
        item = orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError as error:
        raise DataError(f"An item is not JSON: {error}") from None
    if not isinstance(item, dict):
        raise DataError("An item is not a JSON object")
    return item


def _are_numbers(texts: list[str]) -> bool:
    """Whether each text is one JSON number and nothing else, all at once.

    A text with a comma in it adds a number too many and none takes one away, for an empty text is
    no JSON. Brackets and quotes give something that is no number.
    """
    joined = ",".join(texts)
    if " " in joined or "\n" in joined or "\r" in joined or "\t" in joined:
        return False
    try:
        return len(_floats.decode(f"[{joined}]")) == len(texts)
    except msgspec.DecodeError:
        return False
