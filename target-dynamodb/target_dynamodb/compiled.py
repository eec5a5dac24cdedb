"""Records as their SCHEMA says, to items by code that is made for it; pure.

The columns of a SCHEMA become a msgspec struct, and a function that puts the item's JSON together from its
fields. It takes only what is plain to see: for anything else (a value of another type, a number with an
exponent, a property that nobody announced, a tag) the record goes the way of `attributes.py`, which is the
reference and finds the words for what is wrong. Names of properties are anybody's text: they enter the code as
literals made by `repr`, and the struct by msgspec's `rename`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import orjson
from msgspec import UNSET, Raw, UnsetType

from dynamodb_core import numbers
from dynamodb_core.codec import TYPES
from dynamodb_core.errors import DataError
from dynamodb_core.shapes import nameable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    Write = tuple[Hashable, bytes, bool]
    Encode = Callable[[Any, str], dict[str, Any]]

MOST_COLUMNS = 200
"""With more, a record lacks most of them, and looking for each takes longer than it saves."""
LONGEST_PAUSE = 1024
"""Records that are not tried after one that did not fit, at most."""

QUOTE, ZERO = b'"', ord("0")
_S, _N, _NULL = b'{"S":', b'{"N":"', b'{"NULL":true}'

# A number that is written as it came, as the reference would: no exponent, and none in Decimal's spelling.
_PLAIN = re.compile(rb"(?!-0$)-?(?:0(?!\.0{6})|[1-9][0-9]*)(?:\.[0-9]+)?").fullmatch


class Misfit(Exception):
    """A record that has to be looked at closely."""


REFUSALS = (
    Misfit,
    DataError,
    msgspec.MsgspecError,
    orjson.JSONEncodeError,
    UnicodeDecodeError,
    RecursionError,
)


class Column:
    """A property that is an attribute.

    Args:
        name: Its name.
        type_: DynamoDB's type; empty when the value decides.
        encode: Types a value that is not null; takes its JSON Pointer as well.
        path: The pointer.
        text: Whether it is a number that travels as text.
    """

    def __init__(
        self, name: str, type_: str, encode: Encode, path: str, *, text: bool = False
    ) -> None:
        self.name = name
        self.type = type_
        self.encode = encode
        self.path = path
        self.text = text


class Compiled:
    """Makes writes of the records that fit their SCHEMA.

    Args:
        columns: The properties that are attributes, those of the key among them.
        keys: The type of each key attribute.
        skipped: Properties that are no attributes, whatever they hold.
        absent: One that no record of this way has, or null; empty for none.
        reserved: The property that holds what has no column; empty without one.
        keep_nulls: Whether null is NULL; else the attribute is left out.
        empty: What becomes of an empty text that is not of the key: `keep`, `omit`, or `null`.
        indexed: The type that keys of indexes want of attributes.
        dense: Whether every record has every column, and nothing apart from them.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        keys: Mapping[str, str],
        *,
        skipped: Collection[str] = (),
        absent: str = "",
        reserved: str = "",
        keep_nulls: bool,
        empty: str = "keep",
        indexed: Mapping[str, str] | None = None,
        dense: bool,
    ) -> None:
        by_name = {column.name: column for column in columns}
        indexed = indexed or {}
        code = _Code(dense=dense, keep_nulls=keep_nulls, empty=empty, indexed=indexed)
        for name, type_ in keys.items():
            code.key(by_name.pop(name), type_)
        for column in by_name.values():
            code.column(column)
        if reserved and not dense:
            code.reserved(reserved, frozenset((*(column.name for column in columns), *indexed)))
        for name in skipped:
            code.field(name, Any | UnsetType)
        if absent:
            code.field(absent, None | UnsetType)
        self._write = code.compiled()
        self._misses = 0
        self._pause = 0

    def write(self, record: Raw) -> Write | None:
        """Return the write that a record is.

        Args:
            record: The record's JSON.

        Returns:
            The write, as `Encoder` makes them; None when the record has to be looked at closely. After
            such records some more are not tried, so that a stream of them loses nothing.
        """
        if self._pause:
            self._pause -= 1
            return None
        try:
            write = self._write(record)
        except REFUSALS:
            self._misses += 1
            self._pause = min(2**self._misses, LONGEST_PAUSE) - 2
            return None
        self._misses = 0
        return write


