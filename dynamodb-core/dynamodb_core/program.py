"""Layouts compiled for one shape of items.

A program takes only items that fit it: `decode` raises msgspec.ValidationError for the others, `build`
raises Misfit or KeyError. What it does take, it converts exactly as `codec.py` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from dynamodb_core.generate import Code, Nothing
from dynamodb_core.pointers import escape
from dynamodb_core.shapes import Shape, nameable, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.layouts import Columns, Packed, Typed
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
        build: From the struct to the record, or to its JSON on one line. Its second argument is
            called with the text of every number, which is not checked; the third with every name that
            went to `rest`; the fourth is the item's bytes.
        nulls: Attributes without a column that were only ever NULL.
        decided: All attributes for which the program knows that they have no column.
    """

    decode: Callable[[Any], Any]
    build: Callable[
        [Any, Callable[[str], None], Callable[[str], None], Any], dict[str, Any] | bytes
    ]
    nulls: frozenset[str] = frozenset()
    decided: frozenset[str] = frozenset()


def compile_plain(fields: Fields, columns: Columns) -> Program | None:
    """Compile the layout `plain`; None when the reference is the better road."""
    if size(fields) > _POSITIONS or fields.varied(_SPARSE_PLAIN, _NAMES):
        return None
    code = Code(columns)
    dropping = not columns.open and columns.unknown == "drop"
    if dropping and not all(map(nameable, columns.types)):
        return None
    full = not columns.open or len(columns.types) >= columns.limit
    members: list[tuple[str, Any, bool]] = []
    nulls, decided = set(), set()
    steps: list[tuple[str, str, list[str]]] = []
    tagged = spilled = False
    for name, shape in fields.shapes.items():
        kind = None if name == columns.reserved else columns.types.get(name)
        if not nameable(name) or (kind is None and dropping):
            continue
        source = f"i.f{len(members)}"
        if kind is not None:
            wrong = [k for k in shape.kinds if k not in (kind, "NULL")]
            fit = Shape(
                {k: None for k in shape.kinds if k not in wrong}, shape.fields, shape.element
            )
            at = repr(f"/{escape(name)}")
            tags = columns.reserved is not None and code.has_tags(shape, inside=True)
            if wrong or len(fit.kinds) != 1:
                lines = code.choices(name, source, fit, wrong, at=at if tags else None)
            else:
                only = next(iter(fit.kinds))
                lines = [f"={code.kind(only, shape, source, at if tags else None, top=True)}"]
            tagged |= tags
            spilled |= bool(wrong)
            members.append((name, code.struct(fit, wrong), fields.always(name)))
        elif full or name == columns.reserved:
            lines = [f"spill({name!r})", f"rest[{name!r}] = raw({source})"]
            decided.add(name)
            spilled = True
            members.append((name, msgspec.Raw, fields.always(name)))
        elif list(shape.kinds) == ["NULL"]:
            lines = [f"spill({name!r})", f"rest[{name!r}] = {{'NULL': True}}"]
            nulls.add(name)
            spilled = True
            members.append((name, code.struct(shape), fields.always(name)))
        else:
            continue
        steps.append((name, source, lines))
    if dropping:
        members += [(name, Nothing, False) for name in columns.types if name not in fields.shapes]
    body = code.assign(steps, {name for name, _, always in members if always})
    before = ["types = {}"] * tagged + ["rest = {}"] * spilled
    after = _reserve(columns.reserved, tagged=tagged, spilled=spilled)
    code.function("build", "i, note, spill, whole", [*before, *body, *after, "return r"])
    struct = code.define(members, closed=not dropping)
    return Program(
        msgspec.json.Decoder(struct).decode,
        code.compiled("build"),
        frozenset(nulls),
        frozenset(decided | nulls),
    )


