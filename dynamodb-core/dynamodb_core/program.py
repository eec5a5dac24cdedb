"""Layouts compiled for one shape of items.

A program takes only items that fit it: `decode` raises msgspec.ValidationError for the others, `build`
raises Misfit or KeyError. What it does take, it converts exactly as `codec.py` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dynamodb_core.generate import Code
from dynamodb_core.pieces import (
    Json,
    choice,
    entries,
    joined,
    named,
    optional,
    pointed,
    returned,
)
from dynamodb_core.shapes import Shape, nameable, size
from dynamodb_core.structs import Nothing, Structs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamodb_core.layouts import Columns, Packed, Typed
    from dynamodb_core.pieces import Pieces
    from dynamodb_core.shapes import Fields

_LF, _CR = b"\n\r"

# More positions than this cost more to compile than they save.
_POSITIONS = 3000
# An item struct with more names than _NAMES, and so many times those of an item, is slower than what
# there is instead: the reference in `plain`, a dictionary in `packed`.
_NAMES, _SPARSE_PLAIN, _SPARSE_PACKED = 32, 16, 4


class Program(NamedTuple):
    """A compiled road.

    Attributes:
        decode: From an item's bytes to a struct.
        build: From the struct to the record's JSON on one line. Its second argument is called with
            the texts of some numbers, until it was given all, which are not checked; the third with
            every name that went to `rest`; the fourth is the item's bytes.
        nulls: Attributes without a column that were only ever NULL.
        decided: All attributes for which the program knows that they have no column.
    """

    decode: Callable[[Any], Any]
    build: Callable[[Any, Callable[[Iterable[str]], None], Callable[[str], None], Any], bytes]
    nulls: frozenset[str] = frozenset()
    decided: frozenset[str] = frozenset()


class _Attribute(NamedTuple):
    """An attribute of the items that a program for `plain` takes.

    Attributes:
        name: Its name.
        source: An expression for its struct.
        shape: What was seen of it.
        always: Whether every item has it.
        column: The type of its column, None without one.
        null: Whether it has no column as it was only ever NULL.
    """

    name: str
    source: str
    shape: Shape
    always: bool
    column: str | None
    null: bool

    @property
    def wrong(self) -> list[str]:
        """The kinds that its column does not take."""
        return [kind for kind in self.shape.kinds if kind not in (self.column, "NULL")]

    @property
    def fit(self) -> Shape:
        """Its shape, with the kinds only that its column takes."""
        kinds = {kind: None for kind in self.shape.kinds if kind in (self.column, "NULL")}
        return Shape(kinds, self.shape.fields, self.shape.element)


def compile_plain(fields: Fields, columns: Columns) -> Program | None:
    """Compile the layout `plain`; None when the reference is the better road."""
    if size(fields) > _POSITIONS or fields.varied(_SPARSE_PLAIN, _NAMES):
        return None
    dropping = not columns.open and columns.unknown == "drop"
    if dropping and not all(map(nameable, columns.types)):
        return None
    full = not columns.open or len(columns.types) >= columns.limit
    structs = Structs()
    members: list[tuple[str, Any, bool]] = []
    attributes: list[_Attribute] = []
    for name, shape in fields.shapes.items():
        kind = None if name == columns.reserved else columns.types.get(name)
        unplaced = kind is None and (full or name == columns.reserved)
        null = kind is None and not unplaced and list(shape.kinds) == ["NULL"]
        if not nameable(name) or (kind is None and (dropping or not (unplaced or null))):
            continue
        always = fields.always(name)
        one = _Attribute(name, f"i.f{len(members)}", shape, always, kind, null)
        if kind is not None:
            read = structs.typed(one.fit, one.wrong)
        else:
            read = structs.typed(shape) if null else msgspec.Raw
        attributes.append(one)
        members.append((name, read, always))
    if dropping:
        members += [(name, Nothing, False) for name in columns.types if name not in fields.shapes]
    struct = structs.named(members, closed=not dropping)
    code = Code(columns)
    return Program(
        msgspec.json.Decoder(struct).decode,
        code.build(lambda: _plain(code, columns, attributes)),
        frozenset(each.name for each in attributes if each.null),
        frozenset(each.name for each in attributes if each.column is None),
    )


def _plain(code: Code, columns: Columns, attributes: list[_Attribute]) -> list[str]:
    """Return statements that return a record of `plain`."""
    always, others = [], []
    tagged = spilled = False
    for each in attributes:
        tags = columns.reserved is not None and code.has_tags(each.shape, inside=True)
        at = pointed(each.name) if tags and each.column is not None else None
        tagged |= at is not None
        spilled |= each.column is None or bool(each.wrong)
        if each.column is not None and not each.wrong:
            entry = [named(each.name), *code.value(each.shape, each.source, at, top=True)]
            if each.always:
                always.append(entry)
            else:
                others.append(optional(each.source, joined([Json(","), *entry])))
        else:
            spill = _spilled(code, each, at)
            others.append(spill if each.always else optional(each.source, spill))
    return _record(columns, always, others, tagged=tagged, spilled=spilled)


def _spilled(code: Code, each: _Attribute, at: Pieces | None) -> str:
    """Return an expression for the entry of an attribute that always or sometimes goes to `rest`."""

    def kept(*typed: str) -> str:
        return f"keep({each.name!r}, {joined([named(each.name), *typed])}, spill, rest)"

    if each.null:
        return kept(Json('{"NULL":true}'))
    if each.column is None:
        return kept(f"raw({each.source})")
    fit = each.fit
    takes = {}
    for kind in fit.kinds:
        value = code.kind(kind, fit, each.source, at, top=True)
        takes[kind] = joined([Json(","), named(each.name), *value])
    for kind in each.wrong:
        takes[kind] = kept(Json(f'{{"{kind}":'), f"raw({each.source}.{kind})", Json("}"))
    return choice(each.source, takes) if len(takes) > 1 else next(iter(takes.values()))


def compile_packed(fields: Fields, layout: Packed) -> Program | None:
    """Compile the layout `packed`; None when the reference is the better road."""
    keys = layout.keys
    if size(fields) > _POSITIONS or not all(
        list(fields.shapes.get(name, Shape()).kinds) == [kind] for name, kind in keys.items()
    ):
        return None
    structs, code = Structs(), Code(layout)
    if fields.varied(_SPARSE_PACKED, _NAMES) or not all(map(nameable, fields.shapes)):
        values = Shape()
        for shape in fields.shapes.values():
            values.merge(shape)
        read: Any = dict[str, structs.typed(values)]  # type: ignore[misc]
        build = code.build(lambda: _packed_by_name(code, layout, values))
    else:
        read = structs.named(
            [
                (name, structs.typed(shape), name in keys or fields.always(name))
                for name, shape in fields.shapes.items()
            ]
        )
        build = code.build(lambda: _packed(code, layout, fields))
    return Program(msgspec.json.Decoder(read).decode, build)


def _packed(code: Code, layout: Packed, fields: Fields) -> list[str]:
    """Return statements that return a record of `packed`, of a struct."""
    tagged = False
    key, always, others = {}, [], []
    for n, (name, shape) in enumerate(fields.shapes.items()):
        source = f"i.f{n}"
        if name in layout.keys:
            key[name] = code.kind(layout.keys[name], Shape(), source, None, top=True)
            continue
        tags = layout.reserved is not None and code.has_tags(shape)
        tagged |= tags
        place = pointed(layout.item_field, name) if tags else None
        entry = [named(name), *code.value(shape, source, place)]
        if fields.always(name):
            always.append(entry)
        else:
            others.append(optional(source, joined([Json(","), *entry])))
    ordered = [key[name] for name in layout.keys]
    return _keyed(layout, ordered, entries(always, others), tagged=tagged)


def _packed_by_name(code: Code, layout: Packed, values: Shape) -> list[str]:
    """Return statements that return a record of `packed`, of a dictionary of structs."""
    taken, key = [], []
    for n, (name, kind) in enumerate(layout.keys.items()):
        taken.append(f"k{n} = i.pop({name!r})")
        if len(values.kinds) > 1:
            taken.append(f"if k{n}.{kind} is U: misfit()")
        key.append(code.kind(kind, Shape(), f"k{n}", None, top=True))
    tagged = layout.reserved is not None and code.has_tags(values)
    at = pointed(layout.item_field) if tagged else None
    return [*taken, *_keyed(layout, key, code.dictionary(values, "i", at), tagged=tagged)]


def _keyed(layout: Packed, key: list[Pieces], item: Pieces, *, tagged: bool) -> list[str]:
    """Return statements that return a record of a key's values and an item."""
    always = [[named(name), *value] for name, value in zip(layout.keys, key, strict=True)]
    always.append([named(layout.item_field), *item])
    return _record(layout, always, [], tagged=tagged)


