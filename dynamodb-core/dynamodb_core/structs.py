"""The msgspec structs that read the positions of a shape.

A typed value is a struct with a field for each DynamoDB type that was seen there, a map or an item one
with the fields f0, f1, … in the order of its names, which msgspec's `rename` gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.shapes import Shape

_LEAVES: dict[str, Any] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool,
    "SS": list[str], "NS": list[str], "BS": list[str],
}  # fmt: skip


class Structs:
    """Makes structs; those of single values are shared."""

    def __init__(self) -> None:
        self._leaves: dict[str, Any] = {}

    def typed(self, shape: Shape, raw: list[str] | None = None) -> Any:
        """Return the type that reads a value: one field for each kind; `raw` kinds unread."""
        kinds = {kind: self._content(kind, shape) for kind in shape.kinds}
        kinds.update((kind, msgspec.Raw) for kind in raw or ())
        if len(kinds) > 1:
            members = [(kind, type_ | UnsetType, UNSET) for kind, type_ in kinds.items()]
            return _struct(members)
        ((kind, type_),) = kinds.items()
        if type_ is not _LEAVES.get(kind):
            return _struct([(kind, type_)])
        if kind not in self._leaves:
            self._leaves[kind] = _struct([(kind, type_)])
        return self._leaves[kind]

    def named(self, members: list[tuple[str, Any, bool]], *, closed: bool = True) -> Any:
        """Return a struct of named values: each with its type and whether it is always there."""
        return _struct(
            [
                (f"f{n}", type_) if always else (f"f{n}", type_ | UnsetType, UNSET)
                for n, (_, type_, always) in enumerate(members)
            ],
            {f"f{n}": name for n, (name, _, _) in enumerate(members)},
            closed=closed,
        )

    def _content(self, kind: str, shape: Shape) -> Any:
        """Return the type that reads what stands under a kind's name."""
        if kind == "L":
            return list[self.typed(shape.element)] if shape.element else list[Nothing]  # type: ignore[misc]
        if kind == "M":
            fields = shape.fields
            assert fields is not None
            if fields.values is not None:
                return dict[str, self.typed(fields.values)]  # type: ignore[misc]
            return self.named(
                [(n, self.typed(s), fields.always(n)) for n, s in fields.shapes.items()]
            )
        return _LEAVES[kind]


def _struct(
    members: list[Any], rename: Mapping[str, str] | None = None, *, closed: bool = True
) -> Any:
    return msgspec.defstruct(
        "Part", members, rename=rename, forbid_unknown_fields=closed, gc=False, kw_only=True
    )


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """What nothing in DynamoDB's JSON fits: the element of lists that were always empty."""

    nothing: None
