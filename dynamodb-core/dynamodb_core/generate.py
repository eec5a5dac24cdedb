"""Code made for the positions of a shape: msgspec structs that read values, Python that converts them.

Attribute names are anybody's text. They enter the code as string literals made by `repr`, and the
structs by msgspec's `rename`; identifiers in the code are numbered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from dynamodb_core.pointers import escape
from dynamodb_core.primitives import PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.layouts import Layout
    from dynamodb_core.shapes import Fields, Shape

# Maps of at most this many fields, none of them optional, are written in place.
_INLINE = 6

_LEAVES: dict[str, Any] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool,
    "SS": list[str], "NS": list[str], "BS": list[str],
}  # fmt: skip
_TAGGED = frozenset(("B", "SS", "NS", "BS"))


class Code:
    """Structs and functions for the positions of a shape, collected into one namespace.

    An expression for a value takes `source`, an expression for its struct, and `at`, an expression
    for its JSON Pointer, or None where nothing in it needs a tag.

    Args:
        layout: Says how numbers and binaries are written.
    """

    def __init__(self, layout: Layout) -> None:
        self.texts = layout.decimals == "string"
        self.base16 = layout.binary == "base16"
        self.tagged = _TAGGED | {"N"} if self.texts else _TAGGED
        self.lines: list[str] = []
        self.counter = 0
        self.leaves: dict[str, Any] = {}
        self.tags: dict[int, bool] = {}
        self.kept: list[Shape] = []

    def name(self, prefix: str) -> str:
        """Return a new identifier."""
        self.counter += 1
        return f"{prefix}{self.counter}"

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

    def struct(self, shape: Shape, raw: list[str] | None = None) -> Any:
        """Return the type that reads a value: one field for each kind; `raw` kinds unread."""
        kinds = {kind: self.content(kind, shape) for kind in shape.kinds}
        kinds.update((kind, msgspec.Raw) for kind in raw or ())
        if len(kinds) > 1:
            members = [(kind, type_ | UnsetType, UNSET) for kind, type_ in kinds.items()]
            return _struct(members)
        ((kind, type_),) = kinds.items()
        if type_ is not _LEAVES.get(kind):
            return _struct([(kind, type_)])
        if kind not in self.leaves:
            self.leaves[kind] = _struct([(kind, type_)])
        return self.leaves[kind]

    def content(self, kind: str, shape: Shape) -> Any:
        """Return the type that reads what stands under a kind's name."""
        if kind == "L":
            return list[self.struct(shape.element)] if shape.element else list[Nothing]  # type: ignore[misc]
        if kind == "M":
            fields = shape.fields
            assert fields is not None
            if fields.values is not None:
                return dict[str, self.struct(fields.values)]  # type: ignore[misc]
            return self.define(
                [(n, self.struct(s), fields.always(n)) for n, s in fields.shapes.items()]
            )
        return _LEAVES[kind]

    def define(self, members: list[tuple[str, Any, bool]], *, closed: bool = True) -> Any:
        """Return a struct of named values: each with its type and whether it is always there."""
        return _struct(
            [
                (f"f{n}", type_) if always else (f"f{n}", type_ | UnsetType, UNSET)
                for n, (_, type_, always) in enumerate(members)
            ],
            {f"f{n}": name for n, (name, _, _) in enumerate(members)},
            closed=closed,
        )

    def value(self, shape: Shape, source: str, at: str | None) -> str:
        """Return an expression for a value of any of its kinds."""
        if len(shape.kinds) == 1:
            return self.kind(next(iter(shape.kinds)), shape, source, at)
        name = self.name("v")
        body = [
            f"if v.{kind} is not U: return {self.kind(kind, shape, 'v', at and 'at')}"
            for kind in shape.kinds
        ]
        self.function(name, _signature("v", at), [*body, "misfit()"])
        return _call(name, source, at)

    def kind(
        self, kind: str, shape: Shape, source: str, at: str | None, *, top: bool = False
    ) -> str:
        """Return an expression for a value of one kind."""
        if kind == "NULL":
            return "None"
        if kind == "N":
            text = f"note(t := {source}.N) or t"
            if not self.texts:
                return f"F({text})"
            return f"({text})" if at is None or top else f"mark({text}, {at}, types, 'N')"
        if kind == "M":
            assert shape.fields is not None
            return self.mapping(shape.fields, f"{source}.M", at)
        if kind == "L":
            return self.array(shape.element, f"{source}.L", at)
        if kind == "B" and top and self.base16:
            return f"hex({source}.B)"
        if kind in _TAGGED and at is not None and not top:
            return f"mark({source}.{kind}, {at}, types, {kind!r})"
        return f"{source}.{kind}"

    def part(self, shape: Shape, source: str, at: str | None) -> str:
        """Return an expression for a value inside a comprehension: nothing is assigned there."""
        if len(shape.kinds) > 1 or next(iter(shape.kinds)) in ("S", "BOOL", "NULL", *_TAGGED):
            return self.value(shape, source, at)
        if shape.fields is not None and shape.fields.values is None and "M" in shape.kinds:
            return self.mapping(shape.fields, f"{source}.M", at, inline=False)
        name = self.name("p")
        body = f"return {self.value(shape, 'v', at and 'at')}"
        self.function(name, _signature("v", at), [body])
        return _call(name, source, at)

    def array(self, element: Shape | None, source: str, at: str | None) -> str:
        """Return an expression for a list, of a source that is an expression for its parts."""
        if element is None:
            return "[]"
        if list(element.kinds) == ["N"]:
            if not self.texts:
                return f"numbers({source}, note)"
            return (
                f"texts({source}, note)" if at is None else f"marked({source}, note, {at}, types)"
            )
        if at is None or not self.has_tags(element):
            return f"[{self.part(element, 'e', None)} for e in {source}]"
        place = f"{at} + '/' + str(n)"
        return f"[{self.part(element, 'e', place)} for n, e in enumerate({source})]"

    def mapping(self, fields: Fields, source: str, at: str | None, *, inline: bool = True) -> str:
        """Return an expression for a map; without `inline` one that assigns nothing where it stands."""
        if fields.values is not None:
            place = f"{at} + '/' + esc(k)" if at and self.has_tags(fields.values) else None
            return f"{{k: {self.part(fields.values, 'e', place)} for k, e in {source}.items()}}"
        inline &= len(fields.shapes) <= _INLINE and all(map(fields.always, fields.shapes))
        value, place = (source, at) if inline else ("v", at and "at")
        steps = []
        for n, (name, shape) in enumerate(fields.shapes.items()):
            tagged = place is not None and self.has_tags(shape)
            below = f"{place} + {'/' + escape(name)!r}" if tagged else None
            steps.append((name, f"{value}.f{n}", [f"={self.value(shape, f'{value}.f{n}', below)}"]))
        if inline:
            return f"{{{', '.join(f'{name!r}: {lines[0][1:]}' for name, _, lines in steps)}}}"
        function = self.name("m")
        body = self.assign(steps, set(filter(fields.always, fields.shapes)))
        self.function(function, _signature("v", at), [*body, "return r"])
        return _call(function, source, at)

    def choices(
        self, name: str, source: str, fit: Shape, wrong: list[str], *, at: str | None
    ) -> list[str]:
        """Return statements for an attribute that is not always of its column's type.

        Args:
            name: The attribute.
            source: An expression for its struct.
            fit: Its shape, with the kinds only that its column takes.
            wrong: The other kinds; they go to `rest`.
            at: As everywhere.
        """
        takes = {
            kind: f"r[{name!r}] = {self.kind(kind, fit, source, at, top=True)}"
            for kind in fit.kinds
        }
        for kind in wrong:
            typed = f"{{{kind!r}: raw({source}.{kind})}}"
            takes[kind] = f"spill({name!r}); rest[{name!r}] = {typed}"
        if len(takes) == 1:
            return list(takes.values())
        lines = [f"if {source}.{kind} is not U: {action}" for kind, action in takes.items()]
        return [lines[0], *(f"el{line}" for line in lines[1:]), "else: misfit()"]

    def assign(self, steps: list[tuple[str, str, list[str]]], always: set[str]) -> list[str]:
        """Return statements that make `r` of the values; a line that begins with = is a value."""
        display, rest = [], []
        for name, source, lines in steps:
            value = lines[0][1:] if lines[0].startswith("=") else None
            if value is not None and name in always:
                display.append(f"{name!r}: {value}")
            elif value is not None:
                rest.append(f"if {source} is not U: r[{name!r}] = {value}")
            elif name in always:
                rest += lines
            else:
                rest += [f"if {source} is not U:", *(f"    {line}" for line in lines)]
        return [f"r = {{{', '.join(display)}}}", *rest]


def _signature(first: str, at: str | None) -> str:
    return f"{first}, note" if at is None else f"{first}, note, at, types"


def _call(function: str, source: str, at: str | None) -> str:
    return (
        f"{function}({source}, note)" if at is None else f"{function}({source}, note, {at}, types)"
    )


def _struct(
    members: list[Any], rename: Mapping[str, str] | None = None, *, closed: bool = True
) -> Any:
    return msgspec.defstruct(
        "Part", members, rename=rename, forbid_unknown_fields=closed, gc=False, kw_only=True
    )


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """What nothing in DynamoDB's JSON fits: the element of lists that were always empty."""

    nothing: None