def compile_packed(fields: Fields, layout: Packed) -> Program | None:
    """Compile the layout `packed`; None when the reference is the better road."""
    keys = layout.keys
    if size(fields) > _POSITIONS or not all(
        list(fields.shapes.get(name, Shape()).kinds) == [kind] for name, kind in keys.items()
    ):
        return None
    code = Code(layout)
    at = f"/{escape(layout.item_field)}"
    tags = layout.reserved is not None and any(map(code.has_tags, fields.shapes.values()))
    key: list[str] = []
    body: list[str] = []
    source_type: Any
    if fields.varied(_SPARSE_PACKED, _NAMES) or not all(map(nameable, fields.shapes)):
        values = Shape()
        for shape in fields.shapes.values():
            values.merge(shape)
        source_type = dict[str, code.struct(values)]  # type: ignore[misc]
        one = len(values.kinds) == 1
        for n, (name, kind) in enumerate(keys.items()):
            body.append(f"k{n} = i.pop({name!r})")
            if not one:
                body.append(f"if k{n}.{kind} is U: misfit()")
            key.append(f"{name!r}: {code.kind(kind, Shape(), f'k{n}', None, top=True)}")
        place = f"{at!r} + '/' + esc(k)" if tags else None
        body.append(f"r = {{k: {code.part(values, 'e', place)} for k, e in i.items()}}")
    else:
        members, steps = [], []
        for n, (name, shape) in enumerate(fields.shapes.items()):
            members.append((name, code.struct(shape), name in keys or fields.always(name)))
            if name in keys:
                value = code.kind(keys[name], Shape(), f"i.f{n}", None, top=True)
                key.append(f"{name!r}: {value}")
                continue
            place = repr(f"{at}/{escape(name)}") if tags and code.has_tags(shape) else None
            steps.append((name, f"i.f{n}", [f"={code.value(shape, f'i.f{n}', place)}"]))
        source_type = code.define(members)
        body = code.assign(steps, {name for name, _, always in members if always})
    record = ", ".join([*key, f"{layout.item_field!r}: r"])
    after = [f"r = {{{record}}}", *_reserve(layout.reserved, tagged=tags, spilled=False)]
    before = ["types = {}"] * tags
    code.function("build", "i, note, spill, whole", [*before, *body, *after, "return r"])
    return Program(msgspec.json.Decoder(source_type).decode, code.compiled("build"))


def compile_typed(layout: Typed) -> Program | None:
    """Compile the layout `dynamodb_json`; None when the reference is the better road."""
    if not all(map(nameable, layout.keys)):
        return None
    code = Code(layout)
    shapes = {name: Shape({kind: None}) for name, kind in layout.keys.items()}
    struct = code.define([(n, code.struct(s), True) for n, s in shapes.items()], closed=False)
    pieces = ["b'{'"]
    for n, (name, kind) in enumerate(layout.keys.items()):
        if kind == "N" and not code.texts:
            text = f"(note(t := i.f{n}.N) or t).encode()"
        else:
            text = f"dumps({code.kind(kind, shapes[name], f'i.f{n}', None, top=True)})"
        pieces += [repr(orjson.dumps(name) + b":"), text, "b','"]
    pieces += [repr(orjson.dumps(layout.item_field) + b":"), "whole", "b'}'"]
    parts = ", ".join(pieces)
    # A number is found several times as fast as a byte string.
    body = [f"r = join(({parts}))", f"if {_LF} in r or {_CR} in r: misfit()", "return r"]
    code.function("build", "i, note, spill, whole", body)
    return Program(msgspec.json.Decoder(struct).decode, code.compiled("build"))


def _reserve(reserved: str | None, *, tagged: bool, spilled: bool) -> list[str]:
    if reserved is None or not (tagged or spilled):
        return []
    if tagged and spilled:
        both = "{**({'types': types} if types else {}), **({'rest': rest} if rest else {})}"
        return [f"if types or rest: r[{reserved!r}] = {both}"]
    part = "types" if tagged else "rest"
    return [f"if {part}: r[{reserved!r}] = {{{part!r}: {part}}}"]
