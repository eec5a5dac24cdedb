"""Code made for the positions of a shape: Python that writes the values of structs as JSON.

Strings are written in two ways: as they are, for items whose JSON has no escapes, so that they hold nothing
that wants one; and escaped, for the others.

Attribute names are anybody's text. They enter the code as string literals made by `repr`; identifiers in
the code are numbered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_core.pieces import (
    Json,
    Number,
    Tag,
    choice,
    entries,
    joined,
    named,
    optional,
    pointed,
    quoted,
    returned,
    within,
)
from dynamodb_core.primitives import PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_core.layouts import Layout
    from dynamodb_core.pieces import Pieces
    from dynamodb_core.shapes import Fields, Shape

# Maps of at most this many fields, none of them optional, are written in place.
_INLINE = 6

_TAGGED = frozenset(("B", "SS", "NS", "BS"))
_BACKSLASH = b"\\"[0]


class Code:
    """Functions for the positions of a shape, collected into one namespace.

    `source` is an expression for a value's struct, and `at` the pieces of its JSON Pointer as it stands in
    JSON, or None where nothing in it needs a tag.

    Args:
        layout: Says how numbers and binaries are written.
    """

    def __init__(self, layout: Layout) -> None:
        self.texts = layout.decimals == "string"
        self.base16 = layout.binary == "base16"
        self.tagged = _TAGGED | {"N"} if self.texts else _TAGGED
        self.escapes = False
        self.lines: list[str] = []
        self.counter = 0
        self.tags: dict[int, bool] = {}
        self.kept: list[Shape] = []

    def build(self, body: Callable[[], list[str]]) -> Any:
        """Return the function `build` of a program.

        Args:
            body: Returns its statements; called for strings with escapes and for those without.
        """
        arguments = "i, note, spill, whole"
        self.escapes = True
        self.function("escaped", arguments, body())
        self.escapes = False
        simple = f"if {_BACKSLASH} in whole: return escaped({arguments})"
        self.function("build", arguments, [simple, *body()])
        return self.compiled("build")

    def function(self, name: str, arguments: str, body: list[str]) -> None:
        """Define a function."""
        self.lines += [f"def {name}({arguments}):", *(f"    {line}" for line in body)]

    def compiled(self, name: str) -> Any:
        """Run all definitions and return the named one."""
        space: dict[str, Any] = dict(PRIMITIVES)
        exec(compile("\n".join(self.lines), "<program>", "exec"), space)  # noqa: S102 - see the top
        return space[name]

    def has_tags(self, shape: Shape, *, inside: bool = False) -> bool:
        """Whether a value, or only what is inside of it, needs tags."""
        if not inside and not self.tagged.isdisjoint(shape.kinds):
            return True
        if id(shape) not in self.tags:
            self.kept.append(shape)
            self.tags[id(shape)] = any(self.has_tags(part) for part in shape.inside())
        return self.tags[id(shape)]

    def value(self, shape: Shape, source: str, at: Pieces | None, *, top: bool = False) -> Pieces:
        """Return the pieces of a value of any of its kinds."""
        if len(shape.kinds) == 1:
            return self.kind(next(iter(shape.kinds)), shape, source, at, top=top)
        apart = _holds(shape)
        own, place = ("v", at and ["at"]) if apart else (source, at)
        chosen = choice(
            own,
            {kind: joined(self.kind(kind, shape, own, place, top=top)) for kind in shape.kinds},
        )
        return [self.apart([chosen], source, at)] if apart else [chosen]

    def kind(
        self, kind: str, shape: Shape, source: str, at: Pieces | None, *, top: bool = False
    ) -> Pieces:
        """Return the pieces of a value of one kind."""
        if kind == "NULL":
            return [Json("null")]
        inner = f"{source}.{kind}"
        if kind == "BOOL":
            return [f"('true' if {inner} else 'false')"]
        if kind == "M":
            assert shape.fields is not None
            return self.mapping(shape.fields, inner, at)
        if kind == "L":
            return self.array(shape.element, inner, at)
        tag = []
        if at is not None and not top and kind in self.tagged:
            tag = [Tag(joined([Json('"'), *at, Json(f'":"{kind}"')]))]
        if kind == "N":
            return [*tag, *(quoted(Number(inner)) if self.texts else [Number(inner)])]
        if kind == "B" and top and self.base16:
            return quoted(f"hex({inner})")
        return [*tag, *(self.string(inner) if kind in ("S", "B") else [self.strings(inner)])]

    def string(self, text: str) -> Pieces:
        """Return the pieces of a string."""
        return [f"escape({text})"] if self.escapes else quoted(text)

    def strings(self, texts: str) -> str:
        """Return an expression for a list of strings."""
        return f"escaped_strings({texts})" if self.escapes else f"strings({texts})"

    def array(self, element: Shape | None, source: str, at: Pieces | None) -> Pieces:
        """Return the pieces of a list, of a source that is an expression for its parts."""
        if element is None:
            return [Json("[]")]
        only = next(iter(element.kinds)) if len(element.kinds) == 1 else None
        if only in ("S", "B", "N"):
            tags = []
            if at is not None and only in self.tagged:
                tags = [Tag(f"tags({joined(at)}, {only!r}, {source})")]
            texts = f"[e.{only} for e in {source}]"
            if only != "N":
                return [*tags, self.strings(texts)]
            texts = f"noted({texts}, note)"
            return [*tags, f"strings({texts})"] if self.texts else within("[]", texts)
        if at is None or not self.has_tags(element):
            return within("[]", f"[{self.part(element, 'e', None)} for e in {source}]")
        part = self.part(element, "e", [*at, Json("/"), "str(n)"])
        return within("[]", f"[{part} for n, e in enumerate({source})]")

    def dictionary(self, values: Shape, source: str, at: Pieces | None) -> Pieces:
        """Return the pieces of a map whose names are data."""
        place = [*at, Json("/"), "pointer(k)"] if at and self.has_tags(values) else None
        entry = joined([*self.string("k"), Json(":"), self.part(values, "e", place)])
        return within("{}", f"[{entry} for k, e in {source}.items()]")

    def part(self, shape: Shape, source: str, at: Pieces | None) -> str:
        """Return an expression for a value inside a comprehension."""
        if len(shape.kinds) > 1 or not _holds(shape):
            return joined(self.value(shape, source, at))
        if shape.fields is not None and shape.fields.values is None and "M" in shape.kinds:
            return joined(self.mapping(shape.fields, f"{source}.M", at, inline=False))
        return self.apart(self.value(shape, "v", at and ["at"]), source, at)

    def mapping(
        self, fields: Fields, source: str, at: Pieces | None, *, inline: bool = True
    ) -> Pieces:
        """Return the pieces of a map; without `inline` one call of a function."""
        if fields.values is not None:
            return self.dictionary(fields.values, source, at)
        inline &= len(fields.shapes) <= _INLINE and all(map(fields.always, fields.shapes))
        value, place = (source, at) if inline else ("v", at and ["at"])
        always, others = [], []
        for n, (name, shape) in enumerate(fields.shapes.items()):
            below = [*place, *pointed(name)] if place and self.has_tags(shape) else None
            entry = [named(name), *self.value(shape, f"{value}.f{n}", below)]
            if fields.always(name):
                always.append(entry)
            else:
                others.append(optional(f"{value}.f{n}", joined([Json(","), *entry])))
        pieces = entries(always, others)
        return pieces if inline else [self.apart(pieces, source, at)]

    def apart(self, pieces: Pieces, source: str, at: Pieces | None) -> str:
        """Return a call of a function of its own for pieces of the source `v` at `at`."""
        self.counter += 1
        name = f"v{self.counter}"
        body = returned(pieces)
        if at is None:
            self.function(name, "v, note", body)
            return f"{name}({source}, note)"
        self.function(name, "v, note, at, types", body)
        return f"{name}({source}, note, {joined(at)}, types)"


def _holds(shape: Shape) -> bool:
    """Whether there is anything inside of a value."""
    return any(True for _ in shape.inside())