def compile_typed(layout: Typed) -> Program | None:
    """Compile the layout `dynamodb_json`; None when the reference is the better road."""
    if not all(map(nameable, layout.keys)):
        return None
    structs, code = Structs(), Code(layout)
    code.escapes = True
    shapes = {name: Shape({kind: None}) for name, kind in layout.keys.items()}
    struct = structs.named([(n, structs.typed(s), True) for n, s in shapes.items()], closed=False)
    pieces, before = [], "{"
    for n, (name, kind) in enumerate(layout.keys.items()):
        value = joined(code.kind(kind, shapes[name], f"i.f{n}", None, top=True))
        pieces += [repr((before + named(name)).encode()), f"{value}.encode()"]
        before = ","
    pieces += [repr((before + named(layout.item_field)).encode()), "whole", "b'}'"]
    # A number is found several times as fast as a byte string.
    body = [
        f"r = glue(({', '.join(pieces)}))",
        f"if {_LF} in r or {_CR} in r: misfit()",
        "return r",
    ]
    code.function("build", "i, note, spill, whole", body)
    return Program(msgspec.json.Decoder(struct).decode, code.compiled("build"))


def _record(
    layout: Columns | Packed,
    always: list[Pieces],
    others: list[str],
    *,
    tagged: bool,
    spilled: bool = False,
) -> list[str]:
    """Return statements that return a record of these entries and of the reserved object."""
    before = ["types = []"] * tagged + ["rest = []"] * spilled
    if layout.reserved is not None and before:
        parts = f"{'types' if tagged else '()'}, {'rest' if spilled else '()'}"
        others = [*others, f"reserve({named(layout.reserved)!r}, {parts})"]
    return [*before, *returned(entries(always, others), ".encode()")]