def compiled(
    columns: Sequence[Column],
    keys: Mapping[str, str],
    *,
    skipped: Collection[str],
    absent: str,
    reserved: str,
    keep_nulls: bool,
    empty: str = "keep",
    indexed: Mapping[str, str] | None = None,
) -> list[Compiled]:
    """Compile for a SCHEMA, see `Compiled`.

    Returns:
        What is to be tried in this order; nothing where the reference is the better way.
    """
    names = [column.name for column in columns]
    others = [*skipped, *filter(None, (absent, reserved))]
    fit = (
        keys.keys() <= set(names)
        and set(keys.values()) <= {"S", "N"}
        and all(column.type == keys.get(column.name, column.type) for column in columns)
        and set(names).isdisjoint(others)
        and len(names) <= MOST_COLUMNS
        and all(map(nameable, (*names, *others)))
    )
    return [
        Compiled(
            columns,
            keys,
            skipped=skipped,
            absent=absent,
            reserved=reserved,
            keep_nulls=keep_nulls,
            empty=empty,
            indexed=indexed,
            dense=dense,
        )
        for dense in (True, False)
        if fit
    ]


class _Code:
    """The function, line by line, and the fields of the struct that it reads.

    Where records are dense, the item is joined of one tuple, in which what never changes is one piece.
    """

    def __init__(
        self, *, dense: bool, keep_nulls: bool, empty: str, indexed: Mapping[str, str]
    ) -> None:
        self._dense = dense
        self._keep_nulls = keep_nulls
        self._empty = empty
        self._indexed = indexed
        self._fields: list[Any] = []
        self._rename: dict[str, str] = {}
        self._lines: list[str] = []
        self._pieces: list[bytes | str] = []
        self._identity: list[str] = []
        self._space: dict[str, Any] = {
            "U": UNSET,
            "dumps": orjson.dumps,
            "number": _number,
            "checked": numbers.checked,
            "rest": _rest,
            "misfit": _misfit,
        }

    def field(self, name: str, type_: Any, *, always: bool = False) -> str:
        """Read a property; return the expression for it."""
        own = f"f{len(self._fields)}"
        self._fields.append((own, type_) if always else (own, type_, UNSET))
        self._rename[own] = name
        return f"r.{own}"

    def key(self, column: Column, type_: str) -> None:
        """Read a part of the key, and write it."""
        opening = (b"," if self._identity else b"{") + orjson.dumps(column.name) + b":"
        own = f"k{len(self._identity)}"
        if type_ == "S":
            self._lines += [
                f"{own} = {self.field(column.name, str, always=True)}",
                f"if not {own}: misfit()",
            ]
            self._put([opening + _S, f"dumps({own})", b"}"])
        else:
            unquoted = f".strip({QUOTE!r})" if column.text else ""
            self._lines += [
                f"t = bytes({self.field(column.name, Raw, always=True)}){unquoted}",
                f"if len(t) > {numbers.MAX_DIGITS} or not t.isdigit() or t[0] == {ZERO}: misfit()",
                f"{own} = t.decode()",
            ]
            self._put([opening + _N, f"{own}.encode()", b'"}'])
        self._identity.append(f"({type_!r}, {own}), ")

    def column(self, column: Column) -> None:
        """Read a property, and write its attribute."""
        opening = b"," + orjson.dumps(column.name) + b":"
        own = f"v{len(self._fields)}"
        check = null = ""
        type_: Any
        pieces: list[bytes | str]
        if column.type == "N" and not column.text:
            type_, pieces = Raw, [opening + _N, own, b'"}']
            check = (
                f"if not ({own}.isdigit() and len({own}) <= {numbers.MAX_DIGITS}): number({own})"
            )
            null = f"{own} == b'null'"
        elif column.type == "N":
            type_, pieces = str, [opening + _N, f"checked({own}).encode()", b'"}']
        elif column.type == "S":
            type_, pieces = str, [opening + _S, f"dumps({own})", b"}"]
        elif column.type == "BOOL":
            type_, pieces = bool, [opening + b'{"BOOL":', f"b'true' if {own} else b'false'", b"}"]
        else:
            encode = f"e{len(self._fields)}"
            self._space[encode] = column.encode
            type_, pieces = Any, [opening, f"dumps({encode}({own}, {column.path!r}))"]
            check = f"if {own} is None: misfit()"
        refused = self._refused(column, own)
        empty = self._empty if type_ in (str, Any) else "keep"
        if self._dense:
            source = self.field(column.name, type_, always=True)
            self._lines.append(f"{own} = bytes({source})" if null else f"{own} = {source}")
            self._lines += filter(None, [check, refused])
            if empty != "keep":
                self._lines.append(f"if {own} == '': misfit()")
            self._put(pieces)
            return
        if type_ in (str, bool):
            type_ |= None
        as_null = "misfit()" if column.name in self._indexed else f"p.append({opening + _NULL!r})"
        self._lines += [
            f"{own} = {self.field(column.name, type_ | UnsetType)}",
            f"if {own} is not U:",
            *([f"    {own} = bytes({own})"] if null else []),
            f"    if {null or f'{own} is None'}:",
            f"        {as_null if self._keep_nulls else 'pass'}",
            *([f"    elif {own} == '':"] if empty != "keep" else []),
            *([f"        {as_null if empty == 'null' else 'pass'}"] if empty != "keep" else []),
            "    else:",
            *([f"        {check}"] if null else []),
            *([f"        {refused}"] if refused else []),
        ]
        self._put(pieces, indent=8)

    def _refused(self, column: Column, own: str) -> str:
        """Return the line that tells what the key of an index refuses; empty where there is none."""
        wanted = self._indexed.get(column.name)
        if wanted is None:
            return ""
        if wanted != column.type:
            return "misfit()"
        return "" if wanted == "N" else f"if not {own}: misfit()"

    def reserved(self, name: str, columns: frozenset[str]) -> None:
        """Read the reserved object, and write the attributes that it holds."""
        self._space["columns"] = columns
        source = self.field(name, _Reserved | None | UnsetType)
        self._lines += [f"v = {source}", "if v is not U and v is not None: rest(p, v, columns)"]

    def _put(self, pieces: Sequence[bytes | str], indent: int = 0) -> None:
        """Write pieces of the item: constants, and expressions."""
        if not self._dense:
            self._lines.append(f"{' ' * indent}p += ({_listed(pieces)})")
            return
        for piece in pieces:
            last = self._pieces[-1] if self._pieces else ""
            if isinstance(piece, bytes) and isinstance(last, bytes):
                self._pieces[-1] = last + piece
            else:
                self._pieces.append(piece)

    def compiled(self) -> Callable[[Raw], Write]:
        """Return the function."""
        struct: Any = msgspec.defstruct(
            "Record",
            self._fields,
            rename=self._rename,
            forbid_unknown_fields=True,
            gc=False,
            kw_only=True,
        )
        self._space["decode"] = msgspec.json.Decoder(struct, float_hook=Decimal).decode
        if self._dense:
            self._put([b"}"])
            item = f"({_listed(self._pieces)})"
        else:
            self._lines.insert(0, "p = []")
            self._put([b"}"])
            item = "p"
        lines = [
            "r = decode(record)",
            *self._lines,
            f"return ({''.join(self._identity)}), b''.join({item}), False",
        ]
        source = "\n    ".join(["def write(record):", *lines])
        exec(compile(source, "<compiled>", "exec"), self._space)  # noqa: S102 - see the top
        write: Callable[[Raw], Write] = self._space["write"]
        return write


def _listed(pieces: Sequence[bytes | str]) -> str:
    return "".join(f"{piece!r}, " if isinstance(piece, bytes) else f"{piece}, " for piece in pieces)


class _Reserved(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The tap's reserved object, without tags."""

    rest: dict[str, dict[str, Any]]


def _rest(pieces: list[bytes], reserved: _Reserved, columns: frozenset[str]) -> None:
    """Write the attributes that have no column."""
    for name, typed in reserved.rest.items():
        if name in columns or len(typed) != 1 or next(iter(typed)) not in TYPES:
            raise Misfit
        pieces += (b"," + orjson.dumps(name) + b":", orjson.dumps(typed))


def _number(text: bytes) -> None:
    """See to it that a JSON number can be written as it is."""
    if len(text) > numbers.MAX_DIGITS or not _PLAIN(text):
        raise Misfit


def _misfit() -> NoReturn:
    raise Misfit
